"""The runs of which captures are made: name -> a seeded run. Each takes less than half a second."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from stack.config import Config, TcpConfig
from stack.link.impair import Impairment
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.testing.frame_sender import Heard
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN
from tests.outside.scene import CLEAN, HERE, PORT, THERE, Restart, Scene, opened
from tests.sim.network import Machine
from tests.sim.programs import Exchange, Program, Requester, Server
from tests.sim.raw_station import RawStation

MS = 0.001
EXACT = Config(tcp=TcpConfig(max_receive_buffer_bytes=65_535))
"""A receive buffer without a window scale: the window that is told is exact, and no octet of a probe fits."""

FAR = Impairment(delay_s=10 * MS)


def both(wire: Impairment) -> dict[str, Any]:
    """The same wire for both machines."""
    return {"ours": wire, "theirs": wire}


def tcp(**fields: Any) -> Config:
    """A host with other settings of TCP."""
    return Config(tcp=TcpConfig(**fields))


def octets(seed: int, size: int, name: str = "") -> bytes:
    return Random(f"{seed} {name}").randbytes(size)


# --- programs


class PausingReader(Program):
    """Reads `at_once` octets, or all there are, each `pause_s` seconds; closes at the end of the stream."""

    def __init__(self, machine: Machine, connection: Connection, *, pause_s: float, at_once: int = 1 << 20) -> None:
        self.received = bytearray()
        self._pause_s = pause_s
        self._at_once = at_once
        self._waits = False
        super().__init__(machine, connection)

    def step(self) -> None:
        if not self._waits:
            self._waits = True
            self.machine.network.at(self.now + self._pause_s, self._read)

    def _read(self) -> None:
        self._waits = False
        if self.closed:
            return
        try:
            data = self.connection.receive(self._at_once, self.now)
        except OSError:
            self.closed = True
            return
        if data == b"":
            self.close()
        elif data:
            self.received += data
            self.step()
        self.machine.settle()


class Silent(Program):
    """Receives what comes and says nothing; closes when the other end has."""

    def step(self) -> None:
        while (data := self.connection.receive(65536, self.now)) is not None:
            if not data:
                self.close()
                return


class Speaker(Program):
    """Sends `data` once the other end has closed its own direction, and closes then."""

    def __init__(self, machine: Machine, connection: Connection, data: bytes) -> None:
        self._left = memoryview(data)
        self._at_end = False
        super().__init__(machine, connection)

    def step(self) -> None:
        while not self._at_end and (data := self.connection.receive(65536, self.now)) is not None:
            self._at_end = not data
        while self._at_end and self._left and (taken := self.connection.send(self._left, self.now)):
            self._left = self._left[taken:]
        if not self._left:
            self.close()


class Hurried(Program):
    """Gives SEND all of `data` at once, and calls CLOSE at once: the FIN waits behind the data."""

    def __init__(self, machine: Machine, connection: Connection, data: bytes) -> None:
        self._data = data
        super().__init__(machine, connection)

    def step(self) -> None:
        if self.connection.synchronized or self.connection.error:
            assert self.connection.send(self._data, self.now) == len(self._data)
            self.close()


# --- exchanges of data


def exchange(seed: int, size: int = 60_000, back: int = 0, *, for_s: float = 400.0, **wires: Any) -> Scene:
    """`here` sends `size` octets while `there` sends `back`; then both close."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT, lambda machine, conn: Exchange(machine, conn, octets(seed, back, "down")))
    Exchange(scene.here, scene.connect(), octets(seed, size, "up"))
    return scene.run(for_s=for_s)


def both_ways(seed: int, size: int = 40_000, *, wire: Impairment, **options: Any) -> Scene:
    return exchange(seed, size, size, ours=wire, theirs=wire, **options)


