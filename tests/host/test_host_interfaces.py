"""What a host does with its links: whose frames it takes, what it tells about itself, and what an
observer is shown.
"""

from __future__ import annotations

import dataclasses
import errno
import json
from typing import Any

import pytest

from stack.config import Config, HostConfig
from stack.host.host import HostCore
from stack.host.traced_link import TracedLink
from stack.link.memory import Ethernet
from stack.trace.event import Event
from stack.wire.addresses import MAC_BROADCAST, Prefix, parse_ipv4
from stack.wire.ethernet import EthernetHeader, VlanTag, ethernet_ii
from stack.wire.icmp import echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP
from tests.host.direct_host import OTHER, PEER
from tests.host.fast_and_plain import Twin, both, request
from tests.requirements import rfc
from tests.sim.network import Machine, Network, pair
from tests.sim.programs import Echo, Exchange, Server
from tests.sim.raw_station import RawStation

US = parse_ipv4("10.0.0.1")


class World:
    """A host and a station that asks it for echoes."""

    def __init__(self, config: Config | None = None) -> None:
        self.network = Network(20)
        self.ethernet = Ethernet()
        self.machine: Machine = self.network.machine("host", config)
        self.interface = self.machine.attach(self.ethernet.attach(), "10.0.0.1/24")
        self.station = RawStation(self.network, self.ethernet)
        self.station.asks("10.0.0.1")
        self.mac = self.interface.mac or b""

    def packet(self) -> bytes:
        message = echo_request(1, 2, b"echo").build()
        return Ipv4Header(self.station.address, US, PROTO_ICMP, 20 + len(message)).build() + message

    def answers(self, frame: bytes) -> bool:
        self.station.says(frame)
        self.network.run(for_s=0.1)
        return bool(self.station.packets())

    @property
    def counters(self) -> dict[str, int]:
        return self.machine.host.counters


@pytest.fixture
def world() -> World:
    return World()


# --- frames


@rfc("894-frame-c")
def test_a_frame_for_us_is_taken_whatever_padding_follows(world: World) -> None:
    frame = ethernet_ii(world.mac, world.station.mac, ETHERTYPE_IPV4) + world.packet()
    for padding in (0, 1, 18, 700):
        assert world.answers(frame + b"\xff" * padding)


def test_a_tagged_frame_of_no_vlan_is_taken(world: World) -> None:
    """IEEE 802.1Q clause 6: VLAN 0 means that there is only a priority in the tag."""
    tagged = EthernetHeader(world.mac, world.station.mac, ETHERTYPE_IPV4, tags=(VlanTag(vlan=0, priority=5),)).build()
    assert world.answers(tagged + world.packet())


@pytest.mark.parametrize(
    ("destination", "source", "ethertype", "reason"),
    [
        ("02000000ff01", "020000000066", 0x0800, "ethernet_not_for_us"),
        ("", "020000000001", 0x0800, None),
        ("ffffffffffff", "020000000001", 0x0800, "ethernet_own_source"),
        ("", "020000000066", 0x86DD, "ethernet_unknown_type"),
        ("", "020000000066", 0x88CC, "ethernet_unknown_type"),
    ],
)
def test_whose_frames_are_taken(
    world: World, destination: str, source: str, ethertype: int, reason: str | None
) -> None:
    target = bytes.fromhex(destination) or world.mac
    before = world.machine.host.counters.drops()
    answered = world.answers(ethernet_ii(target, bytes.fromhex(source), ethertype) + world.packet())
    assert answered == (reason is None)
    after = world.machine.host.counters.drops()
    assert [name for name in after if after[name] != before.get(name, 0)] == ([reason] if reason else [])


@pytest.mark.parametrize(
    "between", [bytes.fromhex("81000000"), bytes.fromhex("0028aaaa03000000")], ids=["tagged", "in 802.3"]
)
def test_a_frame_of_ours_that_a_loop_has_changed_is_dropped(world: World, between: bytes) -> None:
    """We send neither tags nor LLC: a frame that has them is not from another station with our address."""
    mac = world.mac
    assert world.answers(mac + mac + b"\x08\0" + world.packet())
    assert world.answers(mac + world.station.mac + between + b"\x08\0" + world.packet())
    assert not world.answers(mac + mac + between + b"\x08\0" + world.packet())
    assert world.counters["ethernet_own_source"] == 1


def test_an_mtu_concerns_a_path_whose_route_has_changed_when_it_is_bound_again() -> None:
    """A path that a fast path keeps for pings from the same host is bound: that does not count for a connection's."""

    def run(twin: Twin) -> None:
        twin.host.ip.routes.add(Prefix(PEER, 32), twin.interface, gateway=OTHER)
        twin.host.ip.routes.remove(Prefix(PEER, 32))
        twin.hears(request(), request())
        twin.host.set_mtu(twin.interface, 576, twin.now)
        [connection, *_] = twin.connections
        assert connection.path.mtu == 1500
        connection.send(bytes(5000), twin.now)
        twin.host.after_call(twin.now)
        assert connection.path.mtu == 576

    fast, _ = both(run)
    assert fast.host.tables()["echo_paths"] == 1


