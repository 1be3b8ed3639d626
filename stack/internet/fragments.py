"""Fragmentation and reassembly.

See RFC 791 section 3.2 (the procedures), RFC 815 (the hole algorithm used here), RFC 1122
section 3.3.2 (timeout), RFC 1858 and RFC 5722 (why overlaps that contradict each other are
refused).

Overlaps: a datagram that was retransmitted or duplicated may be fragmented at other offsets the
second time. If all copies of an octet are equal, any of them may be used, and the datagram is
reassembled as RFC 791 section 3.2 says. If copies differ, the sender is broken or an attacker. Then
the whole datagram is discarded, with the fragments of it that are still to come, as RFC 5722
section 4 prescribes for IPv6. By RFC 791 the later copy would be used, and RFC 1858 shows that this
is dangerous.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass

from stack.config import IpConfig
from stack.counters import Counters
from stack.errors import BadPacket
from stack.internet.interface import Interface
from stack.trace.trace import UNWATCHED, Trace
from stack.wire.addresses import format_ipv4
from stack.wire.checksum import Buffer
from stack.wire.ipv4 import HEADER_LENGTH, MAX_LENGTH, Ipv4Header
from stack.wire.ipv4_options import copied_options
from stack.wire.numbers import PROTO_TCP

_INFINITY = 1 << 20
"""Larger than the offset of any byte of a datagram: the end of the hole that RFC 815 starts with.
"""


_NOT_ECT, _ECT_0, _CE = 0b00, 0b10, 0b11  # RFC 3168 section 5


def fragment(header: Ipv4Header, payload: Buffer, mtu: int) -> list[bytes]:
    """Split a datagram into as few packets as possible, in order, of at most `mtu` bytes each.

    `header` may itself be that of a fragment. Its total length and checksum are computed anew.
    RFC 791 section 3.2, "An Example Fragmentation Procedure". Raises ValueError when less than 8
    bytes of payload fit beside the header.
    """
    if header.header_length + len(payload) <= mtu:
        return [_packet(header, header.fragment_offset, payload, header.more_fragments, header.options)]
    packets = []
    options = header.options
    position = 0
    while position < len(payload):
        room = (mtu - HEADER_LENGTH - len(options)) // 8 * 8
        if room <= 0:
            raise ValueError(f"an MTU of {mtu} leaves no room for a fragment")
        last = HEADER_LENGTH + len(options) + len(payload) - position <= mtu
        piece = payload[position:] if last else payload[position : position + room]
        more = header.more_fragments or not last
        packets.append(_packet(header, header.fragment_offset + position, piece, more, options))
        position += len(piece)
        options = copied_options(header.options)
    return packets


def _packet(header: Ipv4Header, offset: int, payload: Buffer, more: bool, options: bytes) -> bytes:
    return (
        Ipv4Header(
            header.source,
            header.destination,
            header.protocol,
            HEADER_LENGTH + len(options) + len(payload),
            header.identification,
            dont_fragment=header.dont_fragment,
            more_fragments=more,
            fragment_offset=offset,
            ttl=header.ttl,
            tos=header.tos,
            options=options,
        ).build()
        + payload
    )


FlowKey = tuple[bytes, bytes, int, int]
"""Source, destination, protocol and identification.

