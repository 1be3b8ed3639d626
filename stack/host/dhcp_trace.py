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
