"""A hostile peer, with any user calls meanwhile: nothing raises, and `World.check`'s invariants
hold.

The peer is on the path, so it knows the numbers of the connection, and it lies in every field. Time
passes too, so that each timer runs among the lies. In the end every connection must be over: a peer
cannot keep a connection whose user has closed it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stack.tcp import states
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .conftest import noting
from .world import ACK, FIN, MSS, OUR_ISS, PSH, RST, SYN, URG, Peer, World, add, config, listening, text

FLAGS = (ACK, ACK, ACK, ACK | PSH, FIN | ACK, SYN, SYN | ACK, RST, RST | ACK, 0, FIN, URG | ACK, SYN | FIN, 0xFF)
OFFSETS = (0, 0, 0, 0, 1, -1, 2, 100, 1000, 1460, -1000, 20_000, -20_000, 59_999, 60_000, 1 << 30, 1 << 31, -(1 << 31))
SIZES = (0, 0, 0, 1, 1, 2, 100, 536, 1460)
WINDOWS = (0, 0, 1, 10, 1000, 1460, 0xFFFF, 0xFFFF)
RAW_OPTIONS = (
    b"",
    b"",
    b"",
    b"\2\4\0\0",
    b"\2\4\5\xb4",
    b"\3\3\x0e\1",
    b"\2\0\0\0",
    b"\1\1\1\2",
    b"\x08\x0a" + bytes(10),
)


class Hostile(RuleBasedStateMachine):
    """One connection of ours, by any way of opening."""

    world: World
    peer: Peer
    conn: Connection

    @initialize(
        way=st.sampled_from(["active", "passive", "crossing"]),
        scaling=st.booleans(),
        receive_buffer=st.sampled_from([100, 3000, 60_000, 1 << 18]),
        sack=st.booleans(),
    )
    def begin(self, way: str, scaling: bool, receive_buffer: int, sack: bool) -> None:
        changes: dict[str, Any] = {
            "window_scaling": scaling,
            "receive_buffer_bytes": receive_buffer,
            "sack": sack,
            "keepalive_idle_s": 20.0,
        }
        states.next_state = noting
        if way == "passive":
            _, self.peer = listening(**changes)
            self.world = self.peer.world
            self.peer.sends(SYN, text(3), options=TcpOptions(mss=MSS, window_scale=3, sack_permitted=True))
            assert self.peer.conn is not None
            self.conn = self.peer.conn
        else:
            self.world = World(config(**changes))
            self.conn = self.world.new_connection()
            self.peer = Peer(self.world)
            self.conn.open(self.world.now)
            if way == "crossing":
                self.peer.sends(SYN, options=TcpOptions(mss=MSS, sack_permitted=True))
        self.conn.on_readable = self.conn.on_writable = lambda: None
        self.closed = False

    # --- the peer

    @rule(
        flags=st.sampled_from(FLAGS),
        seq_offset=st.sampled_from(OFFSETS),
        ack_offset=st.sampled_from(OFFSETS),
        base=st.sampled_from(["una", "nxt"]),
        size=st.sampled_from(SIZES),
        window=st.sampled_from(WINDOWS),
        raw=st.sampled_from(RAW_OPTIONS),
        up=st.sampled_from((0, 0, 1, 5, 0xFFFF)),
    )
    def segment(
        self, flags: int, seq_offset: int, ack_offset: int, base: str, size: int, window: int, raw: bytes, up: int
    ) -> None:
        conn = self.conn
        ack = add(conn.snd_una if base == "una" else conn.snd_nxt, ack_offset)
        number = add(conn.rcv_nxt, seq_offset)
        self.peer.sends(flags, text(size), seq=number, ack=ack, window=window, raw_options=raw, up=up)

    @rule(size=st.sampled_from(SIZES), window=st.sampled_from(WINDOWS), fin=st.booleans())
    def honest(self, size: int, window: int, fin: bool) -> None:
        """So that it does not stay in the handshake for ever."""
        conn = self.conn
        if conn.state is State.SYN_SENT:
            self.peer.sends(
                SYN | ACK,
                seq=add(OUR_ISS, 77),
                ack=conn.snd_nxt,
                options=TcpOptions(mss=MSS, sack_permitted=True),
                window=window,
            )
        else:
            flags = FIN | ACK if fin else ACK
            self.peer.sends(flags, text(size), seq=conn.rcv_nxt, ack=conn.snd_nxt, window=window)

    @rule(window=st.sampled_from(WINDOWS))
    def duplicates(self, window: int) -> None:
        for _ in range(4):
            self.peer.sends(ACK, seq=self.conn.rcv_nxt, ack=self.conn.snd_una, window=window)

    @rule(blocks=st.lists(st.tuples(st.sampled_from(OFFSETS), st.sampled_from(OFFSETS)), min_size=1, max_size=4))
    def sack_blocks(self, blocks: list[tuple[int, int]]) -> None:
        """Of what is in flight, of what never was, backwards, twice."""
        una = self.conn.snd_una
        options = TcpOptions(sack_blocks=tuple((add(una, left), add(una, right)) for left, right in blocks))
        self.peer.sends(ACK, seq=self.conn.rcv_nxt, ack=una, options=options)

    @rule(offset=st.sampled_from(OFFSETS), hard=st.booleans())
    def icmp(self, offset: int, hard: bool) -> None:
        self.conn.icmp_error(113, hard, add(self.conn.snd_una, offset), self.world.now)
        self.world.settle()

    @rule(mtu=st.sampled_from([552, 576, 1400, 1500]))
    def path_mtu(self, mtu: int) -> None:
        self.world.wire(self.conn).mtu = mtu
        if self.conn.state > State.LISTEN:
            self.conn.path_mtu_changed(self.world.now)
        self.world.settle()

    # --- the user, which never sees a connection that went back to LISTEN

    def _user_has_it(self) -> bool:
        return not self.closed and self.conn.state is not State.LISTEN

    @rule(size=st.sampled_from([1, 100, 1460, 5000, 65536]))
    def send(self, size: int) -> None:
        try:
            self.conn.send(text(size), self.world.now)
        except OSError:
            assert self.conn.fin_queued or self.conn.state <= State.LISTEN
        self.world.settle()

    @rule(size=st.sampled_from([1, 1000, 1 << 20]))
    def receive(self, size: int) -> None:
        try:
            self.conn.receive(size, self.world.now)
        except OSError:
            assert self.conn.state <= State.LISTEN
        self.world.settle()

    @rule(what=st.sampled_from(["nodelay", "keepalive", "user_timeout_s", "rcvbuf"]))
    def option(self, what: str) -> None:
        values = {"nodelay": True, "keepalive": True, "user_timeout_s": 30.0, "rcvbuf": 8000}
        if self._user_has_it():
            automatic = {"auto_rcvbuf": False} if what == "rcvbuf" else {}
            set_options(self.conn, **{what: values[what]}, **automatic)
            self.conn.options_changed(self.world.now)
            self.world.settle()

    @rule(how=st.sampled_from(["shutdown_write", "shutdown_read", "close", "close", "abort"]))
    def end(self, how: str) -> None:
        if self._user_has_it():
            getattr(self.conn, how)(self.world.now)
            self.closed = how in ("close", "abort")
            self.world.settle()

    # --- time

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.3, 1.0, 5.0, 61.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.sent.clear()
        if self.conn.state > State.LISTEN:
            self.world.check(self.conn)

    def teardown(self) -> None:
        """The user goes, the peer falls silent: within R2 and 2 MSL nothing is left."""
        if not hasattr(self, "world"):
            return
        if self._user_has_it():
            set_options(self.conn, user_timeout_s=None)
            self.conn.close(self.world.now)
        if self.peer.listener is not None:
            self.peer.listener.close(self.world.now)
        self.world.settle()
        self.world.wait(400)
        assert self.conn.state <= State.LISTEN
        assert self.conn in self.world.closed
        assert self.world.connections == []
        assert self.conn.send_buffer.size == 0
        World.live.remove(self.world)


Hostile.TestCase.settings = settings(derandomize=True, max_examples=100, stateful_step_count=30, deadline=None)
TestAHostilePeer = Hostile.TestCase
