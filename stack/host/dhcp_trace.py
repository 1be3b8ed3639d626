"""The trace events of the DHCP client, as plain text and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from stack.counters import DROPS
from stack.dhcp.lease import Lease
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, format_ipv4, format_mac
from stack.wire.escape import escape
from stack.wire.numbers import DHCP_MESSAGE_TYPES

STATES = {
    "START": "dhcp_start",
    "INFORM": "dhcp_inform",
    "STOP": "dhcp_stop",
    "SND_DISCOVER": "dhcp_look_for_servers",
    "SND_REQUEST": "dhcp_ask_again_for_address",
    "SELECT_OFFER": "dhcp_take_offer",
    "RCV_ACK": "dhcp_acknowledged",
    "RCV_NAK": "dhcp_refused",
    "CONFLICT": "dhcp_address_taken",
    "UNANSWERED": "dhcp_unanswered",
    "T1": "dhcp_t1",
    "T2": "dhcp_t2",
    "EXPIRED": "dhcp_expired",
    "LINK_CHANGED": "dhcp_network_changed",
}
"""The reasons (`stack.trace.reasons`) of a change of state, by its event (`stack.dhcp.states`)."""

CHOICES = {
    "the only one": "dhcp_only_offer",
    "its server failed less often": "dhcp_better_server",
    "it is the address asked for": "dhcp_wanted_address",
    "its server gave the last lease": "dhcp_same_server",
    "it has a route out of the subnet": "dhcp_has_route",
    "the first": "dhcp_first_offer",
}
"""The reasons of a choice, by the rule that the client names."""

WAITS = {
    "start": "dhcp_wait_at_start",
    "refusal": "dhcp_wait_after_refusal",
    "conflict": "dhcp_wait_after_conflict",
}
"""The reasons of a wait, by what it comes after."""

ENDS = {
    "expired": "dhcp_expired",
    "nak": "dhcp_refused",
    "conflict": "dhcp_address_taken",
    "released": "dhcp_released",
}
"""The reasons why a lease ends."""


def because(name: str, fields: Mapping[str, object]) -> str:
    """The reason of an event, a key of `stack.trace.reasons.REASONS`; "" if it has none."""
    if name == "state":
        return STATES[str(fields["event"])]
    if name == "choice":
        return CHOICES[str(fields["rule"])]
    if name == "wait":
        return WAITS[str(fields["after"])]
    if name == "unbound":
        return ENDS[str(fields["end"])]
    return ""


def plain(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of an event, with messages, leases and addresses replaced by text and numbers."""
    told: dict[str, object] = {}
    for name, value in fields.items():
        if isinstance(value, dhcp.DhcpMessage):
            told.update(message(value))
        elif isinstance(value, Lease):
            told.update(lease(value))
        elif isinstance(value, bytes):
            told[name] = address(value)
        elif value is not None:
            told[name] = value
    if "reason" in told:
        told["meaning"] = DROPS.get(str(told["reason"]), "")
    return told


def message(seen: dhcp.DhcpMessage) -> dict[str, object]:
    """The fields of a message: its `kind` ("OFFER"), and the others that it has."""
    values = seen.values()
    told: dict[str, object] = {
        "kind": DHCP_MESSAGE_TYPES.get(seen.message_type, "BOOTP"),
        "xid": f"0x{seen.xid:08x}",
    }
    if seen.broadcast:
        told["broadcast"] = True
    for name, field in (("ciaddr", seen.ciaddr), ("yiaddr", seen.yiaddr), ("relay", seen.giaddr)):
        if field != ANY:
            told[name] = format_ipv4(field)
    for name, code in (("requested", dhcp.REQUESTED_ADDRESS), ("server", dhcp.SERVER_IDENTIFIER)):
        if len(values.get(code, b"")) == 4:
            told[name] = format_ipv4(values[code])
    if len(values.get(dhcp.LEASE_TIME, b"")) == 4:
        seconds = int.from_bytes(values[dhcp.LEASE_TIME], "big")
        told["lease_s"] = "for ever" if seconds == 0xFFFFFFFF else seconds
    if values.get(dhcp.MESSAGE):
        told["text"] = escape(values[dhcp.MESSAGE])
    return told


def lease(seen: Lease) -> dict[str, object]:
    """The fields of a lease: address, server and times."""
    return {
        "address": str(seen.prefix),
        "server": format_ipv4(seen.server),
        **{
            name: round(seconds, 3) if isfinite(seconds) else "for ever"
            for name, seconds in (("lease_s", seen.lease_s), ("t1_s", seen.t1_s), ("t2_s", seen.t2_s))
        },
    }


def address(raw: bytes) -> str:
    """The text of an IPv4 or station address; "broadcast" for 255.255.255.255."""
    if len(raw) == 6:
        return format_mac(raw)
    if raw == BROADCAST:
        return "broadcast"
    return format_ipv4(raw) if len(raw) == 4 else raw.hex()
