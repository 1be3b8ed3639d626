"""The values of socket options in a script: `[1], 4`, `{onoff=1, linger=0}, 8`, `"reno", 4`."""

from __future__ import annotations

import sys

from .descriptors import Arguments
from .script import Expression, Struct

Shown = tuple[int, ...]


def given_value(arguments: Arguments, place: int, length: int) -> bytes:
    """Return the `length` octets of the value that setsockopt is given."""
    value = arguments.at(place)
    data = value if isinstance(value, bytes) else _packed(arguments, value, length)
    if length > len(data):
        raise arguments.error(f"the length is {length}, and the value has only {len(data)} octets")
    return data[:length]


def expected_value(arguments: Arguments, place: int, length_place: int) -> tuple[Shown | None, int]:
    """Return the value that getsockopt must return (None for `...`), and its length in octets."""
    given = arguments.at(length_place)
    length = given[0] if isinstance(given, list) and len(given) == 1 else None
    if not isinstance(length, int) or not 0 < length <= 1024:
        raise arguments.error(f"argument {length_place + 1} must be a list of one length, such as [4]")
    value = arguments.at(place)
    if value is ...:
        return None, length
    if isinstance(value, bytes):
        raise arguments.unsupported("a string as the value of an option")
    return shown_value(_packed(arguments, value, length)[:length]), length


def shown_value(data: bytes) -> Shown:
    """Return a value as numbers: C ints if its length is a multiple of four, else its octets."""
    if len(data) % 4:
        return tuple(data)
    return tuple(int.from_bytes(data[at : at + 4], sys.byteorder, signed=True) for at in range(0, len(data), 4))


def _packed(arguments: Arguments, value: Expression, length: int) -> bytes:
    if isinstance(value, Struct) and value.kind == "linger":
        numbers: list[Expression] = [value.fields.get("onoff", 0), value.fields.get("linger", 0)]
        width = 4
    elif isinstance(value, list) and value:
        numbers, width = value, 8 if length == 8 and len(value) == 1 else min(length, 4) or 4
    else:
        raise arguments.error("a value must be a list of numbers or {onoff=1, linger=0}")
    data = b""
    for number in numbers:
        if not isinstance(number, int) or not -(1 << 31) <= number < 1 << 64:
            raise arguments.error("each item of a value must be a number from -2**31 to 2**64 - 1")
        data += (number & ((1 << 8 * width) - 1)).to_bytes(width, sys.byteorder)
    return data
