"""IPv4 output: the path, its source and route, fragments, path MTU, identification, loopback."""

from __future__ import annotations

import errno
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from stack.config import Config, IpConfig
from stack.internet.ident import Identifications
from stack.internet.path_mtu import plateau_below
from stack.internet.received import Received
from stack.link.device import NO_OFFLOAD, Offload
from stack.wire.addresses import ANY, BROADCAST, LOOPBACK, MAC_BROADCAST, Prefix, parse_ipv4
from stack.wire.checksum import ones_sum
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE, RECORD_ROUTE, Route, join, pad
from stack.wire.virtio import TCP_CHECKSUM, checksum_header, tcp_header
from tests.internet.station import (
    FAR,
    OTHER,
    OTHER_MAC,
    OUR_MAC,
    PEER,
    PEER_MAC,
    REQUEST,
    SUBNET_BROADCAST,
    US,
    FakeInterface,
    Listening,
    Station,
)
from tests.requirements import rfc

TCP, UDP, PROTOCOL = 6, 17, 253


def ready(**options: object) -> Station:
    station = Station(**options)  # type: ignore[arg-type]
    station.knows(PEER)
    return station


def second_interface(station: Station) -> FakeInterface:
    """Another network, 172.16/16, whose gateway 172.16.0.1 is known."""
    mac = bytes.fromhex("02000000aa99")
    interface = FakeInterface(station.config, station.counters, [Prefix.parse("172.16.0.2/16")], index=2, mac=mac)
    station.ipv4.add_interface(interface)
    station.arp(REQUEST, OTHER_MAC, parse_ipv4("172.16.0.1"), parse_ipv4("172.16.0.2"), interface=interface)
    station.frames(interface)
    return interface


# --- the header


def test_the_header_of_an_atomic_datagram() -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, TCP, df=True, ttl=33, tos=0x10)
    path.send([b"head", b"payload"], 11, station.now)
    [frame] = station.frames()
    assert frame[:14] == PEER_MAC + OUR_MAC + b"\x08\x00"
    header = Ipv4Header.parse(frame[14:])
    expected = Ipv4Header(US, PEER, TCP, 31, 0, dont_fragment=True, ttl=33, tos=0x10)
    assert frame[14:] == expected.build() + b"headpayload"
    assert not header.reserved


@pytest.mark.parametrize("length", [*range(40), 1480])
@pytest.mark.parametrize("tos", [0, 255])
def test_the_checksum_is_exact_whatever_the_fields(length: int, tos: int) -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, PROTOCOL, tos=tos, ttl=255 - length % 7)
    path.send([bytes(length)], length, station.now)
    [frame] = station.frames()
    header = Ipv4Header.parse(frame[14:])
    assert frame[14:34] == header._replace(checksum=None).build()


def test_fields_can_change_while_the_path_lives() -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    path.ttl, path.tos, path.df = 7, 0xA8, False
    path.send([b"x"], 1, station.now)
    header, _ = station.packet()
    assert (header.ttl, header.tos, header.dont_fragment) == (7, 0xA8, False)


def test_the_default_ttl_is_configurable_and_one_for_groups() -> None:
    station = ready(config=replace(Config(), ip=IpConfig(ttl=99)))
    assert station.ipv4.output.path(None, PEER, TCP).ttl == 99
    assert station.ipv4.output.path(None, parse_ipv4("224.0.0.9"), UDP).ttl == 1


def test_the_pseudo_sum_is_that_of_addresses_and_protocol() -> None:
    path = ready().ipv4.output.path(None, PEER, TCP)
    assert path.pseudo_sum % 65535 == (ones_sum(US) + ones_sum(PEER) + TCP) % 65535


def test_options_are_sent_padded_and_counted_in_the_header() -> None:
    station = ready()
    options = pad(join([Route(RECORD_ROUTE, (ANY, ANY)).option()]))
    path = station.ipv4.output.path(None, PEER, UDP, options=options)
    assert path.header_length == 32
    path.send([b"data"], 4, station.now)
    header, payload = station.packet()
    assert (header.options, payload) == (options, b"data")


def test_mib_counters_of_what_goes_out() -> None:
    station = ready()
    before = station.counters["ifOutOctets"]
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    path.send([b"x" * 100], 100, station.now)
    assert station.counters["ipSystemStatsOutRequests"] == 1
    assert station.counters["ipSystemStatsOutTransmits"] == 1
    assert station.counters["ifOutOctets"] - before == 134
    station.eth.link.full = True
    path.send([b"x"], 1, station.now)
    assert station.counters["ifOutDiscards"] == 1


