"""Questions: each kind, its right answer, and reasons that are true for the answer that was given."""

from __future__ import annotations

import ipaddress
import itertools
import re
from random import Random

import pytest

from tools.lessons.answers import LETTERS, Question, Verdict, ask, judge
from tools.lessons.blocks import Lesson, LessonError
from tools.lessons.exercises import EXERCISES, Exercise
from tools.lessons.exercises_fr import in_french
from tools.lessons.network import perform
from tools.lessons.parse import parse

pytestmark = pytest.mark.one_way

HEAD = "# T99 A lesson\ntime: 5 min\n\n"
RUN = """```python run=x seed=1
c, s = await lesson.hosts("c", "s")
await lesson.serve(s, lesson.echo, 7)
stream = await c.open_tcp_stream("10.9.0.2", 7)
await stream.send_all(b"hello")
await lesson.sleep(1)
lesson.keep(word="teapot")
```
"""


def lesson_with(info: str, body: str) -> Lesson:
    return parse(f"{HEAD}{RUN}```predict id=q {info}\nWhat?\n{body}\n```\n", "x.md")


def asked(info: str, body: str) -> Question:
    lesson = lesson_with(info, body)
    return ask(lesson, lesson.questions()[0], {("x", ""): perform(lesson.file, lesson.runs["x"])})


def wrong(info: str, body: str) -> str:
    with pytest.raises(LessonError) as error:
        asked(info, body)
    return str(error.value)


def test_a_choice() -> None:
    info = 'about="c frame flags=SYN,ACK -> ack"'
    body = "- [ ] zero `= 0`\n  It is zero.\n- [x] one `= 1`\n  It is one."
    question = asked(info, body)
    assert question.right == "b"
    assert judge(question, " B ") == Verdict(True, "It is one.")
    assert judge(question, "1") == Verdict(False, "It is zero.")
    for unread in ("", "c", "0", "3", "both", "\u0661"):
        assert not judge(question, unread).understood
    assert "is marked [x], but is wrong" in wrong(info, body.replace("[x] one `= 1`", "[x] one `= 2`"))
    assert "'zero' is not marked [x], but is right" in wrong(info, body.replace("`= 0`", "`= 1`"))


def test_a_choice_with_conditions() -> None:
    body = (
        "- [x] never `if never c tcp:send again=true`\n  No segment is lost.\n"
        "- [ ] once `if count c tcp:send again=true == 1`\n  That takes a loss."
    )
    assert asked("", body).right == "a"
    assert "'never' is marked [x], but is wrong" in wrong(
        "", body.replace("never c tcp:send again=true", "never c frame")
    )


def test_an_order() -> None:
    info = 'about="all c frame kind=tcp -> flags"'
    question = asked(info, "1. SYN `= SYN`\n2. both `= SYN,ACK`\n3. data `= PSH*`\nbecause: It is so.")
    assert question.right.split() != ["a", "b", "c"]
    assert judge(question, question.right) == Verdict(True, "It is so.")
    assert judge(question, question.right.replace(" ", "").upper()).right
    first, second, third = question.right.split()
    verdict = judge(question, f"{second} {first} {third}")
    assert not verdict.right
    assert "'SYN' comes before 'both'" in verdict.reason
    for unread in ("a b", "a a b", "a b d", "", "a b c c"):
        assert not judge(question, unread).understood
    assert "does not follow" in wrong(info, "1. both `= SYN,ACK`\n2. SYN `= SYN`\nbecause: It is so.")


def test_a_number_with_hints() -> None:
    info = 'about="c frame dir=out data>0 -> ack"'
    body = (
        'answer: 1\nhint 0: That is the SYN.\nhint "c frame dir=out data>0 -> data": That is the length.\nbecause: So.'
    )
    question = asked(info, body)
    assert judge(question, "1") == judge(question, "0x1") == judge(question, "1.0") == Verdict(True, "So.")
    assert judge(question, "0") == Verdict(False, "That is the SYN.")
    assert judge(question, "5") == Verdict(False, "That is the length.")
    assert judge(question, "9").reason == "9 is too large: the difference is 8."
    assert judge(question, "-3").reason == "-3 is too small: the difference is 4."
    for unread in ("one", "", "1e5", "*"):
        assert not judge(question, unread).understood
    assert "but the run has '1'" in wrong(info, body.replace("answer: 1", "answer: 2"))
    assert "which is right" in wrong(info, body.replace("hint 0", "hint 1"))


