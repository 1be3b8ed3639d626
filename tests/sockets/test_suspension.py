"""A machine that was suspended: leases, neighbours and TIME-WAIT have grown older, though trio's
clock stood still.

The clock that goes on meanwhile is the test's own, so that nothing sleeps here.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from time import monotonic

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from stack import Config, Ethernet, Host, Impaired, open_host
from stack.internet.fragments import fragment
from stack.link.device import Link
from stack.sockets.suspension import Suspension
from stack.wire import dhcp
from stack.wire.ipv4 import Ipv4Header
from tests.dhcp.server import Server
from tests.requirements import rfc
from tests.sockets.hosts import ALICE, BOB, host_on, stream_pair
from tests.sockets.lan import FIRST, HASTY, SERVER, own, serving
from tests.sockets.test_runner import SocketLink, Steps

HOUR_S = 3600.0
CAROL = "10.9.0.3"


class Boottime:
    """A clock that goes on while the machine is suspended: for as long as the test says."""

    def __init__(self) -> None:
        self.asleep_s = 0.0

    def __call__(self) -> float:
        return monotonic() + self.asleep_s


@asynccontextmanager
async def sleeper(
    link: Link, address: str, clock: Boottime, config: Config = HASTY, seed: int = 1
) -> AsyncIterator[Host]:
    """A host on a machine that goes by `clock`."""
    async with open_host(
        link,
        address=address,
        acd="off",
        config=config,
        random=Random(seed).randbytes,
        raise_errors=True,
        boottime=clock,
    ) as host:
        yield host
        assert host.counters()["handler_failed"] == 0


def known(host: Host) -> list[str]:
    """The neighbours that ARP knows."""
    return [neighbor.address for neighbor in host.neighbors()]


def expiry(host: Host) -> float:
    """When the lease runs out, on trio's clock."""
    assert host.lease is not None
    assert host.lease.expires_at is not None
    return host.lease.expires_at


# --- what notices it


@rfc("suspend-3")
async def test_a_suspended_host_that_is_idle_does_not_wake_and_the_next_frame_tells_it(
    autojump_clock: MockClock,
) -> None:
    clock, ethernet = Boottime(), Ethernet()
    async with (
        sleeper(ethernet.attach(), f"{ALICE}/24", clock) as alice,
        host_on(ethernet.attach(), f"{BOB}/24") as bob,
    ):
        await alice.ping(BOB)
        await trio.sleep(HOUR_S)
        clock.asleep_s += HOUR_S
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(HOUR_S)
        trio.lowlevel.remove_instrument(steps)
        assert steps.count <= 2  # the sleeper's own
        async with host_on(ethernet.attach(), f"{CAROL}/24", seed=3) as carol:
            await bob.ping(ALICE)  # bob has her in its cache and sends no ARP packet that alice could learn from
            await carol.ping(ALICE)
        assert CAROL in known(alice)


@rfc("suspend-2", "suspend-3")
async def test_the_frame_that_wakes_the_host_finds_its_neighbours_forgotten(autojump_clock: MockClock) -> None:
    clock, ethernet = Boottime(), Ethernet()
    async with (
        sleeper(ethernet.attach(), f"{ALICE}/24", clock) as alice,
        host_on(ethernet.attach(), f"{BOB}/24", seed=2),
        host_on(ethernet.attach(), f"{CAROL}/24", seed=3) as carol,
    ):
        await alice.ping(BOB)
        await trio.sleep(1.3)  # no deadline of the host is due then, which would wake it instead
        asked = alice.counters()["arpOutRequests"]
        clock.asleep_s += HOUR_S
        await carol.ping(ALICE)
        assert known(alice) == [CAROL]
        assert alice.counters()["arpOutRequests"] == asked  # learnt from the request that woke the host


@rfc("suspend-3")
async def test_a_call_tells_it(autojump_clock: MockClock) -> None:
    clock, ethernet = Boottime(), Ethernet()
    async with (
        sleeper(ethernet.attach(), f"{ALICE}/24", clock) as alice,
        host_on(ethernet.attach(), f"{BOB}/24", seed=2),
    ):
        await alice.ping(BOB)
        clock.asleep_s += HOUR_S
        with alice.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM):
            pass
        assert known(alice) == []


