"""Assigned numbers and their names: EtherTypes, SAPs, protocols, ICMP, DHCP, DNS, ports.

The tables of names are in `stack/wire/registry/`. The numbers that the code itself uses are here.
"""

from __future__ import annotations

from stack.wire.registry import names, rows
from stack.wire.registry.dhcp import DHCP_MESSAGE_TYPES as _DHCP_MESSAGE_TYPES
from stack.wire.registry.dhcp import DHCP_OPTIONS as _DHCP_OPTIONS
from stack.wire.registry.dns import DNS_CLASSES as _DNS_CLASSES
from stack.wire.registry.dns import DNS_OPCODES as _DNS_OPCODES
from stack.wire.registry.dns import DNS_RESPONSE_CODES as _DNS_RESPONSE_CODES
from stack.wire.registry.dns import DNS_TYPES as _DNS_TYPES
from stack.wire.registry.dns import EDNS_OPTIONS as _EDNS_OPTIONS
from stack.wire.registry.dns import SVCB_KEYS as _SVCB_KEYS
from stack.wire.registry.ethertypes import ETHERTYPES as _ETHERTYPES
from stack.wire.registry.icmp import ICMP_CODES as _ICMP_CODES
from stack.wire.registry.icmp import ICMP_TYPES as _ICMP_TYPES
from stack.wire.registry.icmpv6 import ICMPV6_CODES as _ICMPV6_CODES
from stack.wire.registry.icmpv6 import ICMPV6_TYPES as _ICMPV6_TYPES
from stack.wire.registry.ip_protocols import IP_PROTOCOLS as _IP_PROTOCOLS
from stack.wire.registry.ip_protocols import IP_VERSIONS as _IP_VERSIONS
from stack.wire.registry.llc_saps import LLC_SAPS as _LLC_SAPS
from stack.wire.registry.ports_registered import REGISTERED_PORTS
from stack.wire.registry.ports_well_known import WELL_KNOWN_PORTS

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_RARP = 0x8035
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_SERVICE_VLAN = 0x88A8
ETHERTYPE_IPV6 = 0x86DD

PROTO_ICMP = 1
PROTO_IGMP = 2
PROTO_TCP = 6
PROTO_UDP = 17
PROTO_IPV6_ICMP = 58

ETHERTYPES: dict[int, str] = names(_ETHERTYPES, 16)
LLC_SAPS: dict[int, str] = names(_LLC_SAPS, 16)
IP_PROTOCOLS: dict[int, str] = names(_IP_PROTOCOLS, 10)
IP_VERSIONS: dict[int, str] = names(_IP_VERSIONS, 10)
ICMP_TYPES: dict[int, str] = names(_ICMP_TYPES, 10)
ICMP_CODES: dict[tuple[int, int], str] = {}
"""Names of codes, by (type, code). If a type has only code 0, that has no name."""
ICMPV6_TYPES: dict[int, str] = names(_ICMPV6_TYPES, 10)
ICMPV6_CODES: dict[tuple[int, int], str] = {(int(kind), int(code)): name for kind, code, name in rows(_ICMPV6_CODES)}
"""Names of codes, by (type, code)."""
DHCP_MESSAGE_TYPES: dict[int, str] = names(_DHCP_MESSAGE_TYPES, 10)
DHCP_OPTIONS: dict[int, str] = names(_DHCP_OPTIONS, 10)
DHCP_OPTION_KINDS: dict[int, str] = {int(row[0]): row[2] for row in rows(_DHCP_OPTIONS) if len(row) > 2}
"""How to show an option's value: as address, addresses, seconds, number or text.

Other options are shown as bytes.
"""
DNS_TYPES: dict[int, str] = names(_DNS_TYPES, 10)
DNS_CLASSES: dict[int, str] = names(_DNS_CLASSES, 10)
DNS_OPCODES: dict[int, str] = names(_DNS_OPCODES, 10)
DNS_RESPONSE_CODES: dict[int, str] = names(_DNS_RESPONSE_CODES, 10)
EDNS_OPTIONS: dict[int, str] = names(_EDNS_OPTIONS, 10)
SVCB_KEYS: dict[int, str] = names(_SVCB_KEYS, 10)
PORTS: dict[int, dict[int, str]] = {PROTO_TCP: {}, PROTO_UDP: {}}
"""Service names of ports, by protocol and port."""
PORT_DESCRIPTIONS: dict[int, dict[int, str]] = {PROTO_TCP: {}, PROTO_UDP: {}}
"""A description of the service, by protocol and port."""

for _kind, _code, _name in rows(_ICMP_CODES):
    ICMP_CODES[int(_kind), int(_code)] = _name

for _port, _protocols, _name, _description in rows(WELL_KNOWN_PORTS) + rows(REGISTERED_PORTS):
    for _protocol in _protocols.split():
        _number = PROTO_TCP if _protocol == "tcp" else PROTO_UDP
        PORTS[_number][int(_port)] = _name
        PORT_DESCRIPTIONS[_number][int(_port)] = _description


def port_name(port: int, protocol: int) -> str:
    """The service name of a port, such as "http" for 80 and TCP, or its number."""
    return PORTS.get(protocol, {}).get(port) or str(port)


def port_description(port: int, protocol: int) -> str:
    """A description of the service on a port; empty if no service is registered there."""
    return PORT_DESCRIPTIONS.get(protocol, {}).get(port, "")


def protocol_name(protocol: int) -> str:
    """The keyword of an IP protocol, such as "TCP"; "protocol 200" for a number without a name."""
    return IP_PROTOCOLS.get(protocol) or f"protocol {protocol}"


def ethertype_name(ethertype: int) -> str:
    """The name of an EtherType; "EtherType 0x1234" for a number without a name."""
    return ETHERTYPES.get(ethertype) or f"EtherType 0x{ethertype:04x}"


def icmpv6_name(kind: int, code: int) -> str:
    """The names of type and code of ICMPv6, as those of `icmp_name`."""
    name = ICMPV6_TYPES.get(kind) or f"type {kind}"
    detail = ICMPV6_CODES.get((kind, code)) or (f"code {code}" if code else "")
    return f"{name} ({detail})" if detail else name


def icmp_name(kind: int, code: int) -> str:
    """The names of type and code: "destination unreachable (port unreachable)".

    Numbers without a name stay numbers.
    """
    name = ICMP_TYPES.get(kind) or f"type {kind}"
    detail = ICMP_CODES.get((kind, code)) or (f"code {code}" if code else "")
    return f"{name} ({detail})" if detail else name
