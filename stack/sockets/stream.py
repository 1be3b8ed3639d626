"""SOCK_STREAM: a trio socket over a TCP connection or a TCP listener of this host.

See RFC 9293 section 3.9.1 for the user calls, and POSIX.1-2017 for their BSD form.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING, Any, NoReturn, overload

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled, enable_ki_protection

from stack.errors import error_text
from stack.sockets import options
from stack.sockets.options import fail
from stack.sockets.readiness import telling
from stack.sockets.runner import Runner
from stack.sockets.socket import (
    IGNORED_FLAGS,
    bytes_view,
    check_size,
    python_address,
    scatter,
    writable_view,
    writable_views,
)
from stack.sockets.stream_options import StreamOptions
from stack.sockets.waiter import Waiter, wake_both
from stack.tcp.connection import Connection
from stack.tcp.options import DEFER_ACCEPT
from stack.tcp.states import State
from stack.wire.addresses import ANY, LOOPBACK

if TYPE_CHECKING:
    from typing_extensions import Buffer


ENDED = frozenset({State.CLOSED, State.TIME_WAIT})
COPIED_BYTES = 512  # up to here the send buffer copies data anyway, and bytes cost less than trio's memoryview


class StreamSocket(StreamOptions):
    """A TCP socket: fresh, bound, listening, connecting or connected."""

    __slots__ = ("_urgent",)

    def __init__(self, runner: Runner, proto: int = 0, connection: Connection | None = None) -> None:
        super().__init__(runner, proto)
        self._urgent: Waiter | None = None  # made when a task first waits for urgent data
        if connection is not None:
            if connection.user_options.defer_accept_s:  # which is the listener's alone
                connection.set_options(runner.core.tcp.with_option(connection.user_options, DEFER_ACCEPT, 0))
            self._take(connection)

    def _take(self, connection: Connection) -> None:
        self._connection = connection
        if self._urgent is None and self._readiness is None:
            connection.on_readable = self._reader
            connection.on_writable = self._writer
        else:
            self._hook()

    def _hook(self) -> None:
        connection, readable, writable = self._connection, self._reader, self._writer
        on_readable: Callable[[], bool] = readable if self._urgent is None else wake_both(readable, self._urgent)
        on_writable: Callable[[], bool] = writable
        if self._readiness is not None:
            on_readable, on_writable = telling(on_readable, self), telling(on_writable, self)
        if connection is not None:
            connection.on_readable, connection.on_writable = on_readable, on_writable
            if self._urgent is not None:
                connection.on_urgent = self._urgent
        elif self._listener is not None:
            self._listener.on_readable = on_readable

    def close(self) -> None:
        """As `Socket.close`."""
        super().close()
        if self._urgent is not None:
            self._urgent.fail(trio.ClosedResourceError("another task closed this socket"))

    def _end(self) -> Callable[[float], None] | None:
        connection, listener, bound, core = self._connection, self._listener, self._bound, self._runner.core
        if connection is None and listener is None and bound is None:
            return None

        def end(now: float) -> None:
            if listener is not None:
                listener.close(now)
            if connection is not None:
                connection.close(now)  # an abort if SO_LINGER is 0 seconds
            if bound is not None and bound[1]:
                core.release_tcp(bound)

        return end

    # --- setting up

    async def bind(self, address: Any) -> None:
        """Take a local address and port (0: any free port).

        OSError: EINVAL if bound already, EADDRNOTAVAIL for an address that is not this host's,
          EADDRINUSE.
        """
        local = await self._resolve(address, "bind", local=True)
        await trio.lowlevel.checkpoint()
        self._bind_once(local)

    @enable_ki_protection
    def _bind_once(self, local: tuple[bytes, int]) -> None:
        self._check_open()
        if local[0] != ANY and self._runner.core.ip.owner(local[0]) is None and not self._kept.get("free"):
            fail(errno.EADDRNOTAVAIL)  # which Linux looks at first
        if (self._bound is not None and self._bound[1]) or (self._connection is not None and not self._connect_failed):
            fail(errno.EINVAL)
        self._bind(local, late=True)

    def _bind(self, local: tuple[bytes, int], *, late: bool = False) -> tuple[bytes, int]:
        """Take an address and port. With `late` the port may be left to `connect` or `listen`."""
        self._runner.now()
        reuse_port, free = bool(self._kept.get("reuse_port")), bool(self._kept.get("free"))
        port = self._runner.core.bind_tcp(local, reuse_address=self._reuse_address, reuse_port=reuse_port, free=free)
        if late and not local[1] and self._kept.get("bind_no_port"):  # the address is ours
            self._runner.core.release_tcp((local[0], port))
            port = 0
        self._bound = (local[0], port)
        return self._bound

    @enable_ki_protection
    def listen(self, backlog: int = 128) -> None:
        """Take connections; up to `backlog` wait for `accept`. OSError(EINVAL) if connected."""
        backlog = max(index(backlog), 0)
        self._check_open()
        if self._connection is not None:
            fail(errno.EINVAL)
        if self._listener is not None:
            self._listener.backlog = backlog
            return
        now = self._runner.now()
        local = self._bound or (ANY, 0)
        if not local[1]:
            local = self._bind(local)
        if self._options.quickack is not None:  # as in Linux, `listen` forgets it
            self._options = replace(self._options, quickack=None)
        reuse_port, free = bool(self._kept.get("reuse_port")), bool(self._kept.get("free"))
        self._listener = self._runner.core.listen(
            local, backlog, now, self._options, reuse_port=reuse_port, free=free, way=self._way()
        )
        self._hook()
        self._listener.fast_open.limit = self._fast_open_pending
        self._runner.after_call(now)
        self._tell()

    async def accept(self) -> tuple[StreamSocket, tuple[str, int]]:
        """The next connection and its peer's address. OSError(EINVAL) if not listening."""
        connection = await self._until(self._reader, self._accept)
        return self._accepted(connection), python_address(connection.remote)

    def _accepted(self, connection: Connection) -> StreamSocket:
        """The socket of a new connection. As in Linux, it has the listener's options."""
        sock = StreamSocket(self._runner, self._proto, connection)
        sock._reuse_address, sock._broadcast = self._reuse_address, self._broadcast
        kept = {name: value for name, value in self._kept.items() if name != "priority"}
        if kept:  # a socket without a `_kept` of its own is smaller
            sock._kept = kept
        return sock

    def _accept(self) -> Connection | None:
        self._check_open()
        if self._runner.down:
            fail(errno.EBADF)  # as for a listener that another task has closed: trio's servers expect that
        listener = self._listener
        if listener is None:
            fail(errno.EINVAL)
        connection = listener.accept()
        if connection is None and listener.error:
            fail(listener.error)
        return connection

    def on_accept(self, taken: Callable[[StreamSocket], object]) -> None:
        """Pass new connections to `taken` from now on, not to tasks in `accept`. OSError(EINVAL).

        `taken` is called during the host's work, so it must neither raise nor wait. Connections
        that are waiting already, and the listener's end, still go to `accept`.
        """
        listener = self._listener
        if listener is None:
            fail(errno.EINVAL)

        def arrived() -> None:
            while (connection := listener.accept()) is not None:
                taken(self._accepted(connection))
            if listener.closed:
                self._reader.wake()

        listener.on_readable = arrived

    async def connect(self, address: Any) -> None:
        """Open a connection. Cancellation closes the socket, as with trio's.

        OSError: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH; EISCONN if connected or
          listening. After an error the socket may be connected again. With TCP_FASTOPEN_CONNECT,
          and a cookie from an earlier connection, `connect` returns at once: the SYN then waits for
          the first `send`, whose data it carries, or for the first `recv`.
        """
        await self._connect(address, "connect")

    async def _connect(self, address: Any, call: str, data: bytes | None = None) -> int:
        """Open a connection, and return how many bytes of `data` were taken.

        If the SYN carries data, return without waiting for the handshake. RFC 7413 appendix A.1,
        for a program that can wait: without a cookie the data is sent after the handshake.
        """
        try:
            remote = await self._resolve(address, call, local=False)
            await checkpoint_if_cancelled()
            try:
                connection, taken = self._open(remote, data)
            except OSError:
                await cancel_shielded_checkpoint()
                raise
            under_way = bool(taken) and connection.flight > 1
            if under_way or connection.writable:
                await cancel_shielded_checkpoint()
            while not (under_way or connection.writable):
                await self._writer.park()
        except trio.Cancelled:
            self.close()
            raise
        self._check_open()
        error = self._connect_error(connection)
        if error:
            raise OSError(error, f"Error connecting to {python_address(remote)!r}: {error_text(error)}")
        return taken

    def _connect_error(self, connection: Connection) -> int:
        """The errno with which an attempt has failed, which is then over; 0 if it has not."""
        error = connection.error
        if not error and connection.state is State.CLOSED and not connection.deferred:
            error = errno.ECONNABORTED
        if error:
            connection.error = 0
            self._connect_failed = True
        return error

    @enable_ki_protection
    def _open(self, remote: tuple[bytes, int], data: bytes | None = None) -> tuple[Connection, int]:
        """The connection to `remote`, and how many bytes of `data` it has taken, by Fast Open.

        The connection is new, or the one that is being opened already. If two tasks wait for it,
        `Waiter` raises BusyResourceError in the second.
        """
        self._check_open()
        if data is not None and not self._runner.core.config.tcp.fast_open_client:
            fail(errno.EOPNOTSUPP)
        if self._listener is not None:
            fail(errno.EISCONN)
        connection = self._connection
        if connection is not None and not self._connect_failed and not connection.deferred:
            if not connection.is_connecting:
                fail(errno.EISCONN)
            return (connection, 0) if data is None else fail(errno.EALREADY)
        now = self._runner.now()
        if connection is None or not connection.deferred:
            if remote[0] == ANY:
                remote = LOOPBACK, remote[1]
            deferred = data is not None
            connection = self._runner.core.connect(
                self._bound, remote, now, self._options, deferred=deferred, way=self._way() if self._kept else None
            )
            self._take(connection)
            self._connect_failed = False
        taken = 0 if data is None else connection.open(now, data, fast=True)
        self._runner.after_call(now)
        self._tell()
        return connection, taken

    @enable_ki_protection
    def shutdown(self, flag: int) -> None:
        """End one direction or both. Data that the peer has sent or still sends can be read.

        A listener whose reading direction ends stops listening. A connection that is being opened
        is aborted: the task in `connect` gets ECONNRESET, and the socket may be connected again.
        OSError(ENOTCONN).
        """
        flag = self._check_shutdown(flag)
        now = self._runner.now()
        if self._listener is not None:
            if flag != stdlib.SHUT_WR:
                self._listener.close(now)
                self._listener = None
        elif (connection := self._connected()).state is State.SYN_SENT and not connection.open_in_syn_sent:
            self._connection = None
            connection.abort(now, errno.ECONNRESET)
        else:
            if flag != stdlib.SHUT_WR:
                connection.shutdown_read(now)
            if flag != stdlib.SHUT_RD:
                connection.shutdown_write(now)
        self._write_shut_down = self._write_shut_down or flag != stdlib.SHUT_RD
        self._runner.after_call(now)
        self._writer.wake()  # its next attempt raises EPIPE
        self._tell()

    # --- names

    def _connected(self) -> Connection:
        """The connection. OSError(ENOTCONN) if there is none, or if it has ended."""
        connection = self._connection
        return connection if connection is not None and connection.state not in ENDED else fail(errno.ENOTCONN)

    def getsockname(self) -> tuple[str, int]:
        """Our own address and port; ("0.0.0.0", 0) before they are set."""
        self._check_open()
        if self._connection is not None:
            return python_address(self._connection.local)
        return python_address(self._bound or (ANY, 0))

    def getpeername(self) -> tuple[str, int]:
        """The peer's address and port; OSError(ENOTCONN) without a connection."""
        self._check_open()
        connection = self._connected()
        return fail(errno.ENOTCONN) if connection.is_connecting else python_address(connection.remote)

    def _describe(self) -> str:
        text = super()._describe()
        if self._connection is not None:
            text += " remote {}:{} {}".format(*python_address(self._connection.remote), self._connection.state.name)
        return text + " listening" if self._listener is not None else text

    @property
    def on_error(self) -> Callable[[int, str], None] | None:
        """A function that is called for an error that does not end the connection; None: no calls.

        RFC 9293 section 3.9.1.8: an ICMP error has come, or several retransmissions were not
        answered. Its arguments are an errno and a text. It is called during the host's work, so it
        must neither raise nor wait. A value set on a listener, or before `connect`, is passed to
        the connections.
        """
        return (self._options if self._connection is None else self._connection.user_options).on_error

    @on_error.setter
    def on_error(self, value: Callable[[int, str], None] | None) -> None:
        if self._connection is not None:
            self._connection.set_options(replace(self._connection.user_options, on_error=value))
        else:
            self._options = replace(self._options, on_error=value)
            if self._listener is not None:
                self._listener.options = self._options

    # --- receiving

    def _may_read(self) -> bool:
        if self._listener is not None:
            return self._listener.readable or bool(self._listener.error)
        return self._connection is None or self._connection.readable

    def _waiter(self, flags: int) -> Waiter:
        """The waiter of a receiving call. Urgent data has one of its own, as it has in poll()."""
        if not flags or not flags & stdlib.MSG_OOB:
            return self._reader
        if self._urgent is None:
            self._urgent = Waiter()
            self._hook()  # the reader's callback, too: for the urgent octet, and the end
        return self._urgent

    async def wait_urgent(self) -> None:
        """Wait until the peer has announced urgent data that was not read yet: POLLPRI in poll().

        OSError(ENOTCONN) without a connection, or if it ends before that.
        """
        await self._until(self._waiter(stdlib.MSG_OOB), self._has_urgent)

    def _has_urgent(self) -> bool | None:
        self._check_open_for_waiting()
        connection = self._connection
        if connection is None or connection.state is State.CLOSED:
            fail(errno.ENOTCONN)
        if connection.urgent and not connection.urgent_taken:
            return True
        return fail(errno.ENOTCONN) if connection.peer_fin else None

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Up to `buflen` bytes; b"" at the end. OSError: ENOTCONN, ECONNRESET, ETIMEDOUT...

        With MSG_TRUNC, `recv` returns the data as usual, and `recv_into` discards it and returns
        its length.
        """
        size = check_size(buflen, "recv")
        if not size:  # as Python, which does not ask the kernel then
            await trio.lowlevel.checkpoint()
            return b""
        return await self._until(self._waiter(flags) if flags else self._reader, self._receive, size, flags)

    def _receive(self, size: int, flags: int) -> bytes | None:
        if self._closed:
            fail(errno.EBADF)
        connection = self._connection
        if connection is None:
            fail(errno.ENOTCONN)
        if not size:  # recvfrom and recvmsg: it takes nothing, but waits for data, or for an end
            return b"" if connection.receive_buffer.size else self._receive(1, flags)
        if flags and flags & ~IGNORED_FLAGS:
            return self._receive_with_flags(connection, size, flags)
        now = self._runner.time()
        data = connection.receive(size, now)
        self._runner.after_call(now)
        return data

    def _receive_with_flags(self, connection: Connection, size: int, flags: int) -> bytes | None:
        """Receive with other flags than `IGNORED_FLAGS`."""
        if flags & stdlib.MSG_OOB:
            return connection.receive_urgent(peek=bool(flags & stdlib.MSG_PEEK))
        if flags & ~(IGNORED_FLAGS | stdlib.MSG_PEEK | stdlib.MSG_TRUNC):
            fail(errno.EOPNOTSUPP)
        if flags & stdlib.MSG_PEEK:
            return connection.peek(size)
        now = self._runner.time()
        data = connection.receive(size, now)
        self._runner.after_call(now)
        return data

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Fill `buffer` with up to `nbytes` bytes (0: its length), and return their number.

        It is 0 at the end of the stream.
        """
        writable_view(buffer, nbytes, "recv_into").release()
        return await self._until(self._waiter(flags), self._receive_into, buffer, nbytes, flags)

    def _receive_into(self, buffer: Buffer, nbytes: int, flags: int) -> int | None:
        # A new view for each attempt: a view would lock the caller's bytearray while we wait.
        with writable_view(buffer, nbytes, "recv_into") as view:
            if not len(view):
                return 0
            self._check_open()
            connection = self._connection
            if connection is None:
                fail(errno.ENOTCONN)
            if flags and flags & ~IGNORED_FLAGS:
                data = self._receive_with_flags(connection, len(view), flags)
                if data is None:
                    return None
                if not flags & stdlib.MSG_TRUNC:  # which discards the data, as in Linux, and returns the count
                    view[: len(data)] = data
                return len(data)
            now = self._runner.time()
            count = connection.receive_into(view, now)
            self._runner.after_call(now)
            return count

    async def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, None]:
        """(`recv`, None): the peer's address is `getpeername()`."""
        size = check_size(bufsize, "recvfrom")
        return await self._until(self._waiter(flags), self._receive, size, flags), None

    async def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, None]:
        """(`recv_into`, None)."""
        return await self.recv_into(buffer, nbytes, flags), None

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        """(`recv`, no ancillary data, no flags, None)."""
        size = check_size(bufsize, "recvmsg")
        return await self._until(self._waiter(flags), self._receive, size, flags), [], 0, None

    async def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, None]:
        """(bytes put into `buffers`, no ancillary data, no flags, None)."""
        places = list(buffers)
        return await self._until(self._waiter(flags), self._receive_scattered, places, flags), [], 0, None

    def _receive_scattered(self, buffers: list[Buffer], flags: int) -> int | None:
        with writable_views(buffers) as views:  # checked before anything is taken
            data = self._receive(sum(map(len, views)), flags)
            if data is None:
                return None
            if not flags & stdlib.MSG_TRUNC:
                scatter(data, views)
            return len(data)

    # --- sending

    def _may_write(self) -> bool | None:
        self._check_open_for_waiting()
        if self._listener is not None:
            return None
        return True if self._connection is None or self._connection.writable else None

    async def send(self, bytes: Buffer, flags: int = 0, /) -> int:
        """Send some of the data, and return how many bytes were taken. OSError: EPIPE..."""
        return await self._until(self._writer, self._send, bytes, flags)

    def _send(self, data: Buffer, flags: int) -> int | None:
        if self._closed:
            fail(errno.EBADF)
        connection = self._connection
        if flags and flags & ~(IGNORED_FLAGS | stdlib.MSG_OOB):
            self._refuse_flags(flags)
        if connection is None:
            fail(errno.EPIPE)
        urgent = bool(flags and flags & stdlib.MSG_OOB)
        now = self._runner.time()
        if type(data) is memoryview and data.nbytes <= COPIED_BYTES:
            data = data.tobytes()
        if type(data) is bytes:
            taken, length = connection.send(data, now, urgent), len(data)
        else:
            with bytes_view(data) as view:
                taken, length = connection.send(view, now, urgent), len(view)
        self._runner.after_call(now)
        return taken if taken or not length else None

    def _refuse_flags(self, flags: int) -> NoReturn:
        """Raise the error for flags that `send` does not take; MSG_FASTOPEN needs `sendto`."""
        allowed = self._runner.core.config.tcp.fast_open_client
        if flags & options.MSG_FASTOPEN and not flags & stdlib.MSG_OOB and allowed:
            fail(errno.EINVAL if self._connection is None or self._connect_failed else errno.EISCONN)
        fail(errno.EOPNOTSUPP)

    @overload
    async def sendto(self, data: Buffer, address: tuple[object, ...] | str | Buffer, /) -> int: ...
    @overload
    async def sendto(self, data: Buffer, flags: int, address: tuple[object, ...] | str | Buffer, /) -> int: ...
    async def sendto(self, *args: Any) -> int:
        """`send`: the address is ignored. With MSG_FASTOPEN, `connect` and `send` in one.

        With MSG_FASTOPEN, OSError as from `connect`, or EISCONN, EALREADY, EOPNOTSUPP if Fast Open
        is off. See `_connect`.
        """
        flags = index(args[1]) if len(args) > 2 else 0
        if flags & options.MSG_FASTOPEN and not flags & ~(IGNORED_FLAGS | options.MSG_FASTOPEN):
            with bytes_view(args[0]) as view:
                data = bytes(view[: self._runner.core.config.tcp.send_quantum_bytes])
            return await self._connect(args[-1], "sendto", data)
        await self._resolve(args[-1], "sendto", local=False)
        return await self._until(self._writer, self._send, args[0], flags)

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """`send` of all the buffers, one after another, or `sendto` with an address.

        OSError(EINVAL) for ancillary data.
        """
        if list(ancdata):
            fail(errno.EINVAL)
        data = b"".join(buffers)
        if address is not None:
            return await self.sendto(data, flags, address)
        return await self._until(self._writer, self._send, data, flags)
