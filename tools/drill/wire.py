"""The link between the script and the host: packets in and out, and how their numbers are those of the script.

A `Flow` is a pair of ends. Its numbers on the wire differ from the script's by what the first SYN of each direction
shows; the peer's begin just below 2**32, so that every script crosses the wrap.
"""

from __future__ import annotations

import copy
import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import stack

from . import symbols
from .options import Settings
from .packet import Datagram, Malformed, Tcp, Udp, read

MASK = 0xFFFF_FFFF
PEER_ZERO = 0xFFFF_FF00  # what the script's 0 of the peer's direction is on the wire
MOST_WAITING = 20_000  # packets that no line has claimed
HISTORY = 2000  # packets of the host that an ICMP error may quote
_PATTERN = 65521  # octets until the pattern repeats: a prime, so that no window or buffer is a multiple of it


def _pattern(name: bytes) -> bytes:
    return hashlib.shake_128(name).digest(_PATTERN)


HOST_PATTERN, PEER_PATTERN = _pattern(b"host"), _pattern(b"peer")


def octets(pattern: bytes, start: int, length: int) -> bytes:
    """The data of a stream: what belongs at octet `start`, from 0 on."""
    at = start % _PATTERN
    return (pattern * ((at + length) // _PATTERN + 1))[at : at + length]


HOST_FIN, PEER_FIN, RESET = 1, 2, 4
Ports = tuple[int, int]  # the host's port and the peer's


@dataclass(slots=True)
class Flow:
    """One pair of ends. `host_zero` and `peer_zero` are the wire's numbers for the script's 0; `timestamp_zero` is the
    host's timestamp clock at the script's TS val 0. `host_first` and `peer_first` are the script's numbers of the first
    octet of each stream, `urgent` those of octets that the peer has sent as urgent."""

    ports: Ports
    host_zero: int | None = None
    peer_zero: int = PEER_ZERO
    host_first: int = 1
    peer_first: int | None = None
    timestamp_zero: int | None = None
    host_next: int = 0  # the script's number behind all that the host has sent
    finished: int = 0  # bits: the host's FIN was seen, the peer's, a RST
    restarting: bool = False  # the peer has sent a SYN, and the host has no connection that it could belong to
    urgent: list[int] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """Both ends have closed, or one has reset: the next SYN of the host's begins another connection."""
        return self.finished & RESET != 0 or self.finished & (HOST_FIN | PEER_FIN) == HOST_FIN | PEER_FIN

    def note(self, flags: int, fin: int) -> None:
        """A segment has passed that may end the connection; `fin` is the bit of its direction."""
        if flags & symbols.RST:
            self.finished |= RESET
        if flags & symbols.FIN:
            self.finished |= fin

    def note_sent(self, flags: int, start: int, length: int) -> None:
        """A segment of the host's. A RST elsewhere than at its end only answers a segment that was out of place."""
        end = start + length + bool(flags & symbols.SYN) + bool(flags & symbols.FIN)
        if not flags & symbols.RST or start == self.host_next:
            self.note(flags, HOST_FIN)
        if not flags & symbols.RST:
            self.host_next = max(self.host_next, end)

    def host_number(self, number: int) -> int:
        """The script's number for one of the host's direction."""
        return (number - (self.host_zero or 0)) & MASK

    def peer_number(self, number: int) -> int:
        """The script's number for one of the peer's direction."""
        return (number - self.peer_zero) & MASK


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that the host has sent, and when."""

    at_us: int
    datagram: Datagram

    @property
    def ports(self) -> Ports | None:
        """The host's port and the peer's; ICMP has none."""
        body = self.datagram.body
        return (body.source_port, body.destination_port) if isinstance(body, (Tcp, Udp)) else None


class Wire:
    """A link of bare IP packets, as `stack.open_host` takes it; the other end is the script.

    `clock_us` is the script's time. `fault` is what the first malformed packet has wrong, and when it came.
    """

    def __init__(self, settings: Settings, clock_us: Callable[[], int]) -> None:
        self.name = "drill"
        self.mtu = settings.mtu
        self.mac: bytes | None = None
        self.ip_offset = 0
        self.offload = stack.Ethernet().attach().offload
        self.rx_checksum_ok = False
        self.rx_gso_size = 0
        self.queue_frames = 0
        self.may_offload = False
        self.deadline = float("inf")
        self.sent: deque[Sent] = deque()
        self.history: deque[Sent] = deque(maxlen=HISTORY)
        self.fault: tuple[int, str] | None = None
        self.flows: dict[Ports, Flow] = {}
        self.current: Flow | None = None
        self.listen_port = settings.bind_port
        self._clock_us = clock_us
        self._incoming: deque[bytes] = deque()
        self._wake: Callable[[], None] = lambda: None
        self._open = False

    # --- what the host calls

    def open(self, wake: Callable[[], None]) -> None:
        """Start."""
        self._wake = wake
        self._open = True

    def fileno(self) -> int:
        """There is no descriptor."""
        return -1

    def read(self, now: float) -> memoryview | None:
        """The next packet that the script has put in."""
        return memoryview(self._incoming.popleft()) if self._incoming else None

    def write(self, parts: Iterable[object], now: float, offload: bytes = b"") -> bool:
        """Take a packet of the host's."""
        if not self._open or self.fault is not None:
            return False
        raw = b"".join(bytes(memoryview(part)) for part in parts)  # type: ignore[arg-type]
        at_us = self._clock_us()
        try:
            if len(raw) > self.mtu:
                raise Malformed(f"the packet has {len(raw)} octets, and the MTU is {self.mtu}")
            if len(self.sent) == MOST_WAITING:
                raise Malformed(f"{MOST_WAITING} packets wait that no line expects")
            sent = Sent(at_us, read(raw))
        except Malformed as malformed:
            self.fault = at_us, str(malformed)
            return True
        self.sent.append(sent)
        self.history.append(sent)
        return True

    def poll(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """Stop."""
        self._open = False

    # --- what the interpreter calls

    def copy(self) -> Wire:
        """One with flows of its own: what a comparison learns stays there."""
        other = copy.copy(self)
        other.flows, other.current = copy.deepcopy((self.flows, self.current))
        return other

    def inject(self, raw: bytes) -> None:
        """Let a packet come in."""
        self._incoming.append(raw)
        self._wake()

    def flow(self, ports: Ports) -> Flow:
        """The flow of these ports; a new one when there is none."""
        if ports not in self.flows:
            self.flows[ports] = Flow(ports)
        return self.flows[ports]

    def begins(self, sent: Sent) -> bool:
        """Whether a packet of the host's begins a flow: a SYN of ends that are new, or a first datagram."""
        body = sent.datagram.body
        if isinstance(body, Udp):
            return True
        return isinstance(body, Tcp) and body.flags & (symbols.SYN | symbols.ACK) == symbols.SYN

    def quoted(self, flow: Flow, seq: int, length: int) -> bytes | None:
        """The last segment of the host's at the wire's number `seq` with so many octets, as it was sent."""
        for sent in reversed(self.history):
            body = sent.datagram.body
            if sent.ports == flow.ports and isinstance(body, Tcp) and body.seq == seq and len(body.payload) == length:
                return sent.datagram.raw
        return None
