"""The interface of a link, which delivers frames to a host and sends frames for it.

A link carries either Ethernet frames or bare IP packets (see `ip_offset`). It never waits, never
calls back into the host from `write`, and does not look at the protocols above it. `now` is in
seconds on a monotonic clock, the same clock for every call of one run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stack.wire.checksum import Buffer

ETHERNET_HEADER = 14  # the bytes before the IP header on an Ethernet link; a bare-IP link has none


@dataclass(frozen=True, slots=True)
class Offload:
    """The work that the link does for the host.

    `checksum`: a frame written with offload data may have a partial transport checksum (the sum of
      the pseudo-header only), and so may a frame that is read.
    `gso_max_bytes`: the largest TCP payload of a super-frame; 0 if frames must fit the MTU. Frames
      that are read may be super-frames as well.
    `uso`: frames that are read may be super-frames of UDP datagrams.
    `software`: the link takes no super-frames itself: the host cuts them just before the link
      (`stack.internet.segmentation`), and `gso_max_bytes` is for what TCP forms.
    """

    checksum: bool = False
    gso_max_bytes: int = 0
    uso: bool = False
    software: bool = False


NO_OFFLOAD = Offload()


class Link(Protocol):
    """A source and sink of frames.

    These attributes are constant while the link is open:
      name: the name shown to users, such as "tap0".
      mtu: the largest IP packet, in bytes, that fits one frame.
      mac: this host's 6-byte station address, or None on a bare-IP link (which has no ARP).
      ip_offset: the position of the IP header in a frame: 14 on Ethernet, 0 on a bare-IP link.
      offload: the offloads of the link.
      queue_frames: the number of frames that the link queues until we read them; it drops further
        ones. 0 if the number is not known.
      may_offload: whether `open` may enable offloads. A wrapper that needs frames with complete
        checksums that fit the MTU sets it to False before `open`. A link that never offloads
        ignores it.

    These change:
      rx_checksum_ok: after each `read`, whether the transport checksum of the frame needs no
        verification. It may be partial: code that forwards or quotes the packet completes it first.
      rx_gso_size: after each `read` of a super-frame, which may be larger than the MTU, the payload
        in bytes of the packets that it was made from; otherwise 0.
      deadline: the time at which `poll` is to be called; math.inf for never.
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
        """Start carrying frames. OSError if that is not possible.

        A link without a descriptor calls `wake()` each time a frame becomes readable and none was
        before; so does a link with frames that do not come from its descriptor. Any link calls it
        when `deadline` moves earlier during a `write`. `wake` returns at once and does not read.
        The task that it wakes reads until None, then looks at `deadline` again.
        """

    def fileno(self) -> int:
        """A descriptor that is readable when `read` may have a frame; -1 if only `wake` tells."""

    def read(self, now: float) -> memoryview | None:
        """The next frame, valid until the next call of `read`; None if there is none now.

        A frame in a `stack.frame_buffer.FrameBuffer` may be kept for longer: see there. Raises
        OSError(ENETDOWN) if the link has failed for good.
        """

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Send one frame, given as a list of parts; False if it was dropped. Never raises.

        `offload` is a virtio_net_hdr (`stack.wire.virtio`) for links that announce an offload, and
        empty otherwise. The caller may reuse the parts as soon as this returns.
        """

    def poll(self, now: float) -> None:
        """Do the work that is due at `deadline`, for instance make a delayed frame readable."""

    def close(self) -> None:
        """Stop, and release everything that `open` took. A second call does nothing.

        No method raises after it.
        """


def check_station_address(mac: bytes) -> None:
    """ValueError unless `mac` is 6 bytes that can be the address of one station."""
    if isinstance(mac, str):
        raise ValueError(f"mac is 6 bytes, not a text: write bytes.fromhex('020000000001'), not {mac!r}")
    if len(mac) != 6:
        raise ValueError(f"a MAC address has 6 bytes, not {len(mac)}")
    if mac[0] & 1:
        raise ValueError(f"{mac.hex(':')} is a group address: the first byte of a station address is even (IEEE 802)")
    if not any(mac):
        raise ValueError("00:00:00:00:00:00 cannot be a station address")
