"""Which application protocol is read behind UDP and TCP, by the port.

To add a protocol: a parser in stack/wire, a file here with its `Layer` and its reader, and a line
in `UDP_READERS` or `TCP_READERS`.
"""

from __future__ import annotations

from stack.dissection.dhcp import dhcp
from stack.dissection.dns import dns_datagram, dns_segment
from stack.dissection.ntp import ntp_packet
from stack.dissection.payload import Reader
from stack.dissection.text_lines import lines_of
from stack.wire import dns, ntp, text_lines
from stack.wire.dhcp import CLIENT_PORT, SERVER_PORT

UDP_READERS: dict[int, Reader] = {
    SERVER_PORT: dhcp,
    CLIENT_PORT: dhcp,
    ntp.PORT: ntp_packet,
    dns.PORT: dns_datagram,
    dns.MULTICAST_PORT: dns_datagram,
}
"""The reader of the payload of UDP, by port. The port of the destination is looked up first."""

TCP_READERS: dict[int, Reader] = {
    dns.PORT: dns_segment,
    **{port: lines_of(protocol) for port, protocol in text_lines.PORTS.items()},
}
"""The same for TCP."""
