"""Parsers for two DHCP options: classless routes and lists of domain names.

See RFC 3442 (option 121) and RFC 1035 section 4.1.4 (compressed names). `stack/dhcp/options.py`
decides which of these values the client uses.
"""

from __future__ import annotations

from stack.errors import BadPacket
from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer
from stack.wire.dns import LABEL_MAX, read_name

_LABEL_OCTETS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def classless_routes(data: Buffer) -> tuple[tuple[Prefix, bytes], ...]:
    """Parse option 121, classless static routes.

    Each route has the width of its mask, the significant octets of the subnet, and the router.
    Returns (destination, router) of each; destination bits outside the mask are cleared. Raises
    BadPacket dhcp_bad_options for a width over 32, for a truncated route, and for an empty option.
    """
    found = []
    offset = 0
    while offset < len(data):
        width = data[offset]
        router_at = offset + 1 + (width + 7) // 8
        if width > 32 or router_at + 4 > len(data):
            raise BadPacket("dhcp_bad_options")
        subnet = Prefix(bytes(data[offset + 1 : router_at]).ljust(4, b"\0"), width)
        found.append((Prefix(subnet.network, width), bytes(data[router_at : router_at + 4])))
        offset = router_at + 4
    if not found:
        raise BadPacket("dhcp_bad_options")
    return tuple(found)


def is_label(label: bytes) -> bool:
    """Whether this can be a label of a domain name.

    It may have at most 63 letters, digits, hyphens and underscores.
    """
    return 0 < len(label) <= LABEL_MAX and _LABEL_OCTETS.issuperset(label)


def names(data: bytes, most: int) -> tuple[str, ...]:
    """Parse a list of domain names, compressed as in DNS.

    A pointer counts from the first byte of the value. A pointer must lead backwards, so that there
    can be no loop. Returns the names before the first malformed one, without duplicates, at most
    `most` of them.
    """
    found: dict[str, None] = {}
    offset = 0
    while offset < len(data) and len(found) < most:
        try:
            labels, offset = read_name(data, offset, first=0)
        except BadPacket:
            break
        if not labels or not all(map(is_label, labels)):
            break
        found[b".".join(labels).decode("ascii")] = None
    return tuple(found)
