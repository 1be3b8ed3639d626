"""SEGMENT ARRIVES: the event processing of RFC 9293 section 3.10.7, function by function.

Read it beside the RFC: the functions stand in its order and have its names. Each of the eight steps
of section 3.10.7.4 is a function. It returns whether the next step follows, if the step can end the
processing.

Most acknowledgments are not sent here. The steps only note that one is due, in `ack_now` and
`ack_due`. When the batch of frames has been processed, each connection sends one ACK, on a data
segment if it has one to send (MUST-58, MUST-59). An out-of-order segment is acknowledged at once,
because the sender counts duplicate ACKs (RFC 5681 section 4.2).
"""

from __future__ import annotations

import errno
from math import inf

from stack.tcp import seq, states
from stack.tcp.acks import process_ack
from stack.tcp.challenge import challenge_ack, may_challenge
from stack.tcp.ecn import take_marks
from stack.tcp.handshake import enter_established, repeat_syn, syn_sent_state, take_syn_text
from stack.tcp.memory import recharge, trim_to_budget
from stack.tcp.output import send_ack
from stack.tcp.sack import SackReporter
from stack.tcp.segment import Segment
from stack.tcp.states import ESTABLISHED, FIN_WAIT_2, LISTEN, SYN_RECEIVED, SYN_SENT, SYNCHRONIZED, TIME_WAIT, Event
from stack.tcp.tcb import WAKE_READABLE, WAKE_WRITABLE, Tcb
from stack.tcp.teardown import enter_time_wait, finish, limit_fin_wait_2, reset_connection, restart_time_wait
from stack.tcp.urgent import take_urgent
from stack.tcp.user_timeout import take_user_timeout
from stack.wire.checksum import Buffer
from stack.wire.tcp import ACK, FIN, RST, SYN, URG


