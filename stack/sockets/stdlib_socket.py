"""Our sockets in the form of the standard library's class, for code that uses `socket.socket`.

Such code makes a socket, binds it, perhaps listens, and passes it to
`trio.socket.from_stdlib_socket`, which then gives our trio socket. Calls that need no wait act at
once, with the kernel's errors. A call that would wait cannot: the host runs in the same thread.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable, Iterable
from operator import index
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from weakref import ref

from trio.lowlevel import enable_ki_protection

from stack.errors import os_error
from stack.sockets import ancillary
from stack.sockets.datagram import MSG_ERRQUEUE, DatagramSocket, Received, truncated
from stack.sockets.socket import Socket, check_port, check_size, python_address
from stack.sockets.stream import StreamSocket

if TYPE_CHECKING:
    from typing_extensions import Buffer

T = TypeVar("T")
F = TypeVar("F", bound="Form")
Address = tuple[bytes, int]

NOT_PICKLED = (
    "a socket of a tapstack host cannot be pickled: it belongs to one process."
    " Make it in the process that uses it (hypercorn: --workers 0)"
)


class Form(stdlib.socket):
    """The place that the classes below share: an object of one can become an object of another.

    By itself it is a socket of the kernel's.
    """

    __slots__ = ("_connecting", "_timeout_s", "record", "trio_socket")

    _connecting: bool
    _timeout_s: float | None
    record: Any
    trio_socket: Any

    def __init__(self, *arguments: object, **named: object) -> None:
        """Do nothing: Python calls this after `socket.socket.__new__`, which has done all."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def __getstate__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)


class OwnTimeout(Form):
    """The timeout of a socket that is not the kernel's. No call waits for it."""

    __slots__ = ()

    @property
    def timeout(self) -> float | None:
        return self._timeout_s

    def gettimeout(self) -> float | None:
        return self._timeout_s

    def settimeout(self, value: float | None, /) -> None:
        self._check_open()
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout_s = None if value is None else float(value)

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self._timeout_s != 0.0

    def _check_open(self) -> None:
        """Raise OSError(EBADF) if the socket of the host is closed; there may be none yet."""


