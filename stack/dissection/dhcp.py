"""DHCP and BOOTP. See RFC 2131 section 2, RFC 951, and RFC 2132 for the options."""

from __future__ import annotations

from stack.dissection.layer import Layer, Table
from stack.dissection.payload import Payload
from stack.dissection.show_options import dhcp_message
from stack.errors import BadPacket
from stack.wire.dhcp import DhcpMessage


class Dhcp(Layer):
    """A whole message."""

    __slots__ = ()
    name = "DHCP"
    rfc = "RFC 2131 section 2"
    header: DhcpMessage

    def text(self) -> str:
        """The message as one line."""
        return dhcp_message(self.header)

    def table(self, row: Table) -> None:
        """RFC 2131 figure 1."""


def dhcp(payload: Payload) -> list[Layer]:
    """A message that takes the whole payload, or nothing if it is not one."""
    try:
        message = DhcpMessage.parse(payload.octets)
    except BadPacket:
        return []
    return [Dhcp(payload.octets, payload.offset, message, payload.depth)]
