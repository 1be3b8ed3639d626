"""Wires in memory: an Ethernet for any number of hosts in one process, and a pair of ends for bare IP packets.

See RFC 894 (IP over Ethernet: what a frame may hold, and its padding) and RFC 1122 section 2.3.3. Nothing here waits
and nothing calls back into a host: a frame written at one end is put into the queues of the others, whose hosts are
woken and read it when their turn comes, so that two hosts that answer each other never recurse.
"""

from __future__ import annotations

import errno
import math
from collections import deque
from collections.abc import Callable

from stack.link.device import ETHERNET_HEADER, NO_OFFLOAD, check_station_address
from stack.link.loan import Loan
from stack.noop import noop
from stack.wire.checksum import Buffer

VLAN_TAG = 4
MINIMUM_FRAME = 60  # bytes without the check sequence, which no driver shows (RFC 894: 46 bytes of data at least)
SMALLEST_MTU = 68  # RFC 791 section 3.2: what every internet module must be able to forward
LARGEST_MTU = 65535
QUEUE_LIMIT = 1000  # frames, as long as a Linux interface's transmit queue


class MemoryLink:
    """One end of a wire in memory: a Link whose frames come out of a bounded queue.

    `received`, `queue_dropped` and `too_long` count frames: put into the queue, lost because it was full, and lost
    because they are longer than our MTU allows.
    """

    def __init__(self, name: str, mtu: int, mac: bytes | None, ip_offset: int, queue_limit: int) -> None:
        if not SMALLEST_MTU <= mtu <= LARGEST_MTU:
            raise ValueError(f"an MTU is {SMALLEST_MTU} to {LARGEST_MTU} bytes here, not {mtu}")
        if queue_limit < 1:
            raise ValueError(f"a queue holds at least one frame, not {queue_limit}")
        self.name = name
        self.mtu = mtu
        self.mac = mac
        self.ip_offset = ip_offset
        self.offload = NO_OFFLOAD
        self.rx_checksum_ok = False
        self.rx_gso_size = 0
        self.queue_frames = queue_limit
        self.may_offload = True
        self.deadline = math.inf
        self.received = 0
        self.queue_dropped = 0
        self.too_long = 0
        self.is_open = False
        # A VLAN tag comes on top of the MTU, as on real interfaces (IEEE 802.3 clause 3.2.7).
        self._longest_frame = mtu + (ip_offset + VLAN_TAG if ip_offset else 0)
        self._queue: deque[bytes] = deque()
        self._queue_limit = queue_limit
        self._loan = Loan()
        self._wake: Callable[[], None] = noop

    def open(self, wake: Callable[[], None]) -> None:
        """Plug in: from now on frames of the others are queued here. OSError(EALREADY) when it is open."""
        if self.is_open:
            raise OSError(errno.EALREADY, f"{self.name} is open already")
        self._wake = wake
        self.is_open = True

    def fileno(self) -> int:
        """-1: there is no descriptor to wait for."""
        return -1

    def read(self, now: float) -> memoryview | None:
        """The next frame, valid until the next call; None when there is none."""
        if self._queue:
            return self._loan.lend(self._queue.popleft())
        self._loan.recall()
        return None

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Put one frame on the wire; False when the port is closed or the frame too long for it."""
        if not self.is_open:
            return False
        frame = b"".join(parts)
        if len(frame) > self._longest_frame:
            self.too_long += 1
            return False
        self._carry(frame)
        return True

    def poll(self, now: float) -> None:
        """Nothing is ever due: frames wait in the queue only."""

    def close(self) -> None:
        """Unplug: what is queued is gone, and nothing more comes."""
        self.is_open = False
        self._wake = noop
        self._queue.clear()
        self._loan.recall()

    def arrive(self, frame: bytes) -> None:
        """Called by the wire: queue a frame and wake the host if there was none before."""
        if not self.is_open:
            return
        if len(frame) > self._longest_frame:
            self.too_long += 1
        elif len(self._queue) >= self._queue_limit:
            self.queue_dropped += 1
        else:
            self.received += 1
            self._queue.append(frame)
            if len(self._queue) == 1:
                self._wake()

    def _carry(self, frame: bytes) -> None:
        raise NotImplementedError


class EthernetPort(MemoryLink):
    """A host's port on an `Ethernet`."""

    def __init__(self, ethernet: Ethernet, name: str, mac: bytes, mtu: int, queue_limit: int) -> None:
        super().__init__(name, mtu, mac, ETHERNET_HEADER, queue_limit)
        self._ethernet = ethernet

    def _carry(self, frame: bytes) -> None:
        self._ethernet.carry(frame, self)


