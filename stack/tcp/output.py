"""Output: decide what to send now, and form the segments.

See RFC 9293 sections 3.7.4 (Nagle), 3.8.6.2.1 (silly window avoidance in the sender) and 3.10.2
(SEND). `emit` is the only function that forms a segment of a connection.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from stack.tcp import user_timeout
from stack.tcp.pacing import Pacer
from stack.tcp.path_mtu import note_sent
from stack.tcp.prr import Prr
from stack.tcp.rack import Rack
from stack.tcp.scoreboard import LOST, MAYBE_LOST, NEW, RESCUE, Scoreboard
from stack.tcp.seq import MASK, ge
from stack.tcp.states import CLOSE_WAIT, CLOSED, ESTABLISHED, SYN_RECEIVED, Event
from stack.tcp.tcb import WAKE_WRITABLE, Tcb
from stack.tcp.urgent import urgent_pointer
from stack.tcp.window import MAX_UNSCALED_WINDOW, open_window, window_field
from stack.wire.checksum import WORTH_FOLDING, Buffer, folded
from stack.wire.tcp import ACK, ALL_FIELDS, CWR, ECE, FIN, HEADER_LENGTH, PSH, RST, SYN, URG, flag_names
from stack.wire.tcp_options import MAX_LENGTH

if TYPE_CHECKING:
    from stack.tcp.trace import TcpTrace

_SHORTEST_BURST = 2  # segments: a peer that delays its ACKs acknowledges every second segment at once
_BY_RULE = {LOST: "again_sack_lost", MAYBE_LOST: "again_sack_maybe_lost", RESCUE: "again_sack_rescue"}
_CLOSED, _SYN_RECEIVED, _ESTABLISHED = int(CLOSED), int(SYN_RECEIVED), int(ESTABLISHED)


def emit(  # hot
    tcb: Tcb,
    seq: int,
    flags: int,
    now: float,
    parts: list[Buffer] | None = None,
    length: int = 0,
    options: bytes = b"",
    segment_bytes: int = 0,
    because: str = "",
) -> None:
    """Form one segment and send it: `length` octets of data in `parts`; options padded to 4 octets.

    With `segment_bytes` the packet is a super-frame: its data is cut into segments of that many
    octets below. If the checksum is completed there, too (`checksum_offload`), the checksum field
    holds only the sum of the pseudo-header.

    `because` is what observers are told: why a retransmission, a probe, a reset or a bare ACK is
    sent. Without it, `_tell_send` finds the reason.
    """
    services = tcb.services
    trace = services.trace
    if trace is not None:
        because = _tell_ack(tcb, trace, flags, length, because)
    local_port, remote_port = tcb.local[1], tcb.remote[1]
    if flags & ACK:
        open_window(tcb)
        ack = tcb.rcv_nxt
        tcb.ack_now = ""
        tcb.ack_due = 0
        tcb.delack_deadline = inf
        if tcb.ecn is not None and tcb.ecn.echo and not flags & (SYN | RST):
            flags |= ECE
    else:
        ack = 0
    timestamps = tcb.timestamps
    if timestamps.agreed and not flags & SYN:  # the options of a SYN are complete
        timestamps.last_ack_sent = ack
        options = timestamps.option(now) + options
    up = 0
    if tcb.snd_up is not None and not flags & (SYN | RST):
        up = urgent_pointer(tcb, seq)
        if up:
            flags |= URG
    reporter = tcb.sack_reporter
    if reporter is not None and reporter.pending and flags & (ACK | SYN) == ACK:
        options += reporter.option((tcb.irs + 1) & MASK, MAX_LENGTH - len(options))
    if tcb.user_timeout is not None and tcb.user_timeout.due and not flags & (SYN | RST):
        options += user_timeout.option_if_it_fits(tcb, tcb.user_timeout, len(options), length)
    if trace is not None:
        _tell_send(tcb, seq, flags, length, segment_bytes, because)
    window = min(tcb.rcv_wnd, MAX_UNSCALED_WINDOW) if flags & SYN else window_field(tcb)
    header_length = HEADER_LENGTH + len(options)
    offset_and_flags = header_length << 10 | flags
    total = tcb.path.pseudo_sum + header_length + length + local_port + remote_port
    total += seq + ack + offset_and_flags + window + up
    offloaded = length > 0 and (segment_bytes > 0 or tcb.path.checksum_offload)
    if offloaded:
        checksum = (tcb.path.pseudo_sum + header_length + length) % 0xFFFF
    else:
        checksum = _checksum(total, options, parts, length)
    header = ALL_FIELDS.pack(local_port, remote_port, seq, ack, offset_and_flags, window, checksum, up) + options
    services.counters["tcpOutSegs"] += -(-length // segment_bytes) if segment_bytes else 1
    length += header_length
    whole: list[Buffer] = [header, *parts] if parts else [header]
    try:
        if offloaded:
            tcb.path.send_offloaded(whole, length, now, header_length, segment_bytes, flags & CWR != 0)
        else:
            tcb.path.send(whole, length, now)
    except OSError as error:  # for example, the route is gone: treat it as lost in the network
        tcb.soft_error = error.errno or 0
        services.counters.drop("tcp_not_sent")


def _checksum(total: int, options: bytes, parts: list[Buffer] | None, length: int) -> int:
    """The checksum of a segment; `total` is the sum of pseudo-header and header without options.

    No pass over the header is needed: modulo 65535 a 32-bit field equals the sum of its two halves
    (RFC 1071 section 2), and a part that begins at an odd offset counts 256 times.
    """
    if options:
        total += int.from_bytes(options, "big")
    if parts:
        data = 0
        for part in parts:
            data = (data << 8 if len(part) & 1 else data) + int.from_bytes(part, "big")
        if length > WORTH_FOLDING:
            data = folded(data)
        total += data << 8 if length & 1 else data
    return 0xFFFF ^ (total % 0xFFFF or 0xFFFF)


def count_retransmission(tcb: Tcb) -> None:
    """Count the segment that `emit` is about to send as a retransmission.

    RFC 4022 does not count retransmissions in tcpOutSegs.
    """
    tcb.services.counters["tcpRetransSegs"] += 1
    tcb.services.counters["tcpOutSegs"] -= 1


def send_ack(tcb: Tcb, now: float, because: str) -> None:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>"""
    emit(tcb, tcb.snd_nxt, ACK, now, because=because)


