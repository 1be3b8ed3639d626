"""What a program forgets when a host ends neither ends the run nor hangs it: sockets, streams, tasks.

`test_dtls.py` has the same for DTLS.
"""

from __future__ import annotations

import errno
import gc
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.socket import SOCK_DGRAM
from trio.testing import MockClock, wait_all_tasks_blocked

from stack import Host
from tests.requirements import rfc
from tests.sockets.hosts import BOB, stream_pair, two_hosts


@rfc("sockets-10")
async def test_system_tasks_that_wait_for_datagrams_hear_of_a_closed_socket(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, _):
        sock = alice.socket(type=SOCK_DGRAM)
        await sock.bind(("0.0.0.0", 5000))
    for call in (sock.recvfrom(10), sock.send(b"x"), sock.sendto(b"x", (BOB, 5000)), sock.recv_into(bytearray(10))):
        with pytest.raises(OSError) as ended:
            await call
        assert ended.value.errno == errno.EBADF
    sock.close()


@rfc("sockets-10")
async def test_whatever_is_forgotten_is_collected_after_the_host(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        stream, other = await stream_pair(alice, bob)
        forgotten: list[Any] = [stream, other, alice.socket(), alice.socket(type=SOCK_DGRAM)]
        bound = alice.socket()
        await bound.bind(("0.0.0.0", 81))
        forgotten += [bound, *await alice.open_tcp_listeners(80)]
    forgotten.clear()
    del stream, other, bound
    gc.collect()
    await trio.sleep(10)


@rfc("sockets-10")
async def test_a_warning_that_is_an_error_does_not_keep_the_port(alice: Host, autojump_clock: MockClock) -> None:
    """`-W error` makes the finalizer's warning raise: what the socket holds must be given back before."""
    sock: Any = alice.socket()
    await sock.bind(("0.0.0.0", 81))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raised: list[object] = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda seen: raised.append(seen.exc_type)
        try:
            sock = None
            gc.collect()
        finally:
            sys.unraisablehook = hook
    await trio.sleep(1)
    assert raised == [ResourceWarning]
    with alice.socket() as again:
        await again.bind(("0.0.0.0", 81))


WAITS: dict[str, Callable[[Host], Awaitable[object]]] = {
    "wait_link_lost": lambda host: host.wait_link_lost(),
    "wait_address_lost": lambda host: host.wait_address_lost(),
    "wait_lease_change": lambda host: host.wait_lease_change(None),
    "wait_interfaces_change": lambda host: host.wait_interfaces_change(host.interfaces()),
    "ping": lambda host: host.ping("10.9.0.99", timeout_s=1e9),
}


@rfc("sockets-10")
@pytest.mark.parametrize("name", WAITS)
async def test_a_task_that_waits_for_the_host_is_woken_by_its_end(name: str, autojump_clock: MockClock) -> None:
    ended: list[object] = []
    async with trio.open_nursery() as nursery:
        async with two_hosts() as (alice, _):

            async def wait() -> None:
                try:
                    while True:  # interfaces change once more when the host ends
                        await WAITS[name](alice)
                except OSError as error:
                    ended.append(error.errno)

            nursery.start_soon(wait)
            await trio.sleep(0.1)
            assert not ended
        await trio.sleep(0.1)
        assert ended in ([errno.ENETDOWN], [errno.EHOSTUNREACH])
        nursery.cancel_scope.cancel()


@rfc("sockets-10")
async def test_a_socket_that_is_closed_in_another_thread_closes_soon(alice: Host, autojump_clock: MockClock) -> None:
    """As a finalizer may do it."""
    sock = alice.socket(type=SOCK_DGRAM)
    await sock.bind(("0.0.0.0", 5000))
    thread = threading.Thread(target=sock.close)
    thread.start()
    thread.join()
    await wait_all_tasks_blocked()
    assert sock.fileno() == -1
    with alice.socket(type=SOCK_DGRAM) as again:
        await again.bind(("0.0.0.0", 5000))
