"""What the values of DHCP options say, read with suspicion. See RFC 2132, RFC 3442; for names RFC 1035 section 4.1.4.

Each function takes the value of one option, put together from its pieces (RFC 3396), and never raises: a value that is
malformed gives what no value would give, and only the option is lost, not the message. Work is bounded by the length
of the value and by the limits passed in.
"""

from __future__ import annotations

from stack.dhcp.lease import Route
from stack.wire.addresses import (
    Prefix,
    can_be_host,
    is_loopback,
)

_NAME_MAX = 255  # RFC 1035 section 2.3.4, length octets included
_LABEL_MAX = 63


def host(data: bytes) -> bytes | None:
    """The one address of an option such as the server identifier."""
    return data if len(data) == 4 and can_be_host(data) else None


def hosts(data: bytes, most: int) -> tuple[bytes, ...]:
    """A list of addresses in order of preference, without those that cannot be a host's, and without repetitions.

    RFC 2132 sections 3.5, 3.8 and 8.3: the length has to be a multiple of 4, and not 0; otherwise none is taken.
    """
    if len(data) % 4:
        return ()
    found = dict.fromkeys(data[start : start + 4] for start in range(0, len(data), 4))
    return tuple(address for address in found if can_be_host(address))[:most]


def seconds(data: bytes) -> int | None:
    """A 32-bit number of seconds (RFC 2132 sections 9.2, 9.11, 9.12)."""
    return int.from_bytes(data, "big") if len(data) == 4 else None


def prefix_length(mask: bytes) -> int | None:
    """How many bits a subnet mask has; None unless they are contiguous and at least one (RFC 950, RFC 1812 2.2.5.1)."""
    if len(mask) != 4:
        return None
    ones = f"{int.from_bytes(mask, 'big'):032b}".rstrip("0")
    return len(ones) if ones and "0" not in ones else None


def classful_length(address: bytes) -> int:
    """How long the prefix is where nobody says: by the class of the address (RFC 950 section 2.1, RFC 791)."""
    return 8 if address[0] < 128 else 16 if address[0] < 192 else 24


def mtu(data: bytes, least: int, most: int) -> int | None:
    """The interface MTU (RFC 2132 section 5.1): from 68 to what the link can do, other values are not believed."""
    value = int.from_bytes(data, "big") if len(data) == 2 else 0
    return value if least <= value <= most else None


def text(data: bytes) -> str:
    """NVT ASCII: trailing NULs go (RFC 2132 section 2), anything that is not printable becomes a "?"."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in data.rstrip(b"\0"))


def domain_name(data: bytes) -> str:
    """A name in dotted text such as the domain name or the host name, without a dot at its end.

    "" unless it is made of labels of letters, digits, hyphens and underscores: it ends up in programs that trust it.
    """
    name = data.rstrip(b"\0").removesuffix(b".")
    labels = name.split(b".")
    return name.decode("ascii") if len(name) < _NAME_MAX - 1 and all(map(_is_label, labels)) else ""


def _is_label(label: bytes) -> bool:
    return 0 < len(label) <= _LABEL_MAX and all(
        byte in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_" for byte in label
    )


def search_list(data: bytes, most: int) -> tuple[str, ...]:
    """Names one after the other in the form of RFC 1035 section 4.1.4, a pointer counting from the option's first byte.

    A pointer has to lead backwards, so that there is no loop; the names before the first malformed one are kept.
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
        if size > _LABEL_MAX or len(label) < size or length > _NAME_MAX or not _is_label(label):
            break
        labels.append(label)
    return "", len(data)


def classless_routes(data: bytes, most: int) -> tuple[Route, ...] | None:
    """Option 121 (RFC 3442): per route the width of the mask, as many octets of the subnet as matter, the router.

    Bits outside the mask are made zero; the router 0.0.0.0 says that the subnet is on the link. None when any of it
    is malformed. Left out: subnets that are no unicast destination, and routers that cannot be a host's.
    """
    found: dict[Route, None] = {}
    offset = 0
    while offset < len(data):
        width = data[offset]
        router_at = offset + 1 + (width + 7) // 8
        if width > 32 or router_at + 4 > len(data):
            return None
        subnet = Prefix(data[offset + 1 : router_at].ljust(4, b"\0"), width)
        router = data[router_at : router_at + 4]
        offset = router_at + 4
        route = Route(Prefix(subnet.network, width), router if any(router) else None)
        if _is_destination(route.destination) and (route.router is None or can_be_host(router)):
            found[route] = None
    return tuple(found)[:most] if data else None


def _is_destination(prefix: Prefix) -> bool:
    """Whether a server may say the way there: all, or a part of what hosts can have, but never 127/8."""
    return prefix.length == 0 or (prefix.address[0] < 224 and not is_loopback(prefix.address))


def static_routes(data: bytes, most: int) -> tuple[Route, ...]:
    """Option 33 (RFC 2132 section 5.8): pairs of destination and router; the destination 0.0.0.0 is not legal here.

    There is no mask: a destination without host bits by its class is a network, any other a host.
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
