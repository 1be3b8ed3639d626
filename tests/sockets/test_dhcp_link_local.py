"""No server answers: the host takes a link-local address, and gives it up when a server answers
(RFC 3927).
"""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from stack import Dhcp, Ethernet
from stack.config import LinkLocalConfig
from stack.dhcp.link_local import candidate
from stack.wire import dhcp
from stack.wire.addresses import format_ipv4
from tests.dhcp.server import Server
from tests.requirements import rfc
from tests.sockets.hosts import host_on, stream_pair
from tests.sockets.lan import CAREFUL, FIRST, SERVER, client, own, serving

SILENT = (dhcp.DISCOVER, dhcp.REQUEST)


@rfc("3927-2.8-a", "3927-1.9-f")
async def test_a_host_alone_takes_a_link_local_address(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with client(ethernet.attach(), config=CAREFUL) as host:
        assert 12 + 4 <= trio.current_time() <= 12 + 8  # two unanswered DHCPDISCOVERs, then probing
        [address] = own(host)
        assert address.startswith("169.254.")
        assert host.lease is None
        [interface] = host.interfaces()
        assert interface.addresses == (f"{address}/16",)
        async with client(ethernet.attach(), config=CAREFUL, seed=2) as other:
            assert await host.ping(own(other)[0]) >= 0


@rfc("3927-1.9-b", "3927-6.1-a", "3927-1.9-a")
async def test_when_a_server_answers_the_host_goes_over_to_its_address(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    server = Server(silent=SILENT)
    async with serving(ethernet, server) as there, client(ethernet.attach(), config=CAREFUL) as host:
        [local] = own(host)
        await trio.sleep(1000)
        assert own(host) == [local]
        assert there.times()[-1] - there.times()[-2] == 64  # it goes on asking
        server.silent = ()
        lease = await host.wait_lease_change(None)
        assert lease is not None
        assert own(host) == [FIRST]
        assert await host.ping("10.9.0.1") >= 0


@rfc("3927-1.9-c", "3927-1.9-d", "3927-1.9-e")
async def test_a_connection_keeps_the_link_local_address_until_it_ends(autojump_clock: MockClock) -> None:
    """RFC 3927 section 1.9: communications under way go on, new ones use the other address."""
    ethernet = Ethernet()
    server = Server(silent=SILENT)
    async with serving(ethernet, server) as there, client(ethernet.attach(), config=CAREFUL) as host:
        [local] = own(host)
        async with host_on(ethernet.attach(), "169.254.7.7/16", seed=2) as other:
            ours, theirs = await stream_pair(host, other, "169.254.7.7")
            server.silent = ()
            assert await host.wait_lease_change(None) is not None
            assert own(host) == [local, FIRST]
            new, _ = await stream_pair(host, there.host, SERVER)
            assert new.socket.getsockname()[0] == FIRST
            await trio.sleep(300)
            await ours.send_all(b"still there")
            assert await theirs.receive_some() == b"still there"
            await ours.aclose()
            await theirs.aclose()
            await trio.sleep(300)
            assert own(host) == [FIRST]


async def test_a_lease_that_ends_is_followed_by_a_link_local_address(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    server = Server(lease_s=600)
    async with serving(ethernet, server), client(ethernet.attach(), config=CAREFUL) as host:
        assert own(host) == [FIRST]
        server.silent = SILENT
        assert await host.wait_lease_change(host.lease) is None
        assert own(host) == []
        await trio.sleep(20)
        assert [address[:8] for address in own(host)] == ["169.254."]
        server.silent = ()
        assert await host.wait_lease_change(None) is not None
        assert own(host) == [FIRST]


async def test_a_host_that_wants_a_lease_gets_no_link_local_address(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    with pytest.raises(TimeoutError) as ended:
        async with client(ethernet.attach(), Dhcp(wait="bound", wait_s=100), config=CAREFUL):
            raise AssertionError("there is no server")
    assert ended.value.errno == errno.ETIMEDOUT


async def test_another_is_chosen_when_a_host_has_it(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    mac = bytes.fromhex("0200000000aa")
    async with client(ethernet.attach(mac=mac), config=CAREFUL) as host:
        [first] = own(host)
    there = host_on(ethernet.attach(), f"{first}/16", seed=9)
    async with there, client(ethernet.attach(mac=mac), config=CAREFUL) as host:
        [second] = own(host)
        assert second.startswith("169.254.")
        assert second != first


async def test_one_that_the_user_is_having_probed_is_left_to_him(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    mac = bytes.fromhex("0200000000aa")
    wanted = format_ipv4(candidate(mac, 0))
    async with client(link := ethernet.attach(mac=mac), Dhcp(wait="nothing"), config=CAREFUL) as host:
        await trio.sleep(11)
        with trio.fail_after(10):
            await host.add_address(link, f"{wanted}/16")
        await trio.sleep(20)
        first, second = own(host)
        assert first == wanted
        assert second.startswith("169.254.")
        assert second != wanted


async def test_without_link_local_addresses_the_host_has_none(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    config = replace(CAREFUL, link_local=LinkLocalConfig(enabled=False))
    async with client(ethernet.attach(), Dhcp(wait="nothing"), config=config) as host:
        await trio.sleep(100)
        assert own(host) == []


async def test_a_server_that_offers_and_gives_nothing_is_no_reason_to_be_without_an_address(
    autojump_clock: MockClock,
) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(silent=(dhcp.REQUEST,))) as there, client(ethernet.attach()) as host:
        assert there.server.log == ["DISCOVER", f"OFFER {FIRST}", f"REQUEST {FIRST}", f"REQUEST {FIRST}"]
        [interface] = host.interfaces()
        assert interface.addresses[0].startswith("169.254.")
        there.server.silent = ()
        await host.wait_lease_change(None)


async def test_nor_is_one_that_refuses_all_it_offers(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    server = Server(refuse=True)
    async with serving(ethernet, server) as there, client(ethernet.attach(), config=CAREFUL) as host:
        assert len(there.heard) < 16
        [address] = own(host)
        assert address.startswith("169.254.")
        server.refuse = False
        await host.wait_lease_change(None)
        assert own(host) == [FIRST]


async def test_nor_is_one_whose_addresses_others_have(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet), host_on(link := ethernet.attach(), "10.9.0.50/24", seed=5) as other:
        for address in ("10.9.0.51/24", "10.9.0.52/24"):
            await other.add_address(link, address, acd="off")
        async with client(ethernet.attach(), config=CAREFUL) as host:
            [address] = own(host)
            assert address.startswith("169.254.")
            await host.wait_lease_change(None)
            assert own(host) == ["10.9.0.53"]
