"""Where a segment is found: behind which link headers, in IPv4 and IPv6, in fragments, with offload."""

from __future__ import annotations

import struct

import pytest

from stack.link.captured import CapturedFrame, LinkHeader
from stack.outside.connection import SeenConnection, format_address
from stack.outside.follow import follow
from stack.wire.checksum import internet_checksum
from tests.outside.figure import Figure, check

SYN = "+0 A S 0:0(0) win 1000 <mss 1000>"
TEXT = "+0 A P. 1:1201(1200) ack 1 win 1000"


def ethernet(text: str) -> bytes:
    figure = Figure()
    figure.line(text)
    return figure.frames[0].octets


def only(*frames: CapturedFrame) -> SeenConnection:
    (connection,) = follow(frames)
    return connection


def captured(octets: bytes, link: LinkHeader = "ethernet", length: int = 0) -> CapturedFrame:
    return CapturedFrame(1, 0, octets, length or len(octets), link)


def in_ipv6(frame: bytes, *between: bytes, next_header: int = 6) -> bytes:
    """The segment of a frame in an IPv6 packet, with these extension headers."""
    segment = bytearray(frame[34:])
    source, destination = (bytes.fromhex("20010db8") + bytes(11) + bytes((end,)) for end in (1, 2))
    segment[16:18] = bytes(2)
    pseudo = source + destination + struct.pack("!II", len(segment), 6)
    segment[16:18] = internet_checksum(pseudo + segment).to_bytes(2, "big")
    body = b"".join(between) + segment
    return struct.pack("!IHBB", 6 << 28, len(body), next_header, 64) + source + destination + body


