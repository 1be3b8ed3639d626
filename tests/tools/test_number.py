"""`tapstack number`: assigned numbers by number and by name."""

from __future__ import annotations

import pytest

import stack
from stack.wire import dhcp, ipv4_options, numbers, tcp_options
from tools import cli
from tools.number import MOST_LINES, REGISTRIES, UNDER


def lines(words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The assignments. One that takes several lines, of at most 80 columns, is put together again."""
    assert cli.main(["number", *words.split()]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= 80
    assert printed == [line.rstrip() for line in printed]
    return "\n".join(printed).replace("\n" + UNDER, " ").splitlines()


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("110", "port 110 pop3 Post Office Protocol version 3 (RFC 1939)"),
        ("pop3", "port 110 pop3 Post Office Protocol version 3 (RFC 1939)"),
        ("POP3", "port 110 pop3 Post Office Protocol version 3 (RFC 1939)"),
        ("tcp 110", "tcp port 110 pop3 Post Office Protocol version 3 (RFC 1939)"),
        ("protocol 17", "protocol 17 UDP User Datagram"),
        ("protocol udp", "protocol 17 UDP User Datagram"),
        ("ethertype 0x806", "ethertype 0x0806 ARP"),
        ("ethertype 0806", "ethertype 0x0806 ARP"),
        ("ethertype arp", "ethertype 0x0806 ARP"),
        ("0x0806", "ethertype 0x0806 ARP"),
        ("ethertype 0x6012", "ethertype 0x6010-0x6014 3Com"),
        ("sap 0xaa", "sap 0xaa SubNetwork Access Protocol (SNAP)"),
        ("sap 66", "sap 0x42 IEEE 802.1 bridge spanning tree"),
        ("sap 42", "sap 0x42 IEEE 802.1 bridge spanning tree"),
        ("ethertype 2048", "ethertype 0x0800 IPv4"),
        ("sap aa", "sap 0xaa SubNetwork Access Protocol (SNAP)"),
        ("icmp 3/4", "icmp 3/4 fragmentation needed and DF set destination unreachable"),
        ("3/4", "icmp 3/4 fragmentation needed and DF set destination unreachable"),
        ("icmp echo request", "icmp 8 echo request RFC 792"),
        ("ip-option 148", "ip option 148 router alert RFC 2113"),
        ("ip-option 205", "ip option 205 experimental flow control no open specification (RFC 7126 section 4.23)"),
        ("tcp-option 8", "tcp option 8 timestamps RFC 7323"),
        ("tcp-option mss", "tcp option 2 mss RFC 9293"),
        ("dns 28", "dns type 28 AAAA RFC 3596"),
        ("dns mx", "dns type 15 MX RFC 1035"),
        ("dhcp 51", "dhcp option 51 IP address lease time RFC 2132"),
        ("dhcp-message 6", "dhcp message 6 NAK RFC 2132"),
        ("version 6", "ip version 6 IPv6 (first assigned to SIP)"),
        ("File Transfer, control", "port 21 ftp File Transfer, control (RFC 959)"),
    ],
)
def test_what_is_found_first(words: str, first: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert " ".join(lines(words, capsys)[0].split()) == first


def test_a_number_is_looked_up_in_all_registries(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line[:13].strip() for line in lines("17", capsys)] == [
        *("port", "protocol", "icmp", "tcp option", "dns type", "dhcp option"),
    ]


def test_a_name_may_be_in_several_and_the_whole_name_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    found = [line[:25].split() for line in lines("pop3", capsys)]
    assert found == [["port", "110"], ["port", "995"], ["dhcp", "option", "70"]]


def test_a_type_of_icmp_is_listed_with_its_codes(capsys: pytest.CaptureFixture[str]) -> None:
    found = lines("icmp 11", capsys)
    assert [line.split()[1] for line in found] == ["11", "11/0", "11/1"]
    found = lines("11", capsys)
    assert [line.split()[1] for line in found if line.startswith("icmp")] == ["11"], "among other registries"


def test_the_output_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    found = lines("a", capsys)
    assert len(found) == MOST_LINES + 1
    assert found[-1].startswith("and ")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("port 65536", 2, "a port has 16 bits, 0 to 65535"),
        ("icmp 256", 2, "has 8 bits, 0 to 255"),
        ("icmp 3/256", 2, "a code of ICMP has 8 bits, 0 to 255"),
        ("-1", 2, "-1 is too small"),
        ("port -80", 2, "-80 is too small"),
        ("70000", 2, "none has more than 16 bits"),
        ("dhcp 3/4", 2, "only a type of ICMP has a code"),
        ("icmp 3/x", 2, "only a type of ICMP has a code"),
        ("port 4", 1, "4 has no name"),
        ("tcp 50000", 1, "ports from 49152 on are for clients"),
        ("no-such-name", 1, "has a name with 'no-such-name'"),
        ("ethertype 0x", 1, "has a name with '0x'"),
        ("99999999999", 2, "none has more than 16 bits"),
        ("port " + "9" * 5000, 2, "a port has 16 bits"),
        ("ethertype 0x12345678", 2, "an EtherType has 16 bits"),
        ("icmp 3/", 2, "only a type of ICMP has a code"),
        ("0x\uff11", 1, "has a name with"),  # digits of another script
        ("ethertype 08\uff10\uff10", 1, "has a name with"),
    ],
)
def test_errors_name_the_rule(words: str, status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["number", *words.split()]) == status
    printed = capsys.readouterr().err
    assert printed.startswith("tapstack number: ")
    assert said in printed


@pytest.mark.parametrize("words", [[""], [" "], ["port", ""]])
def test_nothing_is_not_looked_up(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every name contains the empty text."""
    assert cli.main(["number", *words]) == 2
    assert "there is nothing to look up" in capsys.readouterr().err


def test_each_registry_of_the_stack_can_be_named() -> None:
    told = {each.registry for each in stack.assigned_numbers()}
    assert {name for registry in REGISTRIES.values() for name in registry.names} == told
    for registry in REGISTRIES.values():
        for each in stack.assigned_numbers():
            if each.registry in registry.names:
                assert 0 <= each.first <= each.last <= registry.largest, each


def test_the_options_that_the_code_knows_have_names() -> None:
    for module, table in ((tcp_options, tcp_options.OPTION_NAMES), (ipv4_options, ipv4_options.OPTION_NAMES)):
        known = [getattr(module, name) for name in ("END", "NO_OPERATION")]
        assert set(known) <= set(table)
    assert set(range(62)) <= set(numbers.DHCP_OPTIONS) | {62, 63}, "RFC 2132 has all of them"
    assert dhcp.MESSAGE_TYPE in numbers.DHCP_OPTIONS
    assert {10, 82, 148, 222} <= set(ipv4_options.OPTION_NAMES)
    assert {6, 7, 14, 19, 30, 69} <= set(tcp_options.OPTION_NAMES)
