"""The reasons of decisions: why a segment is sent, why an ACK waits, why nothing is sent.

The code says one word, the key. Here it gets its sentence, and the clauses that ask for it.
"""

from __future__ import annotations

from stack.trace.internet_reasons import INTERNET_REASONS
from stack.trace.output_reasons import OUTPUT_REASONS
from stack.trace.reason import Reason
from stack.trace.tcp_reasons import TCP_REASONS

REASONS: dict[str, Reason] = {**TCP_REASONS, **OUTPUT_REASONS, **INTERNET_REASONS}
