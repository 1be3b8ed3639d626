"""Explicit Congestion Notification: routers mark packets instead of losing them, and the receiver tells the sender.

See RFC 3168 section 6.1. IP's two bits (section 5):      TCP's two flags:

    00 Not-ECT   the sender knows nothing of ECN           ECE  "a packet came with CE", on every ACK until ...
    10 ECT(0)    it does: mark this one rather than        CWR  "I have reduced my window", on the next new data
    01 ECT(1)       losing it
    11 CE        congestion was experienced
"""

from __future__ import annotations

from math import inf

from stack.tcp import seq
from stack.tcp.segment import Segment
from stack.tcp.states import State
from stack.tcp.tcb import Path, Tcb
from stack.wire.tcp import ACK, CWR, ECE

ECT_0 = 0b10
CE = 0b11
_DIFFSERV = 0xFC  # what is not ECN's of the old TOS octet

OFF, ACCEPT, ON = "off", "accept", "on"
"""`config.ecn`: never; when the peer asks for it; and asking for it ourselves, too."""


class Ecn:
    """ECN on one connection, made when an ECN-setup SYN is sent or arrives.

    `ect`: our data is sent as ECN-capable. `echo`: a packet had CE, and no CWR has come since. `cwr`: the window was
    reduced, which the peer does not know yet. `reduced_at`: SND.NXT when it was reduced last, as once a round trip is
    enough. Before `hold_until` no new data goes out (6.1.2: the window of one segment that is still too much).
    """

    __slots__ = ("cwr", "echo", "ect", "hold_until", "reduced_at")

    def __init__(self, iss: int) -> None:
        self.ect = True
        self.echo = False
        self.cwr = False
        self.reduced_at = iss
        self.hold_until = -inf

    def reduced(self, snd_nxt: int) -> None:
        """The congestion window was reduced, for whatever reason: CWR goes with the next new data."""
        self.cwr = True
        self.reduced_at = snd_nxt

    def mark(self, path: Path, snd_una: int) -> int:
        """New data is about to go out: make it ECT(0); returns CWR or 0, for its flags. `unmark` follows."""
        if seq.gt(snd_una, self.reduced_at):
            self.reduced_at = seq.add(snd_una, -1)  # drawn along, or after 2**31 octets it would seem to lie ahead
        if not self.ect:
            return 0
        path.tos = path.tos & _DIFFSERV | ECT_0
        if self.cwr:
            self.cwr = False
            return CWR
        return 0

    def unmark(self, path: Path) -> None:
        """Everything else is Not-ECT: nobody would notice its loss, or it was lost before (6.1.4 to 6.1.6)."""
        path.tos &= _DIFFSERV


def syn_flags(tcb: Tcb) -> int:
    """ECE and CWR for our SYN, ECE for our SYN,ACK, or nothing (6.1.1).

    A SYN that was not answered is sent again without them, as some box on the way may not like them (6.1.1.1); from
    then on our data is not ECN-capable, even if an answer to the first one comes.
    """
    if tcb.state is not State.SYN_SENT:
        return ECE if tcb.ecn is not None else 0
    if tcb.services.config.ecn != ON:
        return 0
    if tcb.ecn is None:
        tcb.ecn = Ecn(tcb.iss)
    if tcb.timeouts:
        tcb.ecn.ect = False
        return 0
    return ECE | CWR


def take_syn_flags(tcb: Tcb, flags: int) -> None:
    """What the peer's SYN or SYN,ACK says. Only the two exact combinations are ECN-setup packets (6.1.1)."""
    setup = flags & (ECE | CWR)
    if flags & ACK:
        if setup != ECE:
            tcb.ecn = None
    elif tcb.state is State.SYN_SENT:  # SYNs that cross: leave it
        tcb.ecn = None
    elif setup == ECE | CWR and tcb.services.config.ecn != OFF:
        tcb.ecn = Ecn(tcb.iss)


def take_marks(tcb: Tcb, ecn: Ecn, seg: Segment) -> None:
    """A segment in the window: CWR ends the echo, and CE on data (or FIN, or a window probe) begins it (6.1.3)."""
    if seg.flags & CWR:
        ecn.echo = False
    if seg.ce and seg.whole_len:
        if not ecn.echo:
            tcb.ack_now = True  # the sender should hear of it soon, and may have no window left for a second segment
        ecn.echo = True
        tcb.services.counters["tcpInCePkts"] += 1


def echo_arrived(tcb: Tcb, ecn: Ecn, cwnd: int, flight: int, now: float) -> None:
    """An ACK had ECE: reduce the window as for a loss, at most once a round trip, and retransmit nothing (6.1.2).

    `cwnd` and `flight` are from before the ACK: it does not make the window grow.
    """
    congestion = tcb.congestion
    if not tcb.recovering:
        congestion.cwnd = min(congestion.cwnd, cwnd)
    if not seq.gt(tcb.snd_una, ecn.reduced_at):
        return
    if congestion.cwnd <= congestion.mss:
        ecn.hold_until = now + tcb.rtt.timeout_s()
    congestion.on_ecn(flight, now)
    ecn.reduced(tcb.snd_nxt)
    if tcb.services.trace is not None:
        tcb.trace("congestion experienced", cwnd=congestion.cwnd)
