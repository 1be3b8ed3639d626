"""What an installed host changes in the process: the standard library's sockets and names.

Some code makes a `socket.socket` and passes it to `trio.socket.from_stdlib_socket`. So while a run
of trio has a host installed, `socket.socket()` makes that host's sockets, and no IPv6 is found:
`socket.getaddrinfo` gives IPv4 addresses only, and `socket.has_ipv6` is False. All this holds in
tasks of the run that have a host. Worker threads, asyncio, other runs, other families, subclasses
of `socket.socket`, and sockets made of a descriptor have what they had without us.

The changes are made for the first run that installs a host, and undone when the last such run ends.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable
from functools import wraps
from threading import Lock
from types import FunctionType, ModuleType
from typing import Any, Protocol

import sniffio
import trio

from stack.sockets.readiness import signals
from stack.sockets.resolver import SocketProvider, current, ipv4_only
from stack.sockets.stdlib_socket import Form, StdlibSocket, new

OURS = (-1, stdlib.AF_INET, stdlib.AF_INET6)  # -1 is the default, AF_INET; IPv6 is refused

NOT_A_SOCKET = (
    "this descriptor only says when a socket of a tapstack host is ready: no other socket can be made of it."
    " For TLS use trio.SSLStream"
)

_installed_here: trio.lowlevel.RunVar[bool] = trio.lowlevel.RunVar("stack_installed", False)


def installed_host() -> SocketProvider | None:
    """The host whose sockets `socket.socket()` makes here; None where it makes the kernel's."""
    host = current.get()
    if host is None:
        return None
    try:
        if sniffio.current_async_library() != "trio" or not _installed_here.get():
            return None
    except (sniffio.AsyncLibraryNotFoundError, RuntimeError):
        return None
    return host


class Changes:
    """The changes, and how many runs of trio need them. Runs may be in several threads."""

    def __init__(self, *changes: Callable[[], Callable[[], None]]) -> None:
        self._changes = changes  # each makes one change, and returns a function that undoes it
        self._undo: list[Callable[[], None]] = []
        self._lock = Lock()
        self._runs = 0

    def begin(self) -> None:
        """One more run needs the changes."""
        with self._lock:
            self._runs += 1
            if self._runs == 1:
                self._undo = [change() for change in self._changes]

    def end(self) -> None:
        """One run less needs them."""
        with self._lock:
            self._runs -= 1
            if not self._runs:
                while self._undo:
                    self._undo.pop()()


class AtRunEnd(trio.abc.Instrument):
    """Ends the changes when its run of trio ends."""

    def after_run(self) -> None:
        """As trio calls it."""
        changes.end()


class BeforeRuns(Protocol):
    """Makes sockets that wait for a host."""

    def records_here(self) -> bool: ...

    def socket(self, family: int, kind: int, proto: int, /) -> Form: ...


recorder: list[BeforeRuns] = []  # those of the blocks that are entered


def no_ipv6_here() -> bool:
    """Whether IPv6 is not to be found here: a host is installed, or will be."""
    return installed_host() is not None or _recorder_here() is not None


def _recorder_here() -> BeforeRuns | None:
    return next((one for one in recorder if one.records_here()), None)


def install_in_run() -> None:
    """Make the changes, until the present run of trio ends. A second call in a run does nothing."""
    if not _installed_here.get():
        _installed_here.set(True)
        changes.begin()
        trio.lowlevel.add_instrument(AtRunEnd())


def _change_class() -> Callable[[], None]:
    """Let `socket.socket()` make our sockets.

    The class itself stays, since trio and others compare with it and have imported it.
    """
    former: Callable[..., Any] = stdlib.socket.__new__
    own = "__new__" in vars(stdlib.socket)

    def make(cls: type, *arguments: Any, **named: Any) -> Any:
        if (signals or recorder or current.get() is not None) and (
            made := _our_socket(cls, *arguments, **named)
        ) is not None:
            return made
        return former(cls, *arguments, **named)

    stdlib.socket.__new__ = make  # type: ignore[method-assign]

    def undo() -> None:
        if vars(stdlib.socket).get("__new__") is not static:
            return  # another library has changed it since, and calls ours
        if own:
            stdlib.socket.__new__ = former  # type: ignore[method-assign]
        else:
            del stdlib.socket.__new__

    static = vars(stdlib.socket)["__new__"]
    return undo


