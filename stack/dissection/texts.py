"""Words for values that several protocols have: addresses and ports.

The texts are remembered, since the frames of a conversation repeat them.
"""

from __future__ import annotations

from functools import lru_cache

from stack.wire.addresses import MAC_BROADCAST, MAC_ZERO, format_ipv4, format_mac, is_group_mac
from stack.wire.numbers import icmp_name, port_description, port_name

REMEMBERED = 256
_GROUPS = {
    b"\x01\0\x5e": ", with the last 23 bits of an IPv4 group (RFC 1112)",
    b"\x33\x33": ", with the last 32 bits of an IPv6 group (RFC 2464)",
}


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
    if mac == MAC_ZERO:
        return f"{text}: no station"
    group = "I/G bit 1, a group of stations" if is_group_mac(mac) else "I/G bit 0, one station"
    for beginning, of_ip in _GROUPS.items():
        if mac.startswith(beginning):
            group += of_ip
    if mac[0] & 2:
        return f"{text}: {group}; U/L bit 1, locally administered"
    oui = bytes((mac[0] & 0xFE, mac[1], mac[2])).hex("-")
    return f"{text}: {group}; U/L bit 0, universally administered; OUI {oui}"


@lru_cache(maxsize=REMEMBERED)
def address(ip: bytes) -> str:
    """An IPv4 address."""
    return format_ipv4(ip)


@lru_cache(maxsize=REMEMBERED)
def from_to(source: bytes, destination: bytes) -> str:
    """Two IPv4 addresses: "10.9.0.1 > 10.9.0.2"."""
    return f"{format_ipv4(source)} > {format_ipv4(destination)}"


@lru_cache(maxsize=REMEMBERED)
def icmp(kind: int, code: int) -> str:
    """The names of an ICMP type and code."""
    return icmp_name(kind, code)


@lru_cache(maxsize=REMEMBERED)
def port(number: int, protocol: int) -> str:
    """A port with the name of its service: "7 (echo)"."""
    name = port_name(number, protocol)
    return name if name == str(number) else f"{number} ({name})"


def port_words(number: int, protocol: int) -> str:
    """A port with the name and a description of its service."""
    description = port_description(number, protocol)
    return f"{port(number, protocol)}: {description}" if description else port(number, protocol)


def time_of_day(time: int) -> str:
    """A timestamp of IP or ICMP (RFC 791, RFC 792). Its first bit says that it is not standard."""
    return "not in ms since midnight UT" if time >> 31 else f"{time} ms since midnight UT"


def set_or_not(value: object, meaning: str) -> str:
    """Words for a flag: "set: MEANING", or "not set"."""
    return f"set: {meaning}" if value else "not set"
