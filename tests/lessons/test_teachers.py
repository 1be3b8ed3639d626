"""What teachers read is true: the table of all that the course and the card explain, and the commands of a class."""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest

import stack
from tests.course import captures
from tests.lessons.test_every_lesson import changed
from tests.test_readme import anchors
from tools import cli
from tools.lessons import paper, shelf
from tools.lessons.blocks import Lesson, LessonError
from tools.lessons.check import Runs, question
from tools.lessons.network import perform
from tools.lessons.paper import html_of
from tools.lessons.parse import parse, read
from tools.lessons.words import WORDS

pytestmark = pytest.mark.one_way

README = shelf.FOLDER / "README.md"
COURSE, CARD = 37, 15  # rows
WITH_A_ROUTER = {"L9", "L11", "L16"}  # lessons that come with the router
NUMBER = re.compile(r"\b[LTDS]\d{1,2}\b")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
COMMAND = re.compile(r"`tapstack ([^`]+)`")
RUN_HERE = ("ipcalc", "number")  # commands that need no file and no host


def rows() -> list[tuple[str, str]]:
    """What each row of the table is about, and what shows it."""
    table = README.read_text().partition("## The course and the card")[2].partition("\n## ")[0]
    cells = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [(f"{part.strip()}: {about}", shown.strip()) for part, about, shown in cells[1:]]


every_row = pytest.mark.parametrize(("about", "shown"), rows(), ids=lambda text: text[:40])


def test_no_row_is_left_out() -> None:
    parts = [about.partition(":")[0] for about, _ in rows()]
    assert (parts.count("card"), len(parts) - parts.count("card")) == (CARD, COURSE)
    assert len({about for about, _ in rows()}) == CARD + COURSE


@every_row
def test_each_row_is_shown_by_a_lesson_or_needs_a_router(about: str, shown: str) -> None:
    assert LINK.search(shown) or "needs a router" in shown, about


@every_row
def test_each_lesson_named_is_there(about: str, shown: str) -> None:
    there = {each.number: each.path for each in shelf.shelf()}
    for number, target in LINK.findall(shown):
        assert (shelf.FOLDER / target).resolve() == there[number], about
    unlinked = set(NUMBER.findall(LINK.sub("", shown)))
    assert unlinked - WITH_A_ROUTER == set(), f"{about}: a lesson that is there is linked"


