"""Consecutive frames of one stream, processed together: the connection ends in the same state as
frame by frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import pytest

from stack.config import Config, TcpConfig
from stack.host.gro import SegmentTrain
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.seq import MASK
from stack.wire.addresses import Prefix
from stack.wire.arp import REQUEST, ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import ACK, FIN, PSH, SYN, URG, TcpHeader, build_segment
from stack.wire.tcp_options import TcpOptions, build_options
from tests.host.direct_host import MAC, OTHER, PEER, PEER_MAC, US, DirectHost
from tests.tcp.test_predict import picture

MSS = 1448
COUNT = 12


@dataclass(frozen=True)
class Piece:
    """A segment of the peer's: where its text begins in the stream, and what is odd about it."""

    offset: int
    length: int = MSS
    flags: int = ACK
    ack: int = 0
    window: int = 500
    stamp: int = 1000
    ttl: int = 64
    tos: int = 0
    port: int = 4000
    up: int = 0
    padding: int = 0
    station: bytes = MAC


class Twin(DirectHost):
    """A host with a connection from the peer, which sends batches of frames."""

    def __init__(self, prediction: bool, iss: int, stamped: bool) -> None:
        config = replace(Config(), tcp=TcpConfig(prediction=prediction))
        super().__init__(config)
        self.iss, self.stamped = iss, stamped
        self._identification = 0
        self._acks: dict[int, int] = {}
        self.listener = self.host.listen((US, 7), 8, 0.0)
        self.connections = [self.open(4000), self.open(4001)]

    def open(self, port: int) -> Connection:
        self.hears(self.frame(Piece(-1, 0, SYN, window=0xFFFF, port=port)))
        syn = next(frame for frame in reversed(self.sent) if frame[36:38] == port.to_bytes(2, "big"))
        self._acks[port] = int.from_bytes(syn[38:42], "big") + 1
        self.hears(self.frame(Piece(0, 0, port=port)))
        connection = self.listener.accept()
        assert connection is not None
        return connection

    def frame(self, piece: Piece) -> bytes:
        """As the peer's kernel makes it: the Identification counts up."""
        self._identification += 1
        stamps = (piece.stamp, 0) if self.stamped else None
        options = TcpOptions(timestamps=stamps)
        if piece.flags & SYN:
            options = TcpOptions(MSS, 7, True, (), stamps)
        ack = (self._acks.get(piece.port, 0) + piece.ack) & MASK
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

    def outcome(self) -> tuple[object, ...]:
        picture_of_all = [picture(connection) for connection in self.connections]
        got = [connection.receive(1 << 20, 1.0) for connection in self.connections if not connection.error]
        return picture_of_all, got, *super().outcome()


