"""Opening a connection: the contents of SYN segments, LISTEN, SYN-SENT, and entering ESTABLISHED.

See RFC 9293 sections 3.5, 3.7.1 (MSS), 3.10.7.2, 3.10.7.3 and 3.10.7.4 (the fifth step in
SYN-RECEIVED); RFC 7323 section 2 (window scale); RFC 7413 section 4.2.2 (data in a SYN).
"""

from __future__ import annotations

import errno
from dataclasses import replace
from math import inf

from stack.tcp import fast_open, seq, user_timeout
from stack.tcp.acks import update_send_window
from stack.tcp.ecn import syn_flags, take_syn_flags
from stack.tcp.memory import recharge, window_limit
from stack.tcp.output import count_retransmission, emit
from stack.tcp.rack import Rack
from stack.tcp.rtt import measure_echo, measure_segment
from stack.tcp.scoreboard import Scoreboard
from stack.tcp.segment import Segment
from stack.tcp.states import SYN_SENT, Event
from stack.tcp.tcb import DEFAULT_SEND_MSS, WAKE_READABLE, WAKE_WRITABLE, Tcb
from stack.tcp.teardown import finish
from stack.tcp.window import MAX_UNSCALED_WINDOW
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options

_MAX_SHIFT = 14  # RFC 7323 section 2.3
# The distance of the new ISS from the last number of the old connection: so large that late ACKs of
# the old connection are not acceptable in the new one.
_ISS_GAP = 1 << 16


def begin_handshake(tcb: Tcb, now: float, iss: int | None = None) -> None:
    """Select an ISS (unless given) and a receive window; set SND.UNA = ISS and SND.NXT = ISS+1.

    The ISS of a connection that replaces one in TIME-WAIT is "larger than the largest sequence
    number it used on the previous connection" (RFC 1122 section 4.2.2.13 (a)).
    """
    config = tcb.config
    tcb.iss = tcb.services.choose_iss(tcb.key, now) if iss is None else iss
    if tcb.predecessor is not None and not seq.gt(tcb.iss, tcb.predecessor.snd_nxt):
        tcb.iss = seq.add(tcb.predecessor.snd_nxt, _ISS_GAP)
        because = "iss_beyond_time_wait"
    else:
        because = "iss_by_clock_and_secret" if iss is None else "iss_is_cookie"
    if tcb.services.trace is not None:
        tcb.tell("tcp:iss", because, iss=tcb.iss)
    tcb.snd_una = tcb.iss
    tcb.snd_nxt = seq.add(tcb.iss, 1)
    tcb.recover = tcb.rtx_nxt = tcb.rtx_end = tcb.snd_sml = tcb.iss
    tcb.last_received_at = tcb.progress_at = now
    budget = tcb.services.budget
    budget.charge(tcb.remote[0], budget.half_open - tcb.charged)
    tcb.charged = budget.half_open
    most = window_limit(tcb) if budget.tight else tcb.rcvbuf
    tcb.rcv_wnd = min(most, MAX_UNSCALED_WINDOW)  # the window field of a SYN is never scaled
    if tcb.user_options.window_clamp:
        tcb.rcv_wnd = min(tcb.rcv_wnd, tcb.user_options.window_clamp)
    tcb.rcv_shift = 0
    tcb.scaling = config.window_scaling
    tcb.sack = config.sack
    # Shift so far that the largest window that may be offered fits the 16-bit field
    if tcb.scaling:
        bits = max(tcb.rcvbuf, config.max_receive_buffer_bytes, MAX_UNSCALED_WINDOW).bit_length()
        tcb.rcv_shift = min(bits - MAX_UNSCALED_WINDOW.bit_length(), _MAX_SHIFT)


def receive_mss(tcb: Tcb) -> int:
    """The value of our MSS option: the largest unfragmented text (3.7.1, SHLD-5, MUST-67)."""
    return min(tcb.room, tcb.user_options.maxseg or tcb.room)


