"""Reads and writes IPv4, TCP, UDP and ICMP headers, without the stack's own code.

Reading checks lengths and checksums, and that the reserved bits and the padding of TCP are zero.
See RFC 791 section 3.1, RFC 9293 section 3.1, RFC 768 and RFC 792.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct, error, pack, unpack_from

from .script import Option

PROTO_ICMP, PROTO_TCP, PROTO_UDP = 1, 6, 17
IP_HEADER = 20
DEFAULT_TTL = 64
ECN_BITS = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}

_IP = Struct("!BBHHHBBH4s4s")
_TCP = Struct("!HHIIBBHHH")
_FRAGMENT = 0x3FFF
_DONT_FRAGMENT = 0x4000

_KINDS = {"mss": 2, "wscale": 3, "sackOK": 4, "sack": 5, "TS": 8, "FO": 34}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_LAYOUTS = {"mss": "!H", "wscale": "!B", "sackOK": "", "TS": "!II"}
_EXPERIMENT, _FAST_OPEN_MAGIC = 254, b"\xf9\x89"  # RFC 7413 appendix B.1


class Malformed(Exception):
    """The host's packet is malformed, or a script cannot describe it. The text says why."""


@dataclass(frozen=True, slots=True)
class Tcp:
    """A TCP segment with the wire's numbers. `flags` has the eight bits of RFC 9293 section 3.1."""

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    urgent: int
    options: tuple[Option, ...]
    payload: bytes


@dataclass(frozen=True, slots=True)
class Udp:
    """A UDP datagram."""

    source_port: int
    destination_port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP message: `rest` has the four octets after the checksum, `payload` the rest."""

    kind: int
    code: int
    rest: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Datagram:
    """An IPv4 datagram and its content. Addresses are dotted text; `raw` has all its octets."""

    source: str
    destination: str
    ttl: int
    tos: int
    body: Tcp | Udp | Icmp
    raw: bytes


def checksum(data: bytes) -> int:
    """Return the Internet checksum of RFC 1071. Over data with its correct checksum it is 0."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big") % 0xFFFF
    return 0xFFFF - total if total or not any(data) else 0


def _pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    return source + destination + pack("!BBH", 0, protocol, length)


# --- reading


def read(raw: bytes) -> Datagram:
    """Parse an IPv4 datagram. Raises Malformed."""
    if len(raw) < IP_HEADER:
        raise Malformed(f"an IPv4 header has at least {IP_HEADER} octets, and the packet has {len(raw)}")
    first, tos, length, _, fragment, ttl, protocol, _, source, destination = _IP.unpack_from(raw)
    header_length = (first & 15) * 4
    if first >> 4 != 4 or header_length < IP_HEADER or len(raw) < header_length:
        raise Malformed(f"the first octet of the IPv4 header is 0x{first:02x}: a wrong version or header length")
    if checksum(raw[:header_length]):
        raise Malformed("the checksum of the IPv4 header is wrong")
    if length != len(raw):
        raise Malformed(f"the total length in the IPv4 header is {length}, and the packet has {len(raw)} octets")
    if fragment & _FRAGMENT:
        raise Malformed("the packet is a fragment, which a script cannot describe")
    content = raw[header_length:]
    pseudo = _pseudo_header(source, destination, protocol, len(content))
    readers: dict[int, Callable[[bytes, bytes], Tcp | Udp | Icmp]]
    readers = {PROTO_TCP: _read_tcp, PROTO_UDP: _read_udp, PROTO_ICMP: _read_icmp}
    if protocol not in readers:
        raise Malformed(f"the packet has IP protocol {protocol}, which a script cannot describe")
    body = readers[protocol](content, pseudo)
    return Datagram(socket.inet_ntoa(source), socket.inet_ntoa(destination), ttl, tos, body, raw)


def _read_tcp(content: bytes, pseudo: bytes) -> Tcp:
    if len(content) < _TCP.size:
        raise Malformed(f"a TCP header has at least {_TCP.size} octets, and the segment has {len(content)}")
    source, destination, seq, ack, offset, flags, window, _, urgent = _TCP.unpack_from(content)
    if checksum(pseudo + content):
        raise Malformed("the TCP checksum is wrong")
    length = (offset >> 4) * 4
    if not _TCP.size <= length <= len(content):
        raise Malformed(f"the data offset gives a TCP header of {length} octets, and the segment has {len(content)}")
    if offset & 0x0F:
        raise Malformed("a reserved bit of the TCP header is set")
    options = _read_options(content[_TCP.size : length])
    return Tcp(source, destination, seq, ack, flags, window, urgent, options, content[length:])


