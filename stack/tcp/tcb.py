"""The Transmission Control Block: everything that one connection knows, under RFC 9293's names.

See RFC 9293 section 3.3.1. The functions that work on it are in `user_calls.py` (3.10.1 to 3.10.6),
`handshake.py` and `segment_arrives.py` (3.10.7), `timeouts.py` (3.10.8) and `output.py`.
`connection.py` gathers them for the user.

    Send Sequence Space                          Receive Sequence Space

         1         2          3          4            1          2          3
    ----------|----------|----------|----------  ----------|----------|----------
           SND.UNA    SND.NXT    SND.UNA                 RCV.NXT    RCV.NXT
                                +SND.WND                           +RCV.WND

Memory: an idle connection takes less than 4 KiB, its socket included, so that a host can hold many.
Some code looks odd for that reason, here and in the buffers:

- Where a list is nearly always empty, all connections share one empty list: `recvbuf.py`,
  `scoreboard.py`, `rack.py`. It is never written to; a new list takes its place before the first
  write.
- The buffers' queues are lists, not deques. An empty deque takes some 700 octets. Removing elements
  from the front of a list moves the others, but there are at most a few thousand.
- Most extensions are None while they are not in use.
- A record of `rack.py` is a list. This one is for speed: an object with `__slots__` takes a third
  longer to make, for each segment sent, and lists are compared and sorted without a key function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Protocol

from stack.budget import Budget
from stack.config import TcpConfig
from stack.counters import Counters
from stack.noop import noop
from stack.tcp import states
from stack.tcp.congestion import POLICIES, Congestion
from stack.tcp.fast_open import CookieCache, FastOpen
from stack.tcp.loss import Loss
from stack.tcp.options import UserOptions, default_options
from stack.tcp.pacing import Pacer
from stack.tcp.path_mtu import Sizes
from stack.tcp.rack import Rack
from stack.tcp.recvbuf import ReceiveBuffer
from stack.tcp.rtt import RttEstimator
from stack.tcp.sack import SackReporter
from stack.tcp.scoreboard import Scoreboard
from stack.tcp.sendbuf import SendBuffer
from stack.tcp.seq import MASK
from stack.tcp.states import CLOSED, SYNCHRONIZED, Event, State
from stack.tcp.timestamps import OPTION_BYTES, Timestamps
from stack.tcp.user_timeout import UserTimeout
from stack.wire.checksum import Buffer
from stack.wire.flow import flow_key
from stack.wire.tcp import HEADER_LENGTH
from stack.wire.tcp_options import MAX_LENGTH

if TYPE_CHECKING:
    from stack.tcp.connection import Connection
    from stack.tcp.ecn import Ecn
    from stack.tcp.segment import Segment
    from stack.tcp.trace import TcpTrace

# RFC 9293 section 3.7.1, MUST-15: the send MSS for IPv4 when the peer's SYN has no MSS option.
DEFAULT_SEND_MSS = 536


class Parent(Protocol):
    """The listener of a connection from a passive open, until the connection is accepted."""

    def has_room(self) -> bool: ...
    def may_open(self, child: Tcb, seg: Segment, now: float) -> bool: ...
    def established(self, child: Tcb) -> None: ...
    def gone(self, child: Tcb) -> bool: ...


class NextHop(Protocol):
    """The neighbour to which the path sends its packets.

    A packet that was sent before `learnt_at` waited for ARP and left at that time.
    """

    learnt_at: float


class Path(Protocol):
    """The part of `internet.path.Path` that TCP uses. TCP never looks inside an address.

    A segment of `mtu - header_length` octets, its own header included, is sent unfragmented.
    `pseudo_sum` is the one's complement sum of the pseudo-header without the length.

    If the link can complete checksums, `checksum_offload` is True. `send_offloaded` takes a segment
    whose checksum field holds only the pseudo-header's sum. With `segment_bytes` the segment is a
    super-frame with at most `gso_max_bytes` octets of text, and the link cuts the text into pieces
    of `segment_bytes`.
    """

    mtu: int
    header_length: int
    pseudo_sum: int
    ttl: int
    tos: int
    checksum_offload: bool
    gso_max_bytes: int

    @property
    def interface(self) -> object: ...
    @property
    def neighbor(self) -> NextHop: ...
    def send(self, parts: list[Buffer], length: int, now: float) -> None: ...
    def send_offloaded(
        self, parts: list[Buffer], length: int, now: float, header_bytes: int, segment_bytes: int, cwr: bool
    ) -> None: ...
    def confirm(self, now: float) -> None: ...
    def suspect(self, now: float, sent_at: float, genuine: bool = True) -> None: ...
    def lower_mtu(self, mtu: int, now: float, for_s: float | None = None) -> None: ...
    def close(self) -> None: ...


def _no_offset(_: bytes) -> int:
    """Default for `timestamp_offset`: the timestamps tell the peer how long the host has run."""
    return 0


def _no_clock() -> float:
    """Default for `clock`: raise. Only errors that arise inside a user call need a clock."""
    raise NotImplementedError


@dataclass(slots=True)
class Services:
    """What all connections of one host share. TCP gets its clock and its random numbers through it.

    - `config` is that of the connections to come; `configure` replaces it.
    - `choose_iss(key, now)` is RFC 6528's function, `timestamp_offset(key)` RFC 7323 section 5.4's.
    - `cookie_secret` is the key of our SYN cookies and Fast Open cookies; `cookie_cache` holds the
      Fast Open cookies that servers have given us.
    - `touched` collects the connections that have something to do at the end of the batch.
    - `armed(tcb)` is called after each change of `tcb.deadline`, `closed(tcb)` when a connection is
      over.
    - `clock()` is the time of the call, frame or deadline in progress.
    - `budget` is charged with the memory that the connections hold.
    - `trace` is set while the host has an observer.
    - `user_options` are those of a connection whose user has asked for nothing.
    """

    config: TcpConfig
    counters: Counters
    choose_iss: Callable[[bytes, float], int]
    touched: list[Tcb] = field(default_factory=list)
    armed: Callable[[Tcb], None] = noop
    closed: Callable[[Tcb], None] = noop
    trace: TcpTrace | None = None
    timestamp_offset: Callable[[bytes], int] = _no_offset
    clock: Callable[[], float] = _no_clock
    cookie_secret: bytes = bytes(16)
    budget: Budget = field(default_factory=Budget)
    cookie_cache: CookieCache = field(init=False)
    user_options: UserOptions = field(init=False)

    def __post_init__(self) -> None:
        self.cookie_cache = CookieCache(self.config)
        self.user_options = default_options(self.config)

    def configure(self, config: TcpConfig, cookie_secret: bytes) -> None:
        """Let the connections to come have another configuration.

        What a SYN cookie says must be read with the options that were offered when it was made, so
        those that are outstanding are made void by another secret.
        """
        self.config = config
        self.user_options = default_options(config)
        self.cookie_secret = cookie_secret


SLOTS = (
    "_touched", "ack_due", "ack_now", "came_from_listen", "challenge_budget", "challenge_window_end", "charged",
    "config", "congestion", "deadline", "deferred", "delack_deadline", "duplicate_acks", "ecn", "error", "fast_open",
    "fast_opened", "fin_queued", "fin_seq", "heap_entry", "irs", "iss", "keepalive_deadline", "keepalive_probes_sent",
    "key", "last_received_at", "last_sent_at", "left_network", "listener", "local", "loss", "loss_flight",
    "max_snd_wnd", "on_readable", "on_urgent", "on_writable", "open_in_syn_sent", "orphaned", "pacer", "path",
    "peer_fin", "persist_backoff", "persist_deadline", "predecessor", "probing", "progress_at", "pto_deadline",
    "rack", "rcv_fin_seq", "rcv_mss", "rcv_nxt", "rcv_shift", "rcv_up", "rcv_wnd", "rcvbuf", "read_shutdown",
    "reader_expected_until", "receive_buffer", "recover", "remote", "reo_deadline", "reports", "resent_at",
    "rto_deadline", "rtt", "rtt_seq", "rtt_started_at", "rtx_because", "rtx_end", "rtx_nxt", "rtx_stamp", "sack",
    "sack_reporter",
    "scaling", "scoreboard", "send_buffer", "send_mss", "serial", "services", "settled_flight", "sizes", "snd_nxt",
    "snd_shift", "snd_sml", "snd_una", "snd_up", "snd_wl1", "snd_wl2", "snd_wnd", "sndbuf", "soft_error", "state",
    "sws_deadline", "syn_acked", "syn_again", "syn_text", "time_wait_deadline", "timeouts", "timestamps", "tlp_end",
    "tlp_is_retrans", "tlp_samples", "trip_began_at", "trip_octets", "urgent_taken", "user_options", "user_timeout",
    "wakes",
)  # fmt: skip
"""The variables of a TCB. An observer is told of their changes: see `changes.py`."""


class Tcb:
    """One connection's state.

    Sequence variables are 32-bit; times are seconds on the host's clock; amounts are octets. `key`
    identifies the connection (see `wire/flow.py`).

    `on_readable`, `on_writable` and `on_urgent` are called when the user should try again.
    `on_readable` returns True if it woke a waiting task. That task will read at once, and its read
    sends the ACK that is due, with the window update (`Connection.settle`).
    """

    __slots__ = SLOTS

    def __init__(self, services: Services, local: tuple[bytes, int], remote: tuple[bytes, int], path: Path) -> None:
        self.services = services
        self.config = config = services.config  # a connection keeps the one with which it began
        self.path = path
        self.local, self.remote = local, remote
        self.key = flow_key(remote[0], local[0], remote[1], local[1])
        self.state = CLOSED
        self.came_from_listen = False
        # An active OPEN whose SYN waits in CLOSED for the first SEND, to carry its data
        self.deferred = False
        self.open_in_syn_sent = False  # connect() has succeeded in SYN-SENT, before the handshake
        self.fast_open: FastOpen | None = None  # RFC 7413; None once the handshake is over
        # Data in a SYN, the peer's or ours, was delivered before the handshake was over
        self.fast_opened = False
        # Set until a connection from a passive open is accepted
        self.listener: Parent | None = None

        self.user_options = services.user_options

        self.serial = 0  # of the connection, for observers; 0 until the first event about it
        self.charged = 0  # octets charged to the host's memory budget: memory.py

        self._init_sequence_variables()
        self._init_retransmission(config)
        self._init_congestion_control()
        self._init_acknowledgments()
        self._init_deadlines(config)
        self._init_user(config)

    def _init_sequence_variables(self) -> None:
        # Send sequence variables (3.3.1), and what RFC 5961 and this stack add to them
        self.iss = self.snd_una = self.snd_nxt = 0
        self.snd_sml = 0  # the end of the last segment that was less than full: Nagle, appendix A.3
        # The connection in TIME-WAIT that we replace, until our SYN is acknowledged: time_wait.py
        self.predecessor: Connection | None = None
        self.syn_acked = False
        # The value of `timeouts` when a challenge ACK last caused the SYN to be sent again:
        # handshake.py
        self.syn_again = -1
        self.ecn: Ecn | None = None  # RFC 3168, when both ends use it
        self.snd_wnd = self.snd_wl1 = self.snd_wl2 = 0
        self.max_snd_wnd = 0  # MAX.SND.WND: RFC 5961 section 5.2, and the Fs rule of 3.8.6.2.1
        self.snd_shift = self.rcv_shift = 0  # RFC 7323 section 2
        self.scaling = False
        self.sack = False  # RFC 2018 section 2: we offer SACK; after the peer's SYN: both ends do
        self.sack_reporter: SackReporter | None = None
        self.scoreboard: Scoreboard | None = None
        self.send_mss = DEFAULT_SEND_MSS
        self.sizes = Sizes()
        services = self.services
        self.timestamps = Timestamps(self.config.timestamps, services.timestamp_offset(self.key))
        self.fin_queued = False  # CLOSE was called: a FIN follows the last octet of send_buffer
        self.fin_seq: int | None = None  # the sequence number of our FIN, once sent

        self.snd_up: int | None = None  # SND.UP while urgent data is unacknowledged

        # Receive sequence variables
        self.irs = self.rcv_nxt = self.rcv_wnd = 0
        self.rcv_up: int | None = None  # RCV.UP until the user has read up to it
        self.urgent_taken = False  # the user has read the last urgent octet, out of band
        # The peer's FIN, when it came before the text that precedes it
        self.rcv_fin_seq: int | None = None
        self.peer_fin = False  # the peer's FIN was processed: no more data will come

        # Buffers
        config = self.config
        self.send_buffer = SendBuffer()
        self.receive_buffer = ReceiveBuffer(config.max_out_of_order_runs)
        # Data and FIN of a SYN, kept until ESTABLISHED
        self.syn_text: tuple[bytes, bool] | None = None
        self.trip_octets = 0  # what the user has read in this round trip: autotune.py
        self.trip_began_at = 0.0
        self.read_shutdown = False
        self.orphaned = False  # the user has called close() and no longer uses the connection

    def _init_retransmission(self, config: TcpConfig) -> None:
        # Round trips and the retransmission timer: rtt.py, timeouts.py
        self.rtt = RttEstimator(config)
        self.rtt_seq: int | None = None  # the end of the segment being timed
        self.rtt_started_at = 0.0
        self.timeouts = 0  # expirations of the retransmission timer without an ACK of new data
        # When the peer last acknowledged new data, or when we began to wait for that
        self.progress_at = 0.0

        # What is sent again, for whatever reason: output.py
        self.rtx_nxt = self.rtx_end = 0  # retransmit from rtx_nxt up to rtx_end as cwnd allows
        self.rtx_because = ""  # why: a word of stack/trace/output_reasons.py
        self.resent_at = -inf  # time of the last retransmission
        # Our timestamp clock when a loss was assumed: Eifel's RetransmitTS, undo.py
        self.rtx_stamp: int | None = None
        # The end of the loss probe in flight, as the scoreboard numbers octets: tlp.py
        self.tlp_end: int | None = None
        self.tlp_is_retrans = False
        self.tlp_samples = -1  # `rtt.samples` when the probe was sent

        # Losses: loss.py
        self.loss: Loss | None = None  # the episode of loss recovery; None: no loss is known
        # No other episode begins before SND.UNA has reached `recover` (RFC 6582, RFC 6675)
        self.recover = 0
        # Duplicate ACKs in a row; with SACK, ACKs that have SACKed new octets (RFC 6675 section 5)
        self.duplicate_acks = 0
        self.rack: Rack | None = None  # RFC 8985, where it is in use: all segments in flight

    def _init_congestion_control(self) -> None:
        self.congestion: Congestion
        self.pacer: Pacer | None = None  # set when the policy or the user asks for pacing
        self.begin_congestion(DEFAULT_SEND_MSS)
        # The octets in flight that do not count against cwnd, because they have left the network:
        # they are SACKed or lost. Without SACK each of the first two duplicate ACKs stands for one
        # segment (limited transmit, RFC 3042).
        self.left_network = 0
        # FlightSize after the last `transmit`, when all was sent that could be sent. The first ACK
        # of a batch finds that flight. A later one finds less, because what the first one allows is
        # sent only when the batch is over.
        self.settled_flight = 0
        # FlightSize at the first duplicate ACK. If a loss has caused it, the window is reduced from
        # there, without what limited transmit has sent since (RFC 5681 section 3.2 step 2).
        self.loss_flight = 0

    def _init_acknowledgments(self) -> None:
        # Why an ACK is sent at the end of the batch: a word of stack/trace/output_reasons.py. It is
        # empty if none is sent
        self.ack_now = ""
        self.ack_due = 0  # octets received since the last ACK went out
        # The largest segment received: the peer's full size (RFC 5681 section 4.2)
        self.rcv_mss = DEFAULT_SEND_MSS
        # The user is expected to read before this time, and the read will send the ACK: see
        # `settle`. inf: a waiting reader was woken
        self.reader_expected_until = 0.0

    def begin_congestion(self, mss: int) -> None:
        """Make the congestion policy, now that SMSS is known.

        The initial window is counted in it (RFC 6928 section 2).
        """
        config = self.config
        policy = self.user_options.congestion or config.congestion
        self.congestion = POLICIES[policy](mss, config.initial_window_segments, config.pacing)
        if self.pacer is None and self.congestion.pacing_rate(None) is not None:
            self.pacer = Pacer()

    def _init_deadlines(self, config: TcpConfig) -> None:
        self.deadline = inf  # the earliest of the deadlines below; inf: not set
        self.heap_entry: object | None = None  # owned by host/deadlines.py
        self.reo_deadline = self.pto_deadline = inf  # RFC 8985: reordering timer and probe timeout
        self.rto_deadline = self.persist_deadline = self.sws_deadline = self.delack_deadline = inf
        self.keepalive_deadline = self.time_wait_deadline = inf
        self.persist_backoff = 0
        self.probing = False  # a window probe is in flight
        self.keepalive_probes_sent = 0
        self.last_received_at = 0.0
        # When data, a FIN or a repeated SYN was last sent (not a bare ACK): RFC 5681 section 4.1
        self.last_sent_at = 0.0
        self.challenge_budget = 0
        self.challenge_window_end = -inf

    def _init_user(self, config: TcpConfig) -> None:
        self.sndbuf, self.rcvbuf = config.send_buffer_bytes, config.receive_buffer_bytes
        self.user_timeout = UserTimeout() if config.user_timeout_option else None

        # Errors and wake-ups for the user
        self.error = 0  # the errno that ended the connection, until it is reported
        self.soft_error = 0  # RFC 9293 section 3.9.2.2: the last error that the network reported
        self.wakes = 0
        self.on_readable: Callable[[], bool | None] = noop
        self.on_writable: Callable[[], object] = noop
        self.on_urgent: Callable[[], object] = noop
        self.reports: tuple[tuple[int, str], ...] = ()  # error reports not yet delivered
        self._touched = False

    def set_options(self, options: UserOptions) -> None:
        """Let the user's options be `options`.

        A TCB, or its path, has variables of its own for the options whose value in use may differ.
        """
        before, self.user_options = self.user_options, options
        if not options.auto_sndbuf:
            self.sndbuf = options.sndbuf
        if not options.auto_rcvbuf:
            self.rcvbuf = options.rcvbuf
        elif options.rcvlowat > 1:  # what is waited for must fit, as in Linux
            self.rcvbuf = max(self.rcvbuf, min(2 * options.rcvlowat, self.config.max_receive_buffer_bytes))
        if options.max_pacing_rate != before.max_pacing_rate:
            if self.pacer is None:
                self.pacer = Pacer()
            self.pacer.limit = options.max_pacing_rate
        if options.congestion != before.congestion and self.synchronized:
            cwnd, ssthresh = self.congestion.cwnd, self.congestion.ssthresh
            self.begin_congestion(self.congestion.mss)
            self.congestion.cwnd, self.congestion.ssthresh = cwnd, ssthresh
            self.rtx_stamp = None  # the new policy cannot undo what the old one has done
        if options.ttl is not None:
            self.path.ttl = options.ttl
        if options.tos != before.tos:
            self.path.tos = options.tos

    def options_in_use(self) -> UserOptions:
        """The user's options, with the values that are in use now: what `getsockopt` shows."""
        options, in_use = self.user_options, (self.sndbuf, self.rcvbuf, self.ttl, self.tos)
        if in_use == (options.sndbuf, options.rcvbuf, options.ttl, options.tos):
            return options
        return replace(options, sndbuf=self.sndbuf, rcvbuf=self.rcvbuf, ttl=self.ttl, tos=self.tos)

    def enter(self, event: Event, to: State | None = None, because: str = "") -> None:
        """Change the state by `event`, as the table allows. Nothing else changes it.

        `because` is the reason that observers are told, where that of the table says too little.
        """
        before = self.state
        self.state = states.next_state(before, event, to)
        if self.services.trace is not None:
            reason = because or states.reason_for(before, event)
            self.tell("tcp:state", reason, before=before.name, event=event.name, after=self.state.name)

    def tell(self, name: str, because: str = "", /, **data: object) -> None:
        """Tell the observers: see `Trace.tell`.

        Call it only behind `if services.trace is not None`.
        """
        if self.services.trace is not None:
            self.services.trace.tell(self, name, because, data)

    def report(self, error: int, text: str) -> None:
        """Report a soft error (3.9.1.8); the connection goes on. `error` is an errno."""
        self.soft_error = error
        if self.user_options.on_error is not None:
            self.reports += ((error, text),)
            self.touch()

    def touch(self) -> None:
        """Have `settle` called for this connection at the end of the batch."""
        if not self._touched:
            self._touched = True
            self.services.touched.append(self)

    def untouch(self) -> None:
        """The batch has ended: let the next `touch` add the connection again."""
        self._touched = False

    def settle(self, now: float) -> None:
        """What `touch` asked for; `connection.Connection` implements it."""
        raise NotImplementedError

    @property
    def synchronized(self) -> bool:
        """Both ends know each other's sequence numbers (3.5)."""
        return self.state in SYNCHRONIZED

    @property
    def recovering(self) -> bool:
        """Whether fast recovery is on (RFC 6582, RFC 6675)."""
        return self.loss is not None and not self.loss.after_timeout

    @property
    def flight(self) -> int:
        """Octets of sequence space sent and not acknowledged."""
        return (self.snd_nxt - self.snd_una) & MASK

    @property
    def data_una(self) -> int:
        """The sequence number of the first octet in send_buffer.

        It is SND.UNA, or the number after a SYN that is still in flight.
        """
        return self.snd_una if self.syn_acked else (self.snd_una + 1) & MASK

    @property
    def unsent(self) -> int:
        """Octets of data that were never sent."""
        if self.fin_seq is not None:
            return 0
        return self.send_buffer.size - ((self.snd_nxt - self.data_una) & MASK)

    @property
    def ttl(self) -> int:
        """The TTL of the segments to come (MUST-49)."""
        return self.path.ttl

    @ttl.setter
    def ttl(self, value: int) -> None:
        self.path.ttl = value

    @property
    def tos(self) -> int:
        """The Diffserv field of the segments to come (MUST-48, SHLD-21)."""
        return self.path.tos

    @tos.setter
    def tos(self, value: int) -> None:
        self.path.tos = value

    @property
    def room(self) -> int:
        """The octets of options and text in one packet: the path MTU less the two headers."""
        return self.path.mtu - self.path.header_length - HEADER_LENGTH

    @property
    def mss(self) -> int:
        """Eff.snd.MSS (3.7.1, MUST-16): what one segment can carry now.

        The path MTU and the options in the header are taken into account.
        """
        path = self.path
        mss = path.mtu - path.header_length - HEADER_LENGTH  # `room`, spelled out to save a call
        if mss > self.send_mss:
            mss = self.send_mss
        room = MAX_LENGTH
        if self.timestamps.agreed:
            mss -= OPTION_BYTES
            room -= OPTION_BYTES
        if self.sack_reporter is not None and self.sack_reporter.pending:
            mss -= self.sack_reporter.length(room)
        return mss if mss > 0 else 1


# The bits of `Tcb.wakes`, which is collected during a batch and acted on by `settle`.
WAKE_READABLE = 1
WAKE_WRITABLE = 2
WAKE_URGENT = 4
