"""Whole frames with bytes changed, cut, doubled and put together anew, at a whole host: nothing
raises, nothing breaks.

The frames are real: a host is made to exchange every kind of packet it knows, and what was on the
wire is mutated. What has a checksum gets a right one half of the time, so that the layers behind it
are reached.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from stack.internet.echo import EchoReply
from stack.link.impair import Impaired
from stack.link.memory import Ethernet
from stack.wire.addresses import parse_ipv4
from tests.sim.network import Machine, Network
from tests.sim.programs import Echo, Exchange, Server
from tests.sim.raw_station import RawStation
from tests.sim.repair import repair

FRAMES = 5_000
SEEDS = range(6)
US, THERE = "10.0.0.1", "10.0.0.2"
INTERESTING = (0, 1, 2, 4, 5, 7, 8, 15, 16, 20, 28, 40, 63, 64, 127, 128, 254, 255)
KEEPALIVE: dict[str, Any] = {
    "keepalive": True,
    "keepalive_idle_s": 60.0,
    "keepalive_interval_s": 10.0,
    "keepalive_count": 3,
}


class World:
    """A host under fire, an honest one that talks to it meanwhile, and what was on the wire between them."""

    def __init__(self, seed: int) -> None:
        self.network = Network(seed)
        self.ethernet = Ethernet()
        self.random = Random(f"{seed} fuzz")
        self.host, self.honest = self._machine(1), self._machine(2)
        self.station = RawStation(self.network, self.ethernet)
        self.spy = self.ethernet.attach("spy", b"\x02\0\0\0\0\x99", queue_limit=100_000)
        self.spy.open(lambda: None)
        Server(self.host, 7, Echo, **KEEPALIVE)
        Server(self.honest, 7, Echo, **KEEPALIVE)
        self.bystander = self.honest.connect(US, 7, **KEEPALIVE)
        self.network.run(lambda: self.bystander.synchronized)
        self.network.run(for_s=1.0)
        self.heard()  # the bystander's numbers must stay unknown
        self.frames = self._everyday_life()

    def _machine(self, number: int) -> Machine:
        machine = self.network.machine(f"host{number}")
        port = self.ethernet.attach()
        link = Impaired(port, delay_s=0.002) if number == 2 else port
        machine.attach(link, f"10.0.0.{number}/24", gateway="10.0.0.66")
        return machine

    def _everyday_life(self) -> list[bytes]:
        """One of every kind of packet, or some more, as they were on the wire."""
        network = self.network
        for one, other, address in ((self.host, self.honest, THERE), (self.honest, self.host, US)):
            client = Exchange(one, one.connect(address, 7), bytes(range(256)) * 40)
            endpoint = other.udp(9)
            sender = one.udp()
            sender.send_to(b"datagram", (parse_ipv4(address), 9), network.now)
            sender.send_to(bytes(4000), (parse_ipv4(address), 9), network.now)
            sender.send_to(b"for nobody", (parse_ipv4(address), 99), network.now)
            one.ping(address, b"ping")
            one.ping(address, bytes(3000))
            refused = one.connect(address, 99)
            one.ping("10.0.0.77", timeout_s=0.5)
            network.run(lambda client=client: client.done, for_s=5.0)  # type: ignore[misc]
            network.run(for_s=1.0)
            assert refused.error
            endpoint.close()
        frames = self.heard()
        assert len(frames) > 50
        return frames

    def heard(self) -> list[bytes]:
        """What was on the wire since the last look."""
        frames = []
        while (view := self.spy.read(self.network.now)) is not None:
            frames.append(bytes(view))
        return frames

    def shoot(self) -> None:
        """One frame more for the host."""
        self.station.says(self.mutated(self.random.choice(self.frames)))
        self.network.run(for_s=0.001)
        self.station.frames.clear()

    def mutated(self, original: bytes) -> bytes:
        random = self.random
        frame = bytearray(original)
        frame[:6] = random.choice((b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\1", b"\xff" * 6))
        for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
            self._change(frame)
        if random.random() < 0.5:
            repair(frame)
        return bytes(frame[:1514])

    def _change(self, frame: bytearray) -> None:
        """One mutation; most of them in the headers."""
        random = self.random
        at = random.randrange(min(len(frame), random.choice((20, 60, 60, 60, 2000)))) if frame else 0
        match random.randrange(8):
            case 0 | 1 if frame:
                frame[at] = random.randrange(256)
            case 2 | 3 if frame:
                frame[at] = random.choice(INTERESTING)
            case 4 if frame:
                frame[at] ^= 1 << random.randrange(8)
            case 5:
                del frame[at:]
            case 6:
                frame[at:at] = random.randbytes(random.randrange(1, 41))
            case _:
                other = random.choice(self.frames)
                frame[at:] = other[at:]


def check_alive(world: World) -> None:
    """The host opens new connections and answers a ping, and the old connection goes on."""
    network = world.network
    network.run(for_s=2.0)
    client = Exchange(world.honest, world.honest.connect(US, 7), b"hello")
    network.run(lambda: client.done, for_s=60.0)  # this heals a poisoned ARP cache, which a ping could not
    assert client.received == b"hello"
    results = world.honest.ping(US, b"still there?")
    network.run(lambda: bool(results), for_s=5.0)
    assert isinstance(results[0], EchoReply)
    world.bystander.send(b"and I?", network.now)
    world.honest.settle()
    network.run(lambda: world.bystander.receive_buffer.size == 6, for_s=60.0)


def check_forgets(world: World) -> None:
    """Once all that is half done has timed out, only the bystander's connection is left."""
    world.network.run(for_s=600.0)
    tables = world.host.host.tables()
    assert tables["fragmented_datagrams"] == tables["echo_requests"] == tables["half_open"] == 0
    assert [c.remote[1] for c in world.host.host.tcp.connections.values()] == [world.bystander.local[1]]


@pytest.mark.parametrize("seed", SEEDS)
def test_5000_mutated_frames(seed: int) -> None:
    world = World(seed)
    for _ in range(FRAMES):
        world.shoot()
    assert world.host.host.counters["handler_failed"] == 0
    assert len(world.host.host.counters.drops()) > 35  # it was seen from all sides
    check_alive(world)
    check_forgets(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_copies_of_living_connections(seed: int) -> None:
    """Copies of frames with the right numbers, only a moment old, arrive beside the frames themselves."""
    world = World(seed)
    network, random = world.network, world.random
    for _ in range(10):
        for one, address in ((world.host, THERE), (world.honest, US)) * 3:
            Exchange(one, one.connect(address, 7, **KEEPALIVE), random.randbytes(5000))
        for _ in range(100):
            for frame in world.heard():
                world.frames[random.randrange(len(world.frames))] = frame
                for _ in range(random.randrange(3)):
                    world.station.says(world.mutated(frame))
            world.heard()  # not to make copies of copies
            network.run(for_s=0.001)
        network.run(for_s=1.0)
    assert world.host.host.counters["handler_failed"] == 0
    check_alive(world)
    check_forgets(world)
