"""Installs a host in each run of trio, for programs that call `trio.run` themselves.

Some programs make sockets before: hypercorn binds, and then calls `trio.run`. No host is there yet.
So what such a socket is asked to do is recorded, and done on the host at the start of the run. A
call that cannot wait until then, such as `connect`, makes it a socket of the kernel's.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from threading import get_ident
from typing import TYPE_CHECKING, Any
from weakref import ref

import outcome
import trio

from stack.errors import error_text, os_error
from stack.sockets.installation import changes, recorder
from stack.sockets.resolver import check_kind
from stack.sockets.stdlib_socket import Form, OwnTimeout, become, blank, resolve

if TYPE_CHECKING:
    from stack.sockets.host import Host


@dataclass
class Record:
    """What a socket has been asked to do: the call's name and its arguments."""

    kind: int
    proto: int
    address: tuple[str, int] = ("0.0.0.0", 0)
    inheritable: bool = False
    listening: bool = False
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    options: dict[tuple[int, int], Any] = field(default_factory=dict)


class RecordedSocket(OwnTimeout):
    """A socket that waits for a host.

    Methods that are not here make it a socket of the kernel's, to which all is done at once.
    """

    __slots__ = ()

    record: Record

    def __repr__(self) -> str:
        host, port = self.record.address
        return f"<stack socket.socket {self.type.name} local {host}:{port}, not made before trio.run>"

    @property
    def family(self) -> stdlib.AddressFamily:
        return stdlib.AF_INET

    @property
    def type(self) -> stdlib.SocketKind:
        return stdlib.SocketKind(self.record.kind)

    @property
    def proto(self) -> int:
        return self.record.proto

    def get_inheritable(self) -> bool:
        return self.record.inheritable

    def set_inheritable(self, inheritable: bool) -> None:
        self.record.inheritable = bool(inheritable)

    def setsockopt(self, *arguments: Any) -> None:
        self._note("setsockopt", *arguments)
        if len(arguments) == 3 and isinstance(arguments[2], int):
            self.record.options[arguments[0], arguments[1]] = arguments[2]

    def getsockopt(self, level: int, optname: int, *length: int) -> Any:
        known = {
            (stdlib.SOL_SOCKET, stdlib.SO_TYPE): self.record.kind,
            (stdlib.SOL_SOCKET, stdlib.SO_ERROR): 0,
            (stdlib.SOL_SOCKET, stdlib.SO_ACCEPTCONN): int(self.record.listening),
            **self.record.options,
        }
        if length or (level, optname) not in known:
            return self._kernels().getsockopt(level, optname, *length)
        return known[level, optname]

    def bind(self, address: Any, /) -> None:
        local, port = resolve(address, "bind")
        if self.record.address != ("0.0.0.0", 0):
            raise os_error(errno.EINVAL)
        self.record.address = (stdlib.inet_ntoa(local), port)
        self._note("bind", self.record.address)

    def listen(self, backlog: int = 128, /) -> None:
        if self.record.kind != stdlib.SOCK_STREAM:
            raise os_error(errno.EOPNOTSUPP)
        self.record.listening = True
        self._note("listen", backlog)

    def getsockname(self) -> tuple[str, int]:
        return self.record.address

    def getpeername(self) -> Any:
        raise os_error(errno.ENOTCONN)

    def fileno(self) -> int:
        return self._kernels().fileno()

    def _note(self, call: str, *arguments: Any) -> None:
        self.record.calls.append((call, arguments))

    def _kernels(self) -> stdlib.socket:
        """Become a socket of the kernel's, and do all that is recorded."""
        record, timeout_s = self.record, self._timeout_s
        sock: Any = self
        sock.__class__ = Form
        stdlib.socket.__init__(self, stdlib.AF_INET, record.kind, record.proto)
        perform(self, record)
        self.settimeout(timeout_s)
        return self