def requests(seed: int, times: int = 8, interval_s: float = 0.3, **wires: Any) -> Scene:
    """A client and an echo server: a request, an answer, a pause."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT)
    Requester(scene.here, scene.connect(), interval_s=interval_s, times=times)
    return scene.run(for_s=400.0)


def half_close(seed: int, **wires: Any) -> Scene:
    """`here` closes its direction first; `there` then sends everything."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT, lambda machine, conn: Speaker(machine, conn, octets(seed, 30_000)))
    Exchange(scene.here, scene.connect(), b"a request")
    return scene.run(for_s=300.0)


def close_behind_data(seed: int, **wires: Any) -> Scene:
    """`here` has closed long before its FIN can be sent."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT, Silent)
    Hurried(scene.here, scene.connect(), octets(seed, 60_000))
    return scene.run(for_s=300.0)


# --- windows


def pauses(
    seed: int,
    size: int,
    pause_s: float,
    *,
    buffer: int = 8192,
    at_once: int = 1 << 20,
    for_s: float = 400.0,
    **wires: Any,
) -> Scene:
    """The reader of `there` pauses, and its window closes."""
    scene = Scene(seed, **wires)
    Server(
        scene.there,
        PORT,
        partial(PausingReader, pause_s=pause_s, at_once=at_once),
        rcvbuf=buffer,
        auto_rcvbuf=False,
    )
    Exchange(scene.here, scene.connect(), octets(seed, size))
    return scene.run(for_s=400.0)


# --- keep-alives


def keeps_alive(
    seed: int, *, idle_s: float = 2.0, interval_s: float = 1.0, of_both: bool = False, **wires: Any
) -> Scene:
    """An idle connection whose ends ask each other whether they are still there."""
    scene = Scene(seed, **wires)
    kept: dict[str, Any] = {"keepalive": True, "keepalive_idle_s": idle_s, "keepalive_interval_s": 1.0}
    Server(scene.there, PORT, Silent, **(kept if of_both else {}))
    program = Silent(scene.here, scene.connect(**kept))
    scene.run(for_s=12.0)
    program.connection.send(b"still here", scene.network.now)
    scene.here.settle()
    scene.run(for_s=12.0)
    program.close()
    scene.here.settle()
    return scene.run(for_s=100.0)


def peer_vanishes(seed: int, **wires: Any) -> Scene:
    """Keep-alives that nothing answers any more, until the connection is given up."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT, Silent)
    asked: dict[str, Any] = {
        "keepalive": True,
        "keepalive_idle_s": 1.0,
        "keepalive_interval_s": 1.0,
        "keepalive_count": 5,
    }
    program = Exchange(scene.here, scene.connect(**asked))
    program.step = lambda: None  # type: ignore[method-assign]
    scene.run(for_s=5.0)
    scene.wires["there"].outgoing.impairment = Impairment(loss=1.0)
    return scene.run(for_s=60.0)


# --- the beginning and the end


def refused(seed: int, **wires: Any) -> Scene:
    """Ports on which nothing listens."""
    scene = Scene(seed, **wires)
    for port in range(50, 54):
        scene.connect(port)
        scene.run(for_s=1.0)
    return scene


def aborted(seed: int, after_s: float, who: str = "here", **wires: Any) -> Scene:
    """One of the two resets the connection in the middle of a transfer."""
    scene = Scene(seed, **wires)
    server = Server(scene.there, PORT, lambda machine, conn: Exchange(machine, conn, octets(seed, 50_000, "down")))
    program = Exchange(scene.here, scene.connect(), octets(seed, 50_000, "up"))
    scene.run(for_s=after_s)
    victim = program if who == "here" else server.programs[0]
    victim.closed = True
    victim.connection.abort(scene.network.now)
    victim.machine.settle()
    return scene.run(for_s=300.0)