def send_reset(tcb: Tcb, now: float, because: str) -> None:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK> for a known connection (3.10.5, 3.5.2)."""
    tcb.services.counters["tcpOutRsts"] += 1
    emit(tcb, tcb.snd_nxt, RST | ACK, now, because=because)


def transmit(tcb: Tcb, now: float) -> None:  # hot
    """Send all that may be sent now, and a bare ACK if one is still due.

    The caller then sets the timers (`timers.set_timers`), once if it transmits several times.
    """
    state = tcb.state
    if state >= _ESTABLISHED or (state == _SYN_RECEIVED and tcb.fast_opened):
        if tcb.pacer is not None:
            _begin_burst(tcb, tcb.pacer, now)
        if tcb.rtx_nxt != tcb.rtx_end:
            _retransmit_more(tcb, now)
        rack, board = tcb.rack, tcb.scoreboard
        if rack is None and board is not None and tcb.loss is not None:
            _recover(tcb, board, tcb.loss.prr, now)
        elif rack is not None and rack.lost and not _resend_lost(tcb, rack, now):
            pass  # lost segments go before new data
        elif tcb.fin_seq is None and (tcb.send_buffer.size or tcb.fin_queued):
            _send_new(tcb, now)
    if tcb.ack_now and tcb.state != _CLOSED:
        emit(tcb, tcb.snd_nxt, ACK, now)
    tcb.settled_flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    if tcb.services.trace is not None:
        _tell_why_not(tcb, tcb.services.trace, now)


def push(tcb: Tcb, now: float) -> None:
    """Send what a cork holds back; the cork stays for later data."""
    tcb.user_options = replace(tcb.user_options, cork=False)
    transmit(tcb, now)  # which may end TCP_QUICKACK
    tcb.user_options = replace(tcb.user_options, cork=True)


def _send_new(tcb: Tcb, now: float) -> None:  # hot
    """Send the new data, and the FIN after it, that the windows and rules allow."""
    if tcb.ecn is not None and now < tcb.ecn.hold_until:
        return
    if tcb.snd_nxt == tcb.snd_una and now - tcb.last_sent_at > tcb.rtt.timeout_s():
        tcb.congestion.on_idle()  # RFC 5681 section 4.1
    mss = tcb.mss
    most = mss
    # A super-frame: the link cuts it into segments
    if tcb.path.gso_max_bytes > mss and not _headers_differ(tcb):
        most = tcb.path.gso_max_bytes // mss * mss
    pacer = tcb.pacer
    prr = tcb.loss.prr if tcb.loss is not None else None
    while tcb.fin_seq is None:
        flight = (tcb.snd_nxt - tcb.data_una) & MASK  # neither window counts a SYN in flight
        unsent = tcb.send_buffer.size - flight
        if prr is not None:
            usable = min(tcb.snd_wnd - flight, prr.allowance)
        else:
            usable = min(tcb.snd_wnd, tcb.congestion.cwnd + tcb.left_network) - flight
        length = min(unsent, usable, most)
        if length < 0:
            length = 0
        with_fin = tcb.fin_queued and length == unsent and usable > length
        # The windows may end in the middle of a segment
        if length > mss and not with_fin and (tail := length % mss):
            length -= tail
            if _worth_sending(tcb, tail, unsent - length):
                length += tail
        if not with_fin and (length == 0 or (length < mss and not _worth_sending(tcb, length, unsent))):
            return
        if pacer is not None:
            if not pacer.may_send(now):
                return
            if length > mss and length > pacer.left:
                length, with_fin = max(pacer.left // mss, 1) * mss, False
        send_range(tcb, tcb.snd_nxt, length, with_fin, now, mss)
        if length == unsent and not tcb.fin_queued:
            return


def _headers_differ(tcb: Tcb) -> bool:
    """Whether the next segments need different headers, so that they cannot form a super-frame.

    An urgent pointer is relative to its own segment, and a duplicate is reported only once (RFC
    2883 section 4).
    """
    reporter = tcb.sack_reporter
    return tcb.snd_up is not None or (reporter is not None and reporter.duplicate_pending)


def _begin_burst(tcb: Tcb, pacer: Pacer, now: float) -> None:
    """Tell the pacer the rate: the congestion policy's, which the user's limit may lower."""
    if pacer.resume_at < inf:
        tcb.wakes |= WAKE_WRITABLE  # data that waited for the pacer can go now
    rate = tcb.congestion.pacing_rate(tcb.rtt.srtt_s)
    config = tcb.config
    least = _SHORTEST_BURST * tcb.congestion.mss
    pacer.begin_burst(inf if rate is None else rate, config.pacing_quantum_s, least, config.send_quantum_bytes, now)


def _recover(tcb: Tcb, board: Scoreboard, prr: Prr | None, now: float) -> None:
    """RFC 6675 section 5 (C): while cwnd - pipe >= 1 SMSS, send the segment that NextSeg returns.

    With PRR its allowance takes the place of cwnd - pipe (RFC 6937).
    """
    smss = tcb.congestion.mss
    pipe = board.set_pipe(board.high_ack + tcb.flight, smss)
    recovery_point = board.number(tcb.recover, tcb.snd_una)
    while (tcb.congestion.cwnd - pipe if prr is None else prr.allowance) >= smss:
        mss = min(tcb.mss, smss)
        length, with_fin = _new_segment(tcb, mss)
        found = board.next_seg(board.high_ack + tcb.flight, mss, length + with_fin)
        if found is None:
            return
        if tcb.pacer is not None and not tcb.pacer.may_send(now):
            return
        start, end, rule = found
        if rule == NEW:
            send_range(tcb, tcb.snd_nxt, length, with_fin, now, mss)
        else:
            seq = (tcb.snd_una + start - board.high_ack) & MASK
            end = start + retransmit_at(tcb, seq, end - start, now, _BY_RULE[rule])
            board.retransmitted(end, rule, recovery_point)
        pipe += end - start


def _resend_lost(tcb: Tcb, rack: Rack, now: float) -> bool:
    """Retransmit what RACK marked lost, as congestion control allows; return whether all went."""
    board = tcb.scoreboard
    assert board is not None
    prr = tcb.loss.prr if tcb.loss is not None else None
    because = "again_lost_at_timeout" if tcb.loss is not None and tcb.loss.after_timeout else "again_rack"
    while True:
        found = rack.next_lost(tcb.mss)
        if found is None:
            return True
        start, end = found
        room = tcb.congestion.cwnd + tcb.left_network - tcb.flight if prr is None else prr.allowance
        if room < end - start or (end - board.high_ack > tcb.snd_wnd and start > board.high_ack):
            return False
        if tcb.pacer is not None and not tcb.pacer.may_send(now):
            return False
        retransmit_at(tcb, (tcb.snd_una + start - board.high_ack) & MASK, end - start, now, because)
        tcb.left_network = board.sacked + rack.lost


def _new_segment(tcb: Tcb, mss: int) -> tuple[int, bool]:
    """The size of the next new segment, without regard to cwnd: (octets, whether a FIN follows).

    It is (0, False) when nothing can be sent.
    """
    if tcb.fin_seq is not None:
        return 0, False
    unsent = tcb.unsent
    usable = tcb.snd_wnd - tcb.flight
    length = max(min(unsent, usable, mss), 0)
    with_fin = tcb.fin_queued and length == unsent and usable > length
    if not with_fin and length < mss and not (length and _worth_sending(tcb, length, unsent)):
        return 0, False
    return length, with_fin


def _worth_sending(tcb: Tcb, length: int, unsent: int) -> bool:
    """Whether to send less than a full segment: rules (2) and (3) of section 3.8.6.2.1.

    Every SEND counts as pushed. The condition "SND.NXT = SND.UNA" of these rules is the Nagle
    algorithm (3.7.4). We use Minshall's form of it (appendix A.3): only a small segment in flight
    holds back the next one. If only full segments are in flight, the small segment is the tail of
    the same data. Holding it back until a delayed ACK comes would not save a packet.

    A cork holds back every small segment, but for half of a small window. Urgent data does not
    wait.
    """
    if tcb.user_options.cork and (tcb.snd_up is None or ge(tcb.snd_una, tcb.snd_up)):
        return 2 * length >= tcb.max_snd_wnd
    small_in_flight = (tcb.snd_sml - tcb.snd_una - 1) & MASK < (tcb.snd_nxt - tcb.snd_una) & MASK
    if small_in_flight and not tcb.user_options.nodelay and tcb.snd_up is None:  # urgent data does not wait
        return False
    return length == unsent or 2 * length >= tcb.max_snd_wnd


def send_range(  # hot
    tcb: Tcb, seq: int, length: int, with_fin: bool, now: float, mss: int = 0, because: str = ""
) -> None:
    """Send `length` octets that begin at `seq`, and perhaps a FIN; advance SND.NXT if they are new.

    `mss`, if given, is the size of one segment: more octets than that make a super-frame. `because`
    is as in `emit`.
    """
    tcb.last_sent_at = now
    end = (seq + length) & MASK
    offset = (seq - tcb.data_una) & MASK
    flags = ACK
    if with_fin:
        flags |= FIN
        if tcb.fin_seq is None:
            tcb.fin_seq = end
            if tcb.state is CLOSE_WAIT:
                tcb.enter(Event.SND_FIN)  # 3.10.4: "then send a FIN segment, enter LAST-ACK state"
        end = (end + 1) & MASK
    if length and offset + length == tcb.send_buffer.size:
        flags |= PSH  # MUST-61: the last octet that is buffered
    if tcb.rack is not None and tcb.scoreboard is not None:
        start = tcb.scoreboard.high_ack + ((seq - tcb.snd_una) & MASK)
        tcb.rack.transmitted(start, start + ((end - seq) & MASK), now)
    if tcb.loss is not None and tcb.loss.prr is not None:
        tcb.loss.prr.sent(length)
    if tcb.pacer is not None:
        tcb.pacer.sent(length, now)
    ecn = None
    if seq == tcb.snd_nxt:
        tcb.snd_nxt = end
        tcb.pto_deadline = inf  # RFC 8985 section 7.2: restarted by set_timers
        if tcb.user_options.quickack and length and tcb.receive_buffer.next:
            _leave_quickack(tcb, now)
        if tcb.ecn is not None and length and not tcb.probing:
            ecn = tcb.ecn
            flags |= ecn.mark(tcb.path, tcb.snd_una)
        if tcb.rtt_seq is None:
            tcb.rtt_seq, tcb.rtt_started_at = end, now
            if tcb.services.trace is not None:
                tcb.services.trace.timed(tcb)
        if not mss or length % mss:
            tcb.snd_sml = end
        size = mss if 0 < mss < length else length
        if size > tcb.sizes.acked:
            note_sent(tcb, size, end)
    else:
        tcb.sizes.measured = 0
        tcb.resent_at = now
        count_retransmission(tcb)
        if tcb.rtt_seq is not None and tcb.services.trace is not None:
            tcb.tell("tcp:rtt", "rtt_segment_sent_again")
        tcb.rtt_seq = None  # Karn: ACKs are ambiguous from now on
    segment_bytes = mss if 0 < mss < length else 0
    parts = tcb.send_buffer.parts(offset, length) if length else None
    emit(tcb, seq, flags, now, parts, length, b"", segment_bytes, because)
    if ecn is not None:
        ecn.unmark(tcb.path)


def _leave_quickack(tcb: Tcb, now: float) -> None:
    """Data that goes out soon after something has come is a reply: the next ACKs can be in replies.

    As in Linux, this ends TCP_QUICKACK.
    """
    if now - tcb.last_received_at < tcb.config.delayed_ack_s:
        tcb.user_options = replace(tcb.user_options, quickack=False)


def retransmit_front(tcb: Tcb, now: float, because: str, limit: int | None = None) -> None:
    """Retransmit the segment at the front of the queue (3.10.8), at most `limit` octets of it."""
    retransmit_at(tcb, tcb.snd_una, tcb.mss if limit is None else limit, now, because)


def retransmit_at(tcb: Tcb, seq: int, limit: int, now: float, because: str) -> int:
    """Retransmit up to `limit` octets from `seq` on; return how much sequence space was sent.

    `because` begins with "again_": a word of stack/trace/output_reasons.py.
    """
    data_end = tcb.snd_nxt if tcb.fin_seq is None else tcb.fin_seq
    length = min((data_end - seq) & MASK, limit)
    with_fin = tcb.fin_seq is not None and (seq + length) & MASK == tcb.fin_seq
    send_range(tcb, seq, length, with_fin, now, 0, because)
    return length + with_fin


def _retransmit_more(tcb: Tcb, now: float) -> None:
    """Retransmit what was outstanding at a timeout, as cwnd grows (RFC 5681 section 3.1)."""
    board = tcb.scoreboard
    while tcb.rtx_nxt != tcb.rtx_end:
        ahead = (tcb.rtx_nxt - tcb.snd_una) & MASK
        left = (tcb.rtx_end - tcb.rtx_nxt) & MASK
        window = min(tcb.snd_wnd, tcb.congestion.cwnd)
        # RFC 6675 section 5.1: skip what was SACKed since the timeout
        if board is not None and board.sacked:
            start, end = board.unsacked_from(board.high_ack + ahead, board.high_ack + ahead + left)
            tcb.rtx_nxt = (tcb.snd_una + start - board.high_ack) & MASK
            ahead, left = start - board.high_ack, end - start
            if not left:
                continue
            window = min(tcb.snd_wnd, tcb.congestion.cwnd + board.sacked_below(start))
        # RFC 7323 section 2.4: the first retransmission goes "without regard to the receiver
        # window"
        if tcb.timeouts == 1:
            window = max(window, tcb.mss)
        limit = min(tcb.mss, window - ahead, left)
        if limit <= 0 or (ahead and tcb.sizes.holding):
            return
        if tcb.pacer is not None and (ahead or not tcb.timeouts) and not tcb.pacer.may_send(now):
            return
        tcb.rtx_nxt = (tcb.rtx_nxt + retransmit_at(tcb, tcb.rtx_nxt, limit, now, tcb.rtx_because)) & MASK
        if tcb.rtx_because == "again_timeout":  # only the earliest segment is sent for the timeout itself
            tcb.rtx_because = "again_after_timeout"


# --- what observers are told: called only while there are any


def _tell_ack(tcb: Tcb, trace: TcpTrace, flags: int, length: int, because: str) -> str:
    """Tell what becomes of the ACK that is owed, now that a segment is sent.

    Returns the reason to send the segment. A bare ACK without another reason is sent because one is
    due.
    """
    if flags & (ACK | RST) != ACK or because == "send_keepalive":
        return because
    if length or flags & (SYN | FIN):
        if tcb.ack_due or tcb.ack_now or flags & SYN:
            tcb.tell("tcp:ack", "ack_with_data", decision="with data", ack=tcb.rcv_nxt)
    else:
        because = because or tcb.ack_now
        tcb.tell("tcp:ack", because, decision="now", ack=tcb.rcv_nxt)
    trace.acknowledged(tcb)
    return because


def _tell_send(tcb: Tcb, seq: int, flags: int, length: int, segment_bytes: int, because: str) -> None:
    """Tell that a segment is sent, and why.

    A super-frame, with segments of `segment_bytes`, is told once.
    """
    reason = because or _why_new(tcb, flags, length)
    again = because.startswith("again_")
    if segment_bytes:
        tcb.tell("tcp:send", reason, seq=seq, len=length, flags=flag_names(flags), again=again, segment=segment_bytes)
    else:
        tcb.tell("tcp:send", reason, seq=seq, len=length, flags=flag_names(flags), again=again)


def _why_new(tcb: Tcb, flags: int, length: int) -> str:
    """Why new data or a FIN may be sent now. SND.NXT is already after it."""
    if tcb.loss is not None:
        return "send_in_recovery"
    if flags & FIN:
        return "send_fin"
    if tcb.left_network and tcb.flight > tcb.congestion.cwnd:
        return "send_limited_transmit"
    if length >= tcb.mss:
        return "send_full"
    if tcb.unsent > 0:
        return "send_half_window"
    if tcb.snd_up is not None:
        return "send_urgent"
    return "send_at_once" if tcb.user_options.nodelay else "send_last"


def _tell_why_not(tcb: Tcb, trace: TcpTrace, now: float) -> None:
    """Tell why no more is sent now, unless the same was told before.

    That no data waits is told once, until some waits.
    """
    reason = _why_not(tcb, now)
    if not reason or (reason == "blocked_no_data" and not trace.is_news(tcb, "tcp:blocked", reason)):
        return
    unsent, flight, snd_wnd, cwnd = figures = tcb.unsent, tcb.flight, tcb.snd_wnd, tcb.congestion.cwnd
    if reason == "blocked_no_data" or trace.is_news(tcb, "tcp:blocked", (reason, *figures)):
        tcb.tell("tcp:blocked", reason, unsent=unsent, flight=flight, snd_wnd=snd_wnd, cwnd=cwnd)


def _why_not(tcb: Tcb, now: float) -> str:
    """What stands in the way of the next segment, after `transmit`, which tests it in this order.

    It is "" in a handshake while no data waits.
    """
    if tcb.state < _ESTABLISHED and not (tcb.state == _SYN_RECEIVED and tcb.fast_opened):
        return "blocked_handshake" if tcb.send_buffer.size or tcb.fin_queued else ""
    if tcb.pacer is not None and tcb.pacer.resume_at < inf:
        return "blocked_pacing"
    if tcb.rtx_nxt != tcb.rtx_end:
        return "blocked_path_mtu" if tcb.sizes.holding else _which_limit(tcb)
    prr = tcb.loss.prr if tcb.loss is not None else None
    rack, board = tcb.rack, tcb.scoreboard
    if rack is not None and rack.lost:
        room = tcb.congestion.cwnd + tcb.left_network - tcb.flight if prr is None else prr.allowance
        if room >= min(tcb.mss, rack.lost):
            return "blocked_window"
        return "blocked_cwnd" if prr is None else "blocked_prr"
    if rack is None and board is not None and tcb.loss is not None:
        smss = tcb.congestion.mss
        if prr is None and tcb.congestion.cwnd - board.set_pipe(board.high_ack + tcb.flight, smss) < smss:
            return "blocked_pipe"
        if prr is not None and prr.allowance < smss:
            return "blocked_prr"
    if tcb.fin_seq is not None:
        return "blocked_fin_sent"
    if tcb.unsent <= 0 and not tcb.fin_queued:
        return "blocked_no_data"
    if tcb.ecn is not None and now < tcb.ecn.hold_until:
        return "blocked_ecn"
    return _which_limit(tcb)


def _which_limit(tcb: Tcb) -> str:
    """Which limit holds the next segment back: a window, or a rule for small segments."""
    flight = (tcb.snd_nxt - tcb.data_una) & MASK
    prr = tcb.loss.prr if tcb.loss is not None else None
    by_congestion = tcb.congestion.cwnd + tcb.left_network - flight if prr is None else prr.allowance
    by_peer = tcb.snd_wnd - flight
    usable = min(by_congestion, by_peer)
    if usable > 0 and (usable >= min(tcb.unsent, tcb.mss) or 2 * usable >= tcb.max_snd_wnd):
        # `_worth_sending` has refused what both windows allow
        return "blocked_cork" if tcb.user_options.cork else "blocked_nagle"
    if by_congestion < by_peer:
        return "blocked_cwnd" if prr is None else "blocked_prr"
    if usable > 0:
        return "blocked_silly_window"
    return "blocked_window" if tcb.snd_wnd else "blocked_window_closed"
