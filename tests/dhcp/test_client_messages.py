"""What the client's messages carry, field by field and option by option: RFC 2131 tables 1, 4 and
5, RFC 2132.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.config import DhcpConfig
from stack.dhcp.messages import Writer, client_identifier, parameter_request_list
from stack.wire import dhcp
from stack.wire.addresses import ANY
from stack.wire.dhcp import DhcpMessage
from tests.dhcp.world import ADDRESS, MAC, SERVER
from tests.requirements import rfc

TALKATIVE = DhcpConfig(host_name="here", vendor_class="tapstack", requested_lease_s=7200, broadcast_flag=True)
DEFAULT_LIST = bytes((1, 121, 3, 33, 6, 15, 119, 12, 26, 28, 42, 51, 58, 59))


def messages(config: DhcpConfig | None = None, mtu: int = 1500) -> dict[str, DhcpMessage]:
    """One of each, as a server would read it."""
    writer = Writer(config or DhcpConfig(), MAC, mtu, None)
    made = {
        "discover": writer.discover(7, 3, None),
        "wish": writer.discover(7, 3, ADDRESS),
        "selecting": writer.request_offer(7, 3, ADDRESS, SERVER),
        "reboot": writer.request_remembered(7, 3, ADDRESS),
        "renewing": writer.request_more_time(7, 3, ADDRESS),
        "inform": writer.inform(7, 3, ADDRESS),
        "decline": writer.decline(7, ADDRESS, SERVER, "why"),
        "release": writer.release(7, ADDRESS, SERVER, "why"),
    }
    return {name: DhcpMessage.parse(message.build()) for name, message in made.items()}


ASKING = ("discover", "wish", "selecting", "reboot", "renewing", "inform")
REQUESTS = ("selecting", "reboot", "renewing")
ENDING = ("decline", "release")


@rfc("2131-2-f", "2131-4.4.1-d", "2132-9.6-a")
def test_every_message_is_a_request_of_an_ethernet_station() -> None:
    types = {
        "discover": 1,
        "wish": 1,
        "selecting": 3,
        "reboot": 3,
        "renewing": 3,
        "inform": 8,
        "decline": 4,
        "release": 7,
    }
    for name, message in messages(TALKATIVE).items():
        assert (message.op, message.htype, len(message.chaddr), message.hops) == (1, 1, 6, 0)
        assert message.chaddr == MAC
        assert message.chaddr_padding == bytes(10)
        assert message.message_type == types[name]
        assert message.xid == 7


@rfc("2131-3-a", "2131-3-b", "2131-4.1-a")
def test_options_begin_with_cookie_and_type_and_end_with_the_end_option() -> None:
    for message in messages(TALKATIVE).values():
        data = message.build()
        assert data[236:240] == bytes((99, 130, 83, 99))
        assert message.options[0][0] == dhcp.MESSAGE_TYPE
        assert message.options[-1][0] == dhcp.END
        assert len(data) >= 300


@rfc("2132-3.2-a", "2132-2-d")
def test_after_the_end_there_is_nothing_but_padding() -> None:
    for message in messages().values():
        assert set(message.options[-1][1]) <= {0}
        for code, data in message.options[:-1]:
            assert 0 < code < 255
            assert 0 < len(data) < 256


@rfc("2131-2-e", "2131-4.1-r")
def test_all_flags_are_clear_since_we_take_unicast_before_we_have_an_address() -> None:
    assert {message.flags for message in messages().values()} == {0}


@rfc("2131-4.1-q", "2131-4.4.1-T5-j", "3396-5-c")
def test_the_broadcast_flag_is_set_where_it_is_needed_and_never_at_the_end() -> None:
    for name, message in messages(TALKATIVE).items():
        assert message.flags == (0 if name in ENDING else 0x8000)
        assert (message.yiaddr, message.siaddr, message.giaddr) == (ANY, ANY, ANY)
        assert not any(message.sname)
        assert not any(message.file)


@rfc("2131-4.4.1-T5-i", "2131-2-h")
def test_ciaddr_only_where_the_address_is_in_use() -> None:
    with_address = {name for name, message in messages().items() if message.ciaddr == ADDRESS}
    without = {name for name, message in messages().items() if message.ciaddr == ANY}
    assert with_address == {"renewing", "inform", "release"}
    assert without == {"discover", "wish", "selecting", "reboot", "decline"}


@rfc("2131-4.4.1-T5-a", "2131-4.4.1-T5-b", "2131-4.4.1-T5-c")
def test_requested_address() -> None:
    made = messages(TALKATIVE)
    holding = {name for name, message in made.items() if dhcp.REQUESTED_ADDRESS in message.values()}
    assert holding == {"wish", "selecting", "reboot", "decline"}
    assert {made[name].values()[dhcp.REQUESTED_ADDRESS] for name in holding} == {ADDRESS}


@rfc("2131-4.4.1-T5-d", "2131-4.4.1-T5-e", "2131-4.3.6-a")
def test_server_identifier() -> None:
    made = messages(TALKATIVE)
    holding = {name for name, message in made.items() if dhcp.SERVER_IDENTIFIER in message.values()}
    assert holding == {"selecting", "decline", "release"}
    assert {made[name].values()[dhcp.SERVER_IDENTIFIER] for name in holding} == {SERVER}


@rfc("2131-4.4.1-T5-f", "2132-9.2-a")
def test_lease_time_wish() -> None:
    made = messages(TALKATIVE)
    holding = {name for name, message in made.items() if dhcp.LEASE_TIME in message.values()}
    assert holding == {"discover", "wish", *REQUESTS}
    assert {made[name].values()[dhcp.LEASE_TIME] for name in holding} == {bytes((0, 0, 0x1C, 0x20))}


@rfc("2131-4.4.1-T5-g", "2131-4.4.1-T5-h")
def test_at_the_end_only_what_says_which_lease_and_why() -> None:
    made = messages(TALKATIVE)
    common = {dhcp.MESSAGE_TYPE, dhcp.CLIENT_IDENTIFIER, dhcp.SERVER_IDENTIFIER, dhcp.MESSAGE}
    assert made["release"].values().keys() == common
    assert made["decline"].values().keys() == common | {dhcp.REQUESTED_ADDRESS}
    for name in ENDING:
        assert made[name].values()[dhcp.MESSAGE] == b"why"
        assert made[name].secs == 0
    for name in ASKING:
        assert dhcp.MESSAGE not in made[name].values()


@rfc("2131-3.5-a", "2131-4.3.2-j", "2131-4.4.1-e")
def test_the_parameter_request_list_is_the_same_in_all_that_ask() -> None:
    made = messages(replace(TALKATIVE, parameters=(6, 1)))
    assert [made[name].values()[dhcp.PARAMETER_REQUEST_LIST] for name in ASKING] == [bytes((6, 1))] * len(ASKING)


@rfc("4361-6.1-c", "4361-6.1-b")
def test_a_duid_is_announced_by_its_type_after_the_interface() -> None:
    identifier = client_identifier("duid", MAC, b"\x00\x02machine")
    assert identifier == b"\xff" + MAC[2:] + b"\x00\x02machine"


def test_an_empty_parameter_request_list_is_none() -> None:
    assert dhcp.PARAMETER_REQUEST_LIST not in messages(DhcpConfig(parameters=()))["discover"].values()
    assert dhcp.PARAMETER_REQUEST_LIST not in messages(DhcpConfig(parameters=(51, 58)))["inform"].values()


@rfc("2131-4.4.3-b")
def test_inform_asks_for_no_times() -> None:
    asked = messages()["inform"].values()[dhcp.PARAMETER_REQUEST_LIST]
    assert asked == bytes(code for code in DEFAULT_LIST if code not in (51, 58, 59))


@rfc("2131-4.4.1-c", "2132-9.8-a", "3442-client-d")
def test_what_is_asked_for_unless_the_user_says_otherwise() -> None:
    assert parameter_request_list(DhcpConfig()) == DEFAULT_LIST


@rfc("3442-client-e", "3442-client-h")
@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ((3, 33, 121), (121, 3, 33)),
        ((6, 33, 3, 121, 15), (6, 121, 33, 3, 15)),
        ((121, 3), (121, 3)),
        ((6, 121), (6, 121)),
        ((42, 3, 42, 255, 0), (42, 3)),
    ],
)
def test_121_is_asked_for_before_the_options_it_replaces(wanted: tuple[int, ...], asked: tuple[int, ...]) -> None:
    assert parameter_request_list(DhcpConfig(parameters=wanted)) == bytes(asked)


@rfc("3442-client-a")
def test_121_is_not_asked_for_where_it_is_not_wanted() -> None:
    assert 121 not in parameter_request_list(DhcpConfig(classless_routes=False))


@rfc("2131-3.5-b", "3442-size-a", "2132-9.10-a")
def test_the_maximum_message_size_is_told() -> None:
    for name, message in messages().items():
        size = message.values().get(dhcp.MAXIMUM_SIZE)
        assert size == (None if name in ENDING else (1500).to_bytes(2, "big"))


@rfc("3442-size-b", "2132-9.10-a")
@pytest.mark.parametrize(("mtu", "size"), [(68, 576), (576, 576), (1500, 1500), (9000, 9000), (70000, 65535)])
def test_the_maximum_message_size_is_the_mtu_and_at_least_576(mtu: int, size: int) -> None:
    assert messages(mtu=mtu)["discover"].values()[dhcp.MAXIMUM_SIZE] == size.to_bytes(2, "big")


@rfc("2131-4.2-c", "2131-4.4.1-q", "2132-9.14-a")
def test_the_client_identifier() -> None:
    duid = bytes.fromhex("000200000000") + b"machine"
    assert client_identifier("duid", MAC, duid) == b"\xff" + MAC[-4:] + duid
    assert client_identifier("duid", MAC, None) == b"\xff" + MAC[-4:] + bytes.fromhex("00030001") + MAC
    assert client_identifier("mac", MAC, duid) == b"\x01" + MAC
    with pytest.raises(ValueError, match="not 'name'"):
        client_identifier("name", MAC, None)


@rfc("2131-2-a", "4361-6.1-h", "4361-6.1-f")
def test_two_interfaces_have_one_duid_and_two_identifiers() -> None:
    one, two = (client_identifier("duid", mac, b"\x00\x02machine") for mac in (MAC, MAC[:-1] + b"\x02"))
    assert one[5:] == two[5:] == b"\x00\x02machine"
    assert one[1:5] != two[1:5]


@rfc("4361-6.4-a", "4361-6.4-c", "2131-4.2-a")
def test_the_client_identifier_is_in_every_message() -> None:
    identifiers = [message.values()[dhcp.CLIENT_IDENTIFIER] for message in messages().values()]
    assert set(identifiers) == {client_identifier("duid", MAC, None)}


@rfc("2132-2-a", "2132-3.14-a", "2131-4.2-b")
def test_texts_are_sent_without_a_nul_at_their_end() -> None:
    values = messages(TALKATIVE)["discover"].values()
    assert (values[dhcp.HOST_NAME], values[dhcp.VENDOR_CLASS]) == (b"here", b"tapstack")


@rfc("3396-4-b")
def test_no_option_of_ours_is_cut_without_need() -> None:
    for message in messages(TALKATIVE).values():
        codes = [code for code, _ in message.options]
        assert len(codes) == len(set(codes))