class StdlibSocket(OwnTimeout):
    """One of our sockets (`trio_socket`), with the methods of `socket.socket`.

    It has no descriptor of the kernel's, and none of the base class's methods that would use one.
    """

    __slots__ = ()

    trio_socket: StreamSocket | DatagramSocket

    def __repr__(self) -> str:
        return repr(self.trio_socket).replace("<stack socket", "<stack socket.socket", 1)

    # --- attributes

    @property
    def family(self) -> stdlib.AddressFamily:
        return self.trio_socket.family

    @property
    def type(self) -> stdlib.SocketKind:
        return self.trio_socket.type

    @property
    def proto(self) -> int:
        return self.trio_socket.proto

    def get_inheritable(self) -> bool:
        return self.trio_socket.get_inheritable()

    def set_inheritable(self, inheritable: bool) -> None:
        self.trio_socket.set_inheritable(inheritable)

    def fileno(self) -> int:
        """As of the trio socket: a descriptor that is ready when the socket is."""
        return self.trio_socket.fileno()

    # --- closing

    def _real_close(self, _ss: object = None) -> None:
        self.trio_socket.close()

    def detach(self) -> int:
        return self.trio_socket.detach()

    def dup(self) -> NoReturn:
        self.trio_socket.dup()

    def _check_open(self) -> None:
        if self.trio_socket._closed:
            raise os_error(errno.EBADF)

    # --- options and names

    def getsockopt(self, *arguments: Any) -> Any:
        return self.trio_socket.getsockopt(*arguments)

    def setsockopt(self, *arguments: Any) -> None:
        self.trio_socket.setsockopt(*arguments)

    def getsockname(self) -> Any:
        return self.trio_socket.getsockname()

    def getpeername(self) -> Any:
        return self.trio_socket.getpeername()

    def shutdown(self, how: int, /) -> None:
        self.trio_socket.shutdown(how)

    # --- calls that could wait

    def bind(self, address: Any, /) -> None:
        self.trio_socket._bind_once(resolve(address, "bind"))

    def listen(self, backlog: int = 128, /) -> None:
        self.trio_socket.listen(backlog)

    def connect_ex(self, address: Any, /) -> int:
        try:
            self.connect(address)
        except stdlib.gaierror:
            raise
        except OSError as error:
            return error.errno or 0
        return 0

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        return self._receive("recv", bufsize, flags)[0]

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        return self._receive("recvfrom", bufsize, flags)[:2]

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        data, sender, cut = self._receive("recvmsg", bufsize, flags)
        return data, [], cut, sender

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        return self._send("send", data, None, flags)

    def sendto(self, data: Buffer, *rest: Any) -> int:
        flags = index(rest[0]) if len(rest) > 1 else 0
        return self._send("sendto", data, resolve(rest[-1], "sendto"), flags)

    def sendmsg(
        self, buffers: Iterable[Buffer], ancdata: Iterable[Any] = (), flags: int = 0, address: Any = None, /
    ) -> int:
        remote = None if address is None else resolve(address, "sendmsg")
        if list(ancdata):
            raise os_error(errno.EINVAL)
        return self._send("sendmsg", b"".join(buffers), remote, flags)

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        with memoryview(data).cast("B") as view:
            sent = self.send(view, flags)
            while sent < len(view):
                sent += self.send(view[sent:], flags)

    def sendmsg_afalg(self, *arguments: object, **named: object) -> NoReturn:
        raise os_error(errno.EOPNOTSUPP)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        return self._sendfile_use_send(file, offset, count)  # type: ignore[attr-defined,no-any-return]

    def _receive(self, call: str, size: int, flags: int) -> tuple[bytes, Any, int]:
        """The data, its sender, and MSG_TRUNC if it was cut."""
        raise NotImplementedError

    def _send(self, call: str, data: Buffer, remote: Address | None, flags: int) -> int:
        raise NotImplementedError

    @enable_ki_protection
    def _at_once(self, call: str, attempt: Callable[..., T | None], *arguments: object) -> T:
        """The result of `attempt`; None from it means that the call would wait.

        OSError: EAGAIN if the socket does not block, EDEADLK if it does.
        """
        try:
            result = attempt(*arguments)
        finally:
            self.trio_socket._tell()
        if result is None:
            raise os_error(errno.EAGAIN) if self._timeout_s == 0.0 else _would_wait(call)
        return result


class StdlibStream(StdlibSocket):
    """A TCP socket in this form."""

    __slots__ = ()

    trio_socket: StreamSocket

    def accept(self) -> tuple[stdlib.socket, Any]:
        sock = self.trio_socket
        connection = self._at_once("accept", sock._accept)
        return new(sock._accepted(connection)), python_address(connection.remote)

    def connect(self, address: Any, /) -> None:
        """Begin to connect. OSError: EINPROGRESS, as a call that does not block gives it.

        The socket is writable when the attempt is over. Then SO_ERROR, or a second call, has its
        outcome.
        """
        remote, sock = resolve(address, "connect"), self.trio_socket
        if self._timeout_s != 0.0:
            raise _would_wait("connect")
        connection = sock._connection
        if connection is None or not self._connecting:
            connection = sock._open(remote)[0]
            self._connecting = True
            if connection.is_connecting:
                raise os_error(errno.EINPROGRESS)
        elif connection.is_connecting:
            raise os_error(errno.EALREADY)
        self._connecting = False
        if error := sock._connect_error(connection):
            raise os_error(error)

    def _receive(self, call: str, size: int, flags: int) -> tuple[bytes, None, int]:
        return self._at_once(call, self.trio_socket._receive, check_size(size, call), flags), None, 0

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        return self._at_once("recv_into", self.trio_socket._receive_into, buffer, nbytes, flags), None

    def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        return self._at_once("recvmsg_into", self.trio_socket._receive_scattered, list(buffers), flags), [], 0, None

    def _send(self, call: str, data: Buffer, remote: Address | None, flags: int) -> int:
        return self._at_once(call, self.trio_socket._send, data, flags)


