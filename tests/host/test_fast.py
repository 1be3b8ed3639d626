"""Fast is plain, octet by octet and counter by counter: whatever comes, and whatever changes.

Each script happens to two hosts, of which one takes fast paths (`stack/host/fast`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from random import Random

import stack.host.fast
from stack.tcp.seq import MASK
from stack.tcp.states import State
from stack.wire.addresses import BROADCAST, Prefix
from stack.wire.arp import REQUEST, ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_ARP, PROTO_TCP
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG
from tests.host.direct_host import MAC, OTHER, PEER, PEER_MAC, US
from tests.host.fast_and_plain import (
    MSS,
    TCP_CHANGES,
    Piece,
    Script,
    Twin,
    by_another_link,
    changed,
    datagram,
    repaired,
    repaired_message,
    request,
    row,
    scripts,
)

script, test_fast_is_plain = scripts()


# --- segments


ODD: dict[str, Piece] = {
    "pushed": Piece(6 * MSS, flags=ACK | PSH),
    "the end": Piece(6 * MSS, flags=ACK | FIN),
    "urgent": Piece(6 * MSS, flags=ACK | URG, up=1),
    "a reset": Piece(6 * MSS, 0, flags=RST),
    "a SYN": Piece(6 * MSS, 0, flags=SYN),
    "once more": Piece(5 * MSS),
    "too early": Piece(7 * MSS),
    "far too early": Piece(1 << 24),
    "shorter": Piece(6 * MSS, MSS - 10),
    "longer": Piece(6 * MSS, MSS + 4),
    "without text": Piece(6 * MSS, 0),
    "another window": Piece(6 * MSS, window=501),
    "window closed": Piece(6 * MSS, window=0),
    "an acknowledgment of what was not sent": Piece(6 * MSS, ack=1),
    "later": Piece(6 * MSS, stamp=1001),
    "from the past": Piece(6 * MSS, stamp=999),
    "from elsewhere": Piece(6 * MSS, ttl=63),
    "congestion experienced": Piece(6 * MSS, tos=3),
    "padded": Piece(6 * MSS, padding=4),
    "of another connection": Piece(0, port=4001),
    "of no connection": Piece(6 * MSS, port=4002),
    "to another station": Piece(6 * MSS, station=b"\x02\0\0\0\0\3"),
    "to all stations": Piece(6 * MSS, station=b"\xff" * 6),
}


def amid(odd: Piece, verified: bool) -> Script:
    pieces = [*row(6), odd, *(Piece((number + 7) * MSS) for number in range(4))]
    return lambda twin: twin.hears(*twin.segments(*pieces), verified=(verified,))


for what, odd_piece in ODD.items():
    for known in (False, True):
        script(f"a segment amid others: {what}, {'verified' if known else 'not verified'}")(amid(odd_piece, known))


def in_a_row(length: int, verified: tuple[bool, ...]) -> Script:
    return lambda twin: twin.hears(*twin.segments(*row(12, length)), verified=verified)


for stamped in (True, False):
    for verified in ((False,), (True,), (False, False, True), (True, False)):
        for length in (MSS, MSS - 1, 1200, 500):
            options = {"stamped": stamped}
            script(f"in a row: {length} octets, {verified}, stamped {stamped}", **options)(in_a_row(length, verified))

for before in (0, 1, 3 * MSS, 3 * MSS + 1, 3 * MSS - 1):
    script(f"{before} octets before sequence numbers wrap around", iss=MASK - before)(in_a_row(MSS, (False,)))


@script("super-frames")
def _(twin: Twin) -> None:
    twin.hears(
        *twin.segments(*(Piece(number * 15_000, 15_000, window=0xFFFF) for number in range(4))), verified=(True,)
    )


def one_octet(at: int, octet: int) -> Script:
    def run(twin: Twin) -> None:
        frames = twin.segments(*row(5))
        frames[3] = changed(frames[3], at, frames[3][at] ^ octet)
        twin.hears(*frames)
        twin.hears(*twin.segments(*row(5)[3:]))

    return run


def one_octet_verified(at: int) -> Script:
    """A link verifies what TCP sums, and no more."""

    def run(twin: Twin) -> None:
        frames = twin.segments(*row(5))
        frames[3] = changed(frames[3], at, frames[3][at] ^ 4)
        twin.hears(*frames, verified=(True,))

    return run


random = Random(5)
for at in [*range(66), *(random.randrange(66, 66 + MSS) for _ in range(10))]:
    script(f"a segment with another octet {at}")(one_octet(at, random.randrange(1, 256)))
for at in range(66):
    script(f"a verified segment with another octet {at}")(one_octet_verified(at))


def off_by(frame: bytes, much: int) -> bytes:
    """With a TCP checksum that is wrong by so much."""
    checksum = (int.from_bytes(frame[50:52], "big") + much) % 0xFFFF
    return frame[:50] + checksum.to_bytes(2, "big") + frame[52:]


@script("a partial checksum is no measure for the next")
def _(twin: Twin) -> None:
    """All have the same wrong sum, which is nothing to the link that has verified the first."""
    frames = [off_by(frame, 0x1111) for frame in twin.segments(*row(4))]
    twin.hears(*frames, verified=(True, False, False, False))


@script("padding is no text")
def _(twin: Twin) -> None:
    twin.hears(*twin.segments(Piece(0, padding=4), Piece(MSS + 4, padding=4)))


@script("segments by another link")
def _(twin: Twin) -> None:
    by_another_link(twin, *twin.segments(*row(8)))


@script("a window that ends amid a batch")
def _(twin: Twin) -> None:
    connection = twin.connections[0]
    connection.rcvbuf = connection.rcv_wnd = 7 * MSS + 100
    twin.hears(*twin.segments(*row()))


@script("where sequence numbers wrap around the next port is another", iss=MASK - 6 * MSS)
def _(twin: Twin) -> None:
    """The next segment of the row, but to port 8: a carry out of SEG.SEQ would make 8 of our 7."""
    frames = twin.segments(*row(7))
    ip, tcp = frames[6][:34], frames[6][34:50] + bytes(2) + frames[6][52:]
    tcp = tcp[:2] + b"\0\x08" + tcp[4:]
    checksum = internet_checksum(tcp, pseudo_sum(PEER, US, PROTO_TCP, len(tcp)))
    frames[6] = ip + tcp[:16] + checksum.to_bytes(2, "big") + tcp[18:]
    twin.hears(*frames)
    twin.hears(*frames, verified=(True,))


@script("what the user reads and sends between batches counts")
def _(twin: Twin) -> None:
    connection = twin.connections[0]
    for number in range(3):
        twin.hears(*twin.segments(*(Piece((4 * number + piece) * MSS) for piece in range(4))))
        if number == 0:
            connection.receive(3 * MSS, twin.now)
        else:
            connection.send(b"answer", twin.now)
        twin.host.after_call(twin.now)


@script("an end amid a batch finds all that came before")
def _(twin: Twin) -> None:
    """The link is gone: what it has brought is there, and then the error."""
    for frame in twin.segments(*row(5)):
        twin.host.frame(twin.interface, twin.now, memoryview(frame))
    twin.host.detach(twin.interface, twin.now)
    twin.host.batch_end(twin.now)
    assert twin.connections[0].receive_buffer.size == 5 * MSS


@script("frames of another kind in between")
def _(twin: Twin) -> None:
    frames = twin.segments(*row(6))
    arp = ethernet_ii(b"\xff" * 6, PEER_MAC, ETHERTYPE_ARP) + ArpPacket(REQUEST, PEER_MAC, PEER, bytes(6), US).build()
    twin.bind()
    twin.hears(*frames[:3], arp, b"", frames[3][:30], datagram(), frames[3], request(), datagram(), *frames[4:])


@script("frames from our own station address")
def _(twin: Twin) -> None:
    """A loop in the network, or a forger."""
    twin.bind()
    for frame in [*twin.segments(*row(2)), datagram(), request()]:
        twin.hears(frame, frame[:6] + MAC + frame[12:], b"\xff" * 6 + MAC + frame[12:])


def segments_around(change: Script) -> Script:
    def run(twin: Twin) -> None:
        twin.hears(*twin.segments(*row(3)))
        change(twin)
        twin.hears(*twin.segments(*(Piece((3 + number) * MSS) for number in range(3))))
        twin.passes(1.0)

    return run


for what, change in TCP_CHANGES.items():
    script(f"segments, and meanwhile: {what}")(segments_around(change))


@script("a fragment with the Identification of a segment that follows")
def _(twin: Twin) -> None:
    """RFC 6864 section 4.1, as for datagrams below."""
    frames = [repaired(frame[:20] + b"\0\0" + frame[22:]) for frame in twin.segments(*row(2))]
    twin.hears(repaired(frames[1][:20] + b"\x20\0" + frames[1][22:]))
    twin.hears(*frames)
    twin.passes(120.0)


@script("a SYN that reopens a connection in TIME-WAIT")
def _(twin: Twin) -> None:
    connection = twin.connections[0]
    connection.close(twin.now)
    twin.host.after_call(twin.now)
    twin.hears(*twin.segments(Piece(0, 0, flags=ACK | FIN, ack=1)))
    assert connection.state is State.TIME_WAIT
    twin.hears(*twin.segments(Piece(1, 0, flags=SYN, stamp=5000)))
    assert twin.listener.half_open == 1


# --- datagrams


def connect_and_disconnect(twin: Twin) -> None:
    twin.endpoints[0].connect((OTHER, 9), twin.now)
    twin.hears(datagram())
    twin.endpoints[0].disconnect()


UDP_CHANGES: dict[str, Script] = {
    "nothing": lambda twin: None,
    "a closer match": lambda twin: twin.bind(US),
    "closed": lambda twin: twin.endpoints[0].close(),
    "connected to another": lambda twin: twin.endpoints[0].connect((OTHER, 9), twin.now),
    "connected, and disconnected": connect_and_disconnect,
    "not our address any more": lambda twin: twin.host.remove_address(twin.interface, US, twin.now),
    "the sender's address is ours": lambda twin: twin.host.add_address(
        twin.interface, Prefix(PEER, 24), twin.now, acd="off"
    ),
    "our address is that of all hosts for the sender": lambda twin: twin.narrow(),
    "claimed": lambda twin: twin.claim(),
    "full": lambda twin: twin.hears(*[datagram(bytes(300))] * 9),
}


def udp_around(change: Script) -> Script:
    def run(twin: Twin) -> None:
        twin.bind()
        for _ in range(3):
            twin.hears(datagram())
        change(twin)
        for _ in range(3):
            twin.hears(datagram())

    return run


for what, change in UDP_CHANGES.items():
    script(f"datagrams, and meanwhile: {what}")(udp_around(change))


@script("a datagram with each octet changed, with each length, with padding")
def _(twin: Twin) -> None:
    random, good = Random(7), datagram()
    frames = [changed(good, at, random.randrange(256)) for at in range(len(good)) for _ in range(3)]
    frames += [datagram(cut=count) for count in range(1, len(good) - 14)]
    frames += [good + bytes(count) for count in (1, 2, 18)] + [changed(changed(good, 40, 0), 41, 0)]
    frames += [datagram(ttl=ttl) for ttl in (0, 1, 255)]
    frames += [repaired(changed(good, 23, protocol)) for protocol in (1, 6, 200)]
    frames += [repaired(changed(good, 17, total)) for total in (*range(19, 30), len(good) - 15)]  # the rest is padding
    twin.bind()
    for each in frames:
        twin.hears(good)
        twin.hears(each)
        twin.endpoints[0].receive_datagram()


@script("a super-frame is taken apart whatever its sender sent before")
def _(twin: Twin) -> None:
    twin.bind()
    for size in (0, 0, 20, 0):
        twin.link.rx_gso_size = size
        twin.hears(datagram(bytes(range(50))), verified=(True,))
    assert twin.endpoints[0].queued == 6


@script("a datagram with our own source address")
def _(twin: Twin) -> None:
    """What we send to ourselves is not learnt: the same from a link is forged."""
    twin.bind()
    twin.bind(US, 4000).send_to(b"from us, to ourselves", (US, 7), twin.now)
    twin.host.batch_end(twin.now)
    twin.hears(datagram(b"from who knows where", source=US))
    assert twin.host.counters["ipv4_own_source"] == 1


@script("a broadcast between datagrams")
def _(twin: Twin) -> None:
    twin.bind()
    twin.bind()
    frame = repaired(datagram()[:30] + BROADCAST + datagram()[34:])
    twin.hears(datagram(), frame, frame, b"\xff" * 6 + frame[6:], datagram())


@script("datagrams by another link")
def _(twin: Twin) -> None:
    twin.bind()
    by_another_link(twin, *[datagram()] * 6)


@script("a fragment with the Identification of a datagram that follows")
def _(twin: Twin) -> None:
    """RFC 6864 section 4.1: a datagram that is whole ends the wait for the other fragments of its Identification."""
    twin.bind()
    twin.hears(datagram(), datagram())
    fragment = repaired(datagram()[:20] + b"\x20\0" + datagram()[22:])
    twin.hears(fragment, datagram(), datagram())
    twin.passes(120.0)


# --- Echo Requests

ECHO_CHANGES: dict[str, Script] = {
    "nothing": lambda twin: None,
    "not our address any more": lambda twin: twin.host.remove_address(twin.interface, US, twin.now),
    "the pinging host's address is ours": lambda twin: twin.host.add_address(
        twin.interface, Prefix(PEER, 24), twin.now, acd="off"
    ),
    "a small MTU": lambda twin: twin.host.set_mtu(twin.interface, 576, twin.now),
    "a narrow path": lambda twin: twin.host.ip.output.lower_mtu(PEER, 600, twin.now),
    "another route": lambda twin: twin.host.ip.routes.add(Prefix(PEER, 32), twin.interface, gateway=OTHER),
    "no route": lambda twin: twin.host.ip.routes.remove_interface(twin.interface),
    "no neighbour": lambda twin: twin.forget_neighbors(),
    "the pinging host's address is that of all hosts": lambda twin: twin.narrow(),
    "a minute": lambda twin: twin.passes(61.0),
}


def pings_around(change: Script) -> Script:
    def run(twin: Twin) -> None:
        for _ in range(3):
            twin.hears(request(bytes(1000)))
        change(twin)
        for _ in range(3):
            twin.hears(request(bytes(1000)))

    return run


for what, change in ECHO_CHANGES.items():
    script(f"Echo Requests, and meanwhile: {what}")(pings_around(change))


@script("an Echo Request with each octet changed, with each length, with padding")
def _(twin: Twin) -> None:
    random, good = Random(7), request()
    frames = [changed(good, at, random.randrange(256)) for at in range(len(good)) for _ in range(3)]
    frames += list(map(repaired_message, frames))
    frames += [request(cut=count) for count in range(1, len(good) - 14)]
    frames += [good + bytes(count) for count in (1, 2, 18)]
    frames += [repaired_message(changed(good, 17, total)) for total in range(19, 34)]  # the rest is padding
    frames += [request(ttl=ttl, tos=tos) for ttl in (0, 1, 255) for tos in (0, 0x10, 3)]
    frames += [request(bytes(count)) for count in range(30)] + [request(bytes(1472)), request(b"x" * 1471)]
    frames += [request(bytes(count), number=0) for count in (12, 13, 56)]  # what is left of it sums to nothing
    for each in frames:
        twin.hears(good)
        twin.hears(each)


@script("Echo Requests by another link")
def _(twin: Twin) -> None:
    by_another_link(twin, *[request()] * 6)


@script("an Echo Request with our own source address")
def _(twin: Twin) -> None:
    """What we ask ourselves is not learnt: the same from a link is forged."""
    for _ in range(3):
        twin.host.ping(US, b"are we here?", twin.now, lambda result: None)
        twin.host.batch_end(twin.now)
    twin.hears(request(source=US))
    assert twin.host.counters["ipv4_own_source"] == 1


# --- the table of what is counted here instead of there


def counters_named(file: Path) -> Iterator[str]:
    """The counters and reasons for a drop that a file counts."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            if isinstance(node.slice.value, str):
                yield node.slice.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "drop":
            yield ast.literal_eval(node.args[0])


def test_what_is_counted_here_stands_in_the_table() -> None:
    folder = Path(stack.host.fast.__file__).parent
    table = (stack.host.fast.__doc__ or "").partition("counted here instead of there")[2]
    found = {name for file in folder.glob("*.py") for name in counters_named(file)}
    assert len(found) > 8
    assert {name for name in found if name not in table} == set()
