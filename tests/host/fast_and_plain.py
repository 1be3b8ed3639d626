"""Two hosts that are told the same, one with fast paths and one without, and frames to tell them.

`both` runs a script on the two and compares everything: each octet sent, each counter, each reason
for a drop, what programs received, and all that the connections hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from stack.config import Config, HostConfig, TcpConfig, UdpConfig
from stack.host.fast import Fast
from stack.link.memory import Ethernet
from stack.tcp import seq
from stack.tcp.connection import Connection
from stack.tcp.seq import MASK
from stack.udp.endpoint import Endpoint
from stack.wire.addresses import ANY, Prefix
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK, SYN, TcpHeader, build_segment
from stack.wire.tcp_options import TcpOptions, build_options
from stack.wire.udp import build_datagram
from tests.host.direct_host import MAC, OTHER, PEER, PEER_MAC, US, DirectHost

MSS = 1448
COUNT = 12

# References to the surroundings of a connection: they differ between the two hosts.
NOT_COMPARED = {"services", "path", "on_readable", "on_writable", "on_urgent", "heap_entry", "_config", "__weakref__"}
NOT_COMPARED |= {"listener", "_services"}


def picture(thing: object) -> object:
    """Everything an object holds, down to its numbers."""
    if isinstance(thing, list | tuple | deque):
        return [picture(item) for item in thing]
    if isinstance(thing, dict):
        return {key: picture(value) for key, value in thing.items()}
    if isinstance(thing, memoryview):
        return bytes(thing)
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    if slots and not isinstance(thing, int | str | bytes):
        return {name: picture(getattr(thing, name)) for name in slots if name not in NOT_COMPARED}
    return thing


@dataclass(frozen=True)
class Piece:
    """A segment of the peer's: where its text begins in the stream, and what is odd about it.

    `ack` counts from what the peer acknowledged last.
    """

    offset: int
    length: int = MSS
    flags: int = ACK
    ack: int = 0
    window: int = 500
    stamp: int = 1000
    echoed: int = 0
    ttl: int = 64
    tos: int = 0
    port: int = 4000
    up: int = 0
    padding: int = 0
    station: bytes = MAC
    sacked: tuple[tuple[int, int], ...] = ()


class Twin(DirectHost):
    """A host with two connections from the peer, as many UDP endpoints as a script binds, and no clock."""

    def __init__(
        self, fast_paths: bool, *, tcp: TcpConfig | None = None, iss: int = 1_000_000, stamped: bool = True
    ) -> None:
        host = replace(HostConfig(), fast_paths=fast_paths)
        super().__init__(Config(host=host, tcp=tcp or TcpConfig(), udp=UdpConfig(receive_bytes=2000)))
        self.iss, self.stamped = iss, stamped
        self._identification = 0
        self.acked: dict[int, int] = {}
        self.listener = self.host.listen((US, 7), 8, 0.0)
        self.endpoints: list[Endpoint] = []
        self.connections = [self.open(4000), self.open(4001)]
        assert (self.host.fast is not None) == fast_paths  # otherwise two of a kind would be compared

    @property
    def fast(self) -> Fast:
        """Its fast paths."""
        assert self.host.fast is not None
        return self.host.fast

    def open(self, port: int) -> Connection:
        self.hears(self.segment(Piece(-1, 0, SYN, window=0xFFFF, port=port)))
        syn = next(frame for frame in reversed(self.sent) if frame[36:38] == port.to_bytes(2, "big"))
        self.acked[port] = int.from_bytes(syn[38:42], "big") + 1
        self.hears(self.segment(Piece(0, 0, port=port)))
        connection = self.listener.accept()
        assert connection is not None
        return connection

    def segment(self, piece: Piece) -> bytes:
        """As the peer's kernel makes it: the Identification counts up."""
        self._identification += 1
        stamps = (piece.stamp, piece.echoed) if self.stamped else None
        options = TcpOptions(timestamps=stamps, sack_blocks=piece.sacked)
        if piece.flags & SYN:
            options = TcpOptions(MSS, 7, True, (), stamps)
        ack = (self.acked.get(piece.port, 0) + piece.ack) & MASK
        seq = (self.iss + 1 + piece.offset) & MASK
        header = TcpHeader(
            piece.port, 7, seq, ack, piece.flags, piece.window, options=build_options(options), urgent_pointer=piece.up
        )
        text = bytes((piece.offset + at) * 7 & 0xFF for at in range(piece.length))
        length = header.header_length + len(text)
        tcp = build_segment(header, text, pseudo_sum(PEER, US, PROTO_TCP, length))
        ip = Ipv4Header(
            PEER, US, PROTO_TCP, 20 + length, identification=self._identification, dont_fragment=True,
            ttl=piece.ttl, tos=piece.tos,
        )  # fmt: skip
        return ethernet_ii(piece.station, PEER_MAC, ETHERTYPE_IPV4) + ip.build() + tcp + bytes(piece.padding)

    def segments(self, *pieces: Piece) -> list[bytes]:
        return [self.segment(piece) for piece in pieces]

    def passes(self, seconds: float) -> None:
        """Time passes, and what is due is done."""
        end = self.now + seconds
        while self.host.deadline <= end:
            self.now = max(self.now, self.host.deadline)
            self.host.on_deadline(self.now)
            self.hears()
        self.now = end

    def bind(self, address: bytes = ANY, port: int = 7) -> Endpoint:
        endpoint = self.host.udp.open()
        endpoint.reuse_address = True
        endpoint.bind((address, port))
        self.endpoints.append(endpoint)
        return endpoint

    def claim(self) -> None:
        """The port is the host's own from now on."""
        self.endpoints[0].close()
        self.host.udp.claim(7, lambda *_: None)

    def narrow(self) -> None:
        """From now on the peer's address is that of all hosts of our network."""
        self.host.remove_address(self.interface, US, self.now)
        self.host.add_address(self.interface, Prefix(US, 30), self.now, acd="off")

    def forget_neighbors(self) -> None:
        assert self.interface.neighbors is not None
        self.interface.neighbors.flush()

    def outcome(self) -> tuple[object, ...]:
        """What was sent, dropped and counted, what programs got, and all that connections hold."""
        pictures = [picture(connection) for connection in self.connections]
        got: list[object] = [
            connection.receive(1 << 20, self.now) for connection in self.connections if not connection.error
        ]
        for endpoint in self.endpoints:
            while not endpoint.closed and (datagram := endpoint.receive_datagram()) is not None:
                got.append(repr(datagram))
        return pictures, got, *super().outcome()


