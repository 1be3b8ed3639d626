"""A connection in a test, without a network: one segment a line, silence asserted.

`peer` is the other end, `conn` is ours. What `conn` sends waits until the test claims it with
`peer.expects`. A test that ends with a segment unclaimed or a deadline overdue fails. Time stands
still unless the test moves it. After every event the invariants of each connection are checked
(`check`), in every test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf, isinf
from typing import Any

from stack.config import HostConfig, TcpConfig
from stack.counters import Counters
from stack.tcp import seq
from stack.tcp.connection import Connection
from stack.tcp.demux import Address, Demux
from stack.tcp.listener import Listener
from stack.tcp.memory import recharge
from stack.tcp.options import UserOptions
from stack.tcp.predict import NOT_PREDICTED, predicted
from stack.tcp.states import Event, State
from stack.tcp.tcb import Services, Tcb
from stack.trace.trace import Trace
from stack.wire.checksum import Buffer, pseudo_sum
from stack.wire.numbers import PROTO_TCP
from stack.wire.tcp import ACK, CWR, FIN, PSH, RST, SYN, URG, TcpHeader, build_segment, flag_names
from stack.wire.tcp_options import TcpOptions, build_options, parse_options
from tests.user_options import user_options

OURS = (bytes((10, 9, 0, 2)), 7)
THEIRS = (bytes((10, 9, 0, 1)), 40000)
# Both initial sequence numbers lie just below 2**32, so that every test crosses the wrap.
OUR_ISS = 0xFFFF_FFF0
PEER_ISS = 0xFFFF_FFE0
MSS = 1460


class Wire:
    """The path: what is sent is parsed, its checksum verified, and kept for the test."""

    def __init__(self, world: World, remote: bytes) -> None:
        self._world = world
        self._remote = remote
        self.mtu = 1500
        self.header_length = 20
        self.interface = None
        self.neighbor = self
        self.learnt_at = -inf  # when the next hop was resolved
        self.pseudo_sum = pseudo_sum(OURS[0], remote, PROTO_TCP, 0)
        self.ttl = 64
        self.tos = 0
        self.checksum_offload = False
        self.gso_max_bytes = 0
        self.super_frames = 0
        self.suspected: list[float] = []
        self.genuine: bool | None = None  # of the last of these
        self.confirmed_at: float | None = None
        self.refuses = 0  # an errno: the Internet layer cannot send
        self.on_send: Callable[[], None] | None = None  # something happens in the midst of sending
        self.closed = False

    def send(self, parts: list[Buffer], length: int, now: float) -> None:
        assert not self.closed, "sent over a path that was given back"
        if self.refuses:
            raise OSError(self.refuses, "as the test wants it")
        data = b"".join(parts)
        assert len(data) == length
        assert length + self.header_length <= self.mtu, "larger than the path MTU"
        padded = data + b"\0" * (len(data) & 1)
        total = pseudo_sum(OURS[0], self._remote, PROTO_TCP, length)
        total += sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
        assert total % 0xFFFF == 0, "wrong TCP checksum"
        self._world.sent.append(Sent(data, now))
        if self.on_send is not None:
            self.on_send()

    def send_offloaded(
        self, parts: list[Buffer], length: int, now: float, header_bytes: int, segment_bytes: int, cwr: bool
    ) -> None:
        """What a link with offload does: complete the checksum, and cut a super-frame into segments."""
        assert self.checksum_offload
        data = b"".join(parts)
        assert len(data) == length
        header, content = data[:header_bytes], data[header_bytes:]
        partial = (pseudo_sum(OURS[0], self._remote, PROTO_TCP, length) - int.from_bytes(header[16:18], "big")) % 0xFFFF
        assert partial == 0, "the checksum is not the sum of the pseudo-header"
        whole = TcpHeader.parse(header)
        assert whole.header_length == header_bytes
        if segment_bytes:
            assert segment_bytes < len(content) <= self.gso_max_bytes, "no super-frame"
            self.super_frames += 1
        for start in range(0, len(content), segment_bytes or len(content)):
            piece = content[start : start + (segment_bytes or len(content))]
            flags = whole.flags
            if start + len(piece) < len(content):
                flags &= ~(FIN | PSH)
            if start and cwr:
                flags &= ~CWR
            numbers = (whole.seq + start) & seq_mask, whole.ack, flags, whole.window, whole.urgent_pointer
            one = TcpHeader(whole.source_port, whole.destination_port, *numbers, whole.options)
            pseudo = pseudo_sum(OURS[0], self._remote, PROTO_TCP, header_bytes + len(piece))
            self.send([build_segment(one, piece, pseudo)], header_bytes + len(piece), now)

    def lower_mtu(self, mtu: int, now: float, for_s: float | None = None) -> None:
        if mtu < self.mtu:
            self.mtu = max(mtu, 552)
            for connection in self._world.connections:
                if connection.path is self:
                    connection.path_mtu_changed(now)

    def confirm(self, now: float) -> None:
        self.confirmed_at = now

    def suspect(self, now: float, sent_at: float, genuine: bool = True) -> None:
        assert sent_at < now, "advice comes before the next transmission"
        self.suspected.append(now)
        self.genuine = genuine

    def close(self) -> None:
        self.closed = True


class Sent:
    """One segment of ours."""

    def __init__(self, data: bytes, at: float) -> None:
        self.at = at
        header = TcpHeader.parse(data)
        self.seq, self.ack, self.flags, self.window = header.seq, header.ack, header.flags, header.window
        self.raw_options = header.options
        self.options = parse_options(header.options)
        self.urgent_pointer, self.reserved = header.urgent_pointer, header.reserved
        self.data = data[header.header_length :]

    def __repr__(self) -> str:
        control = flag_names(self.flags)
        return f"<SEQ={self.seq}><ACK={self.ack}><CTL={control}> {len(self.data)} octets, window {self.window}"


class World:
    """Everything a connection was given at birth. `now` is the test's clock, in seconds."""

    live: list[World] = []  # noqa: RUF012 - every world of the running test, checked when it ends

    def __init__(self, config: TcpConfig) -> None:
        self.now = 1000.0
        self.prediction = HostConfig().fast_paths  # header prediction comes first, as in a host
        self.sent: list[Sent] = []
        self.counters = Counters()
        self.closed: list[Tcb] = []
        self.services = Services(config, self.counters, lambda key, now: OUR_ISS)
        self.services.closed = self._closed
        self.services.armed = self._armed
        self.demux = Demux(self.services, self._accept, self._send_reset)
        self.connections: list[Connection] = []
        self.listener: Listener | None = None
        self.latest: dict[Address, Connection] = {}  # the latest connection to each remote address and port
        self.in_batch = False
        self.trace: Trace | None = None  # set by `told.watch`
        self._edges: dict[int, int] = {}  # the right edge of each connection's receive window, by id
        World.live.append(self)

    def new_connection(self, remote: tuple[bytes, int] = THEIRS) -> Connection:
        connection = Connection(self.services, OURS, remote, Wire(self, remote[0]))
        self.connections.append(connection)
        self.demux.connections[connection.key] = self.latest[remote] = connection
        return connection

    def listen(self, backlog: int, options: UserOptions) -> Listener:
        """Passive OPEN."""
        listener = self.demux.listeners[OURS] = self.listener = Listener(self.services, OURS, backlog, options)
        listener.on_closed = lambda listener: self.demux.listeners.clear()
        return listener

    def _accept(self, local: Address, remote: Address, now: float) -> Connection:
        assert (local, now) == (OURS, self.now)
        return self.new_connection(remote)

    def _send_reset(self, local: Address, remote: Address, header: bytes, now: float) -> None:
        assert (local, now) == (OURS, self.now)
        self.sent.append(Sent(header, now))

    def wire(self, conn: Connection) -> Wire:
        """The path of `conn`, for a test that changes something about it."""
        assert isinstance(conn.path, Wire)
        return conn.path

    def too_big(self, conn: Connection, mtu: int, seq: int | None = None) -> bool:
        """A router says so of the segment at `seq`, by default the first in flight; as the Internet layer acts."""
        believed = conn.packet_too_big(mtu, conn.snd_una if seq is None else seq)
        if believed:
            self.wire(conn).lower_mtu(mtu, self.now)
        self.settle()
        return believed

    def _closed(self, tcb: Tcb) -> None:
        self.closed.append(tcb)
        assert isinstance(tcb, Connection)
        self.connections.remove(tcb)
        self.demux.remove(tcb)
        if tcb.key in self.demux.connections:  # TIME-WAIT has come back
            self.latest[tcb.remote] = self.demux.connections[tcb.key]

    def _armed(self, tcb: Tcb) -> None:
        assert tcb.state > State.LISTEN or isinf(tcb.deadline), "a deadline for a connection that is over"

    def settle(self) -> None:
        """The end of a batch."""
        while self.services.touched and not self.in_batch:
            touched, self.services.touched = self.services.touched, []
            for tcb in touched:
                tcb.untouch()
                if self.services.trace is not None:
                    self.services.trace.turn_to(tcb)
                tcb.settle(self.now)
        if not self.in_batch:
            if self.trace is not None:
                self.trace.frame_done()
                self.trace.batch_end()
            for connection in self.connections:
                self.check(connection)
            self.check_memory()

    def check_memory(self) -> None:
        """What was charged in place is what `recharge` would charge, and nothing else is."""
        budget = self.services.budget
        for connection in self.connections:
            if connection.charged:
                before = connection.charged
                recharge(connection)
                assert connection.charged == before, "charged in place otherwise than by `recharge`"
        assert budget.used == sum(budget.peers.values())
        assert all(held > 0 for held in budget.peers.values())
        assert budget.tight is (budget.used > budget.pressure)

    def check(self, conn: Connection) -> None:
        """What holds after every event, whatever the peer has done."""
        if conn.state <= State.LISTEN:
            assert isinf(conn.deadline), "armed, though it is over"
            return
        flight = seq.sub(conn.snd_nxt, conn.snd_una)
        # A probe of one octet, SYN and FIN may lie beyond the window, and so may data that went with a SYN.
        beyond = 2 if seq.sub(conn.snd_una, conn.iss) > 1 else 2 + MSS
        assert flight <= max(conn.max_snd_wnd, 1) + beyond, (
            f"{flight} octets in flight, the largest window {conn.max_snd_wnd}"
        )
        assert 0 <= conn.snd_wnd <= 0xFFFF << 14
        assert 0 <= conn.rcv_wnd <= 0xFFFF << 14
        assert conn.congestion.cwnd >= 1
        assert conn.congestion.ssthresh >= 2
        assert conn.receive_buffer.size + conn.receive_buffer.held <= max(conn.rcvbuf, 0xFFFF) + 1
        assert conn.deadline > self.now, "a deadline that is due at once, for ever"
        if flight or conn.send_buffer.size or (conn.fin_queued and conn.fin_seq is None):
            assert conn.deadline < inf, "something is to be sent, and nothing will ever send it"
        if conn.state >= State.ESTABLISHED:
            edge = seq.add(conn.rcv_nxt, conn.rcv_wnd)
            before = self._edges.setdefault(id(conn), edge)
            assert seq.ge(edge, before), f"the right edge of the receive window moved left by {seq.sub(before, edge)}"
            self._edges[id(conn)] = edge

    def wait(self, seconds: float) -> None:
        """Let time pass; what becomes due on the way happens at its own time."""
        end = self.now + seconds
        for _ in range(100_000):
            due = min((c.deadline for c in self.connections if c.state is not State.CLOSED), default=inf)
            if due > end:
                self.now = end
                return
            self.now = max(self.now, due)
            if self.trace is not None:
                self.trace.timer()
            for connection in list(self.connections):
                if connection.state is not State.CLOSED and connection.deadline <= self.now:
                    connection.deadline_reached(self.now)
            self.settle()
        raise AssertionError("deadlines come faster than time passes")

    def check_over(self) -> None:
        """Nothing is left that the test did not claim."""
        assert not self.sent, f"sent, but not expected: {self.sent}"
        for connection in self.connections:
            self.check(connection)
        self.check_memory()


