"""The choice among several offers. RFC 2131 section 4.4.1 leaves the rule to the client.

Offers are collected for `DhcpConfig.offer_window_s` after the first. They are compared by these
rules, the earlier rule first:
  1. The server with the fewest failures since the last lease is preferred. A failure is: it refused
     what it had offered, did not answer our request, or gave us an address that another host has.
  2. The address that we asked for (our last one, or the one that the user requested) is preferred:
     connections may survive.
  3. The server of our last lease is preferred.
  4. An offer with a route out of the subnet (a router, or a route of option 121) is preferred.
  5. The offer that came first is preferred: its server is the nearest, or the least busy.
The length of the lease does not count, since a server can promise any. An offer of the address in
rule 2, from a server without failures, is taken at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stack.dhcp.lease import Lease


def best(
    offers: Sequence[Lease], wanted: bytes | None, server: bytes | None, failures: Mapping[bytes, int]
) -> tuple[Lease, str]:
    """The offer to take, and the reason in words.

    `offers` has at least one offer, in the order of arrival. `wanted` is the address asked for,
    `server` the server of the last lease, `failures` the number of failures of each server.
    """

    def weight(offer: Lease) -> tuple[int, bool, bool, bool]:
        return (failures.get(offer.server, 0), offer.address != wanted, offer.server != server, not offer.routes)

    chosen = min(offers, key=weight)  # the first of equals
    others = [weight(offer) for offer in offers if offer is not chosen]
    if not others:
        return chosen, "the only one"
    reasons = (
        "its server failed less often",
        "it is the address asked for",
        "its server gave the last lease",
        "it has a route out of the subnet",
    )
    runner_up = min(others)
    for mine, theirs, reason in zip(weight(chosen), runner_up, reasons, strict=True):
        if mine < theirs:
            return chosen, reason
    return chosen, "the first"


def at_once(offer: Lease, wanted: bytes | None, failures: Mapping[bytes, int]) -> bool:
    """Whether the offer is taken without waiting for others."""
    return offer.address == wanted and not failures.get(offer.server)
