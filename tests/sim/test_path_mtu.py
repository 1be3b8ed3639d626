"""Path MTU discovery of a whole host, router included: RFC 1191, RFC 5927 section 7.2, RFC 4821."""

from __future__ import annotations

import pytest

from stack.internet.echo import EchoFailure
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.testing.frame_sender import Heard
from stack.wire import icmp
from stack.wire.addresses import parse_ipv4
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_UDP
from stack.wire.tcp import ACK, SYN
from stack.wire.tcp_options import parse_options
from stack.wire.udp import build_datagram
from tests.requirements import rfc
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

FAR = ("192.0.2.7", "192.0.2.8")
MSS_1460 = bytes((2, 4, 5, 180))


class World:
    """A host, and a station that is its router and the servers behind it. `narrow` is the MTU of its other link."""

    def __init__(self) -> None:
        self.network = Network(1)
        ethernet = Ethernet()
        self.here = self.network.machine("here")
        self.router = RawStation(self.network, ethernet)
        self.here.attach(ethernet.attach(), "10.0.0.1/24", gateway="10.0.0.66")
        self.narrow = 1500
        self.tells = True  # whether it says Packet Too Big
        self.old_style = False  # without the MTU
        self.bsd = False  # and with the header's length added to the total length
        self.cuts = False  # whether what has no DF passes, in pieces
        self.acknowledges = True
        self.messages = 0
        self.sizes: list[int] = []  # of the packets that came, headers included
        self.options: list[bytes] = []  # of the SYNs
        self.received: dict[int, int] = {}  # what the servers have in order, by the host's port
        self.router.owns = lambda address: True
        self.router.on_tcp = self._segment

    def connect(self, server: str = FAR[0]) -> Connection:
        connection = self.here.connect(server, 80)
        self.network.run(for_s=0.01)
        assert connection.synchronized
        return connection

    def send(self, connection: Connection, count: int, for_s: float = 0.1) -> list[int]:
        """The sizes of the packets that come of it."""
        self.sizes.clear()
        taken = connection.send(bytes(count), self.network.now)
        assert taken == count
        self.network.run(for_s=for_s)
        return list(self.sizes)

    def _segment(self, heard: Heard) -> None:
        if heard.tcp.flags & SYN:
            self.options.append(heard.tcp.options)
            self.received[heard.tcp.source_port] = heard.next
            self._say(heard, SYN | ACK, 5000, heard.next, MSS_1460)
            return
        if not heard.data:
            return
        self.sizes.append(heard.ip.total_length)
        if heard.ip.total_length > self.narrow and (heard.ip.dont_fragment or not self.cuts):
            assert heard.ip.dont_fragment
            if self.tells:
                self.says_too_big(heard, 0 if self.old_style else self.narrow)
            return
        if not self.acknowledges:
            return
        port = heard.tcp.source_port
        if heard.tcp.seq == self.received[port]:
            self.received[port] = heard.next
        self._say(heard, ACK, 5001, self.received[port])

    def _say(self, heard: Heard, flags: int, seq: int, ack: int, options: bytes = b"") -> None:
        ports, source = (heard.tcp.destination_port, heard.tcp.source_port), heard.ip.destination
        self.router.says_tcp("10.0.0.1", ports, flags, seq=seq, ack=ack, options=options, source=source)

    def says_too_big(self, heard: Heard, mtu: int) -> None:
        self.messages += 1
        ip = heard.ip._replace(total_length=heard.ip.total_length + 20 * self.bsd, checksum=None)
        quoted = ip.build() + heard.tcp.build()[:8]
        self.router.says_ip(PROTO_ICMP, icmp.unreachable(icmp.FRAGMENTATION_NEEDED, quoted, mtu).build(), "10.0.0.1")


