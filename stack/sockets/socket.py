"""The common part of stream and datagram sockets: a `trio.socket.SocketType` of our own.

A call runs the protocol code at once, in the caller's task. The task is parked only if the call
cannot be completed yet, and every asynchronous call is one checkpoint. Errors are the same as those
of trio's sockets, with the same errno.
"""

from __future__ import annotations

import errno
import socket as stdlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from operator import index
from threading import get_ident
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeVar, overload

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled, enable_ki_protection

from stack.socket_option import Option, Value
from stack.sockets import options
from stack.sockets.numbers import number
from stack.sockets.options import fail
from stack.sockets.readiness import Readiness, readiness, silent_descriptor
from stack.sockets.runner import Runner
from stack.sockets.waiter import Waiter
from stack.wire.addresses import format_ipv4

if TYPE_CHECKING:
    from weakref import ref

    from typing_extensions import Buffer

    from stack.sockets.stdlib_socket import Form

T = TypeVar("T")

LARGEST_PORT = 0xFFFF
# Callers of `fileno` that want to know no more than whether a socket is open
ASKS_IF_OPEN = (trio.SocketStream.send_all.__code__, trio.SocketStream.wait_send_all_might_not_block.__code__)
MSG_MORE = number("MSG_MORE", 0x8000)
# Flags that make no difference: a call never blocks the thread and never raises SIGPIPE.
IGNORED_FLAGS = number("MSG_DONTWAIT", 0x40) | number("MSG_WAITALL", 0x100) | number("MSG_NOSIGNAL", 0x4000) | MSG_MORE


