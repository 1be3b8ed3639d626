"""The time of day for ICMP and IP: milliseconds since midnight UT.

See RFC 792 and RFC 791 section 3.1.
"""

from __future__ import annotations

from time import time

DAY_MS = 86_400_000


def milliseconds() -> int:
    """The time of day, from 0 to 86,399,999."""
    return int(time() * 1000) % DAY_MS