@rfc("1191-2-a", "1191-3.1-a", "1191-3.1-b")
def test_it_begins_with_the_mtu_of_the_first_link() -> None:
    """And says so in its MSS option, though the server is far away; `World` asserts DF."""
    world = World()
    connection = world.connect()
    assert parse_options(world.options[0]).mss == 1460
    assert world.send(connection, 1460) == [1500]
    world.narrow = 1499
    world.send(connection, 1460)


@rfc("1191-3-a", "1191-3-b", "1191-3-d")
def test_a_router_lowers_it_and_is_not_bothered_again() -> None:
    world = World()
    world.narrow = 1300
    connection = world.connect()
    assert world.send(connection, 20_000)[-1] <= 1300
    assert connection.flight == 0
    assert world.messages <= 10  # the first window's
    before = world.messages
    assert max(world.send(connection, 20_000)) == 1300
    assert world.messages == before


@rfc("1191-3-b", "1191-3-c")
def test_where_less_than_the_floor_passes_routers_may_cut() -> None:
    """The floor is no wall: what DF would keep from ever arriving goes without it, until the claim is forgotten."""
    world = World()
    world.narrow, world.cuts = 500, True
    connection = world.connect()
    world.send(connection, 20_000, 2)
    assert connection.flight == 0
    before = world.messages
    assert max(world.send(connection, 20_000)) == 552
    assert world.messages == before
    world.network.run(for_s=world.here.host.config.ip.path_mtu_timeout_s + 1)
    world.narrow = 1499
    world.send(connection, 1460, 2)
    assert world.messages == before + 1  # it had DF again
    assert connection.flight == 0


@rfc("1191-3-g", "1191-5-a", "1191-3-c")
def test_an_old_router_that_tells_no_mtu_has_it_found_by_the_plateaus() -> None:
    world = World()
    world.narrow, world.old_style = 1000, True
    connection = world.connect()
    sizes = world.send(connection, 1460)
    assert sizes[:2] == [1500, 1492]
    assert sizes[2] == 1006
    assert connection.path.mtu == 552  # 508 is below the floor
    assert connection.flight == 0


@rfc("1191-5-a")
def test_an_old_router_that_quotes_too_large_a_length_is_corrected() -> None:
    """Of 1,492 octets it says 1,512, whose next plateau would be 1,492 again, for ever."""
    world = World()
    world.narrow, world.old_style, world.bsd = 1000, True, True
    connection = world.connect()
    assert world.send(connection, 1460)[:3] == [1500, 1492, 1006]
    assert connection.flight == 0


@rfc("1191-3-h")
def test_it_never_falls_below_the_floor() -> None:
    world = World()
    world.cuts = True
    world.narrow = 68
    connection = world.connect()
    world.send(connection, 1460)
    assert connection.path.mtu == world.here.host.config.ip.path_mtu_floor >= 68
    assert min(world.sizes) > 68


@rfc("1191-3-i")
def test_no_message_raises_it() -> None:
    world = World()
    world.narrow = 1300
    connection = world.connect()
    world.send(connection, 5000)
    world.tells = False
    world.acknowledges = False
    world.narrow = 1500
    connection.send(bytes(100), world.network.now)
    heard: list[Heard] = []
    world.router.on_tcp = heard.append
    world.network.run(for_s=0.5)
    world.says_too_big(heard[0], 1400)
    world.network.run(for_s=0.01)
    assert connection.path.mtu == 1300


@rfc("1191-6.2-a", "4821-4-g", "4821-5.2-a")
def test_every_connection_to_that_destination_learns_of_it_and_no_other() -> None:
    world = World()
    one, two, other = world.connect(), world.connect(), world.connect(FAR[1])
    world.narrow = 1300
    world.send(one, 1460)
    assert (one.mss, two.mss, other.mss) == (1260, 1260, 1460)
    assert world.send(two, 1260) == [1300]
    assert world.connect().mss == 1260