def reboots(seed: int, *, speaks: str, **wires: Any) -> Scene:
    """`there` loses everything. The connection is half-open until one of the two speaks (RFC 9293 figures 9 to 11)."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT, Silent)
    local_port = 40_000
    program = Silent(scene.here, scene.connect(local_port=local_port))
    scene.run(for_s=2.0)
    old = scene.wires["there"]
    old.close()
    scene.logs["there"].entries.append(Restart())
    scene.there = scene.machine("there", THERE, None, FAR, CLEAN, old.mac)
    if speaks == "here":
        program.connection.send(b"are you there?", scene.network.now)
        scene.here.settle()
    else:
        Server(scene.here, local_port + 1, Silent)
        Silent(scene.there, opened(scene.there, HERE, local_port, PORT))
    return scene.run(for_s=300.0)


def crossing_opens(seed: int, **wires: Any) -> Scene:
    """Both open at the same time (RFC 9293 figure 7), and close at the same time (figure 13)."""
    scene = Scene(seed, **wires)
    ask_each_other(scene)
    ours = opened(scene.here, THERE, 4000, 4000)
    theirs = opened(scene.there, HERE, 4000, 4000)
    first = Exchange(scene.here, ours, octets(seed, 20_000, "up"))
    second = Exchange(scene.there, theirs, octets(seed, 20_000, "down"))
    assert first is not second
    return scene.run(for_s=300.0)


def crossing_closes(seed: int, **wires: Any) -> Scene:
    """Both close at the same time (RFC 9293 figure 13)."""
    scene = Scene(seed, **wires)
    server = Server(scene.there, PORT, Silent)
    program = Silent(scene.here, scene.connect())
    scene.run(for_s=10.0)
    program.close()
    server.programs[0].close()
    scene.here.settle()
    scene.there.settle()
    return scene.run(for_s=300.0)


def ask_each_other(scene: Scene) -> None:
    """Both learn the other's station by ARP, so that the first segments do not wait for it."""
    for machine, address in ((scene.here, THERE), (scene.there, HERE)):
        machine.ping(address)
        scene.run(for_s=3.0)


