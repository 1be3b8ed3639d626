"""A host with several links: each packet goes over the right one. Also links without Ethernet."""

from __future__ import annotations

import errno
from random import Random

import pytest

from stack.internet.echo import EchoReply
from stack.link.device import Link
from stack.link.impair import Impaired
from stack.link.memory import Ethernet, EthernetPort, ip_pair
from stack.tcp.states import State
from stack.wire.addresses import format_ipv4, parse_ipv4
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP
from tests.sim.network import Machine, Network
from tests.sim.programs import Echo, Exchange, Server
from tests.sim.raw_station import RawStation


class Spy:
    """Hears everything on an Ethernet."""

    def __init__(self, ethernet: Ethernet) -> None:
        self.port: EthernetPort = ethernet.attach("spy", b"\x02\0\0\0\0\x99", queue_limit=100_000)
        self.port.open(lambda: None)

    def addresses(self) -> set[str]:
        """Every IP address on either end of what was heard."""
        seen = set()
        while (frame := self.port.read(0.0)) is not None:
            if EthernetHeader.parse(frame).ethertype == ETHERTYPE_IPV4:
                header = Ipv4Header.parse(frame[14:])
                seen |= {format_ipv4(header.source), format_ipv4(header.destination)}
        return seen


class World:
    """`both` is on two Ethernets, `left` on the first, `right` on the second, which has a gateway, too."""

    def __init__(self) -> None:
        self.network = Network(1)
        self.ethernets = Ethernet(), Ethernet()
        self.both = self.network.machine("both")
        self.left = self.network.machine("left")
        self.right = self.network.machine("right")
        self.left_interface = self.both.attach(self.ethernets[0].attach(), "10.0.0.1/24")
        self.both.attach(self.ethernets[1].attach(), "10.0.1.1/24", gateway="10.0.1.254")
        self.left.attach(self.ethernets[0].attach(), "10.0.0.2/24", gateway="10.0.0.1")
        self.right.attach(self.ethernets[1].attach(), "10.0.1.2/24")
        self.gateway = RawStation(self.network, self.ethernets[1], "10.0.1.254")
        self.spies = [Spy(ethernet) for ethernet in self.ethernets]


def talks(network: Network, client: Machine, server: Server, address: str, port: int) -> str:
    """A TCP echo works; the client's address."""
    program = Exchange(client, client.connect(address, port), b"hello" * 1000)
    network.run(lambda: program.done, for_s=60.0)
    assert program.received == b"hello" * 1000
    return format_ipv4(program.connection.local[0])


def answers(network: Network, machine: Machine, address: str, size: int = 56) -> bool:
    """The address answers a ping."""
    results = machine.ping(address, bytes(size), timeout_s=5.0)
    network.run(lambda: bool(results))
    return isinstance(results[0], EchoReply) and len(results[0].data) == size


def test_a_host_on_two_ethernets_uses_the_right_one() -> None:
    world = World()
    network, both = world.network, world.both
    servers = [Server(world.left, 7), Server(world.right, 7)]
    assert talks(network, both, servers[0], "10.0.0.2", 7) == "10.0.0.1"
    assert talks(network, both, servers[1], "10.0.1.2", 7) == "10.0.1.1"
    assert answers(network, both, "10.0.0.2", 4000)
    assert answers(network, both, "10.0.1.2", 4000)
    endpoint = both.udp(9)
    for address in ("10.0.0.2", "10.0.1.2"):
        endpoint.send_to(b"x", (parse_ipv4(address), 9), network.now)
    network.run(for_s=1.0)
    assert world.spies[0].addresses() == {"10.0.0.1", "10.0.0.2"}
    assert world.spies[1].addresses() == {"10.0.1.1", "10.0.1.2"}


def test_both_sides_reach_a_host_on_two_ethernets_by_the_address_that_is_theirs() -> None:
    world = World()
    server = Server(world.both, 7)
    assert talks(world.network, world.left, server, "10.0.0.1", 7) == "10.0.0.2"
    assert talks(world.network, world.right, server, "10.0.1.1", 7) == "10.0.1.2"
    assert answers(world.network, world.left, "10.0.0.1")
    # The strong model of RFC 1122 section 3.3.4.2: an address is reached over its own interface alone.
    assert not answers(world.network, world.left, "10.0.1.1")
    assert world.both.host.counters["ipv4_not_for_us"] == 1


