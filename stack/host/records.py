"""Records of a host's state: frozen dataclasses that can be converted to JSON."""

from __future__ import annotations

from dataclasses import dataclass

from stack.host.interface import Interface
from stack.host.tcp_layer import TcpLayer
from stack.tcp.listener import Listener
from stack.tcp.tcb import Tcb
from stack.tcp.user_calls import status
from stack.udp.ports import UdpPorts, UdpRecord
from stack.wire.addresses import Prefix, endpoint, format_mac


@dataclass(frozen=True, slots=True)
class InterfaceRecord:
    """An interface. `addresses` are text such as "10.9.0.2/24". `mtu` is in bytes.

    `mac` is None on a link that carries bare IP packets. `tentative` addresses are being probed and
    not used yet (RFC 5227).
    """

    name: str
    mac: str | None
    mtu: int
    addresses: tuple[str, ...]
    tentative: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A TCP connection, a TCP listener or a UDP endpoint.

    `local` and `remote` are text such as "10.9.0.2:7". `unread` are the octets that the program has
    not read yet. `unsent` are the octets that the peer has not acknowledged yet, whether they were
    sent or not. The other fields are from TCP's STATUS call (RFC 9293 section 3.9.1.6), with
    windows in octets. They are None for listeners and UDP.
    """

    protocol: str
    state: str
    local: str
    remote: str | None
    unread: int = 0
    unsent: int = 0
    send_window: int | None = None
    receive_window: int | None = None
    cwnd: int | None = None
    srtt_s: float | None = None
    rto_s: float | None = None


def interface_record(interface: Interface, tentative: list[Prefix]) -> InterfaceRecord:
    """The record of an interface. `tentative` are its addresses that are not used yet."""
    return InterfaceRecord(
        interface.name,
        None if interface.mac is None else format_mac(interface.mac),
        interface.mtu,
        tuple(str(prefix) for prefix in interface.addresses),
        tuple(str(prefix) for prefix in tentative),
    )


def listener_record(listener: Listener) -> ConnectionRecord:
    """The record of a TCP listener."""
    return ConnectionRecord("tcp", "LISTEN", endpoint(listener.local), None)


def connection_record(tcb: Tcb) -> ConnectionRecord:
    """The record of a TCP connection."""
    now = status(tcb)
    return ConnectionRecord(
        "tcp",
        now.state,
        endpoint(now.local),
        endpoint(now.remote),
        now.unread,
        now.unacknowledged + now.unsent,
        now.send_window,
        now.receive_window,
        now.cwnd,
        now.srtt_s,
        now.rto_s,
    )


def datagram_record(record: UdpRecord) -> ConnectionRecord:
    """The record of a UDP endpoint."""
    remote = record.remote
    return ConnectionRecord(
        "udp",
        "CONNECTED" if remote else "BOUND",
        f"{record.local[0]}:{record.local[1]}",
        None if remote is None else f"{remote[0]}:{remote[1]}",
        record.queued_bytes,
    )


def all_listeners(tcp: TcpLayer, udp: UdpPorts) -> list[ConnectionRecord]:
    """The records of TCP listeners, then of UDP endpoints."""
    return [*map(listener_record, tcp.demux.all_listeners()), *map(datagram_record, udp.records())]


def all_connections(tcp: TcpLayer, udp: UdpPorts) -> list[ConnectionRecord]:
    """The records of TCP listeners and connections, then of UDP endpoints."""
    listeners = map(listener_record, tcp.demux.all_listeners())
    connections = map(connection_record, tcp.connections.values())
    return [*listeners, *connections, *map(datagram_record, udp.records())]