@every_row
def test_each_command_named_works(about: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in COMMAND.findall(shown):
        words = shlex.split(text)
        assert words[0] in cli.PROGRAMS, about
        if words[0] in RUN_HERE:
            assert cli.main(words) == 0, capsys.readouterr().err
            assert capsys.readouterr().out
        else:
            cli.make_parser(words[0])[0].parse_args(words)


# --- what teachers.md says


def test_each_command_for_teachers_is_one() -> None:
    text = (shelf.FOLDER / "teachers.md").read_text()
    commands = re.findall(r"^[$#] \./scripts/run (.*)", text, re.MULTILINE)
    assert len(commands) >= 10
    for command in commands:
        words = shlex.split(command.partition(" -- ")[0])
        words = words if words[0] in cli.PROGRAMS else ["lab", *words]
        cli.make_parser(words[0])[0].parse_args(words)


def test_each_link_for_teachers_leads_somewhere() -> None:
    for _, target in LINK.findall((shelf.FOLDER / "teachers.md").read_text()):
        name, _, anchor = target.partition("#")
        assert anchor in anchors(shelf.FOLDER / name)


# --- a lesson from a capture or a recorded run


def pop3(folder: Path, link: int = captures.ETHERNET) -> str:
    """The POP3 session of the course as a capture, perhaps without its headers of Ethernet."""
    sent = captures.pop3() if link == captures.ETHERNET else [
        each._replace(octets=each.octets[14:]) for each in captures.pop3() if each.octets[12:14] == b"\x08\x00"
    ]  # fmt: skip
    return str(captures.write(folder / "pop3.pcap", link, sent))


def made(path: str, out: Path, frames: int) -> Lesson:
    """The lesson that is made of a file. It is accepted, and so is no other answer."""
    assert cli.main(["lesson", "new", path, str(out)]) == 0
    assert cli.main(["lesson", str(out), "--verify"]) == 0
    lesson = read(out)
    runs = Runs(lesson, perform)
    assert len(runs["capture", ""].events()) == frames
    for each in lesson.questions():
        for wrong in changed(each):
            with pytest.raises(LessonError):
                question(lesson, wrong, runs)
    return lesson


def test_a_lesson_from_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lesson = made(pop3(tmp_path), tmp_path / "pop3.md", 20)
    told = capsys.readouterr().out
    assert "20 frames, 9 questions" in told
    assert "look for passwords" in told
    answers = {each.id: each.answer for each in lesson.questions()}
    assert answers["ack"] == "50", "the greeting has 49 octets"
    assert answers["count-tcp"] == "18"
    assert (tmp_path / "pop3.md").stat().st_mode & 0o777 == 0o600


def test_a_lesson_from_a_capture_without_ethernet(tmp_path: Path) -> None:
    assert made(pop3(tmp_path, captures.RAW_IP), tmp_path / "raw.md", 18).questions()


def test_a_lesson_from_a_recorded_run(tmp_path: Path) -> None:
    recording = perform("T1.md", read(next((shelf.FOLDER / "en").glob("T1-*.md"))).runs["handshake"])
    trace = stack.TraceFile(tmp_path / "run.jsonl")
    for event in recording.of("client"):
        trace(event)
    trace.close()
    frames = sum(event.name == "wire:frame" for event in recording.of("client"))
    lesson = made(str(tmp_path / "run.jsonl"), tmp_path / "run.md", frames)
    assert {"ack", "order", "syn-window"} <= {each.id for each in lesson.questions()}


def test_frames_of_any_octets_make_a_lesson(tmp_path: Path) -> None:
    random = Random(1)
    sent = [captures.Sent(number * 1000, random.randbytes(random.randrange(1, 90))) for number in range(100)]
    path = captures.write(tmp_path / "x.pcap", captures.ETHERNET, sent)
    made(str(path), tmp_path / "x.md", 60)
    assert "these are its first 60 frames" in (tmp_path / "x.md").read_text()


def test_what_is_no_capture_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pop3(tmp_path)
    there = tmp_path / "there.md"
    there.write_text("mine")
    (tmp_path / "none.pcap").write_bytes(b"\x1b[2J" * 30)
    (tmp_path / "none.jsonl").write_bytes(b"\x1e{}\n")
    for words in (
        [path, str(there)], [str(tmp_path / "none.pcap")], [str(tmp_path / "none.jsonl")], ["-"], [],
        [str(tmp_path / "nothing")], [path, str(tmp_path / "no" / "folder.md")],
    ):  # fmt: skip
        assert cli.main(["lesson", "new", *words]) in (1, 2), words
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "\x1b" not in told
    assert there.read_text() == "mine"
    assert cli.main(["lesson", "T1", "T2"]) == 2


# --- a lesson on paper


class Page(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("number", "language"), [("T1", "en"), ("L3", "en"), ("L14", "fr")])
def test_a_page_for_printing_has_the_answers_at_its_end(tmp_path: Path, number: str, language: str) -> None:
    out = tmp_path / "page.html"
    assert cli.main(["lesson", number, "--lang", language, "--print", str(out)]) == 0
    lesson = read(shelf.find(number, language).path)
    page = Page(out.read_text())
    assert not {"script", "link", "img", "iframe"} & {*page.tags}
    asked, _, answers = (" ".join(page.text.split())).partition(f"{lesson.title}: {WORDS[language]['answers']}")
    count = sum(each.times for each in lesson.questions())
    runs = Runs(lesson, perform)
    for text in (asked, answers):
        assert [f"Question {n}" in text for n in range(1, count + 2)] == [True] * count + [False]
    for predict in lesson.questions():
        for turn in range(predict.times):
            each = question(lesson, predict, runs, turn)
            reasons = [*filter(None, [each.because, *(item.reason for item in each.items)])]
            for reason in (Page("".join(html_of(reason))).text.strip() for reason in reasons):
                assert reason in answers
                assert reason not in asked
    assert "|--" not in asked, "no ladder before the answers"


def test_what_a_lesson_says_is_harmless_on_paper() -> None:
    text = "# X1 <script>x</script>\ntime: 1 min\n\n<img src=x> [a](javascript:x) `<b>`\n\n| <i> |\n|---|\n| </td> |\n"
    page = Page(paper.page(parse(text, "x.md"), Runs(parse(text, "x.md")), WORDS["en"], "en"))
    assert not {"script", "img", "i"} & {*page.tags}
    assert "<img src=x> a <b>" in " ".join(page.text.split())


def test_a_page_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lesson", "T1", "--print", str(tmp_path / "no" / "page")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_octets_of_a_capture_are_left_out_on_paper() -> None:
    text = [
        'W = """a"""',
        'X = """',
        *(f"@{n} 00" for n in range(40)),
        '"""',
        "f(X)",
        'Y = """a"""',
        'Z = """',
        "short",
        '"""',
        "g(Y, Z)",
    ]
    assert paper.shortened(text) == [*text[:2], "... (40 lines)", *text[42:]]
    assert paper.shortened(text[:20]) == text[:20], "a text without an end stays"


def test_a_field_on_paper_is_one_line() -> None:
    shown = [
        "TCP (RFC 9293 section 3.1)",
        "     0-15  00 07                  Source Port = 7",
        " " * 34 + "(echo)",
        "104  0... ....  CWR",
    ]
    assert paper.narrow(shown) == [shown[0], "     0-15  00 07  Source Port = 7 (echo)", shown[3]]
