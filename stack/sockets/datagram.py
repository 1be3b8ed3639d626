"""SOCK_DGRAM: a trio socket over a UDP endpoint of this host. See RFC 1122 section 4.1.4 and POSIX.1-2017."""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, overload

import trio
from trio.lowlevel import checkpoint

from stack.sockets import options
from stack.sockets.options import Value, fail
from stack.sockets.runner import Runner
from stack.sockets.socket import (
    HARMLESS_FLAGS,
    Socket,
    bytes_view,
    check_size,
    python_address,
    scatter,
    writable_view,
    writable_views,
)
from stack.udp.endpoint import Endpoint
from stack.wire.addresses import ANY, LOOPBACK

if TYPE_CHECKING:
    from typing_extensions import Buffer

MSG_MORE = int(getattr(stdlib, "MSG_MORE", 0))
RECEIVE_FLAGS = HARMLESS_FLAGS | int(stdlib.MSG_PEEK | stdlib.MSG_TRUNC)


@dataclass(frozen=True, slots=True)
class Taken:
    """One datagram as a receiving call got it: cut to the size asked for, `length` bytes before."""

    data: bytes
    length: int
    remote: tuple[str, int] | None


class DatagramSocket(Socket):
    """A UDP socket. Sending never waits; a datagram that does not fit the buffer given to `recv` is cut.

    When the host ends, the socket is as good as closed: EBADF. `trio.DTLSEndpoint`, which reads in a system task, ends
    there; any other error it takes for a bug, and ends the run.
    """

    _option_table = options.DATAGRAM

    def __init__(self, runner: Runner, proto: int = 0) -> None:
        super().__init__(runner, stdlib.SOCK_DGRAM, proto)
        runner.now()
        self._endpoint: Endpoint = runner.core.udp.open()
        self._endpoint.on_readable = self._reader.wake
        self._keepalive = self._cork = False
        self._linger_s: float | None = None
        self._send_buffer_bytes = runner.core.config.udp.receive_bytes
        self._read_shut_down = False

    def _end(self) -> Callable[[float], None] | None:
        endpoint = self._endpoint
        return lambda _now: endpoint.close()

    # --- addresses

    async def bind(self, address: Any) -> None:
        """Take a local address and port (0: any that is free). OSError: EINVAL, EADDRNOTAVAIL, EADDRINUSE."""
        local = await self._resolve(address, "bind", local=True)
        await checkpoint()
        self._check_open()
        self._runner.now()
        self._endpoint.bind(local)

    async def connect(self, address: Any) -> None:
        """Talk to one peer from now on; port 0 stands for all its ports. Being cancelled closes the socket, as trio's.

        OSError: ENETUNREACH, EACCES (a broadcast address without SO_BROADCAST).
        """
        try:
            remote = await self._resolve(address, "connect", local=False)
            await checkpoint()
        except trio.Cancelled:
            self.close()
            raise
        self._check_open()
        now = self._runner.now()
        self._endpoint.connect(_or_ourselves(remote), now)

    def listen(self, backlog: int = 128) -> None:
        """OSError(EOPNOTSUPP)."""
        index(backlog)
        self._check_open()
        fail(errno.EOPNOTSUPP)

    async def accept(self) -> Any:
        """OSError(EOPNOTSUPP)."""
        await checkpoint()
        self.listen()

    def getsockname(self) -> tuple[str, int]:
        """Our own address and port; ("0.0.0.0", 0) before there are any."""
        self._check_open()
        return python_address(self._endpoint.local)

    def getpeername(self) -> tuple[str, int]:
        """The peer's address and port; OSError(ENOTCONN) when there is none, or when it is all ports of the peer."""
        self._check_open()
        remote = self._endpoint.remote
        return fail(errno.ENOTCONN) if remote is None or not remote[1] else python_address(remote)

    def _describe(self) -> str:
        text = super()._describe()
        if self._endpoint.remote is not None:
            text += " remote {}:{}".format(*python_address(self._endpoint.remote))
        return text

    def shutdown(self, flag: int) -> None:
        """End one direction or both: receiving then gives b"" when all is read, sending raises EPIPE.

        As in Linux, a datagram that was begun with MSG_MORE or UDP_CORK can still be completed. OSError(ENOTCONN) when
        not connected.
        """
        flag = self._check_shutdown(flag)
        if self._endpoint.remote is None:
            fail(errno.ENOTCONN)
        self._read_shut_down = self._read_shut_down or flag != stdlib.SHUT_WR
        self._write_shut_down = self._write_shut_down or flag != stdlib.SHUT_RD
        self._reader.wake()

    # --- receiving

    def _may_read(self) -> bool:
        return self._read_shut_down or self._endpoint.readable

    def _receive(self, size: int, flags: int) -> Taken | None:
        self._check_open()
        if self._runner.down:
            fail(errno.EBADF)
        if flags & ~RECEIVE_FLAGS:
            fail(errno.EOPNOTSUPP)
        endpoint = self._endpoint
        datagram = endpoint.peek() if flags and flags & stdlib.MSG_PEEK else endpoint.receive_datagram()
        if datagram is None:
            return Taken(b"", 0, None) if self._read_shut_down else None
        data = datagram.data
        return Taken(data if len(data) <= size else data[:size], len(data), python_address(datagram.remote))

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """The next datagram, cut to `buflen` bytes. OSError: what happened to an earlier one of ours (ECONNREFUSED)."""
        return (await self.recvfrom(buflen, flags))[0]

    async def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """The next datagram, cut to `bufsize` bytes, and its sender's address."""
        size = check_size(bufsize, "recvfrom")
        if not size:
            await checkpoint()
            return b"", None
        taken = await self._until(self._reader, self._receive, size, flags)
        return taken.data, taken.remote

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Put the next datagram into `buffer`; how many bytes that were (MSG_TRUNC: how many it has)."""
        return (await self.recvfrom_into(buffer, nbytes, flags))[0]

    async def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """(bytes put into `buffer`, the sender's address)."""
        with writable_view(buffer, nbytes, "recvfrom_into") as view:
            size = len(view)
        if not size:
            await checkpoint()
            return 0, None
        taken = await self._until(self._reader, self._receive_into, buffer, nbytes, flags)
        return (taken.length if flags & stdlib.MSG_TRUNC else len(taken.data)), taken.remote

    # The views are made anew for each try, before a datagram is taken: a buffer that is too small by then costs none.

    def _receive_into(self, buffer: Buffer, nbytes: int, flags: int) -> Taken | None:
        with writable_view(buffer, nbytes, "recvfrom_into") as view:
            taken = self._receive(len(view), flags)
            if taken is not None:
                view[: len(taken.data)] = taken.data
            return taken

    def _receive_scattered(self, buffers: list[Buffer], flags: int) -> Taken | None:
        with writable_views(buffers) as views:
            taken = self._receive(sum(map(len, views)), flags)
            if taken is not None:
                scatter(taken.data, views)
            return taken

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        """(data, no ancillary data, MSG_TRUNC when the datagram was cut, the sender's address)."""
        taken = await self._until(self._reader, self._receive, check_size(bufsize, "recvmsg"), flags)
        return taken.data, [], _cut(taken), taken.remote

    async def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
        """(bytes put into `buffers`, no ancillary data, MSG_TRUNC when it was cut, the sender's address)."""
        places = list(buffers)
        taken = await self._until(self._reader, self._receive_scattered, places, flags)
        return len(taken.data), [], _cut(taken), taken.remote

    # --- sending

    def _may_write(self) -> bool | None:
        self._check_open_for_waiting()
        return True

    def _send(self, data: Buffer, remote: tuple[bytes, int] | None, flags: int) -> int:
        self._check_open()
        if self._runner.down:
            fail(errno.EBADF)
        if flags & ~HARMLESS_FLAGS:
            fail(errno.EOPNOTSUPP)
        endpoint = self._endpoint
        if self._write_shut_down and endpoint.gathered is None:  # Linux lets what was begun be completed
            fail(errno.EPIPE)
        if type(data) is not bytes:
            with bytes_view(data) as view:
                data = bytes(view)
        now = self._runner.now()
        more = self._cork or bool(flags and flags & MSG_MORE)
        if more or endpoint.gathered is not None:
            sent = endpoint.gather(data, None if remote is None else _or_ourselves(remote), now, more=more)
        elif remote is None:
            sent = endpoint.send(data, now)
        else:
            sent = endpoint.send_to(data, _or_ourselves(remote), now)
        self._runner.after_call(now)
        return sent

    async def send(self, bytes: Buffer, flags: int = 0, /) -> int:
        """Send a datagram to the connected peer. OSError: EDESTADDRREQ when there is none; as `sendto`.

        With MSG_MORE, or while UDP_CORK is set, it is the beginning of a datagram that the next call goes on with.
        """
        return await self._until(self._writer, self._send, bytes, None, flags)

    @overload
    async def sendto(self, data: Buffer, address: tuple[object, ...] | str | Buffer, /) -> int: ...
    @overload
    async def sendto(self, data: Buffer, flags: int, address: tuple[object, ...] | str | Buffer, /) -> int: ...
    async def sendto(self, *args: Any) -> int:
        """Send a datagram to an address. OSError: EMSGSIZE, EACCES (broadcast), ENETUNREACH, an earlier one's fate."""
        remote = await self._resolve(args[-1], "sendto", local=False)
        flags = index(args[1]) if len(args) > 2 else 0
        return await self._until(self._writer, self._send, args[0], remote, flags)

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """Send the buffers as one datagram. OSError(EINVAL) for ancillary data; else as `sendto`."""
        remote = None if address is None else await self._resolve(address, "sendmsg", local=False)
        if list(ancdata):
            fail(errno.EINVAL)
        return await self._until(self._writer, self._send, b"".join(buffers), remote, flags)

    # --- options

    def _get_option(self, name: str) -> Value:
        endpoint = self._endpoint
        values: dict[str, Value] = {
            "accepting": 0,
            "error": 0,
            "reuse_address": endpoint.reuse_address,
            "broadcast": endpoint.broadcast,
            "keepalive": self._keepalive,
            "cork": self._cork,
            "linger_s": self._linger_s,
            "rcvbuf": endpoint.receive_bytes,
            "sndbuf": self._send_buffer_bytes,
            "ttl": self._runner.core.config.ip.ttl if endpoint.ttl is None else endpoint.ttl,
            "tos": endpoint.tos,
        }
        return endpoint.take_error() if name == "error" else values[name]

    def _set_option(self, name: str, value: Value) -> None:
        """SO_KEEPALIVE, SO_LINGER and SO_SNDBUF mean nothing to UDP, and are remembered as the kernel does."""
        endpoint = self._endpoint
        if name == "reuse_address":
            endpoint.reuse_address = bool(value)
        elif name == "broadcast":
            endpoint.broadcast = bool(value)
        elif name == "keepalive":
            self._keepalive = bool(value)
        elif name == "linger_s":
            self._linger_s = value
        elif name == "cork":
            self._cork = bool(value)
            if not self._cork and endpoint.gathered is not None:
                with suppress(OSError):  # the option is set all the same, as in Linux
                    self._send(b"", None, 0)
        elif name == "rcvbuf":
            endpoint.receive_bytes = self._runner.buffer_size(value)
        elif name == "sndbuf":
            self._send_buffer_bytes = self._runner.buffer_size(value)
        elif name == "ttl":
            endpoint.ttl = None if value is None else int(value)
        elif name == "tos":
            endpoint.tos = int(value or 0)


def _or_ourselves(remote: tuple[bytes, int]) -> tuple[bytes, int]:
    """0.0.0.0 as a destination means this host, as programs expect of BSD's sockets."""
    return (LOOPBACK, remote[1]) if remote[0] == ANY else remote


def _cut(taken: Taken) -> int:
    return int(stdlib.MSG_TRUNC) if taken.length > len(taken.data) else 0
