"""Sequence numbers, 32 bits that wrap: comparing and adding them.

Code that runs for every segment repeats these expressions in place, because a call costs more.

See RFC 9293 section 3.4: "all arithmetic dealing with sequence numbers must be performed modulo
2**32". A number is "less than" another if it lies in the half of the circle before it.
"""

MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000


def add(number: int, count: int) -> int:
    """The sequence number `count` octets after (if negative, before) `number`."""
    return (number + count) & MASK


def sub(later: int, earlier: int) -> int:
    """How many octets `later` lies after `earlier`, 0 to 2**32 - 1."""
    return (later - earlier) & MASK


def lt(a: int, b: int) -> bool:
    """a < b on the circle."""
    return 0 < ((b - a) & MASK) < _HALF


def le(a: int, b: int) -> bool:
    """a =< b on the circle."""
    return ((b - a) & MASK) < _HALF


def gt(a: int, b: int) -> bool:
    """a > b on the circle."""
    return 0 < ((a - b) & MASK) < _HALF


def ge(a: int, b: int) -> bool:
    """a >= b on the circle."""
    return ((a - b) & MASK) < _HALF


def in_window(number: int, left: int, size: int) -> bool:
    """left =< number < left + size; never true of an empty window."""
    return ((number - left) & MASK) < size


def later(a: int, b: int) -> int:
    """The later of the two numbers."""
    return a if ((a - b) & MASK) < _HALF else b