class Peer:
    """The other end. Numbers default to what a well-behaved peer would send next; `window` is as in the header."""

    def __init__(self, world: World, remote: tuple[bytes, int] = THEIRS) -> None:
        self.world = world
        self.remote = remote
        self.snd_nxt = PEER_ISS
        self.window = 0xFFFF

    @property
    def conn(self) -> Connection | None:
        """Our end of its connection: the latest one, which may have ended."""
        return self.world.latest.get(self.remote)

    @property
    def listener(self) -> Listener | None:
        """The listener of our port, which may have ended."""
        return self.world.listener

    @property
    def now(self) -> float:
        """The test's clock."""
        return self.world.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.wait(seconds)

    def times(self, seconds: float, flags: int, data: bytes | int | None = None) -> list[float]:
        """Let time pass in which only segments of this kind are sent, and at the very end perhaps a reset.

        Returns when they were, in seconds from now.
        """
        begun = self.now
        self.wait(seconds)
        times = []
        while self.world.sent and (flags & RST or not self.world.sent[0].flags & RST):
            times.append(round(self.expects(flags, data).at - begun, 3))
        return times

    def another(self, port: int) -> Peer:
        """Another client of the same listener, at another port."""
        return Peer(self.world, (THEIRS[0], port))

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
        header = TcpHeader(self.remote[1], OURS[1], number, ack, flags, self.window, up, raw)
        if in_order:
            self.snd_nxt = (number + len(data) + bool(flags & SYN) + bool(flags & FIN)) & seq_mask
        frame = bytearray(header.build() + data)
        self._deliver(memoryview(frame))
        frame[:] = b"\xdb" * len(frame)  # the frame's buffer is used for the next frame: a kept view would show
        self.world.settle()

    def _deliver(self, data: memoryview) -> None:
        world = self.world
        if world.trace is not None:
            world.trace.frame_in("tap0", 14, bytes(data))
        key = self.remote[0] + OURS[0] + bytes(data[:4])
        connection = world.demux.connections.get(key)
        if connection is None or not world.prediction:
            taken = NOT_PREDICTED
        else:
            taken = predicted(connection, data, world.now)
        if taken == NOT_PREDICTED:
            world.demux.receive(key, data, False, world.now)

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
    """The defaults, but without extensions unless asked for: numbers in tests are then what the header says."""
    off = "window_scaling timestamps protect_time_wait black_hole_detection auto_tuning sack rack prr"
    base = dict.fromkeys(off.split(), False)
    return replace(TcpConfig(), **{**base, "receive_buffer_bytes": 60000, **changes})