def test_every_frame_is_counted_fragments_and_arp_too() -> None:
    station = ready()
    names = ("ifOutUcastPkts", "ifOutNUcastPkts", "ifOutOctets", "ifOutDiscards")
    before = [station.counters[name] for name in names]
    station.ipv4.output.path(None, PEER, UDP).send([bytes(2000)], 2000, station.now)
    station.ipv4.output.path(None, OTHER, UDP).send([b"x"], 1, station.now)  # which ARP asks for, by broadcast
    assert [station.counters[name] - old for name, old in zip(names, before, strict=True)] == [2, 1, 2068 + 42, 0]
    station.eth.link.full = True
    station.ipv4.output.path(None, PEER, UDP).send([bytes(2000)], 2000, station.now)
    assert station.counters["ifOutDiscards"] == 2


def test_broadcasts_on_a_bare_ip_link_are_counted_as_such() -> None:
    station = Station(mac=None)
    for destination in (BROADCAST, SUBNET_BROADCAST, parse_ipv4("224.0.0.9"), PEER):
        station.ipv4.output.path(None, destination, UDP).send([b"x"], 1, station.now)
    assert (station.counters["ifOutNUcastPkts"], station.counters["ifOutUcastPkts"]) == (3, 1)


def test_a_bare_ip_link_gets_bare_packets() -> None:
    station = Station(mac=None)
    station.ipv4.output.path(None, PEER, TCP, df=True).send([b"x"], 1, station.now)
    [frame] = station.frames()
    assert frame[0] == 0x45
    assert Ipv4Header.parse(frame).destination == PEER


# --- source, interface and next hop


def test_the_source_is_our_address_on_the_way_to_the_destination() -> None:
    station = ready()
    second_interface(station)
    assert station.ipv4.output.path(None, PEER, TCP).source == US
    assert station.ipv4.output.path(None, FAR, TCP).source == US
    assert station.ipv4.output.path(None, parse_ipv4("172.16.5.5"), TCP).source == parse_ipv4("172.16.0.2")


def test_a_far_destination_goes_to_the_gateways_station() -> None:
    station = ready()
    station.ipv4.output.path(None, FAR, TCP).send([b"x"], 1, station.now)
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC
    assert Ipv4Header.parse(frame[14:]).destination == FAR


def test_a_source_is_sent_out_of_its_own_interface_only() -> None:
    station = ready()
    second = second_interface(station)
    station.ipv4.routes.add(Prefix(bytes(4), 0), second, parse_ipv4("172.16.0.1"), metric=9)
    path = station.ipv4.output.path(parse_ipv4("172.16.0.2"), FAR, TCP)
    assert path.interface is second
    path.send([b"x"], 1, station.now)
    [frame] = station.frames(second)
    assert frame[:6] == OTHER_MAC
    assert station.silent()


def test_a_destination_only_another_interface_reaches_is_unreachable_from_this_source() -> None:
    station = ready(gateway=None)
    second_interface(station)
    with pytest.raises(OSError) as caught:
        station.ipv4.output.path(US, parse_ipv4("172.16.5.5"), TCP)
    assert caught.value.errno == errno.ENETUNREACH


@pytest.mark.parametrize("destination", [FAR, ANY, parse_ipv4("0.1.2.3"), parse_ipv4("240.1.1.1")])
def test_no_route(destination: bytes) -> None:
    station = ready(gateway=None)
    with pytest.raises(OSError) as caught:
        station.ipv4.output.path(None, destination, TCP)
    assert caught.value.errno == errno.ENETUNREACH
    assert station.counters["ipSystemStatsOutNoRoutes"] == 1


def test_nothing_is_sent_to_the_network_itself() -> None:
    with pytest.raises(OSError) as caught:
        ready().ipv4.output.path(None, parse_ipv4("10.9.0.0"), TCP)
    assert caught.value.errno == errno.ENETUNREACH


@pytest.mark.parametrize("source", [OTHER, SUBNET_BROADCAST, BROADCAST, ANY, parse_ipv4("224.0.0.1")])
def test_a_source_that_is_not_ours_is_refused(source: bytes) -> None:
    with pytest.raises(OSError) as caught:
        ready().ipv4.output.path(source, PEER, TCP)
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_source_is_not_sent_out_of_another_interface() -> None:
    station = ready()
    with pytest.raises(OSError) as caught:
        station.ipv4.output.path(US, FAR, TCP, interface=second_interface(station))
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    "fields",
    [
        {"ttl": 0},
        {"ttl": 256},
        {"tos": 256},
        {"options": b"\x01"},
        {"options": bytes(44)},
        {"options": b"\x07\x00\x04\x00"},
        {"options": pad(join([Route(LOOSE_SOURCE_ROUTE, (FAR,)).option()] * 2))},
    ],
)
def test_header_fields_that_cannot_be_sent_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(OSError) as caught:
        ready().ipv4.output.path(None, PEER, TCP, **fields)  # type: ignore[arg-type]
    assert caught.value.errno == errno.EINVAL


