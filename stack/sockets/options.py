"""Socket options: those that programs may set and read, with the kernel's numbers and errors.

See getsockopt in POSIX.1-2017, and socket(7), tcp(7) and ip(7) for Linux's sizes and ranges. An
option that is not in the tables below raises OSError(ENOPROTOOPT).
"""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import replace
from operator import index
from struct import Struct
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from stack.errors import os_error
from stack.socket_option import C_INT, C_UNSIGNED_MAX, Option, Value, between, flag, low_water, unsigned
from stack.sockets.numbers import number
from stack.tcp.options import TCP_LEVEL, UserOption, always
from stack.tcp.pacing import UNLIMITED
from stack.udp.special import DO, DONT, OMIT, WANT

if TYPE_CHECKING:
    from typing_extensions import Buffer

C_INT_RANGE = range(-(1 << 31), 1 << 31)
C_LONG = Struct("Q")  # unsigned
LINGER = Struct("ii")  # struct linger: on or off, and the number of seconds

# The largest `buflen` that the standard library's getsockopt accepts.
LONGEST_ANSWER_BYTES = 1024

IFNAMSIZ = 16  # the largest name of an interface in Linux, with the 0 at its end

# Names of Linux that Python's socket module, or some versions of it, does not have.
SO_MAX_PACING_RATE = number("SO_MAX_PACING_RATE", 47)
SO_PRIORITY = number("SO_PRIORITY", 12)
SO_MARK = number("SO_MARK", 36)
IP_MTU = number("IP_MTU", 14)
IP_BIND_ADDRESS_NO_PORT = number("IP_BIND_ADDRESS_NO_PORT", 24)
IP_MTU_DISCOVER = number("IP_MTU_DISCOVER", 10)
IP_FREEBIND = number("IP_FREEBIND", 15)
IP_RECVERR = number("IP_RECVERR", 11)
SO_TIMESTAMP = number("SO_TIMESTAMP", 29)
SO_TIMESTAMPNS = number("SO_TIMESTAMPNS", 35)
SO_REUSEPORT = number("SO_REUSEPORT", 15)
SO_BINDTODEVICE = number("SO_BINDTODEVICE", 25)
TCP_CORK = number("TCP_CORK", 3)
TCP_SYNCNT = number("TCP_SYNCNT", 7)
TCP_LINGER2 = number("TCP_LINGER2", 8)
TCP_DEFER_ACCEPT = number("TCP_DEFER_ACCEPT", 9)
TCP_WINDOW_CLAMP = number("TCP_WINDOW_CLAMP", 10)
TCP_QUICKACK = number("TCP_QUICKACK", 12)
TCP_CONGESTION = number("TCP_CONGESTION", 13)
TCP_INFO = number("TCP_INFO", 11)
UDP_CORK = number("UDP_CORK", 1)
UDP_SEGMENT = number("UDP_SEGMENT", 103)
TCP_FASTOPEN_CONNECT = number("TCP_FASTOPEN_CONNECT", 30)
MSG_FASTOPEN = number("MSG_FASTOPEN", 0x2000_0000)


def fail(error: int) -> NoReturn:
    """Raise the OSError of this errno, with the system's text."""
    raise os_error(error)


def _rate(given: tuple[int, ...]) -> Value:
    """Octets per second. -1 means no limit: it is the largest unsigned long, passed as a C int."""
    return UNLIMITED if given[0] == -1 else given[0] & C_UNSIGNED_MAX if given[0] < 0 else given[0]


def _linger(given: tuple[int, ...]) -> Value:
    on, seconds = given
    return float(seconds & C_UNSIGNED_MAX) if on else None


def _ttl(given: tuple[int, ...]) -> Value:
    """-1 means the host's default."""
    return None if given[0] == -1 else between(1, 255)(given)


def _discover_of_tcp(given: tuple[int, ...]) -> Value:
    """TCP sends with DF and discovers the MTU. OSError(ENOPROTOOPT) for what would change that."""
    value = between(DONT, OMIT)(given)
    return value if value in (WANT, DO) else fail(errno.ENOPROTOOPT)


