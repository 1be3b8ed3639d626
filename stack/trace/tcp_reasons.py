"""Why TCP does what it does: the reasons of its decisions, by the word that the code says."""

from __future__ import annotations

from stack.trace.reason import Reason

TCP_REASONS: dict[str, Reason] = {
    # What changes the state: the words of `stack/tcp/states.py`, and some that say more
    "passive_open": Reason(
        "The listener itself stays in LISTEN. It makes a connection for each SYN, and the connection begins where"
        " the listener is: in LISTEN.",
        ("own",),
    ),
    "active_open": Reason(
        "The program opens the connection. It names the remote socket, and there is no such connection yet. So TCP"
        " sends a SYN and enters SYN-SENT.",
        ("9293-3.10.1-b",),
    ),
    "close": Reason(
        "The program closes. A FIN follows the last octet that it has sent; receiving goes on.",
        ("9293-3.10.4-b", "9293-3.6-a"),
    ),
    "close_before_open": Reason("CLOSE in LISTEN or SYN-SENT deletes the TCB. No segment is sent.", ("9293-3.10.4-a",)),
    "close_half_open": Reason(
        "The program closes in SYN-RECEIVED. Nothing waits to be sent, so the FIN is sent at once.",
        ("9293-3.10.4-c",),
    ),
    "abort": Reason(
        "The program aborts the connection. A reset is sent if the peer can have the connection, that is in"
        " SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2 and CLOSE-WAIT. All queues are emptied.",
        ("9293-3.10.5-a",),
    ),
    "abort_after_fins": Reason(
        "The program aborts the connection. The peer has sent its FIN, and we have sent ours, so no reset is sent.",
        ("9293-3.10.5-b",),
    ),
    "abort_by_host": Reason(
        "The host aborts the connection, not the program: its interface or its address is gone, or the host stops.",
        ("own",),
    ),
    "unread_at_close": Reason(
        "The program closes and has not read all that has arrived. A reset shows the peer that data was lost.",
        ("9293 SHLD-3",),
    ),
    "text_after_close": Reason(
        "Text has come after the program has closed, and no program will read it. A reset shows the peer that data"
        " was lost.",
        ("9293 SHLD-3",),
    ),
    "rcv_syn": Reason("In LISTEN a SYN makes a connection. It is answered by a SYN,ACK.", ("9293-3.10.7.2-c",)),
    "rcv_syn_crossing": Reason(
        "The SYNs of both ends have crossed: both have opened the connection at the same time.",
        ("9293-3.10.7.3-f", "9293 MUST-10"),
    ),
    "rcv_syn_again": Reason(
        "Another SYN than the first has come in SYN-RECEIVED. The open was passive, so the connection returns"
        " to LISTEN: the listener waits for the next SYN, and this connection is forgotten.",
        ("9293-3.10.7.4-k",),
    ),
    "rcv_syn_in_time_wait": Reason(
        "The peer has opened a new connection with the same ports, so the old one in TIME-WAIT is over.",
        ("6191-2-a", "9293 SHLD-4", "9293 MAY-2"),
    ),
    "rcv_syn_ack": Reason(
        "The SYN,ACK acknowledges our SYN, and brings the SYN of the peer. Both ends know each other's sequence"
        " numbers.",
        ("9293-3.10.7.3-e",),
    ),
    "rcv_ack_of_syn": Reason(
        "The peer acknowledges our SYN. Both ends know each other's sequence numbers.",
        ("9293-3.10.7.4-n",),
    ),
    "snd_fin": Reason("The data before CLOSE has been sent, so the FIN is sent.", ("9293-3.10.4-d",)),
    "rcv_fin": Reason(
        "The peer has closed, and all its data has arrived. RCV.NXT moves over the FIN, and the program is told. We"
        " may still send.",
        ("9293-3.10.7.4-x",),
    ),
    "rcv_fin_after_ours": Reason(
        "The peer has closed, too, and our FIN has been acknowledged. The connection waits in TIME-WAIT.",
        ("9293-3.10.7.4-y",),
    ),
    "rcv_fin_crossing": Reason(
        "The peer has closed, too, and has not acknowledged our FIN: the FINs of both ends have crossed.",
        ("9293-3.10.7.4-y",),
    ),
    "rcv_ack_of_fin": Reason(
        "The peer acknowledges our FIN, and its own has come before: the connection is over.",
        ("9293-3.10.7.4-r",),
    ),
    "rcv_ack_of_fin_closing": Reason(
        "The peer acknowledges our FIN, and its own has come before. The connection waits in TIME-WAIT, because our"
        " ACK of that may be lost.",
        ("9293-3.10.7.4-r",),
    ),
    "rcv_ack_of_fin_first": Reason(
        "The peer acknowledges our FIN. Its own has not come: it may still send.",
        ("9293-3.10.7.4-q",),
    ),
    "rcv_rst": Reason(
        "The peer has reset the connection: SEG.SEQ is RCV.NXT. The program is told, and the queues are emptied.",
        ("9293-3.10.7.4-d", "9293-3.10.7.4-h", "9293 MUST-12"),
    ),
    "rcv_rst_refused": Reason(
        "A reset acknowledges our SYN: no program listens on that port, or the peer refuses. The open fails.",
        ("9293-3.10.7.3-c", "9293-3.5.3-b"),
    ),
    "rcv_rst_half_open": Reason(
        "A reset has come in SYN-RECEIVED. After a passive open the connection returns to LISTEN, and no program is"
        " told: the listener waits for the next SYN. After an active open the open fails.",
        ("9293-3.10.7.4-g", "9293-3.5-b", "9293 MUST-11"),
    ),
    "rcv_rst_closing": Reason(
        "A reset has come after both ends have closed. Nothing is lost by it.",
        ("9293-3.10.7.4-i",),
    ),
    "hard_error": Reason(
        "The network says that the peer cannot be reached. The connection was not open yet, so the open fails.",
        ("9293 SHLD-26", "5927-5.2-a"),
    ),
    "user_timeout": Reason(
        "The peer has not answered for the user timeout. TCP gives up, and tells the program.",
        ("9293-3.10.8-a", "9293 MUST-20"),
    ),
    "keepalive_timeout": Reason(
        "Several keep-alive probes were not answered, so the connection is taken to be dead.",
        ("9293 MUST-29",),
    ),
    "fin_wait_2_timeout": Reason(
        "The program has closed, and the peer has acknowledged the FIN, but does not close. After"
        " `fin_wait_2_timeout_s` the connection is forgotten, so that such peers cannot fill the memory.",
        ("own",),
    ),
    "no_fin_wait_2": Reason(
        "The program has closed, and with TCP_LINGER2 it has said that the connection does not wait for the FIN of the"
        " peer.",
        ("own",),
    ),
    "time_wait_timeout": Reason(
        "Two maximum segment lifetimes have passed: no segment of the connection is left in the network.",
        ("9293-3.10.8-c", "9293 MUST-13"),
    ),
    "oldest_half_open": Reason(
        "The SYN queue is full, and SYN cookies are off. So the oldest half-open connection makes room. Its SYN was"
        " most likely forged.",
        ("4987-3.4-a",),
    ),
    "gives_way_to_cookie": Reason(
        "The peer acknowledges a SYN cookie that we have sent before. So this half-open connection makes room for"
        " the one that the cookie opens.",
        ("own",),
    ),
    # How a connection begins for an observer
    "opened": Reason("A program opens the connection.", ("9293-3.10.1-b",)),
    "listener_child": Reason("A listener makes the connection for a segment.", ("9293-3.10.7.2-c",)),
    "was_open": Reason(
        "The connection is older than the first observer of the host. Its earlier events were not told.",
        ("own",),
    ),
    # The initial sequence number, and the options
    "iss_by_clock_and_secret": Reason(
        "The ISS is the clock, which ticks every 4 microseconds, plus a keyed hash of the addresses and ports. An"
        " attacker does not know the key, so it cannot guess the ISS.",
        ("9293 MUST-8", "9293 MUST-9", "9293 SHLD-1"),
    ),
    "iss_beyond_time_wait": Reason(
        "The connection takes the place of one in TIME-WAIT. Its ISS must be larger than all numbers of that"
        " connection, and the clock would not have given such a number.",
        ("9293 MAY-2",),
    ),
    "iss_is_cookie": Reason(
        "The ISS is a SYN cookie: it has the number of the period, the MSS, and a keyed hash in it. No state is kept"
        " for the connection until the peer acknowledges it.",
        ("4987-3.6-a",),
    ),
    "options_agreed": Reason(
        "An option is in use only if both SYNs have it. The MSS of each SYN limits what the other end sends; a SYN"
        " without it counts as 536.",
        ("9293 MUST-14", "9293 MUST-15", "7323-2.2-c", "7323-3.2-h", "2018-4-c"),
    ),
    "options_from_cookie": Reason(
        "The SYN was answered by a cookie and forgotten. The MSS comes back in the cookie. The window scale and SACK"
        " come back in our timestamp, if the peer echoes one.",
        ("4987-3.6-b",),
    ),
    # A listening port
    "accept_queue_full": Reason(
        "As many connections wait for ACCEPT as the program wants (`backlog`). The segment is dropped; the peer will"
        " send it again.",
        ("own",),
    ),
    "syn_cookie_sent": Reason(
        "The SYN queue is full, as in a flood of forged SYNs. The SYN is answered by a SYN cookie, and takes no"
        " place in the queue.",
        ("4987-3.7-a", "4987-3.2-a"),
    ),
    "cookie_keeps_the_state": Reason(
        "The SYN,ACK with the cookie is sent, so this connection is forgotten. The cookie has what is needed to open"
        " it.",
        ("4987-3.6-a", "4987-3.7-a"),
    ),
    "cookie_acknowledged": Reason(
        "The ACK acknowledges a SYN cookie of ours, so the peer's SYN was genuine. The connection begins in"
        " SYN-RECEIVED, with what the cookie has kept.",
        ("4987-3.6-a", "4987-3.7-a"),
    ),
    "cookie_is_wrong": Reason(
        "The ACK acknowledges no SYN cookie of this period or the one before, so no connection is made for it.",
        ("4987-3.6-a", "4987-3.7-a"),
    ),
    "no_memory_for_it": Reason("The host is short of memory and takes no new connection of this peer.", ("own",)),
    "waits_for_accept": Reason("The connection can be accepted: it waits until the program calls ACCEPT.", ("own",)),
    "listen_ignores_reset": Reason(
        "A reset has come for a listening port. It has nothing to reset in LISTEN, so it is ignored.",
        ("9293-3.10.7.2-a", "9293-3.5.3-c"),
    ),
    "listen_drops_other": Reason(
        "The segment is no SYN, ACK or RST. In LISTEN it is dropped without an answer.",
        ("9293-3.10.7.2-d",),
    ),
    # Resets for segments of no connection
    "reset_without_listener": Reason(
        "No connection and no listener has this port. If the segment has an ACK, the reset takes its sequence number"
        " from it: SEQ = SEG.ACK. If not: SEQ = 0 and ACK = SEG.SEQ + SEG.LEN.",
        ("9293-3.5.2-a", "9293-3.5.2-b", "9293-3.10.7.1-b"),
    ),
    "reset_by_listener": Reason(
        "A segment that acknowledges something has come for a listening port, where nothing was sent. The reset has"
        " SEQ = SEG.ACK.",
        ("9293-3.10.7.2-b", "9293-3.5.2-b", "9293-3.5.2-c"),
    ),
    "reset_for_bad_ack": Reason(
        "The connection is not synchronized yet, and the segment acknowledges what we have not sent. The reset has"
        " SEQ = SEG.ACK, and the connection stays as it is.",
        ("9293-3.5.2-c", "9293-3.10.7.3-a", "9293-3.10.7.4-n"),
    ),
    "no_reset_for_reset": Reason(
        "The segment is a reset itself. A reset is not answered by a reset: two hosts would go on for ever.",
        ("9293-3.10.7.1-a", "9293-3.5.2-a"),
    ),
    # Fast Open
    "fast_open_accepted": Reason(
        "The SYN has the cookie that this host has given the peer's address. So its data goes to the program at"
        " once, before the handshake is over.",
        ("7413-4.1.2-a",),
    ),
    "fast_open_accepted_old": Reason(
        "The cookie of the SYN is of the period before. It is still good, and the SYN,ACK brings the new one.",
        ("7413-4.1.2-a",),
    ),
    "fast_open_asked": Reason(
        "The SYN asks for a Fast Open cookie. The SYN,ACK brings one, for the next connection.",
        ("7413-4.1.2-a",),
    ),
    "fast_open_refused": Reason(
        "The Fast Open cookie of the SYN is not one of ours. The data of the SYN is dropped, and the SYN,ACK brings"
        " a good cookie.",
        ("7413-4.1.2-a",),
    ),
    "fast_open_too_many": Reason(
        "As many Fast Open connections as the listener allows have an unfinished handshake. So this SYN is treated"
        " as an ordinary one.",
        ("7413-4.2-b",),
    ),
    "fast_open_not_now": Reason(
        "Fast Open is off, or has failed on this path a short time ago. The SYN is an ordinary one.",
        ("7413-4.1.3.1-b",),
    ),
    "fast_open_asks": Reason(
        "No Fast Open cookie of this server is known. The SYN asks for one, and carries no data.",
        ("7413-4.2.1-a",),
    ),
    "fast_open_with_cookie": Reason(
        "A Fast Open cookie of this server is known. The SYN carries it, and data.",
        ("7413-4.2.2-a",),
    ),
    "fast_open_data_taken": Reason(
        "The server acknowledges the data of our SYN: a round trip is saved.",
        ("7413-4.2.2-g",),
    ),
    "fast_open_learnt": Reason(
        "The SYN,ACK brings a Fast Open cookie. It is kept for the next connection to this server.",
        ("7413-4.1.3-a", "7413-4.2.2-g"),
    ),
    "fast_open_failed": Reason(
        "The SYN,ACK has no cookie, and acknowledges only our SYN. Fast Open is not tried on this path for a while.",
        ("7413-4.1.3.1-a",),
    ),
    "fast_open_not_known": Reason(
        "The SYN,ACK may answer the SYN that was sent again without the option, so it says nothing about Fast Open.",
        ("own",),
    ),
    "fast_open_negative": Reason(
        "An error, a reset or a timeout has answered the SYN with the Fast Open option. Fast Open is not tried on"
        " this path for a while.",
        ("7413-4.1.3.1-a",),
    ),
    # Calls of the program
    "call_open": Reason("The program opens a connection (OPEN, in sockets `connect`).", ("9293-3.10.1-b",)),
    "call_send": Reason(
        "The program sends (SEND). Before ESTABLISHED the octets wait; after CLOSE it is an error.",
        ("9293-3.10.2-a", "9293-3.10.2-b"),
    ),
    "call_receive": Reason(
        "The program receives (RECEIVE). It gets what has arrived in order, and at the end of the stream nothing.",
        ("9293-3.10.3-a",),
    ),
    "call_close": Reason(
        "The program closes (CLOSE): it sends no more. If it does not receive any more either, `receives` is False.",
        ("9293-3.10.4-b", "9293-3.6-a", "9293 MAY-1"),
    ),
    "call_shutdown": Reason(
        "The program wants no RECEIVE to wait from now on (`shutdown` of the reading side). The RFC has no such"
        " call, and the peer is not told.",
        ("own",),
    ),
    "call_abort": Reason("The program aborts the connection (ABORT).", ("9293-3.10.5-a", "9293-3.10.5-b")),
    "call_status": Reason(
        "The program asks for the variables of the connection (STATUS). This changes nothing.",
        ("own",),
    ),
    "call_listen": Reason(
        "The program listens on a port: a passive OPEN. Other connections with that port go on.",
        ("9293 MUST-41", "9293 MUST-42"),
    ),
    "call_accept": Reason(
        "The program takes the connection that has waited longest (`accept` of sockets; the RFC has no such call)."
        " `result` is its number.",
        ("own",),
    ),
    "accept_waits": Reason("The program wants to accept a connection, and none waits.", ("own",)),
    "call_close_listener": Reason(
        "The program closes the listening port. Its connections that are half open, or were not accepted, are reset.",
        ("own",),
    ),
    "listener_closed": Reason(
        "The program has closed the listening port before it has accepted this connection.",
        ("9293-3.10.5-a",),
    ),
    "call_failed": Reason("The call returns an error. `result` is its name in POSIX.", ("own",)),
    "call_after_close": Reason(
        "The program has closed, so it cannot send any more: the RFC says 'connection closing'.",
        ("9293-3.10.2-b",),
    ),
    "call_waits_for_room": Reason(
        "The send buffer is full. The program must wait until acknowledgments make room.",
        ("own",),
    ),
    "call_waits_for_handshake": Reason(
        "The handshake is not over. The octets are queued, and are sent when the connection is ESTABLISHED.",
        ("9293-3.10.2-a",),
    ),
    "receive_waits": Reason("Nothing has arrived that the program has not read. It must wait.", ("own",)),
    "receive_at_end": Reason(
        "The peer has closed, and all its data was read: the end of the stream.",
        ("9293-3.10.3-a",),
    ),
    # Round trips
    "rtt_of_timed_segment": Reason(
        "The segment that was being timed is acknowledged. It was sent only once, so the time is that of one round"
        " trip. SRTT moves by an eighth of the difference, after RTTVAR; the first sample is SRTT itself.",
        ("6298-2-c", "6298-2-d", "9293 MUST-18"),
    ),
    "rtt_of_echo": Reason(
        "The ACK echoes the time at which the segment was sent. So it measures a round trip even after a"
        " retransmission.",
        ("7323-4.1-b", "7323-4.2-a", "6298-3-b"),
    ),
    "rtt_peer_was_late": Reason(
        "The ACK came with text, and later than the RTO. The text was probably lost once and sent again, and the"
        " wait for it is no round trip. So no sample is taken.",
        ("7323-4.1-b",),
    ),
    "rtt_resent_since": Reason(
        "Octets that are now acknowledged were sent again after the segment whose time is echoed. An earlier ACK was"
        " lost, and the time contains the wait for this one. So no sample is taken.",
        ("6298-3-a", "7323-4.1-b"),
    ),
    "rtt_unclear_after_syn": Reason(
        "The ACK of our SYN may have waited in the peer, or been caused by its own retransmission. So no sample is"
        " taken.",
        ("own",),
    ),
    "rtt_segment_sent_again": Reason(
        "The segment that was being timed is sent again. Its ACK could answer either transmission, so it measures"
        " nothing (Karn's algorithm).",
        ("6298-3-a", "6298-3-b"),
    ),
    "rtt_syn_sent_again": Reason(
        "Our SYN, which was being timed, is sent again. Its ACK could answer either transmission, so it measures"
        " nothing (Karn's algorithm).",
        ("6298-3-a", "6298-3-b"),
    ),
    # Losses, and the congestion window
    "loss_by_duplicate_acks": Reason(
        "Three duplicate ACKs: three segments have arrived behind a gap. The segment at SND.UNA is taken to be lost."
        " ssthresh becomes half of what was in flight (with CUBIC 0.7 of the window in use), and at least two"
        " segments. cwnd becomes ssthresh, and then larger by the three segments that have left the network.",
        ("5681-3.2-c", "5681-3.2-g", "5681-3.2-h"),
    ),
    "loss_by_sack": Reason(
        "Three ACKs have SACKed new octets, or more than two segments above the gap are SACKed: the segment at"
        " SND.UNA is taken to be lost.",
        ("6675-5-d", "6675-4-c"),
    ),
    "loss_by_rack": Reason(
        "A segment that was sent later has arrived, and the reordering window is over: the segment is taken to be"
        " lost (RACK).",
        ("8985-6.2-d",),
    ),
    "loss_by_reordering_timer": Reason(
        "The reordering timer has expired, and no ACK has come for a segment that was sent before one that has"
        " arrived: it is taken to be lost (RACK).",
        ("8985-6.2-d", "8985-6.2-e"),
    ),
    "loss_repaired_by_probe": Reason(
        "The tail loss probe has filled a gap: no duplicate of it was reported, so the segment was lost. cwnd is"
        " reduced as for any loss.",
        ("8985-7.4.2-a", "8985-7.4.2-b"),
    ),
    "loss_by_timeout": Reason(
        "No ACK has come before the retransmission timeout. ssthresh becomes half of what was in"
        " flight (with CUBIC 0.7 of the window in use), and at least two segments. cwnd is one segment: slow start"
        " begins again.",
        ("5681-3.1-g", "5681-3.1-o", "5681-3.1-q"),
    ),
    "loss_by_timeout_again": Reason(
        "The same segment has timed out again. ssthresh stays, and cwnd is one segment.",
        ("5681-3.1-p", "5681-3.1-q"),
    ),
    "loss_spared_by_mark": Reason(
        "The ACK has ECE: a router has marked a packet of ours in the place of dropping it. cwnd is reduced as for a"
        " loss, once a round trip. Nothing is sent again.",
        ("3168-6.1.2-b", "3168-6.1.2-d"),
    ),
    "recovery_begins": Reason(
        "Fast recovery begins. It lasts until all that is in flight now (up to `recover`) is acknowledged. Further"
        " losses among these octets do not reduce cwnd again.",
        ("6582-3.2-b", "6675-5-d"),
    ),
    "recovery_over": Reason("All that was in flight at the loss is acknowledged, so recovery is over.", ("6675-5-f",)),
    "recovery_over_newreno": Reason(
        "All that was in flight at the loss is acknowledged, so fast recovery is over. cwnd falls to ssthresh, or to"
        " a little more than what is in flight, so that no burst is sent.",
        ("6582-3.2-c", "5681-3.2-l"),
    ),
    "recovery_timed_out": Reason(
        "The retransmission timeout ends the fast recovery. No other begins before `recover` is acknowledged.",
        ("6582-3.2-f", "6675-5.1-b"),
    ),
    "partial_ack": Reason(
        "A partial ACK: it acknowledges new octets, but not all that was in flight at the loss. So the next segment"
        " is lost, too, and recovery goes on.",
        ("6582-3.2-d",),
    ),
    "undo_eifel": Reason(
        "The ACK echoes a timestamp from before the retransmission, so it answers the original segment. Nothing was"
        " lost. cwnd and ssthresh become what they were (Eifel, RFC 3522 and RFC 4015).",
        ("own",),
    ),
    "duplicate_reported": Reason(
        "The first SACK block lies below the acknowledgment, or in the second block: the peer has received these"
        " octets twice (DSACK). With RACK the reordering window grows.",
        ("2883-5-a",),
    ),
    "slow_start": Reason(
        "cwnd is less than ssthresh. It grows by up to one segment for each ACK of new data (with CUBIC by up to two).",
        ("5681-3.1-h", "5681-3.1-i"),
    ),
    "congestion_avoidance": Reason(
        "cwnd has reached ssthresh. It grows slowly: with Reno by one segment in a round trip, with CUBIC along its"
        " curve.",
        ("5681-3.1-h", "5681-3.1-k"),
    ),
    "fast_recovery": Reason(
        "A loss is being repaired, and the ACKs that come do not open cwnd as they would otherwise.",
        ("5681-4.3-a",),
    ),
    # Windows, marks, buffers and sizes
    "window_moved": Reason(
        "The segment is newer than the one that the send window was taken from, and offers another window.",
        ("9293-3.10.7.4-p",),
    ),
    "window_closed": Reason(
        "The peer offers a window of 0: its buffer is full. Nothing is sent but probes, until it opens the window.",
        ("9293-3.10.7.4-p", "9293 MUST-36"),
    ),
    "window_opened": Reason("The peer opens its window again.", ("9293-3.10.7.4-p",)),
    "window_shrunk": Reason(
        "The peer has moved the right edge of its window to the left. It should not, but TCP must cope with it:"
        " nothing new is sent beyond the edge.",
        ("9293-3.10.7.4-p", "9293 MUST-34", "9293 SHLD-15"),
    ),
    "window_is_old": Reason(
        "SND.WL1 and SND.WL2 show that the send window was taken from a newer segment. So the window of this one is"
        " not taken.",
        ("9293-3.10.7.4-p", "9293-3.8.6-a"),
    ),
    "ecn_packet_was_marked": Reason(
        "A packet has come with CE: a router is congested. Every ACK has ECE from now on, until the sender says that"
        " it has reduced its window.",
        ("3168-6.1.3-a", "3168-6.1.1-f"),
    ),
    "ecn_window_was_reduced": Reason(
        "The ACK has ECE, but the window was reduced less than one round trip ago. It is not reduced again.",
        ("3168-6.1.2-d",),
    ),
    "ecn_sender_has_reduced": Reason(
        "The segment has CWR: the sender has reduced its window. ECE is sent no more.",
        ("3168-6.1.3-a",),
    ),
    "urgent_announced": Reason(
        "The segment has URG. The urgent pointer is new, or has moved forward, and the program is told.",
        ("9293-3.10.7.4-t", "9293 MUST-32"),
    ),
    "urgent_sent": Reason(
        "The program sends urgent data. The urgent pointer shows the octet after it.",
        ("9293 MUST-30", "9293 MUST-62"),
    ),
    "rcvbuf_grows": Reason(
        "The program has read in one round trip nearly as much as the receive buffer holds. The buffer grows, so"
        " that it does not limit the rate.",
        ("own",),
    ),
    "sndbuf_grows": Reason(
        "The send buffer is nearly full, and twice the congestion window is more than it holds. It grows.",
        ("own",),
    ),
    "pruned_for_memory": Reason(
        "The host is short of memory, so text behind a gap is dropped. It was not acknowledged cumulatively: the"
        " peer still has it.",
        ("2018-8-a",),
    ),
    "mtu_was_not_exceeded": Reason(
        "A router reports that a packet was too large, but no such packet was sent. The report is ignored.",
        ("5927-7.2-a",),
    ),
    "mtu_waits_for_timeout": Reason(
        "A router reports a size that is smaller than one that has arrived. The report may be forged: it is believed"
        " only if the segment times out.",
        ("5927-7.2-c",),
    ),
    "mtu_is_believed": Reason(
        "A router reports that the segment is too large for the next link, and no larger one has arrived. The MTU of"
        " the path is lowered at once, and the segment is sent again in smaller pieces.",
        ("5927-7.2-b", "1191-3-a"),
    ),
    "mtu_is_refuted": Reason(
        "The segment that the router claims to have dropped is acknowledged. The claim is forgotten.",
        ("5927-7.2-c",),
    ),
    "mtu_is_confirmed": Reason(
        "The segment that the router claims to have dropped has timed out, so the claim is believed.",
        ("5927-7.2-c",),
    ),
    "mtu_black_hole": Reason(
        "Large segments time out again and again, and no router reports why: they may be too large. A smaller size"
        " is tried.",
        ("4821-7.7-a", "4821-7.7-b"),
    ),
    "mtu_fails_again": Reason(
        "The larger size has failed before on this path, and fails again. The smaller one is used.",
        ("4821-7.8-a",),
    ),
}
