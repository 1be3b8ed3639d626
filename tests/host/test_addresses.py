"""The life of an address on a whole host: how it begins, and what ends with it."""

from __future__ import annotations

import errno

import pytest

from stack.config import AcdConfig, Config
from stack.host.host import HostCore
from stack.host.interface import Interface
from stack.internet.echo import EchoFailure, EchoReply, EchoResult
from stack.link.memory import Ethernet, ip_pair
from stack.tcp.states import State
from stack.wire.addresses import ANY, LOOPBACK, Prefix, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.ethernet import EthernetHeader
from stack.wire.numbers import ETHERTYPE_ARP
from tests.internet.station import Listening
from tests.requirements import rfc
from tests.sim.network import Machine, Network
from tests.sim.raw_station import RawStation

US, SECOND, PEER = parse_ipv4("10.0.0.1"), parse_ipv4("10.0.0.3"), parse_ipv4("10.0.0.2")


class World:
    """A host of ours, another host, and a station that records all frames."""

    def __init__(self, seed: int = 7) -> None:
        self.network = Network(seed)
        self.ethernet = Ethernet()
        self.spy = self.ethernet.attach("spy")
        self.spy.open(lambda: None)
        self.machine: Machine = self.network.machine("host")
        self.peer: Machine = self.network.machine("peer")
        self.peer.attach(self.ethernet.attach(), "10.0.0.2/24")
        self.events: list[tuple[str, object]] = []
        self.interface: Interface = None  # type: ignore[assignment]

    @property
    def host(self) -> HostCore:
        return self.machine.host

    def attach(self, address: str = "10.0.0.1/24", *, acd: str | None = "off", gateway: str | None = None) -> None:
        self.interface = self.machine.attach(self.ethernet.attach(), address, gateway=gateway, acd=acd)

    def add(self, text: str, acd: str | None) -> None:
        self.host.add_address(
            self.interface,
            Prefix.parse(text),
            self.network.now,
            acd=acd,
            ready=lambda ok, now: self.events.append(("ready", ok)),
            on_conflict=lambda mac, now: self.events.append(("conflict", mac)),
        )
        self.machine.settle()

    def remove(self, address: bytes = US, error: int = errno.EADDRNOTAVAIL) -> None:
        self.host.remove_address(self.interface, address, self.network.now, error)
        self.machine.settle()

    def arps(self) -> list[ArpPacket]:
        """The ARP packets on the wire since the last look that our host has sent."""
        found = []
        while (view := self.spy.read(self.network.now)) is not None:
            header = EthernetHeader.parse(bytes(view))
            if header.ethertype == ETHERTYPE_ARP and header.source == self.interface.mac:
                found.append(ArpPacket.parse(bytes(view[14:])))
        return found

    def echo(self, source: bytes | None = None) -> list[EchoResult]:
        results: list[EchoResult] = []
        self.host.ip.icmp.echo.ping(PEER, b"", self.network.now, results.append, source=source)
        self.machine.settle()
        return results

    def run(self, for_s: float) -> None:
        self.network.run(for_s=for_s)


@pytest.fixture
def world() -> World:
    return World()


# --- beginning


@rfc("5227-2.1-a")
def test_a_strict_address_is_not_used_before_it_is_known_to_be_free(world: World) -> None:
    world.attach(acd="strict", gateway="10.0.0.2")
    host = world.host
    assert host.ip.owner(US) is None
    assert host.routes() == []
    [record] = host.interfaces()
    assert (record.addresses, record.tentative) == ((), ("10.0.0.1/24",))
    with pytest.raises(OSError) as caught:
        host.connect(None, (PEER, 7), world.network.now)
    assert caught.value.errno == errno.ENETUNREACH
    assert not any(isinstance(result, EchoReply) for result in world.peer.ping("10.0.0.1", timeout_s=1.0))
    world.run(8.0)
    assert host.interfaces()[0].addresses == ("10.0.0.1/24",)
    assert [route.destination for route in host.routes()] == ["10.0.0.0/24", "0.0.0.0/0"]
    results = world.echo()
    world.run(1.0)
    assert isinstance(results[0], EchoReply)


@rfc("5227-2.3-b")
def test_it_may_be_used_after_the_first_announcement(world: World) -> None:
    world.attach("10.0.1.1/24")
    world.add("10.0.0.1/24", "strict")
    world.network.run(lambda: bool(world.events))
    assert world.events == [("ready", True)]
    packets = world.arps()
    assert [packet.sender_ip for packet in packets] == [ANY, ANY, ANY, US]
    assert world.host.ip.owner(US) is world.interface
    world.run(100.0)
    assert [packet.sender_ip for packet in world.arps()] == [US]


