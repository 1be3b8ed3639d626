"""Which of several offers is taken. RFC 2131 section 4.4.1 leaves the rule to the client; this is ours.

Offers are collected for `DhcpConfig.offer_window_s` after the first. Of those, in this order of weight:
  1. a server that has let us down since we last had a lease (refused what it had offered, did not answer our request,
     or gave us an address that another host has) comes after all others, and the more often, the later;
  2. an offer of the address we asked for (the one we had, or the user's wish) comes first: connections may live on;
  3. then one of the server we had our last lease from;
  4. then one that leads out of the subnet, by a router or by a route of option 121, before one that does not;
  5. then the one that came first: its server is the nearest, or the least busy.
The length of the lease does not count: any server can promise much. An offer that satisfies 2 from a server that did
not let us down is taken at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stack.dhcp.lease import Lease


def best(
    offers: Sequence[Lease], wanted: bytes | None, server: bytes | None, let_down: Mapping[bytes, int]
) -> tuple[Lease, str]:
    """The offer to take, and why, in words; `offers` come in the order of their arrival and there is at least one.

    `wanted` is the address asked for, `server` the one of the last lease, `let_down` how often each server did that.
    """

    def weight(offer: Lease) -> tuple[int, bool, bool, bool]:
        return (let_down.get(offer.server, 0), offer.address != wanted, offer.server != server, not offer.routes)

    chosen = min(offers, key=weight)  # of equals the first
    others = [weight(offer) for offer in offers if offer is not chosen]
    if not others:
        return chosen, "the only one"
    reasons = ("its server is the more reliable", "it is the address asked for", "its server is known", "it leads out")
    runner_up = min(others)
    for mine, theirs, reason in zip(weight(chosen), runner_up, reasons, strict=True):
        if mine < theirs:
            return chosen, reason
    return chosen, "the first"


def at_once(offer: Lease, wanted: bytes | None, let_down: Mapping[bytes, int]) -> bool:
    """Whether no other offer could be better than this one."""
    return offer.address == wanted and not let_down.get(offer.server)
