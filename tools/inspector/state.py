"""What changes slowly: the tables of the host, the kernel's end, the wire, the settings.

Each part of the page has a look: a function that returns the present values by name. Looks are
taken at most once a second, while there are viewers and after something has happened. Only values
that differ from those before are sent.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter
from typing import Protocol

import trio

from ..output import report

STATE_S = 1.0  # between two looks
LARGEST_SHARE = 0.05  # of the time may be spent on looking: if it takes long, it is done less often

Look = Callable[[], Awaitable[Mapping[str, object]]]
"""Returns values by name. Values are what JSON has; the whole value is sent when a part of it differs."""


class Seen(Protocol):
    """Which version of the state was sent: see `feed.Viewer`."""

    state: int


class State:
    """The last values of all looks.

    `looks` may be added to before the page is served.
    """

    def __init__(self, wake: Callable[[], None], viewers: Sequence[Seen]) -> None:
        self.looks: dict[str, Look] = {}
        self._wake = wake
        self._viewers = viewers
        self._values: dict[tuple[str, str], tuple[int, str]] = {}  # by look and name: version, JSON
        self._version = 0
        self._moved = trio.Event()

    def move(self) -> None:
        """Something has happened: look again, when it is time."""
        self._moved.set()

    def forget(self) -> None:
        """There are no viewers any more."""
        self._values.clear()

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            await self._moved.wait()
            self._moved = trio.Event()
            began = perf_counter()
            await self.look()
            await trio.sleep(max(STATE_S, (perf_counter() - began) / LARGEST_SHARE))

    async def look(self) -> None:
        """Take all looks. One that fails is not taken again."""
        for name in list(self.looks):
            await self.look_at(name)

    async def look_at(self, name: str) -> None:
        """Take one look, at once: after an action, so that viewers are told of what it has changed."""
        try:
            values = {
                key: json.dumps(value, separators=(",", ":")) for key, value in (await self.looks[name]()).items()
            }
        except Exception:
            report(f"the page shows no {name} any more:\n{traceback.format_exc()}")
            self.looks.pop(name, None)
            return
        if self._take(name, values):
            self._wake()

    def _take(self, name: str, values: dict[str, str]) -> bool:
        """Keep the values that differ; those that are gone are null. Returns whether there are any."""
        before = self._values
        for known, key in before:
            if known == name:
                values.setdefault(key, "null")
        differ = {key: text for key, text in values.items() if before.get((name, key), (0, "null"))[1] != text}
        if not differ:
            return False
        self._version += 1
        for key, text in differ.items():
            before[name, key] = (self._version, text)
        told = min((viewer.state for viewer in self._viewers), default=self._version)
        for place in [place for place, (at, text) in before.items() if text == "null" and at <= told]:
            del before[place]
        return True

    def since(self, viewer: Seen) -> bytes | None:
        """Return the message for a viewer with what has changed since its version; None if nothing has."""
        if viewer.state >= self._version:
            return None
        told: dict[str, list[str]] = {}
        for (name, key), (version, text) in self._values.items():
            if version > viewer.state and (viewer.state or text != "null"):
                told.setdefault(name, []).append(f"{json.dumps(key)}:{text}")
        viewer.state = self._version
        if not told:
            return None
        parts = ",".join(f"{json.dumps(name)}:{{{','.join(values)}}}" for name, values in told.items())
        return f"event: state\ndata: {{{parts}}}\n\n".encode()
