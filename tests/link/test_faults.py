"""Single faults: which frame they concern, what they do to it, and that they happen once."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest

import stack
from stack.link.faults import KINDS, SWAP_WAIT_S, Fault, look
from stack.link.impair import MOST_ARMED, Impaired, Impairment
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpHeader
from tests.link.frames import Wakes, Wire, drain, ip_frame, tcp_frame, udp_frame
from tests.link.test_impair import differing_bits

HERE, THERE = ("10.9.0.1", 1024), ("10.9.0.2", 80)


def segment(flags: int, text: bytes = b"", *, source_port: int = 1024, seq: int = 0) -> bytes:
    return ip_frame(PROTO_TCP, TcpHeader(source_port, 80, seq, 1, flags, 65535).build() + text)


SYN_FRAME, SYN_ACK, ACK_FRAME = segment(SYN), segment(SYN | ACK), segment(ACK)
FIN_FRAME, RST_FRAME = segment(FIN | ACK), segment(RST | ACK)
DATA = [segment(ACK | PSH, b"some text", seq=9 * n) for n in range(8)]
ICMP = ip_frame(PROTO_ICMP, b"\x08\0\0\0\0\0\0\x01ping")
ARP = bytes(12) + b"\x08\x06" + bytes(46)


class Bench:
    """A bad wire between a writer and a list."""

    def __init__(self, **fields: Any) -> None:
        self.wire = Wire()
        self.link = Impaired(self.wire, outgoing=Impairment(**fields), seed=5)
        self.wakes = Wakes()
        self.link.open(self.wakes)
        self.direction = self.link.outgoing

    def passes(self, *frames: bytes, now: float = 0.0) -> list[bytes]:
        """What comes out of the wire when these are sent, at once."""
        before = len(self.wire.sent)
        for frame in frames:
            assert self.link.write([frame], now)
        return [frame for _, frame in self.wire.sent[before:]]


@pytest.mark.parametrize(
    ("frame", "kinds"),
    [
        (SYN_FRAME, ("segment", "syn")),
        (SYN_ACK, ("segment", "syn,ack")),
        (ACK_FRAME, ("segment", "ack")),
        (FIN_FRAME, ("segment", "fin")),
        (segment(FIN | ACK, b"last"), ("segment", "fin", "data")),
        (RST_FRAME, ("segment", "rst")),
        (DATA[0], ("segment", "data")),
        (tcp_frame(b"").ljust(60, b"\0"), ("segment", "ack")),  # padding is no data
        (udp_frame(b"x"), ("udp",)),
        (ICMP, ("icmp",)),
        (ARP, ("arp",)),
        (bytes(60), ()),
        (b"", ()),
    ],
)
def test_what_a_frame_is(frame: bytes, kinds: tuple[str, ...]) -> None:
    assert look(frame, 14).kinds == kinds
    assert set(kinds) <= set(KINDS)


def test_no_frame_is_too_short_to_be_looked_at() -> None:
    for whole in (DATA[0], udp_frame(b"data"), ICMP, ARP):
        for length in range(len(whole)):
            for offset in (14, 0):
                cut = whole[14 - offset : 14 - offset + length]
                assert all(0 <= first < after <= len(cut) for first, after in look(cut, offset).parts.values())


def test_the_parts_of_a_frame_follow_each_other() -> None:
    parts = look(DATA[0], 14).parts
    assert list(parts) == ["ethernet", "ip", "transport", "data"]
    assert all(one[1] == other[0] for one, other in pairwise(parts.values()))
    assert parts["data"] == (54, 63)
    assert list(look(ACK_FRAME[14:], 0).parts) == ["ip", "transport"]


def test_a_fragment_is_no_segment() -> None:
    fragment = bytearray(DATA[0])
    fragment[20] |= 0x20
    assert look(fragment, 14).kinds == ()
    bench = Bench()
    bench.direction.arm(Fault("lose", "segment"))
    assert bench.passes(bytes(fragment)) == [bytes(fragment)]
    bench.direction.arm(Fault("lose"))
    assert bench.passes(bytes(fragment)) == []


def test_the_next_of_a_kind_is_lost_once() -> None:
    for kind, lost in (("syn", SYN_FRAME), ("syn,ack", SYN_ACK), ("ack", ACK_FRAME), ("fin", FIN_FRAME)):
        bench = Bench()
        bench.direction.arm(Fault("lose", kind))
        others = [frame for frame in (SYN_FRAME, SYN_ACK, ACK_FRAME, DATA[0], FIN_FRAME, ICMP) if frame != lost]
        assert bench.passes(*others) == others
        assert bench.direction.armed == (Fault("lose", kind),)
        assert bench.passes(lost, lost) == [lost]
        assert (bench.direction.armed, bench.direction.dropped) == ((), 1)


def test_the_nth_segment_from_now_on() -> None:
    bench = Bench()
    bench.passes(DATA[0])
    bench.direction.arm(Fault("lose", "data", number=3))
    assert bench.passes(DATA[1], ACK_FRAME, DATA[2], ICMP, DATA[3], DATA[4]) == [
        DATA[1], ACK_FRAME, DATA[2], ICMP, DATA[4]
    ]  # fmt: skip


def test_only_frames_of_the_flow_match_either_way() -> None:
    other = segment(ACK | PSH, b"other", source_port=1025)
    for flow in ((HERE, THERE), (THERE, HERE)):
        bench = Bench()
        bench.direction.arm(Fault("lose", "data", flow=flow))
        assert bench.passes(other, ICMP, DATA[0], DATA[1]) == [other, ICMP, DATA[1]]


def test_a_duplicate() -> None:
    bench = Bench()
    bench.direction.arm(Fault("duplicate", "data"))
    assert bench.passes(ACK_FRAME, DATA[0], DATA[1]) == [ACK_FRAME, DATA[0], DATA[0], DATA[1]]
    assert bench.direction.duplicated == 1


def test_the_next_two_change_places() -> None:
    bench = Bench()
    bench.direction.arm(Fault("swap", "data", number=2))
    assert bench.passes(DATA[0], DATA[1]) == [DATA[0]]
    assert bench.passes(ACK_FRAME, DATA[2], DATA[3]) == [ACK_FRAME, DATA[2], DATA[1], DATA[3]]
    assert (bench.direction.armed, bench.direction.reordered) == ((), 1)
    assert bench.link.deadline == math.inf


def test_two_change_places_on_a_slow_wire() -> None:
    bench = Bench(delay_s=0.1)
    bench.direction.arm(Fault("swap", "data"))
    bench.passes(DATA[0], now=0.0)
    bench.passes(DATA[1], now=0.05)
    bench.passes(DATA[2], now=0.06)
    while bench.link.deadline < math.inf:
        bench.link.poll(bench.link.deadline)
    assert [(round(at, 6), frame) for at, frame in bench.wire.sent] == [
        (0.15, DATA[1]), (0.15, DATA[0]), (0.16, DATA[2])
    ]  # fmt: skip


def test_a_swap_waits_for_a_second_only_and_then_is_over() -> None:
    bench = Bench()
    bench.direction.arm(Fault("swap", "data"))
    assert bench.passes(DATA[0]) == []
    assert bench.direction.armed
    assert bench.link.deadline == SWAP_WAIT_S
    bench.link.poll(SWAP_WAIT_S)
    assert [frame for _, frame in bench.wire.sent] == [DATA[0]]
    assert bench.direction.armed == ()
    assert bench.passes(DATA[1], DATA[2], now=2.0) == [DATA[1], DATA[2]]


def test_the_first_passes_when_the_second_is_lost() -> None:
    bench = Bench()
    bench.direction.arm(Fault("swap", "data"))
    bench.direction.arm(Fault("lose", "data", number=2))
    assert bench.passes(DATA[0]) == []
    assert bench.passes(DATA[1]) == [DATA[0]]


@pytest.mark.parametrize("part", ["ethernet", "ip", "transport", "data"])
def test_a_bit_of_the_chosen_part_is_changed(part: str) -> None:
    changed = set()
    for seed in range(200):
        wire = Wire()
        link = Impaired(wire, seed=seed)
        link.open(Wakes())
        link.outgoing.arm(Fault("corrupt", "segment", part=part))
        link.write([DATA[0]], 0.0)
        link.write([DATA[0]], 0.0)
        assert wire.sent[1][1] == DATA[0], "only the first"
        [bit] = differing_bits(DATA[0], wire.sent[0][1])
        changed.add(bit // 8)
        assert link.outgoing.corrupted == 1
    first, after = look(DATA[0], 14).parts[part]
    assert changed <= set(range(first, after))
    assert len(changed) > (after - first) / 2


@pytest.mark.parametrize("octets", range(17))
def test_an_ethernet_header_is_there_from_its_last_octet_on(octets: int) -> None:
    assert look(ARP[:octets], 14).parts == ({"ethernet": (0, 14)} if octets >= 14 else {})


def test_each_part_begins_where_the_one_before_ends() -> None:
    """A trailer behind the datagram belongs to none."""
    frame = segment(ACK | PSH, b"some text")
    assert look(frame + bytes(5), 14).parts == {
        "ethernet": (0, 14), "ip": (14, 34), "transport": (34, 54), "data": (54, 63),
    }  # fmt: skip
    assert look(frame[14:], 0).parts == {"ip": (0, 20), "transport": (20, 40), "data": (40, 49)}


def test_a_frame_without_the_part_is_not_counted() -> None:
    bench = Bench()
    bench.direction.arm(Fault("corrupt", "segment", part="data"))
    assert bench.passes(SYN_FRAME, ACK_FRAME) == [SYN_FRAME, ACK_FRAME]
    [passed] = bench.passes(DATA[0])
    assert passed != DATA[0]


def test_faults_of_one_frame_all_happen() -> None:
    bench = Bench()
    for fault in (Fault("duplicate", "data"), Fault("corrupt", "data", part="ip"), Fault("lose", "data", number=2)):
        bench.direction.arm(fault)
    first, second = bench.passes(DATA[0], DATA[1])
    assert len(differing_bits(first, DATA[0])) == 1
    assert second == DATA[0]
    assert bench.direction.armed == ()


def test_the_predicate_counts_the_frames_that_a_fault_loses() -> None:
    numbers: list[int] = []

    def third(frame: bytes, number: int) -> bool:
        numbers.append(number)
        return number == 3

    bench = Bench(drop=third)
    bench.direction.arm(Fault("lose", "data"))
    assert bench.passes(*DATA[:4]) == [DATA[1], DATA[3]]
    assert numbers == [1, 2, 3, 4]


def test_a_black_hole_swallows_what_is_too_large_and_nothing_else() -> None:
    bench = Bench(mtu_bytes=1000)
    small, large = segment(ACK, bytes(960)), segment(ACK, bytes(961))
    assert (len(small) - 14, len(large) - 14) == (1000, 1001)
    assert bench.passes(small, large, small) == [small, small]
    assert bench.direction.too_large == 1
    bare = Wire(ip_offset=0)
    link = Impaired(bare, mtu_bytes=1000)
    link.open(Wakes())
    for frame in (small, large):
        link.write([frame[14:]], 0.0)
    assert [frame for _, frame in bare.sent] == [small[14:]]


def test_a_direction_is_its_own() -> None:
    wire = Wire([DATA[0], DATA[1]])
    link = Impaired(wire)
    link.open(Wakes())
    link.incoming.arm(Fault("lose", "data"))
    link.write([DATA[2]], 0.0)
    assert [frame for _, frame in wire.sent] == [DATA[2]]
    assert drain(link) == [DATA[1]]


# --- ending it ------------------------------------------------------------------------------------------------------


def test_a_healed_wire_does_nothing_and_what_was_held_passes_in_order() -> None:
    bench = Bench(delay_s=5.0, loss=0.0, rate_bps=8000.0)
    assert bench.passes(*DATA[:4]) == []
    bench.direction.arm(Fault("lose", "data"))
    wakes = bench.wakes.count
    bench.link.heal()
    assert bench.wakes.count == wakes + 1, "the deadline moved"
    assert bench.link.deadline <= 0.001
    bench.link.poll(0.001)
    assert [frame for _, frame in bench.wire.sent] == DATA[:4]
    assert bench.passes(DATA[4], now=0.002) == [DATA[4]]
    assert (bench.direction.armed, bench.direction.impairment) == ((), Impairment())


def test_what_was_held_on_its_way_in_is_announced_when_it_is_healed() -> None:
    wire = Wire([DATA[0], DATA[1]])
    link = Impaired(wire, incoming=Impairment(delay_s=9.0))
    link.open(Wakes())
    assert link.read(0.0) is None
    link.heal()
    assert drain(link, 0.1) == DATA[:2]


def test_a_closed_wire_can_be_healed() -> None:
    Impaired(Wire(), loss=1.0).heal()


def test_another_rate_does_not_wait_for_the_queue_of_the_former_one() -> None:
    bench = Bench(rate_bps=8.0)
    bench.passes(DATA[0])
    bench.direction.impairment = Impairment(rate_bps=8e9)
    bench.passes(DATA[1], now=1.0)
    bench.link.poll(1.1)
    assert [frame for _, frame in bench.wire.sent] == [DATA[1]]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"action": "explode"}, "action is one of lose, duplicate, swap, corrupt, not 'explode'"),
        ({"kind": "SYN"}, "kind is one of any, segment, syn"),
        ({"action": "corrupt", "part": "tail"}, "part is one of ethernet, ip, transport, data, not 'tail'"),
        ({"part": "ip"}, "part is where a bit is changed: 'lose' has none"),
        ({"number": 0}, "number counts frames from 1 to 1000000, not 0"),
        ({"flow": (("10.9.0.1", 70000), THERE)}, "a port is a number from 0 to 65535, not 70000"),
        ({"flow": (("ten", 7), THERE)}, "ten"),
    ],
)
def test_a_fault_that_means_nothing(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**{"action": "lose", **wrong})


def test_wrong_types_are_refused() -> None:
    with pytest.raises(TypeError, match="number is a whole number"):
        Fault("lose", number=True)
    link = Impaired(Wire())
    with pytest.raises(TypeError, match=r"arm takes a stack\.Fault"):
        link.outgoing.arm("lose")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"impairment is a stack\.Impairment"):
        link.outgoing.impairment = None  # type: ignore[assignment]
    with pytest.raises(ValueError, match="mtu_bytes is a number of bytes, at least 1"):
        Impairment(mtu_bytes=0)


def test_the_number_of_armed_faults_is_bounded() -> None:
    direction = Impaired(Wire()).outgoing
    for _ in range(MOST_ARMED):
        direction.arm(Fault("lose"))
    with pytest.raises(ValueError, match="wait for their frames already"):
        direction.arm(Fault("lose"))
    for _ in range(MOST_ARMED):
        direction.put(DATA[0], 0.0)
    assert direction.dropped == 1, "they all concerned the next frame"
    direction.arm(stack.Fault("lose"))