def test_loopback_addresses_never_leave_the_host() -> None:
    station = ready()
    with pytest.raises(OSError) as caught:
        station.ipv4.output.path(LOOPBACK, PEER, TCP)
    assert caught.value.errno == errno.ENETUNREACH
    station.ipv4.output.path(None, parse_ipv4("127.3.4.5"), TCP).send([b"x"], 1, station.now)
    assert station.silent()


def test_without_an_address_only_0_0_0_0_on_a_given_interface_is_a_source() -> None:
    station = Station(address=None)
    with pytest.raises(OSError) as caught:
        station.ipv4.output.path(None, BROADCAST, UDP)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    path = station.ipv4.output.path(ANY, BROADCAST, UDP, interface=station.eth)
    path.send([b"discover"], 8, station.now)
    [frame] = station.frames()
    assert frame[:6] == MAC_BROADCAST
    assert Ipv4Header.parse(frame[14:]).source == ANY


def test_broadcasts_are_marked() -> None:
    station = ready()
    assert station.ipv4.output.path(None, BROADCAST, UDP).broadcast
    assert station.ipv4.output.path(None, SUBNET_BROADCAST, UDP).broadcast
    assert not station.ipv4.output.path(None, PEER, UDP).broadcast
    assert station.ipv4.output.path(None, parse_ipv4("224.0.0.9"), UDP).multicast


def test_a_limited_broadcast_goes_out_of_the_interface_of_its_source() -> None:
    station = ready()
    second = second_interface(station)
    station.ipv4.output.path(parse_ipv4("172.16.0.2"), BROADCAST, UDP).send([b"x"], 1, station.now)
    assert len(station.frames(second)) == 1
    assert station.silent()


def test_a_path_follows_the_routes() -> None:
    station = ready()
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    station.frames()
    path = station.ipv4.output.path(None, FAR, TCP, now=station.now)
    path.send([b"x"], 1, station.now)
    station.ipv4.routes.remove(Prefix(bytes(4), 0))
    with pytest.raises(OSError) as caught:
        path.send([b"x"], 1, station.now)
    assert caught.value.errno == errno.ENETUNREACH
    station.ipv4.routes.add(Prefix(bytes(4), 0), station.eth, OTHER)
    station.frames()
    path.send([b"x"], 1, station.now)
    [frame] = station.frames()
    assert frame[:6] == OTHER_MAC


def test_a_path_moves_to_a_better_route() -> None:
    station = ready()
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    path = station.ipv4.output.path(None, FAR, TCP, now=station.now)
    path.send([b"x"], 1, station.now)
    station.ipv4.routes.add(Prefix(FAR, 24), station.eth, OTHER)
    station.frames()
    path.send([b"x"], 1, station.now)
    [frame] = station.frames()
    assert frame[:6] == OTHER_MAC


def test_a_gateway_that_does_not_answer_gives_way_to_another() -> None:
    station = ready(gateway=None)
    dead = parse_ipv4("10.9.0.66")
    station.ipv4.routes.add(Prefix(bytes(4), 0), station.eth, dead)
    station.ipv4.routes.add(Prefix(bytes(4), 0), station.eth, PEER)
    path = station.ipv4.output.path(None, FAR, TCP, now=station.now)
    path.send([b"lost"], 4, station.now)
    station.at(4.0)
    station.frames()
    path.send([b"found"], 5, station.now)
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC


def test_a_path_out_of_an_interface_that_is_gone() -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, TCP)
    pinned = station.ipv4.output.path(ANY, BROADCAST, UDP, interface=station.eth)
    station.ipv4.remove_interface(station.eth)
    for gone, number in ((path, errno.EADDRNOTAVAIL), (pinned, errno.ENETUNREACH)):
        with pytest.raises(OSError) as caught:
            gone.send([b"x"], 1, station.now)
        assert caught.value.errno == number
    assert station.silent()


def test_closing_a_path_leaves_nothing_behind() -> None:
    station = ready()
    paths = [station.ipv4.output.path(None, PEER, TCP) for _ in range(100)]
    for path in paths:
        path.close()
        path.close()
    assert station.ipv4.output.open_paths == 0


# --- size


