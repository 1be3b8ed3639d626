"""802.1Q: the host takes untagged frames and VLAN 0, a priority without a VLAN; other VLANs are
other networks.

IEEE 802.1Q section 9.6 reserves two identifiers: 0 for a tag that carries a priority only, FFF for
no use on a wire.
"""

from __future__ import annotations

import pytest

from stack.dissection.show import show
from stack.host.interface import Interface
from stack.link.memory import Ethernet
from stack.trace.event import Event
from stack.wire.addresses import MAC_BROADCAST, MAC_ZERO, Prefix, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, REVERSE_REQUEST, ArpPacket
from stack.wire.ethernet import EthernetHeader, VlanTag, snap_header
from stack.wire.icmp import echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_RARP,
    ETHERTYPE_SERVICE_VLAN,
    ETHERTYPE_VLAN,
    PROTO_ICMP,
)
from tests.requirements import rfc
from tests.sim.network import Network, pair
from tests.sim.programs import Echo, Exchange, Requester, Server
from tests.sim.raw_station import RawStation

US, FRIEND = parse_ipv4("10.0.0.1"), parse_ipv4("10.0.0.2")
OTHERS = (1, 7, 0x800, 0xFFE, 0xFFF)
REASON = "ethernet_other_vlan"


class World:
    """A host that watches its address, a friend with a connection to it, and a station that tags what it says."""

    def __init__(self) -> None:
        self.network = Network(21)
        self.ethernet = Ethernet()
        self.machine, self.friend = self.network.machine("host"), self.network.machine("friend")
        self.interface = self.machine.attach(self.ethernet.attach())
        self.lost: list[bytes] = []
        self.machine.host.add_address(
            self.interface,
            Prefix(US, 24),
            self.network.now,
            acd="optimistic",
            on_conflict=lambda mac, now: self.lost.append(mac),
        )
        self.machine.settle()
        self.friend.attach(self.ethernet.attach(), "10.0.0.2/24")
        self.station = RawStation(self.network, self.ethernet)
        self.station.asks("10.0.0.1")
        self.mac = self.interface.mac or b""
        Server(self.machine, 7, Echo)
        self.old = Requester(self.friend, self.friend.connect("10.0.0.1", 7), interval_s=0.1, times=1_000_000)
        self.network.run(lambda: self.old.answered == 2, for_s=5.0)

    def says(self, tags: tuple[VlanTag, ...], ethertype: int, payload: bytes, destination: bytes | None = None) -> None:
        header = EthernetHeader(destination or self.mac, self.station.mac, ethertype, tags)
        self.station.says(header.build() + payload)
        self.network.run(for_s=0.01)

    def drops(self) -> dict[str, int]:
        return self.machine.host.counters.drops()

    def known(self) -> dict[str, str | None]:
        return {record.address: record.mac for record in self.machine.host.neighbors()}

    def echo(self) -> bytes:
        message = echo_request(1, 2, b"echo").build()
        return Ipv4Header(self.station.address, US, PROTO_ICMP, 20 + len(message)).build() + message


@pytest.fixture
def world() -> World:
    return World()


def claims(sender_ip: bytes, mac: bytes) -> list[bytes]:
    """Everything in ARP by which `mac` says that it has `sender_ip`."""
    return [
        ArpPacket(operation, mac, sender_ip, MAC_ZERO, target).build()
        for operation in (REQUEST, REPLY)
        for target in (sender_ip, US, FRIEND)
    ]


@rfc("vlan-1")
@pytest.mark.parametrize("vlan", OTHERS)
@pytest.mark.parametrize("when_s", [0.0, 20.0], ids=["while it probes", "afterwards"])
def test_an_announcement_of_another_vlan_takes_no_address_away(world: World, vlan: int, when_s: float) -> None:
    """Neither before conflict detection has settled nor after it: and the old connection goes on."""
    world.network.run(for_s=when_s)
    sent = world.machine.host.counters["arpOutAnnouncements"]
    for packet in claims(US, world.station.mac):
        world.says((VlanTag(vlan),), ETHERTYPE_ARP, packet, MAC_BROADCAST)
    assert world.lost == []
    assert world.machine.host.counters["arpInConflicts"] == 0
    assert world.machine.host.counters["arpOutAnnouncements"] == sent
    assert world.drops()[REASON] == 6
    answered = world.old.answered
    world.network.run(lambda: world.old.answered == answered + 5, for_s=1.0)


