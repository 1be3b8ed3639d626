"""What the user asks of a connection, and the socket options of TCP's level by which it does so.

See RFC 9293 section 3.9.1 for the user's side of TCP, and tcp(7) for the options, their numbers and
ranges. Options of other levels, such as SO_KEEPALIVE, have their numbers in `sockets/options.py`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from struct import Struct

from stack.config import TcpConfig
from stack.errors import os_error
from stack.socket_option import C_UNSIGNED_MAX, Option, Value, between, flag, number
from stack.tcp.congestion import POLICIES
from stack.tcp.pacing import UNLIMITED

# Linux: MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT, TCP_MIN_MSS and MAX_TCP_WINDOW.
LONGEST_KEEPALIVE_S = 32767
MOST_KEEPALIVE_PROBES = 127
SMALLEST_MSS, LARGEST_MSS = 88, 32767
# The retransmissions that TCP_DEFER_ACCEPT counts, and the longest interval between two of them.
MOST_DEFERRALS, LONGEST_DEFERRAL_S = 255, 120
# MAX_TCP_SYNCNT, TCP_FIN_TIMEOUT_MAX, SOCK_MIN_RCVBUF / 2.
MOST_SYN_RETRANSMISSIONS, LONGEST_FIN_WAIT_2_S, SMALLEST_CLAMP = 127, 120, 1152
# TCP_CA_NAME_MAX: the name of a policy, with a zero octet at its end.
POLICY = Struct("16B")
LONGEST_POLICY = POLICY.size - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UserOptions:
    """What the user asks of a connection.

    A socket has one before there is a connection, a listener has one for all its connections, and a
    connection has one from its beginning. An object never changes: to ask for something else is to
    make another one (`with_option`). So sockets, listeners and connections share them.

    notsent_lowat: SEND takes nothing while so many octets have not been sent.
    cork: less than a full segment waits until `cork` is off again, or for `sws_override_s`.
    quickack: True means that each segment with text is acknowledged at once, until we send data in
      reply; False, that the ACK of the peer's SYN,ACK also waits for data. None is neither.
    defer_accept_s: a connection is open to `accept` when data has come, or after so many seconds.
    syn_count: how often a SYN is sent again; 0 means for `syn_timeout_s`.
    linger2_s: how long FIN-WAIT-2 may last after CLOSE; 0 means `fin_wait_2_timeout_s`, less than 0
      that there is no such time.
    window_clamp: the largest window to offer; 0 means no limit but the buffer's.
    congestion: the name of the congestion policy; "" means that of the configuration.
    rcvlowat: a waiting RECEIVE is woken when so many octets can be read.
    sndbuf, rcvbuf: the size of a buffer at first. With `auto_sndbuf` or `auto_rcvbuf` it then
      grows by itself. The size in use is in the TCB.
    maxseg: the largest segment, 0 for no limit but the path's.
    linger_s: None, or how long `close` may take; 0 means that `close` is an ABORT.
    oobinline: the last urgent octet stays in the stream (RFC 6093 section 6).
    user_timeout_s: None means the default, RFC 5482's included.
    max_pacing_rate: octets of data a second; 0 and UNLIMITED mean no limit.
    ttl: of the segments to come (MUST-49); None means the path's.
    tos: the Diffserv field of the segments to come (MUST-48, SHLD-21).
    on_error: is called for errors that do not end the connection; None means no calls (SHLD-20).
    """

    notsent_lowat: int
    sndbuf: int
    rcvbuf: int
    auto_sndbuf: bool
    auto_rcvbuf: bool
    keepalive_idle_s: float
    keepalive_interval_s: float
    keepalive_count: int
    keepalive: bool = False
    nodelay: bool = False
    cork: bool = False
    quickack: bool | None = None
    defer_accept_s: int = 0
    syn_count: int = 0
    linger2_s: int = 0
    window_clamp: int = 0
    congestion: str = ""
    rcvlowat: int = 1
    maxseg: int = 0
    linger_s: float | None = None
    oobinline: bool = True
    user_timeout_s: float | None = None
    fast_open_connect: bool = False
    max_pacing_rate: int = UNLIMITED
    ttl: int | None = None
    tos: int = 0
    on_error: Callable[[int, str], None] | None = field(default=None, hash=False)


def default_options(config: TcpConfig) -> UserOptions:
    """The options of a user that has asked for nothing."""
    return UserOptions(
        notsent_lowat=config.notsent_lowat_bytes,
        sndbuf=config.send_buffer_bytes,
        rcvbuf=config.receive_buffer_bytes,
        auto_sndbuf=config.auto_tuning,
        auto_rcvbuf=config.auto_tuning,
        keepalive_idle_s=config.keepalive_idle_s,
        keepalive_interval_s=config.keepalive_interval_s,
        keepalive_count=config.keepalive_count,
    )


def _never(options: UserOptions) -> bool:
    return False


def always(options: UserOptions) -> bool:
    """For `UserOption.acts_at_once`."""
    return True


def if_kept_alive(options: UserOptions) -> bool:
    """For `UserOption.acts_at_once`: only when keep-alives are sent."""
    return options.keepalive


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UserOption(Option):
    """A socket option that is a field of `UserOptions`.

    get: the value in `UserOptions`.
    put: `UserOptions` with another value.
    acts_at_once: whether a connection with nothing to send must act on a change at once.
    default: the value of a configuration, which holds while the user has asked for none; it is
      shown in the place of 0.
    """

    get: Callable[[UserOptions], Value]
    put: Callable[[UserOptions, Value], UserOptions]
    acts_at_once: Callable[[UserOptions], bool] = _never
    default: Callable[[TcpConfig], Value] | None = None


def with_option(options: UserOptions, option: UserOption, value: Value) -> UserOptions:
    """`options` with another value of one option; `options` itself if it has this value already."""
    wanted = option.put(options, value)
    return options if wanted == options else wanted


def _maximum_segment(given: tuple[int, ...]) -> Value:
    """0 removes the limit that the program has set."""
    return between(SMALLEST_MSS, LARGEST_MSS)(given) if given[0] else 0


def _milliseconds(given: tuple[int, ...]) -> Value:
    """Seconds; 0 means the host's default."""
    if given[0] < 0:
        raise os_error(errno.EINVAL)
    return given[0] / 1000 if given[0] else None


