"""A datagram that IP hands up. RFC 1122 section 3.4 lists what the transport layer must be told."""

from __future__ import annotations

from dataclasses import dataclass

from stack.internet.interface import Interface
from stack.wire.checksum import Buffer


@dataclass(slots=True)
class Received:
    """What IP hands to a transport protocol.

    Attributes:
      interface: the interface that it came in by.
      source, destination: from the header, 4 bytes each.
      local: the specific-destination address (RFC 1122 section 3.2.1.3): `destination`, or an
        address of the interface when the datagram was broadcast. Answers are sent from it.
      protocol, ttl, tos: from the header.
      options: the raw options of the header, mostly b"".
      payload: valid only until the handler returns.
      quote: the datagram with its IP header, for an ICMP error to quote (its first fragment, if it
        came in fragments). Valid only until the handler returns.
      broadcast: whether it was broadcast or multicast, by IP or on the link. Then no error is sent
        about it.
      checksum_ok: the transport checksum need not be verified: the link has verified it, or it
        holds only the sum of the pseudo-header.
      now: the time of arrival, in seconds.
    """

    interface: Interface
    source: bytes
    destination: bytes
    local: bytes
    protocol: int
    ttl: int
    tos: int
    options: bytes
    payload: Buffer
    quote: Buffer
    broadcast: bool
    checksum_ok: bool
    now: float
