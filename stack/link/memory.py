"""Wires in memory: an Ethernet for any number of hosts, and a wire for bare IP packets.

See RFC 894 (IP over Ethernet: the contents of a frame, and its padding) and RFC 1122 section 2.3.3.
Nothing here waits or calls into a host. A frame written at one end goes into the queues of the
other ends, whose hosts are woken and read it later. So two hosts that answer each other never
recurse.
"""

from __future__ import annotations

import errno
import math
from collections import deque
from collections.abc import Callable
from random import Random

from stack.link.device import ETHERNET_HEADER, NO_OFFLOAD, check_station_address
from stack.link.loan import Loan
from stack.noop import noop
from stack.wire.checksum import Buffer

VLAN_TAG = 4
MINIMUM_FRAME = 60  # bytes, without the frame check sequence (RFC 894: at least 46 bytes of data)
SMALLEST_MTU = 68  # RFC 791 section 3.2: every internet module must be able to forward that much
LARGEST_MTU = 65535
QUEUE_LIMIT = 1000  # frames, as long as a Linux interface's transmit queue


class MemoryLink:
    """One end of a wire in memory: a link with a bounded queue of frames to read.

    `received` counts the frames put into the queue, `queue_dropped` those lost because it was full,
    `too_long` those lost because they are longer than the MTU allows.
    """

    def __init__(self, name: str, mtu: int, mac: bytes | None, ip_offset: int, queue_limit: int) -> None:
        if not SMALLEST_MTU <= mtu <= LARGEST_MTU:
            raise ValueError(f"the MTU of this link is {SMALLEST_MTU} to {LARGEST_MTU} bytes, not {mtu}")
        if queue_limit < 1:
            raise ValueError(f"queue_limit is a number of frames, at least 1, not {queue_limit}")
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
        self.seed: str | None = None
        self.random: Random | None = None
        # A VLAN tag does not count against the MTU, as on real interfaces (IEEE 802.3 clause
        # 3.2.7).
        self._longest_frame = mtu + (ip_offset + VLAN_TAG if ip_offset else 0)
        self._queue: deque[bytes] = deque()
        self._queue_limit = queue_limit
        self._loan = Loan()
        self._wake: Callable[[], None] = noop

    def open(self, wake: Callable[[], None]) -> None:
        """Start to receive the frames of the other ends. OSError(EALREADY) if it is open."""
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
        """Put one frame on the wire; False if the link is closed or the frame too long for it."""
        if not self.is_open:
            return False
        frame = b"".join(parts)
        if len(frame) > self._longest_frame:
            self.too_long += 1
            return False
        self._carry(frame)
        return True

    def poll(self, now: float) -> None:
        """Do nothing: no work is ever due."""

    def close(self) -> None:
        """Drop the queued frames and receive no more."""
        self.is_open = False
        self._wake = noop
        self._queue.clear()
        self._loan.recall()

    def arrive(self, frame: bytes) -> None:
        """Queue a frame from the wire, and wake the host if the queue was empty."""
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
    """An Ethernet hub in memory: each frame reaches all other open ports.

    That includes frames that are addressed to one station. Frames are padded with zeros to
    Ethernet's minimum unless `pad` is off. The padding exposes a host that takes the length of the
    frame for that of the packet.

    With a `seed`, a number or a text, the network repeats. A host that is opened on a port of it
    draws from the seed what it would otherwise draw from the operating system: sequence numbers,
    ports, waits. So does an `Impaired` link that wraps a port. Under trio's `MockClock` the same
    program then sends the same frames at the same times in every run. Each port has random
    numbers of its own, by the order of the ports.

    >>> ethernet = Ethernet(seed=7)
    >>> ours, theirs = ethernet.attach(), ethernet.attach()
    """

    def __init__(self, *, pad: bool = True, seed: int | str | None = None) -> None:
        if seed is not None and not isinstance(seed, int | str):
            raise TypeError(f"a seed is a number or a text, not {seed!r}")
        self.ports: list[EthernetPort] = []
        self._pad = pad
        self._seed = seed

    def attach(
        self, name: str | None = None, mac: bytes | None = None, *, mtu: int = 1500, queue_limit: int = QUEUE_LIMIT
    ) -> EthernetPort:
        """A new port: a link for one host.

        `mac` is 6 bytes, by default 02:00:00:00:00:01 for the first port, :02 for the second and so
        on. `mtu` is in bytes and may differ from port to port; `queue_limit` is in frames.
        ValueError for an address that cannot be a station's, or an MTU out of range.
        """
        number = len(self.ports) + 1
        if mac is None:
            mac = bytes((2, 0)) + number.to_bytes(4, "big")
        check_station_address(mac)
        port = EthernetPort(self, name or f"ethernet{number}", mac, mtu, queue_limit)
        if self._seed is not None:
            # A text seeds the generator in the same way for every PYTHONHASHSEED.
            port.seed = f"{self._seed} {number}"
            port.random = Random(f"{port.seed} host")
        self.ports.append(port)
        return port

    def carry(self, frame: bytes, source: EthernetPort) -> None:
        """Hand a frame to every port except its source."""
        if self._pad and len(frame) < MINIMUM_FRAME:
            frame = frame.ljust(MINIMUM_FRAME, b"\0")
        for port in self.ports:
            if port is not source:
                port.arrive(frame)


def check_link(link: object) -> None:
    """TypeError unless `link` is a link. The message says what to write instead."""
    if isinstance(link, Ethernet):
        raise TypeError("an Ethernet is a wire, not a link: give each host ethernet.attach()")
    if isinstance(link, str):
        raise TypeError(f"{link!r} is a name, not a link: write stack.Tap({link!r})")
    if isinstance(link, type):
        raise TypeError(f"{link.__name__} is a class, not a link: make one, as in stack.Tap('tap0')")
    if not all(hasattr(link, name) for name in ("open", "read", "write", "close")):
        raise TypeError(f"{link!r} is not a link: write stack.Tap('tap0'), or use another link of stack")


class IpPipe(MemoryLink):
    """One of the two ends that `ip_pair` makes. It carries bare IP packets, without ARP."""

    def __init__(self, name: str, mtu: int, queue_limit: int) -> None:
        super().__init__(name, mtu, None, 0, queue_limit)
        self.other: IpPipe | None = None

    def _carry(self, frame: bytes) -> None:
        if self.other is not None:
            self.other.arrive(frame)


def ip_pair(
    names: tuple[str, str] = ("ip1", "ip2"), *, mtu: int = 1500, queue_limit: int = QUEUE_LIMIT
) -> tuple[IpPipe, IpPipe]:
    """Two links, back to back, that carry bare IP packets: each reads what the other writes.

    `mtu` is in bytes, `queue_limit` in frames.
    """
    one, two = (IpPipe(name, mtu, queue_limit) for name in names)
    one.other, two.other = two, one
    return one, two
