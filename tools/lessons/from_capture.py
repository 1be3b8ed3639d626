"""`tapstack lesson new FILE [OUT]`: the skeleton of a lesson from a capture, or from a run recorded by `--trace=FILE`.

Its run shows the frames of the file. Questions whose answers the frames give are written below; each was asked, and
what the frames do not answer is left out. The sentences are the author's to write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import stack

from ..explain import Reading
from ..output import Failed
from ..printer import clean
from .blocks import Lesson, LessonError, Run
from .check import Runs, check, check_block
from .network import perform
from .parse import parse
from .recording import Recording, text_of

MOST_FRAMES = 60
MOST_OCTETS = 60_000  # of all frames: a lesson is text, and has two digits for each
STATED = 12  # frames that the statements describe
HEX_A_LINE = 100
MADE_UP = bytes.fromhex("020000000002 020000000001")  # station addresses of frames that were on no Ethernet
SLL = {"linux-sll": (16, 14), "linux-sll2": (20, 0)}  # how long the header is, and where its protocol is
KINDS = {
    "arp": "ARP: it asks who has an address, or answers",
    "tcp": "a segment of TCP",
    "udp": "a datagram of UDP",
    "icmp": "a message of ICMP",
}
FIELDS = (
    (
        "syn-window",
        "flags=SYN",
        "tcp.window",
        "How many octets can the sender of the SYN receive? Which window is blank?",
    ),
    ("udp-length", "kind=udp", "udp.length", "Which length is blank? It counts the header of UDP and its data."),
    ("asked-for", "kind=arp", "arp.op", "Does this message of ARP ask (1) or answer (2)?"),
    ("icmp-type", "kind=icmp", "icmp.type", "Which type of ICMP is blank?"),
    ("total-length", "kind=tcp", "ipv4.total_length", "Which total length is blank?"),
)


class Given(NamedTuple):
    """What is known of a file: its frames with their times in seconds, the address of its host, and what was left."""

    frames: list[tuple[float, bytes]]
    notes: list[str]


def new(path: str, out: str | None) -> tuple[Path, int, int]:
    """Write a lesson about a file. Returns where it is, and how many frames and questions it has. Raises Failed."""
    target = Path(out) if out else Path(f"{slug_of(path)}.md")
    given = read_file(path)
    if not given.frames:
        raise Failed(clean(f"{path}: no frame in it can be shown in a lesson"))
    text, questions = lesson_of(given, clean(os.path.basename(path)), target.name)
    try:
        with open(target, "x", encoding="utf-8", opener=for_the_owner) as file:
            file.write(text)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise Failed(clean(f"{target}: {told}")) from None
    return target, len(given.frames), questions


def for_the_owner(path: str, flags: int) -> int:
    """Open a file that only its owner may read: a capture can have passwords."""
    return os.open(path, flags, 0o600)


def slug_of(path: str) -> str:
    """Return a name for the lesson's file."""
    made = "".join(c if c.isascii() and c.isalnum() else "-" for c in Path(path).stem.lower()).strip("-")
    return made[:40] or "lesson"


def read_file(path: str) -> Given:
    """Read the first frames of a capture, or of a trace. Raises Failed."""
    from ..inspector.file_report import is_trace

    if path == "-":
        raise Failed("a lesson is made from a file, not from standard input", 2)
    frames: list[tuple[float, bytes]] = []
    notes: list[str] = []
    size = 0
    for time, octets in islice(traced(path) if is_trace(path) else captured(path), MOST_FRAMES + 1):
        size += len(octets)
        if len(frames) == MOST_FRAMES or size > MOST_OCTETS:
            notes.append(f"The file has more: these are its first {len(frames)} frames.")
            break
        frames.append((time, octets))
    start = frames[0][0] if frames else 0.0
    return Given([(round(time - start, 6), octets) for time, octets in frames], notes)


def captured(path: str) -> Iterator[tuple[float, bytes]]:
    """Yield the frames of a capture, each with a header of Ethernet. Raises Failed."""
    with Reading(path) as reading:
        first: int | None = None
        for frame in reading:
            first = frame.time_ns if first is None else first
            if octets := on_ethernet(frame.octets, frame.link):
                yield (frame.time_ns - first) / 1e9, octets
        reading.check()


