"""What stands below a DHCP client: the host that sends its messages, probes its addresses and uses its leases.

See RFC 2131 section 4.4 for when the client wants what.
"""

from __future__ import annotations

from typing import Protocol

from stack.dhcp.lease import Lease


class Below(Protocol):
    """What the client asks of its host. Any of these may call back into the client."""

    def broadcast(self, message: bytes, source: bytes, now: float) -> None:
        """Send a UDP payload from port 68 of `source` (0.0.0.0, or the leased address) to 255.255.255.255, port 67."""

    def unicast(self, message: bytes, source: bytes, server: bytes, now: float) -> None:
        """Send a UDP payload from port 68 of `source`, the leased address, to port 67 of `server`."""

    def probe(self, address: bytes, now: float) -> None:
        """Find out whether another host has `address` (RFC 5227 section 2.1.1); `Client.probed` takes the answer.

        The address may be one that this host has already, when it is verified after `Client.link_changed`.
        """

    def cancel_probe(self, address: bytes, now: float) -> None:
        """The answer is of no interest any more."""

    def bound(self, lease: Lease, previous: Lease | None, now: float) -> None:
        """Use the lease. `previous` is the one it extends, with the same address; None when the address is new."""

    def unbound(self, lease: Lease, reason: str, now: float) -> None:
        """The address goes, at once: "expired", "nak", "conflict" or "released"."""

    def denied(self, lease: Lease, reason: str, now: float) -> None:
        """A remembered lease, not in use, is not to be had again: "nak" or "conflict"."""

    def informed(self, lease: Lease, now: float) -> None:
        """The parameters for the static address that `Client.inform` was called with; they never expire."""

    def silent(self, now: float) -> None:
        """There seems to be no server, or none of use. The client goes on asking (but not after `Client.inform`)."""
