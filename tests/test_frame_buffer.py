"""The owner of a frame's buffer: the link, or the code that keeps the frame."""

from __future__ import annotations

from stack.frame_buffer import MOST_SPARE, FrameBuffer


def test_what_is_given_back_is_used_again() -> None:
    first = FrameBuffer(100)
    first.kept = True
    second = first.another()
    assert (len(second), second.kept) == (100, False)
    first.give_back()
    second.kept = True
    assert second.another() is first
    assert not first.kept


def test_a_buffer_that_the_link_has_not_left_is_not_handed_out_twice() -> None:
    """Kept and read at once: the link goes on with it, and must not find it among the free ones, too."""
    buffer = FrameBuffer(100)
    buffer.kept = True
    buffer.give_back()
    buffer.kept = True
    other = buffer.another()
    assert other is not buffer
    other.kept = True
    assert other.another() is not buffer


def test_free_buffers_are_not_hoarded() -> None:
    buffer = FrameBuffer(100)
    kept = []
    for _ in range(3 * MOST_SPARE):
        buffer.kept = True
        kept.append(buffer)
        buffer = buffer.another()
    for one in kept:
        one.give_back()
    found = set()
    for _ in range(3 * MOST_SPARE):
        buffer.kept = True
        buffer = buffer.another()
        found.add(id(buffer))
    assert len(found & {id(one) for one in kept}) == MOST_SPARE