def _read_options(data: bytes) -> tuple[Option, ...]:
    found: list[Option] = []
    while data:
        kind = data[0]
        if kind == 0:  # only zeros may follow the end of the list: RFC 9293 section 3.1
            if any(data):
                raise Malformed("the padding of the TCP options is not zero")
            return (*found, *[Option("eol")] * len(data))
        if kind == 1:
            found.append(Option("nop"))
            data = data[1:]
            continue
        length = data[1] if len(data) > 1 else 0
        if not 2 <= length <= len(data):
            raise Malformed(f"the TCP option {kind} has the length {length}, and {len(data)} octets are left")
        found.append(_read_option(kind, data[2:length]))
        data = data[length:]
    return tuple(found)


def _read_option(kind: int, data: bytes) -> Option:
    name = _NAMES.get(kind, f"option {kind}")
    if kind == _EXPERIMENT and data.startswith(_FAST_OPEN_MAGIC):
        return Option("FOEXP", octets=data[2:])
    if name == "sack":
        if not data or len(data) % 8:
            raise Malformed(f"the SACK option has {len(data) + 2} octets, which is not 2 and 8 for each block")
        return Option(name, unpack_from(f"!{len(data) // 4}I", data))
    layout = _LAYOUTS.get(name)
    if layout is None:
        return Option(name, octets=data)
    try:
        return Option(name, Struct(layout).unpack(data))
    except error:
        raise Malformed(f"the TCP option {name} has {len(data) + 2} octets, a wrong length") from None


def _read_udp(content: bytes, pseudo: bytes) -> Udp:
    if len(content) < 8:
        raise Malformed(f"a UDP header has 8 octets, and the datagram has {len(content)}")
    source, destination, length, given = unpack_from("!HHHH", content)
    if length != len(content):
        raise Malformed(f"the length in the UDP header is {length}, and the datagram has {len(content)} octets")
    if not given:
        raise Malformed("the UDP datagram has no checksum")
    if checksum(pseudo + content):
        raise Malformed("the UDP checksum is wrong")
    return Udp(source, destination, content[8:])


def _read_icmp(content: bytes, _: bytes) -> Icmp:
    if len(content) < 8:
        raise Malformed(f"an ICMP header has 8 octets, and the message has {len(content)}")
    if checksum(content):
        raise Malformed("the ICMP checksum is wrong")
    return Icmp(content[0], content[1], content[4:8], content[8:])


# --- writing


def write(source: str, destination: str, body: Tcp | Udp | Icmp, *, ttl: int = DEFAULT_TTL, tos: int = 0) -> bytes:
    """Return the octets of a datagram, with correct checksums."""
    addresses = socket.inet_aton(source), socket.inet_aton(destination)
    if isinstance(body, Tcp):
        protocol, at, content = PROTO_TCP, 16, _write_tcp(body)
    elif isinstance(body, Udp):
        header = pack("!HHHH", body.source_port, body.destination_port, 8 + len(body.payload), 0)
        protocol, at, content = PROTO_UDP, 6, header + body.payload
    else:
        protocol, at, content = PROTO_ICMP, 2, pack("!BBH", body.kind, body.code, 0) + body.rest + body.payload
    pseudo = b"" if protocol == PROTO_ICMP else _pseudo_header(*addresses, protocol, len(content))
    total = checksum(pseudo + content)
    if protocol == PROTO_UDP and not total:
        total = 0xFFFF  # RFC 768: a checksum of zero means that there is none
    content = content[:at] + pack("!H", total) + content[at + 2 :]
    header = _IP.pack(0x45, tos, IP_HEADER + len(content), 0, _DONT_FRAGMENT, ttl, protocol, 0, *addresses)
    return header[:10] + pack("!H", checksum(header)) + header[12:] + content


def _write_tcp(body: Tcp) -> bytes:
    options = b"".join(map(_write_option, body.options))
    offset = (_TCP.size + len(options)) // 4 << 4
    ports = body.source_port, body.destination_port
    header = _TCP.pack(*ports, body.seq, body.ack, offset, body.flags, body.window, 0, body.urgent)
    return header + options + body.payload


def _write_option(option: Option) -> bytes:
    if option.name in ("nop", "eol"):
        return b"\1" if option.name == "nop" else b"\0"
    if option.name == "FOEXP":
        return bytes((_EXPERIMENT, 4 + len(option.octets))) + _FAST_OPEN_MAGIC + option.octets
    if option.name == "sack":
        data = pack(f"!{len(option.values)}I", *option.values)
    elif option.name in _LAYOUTS:
        data = pack(_LAYOUTS[option.name] or "!", *option.values)
    else:
        data = option.octets
    return bytes((_KINDS[option.name], 2 + len(data))) + data
