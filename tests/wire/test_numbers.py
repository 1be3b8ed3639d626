"""The registries have every number of a reference card of 2011, under today's names."""

from __future__ import annotations

import pytest

from stack.wire import numbers
from stack.wire.numbers import PROTO_TCP, PROTO_UDP, port_name
from stack.wire.registry import ethertypes, icmp, ip_protocols, llc_saps, ports_registered, ports_well_known, rows

# The card's own tables. Ports it lists as unassigned (4, 8, 10, 12, 14, 16, 26, 40) have no name here either.
CARD_PORTS_BOTH = """
1 2 3 5 7 9 11 13 15 17 18 19 22 24 27 29 33 34 35 37 39 42 47 49 50 51 52 53 54 55 56 58 80 88 90 104 105 108 111 113
118 135 137 138 139 152 153 156 158 162 177 194 199 201 209 210 213 218 220 256 259 264 280 318 323 350 351 366 369 370
371 383 384 387 389 401 427 444 464 475 500 502 504 512 513 514 520 524 530 531 542 546 547 554 563 593 631 635 636 639
641 646 651 653 657 694 712 749 751 753 754 760 848 901 902 953 989 990 991 992 1023
"""
CARD_PORTS_TCP = """
20 21 23 25 43 57 70 71 72 73 74 79 81 99 101 102 107 109 110 115 117 119 143 170 175 179 308 311 402 411 412 443 445
465 497 501 510 515 532 540 543 544 545 548 556 587 591 604 647 648 652 654 660 665 674 691 695 700 701 702 706 711 720
782 783 808 829 843 847 860 873 888 903 904 911 981 987 993 995 999 1002
"""
CARD_PORTS_UDP = "0 67 68 69 82 123 161 319 320 517 518 525 533 550 560 561 623 666 698 750 752 944 973"
CARD_ETHERTYPES = """
0600 0800 0801 0802 0803 0804 0805 0806 0807 081C 0888-088A 0900 0A00 0A01 0A02 0BAD 1000 1001-100F 1066 1600 3C01-3C0D
3C10-3C14 4242 5208 6000 6001 6002 6003 6004 6005 6007 6008 6009 6010-6014 7000 7001 7002 7007 7020-7028 7030 7034 8003
8004 8005 8006 8008 8010 8013 8014 8015 8016 8019 802E 802F 8035 8036 8038 8039 803A 803B 803C 803D 803E 803F 8040 8041
8042 8044 8046 8047 8049 805B 805C 805D 8060 8062 8065 8066 8067 8068 8069 806A 806C 806D 806E-8077 807A 807B 807C 807D
807E 807F 8080 8081 8082 8083 8088 8089 808A 809B 809C 809D 809E 809F 80A3 80A4-80B3 80C0 80C1 80C2 80C3 80C6 80C7
80C8-80CC 80CD 80CE 80CF-80D2 80D3 80D4 80D5 80DD 80DE 80DF 80E0-80E3 80E4-80F0 80F2 80F3 80F4 80F5 80F7 80FF-8103 8107
8108 8109 8130 8131 8137 8138 8139-813D 9000 9001 9002 9003 FF00
"""
CARD_SAPS = "00 02 03 04 05 06 08 0C 0E 18 42 4E 7E 80 86 8E 98 BC AA E0 F0 F4 F5 F8 FA FE FF"


def spans(text: str, base: int) -> list[int]:
    """Every number of a list of numbers and first-last pairs."""
    values: list[int] = []
    for item in text.split():
        first, _, last = item.partition("-")
        values += range(int(first, base), int(last or first, base) + 1)
    return values


def test_every_well_known_port_of_the_card_has_a_name() -> None:
    both = spans(CARD_PORTS_BOTH, 10)
    assert [port for port in both + spans(CARD_PORTS_TCP, 10) if port not in numbers.PORTS[PROTO_TCP]] == []
    assert [port for port in both + spans(CARD_PORTS_UDP, 10) if port not in numbers.PORTS[PROTO_UDP]] == []


