"""Writes the corpus that the fuzzer starts from: `python -m tests.fuzz.make_corpus`.

For parsers these are the samples of the tests in tests/wire; for hosts, steps of `script.py` by
their names, so that they keep their meaning when the steps are numbered anew. What the fuzzer has
found is added to the folders by hand.
"""

from __future__ import annotations

import json

from stack.dhcp.lease import Lease, Route
from stack.sockets.lease_file import FORMAT
from stack.wire import dhcp
from stack.wire.addresses import Prefix, format_mac, parse_ipv4
from stack.wire.dhcp import DhcpMessage, make_options
from stack.wire.virtio import checksum_header, tcp_header
from tests.fuzz.parsers import MAC
from tests.fuzz.script import Script
from tests.fuzz.targets import CORPUS
from tests.link.capture_files import TCP, UDP, pcap, varied
from tests.wire.samples import IP_OPTIONS, SAMPLES, TCP_OPTIONS, datagram, frame, user_datagram

ROUTES_121 = bytes.fromhex("180a0900 0a090001 00 0a090001 200a090007 00000000")
SEARCH = b"\x03lab\x07example\x00\x04corp\xc0\x04"
SERVER = parse_ipv4("10.9.0.1")


def _ack() -> bytes:
    options = [
        (dhcp.MESSAGE_TYPE, bytes((dhcp.ACK,))),
        (dhcp.SERVER_IDENTIFIER, SERVER),
        (dhcp.LEASE_TIME, (3600).to_bytes(4, "big")),
        (dhcp.RENEWAL_TIME, (1800).to_bytes(4, "big")),
        (dhcp.REBINDING_TIME, (3000).to_bytes(4, "big")),
        (dhcp.SUBNET_MASK, parse_ipv4("255.255.255.0")),
        (dhcp.ROUTER, SERVER + parse_ipv4("10.9.0.254")),
        (dhcp.DOMAIN_NAME_SERVER, SERVER),
        (dhcp.DOMAIN_NAME, b"lab.example"),
        (dhcp.HOST_NAME, b"here"),
        (dhcp.DOMAIN_SEARCH, SEARCH),
        (dhcp.INTERFACE_MTU, (1400).to_bytes(2, "big")),
        (dhcp.CLASSLESS_STATIC_ROUTE, ROUTES_121),
    ]
    return DhcpMessage(dhcp.BOOT_REPLY, 7, MAC, make_options(options), yiaddr=parse_ipv4("10.9.0.50")).build()


def _lease_file() -> bytes:
    lease = Lease(
        parse_ipv4("10.9.0.50"), 24, SERVER, 3600.0, 1800.0, 3150.0, 999_999_990.0, routers=(SERVER,),
        static_routes=(Route(Prefix.parse("10.8.0.0/16"), SERVER),), domain="lab.example", mtu=1400,
        options=((1, b"\xff\xff\xff\0"),),
    )  # fmt: skip
    data = {"format": FORMAT, "mac": format_mac(MAC), "written": "2001-09-09T01:46:40Z", "lease": lease.to_json()}
    return json.dumps(data, indent=2).encode()


def parsers() -> dict[str, bytes]:
    """Path below the corpus to content, for the targets without a state."""
    found = {f"{sample.parser}/{sample.name.replace(' ', '-')}": sample.data for sample in SAMPLES}
    protocols = {"icmp": 1, "tcp": 6, "udp": 17}
    for sample in SAMPLES:
        name = f"{sample.parser}-{sample.name.replace(' ', '-')}"
        if sample.parser in protocols:
            found[f"show/{name}"] = frame(datagram(protocols[sample.parser], sample.data))
        elif sample.parser in ("ethernet", "arp"):
            found[f"show/{name}"] = sample.data if sample.parser == "ethernet" else frame(sample.data, 0x0806)
        elif sample.parser == "ipv6":
            found[f"show/{name}"] = frame(sample.data, 0x86DD)
        elif sample.parser in ("dns", "ntp"):
            port = 53 if sample.parser == "dns" else 123
            found[f"show/{name}"] = frame(datagram(17, user_datagram(sample.data, port)))
        if sample.parser == "tcp":
            found[f"segment/{name}"] = sample.data
        if sample.parser == "ipv4":
            found[f"fragment/{name}"] = sample.data
    for name, data in [*found.items()]:
        folder, _, rest = name.partition("/")
        if folder == "show" or folder.startswith("linux_cooked"):
            where = rest if folder == "show" else f"{folder}-{rest}"
            found[f"dissect/{where}"] = found[f"dissect_snapped/{where}"] = data
    found["fragment/long"] = datagram(17, bytes(900), IP_OPTIONS)
    found["show_options/ipv4"], found["show_options/tcp"] = IP_OPTIONS, TCP_OPTIONS
    found["show_options/dhcp"] = found["dhcp_message/ack"] = _ack()
    found["dhcp_options/addresses"] = SERVER * 4
    found["dhcp_options/mask"], found["dhcp_options/mtu"] = parse_ipv4("255.255.240.0"), b"\x05\x78"
    found["dhcp_options/name"], found["dhcp_options/search"] = b"lab.example\0", SEARCH
    found["dhcp_values/routes"], found["dhcp_values/names"] = ROUTES_121, SEARCH
    found["capture/pcap"], found["capture/pcapng"] = pcap([UDP, TCP]), varied("<")
    found["capture/nanoseconds"] = pcap([UDP, TCP], order=">", magic=0xA1B23C4D)
    found["capture/big-endian"] = varied(">")
    found["lease_file/lease"] = _lease_file()
    found["addresses/prefix"], found["addresses/mac"] = b"10.9.0.2/24", b"02:00:00:00:00:01"
    found["follow/handshake"] = bytes.fromhex("0102808003050200 0012808103050205 0110818103050005".replace(" ", ""))
    found["follow/frame"] = frame(datagram(6, next(sample.data for sample in SAMPLES if sample.parser == "tcp")))
    found["virtio/checksum"], found["virtio/super-frame"] = checksum_header(34, 16), tcp_header(34, 20, 1448)
    found["text_lines/http"] = b"GET / HTTP/1.1\r\nHost: here\r\n folded\r\n\r\nbody\n\0"
    found["text_lines/status"] = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n\x1f\x8b"
    found["text_lines/pop3"], found["text_lines/smtp"] = b"+OK 1\r\n1 120\r\n.\r\n", b"MAIL FROM:<a>\r\n250-x\n."
    return found


