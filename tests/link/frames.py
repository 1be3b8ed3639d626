"""What the tests of the links share: frames to send, a count of wake-ups, a link that records each
call.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from stack.link.device import NO_OFFLOAD, Link, Offload
from stack.wire.checksum import Buffer
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK, TcpHeader

MAC_1, MAC_2 = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ADDRESS_1, ADDRESS_2 = bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2))


class Wakes:
    """Counts how often a link woke its host."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


class Wire:
    """A link that is nothing but two lists: what it will deliver, and what was written to it."""

    def __init__(self, incoming: list[bytes] | None = None, *, ip_offset: int = 14) -> None:
        self.name = "wire0"
        self.mtu = 1500
        self.mac: bytes | None = MAC_1 if ip_offset else None
        self.ip_offset = ip_offset
        self.offload: Offload = NO_OFFLOAD
        self.rx_checksum_ok = False
        self.rx_gso_size = 0
        self.queue_frames = 0
        self.may_offload = True
        self.deadline = math.inf
        self.incoming = deque(incoming or [])
        self.sent: list[tuple[float, bytes]] = []
        self.headers: list[bytes] = []  # of what was sent with offload data
        self.polled: list[float] = []
        self.takes = True
        self.wake: Callable[[], None] | None = None

    def open(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def fileno(self) -> int:
        return 77

    def read(self, now: float) -> memoryview | None:
        return memoryview(self.incoming.popleft()) if self.incoming else None

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        if self.takes:
            self.sent.append((now, b"".join(parts)))
            if offload:
                self.headers.append(offload)
        return self.takes

    def poll(self, now: float) -> None:
        self.polled.append(now)
        self.deadline = math.inf

    def close(self) -> None:
        self.wake = None


def drain(link: Link, now: float = 0.0) -> list[bytes]:
    """Copies of everything a link has to read."""
    frames = []
    while (view := link.read(now)) is not None:
        frames.append(bytes(view))
    return frames


def tcp_frame(data: bytes, *, seq: int = 0) -> bytes:
    """An Ethernet frame with a TCP segment."""
    segment = TcpHeader(1024, 80, seq, 1, ACK, 65535).build() + data
    return ip_frame(PROTO_TCP, segment)


def udp_frame(data: bytes) -> bytes:
    """An Ethernet frame with a UDP datagram whose checksum is off."""
    return ip_frame(PROTO_UDP, b"\x04\x00\x00\x07" + (8 + len(data)).to_bytes(2, "big") + b"\0\0" + data)


def ip_frame(protocol: int, payload: bytes) -> bytes:
    """An Ethernet frame with an IPv4 datagram."""
    header = Ipv4Header(ADDRESS_1, ADDRESS_2, protocol, 20 + len(payload))
    return ethernet_ii(MAC_2, MAC_1, ETHERTYPE_IPV4) + header.build() + payload
