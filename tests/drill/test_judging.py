"""The runner notices a faulty host: each test puts a fault between the host and the script."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.drill.test_runner import OPEN, PLAIN, UDP, run
from tools.drill import packet
from tools.drill.outcome import Status
from tools.drill.packet import Icmp, Tcp, Udp
from tools.drill.wire import Wire

SENDS = PLAIN + "+0 write(4, ..., 2000) = 2000\n+0 > . 1:1001(1000) ack 1\n+0 > P. 1001:2001(1000) ack 1\n"
STAMPED = OPEN + "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 <nop,nop,TS val 200 ecr 600>\n"
DATAGRAM = UDP + "+0 < udp (10)\n+0 sendto(3, ..., 20, 0, ..., ...) = 20\n+0 > udp (20)\n"
ECHO = "0 < icmp echo_request id 7 [raw (10)]\n+0 > icmp echo_reply id 7 [raw (10)]\n"

Fault = Callable[[bytes], bytes]


def flipped(at: int) -> Fault:
    """Flip a bit of the octet `at`, counted from the IP header on, or from the end if negative."""

    def fault(raw: bytes) -> bytes:
        octets = bytearray(raw)
        octets[at] ^= 1
        return bytes(octets)

    return fault


def rewritten(change: Callable[[Tcp | Udp | Icmp], Tcp | Udp | Icmp]) -> Fault:
    """Change the packet's body, and write the packet with correct checksums."""

    def fault(raw: bytes) -> bytes:
        whole = packet.read(raw)
        return packet.write(whole.source, whole.destination, change(whole.body), ttl=whole.ttl, tos=whole.tos)

    return fault


def with_payload(change: Callable[[bytes], bytes]) -> Fault:
    """Change the payload."""
    return rewritten(lambda body: replace(body, payload=change(body.payload)))


def from_another_port(body: Tcp | Udp | Icmp) -> Tcp | Udp | Icmp:
    """Give a segment the source port of another connection."""
    assert isinstance(body, Tcp)
    return replace(body, source_port=9)


