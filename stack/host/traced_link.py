"""A link that tells observers of the frames that leave by it."""

from __future__ import annotations

from stack.host.interface import HostLink
from stack.trace.trace import Trace
from stack.wire.checksum import Buffer


class TracedLink:
    """Stands in the place of a `link` while somebody observes the host.

    The host itself tells of the frames that come in.
    """

    def __init__(self, link: HostLink, trace: Trace) -> None:
        self.link = link
        self._trace = trace
        self.name, self.mtu, self.mac = link.name, link.mtu, link.mac
        self.ip_offset, self.offload = link.ip_offset, link.offload

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
        self._trace.frame_out(self.name, self.ip_offset, b"".join(parts), bool(offload))
        return self.link.write(parts, now, offload)
