"""Single faults of a wire: what happens to the next frame of a kind, or to the n-th.

`stack.link.impair.Direction.arm` takes a `Fault`. The kinds of TCP segments are told apart by their
control bits (RFC 9293 section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from stack.changed_fields import changed_fields
from stack.errors import BadPacket
from stack.wire import icmp, tcp, udp
from stack.wire.addresses import parse_ipv4
from stack.wire.checksum import Buffer
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP, PROTO_UDP

Endpoint = tuple[str, int]  # address and port
Ends = frozenset[tuple[bytes, int]]
Span = tuple[int, int]

ACTIONS = ("lose", "duplicate", "swap", "corrupt")
KINDS = ("any", "segment", "syn", "syn,ack", "ack", "data", "fin", "rst", "udp", "icmp", "arp")
PARTS = ("ethernet", "ip", "transport", "data")
MOST_NUMBER = 1_000_000
MOST_PORT = 0xFFFF
SWAP_WAIT_S = 1.0  # a swapped frame waits no longer than this for the one that overtakes it

ETHERTYPE_AT, LINK_HEADER = 12, 14


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to happen, once, to a frame of one direction of a wire.

    action: "lose" and "duplicate" the frame; "swap" it with the next one that matches, or delay it
      by `SWAP_WAIT_S` if none comes; "corrupt" it, which changes one bit.
    kind: which frames match. Of TCP these are "segment" (any), "syn" and "syn,ack", "ack" (nothing
      but an acknowledgment), "data" (with text), "fin" and "rst"; a FIN with text is both. Others
      are "udp", "icmp", "arp" and "any". A fragment is "any", since the rest of its datagram is
      elsewhere.
    number: which of the frames that match, counted from 1 when the fault is armed. A retransmission
      counts, too.
    flow: None, or two ends (address as text, port): only frames between them match, either way.
    part: where a bit is changed: in the header of "ethernet" or "ip", in the "transport" header
      (TCP, UDP or ICMP) or in the "data" after it; "" for anywhere. A frame without this part does
      not match. Only for "corrupt".

    ValueError for another value, TypeError for another type.

    >>> Fault("lose", "syn,ack")
    Fault(action='lose', kind='syn,ack')
    """

    action: str
    kind: str = "any"
    number: int = 1
    flow: tuple[Endpoint, Endpoint] | None = None
    part: str = ""

    def __post_init__(self) -> None:
        for name, known in (("action", ACTIONS), ("kind", KINDS), ("part", ("", *PARTS))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is one of {', '.join(filter(None, known))}, not {getattr(self, name)!r}")
        if type(self.number) is not int:
            raise TypeError(f"number is a whole number, not {self.number!r}")
        if not 1 <= self.number <= MOST_NUMBER:
            raise ValueError(f"number counts frames from 1 to {MOST_NUMBER}, not {self.number}")
        if self.part and self.action != "corrupt":
            raise ValueError(f"part is where a bit is changed: {self.action!r} has none")
        for _, port in self.flow or ():
            if not 0 <= port <= MOST_PORT:
                raise ValueError(f"a port is a number from 0 to {MOST_PORT}, not {port}")
        _ = self.ends

    __repr__ = changed_fields

    @property
    def ends(self) -> Ends | None:
        """The two ends of `flow`, as `Seen` has them."""
        return None if self.flow is None else frozenset((parse_ipv4(address), port) for address, port in self.flow)

    def matches(self, seen: Seen) -> bool:
        """Whether the fault concerns such a frame."""
        if self.kind != "any" and self.kind not in seen.kinds:
            return False
        if self.part and self.part not in seen.parts:
            return False
        return self.ends is None or self.ends == seen.ends


class Seen(NamedTuple):
    """What a frame is: its kinds, its two ends, and where its parts are: octets [first, last + 1).

    A part with no octets is left out.
    """

    kinds: tuple[str, ...]
    ends: Ends | None
    parts: dict[str, Span]


def look(frame: Buffer, ip_offset: int) -> Seen:
    """What a frame is, as far as its headers make sense. Checksums are not verified."""
    parts: dict[str, Span] = {}
    if ip_offset:
        if len(frame) >= LINK_HEADER:
            parts["ethernet"] = (0, LINK_HEADER)
        ethertype = int.from_bytes(frame[ETHERTYPE_AT:LINK_HEADER], "big")
        if ethertype != ETHERTYPE_IPV4:
            return Seen(("arp",) if ethertype == ETHERTYPE_ARP else (), None, parts)
    packet = memoryview(frame)[ip_offset:]
    try:
        ip = Ipv4Header.parse(packet, verify_checksum=False)
    except BadPacket:
        return Seen((), None, parts)
    parts["ip"] = (ip_offset, ip_offset + ip.header_length)
    payload = packet[ip.header_length : ip.total_length]
    kinds: tuple[str, ...] = ()
    ends: Ends | None = None
    header = 0
    if not ip.is_fragment:
        kinds, ports, header = _transport(ip.protocol, payload)
        if ports is not None:
            ends = frozenset(((ip.source, ports[0]), (ip.destination, ports[1])))
    first = parts["ip"][1]
    for name, span in (("transport", (first, first + header)), ("data", (first + header, first + len(payload)))):
        if span[0] < span[1]:
            parts[name] = span
    return Seen(kinds, ends, parts)


def _transport(protocol: int, payload: memoryview) -> tuple[tuple[str, ...], tuple[int, int] | None, int]:
    """The kinds of a datagram by its payload, its ports, and the length of the header there."""
    try:
        if protocol == PROTO_TCP:
            segment = tcp.TcpHeader.parse(payload)
            kinds = _segment_kinds(segment.flags, len(payload) > segment.header_length)
            return kinds, (segment.source_port, segment.destination_port), segment.header_length
        if protocol == PROTO_UDP:
            datagram = udp.UdpHeader.parse(payload)
            return ("udp",), (datagram.source_port, datagram.destination_port), udp.HEADER_LENGTH
    except BadPacket:
        return (), None, 0
    if protocol == PROTO_ICMP and len(payload) >= icmp.HEADER_LENGTH:
        return ("icmp",), None, icmp.HEADER_LENGTH
    return (), None, 0


def _segment_kinds(flags: int, has_text: bool) -> tuple[str, ...]:
    """What a TCP segment is called."""
    kinds = ["segment"]
    if flags & tcp.SYN:
        kinds.append("syn,ack" if flags & tcp.ACK else "syn")
    if flags & tcp.FIN:
        kinds.append("fin")
    if flags & tcp.RST:
        kinds.append("rst")
    if has_text:
        kinds.append("data")
    if len(kinds) == 1 and flags & tcp.ACK:
        kinds.append("ack")
    return tuple(kinds)


def part_of(frame: Buffer, ip_offset: int, octet: int) -> str:
    """The part of a frame that an octet is in; "" for padding and for other protocols."""
    for name, (first, after) in look(frame, ip_offset).parts.items():
        if first <= octet < after:
            return name
    return ""