@rfc("suspend-3")
async def test_a_deadline_tells_it_before_anything_else_is_done(autojump_clock: MockClock) -> None:
    """What was T1 is past the lease's end by then: nothing is renewed."""
    clock, ethernet = Boottime(), Ethernet()
    async with serving(ethernet) as there, sleeper(ethernet.attach(), "dhcp", clock) as host:
        t1 = host.lease.renew_at if host.lease is not None else None
        assert t1 is not None
        await trio.sleep(900)  # all other deadlines are past
        clock.asleep_s += 2 * HOUR_S
        await trio.sleep_until(t1 + 5)
        assert [heard.kind for heard in there.heard[2:]] == ["DISCOVER 10.9.0.50", "REQUEST 10.9.0.50"]
        assert there.heard[2].at == t1
        assert host.counters()["udpOutDatagrams"] == 4  # no renewal was tried before
        assert own(host) == [FIRST]


@rfc("suspend-3")
@pytest.mark.real_time("a descriptor ends its waits")
async def test_a_link_with_a_descriptor_tells_it() -> None:
    """With the real clock: only descriptors end its waits."""

    clock = Boottime()
    ours, theirs = stdlib.socketpair(stdlib.AF_UNIX, stdlib.SOCK_DGRAM)
    with ours, theirs:
        link = SocketLink(ours)
        with trio.fail_after(20):
            async with sleeper(link, "192.0.2.1/24", clock) as host:
                header = Ipv4Header(stdlib.inet_aton("192.0.2.2"), stdlib.inet_aton("192.0.2.1"), 17, 2020)
                theirs.send(fragment(header, bytes(2000), 1500)[0])
                while not host.counters()["ipSystemStatsReasmReqds"]:
                    await trio.lowlevel.checkpoint()
                await wait_all_tasks_blocked(0.001)  # the link is not asked again any more: it is waited for
                clock.asleep_s += HOUR_S
                theirs.send(bytes(3))
                before = host.counters()["ifInOctets"]
                while host.counters()["ifInOctets"] == before:
                    await trio.lowlevel.checkpoint()
                assert host.counters()["ipSystemStatsReasmFails"] == 1


@rfc("suspend-3")
def test_only_a_sleep_is_one() -> None:
    clock = Boottime()
    suspension = Suspension(clock, 1.0)
    assert suspension.ended() == 0
    clock.asleep_s = 0.5  # a clock that is read late, or set by a little
    assert suspension.ended() == 0
    clock.asleep_s = 10
    assert suspension.ended() == pytest.approx(10, abs=0.5)
    assert suspension.ended() == 0
    clock.asleep_s = 13
    assert suspension.ended() == pytest.approx(3, abs=0.5)
    clock.asleep_s = 12  # no clock of the kernel's goes back, but nothing is made of it
    assert suspension.ended() == 0


# --- leases


@rfc("suspend-1")
async def test_the_address_is_verified_as_after_a_reboot(autojump_clock: MockClock) -> None:
    clock, ethernet = Boottime(), Ethernet()
    async with serving(ethernet) as there, sleeper(ethernet.attach(), "dhcp", clock) as host:
        ours, theirs = await stream_pair(host, there.host, SERVER)
        before = len(there.heard)
        clock.asleep_s += 1000
        await there.host.ping(FIRST)
        await trio.sleep(1)
        [heard] = there.heard[before:]
        assert (heard.kind, heard.source) == ("REQUEST 10.9.0.50", "0.0.0.0")
        request = there.server.received[-1].values()
        assert (request[dhcp.REQUESTED_ADDRESS], dhcp.SERVER_IDENTIFIER in request) == (stdlib.inet_aton(FIRST), False)
        assert expiry(host) == pytest.approx(heard.at + HOUR_S)
        await ours.send_all(b"still there")
        assert await theirs.receive_some() == b"still there"


