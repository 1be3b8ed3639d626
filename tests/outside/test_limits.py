"""What a hostile capture can do: any octets, a million SYNs, a connection without end."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from stack.link.captured import CapturedFrame
from stack.outside.follow import Follower, follow
from stack.outside.limits import Limits
from tests.outside.figure import Figure

LINK_TYPES = st.sampled_from(["ethernet", "ip", "linux-sll", "linux-sll2", "unknown"])
SMALL = Limits(connections=20, segments=100, same_ports=3, outstanding=10, datagrams=4)


@given(st.lists(st.tuples(st.binary(max_size=120), LINK_TYPES, st.integers(0, 200), st.integers(0, 2**64)), max_size=8))
def test_nothing_raises_for_any_octets(frames: list[tuple[bytes, str, int, int]]) -> None:
    list(
        follow(
            CapturedFrame(number, time_ns, octets, len(octets) + more, link)
            for number, (octets, link, more, time_ns) in enumerate(frames, 1)
        )
    )


def segments(seed: int, count: int, ports: int) -> Iterator[CapturedFrame]:
    """Segments with any flags and numbers near each other, between few ports; some broken."""
    chance = random.Random(seed)
    figure = Figure()
    figure.line("+0 A . 1:1(0) ack 1 win 100")
    base = bytearray(figure.frames[0].octets)
    for number in range(1, count + 1):
        frame = bytearray(base + bytes(chance.choice((0, 0, 1, 5))))
        if chance.random() < 0.5:
            frame[26:30], frame[30:34] = frame[30:34], frame[26:30]
        frame[16:18] = (len(frame) - 14).to_bytes(2, "big")
        frame[24:26] = frame[50:52] = bytes(2)
        frame[34:38] = bytes((0, 9, 0, chance.randrange(ports)))
        near = 2**32 - 8
        for at in (38, 42):
            frame[at : at + 4] = ((near + chance.randrange(16)) % 2**32).to_bytes(4, "big")
        frame[47] = chance.randrange(64)
        frame[48:50] = chance.choice((0, 0, 1, 5, 300)).to_bytes(2, "big")
        cut = len(frame) if chance.random() < 0.3 else len(frame) - 1  # cut off: the checksum cannot be told
        direction = chance.choice(("in", "out", ""))
        time_ns = number * chance.choice((1_000, 400_000_000))
        yield CapturedFrame(number, time_ns, bytes(frame[:cut]), len(frame), "ethernet", "", direction)


def test_any_sequence_of_segments_is_followed_within_bounds() -> None:
    for seed in range(20):
        follower = Follower(SMALL)
        kept = 0
        for frame in segments(seed, 1000, ports=40):
            follower.take(frame)
            for connection in follower.done:
                kept = max(kept, len(connection.segments))
                assert all(len(end.holes) <= 64 and len(end.inbox) <= 8 for end in connection.ends)
                assert all(len(end.unacknowledged) <= 10 for end in connection.ends)
            follower.done.clear()
        left = follower.end()
        assert len(left) <= SMALL.connections
        assert sum(len(connection.segments) for connection in left) <= SMALL.segments


def flood(count: int) -> Iterator[CapturedFrame]:
    """SYNs from as many sockets. They are cut off, so that their checksums cannot be told."""
    figure = Figure()
    figure.line("+0 A S 0:1(1) win 1000")
    frame = bytearray(figure.frames[0].octets)
    frame[24:26] = bytes(2)
    for number in range(1, count + 1):
        frame[26:30] = number.to_bytes(4, "big")
        yield CapturedFrame(number, number, bytes(frame[:-1]), len(frame), "ethernet")


def test_a_flood_of_syns_comes_out_as_it_goes_on() -> None:
    limits = Limits(connections=100)
    seen = 0
    for connection in itertools.islice(follow(flood(10_000), limits), 9_000):
        seen += 1
        assert [mark.name for mark in connection.marks] == ["given_out_early"]
        assert len(connection.segments) == 1
    assert seen == 9_000


def test_a_connection_that_goes_on_when_it_was_given_out_has_no_beginning() -> None:
    figure = Figure()
    figure.line("+0 A S 0:0(0) win 1000")
    figure.line("+0 A . 1:1(0) ack 1 win 1000")
    syn, ack = figure.frames
    others = [frame._replace(number=frame.number + 1) for frame in flood(30)]
    found = list(follow([syn, *others, ack._replace(number=40)], SMALL))
    ours = [connection for connection in found if connection.ends[0].address == "10.0.0.1"]
    assert [connection.began for connection in ours] == [True, False]


def test_segments_beyond_the_limit_are_counted() -> None:
    frames = Figure()
    frames.line("+0 A S 0:0(0) win 1000")
    for number in range(150):
        frames.line(f"+1 A . {1 + number}:{2 + number}(1) ack 1 win 1000")
    (connection,) = follow(frames.frames, SMALL)
    assert len(connection.segments) == 100
    assert connection.left_out == 51
    assert connection.counts["new"] == 151
    assert [mark.sentence for mark in connection.marks] == [
        "51 segments were judged and counted, but there are too many to keep them all."
    ]


def test_ports_that_are_used_again_and_again() -> None:
    figure = Figure()
    for round_ in range(10):
        figure.iss["A"] = 1000 * round_
        figure.line("+1 A S 0:0(0) win 1000")
    connections = list(follow(figure.frames, SMALL))
    assert len(connections) == 10
    assert [len(connection.segments) for connection in connections] == [1] * 10
    assert all(segment.mark("port_reused") for connection in connections[1:] for segment in connection.segments)
