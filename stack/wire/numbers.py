"""The assigned numbers: what EtherTypes, SAPs, protocols, ICMP types and codes, and ports are called.

The names are in `stack/wire/registry/`, one readable table each; the numbers that the code itself uses are here.
"""

from __future__ import annotations

from stack.wire.registry import names, rows
from stack.wire.registry.dhcp import DHCP_MESSAGE_TYPES as _DHCP_MESSAGE_TYPES
from stack.wire.registry.dhcp import DHCP_OPTIONS as _DHCP_OPTIONS
from stack.wire.registry.ethertypes import ETHERTYPES as _ETHERTYPES
from stack.wire.registry.icmp import ICMP_CODES as _ICMP_CODES
from stack.wire.registry.icmp import ICMP_TYPES as _ICMP_TYPES
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
"""Names of codes, by (type, code); most types have only code 0, which then has no name."""
DHCP_MESSAGE_TYPES: dict[int, str] = names(_DHCP_MESSAGE_TYPES, 10)
DHCP_OPTIONS: dict[int, str] = names(_DHCP_OPTIONS, 10)
DHCP_OPTION_KINDS: dict[int, str] = {int(row[0]): row[2] for row in rows(_DHCP_OPTIONS) if len(row) > 2}
"""How the value of an option is read: address, addresses, seconds, number, text; bytes where the option is missing."""
PORTS: dict[int, dict[int, str]] = {PROTO_TCP: {}, PROTO_UDP: {}}
"""Service names of ports, by protocol and port."""
PORT_DESCRIPTIONS: dict[int, dict[int, str]] = {PROTO_TCP: {}, PROTO_UDP: {}}
"""What the service is, in words."""

for _kind, _code, _name in rows(_ICMP_CODES):
    ICMP_CODES[int(_kind), int(_code)] = _name

for _port, _protocols, _name, _description in rows(WELL_KNOWN_PORTS) + rows(REGISTERED_PORTS):
    for _protocol in _protocols.split():
        _number = PROTO_TCP if _protocol == "tcp" else PROTO_UDP
        PORTS[_number][int(_port)] = _name
        PORT_DESCRIPTIONS[_number][int(_port)] = _description


def port_name(port: int, protocol: int) -> str:
    """The service name of a port, as "http" for 80 and TCP; the number itself where it has no name."""
    return PORTS.get(protocol, {}).get(port) or str(port)


def port_description(port: int, protocol: int) -> str:
    """What the service on a port is, in words; empty where nobody is known there."""
    return PORT_DESCRIPTIONS.get(protocol, {}).get(port, "")


def protocol_name(protocol: int) -> str:
    """The keyword of an IP protocol, as "TCP"; "protocol 200" where it has none."""
    return IP_PROTOCOLS.get(protocol) or f"protocol {protocol}"


def ethertype_name(ethertype: int) -> str:
    """What an EtherType is called; "EtherType 0x1234" where it has no name."""
    return ETHERTYPES.get(ethertype) or f"EtherType 0x{ethertype:04x}"


def icmp_name(kind: int, code: int) -> str:
    """Type and code in words: "destination unreachable (port unreachable)"; numbers where there are none."""
    name = ICMP_TYPES.get(kind) or f"type {kind}"
    detail = ICMP_CODES.get((kind, code)) or (f"code {code}" if code else "")
    return f"{name} ({detail})" if detail else name
