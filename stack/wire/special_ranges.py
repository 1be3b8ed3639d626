"""The classes of IPv4 addresses, and the ranges that have a special purpose.

See RFC 791 section 3.2 (classes A to C), RFC 1112 section 4 (D and E) and RFC 6890. Classes no
longer decide where the network ends in an address: its prefix does (RFC 4632).
"""

from __future__ import annotations

from typing import NamedTuple

from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer
from stack.wire.registry import rows
from stack.wire.registry.special_addresses import SPECIAL_ADDRESSES


class AddressClass(NamedTuple):
    """A class: its letter, its leading bits, and its default prefix length, None for D and E."""

    letter: str
    leading_bits: str
    prefix_length: int | None
    rfc: str


class SpecialRange(NamedTuple):
    """A range of addresses with a special purpose, and where it is defined."""

    prefix: Prefix
    name: str
    rfc: str


CLASSES = (
    AddressClass("A", "0", 8, "RFC 791 section 3.2"),
    AddressClass("B", "10", 16, "RFC 791 section 3.2"),
    AddressClass("C", "110", 24, "RFC 791 section 3.2"),
    AddressClass("D", "1110", None, "RFC 1112 section 4"),
    AddressClass("E", "1111", None, "RFC 1112 section 4"),
)
SPECIAL_RANGES = tuple(SpecialRange(Prefix.parse(prefix), name, rfc) for prefix, name, rfc in rows(SPECIAL_ADDRESSES))


def address_class(address: Buffer) -> AddressClass:
    """The class of an address of 4 bytes."""
    bits = f"{address[0]:08b}"
    return next(each for each in CLASSES if bits.startswith(each.leading_bits))


def special_ranges(prefix: Prefix) -> list[SpecialRange]:
    """The special ranges that this network lies in, is, or has in it."""
    return [
        each for each in SPECIAL_RANGES if each.prefix.contains(prefix.network) or prefix.contains(each.prefix.network)
    ]