def send_syn(tcb: Tcb, now: float, because: str = "") -> None:
    """<SEQ=ISS><CTL=SYN>, or <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> once the peer's SYN has arrived.

    With Fast Open the first SYN may carry data; SND.NXT then lies after it. A retransmitted SYN
    carries neither data nor the option, because a middlebox may have dropped the first SYN for one
    of them (RFC 7413 section 4.2.2).
    """
    answering = tcb.state is not SYN_SENT
    scale = tcb.rcv_shift if tcb.scaling else None
    ts = tcb.timestamps
    stamps = (ts.clock(now), ts.recent) if ts.agreed or (ts.offered and not answering) else None
    uto = None if tcb.user_timeout is None else user_timeout.advertised(tcb)
    options = TcpOptions(receive_mss(tcb), scale, tcb.sack, timestamps=stamps, user_timeout=uto)
    flags = (SYN | ACK if answering else SYN) | syn_flags(tcb)
    pending = tcb.fast_open if tcb.timeouts == 0 else None
    if pending is None:
        raw, text = build_options(options), 0
    else:
        raw = _with_cookie(pending, options)
        text = 0 if answering else fast_open.text_of_syn(tcb, pending, len(raw))
    if text or tcb.timeouts:
        tcb.last_sent_at = now
    if text:
        tcb.snd_nxt = tcb.snd_sml = seq.add(tcb.iss, 1 + text)
        if text == tcb.send_buffer.size:
            flags |= PSH
    if tcb.timeouts == 0 and tcb.rtt_seq is None:
        tcb.rtt_seq, tcb.rtt_started_at = tcb.snd_nxt, now
        if tcb.services.trace is not None:
            tcb.services.trace.timed(tcb)
    because = because or ("send_syn_ack" if answering else "send_syn")
    emit(tcb, tcb.iss, flags, now, tcb.send_buffer.parts(0, text), text, raw, because=because)


def _with_cookie(pending: fast_open.FastOpen, options: TcpOptions) -> bytes:
    """The options of a SYN with the Fast Open option added.

    If the option does not fit, it is omitted and the SYN carries no data.
    """
    try:
        return build_options(options._replace(fast_open=pending.cookie))
    except ValueError:
        pending.cookie, pending.mss = None, 0
        return build_options(options)


def take_syn(tcb: Tcb, seg: Segment, now: float) -> None:
    """RCV.NXT <- SEG.SEQ+1, IRS <- SEG.SEQ; then the options that only a SYN may carry."""
    tcb.irs = seg.seg_seq
    tcb.rcv_nxt = seq.add(seg.seg_seq, 1)
    options = seg.options()
    # MUST-15; `min_send_mss` is ours
    tcb.send_mss = max(options.mss or DEFAULT_SEND_MSS, tcb.config.min_send_mss)
    if tcb.user_options.maxseg:
        tcb.send_mss = min(tcb.send_mss, tcb.user_options.maxseg)
    if options.window_scale is None or not tcb.scaling:  # RFC 7323 section 2.2: both or neither
        tcb.scaling = False
        tcb.rcv_shift = 0
    else:
        tcb.snd_shift = min(options.window_scale, _MAX_SHIFT)
        if options.window_scale > _MAX_SHIFT:
            tcb.services.counters["tcpWindowScaleTooLarge"] += 1
    # RFC 7323 section 3.2: both or neither
    if options.timestamps is not None and tcb.timestamps.offered:
        tcb.timestamps.agree(options.timestamps[0], seg.seg_seq, now)
    tcb.sack = tcb.sack and options.sack_permitted
    if tcb.sack:
        config = tcb.config
        tcb.scoreboard = Scoreboard(config.max_sacked_ranges)
        tcb.rack = Rack(config.min_rtt_window_s) if config.rack else None
    take_syn_flags(tcb, seg.flags)
    if tcb.user_timeout is not None:
        user_timeout.take_user_timeout(tcb.user_timeout, options)
    tcb.begin_congestion(tcb.mss)
    # "queue them for processing after the ESTABLISHED state has been reached"
    if seg.text or seg.flags & FIN:
        # Keep at most one segment of it: a flood of SYNs with reassembled text must not fill the
        # memory. The peer will send the rest again.
        limit = min(receive_mss(tcb), tcb.rcv_wnd)
        tcb.syn_text = (bytes(seg.text[:limit]), bool(seg.flags & FIN) and len(seg.text) < limit)