def test_what_is_on_neither_network_goes_to_the_gateway() -> None:
    world = World()
    world.both.ping("192.0.2.1", b"far away")
    connection = world.both.connect("192.0.2.1", 80)
    world.network.run(for_s=0.5)
    heard = world.gateway.packets()
    assert [header.protocol for header, _ in heard] == [PROTO_ICMP, PROTO_TCP]
    assert {format_ipv4(header.source) for header, _ in heard} == {"10.0.1.1"}
    assert connection.local[0] == parse_ipv4("10.0.1.1")
    assert world.spies[0].addresses() == set()


def test_a_source_address_decides_over_which_link_to_go() -> None:
    """An address belongs to its interface: from the left one there is no way to the right network."""
    world = World()
    with pytest.raises(OSError) as caught:
        world.both.connect("10.0.1.2", 7, source="10.0.0.1")
    assert caught.value.errno == errno.ENETUNREACH
    with pytest.raises(OSError) as caught:
        world.both.connect("10.0.1.2", 7, source="10.0.7.7")
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_link_that_goes_takes_its_connections_and_no_others() -> None:
    world = World()
    network = world.network
    Server(world.left, 7)
    Server(world.right, 7)
    left, right = (world.both.connect(address, 7) for address in ("10.0.0.2", "10.0.1.2"))
    network.run(lambda: left.synchronized and right.synchronized)
    world.both.detach(world.left_interface)
    assert (left.state, left.error) == (State.CLOSED, errno.ENETDOWN)
    assert right.state is State.ESTABLISHED
    right.send(b"still here", network.now)
    world.both.settle()
    network.run(lambda: right.receive_buffer.size == 10, for_s=5.0)
    with pytest.raises(OSError) as caught:
        world.both.connect("10.0.0.2", 7, source="10.0.0.1")
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert [record.addresses for record in world.both.host.interfaces()] == [("10.0.1.1/24",)]


def wired(**impairment: float) -> tuple[Network, Machine, Machine]:
    """Two hosts on a bare-IP link."""
    network = Network(2)
    machines = []
    for number, end in enumerate(ip_pair(), 1):
        link: Link = Impaired(end, seed=number, **impairment) if impairment else end  # type: ignore[arg-type]
        machine = network.machine(f"host{number}")
        machine.attach(link, f"10.0.0.{number}/24")
        machines.append(machine)
    return network, machines[0], machines[1]


@pytest.mark.parametrize("impairment", [{}, {"loss": 0.05, "reorder": 0.1, "corrupt": 0.01, "delay_s": 0.01}])
def test_a_bare_ip_link_carries_tcp(impairment: dict[str, float]) -> None:
    network, here, there = wired(**impairment)
    data = Random(3).randbytes(300_000)
    Server(there, 7, Echo)
    client = Exchange(here, here.connect("10.0.0.2", 7), data)
    network.run(lambda: client.done, for_s=600.0)
    assert bytes(client.received) == data


def test_a_bare_ip_link_answers_ping_and_carries_udp() -> None:
    network, here, there = wired()
    assert answers(network, here, "10.0.0.2")
    assert answers(network, there, "10.0.0.1", 65_507)
    assert here.host.neighbors() == there.host.neighbors() == []  # there is no ARP on it
    endpoint = there.udp(9)
    here.udp().send_to(bytes(60_000), (parse_ipv4("10.0.0.2"), 9), network.now)
    network.run(lambda: endpoint.readable, for_s=1.0)
    received = endpoint.receive()
    assert received is not None
    assert len(received[0]) == 60_000


def test_one_host_has_both_kinds_of_link() -> None:
    network, here, _ = wired()
    ethernet = Ethernet()
    third = network.machine("third")
    third.attach(ethernet.attach(), "10.0.5.2/24")
    here.attach(ethernet.attach(), "10.0.5.1/24")
    Server(third, 7)
    assert answers(network, here, "10.0.0.2")
    assert answers(network, here, "10.0.5.2")
    assert [record.address for record in here.host.neighbors()] == ["10.0.5.2"]
