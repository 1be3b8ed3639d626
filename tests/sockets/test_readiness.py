"""`fileno()`: a descriptor that is readable and writable when the socket is, as the kernel's would be."""

from __future__ import annotations

import errno
import gc
import os
import resource
import select
import socket as stdlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

from stack import Host
from stack.sockets import readiness
from stack.sockets.readiness import signals
from tests.sockets.hosts import BOB, Cut, clog, host_on, stream_pair, two_hosts, until

DATAGRAM = stdlib.SOCK_DGRAM
RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds


def ready(sock: trio.socket.SocketType | int) -> str:
    """What poll says of a descriptor: "r", "w", "rw" or ""."""
    poll = select.poll()
    poll.register(sock if isinstance(sock, int) else sock.fileno(), select.POLLIN | select.POLLOUT)
    events = poll.poll(0)
    said = events[0][1] if events else 0
    assert not said & ~(select.POLLIN | select.POLLOUT)
    return ("r" if said & select.POLLIN else "") + ("w" if said & select.POLLOUT else "")


async def test_a_stream(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    ours, theirs = await stream_pair(alice, bob)
    sock = ours.socket
    assert ready(sock) == "w"
    await theirs.send_all(b"hello")
    await until(sock.is_readable)
    assert ready(sock) == "rw"
    assert await sock.recv(2) == b"he"
    assert ready(sock) == "rw"
    assert await sock.recv(10) == b"llo"
    assert ready(sock) == "w"
    await clog(ours)
    assert ready(sock) == ""
    assert ready(theirs.socket) == "rw"
    while ready(sock) == "":
        assert await theirs.receive_some(1_000_000)
        await trio.sleep(0.1)
    assert ready(sock) == "w"
    await theirs.send_eof()
    await until(sock.is_readable)
    assert ready(sock) == "rw"
    assert await ours.receive_some() == b""
    assert ready(sock) == "rw"  # the end stays readable
    await trio.aclose_forcefully(ours)
    await trio.aclose_forcefully(theirs)


async def test_the_descriptor_may_be_asked_for_at_any_time(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    ours, theirs = await stream_pair(alice, bob)
    await theirs.send_all(b"hello")
    await until(ours.socket.is_readable)
    await clog(ours)
    assert ready(ours.socket) == "r"
    for stream in (ours, theirs):
        await trio.aclose_forcefully(stream)


async def test_a_reset(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    ours, theirs = await stream_pair(alice, bob)
    await clog(ours)
    assert ready(ours.socket) == ""
    theirs.socket.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_LINGER, RESET)
    theirs.socket.close()
    await until(ours.socket.is_readable)
    assert ready(ours.socket) == "rw"
    await trio.aclose_forcefully(ours)


async def test_setting_up(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.socket() as client, bob.socket() as listener:
        assert ready(client) == ready(listener) == "rw"  # as the kernel says of a socket without a connection
        await listener.bind((BOB, 80))
        listener.listen()
        assert ready(listener) == ""
        before = ready(client)
        with trio.move_on_after(5) as scope:
            await client.connect((BOB, 80))
        assert not scope.cancelled_caught
        assert (before, ready(client)) == ("rw", "w")
        await until(listener.is_readable)
        assert ready(listener) == "r"
        accepted, _ = await listener.accept()
        assert ready(listener) == ""
        client.shutdown(stdlib.SHUT_WR)
        await until(accepted.is_readable)
        assert ready(accepted) == "rw"
        accepted.close()


async def test_an_attempt_is_neither_until_it_is_over(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, _), trio.open_nursery() as nursery:
        cut.made = True
        with alice.socket() as client:
            assert ready(client) == "rw"

            async def attempt() -> None:
                with pytest.raises(OSError):
                    await client.connect((BOB, 80))

            nursery.start_soon(attempt)
            await trio.testing.wait_all_tasks_blocked()
            assert ready(client) == ""
            with trio.fail_after(600):
                while client.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR) or ready(client) == "":
                    await trio.sleep(1)
            assert ready(client) == "rw"
            await trio.sleep(600)


async def test_datagrams(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.socket(type=DATAGRAM) as ours, bob.socket(type=DATAGRAM) as theirs:
        await theirs.bind((BOB, 53))
        await ours.connect((BOB, 53))
        assert ready(ours) == ready(theirs) == "w"
        for _ in range(2):
            await ours.send(b"hello")
        await until(theirs.is_readable)
        await trio.sleep(1)
        assert ready(theirs) == "rw"
        await theirs.recv(10)
        assert ready(theirs) == "rw"
        await theirs.recv(10)
        assert ready(theirs) == "w"
        theirs.close()
        await ours.send(b"nobody hears this")
        await until(ours.is_readable)
        assert ready(ours) == "rw"
        with pytest.raises(ConnectionRefusedError):
            await ours.recv(10)
        assert ready(ours) == "w"


async def test_error_that_an_option_takes(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.socket(type=DATAGRAM) as ours:
        await ours.connect((BOB, 53))
        assert ready(ours) == "w"
        await ours.send(b"refused")
        await until(ours.is_readable)
        assert ours.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR) == errno.ECONNREFUSED
        assert ready(ours) == "w"


async def test_tasks_that_wait_for_the_descriptor(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    ours, theirs = await stream_pair(alice, bob)
    order: list[str] = []

    async def wait() -> None:
        await trio.lowlevel.wait_readable(ours.socket.fileno())
        order.append("readable")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        order.append("sent")
        await theirs.send_all(b"x")
    assert order == ["sent", "readable"]
    await ours.receive_some()

    async def wait_for_the_end() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await trio.lowlevel.wait_readable(ours.socket.fileno())
        order.append("closed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_the_end)
        await trio.testing.wait_all_tasks_blocked()
        ours.socket.close()
    assert order[-1] == "closed"
    await trio.aclose_forcefully(theirs)


async def test_when_the_host_ends(autojump_clock: MockClock) -> None:
    async with host_on(None, None) as host:
        sockets = [host.socket(), host.socket(type=DATAGRAM)]
        await sockets[0].bind(("127.0.0.1", 80))
        sockets[0].listen()
        assert [ready(sock) for sock in sockets] == ["", "w"]
    assert [ready(sock) for sock in sockets] == ["r", "rw"]  # a call raises at once
    for sock in sockets:
        sock.close()


async def test_what_is_written_to_it_reaches_nothing(alice: Host, autojump_clock: MockClock) -> None:
    with alice.socket(type=DATAGRAM) as one, alice.socket(type=DATAGRAM) as other:
        os.write(one.fileno(), bytes(8))
        assert ready(one) == ready(other) == "w"
        assert one.fileno() != other.fileno()


async def test_it_is_closed_with_its_socket(alice: Host, autojump_clock: MockClock) -> None:
    readiness._silent()
    before = (os.listdir("/proc/self/fd"), dict(signals))
    sock = alice.socket()
    assert sock.fileno() in signals
    sock.close()
    assert (os.listdir("/proc/self/fd"), signals) == before
    forgotten = alice.socket()
    assert forgotten.fileno() in signals
    with pytest.warns(ResourceWarning):
        del forgotten
    gc.collect()
    assert (os.listdir("/proc/self/fd"), signals) == before


async def test_trios_streams_need_no_descriptor(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """hypercorn, for one, ends each answer with `send_all(b"")`."""
    readiness._silent()
    before = os.listdir("/proc/self/fd")
    ours, theirs = await stream_pair(alice, bob)
    await ours.send_all(b"")
    await ours.wait_send_all_might_not_block()
    assert os.listdir("/proc/self/fd") == before
    await ours.aclose()
    for call in (ours.send_all, lambda data: ours.wait_send_all_might_not_block()):
        with pytest.raises(trio.ClosedResourceError):
            await call(b"")
    await theirs.aclose()


async def test_inheriting_is_remembered(alice: Host, autojump_clock: MockClock) -> None:
    with alice.socket() as early, alice.socket() as late:
        assert not os.get_inheritable(early.fileno())
        for sock in (early, late):
            sock.set_inheritable(True)
            assert sock.get_inheritable()
            assert os.get_inheritable(sock.fileno())
        early.set_inheritable(False)
        assert not early.get_inheritable()
        assert not os.get_inheritable(early.fileno())


@contextmanager
def no_descriptors() -> Iterator[None]:
    """The process has none left."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_process_without_descriptors(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """Programs ask for the descriptor to see whether a socket is open. That must not fail."""
    readiness._silent()
    ours, theirs = await stream_pair(alice, bob)
    with no_descriptors():
        descriptor = ours.socket.fileno()
    assert ready(descriptor) == ""
    assert ready(ours.socket) == "w"
    for stream in (ours, theirs):
        await trio.aclose_forcefully(stream)
