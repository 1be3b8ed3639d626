"""What an installed host changes in the process is undone, and concerns its own tasks alone."""

from __future__ import annotations

import asyncio
import contextvars
import socket as stdlib
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Client, Listener
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from stack import Ethernet, Host
from stack.link.memory import EthernetPort
from stack.sockets import installation
from stack.sockets.stdlib_socket import StdlibSocket
from tests.sockets.hosts import two_hosts


def everything() -> dict[str, Any]:
    """All that an installation may touch."""
    return {
        **{f"socket.{name}": value for name, value in vars(stdlib).items()},
        **{f"class.{name}": value for name, value in vars(stdlib.socket).items()},
        **{f"trio.{name}": value for name, value in vars(trio.socket).items()},
        **{f"ssl.{name}": value for name, value in vars(ssl).items()},
        "code": trio.socket.from_stdlib_socket.__code__,
        "module": (stdlib.__class__, trio.socket.__class__),
    }


def installed_in(run: Callable[[], object]) -> None:
    """Call `run` in a task that has a host installed."""

    async def main() -> None:
        async with two_hosts() as (alice, _):
            with alice.install():
                run()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def kind() -> type:
    with stdlib.socket() as sock:
        return type(sock)


def test_uninstalling_leaves_nothing() -> None:
    before = everything()
    seen: list[type] = []
    for _ in range(2):
        installed_in(lambda: seen.append(kind()))
        assert everything() == before
        assert stdlib.__class__ is ModuleType
        assert "__new__" not in vars(stdlib.socket)
    assert all(issubclass(found, StdlibSocket) for found in seen)
    assert kind() is stdlib.socket


