"""Computes the right answer of a question from the run, and says why an answer is right or wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import stack

from .blocks import Lesson, Predict
from .exercises import EXERCISES
from .exercises_fr import in_french
from .patterns import BadPattern, fits, holds, number
from .recording import (
    Recording,
    Seen,
    first_that_fails,
    frame_fields,
    patterns_of,
    problem,
    slug,
    text_of,
    value,
)

LONGEST_ANSWER = 200
LETTERS = "abcdefghijkl"
STATION = re.compile(r"(?:[0-9A-Fa-f]{1,2}-){5}[0-9A-Fa-f]{1,2}")  # as Windows writes a station address
TELLING = 1000  # a larger difference would only give the answer away
ADDRESS = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)")
YES_OR_NO = re.compile(r"(?i)yes|no|oui|non")
LETTER = re.compile(r"(?i)[A-E]")
FORMS = (
    (ADDRESS, "an address such as 192.0.2.1"),
    (YES_OR_NO, "yes or no"),
    (LETTER, "a letter from A to E"),
    (re.compile(r"(?i)(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"), "a station address such as 02:00:00:00:00:01"),
)
"""What an answer looks like where the right one does."""


@dataclass(frozen=True)
class Item:
    """An answer to choose or to put in order, with a reason that is true for it."""

    text: str
    right: bool
    reason: str


@dataclass(frozen=True)
class Question:
    """A question whose right answer is known.

    Attributes:
      kind: "choice", "order", "value" or "altered". A question with a blanked field is a "value", too.
      shown: lines that are shown with it: frames.
      items: of "choice" and "order", as they are shown.
      right: the right answer as the learner types it.
      hints: what is said of a wrong answer, by its value.
    """

    id: str
    kind: str
    prompt: str
    right: str
    items: tuple[Item, ...] = ()
    hints: tuple[tuple[str, str], ...] = ()
    because: str = ""
    shown: tuple[str, ...] = ()
    times: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and a sentence that is true for it. `understood`: it has the form of an answer."""

    right: bool
    reason: str
    understood: bool = True


def ask(lesson: Lesson, predict: Predict, recordings: Mapping[tuple[str, str], Recording], turn: int = 0) -> Question:
    """Return the question with its right answer. Raises LessonError if the lesson marks another one.

    `recordings` has what happened in each run, by its name and the clause that was taken out of it. `turn` counts
    exercises, which differ each time.
    """
    try:
        if predict.kind == "exercise":
            return exercise(predict, turn, lesson.language)
        recording = recordings[predict.run, predict.without]
        return {"choice": choice, "order": order, "value": number_or_text, "field": blank, "altered": altered}[
            predict.kind
        ](predict, recording)
    except Wrong as error:
        raise lesson.error(error.line or predict.line, f"{predict.id}: {error}") from None
    except BadPattern as error:
        raise lesson.error(predict.line, f"{predict.id}: {error}") from None


