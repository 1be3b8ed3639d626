"""The send buffer against a plain model: a bytes object from which the front is cut off."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stack.tcp.sendbuf import SendBuffer
from stack.wire.checksum import Buffer

from .world import text


def joined(buffer: SendBuffer, offset: int, count: int) -> bytes:
    return b"".join(buffer.parts(offset, count))


class Model(RuleBasedStateMachine):
    """`model` is what is queued; everything the buffer is asked must agree with it."""

    @initialize()
    def begin(self) -> None:
        self.buffer = SendBuffer()
        self.model = b""
        self.given = 0

    @rule(size=st.sampled_from([0, 1, 2, 10, 100, 1000, 1023, 1024, 1025, 3000]), kind=st.integers(0, 3))
    def append(self, size: int, kind: int) -> None:
        data = text(size, self.given)
        self.given += size
        array = bytearray(data)
        kinds: tuple[Buffer, ...] = data, array, memoryview(data), memoryview(array)
        self.buffer.append(kinds[kind])
        array[:] = b"\xdb" * size  # the user goes on with its own buffer
        self.model += data

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(0, len(self.model)))
        self.buffer.acknowledge(count)
        self.model = self.model[count:]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def parts(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, len(self.model) - 1))
        count = data.draw(st.integers(1, len(self.model) - offset))
        parts = self.buffer.parts(offset, count)
        assert b"".join(parts) == self.model[offset : offset + count]
        assert all(len(part) for part in parts)

    @rule()
    def in_segments(self) -> None:
        """As a sender goes through it."""
        for offset in range(0, len(self.model), 1460):
            piece = self.model[offset : offset + 1460]
            assert joined(self.buffer, offset, len(piece)) == piece

    @rule()
    def clear(self) -> None:
        self.buffer.clear()
        self.model = b""

    @invariant()
    def sizes_agree(self) -> None:
        assert self.buffer.size == len(self.model)


Model.TestCase.settings = settings(derandomize=True, max_examples=60, stateful_step_count=30, deadline=None)
TestSendBufferIsWhatItsModelIs = Model.TestCase


def test_what_is_in_flight_does_not_change_when_more_is_joined_to_it() -> None:
    buffer = SendBuffer()
    buffer.append(b"abc")
    (in_flight,) = buffer.parts(0, 3)
    buffer.append(b"def")
    assert bytes(in_flight) == b"abc"
    assert joined(buffer, 0, 6) == b"abcdef"


def test_small_writes_are_joined() -> None:
    """A chunk's bookkeeping must not outweigh what it holds."""
    buffer = SendBuffer()
    for number in range(10_000):
        buffer.append(bytes((number & 0xFF,)))
    assert len(buffer.parts(0, 10_000)) <= 10


def test_nothing_is_asked_for() -> None:
    buffer = SendBuffer()
    buffer.append(b"abc")
    assert buffer.parts(0, 0) == []
    assert buffer.parts(3, 0) == []


@pytest.mark.parametrize("step", [1, 100, 1460, 5000])
def test_going_through_a_long_queue_finds_every_octet(step: int) -> None:
    """Forwards with the cursor, backwards to the front, and on after an acknowledgment in the middle of a chunk."""
    buffer = SendBuffer()
    data = text(20_000)
    for start in range(0, 20_000, 700):
        buffer.append(data[start : start + 700])
    for offset in range(0, 20_000, step):
        count = min(step, 20_000 - offset)
        assert joined(buffer, offset, count) == data[offset : offset + count]
    assert joined(buffer, 0, 10) == data[:10]
    buffer.acknowledge(12_345)
    assert joined(buffer, 0, 20_000 - 12_345) == data[12_345:]
    assert joined(buffer, 5000, 10) == data[17_345:17_355]


@given(st.lists(st.binary(max_size=50)))
@settings(derandomize=True)
def test_in_equals_out(pieces: list[bytes]) -> None:
    buffer = SendBuffer()
    for piece in pieces:
        buffer.append(piece)
    assert joined(buffer, 0, buffer.size) == b"".join(pieces)


def test_only_a_view_of_exactly_bytes_is_kept() -> None:
    """A read-only view of a bytearray can still change underneath."""
    array = bytearray(text(2000))
    buffer = SendBuffer()
    buffer.append(memoryview(array).toreadonly())
    array[:] = bytes(2000)
    assert joined(buffer, 0, 2000) == text(2000)
