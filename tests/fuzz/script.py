"""What an input of the fuzzer means to a whole host: a list of steps, each some octets long.

An octet chooses the step, those behind it are its operands. Whatever the octets are they mean
something, so that no input is wasted: numbers are taken modulo the number of choices, and what is
missing at the end is zero. What a blind attacker would have to guess (sequence numbers, checksums,
a quoted datagram) the steps know, and bend a little.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from stack.host.host import HostCore
from stack.internet.fragments import fragment
from stack.tcp import timestamps
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.udp.endpoint import Endpoint
from stack.wire import icmp
from stack.wire.addresses import ANY, BROADCAST, MAC_BROADCAST, Prefix, parse_ipv4
from stack.wire.arp import ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, TcpHeader
from stack.wire.tcp_options import TcpOptions, build_options
from stack.wire.udp import build_datagram
from tests.fuzz.world import FAR, GATEWAY, OUR_MAC, PEER, PEER_MAC, SECOND, US, World, counting
from tests.sim.repair import repair
from tests.user_options import set_options, user_options

MASK = 0xFFFFFFFF
WAITS_S = (0.0, 0.001, 0.01, 0.04, 0.2, 0.5, 1.0, 3.0, 10.0, 31.0, 61.0, 130.0, 601.0, 7300.0)
DELTAS = (0, 0, 0, 1, -1, 2, -2, 100, -100, 536, 1448, -1448, 65_535, 1 << 20, 1 << 31, (1 << 31) - 1)
FLAGS = (ACK, ACK | PSH, ACK | FIN, RST, RST | ACK, SYN, SYN | ACK, ACK | URG, 0, 0xFF, ACK | 0xC0, FIN, SYN | FIN)
ADDRESSES = (PEER, GATEWAY, FAR, US, parse_ipv4("10.0.0.3"), parse_ipv4("10.1.0.9"), BROADCAST, ANY)  # 8 of them
ARP_PLACES = (*ADDRESSES, parse_ipv4("10.0.0.255"), parse_ipv4("169.254.1.1"), parse_ipv4("224.0.0.1"))
STATIONS = (PEER_MAC, b"\x02\0\0\0\0\x77", OUR_MAC, MAC_BROADCAST, bytes(6), b"\x03\0\0\0\0\x01")
OPTIONS = ("nodelay", "keepalive", "oobinline", "auto_rcvbuf", "auto_sndbuf")
MOST_STEPS = 400
MOST_USERS = 24


class Reader:
    """The octets of an input, taken from the front; zeros once they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        """Whether there is anything."""
        return self._at < len(self._data)

    def octets(self, count: int) -> bytes:
        """So many, or as many as there are."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def number(self, width: int = 1) -> int:
        """A number of `width` octets."""
        return int.from_bytes(self.octets(width), "big")

    def choice(self, choices: tuple[int, ...] | tuple[bytes, ...] | tuple[float, ...]) -> object:
        """One of them."""
        return choices[self.number() % len(choices)]


class Script:
    """Runs an input on a world, and looks behind each step at what must hold."""

    def __init__(self, world: World, reader: Reader) -> None:
        self.world = world
        self.reader = reader
        self.batch = False  # frames are not settled one by one

    def all_steps(self) -> tuple[Callable[[], None], ...]:
        """The steps by their numbers; those that lead further have several."""
        return (
            self.wait, self.segment, self.user, self.open_passive, self.open_active, self.segment, self.datagram,
            self.icmp_error, self.arp, self.raw, self.fragments, self.echo, self.user, self.redirect, self.segment,
            self.host_call, self.begin_batch, self.endpoint_call, self.answer, self.syn, self.stray, self.super_frame,
        )  # fmt: skip

    def run(self) -> None:
        """All steps; what must hold is looked at after each."""
        steps = self.all_steps()
        for _ in range(MOST_STEPS):
            if not self.reader.left:
                break
            step = steps[self.reader.number() % len(steps)]
            with contextlib.suppress(OSError):  # what a user call answers
                step()
            if not self.batch:
                self.world.settle()
                self.world.check()
        self.batch = False
        self.world.settle()
        self.world.check()

    # --- choosing

    def _u8(self, choices: tuple[int, ...]) -> int:
        return choices[self.reader.number() % len(choices)]

    def _address(self, places: tuple[bytes, ...] = ADDRESSES) -> bytes:
        return places[self.reader.number() % len(places)]

    def _connection(self) -> Connection | None:
        """One that the host has, the number of which comes next."""
        connections = list(self.world.host.tcp.connections.values())
        number = self.reader.number()
        return connections[-1 - number % len(connections)] if connections else None

    def _user(self) -> Connection | None:
        users = self.world.users
        number = self.reader.number()
        return users[-1 - number % len(users)] if users else None

    def _endpoint(self) -> Endpoint:
        endpoints = self.world.endpoints
        return endpoints[self.reader.number() % len(endpoints)]

    # --- time

    def wait(self) -> None:
        """Time passes: a fixed time, or until just the next deadline."""
        number = self.reader.number()
        self.batch = False
        self.world.settle()
        if number & 0x80:
            gap = self.world.host.deadline - self.world.now
            self.world.wait(min(max(gap, 0.0), 7300.0))
        else:
            self.world.wait(WAITS_S[number % len(WAITS_S)])

    def begin_batch(self) -> None:
        """Frames from now on are of one batch, until a step says otherwise."""
        self.batch = not self.batch

    # --- TCP

    def _options(self, connection: Connection, kind: int, tick: int) -> bytes:
        """The options of a segment: honest ones, bent ones, or the input's own."""
        stamps = connection.timestamps
        honest = timestamps.option((stamps.recent + tick) & MASK, stamps.clock(self.world.now))
        if kind in (0, 1, 2):
            return honest if stamps.agreed else b""
        if kind == 3:
            return b""
        if kind == 4:
            return timestamps.option(self.reader.number(4), self.reader.number(4))
        if kind in (5, 6):
            blocks = tuple(
                (
                    (connection.snd_una + self.reader.number(2)) & MASK,
                    (connection.snd_una + self.reader.number(2)) & MASK,
                )
                for _ in range(1 + tick % 3)
            )
            stamp = (stamps.recent, stamps.clock(self.world.now)) if stamps.agreed else None
            return build_options(TcpOptions(sack_blocks=blocks, timestamps=stamp))
        raw = self.reader.octets(self.reader.number() % 41)
        return raw + bytes(-len(raw) % 4)

    def segment(self) -> None:
        """A segment of a connection, with numbers that are right or bent by a little."""
        connection = self._connection()
        if connection is None:
            return
        shape = self.reader.number()
        flags = FLAGS[shape & 7] if shape < 0xC0 else self._u8(FLAGS)
        seq = connection.rcv_nxt
        ack = connection.snd_nxt if shape & 8 else connection.snd_una
        if shape & 16:
            seq += self._u8(DELTAS)
            ack += self._u8(DELTAS)
        window, urgent, options = 0xFFFF, 0, self._options(connection, 0, 1)
        if shape & 32:
            window = self.reader.number(2)
            urgent = self.reader.number()
            options = self._options(connection, *divmod(self.reader.number(), 32))
        length = self.reader.number()
        text = counting(seq, length if length < 200 else (length - 199) * 40)
        self._say(connection, TcpHeader(0, 0, seq & MASK, ack & MASK, flags, window, urgent, options=options), text)

    def _say(self, connection: Connection, header: TcpHeader, text: bytes) -> None:
        remote, local = connection.remote, connection.local
        self._tcp(remote[0], local[0], remote[1], local[1], header, text)

    def _tcp(
        self, source: bytes, destination: bytes, source_port: int, port: int, header: TcpHeader, text: bytes
    ) -> None:
        bare = TcpHeader(
            source_port,
            port,
            header.seq,
            header.ack,
            header.flags,
            header.window,
            header.urgent_pointer,
            header.options[:40],
        )
        data = bare.build() + text
        checksum = internet_checksum(data, pseudo_sum(source, destination, PROTO_TCP, len(data)))
        self._ip(source, destination, PROTO_TCP, data[:16] + checksum.to_bytes(2, "big") + data[18:])

    def _ip(self, source: bytes, destination: bytes, protocol: int, payload: bytes, options: bytes = b"") -> None:
        payload = payload[: 1500 - 20 - len(options)]
        header = Ipv4Header(source, destination, protocol, 20 + len(options) + len(payload), options=options)
        self.world.packet(header.build() + payload, bare=destination == SECOND, group=destination == BROADCAST)

    def syn(self) -> None:
        """A SYN to a listener, from one of many peers."""
        number = self.reader.number(2)
        kind = self.reader.number()
        options = build_options(
            TcpOptions(
                mss=(1460, 536, 8, 65_535)[kind & 3],
                window_scale=7 if kind & 4 else None,
                sack_permitted=bool(kind & 8),
                timestamps=(1000 + number, 0) if kind & 16 else None,
                fast_open=self.reader.octets(8) if kind & 32 else None,
            )
        )
        flags = SYN | (0xC0 if kind & 64 else 0)
        text = counting((number << 16) + 1, self.reader.number() % 64) if kind & 128 else b""
        source = bytes((10, 0, 0, 2 + number % 90))
        port = 1024 + number % 60_000
        header = TcpHeader(0, 0, number << 16, 0, flags, 8000, options=options)
        self._tcp(source, SECOND if number & 0x8000 else US, port, 7 + (kind >> 1 & 1), header, text)

    def open_passive(self) -> None:
        """A peer connects to a listener, by the book, and the connection is accepted."""
        before = len(self.world.host.tcp.connections)
        self.syn()
        self.world.settle()
        connections = list(self.world.host.tcp.connections.values())
        if len(connections) > before:
            self._complete(connections[-1])
        self._accept()

    def _complete(self, connection: Connection) -> None:
        """The peer's part of a handshake."""
        options = self._options(connection, 0, 1)
        self._say(connection, TcpHeader(0, 0, connection.rcv_nxt, connection.snd_nxt, ACK, 8000, options=options), b"")
        self.world.settle()

    def _accept(self) -> None:
        world = self.world
        for listener in world.listeners:
            while len(world.users) < MOST_USERS and (accepted := listener.accept()) is not None:
                world.users.append(accepted)

    def open_active(self) -> None:
        """The host connects; a peer that is asked to answers."""
        kind = self.reader.number()
        if len(self.world.users) >= MOST_USERS:
            self.world.users.pop(0).close(self.world.now)
        places = (PEER, GATEWAY, FAR, PEER, US, parse_ipv4("10.1.0.9"), parse_ipv4("127.0.0.1"), PEER)
        remote = places[kind & 7], (80, 81, 7, 9)[kind >> 3 & 3]
        options = user_options(
            self.world.host.tcp.services,
            fast_open_connect=bool(kind & 0x20),
            user_timeout_s=20.0 if kind & 0x80 else None,
        )
        connection = self.world.host.connect(None, remote, self.world.now, options)
        self.world.users.append(connection)
        self.world.settle()
        if kind & 0x40 and connection.state is State.SYN_SENT:
            self.answer_syn(connection)

    def answer_syn(self, connection: Connection) -> None:
        """SYN,ACK, with the options that the input chooses."""
        kind = self.reader.number()
        stamps = connection.timestamps
        options = build_options(
            TcpOptions(
                mss=(1460, 536, 1, 65_535)[kind & 3],
                window_scale=(kind >> 4) if kind & 4 else None,
                sack_permitted=bool(kind & 8),
                timestamps=(7, stamps.clock(self.world.now)) if kind & 4 else None,
                fast_open=b"cookie!!" if kind & 0x40 else None,
            )
        )
        header = TcpHeader(0, 0, 0xFFFFFFF0, connection.snd_nxt, SYN | ACK, 4000, options=options)
        self._say(connection, header, b"")

    def answer(self) -> None:
        """The peer acknowledges all that any connection has sent."""
        for connection in list(self.world.host.tcp.connections.values())[:MOST_USERS]:
            if connection.state is State.SYN_SENT:
                self.answer_syn(connection)
            else:
                self._complete(connection)

    def stray(self) -> None:
        """A segment that no connection has: it may be anybody's."""
        source, destination = self._address(), (US, SECOND)[self.reader.number() & 1]
        header = TcpHeader(0, 0, self.reader.number(4), self.reader.number(4), self._u8(FLAGS), self.reader.number(2))
        self._tcp(source, destination, self.reader.number(2), (7, 8, 80, 1234)[self.reader.number() & 3], header, b"x")

    def user(self) -> None:
        """A call of a program on one of its connections."""
        self._accept()
        user, now = self._user(), self.world.now
        if user is None:
            return
        number = self.reader.number()
        call, amount = number & 15, (1, 100, 1448, 5000, 20_000, 70_000)[(number >> 4) % 6]
        match call:
            case 0 | 1 | 2:
                self.world.send(user, amount)
            case 3 | 4:
                self.world.received(user, user.receive(amount, now))
            case 5:
                user.shutdown_write(now)
            case 6:
                self._close(user)
            case 7:
                user.abort(now)
            case 8:
                user.shutdown_read(now)
            case 9:
                self.world.send(user, amount, urgent=True)
            case 10:
                room = bytearray(amount)
                self.world.received(user, bytes(room[: user.receive_into(memoryview(room), now) or 0]))
            case 11:
                user.receive_urgent(peek=bool(amount & 1))
            case 12:
                name = OPTIONS[number >> 4 & 3]
                set_options(user, **{name: not getattr(user.user_options, name)})
                user.touch()
            case 13:
                set_options(user, linger_s=(0.0, 1.0, None)[(number >> 4) % 3])
            case 14:
                user.peek(amount)
            case _:
                set_options(user, rcvbuf=2304 + amount, auto_rcvbuf=False)

    def _close(self, user: Connection) -> None:
        user.close(self.world.now)
        self.world.users.remove(user)

    # --- UDP, ICMP, ARP

    def datagram(self) -> None:
        """A UDP datagram to one of the ports."""
        kind = self.reader.number()
        source, destination = self._address(), (US, SECOND, BROADCAST, parse_ipv4("10.0.0.255"))[kind & 3]
        port = (9, 68, 1234, self._endpoint().local[1])[kind >> 2 & 3]
        payload = bytes(self.reader.number() * 5)
        bare = build_datagram(
            1024 + (kind >> 4), port, payload, pseudo_sum(source, destination, PROTO_UDP, 8 + len(payload))
        )
        options = self.reader.octets(8) if kind & 0x80 else b""
        self._ip(source, destination, PROTO_UDP, bare, options + bytes(-len(options) % 4))

    def endpoint_call(self) -> None:
        """A call of a program on one of its UDP endpoints."""
        world, number = self.world, self.reader.number()
        endpoint = self._endpoint()
        remote = self._address(), (9, 53, 1234)[number >> 4 & 1]
        match number & 7:
            case 0 | 1 | 2:
                endpoint.send_to(bytes(self.reader.number() * 40), remote, world.now)
            case 3:
                endpoint.receive()
            case 4:
                endpoint.connect(remote, world.now)
            case 5:
                endpoint.disconnect()
            case 6 if len(world.endpoints) < 8:
                world.endpoint().bind((ANY, 0))
            case 6:
                world.endpoints.pop().close()
            case _:
                endpoint.ttl = 1 + (number >> 3)
                endpoint.set_options(bytes.fromhex("0704040083070400") if number & 8 else b"")

    def icmp_error(self) -> None:
        """An error that quotes something the host has sent, more or less."""
        heard = self.world.heard
        if not heard:
            return
        kind = self.reader.number()
        quoted = bytearray(heard[-1 - kind % len(heard)][: 28 + (kind & 0x3C)])
        if kind & 0x80:
            at = self.reader.number() % len(quoted)
            quoted[at] = self.reader.number()
        types = (icmp.UNREACHABLE, icmp.UNREACHABLE, icmp.TIME_EXCEEDED, icmp.PARAMETER_PROBLEM, icmp.SOURCE_QUENCH)
        code = self.reader.number() % 16
        rest = self.reader.number(2)
        message = IcmpMessage(
            types[code % 5] if code > 5 else icmp.UNREACHABLE, code, rest.to_bytes(4, "big"), bytes(quoted)
        )
        self._ip(self._address(), bytes(quoted[12:16]), 1, message.build())

    def redirect(self) -> None:
        """A Redirect about something the host has sent."""
        if self.world.heard:
            quoted = self.world.heard[-1][:28]
            message = icmp.redirect(self.reader.number() % 4, self._address(), quoted)
            self._ip(self._address(), quoted[12:16], 1, message.build())

    def echo(self) -> None:
        """A request from a peer, or one of ours and the answer to it."""
        kind = self.reader.number()
        data = bytes(kind >> 3)
        if kind & 1:
            self.world.host.ping(self._address(), data, self.world.now, lambda _: None, timeout_s=5.0)
            self.world.settle()
            if kind & 2 and self.world.heard:
                request = self.world.heard[-1]
                if request[9] == 1 and request[20] == icmp.ECHO_REQUEST:
                    message = IcmpMessage(icmp.ECHO_REPLY, 0, request[24:28], request[28:])
                    self._ip(request[16:20], request[12:16], 1, message.build())
        else:
            destination = SECOND if kind & 4 else US
            self._ip(self._address(), destination, 1, icmp.echo_request(kind, 1, data).build())

    def arp(self) -> None:
        """An ARP packet about any address."""
        kind = self.reader.number()
        sender, target = self._address(ARP_PLACES), self._address(ARP_PLACES)
        mac = STATIONS[kind >> 4 & 7] if kind >> 4 & 7 < len(STATIONS) else PEER_MAC
        packet = ArpPacket((1, 2, 3, 8)[kind & 3], mac, sender, OUR_MAC if kind & 4 else bytes(6), target)
        self.world.arp(packet, MAC_BROADCAST if kind & 8 else OUR_MAC)

    # --- frames as they are

    def raw(self) -> None:
        """A frame of the input's own octets, or one of the host's turned round; with its checksums put right."""
        kind = self.reader.number()
        length = self.reader.number() * (1 + (kind & 1) * 5)
        octets = self.reader.octets(length)
        if kind & 2 and self.world.heard:
            packet = bytearray(self.world.heard[-1])
            packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
            if packet[9] == PROTO_TCP:  # its text would not be what a peer says at that place
                del packet[60:]
            for number in range(0, len(octets) - 1, 2):
                packet[octets[number] % len(packet)] = octets[number + 1]
            octets = bytes(packet)
        if kind & 4:
            frame = bytearray(octets)
        else:
            frame = bytearray(OUR_MAC + PEER_MAC + b"\x08\0" + octets)
        if kind & 8:
            repair(frame)
        self.world.frame(bytes(frame[14:]) if kind & 16 else bytes(frame), bare=bool(kind & 16))

    def fragments(self) -> None:
        """A datagram in pieces, which may be lost, doubled, moved, or of other sizes."""
        kind = self.reader.number()
        payload = bytes(200 + self.reader.number() * 8)
        source, port = self._address(), (9, 1234)[kind & 1]
        bare = build_datagram(1024, port, payload, pseudo_sum(source, US, PROTO_UDP, 8 + len(payload)))
        header = Ipv4Header(source, US, PROTO_UDP, 20 + len(bare), kind)
        pieces = fragment(header, bare, 68 + (self.reader.number() & 0x3F) * 8)
        plan = self.reader.octets(1 + kind % 13) or bytes(range(len(pieces)))
        for octet in plan:
            piece = pieces[octet % len(pieces)]
            if octet & 0x80:
                bent = Ipv4Header.parse(piece)
                offset = bent.fragment_offset + 8 * (octet & 7)
                moved = Ipv4Header(
                    source, US, PROTO_UDP, len(piece), kind, more_fragments=bent.more_fragments, fragment_offset=offset
                )
                piece = moved.build() + piece[20:]
            self.world.packet(piece)

    def super_frame(self) -> None:
        """A frame larger than the MTU, of UDP datagrams or TCP segments, as a link with offload hands up."""
        if not self.world.wire.offload.checksum:
            return
        kind, count = self.reader.number(), 1 + self.reader.number() % 40
        wire = self.world.wire
        wire.rx_checksum_ok, wire.rx_gso_size = True, (1448, 100, 1, 512)[kind & 3]
        connection = self._connection() if kind & 8 else None
        payload = counting(connection.rcv_nxt if connection else 0, count * (1448 if kind & 4 else 37))
        try:
            if connection is None:
                bare = build_datagram(1024, 9, payload, 0)
                header = Ipv4Header(PEER, US, PROTO_UDP, 20 + len(bare))
                self.world.packet(header.build() + bare)
            else:
                remote, local = connection.remote, connection.local
                options = self._options(connection, 0, 1)
                tcp = TcpHeader(
                    remote[1], local[1], connection.rcv_nxt, connection.snd_una, ACK, 9000, options=options
                ).build()
                header = Ipv4Header(remote[0], local[0], PROTO_TCP, 20 + len(tcp) + len(payload))
                self.world.packet(header.build() + tcp + payload)
        finally:
            wire.rx_checksum_ok, wire.rx_gso_size = False, 0

    # --- calls on the host

    def host_call(self) -> None:
        """What an administrator does: addresses, routes, the MTU, neighbours, listeners."""
        world, host, now = self.world, self.world.host, self.world.now
        kind = self.reader.number()
        neighbors = world.interface.neighbors
        assert neighbors is not None
        match kind & 15:
            case 0:
                self._swap_address(host)
            case 1:
                host.set_mtu(world.interface, (68, 576, 1500, 296)[kind >> 4 & 3], now)
            case 2:
                host.network_changed(world.interface, now)
            case 3:
                with contextlib.suppress(ValueError):
                    neighbors.set_permanent(self._address(), PEER_MAC, now)
            case 4:
                neighbors.forget(self._address())
            case 5:
                with contextlib.suppress(ValueError):
                    neighbors.publish(self._address(ARP_PLACES), None if kind & 16 else PEER_MAC)
            case 6:
                world.answers_arp = not world.answers_arp
            case 7:
                with contextlib.suppress(ValueError):
                    host.ip.routes.add(Prefix(parse_ipv4("192.0.2.0"), 24), world.interface, self._address())
            case 8:
                host.ip.routes.remove(Prefix(parse_ipv4("192.0.2.0"), 24))
            case 9:
                self._swap_listener()
            case 10:
                port = host.bind_tcp((ANY, 0), reuse_address=bool(kind & 16))
                assert port not in [connection.local[1] for connection in host.tcp.connections.values()]
                host.release_tcp((ANY, port))
            case 11:
                host.routes(), host.neighbors(), host.connections(), host.interfaces()
            case _:
                for connection in world.users[:4]:
                    connection.packet_too_big(300 + kind * 5, connection.snd_una)

    def _swap_address(self, host: HostCore) -> None:
        second = Prefix(parse_ipv4("10.0.0.3"), 24)
        mode = ("off", "optimistic", "strict", "probed")[self.reader.number() & 3]
        if host.addresses.ours(second.address):
            host.remove_address(self.world.interface, second.address, self.world.now)
        else:
            host.add_address(self.world.interface, second, self.world.now, acd=mode)

    def _swap_listener(self) -> None:
        world = self.world
        if len(world.listeners) > 1:
            world.listeners.pop().close(world.now)
        else:
            world.listeners.append(world.host.listen((ANY, 8), 2, world.now))