def test_a_text() -> None:
    question = asked('about="kept word"', "answer: teapot\nbecause: So.")
    assert judge(question, "Teapot").right
    assert not judge(question, "tea*").right
    assert judge(question, "kettle").understood


def value_of(right: str) -> Question:
    return Question("q", "value", "What?", right, (), (), "So.")


@pytest.mark.parametrize(
    ("right", "given", "reason", "understood"),
    [
        ("10.35.186.0", "10.35.186.0/23", "So.", True),
        ("10.35.186.0", "zz", "an address such as 192.0.2.1 is expected, not 'zz'", False),
        ("10.35.186.0", "10.35.186", "an address such as 192.0.2.1 is expected, not '10.35.186'", False),
        ("10.35.186.0", "10.35.186.256", "an address such as 192.0.2.1 is expected, not '10.35.186.256'", False),
        ("10.35.186.0", "10.35.187.0", "Octet 3 is another one; the 2 before it are right.", True),
        ("10.35.186.0", "10.36.186.0", "Octet 2 is another one.", True),
        ("10.35.186.0", "11.35.186.0", "Octet 1 is another one.", True),
        ("no", "N", "So.", True),
        ("non", "n", "So.", True),
        ("oui", "o", "So.", True),
        ("yes", "maybe", "yes or no is expected, not 'maybe'", False),
        ("B", "class b", "So.", True),
        ("B", "z", "a letter from A to E is expected, not 'z'", False),
        ("B", "C", "That is another value than 'C'.", True),
        ("00:20:18:b9:49:37", "00-20-18-B9-49-37", "So.", True),
        ("00:20:18:b9:49:37", "30", "a station address such as 02:00:00:00:00:01 is expected, not '30'", False),
        ("3662573347", "0", "0 is too small.", True),
    ],
)
def test_a_value_that_is_not_understood_costs_no_try_and_a_right_one_may_be_written_in_several_ways(
    right: str, given: str, reason: str, understood: bool
) -> None:
    assert judge(value_of(right), given) == Verdict(reason == "So.", reason, understood)


def test_a_blank_field() -> None:
    question = asked('kind=field about="c frame flags=SYN -> tcp.window"', "answer: 65535\nbecause: So.")
    (line,) = [line for line in question.shown if "____" in line]
    assert re.search(r"____ +Window = ____$", line)
    assert not any("65535" in line for line in question.shown)


def test_an_altered_frame() -> None:
    info = 'kind=altered about="c frame kind=tcp" alter=tcp.acknowledgment_number'
    question = asked(info, "because: So.")
    number = int(question.right)
    assert judge(question, question.right).right
    other = number % len(question.items) + 1
    assert judge(question, str(other)).reason == f"All checksums of frame {other} are right, so it is as it was sent."
    for unread in ("0", str(len(question.items) + 1), "a", "", "-1", "99999"):
        assert not judge(question, unread).understood
    assert "3 to 40 frames" in wrong('kind=altered about="c frame flags=SYN" alter=tcp.window', "because: So.")
    assert "there is no number" in wrong('kind=altered about="c frame kind=tcp" alter=tcp.teapot', "because: So.")


def test_a_selector_without_an_event_is_an_error() -> None:
    assert "the run has 0 such events" in wrong('about="c frame flags=RST -> ack"', "answer: 1\nbecause: So.")
    assert "there is no 'teapot' in this event" in wrong('about="c frame -> teapot"', "answer: 1\nbecause: So.")
    assert "the run keeps no 'kettle'" in wrong('about="kept kettle"', "answer: 1\nbecause: So.")


