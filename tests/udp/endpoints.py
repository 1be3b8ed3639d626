"""Endpoints on a station of the internet layer, for tests."""

from __future__ import annotations

from stack.udp.endpoint import Endpoint
from stack.wire.addresses import ANY
from stack.wire.checksum import pseudo_sum, verify
from stack.wire.ipv4 import Ipv4Header
from stack.wire.udp import UdpHeader
from tests.internet.station import (
    OTHER,
    OTHER_MAC,
    PEER,
    REQUEST,
    US,
    Station,
)

UDP = 17


def made(**options: object) -> Station:
    """A station that knows its neighbours PEER and OTHER."""
    station = Station(**options)  # type: ignore[arg-type]
    station.knows(PEER)
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    station.frames()
    return station


def bound(station: Station, address: bytes = ANY, port: int = 7, **attributes: object) -> Endpoint:
    """An endpoint with these attributes, then bound."""
    endpoint = station.udp.open()
    for name, value in attributes.items():
        setattr(endpoint, name, value)
    endpoint.bind((address, port))
    return endpoint


def connected(station: Station, remote: tuple[bytes, int] = (PEER, 9), port: int = 7) -> Endpoint:
    """An endpoint that is bound, then connected."""
    endpoint = bound(station, port=port)
    endpoint.connect(remote, station.now)
    return endpoint


def received(endpoint: Endpoint) -> list[bytes]:
    """All that waits."""
    result = []
    while (datagram := endpoint.receive()) is not None:
        result.append(datagram[0])
    return result


def one_datagram(station: Station) -> tuple[Ipv4Header, UdpHeader, bytes]:
    """The one datagram sent; its checksum is verified."""
    header, payload = station.packet()
    udp = UdpHeader.parse(payload)
    assert udp.length == len(payload)
    assert udp.checksum != 0
    assert verify(payload, pseudo_sum(header.source, header.destination, UDP, len(payload)))
    return header, udp, payload[8:]