@pytest.mark.parametrize("operation", [REQUEST, REPLY])
def test_a_strict_address_that_is_taken_is_refused(world: World, operation: int) -> None:
    station = RawStation(world.network, world.ethernet, "10.0.0.1")
    world.attach("10.0.1.1/24")
    world.add("10.0.0.1/24", "strict")
    world.network.run(lambda: bool(world.events))
    assert world.events == [("conflict", station.mac), ("ready", False)]
    assert world.host.ip.owner(US) is None
    assert world.host.tables()["tentative_addresses"] == 0
    assert world.host.counters["arpInConflicts"] == 1


@rfc("5227-2.4-c", "5227-2.4-dhcp-a")
def test_an_optimistic_address_is_used_at_once_and_given_up_if_taken(world: World) -> None:
    world.attach("10.0.1.1/24")
    world.add("10.0.0.1/24", "optimistic")
    assert world.events == [("ready", True)]
    results = world.echo()
    world.run(0.5)
    assert isinstance(results[0], EchoReply)
    station = RawStation(world.network, world.ethernet, "10.0.0.1")
    world.network.run(lambda: len(world.events) > 1)
    assert world.events[1:] == [("conflict", station.mac)]
    assert world.host.ip.owner(US) is None


def test_a_probe_for_an_optimistic_address_is_answered(world: World) -> None:
    world.attach(acd="optimistic")
    world.run(0.5)
    other = world.network.machine("other")
    verdicts: list[bool] = []
    interface = other.attach(world.ethernet.attach(), "10.0.1.9/24")
    other.host.add_address(
        interface,
        Prefix.parse("10.0.0.1/24"),
        world.network.now,
        acd="strict",
        ready=lambda ok, now: verdicts.append(ok),
    )
    other.settle()
    world.run(20.0)
    assert verdicts == [False]
    assert world.host.ip.owner(US) is world.interface


def test_an_optimistic_address_is_announced_when_it_is_found_free(world: World) -> None:
    world.attach(acd="optimistic")
    world.run(100.0)
    assert [packet.sender_ip for packet in world.arps()] == [ANY] * 3 + [US] * 2


def test_off_means_that_nothing_is_said(world: World) -> None:
    world.attach()
    world.run(100.0)
    assert world.arps() == []


def test_probed_means_announced_and_defended(world: World) -> None:
    world.attach("10.0.1.1/24")
    world.add("10.0.0.1/24", "probed")
    assert world.events == [("ready", True)]
    world.run(10.0)
    assert [packet.sender_ip for packet in world.arps()] == [US, US]
    station = RawStation(world.network, world.ethernet, "10.0.0.1")
    for _ in range(2):
        station.says_arp(REQUEST, US, US)
        world.run(1.0)
    assert world.events[1:] == [("conflict", station.mac)]


def test_the_configuration_says_what_happens_when_nobody_does() -> None:
    for mode, count in (("strict", 5), ("optimistic", 5), ("off", 0)):
        world = World()
        world.machine = world.network.machine("another", Config(acd=AcdConfig(mode=mode)))
        world.attach(acd=None)
        assert bool(world.interface.addresses) == (mode != "strict")
        world.run(20.0)
        assert len(world.arps()) == count
        assert world.interface.addresses == [Prefix.parse("10.0.0.1/24")]


def test_a_link_without_stations_knows_no_probing() -> None:
    network = Network()
    machine = network.machine("host")
    one, _ = ip_pair()
    interface = machine.attach(one, "10.0.0.1/24", acd="strict")
    assert interface.addresses == [Prefix.parse("10.0.0.1/24")]
    machine.host.remove_address(interface, US, network.now)
    assert interface.addresses == []


@rfc("5227-2.1.1-e")
def test_two_interfaces_on_one_segment_are_no_conflict(world: World) -> None:
    world.attach(acd="strict")
    world.run(20.0)
    second = world.machine.attach(world.ethernet.attach(), "10.0.0.3/24", acd="strict")
    world.run(2.5)
    # A switch that rebroadcasts shows the second interface's packets, and its probes, to the first, and it its own.
    for interface in (world.interface, second):
        for sender, target in ((ANY, SECOND), (US, US), (SECOND, SECOND)):
            packet = ArpPacket(REQUEST, world.interface.mac or b"", sender, bytes(6), target)
            second.neighbors.receive(packet.build(), world.network.now)  # type: ignore[union-attr]
            interface.neighbors.receive(packet.build(), world.network.now)  # type: ignore[union-attr]
    world.run(20.0)
    assert world.host.counters["arpInConflicts"] == 0
    assert second.addresses == [Prefix.parse("10.0.0.3/24")]


