"""Why TCP acknowledges, sends, sends again and waits: the reasons, by the word that the code says.

`tcp_reasons.py` has the other reasons of TCP.
"""

from __future__ import annotations

from stack.trace.reason import Reason

OUTPUT_REASONS: dict[str, Reason] = {
    # An ACK is sent at once or at the end of the batch, later, with data, or not at all
    "ack_two_segments": Reason(
        "Two full-sized segments have come since the last ACK: at least every second one is acknowledged.",
        ("9293 SHLD-19", "5681-4.2-b"),
    ),
    "ack_quick": Reason(
        "The program has set TCP_QUICKACK: data is acknowledged at once, until data goes out in reply.",
        ("own",),
    ),
    "ack_delayed": Reason(
        "Less than two full-sized segments have come: the ACK waits for more, or for data that carries it.",
        ("9293 SHLD-18", "9293 SHLD-19", "5681-4.2-a"),
    ),
    "ack_delay_over": Reason(
        "The delay of the ACK (`delayed_ack_s`) is over, and no data has come that could carry it: it is sent alone.",
        ("9293 MUST-40", "5681-4.2-c"),
    ),
    "ack_with_data": Reason(
        "The segment carries data, a SYN or a FIN, and the ACK with it: no segment is needed for the ACK alone.",
        ("9293 MUST-58",),
    ),
    "ack_gap": Reason(
        "The segment lies after a gap. The ACK repeats RCV.NXT at once, because the sender counts duplicate ACKs.",
        ("5681-3.2-a", "5681-4.2-d", "9293 MAY-13"),
    ),
    "ack_gap_filled": Reason(
        "The segment fills all or part of a gap: the sender learns at once that the loss is repaired.",
        ("5681-3.2-b", "6582-5-a"),
    ),
    "ack_each_duplicate": Reason(
        "Two duplicate segments have come. An ACK reports only one, so the first one is reported before.",
        ("2883-4-b",),
    ),
    "ack_unacceptable": Reason(
        "The segment lies outside the window: the ACK says which sequence numbers are expected.",
        ("9293-3.10.7.4-a", "9293-3.5.2-d"),
    ),
    "ack_repeated": Reason(
        "The last segment has come again, so our ACK of it was lost: it is acknowledged again.",
        ("9293-3.10.7.4-a", "9293-A.2-a"),
    ),
    "ack_old_timestamp": Reason(
        "The timestamp is older than the last one, so the segment is an old duplicate: it is dropped, and"
        " the ACK says what is expected.",
        ("7323-5.3-c",),
    ),
    "ack_window_probe": Reason(
        "The window is closed, and the peer probes it: the ACK says what RCV.NXT and the window are.",
        ("9293-3.8.6.1-a",),
    ),
    "ack_window_update": Reason(
        "The program has read, so the window can open by a worthwhile amount: the peer waits for that, or soon will.",
        ("9293 MUST-39",),
    ),
    "ack_no_memory": Reason(
        "The host is short of memory and drops text: the ACK says what has been taken, so the rest is sent again.",
        ("own",),
    ),
    "ack_beyond_fin": Reason(
        "The segment has text or a FIN after the FIN of the peer: that is ignored, and the ACK says where"
        " the stream ends.",
        ("own",),
    ),
    "ack_fin": Reason(
        "The peer has closed: its FIN is acknowledged at once.",
        ("9293-3.10.7.4-x", "9293-3.10.7.4-y"),
    ),
    "ack_fin_again": Reason(
        "In TIME-WAIT the FIN of the peer has come again, so our ACK of it was lost: it is acknowledged again.",
        ("9293-3.10.7.4-s",),
    ),
    "ack_syn": Reason(
        "The SYN of the peer has come with the ACK of ours: its ACK completes the handshake.",
        ("9293-3.10.7.3-e",),
    ),
    "ack_syn_again": Reason(
        "The SYN,ACK of the peer has come again, so our ACK of it was lost: it is acknowledged again.",
        ("9293-3.10.7.4-a",),
    ),
    "ack_congestion": Reason(
        "A router has marked the segment (CE). The ACK does not wait: the congestion window of the sender may be one"
        " segment, and then no second one comes.",
        ("own",),
    ),
    "ack_urgent": Reason(
        "Urgent data waits for the window of the peer: the segment without data announces it.",
        ("own",),
    ),
    "ack_challenge_reset": Reason(
        "The reset lies in the window, but not at RCV.NXT, and may be forged: a peer that means it answers this ACK.",
        ("5961-3.2-d", "9293-3.10.7.4-e"),
    ),
    "ack_challenge_syn": Reason(
        "A SYN has come in a synchronized state and may be forged: a peer that has restarted answers this"
        " ACK by a reset.",
        ("5961-4.2-b", "9293-3.10.7.4-j", "9293-3.5.1-a"),
    ),
    "ack_challenge_ack": Reason(
        "The segment acknowledges what was not sent, or is too old, and may be forged: it is dropped.",
        ("5961-5.2-c", "9293-3.10.7.4-m"),
    ),
    "ack_challenge_time_wait": Reason(
        "In TIME-WAIT only the FIN of the peer can come again: the ACK says where both ends are.",
        ("own",),
    ),
    "ack_left_to_reader": Reason(
        "The program is about to read. The ACK after the read also opens the window, so one segment does both.",
        ("own",),
    ),
    "ack_left_to_close": Reason(
        "The program is about to see that the peer has closed, and closes too: then our FIN carries the ACK.",
        ("own",),
    ),
    "ack_not_of_ack": Reason(
        "The segment has no text, SYN or FIN. It takes no sequence numbers, so there is nothing to acknowledge.",
        ("9293-3.4-d",),
    ),
    "ack_not_of_reset": Reason(
        "A reset is not acknowledged.",
        ("9293-3.10.7.4-a",),
    ),
    "ack_not_of_dropped": Reason(
        "The segment was dropped, and no ACK answers it.",
        ("own",),
    ),
    "ack_not_after_fin": Reason(
        "The segment has text after the FIN of the peer. There is no text after a FIN, so it is ignored.",
        ("9293-3.10.7.4-v",),
    ),
    "ack_not_owed": Reason(
        "All that the segment brings has been acknowledged before.",
        ("own",),
    ),
    # A segment is sent for the first time
    "send_full": Reason(
        "A full-sized segment of new data fits the window of the peer and the congestion window.",
        ("5681-2-a", "9293 SHLD-28"),
    ),
    "send_last": Reason(
        "Less than a full segment, but it is all that waits, and no small segment is in flight: the Nagle"
        " algorithm allows it.",
        ("9293-3.8.6.2.1-a", "9293 SHLD-7"),
    ),
    "send_at_once": Reason(
        "Less than a full segment, but it is all that waits, and the program has switched the Nagle algorithm off.",
        ("9293-3.8.6.2.1-a", "9293 MUST-17"),
    ),
    "send_urgent": Reason(
        "Less than a full segment, but it is all that waits, and data is urgent: urgent data does not wait"
        " for the Nagle algorithm.",
        ("own",),
    ),
    "send_half_window": Reason(
        "Less than a full segment, but it is half of the largest window that the peer has offered, or more.",
        ("9293-3.8.6.2.1-a",),
    ),
    "send_limited_transmit": Reason(
        "Segments have left the network, as the ACKs show: new data may take their place although the"
        " congestion window is full.",
        ("3042-2-a", "5681-3.2-d", "6675-5-e"),
    ),
    "send_in_recovery": Reason(
        "New data in a loss recovery: the ACKs show that octets have left the network, and these may take their place.",
        ("5681-3.2-k", "6675-4-f"),
    ),
    "send_fin": Reason(
        "The program has closed: the FIN follows the last octet of data, which was sent before or is in this segment.",
        (
            "9293-3.10.4-b",
            "9293-3.10.4-d",
        ),
    ),
    "send_cork_over": Reason(
        "The program has set TCP_CORK, but the data has waited as long as it may: it is sent.",
        ("own",),
    ),
    "send_override": Reason(
        "A small window has stayed small until the override timeout: what it takes is sent.",
        ("9293 MUST-60", "9293-3.8.6.2.1-a"),
    ),
    "send_syn": Reason(
        "A connection is opened: the SYN brings our initial sequence number, and asks for that of the peer.",
        ("9293-3.10.1-b",),
    ),
    "send_syn_ack": Reason(
        "The SYN of the peer is answered: this SYN brings our initial sequence number, and acknowledges"
        " that of the peer.",
        ("9293-3.10.7.2-c", "9293-3.10.7.3-f"),
    ),
    "send_keepalive": Reason(
        "Nothing has come for a long time. SEG.SEQ is SND.NXT-1, so a peer that is there must answer.",
        ("9293-3.8.4-a", "9293 SHLD-12"),
    ),
    "send_window_probe": Reason(
        "The window of the peer is closed: one octet, or the FIN, asks whether it still is.",
        ("9293 MUST-36", "9293 SHLD-30"),
    ),
    "send_tail_probe": Reason(
        "No ACK has come for the last segments in time: new data probes whether they are lost.",
        ("8985-7.3-c",),
    ),
    # A segment is sent again
    "again_timeout": Reason(
        "No ACK has come within the RTO: the earliest segment that is not acknowledged is sent again.",
        ("6298-5-e", "9293-3.10.8-b"),
    ),
    "again_after_timeout": Reason(
        "After the timeout all that was in flight counts as lost: it is sent again as the congestion window grows.",
        ("5681-3.1-q", "6675-5.1-a"),
    ),
    "again_lost_at_timeout": Reason(
        "It counts as lost since the timeout, and the congestion window has grown so far that it may go.",
        ("8985-6.3-a", "8985-9.3-a"),
    ),
    "again_three_duplicates": Reason(
        "Three duplicate ACKs: a segment is lost, and it is sent again without waiting for the timer.",
        ("5681-3.2-c", "5681-3.2-h"),
    ),
    "again_partial_ack": Reason(
        "A partial ACK in recovery: the segment that it asks for is lost, too.",
        ("6582-3.2-d",),
    ),
    "again_sack_first": Reason(
        "The SACK blocks show that the first segment in flight is lost: it is sent again.",
        ("6675-5-d",),
    ),
    "again_sack_lost": Reason(
        "The SACK blocks show that it is lost, and a segment may enter the network.",
        ("6675-4-e", "6675-5-i"),
    ),
    "again_sack_maybe_lost": Reason(
        "It is not SACKed. It may not be lost, but there is nothing else to send, and a segment may enter the network.",
        ("6675-4-g", "6675-5-i"),
    ),
    "again_sack_rescue": Reason(
        "The last segment in flight is sent again, once in a recovery: no later one can show that it is lost.",
        ("6675-4-h", "6675-5-i"),
    ),
    "again_rack": Reason(
        "A segment that was sent later has arrived, and this one has had time enough to arrive as well: it is lost.",
        ("8985-6.2-d", "8985-9.3-a"),
    ),
    "again_tail_probe": Reason(
        "No ACK has come for the last segments in time: the last one is sent again, to find out whether they are lost.",
        ("8985-7.3-d",),
    ),
    "again_window_probe": Reason(
        "The window of the peer is closed: data or a FIN that it has not acknowledged asks whether it still is.",
        (
            "9293 MUST-36",
            "9293 SHLD-30",
        ),
    ),
    "again_probe_not_taken": Reason(
        "The peer has opened its window, but it has not taken the octet of the window probe: this is sent first.",
        ("own",),
    ),
    "again_too_big": Reason(
        "A router says that the segment is larger than the path MTU: it is sent again in smaller pieces.",
        ("1191-6.4-b", "1191-6.4-c"),
    ),
    "again_early_data": Reason(
        "Data that was sent in or after a SYN, before the handshake was over, has not been taken: it is"
        " sent again at once.",
        ("7413-4.2.2-e",),
    ),
    "again_syn_timeout": Reason(
        "No answer to our SYN has come within the RTO: it is sent again.",
        ("9293 MUST-22", "6298-5-e"),
    ),
    "again_syn_deferred": Reason(
        "The program waits for data before it accepts, and the time for that is over: the SYN,ACK asks for another ACK,"
        " which opens the connection.",
        ("own",),
    ),
    "again_syn_asked": Reason(
        "The peer has sent its SYN again, so our SYN,ACK was lost: it is sent again.",
        ("own",),
    ),
    "again_syn_challenged": Reason(
        "The peer has an old connection with these ports. Our reset ends that one, and the SYN asks for"
        " the new one again.",
        ("own",),
    ),
    # Nothing, or no more, is sent now
    "blocked_no_data": Reason(
        "All that the program has written is sent.",
        ("own",),
    ),
    "blocked_window": Reason(
        "The window of the peer has no room for the next segment: nothing is sent beyond its right edge.",
        (
            "5681-2-a",
            "7323-2.4-d",
        ),
    ),
    "blocked_window_closed": Reason(
        "The window of the peer is closed: it is probed until it opens.",
        ("5681-2-a", "9293 MUST-36"),
    ),
    "blocked_cwnd": Reason(
        "The congestion window has no room for the next segment: an ACK makes room.",
        (
            "5681-2-a",
            "8985-9.3-a",
        ),
    ),
    "blocked_prr": Reason(
        "In recovery each ACK allows only so much that the rate falls evenly, and that is used up.",
        ("6937-3-b", "6937-3-c", "8985-9.3-a"),
    ),
    "blocked_pipe": Reason(
        "In recovery as many octets are in the network as the congestion window allows.",
        ("6675-5-i",),
    ),
    "blocked_nagle": Reason(
        "Less than a full segment waits, and another small segment is not acknowledged: the Nagle"
        " algorithm waits for that ACK.",
        ("9293 SHLD-7",),
    ),
    "blocked_cork": Reason(
        "Less than a full segment waits, and the program has set TCP_CORK: it waits for more data, for the end of the"
        " cork, or for the time limit.",
        ("own",),
    ),
    "blocked_silly_window": Reason(
        "The window of the peer takes only a small piece of what waits: small segments would be a silly window.",
        ("9293 MUST-38", "9293-3.8.6.2.1-a"),
    ),
    "blocked_pacing": Reason(
        "The data goes out at a rate, not all at once: the next burst begins when the timer of the pacer expires.",
        ("own",),
    ),
    "blocked_ecn": Reason(
        "A router has marked a segment while the congestion window was one segment: new data waits for an RTO.",
        ("3168-6.1.2-e",),
    ),
    "blocked_path_mtu": Reason(
        "One segment was sent again for the smaller path MTU: the others follow when it is acknowledged.",
        ("1191-6.4-c",),
    ),
    "blocked_handshake": Reason(
        "The handshake is not over: what the program has written waits for ESTABLISHED.",
        ("9293-3.10.2-a",),
    ),
    "blocked_fin_sent": Reason(
        "Our FIN is sent: it takes the last sequence number of our stream.",
        ("9293-3.10.4-b",),
    ),
    # A timer is set, or is not needed any more
    "set_retransmission": Reason(
        "Something is in flight, and the retransmission timer was not running: it begins with the RTO.",
        ("6298-5-b",),
    ),
    "set_retransmission_anew": Reason(
        "New data was acknowledged, and something is in flight: the retransmission timer begins anew with the RTO.",
        ("6298-5-d",),
    ),
    "set_retransmission_doubled": Reason(
        "The retransmission timer has expired: it begins anew with the doubled RTO.",
        ("6298-5-f", "6298-5-g"),
    ),
    "set_retransmission_moved": Reason(
        "The retransmission timer begins anew, because a segment was sent again or the user timeout was changed.",
        ("own",),
    ),
    "cleared_retransmission": Reason(
        "All that was sent has been acknowledged, so the retransmission timer is stopped.", ("6298-5-c",)
    ),
    "cleared_for_another": Reason(
        "Something is in flight, but another timer takes the place of the retransmission timer.", ("own",)
    ),
    "cleared_at_end": Reason("The connection is over, so its timers are stopped.", ("own",)),
    "set_persist": Reason(
        "The window of the peer is closed and data waits. The first probe is sent after the RTO, each further one"
        " after twice the interval.",
        ("9293 SHLD-29", "9293 SHLD-30", "9293 MUST-36"),
    ),
    "set_silly_window": Reason(
        "A small window holds data back, but not longer than this: it may stay small.", ("9293-3.8.6.2.1-b",)
    ),
    "set_cork": Reason(
        "TCP_CORK holds back less than a full segment, but not longer than this, as in Linux.", ("own",)
    ),
    "set_delayed_ack": Reason(
        "An ACK is owed. It waits for data or for another segment, but not long.", ("9293 MUST-40",)
    ),
    "set_keepalive": Reason(
        "If nothing comes from the peer in this time, a keep-alive asks whether it is still there.", ("9293 MUST-26",)
    ),
    "set_time_wait": Reason(
        "Both ends have closed. The connection waits for 2 MSL: if our last ACK is lost, the FIN comes again and must"
        " be acknowledged. By the end of that time old segments are gone from the network, too.",
        ("9293 MUST-13",),
    ),
    "set_time_wait_again": Reason(
        "The FIN of the peer has come again in TIME-WAIT, so the 2 MSL begin anew.",
        ("9293-3.10.7.4-s",),
    ),
    "set_fin_wait_2": Reason(
        "The program has closed and no longer uses the connection. In FIN-WAIT-2 it waits for the FIN of the peer,"
        " but not for ever.",
        ("own",),
    ),
    "set_reordering": Reason(
        "A segment is perhaps lost, perhaps only late: after this time it counts as lost.", ("8985-6.2-e",)
    ),
    "set_probe": Reason(
        "If the last segments are not acknowledged in this time, a probe finds out whether they are lost.",
        ("8985-7.2-a", "8985-7.2-d"),
    ),
    "cleared_timer": Reason("What the timer waited for has happened, or does not matter any more.", ("own",)),
    # A timer has expired: what that means
    "timer_delayed_ack": Reason(
        "The delay of the ACK (`delayed_ack_s`) is over: it is sent now.",
        (
            "9293 MUST-40",
            "5681-4.2-c",
        ),
    ),
    "timer_retransmission": Reason(
        "No ACK has come within the RTO: the earliest segment is sent again, and the RTO is doubled.",
        ("6298-5-e", "6298-5-f", "6298-5-g", "9293-3.10.8-b"),
    ),
    "timer_user_timeout": Reason(
        "The peer has acknowledged nothing for the user timeout: the connection is over.",
        ("9293-3.10.8-a", "9293 MUST-20"),
    ),
    "timer_persist": Reason(
        "The window of the peer is still closed: it is probed, each time after twice the interval.",
        ("9293 MUST-36", "9293 SHLD-29", "9293 SHLD-30"),
    ),
    "timer_silly_window": Reason(
        "A small window has stayed small: what it takes is sent, because no ACK may come that opens it.",
        ("9293-3.8.6.2.1-b", "9293 MUST-60"),
    ),
    "timer_cork": Reason(
        "TCP_CORK has held data back as long as it may: it is sent, although it is less than a full segment.", ("own",)
    ),
    "timer_keepalive": Reason(
        "Nothing has come from the peer for a long time. If nothing is in flight, a probe asks whether it is"
        " still there.",
        ("9293 MUST-26",),
    ),
    "timer_time_wait": Reason(
        "2 MSL have passed: no segment of the connection is in the network any more, and the TCB is deleted.",
        ("9293 MUST-13", "9293-3.10.8-c"),
    ),
    "timer_fin_wait_2": Reason(
        "The peer does not close, and our user has closed: as in Linux, the connection does not wait for ever.",
        ("own",),
    ),
    "timer_probe": Reason(
        "The last segments are not acknowledged in time: a probe finds out whether they are lost.",
        ("8985-7.2-a", "8985-7.3-f"),
    ),
    "timer_reordering": Reason(
        "Segments sent later have arrived, and one before them has had time enough to arrive as well.", ("8985-6.2-e",)
    ),
}
