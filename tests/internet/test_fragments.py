"""Fragmentation as RFC 791 has it, reassembly by the holes of RFC 815, and what attackers try."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import Config, IpConfig
from stack.counters import Counters
from stack.errors import BadPacket
from stack.internet.fragments import Expired, Reassembled, Reassembler, fragment
from stack.wire import icmp
from stack.wire.addresses import BROADCAST
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE, RECORD_ROUTE, Ipv4Option, Route, join, pad
from tests.internet.station import FAR, OTHER, PEER, US, FakeInterface, Station
from tests.requirements import rfc

PROTOCOL = 253
TCP = 6


def interface() -> FakeInterface:
    return FakeInterface(Config(), Counters(), [])


class Bench:
    """A reassembler alone."""

    def __init__(self, **numbers: float) -> None:
        self.config = replace(IpConfig(), **numbers)  # type: ignore[arg-type]
        self.counters = Counters()
        self.interface = interface()
        self.reassembler = Reassembler(self.config, self.counters)
        self.now = 0.0

    def add(self, packet: bytes) -> Reassembled | str | None:
        """The datagram, the reason for a drop, or None."""
        try:
            return self.reassembler.add(self.interface, Ipv4Header.parse(packet), packet, self.now)
        except BadPacket as bad:
            self.counters.drop(bad.reason)
            return bad.reason


def piece(
    offset: int, payload: bytes, more: bool = True, *, ident: int = 1, source: bytes = PEER, protocol: int = PROTOCOL
) -> bytes:
    header = Ipv4Header(
        source,
        US,
        protocol,
        20 + len(payload),
        ident,
        more_fragments=more,
        fragment_offset=offset,
    )
    return header.build() + payload


def bytes_of(length: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(length)


def payload_of(result: Reassembled | str | None) -> bytes:
    assert isinstance(result, Reassembled), result
    return result.payload


# --- fragmentation


def cut(length: int, mtu: int, options: bytes = b"", **fields: object) -> list[tuple[Ipv4Header, bytes]]:
    header = Ipv4Header(US, PEER, PROTOCOL, 0, 77, options=options)
    packets = fragment(header._replace(**fields), bytes_of(length), mtu)  # type: ignore[arg-type]
    assert all(len(packet) <= mtu for packet in packets)
    headers = [Ipv4Header.parse(packet) for packet in packets]
    return [(head, packet[head.header_length :]) for head, packet in zip(headers, packets, strict=True)]


def test_what_fits_is_not_cut() -> None:
    [(header, payload)] = cut(1480, 1500)
    assert not header.is_fragment
    assert payload == bytes_of(1480)


def test_the_pieces_are_multiples_of_eight_in_order_and_as_few_as_possible() -> None:
    pieces = cut(3000, 1500)
    assert [(header.fragment_offset, len(payload), header.more_fragments) for header, payload in pieces] == [
        (0, 1480, True),
        (1480, 1480, True),
        (2960, 40, False),
    ]
    assert {header.identification for header, _ in pieces} == {77}
    assert b"".join(payload for _, payload in pieces) == bytes_of(3000)


def test_an_mtu_that_is_no_multiple_of_eight_is_rounded_down() -> None:
    assert [len(payload) for _, payload in cut(100, 20 + 8 * 5 + 7)] == [40, 40, 20]


def test_the_last_piece_may_use_what_rounding_left() -> None:
    assert [len(payload) for _, payload in cut(40 + 47, 20 + 47)] == [40, 47]


def test_options_with_the_copied_flag_are_in_all_pieces_and_the_others_in_the_first() -> None:
    record, route = Route(RECORD_ROUTE, (bytes(4),)).option(), Route(LOOSE_SOURCE_ROUTE, (FAR,)).option()
    pieces = cut(200, 100, pad(join([record, route])))
    assert pieces[0][0].options == pad(join([record, route]))
    assert {header.options for header, _ in pieces[1:]} == {pad(join([route]))}
    assert b"".join(payload for _, payload in pieces) == bytes_of(200)


def test_what_fits_beside_the_options_is_not_cut_further() -> None:
    route = pad(join([Route(LOOSE_SOURCE_ROUTE, (FAR,)).option()]))
    assert [len(payload) for _, payload in cut(48 + 47, 20 + len(route) + 48, route)] == [48, 47]
    assert [len(payload) for _, payload in cut(48 + 48, 20 + len(route) + 47, route)] == [40, 40, 16]


def test_a_fragment_can_be_cut_again() -> None:
    pieces = cut(96, 68, fragment_offset=800, more_fragments=True)
    assert [(header.fragment_offset, header.more_fragments) for header, _ in pieces] == [(800, True), (848, True)]


def test_header_fields_are_carried_into_every_piece() -> None:
    for header, _ in cut(3000, 600, ttl=9, tos=0x28):
        assert (header.ttl, header.tos, header.source, header.destination) == (9, 0x28, US, PEER)


def test_an_mtu_without_room_for_eight_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        cut(100, 27)


@given(length=st.integers(1, 65515), mtu=st.integers(68, 1500), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_what_is_cut_is_put_together_again_in_any_order(length: int, mtu: int, seed: int) -> None:
    header = Ipv4Header(PEER, US, PROTOCOL, 0, 5)
    packets = fragment(header, bytes_of(length, seed), mtu)
    if len(packets) == 1:
        return
    random.Random(seed).shuffle(packets)
    bench = Bench(reassembly_holes_max=10_000)
    results = [bench.add(packet) for packet in packets]
    assert results[:-1] == [None] * (len(packets) - 1)
    assert payload_of(results[-1]) == bytes_of(length, seed)
    assert (len(bench.reassembler), bench.reassembler.charged) == (0, 0)


# --- reassembly


def test_in_order_backwards_and_from_the_middle() -> None:
    pieces = [piece(0, b"A" * 8), piece(8, b"B" * 8), piece(16, b"C" * 8), piece(24, b"D", more=False)]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]):
        bench = Bench()
        results = [bench.add(pieces[index]) for index in order]
        assert results[:3] == [None, None, None]
        assert payload_of(results[3]) == b"A" * 8 + b"B" * 8 + b"C" * 8 + b"D"


@pytest.mark.parametrize("which", [0, 1, 2])
def test_an_exact_duplicate_is_harmless(which: int) -> None:
    pieces = [piece(0, b"A" * 8), piece(8, b"B" * 8), piece(24, b"D", more=False)]
    bench = Bench()
    for packet in pieces:
        assert bench.add(packet) is None
    assert bench.add(pieces[which]) == "ipv4_fragment_duplicate"
    assert payload_of(bench.add(piece(16, b"C" * 8))) == b"A" * 8 + b"B" * 8 + b"C" * 8 + b"D"


RECUT = bytes_of(2960 + 40)


@rfc("field-11")
@pytest.mark.parametrize(
    ("cuts", "duplicates"),
    [
        ([(0, 1480), (0, 736), (736, 1480), (1480, 2960), (2960, 3000)], 2),  # as a router with a smaller MTU cuts
        ([(0, 736), (736, 1480), (0, 1480), (1480, 2960), (2960, 3000)], 1),
        ([(0, 736), (0, 1480), (1480, 2960), (1480, 2216), (2960, 3000)], 1),
        ([(1480, 2960), (2960, 3000), (2216, 3000), (0, 1480)], 1),  # the last one in two lengths
        ([(2216, 3000), (2960, 3000), (736, 2960), (0, 1480)], 1),
        ([(0, 1480), (8, 2960), (2960, 3000)], 0),
        ([(8, 16), (24, 32), (0, 2960), (2960, 3000)], 0),  # around others
    ],
)
def test_a_datagram_that_was_cut_again_at_other_places_becomes_whole(
    cuts: list[tuple[int, int]], duplicates: int
) -> None:
    """RFC 791 section 3.2: the octets of both copies are the same."""
    for order in (cuts, cuts[::-1]):
        bench = Bench()
        results = [bench.add(piece(start, RECUT[start:end], end < 3000)) for start, end in order]
        whole = [result for result in results if isinstance(result, Reassembled)]
        assert [result.payload for result in whole] == [RECUT]
        if order is cuts:
            assert results.count("ipv4_fragment_duplicate") == duplicates
        assert "ipv4_fragment_overlap" not in results


@rfc("field-11")
def test_what_overlaps_costs_no_more_memory_than_it_brings() -> None:
    bench = Bench()
    bench.add(piece(0, RECUT[:1480]))
    before = bench.reassembler.charged
    for start in range(0, 1480, 8):
        assert bench.add(piece(start, RECUT[start : start + 8])) == "ipv4_fragment_duplicate"
    assert bench.reassembler.charged == before
    assert bench.add(piece(8, RECUT[8:1488])) is None
    assert bench.reassembler.charged == before + 8 + bench.config.reassembly_overhead_bytes


@rfc("field-11")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (piece(0, b"A" * 16), piece(8, b"B" * 16)),  # the end of one is the start of the other
        (piece(8, b"A" * 16), piece(0, b"B" * 16)),
        (piece(0, b"A" * 24), piece(8, b"B" * 8)),  # teardrop: inside
        (piece(8, b"A" * 8), piece(0, b"B" * 24)),  # around
        (piece(0, b"A" * 8), piece(0, b"B" * 8)),  # a header overwritten (RFC 3128)
        (piece(0, b"A" * 16), piece(0, b"A" * 8 + b"B" * 16)),  # one octet in a longer copy
        (piece(0, b"A" * 7 + b"C" + b"A" * 8), piece(0, b"A" * 8)),  # and in a shorter one
        (piece(8, b"A" * 8), piece(8, b"A" * 8, more=False)),  # an end where more was to follow
        (piece(0, b"A" * 24), piece(8, b"A" * 8, more=False)),  # and before what is known, all of it the same
        (piece(8, b"A" * 8, more=False), piece(16, b"B" * 8)),  # beyond the end
        (piece(16, b"A" * 8), piece(8, b"B" * 8, more=False)),  # an end before what is known
        (piece(8, b"A" * 8, more=False), piece(8, b"A" * 8)),  # the end taken back
        (piece(8, b"A" * 8, more=False), piece(24, b"B" * 8, more=False)),  # two ends
    ],
)
def test_an_overlap_gives_up_the_datagram_and_all_of_it_still_to_come(first: bytes, second: bytes) -> None:
    bench = Bench()
    assert bench.add(first) is None
    assert bench.add(second) == "ipv4_fragment_overlap"
    for packet in (piece(0, b"A" * 8), piece(8, b"B" * 8, more=False)):
        assert bench.add(packet) == "ipv4_fragment_of_refused"
    assert bench.counters["ipSystemStatsReasmFails"] == 1
    assert bench.reassembler.on_deadline(60.0) == [], "nor is it reported as timed out"
    assert (len(bench.reassembler), bench.reassembler.charged) == (0, 0)


def test_fragments_of_different_datagrams_are_never_mixed() -> None:
    bench = Bench()
    assert bench.add(piece(0, b"A" * 8, ident=1)) is None
    for other in (
        piece(8, b"B", more=False, ident=2),
        piece(8, b"B", more=False, source=OTHER),
        piece(8, b"B", more=False, protocol=254),
    ):
        assert bench.add(other) is None
    assert len(bench.reassembler) == 4
    assert payload_of(bench.add(piece(8, b"C", more=False))) == b"A" * 8 + b"C"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (piece(0, b""), "ipv4_fragment_empty"),
        (piece(8, b"", more=False), "ipv4_fragment_empty"),
        (piece(0, b"1234567"), "ipv4_fragment_unaligned"),
        (piece(65528, b"12345678", more=False), "ipv4_fragment_too_long"),
        (piece(65512, bytes(8)), "ipv4_fragment_too_long"),
        (piece(8, bytes(8), protocol=TCP), "ipv4_fragment_tiny"),
        (piece(0, bytes(8), protocol=TCP), "ipv4_fragment_tiny"),
    ],
)
def test_fragments_no_honest_sender_makes_are_refused(packet: bytes, reason: str) -> None:
    bench = Bench()
    assert bench.add(packet) == reason
    assert len(bench.reassembler) == 0


def test_a_datagram_of_65535_bytes_passes_and_no_longer_one() -> None:
    bench = Bench()
    assert bench.add(piece(0, bytes(65504))) is None
    assert len(payload_of(bench.add(piece(65504, bytes(11), more=False)))) == 65515
    assert bench.add(piece(65504, bytes(12), more=False)) == "ipv4_fragment_too_long"


def test_the_first_fragments_options_count_towards_65535() -> None:
    bench = Bench()
    header = Ipv4Header(PEER, US, PROTOCOL, 24 + 65504, 1, more_fragments=True, options=b"\x01" * 4)
    assert bench.add(piece(65504, bytes(11), more=False)) is None
    assert bench.add(header.build() + bytes(65504)) == "ipv4_fragment_too_long"
    assert len(bench.reassembler) == 0


# --- time


def test_what_stays_incomplete_is_given_up_after_the_timeout_without_traffic() -> None:
    bench = Bench(reassembly_timeout_s=60.0)
    bench.add(piece(0, b"A" * 8))
    bench.now = 10.0
    bench.add(piece(0, b"A" * 8, ident=2))
    assert bench.reassembler.deadline == 60.0
    assert bench.reassembler.on_deadline(59.9) == []
    [expired] = bench.reassembler.on_deadline(60.0)
    assert isinstance(expired, Expired)
    assert bench.reassembler.deadline == 70.0
    assert bench.counters["ipv4_reassembly_timeout"] == 1


def test_later_fragments_do_not_prolong_it() -> None:
    bench = Bench()
    bench.add(piece(0, b"A" * 8))
    bench.now = 59.0
    bench.add(piece(16, b"A" * 8))
    assert bench.reassembler.deadline == 60.0


def test_the_timeout_is_told_by_icmp_quoting_fragment_zero() -> None:
    station = Station()
    station.knows(PEER)
    told: list[None] = []
    station.ipv4.reschedule = lambda: told.append(None)
    first = station.receives(PROTOCOL, b"A" * 800, more_fragments=True, identification=9, tos=8)
    station.receives(PROTOCOL, b"B" * 8, fragment_offset=1600, more_fragments=True, identification=9)
    assert len(told) == 1
    station.arp(1, b"\2\0\0\0\xbb\1", PEER, US)
    station.frames()
    station.at(59.0)
    station.knows(PEER)
    station.at(2.0)
    header, message = station.icmp()
    assert (header.source, header.destination, header.tos) == (US, PEER, 0)
    assert (message.type, message.code) == (icmp.TIME_EXCEEDED, icmp.REASSEMBLY_EXCEEDED)
    assert message.body == first[:548]
    assert header.total_length == 576


def test_without_fragment_zero_nothing_is_told() -> None:
    station = Station()
    station.knows(PEER)
    station.receives(PROTOCOL, b"B" * 8, fragment_offset=8, more_fragments=True, identification=9)
    station.at(120.0)
    assert station.silent()
    assert station.counters["ipv4_reassembly_timeout"] == 1


def test_nothing_is_told_about_a_broadcast() -> None:
    station = Station()
    station.knows(PEER)
    station.receives(PROTOCOL, b"B" * 8, more_fragments=True, destination=BROADCAST, link_broadcast=True)
    station.at(120.0)
    assert station.silent()
    assert station.counters["ipv4_reassembly_timeout"] == 1


# --- limits


def test_memory_is_bounded_and_given_back() -> None:
    bench = Bench(reassembly_bytes_max=100_000, reassembly_flows_per_source=10_000, reassembly_flows_max=10_000)
    for ident in range(1000):
        bench.add(piece(8, bytes(1400), ident=ident))
        assert bench.reassembler.charged <= 100_000
    bench.reassembler.on_deadline(1000.0)
    assert (len(bench.reassembler), bench.reassembler.charged) == (0, 0)
    assert bench.counters["ipv4_reassembly_full"] > 900


def test_every_fragment_and_every_datagram_is_charged_its_overhead() -> None:
    bench = Bench(reassembly_overhead_bytes=100)
    bench.add(piece(0, b"A" * 8))
    bench.add(piece(16, b"A" * 8))
    assert bench.reassembler.charged == 16 + 3 * 100


def test_one_datagram_alone_cannot_exceed_the_memory() -> None:
    bench = Bench(reassembly_bytes_max=5_000, reassembly_overhead_bytes=100)
    results = [bench.add(piece(offset, bytes(800))) for offset in range(0, 16_000, 800)]
    assert "ipv4_reassembly_full" in results
    assert bench.reassembler.charged <= 5_000


def test_datagrams_are_bounded_and_the_oldest_makes_room() -> None:
    bench = Bench(reassembly_flows_max=16, reassembly_flows_per_source=100)
    for ident in range(100):
        bench.add(piece(0, b"A" * 8, ident=ident))
    assert len(bench.reassembler) == 16
    assert payload_of(bench.add(piece(8, b"B", more=False, ident=99))) == b"A" * 8 + b"B"


def test_one_source_cannot_shut_out_another() -> None:
    bench = Bench(reassembly_flows_per_source=8)
    bench.add(piece(0, b"A" * 8, source=OTHER))
    for ident in range(5000):
        bench.add(piece(0, b"X" * 8, ident=ident & 0xFFFF))
    assert len(bench.reassembler) == 9
    assert payload_of(bench.add(piece(8, b"B", more=False, source=OTHER))) == b"A" * 8 + b"B"


def test_holes_are_bounded() -> None:
    bench = Bench(reassembly_holes_max=32)
    results = [bench.add(piece(offset, b"A" * 8)) for offset in range(8, 16 * 64, 16)]
    assert results.count("ipv4_fragment_holes") == 1
    assert results[-1] == "ipv4_fragment_of_refused"
    assert bench.reassembler.charged <= 2 * bench.config.reassembly_overhead_bytes


def test_an_interface_that_goes_away_takes_its_fragments_along() -> None:
    bench = Bench()
    bench.add(piece(0, b"A" * 8))
    bench.reassembler.forget(bench.interface)
    assert (len(bench.reassembler), bench.reassembler.charged) == (0, 0)


# --- against a plain model


def model(packets: list[tuple[int, bytes, bool]]) -> tuple[bytes | None, bool]:
    """(the datagram if it becomes whole, whether it is given up), by brute force over single bytes."""
    known: dict[int, int] = {}
    seen: list[tuple[int, bytes, bool]] = []
    end: int | None = None
    for offset, payload, more in packets:
        positions = range(offset, offset + len(payload))
        stop = offset + len(payload)
        differs = any(known.get(position, octet) != octet for position, octet in zip(positions, payload, strict=True))
        if more:
            no_end = end is not None and stop >= end
        else:
            no_end = end not in (None, stop) or any(o + len(p) >= stop for o, p, m in seen if m)
        if differs or no_end:
            return None, True
        seen.append((offset, payload, more))
        known.update(zip(positions, payload, strict=True))
        if not more:
            end = offset + len(payload)
        if end is not None and len(known) == end:
            return bytes(known[position] for position in range(end)), False
    return None, False


fragments = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(0, 1), st.booleans()), min_size=1, max_size=12
)


@given(fragments)
@settings(max_examples=500, deadline=None)
def test_any_sequence_of_fragments_does_what_the_model_does(raw: list[tuple[int, int, int, bool]]) -> None:
    packets = [(unit * 8, bytes((65 + fill,)) * (8 * units), more) for unit, units, fill, more in raw]
    expected, refused = model(packets)
    bench = Bench()
    for offset, payload, more in packets:
        if offset == 0 and not more:
            break  # a whole datagram, which is none of the reassembler's
        result = bench.add(piece(offset, payload, more))
        if isinstance(result, Reassembled):
            assert result.payload == expected
            assert result.header.fragment_offset == 0
            return
        if result == "ipv4_fragment_overlap":
            assert refused
            return
        assert result in (None, "ipv4_fragment_duplicate")
    else:
        assert expected is None
        assert not refused


def test_an_option_of_the_first_fragment_alone_is_kept() -> None:
    option = pad(join([Ipv4Option(RECORD_ROUTE, b"\x04" + bytes(4))]))
    bench = Bench()
    header = Ipv4Header(PEER, US, PROTOCOL, 20 + len(option) + 8, 1, more_fragments=True, options=option)
    assert bench.add(piece(8, b"B", more=False)) is None
    result = bench.add(header.build() + b"A" * 8)
    assert isinstance(result, Reassembled)
    assert result.header.options == option
    assert result.payload == b"A" * 8 + b"B"


# --- ECN: RFC 3168 section 5.3

NOT_ECT, ECT_1, ECT_0, CE = range(4)


def reassembled(*codepoints: int) -> Reassembled | str | None:
    """What comes of fragments with these ECN bits, and a Diffserv field of 0xB8."""
    bench, result = Bench(), None
    for index, codepoint in enumerate(codepoints):
        more = index < len(codepoints) - 1
        header = Ipv4Header(
            PEER, US, PROTOCOL, 28, 1, more_fragments=more, fragment_offset=8 * index, tos=0xB8 | codepoint
        )
        result = bench.add(header.build() + bytes(8))
    return result


@rfc("3168-5.3-c")
@pytest.mark.parametrize("codepoint", range(4))
def test_a_codepoint_that_all_fragments_have_is_kept(codepoint: int) -> None:
    result = reassembled(codepoint, codepoint, codepoint)
    assert isinstance(result, Reassembled)
    assert result.header.tos == 0xB8 | codepoint


@rfc("3168-5.3-a")
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("others", [ECT_0, ECT_1])
def test_congestion_of_one_fragment_is_that_of_the_datagram(place: int, others: int) -> None:
    codepoints = [others] * 3
    codepoints[place] = CE
    result = reassembled(*codepoints)
    assert isinstance(result, Reassembled)
    assert result.header.tos == 0xB8 | CE


@rfc("3168-5.3-b")
@pytest.mark.parametrize("codepoints", [(CE, NOT_ECT), (NOT_ECT, CE), (ECT_0, CE, NOT_ECT), (NOT_ECT, ECT_1, CE)])
def test_congestion_beside_a_fragment_that_is_not_ecn_capable_loses_the_datagram(codepoints: tuple[int, ...]) -> None:
    assert reassembled(*codepoints) == "ipv4_fragment_ecn"


@pytest.mark.parametrize(
    ("codepoints", "result"), [((ECT_0, ECT_1), ECT_0), ((ECT_0, NOT_ECT), NOT_ECT), ((NOT_ECT, ECT_1), NOT_ECT)]
)
def test_other_mixtures_claim_no_more_than_all_of_them_do(codepoints: tuple[int, ...], result: int) -> None:
    whole = reassembled(*codepoints)
    assert isinstance(whole, Reassembled)
    assert whole.header.tos == 0xB8 | result
