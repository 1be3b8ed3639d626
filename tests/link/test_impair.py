"""The bad wire: what it does to frames, in which order, when, and the same each time."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stack
from stack.link.capture import Capture
from stack.link.device import Offload
from stack.link.impair import LOOKS_PER_READ, Impaired, Impairment, has_tcp_data, nth_data_segment
from tests.link.frames import Wakes, Wire, drain, tcp_frame, udp_frame

FRAMES = [udp_frame(n.to_bytes(2, "big") * 30) for n in range(1000)]


def opened(link: Impaired) -> Wakes:
    wakes = Wakes()
    link.open(wakes)
    return wakes


def differing_bits(one: bytes, two: bytes) -> list[int]:
    """The numbers of the bits that differ, 0 being the first on the wire."""
    assert len(one) == len(two)
    return [n for n in range(len(one) * 8) if (one[n >> 3] ^ two[n >> 3]) & 0x80 >> (n & 7)]


# --- what happens to frames -----------------------------------------------------------------------------------------


def test_without_impairments_all_passes_both_ways_at_once() -> None:
    wire = Wire(FRAMES[:50])
    link = Impaired(wire)
    opened(link)
    assert drain(link, 1.0) == FRAMES[:50]
    for frame in FRAMES[:50]:
        assert link.write([frame[:20], frame[20:]], 2.0)
    assert wire.sent == [(2.0, frame) for frame in FRAMES[:50]]
    assert link.deadline == math.inf
    assert link.fileno() == wire.fileno()


def test_loss() -> None:
    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(loss=0.1), seed=3)
    opened(link)
    for frame in FRAMES:
        assert link.write([frame], 0.0), "no sender can know what the wire loses"
    passed = [frame for _, frame in wire.sent]
    assert passed == [frame for frame in FRAMES if frame in passed], "in order"
    assert 60 <= link.outgoing.lost <= 140
    assert link.outgoing.lost + len(passed) == link.outgoing.frames == 1000
    assert link.incoming.frames == 0


def test_duplication() -> None:
    link = Impaired(Wire(FRAMES), incoming=Impairment(duplicate=0.05), seed=3)
    opened(link)
    got = drain(link)
    assert 25 <= link.incoming.duplicated <= 80
    assert len(got) == 1000 + link.incoming.duplicated
    assert list(dict.fromkeys(got)) == FRAMES
    assert max(got.count(frame) for frame in FRAMES) == 2


def test_corruption_flips_exactly_one_bit_anywhere_in_the_frame() -> None:
    link = Impaired(Wire(FRAMES), corrupt=1.0, seed=4)
    opened(link)
    positions: set[int] = set()
    for sent, got in zip(FRAMES, drain(link), strict=True):
        different = differing_bits(sent, got)
        assert len(different) == 1
        positions.update(different)
    assert link.incoming.corrupted == 1000
    size = len(FRAMES[0])
    assert {position // 8 for position in positions} == set(range(size)), "each byte, link header included"
    assert {position % 8 for position in positions} == set(range(8))


def test_corruption_leaves_the_senders_bytes_alone() -> None:
    wire = Wire()
    link = Impaired(wire, corrupt=1.0)
    opened(link)
    mine = bytearray(FRAMES[7])
    link.write([mine], 0.0)
    assert mine == FRAMES[7]
    assert wire.sent[0][1] != FRAMES[7]


def test_a_reordered_frame_is_overtaken_by_what_follows() -> None:
    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(reorder=0.1, reorder_s=0.005), seed=5)
    opened(link)
    for n, frame in enumerate(FRAMES):
        now = n * 0.001
        if link.deadline <= now:
            link.poll(now)
        link.write([frame], now)
    link.poll(9.0)
    order = [FRAMES.index(frame) for _, frame in wire.sent]
    assert sorted(order) == list(range(1000))
    assert 60 <= link.outgoing.reordered <= 140
    late = [n for place, n in enumerate(order) if any(later < n for later in order[place + 1 :])]
    assert late, "someone overtook"
    assert max(abs(place - n) for place, n in enumerate(order)) <= 5, "for no longer than 5 ms"


def test_the_predicate_is_asked_first_and_with_running_numbers() -> None:
    asked: list[tuple[int, bytes]] = []

    def third_and_tenth(frame: bytes, number: int) -> bool:
        asked.append((number, frame))
        return number in (3, 10)

    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(drop=third_and_tenth, duplicate=1.0))
    opened(link)
    for frame in FRAMES[:12]:
        link.write([frame[:30], frame[30:]], 0.0)
    assert asked == [(n + 1, FRAMES[n]) for n in range(12)]
    assert link.outgoing.dropped == 2
    assert [frame for _, frame in wire.sent][::2] == [FRAMES[n] for n in range(12) if n not in (2, 9)]


def test_the_third_data_segment() -> None:
    ack, data = tcp_frame(b""), [tcp_frame(b"data", seq=4 * n) for n in range(6)]
    wire = Wire()
    link = Impaired(wire, drop=nth_data_segment(3, 5))
    opened(link)
    sent = [ack, data[0], udp_frame(b"data"), ack, data[1], ack, data[2], data[2], data[3], data[4]]
    for frame in sent:
        link.write([frame], 0.0)
    del sent[8], sent[6]
    assert [frame for _, frame in wire.sent] == sent


def test_what_counts_as_tcp_data() -> None:
    frame = tcp_frame(b"x")
    assert has_tcp_data(frame)
    assert has_tcp_data(frame[14:], ip_offset=0)
    assert not has_tcp_data(tcp_frame(b""))
    assert not has_tcp_data(tcp_frame(b"").ljust(60, b"\0")), "padding is no data"
    assert not has_tcp_data(udp_frame(b"x"))
    assert not has_tcp_data(frame[:12] + b"\x08\x06" + frame[14:])
    fragment = bytearray(frame)
    fragment[20] |= 0x20
    assert not has_tcp_data(fragment)
    for cut in range(len(frame)):
        assert not has_tcp_data(frame[:cut])


# --- when -------------------------------------------------------------------------------------------------------------


def test_delay_holds_frames_in_both_directions_until_poll() -> None:
    wire = Wire([FRAMES[0]])
    link = Impaired(wire, outgoing=Impairment(delay_s=0.05), incoming=Impairment(delay_s=0.02))
    wakes = opened(link)
    link.write([FRAMES[1]], 1.0)
    assert wire.sent == []
    assert link.deadline == 1.05
    assert wakes.count == 1, "the deadline moved earlier in a write"
    assert link.read(1.0) is None
    assert link.deadline == 1.02
    link.poll(1.01)
    assert link.read(1.01) is None
    assert wakes.count == 1
    link.poll(1.02)
    assert wakes.count == 2, "there is something to read now"
    assert link.deadline == 1.05, "what only waits to be read is due no more"
    link.poll(1.03)
    assert wakes.count == 2
    assert drain(link, 1.03) == [FRAMES[0]]
    link.poll(1.05)
    assert wire.sent == [(1.05, FRAMES[1])]
    assert link.deadline == math.inf


def test_delayed_frames_of_one_time_keep_their_order() -> None:
    wire = Wire()
    link = Impaired(wire, delay_s=0.5)
    opened(link)
    for frame in FRAMES[:100]:
        link.write([frame], 1.0)
    link.poll(2.0)
    assert [frame for _, frame in wire.sent] == FRAMES[:100]


def test_a_late_poll_does_not_let_a_new_frame_overtake() -> None:
    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(delay_s=0.1))
    opened(link)
    link.write([FRAMES[0]], 1.0)
    link.outgoing.impairment = Impairment()
    link.write([FRAMES[1]], 5.0)
    assert [frame for _, frame in wire.sent] == FRAMES[:2]


def test_jitter_spreads_and_reorders() -> None:
    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(delay_s=0.05, jitter_s=0.02), seed=6)
    opened(link)
    for frame in FRAMES:
        link.write([frame], 10.0)
    while link.deadline < math.inf:
        now = link.deadline
        link.poll(now)
    times = [at for at, _ in wire.sent]
    assert times[0] == pytest.approx(10.03, abs=0.001)
    assert times[-1] == pytest.approx(10.07, abs=0.001)
    assert times == sorted(times)
    assert [frame for _, frame in wire.sent] != FRAMES


def test_jitter_never_sends_a_frame_into_the_past() -> None:
    wire = Wire()
    link = Impaired(wire, jitter_s=0.01, seed=1)
    opened(link)
    for frame in FRAMES[:100]:
        link.write([frame], 3.0)
    assert link.outgoing.deadline > 3.0
    link.poll(3.02)
    assert len(wire.sent) == 100
    assert min(at for at, _ in wire.sent) == 3.0


def test_rate_spaces_frames_by_their_length() -> None:
    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(rate_bps=8000.0, delay_s=1.0))
    opened(link)
    for length in (500, 250, 1000):
        link.write([bytes(length)], 0.0)
    while link.deadline < math.inf:
        link.poll(link.deadline)
    assert [(at, len(frame)) for at, frame in wire.sent] == [(1.5, 500), (1.75, 250), (2.75, 1000)]
    link.write([bytes(500)], 10.0)
    assert link.deadline == 11.5, "an idle wire saves nothing up"


def test_the_queue_before_a_rate_drops_what_finds_it_full() -> None:
    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(rate_bps=8000.0, queue_limit_bytes=1500))
    opened(link)
    for number in range(5):
        link.write([bytes([number]) * 500], 0.0)
    assert link.outgoing.queue_dropped == 2
    link.poll(0.5)
    link.write([b"\x05" * 500], 0.5)
    assert link.outgoing.queue_dropped == 2, "a place became free"
    link.poll(9.0)
    assert [frame[0] for _, frame in wire.sent] == [0, 1, 2, 5]


def test_an_idle_wire_takes_any_frame() -> None:
    wire = Wire()
    link = Impaired(wire, outgoing=Impairment(rate_bps=8000.0, queue_limit_bytes=0))
    opened(link)
    for now in (0.0, 0.1, 2.0):
        link.write([bytes(1000)], now)
    link.poll(9.0)
    assert len(wire.sent) == 2
    assert link.outgoing.queue_dropped == 1


def test_no_more_frames_are_held_than_allowed() -> None:
    link = Impaired(Wire(FRAMES), incoming=Impairment(delay_s=1.0, queue_limit=10))
    opened(link)
    while link.read(0.0) is not None or link.incoming.frames < 1000:
        pass
    assert link.incoming.queue_dropped == 990
    link.poll(1.0)
    assert drain(link, 1.0) == FRAMES[:10]


# --- as a link --------------------------------------------------------------------------------------------------------


def test_a_flood_of_lost_frames_does_not_hold_the_host() -> None:
    wire = Wire(FRAMES)
    link = Impaired(wire, loss=1.0)
    wakes = opened(link)
    assert link.read(0.0) is None
    assert len(wire.incoming) == 1000 - LOOKS_PER_READ
    assert wakes.count == 1, "there may be more: look again"
    for _ in range(15):
        link.read(0.0)
    assert not wire.incoming
    assert wakes.count == 15
    assert link.read(0.0) is None
    assert wakes.count == 15


def test_the_deadline_below_is_kept() -> None:
    wire = Wire()
    link = Impaired(wire, delay_s=1.0)
    opened(link)
    wire.deadline = 0.5
    link.write([FRAMES[0]], 0.0)
    assert link.deadline == 0.5
    link.poll(0.5)
    assert wire.polled == [0.5]
    assert link.deadline == 1.0
    link.poll(1.0)
    assert wire.polled == [0.5], "polled only when it asked for it"
    assert len(wire.sent) == 1


def test_a_link_below_that_refuses_is_believed() -> None:
    wire = Wire()
    wire.takes = False
    link = Impaired(wire)
    opened(link)
    assert not link.write([FRAMES[0]], 0.0)


def test_what_was_on_its_way_is_lost_by_closing() -> None:
    wire = Wire([FRAMES[0]])
    link = Impaired(wire, delay_s=1.0)
    opened(link)
    link.write([FRAMES[1]], 0.0)
    link.read(0.0)
    link.close()
    link.poll(5.0)
    assert link.read(5.0) is None
    assert wire.sent == []
    assert link.deadline == math.inf
    opened(link)
    link.poll(9.0)
    assert drain(link, 9.0) == []


def test_the_link_below_is_not_to_offload(tmp_path: Path) -> None:
    wire = Wire()
    assert wire.may_offload
    Impaired(Capture(wire, tmp_path / "between"))
    assert not wire.may_offload


def test_a_link_that_offloads_all_the_same_is_closed_again() -> None:
    wire = Wire()
    link = Impaired(wire)
    wire.offload = Offload(checksum=True)
    with pytest.raises(OSError, match="wire0 offloads although") as caught:
        link.open(Wakes())
    assert caught.value.errno == errno.EOPNOTSUPP
    assert wire.wake is None


def test_an_open_link_that_offloads_cannot_be_impaired() -> None:
    wire = Wire()
    wire.offload = Offload(checksum=True, gso_max_bytes=65536)
    with pytest.raises(ValueError, match="wire0 is open and offloads"):
        Impaired(wire)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"loss": 1.5}, "loss is a probability"),
        ({"corrupt": -0.1}, "corrupt is a probability"),
        ({"duplicate": math.nan}, "duplicate is a probability"),
        ({"delay_s": -1.0}, "delay_s is a time"),
        ({"jitter_s": math.inf}, "jitter_s is a time"),
        ({"rate_bps": 0.0}, "rate_bps is a number of bits per second"),
        ({"queue_limit": 0}, "queue_limit is a number of frames"),
        ({"queue_limit_bytes": 1000}, "needs rate_bps"),
        ({"queue_limit_bytes": -1, "rate_bps": 1.0}, "not negative"),
    ],
)
def test_impossible_impairments(fields: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Impairment(**fields)  # type: ignore[arg-type]


def test_one_way_to_say_it_at_a_time() -> None:
    with pytest.raises(ValueError, match="both directions"):
        Impaired(Wire(), loss=0.1, incoming=Impairment())


# --- the same each time -----------------------------------------------------------------------------------------------

EVERYTHING = Impairment(
    loss=0.1,
    duplicate=0.05,
    reorder=0.1,
    corrupt=0.05,
    delay_s=0.01,
    jitter_s=0.005,
    rate_bps=1e6,
    queue_limit_bytes=9000,
)


def outcome(seed: int, *, reads_between: int = 0) -> list[tuple[float, bytes]]:
    """What 300 frames a millisecond apart become."""
    wire = Wire(FRAMES)
    link = Impaired(wire, outgoing=EVERYTHING, incoming=EVERYTHING, seed=seed)
    link.open(Wakes())
    for n, frame in enumerate(FRAMES[:300]):
        now = n * 0.001
        link.poll(now)
        for _ in range(reads_between):
            link.read(now)
        link.write([frame], now)
    link.poll(99.0)
    return wire.sent


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    assert outcome(1) == outcome(1)
    assert outcome(1) != outcome(2)


def test_the_directions_do_not_disturb_each_other() -> None:
    assert outcome(1) == outcome(1, reads_between=2)
    wire = Wire(FRAMES)
    link = Impaired(wire, corrupt=0.5, seed=1)
    opened(link)
    for frame in FRAMES:
        link.write([frame], 0.0)
    assert [frame for _, frame in wire.sent] != drain(link), "nor do they draw the same"


def test_the_hash_seed_of_the_process_changes_nothing() -> None:
    program = (
        "import hashlib; from tests.link.test_impair import outcome;"
        "print(hashlib.sha256(repr(outcome(5)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_what_an_impairment_is_not() -> None:
    wrong: Any = "0.1"
    for name in ("loss", "delay_s", "rate_bps"):
        with pytest.raises(TypeError, match=f"{name} is a number, not '0.1'"):
            stack.Impairment(**{name: wrong})
    with pytest.raises(TypeError, match=r"outgoing is a stack\.Impairment\(\.\.\.\), not '0\.1'"):
        stack.Impaired(Wire(), outgoing=wrong)


def test_an_impairment_and_a_direction_print_what_they_are() -> None:
    assert repr(stack.Impairment()) == "Impairment()"
    assert repr(stack.Impairment(loss=0.5, delay_s=0.02)) == "Impairment(loss=0.5, delay_s=0.02)"
    link = stack.Impaired(Wire(), outgoing=stack.Impairment(drop=lambda frame, number: number == 2, duplicate=1))
    opened(link)
    for _ in range(3):
        link.write([FRAMES[0]], 0.0)
    assert isinstance(link.outgoing, stack.Direction)
    link.outgoing.impairment = stack.Impairment(loss=1)
    link.write([FRAMES[0]], 0.0)
    told = "<Direction of Impairment(loss=1): 4 frames, 1 dropped, 1 lost, 2 duplicated>"
    assert repr(link.outgoing) == told
    assert repr(link) == f"<Impaired {link.name}: outgoing {told}, incoming <Direction of Impairment(): 0 frames>>"