class StdlibDatagram(StdlibSocket):
    """A UDP socket in this form."""

    __slots__ = ()

    trio_socket: DatagramSocket

    def accept(self) -> NoReturn:
        raise os_error(errno.EOPNOTSUPP)

    def connect(self, address: Any, /) -> None:
        self.trio_socket._connect(resolve(address, "connect"))

    def _receive(self, call: str, size: int, flags: int) -> tuple[bytes, Any, int]:
        received = self._take(call, self.trio_socket._receive, check_size(size, call), flags)
        return received.data, received.remote, truncated(received)

    def _take(self, call: str, attempt: Callable[..., Received | None], argument: object, flags: int) -> Received:
        if not flags & MSG_ERRQUEUE:
            return self._at_once(call, attempt, argument, flags)
        received = attempt(argument, flags)  # which does not wait, as the kernel's
        self.trio_socket._tell()
        if received is None:
            raise os_error(errno.EAGAIN)
        return received

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        received = self._take("recvmsg", self.trio_socket._receive, check_size(bufsize, "recvmsg"), flags)
        beside, cut = self.trio_socket._beside(received, ancbufsize)
        return received.data, beside, truncated(received) | cut, received.remote

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        received = self._at_once("recv_into", self.trio_socket._receive_into, buffer, nbytes, flags)
        return received.length if flags & stdlib.MSG_TRUNC else len(received.data), received.remote

    def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        received = self._take("recvmsg_into", self.trio_socket._receive_scattered, list(buffers), flags)
        beside, cut = self.trio_socket._beside(received, ancbufsize)
        return len(received.data), beside, truncated(received) | cut, received.remote

    def _send(self, call: str, data: Buffer, remote: Address | None, flags: int) -> int:
        return self._at_once(call, self.trio_socket._send, data, remote, flags)

    def sendmsg(
        self, buffers: Iterable[Buffer], ancdata: Iterable[Any] = (), flags: int = 0, address: Any = None, /
    ) -> int:
        remote = None if address is None else resolve(address, "sendmsg")
        asked = ancillary.asked(ancdata)
        return self._at_once("sendmsg", self.trio_socket._send, b"".join(buffers), remote, flags, asked)


def new(trio_socket: Socket) -> StdlibSocket:
    """The form of a new socket, with the default timeout."""
    return _make(trio_socket, stdlib.getdefaulttimeout())


def form_of(trio_socket: Socket) -> Form:
    """The form of a socket that trio's users have. It does not block, and is always the same."""
    known = trio_socket._form
    form = None if known is None else known()
    return _make(trio_socket, 0.0) if form is None else form


def become(form: Form, trio_socket: Socket) -> None:
    """Let `form` be the form of this socket from now on."""
    form.__class__ = StdlibStream if isinstance(trio_socket, StreamSocket) else StdlibDatagram
    form.trio_socket = trio_socket
    trio_socket._form = ref(form)


def blank(kind: type[F], timeout_s: float | None) -> F:
    """An object without a socket."""
    form = stdlib.socket.__new__(kind)
    vars(stdlib.socket)["_io_refs"].__set__(form, 0)  # as the base class's own __init__ does
    vars(stdlib.socket)["_closed"].__set__(form, False)
    form._connecting = False
    form._timeout_s = timeout_s
    return form


def _make(trio_socket: Socket, timeout_s: float | None) -> StdlibSocket:
    form = blank(StdlibSocket, timeout_s)
    become(form, trio_socket)
    return form


def _would_wait(call: str) -> OSError:
    return OSError(
        errno.EDEADLK,
        f"{call} would wait for ever: the socket's host runs in this thread, which the call would block."
        " Use trio.socket.from_stdlib_socket(sock), or make the socket and its calls in a worker thread",
    )


def resolve(address: Any, call: str) -> tuple[bytes, int]:
    """The (4 bytes, port) of an address, as the standard library's class takes it."""
    if not isinstance(address, tuple):
        raise TypeError(f"{call}(): AF_INET address must be tuple, not {type(address).__name__}")
    if len(address) != 2 or not isinstance(address[0], (str, bytes, bytearray)):
        raise TypeError(f"{call}(): AF_INET address must be a pair (host, port)")
    host = address[0] if isinstance(address[0], str) else bytes(address[0]).decode("idna")
    port = check_port(index(address[1]), call)
    if host == "":
        host = "0.0.0.0"
    elif host == "<broadcast>":
        host = "255.255.255.255"
    try:
        return stdlib.inet_pton(stdlib.AF_INET, host), port
    except OSError:
        found = stdlib.getaddrinfo(host, None, stdlib.AF_INET)
        return stdlib.inet_pton(stdlib.AF_INET, str(found[0][4][0])), port
