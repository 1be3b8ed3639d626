"""The common part of links that wrap another link."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from stack.link.device import Link
from stack.link.memory import check_link


class LinkWrapper:
    """Wraps another `link` and has its attributes and descriptor. TypeError if it is not a link."""

    def __init__(self, link: Link) -> None:
        check_link(link)
        self._link = link
        self._wake: Callable[[], None] | None = None
        self.rx_checksum_ok = False
        self.deadline = math.inf
        self.seed: str | None = getattr(link, "seed", None)
        self.random: Random | None = getattr(link, "random", None)
        self._copy_attributes()

    def _copy_attributes(self) -> None:
        """Copy the wrapped link's attributes: now, and again in `open`, which may change them."""
        link = self._link
        self.name, self.mtu, self.mac, self.ip_offset = link.name, link.mtu, link.mac, link.ip_offset
        self.queue_frames = link.queue_frames

    def watch_fates(self, on_fate: Callable[..., None] | None) -> None:
        """Pass on to the wrapped links that an observer wants to know what a bad wire does.

        See `stack.link.impair.Impaired.watch_fates`. A link that is no wrapper does nothing to
        frames.
        """
        if isinstance(self._link, LinkWrapper):
            self._link.watch_fates(on_fate)

    def fileno(self) -> int:
        """The wrapped link's descriptor. `wake` announces frames that do not come from it."""
        return self._link.fileno()