@pytest.mark.parametrize("text", ["0.0.0.0/8", "127.0.0.2/8", "224.0.0.5/24", "240.0.0.1/8", "255.255.255.255/32"])
def test_addresses_no_host_can_have_are_refused(world: World, text: str) -> None:
    world.attach()
    with pytest.raises(ValueError, match="RFC 1122"):
        world.add(text, None)


@pytest.mark.parametrize("acd", ["strict", "off"])
def test_an_address_is_ours_once(world: World, acd: str) -> None:
    world.attach(acd=acd)
    for text in ("10.0.0.1/24", "10.0.0.1/25"):
        with pytest.raises(OSError) as caught:
            world.add(text, "strict")
        assert caught.value.errno == errno.EEXIST
    with pytest.raises(OSError):
        world.attach(acd="off")
    with pytest.raises(ValueError, match="strict"):
        world.add("10.0.0.9/24", "paranoid")


# --- ending


@rfc("5227-2.4-i", "5227-2.4-dhcp-b", "3927-2.5-d")
def test_a_host_that_takes_our_address_gets_one_defence_and_then_the_address(world: World) -> None:
    world.attach(acd="strict")
    world.run(20.0)
    world.peer.listen(7)
    connection = world.machine.connect("10.0.0.2", 7)
    world.network.run(lambda: connection.state is State.ESTABLISHED)
    [there] = world.peer.host.tcp.connections.values()
    world.arps()
    station = RawStation(world.network, world.ethernet, "10.0.0.1")
    station.owns = lambda address: False
    station.says_arp(REQUEST, US, US)
    world.run(1.0)
    defence, answer = world.arps()
    assert defence == ArpPacket(REQUEST, world.interface.mac or b"", US, bytes(6), US)
    assert (answer.operation, answer.target_ip) == (REPLY, PEER), "the peer asks whether we are still there"
    assert connection.state is State.ESTABLISHED
    station.says_arp(REPLY, US, PEER)
    world.run(1.0)
    assert connection.state is State.CLOSED
    assert there.state is State.CLOSED
    assert there.error == errno.ECONNRESET
    with pytest.raises(OSError) as caught:
        connection.receive(1, world.network.now)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert world.interface.addresses == []
    assert world.host.routes() == []
    assert world.arps() == []


