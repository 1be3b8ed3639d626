"""The output of `--trace`: each frame, with a line for each layer, and the events of the host.

If the host drops a packet, the reason stands under the frame that brought the packet.
"""

from __future__ import annotations

from collections.abc import Callable

import stack

ARROWS = {"in": "<", "out": ">"}


class TracePrinter:
    """A trace of the host: passes lines to `say`, each with the seconds since the first line.

    The time of a line is the `clock`'s. Without a clock it is the host's `now`, which is the same
    for all frames of one batch. `offload` says that partial checksums are normal.
    """

    def __init__(
        self, say: Callable[[str], None], *, offload: bool = False, clock: Callable[[], float] | None = None
    ) -> None:
        self._say = say
        self._offload = offload
        self._clock = clock
        self._first: float | None = None
        self._last = ""  # the direction of the last frame printed
        self.mtu: int | None = None
        """The owner sets it where it is known: a larger packet is then called a super-frame."""

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
        """Print a frame that came "in" or went "out"."""
        self._last = direction
        lines = stack.show(frame, offload=self._offload, mtu=self.mtu)
        self._say(f"{self._time(now)} {ARROWS.get(direction, '?')} {lines[0] if lines else ''}")
        for line in lines[1:]:
            self._say(f"{'':12}   {line}")

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        """Print an event, for example a change of a connection's state or a retransmission."""
        if name == "drop":
            self._drop(now, details)
        elif name != "dhcp_drop":  # which is the event "drop" once more
            self._event(now, name, subject, details)

    def _drop(self, now: float, details: dict[str, object]) -> None:
        why = f"{details['reason']}: {details['meaning']}"
        if not details["frame"]:
            self._say(f"{self._time(now)} * dropped outside a frame: {why}")
        elif self._last == "in":
            self._say(f"{'':12}   dropped: {why}")
        else:
            self._say(f"{'':12}   dropped from the last frame that came in: {why}")

    def _event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        told = " ".join(word(key, value) for key, value in details.items())
        self._say(f"{self._time(now)} * {subject}: {name} {told}")

    def _time(self, now: float) -> str:
        if self._clock is not None:
            now = self._clock()
        if self._first is None:
            self._first = now
        return f"{now - self._first:12.6f}"


def word(key: str, value: object) -> str:
    """Format a detail of an event: `srtt_s`, in seconds, as "srtt=1.25ms", others as "cwnd=14480"."""
    if key.endswith("_s") and isinstance(value, int | float):
        key = key.removesuffix("_s")
        return f"{key}={value:.6g}s" if value >= 1 or value == 0 else f"{key}={1000 * value:.6g}ms"
    return f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
