"""A datagram for us, on its way up. See RFC 1122 section 3.4 for what the layers above must be told."""

from __future__ import annotations

from dataclasses import dataclass

from stack.internet.interface import Interface
from stack.wire.checksum import Buffer


@dataclass(slots=True)
class Received:
    """What IP hands to a transport protocol.

    Attributes:
      interface: where it came in.
      source, destination: 4 bytes each, as in the header.
      local: the specific-destination address (RFC 1122 section 3.2.1.3): `destination`, or an address of the
        interface when the datagram was broadcast. Answers are sent from it.
      protocol, ttl, tos: from the header; options: raw, b"" for most.
      payload: valid only until the handler returns.
      quote: the datagram from its IP header on, for an ICMP error about it (its first fragment, if it came in
        fragments); valid only until the handler returns.
      broadcast: it was addressed to more than us, on the link or by IP; nothing is answered to it in error.
      checksum_ok: the link has verified the transport checksum.
      now: when it came, in seconds.
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