@rfc("suspend-1")
async def test_the_time_asleep_counts_for_the_lease(autojump_clock: MockClock) -> None:
    """No server answers: the address may be used until the lease is over, and that is sooner on trio's clock."""
    clock, ethernet = Boottime(), Ethernet()
    async with serving(ethernet) as there, sleeper(ethernet.attach(), "dhcp", clock) as host:
        end = expiry(host)
        there.gone = True
        clock.asleep_s += 1000
        await there.host.ping(FIRST)
        assert expiry(host) == pytest.approx(end - 1000, abs=0.5)
        await trio.sleep_until(end - 1001)
        assert own(host) == [FIRST]
        await trio.sleep_until(end - 999)
        assert FIRST not in own(host)


@rfc("suspend-1")
async def test_a_lease_that_ran_out_meanwhile_is_over_before_the_frame_is_looked_at(autojump_clock: MockClock) -> None:
    clock, ethernet = Boottime(), Ethernet()
    async with serving(ethernet) as there, sleeper(ethernet.attach(), "dhcp", clock) as host:
        ours, _ = await stream_pair(host, there.host, SERVER)
        there.gone = True
        clock.asleep_s += 2 * HOUR_S
        with pytest.raises(TimeoutError):
            await there.host.ping(FIRST, timeout_s=0.5)
        assert host.lease is None
        assert FIRST not in own(host)
        with pytest.raises(trio.BrokenResourceError) as caught:
            await ours.receive_some()
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == errno.EADDRNOTAVAIL
        there.gone = False
        await trio.sleep(60)
        assert own(host) == [FIRST]
        assert there.server.log.count("DISCOVER 10.9.0.50") == 1


@rfc("suspend-1")
async def test_on_another_network_the_address_goes(autojump_clock: MockClock) -> None:
    clock, ethernet = Boottime(), Ethernet()
    server = Server()
    async with serving(ethernet, server) as there, sleeper(ethernet.attach(), "dhcp", clock) as host:
        assert own(host) == [FIRST]
        server.leases.clear()
        server.first = stdlib.inet_aton("10.9.0.80")
        clock.asleep_s += 100
        await there.host.ping(FIRST)
        await trio.sleep(5)
        assert own(host) == ["10.9.0.80"]
        assert server.log[4:6] == ["REQUEST 10.9.0.50", "NAK"]


# --- TCP


@rfc("suspend-2")
@pytest.mark.parametrize(("asleep_s", "left"), [(10.0, 1), (HOUR_S, 0)])
async def test_time_wait_ends_by_the_time_asleep(asleep_s: float, left: int, autojump_clock: MockClock) -> None:
    clock, ethernet = Boottime(), Ethernet()
    config = replace(HASTY, tcp=replace(HASTY.tcp, msl_s=30.0))
    async with (
        sleeper(ethernet.attach(), f"{ALICE}/24", clock, config) as alice,
        host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob,
    ):
        ours, theirs = await stream_pair(alice, bob)
        await ours.aclose()
        await theirs.aclose()
        await trio.sleep(1)
        assert [record.state for record in alice.connections()] == ["TIME-WAIT"]
        clock.asleep_s += asleep_s
        await bob.ping(ALICE)
        assert len(alice.connections()) == left
        await trio.sleep(48)
        assert len(alice.connections()) == left
        await trio.sleep(2)  # 2 MSL, the time asleep included
        assert alice.connections() == []


@rfc("suspend-2")
async def test_fragments_that_wait_have_waited_meanwhile(autojump_clock: MockClock) -> None:
    clock, ethernet = Boottime(), Ethernet()
    lost = [False]
    link = Impaired(ethernet.attach(), drop=lambda frame, number: lost[0] and frame[20:22] == b"\x20\x00")
    async with (
        sleeper(ethernet.attach(), f"{ALICE}/24", clock) as alice,
        host_on(link, f"{BOB}/24", seed=2) as bob,
    ):
        await bob.ping(ALICE)
        lost[0] = True
        with pytest.raises(TimeoutError):
            await bob.ping(ALICE, size=2000, timeout_s=1)
        assert alice.counters()["ipSystemStatsReasmFails"] == 0
        clock.asleep_s += HOUR_S
        lost[0] = False
        await bob.ping(ALICE)
        assert alice.counters()["ipSystemStatsReasmFails"] == 1
