"""Explicit Congestion Notification: routers mark packets instead of dropping them.

The receiver tells the sender of the mark, and the sender reduces its window. See RFC 3168 section
6.1.

    IP's two bits (section 5)                     TCP's two flags

    00 Not-ECT   the sender does not use ECN      ECE  "a packet had CE", on every ACK until CWR
    10 ECT(0)    it does: mark this one,          CWR  "I have reduced my window", on the next
    01 ECT(1)       do not drop it                     new data
    11 CE        congestion was experienced
"""

from __future__ import annotations

from math import inf

from stack.tcp import loss, seq
from stack.tcp.segment import Segment
from stack.tcp.states import SYN_SENT
from stack.tcp.tcb import Path, Tcb
from stack.wire.tcp import ACK, CWR, ECE

ECT_0 = 0b10
CE = 0b11
_DIFFSERV = 0xFC  # the bits of the old TOS octet that are not ECN's

OFF, ACCEPT, ON = "off", "accept", "on"
"""Values of `config.ecn`: never; if the peer asks for it; ask for it in our SYNs as well."""


class Ecn:
    """ECN on one connection, made when an ECN-setup SYN is sent or arrives.

    - `ect`: our data is sent as ECN-capable.
    - `echo`: a packet had CE, and no CWR has come since.
    - `cwr`: the window was reduced, and the peer has not been told yet.
    - `reduced_at`: SND.NXT at the last reduction; one reduction a round trip is enough.
    - `hold_until`: no new data is sent before then, because a window of one segment is still too
      large (6.1.2).
    """

    __slots__ = ("cwr", "echo", "ect", "hold_until", "reduced_at")

    def __init__(self, iss: int) -> None:
        self.ect = True
        self.echo = False
        self.cwr = False
        self.reduced_at = iss
        self.hold_until = -inf

    def reduced(self, snd_nxt: int) -> None:
        """The congestion window was reduced, for any reason: CWR goes with the next new data."""
        self.cwr = True
        self.reduced_at = snd_nxt

    def mark(self, path: Path, snd_una: int) -> int:
        """Set ECT(0) for new data that is about to be sent; return CWR or 0, for its flags.

        The caller calls `unmark` afterwards.
        """
        if seq.gt(snd_una, self.reduced_at):
            # Move it along with SND.UNA: once 2**31 octets behind, it would seem to lie ahead
            self.reduced_at = seq.add(snd_una, -1)
        if not self.ect:
            return 0
        path.tos = path.tos & _DIFFSERV | ECT_0
        if self.cwr:
            self.cwr = False
            return CWR
        return 0

    def unmark(self, path: Path) -> None:
        """Clear ECT(0): retransmissions, pure ACKs and probes are Not-ECT (6.1.4 to 6.1.6)."""
        path.tos &= _DIFFSERV


def syn_flags(tcb: Tcb) -> int:
    """ECE and CWR for our SYN, ECE for our SYN,ACK, or nothing (6.1.1).

    A SYN without an answer is sent again without them, because a middlebox may have dropped it for
    them (6.1.1.1). From then on our data is not ECN-capable, even if an answer to the first SYN
    comes.
    """
    if tcb.state is not SYN_SENT:
        return ECE if tcb.ecn is not None else 0
    if tcb.config.ecn != ON:
        return 0
    if tcb.ecn is None:
        tcb.ecn = Ecn(tcb.iss)
    if tcb.timeouts:
        tcb.ecn.ect = False
        return 0
    return ECE | CWR


def take_syn_flags(tcb: Tcb, flags: int) -> None:
    """Process the ECN flags of the peer's SYN or SYN,ACK.

    Only the two exact combinations are ECN-setup packets (6.1.1).
    """
    setup = flags & (ECE | CWR)
    if flags & ACK:
        if setup != ECE:
            tcb.ecn = None
    elif tcb.state is SYN_SENT:  # simultaneous open: ECN is not used
        tcb.ecn = None
    elif setup == ECE | CWR and tcb.config.ecn != OFF:
        tcb.ecn = Ecn(tcb.iss)


def take_marks(tcb: Tcb, ecn: Ecn, seg: Segment) -> None:
    """Process a segment in the window: CWR ends the echo, and CE on data begins it (6.1.3).

    A FIN or a window probe counts as data.
    """
    if seg.flags & CWR:
        if ecn.echo and tcb.services.trace is not None:
            tcb.tell("tcp:ecn", "ecn_sender_has_reduced", echo=False)
        ecn.echo = False
    if seg.ce and seg.whole_len:
        if not ecn.echo:
            # Tell the sender at once: the ACK of one segment is delayed, and the sender may have no
            # window left for a second one
            tcb.ack_now = "ack_congestion"
            if tcb.services.trace is not None:
                tcb.tell("tcp:ecn", "ecn_packet_was_marked", echo=True)
        ecn.echo = True
        tcb.services.counters["tcpInCePkts"] += 1


def echo_arrived(tcb: Tcb, ecn: Ecn, cwnd: int, flight: int, now: float) -> None:
    """An ACK had ECE: reduce the window as for a loss, at most once a round trip (6.1.2).

    Nothing is retransmitted. `cwnd` and `flight` are the values before the ACK, which does not open
    the window.
    """
    congestion = tcb.congestion
    if not tcb.recovering:
        congestion.cwnd = min(congestion.cwnd, cwnd)
    if not seq.gt(tcb.snd_una, ecn.reduced_at):
        if tcb.services.trace is not None:
            tcb.tell("tcp:ecn", "ecn_window_was_reduced", reduced_at=ecn.reduced_at)
        return
    if congestion.cwnd <= congestion.mss:
        ecn.hold_until = now + tcb.rtt.timeout_s()
    loss.reduce(tcb, loss.MARK, flight, now, because="loss_spared_by_mark")
