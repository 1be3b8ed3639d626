"""What a packet script says, line by line: the records that the parser makes and the interpreter runs.

Times are in microseconds. Sequence and acknowledgment numbers are the script's own: relative to the first SYN of each
direction. `line` is where an event begins in the file, from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import EllipsisType


class ScriptError(Exception):
    """The script itself is wrong: what, and where."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message


class Unsupported(Exception):
    """The script is right, but asks for something that this runner or the stack does not have."""

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
    """The time of an event; `end_us` is the later end of a range, and `start_us` for a single time."""

    timing: Timing
    start_us: int = 0
    end_us: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """A TCP option by its name in the language; `values` are its numbers, or the octets of a cookie."""

    name: str
    values: tuple[int, ...] = ()
    octets: bytes = b""


@dataclass(frozen=True, slots=True)
class Ip:
    """What a line says of the IP header; None is not compared, and has its default in a packet that comes in."""

    ecn: str | None = None
    tos: int | None = None
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """What all packets have. `ports` are (source, destination) as the packet has them, None for the flow's own."""

    outbound: bool
    ip: Ip
    ports: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class TcpPacket(Packet):
    """A TCP segment. `options` is None for `<...>`: anything. `ack` and `window` are None where nothing is said."""

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
    """Which packet an ICMP error quotes: a protocol, for TCP the sequence number, and how many octets of data."""

    protocol: str
    seq: int
    length: int


@dataclass(frozen=True, slots=True)
class IcmpPacket(Packet):
    """An ICMP message. `mtu` belongs to `frag_needed`, `ident` to echoes; `raw` octets of data follow those."""

    kind: int
    code: int
    mtu: int | None
    ident: int | None
    quote: Quote | None
    raw: int | None


@dataclass(frozen=True, slots=True)
class Struct:
    """`{...}` with named fields: an address, a linger, a pollfd, an iovec, a msghdr."""

    kind: str
    fields: dict[str, Expression] = field(default_factory=dict)


Expression = int | bytes | EllipsisType | list["Expression"] | Struct


@dataclass(frozen=True, slots=True)
class Call:
    """A socket call with the result it must have. `end_us` is when a blocking call must return, else None."""

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
    """One line of a script: when, what, and the line as it stands in the file."""

    line: int
    when: When
    action: TcpPacket | UdpPacket | IcmpPacket | Call | Code
    text: str


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script: its `--name=value` options, each with its line, and its events in order."""

    options: tuple[tuple[int, str, str | None], ...]
    events: tuple[Event, ...]
