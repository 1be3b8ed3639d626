"""The descriptors of a script, numbered as the kernel would, and the arguments of calls."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import Protocol

import trio

from .script import Call, Expression, ScriptError, Unsupported
from .wire import Flow

FIRST = 3  # 0, 1 and 2 are standard input, output and error
MOST_OPEN = 1024


def os_error(error: int) -> OSError:
    """Return the OSError of an errno."""
    return OSError(error, os.strerror(error))


class Record(Protocol):
    """The part of a record of `Host.connections()` that scripts use."""

    @property
    def state(self) -> str: ...
    @property
    def unread(self) -> int: ...
    @property
    def unsent(self) -> int: ...
    @property
    def cwnd(self) -> int | None: ...
    @property
    def srtt_s(self) -> float | None: ...
    @property
    def rto_s(self) -> float | None: ...


@dataclass(slots=True)
class Descriptor:
    """One open socket.

    `read_at` is the place in the peer's stream of the next octet to read, and `written` that in the
    host's stream of the next octet to write.
    """

    socket: trio.socket.SocketType
    stream: bool
    nonblocking: bool = False
    read_at: int = 0
    written: int = 0
    flow: Flow | None = None
    inline: bool = False  # SO_OOBINLINE
    connecting: bool = False
    connect_unreported: bool = False  # a nonblocking connect has begun, and no call has reported its end
    connect_error: int = 0  # the errno of its failure


@dataclass(slots=True)
class Descriptors:
    """The table of open descriptors. `latest` is the one that a call used last."""

    open: dict[int, Descriptor] = field(default_factory=dict)
    latest: Descriptor | None = None

    def add(self, descriptor: Descriptor) -> int:
        """Return the lowest free number for a descriptor. Raises OSError EMFILE."""
        number = next(number for number in range(FIRST, FIRST + MOST_OPEN + 1) if number not in self.open)
        if number == FIRST + MOST_OPEN:
            descriptor.socket.close()
            raise os_error(errno.EMFILE)
        self.open[number] = self.latest = descriptor
        return number

    def get(self, number: int) -> Descriptor:
        """Return the descriptor of a number. Raises OSError EBADF."""
        if number not in self.open:
            raise os_error(errno.EBADF)
        self.latest = self.open[number]
        return self.latest

    def close(self, number: int) -> None:
        """Close a descriptor and free its number. Raises OSError EBADF."""
        self.get(number).socket.close()
        del self.open[number]

    def close_all(self) -> None:
        """Close every descriptor, at the end of the script."""
        for number in list(self.open):
            self.close(number)


class Arguments:
    """The arguments of a call. Each method that reads one raises ScriptError if its type is wrong.

    A `place` counts from 0; messages count from 1.
    """

    def __init__(self, line: int, call: Call) -> None:
        self.line = line
        self.call = call
        self._given = call.arguments

    def error(self, message: str) -> ScriptError:
        """Return a ScriptError that names this call."""
        return ScriptError(self.line, 0, f"{self.call.name}: {message}")

    def unsupported(self, what: str) -> Unsupported:
        """Return an Unsupported error that names this call."""
        return Unsupported(self.line, f"{self.call.name}: {what}")

    def count(self, *numbers: int) -> int:
        """Return the number of arguments, which must be one of `numbers`."""
        if len(self._given) not in numbers:
            raise self.error(f"the call takes {' or '.join(map(str, numbers))} arguments, not {len(self._given)}")
        return len(self._given)

    def at(self, place: int) -> Expression:
        """Return an argument of any type."""
        return self._given[place]

    def integer(self, place: int) -> int:
        """Return an argument that must be a number."""
        value = self._given[place]
        if not isinstance(value, int):
            raise self.error(f"argument {place + 1} must be a number")
        return value

    def size(self, place: int, most: int = 1 << 26) -> int:
        """Return an argument that must be a number of octets, at most `most`."""
        value = self.integer(place)
        if not 0 <= value <= most:
            raise self.error(f"argument {place + 1} must be 0 to {most} octets, not {value}")
        return value

    def unspecified(self, place: int) -> None:
        """Check that an argument is `...`: the runner generates the data of each buffer itself."""
        if self._given[place] is not ...:
            raise self.unsupported(f"argument {place + 1} other than ...")
