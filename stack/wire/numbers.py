"""The assigned numbers: what EtherTypes, SAPs, protocols, ICMP types and codes and ports are called.

The names live in `stack/wire/registry/`, one readable table each; the numbers that the code itself uses are here.
See https://www.iana.org/protocols, which follows RFC 1700.
"""

from __future__ import annotations

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