KEEPALIVE = UserOption(
    "keepalive",
    flag,
    get=lambda o: o.keepalive,
    put=lambda o, v: replace(o, keepalive=bool(v)),
    acts_at_once=always,
)
LINGER_S = UserOption(
    "linger_s",
    _linger,
    lambda v: (0, 0) if v is None else (1, int(v)),
    LINGER,
    get=lambda o: o.linger_s,
    put=lambda o, v: replace(o, linger_s=v),
)
# A buffer of a size that the program has chosen no longer grows by itself.
RCVBUF = UserOption(
    "rcvbuf",
    unsigned,
    get=lambda o: o.rcvbuf,
    put=lambda o, v: replace(o, rcvbuf=int(v or 0), auto_rcvbuf=False),
    acts_at_once=always,
)
# Datagrams are read whole: a UDP socket keeps the value, which has no effect, as in Linux.
RCVLOWAT = UserOption(
    "rcvlowat",
    low_water,
    get=lambda o: o.rcvlowat,
    put=lambda o, v: replace(o, rcvlowat=int(v or 1)),
    acts_at_once=always,
)
SNDBUF = UserOption(
    "sndbuf",
    unsigned,
    get=lambda o: o.sndbuf,
    put=lambda o, v: replace(o, sndbuf=int(v or 0), auto_sndbuf=False),
)
TTL = UserOption(
    "ttl",
    _ttl,
    byte=True,
    get=lambda o: o.ttl,
    put=lambda o, v: replace(o, ttl=None if v is None else int(v)),
)
# The two ECN bits of a connection belong to TCP (RFC 3168 section 6.1).
TOS = UserOption(
    "tos",
    lambda given: given[0] & 0xFC,
    byte=True,
    get=lambda o: o.tos,
    put=lambda o, v: replace(o, tos=int(v or 0)),
)
OOBINLINE = UserOption("oobinline", flag, get=lambda o: o.oobinline, put=lambda o, v: replace(o, oobinline=bool(v)))
MAX_PACING_RATE = UserOption(
    "max_pacing_rate",
    _rate,
    long=True,
    get=lambda o: o.max_pacing_rate,
    put=lambda o, v: replace(o, max_pacing_rate=int(v or 0)),
    acts_at_once=always,
)

# The options of every socket. Datagram sockets keep the values of the first five themselves.
GENERAL: dict[tuple[int, int], Option] = {
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): KEEPALIVE,
    (socket.SOL_SOCKET, socket.SO_LINGER): LINGER_S,
    (socket.SOL_SOCKET, socket.SO_RCVBUF): RCVBUF,
    (socket.SOL_SOCKET, socket.SO_SNDBUF): SNDBUF,
    (socket.IPPROTO_IP, socket.IP_TTL): TTL,
    (socket.SOL_SOCKET, socket.SO_REUSEADDR): Option("reuse_address", flag),
    (socket.SOL_SOCKET, SO_REUSEPORT): Option("reuse_port", flag),
    (socket.SOL_SOCKET, socket.SO_DONTROUTE): Option("direct", flag),
    (socket.IPPROTO_IP, IP_FREEBIND): Option("free", flag, byte=True, filled=True),
    (socket.SOL_SOCKET, socket.SO_BROADCAST): Option("broadcast", flag),
    (socket.SOL_SOCKET, socket.SO_ERROR): Option("error"),
    (socket.SOL_SOCKET, number("SO_ACCEPTCONN", 30)): Option("accepting"),
    (socket.SOL_SOCKET, socket.SO_TYPE): Option("kind"),
    (socket.SOL_SOCKET, number("SO_DOMAIN", 39)): Option("domain"),
    (socket.SOL_SOCKET, number("SO_PROTOCOL", 38)): Option("protocol"),
    (socket.SOL_SOCKET, SO_PRIORITY): Option("priority", lambda given: given[0]),
    (socket.SOL_SOCKET, SO_MARK): Option("mark", unsigned),
    (socket.IPPROTO_IP, IP_MTU): Option("mtu", byte=True),
    (socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT): Option("bind_no_port", flag, byte=True),
}

DATAGRAM: dict[tuple[int, int], Option] = {
    (socket.IPPROTO_IP, number("IP_PKTINFO", 8)): Option("pktinfo", flag, byte=True),
    (socket.IPPROTO_IP, number("IP_RECVTTL", 12)): Option("recvttl", flag, byte=True),
    (socket.IPPROTO_IP, number("IP_RECVTOS", 13)): Option("recvtos", flag, byte=True),
    (socket.SOL_SOCKET, socket.SO_OOBINLINE): Option("oobinline of UDP", flag),
    (socket.SOL_SOCKET, socket.SO_RCVLOWAT): Option("rcvlowat of UDP", low_water, lambda v: (int(v or 1),)),
    **GENERAL,
    (socket.IPPROTO_IP, socket.IP_TOS): Option("tos", lambda given: given[0] & 0xFF, byte=True),
    (socket.IPPROTO_UDP, UDP_CORK): Option("cork", flag),
    (socket.IPPROTO_UDP, UDP_SEGMENT): Option("segment", between(0, 0xFFFF)),
    (socket.SOL_SOCKET, SO_TIMESTAMP): Option("timestamp", flag),
    (socket.SOL_SOCKET, SO_TIMESTAMPNS): Option("timestampns", flag),
    (socket.IPPROTO_IP, IP_RECVERR): Option("recverr", flag, byte=True),
    (socket.IPPROTO_IP, IP_MTU_DISCOVER): Option("mtu_discover", between(DONT, OMIT), byte=True),
}

