"""TCP options. RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413 section 4.1.1."""

from __future__ import annotations

from typing import Any

import pytest

from stack.errors import BadPacket
from stack.wire.tcp_options import NO_OPTIONS, TcpOptions, build_options, join, parse_options, split
from tests.requirements import rfc

LINUX_SYN = bytes.fromhex("020405b4 0402 080a 00000001 00000000 01 030307")


def test_a_syn_of_linux() -> None:
    options = TcpOptions(mss=1460, window_scale=7, sack_permitted=True, timestamps=(1, 0))
    assert parse_options(LINUX_SYN) == options
    assert build_options(options) == LINUX_SYN


@pytest.mark.parametrize("at", range(20))
def test_what_is_like_a_syn_of_linux_is_parsed_as_any_other_options_are(at: int) -> None:
    """Twenty octets take a short way; after no-ops, the general way, which must find the same."""
    raw = build_options(TcpOptions(1460, 7, True, timestamps=(1, 2)))
    assert len(raw) == 20
    for octet in range(256):
        changed = raw[:at] + bytes((octet,)) + raw[at + 1 :]
        assert outcome(changed) == outcome(b"\x01\x01\x01\x01" + changed)


def outcome(raw: bytes) -> TcpOptions | str:
    try:
        return parse_options(raw)
    except BadPacket as bad:
        return bad.reason


@pytest.mark.parametrize("extra", [{}, {"fast_open": b""}])
def test_a_scale_of_more_than_an_octet_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="range"):
        build_options(TcpOptions(1460, 256, True, timestamps=(1, 2))._replace(**extra))


@pytest.mark.parametrize(
    "extra", [{"sack_blocks": ((1, 2),)}, {"fast_open": b""}, {"user_timeout": 3}, {"unknown": ((253, b"xy"),)}]
)
def test_one_more_option_than_a_syn_of_linux_is_not_forgotten(extra: dict[str, Any]) -> None:
    options = TcpOptions(1460, 7, True, timestamps=(1, 2))._replace(**extra)
    assert parse_options(build_options(options)) == options


def test_sack_blocks_of_rfc_2018() -> None:
    raw = bytes.fromhex("0101 0512 00000001 00000002 fffffff0 00000010")
    options = TcpOptions(sack_blocks=((1, 2), (0xFFFFFFF0, 0x10)))
    assert parse_options(raw) == options
    assert build_options(options) == raw


def test_four_sack_blocks_are_all_there_is_room_for() -> None:
    assert len(build_options(TcpOptions(sack_blocks=((1, 2),) * 4))) == 36
    assert len(build_options(TcpOptions(sack_blocks=((1, 2),) * 3, timestamps=(1, 2)))) == 40
    with pytest.raises(ValueError, match="at most 40"):
        build_options(TcpOptions(sack_blocks=((1, 2),) * 4, timestamps=(1, 2)))


@rfc("9293 MUST-69")
def test_the_padding_is_of_zeros() -> None:
    assert build_options(TcpOptions(unknown=((253, b"abc"),))) == bytes((253, 5)) + b"abc" + bytes(3)


def test_each_alone_is_aligned_and_padded() -> None:
    for options in (
        TcpOptions(mss=536),
        TcpOptions(window_scale=14),
        TcpOptions(sack_permitted=True),
        TcpOptions(timestamps=(1, 2)),
        TcpOptions(sack_blocks=((1, 2),)),
        TcpOptions(unknown=((253, b"\x12"),)),
    ):
        raw = build_options(options)
        assert raw
        assert len(raw) % 4 == 0
        assert parse_options(raw) == options
    assert build_options(NO_OPTIONS) == b""
    assert parse_options(b"") == NO_OPTIONS


@rfc("7413-4.1.1-a")
@pytest.mark.parametrize("cookie", [b"", b"1234", b"123456", bytes(range(16))])
def test_a_fast_open_cookie_and_the_wish_for_one(cookie: bytes) -> None:
    raw = build_options(TcpOptions(mss=1460, fast_open=cookie))
    assert raw[4:].lstrip(b"\1") == bytes((34, len(cookie) + 2)) + cookie
    assert len(raw) % 4 == 0
    assert parse_options(raw) == TcpOptions(mss=1460, fast_open=cookie)


@rfc("7413-4.1.1-b")
@pytest.mark.parametrize("length", [1, 2, 3, 5, 15, 17, 18])
def test_a_fast_open_cookie_of_an_impossible_length_is_none(length: int) -> None:
    raw = bytes((34, length + 2)) + bytes(length)
    assert parse_options(raw) == TcpOptions(unknown=((34, bytes(length)),))


def test_unknown_ones_are_kept() -> None:
    raw = bytes.fromhex("fd04 abcd 1e02 01 00")
    assert parse_options(raw).unknown == ((253, b"\xab\xcd"), (30, b""))
    assert join(split(raw)) == raw


@pytest.mark.parametrize("raw", ["0203 05", "0304 0101", "0403 00", "0507 0000000000", "0502", "0806 00000000"])
def test_known_ones_of_a_wrong_length_count_as_unknown(raw: str) -> None:
    data = bytes.fromhex(raw)
    assert parse_options(data) == TcpOptions(unknown=((data[0], data[2:]),))


def test_of_an_option_that_comes_twice_the_last_counts() -> None:
    assert parse_options(bytes.fromhex("02040200 020405b4")).mss == 1460


def test_nothing_is_read_after_the_end_of_the_list() -> None:
    raw = bytes.fromhex("01 00 020405b4")
    assert parse_options(raw) == NO_OPTIONS
    assert split(raw) == [(1, b""), (0, raw[2:])]
    assert join(split(raw)) == raw


@pytest.mark.parametrize("raw", ["02", "0200", "0201 05b4", "020505b4", "fdff", "01010104"])
def test_impossible_lengths(raw: str) -> None:
    with pytest.raises(BadPacket, match="tcp_bad_options"):
        parse_options(bytes.fromhex(raw))
