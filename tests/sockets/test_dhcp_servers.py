"""Servers that are silent, slow, two at a time or wrong in a field, and what a host does with each."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from stack import Dhcp, Ethernet, Impaired
from stack.wire import dhcp
from stack.wire.addresses import parse_ipv4
from stack.wire.dhcp import DhcpMessage
from tests.dhcp.server import Server, addresses, with_options
from tests.dhcp.world import seconds
from tests.requirements import rfc
from tests.sockets.hosts import host_on, stream_pair, until
from tests.sockets.lan import CAREFUL, FIRST, HASTY, SERVER, client, serving

SECOND = "10.9.0.51"
QUIET = Dhcp(wait="nothing")
LONG = 1 << 31  # more than a signed number holds


@rfc("2131-4.1-d", "2131-4.1-o")
async def test_a_silent_server_is_asked_more_and_more_rarely(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(silent=(dhcp.DISCOVER,))) as there, client(ethernet.attach(), QUIET) as host:
        await trio.sleep(260)
        assert there.times() == [0, 4, 12, 28, 60, 124, 188, 252]  # RFC 2131 section 4.1: 4, 8, 16, 32, 64, 64, ...
        assert {heard.kind for heard in there.heard} == {"DISCOVER"}
        assert {heard.source for heard in there.heard} == {"0.0.0.0"}
        assert host.lease is None


async def test_the_times_have_something_of_chance(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    config = replace(HASTY, dhcp=replace(HASTY.dhcp, retransmission_jitter_s=1.0))
    async with serving(ethernet, Server(silent=(dhcp.DISCOVER,))) as there:
        async with client(ethernet.attach(), QUIET, config=config, seed=5):
            await trio.sleep(130)
        times = there.times()
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(abs(wait - exact) <= 1 for wait, exact in zip(waits, (4, 8, 16, 32, 64), strict=False))
    assert all(wait != exact for wait, exact in zip(waits, (4, 8, 16, 32, 64), strict=False))


async def test_a_task_that_waits_for_a_silent_server_is_told_in_the_end(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(silent=(dhcp.DISCOVER,))):
        began = trio.current_time()
        with pytest.raises(TimeoutError, match="within 30 s") as ended:
            async with client(ethernet.attach(), Dhcp(wait="bound", wait_s=30)):
                pass
        assert ended.value.errno == errno.ETIMEDOUT
        assert trio.current_time() - began == pytest.approx(30)


async def test_a_slow_server_is_waited_for(autojump_clock: MockClock) -> None:
    """Its answers come when the request has been sent again: the xid is the same."""
    ethernet = Ethernet()
    async with serving(ethernet, Server(delay_s=6)) as there, client(ethernet.attach()) as host:
        assert host.lease is not None
        assert host.lease.address == FIRST
        assert [heard.kind for heard in there.heard].count("DISCOVER") == 2


async def test_a_request_without_an_answer_is_given_up_for_a_new_discover(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(silent=(dhcp.REQUEST,))) as there, client(ethernet.attach(), QUIET) as host:
        await trio.sleep(60.4)
        kinds = [heard.kind.split()[0] for heard in there.heard]
        assert kinds == ["DISCOVER", *["REQUEST"] * 4, "DISCOVER"]
        assert host.lease is None


def spoiled(**changes: object) -> Callable[[DhcpMessage], list[bytes]]:
    """The server's answer with other fields, which comes before the right one."""
    return lambda answer: [replace(answer, **changes).build()]  # type: ignore[arg-type]


def other_options(changes: dict[int, bytes | None]) -> Callable[[DhcpMessage], list[bytes]]:
    """The same for options."""
    return lambda answer: [with_options(answer, changes).build()]


def refused_by_another(answer: DhcpMessage) -> list[bytes]:
    """A DHCPNAK of a server that was not asked."""
    if answer.message_type != dhcp.ACK:
        return []
    return [with_options(answer, {dhcp.MESSAGE_TYPE: b"\x06", dhcp.SERVER_IDENTIFIER: b"\x0a\x09\x00\x63"}).build()]


