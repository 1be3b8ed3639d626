"""The two DHCP options whose values have a form of their own: routes (RFC 3442) and lists of names (RFC 1035 4.1.4).

What a client makes of them is its own business (`stack/dhcp/options.py`); here they are only taken apart.
"""

from __future__ import annotations

from stack.errors import BadPacket
from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer

NAME_MAX = 255  # RFC 1035 section 2.3.4, length octets included
LABEL_MAX = 63

_LABEL_OCTETS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def classless_routes(data: Buffer) -> tuple[tuple[Prefix, bytes], ...]:
    """Option 121: per route the width of the mask, as many octets of the subnet as matter, 4 octets of router.

    (destination, router) of each, bits outside the mask made zero. Raises BadPacket dhcp_bad_options for a width over
    32, for a route that is cut off, and for none at all.
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
    """Whether it can be a part of a host's name: letters, digits, hyphens and underscores, at most 63."""
    return 0 < len(label) <= LABEL_MAX and _LABEL_OCTETS.issuperset(label)


def names(data: bytes, most: int) -> tuple[str, ...]:
    """Names one after the other, compressed as in DNS, a pointer counting from the first byte of the value.

    A pointer has to lead backwards, so that there is no loop. The names before the first malformed one are kept, each
    once, and not more than `most`.
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
    """(name, offset behind it); the name is "" when it is malformed, or the root."""
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