FAULTS: dict[str, tuple[str, Fault, str]] = {
    "IP checksum": (SENDS, flipped(10), "the checksum of the IPv4 header is wrong"),
    "IP version": (SENDS, flipped(0), "IPv4 header"),
    "IP length": (SENDS, lambda raw: raw + b"\0", "the IPv4 header is 1040, and the packet has 1041 octets"),
    "cut short": (SENDS, lambda raw: raw[:19], "an IPv4 header has at least 20 octets, and the packet has 19"),
    "TCP checksum": (SENDS, flipped(36), "the TCP checksum is wrong"),
    "TCP text": (SENDS, flipped(-1), "the TCP checksum is wrong"),
    "UDP checksum": (DATAGRAM, flipped(26), "the UDP checksum is wrong"),
    "ICMP checksum": (ECHO, flipped(22), "the ICMP checksum is wrong"),
    "an octet": (SENDS, with_payload(lambda data: data[:5] + b"x" + data[6:]), "payload"),
    "octets in another order": (SENDS, with_payload(lambda data: data[1:] + data[:1]), "payload"),
    "other octets": (DATAGRAM, with_payload(lambda data: bytes(len(data))), "payload"),
    "the address": (SENDS, lambda raw: packet.write("192.168.0.1", "192.0.2.9", packet.read(raw).body), "addresses"),
    "the port": (SENDS, rewritten(from_another_port), "ports"),
    "more than the MTU": (SENDS, with_payload(lambda data: data * 2), "the packet has 2040 octets"),
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_of_the_host_fails_the_script(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script, fault, message = FAULTS[what]
    assert str(run(script)) == "x.pkt: passed"
    plain = Wire.write

    def write(wire: Wire, parts: list[bytes], now: float, offload: bytes = b"") -> bool:
        raw = b"".join(parts)
        spoil = len(raw) > 44 + 20 or raw[9] != packet.PROTO_TCP  # not the handshake
        if what == "the address":
            spoil = len(raw) > 500
        return plain(wire, [fault(raw) if spoil else raw], now, offload)

    monkeypatch.setattr(Wire, "write", write)
    outcome = run(script)
    assert outcome.status is Status.FAILED
    assert outcome.line == len(script.splitlines()) - (1 if script is SENDS else 0) or "bad packet" in outcome.message
    assert message in outcome.message, str(outcome)


def test_segments_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Wire.write
    held: list[bytes] = []

    def write(wire: Wire, parts: list[bytes], now: float, offload: bytes = b"") -> bool:
        raw = b"".join(parts)
        if len(raw) > 500 and not held:
            held.append(raw)
            return True
        done = plain(wire, [raw], now, offload)
        while len(raw) > 500 and held:
            plain(wire, [held.pop()], now, offload)
        return done

    monkeypatch.setattr(Wire, "write", write)
    outcome = run(SENDS)
    assert (outcome.status, outcome.line) == (Status.FAILED, 9)
    assert re.search(r"seq +1:1001\(1000\) +1001:2001\(1000\) +<--", outcome.message)


@pytest.mark.parametrize("by", [1, -1, 1 << 31])
def test_a_wrong_echo_of_a_timestamp(by: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """TSecr must equal the peer's TSval in every bit."""
    plain = Wire.write

    def spoiled(body: Tcp | Udp | Icmp) -> Tcp | Udp | Icmp:
        assert isinstance(body, Tcp)
        options = [
            replace(option, values=(option.values[0], (option.values[1] + by) & 0xFFFF_FFFF))
            if option.name == "TS"
            else option
            for option in body.options
        ]
        return replace(body, options=tuple(options))

    def write(wire: Wire, parts: list[bytes], now: float, offload: bytes = b"") -> bool:
        raw = b"".join(parts)
        return plain(wire, [rewritten(spoiled)(raw) if len(raw) > 100 else raw], now, offload)

    monkeypatch.setattr(Wire, "write", write)
    outcome = run(STAMPED)
    assert (outcome.status, outcome.line) == (Status.FAILED, 9)
    assert re.search(r"options +<nop,nop,TS val 200 ecr 600> +<nop,nop,TS val 200 ecr \d+> +<--", outcome.message)


def test_a_host_that_raises_fails_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(wire: Wire, now: float) -> memoryview | None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(Wire, "read", broken)
    outcome = run(PLAIN)
    assert outcome.status is Status.FAILED
    assert "the host raised an exception" in outcome.message
    assert "RuntimeError: a bug of ours" in outcome.message


def test_what_was_read_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The octets that a socket returns are compared with those that the peer sent."""
    plain = Wire.inject

    def inject(wire: Wire, raw: bytes) -> None:
        plain(wire, with_payload(lambda data: data[::-1])(raw))

    script = PLAIN + "+0 < P. 1:101(100) ack 1 win 65535\n+0 read(4, ..., 100) = 100\n+.04 > . 1:1(0) ack 101\n"
    assert str(run(script)) == "x.pkt: passed"
    monkeypatch.setattr(Wire, "inject", inject)
    outcome = run(script)
    assert (outcome.status, outcome.line) == (Status.FAILED, 9)
    assert re.search(r"data +the peer's octets, in order +other octets +<--", outcome.message)


@pytest.mark.parametrize(
    "between", ["", "+.5 < R 70000:70000(0) win 0\n", "+.5 < . 1:1(0) ack 9 win 1000\n+0 > R 9:9(0)\n"]
)
def test_a_syn_that_comes_again_with_another_number(between: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reset that ends no connection, the next SYN,ACK must have the old sequence number."""
    script = "".join(PLAIN.splitlines(keepends=True)[:5]) + between + "1 > S. 0:0(0) ack 1 <mss 1460>\n"
    assert str(run(script)) == "x.pkt: passed"
    plain = Wire.write
    syns: list[bytes] = []

    def write(wire: Wire, parts: list[bytes], now: float, offload: bytes = b"") -> bool:
        raw = b"".join(parts)
        if raw[33] & 2:
            syns.append(raw)
            if len(syns) == 2:
                raw = rewritten(with_another_number)(raw)
        return plain(wire, [raw], now, offload)

    monkeypatch.setattr(Wire, "write", write)
    outcome = run(script)
    assert outcome.status is Status.FAILED
    assert re.search(r"seq +0:0\(0\) +4096:4096\(0\) +<--", outcome.message), str(outcome)


def with_another_number(body: Tcp | Udp | Icmp) -> Tcp | Udp | Icmp:
    """Give a segment the sequence number of another connection with the same ports."""
    assert isinstance(body, Tcp)
    return replace(body, seq=(body.seq + 4096) & 0xFFFF_FFFF)