NOISE = [
    pytest.param(spoiled(xid=0x12345678), "dhcp_other_transaction", id="wrong xid"),
    pytest.param(spoiled(chaddr=bytes.fromhex("02000000ff01")), "dhcp_other_client", id="wrong chaddr"),
    pytest.param(spoiled(op=1), "dhcp_not_a_reply", id="a request"),
    pytest.param(refused_by_another, "dhcp_other_server", id="NAK from another server"),
    pytest.param(other_options({dhcp.SERVER_IDENTIFIER: None}), "dhcp_no_server", id="no server identifier"),
    pytest.param(other_options({dhcp.MESSAGE_TYPE: b"\x09"}), "dhcp_bad_type", id="unknown type"),
    pytest.param(other_options({dhcp.LEASE_TIME: seconds(0)}), "dhcp_bad_lease_time", id="a lease of nothing"),
    pytest.param(spoiled(yiaddr=parse_ipv4("255.255.255.255")), "dhcp_bad_address", id="the broadcast as address"),
    pytest.param(lambda answer: [answer.build()[:235]], "dhcp_truncated", id="truncated"),
    pytest.param(
        lambda answer: [answer.build()[:-1].rstrip(b"\0\xff") + b"\x06\xff"], "dhcp_bad_options", id="cut off"
    ),
    pytest.param(lambda answer: [answer.build() + bytes(1500)], "dhcp_too_long", id="overlong"),
    pytest.param(lambda answer: [answer.build()[:236] + b"\xde\xad\xbe\xef"], "dhcp_bad_cookie", id="no cookie"),
]


@pytest.mark.parametrize(("noise", "reason"), NOISE)
async def test_what_is_wrong_is_counted_and_changes_nothing(
    noise: Callable[[DhcpMessage], list[bytes]], reason: str, autojump_clock: MockClock
) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there:
        there.noise = noise
        async with client(ethernet.attach()) as host:
            assert host.counters()[reason] >= 1
            assert host.lease is not None
            assert host.lease.address == FIRST
        assert there.server.log[:4] == ["DISCOVER", f"OFFER {FIRST}", f"REQUEST {FIRST}", f"ACK {FIRST}"]


