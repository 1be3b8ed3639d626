"""One connection of a `Peer`: its numbers, and what an honest TCP without timers would answer.

Sequence numbers count from the SYN of each end, as in packetdrill: the SYN has 0, the first octet
of data 1. See RFC 9293 section 3.10 for the answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from stack.errors import BadPacket
from stack.testing.frame_sender import Heard
from stack.wire.addresses import format_ipv4
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, flag_names
from stack.wire.tcp_options import TcpOptions, build_options, parse_options

if TYPE_CHECKING:
    from stack.testing.peer import Peer

MOD = 1 << 32
ISS = 5000  # what the peer's sequence numbers begin with on the wire
DEFAULT_MSS = 536  # bytes: RFC 9293 section 3.7.1, MUST-15
SHOWN_OCTETS = 24
MSS_OPTION = build_options(TcpOptions(mss=1460))


@dataclass(frozen=True, slots=True)
class Received:
    """A segment that a host has sent to the peer, with its numbers counted from the SYNs.

    `at` is the time in seconds; `heard` has the headers as they were on the wire.
    """

    at: float
    heard: Heard
    conversation: Conversation

    @property
    def flags(self) -> int:
        """The control bits of the segment, a sum of `SYN`, `ACK` and so on."""
        return self.heard.tcp.flags

    @property
    def data(self) -> bytes:
        """The octets that it carries."""
        return self.heard.data

    @property
    def seq(self) -> int:
        """The sequence number, counted from the host's SYN."""
        return self.conversation.host_number(self.heard.tcp.seq)

    @property
    def ack(self) -> int:
        """The acknowledgment number, counted from the peer's SYN; 0 in a segment without ACK."""
        return (self.heard.tcp.ack - ISS) % MOD if self.flags & ACK else 0

    @property
    def window(self) -> int:
        """The window field. The peer offers no window scaling: it is in octets."""
        return self.heard.tcp.window

    @property
    def length(self) -> int:
        """How many sequence numbers it takes: SYN and FIN count, too."""
        return self.heard.length

    @property
    def line(self) -> str:
        """The segment in one line."""
        return segment_line(self.flags, self.seq, self.ack, self.window, self.data)


def segment_line(flags: int, seq: int, ack: int, window: int, data: bytes) -> str:
    """A segment in one line, such as "ACK seq 1 ack 1 win 65535 len 5 'hello'"."""
    text = f"{flag_names(flags)} seq {seq}"
    if flags & ACK:
        text += f" ack {ack}"
    text += f" win {window}"
    if data:
        text += f" len {len(data)} {data[:SHOWN_OCTETS]!r}"[:-1].replace(" b'", " '").replace(' b"', ' "')
        text += ("..." if len(data) > SHOWN_OCTETS else "") + repr(data[:SHOWN_OCTETS])[-1]
    return text


class SegmentFields(TypedDict, total=False):
    """The fields of a segment that `Conversation.transmit` has defaults for."""

    seq: int | None
    ack: int | None
    window: int | None
    options: bytes
    urgent: int
    bad_checksum: bool


