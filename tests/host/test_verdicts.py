"""The event "host:done": what became of each frame, to whom it went, and in which order the events explain it."""

from __future__ import annotations

import pytest

from stack.config import ArpConfig, Config
from stack.trace.event import Event
from stack.wire import icmp
from stack.wire.addresses import parse_ipv4
from stack.wire.arp import REQUEST, ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import echo_reply, echo_request, unreachable
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK, SYN, TcpHeader
from stack.wire.udp import build_datagram
from tests.host.test_drop_events import OUR_ADDRESS, THEIR_ADDRESS, THEM, US, World
from tests.sim.lan import Lan


class Told:
    """The events of a host from now on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.events: list[Event] = []
        world.host.watch(self.events.append)

    def settled(self) -> list[Event]:
        """What was told until all frames have been processed; the next call begins after it."""
        self.world.run()
        events, self.events[:] = list(self.events), []
        return events

    def verdict(self) -> dict[str, object]:
        """What became of the last frame that came in."""
        [*_, done] = [event for event in self.settled() if event.name == "host:done"]
        return done.data


@pytest.fixture
def world() -> World:
    return World(Config())


def test_a_datagram_without_a_socket_is_explained_in_order(world: World) -> None:
    told = Told(world)
    world.says_udp(99)
    events = told.settled()
    steps = [
        (event.name, event.data.get("dir") or event.data.get("reason") or event.data.get("because")) for event in events
    ]
    assert [step for step in steps if step[0] not in ("ip:route", "ip:ident")] == [
        ("wire:frame", "in"),
        ("host:drop", "udp_no_port"),
        ("icmp:sent", "icmp_no_port"),
        ("wire:frame", "out"),
        ("host:done", "udp_no_port"),
    ]
    drop, sent = (next(event for event in events if event.name == name) for name in ("host:drop", "icmp:sent"))
    assert "1122-4.1.3.1-a" in drop.why
    assert sent.why == ("1122-4.1.3.1-a", "1122-3.2.2.1-a")
    assert {event.frame for event in events} == {events[0].n}
    assert events[-1].data == {"verdict": "dropped", "reason": "udp_no_port"}


def test_a_segment_is_delivered_to_its_connection(world: World) -> None:
    seq, ack = world.established()
    told = Told(world)
    world.says_tcp(ACK, seq + 10, ack, b"out of order")
    assert told.verdict() == {"verdict": "delivered", "to": "c1"}
    world.says_tcp(ACK, seq, ack, bytes(10))
    assert told.verdict() == {"verdict": "delivered", "to": "c1"}


def test_a_datagram_is_delivered_to_its_socket(world: World) -> None:
    world.machine.udp(9)
    told = Told(world)
    world.says_udp(9)
    assert told.verdict() == {"verdict": "delivered", "to": "udp 0.0.0.0:9"}


def test_a_reply_and_an_error_are_delivered_to_the_ping(world: World) -> None:
    told = Told(world)
    world.machine.ping(THEM)
    request = next(event for event in told.settled() if event.name == "icmp:sent")
    identifier, sequence = map(int, request.group.removeprefix("ping ").split("/"))
    quoted = Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, 1, 28).build() + echo_request(identifier, sequence).build()
    world.says_icmp(unreachable(icmp.HOST_UNREACHABLE, quoted))
    assert told.verdict() == {"verdict": "delivered", "to": request.group}


def test_an_error_is_delivered_to_the_connection_that_it_quotes(world: World) -> None:
    expected = world.syn_sent()
    connection = next(iter(world.host.tcp.connections.values()))
    told = Told(world)
    ports = connection.local[1].to_bytes(2, "big") + connection.remote[1].to_bytes(2, "big")
    quoted = Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, 6, 40).build() + ports + (expected - 1).to_bytes(4, "big")
    world.says_icmp(unreachable(icmp.NET_UNREACHABLE, quoted))
    events = told.settled()
    [taken] = [event for event in events if event.name == "icmp:taken"]
    assert (taken.group, taken.data["because"]) == ("c1", "icmp_soft")
    assert [event.data for event in events if event.name == "host:done"] == [{"verdict": "delivered", "to": "c1"}]


def test_a_fragment_is_queued_and_the_last_one_delivers_the_datagram(world: World) -> None:
    world.machine.udp(9)
    pseudo = pseudo_sum(THEIR_ADDRESS, OUR_ADDRESS, PROTO_UDP, 24)
    datagram = build_datagram(4000, 9, bytes(16), pseudo)
    told = Told(world)
    world.says_packet(datagram[:8], PROTO_UDP, more_fragments=True, identification=7)
    assert told.verdict() == {"verdict": "queued"}
    world.says_packet(datagram[8:], PROTO_UDP, fragment_offset=8, identification=7)
    assert told.verdict() == {"verdict": "delivered", "to": "udp 0.0.0.0:9"}


def test_an_echo_request_on_the_loopback_is_answered_too(world: World) -> None:
    told = Told(world)
    world.host.ip.icmp.echo.ping(OUR_ADDRESS, b"x", world.network.now, lambda result: None)
    looped = [event for event in told.settled() if event.name == "host:done" and event.group == "lo"]
    assert [event.data["verdict"] for event in looped] == ["answered", "delivered"]


def test_an_open_that_makes_no_connection_is_told_with_its_error(world: World) -> None:
    told = Told(world)
    with pytest.raises(OSError, match="unreachable"):
        world.host.connect(None, (parse_ipv4("192.0.2.1"), 80), world.network.now)
    [call, result] = [event for event in told.settled() if event.name in ("host:call", "host:result")]
    assert call.data == {"call": "OPEN", "remote": "192.0.2.1:80", "because": "call_open"}
    assert result.data == {"call": "OPEN", "result": "ENETUNREACH", "because": "call_failed"}


def test_an_echo_request_is_answered_and_arp_is_taken(world: World) -> None:
    told = Told(world)
    world.says_icmp(echo_request(1, 1))
    assert told.verdict() == {"verdict": "answered"}
    packet = ArpPacket(REQUEST, world.station.mac, THEIR_ADDRESS, bytes(6), parse_ipv4("10.0.0.5"))
    world.says(ETHERTYPE_ARP, packet.build())
    assert told.verdict() == {"verdict": "taken"}


def test_a_drop_that_does_not_concern_the_frame_is_not_its_verdict() -> None:
    """A request for our address fills the cache: an old entry is dropped, the request is answered."""
    world = World(Config(arp=ArpConfig(entries_max=16)))
    told = Told(world)
    for number in range(17):
        packet = ArpPacket(REQUEST, world.station.mac, parse_ipv4(f"10.0.0.{100 + number}"), bytes(6), OUR_ADDRESS)
        world.says(ETHERTYPE_ARP, packet.build())
    events = told.settled()
    assert "arp_cache_full" in [event.data.get("reason") for event in events]
    assert [event.data for event in events if event.name == "host:done"] == [{"verdict": "answered"}] * 17


def test_each_frame_of_a_batch_has_its_own_verdict_in_order(world: World) -> None:
    world.machine.udp(9)
    told = Told(world)

    def udp(port: int) -> bytes:
        pseudo = pseudo_sum(THEIR_ADDRESS, OUR_ADDRESS, PROTO_UDP, 12)
        datagram = build_datagram(4000, port, b"data", pseudo)
        packet = Ipv4Header(THEIR_ADDRESS, OUR_ADDRESS, PROTO_UDP, 32).build() + datagram
        return ethernet_ii(world.mac, world.station.mac, ETHERTYPE_IPV4) + packet

    for port in (9, 99, 9):
        world.host.frame(world.interface, world.network.now, memoryview(udp(port)))
    world.machine.settle()
    events = told.settled()
    came = [event.n for event in events if event.name == "wire:frame" and event.data["dir"] == "in"]
    done = [(event.frame, event.data["verdict"]) for event in events if event.name == "host:done"]
    assert done == list(zip(came, ("delivered", "dropped", "delivered"), strict=True))


def test_the_reply_is_delivered_to_the_ping(world: World) -> None:
    told = Told(world)
    world.machine.ping(THEM)
    request = next(event for event in told.settled() if event.name == "icmp:sent")
    identifier, sequence = map(int, request.group.removeprefix("ping ").split("/"))
    world.says_icmp(echo_reply(identifier, sequence, b""))
    assert told.verdict() == {"verdict": "delivered", "to": request.group}


def test_an_error_is_delivered_to_the_socket_that_it_quotes(world: World) -> None:
    socket = world.machine.udp(9)
    socket.send_to(b"?", (THEIR_ADDRESS, 4000), world.network.now)
    world.machine.settle()
    told = Told(world)
    quoted = Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, PROTO_UDP, 29).build() + bytes((0, 9, 15, 160, 0, 9, 0, 0))
    world.says_icmp(unreachable(icmp.PORT_UNREACHABLE, quoted))
    assert told.verdict() == {"verdict": "delivered", "to": socket.name}


def test_a_datagram_for_the_dhcp_client_is_delivered_to_its_port() -> None:
    told: list[Event] = []
    lan = Lan(trace=told.append)
    lan.says(bytes(20))
    [*_, taken] = [event for event in told if event.name == "udp:taken"]
    assert taken.data["because"] == "udp_claimed"
    lan = Lan(trace=told.append)
    told.clear()
    lan.bind()
    done = [event.data for event in told if event.name == "host:done"]
    assert {"verdict": "delivered", "to": "udp 68"} in done


# --- causes


def test_each_connection_acts_because_of_its_own_frame(world: World) -> None:
    """Two connections get text in one batch: each ACK is caused by the frame of its connection."""
    world.machine.listen(7)
    ends = []
    for port in (5000, 5001):
        world.station.says_tcp(US, (port, 7), SYN, seq=100)
        world.run()
        [heard] = world.station.segments()
        world.station.says_tcp(US, (port, 7), ACK, seq=101, ack=heard.next)
        world.run()
        ends.append((port, heard.next))
    told = Told(world)
    for port, ack in ends:
        for seq in (101, 637):
            world.host.frame(world.interface, world.network.now, memoryview(segment(world, port, seq, ack)))
    world.machine.settle()
    events = told.settled()
    came = [event.n for event in events if event.name == "wire:frame" and event.data["dir"] == "in"]
    causes = {
        event.group: event.frame for event in events if event.name == "tcp:ack" and event.data["decision"] == "now"
    }
    assert list(causes.values()) == [came[1], came[3]]
    done = max(event.n for event in events if event.name == "host:done")
    assert all(event.n > done for event in events if event.name == "tcp:ack"), "the work on a frame ends first"


def segment(world: World, port: int, seq: int, ack: int) -> bytes:
    """A frame with a full segment to port 7."""
    bare = TcpHeader(port, 7, seq, ack, ACK, 65535).build() + bytes(536)
    checksum = internet_checksum(bare, pseudo_sum(THEIR_ADDRESS, OUR_ADDRESS, PROTO_TCP, len(bare))).to_bytes(2, "big")
    packet = (
        Ipv4Header(THEIR_ADDRESS, OUR_ADDRESS, PROTO_TCP, 20 + len(bare)).build() + bare[:16] + checksum + bare[18:]
    )
    return ethernet_ii(world.mac, world.station.mac, ETHERTYPE_IPV4) + packet


def test_what_a_timer_does_is_caused_by_it(world: World) -> None:
    _, ack = world.established()
    told = Told(world)
    connection = next(iter(world.host.tcp.connections.values()))
    connection.send(b"lost", world.network.now)
    world.machine.settle()
    told.settled()
    world.run(for_s=1.5)
    again = [event for event in told.settled() if event.name == "tcp:send" and event.data["again"]]
    assert again
    assert {(event.cause, event.frame) for event in again} == {("timer", 0)}
    assert ack == connection.snd_una


def test_the_work_on_a_packet_to_ourselves_ends_with_its_batch(world: World) -> None:
    told = Told(world)
    world.machine.ping(US)
    done = [event.data["verdict"] for event in told.events if event.name == "host:done"]
    assert len(done) == 2, "the request and the reply"
    assert done[1] == "delivered"