def _our_socket(cls: type, family: int = -1, type: int = -1, proto: int = -1, fileno: object = None) -> Form | None:
    """A socket of the installed host; None if the kernel is to make one.

    OSError: EOPNOTSUPP for a descriptor of ours, with which `ssl` would wrap a socket; else as
    socket(2).
    """
    if fileno is not None:
        if isinstance(fileno, int) and fileno in signals:
            raise OSError(errno.EOPNOTSUPP, NOT_A_SOCKET)
        return None
    if cls is not stdlib.socket or family not in OURS:
        return None
    wanted = stdlib.AF_INET if family == -1 else family, stdlib.SOCK_STREAM if type == -1 else type, max(proto, 0)
    host = installed_host()
    if host is not None:
        return new(host.socket(*wanted))  # type: ignore[arg-type]
    waiting = _recorder_here()
    return None if waiting is None else waiting.socket(*wanted)


def _change_conversion() -> Callable[[], None]:
    """Let `trio.socket.from_stdlib_socket` return our trio sockets.

    Its code is replaced, not its name, which other modules have imported.
    """
    function = trio.socket.from_stdlib_socket
    former = function.__code__
    function.__code__ = _from_stdlib_socket.__code__

    def undo() -> None:
        function.__code__ = former

    return undo


# trio's own function, also while its code is ours
_trios_own: Callable[[stdlib.socket], trio.socket.SocketType] = FunctionType(
    trio.socket.from_stdlib_socket.__code__, trio.socket.from_stdlib_socket.__globals__
)


def converted(sock: stdlib.socket) -> trio.socket.SocketType:
    """As `trio.socket.from_stdlib_socket`, for our sockets, too."""
    if isinstance(sock, StdlibSocket):
        sock.setblocking(False)
        return sock.trio_socket
    if type(sock) is Form:  # it was to be ours, and became the kernel's before the run
        sock = stdlib.socket(sock.family, sock.type, sock.proto, sock.detach())
    return _trios_own(sock)


def _from_stdlib_socket(sock: stdlib.socket) -> trio.socket.SocketType:
    from stack.sockets.installation import converted  # this code runs in trio's module

    return converted(sock)


def _change_getaddrinfo() -> Callable[[], None]:
    """Let names and addresses be IPv4's."""
    former = stdlib.getaddrinfo

    @wraps(former)
    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
        if no_ipv6_here():
            family = ipv4_only(family)
        return former(host, port, family, type, proto, flags)

    stdlib.getaddrinfo = getaddrinfo

    def undo() -> None:
        if stdlib.getaddrinfo is getaddrinfo:
            stdlib.getaddrinfo = former

    return undo


class _Names(ModuleType):
    """A module whose `has_ipv6` is False where a host is installed."""

    @property
    def has_ipv6(self) -> bool:
        return bool(vars(self)["has_ipv6"]) and not no_ipv6_here()

    @has_ipv6.setter
    def has_ipv6(self, value: bool) -> None:
        vars(self)["has_ipv6"] = value


def _change_has_ipv6() -> Callable[[], None]:
    """Let `socket.has_ipv6` depend on where it is read."""
    module: Any = stdlib
    former = module.__class__
    if former is ModuleType:
        module.__class__ = _Names

    def undo() -> None:
        if module.__class__ is _Names:
            module.__class__ = former

    return undo


changes = Changes(_change_class, _change_conversion, _change_getaddrinfo, _change_has_ipv6)
