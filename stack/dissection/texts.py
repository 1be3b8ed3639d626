"""Words for values that several protocols have: addresses and ports.

The texts are remembered, since the frames of a conversation repeat them.
"""

from __future__ import annotations

from functools import lru_cache

from stack.wire.addresses import MAC_BROADCAST, format_ipv4, format_mac, is_group_mac
from stack.wire.numbers import port_description, port_name

REMEMBERED = 256


@lru_cache(maxsize=REMEMBERED)
def station(mac: bytes) -> str:
    """A station address, or "broadcast"."""
    return "broadcast" if mac == MAC_BROADCAST else format_mac(mac)


@lru_cache(maxsize=REMEMBERED)
def station_words(mac: bytes) -> str:
    """A station address, with what the first three octets and two of their bits say (IEEE 802).

    The lowest bit of the first octet is the first one on the wire: I/G, individual or group. The
    next one is U/L. If it is 0, the first three octets are the OUI that IEEE gave to the maker.
    """
    text = format_mac(mac)
    if mac == MAC_BROADCAST:
        return f"{text}: broadcast, every station on the link (all bits are 1)"
    group = "I/G bit 1, a group of stations" if is_group_mac(mac) else "I/G bit 0, one station"
    if mac[0] & 2:
        return f"{text}: {group}; U/L bit 1, locally administered"
    return f"{text}: {group}; U/L bit 0, universally administered; OUI {mac[:3].hex('-')}"


@lru_cache(maxsize=REMEMBERED)
def from_to(source: bytes, destination: bytes) -> str:
    """Two IPv4 addresses: "10.9.0.1 > 10.9.0.2"."""
    return f"{format_ipv4(source)} > {format_ipv4(destination)}"


@lru_cache(maxsize=REMEMBERED)
def port(number: int, protocol: int) -> str:
    """A port with the name of its service: "7 (echo)"."""
    name = port_name(number, protocol)
    return name if name == str(number) else f"{number} ({name})"


def port_words(number: int, protocol: int) -> str:
    """A port with the name and a description of its service."""
    description = port_description(number, protocol)
    return f"{port(number, protocol)}: {description}" if description else port(number, protocol)


def set_or_not(value: object, meaning: str) -> str:
    """Words for a flag: "set: MEANING", or "not set"."""
    return f"set: {meaning}" if value else "not set"
