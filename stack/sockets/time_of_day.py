"""The time of day: milliseconds since midnight UT for ICMP and IP, and programs' times of arrival.

See RFC 792 and RFC 791 section 3.1, and SO_TIMESTAMP in socket(7).
"""

from __future__ import annotations

from time import time, time_ns

DAY_MS = 86_400_000


def milliseconds() -> int:
    """The time of day, from 0 to 86,399,999."""
    return int(time() * 1000) % DAY_MS


def nanoseconds(ago_s: float) -> int:
    """The time `ago_s` seconds ago, in nanoseconds since 1970."""
    return time_ns() - int(ago_s * 1_000_000_000)
