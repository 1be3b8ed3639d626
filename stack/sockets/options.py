"""Socket options: what programs may set and ask, with the kernel's numbers, sizes, ranges and errors.

See getsockopt in POSIX.1-2017, and socket(7), tcp(7) and ip(7) for what Linux makes of it. An option that is not in the
tables below raises OSError(ENOPROTOOPT).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from struct import Struct
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from stack.tcp import pacing

if TYPE_CHECKING:
    from typing_extensions import Buffer

# What an option is inside the stack: a number, or None for one that is not set.
Value = float | None

C_INT = Struct("i")
C_INT_RANGE = range(-(1 << 31), 1 << 31)
C_LONG = Struct("Q")  # unsigned
LINGER = Struct("ii")  # struct linger: whether, and for how many seconds
UNLIMITED = 0xFFFF_FFFF

# What a getsockopt of the standard library takes, at the most.
LONGEST_ANSWER_BYTES = 1024

# Linux has it, the standard library does not name it.
SO_MAX_PACING_RATE = 47

# Linux: MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT, TCP_MIN_MSS and MAX_TCP_WINDOW.
LONGEST_KEEPALIVE_S = 32767
MOST_KEEPALIVE_PROBES = 127
SMALLEST_MSS, LARGEST_MSS = 88, 32767

# Linux's, which not every Python knows by name.
TCP_FASTOPEN_CONNECT = 30
UDP_CORK = 1
MSG_FASTOPEN = 0x2000_0000


def fail(error: int) -> NoReturn:
    """Raise the OSError of this errno, with the kernel's text."""
    raise OSError(error, os.strerror(error))


def _number(value: Value) -> tuple[int, ...]:
    return (int(value or 0),)


@dataclass(frozen=True, slots=True)
class Option:
    """One option: `name` is what the sockets call it.

    `decode` makes the value out of the C numbers given, or raises OSError(EINVAL) for what is out of range; an option
    without it can only be asked. `encode` is the way back. `layout` is what the numbers look like in a buffer; those
    of the IP level may be given as one byte as well (`byte`), and some as an unsigned long (`long`).
    """

    name: str
    decode: Callable[[tuple[int, ...]], Value] | None = None
    encode: Callable[[Value], tuple[int, ...]] = _number
    layout: Struct = C_INT
    byte: bool = False
    long: bool = False


def _flag(given: tuple[int, ...]) -> Value:
    return 1 if given[0] else 0


def _between(low: int, high: int) -> Callable[[tuple[int, ...]], Value]:
    def decode(given: tuple[int, ...]) -> Value:
        if not low <= given[0] <= high:
            fail(errno.EINVAL)
        return given[0]

    return decode


def _unsigned(given: tuple[int, ...]) -> Value:
    return given[0] & UNLIMITED


def _maximum_segment(given: tuple[int, ...]) -> Value:
    """0 takes the wish back."""
    return _between(SMALLEST_MSS, LARGEST_MSS)(given) if given[0] else 0


def _milliseconds(given: tuple[int, ...]) -> Value:
    """0 is the host's default."""
    if given[0] < 0:
        fail(errno.EINVAL)
    return given[0] / 1000 if given[0] else None


def _not_sent_lowat(given: tuple[int, ...]) -> Value:
    """0 is no limit, and so is -1: the kernel takes the number for an unsigned one."""
    return given[0] & UNLIMITED or UNLIMITED


def _rate(given: tuple[int, ...]) -> Value:
    """Octets a second; as a C int -1 means what the largest unsigned long means: no limit."""
    return pacing.UNLIMITED if given[0] == -1 else given[0] & UNLIMITED if given[0] < 0 else given[0]


def _linger(given: tuple[int, ...]) -> Value:
    on, seconds = given
    return float(seconds & UNLIMITED) if on else None


def _ttl(given: tuple[int, ...]) -> Value:
    """-1 is the host's default."""
    return None if given[0] == -1 else _between(1, 255)(given)


_KEEPALIVE_TIME = _between(1, LONGEST_KEEPALIVE_S)

GENERAL: dict[tuple[int, int], Option] = {
    (socket.SOL_SOCKET, socket.SO_REUSEADDR): Option("reuse_address", _flag),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): Option("keepalive", _flag),
    (socket.SOL_SOCKET, socket.SO_BROADCAST): Option("broadcast", _flag),
    (socket.SOL_SOCKET, socket.SO_LINGER): Option(
        "linger_s", _linger, lambda value: (0, 0) if value is None else (1, int(value)), LINGER
    ),
    (socket.SOL_SOCKET, socket.SO_RCVBUF): Option("rcvbuf", _unsigned),
    (socket.SOL_SOCKET, socket.SO_SNDBUF): Option("sndbuf", _unsigned),
    (socket.SOL_SOCKET, socket.SO_ERROR): Option("error"),
    (socket.SOL_SOCKET, socket.SO_ACCEPTCONN): Option("accepting"),
    (socket.SOL_SOCKET, socket.SO_TYPE): Option("kind"),
    (socket.SOL_SOCKET, socket.SO_DOMAIN): Option("domain"),
    (socket.SOL_SOCKET, socket.SO_PROTOCOL): Option("protocol"),
    (socket.IPPROTO_IP, socket.IP_TTL): Option("ttl", _ttl, byte=True),
}

