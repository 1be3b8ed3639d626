"""Compares a packet that the host has sent with the line that expects it, field by field.

A field that the line does not name is not compared: `win`, ECN, TOS, TTL, and all options if the
line has `<...>`. A line without ports expects a packet of the current flow, or one that makes its
own flow the current one: a SYN without ACK, or a UDP datagram.

These are never compared: the Identification and the DF bit of the IP header, the acknowledgment
number of a segment without the flag `.`, an octet before the first one of the stream (the garbage
octet of a keep-alive, RFC 9293 section 3.8.4), and, in the packet that an ICMP error quotes, all
but its protocol, sequence number and length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import symbols
from .options import Settings
from .packet import ECN_BITS, PROTO_TCP, PROTO_UDP, Icmp, Tcp, Udp
from .script import IcmpPacket, Ip, Option, TcpPacket, UdpPacket
from .wire import HOST_PATTERN, MASK, Flow, Sent, Wire, octets

ANYTHING = "(any)"


@dataclass(frozen=True, slots=True)
class Row:
    """One field: the value in the line, the actual value, and whether they differ."""

    name: str
    expected: str
    actual: str
    differs: bool = False


def compare(expected: TcpPacket | UdpPacket | IcmpPacket, sent: Sent, wire: Wire, settings: Settings) -> list[Row]:
    """Return a row for each field.

    This also updates the flow in `wire`: a SYN that begins a connection sets its numbers, and a
    flow whose ports the line names becomes the current one.
    """
    body = sent.datagram.body
    rows = [Row("protocol", protocol(expected), protocol(body), protocol(expected) != protocol(body))]
    if not rows[0].differs:
        rows += _address_rows(sent, settings)
        if isinstance(expected, TcpPacket) and isinstance(body, Tcp):
            rows += _tcp_rows(expected, body, sent, wire, settings)
        elif isinstance(expected, UdpPacket) and isinstance(body, Udp):
            rows += _udp_rows(expected, body, sent, wire)
        elif isinstance(expected, IcmpPacket) and isinstance(body, Icmp):
            rows += _icmp_rows(expected, body, wire)
    return rows + _ip_rows(expected, sent)


def protocol(packet: object) -> str:
    """Return the name of a packet's protocol: tcp, udp or icmp."""
    if isinstance(packet, (TcpPacket, Tcp)):
        return "tcp"
    return "udp" if isinstance(packet, (UdpPacket, Udp)) else "icmp"


def _row(name: str, expected: object, sent: object) -> Row:
    return Row(name, str(expected), str(sent), expected != sent)


def _address_rows(sent: Sent, settings: Settings) -> list[Row]:
    """Compare the addresses with those of the settings. There is a row only if they differ."""
    expected = f"{settings.local_ip} > {settings.remote_ip}"
    row = _row("addresses", expected, f"{sent.datagram.source} > {sent.datagram.destination}")
    return [row] if row.differs else []


def _ip_rows(expected: TcpPacket | UdpPacket | IcmpPacket, sent: Sent) -> list[Row]:
    rows: list[Row] = []
    ip, datagram = expected.ip, sent.datagram
    if ip.ecn is not None:
        names = {bits: name for name, bits in ECN_BITS.items()}
        name = names[datagram.tos & 3]
        rows.append(Row("ECN", ip.ecn, name, name not in ("ect0", "ect1") if ip.ecn == "ect01" else name != ip.ecn))
    if ip.tos is not None:
        rows.append(_row("TOS", hex(ip.tos), hex(datagram.tos)))
    if ip.ttl is not None:
        rows.append(_row("TTL", ip.ttl, datagram.ttl))
    return rows


# --- the flow of a packet


def _flow(expected: TcpPacket | UdpPacket, sent: Sent, wire: Wire) -> tuple[Flow, list[Row]]:
    """Return the flow of a packet. A row for its ports, if the line names them or they differ."""
    ports = sent.ports
    assert ports is not None
    if expected.ports is not None:
        return _named(wire, ports), [_row("ports", "{} > {}".format(*expected.ports), "{} > {}".format(*ports))]
    if wire.begins(sent):
        return _named(wire, ports), []
    if wire.current is None:
        return _named(wire, ports), []
    if wire.current.ports != ports:
        return wire.flow(ports), [_row("ports", "{} > {}".format(*wire.current.ports), "{} > {}".format(*ports))]
    return wire.current, []