Fragments of one datagram have them in common (RFC 791 3.2).
"""


class Flow:
    """A datagram that is being reassembled."""

    __slots__ = (
        "charged", "deadline", "ecn", "end", "first", "holes", "interface", "key", "pieces", "quote", "reached",
        "refused", "starts",
    )  # fmt: skip

    def __init__(self, key: FlowKey, interface: Interface, deadline: float) -> None:
        self.key = key
        self.interface = interface
        self.deadline = deadline
        self.pieces: dict[int, bytes] = {}  # by offset; they do not overlap
        self.starts: list[int] = []  # the offsets of the pieces, in ascending order
        self.end: int | None = None  # where the datagram ends; None until the last fragment has come
        self.reached = 0  # the datagram is longer than this: the end of the last fragment that has MF
        self.holes: list[tuple[int, int]] = [(0, _INFINITY)]  # first and last byte missing, in ascending order
        self.first: Ipv4Header | None = None
        self.quote = b""  # the beginning of the first fragment as it came, for an ICMP error to quote
        self.charged = 0  # bytes counted against the memory limit
        self.refused = False  # discarded: fragments that are still to come are dropped
        self.ecn = 0  # one bit for each ECN codepoint that a fragment had


@dataclass(frozen=True, slots=True)
class Reassembled:
    """A whole datagram: the first fragment's header, and the payload.

    `quote` is the beginning of the first fragment as it came, for an ICMP error to quote.
    """

    header: Ipv4Header
    quote: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Expired:
    """A datagram that the timer has discarded.

    `header` and `quote` are fragment zero's, if that came.
    """

    interface: Interface
    header: Ipv4Header | None
    quote: bytes


@dataclass(frozen=True, slots=True)
class ReassemblyRecord:
    """A datagram that is being reassembled, as the user reads it.

    `octets` of it have arrived. `length` is that of the whole payload, None until the last fragment
    has come. `holes` are the gaps as (first octet, last octet); the last octet is None at the end
    of a datagram whose length is not known. `expires_at` is a time on the host's clock. `refused`:
    it was discarded, and the fragments that are still to come are dropped.
    """

    source: str
    destination: str
    protocol: int
    identification: int
    octets: int
    length: int | None
    holes: tuple[tuple[int, int | None], ...]
    expires_at: float
    refused: bool


class Reassembler:
    """Reassembles fragments into datagrams.

    Five things are limited: the datagrams, the datagrams of one source, the bytes, the holes in one
    datagram, and the time. When there are too many datagrams or bytes, the oldest datagram makes
    room. When there are too many datagrams of one source, the oldest one of that source does.
    Otherwise fragments that never become whole would keep out others until the timeout.
    """

    def __init__(self, config: IpConfig, counters: Counters, trace: Trace = UNWATCHED) -> None:
        self.config = config
        self.counters = counters
        self._trace = trace
        self.charged = 0  # bytes held, overhead included
        self._flows: dict[FlowKey, Flow] = {}  # the oldest first: its deadline is the earliest
        self._per_source: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def tables(self) -> dict[str, int]:
        """The numbers of datagrams being reassembled, of their sources, and of octets charged."""
        return {
            "fragmented_datagrams": len(self._flows),
            "fragment_sources": len(self._per_source),
            "fragment_bytes": self.charged,
        }

    def records(self) -> list[ReassemblyRecord]:
        """The datagrams that are being reassembled, the oldest first."""
        return [
            ReassemblyRecord(
                format_ipv4(flow.key[0]),
                format_ipv4(flow.key[1]),
                flow.key[2],
                flow.key[3],
                sum(map(len, flow.pieces.values())),
                flow.end,
                tuple((first, None if last == _INFINITY else last) for first, last in flow.holes),
                flow.deadline,
                flow.refused,
            )
            for flow in self._flows.values()
        ]

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due; math.inf when no datagram is being reassembled."""
        for flow in self._flows.values():
            return flow.deadline
        return math.inf

    def add(self, interface: Interface, header: Ipv4Header, packet: Buffer, now: float) -> Reassembled | None:
        """Take one fragment. Returns the datagram if this completes it.

        `packet` is the whole fragment with its header, without padding. Raises BadPacket with the
        reason when the fragment cannot be used.
        """
        payload = packet[header.header_length : header.total_length]
        first = header.fragment_offset
        self._check(header, len(payload))
        key = (header.source, header.destination, header.protocol, header.identification)
        flow = self._flows.get(key)
        if flow is None:
            flow = self._open(key, interface, now)
        elif flow.refused:
            raise BadPacket("ipv4_fragment_of_refused")
        new_parts = self._new_parts(flow, first, bytes(payload), header.more_fragments)
        if new_parts is None:
            self._refuse(flow, "ipv4_fragment_overlap", "fragments_differ")
        if not new_parts:
            raise BadPacket("ipv4_fragment_duplicate")
        for start, piece in new_parts:
            self._fill_hole(flow, start, start + len(piece) - 1, start + len(piece) != flow.end)
            flow.pieces[start] = piece
            insort(flow.starts, start)
        if len(flow.holes) > self.config.reassembly_holes_max:
            self._refuse(flow, "ipv4_fragment_holes", "fragments_scattered")
        flow.ecn |= 1 << (header.tos & _CE)
        new_octets = sum(len(piece) for _, piece in new_parts)
        self._charge(flow, new_octets + len(new_parts) * self.config.reassembly_overhead_bytes)
        if first == 0 and flow.first is None:
            flow.first = header
            flow.quote = bytes(packet[: self.config.quote_bytes])
        if self._trace.on:
            place = {"offset": first, "len": len(payload), "more": header.more_fragments}
            self._tell(flow, "fragment_waits" if flow.holes else "fragments_complete", **place)
            if flow.holes:
                self._trace.verdict("queued")
        if flow.holes:
            return None
        return self._complete(flow)

    def discard(self, header: Ipv4Header) -> None:
        """Discard the fragments that have the key of a whole datagram which just came.

        See RFC 791 section 3.2.
        """
        flow = self._flows.get((header.source, header.destination, header.protocol, header.identification))
        if flow is not None:
            self.counters["ipSystemStatsReasmFails"] += 1
            if self._trace.on:
                self._tell(flow, "fragments_not_needed")
            self._close(flow)

    def forget(self, interface: Interface) -> None:
        """Discard the fragments that came in by an interface that is being removed.

        No ICMP error is sent.
        """
        for flow in [flow for flow in self._flows.values() if flow.interface is interface]:
            self.counters["ipSystemStatsReasmFails"] += 1
            if self._trace.on:
                self._tell(flow, "fragments_interface_gone")
            self._close(flow)

    def resumed(self, asleep_s: float) -> None:
        """The machine was suspended for `asleep_s` seconds, which `now` does not count.

        So all deadlines move earlier by that time.
        """
        for flow in self._flows.values():
            flow.deadline -= asleep_s

    def on_deadline(self, now: float) -> list[Expired]:
        """Discard the datagrams whose time is over (RFC 1122 section 3.3.2).

        Returns them, for ICMP to report, except those that were refused before.
        """
        expired = []
        while self._flows:
            flow = next(iter(self._flows.values()))
            if flow.deadline > now:
                break
            self._close(flow)
            if not flow.refused:
                self.counters["ipSystemStatsReasmFails"] += 1
                self.counters.drop("ipv4_reassembly_timeout")
                if self._trace.on:
                    self._tell(flow, "fragments_late")
                expired.append(Expired(flow.interface, flow.first, flow.quote))
        return expired

    def _check(self, header: Ipv4Header, length: int) -> None:
        """Refuse fragments that no sender may make by RFC 791 section 3.2, and tiny ones."""
        if length == 0:
            raise BadPacket("ipv4_fragment_empty")
        if header.more_fragments and length % 8:
            raise BadPacket("ipv4_fragment_unaligned")
        if header.fragment_offset + length + header.header_length > MAX_LENGTH:
            raise BadPacket("ipv4_fragment_too_long")
        if header.protocol == PROTO_TCP:
            # RFC 1858 section 4 and RFC 3128: only an attacker splits a TCP header over fragments,
            # to evade a filter.
            if header.fragment_offset == 8 or (header.fragment_offset == 0 and length < 16):
                raise BadPacket("ipv4_fragment_tiny")

    def _new_parts(self, flow: Flow, first: int, payload: bytes, more: bool) -> list[tuple[int, bytes]] | None:
        """The parts of a fragment that had not come yet, with their offsets.

        None when the fragment contradicts others: an octet differs, or the datagram would end
        elsewhere.
        """
        end = first + len(payload)
        if more:
            if flow.end is not None and end >= flow.end:
                return None
            flow.reached = max(flow.reached, end)
        elif flow.end not in (None, end) or end <= flow.reached:
            return None
        else:
            flow.end = end
        new_parts: list[tuple[int, bytes]] = []
        position = first
        index = max(bisect_left(flow.starts, first) - 1, 0)
        while index < len(flow.starts) and (start := flow.starts[index]) < end:
            known = flow.pieces[start]
            left, right = max(start, first), min(start + len(known), end)
            if left < right:
                if payload[left - first : right - first] != known[left - start : right - start]:
                    return None
                if position < left:
                    new_parts.append((position, payload[position - first : left - first]))
                position = right
            index += 1
        if position < end:
            new_parts.append((position, payload[position - first :]))
        return new_parts

    def _fill_hole(self, flow: Flow, first: int, last: int, more: bool) -> None:
        """Fill octets `first` to `last`, which are in one hole: RFC 815 section 3, steps 1 to 7."""
        for index, (hole_first, hole_last) in enumerate(flow.holes):
            if first > hole_last:  # step 2
                continue
            remains = []
            if first > hole_first:  # step 5
                remains.append((hole_first, first - 1))
            if last < hole_last and more:  # step 6
                remains.append((last + 1, hole_last))
            flow.holes[index : index + 1] = remains  # step 4
            return

    def _complete(self, flow: Flow) -> Reassembled:
        """Put the pieces together: RFC 815 section 3, step 8."""
        self._close(flow)
        header = flow.first
        payload = b"".join(flow.pieces[offset] for offset in flow.starts)
        if header is None or header.header_length + len(payload) > MAX_LENGTH:
            self.counters["ipSystemStatsReasmFails"] += 1
            raise BadPacket("ipv4_fragment_too_long")
        if flow.ecn != 1 << (header.tos & _CE):
            header = header._replace(tos=header.tos & ~_CE | self._codepoint(flow))
        self.counters["ipSystemStatsReasmOKs"] += 1
        return Reassembled(header, flow.quote, payload)

    def _codepoint(self, flow: Flow) -> int:
        """The ECN codepoint of a datagram whose fragments have different ones.

        See RFC 3168 section 5.3. CE in one fragment marks the datagram, unless another fragment is
        Not-ECT: then the datagram is dropped.
        """
        if not flow.ecn & 1 << _CE:
            return _NOT_ECT if flow.ecn & 1 << _NOT_ECT else _ECT_0
        if flow.ecn & 1 << _NOT_ECT:
            self.counters["ipSystemStatsReasmFails"] += 1
            raise BadPacket("ipv4_fragment_ecn")
        return _CE

    def _open(self, key: FlowKey, interface: Interface, now: float) -> Flow:
        source = key[0]
        if self._per_source.get(source, 0) >= self.config.reassembly_flows_per_source:
            self._evict(next(flow for flow in self._flows.values() if flow.key[0] == source))
        elif len(self._flows) >= self.config.reassembly_flows_max:
            self._evict(next(iter(self._flows.values())))
        flow = Flow(key, interface, now + self.config.reassembly_timeout_s)
        self._flows[key] = flow
        self._per_source[source] = self._per_source.get(source, 0) + 1
        self._charge(flow, self.config.reassembly_overhead_bytes)
        return flow

    def _charge(self, flow: Flow, size: int) -> None:
        flow.charged += size
        self.charged += size
        while self.charged > self.config.reassembly_bytes_max:
            oldest = next(iter(self._flows.values()))
            if oldest is flow:
                self._refuse(flow, "ipv4_reassembly_full", "fragments_no_room")
            self._evict(oldest)

    def _evict(self, flow: Flow) -> None:
        self.counters["ipSystemStatsReasmFails"] += 1
        self.counters.drop("ipv4_reassembly_full")
        if self._trace.on:
            self._tell(flow, "fragments_no_room")
        self._close(flow)

    def _refuse(self, flow: Flow, reason: str, because: str) -> None:
        """Discard the bytes of a datagram, and raise BadPacket with the reason.

        Its key is kept until the timeout, so that later fragments are dropped too.
        """
        self.counters["ipSystemStatsReasmFails"] += 1
        if self._trace.on:
            self._tell(flow, because)
        flow.refused = True
        freed = flow.charged - self.config.reassembly_overhead_bytes
        flow.charged -= freed
        self.charged -= freed
        flow.pieces, flow.starts, flow.holes, flow.quote = {}, [], [], b""
        raise BadPacket(reason)

    def _tell(self, flow: Flow, because: str, **data: object) -> None:
        source, destination, protocol, identification = flow.key
        self._trace.tell(
            "ip:reassembly",
            flow.interface.name,
            because,
            source=format_ipv4(source),
            destination=format_ipv4(destination),
            protocol=protocol,
            id=identification,
            **data,
            have=sum(map(len, flow.pieces.values())),
            holes=len(flow.holes),
        )

    def _close(self, flow: Flow) -> None:
        del self._flows[flow.key]
        self.charged -= flow.charged
        flow.charged = 0
        source = flow.key[0]
        left = self._per_source[source] - 1
        if left:
            self._per_source[source] = left
        else:
            del self._per_source[source]
