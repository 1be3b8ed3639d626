"""One TCP connection as its user sees it: the state machine of RFC 9293, without blocking.

No call waits. A call that depends on the time takes `now`, and a call that would block returns None
or 0 instead. `on_readable` or `on_writable` is called, once a batch, when the user should try
again.
"""

from __future__ import annotations

from functools import partial
from math import inf

from stack.errors import error_name
from stack.tcp import fast_open, handshake, memory, path_mtu, urgent, user_calls
from stack.tcp.output import push, transmit
from stack.tcp.segment_arrives import segment_arrives
from stack.tcp.seq import in_window
from stack.tcp.states import CLOSED, LISTEN, SYN_RECEIVED, SYN_SENT, Event
from stack.tcp.tcb import WAKE_READABLE, WAKE_URGENT, WAKE_WRITABLE, Tcb
from stack.tcp.teardown import finish
from stack.tcp.timeouts import on_deadline
from stack.tcp.timers import give_up_at, set_timers
from stack.tcp.trace import TcpTrace
from stack.tcp.user_calls import is_the_users, tell_call, told
from stack.tcp.user_timeout import keepalive_idle_s
from stack.wire.checksum import Buffer
from stack.wire.tcp import RST

_CONNECTING = frozenset({SYN_SENT, SYN_RECEIVED})