@pytest.mark.parametrize("length", range(34))
def test_a_frame_that_ends_too_early_is_counted_and_no_more(world: World, length: int) -> None:
    frame = ethernet_ii(world.mac, world.station.mac, ETHERTYPE_IPV4) + world.packet()
    host, now = world.machine.host, world.network.now
    before = sum(host.counters.drops().values())
    host.frame(world.interface, now, memoryview(frame[:length]))
    host.batch_end(now)
    assert sum(host.counters.drops().values()) == before + 1
    assert world.answers(frame)


def test_a_broken_tcp_checksum_is_found_on_the_short_way_too(world: World) -> None:
    network, host = world.network, world.machine.host
    there = network.machine("there")
    there.attach(world.ethernet.attach(), "10.0.0.2/24")
    Server(world.machine, 7)
    connection = there.connect("10.0.0.1", 7)
    network.run(lambda: connection.synchronized)
    spy = world.ethernet.attach("spy")
    spy.open(lambda: None)
    connection.send(b"hello", network.now)
    there.settle()
    frame = bytearray(spy.read(network.now) or b"")
    network.run(for_s=1.0)
    assert connection.receive(100, network.now) == b"hello"
    for at in range(34, len(frame)):
        frame[at] ^= 0x10
        host.frame(world.interface, network.now, memoryview(frame))
        frame[at] ^= 0x10
    host.batch_end(network.now)
    assert (
        world.counters["tcp_bad_checksum"] == int.from_bytes(frame[16:18], "big") - 20
    )  # padding is not part of the packet
    assert world.counters["tcp_unacceptable"] == len(frame) - 14 - int.from_bytes(frame[16:18], "big")


# --- interfaces


def test_the_gateway_must_be_on_one_of_the_networks() -> None:
    network = Network(20)
    machine = network.machine("host")
    with pytest.raises(OSError) as caught:
        machine.attach(Ethernet().attach(), "10.0.0.1/24", gateway="10.0.1.1")
    assert caught.value.errno == errno.ENETUNREACH
    assert machine.host.interfaces() == []
    assert machine.host.routes() == []


def test_detaching_twice_is_fine_and_takes_routes_and_neighbours_along(world: World) -> None:
    host = world.machine.host
    assert len(host.neighbors()) == 1
    assert len(host.routes()) == 1
    for _ in range(2):
        host.detach(world.interface, world.network.now)
    assert host.interfaces() == host.neighbors() == host.routes() == []
    assert host.deadline == float("inf")


def test_a_link_can_come_back(world: World) -> None:
    world.machine.detach(world.interface)
    world.interface = world.machine.attach(world.ethernet.attach(mac=world.mac), "10.0.0.1/24")
    assert world.answers(ethernet_ii(world.mac, world.station.mac, ETHERTYPE_IPV4) + world.packet())


def test_a_host_that_has_ended_takes_no_link() -> None:
    machine = Network(20).machine("host")
    machine.host.shutdown(0.0)
    machine.host.shutdown(0.0)
    with pytest.raises(OSError) as caught:
        machine.attach(Ethernet().attach(), "10.0.0.1/24")
    assert caught.value.errno == errno.ENETDOWN


def test_batches_are_as_long_as_configured() -> None:
    """A batch of segments in order is acknowledged once, so that long batches mean few ACKs."""
    acks = []
    for frames in (1, 64):
        config = Config(host=HostConfig(batch_frames=frames))
        network, here, there = pair(20, configs=(None, config), delay_s=0.01)
        server = Server(there, 7, Exchange)
        Exchange(here, here.connect("10.0.0.2", 7), bytes(1_000_000))
        network.run(lambda server=server: any(p.closed for p in server.programs), for_s=60.0)  # type: ignore[misc]
        acks.append(there.host.counters["tcpOutSegs"])
    assert acks[0] > 300
    assert acks[1] < acks[0] / 3


# --- records


def records_of(host: HostCore) -> dict[str, Any]:
    return {
        "interfaces": host.interfaces(),
        "neighbors": host.neighbors(),
        "routes": host.routes(),
        "connections": host.connections(),
    }


