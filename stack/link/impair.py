"""A bad wire: a link that loses, duplicates, reorders, delays and corrupts frames, by a seed.

It can also limit the rate and queue frames, and swallow those that are too large for the path. What
happens to a frame depends only on the seed, on the faults that are armed, and on the order of the
frames in its direction. Frames are copied; delayed ones wait in a heap until
`poll` (see `stack.link.device.Link`).

See RFC 3819 for what real links do to packets, and how transports cope with it.
"""

from __future__ import annotations

import errno
import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypedDict, Unpack

from stack.changed_fields import changed_fields
from stack.errors import BadPacket
from stack.link.device import ETHERNET_HEADER, NO_OFFLOAD, Link
from stack.link.faults import SWAP_WAIT_S, Fault, look, part_of
from stack.link.loan import Loan
from stack.link.wrapper import LinkWrapper
from stack.wire.checksum import Buffer
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import TcpHeader

# (frame, its number in this direction, counted from 1) -> whether the frame is lost
Predicate = Callable[[bytes, int], bool]

Held = tuple[float, int, bytes]  # when it is due, a serial number, the frame

MOST_ARMED = 64  # faults that may wait in one direction
LOOKS_PER_READ = 64  # the frames that one `read` may take from the wrapped link before the host does other work


@dataclass(frozen=True, slots=True)
class Impairment:
    """What one direction of a wire does to frames. The default does nothing.

    loss, duplicate, reorder, corrupt: probabilities, 0 to 1, drawn independently for each frame.
    reorder_s: how long a reordered frame is held back, in seconds, so that later ones overtake it.
    delay_s, jitter_s: each frame takes `delay_s`, and up to `jitter_s` more or less, in seconds. A
      jitter larger than the distance between frames reorders them.
    rate_bps: bits per second. A frame is sent when the frames before it have been sent, and takes
      the time of its own bits.
    queue_limit_bytes: the bytes that may wait for the rate, including the frame that is being sent;
      None for no limit. Further frames are lost. An idle wire accepts a frame of any size.
    queue_limit: the number of frames that may be held in all, delayed ones included.
    mtu_bytes: an MTU black hole (RFC 2923 section 2.1): a larger packet is lost, and no ICMP
      message tells of it. The link's own MTU stays what it is. None for no limit.
    drop: a predicate that is called first, with the frame and its number in this direction. If it
      returns True the frame is lost.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    reorder_s: float = 0.005
    delay_s: float = 0.0
    jitter_s: float = 0.0
    rate_bps: float | None = None
    queue_limit_bytes: int | None = None
    queue_limit: int = 10_000
    mtu_bytes: int | None = None
    drop: Predicate | None = None

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder", "corrupt"):
            if not 0.0 <= number(self, name) <= 1.0:
                raise ValueError(f"{name} is a probability from 0 to 1, not {getattr(self, name)}")
        for name in ("reorder_s", "delay_s", "jitter_s"):
            if not 0.0 <= number(self, name) < math.inf:
                raise ValueError(f"{name} is a time in seconds, not negative: {getattr(self, name)} is not allowed")
        if self.rate_bps is not None and not number(self, "rate_bps") > 0:
            raise ValueError(f"rate_bps is a number of bits per second, more than 0, not {self.rate_bps}")
        if self.queue_limit < 1:
            raise ValueError(f"queue_limit is a number of frames, at least 1, not {self.queue_limit}")
        if self.queue_limit_bytes is not None and (self.queue_limit_bytes < 0 or self.rate_bps is None):
            raise ValueError("queue_limit_bytes is a number of bytes, not negative, and it needs rate_bps")
        if self.mtu_bytes is not None and number(self, "mtu_bytes") < 1:
            raise ValueError(f"mtu_bytes is a number of bytes, at least 1, not {self.mtu_bytes}")

    __repr__ = changed_fields


def number(impairment: Impairment, name: str) -> float:
    """A field of an `Impairment` that holds a number. TypeError for another type."""
    value: object = getattr(impairment, name)
    if not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {value!r}")
    return value


class Fate(NamedTuple):
    """What a bad wire does to a frame.

    Attributes:
      outgoing: whether the host has sent it; otherwise it comes to the host.
      what: "lost", "lost on purpose" (by a `Fault` or by the predicate), "too large" (for
        `mtu_bytes`), "queue full", "duplicated", "held back" (to be reordered), "swapped" (with the
        next one), "delayed", or "corrupted", with the part where the bit is: "corrupted ethernet",
        "corrupted ip", "corrupted transport" (header), "corrupted data".
      frame: its octets.
      now: the time at which it was, in seconds.
      detail: "bit", the number of the bit that was changed, counted from the first one; or
        "delay_s", how long the frame takes, in seconds.
    """

    outgoing: bool
    what: str
    frame: bytes
    now: float
    detail: dict[str, float]


OnFate = Callable[[Fate], None]


class Direction:
    """One direction of an impaired link, with its counters.

    `impairment` is what the wire does to all frames; it may be replaced at any time. Frames that
    are held by then keep the time that they were given. `arm` adds what is to happen to one frame.

    `frames` counts all frames, `dropped` those that a fault or the predicate lost, `lost` those
    lost by chance, `too_large` those larger than `mtu_bytes`, `queue_dropped` those that found a
    queue full; `duplicated`, `reordered` and `corrupted` count what their names say, by chance or
    by a fault. A duplicate is corrupted, reordered and queued independently of its original, and
    counted in each case. `on_fate`, if it is set, is called with each thing that happens to a
    frame. A frame that passes at once and unchanged has no such call.
    """

    def __init__(
        self, impairment: Impairment, random: Random, outgoing: bool, ip_offset: int = ETHERNET_HEADER
    ) -> None:
        self._impairment = impairment
        self.on_fate: OnFate | None = None
        self.ip_offset = ip_offset
        self._outgoing = outgoing
        self.frames = 0
        self.dropped = 0
        self.lost = 0
        self.too_large = 0
        self.duplicated = 0
        self.reordered = 0
        self.corrupted = 0
        self.queue_dropped = 0
        self._random = random
        self._serial = 0
        self._armed: list[Armed] = []
        self._held: list[Held] = []
        self._ready: deque[bytes] = deque()
        self._busy_until = -math.inf  # the time at which the last bit of the queued frames is sent

    def __repr__(self) -> str:
        counts = ("dropped", "lost", "too_large", "duplicated", "reordered", "corrupted", "queue_dropped")
        happened = "".join(f", {count} {name}" for name in counts if (count := getattr(self, name)))
        return f"<Direction of {self.impairment!r}: {self.frames} frames{happened}>"

    @property
    def impairment(self) -> Impairment:
        """What the wire does to all frames. TypeError for anything but an `Impairment`."""
        return self._impairment

    @impairment.setter
    def impairment(self, how: Impairment) -> None:
        if not isinstance(how, Impairment):
            raise TypeError(f"impairment is a stack.Impairment(...), not {how!r}")
        if how.rate_bps != self._impairment.rate_bps:
            self._busy_until = -math.inf
        self._impairment = how

    @property
    def armed(self) -> tuple[Fault, ...]:
        """The faults that have not struck yet, the oldest first."""
        return tuple(armed.fault for armed in self._armed if not self._is_over(armed))

    def arm(self, fault: Fault) -> None:
        """Let `fault` happen once, to a frame that is still to come.

        Faults that concern the same frame all happen to it; one that is lost cannot be swapped.
        ValueError if `MOST_ARMED` faults wait already.
        """
        if not isinstance(fault, Fault):
            raise TypeError(f"arm takes a stack.Fault(...), not {fault!r}")
        self._armed = [armed for armed in self._armed if not self._is_over(armed)]
        if len(self._armed) >= MOST_ARMED:
            raise ValueError(f"{MOST_ARMED} faults wait for their frames already")
        self._armed.append(Armed(fault))

    def heal(self) -> None:
        """Be a perfect wire from now on: no fault is armed, and what is held is due at once."""
        self.impairment = Impairment()
        self._armed.clear()
        self._busy_until = -math.inf
        self._held = [(-math.inf, place, frame) for place, (_, _, frame) in enumerate(sorted(self._held))]

    @property
    def deadline(self) -> float:
        """The time at which the next held frame is due; math.inf when none is held."""
        return self._held[0][0] if self._held else math.inf

    def put(self, frame: bytes, now: float) -> None:
        """Take a frame and decide what happens to it."""
        how = self._impairment
        self.frames += 1
        struck = self._strike(frame) if self._armed else NONE
        held = None
        if (how.drop is not None and how.drop(frame, self.frames)) or (struck and _any(struck, "lose")):
            self.dropped += 1
            if self.on_fate is not None:
                self._tell("lost on purpose", frame, now)
        elif how.mtu_bytes is not None and len(frame) - self.ip_offset > how.mtu_bytes:
            self.too_large += 1
            if self.on_fate is not None:
                self._tell("too large", frame, now, mtu=how.mtu_bytes)
        elif how.loss and self._happens(how.loss):
            self.lost += 1
            if self.on_fate is not None:
                self._tell("lost", frame, now)
        else:
            held = self._hold(self._corrupt(frame, now, struck) if struck else frame, now)
            if (how.duplicate and self._happens(how.duplicate)) or (struck and _any(struck, "duplicate")):
                self.duplicated += 1
                if self.on_fate is not None:
                    self._tell("duplicated", frame, now)
                self._hold(frame, now)
        if struck:
            self._swap(struck, frame, held, now)

    def take(self, now: float) -> bytes | None:
        """The next frame that is due, by due time, then by arrival; None if there is none."""
        self.release(now)
        return self._ready.popleft() if self._ready else None

    def release(self, now: float) -> bool:
        """Make the frames that are due available to `take`.

        True if `take` had none before and has one now.
        """
        had_nothing = not self._ready
        while self._held and self._held[0][0] <= now:
            self._ready.append(heapq.heappop(self._held)[2])
        return had_nothing and bool(self._ready)

    def clear(self) -> None:
        """Forget the frames that are held."""
        self._held.clear()
        self._ready.clear()
        self._busy_until = -math.inf

    def _hold(self, frame: bytes, now: float) -> Held | None:
        """Keep a frame until it is due, which may be now; None if it finds a queue full."""
        how = self._impairment
        if how.corrupt and self._happens(how.corrupt):
            frame = self._flip_a_bit(frame, now)
        if len(self._held) + len(self._ready) >= how.queue_limit:
            self._find_queue_full(frame, now)
            return None
        due = now
        if how.rate_bps is not None:
            starts = max(now, self._busy_until)
            waiting_bytes = round((starts - now) * how.rate_bps / 8)
            full = how.queue_limit_bytes is not None and waiting_bytes + len(frame) > how.queue_limit_bytes
            if full and waiting_bytes:
                self._find_queue_full(frame, now)
                return None
            due = self._busy_until = starts + len(frame) * 8 / how.rate_bps
        due += how.delay_s
        if how.jitter_s:
            due = max(now, due + self._random.uniform(-how.jitter_s, how.jitter_s))
        if how.reorder and self._happens(how.reorder):
            self.reordered += 1
            due += how.reorder_s
            if self.on_fate is not None:
                self._tell("held back", frame, now, delay_s=due - now)
        elif due > now and self.on_fate is not None:
            self._tell("delayed", frame, now, delay_s=due - now)
        self._serial += 1
        held = (due, self._serial, frame)
        heapq.heappush(self._held, held)
        return held

    def _find_queue_full(self, frame: bytes, now: float) -> None:
        self.queue_dropped += 1
        if self.on_fate is not None:
            self._tell("queue full", frame, now)

    def _tell(self, what: str, frame: bytes, now: float, **detail: float) -> None:
        assert self.on_fate is not None
        self.on_fate(Fate(self._outgoing, what, frame, now, detail))

    def _happens(self, probability: float) -> bool:
        return probability > 0.0 and self._random.random() < probability

    def _flip_a_bit(self, frame: bytes, now: float, part: str = "") -> bytes:
        """`frame` with another bit, in one of its parts (`Fault.part`) or anywhere."""
        if not frame:
            return frame
        self.corrupted += 1
        first, after = look(frame, self.ip_offset).parts[part] if part else (0, len(frame))
        bit = self._random.randrange(first * 8, after * 8)
        if self.on_fate is not None:
            self._tell(f"corrupted {part_of(frame, self.ip_offset, bit >> 3)}".rstrip(), frame, now, bit=bit)
        broken = bytearray(frame)
        broken[bit >> 3] ^= 0x80 >> (bit & 7)
        return bytes(broken)

    # --- faults

    def _strike(self, frame: bytes) -> list[Armed]:
        """The faults that concern this frame; only a swap stays armed, for its second one."""
        seen = look(frame, self.ip_offset)
        struck, waiting = [], []
        for armed in self._armed:
            matches = armed.fault.matches(seen)
            if matches:
                armed.seen += 1
                if armed.seen >= armed.fault.number:
                    struck.append(armed)
            if not armed.is_used:
                waiting.append(armed)
        self._armed = waiting
        return struck

    def _corrupt(self, frame: bytes, now: float, struck: list[Armed]) -> bytes:
        for armed in struck:
            if armed.fault.action == "corrupt":
                frame = self._flip_a_bit(frame, now, armed.fault.part)
        return frame

    def _swap(self, struck: list[Armed], frame: bytes, held: Held | None, now: float) -> None:
        """Let the first frame of a swap wait, and the second one pass it."""
        for armed in struck:
            if armed.fault.action != "swap":
                continue
            if armed.is_used:  # by its second frame, this one
                self._move(armed.first, now if held is None else held[0])
            elif held is not None:
                self.reordered += 1
                if self.on_fate is not None:
                    self._tell("swapped", frame, now, delay_s=SWAP_WAIT_S)
                armed.first = held = self._move(held, held[0] + SWAP_WAIT_S)

    def _move(self, held: Held | None, due: float) -> Held | None:
        """Give a frame another time, if it is still held: it is then the last of that time."""
        for place, other in enumerate(self._held):
            if other is held:
                self._serial += 1
                self._held[place] = moved = (due, self._serial, other[2])
                heapq.heapify(self._held)
                return moved
        return None

    def _is_over(self, armed: Armed) -> bool:
        """Whether a swap has waited for its second frame in vain."""
        return armed.seen >= armed.fault.number and not any(held is armed.first for held in self._held)


class Armed:
    """A fault that waits: the frames `seen` that match, and the `first` of those to be swapped."""

    __slots__ = ("fault", "first", "seen")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.first: Held | None = None

    @property
    def is_used(self) -> bool:
        """Whether it has seen all its frames."""
        return self.seen >= self.fault.number + (self.fault.action == "swap")


def _any(struck: list[Armed], action: str) -> bool:
    return any(armed.fault.action == action for armed in struck)


NONE: list[Armed] = []  # the faults of a frame, mostly


class Fields(TypedDict, total=False):
    """The fields of `Impairment`, as the keyword arguments of `Impaired`."""

    loss: float
    duplicate: float
    reorder: float
    corrupt: float
    reorder_s: float
    delay_s: float
    jitter_s: float
    rate_bps: float | None
    queue_limit_bytes: int | None
    queue_limit: int
    mtu_bytes: int | None
    drop: Predicate | None


class Impaired(LinkWrapper):
    """Wraps a link with a bad wire.

    `outgoing` and `incoming` say what happens in each direction; the default is a perfect wire. The
    short form `Impaired(link, loss=0.1, seed=7)` takes the fields of `Impairment` for both
    directions. Each direction has a random generator of its own, made from `seed`, so that the
    frames of one direction do not influence the other. The default is the link's own seed (see
    `Ethernet`), or 0 if it has none. A predicate given in the short form is called for both
    directions: if it counts, it counts their frames together.

    The attributes `outgoing` and `incoming` are `Direction`s: they count what happened, their
    `impairment` may be replaced at any time, and they can be told of single faults to come
    (`Direction.arm`). `heal` ends all that. `write` returns True for a frame that the wire lost,
    since a sender on a real wire cannot know of the loss. The link announces no offload, and opens
    the wrapped link without offload, because it needs frames that fit the MTU. ValueError if the
    arguments contradict each other, or if the link is open and offloads.
    """

    def __init__(
        self,
        link: Link,
        *,
        outgoing: Impairment | None = None,
        incoming: Impairment | None = None,
        seed: int | None = None,
        **both: Unpack[Fields],
    ) -> None:
        super().__init__(link)
        if both and (outgoing is not None or incoming is not None):
            raise ValueError("give the fields of an Impairment for both directions, or `outgoing` and `incoming`")
        for name, value in (("outgoing", outgoing), ("incoming", incoming)):
            if value is not None and not isinstance(value, Impairment):
                raise TypeError(f"{name} is a stack.Impairment(...), not {value!r}")
        if link.offload != NO_OFFLOAD:
            raise ValueError(f"{link.name} is open and offloads: wrap it in Impaired before it is opened")
        link.may_offload = False
        chosen, at = (self.seed or 0) if seed is None else seed, self.ip_offset
        # A text seeds the generator in the same way for every PYTHONHASHSEED.
        self.outgoing = Direction(outgoing or Impairment(**both), Random(f"{chosen} outgoing"), True, at)
        self.incoming = Direction(incoming or Impairment(**both), Random(f"{chosen} incoming"), False, at)
        self.offload = NO_OFFLOAD
        self.rx_gso_size = 0
        self.may_offload = False
        self._loan = Loan()

    def __repr__(self) -> str:
        return f"<Impaired {self.name}: outgoing {self.outgoing!r}, incoming {self.incoming!r}>"

    def open(self, wake: Callable[[], None]) -> None:
        """Open the wrapped link. OSError as it raises it.

        EOPNOTSUPP if it offloads although `may_offload` is False.
        """
        self._link.open(wake)
        if self._link.offload != NO_OFFLOAD:
            self._link.close()
            text = f"{self._link.name} offloads although it was opened without: it cannot be impaired"
            raise OSError(errno.EOPNOTSUPP, text)
        self._wake = wake
        self._copy_attributes()
        self.outgoing.ip_offset = self.incoming.ip_offset = self.ip_offset
        self._rearm()

    def heal(self) -> None:
        """Be a perfect wire from now on, both ways. Frames that are held pass at once."""
        self.outgoing.heal()
        self.incoming.heal()
        self._rearm()
        if self._wake is not None:
            self._wake()

    def watch_fates(self, on_fate: OnFate | None) -> None:
        """Call `on_fate` from now on with what happens to frames; None ends that.

        A host that is observed does it.
        """
        self.outgoing.on_fate = self.incoming.on_fate = on_fate
        super().watch_fates(on_fate)

    def read(self, now: float) -> memoryview | None:
        """The next frame that was not lost, valid until the next call; None if there is none now.

        OSError(ENETDOWN) as the wrapped link raises it.
        """
        if self._wake is None:
            return None
        frame = self.incoming.take(now)
        looks = 0
        while frame is None:
            if looks == LOOKS_PER_READ:
                # A flood of frames that are all lost must not keep the host from its other work.
                self._wake()
                break
            view = self._link.read(now)
            if view is None:
                break
            looks += 1
            self.incoming.put(bytes(view), now)
            frame = self.incoming.take(now)
        self._rearm()
        if frame is None:
            self._loan.recall()
            return None
        return self._loan.lend(frame)

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Send one frame into the bad wire.

        False only if the wrapped link refused a frame during this call, or this link is closed.
        """
        if self._wake is None:
            return False
        self.outgoing.put(b"".join(parts), now)
        taken = self._send_due(now)
        earlier = self.deadline
        self._rearm()
        if self.deadline < earlier:
            self._wake()
        return taken

    def poll(self, now: float) -> None:
        """Send the delayed frames that are due, announce those to read, poll the wrapped link."""
        if self._wake is None:
            return
        if self._link.deadline <= now:
            self._link.poll(now)
        self._send_due(now)
        if self.incoming.release(now):
            self._wake()
        self._rearm()

    def close(self) -> None:
        """Close the wrapped link. Delayed frames are lost."""
        self._wake = None
        self.outgoing.clear()
        self.incoming.clear()
        self._loan.recall()
        self.deadline = math.inf
        self._link.close()

    def _send_due(self, now: float) -> bool:
        taken = True
        while (frame := self.outgoing.take(now)) is not None:
            taken = self._link.write([frame], now) and taken
        return taken

    def _rearm(self) -> None:
        self.deadline = min(self.outgoing.deadline, self.incoming.deadline, self._link.deadline)


