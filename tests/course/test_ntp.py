"""NTP frames 16 to 19 of the course: every printed field is in the frames that are rebuilt from them."""

from __future__ import annotations

from pathlib import Path

import pytest

import stack
from stack.wire import ntp
from tests.course import captures, printed
from tests.course.captures import NTP_FIRST, NTP_NUMBERS
from tests.course.explained import explain
from tests.course.printed import NTP, Fields
from tests.course.seen import Dissected

# What is printed otherwise than the rebuilt frame has it: (frame, part, label), what the frame has, and why.
BEFORE_IP = "abridged: 10 octets before the IP header are counted and not printed, in what the client sends"
DIFFERENT = {(frame, "Frame", label): ("76", BEFORE_IP) for frame in (16, 18) for label in ("on wire", "captured")}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> dict[int, stack.CapturedFrame]:
    """The frames of the file, by their numbers in the course."""
    path = captures.write(tmp_path_factory.mktemp("course") / "ntp.pcap", captures.RAW_IP, captures.ntp())
    return {NTP_FIRST - 1 + frame.number: frame for frame in stack.read_capture(path)}


def told(seen: Dissected) -> Fields:
    """What the analyser would print today of a frame."""
    frame = seen.frame
    size = {("Frame", "on wire"): (str(frame.length),), ("Frame", "captured"): (str(len(frame.octets)),)}
    return {**summary(seen), **size, **seen.ip_ends(), **seen.udp(), **seen.ntp()}


def summary(seen: Dissected) -> Fields:
    """The row of the table, in which the client has no name."""
    text = [seen.address(f"{name} Address") for name in ("Source", "Destination")]
    source, destination = (
        name if name.startswith("ntp0") else address.strip("()") for name, address in map(str.split, text)
    )
    return {
        ("Summary", "Source"): (source,),
        ("Summary", "Destination"): (destination,),
        ("Summary", "Protocol"): ("NTP",),
        ("Summary", "Info"): ("NTP",),
    }


def test_the_tables_have_the_printed_frames() -> None:
    rows = printed.rows(NTP)
    assert {row.frame for row in rows if row.part != "Summary"} == set(NTP_NUMBERS)
    assert {row.frame for row in rows if row.part == "Summary"} == set(range(16, 24))  # 20 to 23 are in the table only
    assert len(rows) == 128


@pytest.mark.parametrize("number", NTP_NUMBERS)
def test_every_printed_field_is_in_the_frame(frames: dict[int, stack.CapturedFrame], number: int) -> None:
    assert told(Dissected(frames[number])) == corrected(number)


def corrected(number: int) -> Fields:
    """What is printed of a frame, but for the values in `DIFFERENT`."""
    of_print = printed.fields(NTP, number)
    for (frame, part, label), (value, _) in DIFFERENT.items():
        if frame == number:
            assert of_print[part, label] != (value,)
            of_print[part, label] = (value,)
    return of_print


def test_every_printed_field_is_in_what_the_command_explains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = captures.write(tmp_path / "ntp.pcap", captures.RAW_IP, captures.ntp())
    texts = explain(path, "ip", capsys, monkeypatch)
    assert [told(seen) for seen in texts] == [corrected(number) for number in NTP_NUMBERS]


def test_both_checksums_are_right(frames: dict[int, stack.CapturedFrame]) -> None:
    for frame in frames.values():
        seen = Dissected(frame)
        assert seen.errors() == []
        assert seen.field("UDP", "Checksum").words.endswith("right")


def test_the_identifications_count_up(frames: dict[int, stack.CapturedFrame]) -> None:
    """They are not printed. Each is what the printed checksum leaves for it, so this is no choice of ours."""
    numbers = [Dissected(frames[number]).number("IPv4", "Identification") for number in NTP_NUMBERS]
    assert numbers[2] - numbers[0] == 1
    assert numbers[3] - numbers[1] == 4


def test_the_datagram_is_the_whole_dialogue(frames: dict[int, stack.CapturedFrame]) -> None:
    """The answer has the question's time; the server's clock is 71.7 s behind the client's."""
    packets = {number: ntp.NtpPacket.parse(Dissected(frame).payload("UDP")) for number, frame in frames.items()}
    for asked, answered in ((16, 17), (18, 19)):
        assert packets[answered].origin == packets[asked].transmit
        one = packets[answered]
        back = packets[asked].transmit + (1 << 26)  # when the answer came is not printed
        assert ntp.measure(one.origin, one.receive, one.transmit, back).offset_s == pytest.approx(-71.7, abs=0.1)
    assert list(stack.follow(frames.values())) == []  # no connection