def test_records_are_frozen_and_ready_for_json() -> None:
    network, here, there = pair(20, delay_s=0.01)
    Server(there, 7, Echo)
    here.udp(9)
    connected = here.udp()
    connected.connect((parse_ipv4("10.0.0.2"), 9), network.now)
    client = here.connect("10.0.0.2", 7)
    network.run(lambda: client.synchronized)
    client.send(b"hello", network.now)
    records = records_of(here.host)
    text = json.dumps({name: [dataclasses.asdict(record) for record in each] for name, each in records.items()})
    for each in records.values():
        for record in each:
            with pytest.raises((AttributeError, TypeError)):
                record.name = "another"
    assert '"10.0.0.1/24"' in text
    [interface] = records["interfaces"]
    assert (interface.mac, interface.mtu, interface.addresses) == ("02:00:00:00:00:01", 1500, ("10.0.0.1/24",))
    [neighbor] = records["neighbors"]
    assert (neighbor.address, neighbor.mac) == ("10.0.0.2", "02:00:00:00:00:02")
    [tcp] = [record for record in records["connections"] if record.protocol == "tcp"]
    assert (tcp.state, tcp.remote, tcp.unsent) == ("ESTABLISHED", "10.0.0.2:7", 5)
    bound, chosen = [record for record in records["connections"] if record.protocol == "udp"]
    assert (bound.state, bound.local, bound.remote) == ("BOUND", "0.0.0.0:9", None)
    assert (chosen.state, chosen.remote) == ("CONNECTED", "10.0.0.2:9")
    [listener] = [record for record in there.host.connections() if record.state == "LISTEN"]
    assert (listener.protocol, listener.local, listener.remote) == ("tcp", "0.0.0.0:7", None)


# --- the observer


class Observer:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.frames: list[tuple[object, bytes]] = []
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        octets = event.data.get("octets")
        if isinstance(octets, bytes):
            self.frames.append((event.data["dir"], octets))
        else:
            self.events.append(event)


def test_an_observer_sees_every_frame_and_every_state() -> None:
    network = Network(20)
    ethernet = Ethernet()
    observer = Observer()
    here = network.machine("here", trace=observer)
    here.attach(ethernet.attach(), "10.0.0.1/24")
    there = network.machine("there")
    there.attach(ethernet.attach(), "10.0.0.2/24")
    Server(there, 7)
    client = Exchange(here, here.connect("10.0.0.2", 7), b"hello")
    network.run(lambda: client.done)
    network.run(for_s=100.0)
    counters = here.host.counters
    for direction, way in (("in", "In"), ("out", "Out")):
        seen = [frame for kind, frame in observer.frames if kind == direction]
        assert len(seen) == counters[f"if{way}UcastPkts"] + counters[f"if{way}NUcastPkts"]
        assert sum(map(len, seen)) == counters[f"if{way}Octets"]
    assert observer.frames[0][1][:6] == MAC_BROADCAST  # the ARP request
    states = [event.data["after"] for event in observer.events if event.name == "tcp:state"]
    assert states == ["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT", "CLOSED"]
    [opened] = [event for event in observer.events if event.name == "tcp:open"]
    assert opened.data["local"] == f"10.0.0.1:{client.connection.local[1]}"
    assert opened.data["remote"] == "10.0.0.2:7"
    assert {event.group for event in observer.events if event.name.startswith("tcp:")} == {opened.group}


@pytest.mark.parametrize("comes_and_goes", [False, True])
def test_an_observer_changes_nothing(comes_and_goes: bool) -> None:
    """Nor one that comes and goes in the midst of a transfer, while frames take the fast paths without it."""
    digests = []
    for observer in (None, Observer()):
        network = Network(20)
        ethernet = Ethernet()
        machines = [network.machine(name, trace=None if comes_and_goes else observer) for name in ("here", "there")]
        for number, machine in enumerate(machines, 1):
            machine.attach(ethernet.attach(), f"10.0.0.{number}/24")
        Server(machines[1], 7)
        client = Exchange(machines[0], machines[0].connect("10.0.0.2", 7), bytes(300_000))
        while comes_and_goes and not client.done:
            if observer is not None:
                for machine in machines:
                    machine.host.watch(observer)
            network.run(lambda client=client: client.done, for_s=0.0003)  # type: ignore[misc]
            if observer is not None:
                for machine in machines:
                    machine.host.unwatch(observer)
            network.run(lambda client=client: client.done, for_s=0.0003)  # type: ignore[misc]
        network.run(lambda client=client: client.done)  # type: ignore[misc]
        network.run(for_s=1.0)
        digests.append(network.digest)
        for machine in machines:
            watched = observer is not None and not comes_and_goes
            assert machine.host.trace.on is watched
            assert all(isinstance(link, TracedLink) is watched for link in links_of(machine.host))
    assert digests[0] == digests[1]
    assert observer is not None
    assert len(observer.frames) > 100


def links_of(host: HostCore) -> list[object]:
    return [interface.link for interface in host.ip.interfaces if not interface.loopback]
