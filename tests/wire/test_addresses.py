"""Addresses as text, and what can be asked of their bytes."""

from __future__ import annotations

import pytest

from stack.wire import addresses
from stack.wire.addresses import Prefix, format_ipv4, format_mac, parse_ipv4, parse_mac


def test_ipv4_there_and_back() -> None:
    assert parse_ipv4("10.9.0.255") == bytes((10, 9, 0, 255))
    assert format_ipv4(memoryview(bytes((10, 9, 0, 255)))) == "10.9.0.255"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10.9.0", "four numbers"),
        ("10.9.0.1.2", "four numbers"),
        ("", "four numbers"),
        ("10.9..1", "not a decimal number"),
        ("10.9.0.x", "not a decimal number"),
        ("10.9.0.-1", "not a decimal number"),
        ("10.9.0. 1", "not a decimal number"),
        ("10.9.0.\u0661", "not a decimal number"),
        ("10.9.0.0x1", "not a decimal number"),
        ("10.9.0.010", "leading zero"),
        ("10.9.0.256", "over 255"),
        ("10.9.0.99999999999", "over 255"),
    ],
)
def test_ipv4_errors_name_the_text_and_the_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule) as caught:
        parse_ipv4(text)
    assert repr(text) in str(caught.value)


def test_mac_there_and_back() -> None:
    mac = bytes.fromhex("002018B94937")
    assert parse_mac("00:20:18:b9:49:37") == parse_mac("00-20-18-B9-49-37") == mac
    assert format_mac(memoryview(mac)) == "00:20:18:b9:49:37"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("00:20:18:b9:49", "six pairs"),
        ("002018b94937", "six pairs"),
        ("00:20:18:b9:49:3", "not a pair"),
        ("00:20:18:b9:49:g7", "not a pair"),
        ("00:20:18:b9:49:+7", "not a pair"),
        ("00-20:18-b9-49-37-00", "not a pair"),
    ],
)
def test_mac_errors_name_the_text_and_the_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule) as caught:
        parse_mac(text)
    assert repr(text) in str(caught.value)


def test_prefix_parts() -> None:
    prefix = Prefix.parse("10.9.3.2/22")
    assert str(prefix) == "10.9.3.2/22"
    assert format_ipv4(prefix.mask) == "255.255.252.0"
    assert format_ipv4(prefix.network) == "10.9.0.0"
    assert prefix.broadcast == parse_ipv4("10.9.3.255")
    assert prefix.contains(parse_ipv4("10.9.0.0"))
    assert prefix.contains(memoryview(parse_ipv4("10.9.3.255")))
    assert not prefix.contains(parse_ipv4("10.9.4.0"))


def test_prefixes_without_and_with_all_bits() -> None:
    everything = Prefix.parse("0.0.0.0/0")
    assert everything.contains(parse_ipv4("255.1.2.3"))
    assert everything.mask == bytes(4)
    one = Prefix.parse("10.9.0.2/32")
    assert one.contains(parse_ipv4("10.9.0.2"))
    assert not one.contains(parse_ipv4("10.9.0.3"))


@pytest.mark.parametrize("text", ["10.9.0.2/31", "10.9.0.2/32"])
def test_prefixes_too_small_for_a_broadcast_have_none(text: str) -> None:
    assert Prefix.parse(text).broadcast is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10.9.0.2", "has no prefix length"),
        ("10.9.0.2/33", "from 0 to 32"),
        ("10.9.0.2/", "from 0 to 32"),
        ("10.9.0.2/-1", "from 0 to 32"),
        ("10.9.0.2/255.255.255.0", "from 0 to 32"),
        ("10.9.0/24", "four numbers"),
    ],
)
def test_prefix_errors_name_the_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Prefix.parse(text)


def test_prefix_of_bytes_that_are_none() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        Prefix(bytes(16), 24)
    with pytest.raises(ValueError, match="0 to 32"):
        Prefix(bytes(4), 33)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("0.0.0.0", {"is_this_network"}),
        ("0.1.2.3", {"is_this_network"}),
        ("10.9.0.2", set()),
        ("126.255.255.255", set()),
        ("127.0.0.1", {"is_loopback"}),
        ("127.255.255.255", {"is_loopback"}),
        ("169.253.255.255", set()),
        ("169.254.0.1", {"is_link_local"}),
        ("223.255.255.255", set()),
        ("224.0.0.1", {"is_multicast"}),
        ("239.255.255.255", {"is_multicast"}),
        ("240.0.0.0", {"is_class_e"}),
        ("255.255.255.254", {"is_class_e"}),
        ("255.255.255.255", {"is_limited_broadcast"}),
    ],
)
def test_special_addresses(text: str, kinds: set[str]) -> None:
    questions = (
        "is_this_network",
        "is_loopback",
        "is_link_local",
        "is_multicast",
        "is_class_e",
        "is_limited_broadcast",
    )
    assert {name for name in questions if getattr(addresses, name)(parse_ipv4(text))} == kinds


def test_multicast_on_ethernet_keeps_23_bits() -> None:
    """RFC 1112 section 6.4: 32 groups share a station address."""
    assert format_mac(addresses.multicast_mac(parse_ipv4("224.0.0.251"))) == "01:00:5e:00:00:fb"
    assert format_mac(addresses.multicast_mac(parse_ipv4("239.255.1.2"))) == "01:00:5e:7f:01:02"
    assert addresses.is_group_mac(addresses.multicast_mac(addresses.ALL_HOSTS))
    assert addresses.is_group_mac(addresses.MAC_BROADCAST)
    assert not addresses.is_group_mac(parse_mac("02:00:00:00:00:01"))