def text(count: int, start: int = 0) -> bytes:
    """`count` octets of which no two neighbourhoods are alike."""
    return bytes((i * 7 + i // 251) & 0xFF for i in range(start, start + count))


def closed(**changes: Any) -> tuple[Connection, Peer]:
    """A connection that was not opened."""
    world = World(config(**changes))
    conn = world.new_connection()
    return conn, Peer(world)


def syn_sent(**changes: Any) -> tuple[Connection, Peer]:
    """OPEN was called; the SYN is out."""
    conn, peer = closed(**changes)
    conn.open(peer.world.now)
    peer.expects(SYN, seq=OUR_ISS)
    return conn, peer


def two_connections(**changes: Any) -> tuple[Connection, Peer, Connection, Peer]:
    """Two established connections of one host."""
    conn, peer = established(**changes)
    other = peer.another(THEIRS[1] + 1)
    peer.world.new_connection(other.remote)
    assert other.conn is not None
    other.conn.open(peer.now)
    other.expects(SYN)
    other.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    other.expects(ACK)
    return conn, peer, other.conn, other


def listening(backlog: int = 5, options: dict[str, Any] | None = None, **changes: Any) -> tuple[Listener, Peer]:
    """A passive OPEN with `options`, fields of `UserOptions`; `peer.conn` is what comes of the first SYN."""
    world = World(config(**changes))
    return world.listen(backlog, user_options(world.services, **options or {})), Peer(world)


def syn_received(**changes: Any) -> tuple[Connection, Peer]:
    """The peer's SYN has arrived at a listener, our SYN,ACK is out."""
    _, peer = listening(**changes)
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=peer.snd_nxt)
    assert peer.conn is not None
    return peer.conn, peer


def established(
    *, active: bool = True, window: int = 0xFFFF, mss: int = MSS, scale: int | None = None, **changes: Any
) -> tuple[Connection, Peer]:
    """A connection with nothing in flight: by our own OPEN, or (active=False) accepted from a listener.

    `scale` is the peer's window scale option; ours is on with it.
    """
    options = TcpOptions(mss=mss, window_scale=scale)
    changes = {"window_scaling": scale is not None, **changes}
    if active:
        conn, peer = syn_sent(**changes)
        peer.sends(SYN | ACK, options=options, window=window)
        peer.expects(ACK, seq=conn.snd_nxt, ack=peer.snd_nxt)
    else:
        listener, peer = listening(**changes)
        peer.sends(SYN, options=options, window=window)
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
    if state is State.LISTEN:
        conn, peer = closed(**changes)
        conn.enter(Event.PASSIVE_OPEN)
        return conn, peer
    conn, peer = established(**changes)
    now = peer.now
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
sub = seq.sub

__all__ = [
    "ACK",
    "FIN",
    "MSS",
    "OUR_ISS",
    "PEER_ISS",
    "PSH",
    "RST",
    "SYN",
    "URG",
    "Peer",
    "Sent",
    "World",
    "add",
    "sub",
]
