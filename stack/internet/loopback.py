"""The loopback interface: packets to our own addresses come back through a queue.

See RFC 1122 section 3.2.1.3 (g). It is a link (`stack.link.device.Link`) and an interface in one
object, without Ethernet and ARP. The host reads it after the frame or call in progress, so that a
packet to ourselves is never handled in the middle of another one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from stack.config import IpConfig
from stack.noop import noop
from stack.wire.addresses import LOOPBACK, Prefix
from stack.wire.checksum import Buffer


@dataclass(frozen=True, slots=True)
class _NoOffload:
    """The loopback takes over neither checksums nor segmentation."""

    checksum: bool = False
    gso_max_bytes: int = 0
    software: bool = False


class Loopback:
    """`queue` holds the packets to read.

    `wake` (given to `open`) is called when the first one is queued.
    """

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
        self._wake: Callable[[], None] = noop

    @property
    def link(self) -> Loopback:
        """The loopback is its own link."""
        return self

    def __len__(self) -> int:
        return len(self.queue)

    def open(self, wake: Callable[[], None]) -> None:
        """Set `wake`, which is called when there is something to read."""
        self._wake = wake

    def fileno(self) -> int:
        """Return -1: there is no descriptor."""
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
        """Do nothing: a loopback has no deadlines."""

    def close(self) -> None:
        """Discard the queue, and no longer call `wake`."""
        self.queue.clear()
        self._wake = noop
