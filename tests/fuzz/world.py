"""One host on wires of the fuzzer's, and what must hold of it after each step.

The host's own frames are kept, parsed and verified; a peer that is honest answers its ARP requests.
Everything is made anew for each input, and nothing depends on the clock or on chance, so that an
input does the same each time.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from stack.config import Config
from stack.host.fast.tcp import MOST_SOURCES
from stack.host.host import HostCore
from stack.host.interface import Interface
from stack.link.device import NO_OFFLOAD, Offload
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.memory import recharge
from stack.tcp.seq import sub
from stack.tcp.states import State
from stack.udp.endpoint import Endpoint
from stack.wire.addresses import ANY, MAC_BROADCAST, Prefix, parse_ipv4
from stack.wire.arp import REPLY, ArpPacket
from stack.wire.checksum import Buffer, ones_sum, pseudo_sum
from stack.wire.ethernet import EthernetHeader, ethernet_ii
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import RST, SYN, TcpHeader
from stack.wire.udp import UdpHeader
from tests.user_options import user_options

OUR_MAC, PEER_MAC = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x66"
US, SECOND, PEER, GATEWAY, FAR = map(parse_ipv4, ("10.0.0.1", "10.1.0.1", "10.0.0.2", "10.0.0.66", "192.0.2.7"))
MOST_EVENTS = 20_000  # of one wait: more are a clock that stands still
MOST_FRAMES = 5_000  # of the host's in answer to one step
MOST_ENTRIES = 5_000  # in all tables together: an input is too short for more
FOREVER_S = 20_000.0  # after which nothing of a peer that is silent is left
LEFT_EMPTY = (
    "connections", "half_open", "listeners", "local_ports", "reserved_ports", "udp_endpoints", "paths",
    "path_mtus", "fragmented_datagrams", "fragment_sources", "fragment_bytes", "echo_requests", "not_accepted",
    "touched", "tcp_sources", "udp_ports", "udp_flows", "udp_datagrams", "udp_remotes", "echo_paths",
    "loopback_packets", "neighbor_queue_bytes", "tentative_addresses", "memory_bytes", "memory_peers",
    "memory_behind_gaps",
)  # fmt: skip
"""Tables that have nothing in them once every user and every peer has gone."""

SMALL = Config()
SMALL = replace(
    SMALL,
    arp=replace(SMALL.arp, entries_max=6, queue_bytes_max=4000),
    ip=replace(
        SMALL.ip,
        reassembly_bytes_max=4000,
        reassembly_flows_max=6,
        reassembly_flows_per_source=3,
        reassembly_holes_max=4,
        path_mtus_max=3,
        redirects_max=2,
        loopback_queue_max=8,
    ),
    icmp=replace(SMALL.icmp, error_peers_max=4, echo_paths_max=2, echoes_max=4),
    udp=replace(SMALL.udp, receive_bytes=2000, flows_max=2, paths_max=2),
    tcp=replace(
        SMALL.tcp,
        send_buffer_bytes=8000,
        receive_buffer_bytes=8000,
        max_receive_buffer_bytes=16_000,
        max_send_buffer_bytes=16_000,
        max_out_of_order_runs=4,
        max_sacked_ranges=3,
        syn_backlog=2,
        fast_open_servers=2,
    ),
)
"""Limits that a short input reaches."""


def plain(config: Config) -> Config:
    """Without what only makes the stack fast."""
    return replace(config, host=replace(config.host, fast_paths=False))


@contextlib.contextmanager
def barred() -> Iterator[None]:
    """An OSError is what a user call answers; from a frame or a deadline it is a fault as any other."""
    try:
        yield
    except OSError as error:
        raise AssertionError(f"no user call, and yet {error!r}") from error


class Wire:
    """A link: what the host writes goes to `on_frame`; it reads nothing, since frames are handed to it directly."""

    queue_frames = 0
    may_offload = True
    deadline = math.inf

    def __init__(self, name: str, mac: bytes | None, offload: bool, on_frame: Callable[[bytes, bytes], None]) -> None:
        self.name = name
        self.mac = mac
        self.mtu = 1500
        self.ip_offset = 0 if mac is None else 14
        self.offload = Offload(checksum=True, gso_max_bytes=64_000, uso=True) if offload else NO_OFFLOAD
        self.rx_checksum_ok = False
        self.rx_gso_size = 0
        self._on_frame = on_frame

    def open(self, wake: Callable[[], None]) -> None:
        """Nothing to do."""

    def fileno(self) -> int:
        """There is none."""
        return -1

    def read(self, now: float) -> memoryview | None:
        """Nothing comes this way."""
        return None

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """A frame of the host's."""
        self._on_frame(b"".join(parts), offload)
        return True

    def poll(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """Nothing to give back."""


COUNTING = bytes(range(256)) * 512


def counting(start: int, length: int) -> bytes:
    """Octets that count up from `start`, so that a stream shows where each of its octets belongs."""
    start &= 0xFF
    return COUNTING[start : start + length]


class World:
    """`users` are the connections a program has, `listeners` and `endpoints` its other ends."""

    def __init__(self, config: Config, *, offload: bool = False) -> None:
        self.now = 1000.0
        self.host = HostCore(config, random=Random(7).randbytes, raise_errors=True)
        self.heard: list[bytes] = []  # IP packets the host has sent, the latest last
        self.requests: list[ArpPacket] = []
        self.frames = 0
        self.digest = 0
        self.answers_arp = True
        self.users: list[Connection] = []
        self.sent: dict[Connection, int] = {}  # octets given to SEND: each is the lowest octet of its place
        self.next: dict[Connection, int] = {}  # what the next octet from RECEIVE has to be
        self.listeners: list[Listener] = []
        self.endpoints: list[Endpoint] = []
        self.wire = Wire("wire0", OUR_MAC, offload, self._hear)
        self.pipe = Wire("pipe0", None, offload, self._hear_packet)
        prefixes = [Prefix(US, 24)]
        self.interface: Interface = self.host.attach(self.wire, prefixes, GATEWAY, self.now, acd="off")
        self.bare: Interface = self.host.attach(self.pipe, [Prefix(SECOND, 24)], None, self.now, acd="off")
        for port, oobinline in ((7, True), (8, False)):
            asked = user_options(self.host.tcp.services, oobinline=oobinline)
            listener = self.host.listen((ANY, port), 4, self.now, asked)
            listener.fast_open.limit = 4 if port == 8 else 0
            self.listeners.append(listener)
        self.endpoint(9)
        self.settle()

    def endpoint(self, port: int = 0) -> Endpoint:
        """One more UDP endpoint."""
        endpoint = self.host.udp.open()
        endpoint.broadcast = True
        if port:
            endpoint.bind((ANY, port))
        self.endpoints.append(endpoint)
        return endpoint

    # --- what the host says

    def _hear(self, frame: bytes, offload: bytes) -> None:
        header = EthernetHeader.parse(frame)
        assert header.source == OUR_MAC
        self._count(frame)
        if header.ethertype == ETHERTYPE_ARP:
            self.requests.append(ArpPacket.parse(frame[header.header_length :]))
        elif header.ethertype == ETHERTYPE_IPV4:
            self._verify(frame[header.header_length :], offload)

    def _hear_packet(self, packet: bytes, offload: bytes) -> None:
        self._count(packet)
        self._verify(packet, offload)

    def _count(self, frame: bytes) -> None:
        self.frames += 1
        assert self.frames < MOST_FRAMES, "one step has the host send without end"
        self.digest = zlib.crc32(frame, self.digest)

    def _verify(self, packet: bytes, offload: bytes) -> None:
        """What is sent is well formed: lengths and checksums are right, and a peer can parse it."""
        header = Ipv4Header.parse(packet)
        assert header.total_length == len(packet)
        assert offload or len(packet) <= 1500
        self.heard.append(packet)
        del self.heard[:-8]
        if header.is_fragment:
            return
        payload = packet[header.header_length :]
        pseudo = pseudo_sum(header.source, header.destination, header.protocol, len(payload))
        if header.protocol == PROTO_TCP:
            self._verify_text(header, TcpHeader.parse(payload), payload)
            assert offload or (pseudo + ones_sum(payload)) % 0xFFFF == 0, "a wrong TCP checksum"
        elif header.protocol == PROTO_UDP:
            assert UdpHeader.parse(payload).length == len(payload)
            assert offload or (pseudo + ones_sum(payload)) % 0xFFFF == 0, "a wrong UDP checksum"
        elif header.protocol == PROTO_ICMP:
            IcmpMessage.parse(payload)

    def _verify_text(self, header: Ipv4Header, tcp: TcpHeader, payload: bytes) -> None:
        """However often it is sent, text is what the user has sent at its place."""
        key = header.destination + header.source + payload[2:4] + payload[:2]
        connection = self.host.tcp.connections.get(key)
        text = payload[tcp.header_length :]
        if connection is not None and text and not tcp.flags & RST:
            place = sub(tcp.seq, connection.iss) - (0 if tcp.flags & SYN else 1)
            assert text == counting(place, len(text)), f"other text than was sent at {place}"

    # --- what comes to it

    def frame(self, frame: bytes, *, bare: bool = False) -> None:
        """One frame arrives; its buffer is overwritten behind it, as a link's is."""
        buffer = bytearray(frame)
        with barred():
            self.host.frame(self.bare if bare else self.interface, self.now, memoryview(buffer))
        buffer[:] = b"\xee" * len(buffer)

    def packet(self, packet: bytes, *, bare: bool = False, group: bool = False) -> None:
        """An IP packet arrives in a frame to us."""
        link = b"" if bare else ethernet_ii(MAC_BROADCAST if group else OUR_MAC, PEER_MAC, ETHERTYPE_IPV4)
        self.frame(link + packet, bare=bare)

    def arp(self, packet: ArpPacket, destination: bytes = OUR_MAC) -> None:
        """An ARP packet arrives."""
        self.frame(ethernet_ii(destination, PEER_MAC, ETHERTYPE_ARP) + packet.build())

    def settle(self) -> None:
        """The batch is over; the peer answers ARP, as long as it does."""
        with barred():
            self.host.batch_end(self.now)
        while self.requests:
            requests, self.requests = self.requests, []
            for request in requests:
                if self.answers_arp and request.operation == 1 and request.target_ip[3] < 100:
                    if request.target_ip != request.sender_ip and self.host.ip.owner(request.target_ip) is None:
                        self.arp(ArpPacket(REPLY, PEER_MAC, request.target_ip, OUR_MAC, request.sender_ip))
            with barred():
                self.host.batch_end(self.now)

    def wait(self, seconds: float) -> None:
        """Time passes, and what is due is done."""
        host = self.host
        end = self.now + seconds
        for _ in range(MOST_EVENTS):
            deadline = host.deadline
            if deadline > end:
                break
            assert not math.isnan(deadline)
            self.now = max(self.now, deadline)
            with barred():
                host.on_deadline(self.now)
            self.settle()
            assert host.deadline > self.now or len(host.ip.loopback), "an expired deadline stays armed"
        else:
            raise AssertionError(f"the clock stands still at {self.now}")
        self.now = end

    # --- what its users do

    def send(self, user: Connection, amount: int, *, urgent: bool = False) -> None:
        """SEND: octets that say where they belong."""
        before = self.sent.get(user, 0)
        self.sent[user] = before  # what is taken with a SYN is on the wire before the call returns
        self.sent[user] += user.send(counting(before, amount), self.now, urgent=urgent)

    def received(self, user: Connection, data: bytes | None) -> None:
        """What RECEIVE has returned goes on where it ended before; urgent octets apart from the stream leave gaps."""
        if data and user.user_options.oobinline:
            assert data == counting(self.next.get(user, data[0]), len(data)), "the stream has a gap, or other octets"
        if data:
            self.next[user] = data[-1] + 1
        if not user.user_options.oobinline:
            self.next.pop(user, None)

    # --- what must hold

    def check(self) -> None:
        """After each step: the tables are bounded and agree with each other, and no connection waits for nothing."""
        host = self.host
        self.frames = 0
        assert not host.counters["handler_failed"]
        tables = host.tables()
        assert sum(size for name, size in tables.items() if not name.endswith("_bytes")) < MOST_ENTRIES, tables
        config = host.config
        assert tables["neighbors"] <= config.arp.entries_max
        assert tables["neighbor_queue_bytes"] <= config.arp.queue_bytes_max
        assert tables["fragmented_datagrams"] <= config.ip.reassembly_flows_max
        assert tables["path_mtus"] <= 2 * config.ip.path_mtus_max  # TCP's, and those of UDP alone
        assert tables["fragment_sources"] <= tables["fragmented_datagrams"]
        assert tables["redirects"] <= config.ip.redirects_max
        assert tables["icmp_error_peers"] <= config.icmp.error_peers_max
        assert tables["echo_paths"] <= config.icmp.echo_paths_max
        assert tables["tcp_sources"] <= MOST_SOURCES
        assert tables["udp_flows"] <= config.udp.flows_max
        assert tables["half_open"] <= 2 * config.tcp.syn_backlog + 8
        assert tables["loopback_packets"] <= config.ip.loopback_queue_max
        assert tables["deadlines"] <= 2 * tables["connections"] + 64
        for connection in host.tcp.connections.values():
            self._check_connection(connection)
        self._check_memory()
        for endpoint in self.endpoints:
            assert endpoint.queued_bytes >= 0
        for neighbors in filter(None, (self.interface.neighbors, self.bare.neighbors)):
            assert neighbors.waiting_bytes >= 0

    def _check_memory(self) -> None:
        """What is charged is what is held, to the octet, and no peer is charged less than nothing."""
        budget = self.host.budget
        for connection in [*self.host.tcp.connections.values(), *self.users]:
            before = connection.charged
            if before:
                recharge(connection)
            assert connection.charged == before, f"{connection.state.name}: {before} charged for {connection.charged}"
        assert budget.used == sum(budget.peers.values()) + len(self.host.udp) * budget.endpoint
        assert all(held > 0 for held in budget.peers.values()), budget.peers
        assert budget.tight is (budget.used > budget.pressure)
        assert all(connection.receive_buffer.held for connection in budget.out_of_order), (
            "nothing waits behind this gap"
        )

    def _check_connection(self, connection: Connection) -> None:
        state = connection.state
        assert state is not State.CLOSED or connection.deferred, "a connection that is over is still found"
        flight = sub(connection.snd_nxt, connection.snd_una)
        assert 0 <= flight < 1 << 31, "SND.UNA beyond SND.NXT"
        assert connection.rcv_wnd >= 0
        assert connection.receive_buffer.size >= 0
        assert connection.send_buffer.size >= 0
        assert connection.congestion.cwnd > 0
        waiting = state not in (State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_2, State.LISTEN, State.CLOSED)
        if flight or waiting or (state is State.FIN_WAIT_2 and connection.orphaned):
            assert connection.deadline < math.inf, f"{state.name} with {flight} octets in flight waits for nothing"
        if connection.send_buffer.size > flight and connection.synchronized:
            assert connection.deadline < math.inf, f"{state.name} has unsent octets and will not send them"

    def end(self) -> None:
        """All users go, the peer falls silent, and time passes: nothing is left."""
        self.answers_arp = False
        for user in self.users:
            user.close(self.now)
        for listener in self.listeners:
            listener.close(self.now)
        for endpoint in self.endpoints:
            endpoint.close()
        self.settle()
        self.check()
        self.wait(FOREVER_S)
        self.check()
        tables = self.host.tables()
        left = {name: tables[name] for name in LEFT_EMPTY if tables.get(name)}
        assert not left, f"left behind: {left}"
        self.host.shutdown(self.now)
        self.settle()