class Conversation:
    """One connection between the peer and a host.

    remote, remote_port, local_port: the host's address and the two ports.
    established: the handshake is over, as far as the peer knows.
    silent: the peer sends nothing more and does nothing more; it still notes what comes.
    forgotten: the peer knows nothing of the connection any more, and answers with RST.
    received: the octets that the peer has taken since the last request that it has answered.
    received_octets, sent_octets: how many octets of data it has taken and sent, each counted once.
    answered: how many answers of `Peer.answers` it has begun to send.
    fin_sent: the peer has sent FIN.
    next_seq, next_ack: the numbers of its next segment.
    """

    def __init__(self, peer: Peer, remote: bytes, remote_port: int, local_port: int) -> None:
        self.peer = peer
        self.remote = remote
        self.remote_port = remote_port
        self.local_port = local_port
        self.established = False
        self.silent = False
        self.forgotten = False
        self.received = bytearray()
        self.received_octets = 0
        self.sent_octets = 0
        self.answered = 0
        self.fin_sent = False
        self.next_seq = 0
        self.next_ack = 0
        self._irs: int | None = None  # the host's first sequence number, on the wire
        self._acknowledged = 0  # what the host has acknowledged, counted from our SYN
        self._window = 0  # what the host offers, octets
        self._mss = DEFAULT_MSS
        self._pending = bytearray()
        self._finishing = False
        self._fin_taken = False
        self._data_segments = 0
        self._busy = False  # a task sends the data piece by piece
        self._limited = False

    def __repr__(self) -> str:
        there = f"{format_ipv4(self.remote)}:{self.remote_port}"
        return f"<Conversation of port {self.local_port} with {there}, {self.next_seq} sent, {self.next_ack} taken>"

    # --- numbers

    def host_number(self, number: int) -> int:
        """A sequence number of the host on the wire, counted from its SYN."""
        return (number - (self._irs or 0)) % MOD

    def note(self, heard: Heard) -> None:
        """Learn what a segment tells of the host: its first number, its MSS, its window."""
        if heard.tcp.flags & SYN and self._irs is None:
            self._irs = heard.tcp.seq
            try:
                self._mss = parse_options(heard.tcp.options).mss or DEFAULT_MSS
            except BadPacket:
                self._mss = DEFAULT_MSS
        if heard.tcp.flags & ACK:
            acknowledged = (heard.tcp.ack - ISS) % MOD
            if self._acknowledged <= acknowledged <= self.next_seq:
                self._acknowledged = acknowledged
                self._window = heard.tcp.window

    def take(self, segment: Received) -> bool:
        """Take what is next in a segment: SYN, the data that the window allows, FIN.

        Afterwards `next_ack` acknowledges it. False if there was nothing new. The peer keeps no
        segment that comes too early.
        """
        before, flags = self.next_ack, segment.flags
        if flags & SYN:
            self.next_ack = max(self.next_ack, 1)
        start = segment.seq + bool(flags & SYN)
        if self._irs is None or not start <= self.next_ack <= start + len(segment.data):
            return self.next_ack != before
        room = self.window if segment.data else 0
        new = segment.data[self.next_ack - start :][:room]
        self.received += new
        self.received_octets += len(new)
        self.next_ack += len(new)
        if flags & FIN and not self._fin_taken and self.next_ack == start + len(segment.data):
            self.next_ack += 1
            self._fin_taken = True
        return self.next_ack != before

    @property
    def window(self) -> int:
        """The window that the peer offers now, in octets."""
        takes = self.peer.takes
        return self.peer.window if takes is None else max(0, min(self.peer.window, takes - self.received_octets))

    # --- speaking

    def transmit(
        self,
        flags: int = ACK,
        data: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        options: bytes = b"",
        urgent: int = 0,
        bad_checksum: bool = False,
    ) -> None:
        """Send one segment now, whatever its fields are. It is sent once, and never again.

        `seq` and `ack` count from the SYNs and default to `next_seq` and `next_ack`; `window`
        defaults to what the peer offers. ValueError for options that do not fit a header.
        """
        seq = self.next_seq if seq is None else seq
        acknowledged = 0 if not flags & ACK else self.next_ack if ack is None else ack
        window = self.window if window is None else window
        self.next_seq = max(self.next_seq, seq + len(data) + bool(flags & SYN) + bool(flags & FIN))
        self.fin_sent = self.fin_sent or bool(flags & FIN)
        if data:
            self._data_segments += 1
            every = self.peer.breaks_checksum_of_every
            bad_checksum = bad_checksum or bool(every and self._data_segments % every == 0)
        for _ in range(self.peer.copies):
            self.peer.log_line(">", segment_line(flags, seq, acknowledged, window, data), bad_checksum)
            self.peer.says_tcp(
                format_ipv4(self.remote),
                (self.local_port, self.remote_port),
                flags,
                seq=(ISS + seq) % MOD,
                ack=((self._irs or 0) + acknowledged) % MOD if flags & ACK else 0,
                data=data,
                window=window,
                options=options,
                urgent=urgent,
                bad_checksum=bad_checksum,
            )

    def reset(self) -> None:
        """Send RST, and forget the connection."""
        self.transmit(RST | ACK)
        self.forget()

    def forget(self) -> None:
        """Forget the connection without a word: the host's next segment is answered with RST."""
        self.forgotten = True
        self._pending.clear()

    def refuse(self, segment: Received) -> None:
        """Answer a segment of a connection that the peer does not know with RST.

        RFC 9293 section 3.10.7.1, the state CLOSED.
        """
        if segment.flags & RST:
            return
        if segment.flags & ACK:
            self.transmit(RST, seq=segment.ack)
        else:
            self.transmit(RST | ACK, seq=0, ack=segment.seq + segment.length)

    def say(self, data: bytes) -> None:
        """Send data as the host's window and the settings of the peer allow."""
        self._pending += data
        self._push()

    def finish(self) -> None:
        """Send FIN after the data that was said. A second call does nothing."""
        self._finishing = True
        self._push()

    def _push(self) -> None:
        if not self._busy and not self.silent and not self.forgotten:
            if self.peer.gap_s and self._pending:
                self._busy = True
                self.peer.start_soon(self._push_slowly)
                return
            while self._send_piece():
                pass

    async def _push_slowly(self) -> None:
        await self.peer.sleep(self.peer.gap_s)
        while self._send_piece():
            await self.peer.sleep(self.peer.gap_s)
        self._busy = False

    def _send_piece(self) -> bool:
        """Send the next segment of what was said, or FIN. False if there is none to send now."""
        if self.silent or self.forgotten or self.fin_sent:
            return False
        limit, action = self.peer.limit
        if self.sent_octets >= limit and not self._limited:
            self._limited = True
            action(self)
            return False
        if not self._pending:
            if self._finishing:
                self.transmit(FIN | ACK)
            return False
        room = self._acknowledged + self._window - self.next_seq
        size = math.floor(min(room, self._mss, self.peer.segment_octets, limit - self.sent_octets, len(self._pending)))
        if size <= 0:
            return False
        piece = bytes(self._pending[:size])
        del self._pending[:size]
        self.sent_octets += size
        self.transmit(ACK | (0 if self._pending else PSH), piece)
        return True

    # --- what an honest peer answers

    def answer(self, segment: Received) -> None:
        """Answer a segment as TCP does; see the class `Peer` for what is left out."""
        flags = segment.flags
        if self.silent:
            return
        if flags & RST:
            self.forget()
        elif self.forgotten:
            self.refuse(segment)
        elif flags & SYN:
            self.take(segment)
            if flags & ACK:
                self.established = True
                self.transmit(ACK, seq=max(self.next_seq, 1))
            else:
                self.transmit(SYN | ACK, seq=0, options=MSS_OPTION)
        else:
            if flags & ACK and segment.ack >= 1:
                self.established = True
            # A probe of the window has no new octet; it is answered, too (RFC 9293 section
            # 3.10.7.4).
            if self.take(segment) or segment.length or segment.seq != self.next_ack:
                self.transmit(ACK)
            self.peer.answer_request(self)
            if self._fin_taken and self.peer.closes:
                self.finish()
            self._push()
