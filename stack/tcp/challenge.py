"""Challenge ACKs: a segment that may be forged is answered with an ACK, at a limited rate.

See RFC 5961 sections 3 to 5 (which segments are challenged) and 7 (the limit). A genuine peer that
has forgotten the connection answers a challenge ACK with a reset that has the right number.
"""

from __future__ import annotations

from stack.tcp.output import send_ack
from stack.tcp.tcb import Tcb


def challenge_ack(tcb: Tcb, now: float, because: str) -> None:
    """Send a challenge ACK, unless this connection has used up its limit for the present window.

    The limit is one for each connection (section 7). A limit shared by all connections would tell
    an attacker about the other connections (CVE-2016-5696).
    """
    if may_challenge(tcb, now):
        send_ack(tcb, now, because)


def may_challenge(tcb: Tcb, now: float) -> bool:
    """Take one challenge ACK from this connection's budget; return whether one was left."""
    config = tcb.config
    if now >= tcb.challenge_window_end:
        tcb.challenge_window_end = now + config.challenge_ack_window_s
        tcb.challenge_budget = config.challenge_acks_per_window
    if tcb.challenge_budget > 0:
        tcb.challenge_budget -= 1
        return True
    tcb.services.counters.drop("tcp_challenge_limited")
    return False