@rfc("defend-1", "defend-2")
@pytest.mark.parametrize("when_s", [0.0, 3.0, 20.0], ids="{}s after the beginning".format)
def test_an_address_that_is_defended_is_kept_whatever_is_claimed(world: World, when_s: float) -> None:
    """While it is probed for, too: by packets that claim it, and by another host's probe, which ARP answers."""
    world.attach(acd="off", address="10.1.0.9/24")
    world.add("10.0.0.1/24", "defend")
    assert world.events == [("ready", True)]
    world.peer.listen(7)
    connection = world.machine.connect("10.0.0.2", 7, source="10.0.0.1")
    world.network.run(lambda: connection.state is State.ESTABLISHED, for_s=1.0)
    [there] = world.peer.host.tcp.connections.values()
    world.run(when_s)
    station = RawStation(world.network, world.ethernet, "10.0.0.1")
    station.owns = lambda address: address == US
    world.arps()
    begun = world.network.now
    for number in range(100):
        station.says_arp((REQUEST, REPLY)[number % 2], US, (US, PEER)[number // 2 % 2])
        station.says_arp(REQUEST, ANY, US)
        world.run(0.25)
    announced = [packet for packet in world.arps() if packet.sender_ip == packet.target_ip == US]
    told = [event for event in world.events if event[0] == "conflict"]
    assert told == [("conflict", station.mac)] * 3
    # When the claims begin within seconds of the end of probing, what is announced then comes on top (section 2.3).
    assert 3 <= len(announced) <= 5
    assert world.network.now - begun < 30.0
    assert connection.state is there.state is State.ESTABLISHED
    there.send(b"on", world.network.now)
    world.peer.settle()
    world.network.run(lambda: connection.receive(10, world.network.now) == b"on", for_s=5.0)
    assert [str(prefix) for prefix in world.interface.addresses] == ["10.1.0.9/24", "10.0.0.1/24"]


@rfc("defend-1")
def test_an_address_that_is_defended_is_kept_when_the_link_comes_back(world: World) -> None:
    """It is probed for again; another host has it by then."""
    world.attach(acd="off", address="10.1.0.9/24")
    world.add("10.0.0.1/24", "defend")
    world.run(30.0)
    station = RawStation(world.network, world.ethernet, "10.0.0.1")
    station.owns = lambda address: address == US
    world.host.network_changed(world.interface, world.network.now)
    world.machine.settle()
    world.run(30.0)
    assert ("conflict", station.mac) in world.events
    assert [str(prefix) for prefix in world.interface.addresses] == ["10.1.0.9/24", "10.0.0.1/24"]
    world.remove()
    assert [str(prefix) for prefix in world.interface.addresses] == ["10.1.0.9/24"]
    world.events.clear()
    station.says_arp(REPLY, US, US)
    world.run(30.0)
    assert world.events == []


def test_everything_that_needs_an_address_ends_with_it(world: World) -> None:
    world.attach(gateway="10.0.0.66")
    world.add("10.1.0.1/24", "off")
    host, now = world.host, world.network.now
    world.peer.listen(7)
    connection = world.machine.connect("10.0.0.2", 7)
    world.network.run(lambda: connection.state is State.ESTABLISHED)
    bound, wild, connected = host.udp.open(), host.udp.open(), host.udp.open()
    woken: list[str] = []
    bound.on_readable = lambda: woken.append("bound")
    connected.on_readable = lambda: woken.append("connected")
    bound.bind((US, 53))
    wild.bind((ANY, 54))
    wild.send_to(b"x", (PEER, 9), now)
    connected.connect((PEER, 9), now)
    echo = world.echo()
    world.remove()
    assert connection.error == errno.EADDRNOTAVAIL
    assert woken == []
    for end in (bound, wild, connected):
        assert end.receive() is None
        for remote in (PEER, LOOPBACK) if end is bound else (PEER,):
            with pytest.raises(OSError) as caught:
                end.send_to(b"x", (remote, 9), now)
            assert caught.value.errno == errno.ENETUNREACH
    assert [result.errno for result in echo if isinstance(result, EchoFailure)] == [errno.EADDRNOTAVAIL]
    assert [route.destination for route in host.routes()] == ["10.1.0.0/24"]
    assert host.neighbors() == []
    assert host.tables()["connections"] == 0
    with pytest.raises(OSError) as caught:
        world.remove()
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_an_endpoint_that_chose_no_address_goes_on_with_another(world: World) -> None:
    world.attach()
    world.add("10.0.0.3/24", "off")
    there = world.peer.udp(9)
    wild = world.machine.udp(54)
    wild.send_to(b"one", (PEER, 9), world.network.now)
    world.run(1.0)
    world.remove()
    wild.send_to(b"two", (PEER, 9), world.network.now)
    world.run(1.0)
    assert [there.receive(), there.receive()] == [(b"one", (US, 54)), (b"two", (SECOND, 54))]


def test_a_listener_and_a_bound_port_outlast_their_address(world: World) -> None:
    """As on Linux: the address may come back, from the next lease."""
    world.attach()
    listener = world.machine.listen(7, address=US)
    world.remove()
    world.add("10.0.0.1/24", "off")
    connection = world.peer.connect("10.0.0.1", 7)
    world.network.run(lambda: connection.state is State.ESTABLISHED, for_s=5.0)
    world.run(1.0)
    assert listener.accept() is not None


def test_the_other_addresses_of_an_interface_are_left_alone(world: World) -> None:
    world.attach(gateway="10.0.0.2")
    world.add("10.0.0.3/24", "off")
    world.peer.listen(7)
    connection = world.machine.connect("10.0.0.2", 7, source="10.0.0.3")
    world.network.run(lambda: connection.state is State.ESTABLISHED)
    world.remove(US)
    assert connection.state is State.ESTABLISHED
    assert [record.address for record in world.host.neighbors()] == ["10.0.0.2"]
    assert [(route.destination, route.gateway) for route in world.host.routes()] == [
        ("10.0.0.0/24", None),
        ("0.0.0.0/0", "10.0.0.2"),
    ]


def test_what_waits_for_arp_is_not_sent_from_an_address_that_has_gone(world: World) -> None:
    world.attach()
    world.add("10.0.0.3/24", "off")
    no_host = parse_ipv4("10.0.0.77")
    end = world.machine.udp(9)
    for source in (US, SECOND):
        end.send_to(b"x", (no_host, 9), world.network.now, source)
    assert world.host.neighbors()[0].waiting == 2
    world.remove(US)
    assert world.host.neighbors()[0].waiting == 1
    station = RawStation(world.network, world.ethernet, "10.0.0.77")
    station.says_arp(REPLY, no_host, SECOND, world.interface.mac or b"")
    world.run(1.0)
    assert [ip.source for ip, _ in station.packets()] == [SECOND]
    assert world.host.tables()["neighbor_queue_bytes"] == 0


def test_probing_for_an_address_can_be_given_up(world: World) -> None:
    world.attach("10.0.1.1/24")
    world.add("10.0.0.1/24", "strict")
    world.run(1.5)
    world.arps()
    world.remove(US)
    assert world.events == [("ready", False)]
    world.run(20.0)
    assert world.arps() == []
    assert world.interface.addresses == [Prefix.parse("10.0.1.1/24")]


def test_another_errno_can_be_asked_for(world: World) -> None:
    world.attach()
    world.peer.listen(7)
    connection = world.machine.connect("10.0.0.2", 7)
    world.network.run(lambda: connection.state is State.ESTABLISHED)
    world.remove(US, error=errno.ENETDOWN)
    assert connection.error == errno.ENETDOWN


def test_a_link_takes_its_addresses_along(world: World) -> None:
    timed_parts = list(world.host.timed_parts)
    world.attach(acd="optimistic")
    world.add("10.1.0.1/24", "strict")
    bound = world.host.udp.open()
    bound.bind((US, 53))
    world.run(1.5)
    world.machine.detach(world.interface)
    assert world.events == [("ready", False)]
    assert bound.receive() is None
    assert world.host.tables()["tentative_addresses"] == 0
    assert world.host.timed_parts == timed_parts
    world.run(100.0)


# --- a link that was away


@rfc("5227-2.1-a")
@pytest.mark.parametrize("acd", ["strict", "optimistic"])
def test_addresses_are_verified_when_the_link_is_back(world: World, acd: str) -> None:
    world.attach(acd=acd)
    world.add("10.1.0.1/24", "off")
    world.run(20.0)
    world.echo()
    world.run(1.0)
    world.arps()
    world.host.network_changed(world.interface, world.network.now)
    world.machine.settle()
    assert world.host.neighbors() == []
    world.run(20.0)
    assert [packet.sender_ip for packet in world.arps()] == [ANY] * 3 + [US] * 2
    station = RawStation(world.network, world.ethernet, "10.0.0.1")
    world.host.network_changed(world.interface, world.network.now)
    world.machine.settle()
    assert world.host.ip.owner(US) is world.interface
    world.run(20.0)
    assert world.host.ip.owner(US) is None
    assert station.stations == {ANY: world.interface.mac}
    assert [str(prefix) for prefix in world.interface.addresses] == ["10.1.0.1/24"]


def test_a_tentative_address_is_probed_for_from_the_beginning_when_the_link_is_back(world: World) -> None:
    world.attach("10.0.1.1/24")
    world.add("10.0.0.1/24", "strict")
    world.run(2.5)
    world.arps()
    world.host.network_changed(world.interface, world.network.now)
    world.machine.settle()
    world.run(20.0)
    assert [packet.sender_ip for packet in world.arps()] == [ANY] * 3 + [US] * 2
    assert world.events == [("ready", True)]


# --- the MTU


def test_paths_learn_of_another_mtu(world: World) -> None:
    world.attach()
    path = world.host.ip.output.path(None, PEER, 6, now=world.network.now)
    user = path.user = Listening()
    told = user.changes
    for mtu in (1000, 68, 1500):
        world.host.set_mtu(world.interface, mtu, world.network.now)
        assert path.mtu == world.host.interfaces()[0].mtu == mtu
    assert len(told) == 3
    for mtu in (67, 1501, 0, -1):
        with pytest.raises(OSError) as caught:
            world.host.set_mtu(world.interface, mtu, world.network.now)
        assert caught.value.errno == errno.EINVAL


def test_a_path_mtu_below_the_links_stays(world: World) -> None:
    world.attach()
    path = world.host.ip.output.path(None, PEER, 6, now=world.network.now)
    path.lower_mtu(900, world.network.now)
    world.host.set_mtu(world.interface, 1200, world.network.now)
    assert path.mtu == 900
    world.host.set_mtu(world.interface, 800, world.network.now)
    assert path.mtu == 800
