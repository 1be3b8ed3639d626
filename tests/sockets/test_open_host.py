"""`open_host` and the host it gives: interfaces, records, ping, and what is left when the block is."""

from __future__ import annotations

import errno
import json
import socket as stdlib
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import stack
from stack import Config, Ethernet, Host, Impaired, open_host
from stack.link.memory import ip_pair
from tests.sockets.hosts import ALICE, BOB, NOBODY, host_on, stream_pair, two_hosts


async def test_the_example_of_the_design(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()

    async def handler(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk)

    async with (
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", gateway="10.9.0.1") as host,
        stack.open_host(ethernet.attach(), address="10.9.0.1/24") as other,
        trio.open_nursery() as nursery,
    ):
        assert await host.ping("10.9.0.1") >= 0
        await nursery.start(other.serve_tcp, handler, 8000)
        stream = await host.open_tcp_stream("10.9.0.1", 8000)
        assert isinstance(stream, trio.SocketStream)
        await stream.send_all(b"hello")
        assert await stream.receive_some() == b"hello"
        sock = host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        assert isinstance(sock, trio.socket.SocketType)
        sock.close()
        await stream.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"address": "10.9.0.2"}, "10.9.0.2"),
        ({"address": "10.9.0.2/33"}, "33"),
        ({"address": "10.9.0.256/24"}, "256"),
        ({"address": "10.9.0.2/24", "gateway": "10.9.0"}, "10.9.0"),
        ({"address": "DHCP"}, "DHCP"),
    ],
)
async def test_bad_addresses_are_named(arguments: dict[str, str], message: str, autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    with pytest.raises(ValueError, match=message):
        async with open_host(link, address=arguments["address"], gateway=arguments.get("gateway")):
            raise AssertionError("taken")
    assert not link.is_open


async def test_an_address_without_a_link_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="link"):
        async with open_host(address="10.9.0.2/24"):
            raise AssertionError("taken")


async def test_the_programs_own_exceptions_come_out_as_they_are(autojump_clock: MockClock) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with two_hosts():
            raise KeyError("mine")
    with pytest.raises(SystemExit):
        async with host_on(None, None):
            raise SystemExit(3)
    with trio.move_on_after(5) as scope:
        async with two_hosts():
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_failing_link_ends_the_program_with_its_error(autojump_clock: MockClock) -> None:
    """What is no OSError is a bug in the link, and the program must not go on as if the host were running."""
    ethernet = Ethernet()
    link = ethernet.attach()

    def read(now: float) -> memoryview | None:
        raise ZeroDivisionError("a bug")

    link.read = read  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as caught:
        async with host_on(link, f"{ALICE}/24"), host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
            await bob.ping(ALICE)
    assert caught.group_contains(ZeroDivisionError)

    async def program() -> None:
        async with host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob, open_host(link, address=f"{ALICE}/24"):
            try:
                await bob.ping(ALICE)
            finally:
                raise KeyError("and what came of it")

    with pytest.raises(ExceptionGroup) as caught:
        await program()
    assert caught.group_contains(ZeroDivisionError)
    assert caught.group_contains(KeyError)


