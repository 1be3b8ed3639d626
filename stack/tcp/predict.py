"""Header prediction: most segments are the expected ones and need few tests of 3.10.7.4.

The idea is Van Jacobson's ("Compressing TCP/IP Headers", RFC 1144, and his 1988 notes on the BSD
code). While nothing is lost, late or urgent, a segment brings the next octets, or acknowledges the
next octets, or both. Three parts of the eight steps are then left to do: store the timestamp,
process the ACK, take the text. Three other kinds of segments are predicted too: the ACK that ends
the handshake of a passive open, the peer's FIN, and ACKs while either end closes. These change the
state as well. Outside ESTABLISHED only a segment without text is predicted.

A segment that is not exactly as expected is left to `segment_arrives.py`, unchanged. A predicted
segment leaves the TCB as `segment_arrives.py` would have left it, because both call the same
functions (tests/host/test_fast_connections.py). The other tests of the slow path are skipped, since
what is tested here implies their results:

| test of the slow path | what implies that the segment passes it |
|---|---|
| data offset | the header has 20 octets, or 32 with timestamps: no other option is there |
| PAWS (before the first step) | TSval is not older than the last one |
| sequence number (first) | SEG.SEQ is RCV.NXT, and the text and the FIN fit the window |
| RST, SYN, URG (second, fourth, sixth) | no control bit is set but ACK, PSH and FIN |
| ACK (fifth) | ACK is set, and SND.UNA =< SEG.ACK =< SND.NXT |
| listener and memory (fifth) | there is room for the connection, and no TCP_DEFER_ACCEPT |
| text of the SYN, waiting CLOSE (fifth) | the SYN had no text; no user has the connection yet |
| duplicate ACK (fifth) | the segment has text or a FIN, or acknowledges new octets |
| text after a CLOSE or a FIN (seventh) | text is expected only in ESTABLISHED |
| FIN (eighth) | no earlier FIN waits for text, and no FIN is predicted after the peer's first |
"""

from __future__ import annotations

from stack.tcp.acks import new_data_acknowledged
from stack.tcp.handshake import enter_established
from stack.tcp.newreno import new_ack
from stack.tcp.recovery import cumulative_ack
from stack.tcp.segment_arrives import deliver_in_order, fin_in_order, our_fin_is_acknowledged
from stack.tcp.seq import MASK, gt
from stack.tcp.states import CLOSE_WAIT, CLOSED, CLOSING, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK, SYN_RECEIVED
from stack.tcp.tcb import Tcb
from stack.wire.tcp import ACK, FIN, HEADER_LENGTH, PSH, STAMPED, UNSTAMPED
from stack.wire.tcp_options import STAMP, STAMP_LAYOUT

_STAMPED_LENGTH = HEADER_LENGTH + STAMP.size
_UNSTAMPED_ACK = HEADER_LENGTH << 10 | ACK
_STAMPED_ACK = _STAMPED_LENGTH << 10 | ACK
_MAY_BE_SET = PSH | FIN
_HALF = 0x8000_0000

# States besides ESTABLISHED in which the peer's FIN may come next, or an ACK of what we sent. In
# FIN-WAIT-2 all that we sent is acknowledged.
_FIN_MAY_COME = frozenset({FIN_WAIT_1, FIN_WAIT_2})
_ACK_MAY_COME = frozenset({FIN_WAIT_1, CLOSE_WAIT, CLOSING, LAST_ACK})

# The results of `predicted`. DATA_ONLY: the segment had text, but no FIN, and acknowledged nothing.
# The next segment will then be predicted as well, if it has the same form.
NOT_PREDICTED, PREDICTED, DATA_ONLY = 0, 1, 2