def _named(wire: Wire, ports: tuple[int, int]) -> Flow:
    wire.current = wire.flow(ports)
    return wire.current


def described(sent: Sent, wire: Wire) -> TcpPacket | UdpPacket | IcmpPacket:
    """Return the packet of a line that expects `sent`; of an ICMP message only type and code."""
    body, ports, ip = sent.datagram.body, sent.ports, Ip()
    if isinstance(body, Icmp):
        return IcmpPacket(True, ip, None, body.kind, body.code, None, None, None, None)
    assert ports is not None
    named = None if wire.current is not None and wire.current.ports == ports else ports
    if isinstance(body, Udp):
        return UdpPacket(True, ip, named, len(body.payload))
    flow = wire.flow(ports)
    numbers = flow.host_number(body.seq), len(body.payload), flow.peer_number(body.ack)
    options = _relative(body.options, flow)
    ack = numbers[2] if body.flags & symbols.ACK else None
    return TcpPacket(True, ip, named, body.flags, *numbers[:2], ack, body.window, body.urgent, options)


# --- TCP


def _tcp_rows(expected: TcpPacket, body: Tcp, sent: Sent, wire: Wire, settings: Settings) -> list[Row]:
    flow, rows = _flow(expected, sent, wire)
    if body.flags & symbols.SYN:
        _first_syn(expected, body, flow)
    start = flow.host_number(body.seq)
    flow.note_sent(body.flags, start, len(body.payload))
    rows.append(_row("flags", symbols.show_flags(expected.flags), symbols.show_flags(body.flags)))
    rows.append(_row("seq", _range(expected.seq, expected.length), _range(start, len(body.payload))))
    if expected.flags & symbols.ACK or body.flags & symbols.ACK:
        ack = str(flow.peer_number(body.ack)) if body.flags & symbols.ACK else "-"
        rows.append(_row("ack", "-" if expected.ack is None else str(expected.ack), ack))
    if expected.window is None:
        rows.append(Row("win", ANYTHING, str(body.window)))
    else:
        rows.append(_row("win", expected.window, body.window))
    if expected.urgent or body.urgent or (expected.flags | body.flags) & symbols.URG:
        rows.append(_row("urg", expected.urgent, body.urgent))
    rows += _option_rows(expected, body, flow, settings)
    rows += _payload_rows(body, start, flow)
    return rows


def _first_syn(expected: TcpPacket, body: Tcp, flow: Flow) -> None:
    """Set the flow's numbers from a SYN of the host, if the SYN begins a connection."""
    again = flow.restarting if body.flags & symbols.ACK else flow.closed
    if flow.host_zero is not None and not again:
        return
    if not body.flags & symbols.ACK:
        flow.peer_first = None
    flow.host_zero = (body.seq - expected.seq) & MASK
    flow.host_first = expected.seq + 1
    flow.host_next = expected.seq
    flow.timestamp_zero = None
    flow.finished = 0
    flow.restarting = False


def _range(start: int, length: int) -> str:
    return f"{start}:{(start + length) & MASK}({length})"


def _payload_rows(body: Tcp, start: int, flow: Flow) -> list[Row]:
    """Compare the payload with the stream's octets from `start` on. A row only if they differ."""
    syn = 1 if body.flags & symbols.SYN else 0
    first = (start + syn - flow.host_first) & MASK
    payload = body.payload
    if first > MASK >> 1:  # before the stream: the garbage octet of a keep-alive, RFC 9293 section 3.8.4
        return []
    wanted = octets(HOST_PATTERN, first, len(payload))
    if payload == wanted:
        return []
    at = next(index for index, octet in enumerate(wanted) if octet != payload[index])
    shown = start + syn + at
    return [Row("payload", "the stream's octets, in order", f"other octets from {shown} on", True)]


def _option_rows(expected: TcpPacket, body: Tcp, flow: Flow, settings: Settings) -> list[Row]:
    if expected.options is None:
        return [Row("options", "<...>", _show_options(_relative(body.options, flow)))]
    expected_val = next((option.values[0] for option in expected.options if option.name == "TS"), None)
    sent_val = next((option.values[0] for option in body.options if option.name == "TS"), None)
    if expected_val is not None and sent_val is not None and flow.timestamp_zero is None:
        flow.timestamp_zero = (sent_val - expected_val) & MASK
    options = _relative(body.options, flow)
    if expected_val is not None and sent_val is not None and _same_time(expected_val, sent_val, flow, settings):
        options = tuple(
            Option("TS", (expected_val, option.values[1])) if option.name == "TS" else option for option in options
        )
    return [_row("options", _show_options(expected.options), _show_options(options))]


