"""A connection and, instead of a network, the test: one segment a line, silence asserted.

`peer` is the other end, `conn` is ours. What `conn` sends waits until the test claims it with `peer.expects`; a test
that ends with a segment unclaimed or a deadline overdue fails. Time stands still unless the test moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from typing import Any

from stack.config import TcpConfig
from stack.counters import Counters
from stack.tcp import seq
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.segment import Segment, reset_for
from stack.tcp.states import State
from stack.tcp.tcb import Services, Tcb
from stack.wire.checksum import Buffer, pseudo_sum
from stack.wire.numbers import PROTO_TCP
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpHeader, flag_names
from stack.wire.tcp_options import TcpOptions, build_options, parse_options

OURS = (bytes((10, 9, 0, 2)), 7)
THEIRS = (bytes((10, 9, 0, 1)), 40000)
# Both initial sequence numbers lie just below 2**32, so that every test crosses the wrap.
OUR_ISS = 0xFFFF_FFF0
PEER_ISS = 0xFFFF_FFE0
MSS = 1460


class Wire:
    """The path: what is sent is parsed, its checksum verified, and kept for the test."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.mtu = 1500
        self.header_length = 20
        self.interface = None
        self.pseudo_sum = pseudo_sum(OURS[0], THEIRS[0], PROTO_TCP, 0)
        self.ttl = 64
        self.tos = 0
        self.suspected: list[float] = []
        self.closed = False

    def send(self, parts: list[Buffer], length: int, now: float) -> None:
        data = b"".join(parts)
        assert len(data) == length
        assert length + self.header_length <= self.mtu, "larger than the path MTU"
        padded = data + b"\0" * (len(data) & 1)
        total = pseudo_sum(OURS[0], THEIRS[0], PROTO_TCP, length)
        total += sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
        assert total % 0xFFFF == 0, "wrong TCP checksum"
        self._world.sent.append(Sent(data))

    def suspect(self, now: float) -> None:
        self.suspected.append(now)

    def close(self) -> None:
        self.closed = True


class Sent:
    """One segment of ours."""

    def __init__(self, data: bytes) -> None:
        header = TcpHeader.parse(data)
        self.seq, self.ack, self.flags, self.window = header.seq, header.ack, header.flags, header.window
        self.options = parse_options(header.options)
        self.data = data[header.header_length :]

    def __repr__(self) -> str:
        control = flag_names(self.flags)
        return f"<SEQ={self.seq}><ACK={self.ack}><CTL={control}> {len(self.data)} octets, window {self.window}"


