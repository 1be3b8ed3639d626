"""The addresses of a host: a program waits for one, is refused one, or loses one."""

from __future__ import annotations

import errno

import pytest
import trio
from trio.testing import MockClock

from stack import Ethernet, open_host
from stack.link.memory import EthernetPort, ip_pair
from stack.wire.addresses import MAC_BROADCAST, parse_ipv4
from stack.wire.arp import REQUEST, REVERSE_REQUEST, ArpPacket
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_RARP
from tests.sockets.hosts import ALICE, BOB, host_on, stream_pair

SPY = bytes.fromhex("020000000066")


async def test_a_host_opens_when_its_address_is_known_to_be_free(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
        before = trio.current_time()
        async with host_on(ethernet.attach(), f"{ALICE}/24", acd=None) as alice:
            assert 4.0 <= trio.current_time() - before <= 7.0
            assert await alice.ping(BOB) >= 0
            assert bob.counters()["arp_not_for_us"] > 0


async def test_an_address_that_another_host_has_is_refused_and_the_host_named(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
        [there] = bob.interfaces()
        link = ethernet.attach()
        with pytest.raises(OSError, match=f"{BOB}.*{there.mac}") as caught:
            async with host_on(link, f"{BOB}/24", acd="strict"):
                raise AssertionError("taken")
        assert caught.value.errno == errno.EADDRINUSE
        assert not link.is_open
        assert bob.counters()["arpInConflicts"] == 0


async def test_an_optimistic_host_opens_at_once_and_tells_when_it_yields(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with host_on(ethernet.attach("wire"), f"{ALICE}/24", acd="optimistic") as alice:
        assert trio.current_time() == 0
        async with host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
            ours, theirs = await stream_pair(alice, bob)
            await trio.sleep(20)
            spy = ethernet.attach("spy", SPY)
            spy.open(lambda: None)
            for _ in range(2):
                claim(spy, ALICE)
            with trio.fail_after(1):
                lost = await alice.wait_address_lost()
            assert (lost.address, lost.interface, lost.mac) == (ALICE, "wire", SPY.hex(":"))
            with pytest.raises(OSError) as caught:
                await ours.socket.recv(1)
            assert caught.value.errno == errno.EADDRNOTAVAIL
            ours.socket.close()
            theirs.socket.close()
            with trio.move_on_after(100) as scope:
                await alice.wait_address_lost()
            assert scope.cancelled_caught  # each loss is told once


async def test_a_host_that_defends_its_address_names_the_station_that_claims_it(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with (
        host_on(ethernet.attach("wire"), f"{ALICE}/24", acd="defend") as alice,
        host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob,
    ):
        assert trio.current_time() == 0
        ours, theirs = await stream_pair(alice, bob)
        spy = ethernet.attach("spy", SPY)
        spy.open(lambda: None)
        for when_s in (0.5, 30.0):
            await trio.sleep(when_s)
            for _ in range(10):
                claim(spy, ALICE)
            with trio.fail_after(1):
                claimed = await alice.wait_address_claimed()
            assert (claimed.address, claimed.interface, claimed.mac) == (ALICE, "wire", SPY.hex(":"))
            with trio.move_on_after(5) as scope:
                await alice.wait_address_claimed()
            assert scope.cancelled_caught  # told once in ten seconds
            await ours.send_all(b"on")
            assert await theirs.receive_some(2) == b"on"
        with trio.move_on_after(5) as scope:
            await alice.wait_address_lost()
        assert scope.cancelled_caught
        assert alice.interfaces()[0].addresses == (f"{ALICE}/24",)


def claim(spy: EthernetPort, address: str) -> None:
    """Another station says that it has the address."""
    ip = parse_ipv4(address)
    packet = ArpPacket(REQUEST, SPY, ip, bytes(6), ip).build()
    assert spy.write([ethernet_ii(MAC_BROADCAST, SPY, ETHERTYPE_ARP), packet], trio.current_time())


async def test_addresses_come_and_go(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    async with host_on(link, f"{ALICE}/24") as alice, host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
        await alice.add_address(link, "10.9.0.7/24")
        assert alice.interfaces()[0].addresses == (f"{ALICE}/24", "10.9.0.7/24")
        await bob.ping("10.9.0.7")
        alice.remove_address(link, "10.9.0.7")
        with pytest.raises(TimeoutError):
            await bob.ping("10.9.0.7", timeout_s=3)
        with pytest.raises(OSError) as caught:
            alice.remove_address(link, "10.9.0.7/24")
        assert caught.value.errno == errno.EADDRNOTAVAIL
        with pytest.raises(OSError, match="has it") as caught:
            await alice.add_address(link, f"{BOB}/24", acd="strict")
        assert caught.value.errno == errno.EADDRINUSE
        with pytest.raises(ValueError, match="not attached"):
            await alice.add_address(ethernet.attach(), "10.9.0.8/24")


async def test_an_address_asked_for_twice_stays_what_it_is(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    async with host_on(link, f"{ALICE}/24", acd="strict") as alice:
        with pytest.raises(OSError, match="already") as caught:
            await alice.add_address(link, f"{ALICE}/24")
        assert caught.value.errno == errno.EEXIST
        with trio.fail_after(1):
            await alice.wait_ready(link)
        spy = ethernet.attach("spy", SPY)
        spy.open(lambda: None)
        for _ in range(2):
            claim(spy, ALICE)
        with trio.fail_after(1):
            assert (await alice.wait_address_lost()).address == ALICE
        with pytest.raises(OSError, match="has it"):
            await alice.wait_ready(link)
        await alice.add_address(link, f"{ALICE}/24")  # the other one has nothing to say any more
        assert alice.interfaces()[0].addresses == (f"{ALICE}/24",)
        await alice.wait_ready(link)


async def test_an_address_whose_wait_is_cancelled_is_not_kept(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    async with host_on(link, None) as alice:
        with trio.move_on_after(2):
            await alice.add_address(link, "10.9.0.7/24", acd="strict")
        await trio.sleep(20)
        assert alice.interfaces()[0].addresses == alice.interfaces()[0].tentative == ()


async def test_attach_tells_by_wait_ready_what_has_become_of_it(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with host_on(None, None) as alice, host_on(ethernet.attach(), f"{BOB}/24", seed=2):
        link = ethernet.attach()
        record = alice.attach(link, addresses=["10.9.0.7/24"], gateway=BOB, acd="strict")
        assert (record.addresses, record.tentative) == ((), ("10.9.0.7/24",))
        await alice.wait_ready(link)
        assert [route.gateway for route in alice.routes()] == [None, BOB]
        other = ethernet.attach()
        alice.attach(other, addresses=[f"{BOB}/24"], acd="strict")
        with pytest.raises(OSError, match="has it"):
            await alice.wait_ready(other)


async def test_a_link_that_goes_while_its_address_is_probed_for_ends_the_wait(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    async with host_on(None, None) as alice, trio.open_nursery() as nursery:
        alice.attach(link, addresses=["10.9.0.7/24"], acd="strict")

        async def wait() -> None:
            with pytest.raises(OSError) as caught:
                await alice.wait_ready(link)
            assert caught.value.errno == errno.ENETDOWN

        nursery.start_soon(wait)
        await trio.sleep(1)
        alice.detach(link)


async def test_a_word_that_is_no_way_is_refused(autojump_clock: MockClock) -> None:
    link = Ethernet().attach()
    with pytest.raises(ValueError, match="acd"):
        async with open_host(link, address="10.9.0.1/24", acd="loose"):
            raise AssertionError("taken")
    assert not link.is_open


async def test_neighbours_and_proxies_are_set_by_the_user(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    async with host_on(link, f"{ALICE}/24") as alice, host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
        [there] = bob.interfaces()
        assert there.mac is not None
        alice.add_neighbor(link, BOB, there.mac)
        [known] = alice.neighbors()
        assert (known.address, known.mac, known.state) == (BOB, there.mac, "permanent")
        alice.add_neighbor(link, BOB, "02:00:00:00:00:77")  # no such station
        with pytest.raises(TimeoutError):
            await alice.ping(BOB, timeout_s=3)
        alice.remove_neighbor(link, BOB)
        assert await alice.ping(BOB) >= 0
        alice.add_proxy(link, "10.9.0.50")
        with pytest.raises(TimeoutError):
            await bob.ping("10.9.0.50", timeout_s=3)
        assert bob.neighbors()[-1].mac == alice.interfaces()[0].mac  # it was answered for
        alice.remove_proxy(link, "10.9.0.50")
        for call, what in ((alice.remove_proxy, "10.9.0.50"), (alice.remove_neighbor, "10.9.0.50")):
            with pytest.raises(OSError) as caught:
                call(link, what)
            assert caught.value.errno == errno.ENOENT
        for wrong in ("10.9.0.256", ALICE, "10.9.0.255"):
            with pytest.raises(ValueError, match=wrong):
                alice.add_neighbor(link, wrong, there.mac)
        with pytest.raises(ValueError, match="MAC"):
            alice.add_neighbor(link, BOB, "02:00")


async def test_a_link_without_stations_has_no_neighbours(autojump_clock: MockClock) -> None:
    one, _ = ip_pair()
    async with host_on(one, f"{ALICE}/24", acd=None) as alice:
        assert trio.current_time() == 0  # there is nothing to probe with
        with pytest.raises(OSError, match="ARP") as caught:
            alice.add_neighbor(one, BOB, "02:00:00:00:00:77")
        assert caught.value.errno == errno.EOPNOTSUPP


async def test_a_station_that_asks_by_rarp_is_told_its_address(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    async with host_on(link, f"{ALICE}/24") as alice:
        alice.add_station(link, SPY.hex(":"), "10.9.0.66")
        spy = ethernet.attach("spy", SPY)
        spy.open(lambda: None)
        request = ArpPacket(REVERSE_REQUEST, SPY, bytes(4), SPY, bytes(4)).build()
        assert spy.write([ethernet_ii(MAC_BROADCAST, SPY, ETHERTYPE_RARP), request], trio.current_time())
        await trio.sleep(1)
        view = spy.read(trio.current_time())
        assert view is not None
        assert ArpPacket.parse(view[14:]).target_ip == parse_ipv4("10.9.0.66")
        alice.remove_station(link, SPY.hex(":"))
        with pytest.raises(OSError) as caught:
            alice.remove_station(link, SPY.hex(":"))
        assert caught.value.errno == errno.ENOENT