def tell_agreed(tcb: Tcb, options: TcpOptions, because: str) -> None:
    """Tell observers what the peer's SYN offers, and what both ends agree on."""
    offers = {
        "mss": options.mss is not None,
        "window scale": options.window_scale is not None,
        "sack": options.sack_permitted,
        "timestamps": options.timestamps is not None,
        "fast open": options.fast_open is not None,
        "user timeout": options.user_timeout is not None,
    }
    tcb.tell(
        "tcp:agreed",
        because,
        iss=tcb.iss,
        irs=tcb.irs,
        peer_offers=", ".join(name for name, offered in offers.items() if offered),
        our_mss=receive_mss(tcb),
        send_mss=tcb.send_mss,
        snd_shift=tcb.snd_shift,
        rcv_shift=tcb.rcv_shift,
        window_scale=tcb.scaling,
        sack=tcb.sack,
        timestamps=tcb.timestamps.agreed,
        ecn=tcb.ecn is not None and tcb.ecn.ect,
        fast_open=tcb.fast_opened,
    )


def _answer_syn(tcb: Tcb, seg: Segment, now: float) -> None:
    """Send SYN,ACK. The window of a SYN is taken unscaled (RFC 7323 section 2.2)."""
    tcb.snd_wnd, tcb.snd_wl1, tcb.snd_wl2 = seg.window, seg.seg_seq, seg.seg_ack
    tcb.max_snd_wnd = max(tcb.max_snd_wnd, seg.window)
    send_syn(tcb, now)
    tcb.touch()


def listen_state(tcb: Tcb, seg: Segment, now: float) -> bool:
    """3.10.7.2, LISTEN. Returns whether the caller must answer the segment with a reset.

    `tcb` is a new connection that the listener has made for this segment; the listener itself stays
    in LISTEN.
    """
    # First, check for a RST: ignored.
    if seg.flags & RST:
        return False
    # Second, check for an ACK: any acknowledgment is bad here, <SEQ=SEG.ACK><CTL=RST>.
    if seg.flags & ACK:
        return True
    # Third, check for a SYN. (There is no security to compare: RFC 9293 appendix A.1.)
    if seg.flags & SYN:
        begin_handshake(tcb, now)
        take_syn(tcb, seg, now)
        if tcb.services.trace is not None:
            tell_agreed(tcb, seg.options(), "options_agreed")
        tcb.came_from_listen = True
        tcb.enter(Event.RCV_SYN)
        if tcb.fast_opened:
            _deliver_syn_text(tcb)
        _answer_syn(tcb, seg, now)
    # Fourth, other data or control: drop the segment.
    return False


