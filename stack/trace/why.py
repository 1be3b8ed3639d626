"""The clauses of every event, reason and drop, by its name."""

from __future__ import annotations

from stack.counters import DROPS, SILENT
from stack.trace.drops import DROP_CLAUSES
from stack.trace.names import NAMES
from stack.trace.reasons import REASONS

WHY: dict[str, tuple[str, ...]] = {
    **{name: reason.why for name, reason in NAMES.items()},
    **{name: reason.why for name, reason in REASONS.items()},
    **{name: DROP_CLAUSES[name] for name in (*DROPS, *SILENT)},
}