def test_a_run_that_fails_leaves_nothing() -> None:
    before = everything()
    with pytest.raises(ZeroDivisionError):
        installed_in(lambda: 1 // 0)
    assert everything() == before


def test_what_another_library_has_changed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    former = stdlib.getaddrinfo

    def theirs(*arguments: Any) -> Any:
        return former(*arguments)

    monkeypatch.setattr(stdlib, "getaddrinfo", theirs)
    made: list[type] = []
    kernels_new = stdlib.socket.__new__

    def new(cls: type, *arguments: Any, **named: Any) -> Any:
        made.append(cls)
        return kernels_new(cls, *arguments, **named)

    monkeypatch.setattr(stdlib.socket, "__new__", staticmethod(new))
    installed_in(lambda: None)
    assert stdlib.getaddrinfo is theirs
    assert kind() is stdlib.socket
    assert made[-1] is stdlib.socket
    monkeypatch.undo()
    assert kind() is stdlib.socket


def test_two_runs_in_two_threads() -> None:
    """The first that ends takes nothing from the other. Each has its own host, and a third has none."""
    before = everything()
    steps = [threading.Event() for _ in range(3)]
    seen: dict[str, type] = {}

    def short() -> None:
        steps[0].wait(10)
        installed_in(lambda: seen.update(short=kind()))
        steps[1].set()

    def bare() -> None:
        async def main() -> None:
            seen["bare"] = kind()

        trio.run(main)

    def long() -> None:
        steps[0].set()
        steps[1].wait(10)
        seen["long"] = kind()
        # A context that has the host, in a run that has not
        thread = threading.Thread(target=contextvars.copy_context().run, args=(bare,))
        thread.start()
        thread.join(10)
        seen["outside"] = threading_kind()

    def threading_kind() -> type:
        found: list[type] = []
        thread = threading.Thread(target=lambda: found.append(kind()))
        thread.start()
        thread.join(10)
        return found[0]

    threads = [threading.Thread(target=run) for run in (short, lambda: installed_in(long))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert issubclass(seen["short"], StdlibSocket)
    assert issubclass(seen["long"], StdlibSocket)
    assert seen["bare"] is seen["outside"] is stdlib.socket
    assert everything() == before


@pytest.mark.real_time("another thread has a loop of its own")
async def test_asyncio_beside_it(alice_and_bob: tuple[Host, Host]) -> None:
    async def talk() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"through the kernel\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return answer

    with alice_and_bob[0].install():
        assert await trio.to_thread.run_sync(asyncio.run, talk()) == b"through the kernel\n"
    assert alice_and_bob[0].connections() == []


WITHIN_TRIO = """
import socket, sys, trio, trio_asyncio
from stack.sockets.stdlib_socket import StdlibSocket
from tests.sockets.hosts import two_hosts

def ours():
    with socket.socket() as sock:
        return isinstance(sock, StdlibSocket)

async def of_asyncio():
    return ours()

async def main():
    async with two_hosts() as (alice, _), trio_asyncio.open_loop():
        with alice.install():
            print(ours(), await trio_asyncio.aio_as_trio(of_asyncio)(), ours())

trio.run(main)
"""


def test_asyncio_within_trio() -> None:
    """Under trio-asyncio the asyncio side has the kernel's sockets, and the trio side ours.

    It is a process of its own, since trio-asyncio changes asyncio when it is imported.
    """
    top = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run([sys.executable, "-c", WITHIN_TRIO], cwd=top, capture_output=True, text=True, check=True)
    assert done.stdout == "True False True\n"


def test_guest_mode() -> None:
    """Where trio is the guest of asyncio's loop, trio's tasks have ours, and the loop the kernel's."""
    seen: list[type] = []

    async def guest() -> None:
        async with two_hosts() as (alice, _):
            with alice.install():
                seen.append(kind())
                asyncio.get_running_loop().call_soon(lambda: seen.append(kind()))
                for _ in range(100):
                    await trio.lowlevel.checkpoint()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda outcome: done.set_result(outcome.unwrap()),
        )
        await done

    before = everything()
    with asyncio.Runner() as runner:
        runner.run(main())
    assert issubclass(seen[0], StdlibSocket)
    assert seen[1] is stdlib.socket
    assert everything() == before


def square(number: int) -> int:
    return number * number


@pytest.mark.real_time("processes work")
async def test_processes_beside_it(alice_and_bob: tuple[Host, Host]) -> None:
    def of_multiprocessing() -> int:
        with (
            get_context("spawn").Pool(1) as pool,
            Listener(("127.0.0.1", 0)) as listener,
            Client(listener.address) as one,
            listener.accept() as other,
        ):
            one.send(pool.apply(square, (7,)))
            return int(other.recv())

    with alice_and_bob[0].install():
        code = "import socket; print(type(socket.socket()).__module__)"
        done = await trio.run_process([sys.executable, "-W", "ignore", "-c", code], capture_stdout=True)
        assert done.stdout == b"socket\n"
        assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0
        assert await trio.to_thread.run_sync(of_multiprocessing) == 49


async def test_tls_of_the_standard_library_beside_it(alice: Host, autojump_clock: MockClock) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with alice.install():
        one, other = stdlib.socketpair()
        with context.wrap_socket(one, server_side=True, do_handshake_on_connect=False) as wrapped, other:
            assert wrapped.fileno() >= 0


async def test_a_task_that_outlives_its_host_gets_no_kernels_socket(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, _):
        with alice.install():
            context = contextvars.copy_context()
    with pytest.raises(OSError, match="the host has ended"):
        context.run(lambda: stdlib.socket(type=stdlib.SOCK_DGRAM))
    with context.run(stdlib.socket) as sock, pytest.raises(OSError, match="the host has ended"):
        sock.bind(("", 80))


async def test_two_hosts_in_one_run_make_the_changes_once(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.install(), bob.install():
        assert installation.changes._runs == 1
        with stdlib.socket() as sock:
            assert sock.trio_socket._runner is bob._runner  # type: ignore[attr-defined]


async def test_a_link_opens_the_kernels_sockets(alice: Host, autojump_clock: MockClock) -> None:
    """A Tap asks the kernel for its MTU, for instance, by a socket."""
    opened: list[type] = []

    class Link(EthernetPort):
        def open(self, wake: Callable[[], None]) -> None:
            opened.append(kind())
            super().open(wake)

    link = Ethernet().attach()
    link.__class__ = Link
    with alice.install():
        alice.attach(link, addresses=["10.9.1.1/24"], acd="off")
    assert opened == [stdlib.socket]
