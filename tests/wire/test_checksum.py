"""RFC 1071 and RFC 1624, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.wire.checksum import Buffer, folded, internet_checksum, long_sum, ones_sum, pseudo_sum, update, verify

repeatable = settings(derandomize=True, max_examples=300, deadline=None)


def by_the_book(data: bytes, initial: int = 0) -> int:
    """The C function of RFC 1071 section 4.1, transcribed."""
    total, count, addr = initial, len(data), 0
    while count > 1:
        total += data[addr] << 8 | data[addr + 1]
        addr += 2
        count -= 2
    if count > 0:
        total += data[addr] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_example_of_rfc_1071_section_3() -> None:
    data = bytes.fromhex("0001 f203 f4f5 f6f7")
    assert ones_sum(data) == 0xDDF2
    assert internet_checksum(data) == 0xFFFF - 0xDDF2


@repeatable
@given(st.binary(max_size=99), st.integers(0, 0x3FFFF))
def test_same_as_by_the_book(data: bytes, initial: int) -> None:
    assert internet_checksum(data, initial) == by_the_book(data, initial)
    assert ones_sum(data) == (0xFFFF - by_the_book(data)) % 65535


@pytest.mark.parametrize("data", [b"\xff\xff", b"\xff\xfe\x00\x01", b"\x80\x00\x7f\xff\x00\x00"])
def test_a_sum_of_ffff_gives_a_field_of_zero(data: bytes) -> None:
    assert internet_checksum(data) == by_the_book(data) == 0
    assert ones_sum(data) == 0


def test_only_zero_words_give_a_field_of_ffff() -> None:
    assert internet_checksum(b"") == internet_checksum(bytes(20)) == 0xFFFF
    assert internet_checksum(bytes(20), 1) == 0xFFFE
    assert not verify(bytes(20))


def test_an_odd_last_byte_is_padded_on_the_right() -> None:
    assert ones_sum(b"\x12\x34\x56") == ones_sum(b"\x12\x34\x56\x00") == 0x1234 + 0x5600


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(kind: type[Buffer]) -> None:
    assert internet_checksum(kind(b"\x01\x02\x03")) == 0xFFFF - 0x0102 - 0x0300


@repeatable
@given(st.binary(max_size=50), st.sampled_from([0, 1, 350, 371, 700, 741, 1100, 1460, 1481, 1500, 9000, 65_000]))
def test_a_folded_sum_is_the_same_sum(data: bytes, more: int) -> None:
    whole = data + bytes(octet * 31 & 0xFF for octet in range(more))
    assert long_sum(whole) % 0xFFFF == ones_sum(whole)
    number = int.from_bytes(whole, "big")
    assert folded(number) % 0xFFFF == number % 0xFFFF


@given(st.binary(min_size=4, max_size=60), st.integers(0, 0x3FFFF))
def test_data_with_its_checksum_verifies_and_with_a_bit_changed_does_not(data: bytes, initial: int) -> None:
    whole = bytearray(data)
    whole[2:4] = b"\0\0"
    whole[2:4] = internet_checksum(whole, initial).to_bytes(2, "big")
    assert verify(whole, initial)
    whole[0] ^= 0x10
    assert not verify(whole, initial)


def test_pseudo_sum_is_that_of_the_twelve_bytes() -> None:
    source, destination = bytes((192, 168, 0, 1)), bytes((192, 168, 0, 199))
    header = source + destination + bytes((0, 6, 0x12, 0x34))
    assert pseudo_sum(source, destination, 6, 0x1234) % 65535 == ones_sum(header)


def test_pseudo_sum_of_a_length_over_16_bits_is_ipv6s() -> None:
    source, destination = bytes(range(16)), bytes(range(16, 32))
    header = source + destination + bytes((0, 1, 0x23, 0x45, 0, 0, 0, 17))
    assert pseudo_sum(source, destination, 17, 0x12345) % 65535 == ones_sum(header)


def test_update_example_of_rfc_1624_section_4() -> None:
    """The case that RFC 1141's formula gets wrong: 0x5555 becomes 0x3285 and the checksum 0x0000, not 0xFFFF."""
    assert update(0xDD2F, bytes.fromhex("5555"), bytes.fromhex("3285")) == 0x0000


@repeatable
@given(st.binary(min_size=8, max_size=8), st.binary(min_size=4, max_size=4))
def test_update_verifies_like_a_fresh_checksum(data: bytes, new: bytes) -> None:
    data = b"\x45\x00" + data  # nonzero, as every header is
    before = internet_checksum(data)
    after = update(before, data[4:8], new)
    assert verify(data[:4] + new + data[8:] + after.to_bytes(2, "big"))


def test_update_replaces_whole_words_only() -> None:
    for old, new in ((b"\0", b"\0"), (b"\0\0", b"\0\0\0\0")):
        with pytest.raises(ValueError, match="same even length"):
            update(0, old, new)
