"""Which application protocol is read behind UDP and TCP, by the port.

To add a protocol: a parser in stack/wire, a file here with its `Layer` and its reader, and a line
in `READERS`.
"""

from __future__ import annotations

from stack.dissection.dhcp import dhcp
from stack.dissection.dns import dns_datagram, dns_segment
from stack.dissection.ntp import ntp_packet
from stack.dissection.payload import Reader
from stack.dissection.text_lines import lines_of
from stack.wire import dns, ntp, text_lines
from stack.wire.dhcp import CLIENT_PORT, SERVER_PORT
from stack.wire.numbers import PROTO_TCP, PROTO_UDP

READERS: dict[tuple[int, int], Reader] = {
    (PROTO_UDP, SERVER_PORT): dhcp,
    (PROTO_UDP, CLIENT_PORT): dhcp,
    (PROTO_UDP, ntp.PORT): ntp_packet,
    (PROTO_UDP, dns.PORT): dns_datagram,
    (PROTO_UDP, dns.MULTICAST_PORT): dns_datagram,
    (PROTO_TCP, dns.PORT): dns_segment,
    **{(PROTO_TCP, port): lines_of(protocol) for port, protocol in text_lines.PORTS.items()},
}
"""The reader by protocol number and port. The port of the destination is looked up first."""
