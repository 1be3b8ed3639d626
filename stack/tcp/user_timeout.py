"""The User Timeout option: both ends say how long they wait for an ACK; both use the longer time.

See RFC 5482. It is off unless `config.user_timeout_option` is set.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Kind = 28   |   Length = 4  |G|        User Timeout         |   G: minutes, not seconds
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.wire.tcp_options import MAX_LENGTH, TcpOptions, build_options

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb

LENGTH = 4
_MINUTES = 0x8000
_MOST = 0x7FFF


class UserTimeout:
    """`remote_s`: REMOTE_UTO, if known. `due`: the next segment with room carries our value."""

    __slots__ = ("due", "remote_s")

    def __init__(self) -> None:
        self.remote_s: float | None = None
        self.due = True  # section 3: also in the first segment without SYN


def advertised(tcb: Tcb) -> int:
    """The option's value, ADV_UTO: never zero, in minutes if seconds do not fit (section 3.3)."""
    wanted_s = tcb.user_options.user_timeout_s
    if wanted_s is None:
        wanted_s = tcb.config.user_timeout_s
    seconds = max(1, round(min(wanted_s, _MOST * 60)))
    return seconds if seconds <= _MOST else _MINUTES | min(-(-seconds // 60), _MOST)


def option_if_it_fits(tcb: Tcb, agreed: UserTimeout, options: int, length: int) -> bytes:
    """The option for a segment without SYN, if there is room for it.

    The segment has `options` and `length` octets of options and data already. The option may be
    lost; it is not retransmitted (section 3.2).
    """
    if tcb.room - options - length < LENGTH or options + LENGTH > MAX_LENGTH:
        return b""
    agreed.due = False
    return build_options(TcpOptions(user_timeout=advertised(tcb)))


def take_user_timeout(agreed: UserTimeout, options: TcpOptions) -> None:
    """Store the peer's value; zero is ignored (sections 3.3 and 3.4)."""
    value = options.user_timeout or 0
    seconds = (value & _MOST) * (60 if value & _MINUTES else 1)
    if seconds:
        agreed.remote_s = float(seconds)


def adopted_s(tcb: Tcb) -> float:
    """USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)) (section 3.1).

    A timeout that the user has set takes precedence.
    """
    config = tcb.config
    if tcb.user_options.user_timeout_s is not None:
        return tcb.user_options.user_timeout_s
    agreed = tcb.user_timeout
    if agreed is None or agreed.remote_s is None or not tcb.synchronized:
        return config.user_timeout_s
    lower_s = max(config.user_timeout_lower_s, tcb.rtt.timeout_s() + config.clock_granularity_s)
    return min(config.user_timeout_upper_s, max(config.user_timeout_s, agreed.remote_s, lower_s))


def keepalive_idle_s(tcb: Tcb) -> float:
    """The idle time before a keep-alive, but at least the agreed user timeout (section 4.2)."""
    if tcb.user_timeout is None or tcb.user_timeout.remote_s is None:
        return tcb.user_options.keepalive_idle_s
    return max(tcb.user_options.keepalive_idle_s, adopted_s(tcb) + 1)
