"""The POP3 session of the course: every printed field is the one that `stack.dissect` gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import stack
from tests.course import captures, printed
from tests.course.explained import explain
from tests.course.printed import POP3, Fields
from tests.course.seen import Dissected
from tests.wire.pop3_session import ALTERED, SESSION

NUMBERS = range(1, 21)

# What is printed otherwise than the frame has it: (frame, part, label), what the frame has, and why the print differs.
DIFFERENT = {
    (6, "Summary", "Info"): (
        "Response: +OK POP3 gateway1.maison.mrs v7.64 server ready",
        "abridged: the table has only the first word of this response",
    ),
    (9, "Summary", "Info"): (
        "Response: +OK User name accepted, password please",
        "abridged: the table has only the first word of this response",
    ),
    (10, "Summary", "Info"): (
        "Request: PASS epikoi",
        "altered: the course hides the password, and writes another one here than in frame 10 itself",
    ),
}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> dict[int, stack.CapturedFrame]:
    """The frames of the file, by number."""
    path = captures.write(tmp_path_factory.mktemp("course") / "pop3.pcap", captures.ETHERNET, captures.pop3())
    return {frame.number: frame for frame in stack.read_capture(path)}


def made(frames: dict[int, stack.CapturedFrame], number: int) -> Fields:
    """What the analyser would print today of one frame, by what `stack.dissect` gives."""
    return told(Dissected(frames[number]), frames, number)


def told(seen: Dissected, frames: dict[int, stack.CapturedFrame], number: int) -> Fields:
    """The same, of a frame that is seen in any way."""
    if number < 3:  # printed as a row of the table only
        return seen.summary(frames[1])
    return {
        **seen.summary(frames[1]),
        **seen.frame_part(frames[number - 1]),
        **seen.ethernet(),
        **seen.ip(),
        **seen.tcp(),
        **seen.pop(),
    }


def test_the_table_has_twenty_frames() -> None:
    rows = printed.rows(POP3)
    assert {row.frame for row in rows} == set(NUMBERS)
    assert len(rows) == 881
    assert {row.frame for row in rows if row.part != "Summary"} == {frame.number for frame in SESSION}


@pytest.mark.parametrize("number", NUMBERS)
def test_every_printed_field_is_in_the_frame(frames: dict[int, stack.CapturedFrame], number: int) -> None:
    assert made(frames, number) == corrected(number)


def corrected(number: int) -> Fields:
    """What is printed of a frame, but for the values in `DIFFERENT`."""
    of_print = printed.fields(POP3, number)
    for (frame, part, label), (value, _) in DIFFERENT.items():
        if frame == number:
            assert of_print[part, label] != (value,)
            of_print[part, label] = (value,)
    return of_print


def test_every_printed_field_is_in_what_the_command_explains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = captures.write(tmp_path / "pop3.pcap", captures.ETHERNET, captures.pop3())
    texts = {seen.frame.number: seen for seen in explain(path, "ethernet", capsys, monkeypatch)}
    frames = {number: seen.frame for number, seen in texts.items()}  # numbers, times and lengths alone
    assert {number: told(texts[number], frames, number) for number in NUMBERS} == {
        number: corrected(number) for number in NUMBERS
    }
    assert [number for number, seen in texts.items() if seen.errors()] == [ALTERED]
    assert texts[6].words("POP3", "reply").startswith("47 octets: ")
    assert texts[6].words("POP3", "end of the line") == "CR LF: with it the line has 49 octets"


def test_a_changed_value_would_be_noticed(frames: dict[int, stack.CapturedFrame]) -> None:
    """A bit of each octet of the headers of frame 6. The reserved bits and the Urgent Pointer are not printed."""
    frame = frames[6]
    unnoticed = []
    for place in range(14 + 20 + 20):
        octets = bytearray(frame.octets)
        octets[place] ^= 0x08
        try:
            same = made(frames | {6: frame._replace(octets=bytes(octets))}, 6) == made(frames, 6)
        except (KeyError, AttributeError, ValueError):  # the octet says how what follows is to be read
            same = False
        if same:
            unnoticed.append(place)
    tcp = 14 + 20
    assert unnoticed == [tcp + 12, tcp + 18, tcp + 19]


def test_the_frame_whose_text_was_altered_is_found(frames: dict[int, stack.CapturedFrame]) -> None:
    wrong = {number: Dissected(frame).errors() for number, frame in frames.items()}
    assert {number: errors for number, errors in wrong.items() if errors} == {ALTERED: ["tcp_bad_checksum"]}
    seen = Dissected(frames[ALTERED])
    assert seen.field("TCP", "Checksum").words == "0x8f50, WRONG: these octets have 0x94ae"
    # The datagram has 14 octets of text, one more than the printed command with its CR LF: the password had seven
    # letters. The one in the table has eight.
    assert seen.payload("TCP") == b"PASS epikoi\r\n\0"
    summary = printed.fields(POP3, ALTERED)["Summary", "Info"][0]
    assert [len(f"{text}\r\n") for text in ("PASS epikoi", summary.removeprefix("Request: "))] == [13, 15]


def test_the_first_response_has_49_octets(frames: dict[int, stack.CapturedFrame]) -> None:
    text = Dissected(frames[6]).payload("TCP")
    assert (len(text), len(text.rstrip(b"\r\n")), text[-2:]) == (49, 47, b"\r\n")
    assert Dissected(frames[7]).number("TCP", "Acknowledgment Number") == 4089248826 + 49 == 4089248875


@pytest.fixture(scope="module")
def connection(frames: dict[int, stack.CapturedFrame]) -> stack.SeenConnection:
    """The one connection, as it is seen from outside."""
    (found,) = stack.follow(frames.values())
    return found


def names(segment: stack.SeenSegment) -> tuple[str, ...]:
    return tuple("?" if state is None else state.name for state in segment.states)


def flag_names(segment: stack.SeenSegment) -> str:
    return " ".join(name for name, bit in (("FIN", 1), ("SYN", 2), ("ACK", 16)) if segment.flags & bit)


def test_the_three_steps_open_the_connection(connection: stack.SeenConnection) -> None:
    client = connection.segments[0].end
    assert [segment.number for segment in connection.segments] == list(range(3, 21))
    steps = connection.segments[:3]
    assert [segment.end == client for segment in steps] == [True, False, True]
    assert [flag_names(segment) for segment in steps] == ["SYN", "SYN ACK", "ACK"]
    assert steps[1].ack == steps[0].seq + 1
    assert (steps[2].seq, steps[2].ack) == (steps[1].ack, steps[1].seq + 1)
    assert names(steps[2]) == ("ESTABLISHED", "ESTABLISHED")


def test_each_acknowledgment_is_of_the_frame_before_it(connection: stack.SeenConnection) -> None:
    """The course counts the octets of each frame and so foretells the next numbers."""
    expected = {segment.end: 0 for segment in connection.segments}
    for segment in connection.segments:
        assert segment.ack == expected[segment.end]
        expected[1 - segment.end] = segment.seq + segment.length + bool(segment.flags & 0b11)
    lengths = {segment.number: segment.length for segment in connection.segments if segment.length}
    assert lengths == {6: 49, 7: 12, 9: 41, 10: 14, 12: 30, 13: 6, 14: 9, 15: 6, 16: 14}


def test_frames_17_to_20_close_the_connection(connection: stack.SeenConnection) -> None:
    end = connection.segments[-4:]
    client = connection.segments[0].end
    assert [(segment.number, segment.end == client, flag_names(segment)) for segment in end] == [
        (17, True, "FIN ACK"),
        (18, False, "ACK"),
        (19, False, "FIN ACK"),
        (20, True, "ACK"),
    ]
    ordered = [names(segment) if client == 0 else names(segment)[::-1] for segment in end]
    assert ordered == [
        ("FIN_WAIT_1", "CLOSE_WAIT"),
        ("FIN_WAIT_2", "CLOSE_WAIT"),
        ("TIME_WAIT", "LAST_ACK"),
        ("TIME_WAIT", "CLOSED"),
    ]
