"""The sentences of the page: for reasons, for the names of events, for drops; and names of ports."""

from __future__ import annotations

import json
from functools import cache

import stack


@cache
def words_json() -> bytes:
    """Return the object words.json: "reasons", "names", "drops" and "ports"."""
    ports: dict[str, str] = {}
    for number in stack.assigned_numbers():
        if number.registry in ("tcp port", "udp port"):
            ports.setdefault(str(number.first), number.name)
    return json.dumps({**stack.event_words(), "ports": ports}, separators=(",", ":")).encode()
