"""Readers for the values of DHCP options. See RFC 2132, RFC 3442; for names RFC 1035 section 4.1.4.

Each function takes the whole value of one option, joined from its parts (RFC 3396), and never
raises. A malformed value counts as a missing option, so that the rest of the message can be used.
Work is bounded by the length of the value and by the limits passed in.
"""

from __future__ import annotations

from stack.dhcp.lease import Route
from stack.errors import BadPacket
from stack.wire import dhcp_values
from stack.wire.addresses import (
    Prefix,
    can_be_host,
    is_loopback,
)
from stack.wire.dhcp_values import is_label, names
from stack.wire.dns import NAME_MAX


def host(data: bytes) -> bytes | None:
    """The address in an option that holds one, such as the server identifier; None if malformed."""
    return data if len(data) == 4 and can_be_host(data) else None


def hosts(data: bytes, most: int) -> tuple[bytes, ...]:
    """A list of addresses in order of preference, at most `most`.

    Repetitions and addresses that cannot be a host's are left out. RFC 2132 sections 3.5, 3.8 and
    8.3: the length is a multiple of 4 and not 0; otherwise the list is empty.
    """
    if len(data) % 4:
        return ()
    found = dict.fromkeys(data[start : start + 4] for start in range(0, len(data), 4))
    return tuple(address for address in found if can_be_host(address))[:most]


def seconds(data: bytes) -> int | None:
    """A 32-bit number of seconds (RFC 2132 sections 9.2, 9.11, 9.12)."""
    return int.from_bytes(data, "big") if len(data) == 4 else None


def prefix_length(mask: bytes) -> int | None:
    """The number of one bits in a subnet mask; None if there are none or they are not contiguous.

    RFC 950, RFC 1812 section 2.2.5.1.
    """
    if len(mask) != 4:
        return None
    ones = f"{int.from_bytes(mask, 'big'):032b}".rstrip("0")
    return len(ones) if ones and "0" not in ones else None


def classful_length(address: bytes) -> int:
    """The prefix length by the class of the address, used without a mask (RFC 950 section 2.1)."""
    return 8 if address[0] < 128 else 16 if address[0] < 192 else 24


def mtu(data: bytes, least: int, most: int) -> int | None:
    """The interface MTU (RFC 2132 section 5.1); None unless it is from `least` to `most`."""
    value = int.from_bytes(data, "big") if len(data) == 2 else 0
    return value if least <= value <= most else None


def text(data: bytes) -> str:
    """NVT ASCII without trailing NULs (RFC 2132 section 2); each unprintable byte becomes "?"."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in data.rstrip(b"\0"))


def domain_name(data: bytes) -> str:
    """A name in dotted text, such as the domain name or the host name, without a dot at its end.

    "" unless its labels consist of letters, digits, hyphens and underscores: other programs use the
    name unchecked.
    """
    name = data.rstrip(b"\0").removesuffix(b".")
    labels = name.split(b".")
    return name.decode("ascii") if len(name) < NAME_MAX - 1 and all(map(is_label, labels)) else ""


def search_list(data: bytes, most: int) -> tuple[str, ...]:
    """Option 119: the domains to search, compressed as in DNS (RFC 1035 section 4.1.4)."""
    return names(data, most)


def classless_routes(data: bytes, most: int) -> tuple[Route, ...] | None:
    """Option 121 (RFC 3442), at most `most` routes; None when any part of it is malformed.

    A router of 0.0.0.0 means that the subnet is on the link. Left out are destinations that are not
    unicast, and routers whose address cannot be a host's.
    """
    try:
        pairs = dhcp_values.classless_routes(data)
    except BadPacket:
        return None
    found = [
        Route(destination, router if any(router) else None)
        for destination, router in dict.fromkeys(pairs)
        if _is_destination(destination) and (can_be_host(router) or not any(router))
    ]
    return tuple(found)[:most]


def _is_destination(prefix: Prefix) -> bool:
    """Whether a server may give a route to it: 0/0, or unicast addresses outside 127/8."""
    return prefix.length == 0 or (prefix.address[0] < 224 and not is_loopback(prefix.address))


def static_routes(data: bytes, most: int) -> tuple[Route, ...]:
    """Option 33 (RFC 2132 section 5.8): pairs of destination and router, at most `most`.

    There is no mask: a destination whose host bits, by its class, are zero is a network, any other
    a host. The destination 0.0.0.0 is not legal in this option.
    """
    if len(data) % 8:
        return ()
    found: dict[Route, None] = {}
    for start in range(0, len(data), 8):
        address, router = data[start : start + 4], data[start + 4 : start + 8]
        network = Prefix(address, classful_length(address))
        destination = network if network.network == address else Prefix(address, 32)
        if can_be_host(address) and can_be_host(router):
            found[Route(destination, router)] = None
    return tuple(found)[:most]