def perform(sock: stdlib.socket, record: Record) -> None:
    """Do to `sock` all that is recorded. OSError with the address, if `bind` or `listen` fails."""
    for call, arguments in record.calls:
        try:
            getattr(sock, call)(*arguments)
        except OSError as error:
            number = error.errno or 0
            raise OSError(number, f"{error_text(number)}: {call} to {record.address[0]}:{record.address[1]}") from None
    sock.set_inheritable(record.inheritable)


def _by_the_kernel(name: str) -> Callable[..., Any]:
    """A method that makes a recorded socket the kernel's, and calls its method `name`."""

    def method(self: RecordedSocket, *arguments: Any, **named: Any) -> Any:
        return getattr(self._kernels(), name)(*arguments, **named)

    return method


for _name in (
    "accept", "connect", "connect_ex", "detach", "dup", "makefile", "recv", "recv_into", "recvfrom", "recvfrom_into",
    "recvmsg", "recvmsg_into", "send", "sendall", "sendfile", "sendmsg", "sendto", "shutdown",
):  # fmt: skip
    setattr(RecordedSocket, _name, _by_the_kernel(_name))


class Recorder:
    """Makes the sockets of one thread while no run of trio, and no other loop, is there."""

    def __init__(self) -> None:
        self._thread = get_ident()
        self._made: list[ref[RecordedSocket]] = []

    def may_run(self) -> bool:
        """Whether a run of trio that begins now is to have a host."""
        return get_ident() == self._thread and not trio.lowlevel.in_trio_run()

    def records_here(self) -> bool:
        """Whether a socket that is made now is to wait for a host."""
        return self.may_run() and not _in_asyncio()

    def socket(self, family: int, kind: int, proto: int) -> RecordedSocket:
        """A socket that waits for a host. OSError as socket(2)."""
        sock = blank(RecordedSocket, stdlib.getdefaulttimeout())
        sock.record = Record(int(check_kind(family, kind, proto)), proto)
        self._made.append(ref(sock))
        return sock

    def play(self, host: Host) -> None:
        """Make all sockets that wait the host's. OSError as their calls would have raised it."""
        made, self._made = self._made, []
        for sock in [sock for one in made if (sock := one()) is not None]:
            if type(sock) is RecordedSocket and not sock._closed:  # type: ignore[attr-defined]
                record = sock.record
                become(sock, host.socket(stdlib.AF_INET, record.kind, record.proto))  # type: ignore[arg-type]
                perform(sock, record)


def _in_asyncio() -> bool:
    from asyncio import _get_running_loop

    return _get_running_loop() is not None


@contextmanager
def install_in_each_run(
    opened: Callable[[], AbstractAsyncContextManager[Host]],
) -> Iterator[None]:
    """Within this block `trio.run`, in this thread, runs its function with a host installed.

    `opened()` is an async context manager that gives the host: `lambda: stack.open_host(...)`. It
    is entered at the start of each run, in its main task, and left when the function has ended.
    Guest runs have a host, too. Sockets that the program has made and bound before are the host's
    from then on; an error of `bind` is raised then.
    """
    own = Recorder()
    places: list[tuple[Any, str]] = [(trio, "run"), (trio.lowlevel, "start_guest_run")]
    former = [getattr(place, name) for place, name in places]
    changes.begin()
    recorder.append(own)
    for (place, name), function in zip(places, former, strict=True):
        setattr(place, name, _with_host(function, opened, own))
    try:
        yield
    finally:
        for (place, name), function in zip(places, former, strict=True):
            setattr(place, name, function)
        recorder.remove(own)
        changes.end()


def _with_host(
    run: Callable[..., Any], opened: Callable[[], AbstractAsyncContextManager[Host]], own: Recorder
) -> Callable[..., Any]:
    @wraps(run)
    def run_with_host(async_fn: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        if not own.may_run():
            return run(async_fn, *arguments, **options)

        async def main() -> Any:
            async with opened() as host:
                with host.install():
                    own.play(host)
                    result = await outcome.acapture(async_fn, *arguments)
            return result.unwrap()

        return run(main, **options)

    return run_with_host
