"""Arithmetic modulo 2**32: RFC 9293 section 3.4."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stack.tcp import seq
from tests.requirements import rfc

numbers = st.one_of(
    st.integers(0, seq.MASK),
    st.integers(0, 5),
    st.integers(seq.MASK - 5, seq.MASK),
    st.integers((1 << 31) - 5, (1 << 31) + 5),
)
HALF = 1 << 31
quickly = settings(derandomize=True, max_examples=300)


@rfc("9293-3.4-a")
@quickly
@given(numbers, st.integers(-(1 << 40), 1 << 40))
def test_add_and_sub_undo_each_other(number: int, count: int) -> None:
    moved = seq.add(number, count)
    assert 0 <= moved <= seq.MASK
    assert seq.sub(moved, number) == count % (1 << 32)
    assert seq.add(moved, -count) == number


@rfc("9293-3.4-a")
@quickly
@given(numbers, numbers)
def test_exactly_one_of_less_equal_greater(a: int, b: int) -> None:
    assume(seq.sub(a, b) != HALF)  # opposite on the circle: neither
    assert seq.lt(a, b) + (a == b) + seq.gt(a, b) == 1
    assert seq.le(a, b) == (seq.lt(a, b) or a == b)
    assert seq.ge(a, b) == (seq.gt(a, b) or a == b)
    assert seq.lt(a, b) == seq.gt(b, a)
    assert seq.le(a, b) == seq.ge(b, a)


@quickly
@given(numbers)
def test_opposite_numbers_are_neither_before_nor_behind(a: int) -> None:
    b = seq.add(a, HALF)
    assert not seq.lt(a, b)
    assert not seq.gt(a, b)


@quickly
@given(numbers, st.integers(1, HALF - 1))
def test_what_lies_less_than_half_round_ahead_is_greater(a: int, count: int) -> None:
    b = seq.add(a, count)
    assert seq.lt(a, b)
    assert seq.gt(b, a)
    assert seq.later(a, b) == seq.later(b, a) == b


@quickly
@given(numbers, numbers, numbers)
def test_comparisons_do_not_depend_on_where_on_the_circle(a: int, b: int, shift: int) -> None:
    c, d = seq.add(a, shift), seq.add(b, shift)
    assert (seq.lt(a, b), seq.le(a, b), seq.gt(a, b), seq.ge(a, b)) == (
        seq.lt(c, d),
        seq.le(c, d),
        seq.gt(c, d),
        seq.ge(c, d),
    )


@rfc("9293-3.4-c")
@quickly
@given(numbers, st.integers(0, 0xFFFF << 14), st.integers(-10, (0xFFFF << 14) + 10))
def test_in_window(left: int, size: int, offset: int) -> None:
    assert seq.in_window(seq.add(left, offset), left, size) == (0 <= offset < size)


def test_later_of_the_same() -> None:
    assert seq.later(5, 5) == 5