def test_a_datagram_over_the_mtu_is_fragmented() -> None:
    station = ready()
    data = bytes(range(256)) * 20
    station.ipv4.output.path(None, PEER, UDP).send([data[:8], data[8:]], len(data), station.now)
    packets = station.packets()
    assert [header.fragment_offset for header, _ in packets] == [0, 1480, 2960, 4440]
    assert b"".join(payload for _, payload in packets) == data
    assert len({header.identification for header, _ in packets}) == 1
    assert station.counters["ipSystemStatsOutFragCreates"] == 4


def test_dont_fragment_is_honoured() -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, UDP, df=True)
    path.send([bytes(1480)], 1480, station.now)
    station.frames()
    with pytest.raises(OSError) as caught:
        path.send([bytes(1481)], 1481, station.now)
    assert caught.value.errno == errno.EMSGSIZE
    assert station.silent()
    assert station.counters["ipSystemStatsOutFragFails"] == 1


def test_a_datagram_as_large_as_the_mtu_may_wait_for_arp_with_dont_fragment() -> None:
    station = ready()
    path = station.ipv4.output.path(None, OTHER, UDP, df=True)
    path.send([bytes(1480)], 1480, station.now)
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    assert [len(frame) for frame in station.frames()] == [42, 1514, 42]


def test_more_than_65535_bytes_are_refused() -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, UDP)
    path.send([bytes(65515)], 65515, station.now)
    with pytest.raises(OSError) as caught:
        path.send([bytes(65516)], 65516, station.now)
    assert caught.value.errno == errno.EMSGSIZE


def test_a_super_frame_goes_to_the_link_whole() -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    path.send([bytes(60000)], 60000, station.now, b"\1" * 10)
    [frame] = station.frames()
    assert len(frame) == 14 + 20 + 60000
    with pytest.raises(OSError) as caught:
        path.send([bytes(65516)], 65516, station.now, b"\1" * 10)
    assert caught.value.errno == errno.EMSGSIZE


# --- path MTU


def test_a_learned_path_mtu_holds_for_every_path_to_the_destination() -> None:
    station = ready()
    one, two = station.ipv4.output.path(None, FAR, TCP), station.ipv4.output.path(None, FAR, UDP)
    other = station.ipv4.output.path(None, OTHER, TCP)
    user = one.user = Listening()
    told = user.changes
    deadlines: list[float] = []
    station.ipv4.reschedule = lambda: deadlines.append(station.ipv4.deadline)
    station.ipv4.output.lower_mtu(FAR, 1400, station.now)
    assert deadlines == [station.now + 600.0]
    assert (one.mtu, two.mtu, other.mtu) == (1400, 1400, 1500)
    assert station.ipv4.output.path(None, FAR, TCP).mtu == 1400
    assert told == [station.now]


@rfc("1191-3-h", "1191-3-i")
def test_a_path_mtu_never_rises_by_a_message_nor_falls_below_the_floor() -> None:
    station = ready()
    path = station.ipv4.output.path(None, FAR, TCP)
    station.ipv4.output.lower_mtu(FAR, 1000, station.now)
    station.ipv4.output.lower_mtu(FAR, 1400, station.now)
    assert path.mtu == 1000
    station.ipv4.output.lower_mtu(FAR, 68, station.now)
    assert path.mtu == station.config.ip.path_mtu_floor == 552


def test_a_path_mtu_is_forgotten_after_ten_minutes() -> None:
    station = ready()
    path = station.ipv4.output.path(None, FAR, TCP)
    station.ipv4.output.lower_mtu(FAR, 1000, station.now)
    station.at(599.0)
    assert path.mtu == 1000
    user = path.user = Listening()
    told = user.changes
    station.at(2.0)
    assert path.mtu == 1500
    assert len(told) == 1
    assert station.ipv4.deadline == float("inf")


def test_path_mtus_are_bounded() -> None:
    station = ready(config=replace(Config(), ip=IpConfig(path_mtus_max=16)))
    for number in range(100):
        station.ipv4.output.lower_mtu(bytes((192, 0, 2, number)), 1000, station.now)
    assert len(station.ipv4.output.path_mtus) == 16


@pytest.mark.parametrize(("size", "guess"), [(1500, 1492), (1492, 1006), (70, 68), (68, 68), (20, 68)])
def test_a_router_that_does_not_tell_is_guessed_by_plateaus(size: int, guess: int) -> None:
    assert plateau_below(size, 20, 1500) == guess


# --- identification


def randoms() -> Identifications:
    return Identifications(random.Random(7).randbytes)


