"""The files that a script has open: a socket each, under the number that the kernel would give it."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import Protocol

import trio

from .script import Call, Expression, ScriptError, Unsupported
from .wire import Flow

FIRST = 3  # behind standard input, output and error
MOST_OPEN = 1024


def os_error(error: int) -> OSError:
    """The error of this errno."""
    return OSError(error, os.strerror(error))


class Record(Protocol):
    """What `Host.connections()` tells of a connection, as far as scripts ask for it."""

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
    """One open socket. `read_at` is the place of the next octet in the peer's stream, None where it is not known."""

    socket: trio.socket.SocketType
    stream: bool
    nonblocking: bool = False
    read_at: int | None = 0
    written: int = 0
    flow: Flow | None = None
    inline: bool = False  # SO_OOBINLINE
    connecting: bool = False
    connect_unreported: bool = False  # the end of a connect that did not block was not told yet
    connect_error: int = 0  # the errno that ended it


@dataclass(slots=True)
class Descriptors:
    """The table of open files."""

    open: dict[int, Descriptor] = field(default_factory=dict)
    latest: Descriptor | None = None

    def add(self, descriptor: Descriptor) -> int:
        """Give it the lowest number that is free. OSError EMFILE."""
        number = next(number for number in range(FIRST, FIRST + MOST_OPEN + 1) if number not in self.open)
        if number == FIRST + MOST_OPEN:
            descriptor.socket.close()
            raise os_error(errno.EMFILE)
        self.open[number] = self.latest = descriptor
        return number

    def get(self, number: int) -> Descriptor:
        """The descriptor of a number. OSError EBADF."""
        if number not in self.open:
            raise os_error(errno.EBADF)
        self.latest = self.open[number]
        return self.latest

    def close(self, number: int) -> None:
        """Close it and forget its number. OSError EBADF."""
        self.get(number).socket.close()
        del self.open[number]

    def close_all(self) -> None:
        """The script is over."""
        for number in list(self.open):
            self.close(number)


class Arguments:
    """What a call is given, each argument asked for by its place; ScriptError for what it cannot be."""

    def __init__(self, line: int, call: Call) -> None:
        self.line = line
        self.call = call
        self._given = call.arguments

    def error(self, message: str) -> ScriptError:
        """The error of this call."""
        return ScriptError(self.line, 0, f"{self.call.name}: {message}")

    def unsupported(self, what: str) -> Unsupported:
        """This call asks for something that is not to be had."""
        return Unsupported(self.line, f"{self.call.name}: {what}")

    def count(self, *numbers: int) -> int:
        """How many there are: one of `numbers`."""
        if len(self._given) not in numbers:
            raise self.error(f"it has {' or '.join(map(str, numbers))} arguments, not {len(self._given)}")
        return len(self._given)

    def at(self, place: int) -> Expression:
        """An argument as it is."""
        return self._given[place]

    def integer(self, place: int) -> int:
        """A number."""
        value = self._given[place]
        if not isinstance(value, int):
            raise self.error(f"argument {place + 1} is a number")
        return value

    def size(self, place: int, most: int = 1 << 26) -> int:
        """A number of octets."""
        value = self.integer(place)
        if not 0 <= value <= most:
            raise self.error(f"a size is 0 to {most} octets")
        return value

    def unspecified(self, place: int) -> None:
        """`...`, for a buffer whose content is the runner's own."""
        if self._given[place] is not ...:
            raise self.unsupported(f"argument {place + 1} is written ... here")
