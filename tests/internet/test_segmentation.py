"""Late segmentation: what leaves for a super-frame are the segments that TCP would have formed one by one."""

from __future__ import annotations

import errno
from random import Random

import pytest

from stack.internet.segmentation import pieces
from stack.link.device import Offload
from stack.wire.checksum import pseudo_sum
from stack.wire.ipv4 import Ipv4Header
from stack.wire.tcp import ACK, CWR, ECE, FIN, PSH, TcpHeader, build_segment
from stack.wire.virtio import TCP_CHECKSUM, checksum_header
from tests.internet.station import PEER, PEER_MAC, REQUEST, US, Station

TCP = 6
SOFTWARE = Offload(gso_max_bytes=65_000, software=True)
STAMP = b"\1\1\x08\x0a" + bytes(range(8))
DATA = Random(1).randbytes(5001)


def header(flags: int, options: bytes = STAMP, seq: int = 0xFFFFFE00, window: int = 0xABCD) -> TcpHeader:
    return TcpHeader(50_000, 80, seq, 0x89ABCDEF, flags, window, 0, options)


def expected(super_frame: TcpHeader, data: bytes, size: int) -> list[bytes]:
    """The segments, formed one by one: RFC 9293 section 3.1."""
    made = []
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        flags = super_frame.flags
        if at:
            flags &= ~CWR
        if at + size < len(data):
            flags &= ~(PSH | FIN)
        one = TcpHeader(50_000, 80, (super_frame.seq + at) & 0xFFFFFFFF, super_frame.ack, flags, super_frame.window, 0,
                        super_frame.options)  # fmt: skip
        made.append(build_segment(one, piece, pseudo_sum(US, PEER, TCP, one.header_length + len(piece))))
    return made


def software(known: bool = True) -> Station:
    station = Station()
    if known:
        station.knows(PEER)
    station.eth.link.offload = SOFTWARE
    station.eth.link.offloads.clear()
    return station


def segments(station: Station) -> list[bytes]:
    """The TCP segments in the frames that have left, each in a right IPv4 header of its own."""
    found = []
    for frame in station.eth.link.frames:
        if frame[12:14] != b"\x08\x00":
            continue
        ip = Ipv4Header.parse(frame[14:])
        assert ip.total_length == len(frame) - 14
        found.append(frame[14 + ip.header_length :])
    station.eth.link.frames.clear()
    return found


@pytest.mark.parametrize("size", [1, 2, 499, 1000, 1447, 1448, 2500, 5000, 5001, 6000])
@pytest.mark.parametrize("flags", [ACK, ACK | PSH, ACK | FIN | PSH, ACK | CWR | ECE, ACK | CWR | FIN])
@pytest.mark.parametrize("options", [b"", STAMP])
def test_each_piece_is_the_segment_that_tcp_would_have_formed(size: int, flags: int, options: bytes) -> None:
    whole = header(flags, options)
    cut = [bytes(b"".join(piece)) for piece in pieces(whole.build(), DATA, size, pseudo_sum(US, PEER, TCP, 0))]
    assert cut == expected(whole, DATA, size)


def test_a_checksum_of_zero_is_sent_as_zero() -> None:
    """In one's complement both 0 and 0xFFFF are zero; TCP sends what the sum gives (RFC 1071)."""
    for number in range(0x10000):
        data = number.to_bytes(2, "big") + b"ab"
        whole = header(ACK, b"")
        cut = [bytes(b"".join(piece)) for piece in pieces(whole.build(), data, 2, pseudo_sum(US, PEER, TCP, 0))]
        if cut[0][16:18] in (b"\0\0", b"\xff\xff"):
            assert cut == expected(whole, data, 2)
            break
    else:
        pytest.fail("no data gives zero")


