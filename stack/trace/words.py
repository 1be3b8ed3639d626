"""All words of events with their sentences, for programs that show events."""

from __future__ import annotations

from stack.counters import DROPS, MIB, SILENT
from stack.trace.names import NAMES
from stack.trace.reasons import REASONS


def event_words() -> dict[str, dict[str, str]]:
    """The sentences, by the word that an event has.

    "names" has those of the names of events, "reasons" those of "because", and "drops" those of
    "reason" in a "host:drop".
    """
    return {
        "names": {name: reason.sentence for name, reason in NAMES.items()},
        "reasons": {name: reason.sentence for name, reason in REASONS.items()},
        "drops": {**DROPS, **{name: MIB[name] for name in SILENT}},
    }
