"""Every wait ends: by what was waited for, or when its connection, socket, interface or host ends,
or by cancellation.

Each way of waiting meets each way of ending.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from trio.socket import SHUT_RD, SHUT_WR, SO_LINGER, SOCK_DGRAM, SOL_SOCKET, SocketType
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from stack import Ethernet, Host, Impaired
from tests.sockets.hosts import ALICE, BOB, NOBODY, clogged_pair, host_on, stream_pair


@dataclass
class Scene:
    """ALICE waits: the sockets that take part, and what can end the wait."""

    alice: Host
    bob: Host
    leave: Callable[[], Awaitable[None]]  # ends the host alice
    sock: SocketType | None = None
    peer: SocketType | None = None
    keep: list[Any] = field(default_factory=list)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    ethernet = Ethernet()
    leaving, left = trio.Event(), trio.Event()

    async def live(task_status: trio.TaskStatus[Host]) -> None:
        async with host_on(ethernet.attach("alice"), f"{ALICE}/24") as alice:
            task_status.started(alice)
            await leaving.wait()
        left.set()

    async def leave() -> None:
        leaving.set()
        await left.wait()

    async with host_on(ethernet.attach("bob"), f"{BOB}/24", seed=2) as bob, trio.open_nursery() as nursery:
        alice: Host = await nursery.start(live)
        yield Scene(alice, bob, leave)
        leaving.set()


# --- the ways of waiting: each prepares a scene and gives the call that waits

Wait = Callable[[Scene], Awaitable[Callable[[], Awaitable[Any]]]]


async def in_recv(s: Scene) -> Callable[[], Awaitable[Any]]:
    ours, theirs = await stream_pair(s.alice, s.bob)
    s.sock, s.peer = ours.socket, theirs.socket
    return lambda: ours.socket.recv(10)


async def in_recv_into(s: Scene) -> Callable[[], Awaitable[Any]]:
    await in_recv(s)
    assert s.sock is not None
    return lambda: s.sock.recv_into(bytearray(10))  # type: ignore[union-attr]


async def in_send(s: Scene) -> Callable[[], Awaitable[Any]]:
    ours, theirs = await clogged_pair(s.alice, s.bob)
    s.sock, s.peer = ours.socket, theirs.socket
    return lambda: ours.socket.send(b"x")


async def in_send_all(s: Scene) -> Callable[[], Awaitable[Any]]:
    await in_send(s)
    assert s.sock is not None
    stream = trio.SocketStream(s.sock)
    return lambda: stream.send_all(bytes(10_000_000))


async def in_wait_writable(s: Scene) -> Callable[[], Awaitable[Any]]:
    await in_send(s)
    assert s.sock is not None
    return s.sock.wait_writable


async def in_accept(s: Scene) -> Callable[[], Awaitable[Any]]:
    s.sock = s.alice.socket()
    s.sock.listen()
    return s.sock.accept


async def in_connect(s: Scene) -> Callable[[], Awaitable[Any]]:
    """To one that never answers, not even ARP."""
    s.sock = s.alice.socket()
    return lambda: s.sock.connect((NOBODY, 80))  # type: ignore[union-attr]


async def in_recvfrom(s: Scene) -> Callable[[], Awaitable[Any]]:
    s.sock = s.alice.socket(type=SOCK_DGRAM)
    await s.sock.bind(("", 0))
    return lambda: s.sock.recvfrom(10)  # type: ignore[union-attr]


async def in_recvfrom_connected(s: Scene) -> Callable[[], Awaitable[Any]]:
    s.sock = s.alice.socket(type=SOCK_DGRAM)
    await s.sock.connect((BOB, 9))
    return lambda: s.sock.recvfrom(10)  # type: ignore[union-attr]


async def in_ping(s: Scene) -> Callable[[], Awaitable[Any]]:
    return lambda: s.alice.ping(NOBODY)


WAITS: list[Wait] = [
    in_recv,
    in_recv_into,
    in_send,
    in_send_all,
    in_wait_writable,
    in_accept,
    in_connect,
    in_recvfrom,
    in_recvfrom_connected,
    in_ping,
]
SOCKET_WAITS = [wait for wait in WAITS if wait is not in_ping]
CONNECTED_WAITS: list[Wait] = [in_recv, in_recv_into, in_send, in_send_all]


async def outcome_of(wait: Wait, s: Scene, end: Callable[[], Awaitable[None]]) -> Any:
    """Let a task wait, `end` it, and say how its wait ended. No time passes between: the wait ends because of `end`."""
    call = await wait(s)
    results: list[Any] = []

    async def waiter() -> None:
        try:
            with assert_checkpoints():
                results.append(await call())
        except Exception as error:
            results.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiter)
        await wait_all_tasks_blocked()
        assert not results, "it did not wait"
        start = trio.current_time()
        await end()
        await wait_all_tasks_blocked()
        assert results, "it still waits"
        assert trio.current_time() == start
    return results[0]


# --- the ways of ending


@pytest.mark.parametrize("wait", SOCKET_WAITS)
async def test_close_ends_the_wait(wait: Wait, autojump_clock: MockClock) -> None:
    async with scene() as s:

        async def close() -> None:
            assert s.sock is not None
            s.sock.close()

        result = await outcome_of(wait, s, close)
        assert isinstance(result, trio.ClosedResourceError)
        await trio.sleep(3600)
        assert s.alice.connections() == []


@pytest.mark.parametrize("wait", WAITS)
async def test_the_end_of_the_host_ends_the_wait(wait: Wait, autojump_clock: MockClock) -> None:
    async with scene() as s:
        result = await outcome_of(wait, s, s.leave)
        if wait is in_wait_writable:
            assert result is None  # there is something to be had from a send: the error
        elif wait in (in_accept, in_recvfrom, in_recvfrom_connected):
            # SocketListener would go on for ever after ENETDOWN, and DTLSEndpoint would end the run; EBADF is a closed
            # socket to both.
            assert result.errno == errno.EBADF
        else:
            number = getattr(result, "errno", None) or getattr(result.__cause__, "errno", None)
            assert number == errno.ENETDOWN, repr(result)
        assert s.bob.connections() == []  # the peers were told


@pytest.mark.parametrize("wait", CONNECTED_WAITS)
async def test_a_reset_ends_the_wait(wait: Wait, autojump_clock: MockClock) -> None:
    async with scene() as s:

        async def reset() -> None:
            assert s.peer is not None
            s.peer.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            s.peer.close()

        result = await outcome_of(wait, s, reset)
        if isinstance(result, trio.BrokenResourceError):
            result = result.__cause__
        assert isinstance(result, ConnectionResetError)


@pytest.mark.parametrize(
    ("wait", "how", "expected"),
    [
        (in_recv, SHUT_RD, b""),
        (in_recv_into, SHUT_RD, 0),
        (in_send, SHUT_WR, errno.EPIPE),
        (in_wait_writable, SHUT_WR, None),
        (in_accept, SHUT_RD, errno.EINVAL),
        (in_connect, SHUT_WR, errno.ECONNRESET),
        (in_recvfrom_connected, SHUT_RD, (b"", None)),
    ],
)
async def test_shutdown_ends_the_wait(wait: Wait, how: int, expected: object, autojump_clock: MockClock) -> None:
    async with scene() as s:

        async def shut_down() -> None:
            assert s.sock is not None
            s.sock.shutdown(how)

        result = await outcome_of(wait, s, shut_down)
        assert (result.errno if isinstance(result, OSError) else result) == expected


@pytest.mark.parametrize("wait", [*CONNECTED_WAITS, in_connect])
async def test_the_end_of_the_interface_ends_the_wait(wait: Wait, autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob, host_on(None, None) as alice:
        link = ethernet.attach("pulled")
        alice.attach(link, addresses=[f"{ALICE}/24"], acd="off")

        async def pull() -> None:
            alice.detach(link)

        s = Scene(alice, bob, pull)
        result = await outcome_of(wait, s, pull)
        number = getattr(result, "errno", None) or getattr(result.__cause__, "errno", None)
        assert number == errno.ENETDOWN
        assert alice.interfaces() == []
        assert alice.connections() == []


@pytest.mark.parametrize("wait", WAITS)
async def test_cancelling_ends_the_wait_and_leaves_no_waiter(wait: Wait, autojump_clock: MockClock) -> None:
    async with scene() as s:
        call = await wait(s)
        for _ in range(2):  # the second would be told of a first that is still counted
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(call)
                    await wait_all_tasks_blocked()
                    scope.cancel()
            assert scope.cancelled_caught
            if wait is in_connect:  # as trio's: a connect that was cancelled closes the socket
                assert s.sock is not None
                assert s.sock.fileno() == -1
                assert s.alice.connections() == []
                return


@pytest.mark.parametrize("wait", SOCKET_WAITS)
async def test_a_second_task_in_the_same_direction_is_refused(wait: Wait, autojump_clock: MockClock) -> None:
    async with scene() as s:
        call = await wait(s)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await call()
            nursery.cancel_scope.cancel()


async def test_tasks_in_different_directions_do_not_disturb_each_other(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    ours, theirs = await clogged_pair(alice, bob)
    with ours.socket, theirs.socket:
        while ours.socket.is_readable():
            await ours.receive_some()
            await wait_all_tasks_blocked()
        done: list[str] = []

        async def read() -> None:
            assert await ours.receive_some() == b"answer"
            done.append("read")

        async def write() -> None:
            await ours.wait_send_all_might_not_block()
            done.append("written")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            nursery.start_soon(write)
            await wait_all_tasks_blocked()
            await theirs.send_all(b"answer")
            await wait_all_tasks_blocked()
            assert done == ["read"]
            with trio.move_on_after(60):
                while True:
                    await theirs.receive_some()
            assert done == ["read", "written"]


async def test_connecting_is_refused_times_out_and_finds_no_host(alice: Host, autojump_clock: MockClock) -> None:
    for address, number in [((BOB, 81), errno.ECONNREFUSED), ((NOBODY, 80), errno.EHOSTUNREACH)]:
        with alice.socket() as sock, pytest.raises(OSError) as caught:
            await sock.connect(address)
        assert caught.value.errno == number
        assert str(address[0]) in str(caught.value)
    with alice.socket() as sock, pytest.raises(OSError) as caught:
        await sock.connect(("192.0.2.1", 80))
    assert caught.value.errno == errno.ENETUNREACH


async def test_a_connection_attempt_without_an_answer_times_out(autojump_clock: MockClock) -> None:
    """The neighbour is there, as ARP says, and yet silent."""
    ethernet = Ethernet()
    mute = Impaired(ethernet.attach(), drop=lambda frame, _: frame[12:14] == b"\x08\x00")
    async with host_on(ethernet.attach(), f"{ALICE}/24") as alice, host_on(mute, f"{BOB}/24", seed=2):
        start = trio.current_time()
        with alice.socket() as sock, pytest.raises(TimeoutError):
            await sock.connect((BOB, 80))
        assert 60 < trio.current_time() - start < 600
        assert alice.connections() == []


async def test_a_failed_socket_may_try_again(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.socket() as sock:
        with pytest.raises(ConnectionRefusedError):
            await sock.connect((BOB, 80))
        (listener,) = await bob.open_tcp_listeners(80)
        sock.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
        await sock.connect((BOB, 80))
        assert sock.getpeername() == (BOB, 80)
        assert sock.getsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY) == 1
        await listener.aclose()


async def test_every_call_is_a_checkpoint_when_it_need_not_wait(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    stream, peer = await stream_pair(alice, bob)
    datagrams = alice.socket(type=SOCK_DGRAM)
    with stream.socket as ours, peer.socket as theirs, datagrams, alice.socket() as fresh:
        with assert_checkpoints():
            await datagrams.bind((ALICE, 9))
        with assert_checkpoints():
            await datagrams.sendto(b"to myself", (ALICE, 9))
        with assert_checkpoints():
            await datagrams.recvfrom(10)
        with assert_checkpoints():
            await datagrams.connect((ALICE, 9))
        with assert_checkpoints():
            await datagrams.send(b"again")
        with assert_checkpoints():
            await datagrams.wait_writable()
        with assert_checkpoints():
            await ours.send(b"x" * 30)
        await wait_all_tasks_blocked()
        at_once: list[Callable[[], Awaitable[Any]]] = [
            lambda: theirs.recv(10),
            lambda: theirs.recv_into(bytearray(10)),
            lambda: theirs.recvmsg(10),
            lambda: theirs.recv(0),
            lambda: theirs.send(b""),
            theirs.wait_writable,
        ]
        for call in at_once:
            with assert_checkpoints():
                await call()
        refused: list[Callable[[], Awaitable[Any]]] = [
            lambda: fresh.recv(1),
            lambda: fresh.send(b"x"),
            fresh.accept,
        ]
        for call in refused:
            with assert_checkpoints(), pytest.raises(OSError):
                await call()
        with assert_checkpoints():
            await alice.ping(ALICE)


async def test_a_forgotten_socket_is_closed_with_a_warning(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    (listener,) = await bob.open_tcp_listeners(80)
    sock = alice.socket()
    await sock.connect((BOB, 80))
    peer = await listener.accept()
    with pytest.warns(ResourceWarning, match="unclosed"):
        del sock
    assert await peer.receive_some() == b""
    await peer.aclose()
    await listener.aclose()
    await trio.sleep(600)
    assert alice.connections() == []
