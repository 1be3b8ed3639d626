"""A learner is told what happens in a run in sentences, and not in the patterns by which it is looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from tools.lessons import breaks, shelf
from tools.lessons.blocks import Break, Expect, LessonError
from tools.lessons.check import Runs
from tools.lessons.in_words import Speaker, broken, in_words
from tools.lessons.network import perform
from tools.lessons.paper import page
from tools.lessons.parse import parse, read
from tools.lessons.patterns import statement
from tools.lessons.phrases import FRAMES, FRENCH, GRAMMAR, PHRASES
from tools.lessons.program import Terminal
from tools.lessons.recording import patterns_of
from tools.lessons.steps import shown
from tools.lessons.teacher import Teacher
from tools.lessons.words import WORDS

pytestmark = pytest.mark.one_way

FILES = sorted(path for language in ("en", "fr") for path in (shelf.FOLDER / language).glob("*.md"))
# What only a pattern has: the name of an event, a key of words, a comparison, a clause's short name, a place left open.
RAW = re.compile(r"\w+:[a-z_]+\b|\b[a-z]+_[a-z_]+\b|=|->|\b\d{3,4}-\d[\d.]*-[a-z]\b|[{}\[\]]|\bkept\b|\bframe kind\b")


def told(text: str, language: str = "en") -> str:
    return in_words(statement(text, 1), language)


SENTENCES = {
    "client tcp:state after=SYN_SENT because active_open why 9293-3.10.1-b": (
        "The client enters SYN-SENT. The program opens the connection. (RFC 9293 section 3.10.1)",
        "Le client passe à l'état SYN-SENT. (RFC 9293 section 3.10.1)",
    ),
    "never client tcp:state after=ESTABLISHED": (
        "It never happens that the client enters ESTABLISHED.",
        "Ceci n'arrive jamais : le client passe à l'état ESTABLISHED.",
    ),
    "count client frame flags=SYN > 1": (
        "It happens more than once that the client sends or gets a segment with SYN.",
        "Ceci arrive plus d'une fois : le client envoie ou reçoit un segment avec SYN.",
    ),
    "count server frame dir=out flags=ACK data=0 == 3": (
        "It happens 3 times that the server sends a segment with ACK and no data.",
        "Ceci arrive 3 fois : le serveur envoie un segment avec ACK, sans données.",
    ),
    "client frame dir=out data=6 -> ipv4.total_length == 58": (
        "When the client sends a segment with 6 octets of data, the total length is 58.",
        "Quand le client envoie un segment avec 6 octets de données, la valeur de longueur totale est 58.",
    ),
    "client dhcp:bound t1_s>290.6 t1_s<290.7": (
        "The client has a lease, with T1 at between 290.6 and 290.7 s.",
        None,
    ),
    "server host:drop reason=tcp_bad_checksum why '9293 MUST-3'": (
        "The server drops a packet: the TCP checksum is wrong. (RFC 9293 MUST-3)",
        "Le serveur rejette un segment, dont la somme de contrôle est fausse. (RFC 9293 MUST-3)",
    ),
    "never client tcp:rtt at>1.1 at<1.4 sample_s=*": (
        "It never happens that the client measures a round trip between 1.1 and 1.4 s.",
        None,
    ),
    "left tcp:state before=ESTABLISHED at<2 -> at == 0.5": ("Host left leaves ESTABLISHED at 0.5 s.", None),
    "client tcp:state before=TIME_WAIT -> at < 31": ("The client leaves TIME-WAIT before 31 s.", None),
    "client frame dir=out data=6 #2 -> at == 3": (
        "The client sends a segment with 6 octets of data for the second time at 3 s.",
        None,
    ),
    "client frame dir=out data=1": ("The client sends a segment with 1 octet of data.", None),
    "client frame dir=out data=11": ("The client sends a segment with 11 octets of data.", None),
    "watcher frame dir=in kind=arp": ("The watcher sees an ARP packet.", None),
    "server icmp:sent type=0 why 792-echo-a": ("The server sends an ICMP message of type 0. (RFC 792)", None),
}


@pytest.mark.parametrize(("text", "sentences"), SENTENCES.items(), ids=SENTENCES)
def test_a_statement_is_said(text: str, sentences: tuple[str, str | None]) -> None:
    assert told(text) == sentences[0]
    assert sentences[1] is None or told(text, "fr") == sentences[1]


def test_an_indented_line_is_the_sentence_of_the_statement_above() -> None:
    head = "# T99 A\ntime: 5 min\n\n```python run=x\nlesson.keep(a=1)\n```\n"
    text = f"{head}```expect\nkept a == 1\n  All is\n  well.\n```\n"
    lesson = parse(text, "x.md")
    (block,) = [each for each in lesson.blocks if isinstance(each, Expect)]
    assert [in_words(each, "en") for each in block.statements] == ["All is well."]
    assert [each.text for each in block.statements] == ["kept a == 1"]
    with pytest.raises(LessonError, match="the name of an event is expected"):
        parse(text.replace("kept a == 1\n", ""), "x.md")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_learner_sees_a_pattern(path: Path) -> None:
    """Each statement of each lesson is a sentence in its language; two of a block are not the same."""
    lesson = read(path)
    for block in lesson.blocks:
        if isinstance(block, Expect | Break):
            for each in block.statements:
                said = in_words(each, lesson.language)
                assert not RAW.search(said), f"{path.name}:{each.line}: {said}"
                assert said[0].isupper() or said[0].isdigit(), said
                assert said.endswith((".", ")", '."')), said
                assert (
                    each.says or each.selector is None or (each.selector.kind != "kept" and not each.selector.minus)
                ), f"{path.name}:{each.line}: say it in an indented line: {each.text}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "fr"], ids=lambda path: path.stem)
def test_a_french_lesson_is_said_in_french(path: Path) -> None:
    for block in read(path).blocks:
        if isinstance(block, Break):
            assert breaks.sentence(block.clause, "fr").startswith("Sans elle, ")
        if isinstance(block, Expect | Break):
            for each in block.statements:
                for pattern in patterns_of(each):
                    assert each.says or pattern.name == "frame" or pattern.name in FRENCH
                assert not re.search(r"\b(the|with|of|is|sends|gets)\b", in_words(each, "fr")), each.text


def test_the_languages_have_the_same_grammar() -> None:
    assert GRAMMAR["en"].keys() == GRAMMAR["fr"].keys()
    assert FRAMES["en"].keys() == FRAMES["fr"].keys()
    for key, text in GRAMMAR["en"].items():
        places = set(re.findall(r"\{(\w+)\}", text)) - {"reason"}
        assert places == set(re.findall(r"\{(\w+)\}", GRAMMAR["fr"][key])), key
    assert PHRASES["fr"].keys() <= PHRASES["en"].keys()


def test_an_event_without_a_phrase_is_said_by_the_sentence_of_its_name() -> None:
    assert told("client tcp:pruned") == "The client: out-of-order text is dropped to save memory."
    assert told("client tcp:ecn kind=x at>2") == (
        "The client: a router has marked a packet, or the sender has reacted to it, kind x after 2 s."
    )


def test_no_pattern_makes_it_fail() -> None:
    """A lesson may be anybody's: any event, field and comparison can be said."""
    for name in ("frame", "tcp:*", *PHRASES["en"], "wire:frame"):
        for term in some_terms():
            for each in (f"h {name} {term}", f"never h {name} {term}", f"count h {name} {term} >= 2"):
                for language in ("en", "fr"):
                    assert Speaker(language).sentence(statement(each, 1))


