"""Each reason in `stack.counters.DROPS` is provoked once, and gives one event with the frame's number.

`test_drop_events.py` has those that one frame in a new world provokes. Here are those that need a
history, a configuration or a DHCP server. The last table has those that are no frame's, and where
they are provoked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stack.config import ArpConfig, Config, DhcpConfig, HostConfig, IpConfig, TcpConfig
from stack.counters import DROPS
from stack.host.traced_link import TracedLink
from stack.internet.fragments import fragment
from stack.link.memory import Ethernet
from stack.trace.drops import NOT_THE_FRAME
from stack.trace.event import Event
from stack.wire import dhcp, icmp
from stack.wire.addresses import ANY, BROADCAST, MAC_BROADCAST, Prefix, parse_ipv4
from stack.wire.arp import REPLY, REQUEST
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.dhcp import DhcpMessage
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import IcmpMessage, echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK, FIN, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options
from stack.wire.udp import build_datagram
from tests.dhcp.server import Server, with_options
from tests.dhcp.test_refusals import BENT, Bend, changed
from tests.host.test_drop_events import (
    ABSENT,
    OUR_ADDRESS,
    TABLE,
    THEIR_ADDRESS,
    THEM,
    US,
    Observer,
    Say,
    World,
    arp,
    message,
    packet,
    pieces,
)
from tests.sim.lan import Lan

OTHER_MAC = b"\2\0\0\0\0\x55"


def claim_refuted(world: World) -> None:
    """Another station claims the station's address. The station is asked, and answers."""
    arp(REPLY, THEM, US, mac=OTHER_MAC)(world)


def super_frame(world: World) -> None:
    """A link that joins datagrams hands up more of them than a kernel joins."""
    link = world.interface.link
    assert isinstance(link, TracedLink)
    link.link.rx_gso_size, link.link.rx_checksum_ok = 1, True  # type: ignore[misc]
    world.says_udp(9, bytes(200))


def many_neighbors(world: World) -> None:
    for number in range(16):
        arp(REQUEST, f"10.0.0.{100 + number}", US)(world)
        world.run()


def to_all_stations(world: World) -> None:
    header = Ipv4Header(THEIR_ADDRESS, OUR_ADDRESS, 253, 28).build()
    world.station.says(ethernet_ii(MAC_BROADCAST, world.station.mac, ETHERTYPE_IPV4) + header + bytes(8))


def other_datagram(world: World) -> None:
    packet(bytes(8), more_fragments=True, identification=1)(world)
    world.run()
    packet(bytes(8), more_fragments=True, identification=2)(world)


def unknown_router(world: World) -> None:
    far = parse_ipv4("192.0.2.1")
    world.host.ip.routes.add(Prefix(ANY, 0), world.interface, THEIR_ADDRESS)
    quoted = Ipv4Header(OUR_ADDRESS, far, PROTO_UDP, 28).build() + bytes(8)
    world.says_icmp(icmp.redirect(1, parse_ipv4(ABSENT), quoted))


def too_big(mtu: int, total: int) -> IcmpMessage:
    quoted = Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, PROTO_UDP, total).build() + b"\0\7\0\x09" + bytes(4)
    return IcmpMessage(icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, mtu.to_bytes(4, "big"), quoted)


def sent_nothing_that_large(world: World) -> None:
    endpoint = world.machine.udp(7)
    endpoint.send_to(b"small", (THEIR_ADDRESS, 9), world.network.now)
    world.says_icmp(too_big(1000, 1400))


def error_queue_full(world: World) -> None:
    endpoint = world.machine.udp(7)
    endpoint.set_queue_errors(True)
    endpoint.receive_bytes = 0
    endpoint.send_to(b"small", (THEIR_ADDRESS, 9), world.network.now)
    world.run()
    for _ in range(2):  # the first always has room
        quoted = Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, PROTO_UDP, 33).build() + b"\0\7\0\x09" + bytes(9)
        world.says_icmp(icmp.unreachable(icmp.PORT_UNREACHABLE, quoted))
        world.run()