@rfc("5927-5.2-b")
def test_an_error_concerns_the_connection_that_it_quotes() -> None:
    world = World()
    one, two = world.connect(), world.connect()
    world.acknowledges = False
    heard: list[Heard] = []
    world.router.on_tcp = heard.append
    one.send(b"x", world.network.now)
    two.send(b"x", world.network.now)
    world.network.run(for_s=0.01)
    quoted = heard[0].ip.build() + heard[0].tcp.build()[:8]
    world.router.says_ip(PROTO_ICMP, icmp.unreachable(icmp.HOST_UNREACHABLE, quoted).build(), "10.0.0.1")
    world.network.run(for_s=0.01)
    assert one.soft_error
    assert not two.soft_error


@rfc("5927-6.2-a")
def test_source_quench_changes_nothing() -> None:
    world = World()
    connection = world.connect()
    heard: list[Heard] = []
    world.router.on_tcp = heard.append
    cwnd = connection.congestion.cwnd
    connection.send(b"x", world.network.now)
    world.network.run(for_s=0.01)
    quoted = heard[0].ip.build() + heard[0].tcp.build()[:8]
    world.router.says_ip(PROTO_ICMP, icmp.IcmpMessage(icmp.SOURCE_QUENCH, 0, bytes(4), quoted).build(), "10.0.0.1")
    world.network.run(for_s=0.01)
    assert world.here.host.counters["icmpInSrcQuenchs"] == 1
    assert (connection.congestion.cwnd, connection.soft_error, connection.flight) == (cwnd, 0, 1)


@rfc("1191-6.3-a", "1191-3-e", "1191-3-f")
def test_after_ten_minutes_and_not_before_five_a_larger_one_is_tried() -> None:
    world = World()
    connection = world.connect()
    world.narrow = 1300
    world.send(connection, 1460)
    world.network.run(for_s=301)
    assert connection.path.mtu == 1300
    world.network.run(for_s=300)
    assert connection.path.mtu == 1500
    world.narrow = 1500
    assert world.send(connection, 1460) == [1500]


@rfc("7323-5.7-a")
def test_a_connection_with_paws_discovers_its_path_mtu() -> None:
    world = World()
    world.narrow = 1300
    options = MSS_1460 + bytes((1, 1, 8, 10)) + bytes(8)
    world.router.on_tcp = None
    connection = world.here.connect(FAR[0], 80)
    world.network.run(for_s=0.01)
    syn = world.router.segments()[0]
    source = parse_ipv4(FAR[0])
    ports = (80, syn.tcp.source_port)
    world.router.says_tcp("10.0.0.1", ports, SYN | ACK, seq=5000, ack=syn.next, options=options, source=source)
    world.network.run(for_s=0.01)
    assert connection.timestamps.agreed
    world.router.segments()
    connection.send(bytes(1448), world.network.now)
    world.network.run(for_s=0.01)
    large = world.router.segments()[0]
    assert (large.ip.total_length, large.ip.dont_fragment) == (1500, True)
    world.says_too_big(large, 1300)
    world.network.run(for_s=0.01)
    assert [heard.ip.total_length for heard in world.router.segments()] == [1300]
    assert len(large.data) == 1448


@rfc("4821-7.7-a")
def test_a_path_whose_routers_are_silent_is_found_out() -> None:
    world = World()
    world.narrow, world.tells = 1100, False
    connection = world.connect()
    assert world.send(connection, 50_000, for_s=10)[-1] <= 1024
    assert connection.flight == 0


@rfc("4821-7.8-a")
def test_after_an_outage_the_full_size_is_back_soon() -> None:
    world = World()
    connection = world.connect()
    world.narrow, world.tells = 0, False
    world.send(connection, 1460, for_s=2)
    assert connection.path.mtu == 1024
    world.narrow = 1500
    world.network.run(for_s=35)
    assert connection.flight == 0
    assert world.send(connection, 1460) == [1500]
    assert connection.flight == 0