async def test_ping_measures_the_round_trip(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    slow = Impaired(ethernet.attach(), delay_s=0.01)
    async with host_on(slow, f"{ALICE}/24") as alice, host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
        await alice.ping(BOB)
        assert await alice.ping(BOB) == pytest.approx(0.02)
        assert await bob.ping(ALICE, size=20_000) == pytest.approx(0.02)
        for ours in ("127.0.0.1", "127.9.9.9", BOB):
            assert await bob.ping(ours) == 0
        reply = await alice.echo(BOB, data=b"abc", size=5, ttl=9)
        assert reply.data == b"abc\0\0"
        assert reply.ttl == 64
        assert (await alice.echo(BOB, size=65507)).data[:300] == bytes(n & 0xFF for n in range(300))


async def test_ping_says_why_there_is_no_answer(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, _bob):
        start = trio.current_time()
        with pytest.raises(OSError) as caught:
            await alice.ping(NOBODY)
        assert caught.value.errno == errno.EHOSTUNREACH
        assert NOBODY in str(caught.value)
        with pytest.raises(OSError) as caught:
            await alice.ping("192.0.2.1")
        assert caught.value.errno == errno.ENETUNREACH
        with pytest.raises(OSError) as caught:
            await alice.ping(BOB, size=65508)
        assert caught.value.errno == errno.EMSGSIZE
        assert trio.current_time() - start < 30
    ethernet = Ethernet()
    async with host_on(Impaired(ethernet.attach(), loss=1), f"{ALICE}/24") as alice:
        start = trio.current_time()
        with pytest.raises(TimeoutError):
            await alice.ping(BOB, timeout_s=0.5)
        assert trio.current_time() - start == 0.5


async def test_pings_that_were_given_up_are_forgotten(autojump_clock: MockClock) -> None:
    config = replace(Config(), icmp=replace(Config().icmp, echoes_max=3))
    async with two_hosts(config) as (alice, _):
        for _ in range(10):
            with trio.move_on_after(0.01) as scope:
                await alice.ping(NOBODY)
            assert scope.cancelled_caught
        await alice.ping(BOB)


async def test_a_host_on_two_ethernets_uses_the_right_one(autojump_clock: MockClock) -> None:
    left, right = Ethernet(), Ethernet()
    async with (
        host_on(None, None) as middle,
        host_on(left.attach(), "10.1.0.2/24", seed=2) as west,
        host_on(right.attach(), "10.2.0.2/24", seed=3) as east,
    ):
        middle.attach(left.attach("left"), addresses=["10.1.0.1/24"], acd="off")
        middle.attach(right.attach("right"), addresses=["10.2.0.1/24"], acd="off")
        for host, theirs, ours in ((west, "10.1.0.2", "10.1.0.1"), (east, "10.2.0.2", "10.2.0.1")):
            await middle.ping(theirs)
            await host.ping(ours)
            there, here = await stream_pair(middle, host, theirs)
            assert there.socket.getsockname()[0] == ours
            await there.send_all(b"x")
            assert await here.receive_some() == b"x"
            with there.socket, here.socket:
                pass
        # A host is no router: what is for the other side goes nowhere.
        with pytest.raises(OSError) as caught:
            await west.ping("10.2.0.1")
        assert caught.value.errno == errno.ENETUNREACH
        assert {record.interface for record in middle.routes()} == {"left", "right"}


async def test_a_link_of_bare_ip_packets(autojump_clock: MockClock) -> None:
    one, two = ip_pair()
    async with host_on(one, "10.3.0.1/30") as first, host_on(two, "10.3.0.2/30", seed=2) as second:
        assert await first.ping("10.3.0.2") == 0
        assert await second.ping("10.3.0.1", size=30_000) == 0
        client, server = await stream_pair(first, second, "10.3.0.2")
        await client.send_all(b"no ARP here")
        assert await server.receive_some() == b"no ARP here"
        assert first.neighbors() == []
        assert first.interfaces()[0].mac is None
        with client.socket, server.socket:
            pass


async def test_records_are_frozen_and_ready_for_json(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    client, server = await stream_pair(alice, bob)
    datagrams = alice.socket(type=stdlib.SOCK_DGRAM)
    await datagrams.connect((BOB, 9))
    listener = alice.socket()
    await listener.bind(("", 80))
    listener.listen()
    with client.socket, server.socket, datagrams, listener:
        records: dict[str, list[Any]] = {
            "interfaces": alice.interfaces(),
            "neighbors": alice.neighbors(),
            "routes": alice.routes(),
            "connections": alice.connections(),
        }
        text = json.dumps({name: [asdict(record) for record in value] for name, value in records.items()})
        for expected in (ALICE, BOB, "ESTABLISHED", "LISTEN", "udp", "alice"):
            assert expected in text
        for value in records.values():
            assert value
            with pytest.raises((AttributeError, TypeError)):  # the latter is Python 3.11's for slots
                setattr(value[0], fields(value[0])[0].name, "changed")
        counters = alice.counters()
        assert json.loads(json.dumps(counters))["tcpActiveOpens"] == 1
        counters["tcpActiveOpens"] = 99
        assert alice.counters()["tcpActiveOpens"] == 1


async def test_nothing_works_and_nothing_hangs_after_the_end(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    link = ethernet.attach()
    async with host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
        async with host_on(link, f"{ALICE}/24") as alice:
            ours, theirs = await stream_pair(alice, bob)
            (listener,) = await alice.open_tcp_listeners(80)
            datagrams, fresh = alice.socket(type=stdlib.SOCK_DGRAM), alice.socket()
            await datagrams.bind(("", 53))
        assert not link.is_open
        for call, args in [
            (ours.socket.send, (b"x",)),
            (fresh.connect, ((BOB, 80),)),
            (fresh.bind, (("", 0),)),
            (datagrams.sendto, (b"x", (BOB, 9))),
            (datagrams.recvfrom, (10,)),
            (alice.ping, (BOB,)),
        ]:
            with pytest.raises(OSError):
                await call(*args)  # type: ignore[operator]
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()
        for opening in (alice.open_tcp_stream(BOB, 80), alice.open_tcp_listeners(81)):
            with pytest.raises(OSError):
                await opening
        with pytest.raises(OSError) as caught:
            alice.attach(ethernet.attach(), addresses=["10.9.0.7/24"], acd="off")
        assert caught.value.errno == errno.ENETDOWN
        for sock in (ours.socket, datagrams, fresh, listener.socket):
            sock.close()
            assert sock.fileno() == -1
        await listener.aclose()
        assert alice.connections() == []
        with pytest.raises(ConnectionResetError):
            await theirs.socket.recv(1)
        theirs.socket.close()
        await wait_all_tasks_blocked()
        assert bob.connections() == []


async def test_the_peers_of_a_host_that_ends_are_told(bob: Host, autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    bob.attach(ethernet.attach(), addresses=["10.8.0.1/24"], acd="off")
    async with host_on(ethernet.attach(), "10.8.0.2/24", seed=3) as carol:
        streams = [await stream_pair(carol, bob, "10.8.0.1") for _ in range(20)]
    for _, theirs in streams:
        with pytest.raises(ConnectionResetError):
            await theirs.socket.recv(1)
        theirs.socket.close()


async def test_a_bug_in_the_protocol_code_is_reported_and_costs_one_frame(autojump_clock: MockClock) -> None:
    """The barrier as programs use it; everywhere else in the tests a bug ends the test."""
    reports: list[str] = []
    ethernet = Ethernet()
    async with (
        open_host(ethernet.attach(), address=f"{ALICE}/24", report=reports.append) as alice,
        host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob,
    ):
        await bob.ping(ALICE)
        core = alice._runner.core
        handlers = core.ip.handlers
        good = handlers[17]

        def bad(received: object) -> None:
            raise ZeroDivisionError("a bug")

        handlers[17] = bad
        with bob.socket(type=stdlib.SOCK_DGRAM) as sock:
            for _ in range(3):
                await sock.sendto(b"x", (ALICE, 9))
                await wait_all_tasks_blocked()
        handlers[17] = good
        assert alice.counters()["handler_failed"] == 3
        assert len(reports) == 1
        assert "ZeroDivisionError" in reports[0]
        await bob.ping(ALICE)


async def test_the_configuration_reaches_the_sockets(autojump_clock: MockClock) -> None:
    config = replace(Config(), tcp=replace(Config().tcp, receive_buffer_bytes=123_456))
    async with two_hosts(config) as (alice, _):
        with alice.socket() as sock:
            assert sock.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_RCVBUF) == 123_456


async def test_a_whole_ethernet_is_no_link(autojump_clock: MockClock) -> None:
    """What is wrong and what to do, wherever a link is wanted."""
    ethernet: Any = Ethernet()
    for wants_a_link in (Impaired, lambda link: stack.Capture(link, "never made")):
        with pytest.raises(TypeError, match=r"give each host ethernet\.attach\(\)"):
            wants_a_link(ethernet)
    with pytest.raises(TypeError, match=r"an Ethernet is a wire, not a link: give each host ethernet\.attach\(\)"):
        async with open_host(ethernet, address="10.9.0.1/24"):
            raise AssertionError