@pytest.mark.parametrize("split", [[5001], [1, 5000], [700, 1, 4300]])
def test_a_super_frame_leaves_as_frames_of_the_mtu(split: list[int]) -> None:
    station = software()
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    assert (path.checksum_offload, path.gso_max_bytes) == (False, 65_000)
    whole, parts, at = header(ACK | PSH), [], 0
    for length in split:
        parts.append(DATA[at : at + length])
        at += length
    path.neighbor.used = False
    before = {name: station.counters[name] for name in ("ifOutOctets", "ifOutUcastPkts")}
    path.send_offloaded([whole.build(), *parts], 32 + 5001, station.now, 32, 1448, cwr=False)
    frames = list(station.eth.link.frames)
    assert segments(station) == expected(whole, DATA, 1448)
    assert not any(station.eth.link.offloads)
    assert path.neighbor.used, "it is not forgotten as one that is idle"
    assert station.counters["ifOutUcastPkts"] - before["ifOutUcastPkts"] == 4
    assert station.counters["ifOutOctets"] - before["ifOutOctets"] == sum(map(len, frames))
    assert station.counters["ipSystemStatsOutRequests"] == station.counters["ipSystemStatsOutTransmits"] == 4


def test_a_full_link_costs_each_segment_a_counted_drop() -> None:
    station = software()
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    station.eth.link.full = True
    before = station.counters["ifOutOctets"], station.counters["ifOutUcastPkts"]
    path.send_offloaded([header(ACK).build(), DATA], 32 + 5001, station.now, 32, 1448, cwr=False)
    assert station.counters["ifOutDiscards"] == 4
    assert (station.counters["ifOutOctets"], station.counters["ifOutUcastPkts"]) == before


@pytest.mark.parametrize("df", [True, False])
@pytest.mark.parametrize("options", [b"", b"\1\1\1\0"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
def test_options_an_unknown_next_hop_and_routers_that_may_fragment_make_no_difference(
    df: bool, options: bytes, known: bool, checksum: bool
) -> None:
    station = software(known)
    station.eth.link.offload = Offload(checksum=checksum, gso_max_bytes=65_000, software=True)
    path = station.ipv4.output.path(None, PEER, TCP, df=df, options=options)
    whole = header(ACK | PSH)
    path.send_offloaded([whole.build(), DATA[:3000]], 32 + 3000, station.now, 32, 1400, cwr=False)
    if not known:
        assert segments(station) == []
        station.arp(REQUEST, PEER_MAC, PEER, US)
    headers = [Ipv4Header.parse(frame[14:]) for frame in station.eth.link.frames if frame[12:14] == b"\x08\x00"]
    assert {each.dont_fragment for each in headers} == {df}
    assert [each.options for each in headers] == [options] * 3
    assert len({each.identification for each in headers}) == (1 if df else 3)
    left = segments(station)
    if checksum:
        start = 34 + len(options)
        assert [each for each in station.eth.link.offloads if each] == [checksum_header(start, TCP_CHECKSUM)] * 3
        partial = pseudo_sum(US, PEER, TCP, 32 + 1400) % 0xFFFF
        assert left[0][16:18] == partial.to_bytes(2, "big")
        left = [each[:16] + full[16:18] + each[18:] for each, full in zip(left, expected(whole, DATA[:3000], 1400),
                                                                       strict=True)]  # fmt: skip
    assert left == expected(whole, DATA[:3000], 1400)


def test_an_mtu_that_was_lowered_meanwhile_is_an_error_before_anything_leaves() -> None:
    station = software()
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    station.ipv4.output.lower_mtu(PEER, 1000, station.now)
    with pytest.raises(OSError, match="Message too long") as caught:
        path.send_offloaded([header(ACK).build(), DATA], 32 + 5001, station.now, 32, 1448, cwr=False)
    assert caught.value.errno == errno.EMSGSIZE
    assert segments(station) == []


def test_a_path_whose_packets_routers_may_fragment_still_cuts() -> None:
    station = software()
    path = station.ipv4.output.path(None, PEER, TCP, df=True)
    path.let_routers_fragment(True)
    assert path.gso_max_bytes == 65_000
    path.let_routers_fragment(False)
    assert path.gso_max_bytes == 65_000