class Wrong(Exception):
    """The lesson says what the run contradicts."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


def exercise(predict: Predict, turn: int, language: str = "en") -> Question:
    """Make an exercise, in the language of the lesson."""
    assert predict.about is not None
    name = predict.about.field
    if name not in EXERCISES:
        raise Wrong(f"there is no exercise {name!r}; there is {', '.join(sorted(EXERCISES))}")
    made = EXERCISES[name](Random(f"{name} {turn}"))
    if language == "fr":
        made = in_french(made)
    return Question(predict.id, "value", made.prompt, made.right, (), made.hints, made.because)


def choice(predict: Predict, recording: Recording) -> Question:
    """Find out which choice is right."""
    real = "" if predict.about is None else text_of(value(recording, predict.about))
    items, right = [], []
    for place, each in enumerate(predict.choices):
        if each.condition is not None:
            for pattern in patterns_of(each.condition):
                if wrong := problem(recording, pattern):
                    raise Wrong(f"{each.condition.text}: {wrong}", each.line)
            is_right = first_that_fails(recording, [each.condition]) is None
        else:
            is_right = holds(real, "=", each.value)
        items.append(Item(each.text, is_right, each.reason))
        if is_right:
            right.append(LETTERS[place])
        if is_right is not each.marked:
            told = f": the run has {real!r}" if real else ""
            mark = "is not marked [x], but is right" if is_right else "is marked [x], but is wrong"
            raise Wrong(f"{each.text!r} {mark}{told}", each.line)
    return Question(predict.id, "choice", predict.prompt, right[0], tuple(items), (), predict.because)


def order(predict: Predict, recording: Recording) -> Question:
    """Compare the order of the items with that of the run, and shuffle them."""
    assert predict.about is not None
    assert predict.about.pattern is not None
    found = value(recording, predict.about)
    real = [text_of(each) for each in found] if isinstance(found, list) else []
    places: list[int] = []
    for text, wanted in predict.items:
        start = places[-1] + 1 if places else 0
        place = next((n for n in range(start, len(real)) if fits(real[n], wanted)), None)
        if place is None:
            raise Wrong(f"{text!r} does not follow: the run has {','.join(real)}")
        places.append(place)
    times = [seen.event.at for seen in recording.all(predict.about.pattern)]
    shuffled = list(range(len(predict.items)))
    while shuffled == sorted(shuffled) and len(shuffled) > 1:
        Random(f"{predict.id} {len(shuffled)}").shuffle(shuffled)
        if shuffled == sorted(shuffled):
            shuffled.reverse()
    items = tuple(Item(predict.items[n][0], False, "") for n in shuffled)
    right = " ".join(LETTERS[shuffled.index(n)] for n in range(len(shuffled)))
    at = tuple(f"{times[places[n]]:.3f} s" for n in shuffled)
    return Question(predict.id, "order", predict.prompt, right, items, (), predict.because, (), at)


def number_or_text(predict: Predict, recording: Recording) -> Question:
    """Compute the value that is asked for."""
    assert predict.about is not None
    real = text_of(value(recording, predict.about))
    if not holds(real, "=", predict.answer):
        raise Wrong(f"the answer is given as {predict.answer!r}, but the run has {real!r}")
    return Question(predict.id, "value", predict.prompt, real, (), hints(predict, recording, real), predict.because,
                    shown(predict, recording))  # fmt: skip


def hints(predict: Predict, recording: Recording, right: str) -> tuple[tuple[str, str], ...]:
    """Return what is said of wrong answers, by value."""
    told = []
    for hint in predict.hints:
        wrong = hint.value if hint.selector is None else text_of(value(recording, hint.selector))
        if holds(wrong, "=", right):
            raise Wrong(f"a hint is for the wrong answer {wrong!r}, which is right", hint.line)
        told.append((wrong, hint.sentence))
    return tuple(told)


def shown(predict: Predict, recording: Recording) -> tuple[str, ...]:
    """Return the lines of the frames that are shown with a question."""
    lines: list[str] = []
    for seen in recording.all(predict.given) if predict.given is not None else []:
        octets = seen.event.data.get("octets")
        if isinstance(octets, bytes) and len(lines) < 60:
            lines += stack.show(octets)
    return tuple(lines)


def frame_of(predict: Predict, recording: Recording) -> tuple[Seen, bytes]:
    """Return the event and the octets of the frame that a question is about."""
    assert predict.about is not None
    assert predict.about.pattern is not None
    found = recording.all(predict.about.pattern)
    place = predict.about.number - 1 if predict.about.number > 0 else -1
    octets = found[place].event.data.get("octets") if place < len(found) and found else None
    if not isinstance(octets, bytes):
        raise Wrong(f"the run has no such frame: {predict.about.text}")
    return found[place], octets


def blank(predict: Predict, recording: Recording) -> Question:
    """Ask for one field of a header, which is shown without it."""
    from .look import layer_lines

    question = number_or_text(predict, recording)
    assert predict.about is not None
    _, octets = frame_of(predict, recording)
    layer, _, name = predict.about.field.partition(".")
    for each in stack.dissect(octets):
        if slug(each.name) == layer and any(slug(field.name) == name for field in each.fields):
            lines = tuple(layer_lines(each, hidden=name))
            return Question(question.id, "value", question.prompt, question.right, (), question.hints,
                            question.because, (*question.shown, *lines))  # fmt: skip
    raise Wrong(f"a field of a header is expected, such as tcp.window; found {predict.about.field!r}")


def altered(predict: Predict, recording: Recording) -> Question:
    """Change one field of one frame, and ask which. Its checksum tells."""
    assert predict.about is not None
    assert predict.about.pattern is not None
    frames = [seen for seen in recording.all(predict.about.pattern) if isinstance(seen.event.data.get("octets"), bytes)]
    if not 3 <= len(frames) <= 40:
        raise Wrong(f"3 to 40 frames are expected to choose from; the run has {len(frames)}")
    random = Random(predict.id)
    chosen = random.randrange(1, len(frames))
    lines, wrong = [], []
    for place, seen in enumerate(frames):
        octets = seen.event.data["octets"]
        assert isinstance(octets, bytes)
        changes: dict[str, int] = {}
        if place == chosen:
            octets, changes = change(octets, predict.alter, random)
        fields = frame_fields(octets, "ethernet")
        if fields["wrong"]:
            wrong.append(place)
        lines.append(summary(place + 1, seen, fields, changes))
    if wrong != [chosen]:
        raise Wrong(f"no checksum tells that {predict.alter!r} was changed: choose another field")
    numbered = tuple(Item(line, place == chosen, "") for place, line in enumerate(lines))
    return Question(predict.id, "altered", predict.prompt, str(chosen + 1), numbered, (), predict.because)


def change(octets: bytes, key: str, random: Random) -> tuple[bytes, dict[str, int]]:
    """Add a small number to one field of a header. Returns the octets and, by field, the difference."""
    layer, _, name = key.partition(".")
    for each in stack.dissect(octets):
        for part in each.fields:
            if slug(each.name) == layer and slug(part.name) == name and isinstance(part.value, int):
                bit, width = 8 * each.offset + part.bit, part.width
                difference = random.randrange(1, 10) if width > 4 else 1
                whole, below = int.from_bytes(octets, "big"), 8 * len(octets) - bit - width
                value = (part.value + difference) % (1 << width)
                whole += (value - part.value) << below
                return whole.to_bytes(len(octets), "big"), {name: difference}
    raise Wrong(f"there is no number {key!r} in this frame")


def summary(number: int, seen: Seen, fields: Mapping[str, object], changes: Mapping[str, int]) -> str:
    """Return a frame in one line: who sends it, flags, numbers, length."""
    way = f"{fields.get('source')}:{fields.get('sport')} > {fields.get('destination')}:{fields.get('dport')}"
    told = [f"{number:>3}  {way}"]
    if "flags" in fields:
        seq = seen.fields.get("seq")
        ack = seen.fields.get("ack")
        if isinstance(seq, int):
            told.append(f"seq {seq + changes.get('sequence_number', 0)}")
        if isinstance(ack, int):
            told.append(f"ack {ack + changes.get('acknowledgment_number', 0)}")
        told[1:1] = [str(fields["flags"])]
    told.append(f"{fields.get('data', 0)} octets of data, TTL {fields.get('ttl')}")
    return ", ".join(told)


# --- answers


def judge(question: Question, given: str) -> Verdict:
    """Judge an answer, as it was typed."""
    given = " ".join(given.split())[:LONGEST_ANSWER]
    if question.kind == "choice":
        return judge_choice(question, given)
    if question.kind == "order":
        return judge_order(question, given)
    if question.kind == "altered":
        return judge_altered(question, given)
    return judge_value(question, given)


def place_of(given: str, count: int) -> int | None:
    """Return which of so many items a letter or a number means, from 0; None for another text."""
    if len(given) == 1 and given.lower() in LETTERS[:count]:
        return LETTERS.index(given.lower())
    if given.isascii() and given.isdigit() and len(given) < 3 and 1 <= int(given) <= count:
        return int(given) - 1
    return None


def judge_choice(question: Question, given: str) -> Verdict:
    """See `judge`."""
    place = place_of(given, len(question.items))
    if place is None:
        return Verdict(False, f"a letter from a to {LETTERS[len(question.items) - 1]} is expected", False)
    chosen = question.items[place]
    return Verdict(chosen.right, chosen.reason)


def judge_order(question: Question, given: str) -> Verdict:
    """See `judge`."""
    letters = re.findall(r"[a-zA-Z]|\d+", given)
    places = [place_of(letter, len(question.items)) for letter in letters]
    if None in places or sorted(place for place in places if place is not None) != list(range(len(question.items))):
        return Verdict(False, f"each letter once, in order, such as {' '.join(LETTERS[: len(question.items)])}", False)
    wanted = [LETTERS.index(letter) for letter in question.right.split()]
    for typed, real in zip(places, wanted, strict=True):
        if typed != real and typed is not None:
            first, second = question.items[real], question.items[typed]
            at = f"at {question.times[real]} and {question.times[typed]}"
            at = "in the same moment, one because of the other" if question.times[real] == question.times[typed] else at
            return Verdict(False, f"{first.text!r} comes before {second.text!r}: they happen {at}.")
    return Verdict(True, question.because)


def judge_altered(question: Question, given: str) -> Verdict:
    """See `judge`."""
    if not (given.isascii() and given.isdigit() and len(given) < 4 and 1 <= int(given) <= len(question.items)):
        return Verdict(False, f"the number of a frame is expected, from 1 to {len(question.items)}", False)
    if given.lstrip("0") == question.right:
        return Verdict(True, f"The checksum of frame {question.right} is wrong. {question.because}")
    return Verdict(False, f"All checksums of frame {int(given)} are right, so it is as it was sent.")


def judge_value(question: Question, given: str) -> Verdict:
    """See `judge`."""
    if not given:
        return Verdict(False, "an answer is expected", False)
    given = as_the_answer_is(given, question.right)
    if holds(given.casefold(), "=", question.right.casefold()) and "*" not in question.right + given:
        return Verdict(True, question.because)
    for wrong, sentence in question.hints:
        if holds(given.casefold(), "=", wrong.casefold()):
            return Verdict(False, sentence)
    for form, expected in FORMS:
        if form.fullmatch(question.right) and not form.fullmatch(given):
            return Verdict(False, f"{expected} is expected, not {given!r}", False)
    if ADDRESS.fullmatch(question.right):
        return Verdict(False, first_other_octet(given, question.right))
    typed, right = number(given), number(question.right)
    if right is None:
        return Verdict(False, f"That is another value than {given!r}.")
    if typed is None:
        return Verdict(False, f"a number is expected, not {given!r}", False)
    difference = round(abs(typed - right), 9)
    told = f": the difference is {difference:.15g}" if difference < TELLING else ""
    return Verdict(False, f"{given} is too {'large' if typed > right else 'small'}{told}.")


def as_the_answer_is(given: str, right: str) -> str:
    """Return the same answer in the form of the right one: an address without its prefix length, "yes" for "y"."""
    if STATION.fullmatch(given):
        return given.replace("-", ":")
    if ADDRESS.fullmatch(right):
        return re.sub(r"/\d{1,2}$", "", given)
    if YES_OR_NO.fullmatch(right) and len(given) == 1:
        return {"y": "yes", "o": "oui", "n": right if right in ("no", "non") else "no"}.get(given.lower(), given)
    if LETTER.fullmatch(right):
        return re.sub(r"(?i)^classe? +", "", given)
    return given


def first_other_octet(given: str, right: str) -> str:
    """Say where an address differs from the right one."""
    same = 0
    for one, other in zip(given.split("."), right.split("."), strict=True):
        if int(one) != int(other):
            break
        same += 1
    return f"Octet {same + 1} is another one" + (f"; the {same} before it are right." if same > 1 else ".")