class Ethernet:
    """An Ethernet hub in memory: what one port writes, all other open ports get, whatever address it bears.

    Frames are padded with zeros to Ethernet's minimum unless `pad` is off, so that a host that takes the length of a
    frame for that of its packet is found out.

    >>> ethernet = Ethernet()
    >>> ours, theirs = ethernet.attach(), ethernet.attach()
    """

    def __init__(self, *, pad: bool = True) -> None:
        self.ports: list[EthernetPort] = []
        self._pad = pad

    def attach(
        self, name: str | None = None, mac: bytes | None = None, *, mtu: int = 1500, queue_limit: int = QUEUE_LIMIT
    ) -> EthernetPort:
        """A new port: a link for one host.

        `mac` is 6 bytes, by default 02:00:00:00:00:01 for the first port, :02 for the second and so on. `mtu` is in
        bytes and may differ from port to port; `queue_limit` is in frames. ValueError for what cannot be a station's
        address or an MTU.
        """
        number = len(self.ports) + 1
        if mac is None:
            mac = bytes((2, 0)) + number.to_bytes(4, "big")
        check_station_address(mac)
        port = EthernetPort(self, name or f"ethernet{number}", mac, mtu, queue_limit)
        self.ports.append(port)
        return port

    def carry(self, frame: bytes, source: EthernetPort) -> None:
        """Hand a frame to every port but its source."""
        if self._pad and len(frame) < MINIMUM_FRAME:
            frame = frame.ljust(MINIMUM_FRAME, b"\0")
        for port in self.ports:
            if port is not source:
                port.arrive(frame)


def check_link(link: object) -> None:
    """TypeError, which says what to write, for what is no link: a name, a class, a whole `Ethernet`."""
    if isinstance(link, Ethernet):
        raise TypeError("an Ethernet is a wire, not a link: give each host ethernet.attach()")
    if isinstance(link, str):
        raise TypeError(f"{link!r} is a name, not a link: write stack.Tap({link!r})")
    if isinstance(link, type):
        raise TypeError(f"{link.__name__} is a class, not a link: make one, as in stack.Tap('tap0')")
    if not all(hasattr(link, name) for name in ("open", "read", "write", "close")):
        raise TypeError(f"{link!r} is not a link: write stack.Tap('tap0'), or another link of stack's")


class IpPipe(MemoryLink):
    """One of the two ends that `ip_pair` makes: bare IP packets, no addresses, no ARP, no padding."""

    def __init__(self, name: str, mtu: int, queue_limit: int) -> None:
        super().__init__(name, mtu, None, 0, queue_limit)
        self.other: IpPipe | None = None

    def _carry(self, frame: bytes) -> None:
        if self.other is not None:
            self.other.arrive(frame)


def ip_pair(
    names: tuple[str, str] = ("ip1", "ip2"), *, mtu: int = 1500, queue_limit: int = QUEUE_LIMIT
) -> tuple[IpPipe, IpPipe]:
    """Two links joined back to back that carry bare IP packets: what one writes, the other reads.

    `mtu` is in bytes, `queue_limit` in frames.
    """
    one, two = (IpPipe(name, mtu, queue_limit) for name in names)
    one.other, two.other = two, one
    return one, two