Script = Callable[[Twin], object]


def both(
    script: Script, *, tcp: TcpConfig | None = None, iss: int = 1_000_000, stamped: bool = True
) -> tuple[Twin, Twin]:
    """Run the script with and without fast paths, and compare the outcome."""
    twins = Twin(True, tcp=tcp, iss=iss, stamped=stamped), Twin(False, tcp=tcp, iss=iss, stamped=stamped)
    for twin in twins:
        script(twin)
    for fast, plain in zip(twins[0].outcome(), twins[1].outcome(), strict=True):
        assert fast == plain
    return twins


def scripts() -> tuple[Callable[..., Callable[[Script], Script]], Callable[[str], None]]:
    """A decorator that adds a script, by its name and with the arguments of `both`; and the test of all of them."""
    table: dict[str, tuple[Script, dict[str, Any]]] = {}

    def script(name: str, **options: Any) -> Callable[[Script], Script]:
        def added(function: Script) -> Script:
            assert name not in table
            table[name] = function, options
            return function

        return added

    @pytest.mark.parametrize("name", table)
    def test(name: str) -> None:
        run, options = table[name]
        both(run, **options)

    return script, test


class Told(Twin):
    """A host whose first connection is told what to do by numbers."""

    def __init__(self, fast_paths: bool, tcp: TcpConfig) -> None:
        super().__init__(fast_paths, tcp=tcp)
        self.conn = self.connections[0]
        self.port = 4000
        self.stamp = 5000

    def arrives(self, length: int, ahead: int, acked: int, window: int, flags: int, age: int, sack: bool) -> None:
        """A segment `ahead` octets beyond what comes next that acknowledges `acked` octets of what is in flight."""
        conn = self.conn
        self.acked[self.port] = ack = seq.add(conn.snd_una, min(acked, conn.flight))
        sacked = ((seq.add(ack, 100), seq.add(ack, 400)),) if sack and conn.scoreboard is not None else ()
        offset = seq.sub(seq.add(conn.rcv_nxt, ahead), self.iss + 1)
        stamp, echoed = (self.stamp - age) & MASK, conn.timestamps.clock(self.now)
        piece = Piece(offset, length, ACK | flags, 0, window, stamp, echoed, port=self.port, up=1, sacked=sacked)
        self.stamped = conn.timestamps.agreed
        self.hears(self.segment(piece))

    def user(self, call: Callable[[Connection, float], object]) -> None:
        try:
            call(self.conn, self.now)
        except OSError:
            pass
        self.host.after_call(self.now)

    def do(self, event: tuple[Any, ...]) -> None:
        match event:
            case ("arrives", *numbers):
                self.arrives(*numbers)
            case ("passes", seconds):
                self.stamp += int(seconds * 1000)
                self.passes(seconds)
            case ("send", count):
                self.user(lambda conn, now: conn.send(bytes(count), now))
            case ("receive", count):
                self.user(lambda conn, now: conn.receive(count, now))
            case _:
                self.user(lambda conn, now: conn.shutdown_write(now))
        self.hears()

    def state(self) -> object:
        sent, self.sent = self.sent, []
        return picture(self.conn), sent, dict(self.host.counters)


