"""Path MTU discovery in one connection: which ICMP messages to believe, and black holes.

See RFC 1191 section 6.4; RFC 5927 section 7.2 (compare the claim of a Packet Too Big with what was
sent and acknowledged); RFC 4821 sections 7.7 and 7.8 (black holes). The MTU itself belongs to the
Internet layer, which tells every connection on the path. Sizes here are octets of text in one
segment, as in Eff.snd.MSS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.tcp.seq import ge, gt
from stack.tcp.timestamps import OPTION_BYTES

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb


class Sizes:
    """The largest segments that were sent and that arrived: RFC 5927's maxsizesent, maxsizeacked.

    - `measured`: size of the segment ending at `measured_end` whose ACK is awaited, 0 for none.
    - `claimed_mtu` and `claimed_seq`: a router's claim that is not believed yet.
    - `holding`: a claim was believed; only the first segment is retransmitted until it is
      acknowledged.
    - `watching`: `note_acknowledged` must be called.
    - `passes_mtu`: the MTU that passed a black hole, 0 if there was none.
    """

    __slots__ = (
        "acked", "claimed_mtu", "claimed_seq", "holding", "measured", "measured_end", "passes_mtu", "sent", "watching",
    )  # fmt: skip

    def __init__(self) -> None:
        self.sent = self.acked = 0
        self.measured = self.measured_end = 0
        self.claimed_mtu = self.claimed_seq = 0
        self.holding = self.watching = False
        self.passes_mtu = 0


def note_sent(tcb: Tcb, length: int, end: int) -> None:
    """Record a new segment, of `length` octets up to `end`, larger than any acknowledged one."""
    sizes = tcb.sizes
    sizes.sent = max(sizes.sent, length)
    if sizes.measured == 0:
        sizes.measured, sizes.measured_end = length, end
        sizes.watching = True


def note_acknowledged(tcb: Tcb, ack: int) -> None:
    """SND.UNA has moved to `ack`, and `sizes.watching` is set."""
    sizes = tcb.sizes
    if sizes.measured and ge(ack, sizes.measured_end):
        sizes.acked = max(sizes.acked, sizes.measured)
        sizes.measured = 0
    # "progress": the segment that the router claims to have dropped has arrived
    if sizes.claimed_mtu and gt(ack, sizes.claimed_seq):
        _tell(tcb, "mtu_is_refuted", sizes.claimed_mtu)
        sizes.claimed_mtu = 0
    sizes.holding = False
    sizes.watching = sizes.measured > 0 or sizes.claimed_mtu > 0


def packet_too_big(tcb: Tcb, mtu: int, seq: int) -> bool:
    """A router reports that the segment at `seq` exceeds `mtu`; return whether to believe it.

    The segment is in flight. If no segment larger than `mtu` was sent, the report is false. If a
    larger one has been acknowledged, it is true only if the path has changed; the next timeout will
    tell (MAXSEGRTO of RFC 5927 section 7.2 is 1).
    """
    sizes, drop = tcb.sizes, tcb.services.counters.drop
    text = _text(tcb, mtu)
    if text >= sizes.sent:
        drop("tcp_too_big_not_sent")
        _tell(tcb, "mtu_was_not_exceeded", mtu)
        return False
    if text < sizes.acked:
        drop("tcp_too_big_delayed")
        sizes.claimed_mtu, sizes.claimed_seq = mtu, seq
        sizes.watching = True
        _tell(tcb, "mtu_waits_for_timeout", mtu)
        return False
    _tell(tcb, "mtu_is_believed", mtu)
    _sizes_have_changed(tcb, text)
    # RFC 1191 section 6.4: one segment now, the rest when it is acknowledged. cwnd stays, because
    # there was no congestion.
    tcb.rtx_nxt, tcb.rtx_end = tcb.snd_una, tcb.snd_nxt
    tcb.rtx_because = "again_too_big"
    sizes.holding = sizes.watching = True
    tcb.touch()
    return True


def on_timeout(tcb: Tcb, now: float) -> None:
    """Find out whether the segment that timed out is too large, before it is sent again."""
    sizes, config = tcb.sizes, tcb.config
    sizes.holding = False
    if sizes.claimed_mtu:
        mtu, sizes.claimed_mtu = sizes.claimed_mtu, 0
        _tell(tcb, "mtu_is_confirmed", mtu)
        _lower(tcb, mtu, now)
        return
    if not config.black_hole_detection:
        return
    front = min(tcb.flight, tcb.mss)
    if sizes.passes_mtu and front > max(sizes.acked, _text(tcb, sizes.passes_mtu)):
        _tell(tcb, "mtu_fails_again", sizes.passes_mtu)
        _lower(tcb, sizes.passes_mtu, now)  # RFC 4821 section 7.8: the larger size has failed again
    elif tcb.timeouts >= config.black_hole_timeouts * (1 if front > sizes.acked else 2):
        # A size that has arrived on this path before is more likely lost than too large, so twice
        # as many timeouts are needed: smaller segments would be lost as often, and there would be
        # more of them. RFC 4821 section 7.7: first the size that nearly every path takes, then
        # half.
        low = config.black_hole_mtu
        mtu = low if tcb.path.mtu > low else tcb.path.mtu // 2
        if front > _text(tcb, mtu):
            sizes.passes_mtu = mtu
            _tell(tcb, "mtu_black_hole", mtu)
            # The cause may have been an outage: try the larger size again soon. If it is lost
            # again, it is taken to be too large.
            _lower(tcb, mtu, now, config.black_hole_retry_s)


def _tell(tcb: Tcb, because: str, mtu: int) -> None:
    """Tell observers what becomes of a packet size."""
    if tcb.services.trace is not None:
        tcb.tell("tcp:mtu", because, mtu=mtu, sent=tcb.sizes.sent, acked=tcb.sizes.acked)


def _lower(tcb: Tcb, mtu: int, now: float, for_s: float | None = None) -> None:
    # This calls `path_mtu_changed` on every connection of the path
    tcb.path.lower_mtu(mtu, now, for_s)
    _sizes_have_changed(tcb, tcb.mss)


def _sizes_have_changed(tcb: Tcb, text: int) -> None:
    """The path has changed: forget the sizes sent and acknowledged before."""
    sizes = tcb.sizes
    sizes.sent = text
    sizes.acked = min(sizes.acked, text)
    sizes.measured = sizes.claimed_mtu = 0


def _text(tcb: Tcb, mtu: int) -> int:
    """The octets of text in a packet of `mtu` octets."""
    options = OPTION_BYTES if tcb.timestamps.agreed else 0
    return tcb.room - (tcb.path.mtu - mtu) - options
