"""A round trip for each parser: parse, then build the bytes again. For `show`, a check of the lines
it gives.

Hypothesis and the fuzzer use the same functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from stack.counters import DROPS, UNREADABLE
from stack.dissection.show import show
from stack.errors import BadPacket
from stack.wire import (
    arp,
    dhcp,
    dns,
    ethernet,
    icmp,
    icmpv6,
    ipv4,
    ipv4_options,
    ipv6,
    linux_cooked,
    ntp,
    tcp,
    tcp_options,
    udp,
)
from stack.wire.checksum import Buffer


def ethernet_again(data: Buffer) -> bytes:
    header = ethernet.EthernetHeader.parse(data)
    assert len(header.payload(data)) <= len(data) - header.header_length
    return header.build() + bytes(data[header.header_length :])


def arp_again(data: Buffer) -> bytes:
    return arp.ArpPacket.parse(data).build() + bytes(data[arp.LENGTH :])


def ipv4_again(data: Buffer) -> bytes:
    header = ipv4.Ipv4Header.parse(data, verify_checksum=False)
    assert header.total_length <= len(data)
    quoted = ipv4.Ipv4Header.parse(data[: header.header_length], verify_checksum=False, quoted=True)
    assert quoted == header
    return header.build() + bytes(data[header.header_length :])


def ipv4_options_again(data: Buffer) -> bytes:
    wrong = ipv4_options.find_error(data)
    assert wrong is None or 0 <= wrong < len(data)
    try:
        options = ipv4_options.split(data)
    except BadPacket:
        assert wrong is not None
        raise
    for option in options:
        try:
            if option.type in ipv4_options.ROUTES:
                assert ipv4_options.Route.from_option(option).option() == option
            elif option.type == ipv4_options.TIMESTAMP:
                assert ipv4_options.Timestamps.from_option(option).option() == option
            elif option.type == ipv4_options.SECURITY:
                assert ipv4_options.Security.from_option(option).option() == option
        except BadPacket:
            assert wrong is not None or option.type == ipv4_options.SECURITY
    assert len(ipv4_options.copied_options(data)) <= len(data) + 3
    return ipv4_options.join(options)


def icmp_again(data: Buffer) -> bytes:
    message = icmp.IcmpMessage.parse(data, verify_checksum=False)
    if message.is_error:
        with contextlib.suppress(BadPacket):
            header, payload = message.quoted()
            assert len(payload) >= 8
            assert message.body.startswith(header.build() + payload)
    return message.build()


def udp_again(data: Buffer) -> bytes:
    header = udp.UdpHeader.parse(data)
    assert 8 <= header.length <= len(data)
    return header.build() + bytes(data[8:])


def tcp_again(data: Buffer) -> bytes:
    header = tcp.TcpHeader.parse(data)
    return header.build() + bytes(data[header.header_length :])


def tcp_options_again(data: Buffer) -> bytes:
    options = tcp_options.parse_options(data)
    try:
        built = tcp_options.build_options(options)
    except ValueError:
        assert len(data) > tcp_options.MAX_LENGTH - 12  # what no-ops for alignment may add
    else:
        assert tcp_options.parse_options(built) == options
    return tcp_options.join(tcp_options.split(data))


def dhcp_again(data: Buffer) -> bytes:
    message = dhcp.DhcpMessage.parse(data)
    assert message.message_type in range(256)
    return message.build()


def ntp_again(data: Buffer) -> bytes:
    packet = ntp.NtpPacket.parse(data)
    for stamp in (packet.reference, packet.origin, packet.receive, packet.transmit):
        assert ntp.utc_text(stamp).endswith((" UTC", "not known"))
        assert 0 <= ntp.nanoseconds(stamp) < 1_000_000_000
    assert ntp.reference_name(packet.stratum, packet.reference_id).isascii()
    assert ntp.stratum_name(packet.stratum)
    return packet.build()


def dns_again(data: Buffer) -> bytes:
    """The octets between the places that the parser gives, and the message that is built from what it has read."""
    message = dns.Message.parse(data)
    for compress in (True, False):
        with contextlib.suppress(ValueError, OverflowError):  # without compression a message may be too long
            assert dns.Message.parse(message.build(compress=compress)) == message
    octets = bytes(data)
    pieces, at = [octets[: dns.HEADER_LENGTH]], dns.HEADER_LENGTH
    for question in message.questions:
        assert dns.name_text(question.name).isprintable()
        pieces.append(octets[at : question.end])
        at = question.end
    for record in (*message.answers, *message.authorities, *message.additionals):
        pieces.append(octets[at : record.name_end + 10])
        at = record.name_end + 10
        for part in record.parts:
            assert part.at == at
            pieces.append(octets[at : at + part.length])
            at += part.length
        assert at == record.end
    return b"".join(pieces) + message.trailing


def linux_cooked_again(data: Buffer) -> bytes:
    header = linux_cooked.LinuxCookedHeader.parse(data)
    return header.build() + bytes(data[header.header_length :])


def linux_cooked_v2_again(data: Buffer) -> bytes:
    header = linux_cooked.LinuxCookedHeader.parse_v2(data)
    return header.build() + bytes(data[header.header_length :])


def ipv6_again(data: Buffer) -> bytes:
    """The header, all extension headers with their options, and what follows."""
    header = ipv6.Ipv6Header.parse(data)
    assert ipv6.format_ipv6(header.source).isprintable()
    built, at, end = header.build(), ipv6.HEADER_LENGTH, ipv6.HEADER_LENGTH + header.payload_length
    kind = header.next_header
    while kind in ipv6.EXTENSIONS:
        extension = ipv6.ExtensionHeader.parse(kind, data[at:end])
        assert 0 <= extension.fragment_offset < 65536
        if kind in ipv6.WITH_OPTIONS:
            options = ipv6.split_options(extension.data)
            assert b"".join(option.build() for option in options) == extension.data
        built += extension.build()
        kind, at = extension.next_header, at + extension.length
    return built + bytes(data[at:])


def icmpv6_again(data: Buffer) -> bytes:
    message = icmpv6.Icmpv6Message.parse(data)
    assert message.fixed_length <= len(message.body)
    options = b"".join(option.build() for option in message.options())
    assert not options or message.body[message.fixed_length :] == options
    for begin, end in message.records():
        assert message.fixed_length <= begin < end <= len(message.body)
    return message.build()


PARSERS: dict[str, Callable[[Buffer], bytes]] = {
    "ethernet": ethernet_again,
    "arp": arp_again,
    "ipv4": ipv4_again,
    "ipv4_options": ipv4_options_again,
    "icmp": icmp_again,
    "udp": udp_again,
    "tcp": tcp_again,
    "tcp_options": tcp_options_again,
    "dhcp": dhcp_again,
    "ntp": ntp_again,
    "dns": dns_again,
    "linux_cooked": linux_cooked_again,
    "linux_cooked_v2": linux_cooked_v2_again,
    "ipv6": ipv6_again,
    "icmpv6": icmpv6_again,
}


def withstands(parser: str, data: bytes) -> str:
    """Parse `data`; the reason why it was refused, "" when it was taken (and built back)."""
    reason = ""
    try:
        assert PARSERS[parser](memoryview(data)) == data
    except BadPacket as error:
        reason = error.reason
    assert reason == "" or reason in DROPS or reason in UNREADABLE
    return reason


def shows(data: bytes) -> None:
    """`show` has something to say and lets no byte out that is not printable ASCII."""
    for lines in (show(data), show(data, link="ip"), show(bytearray(data), offload=True)):
        assert lines
        for line in lines:
            assert line.isascii()
            assert line.isprintable()