@rfc("4821-7.8-b")
def test_a_black_hole_that_is_still_there_is_believed_for_ten_minutes() -> None:
    world = World()
    world.narrow, world.tells = 1100, False
    connection = world.connect()
    world.send(connection, 1460, for_s=35)
    assert connection.path.mtu == 1500
    assert world.send(connection, 1460, for_s=5) == [1500, 1024, 516]
    world.network.run(for_s=500)
    assert world.send(connection, 1460) == [1024, 516]


# --- what other protocols believe


class Echoing(World):
    """The host echoes datagrams on port 7, and a connection to the same destination has moved full segments."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.connect()
        assert self.send(self.connection, 14_600)[-1] == 1500
        self.endpoint = self.here.udp(7)

    def draws(self, count: int) -> tuple[Ipv4Header, bytes]:
        """A forged request of so many octets, and the host's answer to FAR."""
        source = parse_ipv4(FAR[0])
        self.router.packets()
        datagram = build_datagram(4000, 7, bytes(count), 0)[:6] + bytes(2) + bytes(count)  # without a checksum
        self.router.says_ip(PROTO_UDP, datagram, "10.0.0.1", source=source)
        self.network.run(for_s=0.001)
        received = self.endpoint.receive()
        assert received is not None
        self.endpoint.send_to(received[0], received[1], self.network.now)
        self.network.run(for_s=0.001)
        [answer] = self.router.packets()
        return answer

    def claims(self, quoted: bytes, mtu: int) -> None:
        message = icmp.unreachable(icmp.FRAGMENTATION_NEEDED, quoted, mtu).build()
        self.router.says_ip(PROTO_ICMP, message, "10.0.0.1")
        self.network.run(for_s=0.001)

    def udp_mtu(self) -> int:
        return self.here.host.ip.output.path(None, parse_ipv4(FAR[0]), PROTO_UDP).mtu


@rfc("toobig-1")
@pytest.mark.parametrize("forged", [False, True])
def test_a_short_answer_is_never_too_big(forged: bool) -> None:
    """The answer has 28 octets; a forger writes 1,500 into the quote."""
    world = Echoing()
    header, payload = world.draws(0)
    assert header.total_length == 28
    world.claims(header._replace(total_length=1500 if forged else 28, checksum=None).build() + payload, 500)
    counters = world.here.host.counters
    assert (counters["icmp_too_big_fits"], counters["icmp_too_big_not_sent"]) == (not forged, forged)
    assert (world.connection.path.mtu, world.udp_mtu()) == (1500, 1500)


@rfc("toobig-2")
def test_a_large_answer_that_is_too_big_leaves_tcp_alone() -> None:
    world = Echoing()
    header, payload = world.draws(1400)
    world.claims(header.build() + payload, 500)
    assert world.udp_mtu() == 552
    assert world.connection.path.mtu == world.connect().path.mtu == 1500
    assert world.send(world.connection, 14_600)[-1] == 1500


@rfc("toobig-2")
def test_a_ping_that_is_too_big_leaves_the_others_alone() -> None:
    world = Echoing()
    results = world.here.ping(FAR[0], bytes(1400))
    world.network.run(for_s=0.001)
    [(header, payload)] = world.router.packets()[-1:]
    world.claims(header.build() + payload, 1000)
    assert [type(result) for result in results] == [EchoFailure]
    assert (world.connection.path.mtu, world.udp_mtu()) == (1500, 1500)
    world.here.ping(FAR[0], bytes(1400))
    world.network.run(for_s=0.001)
    assert [header.total_length for header, _ in world.router.packets()] == [996, 452]


@rfc("1191-6.2-a")
def test_what_tcp_believes_holds_for_datagrams_too() -> None:
    world = World()
    connection = world.connect()
    world.narrow = 1300
    world.send(connection, 1460)
    assert connection.path.mtu == 1300
    endpoint = world.here.udp(7)
    world.router.packets()
    endpoint.send_to(bytes(1400), (parse_ipv4(FAR[0]), 9), world.network.now)
    world.network.run(for_s=0.001)
    assert [header.total_length for header, _ in world.router.packets()] == [1300, 148]