def some_terms() -> Iterator[str]:
    for key in ("at", "data", "flags", "before", "after", "wrong", "reason", "action", "unknown_field", "x.y"):
        yield from (f"{key}=*", f"{key}=", f"{key}=a|b", f"{key}>1", f"{key}<=1 {key}>2", f"{key}!=1", f"{key}=%s{{}}")
    yield "because nothing_known why own"
    yield "why 1-2-3"


def test_what_differs_with_the_clause_is_marked() -> None:
    lesson = read(shelf.find("T1").path)
    runs = Runs(lesson, perform)
    checksum, size = (each for each in lesson.blocks if isinstance(each, Break))
    assert broken(lesson, checksum, runs["handshake", ""], WORDS["en"]) == (
        [
            "The server drops a packet: the TCP checksum is wrong.",
            "It happens more than once that the client sends or gets a segment with SYN.",
            "It never happens that the client enters ESTABLISHED.",
        ],
        "With it, none of this is so.",
    )
    assert broken(lesson, size, runs["handshake", ""], WORDS["en"])[1] == "With it, none of this is so."
    lesson = read(shelf.find("T5").path)
    (first, *_) = (each for each in lesson.blocks if isinstance(each, Break))
    marked, otherwise = broken(lesson, first, Runs(lesson, perform)[first.run, ""], WORDS["en"])
    assert [each.endswith(" (only without it)") for each in marked] == [False, True]
    assert otherwise == ""


@pytest.mark.parametrize("number", ["T1", "T5", "T16"])
def test_terminal_page_and_print_show_the_sentences(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    lesson = read(shelf.find(number).path)
    runs, words = Runs(lesson, perform), WORDS["en"]
    teacher = Teacher(lesson, words, 5000, Terminal(lambda: "\n"), one_try=True, sentences=False)
    teacher.runs = runs
    teacher.teach()
    said = [block for block in lesson.blocks if isinstance(block, Expect | Break)]
    steps = [shown(lesson, block, runs, 0, words) for block in said]
    for where in (capsys.readouterr().out, json.dumps(steps), unescape(page(lesson, runs, words, "en"))):
        for block in said:
            for each in block.statements:
                assert in_words(each, "en") in where.replace('\\"', '"')
                assert each.text not in where