def predicted(tcb: Tcb, data: memoryview, now: float) -> int:  # hot
    """Process a segment (header and text, with the checksum verified) if it is the expected one.

    Returns NOT_PREDICTED, with the connection unchanged, if it is not.
    """
    timestamps = tcb.timestamps
    ts_ecr = -1
    if timestamps.agreed:
        if len(data) < _STAMPED_LENGTH:
            return NOT_PREDICTED
        seq, ack, control, window, layout, ts_val, ts_ecr = STAMPED.unpack_from(data)
        if (
            control & ~_MAY_BE_SET != _STAMPED_ACK
            or layout != STAMP_LAYOUT
            or (ts_val - timestamps.recent) & MASK >= _HALF
        ):
            return NOT_PREDICTED
        text = data[_STAMPED_LENGTH:]
    else:
        seq, ack, control, window = UNSTAMPED.unpack_from(data)
        if control & ~_MAY_BE_SET != _UNSTAMPED_ACK:
            return NOT_PREDICTED
        text = data[HEADER_LENGTH:]
    acked = (ack - tcb.snd_una) & MASK
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    fin = control & FIN
    length = len(text) + fin
    state = tcb.state
    if (
        seq != tcb.rcv_nxt
        or length > tcb.rcv_wnd
        or acked > flight
        or not (acked or length)
        or (state is not ESTABLISHED and (text or not _expects(tcb, fin)))
        or not window
        or not tcb.snd_wnd
        or (seq - tcb.snd_wl1) & MASK >= _HALF  # SND.WND is from a newer segment
        # Loss, reordering, an early FIN, ECN and low memory are left to segment_arrives.
        or tcb.receive_buffer.held
        or tcb.loss is not None
        or tcb.rtx_stamp is not None
        or tcb.tlp_end is not None
        or (tcb.rcv_fin_seq is not None and not tcb.peer_fin)
        or tcb.ecn is not None
        or tcb.services.budget.tight
    ):
        return NOT_PREDICTED
    tcb.last_received_at = now
    tcb.keepalive_probes_sent = 0
    if ts_ecr >= 0 and seq == timestamps.last_ack_sent:
        timestamps.recent, timestamps.recent_at = ts_val, now
    if state is SYN_RECEIVED:
        enter_established(tcb, seq, ack, window, now)
        if tcb.state is CLOSED:  # the user was woken, took the connection and aborted it
            return PREDICTED
    if acked:
        new_data_acknowledged(tcb, ack, acked, ts_ecr, length, now)
        if tcb.scoreboard is not None:
            cumulative_ack(tcb, tcb.scoreboard, acked, ts_ecr, now)
        else:
            new_ack(tcb, ack, acked, now)
    window <<= tcb.snd_shift
    tcb.snd_wnd, tcb.snd_wl1, tcb.snd_wl2 = window, seq, ack
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window
    if text:
        deliver_in_order(tcb, text, now)
    goes_on = True
    if tcb.fin_seq is not None and gt(ack, tcb.fin_seq):
        goes_on = our_fin_is_acknowledged(tcb, now)
    if fin and goes_on:
        tcb.rcv_fin_seq = tcb.rcv_nxt
        fin_in_order(tcb, now)
    tcb.touch()
    return PREDICTED if acked or fin else DATA_ONLY


def _expects(tcb: Tcb, fin: int) -> bool:
    """Whether an ACK without text, or a FIN if `fin` is set, is predicted outside ESTABLISHED.

    In SYN-RECEIVED an ACK is, if the SYN had no text and the listener takes the connection now.
    """
    if tcb.state is not SYN_RECEIVED:
        return tcb.state in (_FIN_MAY_COME if fin else _ACK_MAY_COME)
    return (
        not (fin or tcb.syn_text or tcb.user_options.defer_accept_s)
        and tcb.listener is not None  # not accepted yet: no user can have called CLOSE
        and tcb.listener.has_room()
        and not tcb.services.budget.refuses(tcb.remote[0])
    )


def deliver_train(tcb: Tcb, texts: list[bytes | memoryview], length: int) -> None:
    """Process segments that follow a DATA_ONLY one and differ from it only in SEG.SEQ and text.

    Each has `length` octets. The caller has checked that they fit the window and that nothing else
    has happened to the connection. The receive buffer keeps the objects in `texts`.
    """
    count = len(texts) * length
    tcb.receive_buffer.extend(texts, count)
    tcb.rcv_nxt = (tcb.rcv_nxt + count) & MASK
    tcb.rcv_wnd -= count
    tcb.snd_wl1 = (tcb.rcv_nxt - length) & MASK
    tcb.ack_due += count
