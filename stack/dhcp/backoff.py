"""The waiting times of a client, with their random part. See RFC 2131 sections 4.1 and 4.4.5."""

from __future__ import annotations

from collections.abc import Callable

from stack.config import DhcpConfig


def uniform(random: Callable[[int], bytes]) -> float:
    """A random number from -1 to 1."""
    return int.from_bytes(random(4), "big") / 0x80000000 - 1


def retransmission_s(attempt: int, config: DhcpConfig, random: Callable[[int], bytes]) -> float:
    """The wait after the `attempt`-th message, counted from 1: 4, 8, 16, 32, 64, 64... s, +-1 s."""
    doubled = config.first_retransmission_s * 2.0 ** min(attempt - 1, 32)
    return min(doubled, config.last_retransmission_s) + config.retransmission_jitter_s * uniform(random)


def renewal_s(left_s: float, config: DhcpConfig) -> float:
    """The wait in RENEWING or REBINDING: half of the `left_s` that are left, at least a minute."""
    return max(left_s / 2, config.renew_retransmission_min_s)


def between(range_s: tuple[float, float], random: Callable[[int], bytes]) -> float:
    """A random time between the two times of `range_s`."""
    first, last = range_s
    return first + (last - first) * (uniform(random) + 1) / 2


def refusal_s(refusals: int, config: DhcpConfig) -> float:
    """The wait before a new start after `refusals` DHCPNAKs in a row.

    There is none after the first, so that a host in a new network gets an address at once. It
    doubles with each further one, since a server may refuse for ever what it offers.
    """
    if refusals < 2:
        return 0.0
    return min(config.nak_wait_s * 2.0 ** min(refusals - 2, 32), config.last_retransmission_s)
