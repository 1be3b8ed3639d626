"""UDP datagrams that a link hands over as one super-frame, and partial checksums in the quotes of
ICMP errors.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import Config
from stack.wire import icmp
from stack.wire.checksum import pseudo_sum, verify
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import pad, router_alert
from stack.wire.udp import UdpHeader
from tests.internet.station import PEER, US, Station
from tests.udp.endpoints import bound, made, received

UDP = 17
PARTIAL = 0x1234  # not the checksum that the datagram should have


@pytest.fixture
def station() -> Station:
    return made()


def packet(data: bytes, *, checksum: int = PARTIAL, port: int = 7, **fields: object) -> bytes:
    """A datagram with any checksum."""
    payload = UdpHeader(5000, port, 8 + len(data), checksum).build() + data
    options = fields.get("options", b"")
    assert isinstance(options, bytes)
    total = 20 + len(options) + len(payload)
    return Ipv4Header(PEER, US, UDP, total, 65534, **fields).build() + payload  # type: ignore[arg-type]


def arrives(station: Station, raw: bytes, gso_size: int, *, checksum_ok: bool = True) -> None:
    """It comes in from a link that offloads, in a buffer that is overwritten afterwards."""
    station.eth.link.rx_gso_size = gso_size
    buffer = bytearray(raw)
    station.ipv4.receive(station.eth, memoryview(buffer), station.now, checksum_ok=checksum_ok)
    buffer[:] = b"\xee" * len(buffer)


def test_a_super_frame_is_as_many_datagrams_as_it_stands_for() -> None:
    station = made()
    endpoint = bound(station)
    arrives(station, packet(b"aaaabbbbcc", tos=0x2E, ttl=9, options=pad(router_alert().build())), 4)
    found = [endpoint.receive_datagram() for _ in range(3)]
    assert [one and one.data for one in found] == [b"aaaa", b"bbbb", b"cc"]
    assert {(one.remote, one.tos, one.ttl, one.options) for one in found if one} == {
        ((PEER, 5000), 0x2E, 9, pad(router_alert().build()))
    }
    assert endpoint.receive_datagram() is None
    assert station.counters["ipSystemStatsInReceives"] == 3
    assert station.counters["udpInDatagrams"] == 3


@pytest.mark.parametrize(("data", "gso_size"), [(b"aaaabbbb", 8), (b"aaaabbbb", 100), (b"", 4), (b"aaaabbbb", 0)])
def test_what_holds_one_datagram_is_one(data: bytes, gso_size: int) -> None:
    station = made()
    endpoint = bound(station)
    arrives(station, packet(data), gso_size)
    assert received(endpoint) == [data]


def test_only_what_the_link_vouches_for_is_a_super_frame() -> None:
    """A frame with a whole checksum is one datagram: a link that makes super-frames leaves their checksums partial."""
    station = made()
    endpoint = bound(station)
    arrives(station, packet(b"aaaabbbb"), 4, checksum_ok=False)
    assert received(endpoint) == []
    assert station.counters.drops() == {"udp_bad_checksum": 1}


def test_a_fragment_is_not_taken_apart() -> None:
    station = made()
    endpoint = bound(station)
    arrives(station, packet(b"aaaabbbbccccdddd", more_fragments=True), 4)
    assert received(endpoint) == []
    assert station.counters["ipSystemStatsReasmReqds"] == 1


def test_more_datagrams_than_a_kernel_makes_are_refused() -> None:
    """One byte each would be 65,507 of them, at the price of one frame."""
    most = Config().ip.super_frame_datagrams_max
    station = made()
    endpoint = bound(station)
    arrives(station, packet(bytes(10 * most + 1)), 10)
    assert received(endpoint) == []
    assert station.counters.drops() == {"ipv4_super_frame": 1}
    arrives(station, packet(bytes(10 * most)), 10)
    assert received(endpoint) == [bytes(10)] * most


@settings(derandomize=True, max_examples=100, deadline=None)
@given(data=st.binary(max_size=3000), size=st.integers(1, 1500))
def test_nothing_is_lost_or_reordered(data: bytes, size: int) -> None:
    station = made()
    endpoint = bound(station)
    arrives(station, packet(data), max(size, len(data) // Config().ip.super_frame_datagrams_max + 1))
    got = received(endpoint)
    assert b"".join(got) == data
    assert len({len(one) for one in got[:-1]}) <= 1


# --- errors about them


def quoted(station: Station) -> tuple[Ipv4Header, bytes]:
    """What the one ICMP message that went out quotes."""
    _, message = station.icmp()
    assert (message.type, message.code) == (icmp.UNREACHABLE, icmp.PORT_UNREACHABLE)
    header = Ipv4Header.parse(message.body, quoted=True)
    return header, message.body[header.header_length :]


@pytest.mark.parametrize("data", [b"odd", b"even", b"\xff" * 400, b""])
def test_an_error_quotes_the_checksum_that_was_still_to_come(station: Station, data: bytes) -> None:
    arrives(station, packet(data, port=9), 0)
    header, datagram = quoted(station)
    assert datagram[8:] == data
    assert verify(datagram, pseudo_sum(PEER, US, UDP, len(datagram)))
    assert header.total_length == 28 + len(data)


def test_a_checksum_that_comes_out_as_zero_is_quoted_as_all_ones(station: Station) -> None:
    rest = pseudo_sum(PEER, US, UDP, 10) + 5000 + 9 + 10
    data = (0xFFFF - rest % 65535).to_bytes(2, "big")
    arrives(station, packet(data, port=9), 0)
    assert quoted(station)[1][6:8] == b"\xff\xff"


def test_a_datagram_without_a_checksum_is_quoted_without(station: Station) -> None:
    arrives(station, packet(b"x", checksum=0, port=9), 0)
    assert quoted(station)[1] == UdpHeader(5000, 9, 9, 0).build() + b"x"


def test_what_follows_the_length_is_not_summed(station: Station) -> None:
    payload = UdpHeader(5000, 9, 11, PARTIAL).build() + b"abcTRAILER"
    arrives(station, Ipv4Header(PEER, US, UDP, 20 + len(payload)).build() + payload, 0)
    _, datagram = quoted(station)
    assert datagram[8:] == b"abcTRAILER"
    assert verify(datagram[:11], pseudo_sum(PEER, US, UDP, 11))


def test_a_checksum_that_was_whole_is_quoted_as_it_came(station: Station) -> None:
    raw = station.receives_udp(5000, 9, b"anyone?")
    assert station.icmp()[1].body == raw


def test_each_datagram_of_a_super_frame_is_complained_of(station: Station) -> None:
    arrives(station, packet(b"aaaabb", port=9), 4)
    for number, data in enumerate((b"aaaa", b"bb")):
        frame = station.eth.link.frames[number]
        outer = Ipv4Header.parse(frame[14:])
        message = icmp.IcmpMessage.parse(frame[14 + outer.header_length :])
        header = Ipv4Header.parse(message.body, quoted=True)
        assert header.identification == 65534 + number
        assert header.total_length == 28 + len(data)
        assert message.body[28:] == data
        assert verify(message.body[20:], pseudo_sum(PEER, US, UDP, 8 + len(data)))
    assert len(station.eth.link.frames) == 2
    station.eth.link.frames.clear()
