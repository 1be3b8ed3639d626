"""A host that talks to itself: by 127/8 and by its own addresses, without a frame on any wire."""

from __future__ import annotations

import errno
from random import Random

import pytest

from stack.internet.echo import EchoReply
from stack.link.memory import Ethernet
from stack.tcp.states import State
from stack.wire.addresses import format_ipv4, parse_ipv4
from tests.sim.network import Network
from tests.sim.programs import Echo, Exchange, Server
from tests.sim.raw_station import RawStation

OURSELVES = ["127.0.0.1", "127.1.2.3", "10.0.0.1", "10.0.1.1"]


class World:
    """One host with two links, and a station on each that would receive any frame that left it."""

    def __init__(self) -> None:
        self.network = Network(8)
        ethernets = Ethernet(), Ethernet()
        self.host = self.network.machine("host")
        self.host.attach(ethernets[0].attach(), "10.0.0.1/24", gateway="10.0.0.66")
        self.host.attach(ethernets[1].attach(), "10.0.1.1/24")
        self.listeners = [RawStation(self.network, ethernet) for ethernet in ethernets]

    def silent(self) -> bool:
        """Nothing was heard on any wire, ARP included."""
        return not any(station.port.received for station in self.listeners)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("address", OURSELVES)
def test_tcp_to_ourselves(world: World, address: str) -> None:
    network, host = world.network, world.host
    data = Random(1).randbytes(500_000)
    Server(host, 7, Echo)
    client = Exchange(host, host.connect(address, 7), data)
    network.run(lambda: client.done, for_s=60.0)
    assert bytes(client.received) == data
    assert format_ipv4(client.connection.remote[0]) == address
    network.run(for_s=100.0)
    assert host.host.tables()["connections"] == host.host.tables()["paths"] == 0
    assert world.silent()


@pytest.mark.parametrize("address", OURSELVES)
def test_udp_and_ping_to_ourselves(world: World, address: str) -> None:
    network, host = world.network, world.host
    server, client = host.udp(7, address=parse_ipv4(address)), host.udp()
    client.send_to(bytes(65_507), (parse_ipv4(address), 7), network.now)
    assert not server.readable  # it waits for the end of the call
    host.settle()
    received = server.receive()
    assert received is not None
    assert len(received[0]) == 65_507
    server.send_to(b"back", received[1], network.now)
    host.settle()
    answer = client.receive()
    assert answer is not None
    assert (answer[0], format_ipv4(answer[1][0])) == (b"back", address)
    [result] = host.ping(address, bytes(65_507))
    assert isinstance(result, EchoReply)
    assert world.silent()


def test_a_connection_to_itself(world: World) -> None:
    """The same address and port at both ends: simultaneous open, by the book (RFC 9293 section 3.5)."""
    network, host = world.network, world.host
    local = parse_ipv4("127.0.0.1"), 4000
    connection = host.host.connect(local, local, network.now)
    host.settle()
    network.run(lambda: connection.state is State.ESTABLISHED, for_s=10.0)
    connection.send(b"hello, me", network.now)
    host.settle()
    network.run(lambda: connection.readable, for_s=1.0)
    assert connection.receive(100, network.now) == b"hello, me"
    connection.close(network.now)
    host.settle()
    network.run(for_s=100.0)
    assert host.host.tables()["connections"] == 0


def test_nobody_listens_here(world: World) -> None:
    network, host = world.network, world.host
    connection = host.connect("127.0.0.1", 9)
    assert (connection.state, connection.error) == (State.CLOSED, errno.ECONNREFUSED)
    endpoint = host.udp()
    endpoint.connect((parse_ipv4("127.0.0.1"), 9), network.now)
    endpoint.send(b"x", network.now)
    host.settle()
    with pytest.raises(OSError) as caught:
        endpoint.receive()
    assert caught.value.errno == errno.ECONNREFUSED


def test_a_listener_on_one_address_does_not_hear_the_others(world: World) -> None:
    host = world.host
    Server(host, 7, address=parse_ipv4("127.0.0.1"))
    assert host.connect("10.0.0.1", 7).error == errno.ECONNREFUSED
    assert host.connect("127.0.0.1", 7).error == 0


def test_what_is_bound_to_the_loopback_cannot_be_reached_from_outside(world: World) -> None:
    network, host = world.network, world.host
    Server(host, 7, address=parse_ipv4("127.0.0.1"))
    station = world.listeners[0]
    station.asks("10.0.0.1")
    station.says_tcp("10.0.0.1", (5000, 7), 2, seq=1)
    station.says_tcp("127.0.0.1", (5001, 7), 2, seq=1, mac=host.host.ip.interfaces[1].mac)
    network.run(for_s=0.1)
    [refused] = station.segments()
    assert refused.tcp.destination_port == 5000
    assert host.host.counters["ipv4_martian_destination"] == 1


def test_there_is_no_way_out_from_a_loopback_address(world: World) -> None:
    with pytest.raises(OSError) as caught:
        world.host.connect("10.0.0.2", 7, source="127.0.0.1")
    assert caught.value.errno == errno.ENETUNREACH


def test_two_programs_that_answer_each_other_for_ever_leave_others_their_turn(world: World) -> None:
    """What is sent to ourselves is handled in portions; in between, the wires are read."""
    network, host = world.network, world.host
    one, other = host.udp(1000), host.udp(1001)

    def answer(endpoint: object) -> None:
        received = endpoint.receive()  # type: ignore[attr-defined]
        endpoint.send_to(received[0], received[1], network.now)  # type: ignore[attr-defined]

    one.on_readable, other.on_readable = lambda: answer(one), lambda: answer(other)
    one.send_to(b"ball", (parse_ipv4("127.0.0.1"), 1001), network.now)
    host.settle()
    before = host.host.counters["udpInDatagrams"]
    station = world.listeners[0]
    for _ in range(20):
        network.step()
    assert host.host.counters["udpInDatagrams"] > before  # it goes on
    station.says_arp(1, station.address, parse_ipv4("10.0.0.1"))
    for _ in range(20):
        network.step()
    assert parse_ipv4("10.0.0.1") in station.stations  # and we were heard all the same


def test_a_host_without_any_link_still_has_itself() -> None:
    host = Network(9).machine("alone")
    [result] = host.ping("127.0.0.1", b"x")
    assert isinstance(result, EchoReply)
    with pytest.raises(OSError) as caught:
        host.ping("10.0.0.1", b"x")
    assert caught.value.errno == errno.ENETUNREACH
