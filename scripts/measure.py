"""The client of scripts/bench: kernel sockets against `tapstack up`, in a network namespace that is ours alone.

Every figure is the median of `--repeat` rounds of `--secs` seconds; the range of the rounds stands beside it. What
comes back is compared with what was sent.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable

HOST = "10.9.0.2"
ECHO, DISCARD, CHARGEN = 7, 9, 19
MIB = 1 << 20
LINE = bytes(range(32, 127))


def connect(port: int) -> socket.socket:
    """A connection with TCP_NODELAY and a limit on every wait."""
    sock = socket.create_connection((HOST, port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def bulk_in(seconds: float) -> float:
    """Gbit/s that discard acknowledges."""
    block = memoryview(bytes(MIB))
    with connect(DISCARD) as sock:
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            sock.send(block)
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        acknowledged: int = struct.unpack_from("=Q", info, 120)[0]  # tcpi_bytes_acked
        elapsed = time.perf_counter() - start
    return acknowledged * 8 / elapsed / 1e9


def bulk_out(seconds: float) -> float:
    """Gbit/s that chargen sends; the first lines are compared with RFC 864's pattern."""
    buffer = bytearray(MIB)
    total = 0
    with connect(CHARGEN) as sock:
        head = sock.recv(74, socket.MSG_WAITALL)
        if head != LINE[:72] + b"\r\n":
            raise SystemExit(f"chargen sent {head!r}")
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            count = sock.recv_into(buffer)
            if not count:
                raise SystemExit("chargen ended")
            total += count
        elapsed = time.perf_counter() - start
    return total * 8 / elapsed / 1e9


def tcp_echoes(seconds: float) -> float:
    """Round trips of one octet a second, on one connection."""
    count = 0
    with connect(ECHO) as sock:
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            octet = bytes((count & 0xFF,))
            sock.send(octet)
            if sock.recv(1) != octet:
                raise SystemExit("a wrong echo")
            count += 1
        return count / (time.perf_counter() - start)


def connections(seconds: float) -> float:
    """Connect, echo an octet, close: how many a second, one after another."""
    count = 0
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        with connect(ECHO) as sock:
            sock.send(b"x")
            if sock.recv(1) != b"x":
                raise SystemExit("a wrong echo")
        count += 1
    return count / (time.perf_counter() - start)


def udp_echoes(seconds: float) -> float:
    """Round trips of a 64-octet datagram a second."""
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((HOST, ECHO))
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            datagram = count.to_bytes(64, "big")
            sock.send(datagram)
            if sock.recv(100) != datagram:
                raise SystemExit("a wrong echo")
            count += 1
        return count / (time.perf_counter() - start)


def ping(seconds: float) -> float:
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


TESTS: dict[str, tuple[Callable[[float], float], str]] = {
    "kernel to stack, Gbit/s": (bulk_in, "{:.2f}"),
    "stack to kernel, Gbit/s": (bulk_out, "{:.2f}"),
    "1-octet TCP echoes /s": (tcp_echoes, "{:,.0f}"),
    "connect, echo, close /s": (connections, "{:,.0f}"),
    "64-octet UDP echoes /s": (udp_echoes, "{:,.0f}"),
    "ping, ms": (ping, "{:.3f}"),
}


def start(options: list[str]) -> subprocess.Popen[str]:
    """`tapstack up` as installed, once it says that it is ready."""
    program = os.path.join(os.path.dirname(sys.executable), "tapstack")
    process = subprocess.Popen([program, "up", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready:"):
        process.terminate()
        raise SystemExit("tapstack up did not start")
    print(line.strip(), file=sys.stderr)
    return process


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="measures `tapstack up`; after --, its options")
    parser.add_argument("--secs", type=float, default=3.0, metavar="S", help="seconds a test and round (default 3)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds; the median is shown (default 3)")
    parser.add_argument("--json", metavar="FILE", help="write every single figure there, too")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="options of `tapstack up`")
    args = parser.parse_args()
    process = start(args.options)
    results: dict[str, list[float]] = {name: [] for name in TESTS}
    try:
        for _ in range(args.repeat):
            for name, (test, _shape) in TESTS.items():
                results[name].append(test(args.secs))
    finally:
        process.terminate()
        process.wait(10)
    print(f"Linux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} CPUs;", end=" ")
    print(f"median (range) of {args.repeat} rounds of {args.secs:g} s\n")
    print("| | tapstack up |\n|---|---|")
    for name, (_test, shape) in TESTS.items():
        values = results[name]
        median, low, high = (shape.format(value) for value in (statistics.median(values), min(values), max(values)))
        print(f"| {name} | {median} ({low} to {high}) |")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"python": platform.python_version(), "linux": platform.release(), "results": results}, file)


if __name__ == "__main__":
    main()
