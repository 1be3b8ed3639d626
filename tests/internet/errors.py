"""ICMP errors as a protocol gets them, and what they quote."""

from __future__ import annotations

from stack.internet.icmp_error import IcmpError
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_TCP
from tests.internet.station import FAR, US, Station


class Errors:
    """What a transport protocol is told; `believes` is what it answers."""

    def __init__(self, station: Station, protocol: int = PROTO_TCP) -> None:
        self.all: list[IcmpError] = []
        self.believes = True
        station.ipv4.icmp.error_handlers[protocol] = self

    def __call__(self, error: IcmpError, now: float) -> bool:
        self.all.append(error)
        return self.believes


def quote(
    source: bytes = US,
    destination: bytes = FAR,
    protocol: int = PROTO_TCP,
    payload: bytes = b"12345678",
    **fields: object,
) -> bytes:
    header = Ipv4Header(source, destination, protocol, 20 + 1480)
    return header._replace(**fields).build() + payload  # type: ignore[arg-type]
