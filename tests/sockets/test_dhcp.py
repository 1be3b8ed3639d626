"""A host that gets its address by DHCP: what a lease changes, what its end changes back, and kinds
of servers.
"""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stack import Dhcp, Ethernet, open_host
from stack.dhcp.client import Client
from stack.link.memory import ip_pair
from tests.dhcp.server import Server, addresses
from tests.requirements import rfc
from tests.sockets.hosts import host_on, stream_pair, until
from tests.sockets.lan import CAREFUL, FIRST, HASTY, SERVER, client, own, serving


async def test_a_lease_takes_effect(autojump_clock: MockClock) -> None:
    server = Server(options={6: addresses("10.9.0.1", "10.9.0.2"), 15: b"example.org", 26: (1400).to_bytes(2, "big")})
    ethernet = Ethernet()
    async with serving(ethernet, server), client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        assert (lease.address, lease.netmask, lease.network) == (FIRST, "255.255.255.0", "10.9.0.0")
        assert (lease.server, lease.routers, lease.broadcast) == (SERVER, (SERVER,), "10.9.0.255")
        assert (lease.domain, lease.mtu) == ("example.org", 1400)
        assert host.name_servers == ["10.9.0.1", "10.9.0.2"]
        [interface] = host.interfaces()
        assert interface.addresses == (f"{FIRST}/24",)
        assert interface.mtu == 1400
        assert ("0.0.0.0/0", SERVER) in [(route.destination, route.gateway) for route in host.routes()]
        assert await host.ping(SERVER) >= 0
        assert json.loads(json.dumps(dataclasses.asdict(lease)))["address"] == FIRST


