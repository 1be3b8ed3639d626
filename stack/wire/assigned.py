"""All registries of assigned numbers in one list, to look numbers and names up.

The tables are in `stack/wire/registry/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from stack.wire.registry import dhcp, dns, ethertypes, icmp, ip_protocols, llc_saps, names, options, rows
from stack.wire.registry.ports_registered import REGISTERED_PORTS
from stack.wire.registry.ports_well_known import WELL_KNOWN_PORTS


class AssignedNumber(NamedTuple):
    """One assignment: `first` to `last` (mostly the same) of a registry have this name.

    registry: "tcp port", "udp port", "protocol", "ip version", "ethertype", "sap", "icmp",
      "ip option", "tcp option", "dns type", "dhcp option" or "dhcp message".
    code: of an ICMP type; None for the type itself, and in the other registries.
    about: what it is, or its RFC; may be empty.
    """

    registry: str
    first: int
    last: int
    code: int | None
    name: str
    about: str


_TABLES = (
    ("protocol", ip_protocols.IP_PROTOCOLS, 10),
    ("ip version", ip_protocols.IP_VERSIONS, 10),
    ("ethertype", ethertypes.ETHERTYPES, 16),
    ("sap", llc_saps.LLC_SAPS, 16),
    ("icmp", icmp.ICMP_TYPES, 10),
    ("ip option", options.IP_OPTIONS, 10),
    ("tcp option", options.TCP_OPTIONS, 10),
    ("dns type", dns.DNS_TYPES, 10),
)


@cache
def assigned_numbers() -> tuple[AssignedNumber, ...]:
    """Every assignment, registry by registry, in the order of the numbers."""
    return tuple(_all())


def _all() -> Iterator[AssignedNumber]:
    ports = rows(WELL_KNOWN_PORTS) + rows(REGISTERED_PORTS)
    for protocol in ("tcp", "udp"):
        for number, protocols, name, about in ports:
            if protocol in protocols.split():
                yield AssignedNumber(f"{protocol} port", int(number), int(number), None, name, about)
    for registry, table, base in _TABLES:
        for number, name, *rest in rows(table):
            first, _, last = number.partition("-")
            yield AssignedNumber(registry, int(first, base), int(last or first, base), None, name, " ".join(rest))
    types = {int(number): name for number, name, *_ in rows(icmp.ICMP_TYPES) if number.isdigit()}
    for kind, code, name in rows(icmp.ICMP_CODES):
        yield AssignedNumber("icmp", int(kind), int(kind), int(code), name, types[int(kind)])
    for registry, table, where in (
        ("dhcp option", dhcp.DHCP_OPTIONS, names(dhcp.DHCP_OPTION_RFCS, 10)),
        ("dhcp message", dhcp.DHCP_MESSAGE_TYPES, names(dhcp.DHCP_MESSAGE_TYPE_RFCS, 10)),
    ):
        for number, name, *_ in rows(table):  # the third column is for `show`
            yield AssignedNumber(registry, int(number), int(number), None, name, where.get(int(number), ""))