def _deferral(given: tuple[int, ...]) -> Value:
    """Seconds, rounded up to the time of so many retransmissions of a SYN,ACK, at most 255."""
    count = total_s = 0
    interval_s = 1
    while total_s < given[0] and count < MOST_DEFERRALS:
        count, total_s = count + 1, total_s + interval_s
        interval_s = min(2 * interval_s, LONGEST_DEFERRAL_S)
    return total_s


def _syn_retransmissions(config: TcpConfig) -> Value:
    """How often a SYN is sent again within `syn_timeout_s`."""
    count, interval_s, at_s = 0, config.rto_initial_s, config.rto_initial_s
    while at_s < config.syn_timeout_s:
        count, interval_s = count + 1, min(2 * interval_s, config.rto_max_s)
        at_s += interval_s
    return count


def _linger2(given: tuple[int, ...]) -> Value:
    """Seconds. Less than 0 means no time at all."""
    return max(-1, min(given[0], LONGEST_FIN_WAIT_2_S))


def _clamp(given: tuple[int, ...]) -> Value:
    return max(given[0], SMALLEST_CLAMP) if given[0] else 0


def _policy(given: tuple[int, ...]) -> Value:
    """The number of the policy with this name, from 1 on. OSError: ENOENT."""
    name = bytes(given).partition(b"\0")[0].decode(errors="replace")
    if name not in POLICIES:
        raise os_error(errno.ENOENT)
    return _number_of(name)


def _number_of(policy: str) -> int:
    return [*POLICIES].index(policy) + 1 if policy else 0


def _name_of(number: Value) -> str:
    return [*POLICIES][int(number) - 1] if number else ""


def _not_sent_lowat(given: tuple[int, ...]) -> Value:
    """0 and -1 mean no limit: the kernel reads -1 as an unsigned number."""
    return given[0] & C_UNSIGNED_MAX or C_UNSIGNED_MAX


