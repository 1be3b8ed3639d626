"""A passive OPEN: a port that waits, the connections that are being made on it, and those that wait to be accepted.

See RFC 9293 sections 3.9.1.1 and 3.10.7.2, RFC 4987 for why both queues have an end, and RFC 7413 section 4.2 for
connections that are accepted before their handshake is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

from stack.noop import noop
from stack.tcp import cookies, fast_open, seq
from stack.tcp.connection import Connection
from stack.tcp.handshake import begin_handshake, listen_state, send_syn, take_syn
from stack.tcp.memory import recharge
from stack.tcp.segment import Segment
from stack.tcp.states import Event, State
from stack.tcp.tcb import DEFAULT_SEND_MSS, Services, Tcb
from stack.tcp.teardown import finish
from stack.wire.tcp import ACK, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options


class Listener:
    """`backlog` bounds the connections that wait for `accept`, `config.syn_backlog` those in SYN-RECEIVED.

    When the latter is full a SYN is answered by a cookie, and nothing is kept; without cookies the oldest gives way.
    Under a flood of SYNs that nobody completes a real client, who answers within a round trip, gets in either way; it
    gets no Fast Open then, which `fast_open.limit` else bounds by itself (0, the default: there is none). A SYN in the
    place of a connection in TIME-WAIT needs no room there: the number that a cookie is might not lie beyond the old
    connection's, and there can be no more of them than there are in TIME-WAIT.
    `options` are the attributes that every connection starts with.
    """

    def __init__(self, services: Services, local: tuple[bytes, int], backlog: int, options: dict[str, object]) -> None:
        self._services = services
        self.local = local
        self.backlog = max(backlog, 1)
        self.options = options
        self.error = 0
        self.closed = False
        self.on_readable: Callable[[], object] = noop
        self.on_closed: Callable[[Listener], None] = noop
        self.fast_open = fast_open.PendingRequests()
        self._half_open: dict[bytes, Connection] = {}
        self._accept_queue: deque[Connection] = deque()
        self._cookies_until = -inf  # before this an ACK that nobody claims may bring a cookie back

    def segment(
        self, seg: Segment, make_connection: Callable[[], Connection], now: float, old: Connection | None = None
    ) -> bool:
        """A segment for this port that no connection claims; `make_connection` makes and
        registers the connection.

        `old` is in TIME-WAIT, and `seg` may begin again in its place (time_wait.py).
        Returns whether the segment is to be answered by a reset.
        """
        if seg.flags & (SYN | ACK | RST) == ACK and now < self._cookies_until:
            return self._open_from_cookie(seg, make_connection, now)
        if seg.flags & (SYN | ACK | RST) != SYN:
            return bool(seg.flags & ACK and not seg.flags & RST)  # as listen_state would say, without a connection
        if not self.has_room():
            self._services.counters.drop("tcp_accept_queue_full")
            return False
        if old is None and len(self._half_open) >= self._services.config.syn_backlog:
            self._services.counters.drop("tcp_syn_queue_full")
            if self._services.config.syn_cookies:
                self._answer_by_cookie(seg, make_connection, now)
                return False
            _drop_half_open(next(iter(self._half_open.values())), now)
        child = self._child(make_connection)
        child.predecessor = old
        fast_open.receive_syn(child, self.fast_open, seg, now)
        self._add_half_open(child)
        answer = listen_state(child, seg, now)
        if child.fast_opened:  # "notify the application": it need not wait for the handshake
            self.established(child)
        return answer

    def _child(self, make_connection: Callable[[], Connection]) -> Connection:
        child = make_connection()
        for name, value in self.options.items():
            setattr(child, name, value)
        child.enter(Event.PASSIVE_OPEN)
        return child

    def _add_half_open(self, child: Connection) -> None:
        child.listener = self
        self._half_open[child.key] = child
        self._services.counters["tcpPassiveOpens"] += 1

    def _answer_by_cookie(self, seg: Segment, make_connection: Callable[[], Connection], now: float) -> None:
        """Send a SYN,ACK that says all we need to know, by a connection that lives no longer than that takes."""
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
        if child.timestamps.agreed:  # our clock is a little slow, to end in the right bits
            ticks = seq.sub(child.timestamps.clock(now), child.timestamps.offset)
            child.timestamps.offset -= ticks - cookies.encode_options(ticks, options)
        send_syn(child, now)
        finish(child, Event.CLOSE, 0, now)

    def _open_from_cookie(self, seg: Segment, make_connection: Callable[[], Connection], now: float) -> bool:
        """If the ACK acknowledges a cookie, make the connection that the SYN asked for. As `segment` else."""
        services = self._services
        if not self.has_room():
            services.counters.drop("tcp_accept_queue_full")
            return False
        child = self._child(make_connection)
        irs, iss = seq.add(seg.seg_seq, -1), seq.add(seg.seg_ack, -1)
        mss = self._mss_in_cookie(child.key, seg, now)
        if mss is None:
            services.counters.drop("tcp_bad_cookie")
            finish(child, Event.CLOSE, 0, now)
            return True
        if services.budget.refuses(child.remote[0]):  # the peer takes it for open; what it sends next tries again
            services.counters.drop("tcp_refused_no_memory")
            finish(child, Event.CLOSE, 0, now)
            return False
        stamps = seg.options().timestamps
        options = TcpOptions(mss)
        if stamps is not None and child.timestamps.offered:
            scale, sack = cookies.decode_options(seq.sub(stamps[1], child.timestamps.offset))
            options = TcpOptions(mss, scale, sack, timestamps=stamps)
        self._add_half_open(child)
        begin_handshake(child, now, iss)
        take_syn(child, _syn(irs, options), now)
        child.came_from_listen = True
        child.enter(Event.RCV_SYN)
        return child.segment(seg, now)

    def gives_way_to_cookie(self, child: Connection, seg: Segment, now: float) -> bool:
        """Whether `seg`, which a half-open `child` refuses, brings back a cookie; then `child` gives way to it.

        A SYN that came while the queue was full, and again when there was room, has had two answers: the client takes
        the one that reaches it first. A SYN in the place of a connection in TIME-WAIT has had one: a cookie is that
        connection's.
        """
        if (
            child.state is not State.SYN_RECEIVED
            or child.predecessor is not None
            or seg.flags & (SYN | ACK | RST) != ACK
            or now >= self._cookies_until
            or self._mss_in_cookie(child.key, seg, now) is None
        ):
            return False
        _drop_half_open(child, now)
        return True

    def _mss_in_cookie(self, key: bytes, seg: Segment, now: float) -> int | None:
        """What the cookie says that `seg` acknowledges; None when it is none, or too old."""
        services = self._services
        irs, iss = seq.add(seg.seg_seq, -1), seq.add(seg.seg_ack, -1)
        return cookies.read(services.cookie_secret, key, irs, iss, int(now / services.config.syn_cookie_period_s))

    def has_room(self) -> bool:
        """Whether one more connection could wait to be accepted."""
        return len(self._accept_queue) < self.backlog

    def established(self, child: Tcb) -> None:
        """The handshake of `child` is over, or need not be: it waits for `accept`. Said a second time, it does so."""
        connection = self._half_open.pop(child.key, None)
        if connection is not None:
            self._accept_queue.append(connection)
            self.on_readable()

    def gone(self, child: Tcb) -> bool:
        """`child` has ended. Returns whether it stays in the accept queue, as it does in Linux.

        `accept` then hands it out, with the data that the peer was told has arrived and the error that ended it. Until
        then it keeps its place and its memory stays charged: connections that were reset are bounded like all others.
        """
        return self._half_open.pop(child.key, None) is None

    @property
    def readable(self) -> bool:
        """`accept` would return a connection."""
        return bool(self._accept_queue)

    @property
    def half_open(self) -> int:
        """How many connections are in SYN-RECEIVED, and not to be accepted before that is over."""
        return len(self._half_open)

    @property
    def not_accepted(self) -> int:
        """How many connections wait for `accept`."""
        return len(self._accept_queue)

    def accept(self) -> Connection | None:
        """The connection that waits longest, or None."""
        if not self._accept_queue:
            return None
        connection = self._accept_queue.popleft()
        connection.listener = None
        if connection.state is State.CLOSED:
            recharge(connection)
        return connection

    def close(self, now: float, error: int = 0) -> None:
        """CLOSE in LISTEN: what is half open or was not accepted is reset, as nobody will ever talk to it."""
        if self.closed:
            return
        self.closed = True
        self.error = error
        children = [*self._half_open.values(), *self._accept_queue]
        self._half_open.clear()
        self._accept_queue.clear()
        for child in children:
            child.listener = None
            child.orphaned = True
            if child.state is State.CLOSED:
                child.close(now)  # its data and no more is left
            else:
                child.abort(now)
        self.on_closed(self)
        self.on_readable()


def _syn(number: int, options: TcpOptions) -> Segment:
    """The SYN as a cookie can hold it: without timestamps there is no place for more than the MSS."""
    if options.timestamps is None:
        options = TcpOptions(options.mss)
    return Segment(number, 0, SYN, 0, options=build_options(options))


def _drop_half_open(child: Connection, now: float) -> None:
    """Drop a half-open connection without a word: its source is most likely forged."""
    if child.state is State.SYN_RECEIVED:
        child.orphaned = True
        finish(child, Event.USER_TIMEOUT, 0, now)
