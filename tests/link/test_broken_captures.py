"""Hostile capture files: whatever the octets are, a reader gives frames and at most one
CaptureError, in bounded time and memory.
"""

from __future__ import annotations

import random
import re
import struct
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import chain, repeat
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stack
from stack.link.octet_source import CHUNK_BYTES
from stack.link.pcapng import LONGEST_BLOCK, MOST_OPTIONS
from stack.link.read_capture import CaptureReader
from tests.link.capture_files import COMMENT, COOKED, FLAGS, IF_TSOFFSET, IF_TSRESOL, TCP, UDP, Pcapng, pcap, varied
from tests.link.reads import reads

NG = Pcapng()
HEAD = NG.section() + NG.interface()
GOOD = (
    pcap([UDP, TCP, b""]),
    pcap([UDP, TCP], order=">", magic=0xA1B23C4D),
    pcap([UDP], magic=0xA1B2CD34, extra=bytes(8)),
    pcap([COOKED[113]["in"]], link=113, minor=3),
    HEAD + NG.simple(UDP) + NG.enhanced(TCP, (FLAGS, NG.pack("I", 1)), (COMMENT, b"a comment"), time=1 << 50),
    HEAD + NG.obsolete(b"abc", (FLAGS, NG.pack("I", 2))),
    NG.section() + NG.interface((IF_TSRESOL, b"\x09"), (IF_TSOFFSET, bytes(8))) + NG.enhanced(b"abcd"),
    varied("<"),
    varied(">"),
)
FILES = 100_000
LIMITS = (1 << 15, 1 << 16, 1 << 18, 1 << 24, 1 << 31, 1 << 32)
NUMBERS = (0, 1, 3, 4, 7, 8, 11, 12, 13, 31, 32, *(limit + by for limit in LIMITS for by in (-4, -1, 0, 1)))


def flipped(file: bytearray, chance: random.Random) -> None:
    """One to three bits are others."""
    for _ in range(chance.randint(1, 3)):
        file[chance.randrange(len(file))] ^= 1 << chance.randrange(8)