def challenged_often(world: World) -> None:
    """The last of these SYNs gets no challenge ACK."""
    seq, _ = world.established()
    while not world.host.counters["tcp_challenge_limited"]:
        world.says_tcp(SYN, seq)
        world.run()


def in_time_wait(flags: int, data: bytes = b"", ahead: int = 0) -> Say:
    """We close first; then this comes."""

    def say(world: World) -> None:
        seq, ack = world.established()
        next(iter(world.host.tcp.connections.values())).close(world.network.now)
        world.machine.settle()
        world.run()
        world.says_tcp(ACK | FIN, seq, ack + 1)
        world.run()
        world.says_tcp(flags, seq + 1 + ahead, ack + 1, data)

    return say


def accept_queue_full(world: World) -> None:
    """The program accepts none of the connections that wait."""
    world.host.listen((OUR_ADDRESS, 7), 1, world.network.now)
    for port in range(5000, 5010):
        world.station.says_tcp(US, (port, 7), SYN, seq=100)
        world.run()
        heard = world.station.segments()
        if world.host.counters["tcp_accept_queue_full"] or not heard:
            break
        world.station.says_tcp(US, (port, 7), ACK, seq=101, ack=heard[-1].next)
        world.run()
        if world.host.counters["tcp_accept_queue_full"]:
            break


def no_data_yet(world: World) -> None:
    """The program waits for data before it accepts."""
    world.host.listen((OUR_ADDRESS, 7), 1, world.network.now, replace(world.host.tcp.socket_options, defer_accept_s=3))
    world.station.says_tcp(US, (5000, 7), SYN, seq=100)
    world.run()
    world.station.says_tcp(US, (5000, 7), ACK, seq=101, ack=world.station.segments()[-1].next)
    world.run()


def bad_cookie(world: World) -> None:
    world.machine.listen(7)
    for port in (5000, 5001):
        world.station.says_tcp(US, (port, 7), SYN, seq=100)
        world.run()
    world.station.says_tcp(US, (5002, 7), ACK, seq=101, ack=12345)


def wrong_cookie(world: World) -> None:
    world.machine.listen(7).fast_open.limit = 10
    options = build_options(TcpOptions(fast_open=b"no such!"))
    world.says_tcp(SYN, 100, data=b"text", options=options)


def gaps(world: World) -> None:
    """Each of these segments begins another run behind a gap."""
    seq, ack = world.established()
    for number in range(1, 4):
        world.says_tcp(ACK, seq + 10 * number, ack, b"x")
        world.run()


def too_big_segment(mtu: int) -> Say:
    """A router says that the segment in flight is too big for it."""

    def say(world: World) -> None:
        _, ack = world.established()
        connection = next(iter(world.host.tcp.connections.values()))
        connection.send(bytes(400), world.network.now)
        world.machine.settle()
        world.run()
        ports = connection.local[1].to_bytes(2, "big") + connection.remote[1].to_bytes(2, "big")
        quoted = Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, PROTO_TCP, 1500).build() + ports + ack.to_bytes(4, "big")
        world.says_icmp(IcmpMessage(icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, mtu.to_bytes(4, "big"), quoted))

    return say


def too_big_after_it_arrived(world: World) -> None:
    """A segment of that size has been acknowledged."""
    seq, ack = world.established()
    connection = next(iter(world.host.tcp.connections.values()))
    for number in (1, 2):
        connection.send(bytes(400), world.network.now)
        world.machine.settle()
        world.run()
        if number == 1:
            world.says_tcp(ACK, seq, ack + 400)
            world.run()
    ports = connection.local[1].to_bytes(2, "big") + connection.remote[1].to_bytes(2, "big")
    number = ack + 400
    quoted = Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, PROTO_TCP, 1500).build() + ports + number.to_bytes(4, "big")
    world.says_icmp(IcmpMessage(icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, (300).to_bytes(4, "big"), quoted))


def window_closed(world: World) -> None:
    """The program reads nothing: the window closes, and the station sends all the same."""
    seq, ack = world.established()
    connection = next(iter(world.host.tcp.connections.values()))
    while connection.rcv_wnd:
        world.says_tcp(ACK, seq, ack, bytes(min(1000, connection.rcv_wnd)))
        world.run()
        seq = connection.rcv_nxt
        world.run(for_s=0.3)
    world.says_tcp(ACK, seq, ack, b"x")


