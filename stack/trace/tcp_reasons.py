"""Why TCP does what it does: the reasons of its decisions, by the word that the code says."""

from __future__ import annotations

from stack.trace.reason import Reason

TCP_REASONS: dict[str, Reason] = {
    # --- acknowledging, sending, sending again, timers
    # --- opening, calls of the program, round trips, losses
}
