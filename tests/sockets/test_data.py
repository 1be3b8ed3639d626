"""Data arrives as it was sent: streams and datagrams over good and bad wires, and buffers that
change meanwhile.
"""

from __future__ import annotations

import errno
import os
import socket as stdlib
from random import Random
from typing import Any

import pytest
import trio
from trio.socket import MSG_DONTWAIT, MSG_OOB, MSG_PEEK, SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET
from trio.testing import MockClock, wait_all_tasks_blocked

from stack import Ethernet, Host, Impaired
from tests.requirements import rfc
from tests.sockets.hosts import ALICE, BOB, Cut, host_on, stream_pair, two_hosts


@pytest.mark.parametrize("seed", range(5))
async def test_a_bad_wire_loses_nothing(seed: int, autojump_clock: MockClock) -> None:
    """256 kB each way at once: 10 % lost, 10 % out of order, 5 % twice, 1 % with a bit wrong, each way."""
    ethernet = Ethernet()
    links = [
        Impaired(
            ethernet.attach(),
            loss=0.05,
            reorder=0.05,
            duplicate=0.025,
            corrupt=0.005,
            delay_s=0.005,
            seed=seed * 2 + end,
        )
        for end in range(2)
    ]
    data = Random(seed).randbytes(256_000), Random(seed + 1000).randbytes(256_000)
    async with host_on(links[0], f"{ALICE}/24", seed=seed) as alice, host_on(links[1], f"{BOB}/24", seed=99) as bob:
        client, server = await stream_pair(alice, bob)
        received = bytearray(), bytearray()

        async def send(stream: trio.SocketStream, what: bytes) -> None:
            await stream.send_all(what)
            await stream.send_eof()

        async def receive(stream: trio.SocketStream, into: bytearray) -> None:
            async for chunk in stream:
                into += chunk

        async with trio.open_nursery() as nursery:
            for end, stream in enumerate((client, server)):
                nursery.start_soon(send, stream, data[end])
                nursery.start_soon(receive, stream, received[1 - end])
        assert received == data
        await client.aclose()
        await server.aclose()
        await trio.sleep(600)
        assert alice.connections() == bob.connections() == []


async def test_a_buffer_may_change_once_send_has_returned(autojump_clock: MockClock) -> None:
    """Also when what was sent from it has to be sent again, and when a view of it says that it is read-only."""
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob):
        client, server = await stream_pair(alice, bob)
        for make in (lambda b: b, memoryview, lambda b: memoryview(b).toreadonly(), lambda b: memoryview(b)[::1]):
            buffer = bytearray(b"a" * 3000)
            cut.made = True
            assert await client.socket.send(make(buffer)) == 3000
            buffer[:] = b"b" * 3000
            cut.made = False
            received = b""
            while len(received) < 3000:
                received += await server.receive_some()
            assert received == b"a" * 3000


async def test_a_datagrams_buffer_may_change_while_its_address_is_looked_up(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    with alice.socket(type=SOCK_DGRAM) as sender, bob.socket(type=SOCK_DGRAM) as receiver:
        await receiver.bind(("", 9))
        buffer = bytearray(b"before")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.sendto, memoryview(buffer), (BOB, 9))
            assert alice.neighbors() == []
            await trio.lowlevel.checkpoint()
            buffer[:] = b"after!"
        assert await receiver.recv(100) in (b"before", b"after!")  # whole, whichever came first
        buffer[:] = b"before"
        await sender.sendto(buffer, (BOB, 9))
        buffer[:] = b"after!"
        assert await receiver.recv(100) == b"before"


