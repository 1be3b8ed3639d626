"""What the host's memory budget asks of a connection: what it is charged, and what it may take in when there is little.

See `stack/budget.py` for the rules, RFC 9293 section 3.8.6 (the right edge of the window never moves to the left), RFC
2018 section 8 (what came out of order may be forgotten, as it was never acknowledged).
"""

from __future__ import annotations

from stack.budget import Budget
from stack.tcp.recvbuf import RUN_BYTES
from stack.tcp.scoreboard import RANGE_BYTES
from stack.tcp.segment import Segment
from stack.tcp.states import State
from stack.tcp.tcb import Tcb
from stack.wire.tcp import FIN


def recharge(tcb: Tcb) -> None:
    """Bring what the connection is charged up to date.

    `output.set_timers` and `user_calls.after_read` do the same in place: they are called too often for one more call.
    """
    budget = tcb.services.budget
    receiving, sending, board = tcb.receive_buffer, tcb.send_buffer, tcb.scoreboard
    weight = receiving.size + receiving.head + receiving.spare + sending.size + sending.head
    weight += (weight >> 3) + receiving.held_cost + (RANGE_BYTES * len(board.starts) if board and board.sacked else 0)
    if tcb.state <= State.LISTEN and tcb.listener is None:
        charge = weight  # what the user has not read
    elif tcb.state < State.ESTABLISHED or tcb.state is State.TIME_WAIT:
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
    """What takes the place of RCV.BUFF when the host is tight: all that a peer within its share may have left.

    It is no less than what one in the window field stands for, or the window would look closed to the peer.
    """
    budget = tcb.services.budget
    return min(tcb.rcvbuf, max(budget.left(tcb.remote[0]), budget.least, 1 << tcb.rcv_shift))


def ranges_limit(tcb: Tcb) -> int:
    """How many ranges the scoreboard may have when the host is tight; what is not noted counts as not SACKed."""
    budget = tcb.services.budget
    return tcb.services.config.max_sacked_ranges if budget.left(tcb.remote[0]) else budget.least // RANGE_BYTES


def send_room(tcb: Tcb) -> int:
    """How many octets more a SEND may queue when the host is tight; 0: wait, an acknowledgment will bring room."""
    budget = tcb.services.budget
    return max(budget.left(tcb.remote[0]), budget.least - tcb.send_buffer.size, 0)


def trim_to_budget(tcb: Tcb, seg: Segment) -> bool:
    """When the host is tight: drop the text that there is no memory for; return whether there was some.

    A connection may always hold `least` octets, as it needs them to go on: of text in order as much stays, what came
    out of order stays whole or not at all. What is dropped was not acknowledged: the peer will send it again.
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
    """Forget text that waits behind gaps, of the peers that hold most first, until there is room again.

    First that of peers beyond their share. Then all the rest, but only where that helps: if it leads below the pressure
    mark, or while new connections are refused. Until the use has grown again nothing is done a second time.
    """
    target = budget.pressure - (budget.pressure >> 3)
    for tcb in [tcb for tcb in budget.out_of_order if not tcb.receive_buffer.held]:
        del budget.out_of_order[tcb]
    holders = [
        tcb for tcb in budget.out_of_order if tcb.charged > budget.connection
    ]  # of the others nothing would come
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
    """The connection is over: what has arrived in order stays for its user, all else is flushed.

    One that waits to be accepted keeps its place, and stays charged, until it is.
    """
    tcb.send_buffer.clear()
    if tcb.scoreboard is not None and tcb.scoreboard.sacked:
        tcb.scoreboard.clear()
    tcb.syn_text = None
    tcb.receive_buffer.forget_held()
    if tcb.orphaned:
        tcb.receive_buffer.clear()
    if tcb.listener is not None and not tcb.listener.gone(tcb):
        tcb.listener = None
    tcb.services.budget.out_of_order.pop(tcb, None)
    recharge(tcb)


def _drop_out_of_order(tcb: Tcb, budget: Budget) -> None:
    """RFC 2018 section 8: the peer keeps what it was told of in SACK blocks until it is acknowledged."""
    tcb.services.counters.drop("tcp_pruned")
    tcb.receive_buffer.forget_held()
    if tcb.sack_reporter is not None:
        tcb.sack_reporter.forget_held()
    del budget.out_of_order[tcb]
    recharge(tcb)
    if tcb.services.trace is not None:
        tcb.trace("out-of-order text forgotten", used=budget.used)