@rfc("vlan-1")
@pytest.mark.parametrize("vlan", OTHERS)
def test_a_neighbour_is_not_learnt_from_another_vlan(world: World, vlan: int) -> None:
    known = world.known()
    world.station.frames.clear()
    for address in (FRIEND, parse_ipv4("10.0.0.99")):
        for packet in claims(address, world.station.mac):
            world.says((VlanTag(vlan),), ETHERTYPE_ARP, packet, MAC_BROADCAST)
    world.network.run(for_s=2.0)
    assert world.known() == known
    assert world.drops() == {REASON: 12}


@rfc("vlan-1")
@pytest.mark.parametrize("ethertype", [ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_RARP, 0x86DD])
def test_nothing_of_another_vlan_is_answered(world: World, ethertype: int) -> None:
    """Whatever it carries: an Echo, a request for our address, RARP, IPv6."""
    host = world.machine.host
    assert world.interface.neighbors is not None
    world.interface.neighbors.published.stations[world.station.mac] = world.station.address
    operation = REVERSE_REQUEST if ethertype == ETHERTYPE_RARP else REQUEST
    target_mac = world.station.mac if ethertype == ETHERTYPE_RARP else MAC_ZERO
    arp = ArpPacket(operation, world.station.mac, world.station.address, target_mac, US).build()
    before = host.counters["ifOutUcastPkts"], host.counters["ifOutNUcastPkts"], host.counters["ifInUnknownProtos"]
    world.says((VlanTag(7),), ethertype, world.echo() if ethertype == ETHERTYPE_IPV4 else arp)
    assert (
        host.counters["ifOutUcastPkts"],
        host.counters["ifOutNUcastPkts"],
        host.counters["ifInUnknownProtos"],
    ) == before
    assert world.drops() == {REASON: 1}


@rfc("vlan-2")
@pytest.mark.parametrize("priority", range(8))
@pytest.mark.parametrize("drop_eligible", [False, True])
@pytest.mark.parametrize("tpid", [ETHERTYPE_VLAN, ETHERTYPE_SERVICE_VLAN])
def test_a_tag_with_a_priority_alone_is_taken(world: World, priority: int, drop_eligible: bool, tpid: int) -> None:
    """PCP and DEI stand beside the identifier and say nothing about the VLAN."""
    tag = VlanTag(0, priority, drop_eligible, tpid)
    for tags in ((tag,), (tag, VlanTag(0, tpid=ETHERTYPE_VLAN))):
        world.says(tags, ETHERTYPE_IPV4, world.echo())
        assert len(world.station.packets()) == 1
    assert world.drops() == {}


@rfc("vlan-2")
@pytest.mark.parametrize("priority", [0, 7])
@pytest.mark.parametrize("drop_eligible", [False, True])
@pytest.mark.parametrize(
    "vlans", [(0, 7), (7, 0), (7, 7), (0, 0xFFF), (0xFFF, 0)], ids=lambda vlans: "-".join(map(str, vlans))
)
@pytest.mark.parametrize("outer", [ETHERTYPE_VLAN, ETHERTYPE_SERVICE_VLAN])
@pytest.mark.parametrize("inner", [ETHERTYPE_VLAN, ETHERTYPE_SERVICE_VLAN])
def test_every_tag_of_a_frame_counts(
    world: World, priority: int, drop_eligible: bool, vlans: tuple[int, int], outer: int, inner: int
) -> None:
    """802.1ad: a provider's tag around a customer's, in either order."""
    tags = (VlanTag(vlans[0], priority, drop_eligible, outer), VlanTag(vlans[1], tpid=inner))
    world.says(tags, ETHERTYPE_IPV4, world.echo())
    assert world.station.packets() == []
    assert world.drops() == {REASON: 1}


@rfc("vlan-2")
@pytest.mark.parametrize("vlan", [0, 7])
def test_a_tag_before_802_3_and_snap_counts_too(world: World, vlan: int) -> None:
    packet = world.echo()
    snap = snap_header(world.mac, world.station.mac, ETHERTYPE_IPV4, len(packet))
    header = EthernetHeader(snap.destination, snap.source, snap.ethertype, (VlanTag(vlan),), snap.length, snap.llc)
    world.station.says(header.build() + packet)
    world.network.run(for_s=0.1)
    assert len(world.station.packets()) == (vlan == 0)
    assert world.drops() == ({} if vlan == 0 else {REASON: 1})


