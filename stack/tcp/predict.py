"""Header prediction: most segments are just the next ones, and need few of the questions of RFC 9293 section 3.10.7.4.

Van Jacobson's idea ("Compressing TCP/IP Headers" and his 1988 notes on the BSD code): while a connection is ESTABLISHED
and nothing is lost, late, closing or urgent, a segment either brings the next octets or acknowledges the next ones, or
both. Then of the eight steps what is left is: take the timestamp, take the acknowledgment, take the text. Whatever is
not exactly as expected goes the full way, `segment_arrives.py`, with the same bytes; a segment that is predicted leaves
the TCB as that way would have left it (tests/tcp/test_predict.py), since the parts that do the work are the same.
"""

from __future__ import annotations

from struct import Struct

from stack.tcp.acks import new_data_acknowledged, without_sack
from stack.tcp.recovery import cumulative_ack
from stack.tcp.segment_arrives import deliver_in_order
from stack.tcp.seq import MASK
from stack.tcp.states import State
from stack.tcp.tcb import Tcb
from stack.tcp.timestamps import LAYOUT
from stack.wire.tcp import ACK, HEADER_LENGTH, PSH

# Behind the ports: sequence and acknowledgment number, offset and control bits, window; checksum and urgent pointer are
# skipped, since the one was verified and the other means nothing without URG. Then the Timestamps option, laid out as
# appendix A of RFC 7323 has it.
_PLAIN = Struct(">4xIIHH")
_STAMPED = Struct(">4xIIHH4xIII")
_STAMPED_LENGTH = HEADER_LENGTH + 12
_PLAIN_ACK = HEADER_LENGTH << 10 | ACK
_STAMPED_ACK = _STAMPED_LENGTH << 10 | ACK
_HALF = 0x8000_0000
_ESTABLISHED = State.ESTABLISHED

# What `predicted` says. After TEXT_ALONE nothing has changed but what text changes: another such segment would be
# predicted just so.
NOT_PREDICTED, PREDICTED, DATA_ONLY = 0, 1, 2


def predicted(tcb: Tcb, data: memoryview, now: float) -> int:  # hot
    """Process a segment (header and text; its checksum is right) if it is what was expected.

    NOT_PREDICTED: it is not, and nothing was touched.
    """
    timestamps = tcb.timestamps
    ts_ecr = -1
    if timestamps.agreed:
        if len(data) < _STAMPED_LENGTH:
            return NOT_PREDICTED
        seq, ack, control, window, layout, ts_val, ts_ecr = _STAMPED.unpack_from(data)
        if control & ~PSH != _STAMPED_ACK or layout != LAYOUT or (ts_val - timestamps.recent) & MASK >= _HALF:
            return NOT_PREDICTED
        text = data[_STAMPED_LENGTH:]
    else:
        seq, ack, control, window = _PLAIN.unpack_from(data)
        if control & ~PSH != _PLAIN_ACK:
            return NOT_PREDICTED
        text = data[HEADER_LENGTH:]
    acked = (ack - tcb.snd_una) & MASK
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    if (
        tcb.state is not _ESTABLISHED
        or seq != tcb.rcv_nxt
        or len(text) > tcb.rcv_wnd
        or acked > flight
        or not (acked or text)
        or not window
        or not tcb.snd_wnd
        or (seq - tcb.snd_wl1) & MASK >= _HALF  # SND.WND was taken from a newer segment
        # Loss, reordering, an end, a mark, want of memory, an observer: the full path looks after them.
        or tcb.receive_buffer.held
        or tcb.recovering
        or tcb.rto_recovery
        or tcb.rtx_stamp is not None
        or tcb.tlp_end is not None
        or tcb.rcv_fin_seq is not None
        or tcb.ecn is not None
        or tcb.services.budget.tight
        or tcb.services.trace is not None
    ):
        return NOT_PREDICTED
    tcb.last_received_at = now
    tcb.keepalive_probes_sent = 0
    if ts_ecr >= 0 and seq == timestamps.last_ack_sent:
        timestamps.recent, timestamps.recent_at = ts_val, now
    if acked:
        new_data_acknowledged(tcb, ack, acked, ts_ecr, now)
        if tcb.scoreboard is not None:
            cumulative_ack(tcb, tcb.scoreboard, acked, ts_ecr, now)
        else:
            without_sack(tcb, ack, acked, now)
    window <<= tcb.snd_shift
    tcb.snd_wnd, tcb.snd_wl1, tcb.snd_wl2 = window, seq, ack
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window
    if text:
        deliver_in_order(tcb, text, now)
    tcb.touch()
    return PREDICTED if acked else DATA_ONLY


def deliver_train(tcb: Tcb, texts: list[bytes | memoryview], length: int) -> None:
    """Process segments like the one before them, which was TEXT_ALONE: only SEG.SEQ goes on, by `length` octets each.

    They fit the window, and nothing else has happened to the connection. `texts` is left to the receive buffer.
    """
    count = len(texts) * length
    tcb.receive_buffer.extend(texts, count)
    tcb.rcv_nxt = (tcb.rcv_nxt + count) & MASK
    tcb.rcv_wnd -= count
    tcb.snd_wl1 = (tcb.rcv_nxt - length) & MASK
    tcb.ack_due += count
