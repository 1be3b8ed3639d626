"""Why TCP does what it does: the reasons of its decisions, by the word that the code says."""

from __future__ import annotations

from stack.trace.reason import Reason

TCP_REASONS: dict[str, Reason] = {
    # --- acknowledging, sending, sending again, timers
    # A timer has expired: what that means
    "timer_delayed_ack": Reason(
        "The time that an ACK may wait is over: the ACK is sent without data.", ("9293 MUST-40", "5681-4.2-c")
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
    "timer_keepalive": Reason(
        "Nothing has come from the peer for a long time: a probe asks whether it is still there.", ("9293 MUST-26",)
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
    # --- opening, calls of the program, round trips, losses
}
