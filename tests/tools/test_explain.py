"""`tapstack explain`: a capture as ladders, as fields and as JSON; hostile files and hostile text."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import stack
from stack.wire.checksum import internet_checksum
from tests.link.capture_files import IF_TSOFFSET, Pcapng
from tests.outside.figure import Figure
from tests.tools.capture_files import capture_of_echo, tcp_frame, udp_frame, write_pcapng
from tests.wire.pop3_session import SESSION
from tools import cli, explain, ladder, printer, seen
from tools.printer import clean, octets_as_text, utc, wrapped
from tools.seen import sentence_of, why

TOP = Path(__file__).resolve().parents[2]
NASTY = b"<script>\x1b[2J\x07\x7f\x00\x9b31m\xe2\x80\xae\r\nGET / \xff"


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One connection of 30,000 octets each way, on a wire that loses frames; a ping; a refused connection."""
    path = tmp_path_factory.mktemp("explain") / "echo.pcapng"
    clock = MockClock(autojump_threshold=0)
    return trio.run(lambda: capture_of_echo(path, b"hello, <b>world</b>\r\n" * 1500, loss=0.1), clock=clock)


@pytest.fixture
def pop3(tmp_path: Path) -> Path:
    """Frames 3 to 20 of the session that the course prints."""
    return write_pcapng(tmp_path / "pop3.pcapng", [frame.build() for frame in SESSION])


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> list[str]:
    """The lines that the command prints."""
    assert cli.main(["explain", *words]) == status
    said = capsys.readouterr()
    assert status or not said.err
    return said.out.splitlines()


def objects(lines: list[str], kind: str) -> list[dict[str, Any]]:
    """The objects of one type."""
    return [told for told in map(json.loads, lines) if told["type"] == kind]


# --- the summary and the ladders


