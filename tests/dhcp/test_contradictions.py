"""Leases that contradict themselves: the rules of stack/dhcp/parameters.py, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.config import DhcpConfig
from stack.dhcp.lease import Lease, Route
from stack.dhcp.parameters import Parameters
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, Prefix, parse_ipv4
from stack.wire.dhcp import DhcpMessage
from tests.dhcp.server import addresses, with_options
from tests.dhcp.world import ADDRESS, MAC, MASK, SERVER, World, seconds
from tests.requirements import rfc

Options = dict[int, bytes | None]
DEFAULT = Prefix(ANY, 0)

GOOD = DhcpMessage(
    dhcp.BOOT_REPLY,
    1,
    MAC,
    dhcp.make_options(
        [
            (dhcp.MESSAGE_TYPE, b"\x05"),
            (dhcp.SERVER_IDENTIFIER, SERVER),
            (dhcp.SUBNET_MASK, MASK),
            (dhcp.ROUTER, SERVER),
            (dhcp.LEASE_TIME, seconds(1000)),
        ]
    ),
    yiaddr=ADDRESS,
)


def lease(changes: Options, config: DhcpConfig | None = None, address: bytes = ADDRESS) -> tuple[Lease, list[str]]:
    """The lease such an acknowledgment makes, and what was noted about it."""
    notes: list[str] = []
    message = replace(with_options(GOOD, changes), yiaddr=address)
    made = Parameters(config or DhcpConfig(), 1500, notes.append).lease(message, 0)
    return made, notes


def test_a_lease_without_contradictions_has_no_notes() -> None:
    made, notes = lease({})
    assert notes == []
    assert (made.prefix_length, made.netmask, made.broadcast) == (24, MASK, parse_ipv4("10.9.0.255"))
    assert made.routes == (Route(DEFAULT, SERVER),)


@pytest.mark.parametrize("mask", [None, bytes(4), b"\xff\x00\xff\x00", b"\xff\xff\xff"])
def test_without_a_mask_that_can_be_the_class_decides(mask: bytes | None) -> None:
    made, notes = lease({dhcp.SUBNET_MASK: mask})
    assert made.prefix_length == 8
    assert len(notes) == 1
    made, _ = lease({dhcp.SUBNET_MASK: mask, dhcp.ROUTER: None}, address=parse_ipv4("192.168.1.7"))
    assert made.prefix_length == 24


def test_a_mask_of_all_ones_is_taken_at_its_word() -> None:
    made, notes = lease({dhcp.SUBNET_MASK: BROADCAST})
    assert (made.prefix_length, made.broadcast) == (32, None)
    assert made.routes == (Route(Prefix(SERVER, 32), None), Route(DEFAULT, SERVER))
    assert notes == []


def test_no_route_leads_over_a_router_outside_the_prefix() -> None:
    made, notes = lease({dhcp.ROUTER: addresses("10.8.0.1", "10.9.0.1")})
    assert made.routers == (parse_ipv4("10.8.0.1"), SERVER)
    assert made.routes == (Route(DEFAULT, SERVER),)
    assert notes == ["router 10.8.0.1 is outside 10.9.0.50/24: not used"]


def test_no_route_leads_over_ourselves() -> None:
    made, _ = lease({dhcp.ROUTER: ADDRESS + SERVER})
    assert made.routes == (Route(DEFAULT, SERVER),)


@pytest.mark.parametrize("no_host", ["10.9.0.0", "10.9.0.255"])
def test_no_route_leads_over_everybody(no_host: str) -> None:
    """What it carried would be broadcast."""
    made, _ = lease({dhcp.ROUTER: addresses(no_host)})
    assert made.routes == ()
    made, _ = lease({dhcp.CLASSLESS_STATIC_ROUTE: bytes(1) + addresses(no_host)})
    assert made.routes == ()
    made, _ = lease({dhcp.ROUTER: addresses("10.9.0.51"), dhcp.SUBNET_MASK: addresses("255.255.255.254")})
    assert made.routes == (Route(DEFAULT, parse_ipv4("10.9.0.51")),)  # RFC 3021: two hosts and no others


@rfc("2131-4.4.5-a", "2131-4.4.5-g")
@pytest.mark.parametrize(
    ("t1", "t2", "used"),
    [
        (None, None, (500, 875)),
        (300, 600, (300, 600)),
        (300, None, (300, 875)),
        (None, 600, (500, 600)),
        (600, 300, (500, 875)),  # T1 > T2
        (300, 300, (500, 875)),
        (300, 1000, (500, 875)),  # T2 is the end
        (300, 0xFFFFFFFF, (500, 875)),
        (900, None, (500, 875)),  # after the default of T2
        (None, 400, (500, 875)),  # before the default of T1
        (0, 600, (500, 875)),
        (1, 600, (500, 875)),
        (2000, 3000, (500, 875)),
    ],
)
def test_t1_t2_and_the_end_come_in_this_order(t1: int | None, t2: int | None, used: tuple[float, float]) -> None:
    made, notes = lease(
        {
            dhcp.RENEWAL_TIME: None if t1 is None else seconds(t1),
            dhcp.REBINDING_TIME: None if t2 is None else seconds(t2),
        }
    )
    assert (made.t1_s, made.t2_s) == used
    given = (t1 if t1 is not None else 500, t2 if t2 is not None else 875)
    assert bool(notes) == (given != used)


@pytest.mark.parametrize("first", [-1, 1])
@pytest.mark.parametrize("second", [-1, 1])
@pytest.mark.parametrize(("t1", "t2"), [(300, 301), (2, 999), (998, 999), (500, 875)])
def test_chance_never_turns_their_order_round(first: float, second: float, t1: int, t2: int) -> None:
    message = with_options(GOOD, {dhcp.RENEWAL_TIME: seconds(t1), dhcp.REBINDING_TIME: seconds(t2)})
    config = DhcpConfig(renew_fuzz=5.0)
    made = Parameters(config, 1500, print).lease(message, 0, (first, second))
    assert 0 < made.t1_s < made.t2_s < made.lease_s


@rfc("3442-client-f", "3442-client-i", "3442-client-c")
def test_option_121_makes_3_and_33_void() -> None:
    routes = bytes((24, 192, 0, 2)) + SERVER
    static = addresses("172.16.0.0", "10.9.0.1")
    made, _ = lease({dhcp.CLASSLESS_STATIC_ROUTE: routes, dhcp.STATIC_ROUTE: static})
    assert made.classless
    assert made.routes == (Route(Prefix.parse("192.0.2.0/24"), SERVER),)
    made, _ = lease({dhcp.STATIC_ROUTE: static})
    assert made.routes == (Route(Prefix.parse("172.16.0.0/16"), SERVER), Route(DEFAULT, SERVER))


def test_a_malformed_option_121_is_as_good_as_none() -> None:
    made, notes = lease({dhcp.CLASSLESS_STATIC_ROUTE: b"\x21" + bytes(8)})
    assert (made.classless, made.routes) == (False, (Route(DEFAULT, SERVER),))
    assert notes == ["the classless static routes are malformed: not used"]


@rfc("3442-client-a")
def test_option_121_is_ignored_where_it_is_not_wanted() -> None:
    routes = {dhcp.CLASSLESS_STATIC_ROUTE: bytes((24, 192, 0, 2)) + SERVER}
    made, _ = lease({**routes}, DhcpConfig(classless_routes=False))
    assert made.routes == (Route(DEFAULT, SERVER),)


@rfc("3442-local-a")
def test_a_router_may_be_behind_a_route_on_the_link() -> None:
    far = parse_ipv4("172.16.0.1")
    to_far, over_far = bytes((32, *far)) + bytes(4), bytes((0,)) + far
    made, _ = lease({dhcp.CLASSLESS_STATIC_ROUTE: to_far + over_far})
    assert made.routes == (Route(Prefix(far, 32), None), Route(DEFAULT, far))
    made, _ = lease({dhcp.CLASSLESS_STATIC_ROUTE: over_far})
    assert made.routes == ()


@rfc("2132-5.3-a")
def test_a_broadcast_address_other_than_all_ones_is_not_used() -> None:
    made, notes = lease({dhcp.BROADCAST_ADDRESS: parse_ipv4("10.9.0.0")})
    assert made.broadcast == parse_ipv4("10.9.0.255")
    assert len(notes) == 1
    assert lease({dhcp.BROADCAST_ADDRESS: parse_ipv4("10.9.0.255")})[1] == []


@rfc("2131-3.5-c")
def test_what_the_server_does_not_say_is_left_to_the_hosts_defaults() -> None:
    made, _ = lease({dhcp.ROUTER: None})
    assert (made.mtu, made.routers, made.routes, made.name_servers) == (None, (), (), ())
    assert (made.domain, made.search, made.ntp_servers, made.host_name, made.message) == ("", (), (), "", "")


@rfc("2132-3.8-a", "2132-5.1-a", "2132-3.3-a")
def test_all_that_a_server_may_say() -> None:
    made, notes = lease(
        {
            dhcp.SUBNET_MASK: parse_ipv4("255.255.0.0"),
            dhcp.DOMAIN_NAME_SERVER: addresses("10.9.0.3", "10.9.0.2"),
            dhcp.NTP_SERVERS: addresses("10.9.0.4"),
            dhcp.DOMAIN_NAME: b"lab.example\0",
            dhcp.DOMAIN_SEARCH: b"\x03lab\x07example\x00\x03net\xc0\x04",
            dhcp.HOST_NAME: b"pc-17",
            dhcp.INTERFACE_MTU: (1400).to_bytes(2, "big"),
            dhcp.MESSAGE: b"welcome",
            224: b"\x01\x02",
        }
    )
    assert notes == []
    assert made.prefix_length == 16
    assert made.name_servers == (parse_ipv4("10.9.0.3"), parse_ipv4("10.9.0.2"))
    assert made.ntp_servers == (parse_ipv4("10.9.0.4"),)
    assert (made.domain, made.search, made.host_name) == ("lab.example", ("lab.example", "net.example"), "pc-17")
    assert (made.mtu, made.message) == (1400, "welcome")
    assert (224, b"\x01\x02") in made.options
    assert [code for code, _ in made.options] == sorted(code for code, _ in made.options)


@pytest.mark.parametrize(
    ("option", "note"),
    [
        ((dhcp.INTERFACE_MTU, b"\x00\x43"), "the MTU is not from 68 to 1500: not used"),
        ((dhcp.DOMAIN_NAME, b"; rm -rf"), "option 15 is not a valid name: not used"),
        ((dhcp.HOST_NAME, b"\xff"), "option 12 is not a valid name: not used"),
    ],
)
def test_what_cannot_be_is_left_out_and_noted(option: tuple[int, bytes], note: str) -> None:
    made, notes = lease(dict([option]))
    assert notes == [note]
    assert (made.mtu, made.domain, made.host_name) == (None, "", "")
    assert option in made.options


def test_notes_can_be_watched(world: World) -> None:
    world.become_bound({dhcp.SUBNET_MASK: None})
    assert ("note", {"text": "no subnet mask: /8 by the class of the address"}) in world.trace


@rfc("3396-7-a", "3396-7-c", "2131-4.1-k")
def test_an_option_that_comes_twice_is_one_option() -> None:
    servers = addresses("10.9.0.2", "10.9.0.3")
    pieces = [(dhcp.DOMAIN_NAME_SERVER, servers[:3]), (dhcp.DOMAIN_NAME_SERVER, servers[3:])]
    options = [option for option in GOOD.options if option[0] != dhcp.END]
    message = DhcpMessage.parse(replace(GOOD, options=dhcp.make_options([pieces[0], *options, pieces[1]])).build())
    made = Parameters(DhcpConfig(), 1500, print).lease(message, 0)
    assert made.name_servers == (servers[:4], servers[4:])


@rfc("field-dhcp-2")
def test_a_message_that_says_everything_twice_makes_the_same_lease() -> None:
    options = [option for option in GOOD.options if option[0] != dhcp.END]
    message = DhcpMessage.parse(replace(GOOD, options=dhcp.make_options([*options, *options])).build())
    assert message.message_type == dhcp.ACK
    made = Parameters(DhcpConfig(), 1500, print).lease(message, 0)
    assert replace(made, options=()) == replace(lease({})[0], options=())


@rfc("3396-4-c", "3396-1-a", "3442-size-c")
def test_routes_longer_than_one_option_are_all_taken() -> None:
    data = b"".join(bytes((24, 172, 16, number)) + SERVER for number in range(60))
    assert len(data) > 255
    message = DhcpMessage.parse(with_options(GOOD, {dhcp.CLASSLESS_STATIC_ROUTE: data}).build())
    assert sum(code == dhcp.CLASSLESS_STATIC_ROUTE for code, _ in message.options) == 2
    made = Parameters(DhcpConfig(), 1500, print).lease(message, 0)
    assert len(made.routes) == 60