def memory_used(share: float) -> Callable[[World], None]:
    """So much of the memory is used, by a stranger and by the station."""

    def use(world: World) -> None:
        for peer in (parse_ipv4("10.0.0.99"), THEIR_ADDRESS):
            world.host.budget.charge(peer, int(share * TOTAL))

    return use


def syn_refused(world: World) -> None:
    world.machine.listen(7)
    memory_used(0.45)(world)
    world.says_tcp(SYN, 100)


def datagram_refused(world: World) -> None:
    world.machine.udp(9)
    memory_used(0.4)(world)
    while not world.host.counters["udp_no_memory"]:
        world.says_udp(9, bytes(1000))
        world.run()


def text_refused(world: World) -> None:
    seq, ack = world.established()
    memory_used(0.4)(world)
    while not world.host.counters["tcp_no_memory"]:
        world.says_tcp(ACK, seq, ack, bytes(1000))
        world.run()
        seq = next(iter(world.host.tcp.connections.values())).rcv_nxt


def no_client(world: World) -> None:
    """DHCP runs on another interface."""
    other = world.machine.attach(Ethernet().attach("other"), "10.1.0.1/24")
    world.host.dhcp.prepare(other)
    world.says_udp(68)


def reset_without_a_route(world: World) -> None:
    """A segment from another network, to which there is no route: it gets no reset."""
    source = parse_ipv4("192.0.2.1")
    raw = bytearray(bytes((0, 80, 0, 7)) + bytes(8) + bytes((0x50, ACK, 0, 0)) + bytes(4))
    raw[16:18] = internet_checksum(raw, pseudo_sum(source, OUR_ADDRESS, PROTO_TCP, len(raw))).to_bytes(2, "big")
    world.says_packet(bytes(raw), PROTO_TCP, source=source)


TOTAL = 1 << 20
MEMORY = Config(host=HostConfig(memory_bytes=TOTAL))

HISTORY: list[tuple[str, Say, Config]] = [
    ("arp_claim", claim_refuted, Config()),
    ("arp_cache_full", many_neighbors, Config(arp=ArpConfig(entries_max=16))),
    ("ipv4_super_frame", super_frame, Config()),
    ("ipv4_link_broadcast_only", to_all_stations, Config()),
    ("ipv4_source_route", packet(options=bytes((LOOSE_SOURCE_ROUTE, 7, 4, 192, 0, 2, 1, 0))), Config()),
    (
        "ipv4_fragment_holes",
        pieces(*((16 * number, bytes(8), True, 0) for number in range(1, 4))),
        Config(ip=IpConfig(reassembly_holes_max=3)),
    ),
    ("ipv4_reassembly_full", other_datagram, Config(ip=IpConfig(reassembly_flows_max=1))),
    ("icmp_redirect_unknown_router", unknown_router, Config()),
    ("icmp_too_big_fits", message(too_big(1400, 1000)), Config()),
    ("icmp_too_big_not_sent", sent_nothing_that_large, Config()),
    ("udp_errors_full", error_queue_full, Config()),
    ("tcp_challenge_limited", challenged_often, Config()),
    ("tcp_reset_in_time_wait", in_time_wait(RST), Config()),
    ("tcp_in_time_wait", in_time_wait(ACK, b"late"), Config()),
    ("tcp_accept_queue_full", accept_queue_full, Config()),
    ("tcp_accept_deferred", no_data_yet, Config()),
    ("tcp_too_many_runs", gaps, Config(tcp=TcpConfig(max_out_of_order_runs=2))),
    ("tcp_too_big_not_sent", too_big_segment(1000), Config()),
    ("tcp_too_big_delayed", too_big_after_it_arrived, Config()),
    ("tcp_window_closed", window_closed, Config(tcp=TcpConfig(receive_buffer_bytes=4096, auto_tuning=False))),
    ("tcp_refused_no_memory", syn_refused, MEMORY),
    ("tcp_no_memory", text_refused, MEMORY),
    ("udp_no_memory", datagram_refused, MEMORY),
    ("dhcp_no_client", no_client, Config()),
    ("tcp_fast_open_refused", wrong_cookie, Config()),
    ("tcp_not_sent", reset_without_a_route, Config()),
    ("tcp_bad_cookie", bad_cookie, Config(tcp=TcpConfig(syn_backlog=1))),
]


