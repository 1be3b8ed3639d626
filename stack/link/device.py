"""What a link is: the thing that hands frames to a host and takes frames from it.

A link carries either Ethernet frames or bare IP packets (`ip_offset` says which). It never waits, never calls back into
the host from `write` and knows nothing of the protocols above it. `now` is in seconds on a monotonic clock, the same
for every call of one run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stack.wire.checksum import Buffer

ETHERNET_HEADER = 14  # bytes before the IP header on an Ethernet link; a bare-IP link has none


@dataclass(frozen=True, slots=True)
class Offload:
    """What may be left to the link.

    `checksum`: transport checksums may be left partial (pseudo-header sum only) on frames written with offload data,
      and frames that are read may come with one.
    `gso_max_bytes`: the largest TCP payload taken in one super-frame, 0 when frames must fit the MTU. Super-frames may
      come in as well.
    `uso`: super-frames of UDP datagrams may come in.
    """

    checksum: bool = False
    gso_max_bytes: int = 0
    uso: bool = False


NO_OFFLOAD = Offload()


class Link(Protocol):
    """A source and sink of frames.

    Attributes, constant once open unless said otherwise:
      name: for people: "tap0".
      mtu: the largest IP packet, in bytes, that fits one frame.
      mac: this host's 6-byte station address, or None on a bare-IP link (which has no ARP).
      ip_offset: where the IP header starts in a frame: 14 on Ethernet, 0 on a bare-IP link.
      offload: what the link can do for us.
      rx_checksum_ok: changes with every `read`: the transport checksum of the last frame needs no verification. It may
        be partial: whoever passes the packet on, or quotes it, completes it first.
      rx_gso_size: changes with every `read`: how many bytes of payload each packet had that the last frame is made of,
        when it is a super-frame, which may be larger than the MTU; else 0.
      queue_frames: how many frames the link keeps for us until we read them; more than that are lost. 0: nobody knows.
      may_offload: whether `open` may look for offload. To be cleared before, by a link around this one that needs
        frames which fit the MTU, with their checksums. Means nothing to a link that never offloads.
      deadline: changes: when `poll` wants to be called next; math.inf for never.
    """

    name: str
    mtu: int
    mac: bytes | None
    ip_offset: int
    offload: Offload
    rx_checksum_ok: bool
    queue_frames: int
    may_offload: bool
    deadline: float

    @property
    def rx_gso_size(self) -> int: ...

    def open(self, wake: Callable[[], None]) -> None:
        """Start carrying frames; OSError when that is not possible.

        A link without a descriptor (or with frames of its own making) calls `wake()` each time `read` turns from
        having nothing to having something, and any link calls it when `deadline` moves earlier during a `write`.
        `wake` returns at once and does not read; whoever it wakes reads until None and looks at `deadline` again.
        """

    def fileno(self) -> int:
        """A descriptor that is readable when `read` may have something, or -1 where `wake` alone tells."""

    def read(self, now: float) -> memoryview | None:
        """The next frame, valid until the next call of `read`; None when there is none now.

        A frame in a `stack.frame_buffer.FrameBuffer` may be kept for longer: see there.

        Raises OSError(ENETDOWN) when there will never be one again.
        """

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Send one frame, given in parts that are written one after another; False when it was dropped. Never raises.

        `offload` is a virtio_net_hdr (`stack.wire.virtio`) for links that announce an offload, and empty otherwise.
        The parts may be reused by the caller as soon as this returns.
        """

    def poll(self, now: float) -> None:
        """Do what is due at `deadline` (a delayed frame becomes readable, say, which calls `wake`)."""

    def close(self) -> None:
        """Stop, and give back what `open` took. Closing twice is fine; no method raises after it."""


def check_station_address(mac: bytes) -> None:
    """ValueError unless `mac` is 6 bytes that can be one station's address."""
    if len(mac) != 6:
        raise ValueError(f"a MAC address has 6 bytes, not {len(mac)}")
    if mac[0] & 1:
        raise ValueError(f"{mac.hex(':')} is a group's address, and no station's (IEEE 802: the first byte is odd)")
    if not any(mac):
        raise ValueError("00:00:00:00:00:00 is no station's address")
