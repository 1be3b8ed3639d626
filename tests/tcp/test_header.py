"""The TCP header, sent and received: RFC 9293 section 3.1."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.tcp.segment import Segment
from stack.wire.tcp import TcpHeader
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, RST, SYN, add, established, syn_sent, text


@rfc("9293 MUST-2", "9293-3.1-b")
@pytest.mark.parametrize(
    "sizes", [(1025, 1027), (1025, 1), (1, 1, 1), (1031, 1033, 1035), (1460,), (1459, 1461), (2047, 2049)]
)
def test_the_checksum_is_right_wherever_odd_pieces_meet(sizes: tuple[int, ...]) -> None:
    """Each piece is too large to be joined to the one before, so that segments are made of parts that begin at odd
    places. `world.Wire` verifies the checksum of every segment of every test, by another way of counting."""
    conn, peer = established()
    set_options(conn, nodelay=True)
    wanted = b""
    peer.world.wire(conn).mtu = 1400  # and segments do not end where pieces do
    for size in sizes:
        piece = text(size, len(wanted))
        conn.send(piece, peer.now)
        wanted += piece
    sent = b""
    while peer.world.sent:
        assert len(peer.world.sent[0].data) <= 1360
        sent += peer.expects(ACK, peer.world.sent[0].data).data
    assert sent == wanted
    peer.sends(ACK)


@rfc("9293 MUST-2")
@pytest.mark.parametrize("octet", [b"\0", b"\xff"])
@pytest.mark.parametrize("size", [1, 2, MSS])
def test_the_checksum_of_extremes(octet: bytes, size: int) -> None:
    conn, peer = established()
    conn.send(octet * size, peer.now)
    peer.expects(ACK, octet * size)


@rfc("9293-3.1-a")
@pytest.mark.parametrize("reserved", [1, 8, 15])
def test_reserved_bits_are_ignored(reserved: int) -> None:
    raw = TcpHeader(40000, 7, 1, 2, ACK, 3, reserved=reserved).build() + b"text"
    segment = Segment.parse(memoryview(raw))
    assert (segment.seg_seq, segment.seg_ack, segment.flags, segment.window) == (1, 2, ACK, 3)
    assert bytes(segment.text) == b"text"


@rfc("9293-3.1-a")
def test_reserved_bits_are_sent_as_zero() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK)
    sent = [peer.expects(ACK)]
    conn.send(b"x", peer.now)
    sent.append(peer.expects(ACK, b"x"))
    conn.shutdown_write(peer.now)
    sent.append(peer.expects(FIN | ACK))
    conn.abort(peer.now)
    sent.append(peer.expects(RST | ACK))
    assert [segment.reserved for segment in sent] == [0, 0, 0, 0]


@rfc("9293-3.4-d")
@pytest.mark.parametrize(
    ("flags", "size", "length"),
    [(0, 0, 0), (ACK, 5, 5), (SYN, 0, 1), (FIN, 0, 1), (SYN | FIN, 5, 7), (FIN | ACK, 5, 6)],
)
def test_syn_and_fin_count_in_the_length_of_a_segment(flags: int, size: int, length: int) -> None:
    assert Segment(1, 2, flags, 3, text(size)).seg_len == length


def test_a_header_that_lies_about_its_length_is_refused() -> None:
    good = TcpHeader(40000, 7, 1, 2, ACK, 3, options=bytes(4)).build()
    for offset in range(16):
        raw = bytearray(good)
        raw[12] = offset << 4
        if offset in (5, 6):
            Segment.parse(memoryview(raw))
        else:
            with pytest.raises(BadPacket):
                Segment.parse(memoryview(raw))
    for cut in range(24):
        with pytest.raises(BadPacket):
            Segment.parse(memoryview(good[:cut]))


def test_a_segment_reads_like_the_rfc() -> None:
    segment = Segment(100, 300, SYN | ACK, 5000, b"abc")
    assert repr(segment) == "<SEQ=100><ACK=300><CTL=SYN,ACK> 3 octets, window 5000"


def test_the_numbers_of_a_segment_we_send() -> None:
    conn, peer = established(receive_buffer_bytes=4321)
    peer.sends(ACK, b"12345")
    conn.send(b"abc", peer.now)
    peer.expects(ACK, b"abc", seq=add(conn.iss, 1), ack=add(conn.irs, 6), window=4321 - 5)
