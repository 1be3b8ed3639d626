"""The wires in memory."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from stack.link.memory import Ethernet, ip_pair
from tests.link.frames import MAC_1, Wakes, drain, udp_frame


def test_addresses_and_names_are_given_in_order() -> None:
    ethernet = Ethernet()
    ports = [ethernet.attach(), ethernet.attach("router"), ethernet.attach(mac=b"\x06\0\0\0\0\x09"), ethernet.attach()]
    assert [port.mac for port in ports] == [
        b"\2\0\0\0\0\1",
        b"\2\0\0\0\0\2",
        b"\6\0\0\0\0\x09",
        b"\2\0\0\0\0\4",
    ]
    assert [port.name for port in ports] == ["ethernet1", "router", "ethernet3", "ethernet4"]


def test_a_hub_hands_a_frame_to_all_open_ports_but_its_source() -> None:
    ethernet = Ethernet()
    ports = [ethernet.attach() for _ in range(4)]
    for port in ports[:3]:
        port.open(Wakes())
    frame = udp_frame(b"to all" * 10)
    ports[1].write([frame], 0.0)
    assert [drain(port) for port in ports] == [[frame], [], [frame], []]
    ports[3].open(Wakes())
    assert drain(ports[3]) == [], "what passed before it was plugged in is gone"


def test_no_host_is_called_from_write() -> None:
    """Two hosts that answer each frame at once: the second answer waits until the first is read."""
    ethernet = Ethernet()
    one, two = ethernet.attach(), ethernet.attach()
    depth = deepest = 0

    def wake_one() -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        two.write([udp_frame(b"answer")], 0.0)
        depth -= 1

    one.open(wake_one)
    two.open(Wakes())
    two.write([udp_frame(b"question")], 0.0)
    assert deepest == 1
    assert len(drain(one)) == 2


def test_short_frames_are_padded_with_zeros_as_on_ethernet() -> None:
    for pad, length in ((True, 60), (False, 43)):
        ethernet = Ethernet(pad=pad)
        one, two = ethernet.attach(), ethernet.attach()
        one.open(Wakes())
        two.open(Wakes())
        one.write([udp_frame(b"a")], 0.0)
        assert drain(two) == [udp_frame(b"a").ljust(length, b"\0")]


def test_a_full_queue_loses_the_newest_and_counts_them() -> None:
    ethernet = Ethernet()
    one, two = ethernet.attach(), ethernet.attach(queue_limit=3)
    one.open(Wakes())
    two.open(Wakes())
    frames = [udp_frame(bytes([n]) * 50) for n in range(5)]
    for frame in frames:
        assert one.write([frame], 0.0), "a sender cannot see the other's queue"
    assert drain(two) == frames[:3]
    assert (two.received, two.queue_dropped) == (3, 2)


def test_frames_longer_than_the_mtu_pass_neither_out_nor_in() -> None:
    ethernet = Ethernet()
    big, small = ethernet.attach(mtu=9000), ethernet.attach(mtu=1500)
    big.open(Wakes())
    small.open(Wakes())
    tagged = bytes(1500 + 14 + 4)
    assert big.write([tagged], 0.0)
    assert big.write([tagged, b"\0"], 0.0)
    assert drain(small) == [tagged]
    assert small.too_long == 1
    assert not small.write([tagged, b"\0"], 0.0)
    assert small.too_long == 2
    assert drain(big) == []


def test_a_pair_of_ends_for_bare_ip() -> None:
    one, two = ip_pair(("left", "right"), mtu=576)
    assert (one.name, two.name, one.ip_offset, one.mac, one.mtu) == ("left", "right", 0, None, 576)
    one.open(Wakes())
    two.open(Wakes())
    assert one.write([b"E", b"\0" * 19], 0.0)
    assert drain(two) == [b"E" + b"\0" * 19], "no padding on a wire that is no Ethernet"
    assert two.write([bytes(576)], 0.0)
    assert not two.write([bytes(577)], 0.0)
    assert drain(one) == [bytes(576)]


def test_a_port_can_be_unplugged_and_plugged_in_again() -> None:
    ethernet = Ethernet()
    one, two = ethernet.attach(), ethernet.attach()
    wakes = Wakes()
    one.open(Wakes())
    two.open(wakes)
    with pytest.raises(OSError, match="ethernet2 is open already") as caught:
        two.open(wakes)
    assert caught.value.errno == errno.EALREADY
    one.write([udp_frame(b"x" * 40)], 0.0)
    two.close()
    two.open(wakes)
    assert drain(two) == []
    one.write([udp_frame(b"y" * 40)], 0.0)
    assert wakes.count == 2
    assert len(drain(two)) == 1


def test_what_is_refused() -> None:
    ethernet = Ethernet()
    with pytest.raises(ValueError, match="68 to 65535 bytes"):
        ethernet.attach(mtu=67)
    with pytest.raises(ValueError, match="68 to 65535 bytes"):
        ip_pair(mtu=65536)
    with pytest.raises(ValueError, match="queue_limit is a number of frames"):
        ethernet.attach(queue_limit=0)
    with pytest.raises(ValueError, match="group"):
        ethernet.attach(mac=b"\1" + MAC_1[1:])
    assert ethernet.ports == []


def test_a_station_address_is_bytes() -> None:
    wrong: Any = "02:00:00:00:00:01"
    with pytest.raises(ValueError, match=r"write bytes\.fromhex\('020000000001'\), not '02:00:00:00:00:01'"):
        Ethernet().attach(mac=wrong)
