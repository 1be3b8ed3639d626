"""The output of `--trace`: each frame, with a line for each layer, and the events of the host.

If the host drops a packet, the reason stands under the frame that brought the packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import stack

ARROWS = {"in": "<", "out": ">"}
NOT_PRINTED = frozenset({"dhcp:drop", "host:done", "tcp:delta", "tcp:timer"})  # a "dhcp:drop" is a "host:drop", too


class TracePrinter:
    """A trace of the host: passes lines to `say`, each with the seconds since the first line.

    `offload` says that partial checksums are normal.
    """

    def __init__(self, say: Callable[[str], None], *, offload: bool = False) -> None:
        self._say = say
        self._offload = offload
        self._first: float | None = None
        self._connections: dict[str, str] = {}  # the ends of each connection, by its number
        self._last = ""  # the direction of the last frame printed
        self.mtu: int | None = None
        """The owner sets it where it is known: a larger packet is then called a super-frame."""

    def __call__(self, event: stack.Event) -> None:
        """Print an event."""
        octets = event.data.get("octets")
        if isinstance(octets, bytes):
            self._frame(event, octets)
        elif event.name == "host:drop":
            self._drop(event)
        elif event.name not in (
            "dhcp:drop",
            "host:done",
            "tcp:delta",
            "tcp:timer",
        ):  # "dhcp:drop" is a "host:drop", too
            self._event(event)

    def _frame(self, event: stack.Event, octets: bytes) -> None:
        """Print a frame that came "in" or went "out"."""
        self._last = str(event.data["dir"])
        link: Literal["ethernet", "ip"] = "ip" if event.data.get("link") == "ip" else "ethernet"
        lines = stack.show(octets, link=link, offload=self._offload, mtu=self.mtu)
        self._say(f"{self._time(event)} {ARROWS.get(self._last, '?')} {lines[0] if lines else ''}")
        for line in lines[1:]:
            self._say(f"{'':12}   {line}")

    def _drop(self, event: stack.Event) -> None:
        why = f"{event.data['reason']}: {event.data['meaning']}"
        if not event.frame:
            self._say(f"{self._time(event)} * dropped outside a frame: {why}")
        elif self._last == "in":
            self._say(f"{'':12}   dropped: {why}")
        else:
            self._say(f"{'':12}   dropped from the last frame that came in: {why}")

    def _event(self, event: stack.Event) -> None:
        if event.name == "tcp:open":
            self._connections[event.group] = f"{event.data['local']} - {event.data['remote']}"
            return
        subject = self._connections.get(event.group, event.group)
        told = " ".join(word(key, value) for key, value in event.data.items())
        self._say(f"{self._time(event)} * {subject}: {event.name.partition(':')[2]} {told}")
        if event.data.get("after") == "CLOSED":
            self._connections.pop(event.group, None)

    def _time(self, event: stack.Event) -> str:
        if self._first is None:
            self._first = event.at
        return f"{event.at - self._first:12.6f}"


def word(key: str, value: object) -> str:
    """Format a detail of an event: `srtt_s`, in seconds, as "srtt=1.25ms", others as "cwnd=14480"."""
    if key.endswith("_s") and isinstance(value, int | float):
        key = key.removesuffix("_s")
        return f"{key}={value:.6g}s" if value >= 1 or value == 0 else f"{key}={1000 * value:.6g}ms"
    return f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
