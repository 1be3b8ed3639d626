"""TCP_INFO: the state of a connection in Linux's layout, struct tcp_info of linux/tcp.h.

Times are in microseconds, but for the four "last" ones, which are in milliseconds. Windows are in
segments. What a connection does not count is 0: the retransmits in all and the reordering, and all
that follows the first 104 octets.
"""

from __future__ import annotations

from math import inf
from struct import Struct
from typing import TYPE_CHECKING

from stack.config import TcpConfig
from stack.tcp.states import State
from stack.tcp.tcb import DEFAULT_SEND_MSS

if TYPE_CHECKING:
    from stack.tcp.connection import Connection
    from stack.tcp.listener import Listener

LAYOUT = Struct("=8B24I")
LINUX_STATES = {
    State.ESTABLISHED: 1,
    State.SYN_SENT: 2,
    State.SYN_RECEIVED: 3,
    State.FIN_WAIT_1: 4,
    State.FIN_WAIT_2: 5,
    State.TIME_WAIT: 6,
    State.CLOSED: 7,
    State.CLOSE_WAIT: 8,
    State.LAST_ACK: 9,
    State.LISTEN: 10,
    State.CLOSING: 11,
}
TIMESTAMPS, SACK, WINDOW_SCALE, ECN = 1, 2, 4, 8
OPEN, DISORDER, RECOVERY, LOSS = 0, 1, 3, 4  # tcpi_ca_state
UNLIMITED = 0x7FFF_FFFF  # TCP_INFINITE_SSTHRESH
REORDERING = 3  # segments, RFC 5681's duplicate ACKs


def tcp_info(connection: Connection | None, listener: Listener | None, config: TcpConfig, now: float) -> bytes:
    """The 104 octets of a connection, of a listener, or of a socket that is neither."""
    if connection is None:
        state = LINUX_STATES[State.CLOSED if listener is None else State.LISTEN]
        values = {
            "rto": _micro(config.rto_initial_s),
            "snd_mss": DEFAULT_SEND_MSS,
            "rcv_mss": DEFAULT_SEND_MSS,
            "snd_ssthresh": UNLIMITED,
            "snd_cwnd": config.initial_window_segments,
            "reordering": REORDERING,
        }
        if listener is not None:  # as Linux, in fields that a listener has no other use for
            values |= {"unacked": listener.not_accepted, "sacked": listener.backlog}
        return _packed(state, 0, 0, 0, 0, True, values)
    mss = max(connection.mss, 1)
    return _packed(
        LINUX_STATES[connection.state],
        _congestion_state(connection),
        connection.timeouts,
        _options(connection),
        connection.snd_shift | connection.rcv_shift << 4,
        connection.unsent == 0,
        {
            "rto": _micro(connection.rtt.timeout_s()),
            "ato": _micro(connection.config.delayed_ack_s),
            "snd_mss": connection.mss,
            "rcv_mss": connection.rcv_mss,
            "unacked": -(-connection.flight // mss),
            "sacked": -(-connection.scoreboard.sacked // mss) if connection.scoreboard is not None else 0,
            "last_data_sent": _since(connection.last_sent_at, now),
            "last_data_recv": _since(connection.last_received_at, now),
            "last_ack_recv": _since(connection.last_received_at, now),
            "pmtu": connection.path.mtu,
            "rcv_ssthresh": connection.rcv_wnd,
            "rtt": _micro(connection.rtt.srtt_s or 0.0),
            "rttvar": _micro(connection.rtt.rttvar_s),
            "snd_ssthresh": _segments(connection.congestion.ssthresh, mss),
            "snd_cwnd": connection.congestion.cwnd // mss,
            "advmss": connection.path.mtu - connection.path.header_length - 20,
            "reordering": REORDERING,
            "rcv_space": connection.rcvbuf,
        },
    )


NAMES = (
    "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv"
    " last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space"
    " total_retrans"
).split()


def _packed(
    state: int, ca_state: int, retransmits: int, options: int, scales: int, app_limited: bool, values: dict[str, int]
) -> bytes:
    numbers = [min(max(values.get(name, 0), 0), 0xFFFF_FFFF) for name in NAMES]
    return LAYOUT.pack(state, ca_state, min(retransmits, 255), 0, 0, options, scales, app_limited, *numbers)


def _congestion_state(connection: Connection) -> int:
    if connection.timeouts:
        return LOSS
    if connection.loss is not None:
        return RECOVERY
    return DISORDER if connection.duplicate_acks else OPEN


def _options(connection: Connection) -> int:
    found = TIMESTAMPS if connection.timestamps.agreed else 0
    found |= SACK if connection.sack else 0
    found |= WINDOW_SCALE if connection.scaling else 0
    return found | (ECN if connection.ecn is not None else 0)


def _micro(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _since(at: float, now: float) -> int:
    return 0 if at in (0.0, -inf) else round((now - at) * 1000)


def _segments(octets: float, mss: int) -> int:
    return UNLIMITED if octets >= 1 << 30 else int(octets) // mss
