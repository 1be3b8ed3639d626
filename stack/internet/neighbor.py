"""One neighbour: an address on the link, and what is known of the station that has it.

A neighbour is an object of its own so that a path can hold on to it and send without a lookup: `ethernet` is the
ready-made link header, or None while there is none to use. See RFC 1122 section 2.3.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stack.wire.checksum import Buffer
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_IPV4

INCOMPLETE = "incomplete"
"""Asked for, not answered yet; packets wait."""
REACHABLE = "reachable"
"""Known, and confirmed within the last `reachable_s`."""
STALE = "stale"
"""Known, but neither confirmed nor used for a while: the next packet is sent at once, and asks whether it is true."""
PROBING = "probing"
"""Known and in use, while a request is out that asks whether it is still true."""
PERMANENT = "permanent"
"""Set by the user: neither asked for, nor changed by what ARP packets say, nor forgotten."""
GONE = "gone"
"""No longer in the cache. Whoever still holds the object looks the address up again."""
FIXED = "fixed"
"""Needs no resolution: a broadcast or group address, or a link without addresses."""

OnError = Callable[[int], None]


@dataclass(slots=True)
class Waiting:
    """One datagram that waits for a station address: its packets (more than one if it was fragmented)."""

    packets: list[bytes]
    size: int
    offload: bytes
    on_error: OnError | None


class Neighbor:
    """A row of the ARP cache.

    Attributes that paths read: `mac` (6 bytes or None), `ethernet` (the 14 bytes of the link header, b"" on a link
    without one, None while unresolved), `out_counter` (which interface counter a frame to it belongs to). Paths set
    `used` to True on every frame: an entry nobody uses is not refreshed. `vouched_at` is when something sent through it
    was last seen to have arrived, `learnt_at` is when the station last changed. `claim` is another station that
    claims the address, while the known one is asked. Until `doubted_until` any station that answers is believed.
    """

    __slots__ = (
        "address",
        "attempts",
        "claim",
        "confirmed_at",
        "deadline",
        "doubted_until",
        "ethernet",
        "learnt_at",
        "mac",
        "out_counter",
        "plan",
        "requested_at",
        "state",
        "used",
        "vouched_at",
        "waiting",
    )

    def __init__(self, address: bytes, state: str = INCOMPLETE) -> None:
        self.address = address
        self.state = state
        self.mac: bytes | None = None
        self.ethernet: bytes | None = None
        self.out_counter = "ifOutUcastPkts"
        self.used = False
        self.confirmed_at = -math.inf
        self.requested_at = -math.inf
        self.vouched_at = -math.inf
        self.learnt_at = -math.inf
        self.doubted_until = -math.inf
        self.claim: bytes | None = None
        self.deadline = math.inf
        self.attempts = 0
        self.plan: tuple[bool, ...] = ()
        self.waiting: list[Waiting] = []

    def learn(self, mac: bytes, ours: bytes) -> None:
        """Take `mac` as the station address and make the link header for it; `ours` is the sender's."""
        self.mac = mac
        self.ethernet = ethernet_ii(mac, ours, ETHERTYPE_IPV4)

    def forget(self, state: str) -> None:
        """Nothing is known any more."""
        self.state = state
        self.mac = self.ethernet = self.claim = None
        self.deadline = math.inf


def fixed(address: bytes, mac: bytes | None, ours: bytes | None, group: bool) -> Neighbor:
    """A neighbour that needs no ARP: `mac` is a broadcast or group address, or None on a bare-IP link."""
    neighbor = Neighbor(address, FIXED)
    if mac is None or ours is None:
        neighbor.ethernet = b""
    else:
        neighbor.learn(mac, ours)
    if group:
        neighbor.out_counter = "ifOutNUcastPkts"
    return neighbor


Transmit = Callable[[list[Buffer], float, bytes], object]
"""Write one frame, given in parts: (parts, now, offload data)."""
