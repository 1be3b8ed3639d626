"""The little that a report must know of a frame: who speaks to whom, and where the payload begins.

Every octet may be hostile: each read is checked, and nothing raises.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address
from struct import Struct
from typing import NamedTuple

IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
TAGS = (0x8100, 0x88A8, 0x9100)
MOST_TAGS = 4
ICMP, TCP, UDP = 1, 6, 17
ARP_OCTETS = 28  # of ARP for Ethernet and IPv4
_TCP = Struct("!HHIIBBH")
_PORTS = Struct("!HH")


class Head(NamedTuple):
    """What the headers of a frame say.

    source, destination: sockets "10.9.0.1:7" of TCP and UDP, else addresses; of a station if the
      frame has no IP packet. "" if they are not there.
    payload_at: where the payload of the innermost header begins; the frame's length if it has none.
    """

    source: str
    destination: str
    payload_at: int
    tcp: Segment | None = None
    has_ports: bool = False


class Segment(NamedTuple):
    """The header of a TCP segment, and how many octets of data it has on the wire."""

    seq: int
    ack: int
    flags: int
    window: int
    length: int


def read_head(octets: bytes, length: int, link: str = "ethernet") -> Head:
    """Read the headers. `octets` may be only the beginning of a frame, which is `length` octets long."""
    if link == "ip":
        version = octets[0] >> 4 if octets else 0
        return packet(octets, 0, length, {4: IPV4, 6: IPV6}.get(version, 0), "", "")
    if link != "ethernet" or len(octets) < 14:
        return Head("", "", len(octets))
    kind, at = octets[12] << 8 | octets[13], 14
    for _ in range(MOST_TAGS):
        if kind not in TAGS or len(octets) < at + 4:
            break
        kind, at = octets[at + 2] << 8 | octets[at + 3], at + 4
    return packet(octets, at, length, kind, octets[6:12].hex(":"), octets[:6].hex(":"))


def packet(octets: bytes, at: int, length: int, kind: int, source: str, destination: str) -> Head:
    """Read the header of a packet, and the header in it. `source` and `destination` are those of the frame."""
    if kind == IPV4 and len(octets) >= at + 20:
        size = (octets[at] & 15) * 4
        if octets[at] >> 4 != 4 or size < 20:
            return Head(source, destination, at)
        total = octets[at + 2] << 8 | octets[at + 3]
        first = address(octets[at + 12 : at + 16]), address(octets[at + 16 : at + 20])
        end = at + total if total >= size else length
        if (octets[at + 6] << 8 | octets[at + 7]) & 0x1FFF:  # a later fragment
            return Head(*first, at + size)
        return inner(octets, at + size, end, octets[at + 9], *first)
    if kind == IPV6 and len(octets) >= at + 40 and octets[at] >> 4 == 6:
        end = at + 40 + (octets[at + 4] << 8 | octets[at + 5])
        first = address(octets[at + 8 : at + 24]), address(octets[at + 24 : at + 40])
        return inner(octets, at + 40, end, octets[at + 6], *first)
    return Head(source, destination, at + ARP_OCTETS if kind == ARP else at)


def inner(octets: bytes, at: int, end: int, protocol: int, source: str, destination: str) -> Head:
    """Read the header in an IP packet that ends at `end`."""
    if protocol == TCP and len(octets) >= at + 20:
        sport, dport, seq, ack, offset, flags, window = _TCP.unpack_from(octets, at)
        size = max(offset >> 4, 5) * 4
        segment = Segment(seq, ack, flags, window, max(end - at - size, 0))
        return Head(socket(source, sport), socket(destination, dport), at + size, segment, True)
    if protocol == UDP and len(octets) >= at + 8:
        sport, dport = _PORTS.unpack_from(octets, at)
        return Head(socket(source, sport), socket(destination, dport), at + 8, None, True)
    return Head(source, destination, at + 8 if protocol == ICMP else at)


@lru_cache(maxsize=1024)
def address(octets: bytes) -> str:
    """Return the text of an address of 4 or 16 octets."""
    return ".".join(map(str, octets)) if len(octets) == 4 else str(IPv6Address(octets))


def socket(address: str, port: int) -> str:
    """Return an address with a port, as the events of a host have it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