class World:
    """Everything a connection was given at birth. `now` is the test's clock, in seconds."""

    live: list[World] = []  # noqa: RUF012 - every world of the running test, checked when it ends

    def __init__(self, config: TcpConfig) -> None:
        self.now = 1000.0
        self.sent: list[Sent] = []
        self.counters = Counters()
        self.closed: list[Tcb] = []
        self.services = Services(config, self.counters, lambda key, now: OUR_ISS)
        self.services.closed = self.closed.append
        self.connections: list[Connection] = []
        self.in_batch = False
        World.live.append(self)

    def new_connection(self) -> Connection:
        connection = Connection(self.services, OURS, THEIRS, Wire(self))
        self.connections.append(connection)
        return connection

    def settle(self) -> None:
        """The end of a batch."""
        while self.services.touched and not self.in_batch:
            touched, self.services.touched = self.services.touched, []
            for tcb in touched:
                tcb.untouch()
                tcb.settle(self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass; what becomes due on the way happens at its own time."""
        end = self.now + seconds
        while True:
            due = min((c.deadline for c in self.connections if c.state is not State.CLOSED), default=inf)
            if due > end:
                break
            self.now = max(self.now, due)
            for connection in self.connections:
                if connection.state is not State.CLOSED and connection.deadline <= self.now:
                    connection.deadline_reached(self.now)
            self.settle()
        self.now = end

    def check_over(self) -> None:
        """Nothing is left that the test did not claim."""
        assert not self.sent, f"sent, but not expected: {self.sent}"
        for connection in self.connections:
            assert connection.deadline > self.now, "a deadline is overdue"


class Peer:
    """The other end. Numbers default to what a well-behaved peer would send next; `window` is as in the header."""

    def __init__(self, world: World, conn: Connection | None = None) -> None:
        self.world = world
        self.conn = conn
        self.listener: Listener | None = None
        self.snd_nxt = PEER_ISS
        self.window = 0xFFFF
        self.shift = 0  # what our side scaled its window by, once known

    def sends(
        self,
        flags: int,
        data: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        options: TcpOptions | None = None,
        raw_options: bytes = b"",
        up: int = 0,
    ) -> None:
        """One segment arrives. Without `seq` it is the next in order, and the peer remembers that it sent it."""
        if window is not None:
            self.window = window
        in_order = seq is None
        number = self.snd_nxt if seq is None else seq
        if ack is None:
            ack = self.conn.snd_nxt if self.conn is not None and flags & ACK else 0
        raw = build_options(options) if options is not None else raw_options
        text = bytearray(data)
        segment = Segment(number, ack, flags, self.window, memoryview(text), raw, up)
        if in_order:
            self.snd_nxt = (number + len(data) + bool(flags & SYN) + bool(flags & FIN)) & seq_mask
        self._deliver(segment)
        text[:] = b"\xdb" * len(text)  # the frame's buffer is used for the next frame: a kept view would show
        self.world.settle()

    def _deliver(self, segment: Segment) -> None:
        world = self.world
        copy = Segment(
            segment.seg_seq, segment.seg_ack, segment.flags, segment.window, segment.text, segment.raw_options
        )  # fmt: skip
        if self.conn is not None and self.conn.state not in (State.CLOSED, State.LISTEN):
            answer = self.conn.segment(segment, world.now)
        elif self.listener is not None and not self.listener.closed:
            answer = self.listener.segment(segment, self._birth, world.now)
        else:
            answer = True
        reset = reset_for(copy) if answer else None
        if reset is not None:
            number, ack, flags = reset
            world.sent.append(Sent(TcpHeader(OURS[1], THEIRS[1], number, ack, flags, 0).build()))

    def _birth(self) -> Connection:
        self.conn = self.world.new_connection()
        return self.conn

    def expects(
        self,
        flags: int,
        data: bytes | int | None = None,
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
    ) -> Sent:
        """The next segment of ours has exactly these flags (PSH is not compared unless asked for) and numbers.

        `data` is the text, or its length; None means that there is none.
        """
        assert self.world.sent, f"expected {flag_names(flags)}, but nothing was sent"
        sent = self.world.sent.pop(0)
        ignored = 0 if flags & PSH else PSH
        assert sent.flags & ~ignored == flags, f"expected {flag_names(flags)}: {sent}"
        if isinstance(data, int):
            assert len(sent.data) == data, f"expected {data} octets: {sent}"
        else:
            assert sent.data == (data or b""), f"expected other text: {sent}"
        for name, wanted, got in (("SEQ", seq, sent.seq), ("ACK", ack, sent.ack), ("window", window, sent.window)):
            assert wanted is None or wanted == got, f"expected {name}={wanted}: {sent}"
        return sent

    def silent(self) -> None:
        """Nothing was sent."""
        assert not self.world.sent, f"expected silence: {self.world.sent}"

    @contextmanager
    def batch(self) -> Iterator[None]:
        """The segments sent inside arrive in one batch of frames."""
        self.world.in_batch = True
        yield
        self.world.in_batch = False
        self.world.settle()


seq_mask = seq.MASK


def config(**changes: Any) -> TcpConfig:
    """The defaults, but without window scaling unless asked for: numbers in tests are then what the header says."""
    return replace(TcpConfig(), **{"window_scaling": False, "receive_buffer_bytes": 60000, **changes})


def closed(**changes: Any) -> tuple[Connection, Peer]:
    """A connection that was not opened."""
    world = World(config(**changes))
    conn = world.new_connection()
    return conn, Peer(world, conn)


def syn_sent(**changes: Any) -> tuple[Connection, Peer]:
    """OPEN was called; the SYN is out."""
    conn, peer = closed(**changes)
    conn.open(peer.world.now)
    peer.expects(SYN, seq=OUR_ISS)
    return conn, peer


def listening(backlog: int = 5, options: dict[str, object] | None = None, **changes: Any) -> tuple[Listener, Peer]:
    """A passive OPEN; `peer.conn` is what comes of the first SYN."""
    world = World(config(**changes))
    peer = Peer(world)
    peer.listener = Listener(world.services, OURS, backlog, options or {})
    return peer.listener, peer


def syn_received(**changes: Any) -> tuple[Connection, Peer]:
    """The peer's SYN has arrived at a listener, our SYN,ACK is out."""
    _, peer = listening(**changes)
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=peer.snd_nxt)
    assert peer.conn is not None
    return peer.conn, peer


def established(
    *, active: bool = True, window: int = 0xFFFF, mss: int = MSS, **changes: Any
) -> tuple[Connection, Peer]:
    """A connection with nothing in flight: by our own OPEN, or (active=False) accepted from a listener."""
    if active:
        conn, peer = syn_sent(**changes)
        peer.sends(SYN | ACK, options=TcpOptions(mss=mss), window=window)
        peer.expects(ACK, seq=conn.snd_nxt, ack=peer.snd_nxt)
    else:
        listener, peer = listening(**changes)
        peer.sends(SYN, options=TcpOptions(mss=mss), window=window)
        peer.expects(SYN | ACK, seq=OUR_ISS, ack=peer.snd_nxt)
        peer.sends(ACK)
        accepted = listener.accept()
        assert accepted is not None
        conn = accepted
    assert conn.state is State.ESTABLISHED
    return conn, peer


def in_state(state: State, **changes: Any) -> tuple[Connection, Peer]:
    """A connection that has come to `state` by the shortest way, with everything sent on the way claimed."""
    early: dict[State, Callable[..., tuple[Connection, Peer]]] = {
        State.CLOSED: closed, State.SYN_SENT: syn_sent, State.SYN_RECEIVED: syn_received
    }  # fmt: skip
    if state in early:
        return early[state](**changes)
    conn, peer = established(**changes)
    now = peer.world.now
    if state in (State.CLOSE_WAIT, State.LAST_ACK):
        peer.sends(FIN | ACK)
        peer.expects(ACK, ack=peer.snd_nxt)
    if state in (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT):
        conn.shutdown_write(now)
        peer.expects(FIN | ACK)
    if state in (State.FIN_WAIT_2, State.TIME_WAIT):
        peer.sends(ACK)
    if state is State.TIME_WAIT:
        peer.sends(FIN | ACK)
        peer.expects(ACK)
    if state is State.CLOSING:
        peer.sends(FIN | ACK, ack=seq.sub(conn.snd_nxt, 1))
        peer.expects(ACK)
    assert conn.state is state
    return conn, peer


add = seq.add

__all__ = ["ACK", "FIN", "MSS", "OUR_ISS", "PEER_ISS", "PSH", "RST", "SYN", "Peer", "Sent", "World", "add"]
