"""What a link around another link shows of the one below."""

from __future__ import annotations

import math
from collections.abc import Callable

from stack.link.device import Link
from stack.link.memory import check_link


class Around:
    """The attributes of `link`, which may be others once it is open, and its descriptor. TypeError for no link."""

    def __init__(self, link: Link) -> None:
        check_link(link)
        self._link = link
        self._wake: Callable[[], None] | None = None
        self.rx_checksum_ok = False
        self.deadline = math.inf
        self._resemble()

    def _resemble(self) -> None:
        """Be like the link below: now, and once more when it has been opened."""
        link = self._link
        self.name, self.mtu, self.mac, self.ip_offset = link.name, link.mtu, link.mac, link.ip_offset
        self.queue_frames = link.queue_frames

    def fileno(self) -> int:
        """The descriptor of the link below. (What does not come from there is announced by `wake` all the same.)"""
        return self._link.fileno()