def renumbered(file: bytearray, chance: random.Random) -> None:
    """A field of 16 or 32 bits has a number that stands at a limit."""
    form = chance.choice(("<I", ">I", "<H", ">H"))
    number = chance.choice(NUMBERS) & ((1 << 8 * struct.calcsize(form)) - 1)
    struct.pack_into(form, file, chance.randrange(len(file) // 4 - 1) * 4, number)


def cut(file: bytearray, chance: random.Random) -> None:
    """The file ends early."""
    del file[chance.randrange(len(file)) :]


def without(file: bytearray, chance: random.Random) -> None:
    """Some words are gone: a trailer or a header stands where it should not."""
    begin = chance.randrange(len(file) // 4) * 4
    del file[begin : begin + 4 * chance.randint(1, 8)]


def repeated(file: bytearray, chance: random.Random) -> None:
    """Some words come twice, as options inside options."""
    begin = chance.randrange(len(file) // 4) * 4
    words = file[begin : begin + 4 * chance.randint(1, 12)]
    place = chance.randrange(len(file) // 4) * 4
    file[place:place] = words


def relengthened(file: bytearray, chance: random.Random) -> None:
    """A block of a good file gets other lengths at its two ends, which may agree."""
    order = "<" if file[8] == 0x4D else ">"
    if file[:4] != b"\n\r\r\n":
        flipped(file, chance)
        return
    places = [0]
    while (following := places[-1] + struct.unpack_from(order + "I", file, places[-1] + 4)[0]) < len(file) - 8:
        if following == places[-1] or following in places:
            break
        places.append(following)
    place = chance.choice(places)
    length = struct.unpack_from(order + "I", file, place + 4)[0]
    number = chance.choice((*NUMBERS, length - 4, length + 4, length + 1))
    struct.pack_into(order + "I", file, place + 4, number & 0xFFFFFFFF)
    if chance.random() < 0.7 and 12 <= number <= len(file) - place:
        struct.pack_into(order + "I", file, place + number - 4, number)


BREAK: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flipped,
    renumbered,
    cut,
    without,
    repeated,
    relengthened,
)


def broken(count: int, seed: int) -> Iterator[bytes]:
    """Good files, each broken in one or two ways."""
    chance = random.Random(seed)
    for _ in range(count):
        file = bytearray(chance.choice(GOOD))
        for _ in range(chance.choice((1, 1, 2))):
            if len(file) > 12:
                chance.choice(BREAK)(file, chance)
        yield bytes(file)


def test_broken_files_end_with_one_clear_error() -> None:
    """100,000 of them, in some seconds; and what is broken in them is each rule of the readers, often."""
    rules: Counter[str] = Counter()
    began = time.process_time()
    for content in broken(FILES, seed=14):
        error = reads(content)
        rules["none" if error is None else re.sub(r"\b[0-9a-f]{8}\b|\d+", "N", error.rule)] += 1
    assert time.process_time() - began < 60, "a twentieth of a millisecond for each is usual"
    assert rules["none"] > FILES // 20
    assert {rule for rule, count in rules.items() if count >= 10} == {
        "none",
        "the file ends in the middle of the file header",
        "the file ends in the middle of the file header: it is empty",
        "the file ends in the middle of the header of a frame",
        "the file ends in the middle of a frame",
        "the file ends in the middle of a section header",
        "the file ends in the middle of the header of a block",
        "the file ends in the middle of a block",
        "the file is no capture: it begins with N, and neither pcap nor pcapng does",
        "the version is N.N: known are N.N to N.N",
        "the byte-order magic of the section header is neither NANBNCND nor NDNCNBNA",
        "the version of the section is N.N: known are N.N and N.N",
        "the block total length is N at the beginning and N at the end",
        "the block total length is N: it must be a multiple of N",
        "the block total length is N: the least is N",
        "the block total length is N: the most is N",
        "the frame is of interface N: the section has N so far",
        "the captured length is N: the most is N",
        "the captured length is N: the block has room for N",
        "the option has N octets: the block has N left",
        "the option epb_flags has N octets in the place of N",
        "the option if_tsresol has N octets in the place of N",
        "the option if_tsoffset has N octets in the place of N",
    }


def test_broken_files_take_little_memory() -> None:
    files = list(broken(3000, seed=15))
    for content in files[:10]:
        reads(content)
    tracemalloc.start()
    try:
        for content in files:
            reads(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from((b"", HEAD, pcap([]), NG.section(), HEAD + NG.enhanced(UDP))))
def test_any_octets_behind_a_good_beginning(octets: bytes, beginning: bytes) -> None:
    reads(beginning + octets)


OPTIONS = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=12)), max_size=6)
U32 = st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 40))


@settings(max_examples=80, deadline=None)
@given(st.data(), st.sampled_from("<>"))
def test_blocks_of_any_fields(data: st.DataObject, order: str) -> None:
    """Blocks whose lengths are right and whose fields are not."""
    ng = Pcapng(order)
    file = ng.section(*data.draw(OPTIONS))
    for _ in range(data.draw(st.integers(1, 6))):
        fields = data.draw(st.lists(U32, max_size=6))
        body = ng.pack("I" * len(fields), *fields) + data.draw(st.binary(max_size=40))
        body += bytes(-len(body) % 4) + ng.options(data.draw(OPTIONS), ended=data.draw(st.booleans()))
        file += data.draw(
            st.sampled_from(
                (
                    ng.block(data.draw(st.sampled_from((1, 2, 3, 4, 5, 6, 9, 10, 0xBAD, 0x0A0D0D0A))), body),
                    ng.interface(*data.draw(OPTIONS), link=data.draw(st.sampled_from((1, 101, 113, 276, 147)))),
                    ng.enhanced(TCP, *data.draw(OPTIONS), interface=data.draw(st.integers(0, 2))),
                )
            )
        )
    reads(file)