# --- exercises, against the standard library's arithmetic


@pytest.mark.parametrize("name", EXERCISES)
def test_exercises_are_right_and_end_never(name: str) -> None:
    texts = set()
    for turn in range(300):
        exercise = EXERCISES[name](Random(f"{name} {turn}"))
        texts.add(exercise.prompt)
        assert exercise.right == computed(name, exercise)
        question = Question("q", "value", exercise.prompt, exercise.right, (), exercise.hints, exercise.because)
        assert judge(question, exercise.right) == Verdict(True, exercise.because)
        for value, sentence in exercise.hints:
            assert judge(question, value) == Verdict(False, sentence)
    assert len(texts) > (20 if name in ("mask", "hosts") else 250)


@pytest.mark.parametrize("name", EXERCISES)
def test_each_sentence_of_an_exercise_is_there_in_french(name: str) -> None:
    english = {"That", "is", "are", "the", "The", "of", "has", "What", "Which", "How", "yes", "no", "one"}
    for turn in range(300):
        exercise = EXERCISES[name](Random(f"{name} {turn}"))
        french = in_french(exercise)
        for text in (french.prompt, french.because, french.right, *itertools.chain(*french.hints)):
            assert not english & set(re.findall(r"\w+", text)), text
        numbers = [set(re.findall(r"\d+", made.prompt + made.because)) for made in (exercise, french)]
        assert numbers[0] <= numbers[1], "no number is lost"
        question = Question("q", "value", french.prompt, french.right, (), french.hints, french.because)
        assert judge(question, french.right) == Verdict(True, french.because)


def computed(name: str, exercise: Exercise) -> str:
    """The right answer, by the standard library."""
    if name == "checksum":  # one's complement arithmetic is that modulo 0xffff
        return f"0x{-sum(int(word, 16) for word in re.findall('0x[0-9a-f]{4}', exercise.prompt)) % 0xFFFF:04x}"
    found = re.findall(r"\d+\.\d+\.\d+\.\d+", exercise.prompt)
    length = re.search(r"/(\d+)", exercise.prompt)
    if name == "mask":
        assert length
        return str(ipaddress.ip_network(f"0.0.0.0/{length[1]}").netmask)
    if name == "hosts":
        assert length
        return str(len(range(2 ** (32 - int(length[1])) - 2)))
    if name == "class_of":
        first = int(found[0].partition(".")[0])
        return "ABCDE"[sum(first >= least for least in (128, 192, 224, 240))]
    if name == "private":
        blocks = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
        return "yes" if any(ipaddress.ip_address(found[0]) in block for block in blocks) else "no"
    if name == "broadcast":
        return str(ipaddress.ip_interface("/".join(found)).network.broadcast_address)
    if name == "host_id":
        interface = ipaddress.ip_interface("/".join(found))
        return str(ipaddress.IPv4Address(int(interface.ip) - int(interface.network.network_address)))
    assert length
    networks = [ipaddress.ip_interface(f"{address}/{length[1]}").network for address in found]
    if name == "network":
        return str(networks[0].network_address)
    if name in ("least", "greatest"):
        return str(networks[0][1 if name == "least" else -2])
    return "yes" if networks[0] == networks[1] else "no"


def test_there_are_letters_for_all_choices() -> None:
    assert len(LETTERS) == 12


def test_a_station_address_may_be_written_as_windows_does() -> None:
    asked = Question("q", "value", "?", "00:20:18:61:90:e3", because="so")
    assert judge(asked, "00-20-18-61-90-E3").right
    assert not judge(asked, "00-20-18-61-90-E4").right


def test_a_difference_between_large_numbers_is_whole() -> None:
    asked = Question("q", "value", "?", "3662573347", because="so")
    assert judge(asked, "3662573348").reason == "3662573348 is too large: the difference is 1."
    assert judge(asked, "1").reason == "1 is too small.", "its difference would be the answer"
    assert judge(Question("q", "value", "?", "0.3", because="so"), "0.1").reason.endswith("difference is 0.2.")
