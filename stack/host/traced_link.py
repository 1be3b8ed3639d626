"""A link that tells observers of the frames that leave by it."""

from __future__ import annotations

from collections.abc import Callable

from stack.host.interface import HostLink
from stack.link.impair import Fate
from stack.link.wrapper import LinkWrapper
from stack.trace.event import HEAD_OCTETS
from stack.trace.trace import Trace
from stack.wire.checksum import Buffer

FATES = {
    "lost": "wire_lost",
    "lost on purpose": "wire_lost_on_purpose",
    "queue full": "wire_queue_full",
    "duplicated": "wire_duplicated",
    "too large": "wire_too_large",
    "corrupted": "wire_corrupted",
    "corrupted ethernet": "wire_corrupted_ethernet",
    "corrupted ip": "wire_corrupted_ip",
    "corrupted transport": "wire_corrupted_transport",
    "corrupted data": "wire_corrupted_data",
    "held back": "wire_held_back",
    "swapped": "wire_swapped",
    "delayed": "wire_delayed",
}
"""The reasons of `stack.trace.reasons` for what a `Fate` says."""


class TracedLink:
    """Takes the place of a `link` while the host has an observer.

    The host itself tells of the frames that come in. If the link is a bad wire, or wraps one, this
    tells what the wire does to frames.
    """

    def __init__(self, link: HostLink, trace: Trace) -> None:
        self.link = link
        self._trace = trace
        self.name, self.mtu, self.mac = link.name, link.mtu, link.mac
        self.ip_offset, self.offload = link.ip_offset, link.offload
        self._sent = 0  # the number of the event of the frame that is being sent
        self._watch_fates(self._tell_fate)

    def unwatch(self) -> HostLink:
        """The last observer has gone: the link itself, which this gives back."""
        self._watch_fates(None)
        return self.link

    def _watch_fates(self, on_fate: Callable[[Fate], None] | None) -> None:
        if isinstance(self.link, LinkWrapper):
            self.link.watch_fates(on_fate)

    def _tell_fate(self, fate: Fate) -> None:
        sent = self._sent if fate.outgoing else 0
        told: dict[str, object] = {"dir": "out" if fate.outgoing else "in", "len": len(fate.frame), **fate.detail}
        if not sent:
            told["octets"] = fate.frame[:HEAD_OCTETS]
        self._trace.fate(self.name, fate.now, sent, FATES[fate.what], told)

    @property
    def rx_checksum_ok(self) -> bool:
        """See `stack.link.device.Link`."""
        return self.link.rx_checksum_ok

    @property
    def rx_gso_size(self) -> int:
        """See `stack.link.device.Link`."""
        return self.link.rx_gso_size

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Tell of the frame, then send it."""
        self._sent = self._trace.frame_out(self.name, self.ip_offset, b"".join(parts), bool(offload))
        written = self.link.write(parts, now, offload)
        self._sent = 0
        return written
