"""One socket option: its C numbers in `setsockopt` and `getsockopt`, and its value in the stack.

See getsockopt in POSIX.1-2017. `tcp/options.py` and `sockets/options.py` list the options.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

from stack.errors import os_error

# The value of an option inside the stack: a number, or None if it is not set.
Value = float | None

C_INT = Struct("i")
C_UNSIGNED_MAX = 0xFFFF_FFFF


def number(value: Value) -> tuple[int, ...]:
    """One C number; 0 for an option that is not set."""
    return (int(value or 0),)


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """One option. `name` is its name in the sockets' code.

    decode: makes the value from the C numbers that were passed, or raises OSError(EINVAL) for one
      out of range. An option without `decode` can only be read.
    encode: makes the C numbers from the value.
    layout: the layout of the numbers in a buffer.
    byte: the option may also be passed as one byte, as those of the IP level.
    filled: an empty buffer is refused, where the options with `byte` take it for 0.
    long: the option may also be passed as an unsigned long.
    text: the option is passed as text, whose octets are the numbers. A longer one is cut.
    """

    name: str
    decode: Callable[[tuple[int, ...]], Value] | None = None
    encode: Callable[[Value], tuple[int, ...]] = number
    layout: Struct = C_INT
    byte: bool = False
    filled: bool = False
    long: bool = False
    text: bool = False


def flag(given: tuple[int, ...]) -> Value:
    """On for any number but 0."""
    return 1 if given[0] else 0


def between(low: int, high: int) -> Callable[[tuple[int, ...]], Value]:
    """A `decode` for the numbers from `low` to `high`."""

    def decode(given: tuple[int, ...]) -> Value:
        if not low <= given[0] <= high:
            raise os_error(errno.EINVAL)
        return given[0]

    return decode


def low_water(given: tuple[int, ...]) -> Value:
    """A number of octets, at least one; a negative one means as many as can be."""
    return given[0] or 1 if given[0] >= 0 else C_UNSIGNED_MAX >> 1


def unsigned(given: tuple[int, ...]) -> Value:
    """The number, read as an unsigned int."""
    return given[0] & C_UNSIGNED_MAX