NODELAY = UserOption("nodelay", flag, get=lambda o: o.nodelay, put=lambda o, v: replace(o, nodelay=bool(v)))
MAXSEG = UserOption("maxseg", _maximum_segment, get=lambda o: o.maxseg, put=lambda o, v: replace(o, maxseg=int(v or 0)))
KEEPALIVE_IDLE = UserOption(
    "keepalive_idle_s",
    between(1, LONGEST_KEEPALIVE_S),
    get=lambda o: o.keepalive_idle_s,
    put=lambda o, v: replace(o, keepalive_idle_s=v or 0),
    acts_at_once=if_kept_alive,
)
KEEPALIVE_INTERVAL = UserOption(
    "keepalive_interval_s",
    between(1, LONGEST_KEEPALIVE_S),
    get=lambda o: o.keepalive_interval_s,
    put=lambda o, v: replace(o, keepalive_interval_s=v or 0),
    acts_at_once=if_kept_alive,
)
KEEPALIVE_COUNT = UserOption(
    "keepalive_count",
    between(1, MOST_KEEPALIVE_PROBES),
    get=lambda o: o.keepalive_count,
    put=lambda o, v: replace(o, keepalive_count=int(v or 0)),
    acts_at_once=if_kept_alive,
)
USER_TIMEOUT = UserOption(
    "user_timeout_s",
    _milliseconds,
    lambda v: (round((v or 0) * 1000),),
    get=lambda o: o.user_timeout_s,
    put=lambda o, v: replace(o, user_timeout_s=v),
    acts_at_once=always,
)
NOTSENT_LOWAT = UserOption(
    "notsent_lowat",
    _not_sent_lowat,
    lambda v: (0,) if v == C_UNSIGNED_MAX else number(v),
    get=lambda o: o.notsent_lowat,
    put=lambda o, v: replace(o, notsent_lowat=int(v or 0)),
)
CORK = UserOption("cork", flag, get=lambda o: o.cork, put=lambda o, v: replace(o, cork=bool(v)))
# As in Linux, it reads 1 while ACKs are not delayed for the sake of a reply, also by default.
QUICKACK = UserOption(
    "quickack",
    flag,
    get=lambda o: o.quickack is not False,
    put=lambda o, v: replace(o, quickack=bool(v)),
    acts_at_once=lambda o: bool(o.quickack),
)
DEFER_ACCEPT = UserOption(
    "defer_accept_s",
    _deferral,
    get=lambda o: o.defer_accept_s,
    put=lambda o, v: replace(o, defer_accept_s=int(v or 0)),
)
SYN_COUNT = UserOption(
    "syn_count",
    between(1, MOST_SYN_RETRANSMISSIONS),
    get=lambda o: o.syn_count,
    put=lambda o, v: replace(o, syn_count=int(v or 0)),
    default=_syn_retransmissions,
)
LINGER2 = UserOption(
    "linger2_s",
    _linger2,
    get=lambda o: o.linger2_s,
    put=lambda o, v: replace(o, linger2_s=int(v or 0)),
    default=lambda config: config.fin_wait_2_timeout_s,
)
WINDOW_CLAMP = UserOption(
    "window_clamp",
    _clamp,
    get=lambda o: o.window_clamp,
    put=lambda o, v: replace(o, window_clamp=int(v or 0)),
)
CONGESTION = UserOption(
    "congestion",
    _policy,
    lambda v: tuple(_name_of(v).encode()[:LONGEST_POLICY].ljust(POLICY.size, b"\0")),
    POLICY,
    text=True,
    get=lambda o: _number_of(o.congestion),
    put=lambda o, v: replace(o, congestion=_name_of(v)),
    default=lambda config: _number_of(config.congestion),
)
FAST_OPEN_CONNECT = UserOption(
    "fast_open_connect",
    between(0, 1),
    get=lambda o: o.fast_open_connect,
    put=lambda o, v: replace(o, fast_open_connect=bool(v)),
)

# The options of level IPPROTO_TCP: their names in tcp(7), and their numbers on Linux.
TCP_LEVEL: dict[tuple[str, int], UserOption] = {
    ("TCP_NODELAY", 1): NODELAY,
    ("TCP_MAXSEG", 2): MAXSEG,
    ("TCP_CORK", 3): CORK,
    ("TCP_KEEPIDLE", 4): KEEPALIVE_IDLE,
    ("TCP_KEEPINTVL", 5): KEEPALIVE_INTERVAL,
    ("TCP_KEEPCNT", 6): KEEPALIVE_COUNT,
    ("TCP_SYNCNT", 7): SYN_COUNT,
    ("TCP_LINGER2", 8): LINGER2,
    ("TCP_DEFER_ACCEPT", 9): DEFER_ACCEPT,
    ("TCP_WINDOW_CLAMP", 10): WINDOW_CLAMP,
    ("TCP_QUICKACK", 12): QUICKACK,
    ("TCP_CONGESTION", 13): CONGESTION,
    ("TCP_USER_TIMEOUT", 18): USER_TIMEOUT,
    ("TCP_NOTSENT_LOWAT", 25): NOTSENT_LOWAT,
    ("TCP_FASTOPEN_CONNECT", 30): FAST_OPEN_CONNECT,
}
