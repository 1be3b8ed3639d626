"""Memory of a connection: what it is charged, and what it may store when the budget is tight.

See `stack/budget.py` for the rules, RFC 9293 section 3.8.6 (the right edge of the window never
moves to the left), and RFC 2018 section 8 (out-of-order data was never acknowledged cumulatively
and may be dropped).
"""

from __future__ import annotations

from stack.budget import Budget
from stack.tcp.recvbuf import RUN_BYTES
from stack.tcp.scoreboard import RANGE_BYTES
from stack.tcp.segment import Segment
from stack.tcp.states import ESTABLISHED, LISTEN, TIME_WAIT
from stack.tcp.tcb import Tcb
from stack.wire.tcp import FIN


def recharge(tcb: Tcb) -> None:
    """Update the amount that the connection is charged.

    `timers.set_timers` and `user_calls.after_read` repeat this in place, because they run so often
    that the call would cost too much.
    """
    budget = tcb.services.budget
    receiving, sending, board = tcb.receive_buffer, tcb.send_buffer, tcb.scoreboard
    weight = receiving.size + receiving.head + receiving.spare + sending.size + sending.head
    weight += (weight >> 3) + receiving.held_cost + (RANGE_BYTES * len(board.starts) if board and board.sacked else 0)
    if tcb.state <= LISTEN and tcb.listener is None:
        charge = weight  # data that the user has not read
    elif tcb.state < ESTABLISHED or tcb.state is TIME_WAIT:
        charge = budget.half_open + weight
        if tcb.syn_text is not None:
            charge += len(tcb.syn_text[0])
    else:
        charge = budget.connection + max(weight - budget.prepaid, 0)
    change = charge - tcb.charged
    if change:
        tcb.charged = charge
        budget.charge(tcb.remote[0], change)


def window_limit(tcb: Tcb) -> int:
    """The limit that replaces RCV.BUFF when the host is short of memory.

    It is what the peer's share still allows, but at least `budget.least`, and at least one unit of
    the scaled window field. Otherwise the window would look closed to the peer.
    """
    budget = tcb.services.budget
    return min(tcb.rcvbuf, max(budget.left(tcb.remote[0]), budget.least, 1 << tcb.rcv_shift))


def ranges_limit(tcb: Tcb) -> int:
    """How many ranges the scoreboard may hold when the host is short of memory.

    A range that is not recorded counts as not SACKed.
    """
    budget = tcb.services.budget
    return tcb.config.max_sacked_ranges if budget.left(tcb.remote[0]) else budget.least // RANGE_BYTES


def send_room(tcb: Tcb) -> int:
    """How many octets more a SEND may queue when the host is short of memory.

    0 means wait: an acknowledgment will make room.
    """
    budget = tcb.services.budget
    return max(budget.left(tcb.remote[0]), budget.least - tcb.send_buffer.size, 0)


def trim_to_budget(tcb: Tcb, seg: Segment) -> bool:
    """When the host is short of memory, drop text that does not fit; return whether there was any.

    A connection may always hold `least` octets, which it needs to make progress. In-order text is
    cut to what fits; out-of-order text is kept whole or not at all. Dropped text is not
    acknowledged, so the peer will send it again.
    """
    budget = tcb.services.budget
    buffer = tcb.receive_buffer
    count = len(seg.text)
    cost, least = count + (count >> 3), budget.least - buffer.size
    in_order = seg.seg_seq == tcb.rcv_nxt
    if not in_order:
        cost = count + RUN_BYTES
        least -= buffer.held_cost + RUN_BYTES
    if budget.left(tcb.remote[0]) >= cost or least >= count:
        return False
    seg.seg_len = max(least, 0) if in_order else 0
    seg.text = seg.text[: seg.seg_len]
    seg.flags &= ~FIN
    tcb.services.counters.drop("tcp_no_memory")
    return True


def prune(budget: Budget) -> None:
    """Drop out-of-order text until there is room again: first that of the largest holders.

    Peers beyond their share come before all others. The others follow only if that frees enough to
    get below the pressure mark, or while new connections are refused. Pruning is not repeated until
    the use has grown again.
    """
    target = budget.pressure - (budget.pressure >> 3)
    for tcb in [tcb for tcb in budget.out_of_order if not tcb.receive_buffer.held]:
        del budget.out_of_order[tcb]
    # The rest would free nothing
    holders = [tcb for tcb in budget.out_of_order if tcb.charged > budget.connection]
    holders.sort(key=lambda tcb: -budget.peers[tcb.remote[0]])
    rest: list[Tcb] = []
    for tcb in holders:
        if budget.used <= target:
            break
        if budget.left(tcb.remote[0]):
            rest.append(tcb)
        else:
            _drop_out_of_order(tcb, budget)
    helps = budget.used - sum(tcb.receive_buffer.held_cost for tcb in rest) <= budget.pressure
    for tcb in rest:
        if budget.used <= (target if helps else budget.high):
            break
        _drop_out_of_order(tcb, budget)
    budget.prune_at = max(budget.pressure, budget.used + (budget.total >> 6))


def give_back(tcb: Tcb) -> None:
    """The connection is over: keep the in-order data for its user, drop everything else.

    A connection that waits to be accepted keeps its place and stays charged until it is accepted.
    """
    tcb.send_buffer.clear()
    if tcb.scoreboard is not None and tcb.scoreboard.sacked:
        tcb.scoreboard.clear()
    tcb.syn_text = None
    if tcb.receive_buffer.held:
        tcb.receive_buffer.forget_held()
    if tcb.orphaned:
        tcb.receive_buffer.clear()
    if tcb.listener is not None and not tcb.listener.gone(tcb):
        tcb.listener = None
    tcb.services.budget.out_of_order.pop(tcb, None)
    recharge(tcb)


def _drop_out_of_order(tcb: Tcb, budget: Budget) -> None:
    """RFC 2018 section 8: drop SACKed data, which the sender keeps until SEG.ACK covers it."""
    tcb.services.counters.drop("tcp_pruned")
    tcb.receive_buffer.forget_held()
    if tcb.sack_reporter is not None:
        tcb.sack_reporter.forget_held()
    del budget.out_of_order[tcb]
    recharge(tcb)
    if tcb.services.trace is not None:
        tcb.tell("tcp:pruned", "pruned_for_memory", used=budget.used)
