"""The records of a packet script, which the parser creates and the interpreter runs.

Times are in microseconds. Sequence and acknowledgment numbers are the script's: relative to the
first SYN of each direction. `line` is the line of the file where an event begins, from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import EllipsisType


class ScriptError(Exception):
    """The script is invalid. `line` and `column` say where; a column of 0 is not known."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message


class Unsupported(Exception):
    """The script is valid, but needs something that this runner or the stack does not have."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Timing(Enum):
    """How the time of an event is given: `0.1`, `+0.1`, `0.1~0.2`, `+0.1~+0.2` or `*`."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    ABSOLUTE_RANGE = "absolute range"
    RELATIVE_RANGE = "relative range"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class When:
    """The time of an event. `end_us` is the end of a range; for a single time it is `start_us`."""

    timing: Timing
    start_us: int = 0
    end_us: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """A TCP option by its name in a script. `values` has its numbers, `octets` a cookie."""

    name: str
    values: tuple[int, ...] = ()
    octets: bytes = b""


@dataclass(frozen=True, slots=True)
class Ip:
    """The fields of the IP header that a line names.

    A field of None is not compared, and has its default in an incoming packet.
    """

    ecn: str | None = None
    tos: int | None = None
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """The fields of every packet.

    `outbound`: the host sends it. `ports` is (source, destination), or None for the current flow's.
    """

    outbound: bool
    ip: Ip
    ports: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class TcpPacket(Packet):
    """A TCP segment. `ack` and `window` may be missing (None); `options` is None for `<...>`."""

    flags: int
    seq: int
    length: int
    ack: int | None
    window: int | None
    urgent: int
    options: tuple[Option, ...] | None


@dataclass(frozen=True, slots=True)
class UdpPacket(Packet):
    """A UDP datagram of `length` octets of data."""

    length: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The packet that an ICMP error quotes: protocol, sequence number (TCP), and octets of data."""

    protocol: str
    seq: int
    length: int


@dataclass(frozen=True, slots=True)
class IcmpPacket(Packet):
    """An ICMP message. `mtu` is for `frag_needed`, `ident` for echoes; `raw` counts data octets."""

    kind: int
    code: int
    mtu: int | None
    ident: int | None
    quote: Quote | None
    raw: int | None


@dataclass(frozen=True, slots=True)
class Struct:
    """A C structure in braces. `kind` is sockaddr, linger, pollfd, iovec or msghdr."""

    kind: str
    fields: dict[str, Expression] = field(default_factory=dict)


Expression = int | bytes | EllipsisType | list["Expression"] | Struct


@dataclass(frozen=True, slots=True)
class Call:
    """A socket call and its expected result. `end_us` is when a call that blocks must return."""

    name: str
    arguments: tuple[Expression, ...]
    result: Expression
    errno: str | None
    end_us: int | None


@dataclass(frozen=True, slots=True)
class Code:
    """The assertions of a `%{ }%` block."""

    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a script: its line, time, action, and text."""

    line: int
    when: When
    action: TcpPacket | UdpPacket | IcmpPacket | Call | Code
    text: str


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script: its options, each as (line, name, value), and its events in order."""

    options: tuple[tuple[int, str, str | None], ...]
    events: tuple[Event, ...]
