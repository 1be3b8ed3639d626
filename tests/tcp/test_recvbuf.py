"""The receive buffer against a plain model: a dictionary from stream offset to octet."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stack.frame_buffer import FrameBuffer
from stack.tcp.recvbuf import ReceiveBuffer

from .world import text

LARGE = 65_160  # a super-frame's text
SPAN = 4000  # how far ahead the model's peer may send


class Model(RuleBasedStateMachine):
    """Octet by octet; the first copy of each counts."""

    @initialize()
    def begin(self) -> None:
        self.buffer = ReceiveBuffer(1 << 30)
        self.next = 0
        self.held: dict[int, int] = {}
        self.unread = b""
        self.frame = FrameBuffer(LARGE + 66)

    def _arrived(self, offset: int, data: bytes) -> None:
        for index, octet in enumerate(data, offset):
            if index >= self.next:
                self.held.setdefault(index, octet)
        ready = bytearray()
        while self.next in self.held:
            ready.append(self.held.pop(self.next))
            self.next += 1
        self.unread += bytes(ready)

    @rule(back=st.integers(-50, SPAN), size=st.sampled_from([1, 2, 5, 20, 100, 1024, 1500]), fill=st.integers(0, 255))
    def insert(self, back: int, size: int, fill: int) -> None:
        """Anywhere, with whatever in it: the octets of different copies differ."""
        offset = max(self.next + back, 0)
        data = bytes((fill + index) & 0xFF for index in range(size))
        before = self.next
        self._arrived(offset, data)
        array = bytearray(data)
        assert self.buffer.insert(offset, memoryview(array)) == self.next - before
        array[:] = b"\xdb" * size  # the frame's buffer is used again

    @rule(size=st.sampled_from([1, 100, 1023, 1024, 20_000]), fill=st.integers(0, 255))
    def in_order(self, size: int, fill: int) -> None:
        data = bytes((fill * 3 + index) & 0xFF for index in range(size))
        self.buffer.insert(self.next, data)
        self._arrived(self.next, data)

    @rule(
        size=st.sampled_from([1000, LARGE // 2 - 1, LARGE // 2 + 100, LARGE]),
        back=st.sampled_from([0, 0, -1]),
        fill=st.integers(0, 255),
    )
    def super_frame(self, size: int, back: int, fill: int) -> None:
        """As a TAP does: what is kept of a frame stays as it is, all else is overwritten by the next one."""
        if self.frame.kept:
            self.frame = self.frame.another()
        self.frame[:] = b"\xdb" * len(self.frame)
        data = bytes((fill,)) * size
        self.frame[66 : 66 + size] = data
        offset = max(self.next + back, 0)
        self.buffer.insert(offset, memoryview(self.frame).toreadonly()[66 : 66 + size])
        self._arrived(offset, data)

    @rule(count=st.sampled_from([0, 1, 7, 1000, 1024, 65536, 10 * LARGE]))
    def read(self, count: int) -> None:
        got = self.buffer.read(count)
        assert type(got) is bytes
        assert got == self.unread[: len(got)]
        assert len(got) <= count
        assert bool(got) == bool(count and self.unread)
        self.unread = self.unread[len(got) :]

    @rule(count=st.sampled_from([1, 7, 1000, 65536]))
    def read_into(self, count: int) -> None:
        target = bytearray(count)
        done = self.buffer.read_into(memoryview(target))
        assert done == min(count, len(self.unread))
        assert target[:done] == self.unread[:done]
        self.unread = self.unread[done:]

    @rule()
    def forget_held(self) -> None:
        self.buffer.forget_held()
        self.held.clear()

    @precondition(lambda self: not self.held)
    @rule()
    def clear(self) -> None:
        self.buffer.clear()
        self.unread = b""

    @invariant()
    def agree(self) -> None:
        assert (self.buffer.next, self.buffer.size) == (self.next, len(self.unread))
        assert self.buffer.held == len(self.held)
        runs = self.buffer.runs()
        assert [index for first, end in runs for index in range(first, end)] == sorted(self.held)


Model.TestCase.settings = settings(derandomize=True, max_examples=60, stateful_step_count=30, deadline=None)
TestReceiveBufferIsWhatItsModelIs = Model.TestCase


def test_a_large_chunk_is_handed_out_as_it_is() -> None:
    """bytes() of bytes is no copy, so that what was put in is what comes out."""
    buffer = ReceiveBuffer(4)
    chunk = text(20_000)
    buffer.insert(0, chunk)
    assert buffer.read(65536) is chunk
    buffer.insert(20_000, chunk)
    buffer.insert(40_000, b"tail")
    assert buffer.read(20_000) is chunk
    assert buffer.read(65536) == b"tail"


def in_a_frame(size: int) -> memoryview:
    """Text of a frame that a TAP has read."""
    frame = FrameBuffer(LARGE + 66)
    frame[66 : 66 + size] = text(size)
    return memoryview(frame).toreadonly()[66 : 66 + size]


def test_a_super_frame_is_kept_where_it_is_until_it_is_read() -> None:
    buffer = ReceiveBuffer(4)
    view = in_a_frame(LARGE)
    buffer.insert(0, view)
    frame = view.obj
    assert isinstance(frame, FrameBuffer)
    assert frame.kept
    assert buffer.peek(LARGE) == text(LARGE)
    assert buffer.octet(5) == text(LARGE)[5:6]
    assert buffer.read(LARGE - 1) == text(LARGE)[:-1]
    assert frame.kept
    assert buffer.read_into(memoryview(bytearray(2))) == 1
    assert not frame.kept


@pytest.mark.parametrize("seed", range(8))
def test_super_frames_are_what_they_were_however_they_are_read(seed: int) -> None:
    """As a TAP reads them: into the same few buffers again and again, one after another."""
    random = Random(seed)
    buffer, unread = ReceiveBuffer(4), b""
    frame = FrameBuffer(LARGE + 66)
    frames = [frame]
    for _ in range(400):
        if len(unread) < 4 * LARGE and random.random() < 0.6:
            if frame.kept:
                frame = frame.another()
                if not any(frame is known for known in frames):
                    frames.append(frame)
            size = random.choice([1, 1000, 20_000, LARGE // 2 + 100, LARGE])
            data = random.randbytes(size)
            frame[:] = b"\xdb" * len(frame)
            frame[66 : 66 + size] = data
            buffer.insert(buffer.next, memoryview(frame).toreadonly()[66 : 66 + size])
            unread += data
            continue
        count = random.choice([1, 1000, LARGE // 2, LARGE, 5 * LARGE])
        skip = random.randrange(len(unread) + 1)
        assert buffer.peek(count, skip) == unread[skip : skip + count]
        if skip < len(unread):
            assert buffer.octet(skip) == unread[skip : skip + 1]
        if random.random() < 0.5:
            target = bytearray(count)
            got = bytes(target[: buffer.read_into(memoryview(target))])
        else:
            got = buffer.read(count)
            assert type(got) is bytes
        assert got == unread[:count]
        unread = unread[count:]
        assert buffer.size == len(unread)
    assert 2 < len(frames) <= 11, "as many as are kept at the same time, and the one that is read into"


def test_little_text_does_not_keep_a_large_frame() -> None:
    buffer = ReceiveBuffer(4)
    view = in_a_frame(32_000)
    buffer.insert(0, view)
    assert isinstance(view.obj, FrameBuffer)
    assert not view.obj.kept
    assert buffer.read(LARGE) == text(32_000)


def test_a_frame_is_kept_once() -> None:
    """Given back twice, it would be two frames' buffer at the same time."""
    buffer = ReceiveBuffer(4)
    view = in_a_frame(LARGE)
    buffer.insert(0, view)
    buffer.insert(LARGE, view)
    assert isinstance(view.obj, FrameBuffer)
    view.obj[66:] = bytes(LARGE)
    assert buffer.peek(2 * LARGE) == bytes(LARGE) + text(LARGE)


