"""The socket calls of a script, with the results and errnos that a program in C would see.

The host's sockets have trio's interface: a call blocks until it is done. For a nonblocking socket
the interpreter cancels a call that would block; `Progress` says how much it had done by then.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf

import trio

import stack

from . import symbols
from .descriptors import Arguments, Descriptor, Descriptors, Record, os_error
from .matching import Row
from .messages import octets_and_flags
from .options import Settings
from .script import Call, Struct
from .sockopts import expected_value, given_value, shown_value
from .wire import HOST_PATTERN, PEER_PATTERN, Flow, Wire, octets

CHUNK = 1 << 18  # the most octets that a write generates at a time
POLLED = symbols.POLLIN | symbols.POLLOUT


@dataclass(slots=True)
class Progress:
    """The octets that the host has taken from a write so far: its result if it is cancelled."""

    done: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What a call returned; `outputs` compares what it stored through its arguments."""

    value: int
    errno: int = 0
    outputs: tuple[Row, ...] = ()


Runnable = Callable[[Progress], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call that is ready to run. `blocks`: it may block, unless its descriptor is nonblocking."""

    run: Runnable
    blocks: bool
    descriptor: Descriptor | None = None


class Calls:
    """The socket calls of one script. `changed` is unparked when a socket may have become ready."""

    def __init__(self, host: stack.Host, wire: Wire, settings: Settings) -> None:
        self.files = Descriptors()
        self.changed = trio.lowlevel.ParkingLot()
        self._host = host
        self._wire = wire
        self._settings = settings
        self._table: dict[str, Callable[[Arguments], PreparedCall]] = {
            "socket": self._socket,
            "bind": self._bind,
            "listen": self._listen,
            "accept": self._accept,
            "accept4": self._accept,
            "connect": self._connect,
            "read": self._read,
            "recv": self._read,
            "recvfrom": self._read,
            "readv": self._read,
            "recvmsg": self._read,
            "write": self._write,
            "send": self._write,
            "sendto": self._write,
            "writev": self._write,
            "sendmsg": self._write,
            "shutdown": self._shutdown,
            "close": self._close,
            "setsockopt": self._setsockopt,
            "getsockopt": self._getsockopt,
            "fcntl": self._fcntl,
            "ioctl": self._ioctl,
            "poll": self._poll,
        }

    def prepare(self, line: int, call: Call) -> PreparedCall:
        """Return the call, ready to run.

        Raises ScriptError or Unsupported, and OSError (EBADF) if it names no open descriptor.
        """
        arguments = Arguments(line, call)
        if call.name not in self._table:
            raise arguments.unsupported("this runner does not have the call")
        if not isinstance(call.result, int):
            raise arguments.error("the result must be a number")
        return self._table[call.name](arguments)

    # --- creating and connecting sockets

    def _socket(self, arguments: Arguments) -> PreparedCall:
        arguments.count(3)
        if arguments.at(0) not in (..., int(stdlib.AF_INET)):
            raise arguments.unsupported("only the family AF_INET is supported")
        kind, proto = arguments.integer(1), arguments.integer(2)
        nonblocking = bool(kind & symbols.SOCK_NONBLOCK)
        kind &= ~(symbols.SOCK_NONBLOCK | symbols.SOCK_CLOEXEC)
        if kind not in (stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM):
            raise arguments.unsupported("only SOCK_STREAM and SOCK_DGRAM are supported")

        async def run(_: Progress) -> Result:
            made = self._host.socket(stdlib.AF_INET, kind, proto)
            return Result(self.files.add(Descriptor(made, kind == stdlib.SOCK_STREAM, nonblocking)))

        return PreparedCall(run, False)

    def _address(self, arguments: Arguments, place: int, default: tuple[str, int]) -> tuple[str, int]:
        """Return the address in argument `place`; `...` stands for `default`."""
        value = arguments.at(place)
        if value is ...:
            return default
        if not isinstance(value, Struct) or value.kind != "sockaddr":
            raise arguments.error(f"argument {place + 1} must be an address")
        family, port, host = (value.fields.get(name) for name in ("sa_family", "sin_port", "sin_addr"))
        if family != stdlib.AF_INET or not isinstance(port, int) or not 0 <= port <= 65535:
            raise arguments.unsupported("only IPv4 addresses with a port are supported")
        if host == 0:
            return "0.0.0.0", port
        try:
            return stdlib.inet_ntoa(stdlib.inet_aton((host if isinstance(host, bytes) else b"?").decode())), port
        except (OSError, UnicodeError):
            raise arguments.error("inet_addr() must have an IPv4 address in quotes") from None

    def _bind(self, arguments: Arguments) -> PreparedCall:
        arguments.count(3)
        descriptor = self.files.get(arguments.integer(0))
        address = self._address(arguments, 1, (self._settings.local_ip, self._settings.bind_port))

        async def run(_: Progress) -> Result:
            await descriptor.socket.bind(address)
            if not descriptor.stream:
                ports = descriptor.socket.getsockname()[1], self._settings.peer_port
                self._wire.current = descriptor.flow = self._wire.flow(ports)
            return Result(0)

        return PreparedCall(run, False, descriptor)

    def _listen(self, arguments: Arguments) -> PreparedCall:
        arguments.count(2)
        descriptor, backlog = self.files.get(arguments.integer(0)), arguments.integer(1)

        async def run(_: Progress) -> Result:
            descriptor.socket.listen(backlog)
            self._wire.listen_port = descriptor.socket.getsockname()[1]
            return Result(0)

        return PreparedCall(run, False, descriptor)

    def _accept(self, arguments: Arguments) -> PreparedCall:
        flags = arguments.integer(3) if arguments.count(3, 4) == 4 else 0
        descriptor = self.files.get(arguments.integer(0))
        arguments.unspecified(1)

        async def run(_: Progress) -> Result:
            taken, peer = await descriptor.socket.accept()
            ports = taken.getsockname()[1], peer[1]
            new = Descriptor(taken, True, bool(flags & symbols.SOCK_NONBLOCK), flow=self._wire.flow(ports))
            new.inline = descriptor.inline
            return Result(self.files.add(new))

        return PreparedCall(run, True, descriptor)

    def _connect(self, arguments: Arguments) -> PreparedCall:
        arguments.count(3)
        descriptor = self.files.get(arguments.integer(0))
        address = self._address(arguments, 1, (self._settings.remote_ip, self._settings.connect_port))

        async def run(_: Progress) -> Result:
            if descriptor.connecting:
                raise os_error(errno.EALREADY)
            self._raise_connect_error(descriptor)
            if descriptor.connect_unreported:
                descriptor.connect_unreported = False
                return Result(0)
            descriptor.connecting = True
            try:
                await descriptor.socket.connect(address)
            finally:
                descriptor.connecting = False
            ports = descriptor.socket.getsockname()[1], address[1]
            descriptor.flow = self._wire.flow(ports)
            if not descriptor.stream:
                self._wire.current = descriptor.flow
            return Result(0)

        return PreparedCall(run, True, descriptor)

    def _raise_connect_error(self, descriptor: Descriptor) -> None:
        """Raise the error of a nonblocking connect, once: the next call reports it."""
        error, descriptor.connect_error = descriptor.connect_error, 0
        if error:
            descriptor.connect_unreported = False
            raise os_error(error)

    # --- data

    def _read(self, arguments: Arguments) -> PreparedCall:
        descriptor = self.files.get(arguments.integer(0))
        size, flags = octets_and_flags(arguments, reading=True)

        async def run(_: Progress) -> Result:
            self._raise_connect_error(descriptor)
            try:
                data = await descriptor.socket.recv(size, flags)
            except OSError as error:
                raise _unsupported_if_refused(arguments, error, flags) from None
            return Result(len(data), 0, self._check_data(descriptor, data, flags))

        return PreparedCall(run, not flags & symbols.MSG_DONTWAIT, descriptor)

    def _check_data(self, descriptor: Descriptor, data: bytes, flags: int) -> tuple[Row, ...]:
        """Compare the data of a read with the peer's stream; a row for data that differs.

        An urgent octet may be missing from it, since it is read out of band.
        """
        if flags & stdlib.MSG_OOB:
            return ()
        at = descriptor.read_at if descriptor.stream else 0
        urgent = [] if descriptor.inline or descriptor.flow is None else descriptor.flow.urgent
        wanted = bytearray(octets(PEER_PATTERN, at, len(data)))
        end = at + len(data)
        for place in sorted(urgent):
            if at <= place < end and bytes(wanted) != data:
                del wanted[place - at]
                wanted += octets(PEER_PATTERN, end, 1)
                end += 1
        if not flags & stdlib.MSG_PEEK:
            descriptor.read_at = end
        if bytes(wanted) == data:
            return ()
        return (Row("data", "the peer's octets, in order", "other octets", True),)

    def _write(self, arguments: Arguments) -> PreparedCall:
        descriptor = self.files.get(arguments.integer(0))
        size, flags = octets_and_flags(arguments, reading=False)
        address: tuple[str, int] | None = None
        if arguments.call.name == "sendto" and not (descriptor.stream and not flags & symbols.MSG_FASTOPEN):
            address = self._address(arguments, 4, (self._settings.remote_ip, self._settings.connect_port))

        async def run(progress: Progress) -> Result:
            self._raise_connect_error(descriptor)
            sending = descriptor.socket
            data = octets(HOST_PATTERN, descriptor.written, min(size, CHUNK))
            try:
                if address is not None:
                    progress.done = await sending.sendto(data, flags, address)
                    _count_written(descriptor, progress.done, flags)
                    return Result(progress.done)
                while True:
                    taken = await sending.send(data, flags)
                    progress.done += taken
                    _count_written(descriptor, taken, flags)
                    if not descriptor.stream:
                        return Result(progress.done)
                    if progress.done >= size:
                        return Result(progress.done)
                    data = octets(HOST_PATTERN, descriptor.written, min(size - progress.done, CHUNK))
            except OSError as error:
                raise _unsupported_if_refused(arguments, error, flags) from None

        return PreparedCall(run, not flags & symbols.MSG_DONTWAIT, descriptor)

    # --- shutdown, close, options and flags

    def _shutdown(self, arguments: Arguments) -> PreparedCall:
        arguments.count(2)
        descriptor, how = self.files.get(arguments.integer(0)), arguments.integer(1)

        async def run(_: Progress) -> Result:
            descriptor.socket.shutdown(how)
            return Result(0)

        return PreparedCall(run, False, descriptor)

    def _close(self, arguments: Arguments) -> PreparedCall:
        arguments.count(1)
        number = arguments.integer(0)
        self.files.get(number)

        async def run(_: Progress) -> Result:
            self.files.close(number)
            return Result(0)

        return PreparedCall(run, False)

    def _setsockopt(self, arguments: Arguments) -> PreparedCall:
        arguments.count(5)
        descriptor = self.files.get(arguments.integer(0))
        level, name = arguments.integer(1), arguments.integer(2)
        value = given_value(arguments, 3, arguments.size(4, 1024))

        async def run(_: Progress) -> Result:
            try:
                descriptor.socket.setsockopt(level, name, value)
            except OSError as error:
                raise _unsupported_if_refused(arguments, error, 0) from None
            if (level, name) == (stdlib.SOL_SOCKET, stdlib.SO_OOBINLINE):
                descriptor.inline = any(value)
            return Result(0)

        return PreparedCall(run, False, descriptor)

    def _getsockopt(self, arguments: Arguments) -> PreparedCall:
        arguments.count(5)
        descriptor = self.files.get(arguments.integer(0))
        level, name = arguments.integer(1), arguments.integer(2)
        wanted, length = expected_value(arguments, 3, 4)

        async def run(_: Progress) -> Result:
            if (level, name) == (stdlib.SOL_SOCKET, stdlib.SO_ERROR) and descriptor.connect_error:
                pending, descriptor.connect_error, descriptor.connect_unreported = descriptor.connect_error, 0, False
                data = pending.to_bytes(4, "little")
            else:
                try:
                    data = descriptor.socket.getsockopt(level, name, length)
                except OSError as error:
                    raise _unsupported_if_refused(arguments, error, 0) from None
            if wanted is None:
                return Result(0)
            shown = shown_value(data)
            rows = (Row("value", str(wanted), str(shown), wanted != shown), Row("length", str(length), str(len(data))))
            return Result(0, 0, rows)

        return PreparedCall(run, False, descriptor)

    def _fcntl(self, arguments: Arguments) -> PreparedCall:
        arguments.count(2, 3)
        descriptor = self.files.get(arguments.integer(0))
        command = arguments.integer(1)
        if command not in (symbols.F_GETFL, symbols.F_SETFL):
            raise arguments.unsupported("only F_GETFL and F_SETFL are supported")
        if command == symbols.F_SETFL:
            flags = arguments.integer(2) if arguments.count(3) else 0
            if flags & ~(symbols.O_RDWR | symbols.O_NONBLOCK | symbols.O_WRONLY):
                raise arguments.unsupported("only the flag O_NONBLOCK can be set")

        async def run(_: Progress) -> Result:
            if command == symbols.F_SETFL:
                descriptor.nonblocking = bool(flags & symbols.O_NONBLOCK)
                return Result(0)
            return Result(symbols.O_RDWR | (symbols.O_NONBLOCK if descriptor.nonblocking else 0))

        return PreparedCall(run, False, descriptor)

    def _ioctl(self, arguments: Arguments) -> PreparedCall:
        arguments.count(3)
        descriptor = self.files.get(arguments.integer(0))
        request, wanted = arguments.integer(1), arguments.at(2)
        if request not in (symbols.SIOCINQ, symbols.SIOCOUTQ):
            raise arguments.unsupported("only SIOCINQ and SIOCOUTQ are supported")
        if not isinstance(wanted, list) or len(wanted) != 1 or not isinstance(wanted[0], int):
            raise arguments.error("argument 3 must be a list of one number, such as [100]")

        async def run(_: Progress) -> Result:
            record = self.record(descriptor)
            if record is None:
                raise os_error(errno.EINVAL)
            value = record.unread if request == symbols.SIOCINQ else record.unsent
            return Result(0, 0, (Row("value", str(wanted[0]), str(value), wanted[0] != value),))

        return PreparedCall(run, False, descriptor)

    def record(self, descriptor: Descriptor) -> Record | None:
        """Return the host's record of the descriptor's connection; None if it has none."""
        return None if descriptor.flow is None else self._record(descriptor.flow)

    def is_open(self, flow: Flow) -> bool:
        """Whether the host has a connection with these ports that is not in TIME-WAIT."""
        record = self._record(flow)
        return record is not None and record.state != "TIME-WAIT"

    def _record(self, flow: Flow) -> Record | None:
        local, remote = f":{flow.ports[0]}", f":{flow.ports[1]}"
        for record in self._host.connections():
            if record.remote is not None and record.local.endswith(local) and record.remote.endswith(remote):
                return record
        return None

    # --- poll

    def _poll(self, arguments: Arguments) -> PreparedCall:
        arguments.count(3)
        entries, timeout_ms = arguments.at(0), arguments.integer(2)
        if not isinstance(entries, list) or len(entries) != arguments.integer(1):
            raise arguments.error("argument 1 must be a list, and argument 2 its length")
        polled: list[tuple[Descriptor, int, int]] = []
        for entry in entries:
            if not isinstance(entry, Struct) or entry.kind != "pollfd":
                raise arguments.error("argument 1 must be a list of {fd=..., events=..., revents=...}")
            number, events, revents = (entry.fields.get(name, 0) for name in ("fd", "events", "revents"))
            if not isinstance(number, int) or not isinstance(events, int) or not isinstance(revents, int):
                raise arguments.error("fd, events and revents must be numbers")
            if (events | revents) & ~POLLED:
                raise arguments.unsupported("only POLLIN and POLLOUT are supported")
            polled.append((self.files.get(number), events, revents))

        async def run(_: Progress) -> Result:
            ready = [0] * len(polled)
            with trio.move_on_after(inf if timeout_ms < 0 else timeout_ms / 1000):
                while True:
                    ready = [await self._ready(descriptor, events) for descriptor, events, _ in polled]
                    if any(ready) or not timeout_ms:
                        break
                    await self.changed.park()
            rows = tuple(
                Row("revents", str(wanted), str(found), wanted != found)
                for (_, _, wanted), found in zip(polled, ready, strict=True)
            )
            return Result(sum(map(bool, ready)), 0, rows)

        return PreparedCall(run, bool(timeout_ms))

    async def _ready(self, descriptor: Descriptor, events: int) -> int:
        """Return those of the requested poll() events that are true now."""
        found = 0
        if events & symbols.POLLIN and not descriptor.connecting and descriptor.socket.is_readable():
            found |= symbols.POLLIN
        if events & symbols.POLLOUT and not descriptor.connecting and await _is_writable(descriptor.socket):
            found |= symbols.POLLOUT
        return found


async def _is_writable(sock: trio.socket.SocketType) -> bool:
    """Whether `wait_writable` returns at once: within three passes of trio's loop."""
    writable = False

    async def look() -> None:
        nonlocal writable
        try:
            await sock.wait_writable()
        except trio.BusyResourceError:
            return  # another call is waiting to send
        writable = True

    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    return writable


def _count_written(descriptor: Descriptor, count: int, flags: int) -> None:
    """Move the place of the next octet to write.

    In a stream it moves on. Each datagram begins at 0, but one that MSG_MORE collects goes on.
    """
    descriptor.written = descriptor.written + count if descriptor.stream or flags & symbols.MSG_MORE else 0


def _unsupported_if_refused(arguments: Arguments, error: OSError, flags: int) -> Exception:
    """Return Unsupported if the stack does not have the refused option or flag, else `error`.

    A script that expects this very errno gets the error itself.
    """
    refusals = {errno.ENOPROTOOPT: "this socket option", errno.EOPNOTSUPP: "these flags" if flags else ""}
    what = refusals.get(error.errno or 0)
    if what and arguments.call.errno != symbols.errno_name(error.errno or 0):
        return arguments.unsupported(f"the stack does not support {what}")
    return error