def syn_sent_state(tcb: Tcb, seg: Segment, now: float) -> bool:
    """3.10.7.3, SYN-SENT. Returns whether the caller must answer the segment with a reset."""
    # First, check the ACK bit.
    acceptable_ack = False
    if seg.flags & ACK:
        if seq.le(seg.seg_ack, tcb.iss) or seq.gt(seg.seg_ack, tcb.snd_nxt):
            tcb.services.counters.drop("tcp_syn_sent_bad_ack")
            if seg.flags & RST:
                return False
            if not seg.flags & SYN:
                _syn_was_challenged(tcb)
            return True  # <SEQ=SEG.ACK><CTL=RST>
        acceptable_ack = True
    # Second, check the RST bit.
    if seg.flags & RST:
        if acceptable_ack:  # programs expect this error for "connection reset" during an open
            finish(tcb, Event.RCV_RST, errno.ECONNREFUSED, now)
        else:
            tcb.services.counters.drop("tcp_syn_sent_bad_reset")
        return False
    # Third, check the security: none (appendix A.1).
    # Fourth, check the SYN bit.
    if seg.flags & SYN:
        take_syn(tcb, seg, now)
        if acceptable_ack:
            _our_syn_is_acknowledged(tcb, seg, now)
        else:
            if tcb.services.trace is not None:
                tell_agreed(tcb, seg.options(), "options_agreed")
            tcb.enter(Event.RCV_SYN)  # simultaneous open (MUST-10)
            if tcb.fast_open is not None:
                tcb.fast_open.cookie = None  # the cookie belongs in a SYN, not in a SYN,ACK
            _answer_syn(tcb, seg, now)
            if tcb.rtt_seq is not None and tcb.services.trace is not None:
                tcb.tell("tcp:rtt", "rtt_syn_sent_again")
            tcb.rtt_seq = None  # Karn: our SYN has now been sent twice
        return False
    # Fifth, if neither of the SYN or RST bits is set, then drop the segment.
    tcb.services.counters.drop("tcp_syn_sent_no_syn")
    return False


def _syn_was_challenged(tcb: Tcb) -> None:
    """The peer answered our SYN with a challenge ACK: it has an old connection with these ports.

    This is Figure 9. Our reset will end that connection. The peer has discarded our SYN, so the SYN
    is sent again after the reset, without waiting for the RTO.

    It is sent again at most once for each transmission by the timer. So a forged ACK, or a peer
    that ignores our reset, cannot cause a flood of SYNs.
    """
    if tcb.syn_again < tcb.timeouts:
        tcb.syn_again = tcb.timeouts
        # In SYN-SENT, `ack_now` means that the SYN must be sent again: see `send_syn_again`
        tcb.ack_now = "again_syn_challenged"
        tcb.touch()


def send_syn_again(tcb: Tcb, now: float) -> None:
    """Send the SYN again at the end of the batch, when the reset has been sent."""
    because, tcb.ack_now = tcb.ack_now, ""
    repeat_syn(tcb, now, because)


def repeat_syn(tcb: Tcb, now: float, because: str) -> None:
    """Retransmit our SYN or SYN,ACK. Observers are told `because`, which begins with "again_"."""
    tcb.resent_at = now
    count_retransmission(tcb)
    send_syn(tcb, now, because)
    if tcb.rtt_seq is not None and tcb.services.trace is not None:
        tcb.tell("tcp:rtt", "rtt_syn_sent_again")
    tcb.rtt_seq = None  # Karn


def _our_syn_is_acknowledged(tcb: Tcb, seg: Segment, now: float) -> None:
    """SND.UNA > ISS: enter ESTABLISHED and note that <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> is due.

    Queued data is sent with the ACK.
    """
    if tcb.rtt_seq is not None and tcb.timeouts == 0:
        # If the SYN waited for ARP, it left when ARP found the next hop's station address
        tcb.rtt_started_at = max(tcb.rtt_started_at, tcb.path.neighbor.learnt_at)
        measure_segment(tcb, 0, now)
    elif tcb.timestamps.agreed and seg.read_timestamps() and seg.ts_ecr > 0:
        # The echo says which of our SYNs it answers
        measure_echo(tcb, 1, seg.ts_ecr, 0, now)
    tcb.rtt_seq = None
    tcb.send_buffer.acknowledge(seq.sub(seg.seg_ack, tcb.iss) - 1)
    tcb.snd_una = seg.seg_ack
    tcb.syn_acked = True
    if tcb.fast_open is not None:
        fast_open.receive_syn_ack(tcb, seg, now)
    requeue_early_data(tcb)
    if tcb.services.trace is not None:
        tell_agreed(tcb, seg.options(), "options_agreed")
    tcb.enter(Event.RCV_SYN_ACK)
    # So that `update_send_window` takes the window of this segment
    tcb.snd_wl1 = seq.add(seg.seg_seq, -1)
    update_send_window(tcb, seg, seg.window, now)
    established(tcb, now)
    if tcb.fin_queued:  # a CLOSE that waited for ESTABLISHED, with data before it
        tcb.enter(Event.CLOSE)
    if tcb.user_options.quickack is False or tcb.user_options.defer_accept_s:
        # As in Linux, the ACK waits for data that carries it
        tcb.ack_due, tcb.delack_deadline = 1, now + tcb.config.delayed_ack_s
        tcb.user_options = replace(tcb.user_options, quickack=None)
    else:
        tcb.ack_now = "ack_syn"


