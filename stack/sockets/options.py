"""Socket options: those that programs may set and read, with the kernel's numbers and errors.

See getsockopt in POSIX.1-2017, and socket(7), tcp(7) and ip(7) for Linux's sizes and ranges. An
option that is not in the tables below raises OSError(ENOPROTOOPT).
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

    from stack.config import Config

# The value of an option inside the stack: a number, or None if it is not set.
Value = float | None

C_INT = Struct("i")
C_INT_RANGE = range(-(1 << 31), 1 << 31)
C_LONG = Struct("Q")  # unsigned
LINGER = Struct("ii")  # struct linger: on or off, and the number of seconds
UNLIMITED = 0xFFFF_FFFF

# The largest `buflen` that the standard library's getsockopt accepts.
LONGEST_ANSWER_BYTES = 1024

# An option of Linux that the standard library does not name.
SO_MAX_PACING_RATE = 47

# Linux: MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT, TCP_MIN_MSS and MAX_TCP_WINDOW.
LONGEST_KEEPALIVE_S = 32767
MOST_KEEPALIVE_PROBES = 127
SMALLEST_MSS, LARGEST_MSS = 88, 32767

# Constants of Linux that some versions of Python do not name.
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
    """One option. `name` is its name in the sockets' code.

    decode: makes the value from the C numbers that were passed, or raises OSError(EINVAL) for one
      out of range. An option without `decode` can only be read.
    encode: makes the C numbers from the value.
    layout: the layout of the numbers in a buffer.
    byte: the option may also be passed as one byte, as those of the IP level.
    long: the option may also be passed as an unsigned long.
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
    """0 removes the limit that the program has set."""
    return _between(SMALLEST_MSS, LARGEST_MSS)(given) if given[0] else 0


def _milliseconds(given: tuple[int, ...]) -> Value:
    """Seconds; 0 means the host's default."""
    if given[0] < 0:
        fail(errno.EINVAL)
    return given[0] / 1000 if given[0] else None


def _not_sent_lowat(given: tuple[int, ...]) -> Value:
    """0 and -1 mean no limit: the kernel reads -1 as an unsigned number."""
    return given[0] & UNLIMITED or UNLIMITED


def _rate(given: tuple[int, ...]) -> Value:
    """Octets per second. -1 means no limit: it is the largest unsigned long, passed as a C int."""
    return pacing.UNLIMITED if given[0] == -1 else given[0] & UNLIMITED if given[0] < 0 else given[0]


def _linger(given: tuple[int, ...]) -> Value:
    on, seconds = given
    return float(seconds & UNLIMITED) if on else None


def _ttl(given: tuple[int, ...]) -> Value:
    """-1 means the host's default."""
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
    """The option with this level and number, which may be enums. OSError(ENOPROTOOPT) for none."""
    if type(level) is not int or type(number) is not int:  # a float can equal an int, and must be refused
        level, number = index(level), index(number)
    option = table.get((level, number))
    return option if option is not None else fail(errno.ENOPROTOOPT)


def default(config: Config, name: str) -> Value:
    """The value of an option in a new connection, for a TCP socket that has none yet."""
    tcp = config.tcp
    defaults: dict[str, Value] = {
        "rcvbuf": tcp.receive_buffer_bytes,
        "sndbuf": tcp.send_buffer_bytes,
        "notsent_lowat": tcp.notsent_lowat_bytes,
        "keepalive_idle_s": tcp.keepalive_idle_s,
        "keepalive_interval_s": tcp.keepalive_interval_s,
        "keepalive_count": tcp.keepalive_count,
        "ttl": config.ip.ttl,
    }
    return defaults.get(name)


def decode(option: Option, value: int | Buffer | None, length: int | None) -> Value:
    """The value that the last arguments of setsockopt stand for.

    TypeError if `value` is neither a number nor a buffer. OSError: EINVAL for a buffer that is too
    short or a value out of range, EFAULT without a buffer, ENOPROTOOPT for an option that can only
    be read.
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
        return (int(value),)  # the usual case: the general way below takes twenty times as long
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
    """The answer of getsockopt: the first C int, or the first `length` bytes."""
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