PACKET = ethernet(SYN)[14:]
LINKS: dict[str, tuple[bytes, LinkHeader]] = {
    "ethernet": (ethernet(SYN), "ethernet"),
    "vlan": (ethernet(SYN)[:12] + b"\x81\0\0\x05\x08\0" + PACKET, "ethernet"),
    "two tags": (ethernet(SYN)[:12] + b"\x88\xa8\0\x05\x81\0\0\x06\x08\0" + PACKET, "ethernet"),
    "bare IP": (PACKET, "ip"),
    "cooked": (bytes(14) + b"\x08\0" + PACKET, "linux-sll"),
    "cooked 2": (b"\x08\0" + bytes(18) + PACKET, "linux-sll2"),
    "bare IPv6": (in_ipv6(ethernet(SYN)), "ip"),
    "IPv6": (bytes(12) + b"\x86\xdd" + in_ipv6(ethernet(SYN)), "ethernet"),
    "IPv6 with options": (in_ipv6(ethernet(SYN), b"\x06\0" + bytes(6), next_header=0), "ip"),
    "padding": (ethernet(SYN) + bytes(6), "ethernet"),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_segment_is_found(name: str) -> None:
    connection = only(captured(*LINKS[name]))
    assert connection.ends[0].address == ("2001:db8::1" if "IPv6" in name else "10.0.0.1")
    assert connection.ends[1].port == 80
    (segment,) = connection.segments
    assert (segment.seq, segment.length) == (1000, 0)
    assert [mark.name for mark in segment.marks] == ["new"]
    assert connection.ends[0].mss == 1000


@pytest.mark.parametrize("name", LINKS)
def test_a_frame_may_end_anywhere(name: str) -> None:
    octets, link = LINKS[name]
    for end in range(len(octets)):
        list(follow([CapturedFrame(1, 0, octets[:end], len(octets), link)]))


def test_a_damaged_ip_header_is_damage() -> None:
    frame = bytearray(ethernet(SYN))
    frame[22] ^= 1  # the TTL
    (segment,) = only(captured(bytes(frame))).segments
    assert [mark.name for mark in segment.marks] == ["wrong_checksum"]
    frame[24:26] = bytes(2)
    (segment,) = only(captured(bytes(frame))).segments
    assert [mark.name for mark in segment.marks] == ["new"], "the device computes it"


def test_a_snapped_frame_has_its_length_and_no_checksum() -> None:
    frame = ethernet(TEXT)
    (segment,) = only(captured(frame[:60], length=len(frame))).segments
    assert segment.length == 1200
    assert [mark.name for mark in segment.marks] == ["new"]


def test_offload_is_no_error() -> None:
    """What goes out of one's own machine: a partial checksum, a super-frame, an IP length of 0."""
    figure = Figure()
    for line in (SYN, "+1 B S. 0:0(0) ack 1 win 9000 <mss 1000>", "+1 A . 1:1(0) ack 1 win 1000", TEXT):
        figure.line(line)
    frame = bytearray(figure.frames[3].octets)
    pseudo = internet_checksum(frame[26:34] + struct.pack("!HH", 6, len(frame) - 34)) ^ 0xFFFF
    frame[50:52] = pseudo.to_bytes(2, "big")
    for zero in (False, True):
        if zero:
            frame[16:18] = bytes(2)
            frame[24:26] = bytes(2)
        figure.frames[3] = figure.frames[3]._replace(octets=bytes(frame))
        segment = only(*figure.frames).segments[3]
        assert [mark.name for mark in segment.marks] == ["partial_checksum", "super_frame", "new"]
        assert segment.length == 1200
        figure.frames[3] = figure.frames[3]._replace(octets=bytes(frame[:60]), length=len(frame))
        snapped = only(*figure.frames).segments[3]
        assert [mark.name for mark in snapped.marks] == ["partial_checksum", "super_frame", "new"]


def fragment(packet: bytes, offset: int, end: int, number: int) -> CapturedFrame:
    header = bytearray(packet[:20])
    more = end < len(packet) - 20
    header[2:4] = (20 + end - offset).to_bytes(2, "big")
    header[6:8] = (offset // 8 | (0x2000 if more else 0)).to_bytes(2, "big")
    header[10:12] = bytes(2)
    header[10:12] = internet_checksum(header).to_bytes(2, "big")
    octets = bytes(header) + packet[20 + offset : 20 + end]
    return CapturedFrame(number, 0, octets, len(octets), "ip")


def test_fragments_are_put_together() -> None:
    """In any order; the frame that completes the datagram has the segment."""
    packet = ethernet(TEXT)[14:]
    pieces = [fragment(packet, 800, 1220, 1), fragment(packet, 0, 400, 2), fragment(packet, 400, 800, 3)]
    (segment,) = only(*pieces).segments
    assert (segment.number, segment.length) == (3, 1200)
    mark = segment.mark("reassembled")
    assert mark is not None
    assert mark.number == 3


def test_fragments_of_ipv6_are_put_together() -> None:
    """RFC 8200 section 4.5."""
    packet = in_ipv6(ethernet(TEXT))
    segment, pieces = packet[40:], []
    for number, (begin, end) in enumerate(((0, 800), (800, len(segment))), 1):
        header = struct.pack("!BBHI", 6, 0, begin | (end < len(segment)), 77)
        body = header + segment[begin:end]
        octets = packet[:4] + struct.pack("!HBB", len(body), 44, 64) + packet[8:40] + body
        pieces.append(CapturedFrame(number, 0, octets, len(octets), "ip"))
    (found,) = only(*pieces).segments
    assert (found.number, found.length) == (2, 1200)


def test_a_datagram_with_a_piece_missing_is_no_segment() -> None:
    packet = ethernet(TEXT)[14:]
    assert list(follow([fragment(packet, 0, 400, 1), fragment(packet, 800, 1220, 2)])) == []


def test_a_copy_is_told_from_a_retransmission() -> None:
    """The same datagram twice has the same Identification."""
    figure = Figure()
    figure.line(TEXT)
    figure.frames.append(figure.frames[0]._replace(number=2, time_ns=figure.now_ns + 9_000_000))
    figure.line("+99 A P. 1:1201(1200) ack 1 win 1000")
    segments = only(*figure.frames).segments
    assert [[mark.name for mark in segment.marks] for segment in segments] == [["new"], ["copy", "again"], ["again"]]


def test_another_header_is_no_copy() -> None:
    """A system may give all datagrams that are not fragmented the same Identification (RFC 6864)."""
    figure = Figure()
    figure.line("+0 A . 1:1(0) ack 1 win 1000")
    figure.line("+9 A . 1:1(0) ack 1 win 1000 <sack 1001:2001>")
    first, second = figure.frames
    same = first.octets[18:20]
    second = second._replace(octets=second.octets[:18] + same + second.octets[20:])
    segments = only(first, second).segments
    assert [segment.mark("copy") for segment in segments] == [None, None]


def test_addresses_as_text() -> None:
    """RFC 5952 section 4."""
    for octets, text in (
        (bytes(16), "::"),
        (bytes(15) + b"\1", "::1"),
        (bytes.fromhex("20010db8000000000001000000000001"), "2001:db8::1:0:0:1"),
        (bytes.fromhex("20010db8000000010001000100010001"), "2001:db8:0:1:1:1:1:1"),
        (bytes.fromhex("fe800000000000000000000000000000"), "fe80::"),
        (b"\x0a\0\0\1", "10.0.0.1"),
    ):
        assert format_address(octets) == text


def test_a_connection_that_began_before_the_capture() -> None:
    """The first numbers and the scale are not known, so no window is."""
    (connection,) = check(
        """
    +0  A . 501:601(100) ack 301 win 1000  | new     | ESTABLISHED ESTABLISHED
    +9  B . 301:301(0) ack 601 win 1000    | nothing | ESTABLISHED ESTABLISHED
    +9  A F. 601:601(0) ack 301 win 1000   | new     | FIN_WAIT_1 CLOSE_WAIT
    +9  B F. 301:301(0) ack 602 win 1000   | new     | TIME_WAIT LAST_ACK
    """
    )
    assert not connection.began
    assert [mark.name for mark in connection.marks] == ["began_before"]
    first = connection.segments[0]
    assert connection.window(first) is None
    assert connection.relative_seq(first) == 1
    assert connection.segments[1].rtt_ns == 9_000_000
    assert connection.segments[1].acknowledges == 1
