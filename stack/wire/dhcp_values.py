"""Parsers for two DHCP options: classless routes and lists of domain names.

See RFC 3442 (option 121) and RFC 1035 section 4.1.4 (compressed names). `stack/dhcp/options.py`
decides which of these values the client uses.
"""

from __future__ import annotations

from stack.errors import BadPacket
from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer

NAME_MAX = 255  # RFC 1035 section 2.3.4, length octets included
LABEL_MAX = 63

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
        name, offset = _name(data, offset)
        if name == "":
            break
        found[name] = None
    return tuple(found)


def _name(data: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset`, and the offset after it.

    The name is "" if it is malformed, or the root.
    """
    labels: list[bytes] = []
    length, end, earliest = 1, -1, offset
    while offset < len(data):
        size = data[offset]
        if size >= 0xC0 and offset + 1 < len(data):
            pointer = (size & 0x3F) << 8 | data[offset + 1]
            end = offset + 2 if end < 0 else end
            if pointer >= earliest:
                break
            offset = earliest = pointer
            continue
        if size == 0:
            return b".".join(labels).decode("ascii"), offset + 1 if end < 0 else end
        label = data[offset + 1 : offset + 1 + size]
        offset += 1 + size
        length += 1 + size
        if size > LABEL_MAX or len(label) < size or length > NAME_MAX or not is_label(label):
            break
        labels.append(label)
    return "", len(data)