def _same_time(expected_val: int, sent_val: int, flow: Flow, settings: Settings) -> bool:
    """Whether the host's timestamp is the line's within the tolerance. With a tick of 0 any is."""
    if not settings.tcp_ts_tick_usecs:
        return True
    off = (sent_val - (flow.timestamp_zero or 0) - expected_val) & MASK
    off = min(off, (-off) & MASK)
    return off * settings.tcp_ts_tick_usecs <= settings.tolerance_usecs


def _relative(options: Iterable[Option], flow: Flow) -> tuple[Option, ...]:
    """Translate the options of a packet from the host to the script's numbers."""
    found: list[Option] = []
    for option in options:
        if option.name == "TS":
            value = (option.values[0] - (flow.timestamp_zero or 0)) & MASK
            option = Option("TS", (value, option.values[1]))
        elif option.name == "sack":
            option = Option("sack", tuple(flow.peer_number(edge) for edge in option.values))
        found.append(option)
    return tuple(found)


def _show_options(options: tuple[Option, ...]) -> str:
    return "<" + ",".join(map(show_option, options)) + ">"


def show_option(option: Option) -> str:
    """Return an option as a script writes it."""
    values = option.values
    if option.name == "TS":
        return f"TS val {values[0]} ecr {values[1]}"
    if option.name == "sack":
        return "sack " + " ".join(f"{left}:{right}" for left, right in zip(values[::2], values[1::2], strict=True))
    words = [option.name, *map(str, values)]
    return " ".join([*words, option.octets.hex()] if option.octets else words)


# --- UDP and ICMP


def _udp_rows(expected: UdpPacket, body: Udp, sent: Sent, wire: Wire) -> list[Row]:
    _, rows = _flow(expected, sent, wire)
    rows.append(_row("length", expected.length, len(body.payload)))
    if body.payload != octets(HOST_PATTERN, 0, len(body.payload)):
        rows.append(Row("payload", "the octets that were written", "other octets", True))
    return rows


def _icmp_rows(expected: IcmpPacket, body: Icmp, wire: Wire) -> list[Row]:
    rows = [_row("type", *map(symbols.icmp_type_name, (expected.kind, body.kind)))]
    codes = symbols.icmp_code_name(expected.kind, expected.code), symbols.icmp_code_name(body.kind, body.code)
    rows.append(_row("code", *codes))
    if expected.mtu is not None:
        rows.append(_row("mtu", expected.mtu, int.from_bytes(body.rest[2:], "big")))
    if expected.ident is not None:
        rows.append(_row("id", expected.ident, int.from_bytes(body.rest[:2], "big")))
    if expected.raw is not None:
        rows.append(_row("data", expected.raw, len(body.payload)))
    if expected.quote is not None:
        wanted = f"{expected.quote.protocol} " + _range(expected.quote.seq, expected.quote.length)
        rows.append(_row("quote", wanted, _quoted(body.payload, wire)))
    return rows


def _quoted(quote: bytes, wire: Wire) -> str:
    """Return the packet that an ICMP error of the host quotes, in the script's numbers.

    The peer has sent that packet, so its sequence number is of the peer's direction.
    """
    if len(quote) < 28:
        return f"{len(quote)} octets"
    header = (quote[0] & 15) * 4
    total, protocol_number = int.from_bytes(quote[2:4], "big"), quote[9]
    if protocol_number == PROTO_UDP:
        return "udp " + _range(0, total - header - 8)
    if protocol_number != PROTO_TCP or len(quote) < header + 13:
        return f"protocol {protocol_number}"
    ports = tuple(int.from_bytes(quote[header + at : header + at + 2], "big") for at in (0, 2))
    flow = wire.flow((ports[1], ports[0]))
    length = total - header - (quote[header + 12] >> 4) * 4
    return "tcp " + _range(flow.peer_number(int.from_bytes(quote[header + 4 : header + 8], "big")), length)
