"""Packets of other versions of IP than 4. IPv6 is not read yet."""

from __future__ import annotations

from stack.dissection.layer import Layer, Table, shown
from stack.wire.numbers import IP_VERSIONS


class OtherIp(Layer):
    """A packet whose version this stack does not read."""

    __slots__ = ()
    name = "IP"

    def text(self) -> str:
        """The version, and the first octets."""
        version = self.octets[0] >> 4
        return f"IP version {version} ({IP_VERSIONS.get(version, 'unassigned')}) {shown(self.octets)}"

    def table(self, row: Table) -> None:
        """The version; the rest is unknown."""
        version = self.octets[0] >> 4
        row.number("Version", 4, IP_VERSIONS.get(version, "unassigned"))
        row.number("rest of the octet", 4)


class Ipv6(OtherIp):
    """An IPv6 packet."""

    __slots__ = ()
    name = "IPv6"
    rfc = "RFC 8200 section 3"

    def text(self) -> str:
        """The first octets."""
        return f"IPv6 {shown(self.octets)}"