async def test_a_buffer_is_not_locked_while_its_reader_waits(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        client, server = await stream_pair(alice, bob)
        buffer = bytearray(4)
        got: list[int] = []

        async def read() -> None:
            got.append(await client.socket.recv_into(buffer))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            buffer += b"....."  # BufferError if a view of it were still held
            await server.send_all(b"six!!!")
        assert got == [6]
        assert buffer == b"six!!!..."


async def test_a_program_may_peek_for_more_until_it_is_there(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        client, server = await stream_pair(alice, bob)
        ours = server.socket
        await client.send_all(b"GET ")
        assert await ours.recv(100, MSG_PEEK) == b"GET "
        assert ours.is_readable()
        await client.send_all(b"/index")
        await wait_all_tasks_blocked()
        assert await ours.recv(100, MSG_PEEK | MSG_DONTWAIT) == b"GET /index"
        assert await ours.recv(3, MSG_PEEK) == b"GET"
        await client.aclose()
        await wait_all_tasks_blocked()
        assert await ours.recv(100, MSG_PEEK) == b"GET /index"
        assert await ours.recv(4) == b"GET "
        assert await ours.recv(100) == b"/index"
        assert await ours.recv(100, MSG_PEEK) == b""
        assert await ours.recv(100) == b""


async def test_peeking_takes_nothing_and_opens_no_window(autojump_clock: MockClock) -> None:
    """However often a program looks, the peer may send no more than SO_RCVBUF has room for."""
    async with two_hosts() as (alice, bob):
        client, server = await stream_pair(alice, bob)
        ours = server.socket
        room = ours.getsockopt(SOL_SOCKET, SO_RCVBUF)
        with trio.move_on_after(60):
            while True:
                await client.send_all(bytes(65536))
        for _ in range(5):
            seen = await ours.recv(1 << 30, MSG_PEEK)
            await trio.sleep(10)
        assert 0 < len(seen) <= room
        assert await ours.recv(1 << 30)  # it is all still there


async def test_a_buffer_that_cannot_be_filled_costs_no_data(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        client, server = await stream_pair(alice, bob)
        await client.send_all(b"precious")
        with pytest.raises(TypeError):
            await server.socket.recvmsg_into([b"read-only"])
        assert await server.socket.recv(100) == b"precious"
        with alice.socket(type=SOCK_DGRAM) as here, bob.socket(type=SOCK_DGRAM) as there:
            await there.bind((BOB, 5))
            await here.sendto(b"datagram", (BOB, 5))
            with pytest.raises(TypeError):
                await there.recvmsg_into([b"read-only"])
            buffer = bytearray(10)
            assert (await there.recvfrom_into(buffer))[0] == 8

            async def shrink() -> None:
                await wait_all_tasks_blocked()
                del buffer[2:]
                await here.sendto(b"another", (BOB, 5))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(shrink)
                with pytest.raises(ValueError, match="too small"):
                    await there.recvfrom_into(buffer, 8)
            assert await there.recv(100) == b"another"


async def test_what_was_peeked_at_before_a_reset_is_not_lost(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        client, server = await stream_pair(alice, bob)
        await client.send_all(b"last words")
        assert await server.socket.recv(100, MSG_PEEK) == b"last words"
        client.setsockopt(SOL_SOCKET, stdlib.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.socket.close()
        await wait_all_tasks_blocked()
        assert await server.socket.recv(100, MSG_PEEK) == b"last words"
        assert await server.socket.recv(100) == b"last words"
        with pytest.raises(ConnectionResetError):
            await server.socket.recv(100)
        assert await server.socket.recv(100) == b""


async def test_flags_that_mean_something_else_are_refused(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        client, _server = await stream_pair(alice, bob)
        with alice.socket(type=SOCK_DGRAM) as datagrams:
            await datagrams.connect((BOB, 9))
            with pytest.raises(OSError) as caught:
                await datagrams.send(b"x", MSG_OOB)
            assert caught.value.errno == errno.EOPNOTSUPP
            for sock in (client.socket, datagrams):
                with pytest.raises(OSError) as caught:
                    await sock.recv(1, 1 << 30)
                assert caught.value.errno == errno.EOPNOTSUPP
                with pytest.raises(OSError) as caught:
                    await sock.sendmsg([b"x"], [(stdlib.SOL_SOCKET, stdlib.SCM_RIGHTS, b"\0\0\0\0")])
                assert caught.value.errno == errno.EINVAL


async def test_urgent_data_is_waited_for_apart_from_the_stream(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        client, server = await stream_pair(alice, bob)
        heard: list[bytes] = []

        async def listen_for_urgent() -> None:
            await server.socket.wait_urgent()  # type: ignore[attr-defined]
            heard.append(await server.socket.recv(1, MSG_OOB))
            with pytest.raises(OSError, match="not connected"):
                await server.socket.wait_urgent()  # type: ignore[attr-defined]

        async def read() -> None:
            while data := await server.receive_some():
                heard.append(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen_for_urgent)
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            await client.socket.send(b"!", MSG_OOB)
            await wait_all_tasks_blocked()
            assert heard == [b"!"]
            await client.send_all(b"and on")
            await client.send_eof()
        assert heard == [b"!", b"and on"]


@rfc("9293 MUST-47", "9293 SHLD-20")
async def test_errors_that_a_connection_survives_are_reported_on_request(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob):
        told: list[int] = []
        (listener,) = await bob.open_tcp_listeners(80)
        with alice.socket() as wants, alice.socket() as does_not:
            wants.on_error = lambda number, text: told.append(number)  # type: ignore[attr-defined]
            for sock in (wants, does_not):
                await sock.connect((BOB, 80))
            cut.made = True
            await does_not.send(b"nobody hears this")
            await trio.sleep(30)
            assert told == []
            await wants.send(b"nor this")
            await trio.sleep(30)
            assert len(told) >= 1
            assert set(told) <= {errno.ETIMEDOUT, errno.EHOSTUNREACH}
            await wants.send(b"nor that")
        await listener.aclose()


async def test_the_accept_queue_has_an_end_and_gives_what_it_has(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    listener = bob.socket()
    await listener.bind(("", 80))
    listener.listen(3)
    clients: list[trio.SocketStream] = []

    async def connect() -> None:
        clients.append(await alice.open_tcp_stream(BOB, 80))

    for _ in range(3):
        await connect()
    await wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(connect)
        await trio.sleep(0.5)
        assert len(clients) == 3  # the others' SYNs are dropped, and sent again
        accepted = [await listener.accept() for _ in range(3)]
        accepted += [await listener.accept() for _ in range(2)]
    assert {address for _, address in accepted} == {client.socket.getsockname() for client in clients}
    for sock in [listener, *(sock for sock, _ in accepted), *(client.socket for client in clients)]:
        sock.close()


async def test_closing_a_listener_resets_connections_that_were_not_accepted(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    (listener,) = await bob.open_tcp_listeners(80)
    client = await alice.open_tcp_stream(BOB, 80)
    await listener.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await client.receive_some()
    await client.aclose()
    with pytest.raises(OSError, match="all attempts"):
        await alice.open_tcp_stream(BOB, 80)
    assert bob.connections() == []


async def test_datagrams_keep_their_boundaries_and_their_order(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    with alice.socket(type=SOCK_DGRAM) as sender, bob.socket(type=SOCK_DGRAM) as receiver:
        await receiver.bind((BOB, 0))
        sizes = [0, 1, 1472, 1473, 65507, 20_000]
        await alice.ping(BOB)
        for size in sizes:
            await sender.sendto(bytes(size), receiver.getsockname())
        for size in sizes:
            data, address = await receiver.recvfrom(70_000)
            assert len(data) == size
            assert address == (ALICE, sender.getsockname()[1])


async def test_datagrams_that_are_not_read_are_dropped_and_counted(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    with alice.socket(type=SOCK_DGRAM) as sender, bob.socket(type=SOCK_DGRAM) as receiver:
        receiver.setsockopt(SOL_SOCKET, SO_RCVBUF, 10_000)
        await receiver.bind((BOB, 9))
        await alice.ping(BOB)
        for _ in range(100):
            await sender.sendto(bytes(1000), (BOB, 9))
        await wait_all_tasks_blocked()
        kept = 0
        while receiver.is_readable():
            await receiver.recv(2000)
            kept += 1
        assert 1 <= kept <= 10
        assert bob.counters()["udp_queue_full"] == 100 - kept


async def test_a_connected_datagram_socket_hears_its_peer_alone(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    socks: list[Any] = [bob.socket(type=SOCK_DGRAM) for _ in range(2)]
    with alice.socket(type=SOCK_DGRAM) as ours, socks[0] as friend, socks[1] as stranger:
        await friend.bind((BOB, 1001))
        await stranger.bind((BOB, 1002))
        await ours.connect((BOB, 1001))
        address = ours.getsockname()
        assert address[0] == ALICE
        await stranger.sendto(b"no", address)
        await friend.sendto(b"yes", address)
        assert await ours.recvfrom(10) == (b"yes", (BOB, 1001))
        await wait_all_tasks_blocked()
        assert not ours.is_readable()
        await ours.connect((BOB, 1002))  # may be connected again, elsewhere
        await ours.send(b"hello")
        assert await stranger.recvfrom(10) == (b"hello", address)


async def test_zero_as_a_destination_is_this_host(alice: Host, autojump_clock: MockClock) -> None:
    (listener,) = await alice.open_tcp_listeners(80)
    with alice.socket() as sock:
        await sock.connect(("0.0.0.0", 80))
        assert sock.getpeername() == ("127.0.0.1", 80)
    with alice.socket(type=SOCK_DGRAM) as datagrams:
        await datagrams.bind(("", 53))
        await datagrams.sendto(b"x", ("", 53))
        assert await datagrams.recvfrom(10) == (b"x", ("127.0.0.1", 53))
    await listener.aclose()


async def test_ports_come_back_when_their_sockets_are_closed(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    (listener,) = await bob.open_tcp_listeners(80)
    for _ in range(3):
        for kind in (stdlib.SOCK_STREAM, SOCK_DGRAM):
            with alice.socket(type=kind) as sock:
                await sock.bind((ALICE, 1000))
            with alice.socket(type=kind) as sock:
                await sock.bind(("", 1000))
                await sock.connect((BOB, 80))
                assert sock.getsockname() == (ALICE, 1000)
        await trio.sleep(600)  # TIME-WAIT
        with alice.socket() as sock:
            await sock.bind(("", 1000))
            sock.listen()
    await listener.aclose()


async def test_sockets_cost_no_descriptors(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    before = os.listdir("/proc/self/fd")
    streams = await stream_pair(alice, bob)
    with alice.socket() as sock, alice.socket(type=SOCK_DGRAM) as datagram:
        await datagram.bind(("", 0))
        assert os.listdir("/proc/self/fd") == before
        assert sock.fileno() >= 0  # it is asked for one
        assert len(os.listdir("/proc/self/fd")) > len(before)
    for stream in streams:
        await stream.aclose()
    assert sock.fileno() == -1


async def test_ourselves_are_no_slower_than_anybody_else(autojump_clock: MockClock) -> None:
    """A window update to ourselves arrives at once, too: nothing waits for a timer."""
    async with two_hosts() as (alice, _):
        client, server = await stream_pair(alice, alice, "127.0.0.1")
        start = trio.current_time()
        size = 3_000_000

        async def send() -> None:
            await client.send_all(bytes(size))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            buffer = bytearray(65536)
            received = 0
            while received < size:
                received += await server.socket.recv_into(buffer)
        assert trio.current_time() - start < 0.1


async def test_a_soft_error_is_reported_on_request_and_ends_nothing(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob):
        client, server = await stream_pair(alice, bob)
        cut.made = True
        await client.send_all(b"patience")
        await trio.sleep(40)
        errors = [client.socket.getsockopt(SOL_SOCKET, stdlib.SO_ERROR) for _ in range(2)]
        assert errors == [errno.EHOSTUNREACH, 0]
        cut.made = False
        assert await server.receive_some() == b"patience"


async def test_listening_again_changes_the_backlog(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with bob.socket() as listener:
        await listener.bind(("", 80))
        for backlog in (1, 3):
            listener.listen(backlog)
            streams = []
            with trio.move_on_after(0.5):
                while True:
                    streams.append(await alice.open_tcp_stream(BOB, 80))
            assert len(streams) == backlog
            for stream in streams:
                await stream.aclose()
                (await listener.accept())[0].close()
            await trio.sleep(600)


async def test_connecting_a_datagram_socket_may_be_cancelled(alice: Host, autojump_clock: MockClock) -> None:
    sock = alice.socket(type=SOCK_DGRAM)
    with trio.CancelScope() as scope:
        scope.cancel()
        await sock.connect((BOB, 9))
    assert sock.fileno() == -1  # as trio's
