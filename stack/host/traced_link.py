"""A link that tells an observer of the frames that leave by it."""

from __future__ import annotations

from stack.host.interface import HostLink
from stack.host.trace import Trace
from stack.wire.checksum import Buffer


class TracedLink:
    """Wraps a link and reports the frames written to it.

    The host itself reports the frames that come in.
    """

    def __init__(self, link: HostLink, trace: Trace) -> None:
        self._link = link
        self._trace = trace
        self.name, self.mtu, self.mac = link.name, link.mtu, link.mac
        self.ip_offset, self.offload = link.ip_offset, link.offload

    @property
    def rx_checksum_ok(self) -> bool:
        """See `stack.link.device.Link`."""
        return self._link.rx_checksum_ok

    @property
    def rx_gso_size(self) -> int:
        """See `stack.link.device.Link`."""
        return self._link.rx_gso_size

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Report the frame, then send it."""
        self._trace.frame(now, self.name, "out", b"".join(parts))
        return self._link.write(parts, now, offload)