@pytest.mark.parametrize(("reason", "say", "config"), HISTORY, ids=[reason for reason, *_ in HISTORY])
def test_a_drop_that_needs_a_history(reason: str, say: Say, config: Config) -> None:
    world = World(config)
    say(world)
    world.run()
    [drop] = [drop for drop in world.observer.drops if drop.reason == reason]
    assert (drop.meaning, drop.subject, drop.number) == (DROPS[reason], "wire", max(world.observer.arrived))
    verdict, told = world.observer.done[drop.number]
    assert (verdict == "dropped" and told == reason) is (reason not in NOT_THE_FRAME)


# --- DHCP

Answer = Callable[[Lan], None]


def bent(lan: Lan, bend: Bend) -> None:
    """The answer to what the client has asked last, bent."""
    [answer] = lan.answers()
    changed_answer = bend(DhcpMessage.parse(answer))
    lan.says(changed_answer if isinstance(changed_answer, bytes) else changed_answer.build())


def offer(bend: Bend) -> Answer:
    return lambda lan: bent(lan, bend)


def requesting(bend: Bend) -> Answer:
    """In REQUESTING."""

    def answer(lan: Lan) -> None:
        bent(lan, lambda message: message)
        lan.wait(0.3)
        bent(lan, bend)

    return answer


def many_offers(lan: Lan) -> None:
    [answer] = lan.answers()
    seen = DhcpMessage.parse(answer)
    for number in range(DhcpConfig().offers_max + 1):
        server = parse_ipv4(f"10.9.0.{200 + number}")
        lan.says(with_options(seen, {dhcp.SERVER_IDENTIFIER: server}).build())


def late(lan: Lan) -> None:
    """The lease is over before its acknowledgment comes."""
    bent(lan, lambda message: message)
    lan.wait(0.3)
    [answer] = lan.answers()
    acknowledgment = with_options(DhcpMessage.parse(answer), {dhcp.LEASE_TIME: (5).to_bytes(4, "big")})
    lan.now += 6.0
    lan.says(acknowledgment.build())


def too_long(lan: Lan) -> None:
    """It comes in two fragments."""
    [answer] = lan.answers()
    payload = answer + bytes(1500)
    datagram = build_datagram(67, 68, payload, pseudo_sum(lan.server.address, BROADCAST, PROTO_UDP, 8 + len(payload)))
    header = Ipv4Header(lan.server.address, BROADCAST, PROTO_UDP, 20 + len(datagram), identification=7)
    for part in fragment(header, datagram, 1500):
        lan.frame(MAC_BROADCAST, ETHERTYPE_IPV4, part)


FITS_A_FRAME = [(reason, bend) for reason, bend in BENT if reason != "dhcp_too_long"]
FIRST_OF_EACH = dict(reversed(FITS_A_FRAME))
MESSAGES: list[tuple[str, Answer]] = [
    *[(reason, offer(bend)) for reason, bend in FIRST_OF_EACH.items()],
    ("dhcp_unexpected", offer(lambda message: with_options(message, {dhcp.MESSAGE_TYPE: b"\5"}))),
    ("dhcp_other_transaction", offer(lambda message: replace(message, xid=message.xid ^ 1))),
    ("dhcp_other_server", requesting(lambda message: with_options(message, {dhcp.SERVER_IDENTIFIER: THEIR_ADDRESS}))),
    ("dhcp_other_address", requesting(changed(yiaddr=parse_ipv4("10.9.0.99")))),
    ("dhcp_lease_over", late),
    ("dhcp_too_many_offers", many_offers),
    ("dhcp_too_long", too_long),
]