SHORT = {
    "from-peer": "open_passive 00011c",
    "to-peer": "open_active 400c",
    "data": "segment 0064",
    "due": "wait 80",
    "second": "wait 06",
    "acknowledge": "answer 0c",
}
"""Steps that most scripts have: a connection from a peer (window scaling, SACK, timestamps), one to a peer, 100 octets,
until the next deadline, a second, and the peer acknowledges everything."""

HOST_SCRIPTS = {
    "echo-over-tcp": "from-peer; data; user 0023; user 0010; acknowledge; segment 0200; due",
    "bulk-with-loss": "to-peer; user 0050; segment 20ffff00a10005100a00; due; acknowledge",
    "out-of-order": "from-peer; segment 10070064; segment 10040064; data; data; user 0033",
    "zero-window": "to-peer; user 0020; segment 280000000000; due; due; due; acknowledge; due",
    "closes": "from-peer; to-peer; user 0005; user 0106; acknowledge; segment 0200; second",
    "reset": "from-peer; segment 13030000; segment 0300; stray 000000000000000000000001",
    "urgent": "from-peer; segment e707ffff05000a; user 0019; user 000b; acknowledge",
    "syns": (
        "syn 00003f00; syn 01013f01; syn 02023f02; syn 03033f03; syn 04043f04; syn 05053f05; syn 06063f06; "
        "syn 07073f07; wait 0a; from-peer"
    ),
    "fast-open": "syn 00013f636f6f6b69652121; open_active 604c; user 0001; acknowledge; second",
    "batch": "from-peer; begin_batch; data; data; data; data; begin_batch; user 0033; due",
    "run": (
        "from-peer; begin_batch; segment 00e0; segment 00e0; segment 00e0; segment 00e0; segment 00e0; "
        "segment 00e0; begin_batch; user 0053"
    ),
    "datagrams": (
        "datagram 000020; endpoint_call 00000010; endpoint_call 000300; datagram 000020; datagram 000020; "
        "datagram 000020"
    ),
    "connected-udp": "endpoint_call 040000; endpoint_call 01000010; icmp_error 0000030000; endpoint_call 030000",
    "fragments": "fragments 0200200000010203; fragments 0600300003020100810203; wait 0a",
    "pings": "echo 8300; echo 8000; echo 8000; echo 8000; echo 8400; second",
    "arp": "host_call 06; echo 8104; arp 010400; arp 110400; second; second; second",
    "redirects": "open_active 02; redirect 010101; redirect 010001; second; acknowledge",
    "too-big": "to-peer; user 0030; icmp_error 0404024000; due; host_call 1c; acknowledge",
    "addresses": "host_call 0001; from-peer; arp 010404; host_call 0002; second; host_call 02",
    "to-ourselves": "open_active 14; user 0040; open_active 16; second; host_call 09; second",
    "super-frames": "from-peer; super_frame 0c1400; super_frame 0014; user 0053; user 0050",
    "frames-as-they-are": (
        "raw 041000000000000000000000000000000000; echo 8100; raw 0a0414001500; raw "
        "18144500000000000000000000000000000000000000"
    ),
}
"""Steps by name, each with its operands in hexadecimal."""

DHCP_SCRIPTS = {
    "lease-and-renewal": bytes((1, 0, 0x02, 0, 0x22, 0x42, 0, 0x32, 0x62)),
    "no-server": bytes((0, 0x22, 0x32, 0x52, 0x62)),
    "bent-options": bytes((4, 0x42, 0x05, 50, 4, 0, 0, 0, 9, 0x15, 120, 8, 24, 10, 9, 0, 10, 9, 0, 1, 0, 0x62)),
    "conflict": bytes((5, 0x84, 0, 0x12, 0x22, 0x84, 1, 7, 0x32)),
}


def _script(scenario: int, text: str) -> bytes:
    names = [step.__name__ for step in Script.__new__(Script).all_steps()]
    octets = bytearray((scenario,))
    for step in text.split("; "):
        name, _, operands = SHORT.get(step, step).partition(" ")
        octets.append(names.index(name))
        octets += bytes.fromhex(operands)
    return bytes(octets)


def hosts() -> dict[str, bytes]:
    """The same for whole hosts."""
    found = {f"dhcp_client/{name}": data for name, data in DHCP_SCRIPTS.items()}
    for name, text in HOST_SCRIPTS.items():
        found[f"host/{name}"] = _script(4 if name == "super-frames" else len(name) & 3, text)
    return found


def main() -> None:
    """Write them all."""
    for name, data in {**parsers(), **hosts()}.items():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