def the_same_port(seed: int, times: int = 8, pause_s: float = 0.5, **wires: Any) -> Scene:
    """One connection after the other, all from one port."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT, lambda machine, conn: Exchange(machine, conn, b"hello, and good-bye"))
    for _ in range(times):
        with suppress(OSError):  # it is still in use
            program = Exchange(scene.here, scene.connect(local_port=30_000), b"hello")
            scene.run(lambda program=program: program.done or program.closed, for_s=300.0)  # type: ignore[misc]
        scene.run(for_s=pause_s)
    return scene.run(for_s=100.0)


def the_same_port_after_resets(seed: int, times: int = 8, **wires: Any) -> Scene:
    """One connection after the other from one port, each ended by a reset."""
    scene = Scene(seed, **wires)
    Server(scene.there, PORT, Silent)
    for _ in range(times):
        program = Silent(scene.here, scene.connect(local_port=30_001))
        scene.run(lambda program=program: program.connection.synchronized or program.closed, for_s=300.0)  # type: ignore[misc]
        program.connection.send(b"hello", scene.network.now)
        scene.here.settle()
        scene.run(for_s=0.2)
        program.closed = True
        program.connection.abort(scene.network.now)
        scene.here.settle()
        scene.run(for_s=1.0)
    return scene.run(for_s=10.0)


def lose(*numbers: int, delay_s: float = 10 * MS) -> Impairment:
    """A wire that loses the frames with these numbers, ARP included, counted from 1."""
    return Impairment(delay_s=delay_s, drop=lambda frame, number: number in numbers)


# --- one end is no stack: a station that says what the scene wants


class Told(Scene):
    """`there` is a station that says what it is told; `here` serves echo on PORT.

    The station is at `there`'s place, and has no states to tell.
    """

    def __init__(self, seed: int, **wires: Any) -> None:
        super().__init__(seed, **wires)
        self.wires["there"].close()
        self.station = RawStation(self.network, self.ethernet, THERE, b"\x02\0\0\0\0\x66")
        self.station.asks(HERE)
        self.heard: Heard | None = None
        self.seq = 0
        self.station.on_tcp = self._hear

    def _hear(self, heard: Heard) -> None:
        self.heard = heard

    def says(self, flags: int, data: bytes = b"", *, back: int = 0, window: int = 65535, wait_s: float = 0.05) -> None:
        """A segment that begins `back` octets before what was said last, and acknowledges all that was heard."""
        ack = self.heard.next if self.heard is not None and flags & ACK else 0
        seq = (self.seq - back) & 0xFFFFFFFF
        self.station.says_tcp(HERE, (5000, PORT), flags, seq=seq, ack=ack, data=data, window=window)
        if not back:
            self.seq = (seq + len(data) + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFFFFFF
        self.run(for_s=wait_s)


def strange_peer(seed: int) -> Scene:
    """Keep-alives with an octet and without, windows of zero, blind resets and SYNs that are challenged."""
    scene = Told(seed)
    server = Server(scene.here, PORT)
    scene.seq = 0xFFFFFFF0
    scene.says(SYN)
    scene.says(ACK)
    for length in (0, 1, 0, 1):
        scene.says(ACK, b"x" * length, back=1, wait_s=2.0)
    scene.says(ACK | PSH, b"hello, this is a line\r\n")
    for _ in range(3):
        scene.says(ACK, window=0)
        scene.says(ACK, b"y", window=0)
        scene.says(ACK)
    scene.says(RST, back=-1000)
    scene.says(RST, back=5)
    scene.says(SYN, back=-200)
    scene.says(ACK, b"beyond", back=-300_000)
    scene.says(ACK, b"line\r\n", back=6)
    connection = server.programs[0].connection
    assert connection.state is State.ESTABLISHED
    scene.says(FIN | ACK)
    scene.says(ACK)
    return scene.run(for_s=100.0)


def probes_that_are_taken(seed: int) -> Scene:
    """The station probes the closed window of `here`, whose reader pauses."""
    scene = Told(seed)
    Server(scene.here, PORT, partial(PausingReader, pause_s=3.0), rcvbuf=4096, auto_rcvbuf=False)
    scene.says(SYN)
    scene.says(ACK)
    for turn in range(5):
        while scene.heard is not None and scene.heard.tcp.window:
            scene.says(ACK, bytes(min(1000, scene.heard.tcp.window)), wait_s=0.1)
        for _ in range(3):
            scene.station.says_tcp(
                HERE, (5000, PORT), ACK, seq=scene.seq, ack=scene.heard.next if scene.heard else 0, data=b"?"
            )
            scene.run(for_s=0.3 + turn / 10)
        scene.run(lambda: scene.heard is not None and scene.heard.tcp.window > 0, for_s=10.0)
    scene.says(FIN | ACK)
    scene.says(ACK, wait_s=5.0)
    scene.says(ACK)
    return scene.run(for_s=100.0)


SMALL = Impairment(delay_s=10 * MS, rate_bps=2e6)

SCENES: dict[str, Callable[[], Scene]] = {
    # clean wires
    "echo": lambda: requests(1),
    "echo-far": lambda: requests(2, **both(FAR)),
    "one-way": lambda: exchange(3, **both(FAR)),
    "both-ways": lambda: both_ways(4, wire=SMALL),
    "bulk": lambda: exchange(8, 600_000, **both(FAR)),
    "bulk-small": lambda: exchange(9, 300_000, **both(SMALL)),
    "bulk-both": lambda: both_ways(44, 250_000, wire=FAR),
    "half-close": lambda: half_close(5, **both(FAR)),
    "close-behind-data": lambda: close_behind_data(6, **both(FAR)),
    "small-segments": lambda: both_ways(7, 6000, wire=FAR, mtu=296),
    # loss
    "loss": lambda: both_ways(10, wire=replace(FAR, loss=0.05)),
    "loss-near": lambda: both_ways(11, wire=Impairment(loss=0.05, delay_s=0.2 * MS)),
    "loss-much": lambda: both_ways(12, 20_000, wire=replace(FAR, loss=0.2)),
    "loss-one-way": lambda: exchange(13, 100_000, ours=replace(FAR, loss=0.05), theirs=FAR),
    "loss-no-sack": lambda: both_ways(14, wire=replace(FAR, loss=0.05), config=tcp(sack=False)),
    "loss-no-sack-one-way": lambda: exchange(
        15, 150_000, ours=replace(FAR, loss=0.05), theirs=FAR, config=tcp(sack=False)
    ),
    "loss-no-rack": lambda: both_ways(16, wire=replace(FAR, loss=0.05), config=tcp(rack=False)),
    "loss-no-timestamps": lambda: both_ways(17, wire=replace(FAR, loss=0.05), config=tcp(timestamps=False)),
    "loss-plain": lambda: both_ways(
        18, wire=replace(FAR, loss=0.05), config=tcp(timestamps=False, sack=False, window_scaling=False)
    ),
    "loss-reno": lambda: exchange(
        19, 150_000, ours=replace(SMALL, loss=0.03), theirs=FAR, config=tcp(congestion="reno", rack=False)
    ),
    "loss-small-segments": lambda: both_ways(20, 10_000, wire=replace(FAR, loss=0.05), mtu=296),
    "loss-of-acks": lambda: exchange(21, 100_000, ours=FAR, theirs=replace(FAR, loss=0.5)),
    "loss-of-requests": lambda: requests(22, 15, 0.5, **both(replace(FAR, loss=0.15))),
    "loss-of-many-requests": lambda: requests(24, 110, 0.3, **both(replace(FAR, loss=0.2))),
    "loss-of-many-requests-near": lambda: requests(25, 110, 1.0, **both(Impairment(loss=0.2))),
    "queue-full": lambda: exchange(
        23, 200_000, ours=Impairment(delay_s=10 * MS, rate_bps=5e6, queue_limit_bytes=15_000), theirs=FAR
    ),
    # order
    "reorder": lambda: both_ways(30, wire=replace(FAR, reorder=0.1, reorder_s=4 * MS)),
    "reorder-much": lambda: exchange(40, 600_000, ours=replace(FAR, reorder=0.3, reorder_s=3 * MS), theirs=FAR),
    "reorder-much-both": lambda: both_ways(41, 300_000, wire=replace(FAR, reorder=0.3, reorder_s=3 * MS)),
    "reorder-far": lambda: exchange(
        42, 600_000, ours=Impairment(delay_s=30 * MS, reorder=0.4, reorder_s=3 * MS), theirs=FAR
    ),
    "reorder-small-segments": lambda: both_ways(43, 100_000, wire=replace(FAR, reorder=0.4, reorder_s=3 * MS), mtu=576),
    "reorder-little": lambda: both_ways(31, wire=replace(SMALL, reorder=0.1, reorder_s=7 * MS)),
    "reorder-late": lambda: both_ways(32, wire=replace(FAR, reorder=0.05, reorder_s=60 * MS)),
    "reorder-no-sack": lambda: both_ways(33, wire=replace(FAR, reorder=0.1, reorder_s=4 * MS), config=tcp(sack=False)),
    "jitter": lambda: both_ways(34, 20_000, wire=replace(FAR, jitter_s=4 * MS)),
    "duplicate": lambda: both_ways(35, wire=replace(FAR, duplicate=0.1)),
    "duplicate-late": lambda: both_ways(36, 15_000, wire=replace(FAR, duplicate=0.2, reorder=0.2, reorder_s=30 * MS)),
    "bad-wire": lambda: both_ways(
        37, wire=Impairment(loss=0.1, reorder=0.1, duplicate=0.05, corrupt=0.01, delay_s=2 * MS)
    ),
    "corrupt": lambda: both_ways(38, wire=replace(FAR, corrupt=0.05)),
    "corrupt-much": lambda: both_ways(39, 20_000, wire=replace(FAR, corrupt=0.2)),
    # windows
    "pauses": lambda: pauses(50, 40_000, 0.1, **both(FAR), config=EXACT),
    "pauses-near": lambda: pauses(51, 40_000, 0.3, config=EXACT),
    "pauses-long": lambda: pauses(52, 30_000, 9.0, **both(FAR), config=EXACT),
    "pauses-loss": lambda: pauses(
        53,
        30_000,
        2.0,
        ours=replace(FAR, loss=0.1),
        theirs=replace(FAR, loss=0.1),
        config=EXACT,
    ),
    "pauses-tiny": lambda: pauses(54, 12_000, 1.5, buffer=2000, **both(FAR), config=EXACT),
    "pauses-no-scale": lambda: pauses(55, 60_000, 1.0, config=tcp(window_scaling=False), **both(FAR)),
    "little-reads": lambda: pauses(56, 16_000, 0.05, buffer=6000, at_once=700, **both(FAR), config=EXACT),
    "little-reads-slow": lambda: pauses(57, 9000, 1.0, buffer=4000, at_once=1500, **both(FAR), config=EXACT),
    "probes-taken": lambda: pauses(59, 10_000, 3.0, **both(FAR)),
    "pauses-no-timestamps": lambda: pauses(
        58, 30_000, 3.0, config=tcp(timestamps=False, max_receive_buffer_bytes=65_535), **both(FAR)
    ),
    # keep-alives
    "keep-alive": lambda: keeps_alive(60, **both(FAR)),
    "keep-alive-near": lambda: keeps_alive(61, idle_s=1.0),
    "keep-alive-both": lambda: keeps_alive(62, of_both=True, **both(FAR)),
    "keep-alive-loss": lambda: keeps_alive(63, idle_s=1.0, **both(replace(FAR, loss=0.2))),
    "peer-vanishes": lambda: peer_vanishes(64, **both(FAR)),
    # the beginning and the end
    "refused": lambda: refused(70, **both(FAR)),
    "aborted-here": lambda: aborted(71, 0.1, ours=FAR, theirs=SMALL),
    "aborted-there": lambda: aborted(72, 0.12, "there", ours=SMALL, theirs=FAR),
    "aborted-loss": lambda: aborted(73, 0.12, **both(replace(SMALL, loss=0.1))),
    "reboot-found-by-data": lambda: reboots(74, speaks="here", **both(FAR)),
    "reboot-found-by-syn": lambda: reboots(75, speaks="there", **both(FAR)),
    "crossing-opens": lambda: crossing_opens(76, **both(FAR)),
    "crossing-opens-loss": lambda: crossing_opens(77, **both(replace(FAR, loss=0.1))),
    "crossing-closes": lambda: crossing_closes(78, **both(FAR)),
    "crossing-closes-loss": lambda: crossing_closes(179, **both(replace(FAR, loss=0.3))),
    "syn-lost": lambda: requests(80, 3, ours=lose(2, 3), theirs=FAR),
    "syn-ack-lost": lambda: requests(81, 3, ours=FAR, theirs=lose(2, 3)),
    "last-ack-of-three-lost": lambda: requests(82, 3, ours=lose(3, 4), theirs=FAR),
    "same-port": lambda: the_same_port(83, **both(FAR)),
    "same-port-loss": lambda: the_same_port(84, **both(replace(FAR, loss=0.1))),
    "same-port-later": lambda: the_same_port(85, 5, 90.0, **both(FAR)),
    "same-port-resets": lambda: the_same_port_after_resets(86, **both(FAR)),
    "same-port-resets-loss": lambda: the_same_port_after_resets(87, 12, ours=replace(FAR, loss=0.1), theirs=FAR),
    # sequence numbers that wrap
    "wrap": lambda: both_ways(90, wire=replace(FAR, loss=0.05), isn=2**32 - 15_000),
    "wrap-half": lambda: both_ways(91, wire=replace(FAR, loss=0.05), isn=2**31 - 15_000),
    "wrap-syn": lambda: pauses(92, 30_000, 2.0, isn=2**32 - 1, config=EXACT, **both(FAR)),
    "wrap-keep-alive": lambda: keeps_alive(93, isn=2**32 - 2, **both(FAR)),
    # a peer that is no stack
    "strange-peer": lambda: strange_peer(95),
    "probes-from-outside": lambda: probes_that_are_taken(96),
}
