"""A passive OPEN: a listening port, its half-open connections, and those that wait for `accept`.

See RFC 9293 sections 3.9.1.1 and 3.10.7.2, RFC 4987 for why both queues are bounded, and RFC 7413
section 4.2 for connections that are accepted before their handshake is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Protocol

from stack.noop import noop
from stack.tcp import cookies, fast_open, seq, user_calls
from stack.tcp.connection import Connection
from stack.tcp.handshake import begin_handshake, listen_state, send_syn, take_syn, tell_agreed
from stack.tcp.memory import recharge
from stack.tcp.options import UserOptions
from stack.tcp.segment import Segment
from stack.tcp.states import CLOSED, SYN_RECEIVED, Event
from stack.tcp.tcb import DEFAULT_SEND_MSS, Services, Tcb
from stack.tcp.teardown import finish
from stack.wire.addresses import endpoint
from stack.wire.tcp import ACK, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options


class Way(Protocol):
    """The part of `stack.internet.path.Way` that decides which listener gets a SYN."""

    @property
    def device(self) -> int | None: ...


class Listener:
    """A listening port with its two queues.

    - The accept queue holds connections that wait for `accept`, at most `backlog`. When it is full,
      a SYN is dropped.
    - The SYN queue holds connections in SYN-RECEIVED, at most `config.syn_backlog`. When it is
      full, a SYN is answered with a SYN cookie, and no state is kept for it. With cookies off, the
      oldest half-open connection is dropped instead. Either way, a client that answers within a
      round trip can connect during a SYN flood.
    - A SYN that is answered with a cookie gets no Fast Open. Otherwise Fast Open has a limit of its
      own, `fast_open.limit`; it is 0 (off) by default.
    - A SYN that replaces a connection in TIME-WAIT is taken even if the SYN queue is full. It
      cannot be answered with a cookie: our ISS must lie beyond the old connection's numbers, and a
      cookie cannot be chosen so. There are never more such SYNs than connections in TIME-WAIT.

    Every connection starts with `options`.
    """

    def __init__(self, services: Services, local: tuple[bytes, int], backlog: int, options: UserOptions) -> None:
        self._services = services
        self.local = local
        if services.trace is not None:
            services.trace.trace.tell("host:call", endpoint(local), "call_listen", call="LISTEN", backlog=backlog)
        self.backlog = max(backlog, 1)
        self.options = options
        self.error = 0
        self.closed = False
        self.reuse_port = False  # SO_REUSEPORT: others may listen on the same port
        self.way: Way | None = None  # which interface and routes it and its connections use
        self.on_readable: Callable[[], object] = noop
        self.on_closed: Callable[[Listener], None] = noop
        self.fast_open = fast_open.PendingRequests()
        self._half_open: dict[bytes, Connection] = {}
        self._accept_queue: deque[Connection] = deque()
        # Until this time an ACK for an unknown connection may acknowledge a cookie
        self._cookies_until = -inf

    def segment(
        self, seg: Segment, make_connection: Callable[[], Connection], now: float, old: Connection | None = None
    ) -> bool:
        """Process a segment for this port that belongs to no connection.

        `make_connection` makes and registers a connection. `old` is a connection in TIME-WAIT that
        `seg`, a SYN, may replace (time_wait.py). Returns whether the caller must answer the segment
        with a reset.
        """
        if seg.flags & (SYN | ACK | RST) == ACK and now < self._cookies_until:
            return self._open_from_cookie(seg, make_connection, now)
        if seg.flags & (SYN | ACK | RST) != SYN:
            # What listen_state would return, without making a connection
            if self._services.trace is not None and (seg.flags & RST or not seg.flags & ACK):
                self._tell("listen_ignores_reset" if seg.flags & RST else "listen_drops_other")
            return bool(seg.flags & ACK and not seg.flags & RST)
        if not self.has_room():
            self._services.counters.drop("tcp_accept_queue_full")
            if self._services.trace is not None:
                self._tell("accept_queue_full")
            return False
        if old is None and len(self._half_open) >= self._services.config.syn_backlog:
            self._services.counters.drop("tcp_syn_queue_full")
            if self._services.config.syn_cookies:
                if self._services.trace is not None:
                    self._tell("syn_cookie_sent")
                self._answer_by_cookie(seg, make_connection, now)
                return False
            _drop_half_open(next(iter(self._half_open.values())), now)
        child = self._child(make_connection)
        child.predecessor = old
        fast_open.receive_syn(child, self.fast_open, seg, now)
        self._add_half_open(child)
        answer = listen_state(child, seg, now)
        if child.fast_opened:  # "notify the application", before the handshake is over
            self.established(child)
        return answer

    def _tell(self, because: str) -> None:
        """Tell observers what becomes of a segment for this port, and how full the queues are.

        Call it only behind `if services.trace is not None`.
        """
        if self._services.trace is not None:
            group, half_open, waiting = endpoint(self.local), len(self._half_open), len(self._accept_queue)
            self._services.trace.trace.tell(
                "tcp:listener", group, because, half_open=half_open, not_accepted=waiting, backlog=self.backlog
            )

    def _child(self, make_connection: Callable[[], Connection]) -> Connection:
        child = make_connection()
        if self.options is not child.user_options:
            child.set_options(self.options)
        if self._services.trace is not None:
            self._services.trace.child(child, self.local)
        child.enter(Event.PASSIVE_OPEN)
        return child

    def _add_half_open(self, child: Connection) -> None:
        child.listener = self
        self._half_open[child.key] = child
        self._services.counters["tcpPassiveOpens"] += 1

    def _answer_by_cookie(self, seg: Segment, make_connection: Callable[[], Connection], now: float) -> None:
        """Send a SYN,ACK whose ISS is a cookie, from a connection that is deleted at once."""
        services = self._services
        period_s = services.config.syn_cookie_period_s
        self._cookies_until = now + 2 * period_s
        child = self._child(make_connection)
        options = seg.options()
        mss = options.mss or DEFAULT_SEND_MSS
        begin_handshake(
            child, now, cookies.make(services.cookie_secret, child.key, seg.seg_seq, mss, int(now / period_s))
        )
        take_syn(child, _syn(seg.seg_seq, options), now)
        # Set our clock back a little, so that its low bits hold the options
        if child.timestamps.agreed:
            ticks = seq.sub(child.timestamps.clock(now), child.timestamps.offset)
            child.timestamps.offset -= ticks - cookies.encode_options(ticks, options)
        send_syn(child, now)
        finish(child, Event.CLOSE, 0, now, because="cookie_keeps_the_state")

    def _open_from_cookie(self, seg: Segment, make_connection: Callable[[], Connection], now: float) -> bool:
        """If the ACK acknowledges a cookie, make the connection that the SYN asked for.

        Returns the same as `segment`.
        """
        services = self._services
        if not self.has_room():
            services.counters.drop("tcp_accept_queue_full")
            if self._services.trace is not None:
                self._tell("accept_queue_full")
            return False
        child = self._child(make_connection)
        irs, iss = seq.add(seg.seg_seq, -1), seq.add(seg.seg_ack, -1)
        mss = self._mss_in_cookie(child.key, seg, now)
        if mss is None:
            services.counters.drop("tcp_bad_cookie")
            finish(child, Event.CLOSE, 0, now, because="cookie_is_wrong")
            return True
        # The peer takes the connection to be open, so its next segment will ask for it again
        if services.budget.refuses(child.remote[0]):
            services.counters.drop("tcp_refused_no_memory")
            finish(child, Event.CLOSE, 0, now, because="no_memory_for_it")
            return False
        stamps = seg.options().timestamps
        options = TcpOptions(mss)
        if stamps is not None and child.timestamps.offered:
            scale, sack = cookies.decode_options(seq.sub(stamps[1], child.timestamps.offset))
            options = TcpOptions(mss, scale, sack, timestamps=stamps)
        self._add_half_open(child)
        begin_handshake(child, now, iss)
        take_syn(child, _syn(irs, options), now)
        if services.trace is not None:
            tell_agreed(child, options, "options_from_cookie")
        child.came_from_listen = True
        child.rtt_started_at = -inf  # the time of the SYN is not known: `may_open` defers nothing
        child.enter(Event.RCV_SYN, because="cookie_acknowledged")
        return child.segment(seg, now)

    def gives_way_to_cookie(self, child: Connection, seg: Segment, now: float) -> bool:
        """Whether `seg` acknowledges a cookie, although the half-open `child` refuses it.

        If so, `child` is dropped, and `seg` opens the connection. This happens when a SYN came
        while the queue was full and again when there was room. It got two answers, and the client
        has taken the one with the cookie. A child that replaces a connection in TIME-WAIT is not
        dropped: its SYN has had one answer only, and a cookie would be from that old connection.
        """
        if (
            child.state is not SYN_RECEIVED
            or child.predecessor is not None
            or seg.flags & (SYN | ACK | RST) != ACK
            or now >= self._cookies_until
            or self._mss_in_cookie(child.key, seg, now) is None
        ):
            return False
        _drop_half_open(child, now, "gives_way_to_cookie")
        return True

    def _mss_in_cookie(self, key: bytes, seg: Segment, now: float) -> int | None:
        """The MSS in the cookie that `seg` acknowledges; None if it is not ours, or too old."""
        services = self._services
        irs, iss = seq.add(seg.seg_seq, -1), seq.add(seg.seg_ack, -1)
        return cookies.read(services.cookie_secret, key, irs, iss, int(now / services.config.syn_cookie_period_s))

    def has_room(self) -> bool:
        """Whether the accept queue has room for another connection."""
        return len(self._accept_queue) < self.backlog

    def may_open(self, child: Tcb, seg: Segment, now: float) -> bool:
        """Whether `seg`, which acknowledges our SYN, may end the handshake of `child`.

        With `defer_accept_s` it must have text or a FIN, until that time is over. As in Linux, a
        bare ACK is ignored before, and the SYN,ACK is sent again only at the end of that time: the
        ACK that answers it opens the connection.
        """
        if child.user_options.defer_accept_s and not seg.seg_len:
            until = child.rtt_started_at + child.user_options.defer_accept_s
            if now < until:
                child.rto_deadline = child.progress_at = until
                self._services.counters.drop("tcp_accept_deferred")
                return False
        if len(self._accept_queue) < self.backlog:
            return True
        self._services.counters.drop("tcp_accept_queue_full")
        return False

    def established(self, child: Tcb) -> None:
        """Move `child` to the accept queue.

        Its handshake is over, or it is open before that by Fast Open. A second call does nothing.
        """
        connection = self._half_open.pop(child.key, None)
        if connection is not None:
            self._accept_queue.append(connection)
            if self._services.trace is not None:
                self._tell("waits_for_accept")
            self.on_readable()

    def gone(self, child: Tcb) -> bool:
        """`child` has ended. Returns whether it stays in the accept queue, as it does in Linux.

        `accept` then returns it, with the data that was acknowledged and the error that ended it.
        Until then it keeps its place, and its memory stays charged. So connections that were reset
        are bounded like all others.
        """
        return self._half_open.pop(child.key, None) is None

    @property
    def readable(self) -> bool:
        """Whether `accept` would return a connection."""
        return bool(self._accept_queue)

    @property
    def half_open(self) -> int:
        """How many connections are in SYN-RECEIVED and cannot be accepted yet."""
        return len(self._half_open)

    @property
    def not_accepted(self) -> int:
        """How many connections wait for `accept`."""
        return len(self._accept_queue)

    def accept(self) -> Connection | None:
        """The connection that has waited longest, or None."""
        trace = self._services.trace
        if not self._accept_queue:
            if trace is not None:
                trace.trace.tell("host:call", endpoint(self.local), "accept_waits", call="ACCEPT", result="wait")
            return None
        connection = self._accept_queue.popleft()
        if trace is not None:
            accepted = trace.group(connection)
            trace.trace.tell("host:call", endpoint(self.local), "call_accept", call="ACCEPT", result=accepted)
        connection.listener = None
        if connection.state is CLOSED:
            recharge(connection)
        return connection

    def close(self, now: float, error: int = 0) -> None:
        """CLOSE in LISTEN: reset the connections that are half open or were not accepted."""
        if self.closed:
            return
        self.closed = True
        self.error = error
        if self._services.trace is not None and user_calls.is_the_users(error):
            self._services.trace.trace.tell("host:call", endpoint(self.local), "call_close_listener", call="CLOSE")
        children = [*self._half_open.values(), *self._accept_queue]
        self._half_open.clear()
        self._accept_queue.clear()
        for child in children:
            child.listener = None
            child.orphaned = True
            if child.state is CLOSED:
                user_calls.close(child, now)  # only its data is left
            else:
                user_calls.abort(child, now, because="listener_closed")
            child.settle(now)
        self.on_closed(self)
        self.on_readable()


def _syn(number: int, options: TcpOptions) -> Segment:
    """A SYN with the options that a cookie preserves: without timestamps, only the MSS."""
    if options.timestamps is None:
        options = TcpOptions(options.mss)
    return Segment(number, 0, SYN, 0, options=build_options(options))


def _drop_half_open(child: Connection, now: float, because: str = "oldest_half_open") -> None:
    """Drop a half-open connection without a reset: the source of its SYN is most likely forged."""
    if child.state is SYN_RECEIVED:
        child.orphaned = True
        finish(child, Event.USER_TIMEOUT, 0, now, because=because)
