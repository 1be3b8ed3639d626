"""Two ends that no longer agree must not shout at each other for ever: the ACK storm.

An attacker puts data into both directions (Joncheray, "A Simple Active Attack Against TCP", 1995).
From then on each end acknowledges what the other never sent, and is sent an ACK for that. RFC 9293
section 3.10.7.4 asks for those ACKs; RFC 5961 sections 5 and 7 limit them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from stack.config import Config, TcpConfig
from stack.link.impair import Impaired
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.addresses import format_ipv4
from stack.wire.tcp import ACK, FIN, PSH
from tests.sim.network import Machine, Network
from tests.sim.raw_station import RawStation
from tests.user_options import set_options

CONFIG = TcpConfig(timestamps=False)  # which an attacker would have to guess, too
WITHOUT_LIMIT = replace(CONFIG, challenge_acks_per_window=1_000_000)
WINDOW_S = CONFIG.challenge_ack_window_s
PER_WINDOW = 2 * CONFIG.challenge_acks_per_window + 20
"""Challenge ACKs of both ends, and beside them retransmissions and what answers those."""


class World:
    """A connection between two hosts 2 ms apart, and a station that knows its numbers."""

    def __init__(self, config: TcpConfig = CONFIG) -> None:
        self.network = Network(14)
        self.config = Config(tcp=config)
        self.ethernet = Ethernet()
        self.here, self.there = self._machine(1), self._machine(2)
        self.station = RawStation(self.network, self.ethernet)
        for address in ("10.0.0.1", "10.0.0.2"):
            self.station.asks(address)
        listener = self.there.listen(7)
        self.client = self.here.connect("10.0.0.2", 7)
        self.network.run(lambda: listener.readable)
        accepted = listener.accept()
        assert accepted is not None
        self.server = accepted
        self.network.run(for_s=1.0)

    def _machine(self, number: int) -> Machine:
        machine = self.network.machine(f"host{number}", self.config)
        machine.attach(Impaired(self.ethernet.attach(), delay_s=0.0005), f"10.0.0.{number}/24")
        return machine

    def inject(self, victim: Connection, flags: int = PSH | ACK, data: bytes = b"forged, and longer") -> None:
        """The victim gets a segment that its peer never sent, at the very place where it waits for one."""
        remote, local = victim.remote, victim.local
        self.station.says_tcp(
            format_ipv4(local[0]),
            (remote[1], local[1]),
            flags,
            seq=victim.rcv_nxt,
            ack=victim.snd_nxt,
            data=data,
            source=remote[0],
        )

    @property
    def sent(self) -> int:
        return self.here.host.counters["tcpOutSegs"] + self.there.host.counters["tcpOutSegs"]

    def loudest(self, seconds: float) -> int:
        """How many segments the two have sent in their loudest window."""
        counts = Counter[int]()
        begin, before = self.network.now, self.sent
        while self.network.now < begin + seconds:
            self.network.run(for_s=0.1)
            counts[int((self.network.now - begin) / WINDOW_S)] += self.sent - before
            before = self.sent
        return max(counts.values())


def both_say_something(world: World) -> None:
    for connection in (world.client, world.server):
        connection.send(b"hello?", world.network.now)
    world.here.settle()
    world.there.settle()


def one_says_something(world: World) -> None:
    world.client.send(b"hello?", world.network.now)
    world.here.settle()


def nobody_says_anything(world: World) -> None:
    """The forged segments' own acknowledgments are enough."""


def one_closes(world: World) -> None:
    world.client.close(world.network.now)
    world.here.settle()


def both_close(world: World) -> None:
    one_closes(world)
    world.server.close(world.network.now)
    world.there.settle()


def keepalive(world: World) -> None:
    for machine, connection in ((world.here, world.client), (world.there, world.server)):
        set_options(connection, keepalive=True, keepalive_idle_s=1.0, keepalive_interval_s=1.0)
        connection.options_changed(world.network.now)
        machine.settle()


@pytest.mark.parametrize(
    "action", [both_say_something, one_says_something, nobody_says_anything, one_closes, both_close, keepalive]
)
@pytest.mark.parametrize("flags", [PSH | ACK, FIN | ACK])
def test_a_desynchronised_pair_is_quiet_enough(action: Callable[[World], None], flags: int) -> None:
    world = World()
    world.inject(world.client, flags)
    world.inject(world.server, flags)
    action(world)
    loudest = world.loudest(120.0)
    assert loudest <= PER_WINDOW


def test_there_would_be_a_war_without_the_limit() -> None:
    """The scene is set right: what is limited above really goes on for ever."""
    world = World(WITHOUT_LIMIT)
    world.inject(world.client)
    world.inject(world.server)
    both_say_something(world)
    assert world.loudest(0.5) > 10 * PER_WINDOW


def test_another_connection_has_a_limit_of_its_own() -> None:
    """Or one war would silence, and betray, all the others (CVE-2016-5696)."""
    world = World()
    other = world.here.connect("10.0.0.2", 7)
    world.network.run(lambda: other.synchronized)
    world.inject(world.client)
    world.inject(world.server)
    both_say_something(world)
    world.network.run(for_s=0.5)
    limit = CONFIG.challenge_acks_per_window
    world.station.segments()
    before = world.here.host.counters["tcpOutSegs"]
    ports = 7, other.local[1]
    for _ in range(2 * limit):  # resets that are not exact
        world.station.says_tcp(
            "10.0.0.1", ports, 4, seq=(other.rcv_nxt + 1) & 0xFFFFFFFF, source=other.remote[0]
        )  # fmt: skip
        world.network.run(for_s=0.001)
    assert other.state is State.ESTABLISHED
    assert world.here.host.counters["tcpOutSegs"] - before >= limit
