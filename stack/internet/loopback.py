"""The loopback interface: what we send to ourselves comes back, by a queue and never by recursion.

See RFC 1122 section 3.2.1.3 (g). It is a link (`stack.link.device.Link`) and an interface in one, without Ethernet
and so without ARP; the host attaches it like any other and reads it when the frame or call in progress is done.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from stack.config import IpConfig
from stack.wire.addresses import LOOPBACK, Prefix
from stack.wire.checksum import Buffer


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class _NoOffload:
    """Nothing of it goes over a wire: there is nothing to leave to anybody."""

    checksum: bool = False
    gso_max_bytes: int = 0


class Loopback:
    """`wake` (given by `open`) is called when `read` turns from having nothing to having something: `queue`."""

    name = "lo"
    index = 0
    mac: bytes | None = None
    ip_offset = 0
    neighbors = None
    loopback = True
    awaited_port = 0
    rx_checksum_ok = False
    rx_gso_size = 0
    offload = _NoOffload()
    deadline = math.inf

    def __init__(self, config: IpConfig) -> None:
        self.mtu = config.loopback_mtu
        self.addresses = [Prefix(LOOPBACK, 8)]
        self._limit = config.loopback_queue_max
        self.queue: deque[bytes] = deque()
        self._wake: Callable[[], None] = _nothing

    @property
    def link(self) -> Loopback:
        """Itself."""
        return self

    def __len__(self) -> int:
        return len(self.queue)

    def open(self, wake: Callable[[], None]) -> None:
        """From now on `wake()` tells that there is something to read."""
        self._wake = wake

    def fileno(self) -> int:
        """There is no descriptor."""
        return -1

    def read(self, now: float) -> memoryview | None:
        """The next packet, None when there is none."""
        return memoryview(self.queue.popleft()) if self.queue else None

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Queue one packet; False when the queue is full."""
        if len(self.queue) >= self._limit:
            return False
        self.queue.append(b"".join(parts))
        if len(self.queue) == 1:
            self._wake()
        return True

    def poll(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """Forget what is queued."""
        self.queue.clear()
        self._wake = _nothing
