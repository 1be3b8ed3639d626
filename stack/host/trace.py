"""The hook for whoever wants to watch: a learner, a debugger, a capture with comments.

With nobody watching it costs one comparison with None where something happens.
"""

from __future__ import annotations

from typing import Protocol

from stack.link.device import Link, Offload
from stack.wire.checksum import Buffer


class Trace(Protocol):
    """What an observer is told. It may not call back into the host; what it raises is the host's failure."""

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
        """A whole frame went "in" or "out" on the interface of that name."""

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        """Something happened to `subject` (a connection: "10.9.0.2:7 - 10.9.0.1:40000"): "state", "retransmit", ..."""


class TracedLink:
    """A link that shows what is written to it. Frames that come in are shown by the host, as it gets them."""

    def __init__(self, link: Link, trace: Trace) -> None:
        self._link = link
        self._trace = trace
        self.name: str = link.name
        self.mtu: int = link.mtu
        self.mac: bytes | None = link.mac
        self.ip_offset: int = link.ip_offset
        self.offload: Offload = link.offload

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Show, then send."""
        self._trace.frame(now, self.name, "out", b"".join(parts))
        return self._link.write(parts, now, offload)

    def __getattr__(self, name: str) -> object:
        return getattr(self._link, name)
