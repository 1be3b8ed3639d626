"""Packets of other versions of IP than 4 and 6."""

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
