"""`tapstack ipcalc`: the outputs that the course on TCP/IP prints, and the rules about addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import stack
from stack.wire.registry import rows
from stack.wire.registry.special_addresses import SPECIAL_ADDRESSES
from stack.wire.special_ranges import CLASSES, SPECIAL_RANGES
from tools import cli
from tools.ipcalc import explained, parse, table
from tools.output import Failed

FIXTURE = (Path(__file__).parent / "ipcalc_printed.txt").read_text()
"""As the course prints it, with its blank lines and its way to write an arrow."""
PRINTED = {words: text for words, _, text in (part.partition("\n") for part in FIXTURE.split("$ ipcalc ")[1:])}


def normalized(text: str) -> list[str]:
    """The lines without blank ones, blanks at their ends, and the markup of the arrow."""
    return [line.rstrip().replace("=&gt;", "=>") for line in text.splitlines() if line.strip()]


def test_the_fixture_is_whole() -> None:
    assert len(PRINTED) == 4
    assert all(len(normalized(text)) == 9 for text in PRINTED.values())


@pytest.mark.parametrize("words", PRINTED)
def test_the_outputs_that_the_course_prints(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ipcalc", *words.split()]) == 0
    assert normalized(capsys.readouterr().out) == normalized(PRINTED[words])


def last_line(words: str) -> str:
    address, _, mask = words.partition(" ")
    return list(table(parse(address, mask or None)))[-1].split(maxsplit=1)[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("9.0.0.0/8", "16777214              Class A"),
        ("128.1.0.0/16", "65534                 Class B"),
        ("223.255.255.0/24", "254                   Class C"),
        ("224.0.0.0/4", "268435454             Class D, Multicast, in part special (4 purposes)"),
        ("240.0.0.0/4", "268435454             Class E, Reserved, in part Limited Broadcast"),
        ("10.1.0.0/16", "65534                 Class A, Private Internet"),
        ("172.31.0.0/16", "65534                 Class B, Private Internet"),
        ("172.32.0.0/16", "65534                 Class B"),
        ("172.0.0.0/11", "2097150               Class B, in part Private Internet"),
        ("127.0.0.1/8", "16777214              Class A, Loopback"),
        ("169.254.7.7/16", "65534                 Class B, Link Local"),
        ("100.64.0.0/10", "4194302               Class A, Shared Address Space"),
        ("203.0.113.9/24", "254                   Class C, Documentation"),
        ("0.0.0.0/0", "4294967294            Classes A to E, in part special (25 purposes)"),
        ("10.0.0.1/31", "2                     Class A, Private Internet, point-to-point link (RFC 3021)"),
        ("10.0.0.1/32", "1                     Class A, Private Internet"),
        ("62.161.96.0 21", "2046                  Class A"),
        ("62.161.96.0/255.255.248.0", "2046                  Class A"),
    ],
)
def test_classes_and_special_ranges(words: str, told: str) -> None:
    assert last_line(words) == told


def test_the_short_networks_have_no_broadcast_address() -> None:
    """RFC 3021: both addresses of a /31 are hosts."""
    names = {length: [line.split()[0] for line in table(parse(f"10.0.0.2/{length}", None))] for length in (30, 31, 32)}
    assert names[30][4:] == ["Network:", "HostMin:", "HostMax:", "Broadcast:", "Hosts/Net:"]
    assert names[31][4:] == ["Network:", "HostMin:", "HostMax:", "Hosts/Net:"]
    assert names[32][4:] == ["Hostroute:", "Hosts/Net:"]
    lines = list(table(parse("10.0.0.3/31", None)))
    assert [line.split()[1] for line in lines[5:7]] == ["10.0.0.2", "10.0.0.3"]


@pytest.mark.parametrize("length", range(33))
def test_the_bits_are_parted_where_the_network_ends(length: int) -> None:
    for line in table(stack.Prefix.parse(f"203.0.113.77/{length}")):
        if found := re.search(r" ?([01. ]{35,36})$", line):
            before, _, after = found[1].strip().partition(" ")
            digits = before.replace(".", "") if length else ""
            assert len(digits) == length or (length in (0, 32) and not after), line


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("62.161.99.115/21", "62.161.99.115 is host 883 of the network."),
        (
            "10.0.0.0/8",
            "10.0.0.0 has all host bits zero: it is the network itself, not a host. (RFC 1122 section 3.2.1.3)",
        ),
        (
            "10.255.255.255/8",
            "10.255.255.255 has all host bits one: it is the broadcast address, not a host. (RFC 919 section 7)",
        ),
        (
            "192.168.0.255/23",
            "Its last octet is 255, but not all of its host bits are one: it is a host like the others.",
        ),
        ("192.168.1.0/23", "Its last octet is 0, but not all of its host bits are zero: it is a host like the others."),
        (
            "10.0.0.0/31",
            "10.0.0.0 is host 0 of 2 on a point-to-point link, which has no broadcast address. (RFC 3021 section 2.1)",
        ),
        ("10.0.0.1/32", "10.0.0.1 is the only address: the route leads to one host."),
        ("10.0.0.1/32", "All of its 32 bits are the network's. (RFC 4632 section 3.1)"),
        ("10.0.0.1/0", "All of its 32 bits are the host's. (RFC 4632 section 3.1)"),
        ("192.168.0.9/26", "192.168.0.0/26 is in 192.168.0.0/16, Private Internet. (RFC 1918)"),
        ("224.0.0.1/24", "224.0.0.1 is a group of hosts, not one host. (RFC 1112 section 4)"),
        (
            "255.255.255.255/32",
            "255.255.255.255 is the limited broadcast: it reaches every host on this link. (RFC 919 section 7)",
        ),
        ("130.1.2.3/24", "Its first bits are 10: it is of class B, networks of /16. (RFC 791 section 3.2)"),
    ],
)
def test_in_words(words: str, sentence: str) -> None:
    assert sentence in list(explained(parse(words, None)))


def test_verbose_prints_the_words_after_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ipcalc", "-v", "192.168.0.0/26"]) == 0
    printed = capsys.readouterr().out
    assert normalized(printed)[:9] == normalized(PRINTED["192.168.0.0/26"])
    assert "RFC 1918" in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert (
        "192.168.0.0 has all host bits zero: it is the network itself, not a host. (RFC\n    1122 section 3.2.1.3)\n"
        in printed
    )


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("10.0.0.1", "has no network: write 10.0.0.1/24, or a mask"),
        ("10.0.0.1/33", "is a number from 0 to 32"),
        ("10.0.0.1/", "is a number from 0 to 32"),
        ("300.1.1.1", "is not an IPv4 address"),
        ("10.0.0/8", "it needs four numbers"),
        ("10.0.0.256/8", "256 is over 255"),
        ("10.0.0.01/8", "leading zero"),
        ("10.0.0.1 255.0.255.0", "its one bits come first, without a gap"),
        ("10.0.0.1 0.0.0.255", "its one bits come first, without a gap"),
        ("10.0.0.1/8 255.0.0.0", "has its prefix length already"),
        ("fe80::1/64", "is not an IPv4 address"),
    ],
)
def test_errors_name_the_rule(words: str, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ipcalc", *words.split()]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tapstack ipcalc: ")
    assert rule in said
    assert said.count("\n") == 1


def test_control_characters_in_a_word_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("\x1b[2J/8", "\x1b[2J\u202e"):
        assert cli.main(["ipcalc", word]) == 2
        said = capsys.readouterr().err
        assert "\x1b" not in said
        assert "\u202e" not in said
    with pytest.raises(Failed):
        parse("10.0.0.1\n", None)


def test_each_range_has_its_rfc_and_is_a_network() -> None:
    assert len(SPECIAL_RANGES) == len(rows(SPECIAL_ADDRESSES)) > 25
    for each in SPECIAL_RANGES:
        assert each.prefix.address == each.prefix.network, each
        assert re.fullmatch(r"RFC \d+( section [\d.]+)?", each.rfc), each


def test_the_classes_divide_all_addresses() -> None:
    first_octets = {
        each.letter: [n for n in range(256) if stack.address_class(bytes((n, 0, 0, 0))) == each] for each in CLASSES
    }
    ends = {letter: (octets[0], octets[-1]) for letter, octets in first_octets.items()}
    assert ends == {"A": (0, 127), "B": (128, 191), "C": (192, 223), "D": (224, 239), "E": (240, 255)}