class Socket(trio.socket.SocketType):
    """A socket of one host. `kind` is SOCK_STREAM or SOCK_DGRAM, `proto` as in `socket.socket`."""

    __slots__ = ("_closed", "_kind", "_proto", "_reader", "_runner", "_write_shut_down", "_writer")

    _option_table: ClassVar[dict[tuple[int, int], Option]]
    # Most sockets never have these. They are not among the slots, and cost nothing until then.
    _readiness: Readiness | None = None
    _inheritable = False
    _kept: Mapping[str, Value] = MappingProxyType({})  # options without an effect
    _form: ref[Form] | None = None  # its form of the standard library's class

    def __init__(self, runner: Runner, kind: stdlib.SocketKind, proto: int) -> None:
        super().__init__()
        self._runner = runner
        self._kind = kind
        self._proto = proto
        self._closed = self._write_shut_down = False
        self._reader = Waiter()
        self._writer = Waiter()

    # --- the differences between the two kinds

    def _end(self) -> Callable[[float], None] | None:
        """A function that releases everything the socket holds; None if it holds nothing.

        It does not refer to the socket.
        """
        raise NotImplementedError

    def _get_option(self, option: Option) -> Value | bytes:
        raise NotImplementedError

    def _set_option(self, option: Option, value: Value) -> None:
        raise NotImplementedError

    def _may_read(self) -> bool:
        raise NotImplementedError

    def _may_write(self) -> bool | None:
        raise NotImplementedError

    def _hook(self) -> None:
        """Let the protocol code wake the waiters, and update the descriptor if there is one."""
        raise NotImplementedError

    # --- closing

    @enable_ki_protection
    def close(self) -> None:
        """Close. Tasks that wait get trio.ClosedResourceError, later calls OSError(EBADF).

        From a thread other than the host's, such as a finalizer's, it closes soon afterwards.
        """
        if self._closed:
            return
        if get_ident() != self._runner.thread:
            self._runner.soon(self.close)
            return
        self._closed = True
        closed = trio.ClosedResourceError("another task closed this socket")
        self._reader.fail(closed)
        self._writer.fail(closed)
        if self._readiness is not None:
            self._readiness.close()
        end = self._end()
        if end is not None:
            self._runner.release(end)

    def __del__(self) -> None:
        if getattr(self, "_closed", True):
            return
        if self._readiness is not None:
            self._readiness.close(in_run=False)
        if self._runner.down:  # the socket ended with its host
            self._closed = True
            return
        text, end = f"unclosed {self!r}", self._end()
        self._closed = True
        if end is not None:
            self._runner.release_soon(end)
        warnings.warn(text, ResourceWarning, source=self, stacklevel=2)  # comes last, since it may raise

    def _check_open(self) -> None:
        if get_ident() != self._runner.thread:
            self._runner.check_thread()
        if self._closed:
            fail(errno.EBADF)

    def _check_open_for_waiting(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this socket was already closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return f"<stack socket [closed] {self._kind.name}>"
        return f"<stack socket {self._kind.name} {self._describe()}>"

    def _describe(self) -> str:
        return "local " + "{}:{}".format(*self.getsockname())

    # --- a descriptor

    def fileno(self) -> int:
        """-1 if the socket is closed; otherwise a descriptor that is ready when the socket is.

        It is readable when a receiving call would not wait, and writable when a send would not. It
        carries no data. Each socket that is asked has one of its own, until the process has none
        left: then the answer is a descriptor that never becomes ready. trio's streams only ask
        whether the socket is open, and get that answer at once.
        """
        if self._closed:
            return -1
        if self._readiness is None:
            if sys._getframe(1).f_code in ASKS_IF_OPEN:
                return silent_descriptor()
            self._readiness = readiness()
            if self._readiness is None:
                return silent_descriptor()
            self._readiness.set_inheritable(self._inheritable)
            self._hook()
            self._tell()
        return self._readiness.fileno()

    def _tell(self) -> None:
        """Update the descriptor, after whatever may have changed the socket's state."""
        if self._readiness is None or self._closed:
            return
        if self._runner.down:
            self._readiness.show(True, True)  # a call raises at once
        else:
            self._readiness.show(self._may_read(), bool(self._may_write()))

    @property
    def _sock(self) -> Form:
        """This socket in the form of the standard library's class, which anyio reads here."""
        from stack.sockets.stdlib_socket import form_of  # which imports this module

        return form_of(self)

    def detach(self) -> int:
        """OSError(EOPNOTSUPP): no descriptor could take over the connection. -1 if closed."""
        return -1 if self._closed else fail(errno.EOPNOTSUPP)

    def dup(self) -> NoReturn:
        """OSError(EOPNOTSUPP): there is no descriptor to duplicate."""
        self._check_open()
        fail(errno.EOPNOTSUPP)

    def get_inheritable(self) -> bool:
        """What `set_inheritable` has set; False before."""
        self._check_open()
        return self._inheritable

    def set_inheritable(self, inheritable: bool) -> None:
        """Whether programs that this process executes inherit the descriptor.

        They cannot use the socket itself.
        """
        self._check_open()
        self._inheritable = bool(inheritable)
        if self._readiness is not None:
            self._readiness.set_inheritable(self._inheritable)

    # --- attributes

    @property
    def family(self) -> stdlib.AddressFamily:
        """AF_INET."""
        return stdlib.AF_INET

    @property
    def type(self) -> stdlib.SocketKind:
        """SOCK_STREAM or SOCK_DGRAM."""
        return self._kind

    @property
    def proto(self) -> int:
        """The number that the socket was made with: 0 or the protocol's number."""
        return self._proto

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Whether `shutdown` has ended the sending direction."""
        return self._write_shut_down

    def _check_shutdown(self, flag: int) -> int:
        """The `flag` of `shutdown` as an int. OSError: EBADF, EINVAL."""
        flag = index(flag)
        self._check_open()
        return flag if flag in (stdlib.SHUT_RD, stdlib.SHUT_WR, stdlib.SHUT_RDWR) else fail(errno.EINVAL)

    # --- waiting

    def is_readable(self) -> bool:
        """Whether a receiving call would return data, an end, an error or a connection at once."""
        if self._closed:
            raise ValueError("file descriptor cannot be a negative integer (-1)")
        return self._may_read()

    @enable_ki_protection
    async def _until(self, waiter: Waiter, attempt: Callable[..., T | None], *arguments: object) -> T:
        """Call `attempt` until it returns anything but None, parking between the calls.

        It is one checkpoint, as trio's own calls are. Ctrl-C does not interrupt the protocol code,
        whose state would be half changed: the main task gets it at its next checkpoint.
        """
        if get_ident() != self._runner.thread:
            self._runner.check_thread()
        await checkpoint_if_cancelled()
        try:
            result = attempt(*arguments)
        except BaseException:
            self._tell()
            await cancel_shielded_checkpoint()
            raise
        if self._readiness is not None:
            self._tell()
        if result is not None:
            await cancel_shielded_checkpoint()
            return result
        while result is None:
            await waiter.park()
            try:
                result = attempt(*arguments)
            finally:
                if self._readiness is not None:
                    self._tell()
        return result

    async def wait_writable(self) -> None:
        """Wait until a send would take data or raise."""
        await self._until(self._writer, self._may_write)

    # --- addresses

    async def _resolve(self, address: Any, call: str, *, local: bool) -> tuple[bytes, int]:
        """The (4 bytes, port) of a Python address. Names are resolved as trio does.

        It is not always a checkpoint. As trio's: ValueError unless the address is a (host, port)
        tuple, OverflowError for a port out of range.
        """
        if not isinstance(address, tuple) or len(address) != 2:
            raise ValueError("address should be a (host, port) tuple")
        host, port = address
        if isinstance(port, int) and isinstance(host, str):
            try:
                return stdlib.inet_pton(stdlib.AF_INET, host), check_port(port, call)
            except OSError:
                pass  # it is a name
        if host == "":
            host = None
        elif host == "<broadcast>":
            host = "255.255.255.255"
        flags = stdlib.AI_PASSIVE if local else 0
        found = await trio.socket.getaddrinfo(host, port, stdlib.AF_INET, self._kind, self._proto, flags)
        host, port = found[0][4][:2]
        return stdlib.inet_pton(stdlib.AF_INET, str(host)), check_port(int(port), call)

    # --- options

    def _path_mtu(self) -> int:
        """The MTU of the path to the peer. OSError(ENOTCONN) without a peer."""
        raise NotImplementedError

    def _option(self, option: Option) -> Value | bytes:
        """The value of an option. Those about the socket itself are the same for both kinds."""
        if option.name in options.KEPT:
            return self._kept.get(option.name, options.KEPT[option.name])
        if option.name == "mtu":
            return self._path_mtu()
        if option.name == "kind":
            return int(self._kind)
        if option.name == "domain":
            return int(stdlib.AF_INET)
        if option.name == "protocol":
            return int(stdlib.IPPROTO_TCP if self._kind == stdlib.SOCK_STREAM else stdlib.IPPROTO_UDP)
        return self._get_option(option)

    @overload
    def getsockopt(self, level: int, optname: int) -> int: ...
    @overload
    def getsockopt(self, level: int, optname: int, buflen: int) -> bytes: ...
    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:
        """The value of an option. OSError(ENOPROTOOPT) for one that this socket does not have."""
        self._check_open()
        if optname == options.SO_BINDTODEVICE and level == stdlib.SOL_SOCKET:
            return self._device_name(options.checked_length(buflen) if buflen else 0)
        option = options.find_to_read(self._option_table, level, optname)
        value = self._option(option)
        self._tell()  # SO_ERROR has taken the error
        return options.encode(option, value, buflen)

    @overload
    def setsockopt(self, level: int, optname: int, value: int | Buffer) -> None: ...
    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int) -> None: ...
    @enable_ki_protection
    def setsockopt(self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None) -> None:
        """Set an option. OSError: ENOPROTOOPT if the socket has none such, EINVAL for its value."""
        self._check_open()
        if optname == options.SO_BINDTODEVICE and level == stdlib.SOL_SOCKET:
            self._bind_to_device(options.decode_name(value, optlen))
            return
        option = options.find(self._option_table, level, optname)
        wanted = options.decode(option, value, optlen)
        if option.name in options.KEPT:
            self._kept = {**self._kept, option.name: wanted}
        else:
            self._set_option(option, wanted)
        self._tell()

    def _bind_to_device(self, octets: bytes) -> None:
        """SO_BINDTODEVICE: by its name, the one interface for input and output; "" for any.

        OSError: ENODEV for a name that no interface has.
        """
        name = octets.decode(errors="replace")
        indexes = [each.index for each in self._runner.core.ip.interfaces if each.name == name]
        if name and not indexes:
            fail(errno.ENODEV)
        self._set_device(indexes[0] if name else -1)

    def _device_name(self, size: int) -> int | bytes:
        index = self._device()
        name = next((each.name for each in self._runner.core.ip.interfaces if each.index == index), "")
        if not name:
            return b"" if size else 0
        return name.encode() + b"\0" if size >= options.IFNAMSIZ else fail(errno.EINVAL)

    def _device(self) -> int | None:
        """The index of the interface of SO_BINDTODEVICE; None for any."""
        raise NotImplementedError

    def _set_device(self, index: int) -> None:
        """Set it; -1 for any."""
        raise NotImplementedError


def check_port(port: int, call: str) -> int:
    """`port`. OverflowError if it is out of range."""
    if not 0 <= port <= LARGEST_PORT:
        raise OverflowError(f"{call}(): port must be 0-65535.")
    return port


def python_address(address: tuple[bytes, int]) -> tuple[str, int]:
    """An address in the form of the socket module: ("10.9.0.2", 80)."""
    return format_ipv4(address[0]), address[1]


def check_size(size: int, call: str) -> int:
    """The buffer size given to a receiving call.

    TypeError, OverflowError and ValueError as in the standard library.
    """
    size = index(size)
    if size > sys.maxsize:
        raise OverflowError("Python int too large to convert to C ssize_t")
    if size < 0:
        raise ValueError(f"negative buffersize in {call}")
    return size


def writable_view(buffer: Buffer, size: int, call: str) -> memoryview:
    """The first `size` bytes of `buffer`, to be filled; all of them for 0."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        view.release()
        raise TypeError(f"{call}() argument 1 must be read-write bytes-like object, not {type(buffer).__name__}")
    size = check_size(size, call)
    if size > len(view):
        raise ValueError("buffer too small for requested bytes")
    return view[:size] if size else view


def bytes_view(data: Buffer) -> memoryview:
    """The bytes of `data`; the caller releases the view. TypeError for an object without bytes."""
    if isinstance(data, str):
        raise TypeError("a bytes-like object is required, not 'str'")
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


@contextmanager
def writable_views(buffers: Iterable[Buffer]) -> Iterator[list[memoryview]]:
    """The bytes of all buffers. They are checked before data is taken from a queue for them."""
    with ExitStack() as stack:
        yield [stack.enter_context(writable_view(buffer, 0, "recvmsg_into")) for buffer in buffers]


def scatter(data: bytes, views: Iterable[memoryview]) -> None:
    """Copy `data` into `views`, one after another."""
    rest = memoryview(data)
    for view in views:
        count = min(len(view), len(rest))
        view[:count] = rest[:count]
        rest = rest[count:]