# --- memory and time are bounded by what is read, not by what is claimed ----------------------------------------------


class Parts:
    """A file of any length that is not in memory."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def read(self, size: int, /) -> bytes:
        return next(self._parts, b"")

    def close(self) -> None:
        pass


def peak_of(parts: Iterator[bytes]) -> tuple[int, stack.CaptureError | None]:
    """The most memory that was used while a file was read, in octets, and its error."""
    error = None
    tracemalloc.start()
    try:
        try:
            for _ in CaptureReader(cast(BinaryIO, Parts(parts)), "file"):
                pass
        except stack.CaptureError as caught:
            error = caught
        return tracemalloc.get_traced_memory()[1], error
    finally:
        tracemalloc.stop()


ZEROS = bytes(CHUNK_BYTES)


@pytest.mark.parametrize(
    "beginning",
    [
        HEAD + NG.pack("II", 6, LONGEST_BLOCK) + NG.pack("IIIII", 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF),
        HEAD + NG.pack("II", 6, 0xFFFFFFFC),
        HEAD + NG.pack("II", 0x99, 0xFFFFFFFC),
        NG.pack("II", 0x0A0D0D0A, 0xFFFFFFFC) + bytes.fromhex("4d3c2b1a"),
        pcap([]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF),
        pcap([]) + struct.pack("<IIII", 0, 0, 262_144, 0xFFFFFFFF),
    ],
    ids=["captured length", "block", "skipped block", "section", "frame", "longest frame"],
)
def test_what_a_length_claims_takes_no_memory(beginning: bytes) -> None:
    peak, error = peak_of(iter([beginning, b"abc"]))
    assert error is not None
    assert peak < 100_000


def test_a_block_of_four_gigabytes_is_passed_over_in_little_memory() -> None:
    beginning = HEAD + NG.pack("II", 0x99, 0xFFFFFFFC)
    peak, error = peak_of(chain([beginning], repeat(ZEROS, 1 << 14)))
    assert error is not None
    assert error.rule == "the block total length is 4294967292 at the beginning and 0 at the end"
    assert peak < 4 * CHUNK_BYTES


def test_the_longest_block_of_comments_takes_a_few_times_its_length() -> None:
    """Each comment becomes text of four octets a character."""
    comment = (COMMENT, b"\xf0\x9f\x90\x8d" + b"x" * 16_000)
    options = [comment] * (MOST_OPTIONS - 1)
    block = NG.enhanced(b"abc", *options)
    assert LONGEST_BLOCK - 1_000_000 < len(block) < LONGEST_BLOCK
    parts = [HEAD, *(block[at : at + CHUNK_BYTES] for at in range(0, len(block), CHUNK_BYTES))]
    peak, error = peak_of(iter(parts))
    assert error is None
    assert peak < 9 * LONGEST_BLOCK


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_long_capture_takes_no_more_memory_than_a_short_one(form: str) -> None:
    def parts(frames: int) -> Iterator[bytes]:
        record = NG.enhanced(TCP * 20, (COMMENT, b"why"), time=1 << 50) if form == "pcapng" else pcap([TCP * 20])[24:]
        yield HEAD if form == "pcapng" else pcap([])
        yield from repeat(record * 100, frames // 100)

    short, _ = peak_of(parts(1000))
    long, error = peak_of(parts(20_000))
    assert error is None
    assert long < 1.1 * short + 10_000


def test_many_small_blocks_take_time_by_their_length() -> None:
    """100,000 blocks of each smallest kind: no list grows, and nothing is read again."""
    for block in (NG.block(0x99, b""), NG.enhanced(b""), NG.simple(b""), HEAD):
        began = time.process_time()
        assert reads(HEAD + block * 100_000) is None
        assert time.process_time() - began < 10, "half a second is usual"


def test_a_frame_of_nothing_is_a_frame() -> None:
    assert [frame.octets for frame in CaptureReader(BytesIO(HEAD + NG.enhanced(b"")), "file")] == [b""]
