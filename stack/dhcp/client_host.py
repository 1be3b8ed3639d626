"""The host of a DHCP client: it sends the messages, probes the addresses and uses the leases.

See RFC 2131 section 4.4 for when the client does which.
"""

from __future__ import annotations

from typing import Protocol

from stack.dhcp.lease import Lease


class ClientHost(Protocol):
    """The client calls these methods. Each of them may call back into the client."""

    def broadcast(self, message: bytes, source: bytes, now: float) -> None:
        """Send a UDP payload from port 68 of `source` to port 67 of 255.255.255.255.

        `source` is 0.0.0.0 or the leased address.
        """

    def unicast(self, message: bytes, source: bytes, server: bytes, now: float) -> None:
        """Send a UDP payload from port 68 of `source` to port 67 of a server."""

    def probe(self, address: bytes, now: float) -> None:
        """Find out whether another host has `address` and call `Client.probed`.

        See RFC 5227 section 2.1.1. After `Client.link_changed` the address may be one that this
        host uses already.
        """

    def cancel_probe(self, address: bytes, now: float) -> None:
        """End the probe: its answer is no longer needed."""

    def bound(self, lease: Lease, previous: Lease | None, now: float) -> None:
        """Use the lease. `previous` is the lease that it extends; None when the address is new."""

    def unbound(self, lease: Lease, reason: str, now: float) -> None:
        """Remove the address at once. `reason` is "expired", "nak", "conflict" or "released"."""

    def denied(self, lease: Lease, reason: str, now: float) -> None:
        """A remembered lease, not in use, was refused. `reason` is "nak" or "conflict"."""

    def informed(self, lease: Lease, now: float) -> None:
        """Use the parameters for the static address given to `Client.inform`. They never expire."""

    def silent(self, now: float) -> None:
        """No server answers, or none whose address can be used.

        The client goes on asking, except after `Client.inform`.
        """
