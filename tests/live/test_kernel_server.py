"""The Linux kernel and its programs are the clients of `tapstack up`."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from tests.live.net import OURS, Namespace, Program, need, wait_until

pytestmark = pytest.mark.usefixtures("running")

FILE_BYTES = 50_000_000


# --- ICMP and ARP -----------------------------------------------------------------------------------------------------


def test_ping_loses_nothing(module_namespace: Namespace) -> None:
    need("ping")
    said = module_namespace.run("ping", "-n", "-q", "-c", "100", "-i", "0.01", OURS).decode()
    assert "100 packets transmitted, 100 received, 0% packet loss" in said


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 20000, 65507])
def test_ping_of_any_size_comes_back(module_namespace: Namespace, size: int) -> None:
    """Above 1,472 bytes both ways are fragmented."""
    need("ping")
    said = module_namespace.run("ping", "-n", "-c", "3", "-i", "0.05", "-s", str(size), OURS).decode()
    assert "3 packets transmitted, 3 received" in said
    assert f"{size + 8} bytes from {OURS}" in said
    assert "wrong data" not in said


def test_arping_is_answered_with_our_mac(module_namespace: Namespace, running: Program) -> None:
    need("arping")
    mac = re.search(rb"\(([0-9a-f:]{17})\)", running.output)
    assert mac is not None
    said = module_namespace.run("arping", "-I", "tap0", "-c", "3", "-w", "5", OURS).decode()
    assert "Received 3 response" in said
    assert mac[1].decode().upper() in said


def test_traceroute_finds_us_one_hop_away(module_namespace: Namespace) -> None:
    need("traceroute")
    said = module_namespace.run("traceroute", "-I", "-n", "-w", "2", OURS).decode().splitlines()
    assert len(said) == 2
    assert re.match(rf" 1  {OURS}  [\d.]+ ms  [\d.]+ ms  [\d.]+ ms$", said[1])


def test_udp_traceroute_finds_us_too(module_namespace: Namespace) -> None:
    """It ends by the port-unreachable errors of closed ports."""
    need("traceroute")
    said = module_namespace.run("traceroute", "-n", "-q", "1", "-w", "2", OURS).decode().splitlines()
    assert re.match(rf" 1  {OURS}  [\d.]+ ms$", said[1])
    assert len(said) == 2


# --- TCP --------------------------------------------------------------------------------------------------------------


def test_nc_talks_to_echo(module_namespace: Namespace) -> None:
    need("nc")
    assert module_namespace.run("nc", "-N", "-w", "5", OURS, "7", data=b"hello, stack\n") == b"hello, stack\n"


def test_a_large_text_comes_back_whole(module_namespace: Namespace) -> None:
    need("nc")
    text = Random(1).randbytes(3_000_000)
    assert module_namespace.run("nc", "-N", "-w", "10", OURS, "7", data=text) == text


@pytest.mark.parametrize(("port", "pattern"), [
    (13, rb"\w+, \w+ \d\d, \d{4} \d\d:\d\d:\d\d-.*\r\n"),
    (17, rb"[ -~]{10,500}\r\n"),
    (37, rb"(?s).{4}"),
])  # fmt: skip
def test_nc_gets_one_message(module_namespace: Namespace, port: int, pattern: bytes) -> None:
    need("nc")
    assert re.fullmatch(pattern, module_namespace.run("nc", "-N", "-w", "5", OURS, str(port)))


def test_time_is_the_time(module_namespace: Namespace) -> None:
    need("nc")
    said = int.from_bytes(module_namespace.run("nc", "-N", "-w", "5", OURS, "37"), "big")
    assert abs(said - 2_208_988_800 - time.time()) < 30


def test_chargen_sends_its_pattern_until_the_client_goes(module_namespace: Namespace) -> None:
    with module_namespace.socket(socket.SOCK_STREAM) as client:
        client.connect((OURS, 19))
        got = b""
        while len(got) < 2_000_000:
            got += client.recv(65536)
    lines = got.split(b"\r\n")
    ring = bytes(range(32, 127)) * 2
    assert all(line == ring[n % 95 : n % 95 + 72] for n, line in enumerate(lines[:-1]))


def test_nc_uploads_to_discard(module_namespace: Namespace) -> None:
    need("nc")
    data = Random(2).randbytes(20_000_000)
    assert module_namespace.run("nc", "-N", "-w", "10", OURS, "9", data=data) == b""


def test_curl_of_a_large_file_is_identical(module_namespace: Namespace, http_root: str, tmp_path: Path) -> None:
    need("curl")
    content = Random(3).randbytes(FILE_BYTES)
    Path(http_root, "large.bin").write_bytes(content)
    target = tmp_path / "got.bin"
    module_namespace.run("curl", "-sS", "--fail", "-o", str(target), f"http://{OURS}/large.bin", timeout_s=120)
    assert target.stat().st_size == FILE_BYTES
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(content).digest()


def test_fifty_curls_at_once(module_namespace: Namespace, http_root: str, tmp_path: Path) -> None:
    need("curl")
    content = Random(4).randbytes(300_000)
    Path(http_root, "small.bin").write_bytes(content)
    url = f"http://{OURS}/small.bin"
    clients = [module_namespace.start("curl", "-sS", "--fail", "-o", str(tmp_path / str(n)), url) for n in range(50)]
    for client in clients:
        with client:
            status, _, errors = client.wait(60)
            assert (status, errors) == (0, b"")
    assert all((tmp_path / str(n)).read_bytes() == content for n in range(50))


def test_curl_keeps_its_connection(module_namespace: Namespace, http_root: str) -> None:
    need("curl")
    Path(http_root, "page.html").write_text("<p>page")
    url = f"http://{OURS}/page.html"
    said = module_namespace.run("curl", "-sS", "-w", "%{num_connects} %{content_type}\n", "-o", os.devnull, url, "-o",
                                os.devnull, url).decode()  # fmt: skip
    assert said == "1 text/html\n0 text/html\n"


def test_a_closed_tcp_port_answers_with_a_reset(module_namespace: Namespace) -> None:
    with module_namespace.socket(socket.SOCK_STREAM) as client:
        started = time.monotonic()
        assert client.connect_ex((OURS, 81)) == errno.ECONNREFUSED
        assert time.monotonic() - started < 0.9  # by the answer to the first SYN


@pytest.mark.parametrize(
    "scan", ["-sN", "-sF", "-sX", "-sM"], ids=["no flag", "FIN", "FIN, PSH and URG", "FIN and ACK"]
)
def test_odd_segments_are_answered_by_the_rules(module_namespace: Namespace, scan: str) -> None:
    """RFC 9293 section 3.10.7: a closed port resets them; one that listens drops them, but resets what has an ACK."""
    need("nmap")
    said = module_namespace.run("nmap", "-n", "-Pn", scan, "-p", "7,8", "-T4", "-oG", "-", OURS).decode()
    assert "8/closed/tcp" in said
    assert ("7/closed/tcp" if scan == "-sM" else "7/open|filtered/tcp") in said


def test_nmap_finds_our_services_and_no_more(module_namespace: Namespace) -> None:
    need("nmap")
    said = module_namespace.run("nmap", "-n", "-Pn", "-sS", "-p", "1-200", "-T4", "-oG", "-", OURS).decode()
    assert re.findall(r"(\d+)/open/tcp", said) == ["7", "9", "13", "17", "19", "37", "80"]
    assert re.search(r"Ignored State: closed \(193\)", said)


def test_a_connection_that_the_client_resets_is_forgotten(module_namespace: Namespace) -> None:
    client = module_namespace.socket(socket.SOCK_STREAM)
    client.connect((OURS, 7))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    with module_namespace.socket(socket.SOCK_STREAM) as again:
        again.connect((OURS, 7))
        again.sendall(b"x")
        assert again.recv(1) == b"x"


# --- UDP --------------------------------------------------------------------------------------------------------------


def test_nc_talks_to_udp_echo(module_namespace: Namespace) -> None:
    need("nc")
    client = module_namespace.start("nc", "-u", "-w", "2", OURS, "7", stdin=subprocess.PIPE)
    with client:
        assert client.process.stdin is not None
        client.process.stdin.write(b"hello, datagram\n")
        client.process.stdin.flush()
        client.wait_for(b"hello, datagram")


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 9000, 65507])
def test_datagrams_of_any_size_are_echoed(module_namespace: Namespace, size: int) -> None:
    data = Random(size).randbytes(size)
    with module_namespace.socket(socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.connect((OURS, 7))
        for _ in range(3):
            client.send(data)
            assert client.recv(65536) == data


@pytest.mark.parametrize("port", [13, 17, 19, 37])
def test_udp_services_answer(module_namespace: Namespace, port: int) -> None:
    with module_namespace.socket(socket.SOCK_DGRAM) as client:
        client.connect((OURS, port))
        client.send(b"?")
        assert 4 <= len(client.recv(65536)) < 512


def test_udp_echo_does_not_answer_another_service(module_namespace: Namespace) -> None:
    with module_namespace.socket(socket.SOCK_DGRAM) as chargen, module_namespace.socket(socket.SOCK_DGRAM) as client:
        chargen.bind(("", 19))
        chargen.connect((OURS, 7))
        chargen.send(b"loop")
        client.connect((OURS, 7))
        client.send(b"answered")  # behind the other, so that its answer would have come before
        assert client.recv(100) == b"answered"
        chargen.setblocking(False)
        with pytest.raises(BlockingIOError):
            chargen.recv(100)


def test_a_closed_udp_port_answers_with_port_unreachable(module_namespace: Namespace) -> None:
    with module_namespace.socket(socket.SOCK_DGRAM) as client:
        client.connect((OURS, 5353))
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(100)


# --- and at rest ------------------------------------------------------------------------------------------------------


def test_at_rest_it_uses_no_processor(running: Program) -> None:
    """Two seconds without a frame: no timer ticks. (Delayed ACKs, TIME-WAIT and the like are over or far away.)"""

    def ticks() -> int:
        fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def switches() -> int:
        status = Path(f"/proc/{running.process.pid}/status").read_text()
        return sum(int(count) for count in re.findall(r"voluntary_ctxt_switches:\s+(\d+)", status))

    def quiet() -> bool:
        before = switches()
        time.sleep(2)  # what is measured is that nothing happens
        return switches() - before <= 1

    wait_until(quiet, "quiet")
    before = ticks()
    time.sleep(2)
    assert ticks() - before == 0
