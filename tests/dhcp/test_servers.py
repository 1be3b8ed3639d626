"""The client with whole servers, over minutes, hours and days of virtual time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from stack.config import DhcpConfig
from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import format_ipv4, parse_ipv4
from stack.wire.dhcp import DhcpMessage
from tests.dhcp.server import Server, addresses, with_options
from tests.dhcp.world import ADDRESS, OTHER_MAC, World
from tests.requirements import rfc

DAY = 86400.0


def held(world: World) -> str:
    """The address that is held, as text; "" when there is none."""
    return "" if world.client.lease is None else format_ipv4(world.client.lease.address)


def test_a_lease_its_renewal_and_its_release() -> None:
    world, server = World(), Server()
    world.begin()
    world.serve(server, 2000)
    assert held(world) == "10.9.0.50"
    world.client.release(world.now)
    world.serve(server, 0)
    assert server.log == [
        "DISCOVER", "OFFER 10.9.0.50", "REQUEST 10.9.0.50", "ACK 10.9.0.50",
        "REQUEST 10.9.0.50", "ACK 10.9.0.50", "RELEASE 10.9.0.50",
    ]  # fmt: skip
    assert server.leases == {}


def test_a_day_of_a_lease_is_renewed_in_time_without_drift() -> None:
    world, server = World(), Server(lease_s=600)
    world.begin()
    world.serve(server, DAY)
    leases = [fields["lease"] for event, fields in world.trace if event == "bound"]
    times = [lease.requested_at - world.start for lease in leases]  # type: ignore[attr-defined]
    assert times == pytest.approx([0.25 + 300 * n for n in range(288)])
    assert held(world) == "10.9.0.50"
    assert world.counters.drops() == {}
    assert len(world.said) == 288


def test_a_day_with_chance_never_renews_late() -> None:
    world, server = World(DhcpConfig()), Server(lease_s=600, delay_s=0.4)
    world.begin()
    world.serve(server, DAY)
    times = [fields["lease"].requested_at for event, fields in world.trace if event == "bound"]  # type: ignore[attr-defined]
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 277.5
    assert max(gaps) <= 322.5
    assert max(gaps) - min(gaps) > 30


@rfc("2131-4.4.5-i", "2131-4.4.5-j")
def test_a_server_that_goes_away_and_comes_back() -> None:
    world, server = World(), Server(lease_s=3600)
    world.begin()
    world.serve(server, 1000)
    server.silent = tuple(range(9))
    world.serve(server, 2599)
    assert (world.client.state, held(world)) == (State.REBINDING, "10.9.0.50")
    world.serve(server, 60)
    assert (world.client.state, held(world)) == (State.SELECTING, "")
    server.silent = ()
    world.serve(server, 70)
    assert (world.client.state, held(world)) == (State.BOUND, "10.9.0.50")


def test_another_server_takes_over_while_rebinding() -> None:
    world, first = World(), Server()
    second = Server(address=parse_ipv4("10.9.0.2"), authoritative=False)
    world.begin()
    world.serve(first, 1000)
    first.silent = tuple(range(9))
    second.leases = dict(first.leases)
    world.serve(first, 2500, second)
    assert world.client.lease is not None
    assert world.client.lease.server == second.address
    assert second.log[0] == "REQUEST 10.9.0.50"


def test_two_servers_and_only_one_lease() -> None:
    world, first = World(), Server(options={dhcp.ROUTER: None})
    second = Server(address=parse_ipv4("10.9.0.2"), first=parse_ipv4("10.9.0.150"))
    world.begin()
    world.serve(first, 5, second)
    assert held(world) == "10.9.0.150"
    assert (len(first.leases), len(second.leases)) == (0, 1)
    assert first.log == ["DISCOVER", "OFFER 10.9.0.50", "REQUEST 10.9.0.150"]


def test_a_slow_server_is_no_silent_one() -> None:
    world, server = World(), Server(delay_s=3.5)
    world.begin()
    world.serve(server, 30)
    assert held(world) == "10.9.0.50"
    slower = World()
    slower.begin()
    slower.serve(Server(delay_s=7), 60)
    assert held(slower) == "10.9.0.50"


def test_the_range_changes_under_a_lease() -> None:
    world, server = World(), Server()
    world.begin()
    world.serve(server, 10)
    server.first = parse_ipv4("10.9.0.150")
    world.serve(server, 2000)
    assert held(world) == "10.9.0.150"
    assert server.log[4:] == [
        "REQUEST 10.9.0.50", "NAK", "DISCOVER", "OFFER 10.9.0.150", "REQUEST 10.9.0.150", "ACK 10.9.0.150",
    ]  # fmt: skip


def test_a_restart_asks_for_the_old_address_first() -> None:
    world, server = World(), Server()
    world.begin()
    world.serve(server, 10)
    world.client.stop(world.now)
    world.begin(world.client.remembered)
    world.serve(server, 10)
    assert held(world) == "10.9.0.50"
    assert server.log[4:] == ["REQUEST 10.9.0.50", "ACK 10.9.0.50"]


def test_a_restart_after_the_server_forgot_us() -> None:
    world, server = World(), Server(authoritative=False)
    world.begin()
    world.serve(server, 10)
    world.client.stop(world.now)
    server.leases.clear()
    world.begin(world.client.remembered)
    world.serve(server, 20)
    assert held(world) == "10.9.0.50"
    assert server.log[4:] == [
        "REQUEST 10.9.0.50", "REQUEST 10.9.0.50", "DISCOVER 10.9.0.50", "OFFER 10.9.0.50", "REQUEST 10.9.0.50",
        "ACK 10.9.0.50",
    ]  # fmt: skip


def test_addresses_in_use_are_declined_one_after_the_other() -> None:
    world, server = World(probing=OTHER_MAC), Server()
    world.begin()
    world.serve(server, 25)
    world.probing = None
    world.serve(server, 10)
    assert server.declined == [parse_ipv4(f"10.9.0.{n}") for n in (50, 51, 52)]
    assert held(world) == "10.9.0.53"


def test_a_server_without_addresses_left_is_asked_again_and_again() -> None:
    world, server = World(), Server(size=0)
    world.begin()
    world.serve(server, 300)
    assert server.log == ["DISCOVER"] * 8
    server.size = 1
    world.serve(server, 70)
    assert held(world) == "10.9.0.50"


@pytest.mark.parametrize(
    "twist",
    [
        lambda message: replace(message, xid=message.xid + 1 & 0xFFFFFFFF),
        lambda message: replace(message, chaddr=OTHER_MAC),
        lambda message: replace(message, op=1),
        lambda message: message.build()[:250],
        lambda message: with_options(message, {dhcp.LEASE_TIME: bytes(4)}),
        lambda message: message.build() + bytes(2000),
    ],
)
def test_a_server_that_is_out_of_its_mind_gives_us_nothing(twist: object) -> None:
    world, server = World(), Server()
    server.twist = twist  # type: ignore[assignment]
    world.begin()
    world.serve(server, 300)
    assert held(world) == ""
    assert sum(world.counters.drops().values()) == server.log.count("OFFER 10.9.0.50") == 8


def test_refusals_of_another_server_do_not_disturb() -> None:
    """Another server answers every request by a DHCPNAK; ours is the one that counts."""
    world, server = World(), Server()
    stranger = Server(address=parse_ipv4("10.9.0.66"), silent=(dhcp.DISCOVER,), refuse=True)
    original = stranger.receive

    def meddle(payload: bytes, now: float) -> list[object]:
        message = DhcpMessage.parse(payload)
        return list(original(with_options(message, {dhcp.SERVER_IDENTIFIER: None}).build(), now))

    stranger.receive = meddle  # type: ignore[method-assign, assignment]
    world.begin()
    world.serve(stranger, 2000, server)
    assert held(world) == "10.9.0.50"
    assert world.counters["dhcp_other_server"] >= 1


def test_inform_gets_its_answer() -> None:
    world, server = World(), Server(options={dhcp.DOMAIN_NAME_SERVER: addresses("10.9.0.3")})
    world.client.inform(ADDRESS, world.now)
    world.serve(server, 10)
    (lease,) = world.told("informed")
    assert lease.name_servers == (parse_ipv4("10.9.0.3"),)
    assert server.leases == {}
