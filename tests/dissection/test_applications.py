"""NTP, DNS and lines of text as layers and fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.dissection.layer import Layer
from stack.wire import dns, ntp
from stack.wire.dns import Message, Record
from stack.wire.ntp import NtpPacket
from tests.dissection.again import check
from tests.wire.dns_messages import MESSAGES
from tests.wire.ntp_session import CLIENT, SESSION, Packet
from tests.wire.pop3_session import SESSION as POP3
from tests.wire.samples import datagram, user_datagram
from tests.wire.tshark import needs_tshark, read

repeatable = settings(derandomize=True, max_examples=300, deadline=None)
TIMES = ("Reference Timestamp", "Origin Timestamp", "Receive Timestamp", "Transmit Timestamp")


def over_udp(data: bytes, port: int) -> tuple[Layer, ...]:
    """The layers of a datagram from this port."""
    return check(datagram(17, user_datagram(data, port, 50000)), "ip")


def over_tcp(data: bytes, source: int, destination: int = 50000) -> tuple[Layer, ...]:
    """The layers of a segment; its checksum is wrong."""
    head = source.to_bytes(2, "big") + destination.to_bytes(2, "big") + bytes(8) + b"\x50\x18" + bytes(6)
    return check(datagram(6, head + data), "ip")


def words(layer: Layer) -> dict[str, str]:
    return {field.name: field.words for field in layer.fields}


# --- NTP


@pytest.mark.parametrize("packet", SESSION, ids=lambda packet: f"frame-{packet.number}")
def test_every_value_of_ntp_that_the_course_prints(packet: Packet) -> None:
    ip, udp, found = check(packet.build(), "ip")
    assert [layer.error for layer in (ip, udp, found)] == ["", "", ""]
    asks = packet.source == CLIENT
    said = words(found)
    assert [field.width for field in found.fields] == [2, 3, 3, 8, 8, 8, 32, 32, 32, 64, 64, 64, 64]
    assert words(ip)["Header Checksum"] == f"0x{packet.header_checksum:04x}, right"
    assert (words(udp)["Source Port"][:9], words(udp)["Length"][:9]) == ("123 (ntp)", "56 octets")
    assert words(udp)["Checksum"] == f"0x{packet.udp_checksum:04x}, right"
    assert said["LI"].endswith("alarm condition (clock not synchronized)" if asks else "no warning")
    assert (said["VN"], said["Mode"]) == ("NTP version 3", "client" if asks else "server")
    assert said["Stratum"] == ("unspecified or invalid" if asks else "secondary server")
    assert said["Poll"].endswith(" 16 s")
    assert f"{float(said['Precision'].split()[2]):.6f}" == ("0.015625" if asks else "0.000004")
    delays = tuple(
        f"{float(said[name].split()[0]):.4f}".replace(".", ",") for name in ("Root Delay", "Root Dispersion")
    )
    assert delays == packet.printed_delays
    assert said["Reference ID"].startswith("none" if asks else "49.110.238.145")
    for name, printed in zip(TIMES, packet.printed_times, strict=True):
        if printed == "NULL":
            assert said[name].endswith("not known")
        else:
            whole, _, fraction = said[name].partition(".")
            assert f"{whole[-19:]},{round(int(fraction[:9]) / 100_000):04d} UTC" == printed


def test_the_line_of_ntp_and_the_difference_of_the_clocks() -> None:
    found = check(SESSION[1].build(), "ip")[2]
    assert found.line.startswith("NTP version 3, server, stratum 2, originate 2001-06-13 12:36:30.1227")
    assert "T2 - T1 = -71.69830" in words(found)["Receive Timestamp"]


def test_extension_fields_and_mac_have_fields() -> None:
    packet = NtpPacket(0, 4, 3, 0, 6, -20, 0, 0, bytes(4), 0, 0, 0, 1, (ntp.Extension(0x0204, bytes(24)),), bytes(20))
    found = over_udp(packet.build(), 123)[2]
    assert [field.name for field in found.fields[13:]] == ["Field Type", "Length", "Value", "Key Identifier", "dgst"]


@pytest.mark.parametrize("data", [b"\x26\2\0\1" + bytes(8), b"\x17\0\3\x2a" + bytes(4), bytes(48)])
def test_control_messages_and_other_versions_are_data(data: bytes) -> None:
    assert [layer.name for layer in over_udp(data, 123)] == ["IPv4", "UDP", "Data"]


def test_a_short_packet_of_ntp_is_malformed() -> None:
    found = over_udp(SESSION[0].payload()[:40], 123)[2]
    assert (found.name, found.error) == ("NTP", "ntp_truncated")


# --- DNS


def test_an_answer_of_dns_field_by_field() -> None:
    found = over_udp(MESSAGES["A with CNAME"], 53)[2]
    assert found.line == ("DNS response 0x0cf3, no error, A web.example.com: CNAME www.example.com, A 192.0.2.7")
    assert [field.name for field in found.fields] == [
        "ID", "QR", "Opcode", "AA", "TC", "RD", "RA", "Z", "AD", "CD", "RCODE", "QDCOUNT", "ANCOUNT", "NSCOUNT",
        "ARCOUNT", "QNAME", "QTYPE", "QCLASS", "NAME", "TYPE", "CLASS", "TTL", "RDLENGTH", "CNAME", "NAME", "TYPE",
        "CLASS", "TTL", "RDLENGTH", "ADDRESS",
    ]  # fmt: skip
    assert [field.bit for field in found.fields[15:19]] == [96, 232, 248, 264]
    assert found.fields[18].value == b"\xc0\x0c"
    assert found.fields[18].words == "answer 1: web.example.com"
    assert found.fields[-1].words == "192.0.2.7"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("A with CNAME query", "set: the sender wants to know it (RFC 6840)"),
        ("A with CNAME", "set: authentic data (DNSSEC)"),
    ],
)
def test_authentic_data_in_a_query_is_a_question(name: str, words: str) -> None:
    octets = bytearray(MESSAGES[name])
    octets[3] |= 0x20
    assert next(field.words for field in over_udp(bytes(octets), 53)[2].fields if field.name == "AD") == words


def test_opt_and_options() -> None:
    found = over_udp(MESSAGES["refused, extended error"], 53)[2]
    assert found.line == "DNS response 0x123a, refused, SOA zone.test"
    assert [(field.name, field.words) for field in found.fields[-10:]] == [
        ("TYPE", "OPT"), ("CLASS", "1232 octets: the longest UDP message that the sender takes"),
        ("EXTENDED-RCODE", "the upper bits of the response code"), ("VERSION", "of EDNS"),
        ("DO", "set: the sender takes records of DNSSEC"), ("Z", "reserved"), ("RDLENGTH", "6 octets of data"),
        ("OPTION-CODE", "extended error"), ("OPTION-LENGTH", "2 octets"), ("OPTION-DATA", '"\\x00\\x0e"'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("A with CNAME query", "DNS query 0x0cf3, A web.example.com"),
        ("AAAA", "DNS response 0x603e, no error, AAAA www.example.com: AAAA 2001:db8::7"),
        ("MX", "DNS response 0x762e, no error, MX example.com: MX 10 mail.example.com"),
        ("TXT", 'DNS response 0x59e0, no error, TXT example.com: TXT "v=spf1 -all" "second string"'),
        ("no such name", "DNS response 0x1235, name error, A nothing.example.org"),
        (
            "SOA and NS",
            (
                "DNS response 0x0cce, no error, SOA zone.test: "
                "SOA ns.zone.test hostmaster.zone.test 2026112901 1200 180 1209600 600"
            ),
        ),
    ],
)
def test_lines_of_dns(name: str, line: str) -> None:
    assert over_udp(MESSAGES[name], 53)[2].line == line


def test_an_answer_of_multicast_dns() -> None:
    record = Record((b"here", b"local"), dns.A, dns.CACHE_FLUSH | 1, 120, (bytes((10, 9, 0, 2)),))
    found = over_udp(Message(0, dns.QR | dns.AA, (), (record,)).build(), 5353)[2]
    assert found.line == "DNS response 0x0000, no error: A 10.9.0.2"
    assert words(found)["CLASS"] == "IN; first bit set: replace what is cached (mDNS)"


def test_many_answers_are_not_all_in_the_line() -> None:
    record = Record((), dns.A, 1, 0, (bytes(4),))
    line = over_udp(Message(1, dns.QR, (), (record,) * 20).build(), 53)[2].line
    assert line.endswith("A 0.0.0.0, 14 more")


def test_dns_over_tcp_has_a_length_first() -> None:
    found = over_tcp(MESSAGES["TXT over TCP"], 53)[2]
    assert (found.name, found.fields[0].name, found.fields[0].value) == ("DNS", "length", len(found.octets) - 2)
    assert found.fields[1].bit == 16
    layers = over_tcp(MESSAGES["TXT over TCP"] + b"\0\x20more", 53)
    assert [layer.name for layer in layers[2:]] == ["DNS", "Data"]
    assert [layer.name for layer in over_tcp(MESSAGES["TXT over TCP"][:-1], 53)[2:]] == ["Data"]


def test_a_message_of_dns_that_is_malformed() -> None:
    found = over_udp(MESSAGES["MX"][:-1], 53)[2]
    assert (found.name, found.error) == ("DNS", "dns_truncated")


def test_a_message_of_dns_that_was_not_captured_whole_is_cut_off() -> None:
    packet = datagram(17, user_datagram(MESSAGES["MX"], 53, 50000))
    layers = check(packet[:-10], "ip", length=len(packet))
    assert [(layer.name, layer.error) for layer in layers[2:]] == [("DNS", ""), ("Not captured", "")]
    assert layers[2].line.startswith("DNS cut off")


# --- lines of text


def test_the_session_of_pop3_line_by_line() -> None:
    ethernet, ip, tcp, found = check(POP3[3].build(), "ethernet")[:4]
    assert [layer.name for layer in (ethernet, ip, tcp, found)] == ["Ethernet II", "IPv4", "TCP", "POP3"]
    assert found.line == 'POP3 reply "+OK POP3 gateway1.maison.mrs v7.64 server ready", 49 bytes'
    text, end = found.fields
    assert (text.name, text.width) == ("reply", 8 * 47)
    assert (end.name, end.value, end.words) == ("end of the line", b"\r\n", "CR LF: with it the line has 49 octets")
    assert check(POP3[4].build(), "ethernet")[3].line == 'POP3 command "USER chris", 12 bytes'


def test_http_field_by_field() -> None:
    found = over_tcp(b"GET /a HTTP/1.1\r\nHost: here\r\n\r\n", 50000, 80)[2]
    assert found.line == 'HTTP request line "GET /a HTTP/1.1", 3 lines, 31 bytes'
    assert [(field.name, field.value) for field in found.fields] == [
        ("request line", b"GET /a HTTP/1.1"), ("end of the line", b"\r\n"), ("header", b"Host: here"),
        ("end of the line", b"\r\n"), ("end of the line", b"\r\n"),
    ]  # fmt: skip


def test_octets_that_are_no_text_are_data() -> None:
    assert [layer.name for layer in over_tcp(b"\x16\3\1\0\5hello", 80)[2:]] == ["Data"]
    found = over_tcp(b"HTTP/1.1 200 OK\r\n\r\n\x1f\x8b\0\n", 8080)[2]
    assert (found.fields[-1].name, found.fields[-1].value) == ("data", b"\x1f\x8b\0\n")


def test_what_could_fool_a_terminal_or_a_page_is_text() -> None:
    found = over_tcp("USER \u202eevil<img onerror=1>\r\n".encode(), 50000, 110)[2]
    assert "\\xe2\\x80\\xae" in found.fields[0].words
    assert "\u202e" not in found.line
    found = over_udp(Message(1, 0, (dns.Question((b"\x1b[2J<b>\xe2\x80\xae",), 1),)).build(), 53)[2]
    assert "\\027[2J<b>\\226" in found.line


# --- hostile octets


@repeatable
@given(st.sampled_from([53, 123, 5353]), st.binary(max_size=300))
def test_random_octets_over_udp(port: int, data: bytes) -> None:
    over_udp(data, port)


@repeatable
@given(
    st.sampled_from([21, 25, 53, 80, 110, 587, 8080]),
    st.booleans(),
    st.binary(max_size=100) | st.text().map(str.encode),
)
def test_random_octets_over_tcp(port: int, from_server: bool, data: bytes) -> None:
    over_tcp(data, *((port, 50000) if from_server else (50000, port)))


@repeatable
@given(st.sampled_from(sorted(MESSAGES)), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=5))
def test_messages_with_octets_changed(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(MESSAGES[name])
    for at, value in changes:
        data[at % len(data)] = value
    over_udp(bytes(data), 53)
    over_tcp(len(data).to_bytes(2, "big") + bytes(data), 53)


# --- beside tshark


@needs_tshark
def test_tshark_finds_the_same_protocols(tmp_path: Path) -> None:
    packets = [packet.build() for packet in SESSION]
    packets += [datagram(17, user_datagram(data, 53, 50000)) for name, data in MESSAGES.items() if "TCP" not in name]
    packets += [frame.build()[14 : 14 + frame.total_length] for frame in POP3]
    rows = read(tmp_path, packets, ["frame.protocols"])
    for packet, ((theirs,),) in zip(packets, rows, strict=True):
        ours = [layer.name.lower() for layer in check(packet, "ip") if layer.name not in ("Padding", "Trailer")]
        assert ours[-1].replace("pop3", "pop") == theirs.split(":")[-1]
