"""A UDP endpoint: the protocol side of a datagram socket. See RFC 768 and RFC 1122 section 4.1."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stack.errors import os_error
from stack.noop import noop
from stack.udp.below import Address, Path
from stack.udp.special import ICMP, LARGEST_LENGTH, MOST_SEGMENTS, OMIT, QueuedError, Special
from stack.wire.addresses import ANY, BROADCAST, endpoint
from stack.wire.checksum import Buffer, ones_sum
from stack.wire.udp import HEADER_LENGTH, UdpHeader

if TYPE_CHECKING:
    from stack.udp.ports import UdpPorts

MAX_PAYLOAD = 65535 - 20 - HEADER_LENGTH
"""The largest payload of a datagram: 65,507 bytes."""


@dataclass(slots=True)
class Datagram:
    """A received datagram: its payload, its sender, and what applications may ask for.

    See RFC 1122 section 4.1.3.5. `local` is the specific-destination address: the address of ours
    to answer from. `destination` is the address in the header, which may be a broadcast address.
    `arrived` is the time in seconds, None where no endpoint had asked for it. `charged`: its octets
    count against the host's memory budget.
    """

    data: bytes
    remote: Address
    local: bytes
    destination: bytes
    ttl: int
    tos: int
    options: bytes
    arrived: float | None = field(default=None, repr=False, compare=False)
    charged: bool = field(default=False, repr=False, compare=False)


class Endpoint:
    """A UDP endpoint, made by `UdpPorts.open`. Sending never waits.

    Attributes to read:
      local: (address, port); ANY and 0 until bound.
      remote: the (address, port) it is connected to, or None.
      closed: whether `close` was called.
      error: the errno that the next call will raise; 0 for none.
      gathered: the parts so far of a datagram that is not complete (MSG_MORE), or None.
      readable: whether `receive` would return a datagram or raise an error.
      options: the raw IP options of datagrams to come (see `set_options`).
      special: the options that few programs set, or None.

    Attributes to set:
      on_readable: called when `readable` becomes true.
      broadcast: whether it may send to broadcast addresses (SO_BROADCAST).
      reuse_address: SO_REUSEADDR, to be set before `bind`.
      ttl, tos: of the datagrams to come (RFC 1122 section 4.1.4). `ttl` None is the default.
      receive_bytes: the memory for datagrams that wait to be read, overhead included (SO_RCVBUF).
    """

    __slots__ = (
        "_gathered_for",
        "_paths",
        "_ports",
        "_queue",
        "_sent",
        "broadcast",
        "closed",
        "error",
        "gathered",
        "local",
        "on_readable",
        "options",
        "queued_bytes",
        "receive_bytes",
        "remote",
        "reuse_address",
        "special",
        "tos",
        "ttl",
        "wildcard",
    )

    def __init__(self, ports: UdpPorts) -> None:
        self._ports = ports
        self.local: Address = (ANY, 0)
        self.wildcard = True  # the program has not bound it to one of our addresses
        self.remote: Address | None = None
        self.closed = False
        self.error = 0
        self.on_readable: Callable[[], object] = noop
        self.broadcast = False
        self.reuse_address = False
        self.ttl: int | None = None
        self.tos = 0
        self.options = b""
        self.special: Special | None = None
        self.receive_bytes = ports.config.receive_bytes
        self.queued_bytes = 0
        self.gathered: bytes | None = None
        self._gathered_for: Address = (ANY, 0)
        self._queue: deque[Datagram] = deque()
        self._paths: dict[tuple[bytes | None, bytes, int | None], Path] = {}
        # By remote: the length of the largest datagram sent there, IP header included
        self._sent: dict[Address, int] = {}

    @property
    def name(self) -> str:
        """By which events name it."""
        return f"udp {endpoint(self.local)}"

    def _tell_call(self, call: str, **data: object) -> None:
        self._ports.trace.tell("host:call", self.name, call=call, **data)

    # --- addresses

    def bind(self, local: Address) -> None:
        """Bind to a local address and port.

        ANY stands for all our addresses; for port 0 a port is chosen. As in BSD, an endpoint bound
        to ANY receives broadcasts, and one bound to a single address does not. An endpoint bound to
        BROADCAST receives only broadcasts. Raises OSError: EINVAL (bound already), EADDRNOTAVAIL,
        EADDRINUSE, EBADF.
        """
        self._check_open()
        if self.local[1]:
            raise os_error(errno.EINVAL)
        self._ports.bind(self, local, None)
        self.wildcard = local[0] == ANY
        if self._ports.trace.on:
            self._tell_call("BIND", local=endpoint(self.local))

    def connect(self, remote: Address, now: float) -> None:
        """Connect to one peer: datagrams from others are not for this endpoint.

        See RFC 1122 section 4.1.3.5. Port 0 stands for all ports of the peer, as in Linux.
        Programs use port 0 to learn which address of ours the route prefers.

        Raises OSError: ENETUNREACH, EACCES (a broadcast address), EADDRINUSE, EBADF.
        """
        self._check_open()
        source = None if self.wildcard or self.local[0] == BROADCAST else self.local[0]
        path = self._ports.open_path(
            source, remote[0], ttl=self.ttl, tos=self.tos, options=b"", now=now, way=self.special
        )
        source, broadcast = path.source, path.broadcast
        path.close()
        if broadcast and not self.broadcast:
            raise os_error(errno.EACCES)
        if not self.local[1]:
            self._ports.bind(self, (source, 0), remote)
        elif self.wildcard:
            self._ports.rebind(self, (source, self.local[1]))
        self._close_paths()
        self.remote = self._gathered_for = remote
        self._ports.epoch += 1
        self.error = 0
        if self._ports.trace.on:
            self._tell_call("CONNECT", local=endpoint(self.local), remote=endpoint(remote))

    def path_mtu(self, now: float) -> int:
        """The MTU of the path to the peer. OSError: ENOTCONN without a peer, ENETUNREACH."""
        self._check_open()
        if self.remote is None:
            raise os_error(errno.ENOTCONN)
        source = None if self.local[0] in (ANY, BROADCAST) else self.local[0]
        path = self._ports.open_path(source, self.remote[0], ttl=None, tos=0, options=b"", now=now)
        path.close()
        return path.mtu

    def disconnect(self) -> None:
        """Accept datagrams from all peers again (connect to AF_UNSPEC)."""
        self._check_open()
        self.remote = None
        self._ports.epoch += 1
        self._close_paths()
        if self.wildcard and self.local[1]:
            self._ports.rebind(self, (ANY, self.local[1]))
        if self._ports.trace.on:
            self._tell_call("DISCONNECT", local=endpoint(self.local))

    def _check_open(self) -> None:
        if self.closed:
            raise os_error(errno.EBADF)
        if self._ports.shutdown_error:
            raise os_error(self._ports.shutdown_error)

    # --- sending

    def send(self, data: Buffer, now: float) -> int:
        """Send to the connected peer; returns the number of bytes.

        Raises as `send_to`, and EDESTADDRREQ.
        """
        if self.remote is None:
            self._check_open()
            raise os_error(errno.EDESTADDRREQ)
        return self.send_to(data, self.remote, now)

    def send_to(self, data: Buffer, remote: Address, now: float, source: bytes | None = None) -> int:
        """Send one datagram; returns the number of bytes. Binds the endpoint if it is not bound.

        `source` is the address of ours to send from (RFC 1122 section 4.1.3.5); by default it is
        the bound one, or the one that the route prefers. Raises OSError: a pending error, EMSGSIZE
        (over 65,507 bytes), EACCES (a broadcast address), EINVAL (port 0, unless it is the
        connected peer's), ENETUNREACH (no route, or a source that is not ours), EADDRINUSE, EBADF.
        """
        length = HEADER_LENGTH + len(data)
        path = self._prepare(remote, source, len(data), now)
        total = path.pseudo_sum + length + self.local[1] + remote[1] + length + ones_sum(data)
        checksum = 0xFFFF - total % 65535  # never zero, which means that there is none (RFC 768)
        header = UdpHeader(self.local[1], remote[1], length, checksum)
        if self._ports.trace.on:
            self._tell_call("SEND", len=len(data), remote=endpoint(remote))
            self._ports.trace.tell(
                "udp:sent", self.name, source=endpoint((path.source, self.local[1])), to=endpoint(remote), len=len(data)
            )
        path.send([header.build(), data], length, now)
        length += path.header_length
        sent = self._sent
        if remote not in sent:
            if len(sent) >= self._ports.config.remotes_max:
                del sent[next(iter(sent))]
            sent[remote] = length
        elif sent[remote] < length:
            sent[remote] = length
        self._ports.counters["udpOutDatagrams"] += 1
        return len(data)

    def send_segments(self, data: bytes, remote: Address, now: float, size: int, source: bytes | None = None) -> int:
        """Send datagrams of `size` bytes each, the last one shorter; returns the number of bytes.

        See UDP_SEGMENT in udp(7). Raises as `send_to` for all of `data`, EMSGSIZE if a datagram of
        that size does not fit the path's MTU, and EINVAL for more than 128 datagrams.
        """
        length = len(data)
        if length > MAX_PAYLOAD:
            return self.send_to(data, remote, now, source)  # which raises
        path = self._prepare(remote, source, length, now, size)
        if path.header_length + HEADER_LENGTH + min(size, length) > path.mtu:
            raise os_error(errno.EMSGSIZE)
        if length > size * MOST_SEGMENTS:
            raise os_error(errno.EINVAL)
        for start in range(0, length or 1, size):
            self.send_to(data[start : start + size], remote, now, source)
        return length

    def gather(self, data: Buffer, remote: Address | None, now: float, *, more: bool, size: int = 0) -> int:
        """Add a part to a datagram; returns the number of bytes.

        Without `more`, send the datagram (MSG_MORE), or those that `size` makes of it. As in Linux,
        the `remote` of the first part is the destination (None: the connected peer), and a later
        `connect` changes it. Raises as `send` and `send_to` for the length so far; then the
        datagram is discarded.
        """
        if self.gathered is None:
            if remote is None:
                self._check_open()
                remote = self.remote
            if remote is None:
                raise os_error(errno.EDESTADDRREQ)
            self._gathered_for, gathered = remote, b""
        else:
            gathered, self.gathered = self.gathered, None
        gathered += data
        self._prepare(self._gathered_for, None, len(gathered), now, size)
        if more:
            self.gathered = gathered
        elif size:
            self.send_segments(gathered, self._gathered_for, now, size)
        else:
            self.send_to(gathered, self._gathered_for, now)
        return len(data)

    def _prepare(self, remote: Address, source: bytes | None, length: int, now: float, size: int = 0) -> Path:
        """Check that a datagram with `length` bytes of payload may be sent, and bind the endpoint.

        With `size` it is to be cut, and the MTU is not looked at.

        Returns the path, which is kept for the next datagram to the same destination. Raises as
        `send_to`.
        """
        self._check_open()
        if self.error:
            raise os_error(self.take_error())
        if not 0 < remote[1] <= 65535 and remote is not self.remote:
            raise os_error(errno.EINVAL)
        if length > MAX_PAYLOAD and (self.special is None or length > LARGEST_LENGTH):
            raise os_error(errno.EMSGSIZE)
        destination = remote[0]
        if source is None and self.local[0] not in (ANY, BROADCAST):
            source = self.local[0]
        key = (source, destination, self.ttl)
        path = self._paths.pop(key, None)
        if path is None:
            while len(self._paths) >= self._ports.config.paths_max:
                self._paths.pop(next(iter(self._paths))).close()
            path = self._ports.open_path(
                source, destination, ttl=self.ttl, tos=self.tos, options=self.options, now=now, way=self.special
            )
            path.user = self
        path.tos = self.tos
        self._paths[key] = path
        if self.special is not None and not size:
            self.special.fit(self, path, remote, path.header_length + HEADER_LENGTH + length, now)
        if path.broadcast and not self.broadcast:
            raise os_error(errno.EACCES)
        if not self.local[1]:
            self._ports.bind(self, (self.local[0], 0), remote)
        return path

    @property
    def remembered(self) -> int:
        """How many remotes are remembered (see `largest_sent`)."""
        return len(self._sent)

    def largest_sent(self, remote: Address) -> int:
        """The length of the largest datagram sent to `remote`, IP header included; or 0.

        An ICMP error must be about a datagram that was sent: one to a remembered remote, and not
        longer than this.
        """
        return self._sent.get(remote, 0)

    def set_options(self, options: bytes) -> None:
        """Set the raw IP options, padded to 4 bytes, of the datagrams to come.

        See RFC 1122 section 4.1.3.2.
        """
        self.options = options
        self._close_paths()

    def _close_paths(self) -> None:
        for path in self._paths.values():
            path.close()
        self._paths.clear()

    # --- receiving

    @property
    def queued(self) -> int:
        """How many datagrams wait to be read."""
        return len(self._queue)

    @property
    def readable(self) -> bool:
        """Whether `receive` would return a datagram or raise an error."""
        return bool(self._queue or self.error or self.closed or self._ports.shutdown_error)

    def receive(self) -> tuple[bytes, Address] | None:
        """The payload and sender of the next datagram; None when none waits.

        Raises OSError: a pending error (ECONNREFUSED, ...), EBADF.
        """
        datagram = self.receive_datagram()
        return None if datagram is None else (datagram.data, datagram.remote)

    def receive_datagram(self) -> Datagram | None:
        """The next datagram, as `receive`, with all its attributes."""
        self._check_open()
        self._raise_pending()
        if not self._queue:
            return None
        datagram = self._queue.popleft()
        charge = len(datagram.data) + self._ports.config.receive_overhead_bytes
        self.queued_bytes -= charge
        if datagram.charged:
            self._ports.budget.charge(datagram.remote[0], -charge)
        if self._ports.trace.on:
            self._tell_call("RECEIVE", len=len(datagram.data), remote=endpoint(datagram.remote), queued=self.queued)
        return datagram

    def peek(self) -> Datagram | None:
        """The next datagram, which stays in the queue (MSG_PEEK). Raises as `receive`."""
        self._check_open()
        self._raise_pending()
        return self._queue[0] if self._queue else None

    def deliver(self, datagram: Datagram) -> str:
        """Queue a datagram.

        Returns "", or the reason why it is dropped. Only `UdpPorts` calls this. The first
        `least_buffer_bytes` of a queue are part of what the endpoint is charged; the rest is
        charged to its sender.
        """
        charge = len(datagram.data) + self._ports.config.receive_overhead_bytes
        waiting = self.queued_bytes + charge
        if waiting > self.receive_bytes and self._queue:
            return "udp_queue_full"
        budget = self._ports.budget
        if waiting > budget.least:
            sender = datagram.remote[0]
            if budget.tight and budget.left(sender) < charge:
                return "udp_no_memory"
            budget.charge(sender, charge)
            datagram.charged = True
        was_readable = self.readable
        self._queue.append(datagram)
        self.queued_bytes = waiting
        if not was_readable:
            self.on_readable()
        return ""

    # --- errors

    def take_error(self) -> int:
        """Return and clear the pending errno (SO_ERROR)."""
        error, self.error = self.error, 0
        return error

    def specially(self) -> Special:
        """`special`, made if there is none yet."""
        if self.special is None:
            self.special = Special()
            self._close_paths()  # which do not know it
        return self.special

    def set_discover(self, discover: int) -> None:
        """Set IP_MTU_DISCOVER: a number from `special.DONT` to `special.OMIT`. OSError: EINVAL."""
        if not 0 <= discover <= OMIT:
            raise os_error(errno.EINVAL)
        if self.special is None and not discover:
            return
        self.specially().discover = discover
        self._close_paths()

    def set_stamps(self, stamps: int) -> None:
        """Set whether the program asks for times of arrival; see `Special.stamps`."""
        if self.special is not None or stamps:
            self.specially().stamps = stamps
            self._ports.epoch += 1  # a fast path does not note the time

    @property
    def reuse_port(self) -> bool:
        """SO_REUSEPORT: it shares its port with others that have it, and the flows with them."""
        return self.special is not None and self.special.reuse_port

    @reuse_port.setter
    def reuse_port(self, wanted: bool) -> None:
        if wanted or self.special is not None:
            self.specially().reuse_port = wanted
            self._ports.epoch += 1

    def set_way(self, *, direct: bool | None = None, device: int | None = None) -> None:
        """Set `direct` (SO_DONTROUTE), or else the `device` (SO_BINDTODEVICE) of `special`.

        The device is an interface's index, -1 for any. It is the only one for input and output.
        """
        special = self.specially()
        if direct is not None:
            special.direct = direct
        elif device is not None:
            special.device = device if device >= 0 else None
            self._ports.epoch += 1
        self._close_paths()

    @property
    def device(self) -> int | None:
        """The index of the interface that it is bound to (SO_BINDTODEVICE); None for any."""
        return None if self.special is None else self.special.device

    def set_queue_errors(self, wanted: bool) -> None:
        """Set IP_RECVERR. Without it the queue of errors is emptied; a pending error stays."""
        if self.special is None and not wanted:
            return
        special = self.specially()
        special.queue_errors = wanted
        while not wanted and special.errors:
            self._pop_error(special)

    @property
    def errors_queued(self) -> int:
        """How many errors wait to be read (IP_RECVERR)."""
        return 0 if self.special is None else len(self.special.errors)

    def queue_error(self, error: QueuedError) -> None:
        """Add to the queue of errors, which shares the memory of the receive queue.

        If that is full, the error is dropped. It is charged to the remote, as datagrams are.
        """
        special, ports = self.specially(), self._ports
        charge = len(error.data) + ports.config.receive_overhead_bytes
        waiting = self.queued_bytes + charge
        if waiting > self.receive_bytes and self.queued_bytes:
            ports.counters.drop("udp_errors_full")
            return
        if waiting > ports.budget.least:
            sender = error.remote[0]
            if ports.budget.tight and ports.budget.left(sender) < charge:
                ports.counters.drop("udp_errors_full")
                return
            ports.budget.charge(sender, charge)
            error.charged = True
        self.queued_bytes = waiting
        special.errors.append(error)
        self.on_readable()

    def take_queued_error(self) -> QueuedError | None:
        """The first of the queue of errors (MSG_ERRQUEUE); None if it is empty.

        As in Linux, the pending error is then that of the next ICMP error in the queue, or none.
        """
        self._check_open()
        special = self.special
        if special is None or not special.errors:
            return None
        error = self._pop_error(special)
        if special.errors and special.errors[0].origin == ICMP:
            self.error = special.errors[0].errno
        elif error.origin == ICMP:
            self.error = 0
        return error

    def _pop_error(self, special: Special) -> QueuedError:
        error = special.errors.popleft()
        charge = len(error.data) + self._ports.config.receive_overhead_bytes
        self.queued_bytes -= charge
        if error.charged:
            self._ports.budget.charge(error.remote[0], -charge)
        return error

    def _raise_pending(self) -> None:
        if self.error:
            error = self.take_error()
            raise os_error(error)

    def path_failed(self, error: int) -> None:
        """An earlier datagram could not be sent, or was refused (RFC 1122 section 4.1.3.3).

        Only a connected endpoint reports it. On an unconnected one a program could not tell which
        destination the error is about.
        """
        if self.remote is not None and not self.closed:
            self.error_pending(error)

    def error_pending(self, error: int) -> None:
        """Let the next call raise this errno."""
        was_readable = self.readable
        self.error = error
        if not was_readable:
            self.on_readable()

    def path_mtu_changed(self, now: float) -> None:
        """Do nothing: IP fragments datagrams that are larger than the new MTU."""

    def address_gone(self, address: bytes) -> None:
        """An address is no longer ours. An endpoint stays bound to it, since it may come back.

        As in Linux, `receive` still waits, and sending fails with ENETUNREACH until then. An
        endpoint that is not bound to an address sends from another one.
        """
        for key in [key for key, path in self._paths.items() if path.source == address]:
            self._paths.pop(key).close()

    def close(self) -> None:
        """Release the port, the paths and the unread datagrams. A second call does nothing."""
        if self.closed:
            return
        if self._ports.trace.on:
            self._tell_call("CLOSE")
        was_readable = self.readable
        self.closed = True
        self._ports.forget(self)
        self._close_paths()
        self._sent.clear()
        overhead = self._ports.config.receive_overhead_bytes
        for datagram in self._queue:
            if datagram.charged:
                self._ports.budget.charge(datagram.remote[0], -len(datagram.data) - overhead)
        self._queue.clear()
        while self.special is not None and self.special.errors:
            self._pop_error(self.special)
        self.queued_bytes = 0
        self.gathered = None
        if not was_readable:
            self.on_readable()