def traced(path: str) -> Iterator[tuple[float, bytes]]:
    """Yield the frames of a trace, as far as it has them: their first 128 octets. Raises Failed."""
    try:
        with open(path, "rb") as file:
            for event in stack.read_trace(file):
                octets = event.data.get("octets")
                if event.name == "wire:frame" and isinstance(octets, bytes):
                    if whole := on_ethernet(octets, str(event.data.get("link", "ethernet"))):
                        yield event.at, whole
    except OSError as error:
        raise Failed(clean(f"{path}: {error.strerror}")) from None
    except ValueError as error:
        raise Failed(clean(f"{path}: {error}")) from None


def on_ethernet(octets: bytes, link: str) -> bytes:
    """Return a frame with a header of Ethernet, made up where it had none; no octets if that cannot be."""
    if link == "ethernet":
        return octets
    if link in SLL:
        length, at = SLL[link]
        return MADE_UP + octets[at : at + 2] + octets[length:] if len(octets) > length else b""
    return MADE_UP + b"\x08\x00" + octets if octets[:1] and octets[0] >> 4 == 4 else b""


# --- the lesson


def lesson_of(given: Given, name: str, file: str) -> tuple[str, int]:
    """Return the text of a lesson, and how many questions it has."""
    head = "\n".join(
        [
            f"# X1 {name[:80]}",
            "time: 10 min",
            "",
            f"The frames of {name}. Write here what the learner is to look for, and ask before you show.",
            *given.notes,
            "",
            run_of(given),
            "",
        ]
    )
    lesson = parse(head, file)
    runs = Runs(lesson, perform)
    recording = runs[next(iter(lesson.runs)), ""]
    asked = [block for block in questions(recording) if holds_true(lesson, head, block, runs)]
    shown = [part for part in ("```look ladder\n```", stated(recording)) if holds_true(lesson, head, part, runs)]
    text = "\n\n".join([head.rstrip(), "## What do you expect?", *asked, "## Look", *shown]) + "\n"
    check(parse(text, file), Runs(parse(text, file), perform))
    return text, len(asked)


def run_of(given: Given) -> str:
    """Return the run that shows the frames."""
    lines = ["```python run=capture seed=1", 'lesson.frames("watcher", [']
    for time, octets in given.frames:
        text = octets.hex()
        parts = [f'"{text[at : at + HEX_A_LINE]}"' for at in range(0, len(text), HEX_A_LINE)] or ['""']
        parts[-1] += "),"
        lines += [f"    ({time:.6f}, {parts[0]}", *(f"        {part}" for part in parts[1:])]
    return "\n".join([*lines, "])", "```"])


def holds_true(lesson: Lesson, head: str, block: str, runs: Runs) -> bool:
    """Whether a block is true for the run: its answer is the one that the frames give."""
    try:
        made = parse(f"{head}\n{block}\n", lesson.file)
        for each in made.blocks[-1:]:
            check_block(made, each, runs)
    except LessonError:
        return False
    return not isinstance(made.blocks[-1], Run)


def questions(recording: Recording) -> Iterator[str]:
    """Yield questions about the frames; some may not fit these."""
    frames = [seen.fields for seen in recording.events()]
    kinds = [str(fields["kind"]) for fields in frames]
    yield first_kind(kinds)
    for kind in [kind for kind in KINDS if kind in kinds]:
        yield value(
            f"count-{kind}", f"count watcher frame kind={kind}",
            f"How many of the {len(frames)} frames are of this kind: {kind.upper()}?",
            kinds.count(kind), f"The ladder has {kinds.count(kind)} of them.",
            {len(frames): "That is all frames together.", kinds.count(kind) - 1: "One more: count again."},
        )  # fmt: skip
    yield order_of(frames)
    yield acknowledged(frames)
    for name, pattern, field, prompt in FIELDS:
        key = field
        answer = next((fields[key] for fields in frames if fits_simply(fields, pattern) and key in fields), None)
        if answer is not None:
            yield value(name, f"watcher frame {pattern} -> {field}", prompt, answer,
                        f"The header has {text_of(answer)}.", {}, kind="field")  # fmt: skip
    yield "\n".join(
        ["```predict id=altered kind=altered about=\"watcher frame kind=tcp wrong=\" alter=tcp.sequence_number",
         "Somebody has changed the sequence number of one segment. Which frame is it?",
         "because: The checksum of TCP covers its header, so it no longer fits.", "```"]
    )  # fmt: skip


