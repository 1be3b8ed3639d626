"""Builds the packets that come in, with their script's numbers translated to the wire's."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

from . import symbols
from .options import Settings
from .packet import DEFAULT_TTL, ECN_BITS, Icmp, Tcp, Udp, write
from .script import IcmpPacket, Ip, Option, ScriptError, TcpPacket, UdpPacket
from .wire import MASK, PEER_FIN, PEER_PATTERN, Flow, Wire, octets

WINDOW = 65535  # of a segment whose line has no `win`

IsOpen = Callable[[Flow], bool]


def inject(
    packet: TcpPacket | UdpPacket | IcmpPacket, line: int, wire: Wire, settings: Settings, is_open: IsOpen
) -> None:
    """Let a packet of the script come in at the host.

    Raises ScriptError if it refers to a flow or a timestamp that the runner has not seen. `is_open`
    says whether the host has a connection of this flow that is not in TIME-WAIT. If it has none, a
    SYN begins a new connection.
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
    """Return the flow of an incoming packet: that of the ports in its line, else the current one.

    A flow whose ports are named becomes the current one. If there is none, `default` becomes it.
    """
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
    """Translate the host's numbers in an option to the wire's: the edges of SACK blocks, and TSecr.

    A TSecr of 0, and that of a segment without the flag ACK, stay as they are: both echo no
    timestamp (RFC 7323 section 3.2).
    """
    if option.name == "sack":
        return Option("sack", tuple((edge + (flow.host_zero or 0)) & MASK for edge in option.values))
    if option.name == "TS" and option.values[1] and packet.flags & symbols.ACK:
        if flow.timestamp_zero is None:
            raise ScriptError(line, 0, "`ecr` echoes a timestamp of the host, and no line has matched one yet")
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
        raise ScriptError(line, 0, "the message quotes a packet of the current flow, and there is no flow yet")
    if packet.quote.protocol == "udp":
        body: Tcp | Udp = Udp(*flow.ports, octets(PEER_PATTERN, 0, packet.quote.length))
        quoted: bytes | None = None
    else:
        seq = (packet.quote.seq + (flow.host_zero or 0)) & MASK
        quoted = wire.quoted(flow, seq, packet.quote.length)
        body = Tcp(*flow.ports, seq, 0, symbols.ACK, 0, 0, (), bytes(packet.quote.length))
    if quoted is None:  # the host has not sent such a packet: the message is forged
        quoted = write(settings.local_ip, settings.remote_ip, body)
    return Icmp(packet.kind, packet.code, rest, quoted[:28])
