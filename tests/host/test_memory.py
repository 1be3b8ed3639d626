"""The memory budget of a whole host: what is refused when memory is short, and to which peer."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from stack.config import Config, HostConfig
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.udp.endpoint import Endpoint
from stack.wire.addresses import ANY, BROADCAST, parse_ipv4
from tests.requirements import rfc
from tests.sim.network import Machine, Network
from tests.sim.programs import Exchange, Server

TOTAL = 2 << 20
SMALL = replace(Config(), host=HostConfig(memory_bytes=TOTAL))


class World:
    """A server with little memory and three peers."""

    def __init__(self) -> None:
        self.network, self.ethernet = Network(3), Ethernet()
        self.server = self.machine(1, SMALL)
        self.one, self.two, self.three = (self.machine(number) for number in (2, 3, 4))
        self.service = Server(self.server, 7, backlog=1000)
        for machine in (self.one, self.two, self.three):
            assert machine.ping("10.0.0.1") == []
            self.network.run(for_s=0.01)  # ARP is over, whose queue is short

    def machine(self, number: int, config: Config | None = None) -> Machine:
        machine = self.network.machine(f"host{number}", config)
        machine.attach(self.ethernet.attach(), f"10.0.0.{number}/24")
        return machine

    def idle(self, machine: Machine, count: int) -> list[Connection]:
        """So many connections to the server; those that it takes are open."""
        made = [machine.connect("10.0.0.1", 7) for _ in range(count)]
        self.network.run(for_s=0.1)
        return made

    def opened(self, machine: Machine, count: int) -> int:
        """How many of `count` connections to the server are accepted at once."""
        before = self.service.accepted
        self.idle(machine, count)
        return self.service.accepted - before

    def drops(self, name: str) -> int:
        return self.server.host.counters[name]


def test_below_the_mark_and_after_everything_has_gone() -> None:
    world = World()
    budget = world.server.host.budget
    made = world.idle(world.one, 20)
    tables = world.server.host.tables()
    assert (tables["memory_bytes"], tables["memory_peers"]) == (20 * budget.connection, 1)
    for connection in made:
        connection.close(world.network.now)
    world.one.settle()
    world.network.run(for_s=200.0)
    tables = world.server.host.tables()
    assert (tables["memory_bytes"], tables["memory_peers"], tables["memory_behind_gaps"]) == (0, 0, 0)


@rfc("budget-6")
def test_above_the_high_mark_nothing_new_begins_and_what_exists_goes_on() -> None:
    world = World()
    budget = world.server.host.budget
    old = world.one.connect("10.0.0.1", 7)
    world.network.run(lambda: world.service.accepted == 1)
    stranger = parse_ipv4("10.0.0.99")
    budget.charge(stranger, int(0.88 * TOTAL))
    refused = world.two.connect("10.0.0.1", 7)
    world.network.run(for_s=0.5)
    assert refused.state is State.SYN_SENT
    assert world.drops("tcp_refused_no_memory") == 1
    with pytest.raises(OSError) as caught:
        world.server.connect("10.0.0.3", 7)
    assert caught.value.errno == errno.ENOBUFS
    assert world.drops("tcp_open_no_memory") == 1
    with pytest.raises(OSError) as caught:
        world.server.udp()
    assert caught.value.errno == errno.ENOBUFS
    assert world.drops("udp_open_no_memory") == 1
    again = Exchange(world.one, old, bytes(100_000))
    world.network.run(lambda: again.done, for_s=60.0)
    assert again.received == bytes(100_000)
    budget.charge(stranger, -int(0.88 * TOTAL))
    world.network.run(lambda: refused.state is State.ESTABLISHED, for_s=5.0)  # the client has asked again


@rfc("budget-7")
def test_one_peer_cannot_take_every_connection() -> None:
    world = World()
    budget = world.server.host.budget
    assert world.opened(world.one, 100) * budget.connection <= budget.pressure + budget.connection
    assert world.drops("tcp_refused_no_memory")
    assert world.opened(world.two, 5) == 5
    assert world.opened(world.three, 2) == 2
    assert world.server.host.tables()["memory_peers"] == 3


def queue_of(world: World, machine: Machine, endpoint: Endpoint, count: int) -> None:
    """`machine` sends `count` datagrams of 1,000 octets to port 9 of the server."""
    for _ in range(count):
        endpoint.send_to(bytes(1000), (parse_ipv4("10.0.0.1"), 9), world.network.now)
        machine.settle()
        world.network.run(for_s=0.001)


@rfc("budget-8")
def test_a_broadcast_to_two_endpoints_is_charged_for_each_queue() -> None:
    world = World()
    host, budget = world.server.host, world.server.host.budget
    slow, fast = host.udp.open(), host.udp.open()
    for endpoint in (slow, fast):
        endpoint.reuse_address = True
        endpoint.bind((ANY, 5000))
    before = budget.used
    sender = world.one.udp()
    sender.broadcast = True
    for _ in range(20):
        sender.send_to(bytes(1000), (BROADCAST, 5000), world.network.now)
        world.one.settle()
        world.network.run(for_s=0.01)
        assert fast.receive() is not None
    assert budget.used - before == 17 * 1256
    while slow.receive() is not None:
        pass
    assert (budget.used, budget.peers) == (before, {})


@rfc("budget-8")
def test_datagrams_are_charged_to_their_senders_and_refused_beyond_the_share() -> None:
    world = World()
    budget = world.server.host.budget
    served, small = world.server.udp(9), world.server.udp(10)
    one, two = world.one.udp(), world.two.udp()
    queue_of(world, world.one, one, 10)
    assert budget.peers == {parse_ipv4("10.0.0.2"): 7 * 1256}  # three fit in what each endpoint is charged
    budget.charge(parse_ipv4("10.0.0.2"), int(0.6 * TOTAL))
    queue_of(world, world.one, one, 10)
    assert world.drops("udp_no_memory") == 10
    queue_of(world, world.two, two, 10)
    assert world.drops("udp_no_memory") == 10
    one.send_to(b"a word", (parse_ipv4("10.0.0.1"), 10), world.network.now)
    world.one.settle()
    world.network.run(for_s=0.01)
    assert small.receive() is not None  # an endpoint with nothing in its queue takes a little from any sender
    for _ in range(20):
        assert served.receive() is not None
    assert budget.peers == {parse_ipv4("10.0.0.2"): int(0.6 * TOTAL)}
    queue_of(world, world.two, two, 10)
    served.close()
    small.close()
    assert budget.peers == {parse_ipv4("10.0.0.2"): int(0.6 * TOTAL)}
    assert budget.used == int(0.6 * TOTAL)
