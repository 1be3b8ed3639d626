"""Initial sequence numbers: RFC 9293 section 3.4.1 and RFC 6528."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.tcp.isn import initial_sequence_number
from stack.tcp.seq import MASK, sub
from tests.requirements import rfc

SECRET = bytes(range(16))


def key(number: int) -> bytes:
    """Ten thousand clients of one server: only port and last octet differ."""
    return bytes((10, 9, 0, number % 250)) + bytes((10, 9, 0, 2)) + (1024 + number // 250).to_bytes(2, "big") + b"\0\7"


@rfc("9293 MUST-8", "6528-3-a")
@settings(derandomize=True)
@given(st.floats(0, 1e7), st.floats(0, 1000))
def test_one_connection_s_numbers_tick_every_four_microseconds(now: float, later: float) -> None:
    first = initial_sequence_number(SECRET, key(1), now)
    second = initial_sequence_number(SECRET, key(1), now + later)
    ticks = sub(second, first)
    wanted = int((now + later) * 250_000) - int(now * 250_000)
    assert ticks == wanted & MASK


@rfc("9293 MUST-8")
def test_the_clock_goes_round_in_four_and_a_half_hours() -> None:
    first = initial_sequence_number(SECRET, key(1), 0)
    assert sub(initial_sequence_number(SECRET, key(1), 4 * 3600), first) == 4 * 3600 * 250_000
    assert sub(initial_sequence_number(SECRET, key(1), (1 << 32) / 250_000), first) == 0


@rfc("9293 MUST-9", "6528-3-b")
def test_numbers_of_different_connections_have_no_step_in_common() -> None:
    """10,000 samples at one moment: neither neighbours' differences nor the numbers themselves repeat."""
    numbers = [initial_sequence_number(SECRET, key(number), 1234.5) for number in range(10_000)]
    assert len(set(numbers)) > 9_950
    steps = Counter(sub(later, earlier) for earlier, later in pairwise(numbers))
    assert steps.most_common(1)[0][1] <= 2
    low, high = min(numbers), max(numbers)
    assert low < 1 << 22
    assert high > MASK - (1 << 22)
    for bit in range(32):
        assert 4_700 < sum(number >> bit & 1 for number in numbers) < 5_300


@rfc("9293 MUST-9", "9293 SHLD-1")
def test_without_the_secret_nothing_is_known() -> None:
    other = bytes(reversed(SECRET))
    same = sum(
        initial_sequence_number(SECRET, key(number), 7.0) == initial_sequence_number(other, key(number), 7.0)
        for number in range(1000)
    )
    assert same == 0


@rfc("9293 SHLD-1")
def test_each_part_of_the_key_counts() -> None:
    base = bytes((10, 9, 0, 1, 10, 9, 0, 2, 4, 0, 0, 80))
    numbers = {initial_sequence_number(SECRET, base, 0.0)}
    for index in range(len(base)):
        changed = bytearray(base)
        changed[index] ^= 1
        numbers.add(initial_sequence_number(SECRET, bytes(changed), 0.0))
    assert len(numbers) == len(base) + 1


def test_it_is_a_function_of_its_inputs() -> None:
    assert initial_sequence_number(SECRET, key(5), 3.0) == initial_sequence_number(SECRET, key(5), 3.0)
