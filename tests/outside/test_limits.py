"""What a hostile capture can do: any octets, a million SYNs, a connection without end."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from stack.link.captured import CapturedFrame, LinkHeader
from stack.outside.connection import SeenConnection
from stack.outside.follow import Follower, follow
from stack.outside.limits import Limits
from tests.outside.any_segments import segments
from tests.outside.figure import Figure

LINK_HEADERS: tuple[LinkHeader, ...] = ("ethernet", "ip", "linux-sll", "linux-sll2")
SMALL = Limits(connections=20, segments=100, same_ports=3, outstanding=10, datagrams=4)


@given(
    st.lists(
        st.tuples(st.binary(max_size=120), st.sampled_from(LINK_HEADERS), st.integers(0, 200), st.integers(0, 2**64)),
        max_size=8,
    )
)
def test_nothing_raises_for_any_octets(frames: list[tuple[bytes, LinkHeader, int, int]]) -> None:
    list(
        follow(
            CapturedFrame(number, time_ns, octets, len(octets) + more, link)
            for number, (octets, link, more, time_ns) in enumerate(frames, 1)
        )
    )


def test_any_sequence_of_segments_is_followed_within_bounds() -> None:
    for seed in range(20):
        follower = Follower(SMALL)
        for frame in segments(random.Random(seed).randbytes(8 * 1000)):
            follower.take(frame)
            for connection in follower.done:
                within_bounds(connection)
            follower.done.clear()
        left = follower.end()
        assert len(left) <= SMALL.connections
        assert sum(len(connection.segments) for connection in left) <= SMALL.segments
        for connection in left:
            within_bounds(connection)


def within_bounds(connection: SeenConnection) -> None:
    """What is kept for a connection besides its segments."""
    for end in connection.ends:
        assert len(end.holes) <= 64
        assert len(end.inbox) <= 8
        assert len(end.unacknowledged) <= SMALL.outstanding
        assert len(end.recent) <= 16


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
    assert connection.marks[0].name == "not_kept"


def test_ports_that_are_used_again_and_again() -> None:
    figure = Figure()
    for round_ in range(10):
        figure.iss["A"] = 1000 * round_
        figure.line("+1 A S 0:0(0) win 1000")
    connections = list(follow(figure.frames, SMALL))
    assert len(connections) == 10
    assert [len(connection.segments) for connection in connections] == [1] * 10
    assert all(segment.mark("port_reused") for connection in connections[1:] for segment in connection.segments)
