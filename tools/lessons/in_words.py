"""Says a statement of a lesson as a sentence, for the learner. The statement itself is compared with the run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import stack

from .blocks import Break, Expect, Lesson
from .patterns import Pattern, Selector, Statement, Term
from .phrases import FIELDS, FRAMES, GRAMMAR, NOUNS, PHRASES
from .recording import Recording, first_that_fails

GROUP = re.compile(r"\[([^\]]*)\]")
CHOSEN = re.compile(r"([\w.]+)=([^:]*):(.*)")
PLACE = re.compile(r"\{([\w.]+)\}")
CLAUSE = re.compile(r"(\d{2,5})[- ](?:(MUST|SHLD|MAY|REC)-(\d+)|(\d[\d.]*)-.*|.*)")
TIMES = {("==", "0"): "never", ("==", "1"): "once", (">", "1"): "more"}
CAPTURING = ("watcher", "sniffer")  # hosts that only see what others send
OF_SEGMENTS = ("flags", "data", "seq", "ack", "window")
LAYERS = ("arp", "icmp", "ntp", "udp", "ieee_802_3", "tcp")


def in_words(statement: Statement, language: str) -> str:
    """Return the sentence of a statement: its own, else one that is made of the phrases of its event."""
    return statement.says or Speaker(language).sentence(statement)


def facts(lesson: Lesson, block: Expect) -> list[str]:
    """Return the sentences of a block of statements."""
    return [in_words(each, lesson.language) for each in block.statements]


def broken(lesson: Lesson, block: Break, whole: Recording, words: dict[str, str]) -> tuple[list[str], str]:
    """Return the sentences of a broken run, and what is otherwise with the clause. `whole`: the run with it."""
    wrong = [first_that_fails(whole, [each]) is not None for each in block.statements]
    told = [in_words(each, lesson.language) for each in block.statements]
    if all(wrong):
        return told, words["none"]
    if not any(wrong):
        return told, words["instead"]
    return [f"{each} {words['only']}" if only else each for each, only in zip(told, wrong, strict=True)], ""


class Speaker:
    """Makes sentences in one language."""

    def __init__(self, language: str) -> None:
        self.language = language if language in GRAMMAR else "en"
        self.grammar = GRAMMAR[self.language]

    def sentence(self, statement: Statement) -> str:
        """Return the sentence of a statement."""
        if statement.kind == "event" and statement.pattern is not None:
            return self.event(statement.pattern)
        if statement.kind == "never" and statement.pattern is not None:
            return self.finished("never", clause=self.with_reason(statement.pattern))
        assert statement.selector is not None
        return self.compared(statement.selector, statement.operator, statement.value)

    def event(self, pattern: Pattern) -> str:
        """Return a sentence that says that there is such an event, with its reason and clause."""
        told, reason = self.finished("event", clause=self.clause(pattern)), self.reason(pattern)
        return f"{told} {reason}".strip() + self.source(pattern)

    def compared(self, selector: Selector, operator: str, value: str) -> str:
        """Return a sentence that says what a selector gives."""
        wanted = self.value(Term("", "=" if operator == "==" else operator, value))
        if selector.minus is not None:
            return self.finished("minus", left=selector.text.partition(" minus ")[0], right=selector.minus.text,
                                 value=wanted)  # fmt: skip
        if selector.kind == "kept" or selector.pattern is None:
            return self.finished("kept", name=selector.field, value=wanted)
        pattern = selector.pattern
        if selector.field == "at":  # when it happens is what the statement says
            pattern = replace(pattern, terms=tuple(term for term in pattern.terms if term.key != "at"))
        told = self.with_reason(pattern)
        if selector.kind == "count":
            key = TIMES.get((operator, value), "times")
            return self.finished(key, clause=told, value=wanted)
        n = selector.number
        time = {1: "", -1: self.grammar["last"], 2: self.grammar["second"]}.get(n, self.grammar["nth"].format(n=n))
        if selector.field == "at":
            key = {"<": "before", "<=": "before", ">": "after", ">=": "after"}.get(operator, "at")
            return self.finished("event", clause=told + time + self.grammar[key].format(value=value))
        field = self.label(selector.field)
        return self.finished("value", clause=told, time=time, field=field, value=wanted)

    def finished(self, key: str, **parts: str) -> str:
        """Return a sentence of the grammar; it begins with a capital."""
        return capital(self.grammar[key].format(**parts))

    # --- events

    def clause(self, pattern: Pattern) -> str:
        """Return what happens in such an event: a clause without a reason."""
        terms: dict[str, list[Term]] = {}
        for term in pattern.terms:
            if term.key != "why":
                terms.setdefault(term.key, []).append(term)
        host = self.host(pattern.host)
        if pattern.name == "frame":
            told = self.frame(host, terms, seen=pattern.host in CAPTURING)
        else:
            told = self.phrase(host, pattern.name, terms)
        return told + self.moment(terms.get("at", []))

    def with_reason(self, pattern: Pattern) -> str:
        """Return a clause with its reason in brackets."""
        told, reason = self.clause(pattern), self.reason(pattern).removesuffix(".")
        return self.grammar["because"].format(clause=told, reason=small(reason)) if reason else told

    def host(self, name: str) -> str:
        """Return a host as a noun."""
        if not name:
            return self.grammar["any"]
        noun = NOUNS[self.language].get(name)
        return self.grammar["host"].format(name=noun) if noun else self.grammar["named"].format(name=name)

    def phrase(self, host: str, name: str, terms: dict[str, list[Term]]) -> str:
        """Return the phrase of an event, and behind it the fields for which it has no place."""
        for phrase in PHRASES[self.language].get(name, ()):
            used = {"because", "at"}
            if phrase.condition:
                key, _, value = phrase.condition.partition("=")
                used.add(key)
                if not any(term.operator == "=" and term.value == value for term in terms.get(key, [])):
                    continue
            text = GROUP.sub(partial(self.group, terms, used), phrase.text)
            needed = set(PLACE.findall(text)) - {"host"}
            if all(key in terms and terms[key][0].value != "*" for key in needed):
                used |= needed
                rest = [each for key in terms if key not in used for each in terms[key]]
                return one(self.filled(text, host, terms)) + self.others(rest)
        known = stack.event_words()["names"].get(name, name)
        return f"{host}: {known}" + self.others(
            each for key in terms if key not in ("because", "at") for each in terms[key]
        )

    def group(self, terms: dict[str, list[Term]], used: set[str], brackets: re.Match[str]) -> str:
        """Return what stands in brackets, or nothing; `used` gets the fields that it says."""
        text = brackets[1]
        if chosen := CHOSEN.fullmatch(text):
            key, value, said = chosen.groups()
            if not any(term.operator == "=" and term.value == value for term in terms.get(key, [])):
                return ""
            used.add(key)
            return said
        keys = set(PLACE.findall(text)) - {"host"}
        if not keys <= terms.keys():
            return ""
        used |= keys
        return "" if any(term.value == "*" for key in keys for term in terms[key]) else text

    def filled(self, text: str, host: str, terms: dict[str, list[Term]]) -> str:
        """Return a text with its places filled."""
        return PLACE.sub(lambda found: host if found[1] == "host" else self.values(terms[found[1]]), text)

    def frame(self, host: str, terms: dict[str, list[Term]], *, seen: bool) -> str:
        """Return what a host does with a frame."""
        words = FRAMES[self.language]
        way = next((term.value for term in terms.get("dir", [])), "")
        way = "seen" if seen else way
        told = words[way if way in words else ""].format(host=host) + " " + words[self.noun(terms)]
        if flags := terms.get("flags"):
            told += words["flags"].format(value=self.values(flags))
        if data := terms.get("data"):
            key = {("=", "0"): "no data", (">", "0"): "some data"}.get((data[0].operator, data[0].value), "data")
            key = key if len(data) == 1 else "data"
            told += one(words[f"also {key}" if flags else key].format(value=self.values(data)))
        if wrong := terms.get("wrong"):
            value = self.values(wrong)
            told += words["damaged"].format(value=value) if value else words["sound"]
        said = {"dir", "kind", "flags", "data", "wrong", "because", "at"}
        return told + self.others(each for key in terms if key not in said for each in terms[key])

    def noun(self, terms: dict[str, list[Term]]) -> str:
        """Return which kind of frame the fields are of."""
        kinds = {term.value for term in terms.get("kind", [])} | {key.partition(".")[0] for key in terms if "." in key}
        kind = next((layer for layer in LAYERS if layer in kinds), "")
        return kind or ("tcp" if any(key in terms for key in OF_SEGMENTS) else "frame")

    def others(self, terms: Iterable[Term]) -> str:
        """Return fields with their values, as they follow a clause."""
        by_key: dict[str, list[Term]] = {}
        for term in terms:
            by_key.setdefault(term.key, []).append(term)
        known = FIELDS[self.language]
        told = []
        for key, each in by_key.items():
            pattern = known.get(key, self.label(key) + " {value}")
            told.append(pattern.format(value=self.values(each)).strip())
        return "".join(f", {each}" for each in told)

    def label(self, key: str) -> str:
        """Return the name of a field."""
        known, last = FIELDS[self.language], key.rpartition(".")[2]
        if key == "len":
            return self.grammar["length"]
        pattern = known.get(key) or known.get(last) or last.removesuffix("_s").replace("_", " ")
        return pattern.replace("{value}", "").strip()

    # --- values

    def values(self, terms: list[Term]) -> str:
        """Return what is asked of one field."""
        bounds = {term.operator[0]: term.value for term in terms}
        if len(terms) == 2 and bounds.keys() == {"<", ">"}:
            return self.grammar["between"].format(low=bounds[">"], high=bounds["<"])
        return self.value(terms[0])

    def value(self, term: Term) -> str:
        """Return a value with its comparison."""
        key, value = term.key, term.value
        if key in ("before", "after", "from", "to"):
            value = value.replace("_", "-")
        if key in ("reason", "wrong"):
            value = stack.event_words()["drops"].get(value, value).partition(" (RFC")[0].partition(": ")[0]
        if key != "address" or "|" in value:
            value = self.grammar["or"].join(
                dict.fromkeys(part.strip("*").removesuffix(":") for part in value.split("|"))
            )
        return value if term.operator == "=" else self.grammar[term.operator].format(value=value)

    def moment(self, terms: list[Term]) -> str:
        """Return when it happens."""
        bounds = {term.operator[0]: term.value for term in terms}
        if bounds.keys() == {"<", ">"}:
            return self.grammar["within"].format(low=bounds[">"], high=bounds["<"])
        return "".join(
            self.grammar[{"<": "before", ">": "after"}.get(operator, "at")].format(value=value)
            for operator, value in bounds.items()
        )

    def reason(self, pattern: Pattern) -> str:
        """Return the first sentence of the reason; "" without one."""
        key = next((term.value for term in pattern.terms if term.key == "because"), "")
        told = stack.event_words()["reasons"].get(key, "")
        return told.partition(". ")[0].removesuffix(".") + "." if told and self.language == "en" else ""

    def source(self, pattern: Pattern) -> str:
        """Return the clause in brackets, as the RFC has it."""
        told = next((term.value for term in pattern.terms if term.key == "why"), "")
        found = CLAUSE.fullmatch(told)
        if not found:
            return ""
        rfc, level, number, section = found.groups()
        if level:
            return f" (RFC {rfc} {level}-{number})"
        return f" ({self.grammar['section'].format(rfc=rfc, section=section)})" if section else f" (RFC {rfc})"


def small(text: str) -> str:
    """Return a text that begins with a small letter, unless its first word is a name."""
    return text[:1].lower() + text[1:] if re.match(r"[A-Z]([a-z]| )", text) else text


def one(text: str) -> str:
    """Return a text with "1 octet" for "1 octets"."""
    return re.sub(r"\b1 octets", "1 octet", text)


def capital(text: str) -> str:
    """Return a text that begins with a capital."""
    return text[:1].upper() + text[1:]
