"""The link types of a capture file: what the octets of a frame begin with.

See the registry of draft-ietf-opsawg-pcaplinktype, and LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2
at tcpdump.org for the cooked headers.
"""

from __future__ import annotations

from stack.link.captured import LinkHeader

LINKS: dict[int, LinkHeader] = {
    1: "ethernet",
    12: "ip",  # what some systems write in the place of 101
    101: "ip",
    113: "linux-sll",
    228: "ip",  # IPv4 only
    229: "ip",  # IPv6 only
    276: "linux-sll2",
}

LONGEST_FRAME = 262_144  # octets of one frame: the most that libpcap and Wireshark take

_PACKET_TYPE_AT = {"linux-sll": (0, 2), "linux-sll2": (10, 11)}  # from, to
_DIRECTIONS = {0: "in", 1: "in", 2: "in", 4: "out"}  # to us, broadcast, multicast; by us


def cooked_direction(link: str, octets: bytes) -> str:
    """The direction of a frame, by the packet type in its cooked header; "" without one.

    Type 3 is a frame from another host to a third one.
    """
    place = _PACKET_TYPE_AT.get(link)
    if place is None or len(octets) < place[1]:
        return ""
    return _DIRECTIONS.get(int.from_bytes(octets[place[0] : place[1]]), "")
