"""The link between the script and the host, and the translation of their sequence numbers.

A `Flow` is a pair of ports. For each direction it has the wire's number of the script's 0, which
the first SYN determines for the host. For the peer it is just below 2**32, so that the numbers wrap
in every script that sends a few hundred octets.
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
PEER_ZERO = 0xFFFF_FF00  # the wire's sequence number of the script's 0, in the peer's direction
MOST_WAITING = 20_000  # packets from the host that no line has expected yet
HISTORY = 2000  # packets from the host that an ICMP error may quote
_PATTERN = 65521  # octets until the pattern repeats: a prime number, so that common sizes are no multiple of it


def _pattern(name: bytes) -> bytes:
    return hashlib.shake_128(name).digest(_PATTERN)


HOST_PATTERN, PEER_PATTERN = _pattern(b"host"), _pattern(b"peer")


def octets(pattern: bytes, start: int, length: int) -> bytes:
    """Return `length` octets of a stream, from octet `start` (from 0) on."""
    at = start % _PATTERN
    return (pattern * ((at + length) // _PATTERN + 1))[at : at + length]


HOST_FIN, PEER_FIN, RESET = 1, 2, 4
Ports = tuple[int, int]  # the host's port and the peer's


@dataclass(slots=True)
class Flow:
    """The packets between one port of the host and one of the peer.

    `host_zero` and `peer_zero` are the wire's numbers for the script's 0, and `timestamp_zero` is
    the host's timestamp for the script's TS val 0. `host_first` and `peer_first` are the script's
    numbers of the first octet of each stream. `urgent` has the places in the peer's stream where an
    urgent octet may be: for each urgent pointer the octet before it and the octet at it.
    """

    ports: Ports
    host_zero: int | None = None
    peer_zero: int = PEER_ZERO
    host_first: int = 1
    peer_first: int | None = None
    timestamp_zero: int | None = None
    host_next: int = 0  # the script's number after the last octet that the host has sent
    finished: int = 0  # the bits HOST_FIN, PEER_FIN and RESET of the segments seen
    restarting: bool = False  # the peer has sent a SYN of a new connection, and the host has not answered it
    urgent: list[int] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """Both FINs or a RST were seen: the host's next SYN begins a new connection."""
        return self.finished & RESET != 0 or self.finished & (HOST_FIN | PEER_FIN) == HOST_FIN | PEER_FIN

    def note(self, flags: int, fin: int) -> None:
        """Record the FIN or RST of a segment; `fin` is the bit for a FIN of its direction."""
        if flags & symbols.RST:
            self.finished |= RESET
        if flags & symbols.FIN:
            self.finished |= fin

    def note_sent(self, flags: int, start: int, length: int) -> None:
        """Record a segment from the host.

        A RST ends the connection only at the host's next sequence number: any other RST answers an
        unacceptable segment.
        """
        end = start + length + bool(flags & symbols.SYN) + bool(flags & symbols.FIN)
        if not flags & symbols.RST or start == self.host_next:
            self.note(flags, HOST_FIN)
        if not flags & symbols.RST:
            self.host_next = max(self.host_next, end)

    def host_number(self, number: int) -> int:
        """Translate a sequence number of the host's direction to the script's."""
        return (number - (self.host_zero or 0)) & MASK

    def peer_number(self, number: int) -> int:
        """Translate a sequence number of the peer's direction to the script's."""
        return (number - self.peer_zero) & MASK


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet from the host, and the script's time when it was sent."""

    at_us: int
    datagram: Datagram

    @property
    def ports(self) -> Ports | None:
        """The host's port and the peer's; None for ICMP."""
        body = self.datagram.body
        return (body.source_port, body.destination_port) if isinstance(body, (Tcp, Udp)) else None


class Wire:
    """A link of IP packets without Ethernet, for `stack.open_host`. Its other end is the script.

    `clock_us` returns the script's time. `fault` is the time and the fault of the first bad packet.
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
        """Begin to take packets from the host."""
        self._wake = wake
        self._open = True

    def fileno(self) -> int:
        """Return -1: the link has no file descriptor."""
        return -1

    def read(self, now: float) -> memoryview | None:
        """Return the next packet of the script; None if there is none."""
        return memoryview(self._incoming.popleft()) if self._incoming else None

    def write(self, parts: Iterable[object], now: float, offload: bytes = b"") -> bool:
        """Take a packet from the host."""
        if not self._open or self.fault is not None:
            return False
        raw = b"".join(bytes(memoryview(part)) for part in parts)  # type: ignore[arg-type]
        at_us = self._clock_us()
        try:
            if len(raw) > self.mtu:
                raise Malformed(f"the packet has {len(raw)} octets, and the MTU is {self.mtu}")
            if len(self.sent) == MOST_WAITING:
                raise Malformed(f"the host has sent {MOST_WAITING} packets before this one that no line has expected")
            sent = Sent(at_us, read(raw))
        except Malformed as malformed:
            self.fault = at_us, str(malformed)
            return True
        self.sent.append(sent)
        self.history.append(sent)
        return True

    def poll(self, now: float) -> None:
        """Do nothing: the link has no deadline."""

    def close(self) -> None:
        """Take no more packets."""
        self._open = False

    # --- what the interpreter calls

    def copy(self) -> Wire:
        """Return a copy with its own flows, so that a comparison with it changes nothing here."""
        other = copy.copy(self)
        other.flows, other.current = copy.deepcopy((self.flows, self.current))
        return other

    def inject(self, raw: bytes) -> None:
        """Let a packet come in."""
        self._incoming.append(raw)
        self._wake()

    def flow(self, ports: Ports) -> Flow:
        """Return the flow of these ports; a new one if there is none."""
        if ports not in self.flows:
            self.flows[ports] = Flow(ports)
        return self.flows[ports]

    def begins(self, sent: Sent) -> bool:
        """Whether a packet makes its flow the current one: a SYN without ACK, or a UDP datagram."""
        body = sent.datagram.body
        if isinstance(body, Udp):
            return True
        return isinstance(body, Tcp) and body.flags & (symbols.SYN | symbols.ACK) == symbols.SYN

    def quoted(self, flow: Flow, seq: int, length: int) -> bytes | None:
        """Return the host's latest segment with this sequence number (of the wire) and length."""
        for sent in reversed(self.history):
            body = sent.datagram.body
            if sent.ports == flow.ports and isinstance(body, Tcp) and body.seq == seq and len(body.payload) == length:
                return sent.datagram.raw
        return None