def requeue_early_data(tcb: Tcb) -> None:
    """Retransmit at once the data that was sent before our SYN was acknowledged.

    On a client, the server did not take the data from the SYN; it goes out again "in the first ACK
    packet" (RFC 7413 section 4.2.2). On a server, the SYN,ACK was lost; the client was still in
    SYN-SENT when the data came, and dropped it.
    """
    tcb.rtx_nxt, tcb.rtx_end = tcb.data_una, tcb.snd_nxt
    tcb.rtx_because = "again_early_data"


def _deliver_syn_text(tcb: Tcb) -> None:
    """RFC 7413 4.2.2, step 4: buffer the data of the SYN, so that the SYN,ACK acknowledges it.

    A FIN in the SYN waits until the handshake is over: `states.LEGAL` has no RCV_FIN in
    SYN-RECEIVED.
    """
    if tcb.syn_text is None:
        return
    text, fin = tcb.syn_text
    tcb.syn_text = (b"", True) if fin else None
    advance = tcb.receive_buffer.insert(tcb.receive_buffer.next, text)
    tcb.rcv_nxt = tcb.timestamps.last_ack_sent = seq.add(tcb.rcv_nxt, advance)
    tcb.rcv_wnd -= advance
    tcb.wakes |= WAKE_READABLE


def enter_established(tcb: Tcb, seg_seq: int, seg_ack: int, window: int, now: float) -> None:
    """Enter ESTABLISHED; SND.WND <- SEG.WND, now scaled; SND.WL1 <- SEG.SEQ; SND.WL2 <- SEG.ACK."""
    tcb.enter(Event.RCV_ACK_OF_SYN)
    tcb.snd_wnd, tcb.snd_wl1, tcb.snd_wl2 = window << tcb.snd_shift, seg_seq, seg_ack
    tcb.max_snd_wnd = max(tcb.max_snd_wnd, tcb.snd_wnd)
    if tcb.timeouts or not tcb.fast_opened:
        requeue_early_data(tcb)
    established(tcb, now)


def established(tcb: Tcb, now: float) -> None:
    """The handshake is over: wake the user and reset the timers for the data phase."""
    if tcb.timeouts:  # RFC 6298 5.7, RFC 5681 section 3.1: after a lost SYN, begin carefully
        tcb.rtt.syn_was_retransmitted()
        tcb.congestion.on_handshake_loss()
    tcb.timeouts = 0
    tcb.soft_error = 0
    tcb.progress_at = now
    tcb.rto_deadline = inf
    recharge(tcb)  # at once: the budget may refuse the next SYN because of this charge
    tcb.wakes |= WAKE_READABLE | WAKE_WRITABLE
    tcb.touch()
    if tcb.listener is not None:
        tcb.listener.established(tcb)


def take_syn_text(tcb: Tcb) -> Segment | None:
    """Return the text and FIN of the SYN as a segment of their own, or None, and forget them."""
    if tcb.syn_text is None:
        return None
    text, fin = tcb.syn_text
    tcb.syn_text = None
    return Segment(tcb.rcv_nxt, tcb.snd_una, ACK | (FIN if fin else 0), 0, text)