STREAM: dict[tuple[int, int], Option] = {
    **GENERAL,
    (socket.IPPROTO_IP, socket.IP_TOS): TOS,
    (socket.SOL_SOCKET, socket.SO_OOBINLINE): OOBINLINE,
    (socket.SOL_SOCKET, socket.SO_RCVLOWAT): RCVLOWAT,
    (socket.SOL_SOCKET, SO_MAX_PACING_RATE): MAX_PACING_RATE,
    (socket.IPPROTO_IP, IP_MTU_DISCOVER): Option("mtu_discover of TCP", _discover_of_tcp, byte=True),
    (socket.IPPROTO_TCP, TCP_INFO): Option("info"),
    (socket.IPPROTO_TCP, number("TCP_FASTOPEN", 23)): Option("fast_open_pending", between(0, C_INT_RANGE[-1])),
    **{(socket.IPPROTO_TCP, number(name, linux)): option for (name, linux), option in TCP_LEVEL.items()},
}


def find(table: dict[tuple[int, int], Option], level: int, number: int) -> Option:
    """The option with this level and number, which may be enums. OSError(ENOPROTOOPT) for none."""
    if type(level) is not int or type(number) is not int:  # a float can equal an int, and must be refused
        level, number = index(level), index(number)
    option = table.get((level, number))
    return option if option is not None else fail(errno.ENOPROTOOPT)


def find_to_read(table: dict[tuple[int, int], Option], level: int, number: int) -> Option:
    """As `find`. OSError(EOPNOTSUPP) if the level is another protocol's, as Linux says it."""
    try:
        return find(table, level, number)
    except OSError:
        if not any(known == level for known, _ in table):
            fail(errno.EOPNOTSUPP)
        raise


def decode(option: Option, value: int | Buffer | None, length: int | None) -> Value:
    """The value that the last arguments of setsockopt stand for.

    TypeError if `value` is neither a number nor a buffer. OSError: EINVAL for a buffer that is too
    short or a value out of range, EFAULT without a buffer, ENOPROTOOPT for an option that can only
    be read.
    """
    given = _given(option, _passed(value, length))
    if option.decode is None:
        fail(errno.ENOPROTOOPT)
    return option.decode(given)


def decode_name(value: int | Buffer | None, length: int | None) -> bytes:
    """The name of an interface, which ends at the first 0 (SO_BINDTODEVICE). Raises as `decode`."""
    if value is None and length is not None and length <= 0:
        return b"" if length == 0 else fail(errno.EINVAL)
    given = _passed(value, length)
    if isinstance(given, (SupportsIndex, str, float)):
        octets = C_INT.pack(*_given(Option("name"), given))
    else:
        octets = bytes(memoryview(given))
    return octets[: IFNAMSIZ - 1].partition(b"\0")[0]


def _passed(value: int | Buffer | None, length: int | None) -> int | Buffer:
    if value is None:
        if length is None:
            raise TypeError("invalid value for argument 'value', must not be None when specifying optlen")
        fail(errno.EFAULT)
    if length is not None:
        raise TypeError(f"invalid value for argument 'value': {value!r}, must be None when specifying optlen")
    return value


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
    if option.text and data:
        return tuple(data[: option.layout.size - 1])
    if option.byte and len(data) < C_INT.size and (data or not option.filled):
        return (data[0] if data else 0,)
    if len(data) < option.layout.size:
        fail(errno.EINVAL)
    if option.long and len(data) >= C_LONG.size:
        return (C_LONG.unpack_from(data)[0],)
    given: tuple[int, ...] = option.layout.unpack_from(data)
    return given


# Options whose values the sockets keep by themselves, with the values at the beginning. Those of
# the first line have no effect.
KEPT: dict[str, Value] = {
    **dict.fromkeys(("priority", "mark", "oobinline of UDP"), 0), "rcvlowat of UDP": 1, "mtu_discover of TCP": WANT,
    **dict.fromkeys(("bind_no_port", "pktinfo", "recvttl", "recvtos"), 0),
}  # fmt: skip


def encode(option: Option, value: Value | bytes, length: int | None) -> int | bytes:
    """The answer of getsockopt: the first C int, or the first `length` bytes."""
    if isinstance(value, bytes):
        return _cut(value, length)
    numbers = option.encode(value)
    if option.long:
        numbers = (min(numbers[0], C_UNSIGNED_MAX),)
    data = option.layout.pack(*(_as_c_int(number) for number in numbers))
    if not length or index(length) not in range(1, LONGEST_ANSWER_BYTES + 1):
        return _cut(data, length)
    if option.byte and length < C_INT.size:
        return data[:1] if sys.byteorder == "little" else data[C_INT.size - 1 :]
    if option.long and length >= C_LONG.size:
        return C_LONG.pack(*option.encode(value))
    return data[:length]


def _cut(data: bytes, length: int | None) -> int | bytes:
    """The first C int of `data` without a length, else as many bytes."""
    if not length:
        first: int = C_INT.unpack_from(data)[0]
        return first
    return data[: checked_length(length)]


def checked_length(length: int) -> int:
    """The `buflen` of getsockopt. OSError, without an errno, if it is out of range."""
    if not 0 < index(length) <= LONGEST_ANSWER_BYTES:
        raise OSError("getsockopt buflen out of range")
    return length


def _as_c_int(number: int) -> int:
    number &= C_UNSIGNED_MAX
    return number - (1 << 32) if number >> 31 else number