def test_small_chunks_are_joined_for_one_read() -> None:
    buffer = ReceiveBuffer(4)
    for start in range(0, 14_600, 1460):
        buffer.insert(start, text(1460, start))
    assert buffer.read(65536) == text(14_600)


@pytest.mark.parametrize("count", [1, 1459, 1460, 1461, 2920, 14_600])
def test_a_read_gives_what_was_asked_for_when_it_is_there(count: int) -> None:
    buffer = ReceiveBuffer(4)
    for start in range(0, 14_600, 1460):
        buffer.insert(start, text(1460, start))
    got = b""
    while buffer.size:
        piece = buffer.read(count)
        assert len(piece) == min(count, 14_600 - len(got))
        got += piece
    assert got == text(14_600)


def test_tiny_segments_cost_no_object_each() -> None:
    buffer = ReceiveBuffer(4)
    for number in range(10_000):
        buffer.insert(number, bytes((number & 0xFF,)))
    chunks = 0
    while buffer.size:
        buffer.read(1024)
        chunks += 1
    assert chunks <= 10


def test_what_a_reader_has_is_not_changed_by_what_is_joined() -> None:
    buffer = ReceiveBuffer(4)
    buffer.insert(0, b"abc")
    got = buffer.read(2)
    buffer.insert(3, b"def")
    assert (got, buffer.read(10)) == (b"ab", b"cdef")


@given(st.permutations(range(12)), st.integers(1, 12))
@settings(derandomize=True)
def test_more_runs_than_allowed_are_refused_and_come_again(order: list[int], limit: int) -> None:
    """As a sender retransmits what was not acknowledged, the stream is complete in the end."""
    buffer = ReceiveBuffer(limit)
    octets = text(24)
    for _ in range(12):
        for index in order:
            buffer.insert(2 * index, octets[2 * index : 2 * index + 2])
            assert len(buffer.runs()) <= limit
    assert buffer.read(100) == octets


def test_nothing_is_read_from_nothing() -> None:
    buffer = ReceiveBuffer(4)
    assert buffer.read(10) == b""
    assert buffer.read_into(memoryview(bytearray(3))) == 0
    buffer.insert(0, b"x")
    assert buffer.read(0) == b""
    assert buffer.read_into(memoryview(bytearray())) == 0