@pytest.mark.parametrize(("reason", "answer"), MESSAGES, ids=[reason for reason, _ in MESSAGES])
def test_a_dhcp_message_that_is_dropped(reason: str, answer: Answer) -> None:
    observer = Observer()
    lan = Lan(trace=observer)
    answer(lan)
    [drop] = [drop for drop in observer.drops if drop.reason == reason]
    assert (drop.meaning, drop.subject, drop.number) == (DROPS[reason], "ours", max(observer.arrived))
    assert observer.done[drop.number] == ("dropped", reason)


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        ("udp_open_no_memory", lambda world: world.machine.udp()),
        ("tcp_open_no_memory", lambda world: world.machine.connect(THEM, 7)),
    ],
)
def test_a_call_that_is_refused(reason: str, call: Say) -> None:
    world = World(MEMORY)
    memory_used(0.45)(world)
    with pytest.raises(OSError, match="No buffer space"):
        call(world)
    [drop] = world.observer.drops
    assert (drop.reason, drop.meaning, drop.subject, drop.number) == (reason, DROPS[reason], "host", 0)


def test_text_behind_a_gap_that_is_dropped_at_the_end_of_a_batch() -> None:
    """The whole memory is used."""
    world = World(MEMORY)
    seq, ack = world.established()
    for number in range(10):
        world.says_tcp(ACK, seq + 10 + 1400 * number, ack, bytes(1400))
        world.run()
    memory_used(0.5)(world)
    told: list[Event] = []
    world.host.unwatch(world.observer)
    world.host.watch(told.append)
    world.says_icmp(echo_request(1, 1))
    world.run()
    [drop] = [event for event in told if event.name == "host:drop"]
    assert (drop.group, drop.data["reason"], drop.data["meaning"]) == ("host", "tcp_pruned", DROPS["tcp_pruned"])
    assert [event.data["verdict"] for event in told if event.name == "host:done"] == ["answered"]


def test_a_route_of_a_lease_that_cannot_be_used() -> None:
    """Its router would be a neighbour by a default route alone."""
    routes = b"\0" + ANY + b"\x18\xc0\0\2" + parse_ipv4("198.51.100.1")
    observer = Observer()
    lan = Lan(acd="off", server=Server(lease_s=600, options={dhcp.CLASSLESS_STATIC_ROUTE: routes}), trace=observer)
    for _ in range(2):
        bent(lan, lambda message: message)
        lan.wait(0.3)
    [drop] = [drop for drop in observer.drops if drop.reason == "dhcp_bad_route"]
    assert drop.subject == "ours"
    assert observer.done[drop.number][0] != "dropped"


def test_a_release_that_cannot_be_sent() -> None:
    """The server is on another network, and the lease has no route."""
    server = Server(lease_s=600, address=parse_ipv4("192.0.2.9"), options={dhcp.ROUTER: None})
    observer = Observer()
    lan = Lan(server=server, trace=observer)
    lan.bind()
    lan.host.dhcp.end(lan.interface, lan.now)
    [drop] = [drop for drop in observer.drops if drop.reason == "dhcp_not_sent"]
    assert (drop.subject, drop.number) == ("host", 0)


OTHERWISE = {
    "arp_queue_full": "a call: test_drop_events.py",
    "arp_unresolved": "a timer: test_drop_events.py",
    "ipv4_reassembly_timeout": "a timer: test_drop_events.py",
    "tcp_syn_queue_full": "a SYN that is answered by a cookie: test_drop_events.py",
    "udp_open_no_memory": "a call: above",
    "tcp_open_no_memory": "a call: above",
    "tcp_pruned": "the end of a batch: above",
    "dhcp_bad_route": "a route in a message, not the message: above",
    "dhcp_not_sent": "a message of ours: above",
}
"""The reasons that the tables do not have, since no frame is dropped for them."""


def test_each_reason_is_in_one_of_the_tables() -> None:
    tables = {reason for reason, _ in TABLE} | {reason for reason, *_ in HISTORY} | {reason for reason, _ in MESSAGES}
    assert tables.isdisjoint(OTHERWISE)
    assert sorted(tables | set(OTHERWISE)) == sorted(DROPS)
