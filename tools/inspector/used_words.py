"""The words, sentences and clauses that the events of a report use, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache

import stack

from .page_files import package_file
from .payload import head_of, octets_of
from .words import words_json


class Used:
    """The words and clauses that events use, and no others."""

    def __init__(self, events: Iterable[stack.Event]) -> None:
        all_words = known_words()
        self._found: dict[str, dict[str, str]] = {kind: {} for kind in all_words}
        self._why: set[str] = set()
        ports: set[str] = set()
        for event in events:
            if octets_of(event):
                head = head_of(event)
                ports.update(end.rpartition(":")[2] for end in (head.source, head.destination) if head.has_ports)
                continue
            self._why.update(event.why)
            for kind, word in (
                ("names", event.name),
                ("reasons", event.data.get("because")),
                ("drops", event.data.get("reason")),
            ):
                if isinstance(word, str) and word not in self._found[kind] and word in all_words[kind]:
                    self._found[kind][word] = all_words[kind][word]
        self._found["ports"] = {port: all_words["ports"][port] for port in ports if port in all_words["ports"]}

    def words(self) -> dict[str, dict[str, str]]:
        """Return the object words.json, of what is used."""
        return {kind: dict(sorted(found.items())) for kind, found in self._found.items()}

    def sentence(self, event: stack.Event) -> str:
        """Return what an event says, without its facts; "" if it has no reason."""
        told = event.data.get("sentence")
        if isinstance(told, str):
            return told
        if event.name == "host:drop":
            return f"Dropped: {event.data.get('meaning')}."
        because = event.data.get("because")
        return self._found["reasons"].get(str(because), "") or self._found["names"].get(event.name, "")

    def clauses(self) -> object:
        """Return the object clauses.json, of what is used."""
        known = known_clauses()
        if isinstance(known, dict):
            return {name: known[name] for name in sorted(self._why) if name in known}
        return [clause for clause in known if clause.get("id") in self._why]


@cache
def known_words() -> dict[str, dict[str, str]]:
    """Return all words."""
    words: dict[str, dict[str, str]] = json.loads(words_json())
    return words


@cache
def known_clauses() -> dict[str, object] | list[dict[str, object]]:
    """Return all clauses."""
    known: dict[str, object] | list[dict[str, object]] = json.loads(package_file("clauses.json") or b"{}")
    return known