TCP_CHANGES: dict[str, Script] = {
    "the peer's address is ours": lambda twin: twin.host.add_address(
        twin.interface, Prefix(PEER, 24), twin.now, acd="off"
    ),
    "the peer's address is that of all hosts": lambda twin: twin.host.add_address(
        twin.interface, Prefix(OTHER, 30), twin.now, acd="off"
    ),
    "another address is ours": lambda twin: twin.host.add_address(
        twin.interface, Prefix(OTHER, 24), twin.now, acd="off"
    ),
    "not our address any more": lambda twin: twin.host.remove_address(twin.interface, US, twin.now),
    "no route": lambda twin: twin.host.ip.routes.remove_interface(twin.interface),
    "a small MTU": lambda twin: twin.host.set_mtu(twin.interface, 576, twin.now),
    "no neighbour": lambda twin: twin.forget_neighbors(),
}


def by_another_link(twin: Twin, *frames: bytes) -> None:
    """Every fourth frame, from the third on, comes by another link: as it is, and to its MAC."""
    other = Ethernet().attach("other", b"\x02\0\0\0\0\7")
    other.open(lambda: None)
    interface = twin.host.attach(other, [Prefix(OTHER, 32)], None, 0.0, acd="off")
    for number, frame in enumerate(frames):
        by = interface if number % 4 == 2 else twin.interface
        twin.host.frame(by, twin.now, memoryview(frame))
        if by is interface:
            twin.host.frame(by, twin.now, memoryview((by.mac or b"") + frame[6:]))
    twin.host.batch_end(twin.now)


# --- frames


def row(count: int = COUNT, length: int = MSS) -> list[Piece]:
    """Segments in a row, as a sender's link cuts them."""
    return [Piece(number * length, length) for number in range(count)]


def datagram(
    data: bytes = b"some octets, that is", source: bytes = PEER, port: int = 7, cut: int = 0, ttl: int = 64
) -> bytes:
    """A UDP datagram from port 4000."""
    udp = build_datagram(4000, port, data, pseudo_sum(source, US, PROTO_UDP, 8 + len(data)))
    packet = Ipv4Header(source, US, PROTO_UDP, 20 + len(udp), ttl=ttl, tos=4).build() + udp
    return (ethernet_ii(MAC, PEER_MAC, ETHERTYPE_IPV4) + packet)[: -cut or None]


def request(
    data: bytes = bytes(range(56)), source: bytes = PEER, number: int = 1, ttl: int = 64, tos: int = 0, cut: int = 0
) -> bytes:
    """An Echo Request."""
    message = echo_request(number, number, data).build()
    packet = Ipv4Header(source, US, PROTO_ICMP, 20 + len(message), ttl=ttl, tos=tos).build() + message
    return (ethernet_ii(MAC, PEER_MAC, ETHERTYPE_IPV4) + packet)[: -cut or None]


def changed(original: bytes, at: int, octet: int) -> bytes:
    return original[:at] + bytes((octet,)) + original[at + 1 :]


def repaired(frame: bytes) -> bytes:
    """With an IP header whose checksum is right."""
    ip = frame[14:24] + bytes(2) + frame[26:34]
    return frame[:14] + ip[:10] + internet_checksum(ip).to_bytes(2, "big") + ip[12:] + frame[34:]


def repaired_message(frame: bytes) -> bytes:
    """With an ICMP message whose checksum is right, too."""
    message = frame[34:36] + bytes(2) + frame[38:]
    return repaired(frame)[:34] + message[:2] + internet_checksum(message).to_bytes(2, "big") + message[4:]
