"""The client of the benchmarks: runs one test over kernel sockets and prints the figure as a JSON
object.

usage: python -m scripts.measuring.client TEST SECONDS SINK_PORT SOURCE_PORT

Echoed data is compared with the data that was sent; a wrong octet ends the program.
"""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

HOST = "10.9.0.2"
ECHO, DISCARD, CHARGEN, HTTP = 7, 9, 19, 80
MIB = 1 << 20
PATIENCE_S = 5.0
BODY = bytes(range(256)) * 4  # of the file that http serves under PAGE
PAGE = "page"
RING = bytes(range(32, 127)) * 2
PATTERN = b"".join(RING[start : start + 72] + b"\r\n" for start in range(95))  # RFC 864
PATTERNS = memoryview(PATTERN * (MIB // len(PATTERN) + 2))


@dataclass(frozen=True)
class Ports:
    """The ports of the server: `sink` reads and drops all data, `source` sends without end."""

    sink: int = DISCARD
    source: int = CHARGEN


def connect(port: int, patience_s: float = PATIENCE_S) -> socket.socket:
    """A connection with TCP_NODELAY and a limit on every wait."""
    sock = socket.create_connection((HOST, port), timeout=patience_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def bulk_in(seconds: float, ports: Ports) -> float:
    """Gbit/s that the sink acknowledges."""
    block = memoryview(bytes(MIB))
    with connect(ports.sink) as sock:
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            sock.send(block)
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        acknowledged: int = struct.unpack_from("=Q", info, 120)[0]  # tcpi_bytes_acked
        elapsed = time.perf_counter() - start
    return acknowledged * 8 / elapsed / 1e9


def bulk_out(seconds: float, ports: Ports) -> float:
    """Gbit/s that the source sends."""
    with connect(ports.source) as sock:
        return received(sock, seconds, ports.source)


def received(sock: socket.socket, seconds: float, port: int) -> float:
    """Gbit/s that arrive on a connection. Data from chargen is compared with RFC 864's pattern."""
    buffer = bytearray(MIB)
    total = 0
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        count = sock.recv_into(buffer)
        if not count:
            raise SystemExit("the source ended")
        if port == CHARGEN:
            begin = total % len(PATTERN)
            if not buffer.startswith(PATTERNS[begin : begin + count]):
                raise SystemExit(f"chargen sent something else among the {count} octets from {total} on")
        total += count
    return total * 8 / (time.perf_counter() - start) / 1e9


def rate(seconds: float, do: Callable[[int], None]) -> float:
    """How many times a second `do` can be called, one call after another.

    The argument of `do` is the number of earlier calls.
    """
    count = 0
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        do(count)
        count += 1
    return count / (time.perf_counter() - start)


def echo(sock: socket.socket, message: bytes) -> None:
    """Send a message and receive its echo."""
    sock.send(message)
    if sock.recv(len(message) + 1) != message:
        raise SystemExit("a wrong echo")


def tcp_echoes(seconds: float, ports: Ports) -> float:
    """Round trips of one octet a second, on one connection."""
    with connect(ECHO) as sock:
        return rate(seconds, lambda count: echo(sock, bytes((count & 0xFF,))))


def connections(seconds: float, ports: Ports) -> float:
    """Connect, echo an octet, close: how many a second, one after another."""

    def connection(count: int) -> None:
        with connect(ECHO) as sock:
            echo(sock, b"x")

    return rate(seconds, connection)


def udp_echoes(seconds: float, ports: Ports) -> float:
    """Round trips of a 64-octet datagram a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect((HOST, ECHO))
        return rate(seconds, lambda count: echo(sock, count.to_bytes(64, "big")))


def requests(seconds: float, ports: Ports) -> float:
    """HTTP requests a second for a file of 1,024 octets, one after another on one connection."""
    request = f"GET /{PAGE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    with connect(HTTP) as sock:

        def get(count: int) -> None:
            sock.send(request)
            answer = b""
            while len(answer.partition(b"\r\n\r\n")[2]) < len(BODY):
                more = sock.recv(65536)
                if not more:
                    raise SystemExit(f"the server hung up after {answer!r}")
                answer += more
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n" + BODY):
                raise SystemExit(f"a wrong answer: {answer!r}")

        return rate(seconds, get)


def ping(seconds: float, ports: Ports) -> float:
    """Average round trip of ping(8) in milliseconds, 200 pings a second."""
    count = max(int(seconds * 200), 20)
    command = ["ping", "-n", "-q", "-c", str(count), "-i", "0.005", "-w", str(int(seconds) + 10), HOST]
    try:
        out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=seconds + 20).stdout
    except FileNotFoundError:
        raise SystemExit("ping is missing (Debian: apt install iputils-ping)") from None
    found = re.search(r"= [\d.]+/([\d.]+)/", out)
    if found is None:
        raise SystemExit(f"ping said: {out}")
    return float(found[1])


def large_echo(seconds: float, ports: Ports) -> float:
    """Not a benchmark: check every stack first, by an echo of four mebibytes."""
    data = random.Random(1).randbytes(4 * MIB)
    with connect(ECHO) as sock:
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        got = bytearray()
        while len(got) < len(data):
            more = sock.recv(MIB)
            if not more:
                raise SystemExit(f"the echo ended after {len(got)} octets")
            got += more
        sender.join()
    if got != data:
        raise SystemExit("a wrong echo")
    return 1.0


def wait(seconds: float, ports: Ports) -> float:
    """Not a benchmark: wait until echo answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with connect(ECHO, 1.0) as sock:
                sock.send(b"w")
                if sock.recv(1) == b"w":
                    return 1.0
        except OSError:
            time.sleep(0.05)
    raise SystemExit("no answer on port 7")


TESTS: dict[str, Callable[[float, Ports], float]] = {
    "in": bulk_in,
    "out": bulk_out,
    "echo": tcp_echoes,
    "connect": connections,
    "udp": udp_echoes,
    "http": requests,
    "ping": ping,
}


def main(words: list[str]) -> None:
    test, seconds, sink, source = words
    functions = {**TESTS, "check": large_echo, "wait": wait}
    print(json.dumps(functions[test](float(seconds), Ports(int(sink), int(source)))))


if __name__ == "__main__":
    main(sys.argv[1:])