def test_a_session_is_a_summary_and_a_ladder(pop3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(pop3))
    summary = f"{pop3}: 18 frames in 17.000 ms, from 2000-10-08 10:13:20.001000 UTC"
    assert "".join("".join(lines[:4]).split()).startswith("".join(summary.split()))  # a long path is wrapped
    assert "   1  192.168.0.10:1927 > 192.168.0.250:110" in lines
    begin = lines.index("connection 1")
    assert lines[begin + 1].split() == ["frame", "time", "192.168.0.10:1927", "192.168.0.250:110"]
    rows = [line for line in lines[begin:] if re.match(r" *\d+ +\d+\.\d{6} ", line)]
    assert len(rows) == 18
    assert rows[0] == "     1   0.000000 SYN-SENT    |-- SYN seq 0 win 16384 ------------>|SYN-RECEIVED"
    assert rows[1] == "     2   0.001000 ESTABLISHED |<-- SYN,ACK seq 0 ack 1 win 32120 --|"
    assert rows[2] == "     3   0.002000             |-- ACK seq 1 ack 1 win 17520 ------>|ESTABLISHED"
    assert rows[3] == "     4   0.003000             |<-- PSH,ACK seq 1 len 49 ack 1 -----|"
    assert '                  win 32120; data "+OK POP3 gateway1.maison.mrs v7.64 server ...' in lines
    text = " ".join(" ".join(lines).split())
    assert "state left end FIN-WAIT-2: the ACK of its FIN has arrived (9293-3.10.7.4-q)" in text
    left = [state for row in rows for state in row.partition("|")[0].split()[2:]]
    right = [row.rpartition("|")[2] for row in rows if not row.endswith("|")]
    assert left == ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
    assert right == ["SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]


def test_a_guess_is_set_apart_from_a_fact_and_names_its_rule_once(
    echo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run(capsys, str(echo), "--connection", "1")
    text = "\n".join(lines)
    assert re.search(r"^ {18}guess   ", text, re.MULTILINE)
    assert re.search(r"^ {18}fact    ", text, re.MULTILINE)
    connection = next(iter(stack.follow(stack.read_capture(echo))))
    guessed = {mark.name: mark for segment in connection.segments for mark in segment.marks if mark.rule}
    assert guessed
    joined = " ".join(text.split())
    for mark in guessed.values():
        assert joined.count(f"Rule: {mark.rule}") == 1, mark.name


def test_the_reason_in_the_file_stands_under_its_frame(echo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence of a host's many comments; all of them if they are asked for."""
    lines = run(capsys, str(echo), "--connection", "1")
    text = " ".join(" ".join(lines).split())
    assert "comment A segment that was sent later has arrived" in text
    assert "(8985-6.2-d, 8985-9.3-a)" in text
    assert "c1:" not in text
    rows = sum(bool(re.match(r" *\d+ +\d+\.\d{6} .*\|", line)) for line in lines)
    assert sum(" comment " in line for line in lines) <= rows
    every = run(capsys, str(echo), "--connection", "1", "--comments")
    numbers = {segment.number for segment in next(iter(stack.follow(stack.read_capture(echo)))).segments}
    comments = [text for frame in stack.read_capture(echo) if frame.number in numbers for text in frame.comments]
    assert [line[26:] for line in every if line[18:].startswith("comment ")] == [
        next(wrapped(comment, 54)) for comment in comments
    ]


def test_the_decision_is_told_before_its_facts_and_after_a_drop() -> None:
    comments = (
        "because of packet 12",
        "c1: send seq=5 len=0 flags=ACK: The ACK is due: at once. (9293 MUST-58)",
        "c1: state before=A event=B after=C: It has gone on. (9293-3.10.7.4-e)",
        "delivered",
    )
    assert sentence_of(why(comments)) == "The ACK is due: at once. (9293 MUST-58)"
    dropped = "dropped: tcp_bad_checksum: the TCP checksum is wrong (9293 MUST-3)"
    assert sentence_of(why((*comments, dropped))) == dropped
    assert sentence_of(why(("one", "two"))) == "two"
    assert sentence_of("x" * 70_000) == "x" * 70_000


def test_what_is_told_of_a_frame_that_has_arrived_is_not_about_its_answer() -> None:
    syn = (
        "c1: state before=LISTEN event=RCV_SYN after=SYN_RECEIVED: A SYN has come. (9293-3.10.7.2-c)",
        "c1: send seq=5 len=0 flags=SYN,ACK: This SYN brings our initial sequence number. (9293-3.10.7.2-c)",
        "answered",
    )
    assert sentence_of(why(syn, arrived=True)) == "A SYN has come. (9293-3.10.7.2-c)"
    fragment = (
        "ip reassembly offset=8 holes=0: No hole is left: the datagram is complete. (815-3-f)",
        "ip fragment offset=0 more len=8: The datagram is larger than the path MTU. (791-3.2-d)",
        "answered",
    )
    assert sentence_of(why(fragment, arrived=True)) == "No hole is left: the datagram is complete. (815-3-f)"
    assert sentence_of(why((fragment[1], "answered"), arrived=True)) == "answered"


def test_sack_blocks_are_counted_as_the_ack_is() -> None:
    figure = Figure()
    first = figure.iss["A"]
    for line in (
        "+0 A S 0:0(0) win 1000 <mss 1460,sackOK>",
        "+9 B S. 0:0(0) ack 1 win 1000 <mss 1460,sackOK>",
        "+9 A . 1001:2001(1000) ack 1 win 1000",
        f"+9 B . 1:1(0) ack 1 win 1000 <sack {first + 1001}:{first + 2001}>",
    ):
        figure.line(line)
    (connection,) = stack.follow(figure.frames)
    assert ladder.words_of(connection, connection.segments[-1]) == [
        "ACK",
        "seq 1",
        "ack 1",
        "win 1000",
        "SACK 1001:2001",
    ]


def test_each_segment_of_each_connection_has_a_row(echo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(echo))
    connections = list(stack.follow(stack.read_capture(echo)))
    assert len(connections) == 2
    numbers = [int(line.split()[0]) for line in lines if re.match(r" *\d+ +\d+\.\d{6} .*\|", line)]
    assert numbers == [segment.number for connection in connections for segment in connection.segments]


def test_other_frames_are_lines_of_show_in_order(
    echo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    lines = run(capsys, str(echo))
    after = lines[lines.index("other frames") + 1 :]
    segments = {segment.number for c in stack.follow(stack.read_capture(echo)) for segment in c.segments}
    expected = []
    for frame in stack.read_capture(echo):
        if frame.number not in segments:
            expected += stack.show(frame.octets)
    assert [line[18:] for line in after if not line[18:].startswith("comment")] == expected
    assert "other frames: 3 ARP, 1 ICMP" in lines


def test_one_connection_is_asked_for_by_its_number(echo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(echo), "--connection", "2")
    assert lines[0] == "connection 2"
    assert "connection 1" not in lines
    assert "its scale is not known" not in " ".join(" ".join(lines).split()), "a window of 0 has none"
    assert cli.main(["explain", str(echo), "--connection", "3"]) == 1
    assert capsys.readouterr().err == "tapstack explain: there is no connection 3: the file has 2\n"


@pytest.mark.parametrize("columns", [None, 60, 100, 200])
def test_no_line_is_wider_than_the_terminal(
    columns: int | None, echo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", str(columns))
    lines = run(capsys, str(echo)) + run(capsys, str(echo), "--frame", "12")
    longest = max(map(len, lines))
    assert (columns or 80) - 6 <= longest <= (columns or 80)


@pytest.mark.parametrize("told", ["0", "-5", "x", "9" * 9, "\u0663"])
def test_a_width_that_is_none_is_80(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", told)
    assert explain.columns() == 80


# --- fields


def test_the_fields_of_a_frame(pop3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(pop3), "--frame", "1")
    assert lines[0].endswith("62 octets, in, tap0")
    text = [" ".join(line.split()) for line in lines]
    assert "IPv4, octets 14-33, RFC 791 section 3.1" in text
    assert "0-3 0100 .... Version = 4: IPv4" in text
    assert "14-15 .... ..00 ECN = 0: Not-ECT: no ECN (RFC 791: reserved)" in text
    assert "49 .1.. .... DF = 1: don't fragment" in text
    assert "16-31 00 30 Total Length = 48 octets, header included" in text
    assert any(line.startswith("110 .... ..1. SYN = 1") for line in text)


def test_the_fields_of_all_frames_have_every_octet(pop3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(pop3), "--fields")
    assert sum(line.startswith("frame ") for line in lines) == 18
    layers = [layer for frame in SESSION for layer in stack.dissect(frame.build())]
    assert sum(bool(re.match(r" *\d+(-\d+)?  \S", line)) for line in lines) == sum(len(each.fields) for each in layers)
    wide = run(capsys, str(pop3), "--fields", "--connection", "1")
    assert wide == lines


def test_a_frame_that_is_not_there(pop3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", str(pop3), "--frame", "19"]) == 1
    assert "there is no frame 19 with a link type that is known: the last one is 18" in capsys.readouterr().err
    empty = write_pcapng(pop3.parent / "empty.pcapng", [])
    assert cli.main(["explain", str(empty), "--frame", "1"]) == 1
    assert "there is no frame 1 with a link type that is known: the last one is 0" in capsys.readouterr().err


# --- JSON


def test_json_has_what_the_ladder_and_the_fields_have(echo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(echo), "--json")
    frames = list(stack.read_capture(echo))
    told = objects(lines, "frame")
    assert [each["number"] for each in told] == [frame.number for frame in frames]
    for each, frame in zip(told, frames, strict=True):
        layers = stack.dissect(frame.octets, offload=True)
        assert tuple(each["comments"]) == frame.comments
        assert [layer["line"] for layer in each["layers"]] == [layer.line for layer in layers]
        for layer, expected in zip(each["layers"], layers, strict=True):
            assert [field["name"] for field in layer["fields"]] == [field.name for field in expected.fields]
            for field, wanted in zip(layer["fields"], expected.fields, strict=True):
                value = wanted.value.hex() if isinstance(wanted.value, bytes) else wanted.value
                assert (field["bit"], field["width"], field["value"]) == (wanted.bit, wanted.width, value)
    connections = list(stack.follow(frames))
    assert [each["number"] for each in objects(lines, "connection")] == [each.number for each in connections]
    expected_segments = [(c.number, s.number) for c in connections for s in c.segments]
    assert [(each["connection"], each["frame"]) for each in objects(lines, "segment")] == expected_segments
    changes = [change["clauses"] for each in objects(lines, "segment") for change in each["changes"]]
    assert ["9293-3.10.7.3-e"] in changes
    marks = [[mark["name"] for mark in each["marks"]] for each in objects(lines, "segment")]
    assert marks == [[mark.name for mark in s.marks] for c in connections for s in c.segments]


def test_json_of_one_connection_and_of_one_frame(echo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(echo), "--json", "--connection", "2")
    numbers = [each["frame"] for each in objects(lines, "segment")]
    assert [each["number"] for each in objects(lines, "frame")] == numbers
    assert [each["number"] for each in objects(lines, "connection")] == [2]
    lines = run(capsys, str(echo), "--json", "--frame", "3")
    assert [json.loads(line)["number"] for line in lines] == [3]


# --- hostile text and hostile files


@pytest.mark.parametrize("how", [[], ["--fields"], ["--json"]])
def test_hostile_text_comes_out_as_harmless_text(
    how: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Markup, control and bidirectional characters in a payload, in a comment, and in the name of the file."""
    comment = "<img onerror>\x1b]0;x\x07\x7f \u202egnp.exe\u2066 caf\xe9\nsecond\x9b31m"
    frames = [tcp_frame(b"", seq=0, flags=2, ack=0), tcp_frame(NASTY, seq=1), udp_frame(NASTY), b"\x1b" * 70]
    path = write_pcapng(tmp_path / "a\x1b[2J\u202e.pcapng", frames, comments={2: [comment], 3: [comment]})
    lines = run(capsys, str(path), *how)
    text = "\n".join(lines)
    assert all(character.isprintable() for line in lines for character in line)
    assert "script" in text
    assert "<img onerror>" in text
    assert "\\x1b[2J" in text or "1b5b324a" in text
    assert cli.main(["explain", str(path), "--frame", "99"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_damaged_file_is_printed_up_to_the_damage_and_is_one_error(
    pop3: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    octets = pop3.read_bytes()
    pop3.write_bytes(octets[: len(octets) // 2])
    for how in ([], ["--fields"], ["--json"], ["--connection", "1"]):
        assert cli.main(["explain", str(pop3), *how]) == 1
        said = capsys.readouterr()
        assert len(said.out.splitlines()) > 5
        assert re.fullmatch(r"tapstack explain: .*: at octet \d+: .*\n", said.err)


@pytest.mark.parametrize("octets", [b"", b"\x0a", b"no capture at all", b"\x1f\x8b\x08" + bytes(20), b"\xff" * 100])
def test_a_file_that_is_no_capture_is_one_error(
    octets: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(octets)
    for how in ([], ["--fields"], ["--json"], ["--connection", "1"], ["--json", "--connection", "1"], ["--frame", "1"]):
        assert cli.main(["explain", str(path), *how]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("tapstack explain: ")
        assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["/no/such/file"], 1, "/no/such/file: No such file or directory"),
        (["/"], 1, "/: Is a directory"),
        (["-", "--json", "--connection", "1"], 2, "reads the file twice"),
        (["x", "--frame", "1", "--connection", "1"], 2, "give one of them"),
    ],
)
def test_errors_name_the_rule(words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", *words]) == status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["x", "--frame", "0"], ["x", "--frame", "1.5"], ["x", "--fields", "--json"]])
def test_usage_errors_have_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", *words])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("tapstack explain: ")


# --- as a program


def program(*words: str) -> list[str]:
    """The command in a process of its own."""
    return [sys.executable, "-c", "import sys; from tools.cli import main; sys.exit(main())", "explain", *words]


def test_standard_input_is_read(pop3: Path) -> None:
    with pop3.open("rb") as file:
        done = subprocess.run(program("-"), stdin=file, capture_output=True, text=True, cwd=TOP, check=True)
    assert done.stdout.startswith("standard input: 18 frames")
    assert not done.stderr


def test_a_reader_that_goes_away_is_no_failure(echo: Path) -> None:
    """As with `| head`: the pipe's other end is closed before a line is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(program(str(echo)), stdout=write_end, stderr=subprocess.PIPE, text=True, cwd=TOP, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interruption_is_quiet(
    echo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(path: str) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "read_capture", interrupted)
    assert cli.main(["explain", str(echo)]) == 130
    assert capsys.readouterr().err == ""


def test_neither_trio_nor_a_host_is_imported(pop3: Path) -> None:
    code = (
        "import sys; from tools.cli import main; status = main(); "
        "sys.stderr.write(' '.join(n for n in ('trio', 'socket', 'stack.host', 'pytun', 'fcntl') if n in sys.modules))"
    )
    command = [sys.executable, "-c", code, "explain", str(pop3)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TOP, check=True)
    assert done.stderr == ""


# --- the parts


def test_text_of_others_is_one_harmless_line() -> None:
    assert clean("caf\xe9 <b>") == "caf\xe9 <b>"
    assert clean("a\nb\x1b\u202e\x9b\u2028") == "a\\nb\\x1b\\u202e\\x9b\\u2028"
    assert octets_as_text(b'"\\\r\n\t\xe9\x00z') == '"\\"\\\\\\r\\n\\t\\xe9\\x00z"'


def test_long_lines_are_wrapped_at_blanks_and_long_words_are_cut() -> None:
    assert list(wrapped("one two three", 9, "- ")) == ["- one two", "  three"]
    assert list(wrapped("x" * 25, 12, "- ")) == ["- " + "x" * 10, "  " + "x" * 10, "  " + "x" * 5]
    assert list(wrapped("", 12, "- ")) == ["- "]
    assert list(wrapped("one   two   " + "x" * 12, 12, "- ")) == ["- one   two ", "  " + "x" * 10, "  xx"]


def test_the_time_to_wrap_a_line_grows_with_its_length_alone() -> None:
    """No text is copied but what is printed. Each line would otherwise cost a copy of all that follows it."""

    class Counting(str):
        copied = 0

        def __getitem__(self, index: Any) -> str:
            part = str.__getitem__(self, index)
            Counting.copied += len(part)
            return Counting(part)

        def lstrip(self, *characters: str | None) -> str:
            return Counting(str.lstrip(self, *characters))

    text = Counting("word " * 2000 + "x" * 10_000)
    assert "".join("".join(wrapped(text, 60)).split()) == "".join(text.split())
    assert Counting.copied <= len(text)


def test_what_is_kept_of_a_hostile_capture_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many connections as frames, long comments, and frames of other protocols."""
    monkeypatch.setattr(seen, "MOST_CONNECTIONS", 5)
    monkeypatch.setattr(seen, "MOST_CONVERSATIONS", 4)
    monkeypatch.setattr(seen, "MOST_CHARACTERS", 3000)
    frames = [tcp_frame(b"", seq=number << 8, flags=2, ack=0) for number in range(30)]
    frames += [udp_frame(b"x" * 100, port=number) for number in range(1, 30)]
    comments = {number: ["y" * 60_000] for number in range(1, 60)}
    found = seen.Seen(stack.read_capture(write_pcapng(tmp_path / "x.pcapng", frames, comments=comments)))
    assert (len(found.connections), found.left_out) == (5, 25)
    assert len(found.conversations) == 4
    assert len(found.kept) + len(found.others) == 3
    assert found.frames == 59
    assert found.links == {"ethernet": 59}
    lines = list(ladder.summary(found, "x", 80))
    assert "and 25 more connections, which are not kept" in lines


def test_segments_of_connections_that_were_given_out_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The follower makes room for new connections, and forgets what it has given out. `Seen` does not."""
    monkeypatch.setattr(seen, "MOST_SEGMENTS", 7)
    frames = [tcp_frame(b"x", seq=number << 8, flags=2, ack=0) for number in range(30)]
    found = seen.Seen(stack.read_capture(write_pcapng(tmp_path / "x.pcapng", frames)))
    assert [len(connection.segments) for connection in found.connections] == [1] * 7 + [0] * 23
    assert [connection.left_out for connection in found.connections] == [0] * 7 + [1] * 23


def test_comments_of_other_frames_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MOST_CHARACTERS", 10_000)
    comments = {number: ["y" * 60_000] * 5 for number in range(1, 30)}
    path = write_pcapng(tmp_path / "x.pcapng", [udp_frame(b"x")] * 29, comments=comments)
    found = seen.Seen(stack.read_capture(path), every_comment=True)
    assert len(found.others) == 2


def test_lines_are_written_when_they_are_long_or_many(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of JSON has as many characters as a frame can have fields: lines are not held by their number alone."""
    lines = printer.Printer()
    for _ in range(3):
        lines("x" * printer.CHUNK_CHARACTERS)
        assert len(capsys.readouterr().out) == printer.CHUNK_CHARACTERS + 1
    for _ in range(printer.CHUNK_LINES):
        assert not capsys.readouterr().out
        lines("\xe9")
    assert capsys.readouterr().out == "\xe9\n" * printer.CHUNK_LINES


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01 00:00:00.000000 UTC"),
        (-1, "1969-12-31 23:59:59.999999 UTC"),
        (-62_135_596_800_000_000_000, "0001-01-01 00:00:00.000000 UTC"),
        (-62_135_596_800_000_000_001, "-62135596800.000000 s since 1970"),
        (253_402_300_799_999_999_999, "9999-12-31 23:59:59.999999 UTC"),
        (253_402_300_800_000_000_000, "253402300800.000000 s since 1970"),
        ((2**64 - 1 + 2**63 - 1) * 10**9, "27670116110564327422.000000 s since 1970"),
    ],
)
def test_a_time_that_no_calendar_has_is_in_seconds(time_ns: int, text: str) -> None:
    assert utc(time_ns, 6) == text


@pytest.mark.parametrize("offset_s", [2**63 - 1, -(2**63), -62_135_596_801])
@pytest.mark.parametrize("how", [[], ["--fields"], ["--json"], ["--connection", "1"]])
def test_a_capture_can_have_any_time(
    how: list[str], offset_s: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The times of an interface have an offset of 64 bits (if_tsoffset)."""
    file = Pcapng()
    interface = file.interface((IF_TSOFFSET, struct.pack("<q", offset_s)))
    path = tmp_path / "x.pcapng"
    path.write_bytes(file.section() + interface + file.enhanced(tcp_frame(b"x", seq=1)) + file.enhanced(udp_frame(b"")))
    assert str(offset_s) in "".join(run(capsys, str(path), *how)) or "--connection" in how


def test_udp_is_told_by_conversation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [udp_frame(b"a", port=port) for port in (5000, 6000, 5000)]
    lines = run(capsys, str(write_pcapng(tmp_path / "x.pcapng", frames)))
    assert " UDP  10.9.0.1:5000 > 10.9.0.2:5000, 2 datagrams" in lines
    assert " UDP  10.9.0.1:6000 > 10.9.0.2:6000, 1 datagram" in lines


def test_long_addresses_do_not_make_long_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, str(write_pcapng(tmp_path / "x.pcapng", [ipv6_syn()])))
    assert max(map(len, lines)) <= 80
    address = "2001:db8:1111:2222:3333:4444:5555:6666"
    assert f"                  [{address}]:50000 (left)" in lines
    assert f"                  [{address}]:80 (right)" in lines


def ipv6_syn() -> bytes:
    """A SYN between two long addresses."""
    address = bytes.fromhex("20010db8111122223333444455556666")
    tcp = struct.pack("!HHIIBBHHH", 50000, 80, 7, 0, 0x50, 2, 1000, 0, 0)
    checksum = internet_checksum(address + address + struct.pack("!IHBB", len(tcp), 0, 0, 6) + tcp)
    tcp = tcp[:16] + checksum.to_bytes(2, "big") + tcp[18:]
    header = struct.pack("!IHBB", 0x60000000, len(tcp), 6, 64) + address + address
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x86\xdd" + header + tcp


def test_a_reset_that_is_sent_has_no_clause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Why it was sent is not on the wire."""
    frames = [
        tcp_frame(b"", seq=0, flags=2, ack=0),
        tcp_frame(b"", seq=0, flags=0x12, back=True),
        tcp_frame(b"", seq=1, flags=0x14),
    ]
    lines = run(capsys, str(write_pcapng(tmp_path / "x.pcapng", frames)), "--connection", "1")
    aborted = next(line for line in lines if "CLOSED: it sends a reset" in line)
    assert "(" not in aborted + lines[lines.index(aborted) + 1].partition("state")[0]
