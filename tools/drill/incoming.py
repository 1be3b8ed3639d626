"""Builds the packets that a script lets come in, their numbers moved to those of the wire."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

from . import symbols
from .options import Settings
from .packet import DEFAULT_TTL, ECN_BITS, Icmp, Tcp, Udp, write
from .script import IcmpPacket, Ip, Option, ScriptError, TcpPacket, UdpPacket
from .wire import MASK, PEER_FIN, PEER_PATTERN, Flow, Wire, octets

WINDOW = 65535  # of a segment that names none


IsOpen = Callable[[Flow], bool]


def inject(
    packet: TcpPacket | UdpPacket | IcmpPacket, line: int, wire: Wire, settings: Settings, is_open: IsOpen
) -> None:
    """Let a packet of the script come in at the host. ScriptError for one that belongs nowhere.

    `is_open` tells whether the host has a connection of these ends, TIME-WAIT aside: a SYN belongs to it then.
    """
    body: Tcp | Udp | Icmp
    if isinstance(packet, TcpPacket):
        body = _tcp(packet, line, wire, settings, is_open)
    elif isinstance(packet, UdpPacket):
        flow = _flow(packet, wire, (settings.bind_port, settings.peer_port))
        body = Udp(flow.ports[1], flow.ports[0], octets(PEER_PATTERN, 0, packet.length))
    else:
        body = _icmp(packet, line, wire, settings)
    ttl = DEFAULT_TTL if packet.ip.ttl is None else packet.ip.ttl
    wire.inject(write(settings.remote_ip, settings.local_ip, body, ttl=ttl, tos=_tos(packet.ip)))


def _tos(ip: Ip) -> int:
    return ECN_BITS[ip.ecn] if ip.ecn is not None else ip.tos or 0


def _flow(packet: TcpPacket | UdpPacket, wire: Wire, default: tuple[int, int]) -> Flow:
    """The flow of a packet that comes in; it becomes the current one when its ports are named, or when it is first."""
    if packet.ports is not None:
        wire.current = wire.flow((packet.ports[1], packet.ports[0]))
    elif wire.current is None:
        wire.current = wire.flow(default)
    return wire.current


def _tcp(packet: TcpPacket, line: int, wire: Wire, settings: Settings, is_open: IsOpen) -> Tcp:
    flow = _flow(packet, wire, (wire.listen_port, settings.peer_port))
    flow.note(packet.flags, PEER_FIN)
    syn = 1 if packet.flags & symbols.SYN else 0
    if syn and not packet.flags & symbols.ACK and flow.host_zero is not None and not is_open(flow):
        flow.restarting = True
    if syn and (flow.peer_first is None or flow.restarting):
        flow.peer_first = packet.seq + 1
    first = (packet.seq + syn - (flow.peer_first or 1)) & MASK
    if packet.flags & symbols.URG and packet.urgent:
        flow.urgent += [first + packet.urgent - 1, first + packet.urgent]
    ack = 0 if packet.ack is None else (packet.ack + (flow.host_zero or 0)) & MASK
    options = tuple(_on_the_wire(option, packet, flow, line) for option in packet.options or ())
    window = WINDOW if packet.window is None else packet.window
    numbers = (packet.seq + flow.peer_zero) & MASK, ack, packet.flags, window, packet.urgent
    return Tcp(flow.ports[1], flow.ports[0], *numbers, options, octets(PEER_PATTERN, first, packet.length))


def _on_the_wire(option: Option, packet: TcpPacket, flow: Flow, line: int) -> Option:
    """An option with the wire's numbers: SACK blocks and TSecr are about what the host has sent.

    TSecr 0 stays 0, and so does that of a segment without an acknowledgment (RFC 7323 section 3.2).
    """
    if option.name == "sack":
        return Option("sack", tuple((edge + (flow.host_zero or 0)) & MASK for edge in option.values))
    if option.name == "TS" and option.values[1] and packet.flags & symbols.ACK:
        if flow.timestamp_zero is None:
            raise ScriptError(line, 0, "`ecr` echoes a timestamp, and the host has sent none that a line has matched")
        return Option("TS", (option.values[0], (option.values[1] + flow.timestamp_zero) & MASK))
    return option


def _icmp(packet: IcmpPacket, line: int, wire: Wire, settings: Settings) -> Icmp:
    rest = pack("!HH", packet.ident or 0, packet.mtu or 0)
    if packet.raw is not None:
        return Icmp(packet.kind, packet.code, rest, octets(PEER_PATTERN, 0, packet.raw))
    if packet.quote is None:
        return Icmp(packet.kind, packet.code, rest, b"")
    flow = wire.current
    if flow is None:
        raise ScriptError(line, 0, "this quotes a packet of a flow, and there is none yet")
    if packet.quote.protocol == "udp":
        body: Tcp | Udp = Udp(*flow.ports, octets(PEER_PATTERN, 0, packet.quote.length))
        quoted: bytes | None = None
    else:
        seq = (packet.quote.seq + (flow.host_zero or 0)) & MASK
        quoted = wire.quoted(flow, seq, packet.quote.length)
        body = Tcp(*flow.ports, seq, 0, symbols.ACK, 0, 0, (), bytes(packet.quote.length))
    if quoted is None:  # never sent: as a forger would have it
        quoted = write(settings.local_ip, settings.remote_ip, body)
    return Icmp(packet.kind, packet.code, rest, quoted[:28])
