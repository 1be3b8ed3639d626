"""SOCK_DGRAM: a trio socket over a UDP endpoint of this host.

See RFC 1122 section 4.1.4 and POSIX.1-2017.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, overload

import trio
from trio.lowlevel import checkpoint, enable_ki_protection

from stack.socket_option import Option, Value
from stack.sockets import ancillary, options
from stack.sockets.numbers import number
from stack.sockets.options import fail
from stack.sockets.readiness import telling
from stack.sockets.runner import Runner
from stack.sockets.socket import (
    IGNORED_FLAGS,
    MSG_MORE,
    Socket,
    bytes_view,
    check_size,
    python_address,
    scatter,
    writable_view,
    writable_views,
)
from stack.udp.endpoint import Datagram, Endpoint
from stack.udp.special import QueuedError, Special
from stack.wire.addresses import ANY, LOOPBACK, format_ipv4

if TYPE_CHECKING:
    from typing_extensions import Buffer

MSG_ERRQUEUE = number("MSG_ERRQUEUE", 0x2000)
RECEIVE_FLAGS = IGNORED_FLAGS | int(stdlib.MSG_PEEK | stdlib.MSG_TRUNC) | MSG_ERRQUEUE


@dataclass(frozen=True, slots=True)
class Received:
    """A received datagram: `data` is cut to the size asked for, `length` is that of the whole.

    Or an error about a datagram that was sent, from the queue of errors (MSG_ERRQUEUE).
    """

    data: bytes
    length: int
    remote: tuple[str, int] | None
    datagram: Datagram | QueuedError | None = None


class DatagramSocket(Socket):
    """A UDP socket. Sending never waits. A datagram that does not fit the buffer of `recv` is cut.

    When the host ends, the socket counts as closed: its calls raise EBADF. `trio.DTLSEndpoint`
    reads in a system task and stops at that error. Any other error would end trio's run.
    """

    _option_table = options.DATAGRAM

    def __init__(self, runner: Runner, proto: int = 0) -> None:
        super().__init__(runner, stdlib.SOCK_DGRAM, proto)
        runner.now()
        self._endpoint: Endpoint = runner.core.udp.open()
        self._endpoint.on_readable = self._reader
        self._keepalive = self._cork = False
        self._linger_s: float | None = None
        self._send_buffer_bytes = runner.core.config.udp.receive_bytes
        self._read_shut_down = False

    def _end(self) -> Callable[[float], None] | None:
        endpoint = self._endpoint
        return lambda _now: endpoint.close()

    def _hook(self) -> None:
        self._endpoint.on_readable = telling(self._reader, self)

    # --- addresses

    async def bind(self, address: Any) -> None:
        """Take a local address and port (0: any free port).

        OSError: EINVAL, EADDRNOTAVAIL, EADDRINUSE.
        """
        local = await self._resolve(address, "bind", local=True)
        await checkpoint()
        self._bind_once(local)

    @enable_ki_protection
    def _bind_once(self, local: tuple[bytes, int]) -> None:
        self._check_open()
        self._runner.now()
        if local[0] != ANY and self._endpoint.local[1] and self._runner.core.ip.owner(local[0]) is None:
            special = self._endpoint.special
            if special is None or not special.free:
                fail(errno.EADDRNOTAVAIL)  # which Linux looks at before it finds that the socket is bound
        self._endpoint.bind(local)

    async def connect(self, address: Any) -> None:
        """Send to one peer, and receive only from it; port 0 means all its ports.

        Cancellation closes the socket, as with trio's. OSError: ENETUNREACH, EACCES (a broadcast
        address without SO_BROADCAST).
        """
        try:
            remote = await self._resolve(address, "connect", local=False)
            await checkpoint()
        except trio.Cancelled:
            self.close()
            raise
        self._connect(remote)

    @enable_ki_protection
    def _connect(self, remote: tuple[bytes, int]) -> None:
        self._check_open()
        now = self._runner.now()
        self._endpoint.connect(_loopback_if_any(remote), now)
        self._tell()

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
        """Our own address and port; ("0.0.0.0", 0) before they are set."""
        self._check_open()
        return python_address(self._endpoint.local)

    def getpeername(self) -> tuple[str, int]:
        """The peer's address and port. OSError(ENOTCONN) without a peer, or for all its ports."""
        self._check_open()
        remote = self._endpoint.remote
        return fail(errno.ENOTCONN) if remote is None or not remote[1] else python_address(remote)

    def _describe(self) -> str:
        text = super()._describe()
        if self._endpoint.remote is not None:
            text += " remote {}:{}".format(*python_address(self._endpoint.remote))
        return text

    def shutdown(self, flag: int) -> None:
        """End one direction or both: sending raises EPIPE, reading an empty queue gives b"".

        As in Linux, a datagram that was begun with MSG_MORE or UDP_CORK can still be completed.
        OSError(ENOTCONN) if not connected.
        """
        flag = self._check_shutdown(flag)
        if self._endpoint.remote is None:
            fail(errno.ENOTCONN)
        self._read_shut_down = self._read_shut_down or flag != stdlib.SHUT_WR
        self._write_shut_down = self._write_shut_down or flag != stdlib.SHUT_RD
        self._reader.wake()
        self._tell()

    # --- receiving

    def _may_read(self) -> bool:
        endpoint = self._endpoint
        return self._read_shut_down or endpoint.readable or bool(endpoint.errors_queued)

    def _receive(self, size: int, flags: int) -> Received | None:
        self._check_open()
        if self._runner.down:
            fail(errno.EBADF)
        if flags & ~RECEIVE_FLAGS:
            fail(errno.EOPNOTSUPP)
        endpoint = self._endpoint
        if flags and flags & MSG_ERRQUEUE:
            return self._receive_error(size)
        datagram = endpoint.peek() if flags and flags & stdlib.MSG_PEEK else endpoint.receive_datagram()
        if datagram is None:
            return Received(b"", 0, None) if self._read_shut_down else None
        data = datagram.data
        return Received(
            data if len(data) <= size else data[:size], len(data), python_address(datagram.remote), datagram
        )

    def _receive_error(self, size: int) -> Received | None:
        """The next of the queue of errors (IP_RECVERR): its datagram's data and destination."""
        error = self._endpoint.take_queued_error()
        if error is None:
            return None
        return Received(error.data[:size], len(error.data), python_address(error.remote), error)

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """The next datagram, cut to `buflen` bytes.

        OSError: an error for an earlier datagram of ours (ECONNREFUSED).
        """
        if not check_size(buflen, "recv"):  # as Python, which does not ask the kernel then
            await checkpoint()
            return b""
        return (await self.recvfrom(buflen, flags))[0]

    async def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """The next datagram, cut to `bufsize` bytes, and its sender's address."""
        size = check_size(bufsize, "recvfrom")
        received = await self._until(self._reader, self._receive, size, flags)
        return received.data, received.remote

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Put the next datagram into `buffer`, and return the number of bytes.

        With MSG_TRUNC that is the length of the whole datagram.
        """
        with writable_view(buffer, nbytes, "recv_into") as view:
            size = len(view)
        if not size:
            await checkpoint()
            return 0
        return (await self.recvfrom_into(buffer, nbytes, flags))[0]

    async def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """(The number of bytes, the sender's address) after `recv_into`."""
        writable_view(buffer, nbytes, "recvfrom_into").release()
        received = await self._until(self._reader, self._receive_into, buffer, nbytes, flags)
        return (received.length if flags & stdlib.MSG_TRUNC else len(received.data)), received.remote

    # Each attempt makes new views before it takes a datagram. So a buffer that has become too small
    # raises an error, and no datagram is lost.

    def _receive_into(self, buffer: Buffer, nbytes: int, flags: int) -> Received | None:
        with writable_view(buffer, nbytes, "recvfrom_into") as view:
            received = self._receive(len(view), flags)
            if received is not None:
                view[: len(received.data)] = received.data
            return received

    def _receive_scattered(self, buffers: list[Buffer], flags: int) -> Received | None:
        with writable_views(buffers) as views:
            received = self._receive(sum(map(len, views)), flags)
            if received is not None:
                scatter(received.data, views)
            return received

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        """(data, ancillary data, MSG_TRUNC if the datagram was cut, the sender's address).

        The ancillary data is what SO_TIMESTAMP, IP_PKTINFO, IP_RECVTTL and IP_RECVTOS ask for;
        MSG_CTRUNC if it does not fit `ancbufsize`. With MSG_ERRQUEUE it waits for an error about a
        datagram that was sent (IP_RECVERR), and gives that datagram's data, the error, and where
        the datagram went.
        """
        received = await self._until(self._reader, self._receive, check_size(bufsize, "recvmsg"), flags)
        beside, cut = self._beside(received, ancbufsize)
        return received.data, beside, truncated(received) | cut, received.remote

    def _beside(self, received: Received, room: int) -> tuple[ancillary.Ancillary, int]:
        special, datagram = self._endpoint.special, received.datagram
        if datagram is None or (special is None and not self._kept):
            return [], 0
        stamp: ancillary.Ancillary = []
        if special is not None and special.stamps:
            ago_s = 0.0 if datagram.arrived is None else trio.current_time() - datagram.arrived
            stamp = ancillary.stamped(special.stamps, ago_s)
        if isinstance(datagram, QueuedError):
            return ancillary.error(datagram, stamp, room)
        interfaces = self._runner.core.interfaces()
        local = format_ipv4(datagram.local)
        own = [
            n
            for n, record in enumerate(interfaces, 2)
            if local in [each.partition("/")[0] for each in record.addresses]
        ]
        return ancillary.received(datagram, own[0] if own else 1, self._kept, stamp, room)

    async def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
        """(bytes put into `buffers`, ancillary data, flags, the sender), as `recvmsg`."""
        places = list(buffers)
        received = await self._until(self._reader, self._receive_scattered, places, flags)
        beside, cut = self._beside(received, ancbufsize)
        return len(received.data), beside, truncated(received) | cut, received.remote

    # --- sending

    def _may_write(self) -> bool | None:
        self._check_open_for_waiting()
        return True

    def _send(
        self, data: Buffer, remote: tuple[bytes, int] | None, flags: int, asked: ancillary.Asked | None = None
    ) -> int:
        self._check_open()
        if self._runner.down:
            fail(errno.EBADF)
        if flags & ~IGNORED_FLAGS:
            fail(errno.EOPNOTSUPP)
        endpoint = self._endpoint
        if self._write_shut_down and endpoint.gathered is None:  # Linux lets what was begun be completed
            fail(errno.EPIPE)
        if type(data) is not bytes:
            with bytes_view(data) as view:
                data = bytes(view)
        now = self._runner.now()
        more = self._cork or bool(flags and flags & MSG_MORE)
        special = endpoint.special
        size = 0 if special is None else special.segment_bytes
        if asked is not None and asked.segment_bytes is not None:
            size = asked.segment_bytes
        if more or endpoint.gathered is not None:
            to = None if remote is None else _loopback_if_any(remote)
            sent = endpoint.gather(data, to, now, more=more, size=size)
        elif (size or asked is not None) and (to := remote or endpoint.remote) is not None:
            to, source = _loopback_if_any(to), None if asked is None else asked.source
            if size:
                sent = endpoint.send_segments(data, to, now, size, source)
            else:
                sent = endpoint.send_to(data, to, now, source)
        elif remote is None:
            if endpoint.remote is None and not endpoint.local[1]:
                endpoint.bind((ANY, 0))  # as Linux, before it finds that there is no peer
            sent = endpoint.send(data, now)
        else:
            sent = endpoint.send_to(data, _loopback_if_any(remote), now)
        self._runner.after_call(now)
        return sent

    async def send(self, bytes: Buffer, flags: int = 0, /) -> int:
        """Send a datagram to the connected peer. OSError: EDESTADDRREQ without one; or as `sendto`.

        With MSG_MORE, or while UDP_CORK is set, the data is the beginning of a datagram that the
        next call continues.
        """
        return await self._until(self._writer, self._send, bytes, None, flags)

    @overload
    async def sendto(self, data: Buffer, address: tuple[object, ...] | str | Buffer, /) -> int: ...
    @overload
    async def sendto(self, data: Buffer, flags: int, address: tuple[object, ...] | str | Buffer, /) -> int: ...
    async def sendto(self, *args: Any) -> int:
        """Send a datagram to an address.

        OSError: EMSGSIZE, EACCES (broadcast), ENETUNREACH, or an error for an earlier datagram.
        """
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
        """Send the buffers as one datagram. OSError as `sendto`.

        With IP_PKTINFO in the ancillary data its `ipi_spec_dst` is the address to send from, with
        UDP_SEGMENT the data is cut into datagrams of that size. OSError: ENETUNREACH for an address
        that is not ours, EINVAL for other ancillary data or too many datagrams.
        """
        remote = None if address is None else await self._resolve(address, "sendmsg", local=False)
        asked = ancillary.asked(ancdata)
        return await self._until(self._writer, self._send, b"".join(buffers), remote, flags, asked)

    # --- options

    def _path_mtu(self) -> int:
        return self._endpoint.path_mtu(self._runner.now())

    def _device(self) -> int | None:
        return self._endpoint.device

    def _set_device(self, index: int) -> None:
        self._endpoint.set_way(device=index)

    def _get_option(self, option: Option) -> Value:
        endpoint = self._endpoint
        special = endpoint.special or Special()
        values: dict[str, Value] = {
            "accepting": 0,
            "error": 0,
            "reuse_address": endpoint.reuse_address,
            "reuse_port": special.reuse_port,
            "direct": special.direct,
            "free": special.free,
            "broadcast": endpoint.broadcast,
            "keepalive": self._keepalive,
            "cork": self._cork,
            "linger_s": self._linger_s,
            "rcvbuf": endpoint.receive_bytes,
            "sndbuf": self._send_buffer_bytes,
            "ttl": self._runner.core.config.ip.ttl if endpoint.ttl is None else endpoint.ttl,
            "tos": endpoint.tos,
            "segment": special.segment_bytes,
            "timestamp": special.stamps == ancillary.MICROSECONDS,
            "timestampns": special.stamps == ancillary.NANOSECONDS,
            "recverr": special.queue_errors,
            "mtu_discover": special.discover,
        }
        return endpoint.take_error() if option.name == "error" else values[option.name]

    def _set_option(self, option: Option, value: Value) -> None:
        """Set an option. SO_KEEPALIVE, SO_LINGER and SO_SNDBUF have no effect, as in the kernel."""
        endpoint, name = self._endpoint, option.name
        if name == "reuse_address":
            endpoint.reuse_address = bool(value)
        elif name == "reuse_port":
            endpoint.reuse_port = bool(value)
        elif name == "broadcast":
            endpoint.broadcast = bool(value)
        elif name == "keepalive":
            self._keepalive = bool(value)
        elif name == "linger_s":
            self._linger_s = value
        elif name == "cork":
            self._cork = bool(value)
            if not self._cork and endpoint.gathered is not None:
                with suppress(OSError):  # the option is set in spite of an error, as in Linux
                    self._send(b"", None, 0)
        elif name == "rcvbuf":
            endpoint.receive_bytes = self._runner.buffer_size(value)
        elif name == "sndbuf":
            self._send_buffer_bytes = self._runner.buffer_size(value)
        elif name == "ttl":
            endpoint.ttl = None if value is None else int(value)
        elif name == "tos":
            endpoint.tos = int(value or 0)
        elif name in ("timestamp", "timestampns"):
            form = ancillary.MICROSECONDS if name == "timestamp" else ancillary.NANOSECONDS
            endpoint.set_stamps(form if value else 0)
        elif name == "direct":
            endpoint.set_way(direct=bool(value))
        elif name == "free":
            endpoint.specially().free = bool(value)
        elif name == "segment":
            endpoint.specially().segment_bytes = int(value or 0)
        elif name == "recverr":
            endpoint.set_queue_errors(bool(value))
        elif name == "mtu_discover":
            endpoint.set_discover(int(value or 0))


def _loopback_if_any(remote: tuple[bytes, int]) -> tuple[bytes, int]:
    """The destination 0.0.0.0 means this host, as with BSD sockets."""
    return (LOOPBACK, remote[1]) if remote[0] == ANY else remote


def truncated(received: Received) -> int:
    """MSG_TRUNC if the datagram was cut, and MSG_ERRQUEUE for an error; else 0."""
    cut = int(stdlib.MSG_TRUNC) if received.length > len(received.data) else 0
    return cut | MSG_ERRQUEUE if isinstance(received.datagram, QueuedError) else cut