def segment_arrives(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Process one segment whose checksum is right.

    Returns whether the caller must answer it with a reset (3.10.7.1).
    """
    state = tcb.state
    if state is SYN_SENT:
        answer = syn_sent_state(tcb, seg, now)
        queued = take_syn_text(tcb) if tcb.state in SYNCHRONIZED else None
        if queued is not None:  # "continue processing at the sixth step"
            _process_content(tcb, queued, now)
    elif state in (states.CLOSED, LISTEN):
        # 3.10.7.1 (segments for LISTEN go to handshake.listen_state)
        answer = True
    else:
        answer = _other_states(tcb, seg, now)
    tcb.touch()
    return answer


def _other_states(tcb: Tcb, seg: Segment, now: float) -> bool:
    """3.10.7.4: SYN-RECEIVED and the synchronized states."""
    if (
        check_timestamps(tcb, seg, now)
        and first_check_sequence_number(tcb, seg, now)
        and second_check_rst(tcb, seg, now)
        and third_check_security(tcb, seg, now)
        and fourth_check_syn(tcb, seg, now)
    ):
        # The part of the fifth step whose answer is a reset
        if tcb.state is SYN_RECEIVED and seg.flags & ACK and not _acceptable_ack(tcb, seg):
            tcb.services.counters.drop("tcp_syn_received_bad_ack")
            return True  # <SEQ=SEG.ACK><CTL=RST>
        if fifth_check_ack(tcb, seg, now):
            if tcb.user_timeout is not None and seg.raw_options:
                take_user_timeout(tcb.user_timeout, seg.options())
            _process_content(tcb, seg, now)
    return False


def _process_content(tcb: Tcb, seg: Segment, now: float) -> None:
    """The sixth, seventh and eighth step: URG, text and FIN."""
    if tcb.ecn is not None:
        take_marks(tcb, tcb.ecn, seg)
    sixth_check_urg(tcb, seg, now)
    if (seg.flags & FIN or tcb.rcv_fin_seq is not None) and not tcb.peer_fin:
        _cut_after_fin(tcb, seg)
    if seventh_process_text(tcb, seg, now):
        eighth_check_fin(tcb, seg, now)
    if tcb.services.budget.tight:
        recharge(tcb)


def check_timestamps(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Before the first step: PAWS, RFC 7323 section 5.3 R1. Resets are exempt (section 5.2).

    Several systems omit the option from keep-alives and ACKs. For a segment without a timestamp,
    therefore, only the sequence number is checked. With `strict_timestamps` such a segment is
    dropped silently (section 3.2). A SYN is the exception: it goes on to the challenge of the
    fourth step, since it may come from a peer that has forgotten this connection.
    """
    timestamps = tcb.timestamps
    if not timestamps.agreed or seg.flags & RST:
        return True
    if not seg.read_timestamps():
        if seg.flags & SYN or not tcb.config.strict_timestamps:
            return True
        tcb.services.counters.drop("tcp_no_timestamp")
        return False
    if timestamps.is_old(seg.ts_val, now):
        tcb.services.counters.drop("tcp_paws")
        _answer_unacceptable(tcb, seg, now, "ack_old_timestamp")
        return False
    return True


def first_check_sequence_number(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Test whether part of the segment lies in the receive window.

    The rest is cut off later, by `_accept_segment`.
    """
    if tcb.state is SYN_RECEIVED and seg.flags & SYN and seg.flags & ACK and _is_the_crossing_syn(tcb, seg):
        seg.flags &= ~SYN
        seg.seg_seq = seq.add(seg.seg_seq, 1)
        seg.seg_len -= 1
        seg.seg_up -= 1
    # A reset may carry data (SHLD-2), but only its sequence number counts.
    length = 0 if seg.flags & RST else seg.seg_len
    # With a closed window: "special allowance ... to accept valid ACKs, URGs, and RSTs".
    if tcb.rcv_wnd == 0:
        acceptable = seg.seg_seq == tcb.rcv_nxt
    elif length == 0:
        acceptable = seq.in_window(seg.seg_seq, tcb.rcv_nxt, tcb.rcv_wnd)
    else:
        acceptable = seq.in_window(seg.seg_seq, tcb.rcv_nxt, tcb.rcv_wnd) or seq.in_window(
            seq.add(seg.seg_seq, length - 1), tcb.rcv_nxt, tcb.rcv_wnd
        )
    return acceptable or _unacceptable(tcb, seg, now)


def _accept_segment(tcb: Tcb, seg: Segment, now: float) -> None:
    """Let an accepted segment change the connection, then cut off the octets outside the window.

    It is called after every check that can reject the segment. If it were called earlier, a guessed
    sequence number alone would let an attacker change the connection. A forged timestamp, for
    example, would make all the peer's own timestamps seem old for days (RFC 7323 section 5.3 R3,
    RFC 5961 section 5.2). It is called before the ACK is processed, because that may send segments.
    """
    tcb.last_received_at = now
    tcb.keepalive_probes_sent = 0
    if seg.ts_val >= 0:  # RFC 7323 section 5.3 R3, with SEG.SEQ before it is trimmed
        tcb.timestamps.remember(seg.ts_val, seg.seg_seq, now)
    if seg.seg_len:
        _cut_to_window(tcb, seg, now)


def _is_the_crossing_syn(tcb: Tcb, seg: Segment) -> bool:
    """Whether it is the SYN,ACK of a simultaneous open (Figure 7, appendix A.2): a SYN we know."""
    return seg.seg_seq == tcb.irs and not tcb.came_from_listen


def _cut_to_window(tcb: Tcb, seg: Segment, now: float) -> None:
    """Cut off what lies outside the window: "only the new parts are processed".

    A FIN counts as the last octet.
    """
    if seq.lt(seg.seg_seq, tcb.rcv_nxt):
        old = seq.sub(tcb.rcv_nxt, seg.seg_seq)
        if seg.text:
            seg.repeats = True
            _duplicate(tcb, seg.seg_seq, min(old, len(seg.text)), now)
        _trim(seg, old, seg.seg_len)
    beyond = seq.sub(seg.seg_seq, tcb.rcv_nxt) + seg.seg_len - tcb.rcv_wnd
    if beyond > 0:
        if tcb.rcv_wnd == 0:  # a window probe: none of it fits, and the sender waits for the answer
            tcb.ack_now = "ack_window_probe"
            tcb.services.counters.drop("tcp_window_closed")
        _trim(seg, 0, seg.seg_len - beyond)


def _cut_after_fin(tcb: Tcb, seg: Segment) -> None:
    """Store the sequence number of the peer's first FIN in `rcv_fin_seq`; cut off text after it.

    The text is removed from `seg` and from the out-of-order text that is held.
    """
    if tcb.rcv_fin_seq is not None:
        before = seq.lt(seg.seg_seq, tcb.rcv_fin_seq)
        room = seq.sub(tcb.rcv_fin_seq, seg.seg_seq) if before else 0
        if len(seg.text) > room or (not before and seg.seg_seq != tcb.rcv_fin_seq and seg.seg_len):
            _trim(seg, 0, room)
            tcb.ack_now = "ack_beyond_fin"
            tcb.services.counters.drop("tcp_beyond_fin")
    if seg.flags & FIN:
        tcb.rcv_fin_seq = seq.add(seg.seg_seq, len(seg.text))
        if tcb.receive_buffer.held:
            end = tcb.receive_buffer.next + seq.sub(tcb.rcv_fin_seq, tcb.rcv_nxt)
            tcb.receive_buffer.cut_held(end)
            if not tcb.receive_buffer.held:
                tcb.services.budget.out_of_order.pop(tcb, None)
            if tcb.sack_reporter is not None:
                tcb.sack_reporter.cut_held(end)


def _unacceptable(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Drop the segment; answer it with <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> unless it is a reset.

    Three segments are handled in their own way, since they show that our answer was lost: the
    peer's FIN in TIME-WAIT, the segment that was received last, and the peer's SYN.
    """
    tcb.services.counters.drop("tcp_unacceptable")
    if seg.flags & RST:
        return False
    if tcb.state is TIME_WAIT and seg.flags & FIN and seq.add(seg.seg_seq, seg.seg_len) == tcb.rcv_nxt:
        # Fifth step: "a retransmission of the remote FIN. Acknowledge it, and restart"
        restart_time_wait(tcb, now)
        tcb.ack_now = "ack_fin_again"
    elif (
        tcb.state in SYNCHRONIZED
        and seg.flags & (SYN | ACK) == ACK
        and seg.seg_len
        and seq.add(seg.seg_seq, seg.seg_len) == tcb.rcv_nxt
        and _could_have_been_sent(tcb, seg.seg_ack)
    ):
        _repeated_segment(tcb, seg, now)
    elif _is_the_peers_syn(tcb, seg):
        _repeated_syn(tcb, seg, now)
    else:
        _answer_unacceptable(tcb, seg, now, "ack_unacceptable")
    return False


def _is_the_peers_syn(tcb: Tcb, seg: Segment) -> bool:
    """Whether the segment repeats the peer's SYN, or its SYN,ACK of our SYN."""
    if seg.flags & (SYN | ACK) == SYN:
        return tcb.state is SYN_RECEIVED and seg.seg_seq == tcb.irs
    return (
        seg.flags & (SYN | ACK) == SYN | ACK
        and tcb.state in SYNCHRONIZED
        and seg.seg_seq == tcb.irs
        and _could_have_been_sent(tcb, seg.seg_ack)
    )


def _repeated_syn(tcb: Tcb, seg: Segment, now: float) -> None:
    """The peer has sent its SYN again, so our SYN,ACK, or our ACK of its SYN,ACK, was lost.

    In SYN-RECEIVED we repeat the SYN,ACK: a bare ACK would not help a peer that needs a SYN.
    Otherwise we send an ACK. The segment has the sequence number of the SYN that we know, which an
    attacker off the path cannot guess. So its timestamp is stored. The answer echoes it and thereby
    tells the peer which of its SYNs is answered.
    """
    if seg.ts_val >= 0:
        tcb.timestamps.remember(seg.ts_val, seg.seg_seq, now)
    # SND.UNA does not advance, so there is no sample (RFC 7323 section 4.1).
    if tcb.state is not SYN_RECEIVED:
        challenge_ack(tcb, now, "ack_syn_again")
    elif may_challenge(tcb, now):
        repeat_syn(tcb, now, "again_syn_asked")


def _repeated_segment(tcb: Tcb, seg: Segment, now: float) -> None:
    """The last segment came again, since our ACK of it was lost: its text is old, its ACK is new.

    Its ACK field must be processed. Otherwise two ends that close at the same time, or whose data
    crosses, may each wait for the other's ACK and never get it (appendix A.2). The segment lies
    before the window; like Linux, we process its ACK all the same.

    Its timestamp is in order: PAWS let it pass, and SEG.SEQ <= Last.ACK.sent (RFC 7323 section 4.3
    (2)). We echo it, so that the sender can measure the round trip.
    """
    tcb.last_received_at = now
    tcb.keepalive_probes_sent = 0
    if seg.ts_val >= 0:
        tcb.timestamps.remember(seg.ts_val, seg.seg_seq, now)
    _answer_unacceptable(tcb, seg, now, "ack_repeated")
    process_ack(tcb, seg, now)
    if tcb.fin_seq is not None and seq.gt(tcb.snd_una, tcb.fin_seq):
        our_fin_is_acknowledged(tcb, now)


def _answer_unacceptable(tcb: Tcb, seg: Segment, now: float, because: str) -> None:
    """Answer an unacceptable segment: with an ACK at the end of the batch, or a challenge ACK.

    A segment with text or a FIN is always answered, because its sender waits for the ACK. Answers
    to segments without either are limited in number; otherwise two ends with wrong numbers would
    answer each other without end. A SYN is always limited, whether or not it has text (RFC 5961
    section 4).
    """
    if (len(seg.text) or seg.flags & FIN) and not seg.flags & SYN:
        if seg.text and seq.le(seq.add(seg.seg_seq, len(seg.text)), tcb.rcv_nxt):
            _duplicate(tcb, seg.seg_seq, len(seg.text), now)
        tcb.ack_now = because
    else:
        challenge_ack(tcb, now, because)


def _duplicate(tcb: Tcb, first: int, length: int, now: float) -> None:
    """Report `length` octets from `first` on that we acknowledged before (DSACK, RFC 2883)."""
    reporter = _reporter(tcb)
    if reporter is not None:
        start = tcb.receive_buffer.next - seq.sub(tcb.rcv_nxt, first)
        _report(tcb, reporter, start, start + length, now)


def _report(tcb: Tcb, reporter: SackReporter, start: int, end: int, now: float) -> None:
    """Note that the octets from `start` up to `end` of the stream came again.

    Each duplicate segment is reported in an ACK of its own (RFC 2883 section 4): if another
    duplicate is still to be reported, its ACK is sent first.
    """
    if reporter.duplicate_pending:
        send_ack(tcb, now, "ack_each_duplicate")
    reporter.duplicate(start, end)


def _reporter(tcb: Tcb) -> SackReporter | None:
    """The object that composes our SACK blocks, made when first needed; None without SACK."""
    if tcb.sack_reporter is None and tcb.sack:
        tcb.sack_reporter = SackReporter(tcb.config.max_out_of_order_runs)
    return tcb.sack_reporter


def _trim(seg: Segment, front: int, end: int) -> None:
    """Keep the octets from `front` up to `end`, counted as SEG.LEN: a FIN follows the text."""
    if not front <= len(seg.text) < end:
        seg.flags &= ~FIN
    seg.seg_seq = seq.add(seg.seg_seq, front)
    seg.seg_up -= front
    seg.text = seg.text[front:end]
    seg.seg_len = len(seg.text) + (1 if seg.flags & FIN else 0)


def second_check_rst(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Accept a reset only if SEG.SEQ = RCV.NXT; challenge it elsewhere in the window (RFC 5961)."""
    if not seg.flags & RST:
        return True
    if seg.seg_seq != tcb.rcv_nxt:
        tcb.services.counters.drop("tcp_reset_not_exact")
        challenge_ack(tcb, now, "ack_challenge_reset")
        return False
    if tcb.state is TIME_WAIT and tcb.config.protect_time_wait:
        tcb.services.counters.drop("tcp_reset_in_time_wait")  # RFC 1337 section 3, fix F1
        return False
    if tcb.state is SYN_RECEIVED:
        if tcb.fast_opened:  # the user already has this connection
            finish(tcb, Event.RCV_RST, errno.ECONNRESET, now, states.CLOSED)
        elif tcb.came_from_listen:  # "return this connection to LISTEN state"; no user knows of it
            finish(tcb, Event.RCV_RST, 0, now, LISTEN)
        else:
            finish(tcb, Event.RCV_RST, errno.ECONNREFUSED, now, states.CLOSED)
    elif tcb.state in (states.CLOSING, states.LAST_ACK, TIME_WAIT):
        finish(tcb, Event.RCV_RST, 0, now)
    else:
        # In CLOSE-WAIT the program may have read the end of the stream: for it, writing fails with
        # EPIPE, as in Linux.
        finish(tcb, Event.RCV_RST, errno.EPIPE if tcb.state is states.CLOSE_WAIT else errno.ECONNRESET, now)
    return False


def third_check_security(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Do nothing: the Internet does not use RFC 793's security compartments (appendix A.1)."""
    return True


def fourth_check_syn(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Answer a SYN in a synchronized state with a challenge ACK (RFC 5961 section 4).

    In SYN-RECEIVED, after a passive open, the connection returns to LISTEN (3.10.7.4), unless Fast
    Open has given it to the user.

    In TIME-WAIT a SYN may begin a new connection. The caller has decided that with
    `time_wait.may_reopen`: a SYN that comes here begins none.
    """
    if not seg.flags & SYN:
        return True
    tcb.services.counters.drop("tcp_unexpected_syn")
    if tcb.state is SYN_RECEIVED and tcb.came_from_listen and not tcb.fast_opened:
        finish(tcb, Event.RCV_SYN, 0, now, LISTEN)
    else:
        challenge_ack(tcb, now, "ack_challenge_syn")
    return False


def _acceptable_ack(tcb: Tcb, seg: Segment) -> bool:
    """SND.UNA < SEG.ACK =< SND.NXT (3.4)."""
    return seq.gt(seg.seg_ack, tcb.snd_una) and seq.le(seg.seg_ack, tcb.snd_nxt)


def _could_have_been_sent(tcb: Tcb, seg_ack: int) -> bool:
    """Whether the peer can have sent this SEG.ACK: it is not too old, and for data that we sent.

    RFC 5961 section 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT.
    """
    return not (seq.gt(seg_ack, tcb.snd_nxt) or seq.lt(seg_ack, seq.add(tcb.snd_una, -tcb.max_snd_wnd)))


def fifth_check_ack(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Drop a segment without ACK; challenge an ACK that cannot be right; process all others."""
    if not seg.flags & ACK:
        tcb.services.counters.drop("tcp_no_ack")
        return False
    if tcb.state is SYN_RECEIVED and tcb.listener is not None and not tcb.fast_opened:
        if not tcb.listener.may_open(tcb, seg, now):
            return False  # the SYN,ACK will be sent again, here and below
        if tcb.services.budget.refuses(tcb.remote[0]):
            tcb.services.counters.drop("tcp_refused_no_memory")
            return False
    if not _could_have_been_sent(tcb, seg.seg_ack):
        tcb.services.counters.drop("tcp_bad_ack")
        challenge_ack(tcb, now, "ack_challenge_ack")
        return False
    if tcb.state is TIME_WAIT and (seg.seg_seq != tcb.rcv_nxt or seg.seg_len):
        # "The only thing that can arrive in this state is a retransmission of the remote FIN".
        # `_repeated_segment` processes that one.
        tcb.services.counters.drop("tcp_in_time_wait")
        challenge_ack(tcb, now, "ack_challenge_time_wait")
        return False
    _accept_segment(tcb, seg, now)
    if tcb.state is SYN_RECEIVED and not _syn_received_ack(tcb, seg, now):
        return False
    process_ack(tcb, seg, now)
    if tcb.fin_seq is not None and seq.gt(tcb.snd_una, tcb.fin_seq):
        return our_fin_is_acknowledged(tcb, now)
    return True


def _syn_received_ack(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Enter ESTABLISHED; take the text of the SYN and a waiting CLOSE. Returns whether to go on.

    False if the connection has ended: no user will read the text, or its user has aborted it.
    """
    enter_established(tcb, seg.seg_seq, seg.seg_ack, seg.window, now)
    queued = take_syn_text(tcb)
    if queued is not None:
        _process_content(tcb, queued, now)
        _cut_to_window(tcb, seg, now)  # the segment may repeat the text of the SYN
    # A CLOSE that waited for ESTABLISHED (3.10.4)
    if tcb.fin_queued and tcb.state is ESTABLISHED:
        tcb.enter(Event.CLOSE)
    return tcb.state in SYNCHRONIZED


def our_fin_is_acknowledged(tcb: Tcb, now: float) -> bool:
    """Our FIN is acknowledged: leave FIN-WAIT-1, CLOSING or LAST-ACK; return whether to go on."""
    if tcb.state is states.FIN_WAIT_1:
        tcb.enter(Event.RCV_ACK_OF_FIN)
        if tcb.orphaned:
            return limit_fin_wait_2(tcb, now)
    elif tcb.state is states.CLOSING:
        enter_time_wait(tcb, Event.RCV_ACK_OF_FIN, now)
    elif tcb.state is states.LAST_ACK:
        finish(tcb, Event.RCV_ACK_OF_FIN, 0, now)
        return False
    return True


def sixth_check_urg(tcb: Tcb, seg: Segment, now: float) -> None:
    """RCV.UP <- max(RCV.UP,SEG.UP), and tell the user. The urgent octets stay in the stream."""
    if seg.flags & URG:
        take_urgent(tcb, seg)


def seventh_process_text(tcb: Tcb, seg: Segment, now: float) -> bool:
    """Put the text into the receive buffer and note that an ACK is due; return whether to go on.

    Text behind a gap is held until the gap is filled.
    """
    text = seg.text
    if not text:
        return True
    if tcb.peer_fin:
        return False  # "This should not occur ... Ignore the segment text."
    # SHLD-3: no user will read this text, so a reset shows that it is lost. After SHUT_RDWR our
    # user gets ECONNRESET as well, as in Linux.
    if tcb.orphaned or (tcb.read_shutdown and tcb.fin_queued):
        tcb.services.counters.drop("tcp_data_after_close")
        reset_connection(tcb, Event.ABORT, 0 if tcb.orphaned else errno.ECONNRESET, now, because="text_after_close")
        return False
    in_order = seg.seg_seq == tcb.rcv_nxt
    was_held = tcb.receive_buffer.held
    if tcb.services.budget.tight and trim_to_budget(tcb, seg):
        if not seg.text:
            _no_room(tcb, seg, len(text), now)
            return True
        text = seg.text
    if in_order and not was_held:
        deliver_in_order(tcb, text, now)
        return True
    distance = seq.sub(seg.seg_seq, tcb.rcv_nxt)
    # `_cut_to_window` has reported a segment that `repeats`.
    if tcb.sack_reporter is not None and not seg.repeats:
        start = tcb.receive_buffer.next + distance
        again = tcb.sack_reporter.already_held(start, start + len(text))
        if again is not None:
            _report(tcb, tcb.sack_reporter, *again, now)
    advance = _store(tcb, distance, text)
    if advance > 0:
        tcb.rcv_nxt = seq.add(tcb.rcv_nxt, advance)
        tcb.rcv_wnd = max(tcb.rcv_wnd - advance, 0)
        tcb.wakes |= WAKE_READABLE
    if not in_order:  # RFC 5681 section 4.2: a duplicate ACK at once
        send_ack(tcb, now, "ack_gap")
    elif was_held:  # "... or fills in all or part of a gap": at once, too
        tcb.ack_now = "ack_gap_filled"
    else:
        _schedule_ack(tcb, len(text), now)
    return True


def _no_room(tcb: Tcb, seg: Segment, count: int, now: float) -> None:
    """There is no memory for the `count` octets of a segment: acknowledge what came before them.

    RFC 2018 section 8: "Even if the newest segment is going to be discarded ... the first SACK
    block MUST report" it.
    """
    distance = seq.sub(seg.seg_seq, tcb.rcv_nxt)
    if not distance:
        tcb.ack_now = "ack_no_memory"
        tcb.wakes |= WAKE_READABLE  # a reader who waits for `rcvlowat` octets makes room
        return
    if (reporter := _reporter(tcb)) is not None:
        start = tcb.receive_buffer.next + distance
        reporter.discarded(start, start + count)
    send_ack(tcb, now, "ack_no_memory")


def deliver_in_order(tcb: Tcb, text: Buffer, now: float) -> None:  # hot
    """The seventh step for text that begins at RCV.NXT while no out-of-order text is held."""
    count = len(text)
    tcb.receive_buffer.append(text)
    tcb.rcv_nxt = (tcb.rcv_nxt + count) & seq.MASK
    tcb.rcv_wnd = tcb.rcv_wnd - count if count < tcb.rcv_wnd else 0
    tcb.wakes |= WAKE_READABLE
    _schedule_ack(tcb, count, now)


def _store(tcb: Tcb, distance: int, text: Buffer) -> int:
    """Store `text` that begins `distance` octets after RCV.NXT; return how far RCV.NXT can move."""
    buffer = tcb.receive_buffer
    start, was_held = buffer.next + distance, buffer.held
    advance = buffer.insert(start, text)
    if advance < 0:
        tcb.services.counters.drop("tcp_too_many_runs")
    elif (was_held or distance) and (reporter := _reporter(tcb)) is not None:
        reporter.arrived(start, start + len(text))
        reporter.advance(buffer.next)
    if buffer.held:
        tcb.services.budget.out_of_order[tcb] = None
    elif was_held:
        tcb.services.budget.out_of_order.pop(tcb, None)
    return advance


def _schedule_ack(tcb: Tcb, count: int, now: float) -> None:
    """Note that an ACK for `count` octets is due (3.8.6.3), within the delay (MUST-40).

    If two full-sized segments have not been acknowledged, `settle` sends the ACK at the end of the
    batch.
    """
    tcb.ack_due += count
    # The largest segment so far counts as full-sized; a super-frame holds many segments
    if count > tcb.rcv_mss:
        tcb.rcv_mss = min(count, tcb.mss)
    if tcb.delack_deadline == inf:
        tcb.delack_deadline = now + tcb.config.delayed_ack_s


def eighth_check_fin(tcb: Tcb, seg: Segment, now: float) -> None:
    """When all text before the FIN has come: move RCV.NXT over it, acknowledge it, tell the user.

    `_cut_after_fin` has stored its sequence number in `rcv_fin_seq`.
    """
    if tcb.rcv_fin_seq != tcb.rcv_nxt or tcb.peer_fin:
        if seg.flags & FIN and not seg.text:  # its text, if any, was acknowledged at once
            send_ack(tcb, now, "ack_beyond_fin" if tcb.peer_fin else "ack_gap")
        return
    if tcb.receive_buffer.held:  # nothing can come after the FIN
        tcb.receive_buffer.forget_held()
        tcb.services.budget.out_of_order.pop(tcb, None)
        if tcb.sack_reporter is not None:
            tcb.sack_reporter.forget_held()
    fin_in_order(tcb, now)


def fin_in_order(tcb: Tcb, now: float) -> None:
    """The eighth step for a FIN at RCV.NXT while no out-of-order text is held."""
    tcb.peer_fin = True
    tcb.rcv_nxt = seq.add(tcb.rcv_nxt, 1)
    tcb.rcv_wnd = max(tcb.rcv_wnd - 1, 0)
    tcb.wakes |= WAKE_READABLE
    if tcb.state is ESTABLISHED:
        tcb.enter(Event.RCV_FIN)
        tcb.wakes |= WAKE_WRITABLE
        _schedule_ack(tcb, 1, now)  # our own FIN may soon carry this ACK: see `settle`
        return
    tcb.ack_now = "ack_fin"
    if tcb.state is FIN_WAIT_2:
        enter_time_wait(tcb, Event.RCV_FIN, now)
    else:  # FIN-WAIT-1 to CLOSING
        tcb.enter(Event.RCV_FIN)
