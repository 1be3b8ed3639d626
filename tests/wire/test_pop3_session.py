"""Eighteen real frames: the parsers find the printed fields, and the builders make the printed
bytes of them.
"""

from __future__ import annotations

import pytest

from stack.dissection.show import show
from stack.wire import checksum, tcp_options
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.tcp import TcpHeader, build_segment
from tests.wire.pop3_session import ALTERED, CLIENT, SERVER, SESSION, Frame

each_frame = pytest.mark.parametrize("frame", SESSION, ids=lambda frame: str(frame.number))


def test_the_session_has_the_eighteen_printed_frames() -> None:
    assert [frame.number for frame in SESSION] == list(range(3, 21))
    assert all(len(frame.build()) == frame.packet_length for frame in SESSION)


@each_frame
def test_ethernet_header(frame: Frame) -> None:
    data = frame.build()
    header = EthernetHeader.parse(data)
    assert header == EthernetHeader(frame.receiver.mac, frame.sender.mac, 0x0800)
    assert header.build() == data[:14]


@each_frame
def test_ip_header_parses_to_the_printed_fields(frame: Frame) -> None:
    header = Ipv4Header.parse(frame.build()[14:])
    assert (header.source, header.destination) == (frame.sender.ip, frame.receiver.ip)
    assert (header.total_length, header.identification) == (frame.total_length, frame.identification)
    assert (header.dont_fragment, header.more_fragments, header.fragment_offset) == (True, False, 0)
    assert (header.header_length, header.tos, header.ttl, header.protocol) == (20, 0, frame.sender.ttl, 6)
    assert header.checksum == frame.header_checksum


@each_frame
def test_ip_header_builds_to_the_printed_checksum(frame: Frame) -> None:
    header = Ipv4Header(
        frame.sender.ip,
        frame.receiver.ip,
        protocol=6,
        total_length=frame.total_length,
        identification=frame.identification,
        dont_fragment=True,
        ttl=frame.sender.ttl,
    )
    assert header.build() == frame.build()[14:34]


@each_frame
def test_tcp_header_parses_to_the_printed_fields(frame: Frame) -> None:
    data = frame.build()[34:]
    header = TcpHeader.parse(data)
    assert header == TcpHeader(
        frame.sender.port,
        frame.receiver.port,
        frame.seq,
        frame.ack,
        frame.flags,
        frame.window,
        options=frame.options,
        checksum=frame.checksum,
    )
    assert header.build() == data[: header.header_length]


@each_frame
def test_tcp_segment_builds_to_the_printed_checksum(frame: Frame) -> None:
    header = TcpHeader.parse(frame.build()[34:])
    length = frame.total_length - 20
    payload = frame.build()[34 + header.header_length : 34 + length]
    pseudo = checksum.pseudo_sum(frame.sender.ip, frame.receiver.ip, 6, length)
    segment = build_segment(header, payload, pseudo)
    assert (TcpHeader.parse(segment).checksum == frame.checksum) is (frame.number != ALTERED)
    assert checksum.verify(segment, pseudo)


def test_the_two_syns_offer_mss_and_sack() -> None:
    for frame in SESSION[:2]:
        raw = TcpHeader.parse(frame.build()[34:]).options
        options = tcp_options.parse_options(raw)
        assert options == tcp_options.TcpOptions(mss=1460, sack_permitted=True)
        assert tcp_options.build_options(options) == raw


def test_each_acknowledgment_covers_what_the_other_side_sent() -> None:
    """The course's point: an acknowledgment number is the other side's sequence number after its last byte."""
    expected = {CLIENT.port: 0, SERVER.port: 0}
    for frame in SESSION:
        header = TcpHeader.parse(frame.build()[34:])
        assert header.ack == expected[header.destination_port]
        size = frame.total_length - 20 - header.header_length
        expected[header.source_port] = (header.seq + size + bool(header.flags & 0b11)) % 2**32


def test_show_reads_as_the_course_prints_it() -> None:
    assert show(SESSION[3].build()) == [
        "Ethernet II 00:20:18:61:90:e3 > 00:20:18:b9:49:37, type IPv4",
        "IPv4 192.168.0.250 > 192.168.0.10, TCP, length 89, id 2187, DF, ttl 64",
        "TCP 110 (pop3) > 1927, PSH,ACK, seq 4089248826, ack 3662573347, win 32120",
        'POP3 reply "+OK POP3 gateway1.maison.mrs v7.64 server ready", 49 bytes',
    ]
    assert show(SESSION[0].build())[2].endswith("options [mss 1460, no-op, no-op, SACK permitted]")
    marked = [frame.number for frame in SESSION if "WRONG CHECKSUM" in "".join(show(frame.build()))]
    assert marked == [ALTERED]
