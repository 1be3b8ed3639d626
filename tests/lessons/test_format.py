"""The format of a lesson: what is read, what is refused and how, and that hostile lessons are bounded."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tools.lessons import patterns
from tools.lessons.blocks import LessonError
from tools.lessons.check import Runs, alike, check
from tools.lessons.network import perform
from tools.lessons.parse import LARGEST, parse, read
from tools.lessons.patterns import BadPattern

pytestmark = pytest.mark.one_way

HEAD = "# T99 A lesson\ntime: 5 min\n\n"
RUN = "```python run=x seed=1\nlesson.keep(a=1)\n```\n"
CHOICE = "- [x] a `= 1`\n  Since it is.\n- [ ] b `= 2`\n  Since it is not.\n"
ASK = '```predict id=q about="kept a"\nWhat?\n'

ILL_FORMED = {
    "no title": ("A lesson\n", 1, "the first line is"),
    "no number": ("# A lesson\n", 1, "the first line is"),
    "no facts": ("# T1 A\n\ntext\n", 3, "the second line has facts"),
    "no time": ("# T1 A\ncourse: 5\n", 2, "say its `time`"),
    "open fence": (HEAD + "```expect\ncount frame == 1\n", 4, "is not closed"),
    "no run": (HEAD + "```expect\nfoo\n```\n", 4, "there is no run above"),
    "other run": (HEAD + RUN + "```expect run=y\nframe\n```\n", 7, "there is no run 'y' above"),
    "bad Python": (HEAD + "```python run=x\na = 1\nb = (\n```\n", 6, "this is no Python"),
    "twice": (HEAD + RUN + RUN, 7, "a name of its own"),
    "bad seed": (HEAD + "```python run=x seed=-1\n```\n", 4, "seed="),
    "unknown key": (HEAD + "```python run=x sed=1\n```\n", 4, "there is no sed="),
    "bad pattern": (HEAD + RUN + "```expect\nc frame kind=tcp\nc frame kind\n```\n", 9, "FIELD=VALUE is expected"),
    "no host": (HEAD + RUN + "```expect\ncount frame == 1\n```\n", 8, "say which host sees the frame"),
    "control": (HEAD + "a\n\x1b[2J\n", 5, "a character that cannot be printed"),
    "no event": (HEAD + RUN + "```expect\nclient foo\n```\n", 8, "the name of an event"),
    "no comparison": (HEAD + RUN + "```expect\ncount c frame\n```\n", 8, "a comparison is expected"),
    "empty expect": (HEAD + RUN + "```expect\n```\n", 7, "says nothing"),
    "no clause": (HEAD + RUN + "```break\nframe\n```\n", 7, "one clause is expected"),
    "quote": (HEAD + RUN + '```break "9293\nframe\n```\n', 7, "no closing quotation"),
    "two right": (HEAD + RUN + ASK + CHOICE.replace("[ ]", "[x]") + "```\n", 7, "one choice is marked"),
    "no reason": (HEAD + RUN + ASK + "- [x] a `= 1`\n```\n", 9, "a reason that is true for this answer"),
    "no text": (HEAD + RUN + '```predict id=q about="kept a"\n' + CHOICE + "```\n", 7, "a question has a text"),
    "no about": (HEAD + RUN + "```predict id=q\nWhat?\n" + CHOICE + "```\n", 7, "about= says"),
    "no answer": (HEAD + RUN + ASK + "```\n", 7, "`answer: VALUE` is expected"),
    "no because": (HEAD + RUN + ASK + "answer: 1\n```\n", 7, "`because: SENTENCE` is expected"),
    "no id": (HEAD + RUN + ASK.replace("id=q ", "") + CHOICE + "```\n", 7, "id= is a name"),
    "bad selector": (
        HEAD + RUN + ASK.replace("kept a", "c frame") + CHOICE + "```\n",
        7,
        "PATTERN -> FIELD is expected",
    ),
    "bad hint": (HEAD + RUN + ASK + "answer: 1\nhint 2\nbecause: it is\n```\n", 10, "`hint VALUE: SENTENCE`"),
    "stray line": (HEAD + RUN + ASK + "answer: 1\nand more\n```\n", 10, "is expected here"),
    "look": (HEAD + RUN + "```look nowhere\n```\n", 7, "followed by one of"),
    "console": (HEAD + "```console\nls\n```\n", 5, "a console begins with"),
    "long line": (HEAD + "x" * 1001 + "\n", 4, "a line has at most"),
    "long fence": (HEAD + RUN + "```expect\n" + "frame\n" * 200 + "```\n", 7, "more than 120 lines"),
}


@pytest.mark.parametrize(("text", "line", "told"), ILL_FORMED.values(), ids=ILL_FORMED)
def test_an_ill_formed_lesson_is_refused_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(LessonError) as error:
        parse(text, "x.md")
    assert str(error.value).startswith(f"x.md:{line}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_fences_without_a_role_are_text() -> None:
    lesson = parse(HEAD + "Look:\n\n```python\nx = 1\n```\n\n~~~text\n```expect\n~~~\n\nEnd.\n", "x.md")
    (text,) = lesson.blocks
    assert "x = 1" in getattr(text, "markdown", "")
    assert "```expect" in getattr(text, "markdown", "")


def test_a_large_or_undecodable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(b"# T1 A\n" + b"a\n" * LARGEST)
    with pytest.raises(LessonError, match="at most"):
        read(path)
    path.write_bytes(b"# T1 A\ntime: 1\n\xff")
    with pytest.raises(LessonError, match=":3: a lesson is UTF-8"):
        read(path)
    with pytest.raises(LessonError, match="at most"):
        read(Path("/dev/zero"))


def refusal(text: str) -> str:
    """Why a lesson is refused; "" if it is not."""
    try:
        parse(text, "x.md")
    except LessonError as error:
        return str(error)
    return ""


def test_hostile_text_is_refused_or_read_but_nothing_else() -> None:
    """Lessons with changes at random, and lines of marks: each is read or refused with a line, in little time."""
    draw = random.Random(16)
    text = next(Path(parse.__code__.co_filename).parent.glob("en/T1-*.md")).read_text(encoding="utf-8")
    began = time.process_time()
    for _ in range(300):
        octets = list(text)
        for _ in range(draw.randrange(1, 8)):
            at = draw.randrange(len(octets))
            octets[at : at + draw.randrange(1, 30)] = draw.choice(
                ("`", "```", '"', "\n", "-> ", "*" * 50, "\x1b[2J", "|")
            )
        told = refusal("".join(octets))
        assert told.isprintable()
        assert not told or told.startswith("x.md:")
    assert time.process_time() - began < 30


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("frame " + "a=1 " * 101, "more than 100 terms"),
        ("frame a=" + "*" * 2000, "longer than"),
        ('frame a="', "no closing quotation"),
        ("frame a<b", "a number is expected"),
        ("frame because", "a word is expected"),
    ],
)
def test_a_pattern_is_bounded(text: str, told: str) -> None:
    with pytest.raises(BadPattern, match=told):
        patterns.pattern(text)


@pytest.mark.parametrize(
    ("left", "operator", "right", "held"),
    [
        ("a" * 2000 + "b", "=", "a*" * 900 + "c", False), ("abcab", "=", "ab*ab", True), ("aba", "=", "ab*ba", False),
        ("SYN", "=", "SYN", True), ("SYN,ACK", "=", "SYN*", True), ("SYN,ACK", "=", "SYN", False),
        ("ACK", "=", "SYN|ACK", True), ("3", "=", "3.0", True), ("0x10", "==", "16", True), ("3", "!=", "3", False),
        ("0.1", "<", "0.2", True), ("1,460", "==", "1460", True), ("a", "<", "1", False), ("a.c", "=", "a*c", True),
        ("abc", "=", "a.c", False), ("10", ">=", "9", True), ("4089248826", "==", "4089248825", False),
        ("0.30000000001", "==", "0.3", True), ("0xffffffffffffffff", "==", "0xfffffffffffffffe", False),
        ("0,02", "==", "0.02", True), ("-71,6983", "==", "-71.6983", True), ("1,460.5", ">", "1460", True),
        ("1,2,3", "==", "123", False),
    ],
)  # fmt: skip
def test_comparisons(left: str, operator: str, right: str, held: bool) -> None:
    assert patterns.holds(left, operator, right) is held


# --- runs


def the_run(code: str) -> str:
    """The error of a run with this code."""
    lesson = parse(f"{HEAD}```python run=x\n{code}\n```\n", "x.md")
    with pytest.raises(LessonError) as error:
        perform(lesson.file, lesson.runs["x"])
    return str(error.value)


def test_an_error_in_a_run_has_its_line() -> None:
    assert the_run("a = 1\nb = a / 0").startswith("x.md:6: the run 'x' failed: ZeroDivisionError")
    assert the_run("async def f():\n    raise ValueError('no')\nawait f()").startswith("x.md:6: ")
    told = the_run("client = await lesson.host('c')\nlesson.start(trio.sleep, 1)\nraise OSError(1, 'a\\nb')")
    assert told.startswith("x.md:7: ")
    assert "\n" not in told


def test_a_run_without_end_is_ended() -> None:
    assert "virtual time" in the_run("await trio.sleep_forever()")
    told = the_run("c, s = await lesson.hosts('c', 's')\nwhile True:\n    await c.ping('10.9.0.2')")
    assert "20000 events" in told


def test_a_run_cannot_take_the_name_of_a_host_twice() -> None:
    assert "there is a host 'c' already" in the_run("await lesson.host('c')\nawait lesson.host('c')")


def test_the_process_apart_gives_the_same_events() -> None:
    from tools.lessons.apart import perform_apart

    code = (
        "c, s = await lesson.hosts('c', 's')\nlesson.keep(rtt=(await c.ping('10.9.0.2')) is not None)\nprint('noise')"
    )
    lesson = parse(f"{HEAD}```python run=x\n{code}\n```\n", "x.md")
    here, apart = perform(lesson.file, lesson.runs["x"]), perform_apart(lesson.file, lesson.runs["x"])
    assert apart.events() == here.events()
    assert apart.kept == here.kept == {"rtt": True}


def test_slips_of_the_pen_are_noticed() -> None:
    """What no event of the run can have would make `never` and `count ... == 0` true for nothing."""
    code = "c, s = await lesson.hosts('c', 's')\nawait c.ping('10.9.0.2')"
    for statement, told in (
        ("never q frame kind=tcp", "no host 'q'"),
        ("never c tcp:stat", "no event 'tcp:stat'"),
        ("count c icmp:sent typ=8 == 0", "no 'icmp:sent' of this run has a field 'typ'"),
        ("never c icmp:sent type=3", ""),
        ("never c frame icmp.type=3", ""),
        ("never c tcp:state after=LISTEN", ""),
    ):
        lesson = parse(f"{HEAD}```python run=x\n{code}\n```\n```expect\n{statement}\n```\n", "x.md")
        if told:
            with pytest.raises(LessonError, match=rf"x\.md:9: .*{told}"):
                check(lesson, Runs(lesson, perform))
        else:
            assert check(lesson, Runs(lesson, perform)) == 2


def test_frames_of_a_capture_are_recorded() -> None:
    frame = "020000000002020000000001080045000028000040004006" + "26bc" + "0a0900010a090002"
    frame += "00070008000000010000000050100100" + "9ab0" + "0000"
    code = f"lesson.frames('sniffer', [(0.5, '{frame}'), (0.75, bytes.fromhex('{frame}'))], address='10.9.0.1')"
    lesson = parse(f"{HEAD}```python run=x\n{code}\n```\n", "x.md")
    first, second = perform(lesson.file, lesson.runs["x"]).events()
    assert (first.event.at, second.event.at) == (0.5, 0.75)
    assert (first.fields["dir"], first.fields["flags"], first.fields["sport"]) == ("out", "ACK", 7)


@pytest.mark.parametrize(
    ("printed", "real", "same"),
    [
        (["a", "..."], ["a", "b", "c"], True), (["...", "c"], ["a", "b", "c"], True), (["...", "b"], ["a", "b"], True),
        (["...", "b"], ["a", "b", "c"], False),
        (["a ... c"], ["a b c"], True), (["a"], ["a", "b"], False), ([], [""], True), (["..."], [""], True),
        (["a", "...", "b", "...", "c"], ["a", "x", "b", "b", "c"], True), (["a"], [], False),
        (["...", "x"] * 50, ["x"] * 5000 + ["y"], False),
    ],
)  # fmt: skip
def test_outputs_are_compared_with_dots(printed: list[str], real: list[str], same: bool) -> None:
    assert alike(printed, real) is same