def test_every_ethertype_sap_and_protocol_of_the_card_has_a_name() -> None:
    assert [value for value in spans(CARD_ETHERTYPES, 16) if value not in numbers.ETHERTYPES] == []
    assert [value for value in spans(CARD_SAPS, 16) if value not in numbers.LLC_SAPS] == []
    assert [value for value in (*range(55), *range(61, 101), 255) if value not in numbers.IP_PROTOCOLS] == []


@pytest.mark.parametrize(
    ("port", "protocol", "name"),
    [
        (7, PROTO_TCP, "echo"),
        (22, PROTO_TCP, "ssh"),
        (53, PROTO_UDP, "domain"),
        (67, PROTO_UDP, "bootps"),
        (80, PROTO_TCP, "http"),
        (110, PROTO_TCP, "pop3"),
        (143, PROTO_TCP, "imap"),
        (443, PROTO_UDP, "https"),
        (465, PROTO_TCP, "submissions"),
        (514, PROTO_TCP, "shell"),
        (514, PROTO_UDP, "syslog"),
        (513, PROTO_UDP, "who"),
        (853, PROTO_TCP, "domain-s"),
        (5353, PROTO_UDP, "mdns"),
        (8080, PROTO_TCP, "http-alt"),
        (49152, PROTO_TCP, "49152"),
        (4, PROTO_TCP, "4"),
        (80, 132, "80"),
    ],
)
def test_port_names(port: int, protocol: int, name: str) -> None:
    assert port_name(port, protocol) == name


def test_port_descriptions() -> None:
    assert numbers.port_description(80, PROTO_TCP) == "Hypertext Transfer Protocol (RFC 9110)"
    assert numbers.port_description(49152, PROTO_TCP) == ""


def test_names_of_today() -> None:
    assert numbers.IP_PROTOCOLS[33] == "DCCP"
    assert numbers.IP_PROTOCOLS[41] == "IPv6"
    assert numbers.IP_PROTOCOLS[88] == "EIGRP"
    assert numbers.ETHERTYPES[0x86DD] == "IPv6"
    assert numbers.ETHERTYPES[0x8100] == "802.1Q VLAN tag"
    assert numbers.ETHERTYPES[0x88CC] == "LLDP"
    assert numbers.LLC_SAPS[0x42] == "IEEE 802.1 bridge spanning tree"
    assert numbers.IP_VERSIONS[6].startswith("IPv6")


def test_what_has_no_name_shows_its_number() -> None:
    assert numbers.protocol_name(6) == "TCP"
    assert numbers.protocol_name(200) == "protocol 200"
    assert numbers.ethertype_name(0x0806) == "ARP"
    assert numbers.ethertype_name(0x1234) == "EtherType 0x1234"
    assert numbers.icmp_name(3, 3) == "destination unreachable (port unreachable)"
    assert numbers.icmp_name(8, 0) == "echo request"
    assert numbers.icmp_name(8, 9) == "echo request (code 9)"
    assert numbers.icmp_name(200, 0) == "type 200"


@pytest.mark.parametrize(
    "table",
    [
        ethertypes.ETHERTYPES,
        icmp.ICMP_TYPES,
        ip_protocols.IP_PROTOCOLS,
        llc_saps.LLC_SAPS,
        ports_well_known.WELL_KNOWN_PORTS,
        ports_registered.REGISTERED_PORTS,
    ],
)
def test_tables_are_in_order_and_name_nothing_twice(table: str) -> None:
    base = 16 if table in (ethertypes.ETHERTYPES, llc_saps.LLC_SAPS) else 10
    seen: list[tuple[int, str]] = []
    for number, *columns in rows(table):
        protocols = columns[0].split() if len(columns) == 3 else [""]  # the port tables: a name for each protocol
        seen += [(value, protocol) for value in spans(number, base) for protocol in protocols]
    assert seen == sorted(seen, key=lambda entry: entry[0])
    assert len(seen) == len(dict.fromkeys(seen))