def nth_data_segment(*numbers: int, ip_offset: int = ETHERNET_HEADER) -> Predicate:
    """A predicate for `Impairment.drop` that loses the TCP data segments with these numbers.

    Segments are counted from 1, those of all connections together, retransmissions too. `ip_offset`
    is the link's, in bytes.

    >>> link = Impaired(Ethernet().attach(), outgoing=Impairment(drop=nth_data_segment(3)))
    """
    seen = 0

    def drop(frame: bytes, number: int) -> bool:
        nonlocal seen
        if not has_tcp_data(frame, ip_offset):
            return False
        seen += 1
        return seen in numbers

    return drop


def has_tcp_data(frame: Buffer, ip_offset: int = ETHERNET_HEADER) -> bool:
    """Whether a frame holds an unfragmented TCP segment with data. Checksums are not verified."""
    if ip_offset == ETHERNET_HEADER and bytes(frame[12:14]) != ETHERTYPE_IPV4.to_bytes(2, "big"):
        return False
    packet = memoryview(frame)[ip_offset:]
    try:
        ip = Ipv4Header.parse(packet, verify_checksum=False)
        if ip.protocol != PROTO_TCP or ip.is_fragment:
            return False
        segment = packet[ip.header_length : ip.total_length]
        return len(segment) > TcpHeader.parse(segment).header_length
    except BadPacket:
        return False
