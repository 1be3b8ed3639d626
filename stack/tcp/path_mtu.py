"""Path MTU discovery as one connection sees it: which routers to believe, and what to do when they say nothing.

See RFC 1191 section 6.4, RFC 5927 section 7.2 (what a Packet Too Big claims is held against what was sent and what was
acknowledged) and RFC 4821 sections 7.7 and 7.8 (black holes). The MTU itself is the Internet layer's, which tells every
connection on the path; here sizes are octets of text in one segment, as Eff.snd.MSS is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.tcp.seq import ge, gt
from stack.tcp.timestamps import OPTION_BYTES
from stack.wire.tcp import HEADER_LENGTH

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb


class Sizes:
    """How large segments were that went out and that arrived: RFC 5927's maxsizesent and maxsizeacked.

    `measured` is the size of the segment ending at `measured_end` whose acknowledgment is awaited, 0 for none;
    `claimed_mtu` and `claimed_seq` are a router's claim that is not believed yet; `holding`: after a claim that was,
    only the first segment is sent again until it is acknowledged; `watching`: `note_acknowledged` is to be called;
    `passes_mtu`: what a black hole let pass, 0 if there was none.
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
    """A segment of `length` octets that ends at `end` goes out for the first time; larger than any acknowledged."""
    sizes = tcb.sizes
    sizes.sent = max(sizes.sent, length)
    if sizes.measured == 0:
        sizes.measured, sizes.measured_end = length, end
        sizes.watching = True


def note_acknowledged(tcb: Tcb, ack: int) -> None:
    """SND.UNA has moved to `ack`, and `sizes.watching` says that somebody waits for that."""
    sizes = tcb.sizes
    if sizes.measured and ge(ack, sizes.measured_end):
        sizes.acked = max(sizes.acked, sizes.measured)
        sizes.measured = 0
    if sizes.claimed_mtu and gt(ack, sizes.claimed_seq):  # "progress": what the router claimed to have dropped arrived
        sizes.claimed_mtu = 0
    sizes.holding = False
    sizes.watching = sizes.measured > 0 or sizes.claimed_mtu > 0


def packet_too_big(tcb: Tcb, mtu: int, seq: int) -> bool:
    """A router says that the segment at `seq`, which is in flight, exceeds `mtu`. Returns whether to believe it now.

    Beyond what was sent it cannot be true, and below what has arrived it is true only if the path has changed: then the
    next timeout will tell (MAXSEGRTO of RFC 5927 section 7.2 is 1).
    """
    sizes, drop = tcb.sizes, tcb.services.counters.drop
    text = _text(tcb, mtu)
    if text >= sizes.sent:
        drop("tcp_too_big_not_sent")
        return False
    if text < sizes.acked:
        drop("tcp_too_big_delayed")
        sizes.claimed_mtu, sizes.claimed_seq = mtu, seq
        sizes.watching = True
        return False
    _sizes_have_changed(tcb, text)
    # RFC 1191 section 6.4: one segment now, the rest when it is acknowledged; cwnd stays, as nothing was congested.
    tcb.rtx_nxt, tcb.rtx_end = tcb.snd_una, tcb.snd_nxt
    sizes.holding = sizes.watching = True
    tcb.touch()
    return True


def on_timeout(tcb: Tcb, now: float) -> None:
    """The front of the queue has timed out: is it too large? Called before it is sent again."""
    sizes, config = tcb.sizes, tcb.services.config
    sizes.holding = False
    if sizes.claimed_mtu:
        mtu, sizes.claimed_mtu = sizes.claimed_mtu, 0
        _lower(tcb, mtu, now)
        return
    if not config.black_hole_detection:
        return
    front = min(tcb.flight, tcb.mss)
    if sizes.passes_mtu and front > max(sizes.acked, _text(tcb, sizes.passes_mtu)):
        _lower(tcb, sizes.passes_mtu, now)  # RFC 4821 section 7.8: what was tried again is as bad as before
    elif tcb.timeouts >= config.black_hole_timeouts * (1 if front > sizes.acked else 2):
        # A size that has arrived on this path is more likely lost than too large: with so many losses, it would be
        # lost as often in smaller pieces, of which there are more.
        # RFC 4821 section 7.7: first the size that nearly every path takes, then half
        low = config.black_hole_mtu
        mtu = low if tcb.path.mtu > low else tcb.path.mtu // 2
        if front > _text(tcb, mtu):
            sizes.passes_mtu = mtu
            # It may have been an outage: the larger size is tried again soon, and to blame if it is lost again.
            _lower(tcb, mtu, now, config.black_hole_retry_s)


def _lower(tcb: Tcb, mtu: int, now: float, for_s: float | None = None) -> None:
    tcb.path.lower_mtu(mtu, now, for_s)  # which calls `path_mtu_changed` on every connection that it concerns
    _sizes_have_changed(tcb, tcb.mss)


def _sizes_have_changed(tcb: Tcb, text: int) -> None:
    """What was sent and acknowledged before says nothing about the path as it is now."""
    sizes = tcb.sizes
    sizes.sent = text
    sizes.acked = min(sizes.acked, text)
    sizes.measured = sizes.claimed_mtu = 0


def _text(tcb: Tcb, mtu: int) -> int:
    """The octets of text in a packet of `mtu` octets."""
    options = OPTION_BYTES if tcb.timestamps.agreed else 0
    return mtu - tcb.path.header_length - HEADER_LENGTH - options