class Connection(Tcb):
    """The Transmission Control Block with its calls attached. See `tcb.Tcb` for the variables."""

    __slots__ = ("__weakref__",)

    # -- user calls: RFC 9293 section 3.10.1 to 3.10.6; the errors are in user_calls.py

    def open(self, now: float, data: Buffer = b"", fast: bool = False) -> int:
        """Active OPEN: send the SYN. Returns how many octets of `data` were taken.

        The data is sent after the handshake, or in the SYN with `fast` (TCP Fast Open). OSError:
        EISCONN.
        """
        if self.services.trace is not None:
            taken = told(self, now, "OPEN", lambda: user_calls.open_active(self, now, data, fast), octets=len(data))
        else:
            taken = user_calls.open_active(self, now, data, fast)
        self.settle(now)
        return taken

    def send(self, data: Buffer, now: float, urgent: bool = False) -> int:
        """Take up to len(data) octets; 0 means: try again after on_writable."""
        if self.services.trace is not None:
            act = partial(user_calls.send, self, data, now, urgent)
            return told(self, now, "SEND", act, octets=len(data), urgent=urgent)
        return user_calls.send(self, data, now, urgent)

    def receive(self, max_bytes: int, now: float) -> bytes | None:
        """Return what has arrived; b"" at the end of the stream; None when there is nothing yet."""
        if self.services.trace is not None:
            return told(self, now, "RECEIVE", lambda: user_calls.receive(self, max_bytes, now), octets=max_bytes)
        return user_calls.receive(self, max_bytes, now)

    def peek(self, max_bytes: int) -> bytes | None:
        """Return what `receive` would return, without taking it."""
        return user_calls.peek(self, max_bytes)

    def receive_into(self, target: memoryview, now: float) -> int | None:
        """Like `receive`, into the caller's buffer."""
        if self.services.trace is not None:
            return told(self, now, "RECEIVE", lambda: user_calls.receive_into(self, target, now), octets=len(target))
        return user_calls.receive_into(self, target, now)

    def receive_urgent(self, *, peek: bool = False) -> bytes | None:
        """The last urgent octet, out of band (`oobinline` off). See urgent.py."""
        return urgent.receive_urgent(self, peek=peek)

    @property
    def urgent(self) -> int:
        """How many octets there are up to the end of the urgent data.

        `on_urgent` is called when that end has moved.
        """
        return urgent.unread_urgent(self)

    def shutdown_write(self, now: float) -> None:
        """CLOSE in the RFC's sense: send a FIN after what is queued; receiving goes on."""
        if self.services.trace is not None:
            tell_call(self, "CLOSE", receives=True)
        user_calls.shutdown_write(self, now)
        self.settle(now)

    def shutdown_read(self, now: float) -> None:
        """Receives no longer wait: they return what is here and what still comes, else the end."""
        if self.services.trace is not None:
            tell_call(self, "SHUTDOWN")
        user_calls.shutdown_read(self)
        self.wakes |= WAKE_READABLE
        self.settle(now)

    def close(self, now: float) -> None:
        """The user no longer uses the connection. It finishes by itself and is then forgotten."""
        if self.services.trace is not None:
            tell_call(self, "CLOSE", receives=False)
        user_calls.close(self, now)
        self.settle(now)

    def abort(self, now: float, error: int = 0) -> None:
        """Send a reset and end; `error` is the errno that waiting calls get."""
        if self.services.trace is not None and is_the_users(error):
            tell_call(self, "ABORT")
        user_calls.abort(self, now, error)
        self.settle(now)

    def status(self) -> user_calls.Status:
        """A frozen record of the connection."""
        if self.services.trace is not None:
            tell_call(self, "STATUS")
        return user_calls.status(self)

    def options_changed(self, now: float, *, keepalive_idle: bool = False, nodelay: bool = False) -> None:
        """Apply a changed option.

        With `nodelay`, or without `cork`, what was held back is sent. As in Linux, to set `nodelay`
        sends also what `cork` holds back, each time; the argument says that it was set. With
        `quickack` an ACK that is due is sent.

        A new user timeout counts from the last progress, so it may have expired already.
        Keep-alives that are switched on count from now. With `keepalive_idle` their idle time has
        changed: it counts from the last segment received, as in Linux.
        """
        if not self.user_options.keepalive:
            self.keepalive_deadline = inf
        elif keepalive_idle and self.keepalive_deadline < inf:
            self.keepalive_deadline = max(self.last_received_at + keepalive_idle_s(self), now)
        if self.user_timeout is not None:
            self.user_timeout.due = True
        if self.rto_deadline < inf:
            self.rto_deadline = min(self.rto_deadline, give_up_at(self))
        if self.persist_deadline < inf:
            self.persist_deadline = min(self.persist_deadline, give_up_at(self))
        self.wakes |= WAKE_WRITABLE  # the send buffer may be larger now
        if self.receive_buffer.size and self.readable:  # the low-water mark may be lower now
            self.wakes |= WAKE_READABLE
        if nodelay and self.user_options.cork:
            push(self, now)
        self.settle(now)
        if self.deadline <= now:  # the new user timeout is over already
            self.deadline_reached(now)

    @property
    def is_connecting(self) -> bool:
        """The handshake is not over. False once Fast Open lets the user send and receive."""
        return self.state in _CONNECTING and not self.fast_opened

    def take_error(self) -> int:
        """SO_ERROR: the error that ended the connection, or that the network reported; cleared."""
        error = self.error or self.soft_error
        self.error = self.soft_error = 0
        return error

    @property
    def readable(self) -> bool:
        """Whether a receive would not block (it may raise, or return the end of the stream).

        Less than `rcvlowat` octets do not count, as in Linux, unless the window or the host's
        memory has no room for more: then the peer waits for us.
        """
        size = self.receive_buffer.size
        if 0 < size < self.user_options.rcvlowat and self.rcv_wnd > self.rcv_mss and not self.services.budget.tight:
            size = 0
        return (
            (size > 0 and (self.rcv_up is None or not urgent.only_the_urgent_octet(self)))
            or self.peer_fin
            or self.read_shutdown
            or self.error != 0
            or (self.state is CLOSED and not self.deferred)
        )

    @property
    def writable(self) -> bool:
        """Whether a send would not block (it may raise)."""
        if self.error or self.fin_queued or self.state is CLOSED:
            return True
        if self.state is SYN_SENT or (self.state is SYN_RECEIVED and not self.fast_opened):
            return False
        if self.services.budget.tight and not memory.send_room(self):
            return False
        return self.send_buffer.size < self.sndbuf and self.unsent < self.user_options.notsent_lowat

    # -- what the network says

    segment = segment_arrives
    """SEGMENT ARRIVES; returns whether the caller must answer with a reset."""

    def deadline_reached(self, now: float) -> None:
        """Run the timers that have expired, then settle."""
        on_deadline(self, now)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Finish a batch, a call or a deadline: send what may be sent, set timers, wake tasks."""
        wakes, self.wakes = self.wakes, 0
        if wakes & WAKE_READABLE and self.user_options.rcvlowat > 1 and self.rcv_up is None and not self.readable:
            wakes &= ~WAKE_READABLE
        if self.ack_due and not self.ack_now:
            if self.peer_fin:
                self._consider_ack_of_fin(wakes, now)
            else:
                self._consider_ack(wakes, now)
        elif wakes & WAKE_READABLE:
            self.on_readable()
        state = self.state
        if state > LISTEN:
            if state is SYN_SENT and self.ack_now:
                handshake.send_syn_again(self, now)
            transmit(self, now)
            set_timers(self, now)
        if self.reports:
            reports, self.reports = self.reports, ()
            for error, text in reports:
                if self.user_options.on_error is not None:
                    self.user_options.on_error(error, text)
        if wakes & WAKE_URGENT:
            self.on_urgent()
        if wakes & WAKE_WRITABLE and self.writable:
            self.on_writable()
        if self.services.trace is not None:
            self._tell_ack(self.services.trace, now)
            self.services.trace.settled(self, now)

    def _consider_ack(self, wakes: int, now: float) -> None:
        """3.8.6.3: acknowledge two full-sized segments (SHLD-19), or leave that to the next read.

        The ACK after a read also opens the window, so one segment does both. A read is expected if
        `on_readable` has just woken a waiting task, or if the last read was less than
        `config.ack_by_reader_s` ago. If no read comes, the next batch or the delayed-ACK timer
        sends the ACK. With `quickack` it is sent at once.
        """
        woken = wakes & WAKE_READABLE and self.on_readable()
        if self.user_options.quickack:
            self.ack_now = "ack_quick"
        elif woken and self.reader_expected_until < inf:
            self.reader_expected_until = inf
        elif now < self.reader_expected_until < inf:
            self.reader_expected_until = 0.0
        else:
            self.reader_expected_until = 0.0
            self.ack_now = "ack_two_segments" if self.ack_due >= 2 * self.rcv_mss else ""

    def _consider_ack_of_fin(self, wakes: int, now: float) -> None:
        """Leave the ACK of a FIN to the delayed-ACK timer, if a reader is about to see the FIN.

        A program that sees the end of the stream usually closes too, and then our FIN carries the
        ACK.
        """
        woken = wakes & WAKE_READABLE and self.on_readable()
        later = (woken or now < self.reader_expected_until < inf) and not self.user_options.quickack
        self.ack_now = "" if later else "ack_fin"

    def _tell_ack(self, trace: TcpTrace, now: float) -> None:
        """Tell that an ACK is owed and sent later, or that none is owed for the last segment."""
        came = trace.take_segment(self)
        if self.ack_due:
            if trace.is_news(self, "tcp:ack", self.ack_due):
                if self.peer_fin:
                    because = "ack_left_to_close"
                elif 2 * self.rcv_mss <= self.ack_due or self.reader_expected_until == inf:
                    because = "ack_left_to_reader"
                else:
                    because = "ack_delayed"
                self.tell("tcp:ack", because, decision="later", due=self.ack_due, in_s=self.delack_deadline - now)
        elif came is not None:
            flags, length = came
            if flags & RST:
                because = "ack_not_of_reset"
            elif trace.trace.was_dropped:
                because = "ack_not_of_dropped"
            elif not length:
                because = "ack_not_of_ack"
            else:
                because = "ack_not_after_fin" if self.peer_fin else "ack_not_owed"
            self.tell("tcp:ack", because, decision="none")

    def unreachable(self, error: int, now: float) -> None:
        """The layer below cannot deliver (no neighbour, no route).

        This ends an open that has not succeeded; for any other connection it is a soft error.
        """
        self.report(error, f"not delivered: {error_name(error)}")
        if self.state is SYN_SENT or (self.state is SYN_RECEIVED and not self.came_from_listen):
            finish(self, Event.HARD_ERROR, error, now)
            self.settle(now)

    def path_failed(self, error: int) -> None:
        """Like `unreachable`, for a path that fails in the middle of a call."""
        self.unreachable(error, self.services.clock())

    def packet_too_big(self, mtu: int, quoted_seq: int) -> bool:
        """A router reports that a segment of ours exceeds `mtu`; returns whether to lower the MTU.

        With nothing in flight the report is false, since only a segment with text can be too big.
        """
        if not self._quotes(quoted_seq, self.flight):
            return False
        return self.synchronized and path_mtu.packet_too_big(self, mtu, quoted_seq)

    def may_have_sent(self, quoted_seq: int) -> bool:
        """Whether the sequence number that a Redirect quotes can be from a segment of ours.

        SND.NXT counts as well, as in Linux. It is the number of a pure ACK, and a connection that
        only receives sends nothing else. RFC 5927 section 4.1 excludes SND.NXT for errors, which
        are about octets that may be lost. A Redirect comes for a datagram that was delivered, and
        changes nothing in the connection.
        """
        return self._quotes(quoted_seq, self.flight + 1)

    def icmp_error(self, error: int, hard: bool, quoted_seq: int, now: float) -> bool:
        """An ICMP error about a segment of ours (3.9.2.2), which must be in flight (RFC 5927 4).

        A hard error ends only an open that has not succeeded (RFC 5927 section 5.2). Any other
        error is kept as the reason to report if the connection dies (MUST-56, SHLD-25). With
        nothing in flight the error may be about the last ACK.
        """
        if not self._quotes(quoted_seq, self.flight or 1):
            return False
        fast_open.negative_response(self, now)
        if hard:
            self.unreachable(error, now)
        else:
            self.report(error, f"ICMP: {error_name(error)}")
        return True

    def _quotes(self, quoted_seq: int, length: int) -> bool:
        """Whether a quoted sequence number is one of the `length` numbers that begin at SND.UNA."""
        if in_window(quoted_seq, self.snd_una, length):
            return True
        self.services.counters.drop("tcp_icmp_not_in_flight")
        return False

    def path_mtu_changed(self, now: float) -> None:
        """The MTU of the path has changed (RFC 1191 section 6.2).

        This alone causes no retransmission. Only the connection that a router's message quotes
        retransmits (section 6.4), and none does when the MTU rises (section 6.3).
        """
        self.congestion.set_mss(self.mss)
        self.touch()