def row(count: int = COUNT) -> list[Piece]:
    """Segments in a row, as a sender's link cuts them."""
    return [Piece(number * MSS) for number in range(count)]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What each run has said of each frame."""
    said: list[bool] = []
    append = SegmentTrain.append

    def listening(train: SegmentTrain, view: memoryview, checksum_ok: bool) -> bool:
        said.append(append(train, view, checksum_ok))
        return said[-1]

    monkeypatch.setattr(SegmentTrain, "append", listening)
    return said


def both(change: Callable[[Twin], object], iss: int = 1_000_000, stamped: bool = True) -> None:
    """The short way and the full way have the same outcome."""
    twins = [Twin(prediction, iss, stamped) for prediction in (True, False)]
    for twin in twins:
        change(twin)
    for ours, theirs in zip(twins[0].outcome(), twins[1].outcome(), strict=True):
        assert ours == theirs


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("verified", [(False,), (True,), (False, False, True), (True, False)])
@pytest.mark.parametrize("length", [MSS, MSS - 1, 1200])
def test_segments_in_a_row_are_one_run(
    taken: list[bool], stamped: bool, verified: tuple[bool, ...], length: int
) -> None:
    pieces = [Piece(number * length, length) for number in range(COUNT)]
    both(lambda twin: twin.hears(*map(twin.frame, pieces), verified=verified), stamped=stamped)
    assert taken.count(True) >= (COUNT - 1 if len(set(verified)) == 1 else COUNT // 3 - 1)


def test_short_segments_are_stored_together_as_ever(taken: list[bool]) -> None:
    both(lambda twin: twin.hears(*(twin.frame(Piece(number * 500, 500)) for number in range(COUNT))))
    assert taken == []


def test_super_frames_in_a_row_are_one_run(taken: list[bool]) -> None:
    pieces = [Piece(number * 15_000, 15_000, window=0xFFFF) for number in range(4)]
    both(lambda twin: twin.hears(*map(twin.frame, pieces), verified=(True,)))
    assert taken == [True] * 3


ODD: dict[str, Piece] = {
    "pushed": Piece(6 * MSS, flags=ACK | PSH),
    "the end": Piece(6 * MSS, flags=ACK | FIN),
    "urgent": Piece(6 * MSS, flags=ACK | URG, up=1),
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


@pytest.mark.parametrize("what", ODD)
def test_an_odd_frame_is_processed_as_by_the_plain_code(what: str) -> None:
    pieces = [*row(6), ODD[what], *(Piece((number + 7) * MSS) for number in range(4))]
    both(lambda twin: twin.hears(*map(twin.frame, pieces)))
    both(lambda twin: twin.hears(*map(twin.frame, pieces), verified=(True,)))


def test_a_frame_with_any_octet_changed_is_processed_as_by_the_plain_code(taken: list[bool]) -> None:
    random = Random(5)
    both(lambda twin: None)
    for at in [*range(66), *(random.randrange(66, 66 + MSS) for _ in range(10))]:
        octet = random.randrange(1, 256)

        def change(twin: Twin, at: int = at, octet: int = octet) -> None:
            frames = list(map(twin.frame, row(5)))
            frames[3] = frames[3][:at] + bytes((frames[3][at] ^ octet,)) + frames[3][at + 1 :]
            twin.hears(*frames)
            twin.hears(*map(twin.frame, row(5)[3:]))

        taken.clear()
        both(change)
        assert not all(taken), f"octet {at}"


@pytest.mark.parametrize("at", range(66))
def test_a_link_verifies_what_tcp_sums_and_no_more(at: int) -> None:
    def change(twin: Twin) -> None:
        frames = list(map(twin.frame, row(5)))
        frames[3] = frames[3][:at] + bytes((frames[3][at] ^ 4,)) + frames[3][at + 1 :]
        twin.hears(*frames, verified=(True,))

    both(change)


def off_by(frame: bytes, much: int) -> bytes:
    """With a TCP checksum that is wrong by so much."""
    checksum = (int.from_bytes(frame[50:52], "big") + much) % 0xFFFF
    return frame[:50] + checksum.to_bytes(2, "big") + frame[52:]


def test_a_partial_checksum_is_no_measure_for_the_next() -> None:
    """All have the same wrong sum, which is nothing to the link that has verified the first."""

    def change(twin: Twin) -> None:
        frames = [off_by(twin.frame(piece), 0x1111) for piece in row(4)]
        twin.hears(*frames, verified=(True, False, False, False))

    both(change)


def test_padding_is_no_text() -> None:
    both(lambda twin: twin.hears(*map(twin.frame, [Piece(0, padding=4), Piece(MSS + 4, padding=4)])))


def test_a_frame_that_another_link_brings_is_not_of_the_run(taken: list[bool]) -> None:
    def change(twin: Twin) -> None:
        other = Ethernet().attach("other", b"\x02\0\0\0\0\7")
        other.open(lambda: None)
        interface = twin.host.attach(other, [Prefix(OTHER, 32)], None, 0.0, acd="off")
        for number, frame in enumerate(map(twin.frame, row(4))):
            twin.host.frame(twin.interface if number != 2 else interface, 1.0, memoryview(frame))
        twin.host.batch_end(1.0)

    both(change)
    assert taken == [True]


def test_a_run_ends_where_the_window_ends(taken: list[bool]) -> None:
    def change(twin: Twin) -> None:
        connection = twin.connections[0]
        connection.rcvbuf = connection.rcv_wnd = 7 * MSS + 100
        twin.hears(*map(twin.frame, row()))

    both(change)
    assert taken[:7] == [True] * 6 + [False]


@pytest.mark.parametrize("before", [0, 1, 3 * MSS, 3 * MSS + 1, 3 * MSS - 1])
def test_sequence_numbers_wrap_around(before: int) -> None:
    both(lambda twin: twin.hears(*map(twin.frame, row())), iss=MASK - before)


def test_where_sequence_numbers_wrap_around_the_next_port_is_another(taken: list[bool]) -> None:
    """The next segment of the run, but to port 8: a carry out of SEG.SEQ would make 8 of our 7."""

    def change(twin: Twin) -> None:
        frames = list(map(twin.frame, row(7)))
        ip, tcp = frames[6][:34], frames[6][34:50] + bytes(2) + frames[6][52:]
        tcp = tcp[:2] + b"\0\x08" + tcp[4:]
        checksum = internet_checksum(tcp, pseudo_sum(PEER, US, PROTO_TCP, len(tcp)))
        frames[6] = ip + tcp[:16] + checksum.to_bytes(2, "big") + tcp[18:]
        twin.hears(*frames)
        twin.hears(*frames, verified=(True,))

    both(change, iss=MASK - 6 * MSS)
    assert taken[:5] == [True] * 5


def test_the_next_batch_begins_anew(taken: list[bool]) -> None:
    """What the user reads, sends and shuts in between counts."""

    def change(twin: Twin) -> None:
        connection = twin.connections[0]
        for number in range(3):
            twin.hears(*(twin.frame(Piece((4 * number + piece) * MSS)) for piece in range(4)))
            if number == 0:
                connection.receive(3 * MSS, 1.0)
            else:
                connection.send(b"answer", 1.0)
            twin.host.after_call(1.0)

    both(change)
    assert len(taken) >= 6


def test_an_end_amid_a_batch_finds_all_that_came_before() -> None:
    """The link is gone: what it has brought is there, and then the error."""

    def change(twin: Twin) -> None:
        frames = list(map(twin.frame, row(5)))
        for frame in frames:
            twin.host.frame(twin.interface, 1.0, memoryview(frame))
        twin.host.detach(twin.interface, 1.0)
        twin.host.batch_end(1.0)
        connection = twin.connections[0]
        assert connection.receive_buffer.size == 5 * MSS

    both(change)


def test_frames_of_another_kind_in_between() -> None:
    request = ArpPacket(REQUEST, PEER_MAC, PEER, bytes(6), US).build()

    def change(twin: Twin) -> None:
        frames = list(map(twin.frame, row(6)))
        arp = ethernet_ii(b"\xff" * 6, PEER_MAC, ETHERTYPE_ARP) + request
        twin.hears(*frames[:3], arp, b"", frames[3][:30], *frames[3:])

    both(change)