DATAGRAM: dict[tuple[int, int], Option] = {
    **GENERAL,
    (socket.IPPROTO_IP, socket.IP_TOS): Option("tos", lambda given: given[0] & 0xFF, byte=True),
    (socket.IPPROTO_UDP, UDP_CORK): Option("cork", _flag),
}

STREAM: dict[tuple[int, int], Option] = {
    **GENERAL,
    # The two ECN bits of a connection belong to TCP (RFC 3168 section 6.1).
    (socket.IPPROTO_IP, socket.IP_TOS): Option("tos", lambda given: given[0] & 0xFC, byte=True),
    (socket.SOL_SOCKET, socket.SO_OOBINLINE): Option("oobinline", _flag),
    (socket.SOL_SOCKET, SO_MAX_PACING_RATE): Option(
        "max_pacing_rate", _rate, lambda value: (pacing.UNLIMITED if value is None else int(value),), long=True
    ),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY): Option("nodelay", _flag),
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG): Option("maxseg", _maximum_segment),
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT): Option(
        "notsent_lowat", _not_sent_lowat, lambda value: (0,) if value == UNLIMITED else _number(value)
    ),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): Option("keepalive_idle_s", _KEEPALIVE_TIME),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): Option("keepalive_interval_s", _KEEPALIVE_TIME),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): Option("keepalive_count", _between(1, MOST_KEEPALIVE_PROBES)),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): Option(
        "user_timeout_s", _milliseconds, lambda value: (round((value or 0) * 1000),)
    ),
    (socket.IPPROTO_TCP, socket.TCP_FASTOPEN): Option("fast_open_pending", _between(0, C_INT_RANGE[-1])),
    (socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT): Option("fast_open_connect", _between(0, 1)),
}


def find(table: dict[tuple[int, int], Option], level: int, number: int) -> Option:
    """The option of this level and number (enumerations will do); OSError(ENOPROTOOPT) when there is none."""
    if type(level) is not int or type(number) is not int:  # a float may be equal to a number, and is none
        level, number = index(level), index(number)
    option = table.get((level, number))
    return option if option is not None else fail(errno.ENOPROTOOPT)


def decode(option: Option, value: int | Buffer | None, length: int | None) -> Value:
    """The value that the last arguments of a setsockopt stand for.

    TypeError for what is neither a number nor a buffer, OSError(EINVAL) for a buffer that is too short or a value out
    of range, EFAULT for no buffer at all, ENOPROTOOPT for an option that can only be asked.
    """
    if value is None:
        if length is None:
            raise TypeError("invalid value for argument 'value', must not be None when specifying optlen")
        fail(errno.EFAULT)
    if length is not None:
        raise TypeError(f"invalid value for argument 'value': {value!r}, must be None when specifying optlen")
    given = _given(option, value)
    if option.decode is None:
        fail(errno.ENOPROTOOPT)
    return option.decode(given)


def _given(option: Option, value: int | Buffer) -> tuple[int, ...]:
    if isinstance(value, int) and option.layout is C_INT and int(value) in C_INT_RANGE:
        return (int(value),)  # nearly always; the rest, though right, takes twenty times as long
    if isinstance(value, SupportsIndex):
        number = index(value)
        if number not in C_INT_RANGE:
            raise TypeError("a bytes-like object is required, not 'int'")
        data = C_INT.pack(number)
    elif isinstance(value, (str, float)):
        raise TypeError(f"a bytes-like object is required, not '{type(value).__name__}'")
    else:
        data = bytes(memoryview(value))
    if option.byte and len(data) < C_INT.size:
        return (data[0] if data else 0,)
    if len(data) < option.layout.size:
        fail(errno.EINVAL)
    if option.long and len(data) >= C_LONG.size:
        return (C_LONG.unpack_from(data)[0],)
    given: tuple[int, ...] = option.layout.unpack_from(data)
    return given


def encode(option: Option, value: Value, length: int | None) -> int | bytes:
    """What a getsockopt answers: the first C int, or the first `length` bytes."""
    numbers = option.encode(value)
    if option.long:
        numbers = (min(numbers[0], UNLIMITED),)
    data = option.layout.pack(*(_as_c_int(number) for number in numbers))
    if not length:
        first: int = C_INT.unpack_from(data)[0]
        return first
    if not 0 < index(length) <= LONGEST_ANSWER_BYTES:
        raise OSError("getsockopt buflen out of range")
    if option.byte and length < C_INT.size:
        return data[:1] if sys.byteorder == "little" else data[C_INT.size - 1 :]
    if option.long and length >= C_LONG.size:
        return C_LONG.pack(*option.encode(value))
    return data[:length]


def _as_c_int(number: int) -> int:
    number &= UNLIMITED
    return number - (1 << 32) if number >> 31 else number
