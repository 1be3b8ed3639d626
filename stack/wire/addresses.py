"""IPv4 and Ethernet addresses: conversion between text and bytes, and the kinds of addresses.

An IPv4 address is 4 `bytes` and a station (MAC) address 6 `bytes` everywhere in the stack. See
RFC 1122 section 3.2.1.3 and RFC 6890 for the special addresses, RFC 4632 for prefixes, RFC 1112
section 6.4 for multicast on Ethernet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stack.wire.checksum import Buffer

ANY = bytes(4)
"""0.0.0.0: "this host on this network", and "any local address" when binding."""
BROADCAST = b"\xff\xff\xff\xff"
"""255.255.255.255: every host on this link. It is never forwarded (RFC 919)."""
LOOPBACK = b"\x7f\x00\x00\x01"
ALL_HOSTS = b"\xe0\x00\x00\x01"
"""224.0.0.1: every multicast-capable host on this link (RFC 1112 section 4)."""
LINK_LOCAL_BROADCAST = b"\xa9\xfe\xff\xff"
"""169.254.255.255: every host on this link, also those with a routable address.

See RFC 3927 section 2.6.2.
"""
MAC_BROADCAST = b"\xff\xff\xff\xff\xff\xff"
MAC_ZERO = bytes(6)


def parse_ipv4(text: str) -> bytes:
    """The 4 bytes of a dotted quad such as "10.9.0.2".

    The text must be four decimal numbers from 0 to 255 without leading zeros (some programs read
    "010" as eight). Raises ValueError, which names the text and the rule that it breaks; TypeError
    if `text` is not a str.
    """
    _check_text(text, "10.9.0.2")
    parts = text.split(".")
    if len(parts) != 4:
        raise ValueError(f"{text!r} is not an IPv4 address: it needs four numbers separated by dots")
    for part in parts:
        if not (part.isascii() and part.isdigit()):
            raise ValueError(f"{text!r} is not an IPv4 address: {part!r} is not a decimal number")
        if len(part) > 1 and part[0] == "0":
            raise ValueError(f"{text!r} is not an IPv4 address: {part!r} has a leading zero")
        if len(part) > 3 or int(part) > 255:
            raise ValueError(f"{text!r} is not an IPv4 address: {part} is over 255")
    return bytes(int(part) for part in parts)


def _check_text(text: object, example: str) -> None:
    """Raise an error that says what to write, if this is not a str, or is an IPv6 address."""
    if not isinstance(text, str):
        raise TypeError(f"an address must be a str: write {example!r}, not {text!r}")
    if text.count(":") > 1 and _is_ipv6(text):
        raise ValueError(f"{text!r} is an IPv6 address, and this host has only IPv4: write one such as {example}")


def _is_ipv6(text: str) -> bool:
    """Whether this looks like an IPv6 address (RFC 4291 section 2.2), and not like a MAC address.

    It must have hexadecimal groups between colons, and eight groups or a double colon.
    """
    groups = text.partition("/")[0].partition("%")[0].split(":")
    return (len(groups) == 8 or "" in groups) and all(digit in "0123456789abcdefABCDEF." for digit in "".join(groups))


def format_ipv4(address: Buffer) -> str:
    """The dotted quad for 4 bytes."""
    a, b, c, d = address
    return f"{a}.{b}.{c}.{d}"


def parse_mac(text: str) -> bytes:
    """The 6 bytes of a station address such as "02:00:00:00:00:01" (or with hyphens).

    Raises ValueError, which names the text and the rule that it breaks.
    """
    pairs = text.split("-" if "-" in text else ":")
    if len(pairs) != 6:
        raise ValueError(f"{text!r} is not a MAC address: it needs six pairs of hexadecimal digits")
    for pair in pairs:
        if len(pair) != 2 or not all(digit in "0123456789abcdefABCDEF" for digit in pair):
            raise ValueError(f"{text!r} is not a MAC address: {pair!r} is not a pair of hexadecimal digits")
    return bytes(int(pair, 16) for pair in pairs)


def endpoint(address: tuple[bytes, int]) -> str:
    """The text of (address, port), such as "10.9.0.2:7"."""
    return f"{format_ipv4(address[0])}:{address[1]}"


def format_mac(address: Buffer) -> str:
    """Pairs of hexadecimal digits separated by colons, in lower case."""
    return bytes(address).hex(":")


def is_this_network(address: Buffer) -> bool:
    """0.0.0.0/8, "this network": never a destination, and a source only while booting.

    See RFC 1122 section 3.2.1.3 (a) and (b).
    """
    return address[0] == 0


def is_loopback(address: Buffer) -> bool:
    """127.0.0.0/8, loopback: never on a wire (RFC 1122 section 3.2.1.3 (g))."""
    return address[0] == 127


def is_link_local(address: Buffer) -> bool:
    """169.254.0.0/16, link-local (RFC 3927)."""
    return address[0] == 169 and address[1] == 254


def is_multicast(address: Buffer) -> bool:
    """224.0.0.0/4, class D: a group, and never a source (RFC 1112)."""
    return address[0] >> 4 == 0xE


def is_class_e(address: Buffer) -> bool:
    """240.0.0.0/4, class E: reserved. The limited broadcast, 255.255.255.255, does not count."""
    return address[0] >> 4 == 0xF and address != BROADCAST


def is_limited_broadcast(address: Buffer) -> bool:
    """255.255.255.255 (RFC 1122 section 3.2.1.3 (c))."""
    return address == BROADCAST


def can_be_host(address: Buffer) -> bool:
    """Whether this can be the address of a single host on a network (RFC 1122 section 3.2.1.3)."""
    return 0 < address[0] < 224 and not is_loopback(address)


def is_group_mac(mac: Buffer) -> bool:
    """Whether a station address is that of a group, or broadcast.

    Then its first bit on the wire is set (IEEE 802).
    """
    return bool(mac[0] & 1)


def multicast_mac(address: Buffer) -> bytes:
    """The Ethernet group address for an IPv4 group: the low 23 bits under 01-00-5e.

    See RFC 1112 section 6.4.
    """
    return bytes((0x01, 0x00, 0x5E, address[1] & 0x7F, address[2], address[3]))


@dataclass(frozen=True, slots=True)
class Prefix:
    """An address, and how many of its leading bits are the network's: 10.9.0.2/24.

    The host bits are kept, so that one value has both our own address and our network. `network` is
    the address with all host bits zero. `broadcast` is the one with all host bits one (RFC 919), or
    None for /31 (RFC 3021) and /32, which have no broadcast address. Both are computed once, since
    IP input compares them with many datagrams.
    """

    address: bytes
    length: int
    network: bytes = field(init=False, repr=False, compare=False)
    broadcast: bytes | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.address) != 4:
            raise ValueError(f"an IPv4 address has 4 bytes, not {len(self.address)}")
        if not 0 <= self.length <= 32:
            raise ValueError(f"a prefix length is 0 to 32, not {self.length}")
        network = int.from_bytes(self.address, "big") & self._mask_number
        last = network | (0xFFFFFFFF ^ self._mask_number)
        object.__setattr__(self, "network", network.to_bytes(4, "big"))
        object.__setattr__(self, "broadcast", last.to_bytes(4, "big") if self.length <= 30 else None)

    @classmethod
    def parse(cls, text: str) -> Prefix:
        """Parse "10.9.0.2/24".

        Raises ValueError, which names the text and the rule that it breaks; TypeError if `text` is
        not a str.
        """
        _check_text(text, "10.9.0.2/24")
        address, slash, length = text.partition("/")
        if not slash:
            raise ValueError(f"{text!r} has no prefix length: write ADDRESS/LENGTH, as in {text}/24")
        if not (length.isascii() and length.isdigit() and len(length) <= 2 and int(length) <= 32):
            raise ValueError(f"{text!r} is not a prefix: the length after the slash is a number from 0 to 32")
        return cls(parse_ipv4(address), int(length))

    @classmethod
    def with_mask(cls, address: str, mask: str) -> Prefix:
        """The prefix with this address and mask, such as "10.9.0.2" and "255.255.255.0".

        The ones of a mask come first, without a gap (RFC 4632 section 5.1). Raises ValueError,
        which names the text and the rule that it breaks; TypeError if one is not a str.
        """
        octets = parse_ipv4(mask)
        bits = "".join(f"{octet:08b}" for octet in octets)
        length = bits.count("1")
        if "01" in bits:
            raise ValueError(f"{mask!r} is not a mask: its one bits come first, without a gap ({bits})")
        return cls(parse_ipv4(address), length)

    @property
    def _mask_number(self) -> int:
        return (0xFFFFFFFF << (32 - self.length)) & 0xFFFFFFFF

    @property
    def mask(self) -> bytes:
        """The subnet mask (RFC 950): /24 is 255.255.255.0."""
        return self._mask_number.to_bytes(4, "big")

    def contains(self, address: Buffer) -> bool:
        """Whether `address` has the same network bits."""
        difference = int.from_bytes(self.address, "big") ^ int.from_bytes(address, "big")
        return not difference & self._mask_number

    def __str__(self) -> str:
        return f"{format_ipv4(self.address)}/{self.length}"