def test_identifications_do_not_repeat_within_a_flow() -> None:
    idents = randoms()
    flow = idents.flow(US, PEER, UDP)
    assert len({idents.next(flow) for _ in range(65536)}) == 65536


def test_one_flow_tells_nothing_about_another() -> None:
    idents = randoms()
    flows = [idents.flow(US, bytes((10, 0, host >> 8, host & 255)), UDP) for host in range(10_000)]
    first = [idents.next(flow) for flow in flows]
    steps = Counter((b - a) & 0xFFFF for a, b in pairwise(first))
    assert max(steps.values()) < 10, "no fixed step from one destination to the next"
    assert len(set(first)) > 5_000


def test_identifications_depend_on_the_secret() -> None:
    one, two = (Identifications(random.Random(seed).randbytes) for seed in (1, 2))
    assert one.flow(US, PEER, UDP) != two.flow(US, PEER, UDP)


def test_a_copy_of_a_datagram_that_may_be_fragmented_has_another_identification() -> None:
    station = ready()
    path = station.ipv4.output.path(None, PEER, UDP)
    for _ in range(2):
        path.send([b"same"], 4, station.now)
    one, two = (header.identification for header, _ in station.packets())
    assert one != two


# --- ourselves


@pytest.mark.parametrize("destination", [US, LOOPBACK, parse_ipv4("127.1.2.3")])
def test_what_is_sent_to_ourselves_comes_back_by_a_queue(destination: bytes) -> None:
    station = ready()
    got: list[Received] = []
    station.ipv4.handlers[PROTOCOL] = lambda received: got.append(replace(received, payload=bytes(received.payload)))
    woken: list[None] = []
    station.ipv4.loopback.open(lambda: woken.append(None))
    path = station.ipv4.output.path(None, destination, PROTOCOL)
    path.send([b"one"], 3, station.now)
    path.send([b"two"], 3, station.now)
    assert got == [], "nothing happens inside the call that sends"
    assert len(woken) == 1
    assert station.loop() == 2
    assert [received.payload for received in got] == [b"one", b"two"]
    assert got[0].destination == destination
    assert got[0].source == (US if destination == US else LOOPBACK)
    assert station.silent()


def test_the_loopback_queue_is_bounded() -> None:
    station = ready(config=replace(Config(), ip=IpConfig(loopback_queue_max=4)))
    path = station.ipv4.output.path(None, LOOPBACK, PROTOCOL)
    for _ in range(10):
        path.send([b"x"], 1, station.now)
    assert station.counters["ifOutDiscards"] == 6


def test_a_loopback_packet_to_another_hosts_address_is_not_for_us() -> None:
    station = ready()
    packet = Ipv4Header(US, OTHER, PROTOCOL, 20).build()
    station.ipv4.receive(station.ipv4.loopback, packet, station.now)
    assert station.counters.drops() == {"ipv4_not_for_us": 1}


@pytest.mark.parametrize("options", [b"", b"\1\1\1\0"])
@pytest.mark.parametrize("known", [True, False])
def test_a_super_frame_is_one_frame_with_a_header_that_says_how_to_cut_it(options: bytes, known: bool) -> None:
    station = ready() if known else Station()
    station.eth.link.offload = Offload(checksum=True, gso_max_bytes=65000)
    station.eth.link.offloads.clear()
    path = station.ipv4.output.path(None, PEER, TCP, df=True, options=options)
    assert path.checksum_offload
    assert path.gso_max_bytes == 65000
    path.send_offloaded([bytes(32), bytes(5000)], 5032, station.now, 32, 1448, cwr=False)
    path.send_offloaded([bytes(20), b"one"], 23, station.now, 20, 0, cwr=False)
    if not known:
        station.arp(REQUEST, PEER_MAC, PEER, US)
    start = 34 + len(options)
    sent = [(o, len(f)) for o, f in zip(station.eth.link.offloads, station.eth.link.frames, strict=True) if o]
    assert sent == [
        (tcp_header(start, 32, 1448), start + 5032),
        (checksum_header(start, TCP_CHECKSUM), start + 23),
    ]


def test_what_a_link_should_complete_does_not_leave_by_one_that_cannot() -> None:
    station = ready()
    station.eth.link.offload = Offload(checksum=True, gso_max_bytes=65000)
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    station.eth.link.offload = NO_OFFLOAD
    station.ipv4.routes.add(Prefix(parse_ipv4("10.77.0.0"), 16), station.eth, PEER)  # every path is looked up again
    with pytest.raises(OSError, match="Message too long"):
        path.send_offloaded([bytes(20), bytes(5000)], 5020, station.now, 20, 1460, cwr=False)
    assert not station.frames()