@rfc("vlan-2")
@pytest.mark.parametrize(
    ("tpid", "snap"),
    [(ETHERTYPE_VLAN, True), (ETHERTYPE_SERVICE_VLAN, True), (0x9100, False), (0x9200, False), (0x9100, True)],
)
def test_a_tag_that_is_none_of_ethernets_hides_no_packet(world: World, tpid: int, snap: bool) -> None:
    """In SNAP (802.1Q's form for other media), or of a type that vendors used before 802.1ad, it is an unknown type."""
    inner = VlanTag(0).build()[2:] + ETHERTYPE_IPV4.to_bytes(2, "big") + world.echo()
    if snap:
        world.station.says(snap_header(world.mac, world.station.mac, tpid, len(inner)).build() + inner)
        world.network.run(for_s=0.1)
    else:
        world.says((), tpid, inner)
    assert world.station.packets() == []
    assert world.drops() == {"ethernet_unknown_type": 1}


@rfc("vlan-2")
def test_a_tagged_frame_that_is_cut_is_counted_and_no_more(world: World) -> None:
    """At each octet of its tags; from there on the tag decides."""
    header = EthernetHeader(world.mac, world.station.mac, ETHERTYPE_IPV4, (VlanTag(0), VlanTag(7))).build()
    host = world.machine.host
    for length in range(len(header) + 1):
        before = world.drops()
        host.frame(world.interface, world.network.now, memoryview(header[:length]))
        host.batch_end(world.network.now)
        after = world.drops()
        changed = [name for name in after if after[name] != before.get(name, 0)]
        assert changed == (["ethernet_truncated"] if length < len(header) else [REASON])


@rfc("vlan-2")
def test_three_tags_are_too_many_whatever_they_say(world: World) -> None:
    world.says((VlanTag(0), VlanTag(0), VlanTag(0)), ETHERTYPE_IPV4, world.echo())
    assert world.drops() == {"ethernet_too_many_tags": 1}


@rfc("vlan-2")
def test_a_tag_never_goes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each frame of a transfer comes a copy of it in VLAN 7, with other text: none of that text is taken."""
    network, one, two = pair(22)
    host = one.host
    take = host.frame
    copies: list[int] = []

    def doubled(interface: Interface, now: float, view: memoryview) -> None:
        copy = bytes(view[:12]) + VlanTag(7).build() + bytes(view[12:-1]) + bytes((view[-1] ^ 0xFF,))
        copies.append(len(copy))
        take(interface, now, memoryview(copy))
        take(interface, now, view)

    monkeypatch.setattr(host, "frame", doubled)
    Server(one, 7, Echo)
    text = bytes(range(256)) * 2000
    client = Exchange(two, two.connect("10.0.0.1", 7), text)
    network.run(lambda: client.done, for_s=60.0)
    assert client.received == text
    assert len(copies) > 300
    assert host.counters.drops() == {REASON: len(copies)}


@rfc("vlan-2")
def test_a_frame_of_another_vlan_is_shown_as_what_it_is() -> None:
    """An observer sees the tag, and the host that it comes from."""
    tags = (VlanTag(7, 3, True, ETHERTYPE_SERVICE_VLAN), VlanTag(0xFFF))
    header = EthernetHeader(MAC_BROADCAST, b"\x02\0\0\0\0\x66", ETHERTYPE_ARP, tags)
    assert show(header.build() + claims(US, b"\x02\0\0\0\0\x66")[0])[0] == (
        "Ethernet II 02:00:00:00:00:66 > broadcast, service VLAN 7 priority 3 drop eligible,"
        " VLAN 4095 priority 0, type ARP"
    )


@rfc("vlan-1")
def test_a_traced_host_drops_what_another_does() -> None:
    """An observer is shown the frame; the host does with it what it does unseen."""

    class Watch:
        def __init__(self) -> None:
            self.frames: list[bytes] = []

        def __call__(self, event: Event) -> None:
            octets = event.data.get("octets")
            if isinstance(octets, bytes) and event.data["dir"] == "in":
                self.frames.append(octets)

    watch = Watch()
    network, ethernet = Network(23), Ethernet()
    machine = network.machine("host", trace=watch)
    machine.attach(ethernet.attach(), "10.0.0.1/24")
    station = RawStation(network, ethernet)
    frame = EthernetHeader(MAC_BROADCAST, station.mac, ETHERTYPE_ARP, (VlanTag(7),)).build()
    frame += ArpPacket(REQUEST, station.mac, station.address, MAC_ZERO, US).build()
    station.says(frame)
    network.run(for_s=1.0)
    assert [seen[: len(frame)] for seen in watch.frames] == [frame]
    assert machine.host.neighbors() == []
    assert machine.host.counters.drops() == {REASON: 1}
