"""A neighbour: an address on the link, and what is known of the station that has it.

See RFC 1122 section 2.3.2. A path keeps a reference to its neighbour, so that it can send without a
lookup. `ethernet` is the link header, or None while there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stack.wire.addresses import format_ipv4, format_mac
from stack.wire.checksum import Buffer
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_IPV4

INCOMPLETE = "incomplete"
"""Not known yet: a request is out or will be sent, and packets wait for the answer."""
REACHABLE = "reachable"
"""Known, and confirmed within the last `reachable_s`."""
STALE = "stale"
"""Known, but neither confirmed nor used for a while.

The next packet is sent at once, with a request to confirm it.
"""
PROBING = "probing"
"""Known and in use, while a request to confirm it is out."""
PERMANENT = "permanent"
"""Set by the user. It needs no requests, ARP packets do not change it, and it does not expire."""
GONE = "gone"
"""Not in the cache. A path that still holds the object must look the address up again."""
FIXED = "fixed"
"""Needs no ARP: a broadcast or group address, or any address on a link without Ethernet."""

OnError = Callable[[int, float], object]


@dataclass(slots=True)
class Waiting:
    """A datagram that waits for a station address. It has several packets if it is fragmented."""

    packets: list[bytes]
    size: int
    offload: bytes
    on_error: OnError | None


class Neighbor:
    """An entry of the ARP cache.

    Attributes that paths read:
      mac: the station address, 6 bytes; None while unresolved.
      ethernet: the 14 bytes of the link header, b"" on a link without one; None while there is none
        to use.
      out_counter: the interface counter of frames to this neighbour.

    Attributes that paths set:
      used: True after every frame. An entry that is not used is not refreshed.
      positive_advice_at: when an acknowledgment of something sent through this neighbour last came.

    Attributes of the cache:
      confirmed_at, requested_at: when ARP last confirmed the entry, and when the last request was
        sent.
      learnt_at: when the station address last changed.
      claim: another station that claims the address, while the known station is asked.
      kept: acknowledgments have kept the entry once since ARP last confirmed it.
      doubted_until: until then the answer of any station is believed.
      plan, attempts: the requests to send, unicast or broadcast each, and how many of them were
        sent.
      asked_because: why they are sent, a key of `stack.trace.reasons.REASONS`.
    """

    __slots__ = (
        "address",
        "asked_because",
        "attempts",
        "claim",
        "confirmed_at",
        "deadline",
        "doubted_until",
        "ethernet",
        "kept",
        "learnt_at",
        "mac",
        "out_counter",
        "plan",
        "positive_advice_at",
        "requested_at",
        "state",
        "used",
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
        self.positive_advice_at = -math.inf
        self.learnt_at = -math.inf
        self.doubted_until = -math.inf
        self.claim: bytes | None = None
        self.kept = False
        self.deadline = math.inf
        self.attempts = 0
        self.plan: tuple[bool, ...] = ()
        self.asked_because = ""
        self.waiting: list[Waiting] = []

    def learn(self, mac: bytes, ours: bytes) -> None:
        """Set the station address to `mac`, and form the link header with `ours` as its source."""
        self.mac = mac
        self.ethernet = ethernet_ii(mac, ours, ETHERTYPE_IPV4)

    def forget(self, state: str) -> None:
        """Forget the station address; `state` is the state from now on."""
        self.state = state
        self.mac = self.ethernet = self.claim = None
        self.deadline = math.inf

    def record(self, now: float) -> NeighborRecord:
        """The entry as it is now, for the user."""
        return NeighborRecord(
            format_ipv4(self.address),
            None if self.mac is None else format_mac(self.mac),
            self.state,
            None if self.confirmed_at == -math.inf else now - self.confirmed_at,
            len(self.waiting),
        )


@dataclass(frozen=True, slots=True)
class NeighborRecord:
    """A row of the cache, as the user reads it.

    `age_s` is the time since the entry was last confirmed. `state` is that of the entry, or
    "published" for a proxy entry: requests for the address are answered with `mac`. `waiting` is
    the number of datagrams that wait for the station address.
    """

    address: str
    mac: str | None
    state: str
    age_s: float | None
    waiting: int


def fixed(address: bytes, mac: bytes | None, ours: bytes | None, group: bool) -> Neighbor:
    """A neighbour that needs no ARP.

    `mac` is a broadcast or group address, or None on a link without Ethernet.
    """
    neighbor = Neighbor(address, FIXED)
    if mac is None or ours is None:
        neighbor.ethernet = b""
    else:
        neighbor.learn(mac, ours)
    if group:
        neighbor.out_counter = "ifOutNUcastPkts"
    return neighbor


Transmit = Callable[[list[Buffer], float, bytes], object]
"""Writes one frame, which is given in parts: (parts, now, offload header)."""