async def test_a_nak_of_the_server_that_was_asked_is_believed(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(ethernet.attach()) as host:
        there.server.refuse = True
        seen = host.lease
        assert seen is not None
        assert await host.wait_lease_change(seen) is None
        assert trio.current_time() == pytest.approx(1800, abs=1)  # T1, when it asked for more
        assert [interface.addresses for interface in host.interfaces()] == [()]
        there.server.refuse = False
        lease = await host.wait_lease_change(None)
        assert lease is not None


async def test_of_two_servers_one_is_chosen_and_both_hear_of_it(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    slow = Server(address=parse_ipv4("10.9.0.2"), first=parse_ipv4("10.9.0.150"), delay_s=0.1)
    both = (serving(ethernet), serving(ethernet, slow, seed=91))
    async with both[0] as there, both[1] as other, client(ethernet.attach()) as host:
        assert host.lease is not None
        assert host.lease.server == SERVER
        assert there.server.log[:4] == ["DISCOVER", f"OFFER {FIRST}", f"REQUEST {FIRST}", f"ACK {FIRST}"]
        assert other.server.log == ["DISCOVER", "OFFER 10.9.0.150", f"REQUEST {FIRST}"]


async def test_a_server_that_leads_out_is_preferred(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    no_way_out = Server(options={dhcp.ROUTER: None})
    router = Server(address=parse_ipv4("10.9.0.2"), first=parse_ipv4("10.9.0.150"), delay_s=0.1)
    async with serving(ethernet, no_way_out), serving(ethernet, router, seed=91), client(ethernet.attach()) as host:
        assert host.lease is not None
        assert host.lease.server == "10.9.0.2"


async def test_a_lease_for_ever_is_never_renewed(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(lease_s=0xFFFFFFFF)) as there, client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        assert (lease.lease_s, lease.renew_at, lease.expires_at) == (None, None, None)
        await trio.sleep(10 * 86400)
        assert len(there.heard) == 2
        assert host.lease == lease


async def test_t1_after_t2_is_put_right(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(lease_s=1000, t1_s=900, t2_s=100)), client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        assert lease.renew_at is not None
        assert lease.rebind_at is not None
        assert lease.expires_at is not None
        assert 0 < lease.renew_at <= lease.rebind_at < lease.expires_at


async def with_network(
    mask: str | None, router: str | None, **options: bytes
) -> tuple[str, list[tuple[str, str | None]]]:
    """The address with its prefix, and the routes, of a host whose server says this of the network."""
    ethernet = Ethernet()
    given = {
        dhcp.SUBNET_MASK: None if mask is None else addresses(mask),
        dhcp.ROUTER: None if router is None else addresses(router),
        **{int(code.removeprefix("option")): value for code, value in options.items()},
    }
    async with serving(ethernet, Server(options=given)), client(ethernet.attach()) as host:
        [interface] = host.interfaces()
        [address] = interface.addresses
        routes = [(route.destination, route.gateway) for route in host.routes() if route.interface == interface.name]
        return address, routes


async def test_a_mask_of_zero_is_no_mask(autojump_clock: MockClock) -> None:
    address, routes = await with_network("0.0.0.0", SERVER)
    assert address == f"{FIRST}/8"  # the class of the address (RFC 950)
    assert routes == [("10.0.0.0/8", None), ("0.0.0.0/0", SERVER)]


async def test_a_mask_of_all_ones_leaves_the_router_as_the_only_neighbour(autojump_clock: MockClock) -> None:
    address, routes = await with_network("255.255.255.255", SERVER)
    assert address == f"{FIRST}/32"
    assert routes == [(f"{FIRST}/32", None), (f"{SERVER}/32", None), ("0.0.0.0/0", SERVER)]


async def test_a_router_outside_the_prefix_is_left_out(autojump_clock: MockClock) -> None:
    address, routes = await with_network("255.255.255.0", "192.0.2.1")
    assert address == f"{FIRST}/24"
    assert routes == [("10.9.0.0/24", None)]


@rfc("3442-client-b", "3442-client-f", "3442-local-a")
async def test_classless_routes_are_used_instead_of_the_router(autojump_clock: MockClock) -> None:
    """RFC 3442: 192.0.2.0/24 by 10.9.0.7, a neighbour outside the prefix, and the default route by that."""
    value = bytes.fromhex("18c00002 0a090007 20c6336401 00000000 00c6336401")
    _, routes = await with_network("255.255.255.0", SERVER, option121=value)
    assert routes == [
        ("198.51.100.1/32", None),
        ("10.9.0.0/24", None),
        ("192.0.2.0/24", "10.9.0.7"),
        ("0.0.0.0/0", "198.51.100.1"),
    ]


async def test_options_that_loop_or_contradict_each_other_cost_nothing(autojump_clock: MockClock) -> None:
    """A search list whose compression points at itself, an MTU of 1, routes without end, a name that is none."""
    ethernet = Ethernet()
    options: dict[int, bytes | None] = {
        119: b"\xc0\x00",
        26: b"\x00\x01",
        121: b"\x21" * 255,
        15: b"\xff\xfe",
        6: b"\x0a\x09",
        58: seconds(LONG),
    }
    async with serving(ethernet, Server(options=options)), client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        assert (lease.search, lease.mtu, lease.domain, lease.name_servers) == ((), None, "", ())
        assert host.interfaces()[0].mtu == 1500


@rfc("2131-4.4.1-l", "2131-4.4.1-n")
async def test_an_address_that_another_host_has_is_declined(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there, host_on(ethernet.attach(), f"{FIRST}/24", seed=7) as squatter:
        async with client(ethernet.attach(), config=CAREFUL) as host:
            assert host.lease is not None
            assert host.lease.address == SECOND
            assert await host.ping(SERVER) >= 0
        assert there.server.declined == [parse_ipv4(FIRST)]
        assert f"DECLINE {FIRST}" in there.server.log
        assert squatter.counters()["arpInConflicts"] == 0  # a probe claims nothing


async def test_a_station_that_takes_the_address_later_gets_it(autojump_clock: MockClock) -> None:
    """RFC 5227 section 2.4 (b): one defence, then it is given up, and another one is asked for (RFC 2131 4.4.4)."""
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(ethernet.attach(), config=CAREFUL) as host:
        seen = host.lease
        ours, _ = await stream_pair(host, there.host, SERVER)
        async with host_on(ethernet.attach(), f"{FIRST}/24", seed=7) as thief:
            with trio.move_on_after(2.5):  # three ARP requests that say they come from our address
                await thief.ping("10.9.0.77")
            assert await host.wait_lease_change(seen) is None
            with pytest.raises(trio.BrokenResourceError) as ended:
                await ours.receive_some()
            assert isinstance(ended.value.__cause__, OSError)
            assert ended.value.__cause__.errno == errno.EADDRNOTAVAIL
            lease = await host.wait_lease_change(None)
            assert lease is not None
            assert lease.address == SECOND
            assert there.server.declined == [parse_ipv4(FIRST)]


async def test_an_address_that_is_ours_by_other_means_is_declined(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(ethernet.attach(), QUIET, config=CAREFUL) as host:
        other = ethernet.attach()
        host.attach(other, addresses=[f"{FIRST}/24"], acd="off")
        lease = await host.wait_lease_change(None)
        assert lease is not None
        assert lease.address == SECOND
        assert there.server.declined == [parse_ipv4(FIRST)]


# --- what the host counts, below the client


async def test_a_server_that_cannot_be_reached_is_asked_by_broadcast_in_the_end(autojump_clock: MockClock) -> None:
    """Its identifier is outside our network, and there is no router."""
    ethernet = Ethernet()
    far = Server(address=parse_ipv4("192.0.2.1"), options={dhcp.ROUTER: None}, lease_s=600)
    async with serving(ethernet, far) as there, client(ethernet.attach()) as host:
        await trio.sleep(1000)
        assert host.counters()["dhcp_not_sent"] >= 1
        assert host.lease is not None
        assert there.times()[2] == pytest.approx(525, abs=1)  # T2
    assert host.lease is None


async def test_a_router_that_only_a_route_to_everywhere_reaches_is_left_out(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    routes = bytes.fromhex("00 00000000 18c00002 c6336401")  # all on the link; 192.0.2.0/24 by 198.51.100.1
    async with serving(ethernet, Server(options={121: routes})), client(ethernet.attach()) as host:
        assert host.counters()["dhcp_bad_route"] == 1
        assert [route.destination for route in host.routes()] == ["10.9.0.0/24", "0.0.0.0/0"]


async def test_an_interface_without_dhcp_takes_no_answer(autojump_clock: MockClock) -> None:
    one, two = Ethernet(), Ethernet()
    async with serving(one), serving(two) as other, client(one.attach()) as host:
        host.attach(two.attach(), addresses=["10.8.0.9/24"], acd="off")
        other.sender.say(bytes(300))
        await until(lambda: host.counters()["dhcp_no_client"] == 1)
        assert host.counters()["dhcp_no_client"] == 1


async def test_on_a_bad_wire_the_address_is_got_and_kept(autojump_clock: MockClock) -> None:
    """A fifth of all frames is lost each way, some come twice or late: a day of an hour's lease."""
    ethernet = Ethernet()
    wire = Impaired(ethernet.attach(), seed=3, loss=0.2, duplicate=0.1, reorder=0.1, delay_s=0.01)
    async with serving(ethernet) as there, client(wire, QUIET, config=CAREFUL) as host:
        while (lease := await host.wait_lease_change(None)) is None:
            pass
        ours, theirs = await stream_pair(host, there.host, SERVER)
        await trio.sleep(24 * 3600)
        assert host.lease is not None
        assert host.lease.address == lease.address
        await ours.send_all(b"still there")
        assert await theirs.receive_some() == b"still there"