def fits_simply(fields: dict[str, object], pattern: str) -> bool:
    """Whether a frame is as a pattern of one term says."""
    key, _, wanted = pattern.partition("=")
    return str(fields.get(key, "")) == wanted


def value(
    name: str, about: str, prompt: str, answer: object, because: str, hints: dict[int, str], *, kind: str = "",
) -> str:  # fmt: skip
    """Return a question for a value."""
    kind = f" kind={kind}" if kind else ""
    told = [f"hint {wrong}: {sentence}" for wrong, sentence in hints.items() if wrong != answer and wrong >= 0]
    lines = [f'```predict id={name}{kind} about="{about}"', prompt, f"answer: {text_of(answer)}", *told]
    return "\n".join([*lines, f"because: {because}", "```"])


def first_kind(kinds: list[str]) -> str:
    """Return the question what comes first."""
    lines = ['```predict id=first about="watcher frame -> kind"', "What is the first frame?"]
    for kind, words in KINDS.items():
        mark = "x" if kind == kinds[0] else " "
        place = kinds.index(kind) + 1 if kind in kinds else 0
        reason = f"The first one of this kind is frame {place}." if place else "There is none among these frames."
        lines += [f"- [{mark}] {words} `= {kind}`", f"  {reason}"]
    return "\n".join([*lines, "```"])


def order_of(frames: list[dict[str, object]]) -> str:
    """Return the question in which order the first segments come."""
    flags = [str(fields["flags"]) for fields in frames if fields.get("kind") == "tcp"]
    distinct = list(dict.fromkeys(flags))[:4]
    lines = ['```predict id=order about="all watcher frame kind=tcp -> flags"', "In which order do these come first?"]
    lines += [f"{place}. {each} `= {each}`" for place, each in enumerate(distinct, 1)]
    return "\n".join([*lines, "because: This is the order in the ladder.", "```"]) if len(distinct) > 1 else ""


def acknowledged(frames: list[dict[str, object]]) -> str:
    """Return the question which number acknowledges the first segment that has data."""
    for place, sent in enumerate(frames):
        seq, data = sent.get("seq"), sent.get("data")
        if sent.get("kind") != "tcp" or not isinstance(seq, int) or not isinstance(data, int) or data < 1:
            continue
        back = (sent["destination"], sent["dport"], sent["source"], sent["sport"])
        terms = "source={} sport={} destination={} dport={} ack={}".format(*back, seq + data)
        later = [fields for fields in frames[place + 1 :] if ends(fields) == back and fields.get("ack") == seq + data]
        if not later:
            return ""
        return value(
            "ack", f"watcher frame kind=tcp {terms} -> ack",
            f"Frame {place + 1} is a segment with {data} octets of data; its sequence number, counted from the SYN, is "
            f"{seq}.\nWhich number acknowledges it?",
            seq + data, f"{seq} and {data} octets: the number of the next octet (RFC 9293 section 3.4).",
            {seq: "That is the number of its first octet. The next one is acknowledged.",
             seq + data - 1: "That is its last octet. The number is that of the next one.",
             data: "That is how many octets it has. The numbers go on from the last ones."},
        )  # fmt: skip
    return ""


def ends(fields: dict[str, object]) -> tuple[object, ...]:
    """Return addresses and ports of a frame."""
    return tuple(fields.get(key) for key in ("source", "sport", "destination", "dport"))


def stated(recording: Recording) -> str:
    """Return statements that describe the first frames."""
    lines = []
    for seen in islice(recording.events(), STATED):
        told = [
            f"{key}={seen.fields[key]}"
            for key in ("kind", "flags", "data", "seq")
            if seen.fields.get(key) not in (None, "")
        ]
        lines.append(f"watcher frame {' '.join(told)}")
    kinds = [str(seen.fields["kind"]) for seen in recording.events()]
    lines += [f"count watcher frame kind={kind} == {kinds.count(kind)}" for kind in KINDS if kind in kinds]
    return "\n".join(["```expect", *lines, "```"])