@rfc("5227-2.1-dhcp-a")
async def test_an_address_is_probed_before_it_is_used(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there:
        began = trio.current_time()
        async with client(ethernet.attach(), config=CAREFUL) as host:
            assert 4 <= trio.current_time() - began <= 8  # RFC 5227: three probes, and two seconds
            assert host.counters()["arpOutProbes"] == 3
            assert there.server.log == ["DISCOVER", f"OFFER {FIRST}", f"REQUEST {FIRST}", f"ACK {FIRST}"]


async def test_an_address_that_is_probed_before_it_is_used_is_not_the_users_yet(autojump_clock: MockClock) -> None:
    """Neither asking for it nor taking it back ends the probing, on which the lease waits."""
    ethernet = Ethernet()
    link = ethernet.attach()
    async with serving(ethernet) as there, client(link, Dhcp(wait="nothing"), config=CAREFUL) as host:
        await until(lambda: there.server.log[-1:] == [f"ACK {FIRST}"])
        await trio.sleep(1)
        with pytest.raises(OSError, match="this host is probing") as refused:
            await host.add_address(link, f"{FIRST}/24")
        assert refused.value.errno == errno.EEXIST
        with pytest.raises(OSError, match="assign") as refused:
            host.remove_address(link, FIRST)
        assert refused.value.errno == errno.EADDRNOTAVAIL
        with trio.fail_after(10):
            await host.wait_lease_change(None)
        assert own(host) == [FIRST]


@rfc("2131-4.4.6-a")
async def test_the_address_is_given_back_at_the_end(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there:
        async with client(ethernet.attach()) as host:
            ours, _ = await stream_pair(host, there.host, SERVER)
        await until(lambda: there.server.log[-1] == f"RELEASE {FIRST}")
        assert there.server.leases == {}
        assert there.heard[-1].source == FIRST
        with pytest.raises(trio.BrokenResourceError) as ended:
            await ours.send_all(b"x")
        assert isinstance(ended.value.__cause__, OSError)
        assert ended.value.__cause__.errno == errno.ENETDOWN


async def test_the_address_is_given_back_by_a_host_that_is_cancelled(autojump_clock: MockClock) -> None:
    """Although its server has to be asked for by ARP then, and the host's tasks have ended by that time."""
    ethernet = Ethernet()
    async with serving(ethernet) as there:
        with trio.CancelScope() as scope:
            async with client(ethernet.attach()) as host:
                assert host.neighbors() == []
                scope.cancel()
                await trio.sleep_forever()
        assert trio.current_time() < 1
        await until(lambda: there.server.log[-1] == f"RELEASE {FIRST}")
        assert there.server.leases == {}


async def test_a_server_that_is_gone_delays_the_end_only_briefly(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet):
        async with client(ethernet.attach()):
            ethernet.ports[0].close()
            began = trio.current_time()
        assert trio.current_time() - began == pytest.approx(1, abs=0.05)


async def test_nothing_is_given_back_when_that_is_not_wanted(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there:
        async with client(ethernet.attach(), Dhcp(release=False)):
            pass
        await trio.sleep(10)
        assert there.server.log[-1] == f"ACK {FIRST}"
        async with client(ethernet.attach(), config=HASTY) as host:
            assert host.lease is not None


# --- beside the usual way


async def test_a_static_address_asks_for_what_goes_with_it(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    server = Server(options={6: addresses("10.9.0.1"), 15: b"example.org", 26: b"\x05\x78"})
    async with serving(ethernet, server) as there, host_on(link := ethernet.attach(), "10.9.0.7/24") as host:
        for _ in range(2):
            told = await host.inform(link)
            assert (told.address, told.domain, told.lease_s) == ("10.9.0.7", "example.org", None)
        assert host.name_servers == ["10.9.0.1"]
        assert host.lease is None
        assert [interface.mtu for interface in host.interfaces()] == [1500]
        assert [heard.source for heard in there.heard] == ["10.9.0.7", "10.9.0.7"]
        await trio.sleep(100_000)
        assert len(there.heard) == 2


async def test_an_inform_without_an_answer_ends(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with host_on(link := ethernet.attach(), "10.9.0.7/24", config=HASTY) as host:
        with pytest.raises(TimeoutError):
            await host.inform(link)
        assert trio.current_time() == 60
        assert own(host) == ["10.9.0.7"]


async def test_the_clients_port_is_free_but_for_the_time_of_the_question(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    server = Server(options={6: addresses("10.9.0.1")})
    async with host_on(link := ethernet.attach(), "10.9.0.7/24") as host, trio.open_nursery() as nursery:

        async def bound() -> trio.socket.SocketType:
            sock = host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
            await sock.bind(("", 68))
            return sock

        async with serving(ethernet, server):
            assert (await host.inform(link)).address == "10.9.0.7"
        with await bound():
            with pytest.raises(OSError) as taken:
                await host.inform(link)
            assert taken.value.errno == errno.EADDRINUSE
            assert host.name_servers == ["10.9.0.1"]  # what was told before still counts

        async def ask() -> None:
            with pytest.raises(TimeoutError):
                await host.inform(link)

        nursery.start_soon(ask)
        await trio.sleep(1)
        with pytest.raises(OSError) as asking:
            await bound()
        assert asking.value.errno == errno.EADDRINUSE
        await trio.sleep(100)
        (await bound()).close()


async def test_a_host_with_a_lease_or_without_an_address_cannot_ask(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet), client(link := ethernet.attach()) as host:
        with pytest.raises(ValueError, match="has a lease"):
            await host.inform(link)
        bare = ethernet.attach()
        host.attach(bare)
        with pytest.raises(OSError) as without:
            await host.inform(bare)
        assert without.value.errno == errno.EADDRNOTAVAIL


async def test_what_a_server_tells_of_an_address_goes_with_it(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    server = Server(options={6: addresses("10.9.0.1")})
    async with serving(ethernet, server), host_on(link, "10.9.0.9/24") as host:
        await host.inform(link)
        assert host.name_servers == ["10.9.0.1"]
        host.remove_address(link, "10.9.0.9")
        assert host.name_servers == []


@pytest.mark.parametrize(("detach", "number"), [(False, errno.EADDRNOTAVAIL), (True, errno.ENETDOWN)])
async def test_a_task_that_waits_for_an_inform_is_told_that_its_address_has_gone(
    detach: bool, number: int, autojump_clock: MockClock
) -> None:
    link = Ethernet().attach()
    async with host_on(link, "10.9.0.9/24") as host, trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(OSError, match=r".") as ended, trio.fail_after(2):
                await host.inform(link)
            assert ended.value.errno == number

        nursery.start_soon(ask)
        await trio.sleep(1)
        if detach:
            host.detach(link)
        else:
            host.remove_address(link, "10.9.0.9")


@rfc("2131-3.7-a")
async def test_after_a_move_the_lease_is_verified_and_lost_where_it_is_denied(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(link := ethernet.attach(), config=CAREFUL) as host:
        lease = host.lease
        host.network_changed(link)
        assert await host.wait_lease_change(lease) is not None
        assert there.server.log[-2:] == [f"REQUEST {FIRST}", f"ACK {FIRST}"]
        assert own(host) == [FIRST]
        there.server.first = bytes((10, 9, 0, 90))
        host.network_changed(link)
        assert await host.wait_lease_change(host.lease) is None
        assert own(host) == []
        assert await host.wait_lease_change(None) is not None
        assert own(host) == ["10.9.0.90"]


async def test_dhcp_may_come_beside_other_addresses_and_on_several_links(autojump_clock: MockClock) -> None:
    one, two = Ethernet(), Ethernet()
    second = Server(address=bytes((10, 8, 0, 1)), first=bytes((10, 8, 0, 50)), options={6: addresses("10.8.0.1")})
    links = one.attach(), two.attach()
    both = (serving(one, Server(options={6: addresses("10.9.0.1", "10.8.0.1")})), serving(two, second))
    async with both[0], both[1], open_host(config=HASTY, raise_errors=True) as host:
        host.attach(links[0], addresses=["192.0.2.7/24", "dhcp"])
        host.attach(links[1], addresses=["dhcp"], dhcp=Dhcp(wait="bound", wait_s=10))
        assert own(host) == ["192.0.2.7"]
        for link in links:
            await host.wait_ready(link)
        assert own(host) == ["192.0.2.7", FIRST, "10.8.0.50"]
        assert [lease.interface for lease in host.leases()] == [link.name for link in links]
        assert host.name_servers == ["10.9.0.1", "10.8.0.1"]
        assert await host.ping("10.8.0.1") >= 0
        host.detach(links[0])
        assert own(host) == ["10.8.0.50"]
        assert [lease.address for lease in host.leases()] == ["10.8.0.50"]


async def test_a_link_that_goes_takes_its_lease_with_it(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(link := ethernet.attach()) as host:
        ours, _ = await stream_pair(host, there.host, SERVER)
        host.detach(link)
        assert host.lease is None
        assert host.name_servers == []
        with pytest.raises(trio.BrokenResourceError) as ended:
            await ours.receive_some()
        assert isinstance(ended.value.__cause__, OSError)
        assert ended.value.__cause__.errno == errno.ENETDOWN
        again = ethernet.attach()
        host.attach(again, addresses=["dhcp"])
        await host.wait_ready(again)
        assert host.lease is not None


async def test_a_task_that_waits_is_told_when_the_link_or_the_host_goes(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    ended: list[int | None] = []

    async def wait(what: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(OSError) as gone:
            await what()
        ended.append(gone.value.errno)

    async with open_host(config=HASTY, raise_errors=True) as host, trio.open_nursery() as nursery:
        host.attach(link, addresses=["dhcp"])
        nursery.start_soon(wait, partial(host.wait_ready, link))
        await trio.testing.wait_all_tasks_blocked()
        host.detach(link)
    assert ended == [errno.ENETDOWN]
    opened = client(ethernet.attach(), Dhcp(wait="nothing"))
    async with trio.open_nursery() as nursery, opened as host:
        nursery.start_soon(wait, partial(host.wait_lease_change, None))
        await trio.testing.wait_all_tasks_blocked()
    assert ended == [errno.ENETDOWN] * 2


async def test_waiting_can_be_cancelled(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    with trio.move_on_after(3) as scope:
        async with client(link):
            raise AssertionError("there is no server")
    assert scope.cancelled_caught
    assert not link.is_open


async def test_an_optimist_uses_the_address_while_it_is_probed(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    there_is_one = host_on(ethernet.attach(), f"{FIRST}/24", seed=7)
    optimist = client(ethernet.attach(), config=CAREFUL, acd="optimistic")
    async with serving(ethernet) as there, there_is_one, optimist as host:
        assert own(host) == [FIRST]
        assert trio.current_time() < 1
        await host.wait_lease_change(host.lease)
        await host.wait_lease_change(None)
        assert own(host) == ["10.9.0.51"]
        assert f"DECLINE {FIRST}" in there.server.log


async def test_a_leased_address_that_the_user_takes_away_is_given_back(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(link := ethernet.attach()) as host:
        assert await host.ping(SERVER) >= 0
        ours, _ = await stream_pair(host, there.host, SERVER)
        host.remove_address(link, FIRST)
        with pytest.raises(trio.BrokenResourceError) as ended:
            await ours.receive_some()
        assert isinstance(ended.value.__cause__, OSError)
        assert ended.value.__cause__.errno == errno.EADDRNOTAVAIL
        await trio.sleep(10_000)
        assert there.server.log[-1] == f"RELEASE {FIRST}"
        assert (host.lease, own(host)) == (None, [])


async def test_an_offer_of_an_address_that_is_being_probed_by_hand_is_declined(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet) as there, open_host(config=CAREFUL, raise_errors=True) as host:
        link = ethernet.attach()
        host.attach(link, addresses=[f"{FIRST}/24", "dhcp"])
        await host.wait_ready(link)
        assert sorted(own(host)) == [FIRST, "10.9.0.51"]
        assert f"DECLINE {FIRST}" in there.server.log


async def test_what_cannot_have_dhcp_is_refused(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    pipe = ip_pair()[0]
    async with open_host(config=HASTY, raise_errors=True) as host:
        with pytest.raises(ValueError, match="is not an Ethernet link"):
            host.attach(pipe, addresses=["dhcp"])
        assert not pipe.is_open
        with pytest.raises(ValueError, match="among the addresses"):
            host.attach(ethernet.attach(), addresses=["10.9.0.2/24"], dhcp=Dhcp())
        with pytest.raises(ValueError, match="bogus"):
            host.attach(ethernet.attach(), addresses=["dhcp"], acd="bogus")
        with host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("0.0.0.0", 68))
            with pytest.raises(OSError) as taken:
                host.attach(ethernet.attach(), addresses=["dhcp"])
            assert taken.value.errno == errno.EADDRINUSE
        assert host.interfaces() == []


async def test_a_client_that_fails_is_replaced(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    """A bug of ours costs the lease, not the host: it is reported, and a new client begins."""
    ethernet = Ethernet()
    reports: list[str] = []
    async with serving(ethernet) as there:
        link = ethernet.attach()
        async with open_host(link, address="dhcp", config=HASTY, report=reports.append) as host:
            with monkeypatch.context() as patch:
                patch.setattr(Client, "on_deadline", fail)
                assert await host.wait_lease_change(host.lease) is None
            assert own(host) == []
            assert await host.wait_lease_change(None) is not None
            assert own(host) == [FIRST]
            assert len(reports) == 1
            assert "a bug" in reports[0]
            assert host.counters()["handler_failed"] == 1
            assert there.server.log.count("DISCOVER") + there.server.log.count(f"DISCOVER {FIRST}") == 2


async def test_a_client_that_fails_with_a_question_begins_nothing_else(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The address was given by hand: no other one is asked for."""
    ethernet = Ethernet()
    reports: list[str] = []
    async with serving(ethernet, Server(silent=(8,))) as there:
        link = ethernet.attach()
        async with open_host(link, address="10.9.0.7/24", acd="off", report=reports.append) as host:
            monkeypatch.setattr(Client, "on_deadline", fail)
            with trio.fail_after(100), pytest.raises(TimeoutError, match="has answered"):
                await host.inform(link)
            await trio.sleep(100)
            assert len(reports) == 1
            assert there.server.log == ["INFORM 10.9.0.7"]
            assert own(host) == ["10.9.0.7"]


def fail(self: Client, now: float) -> None:
    """A bug."""
    raise RuntimeError("a bug")
