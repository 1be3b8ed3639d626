"""The client of `scripts.measuring.curves`: prints one figure as JSON.

usage: python -m scripts.measuring.curve_client udp PEERS SECONDS
       python -m scripts.measuring.curve_client window OCTETS SECONDS
"""

from __future__ import annotations

import json
import resource
import socket
import sys
from contextlib import ExitStack

from scripts.measuring.client import CHARGEN, ECHO, HOST, PATIENCE_S, echo, rate, received

SO_RCVBUFFORCE = 33


def udp(peers: int, seconds: float) -> float:
    """Echoes a second of a 64-octet datagram from one of `peers` ports after another."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if peers > limit - 50:
        raise SystemExit(f"{peers} sockets are more than this process may open (ulimit -Hn: {limit})")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with ExitStack() as exit_stack:
        socks = [exit_stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(peers)]
        for sock in socks:
            sock.settimeout(PATIENCE_S)
            sock.connect((HOST, ECHO))
        return rate(seconds, lambda count: echo(socks[count % peers], count.to_bytes(64, "big")))


def window(octets: int, seconds: float) -> float:
    """Mbit/s that chargen sends into a receive window of so many octets."""
    with socket.socket() as sock:
        sock.settimeout(PATIENCE_S)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, octets)  # Linux doubles it; half of it is window
        sock.connect((HOST, CHARGEN))
        return received(sock, seconds, CHARGEN) * 1000


def main(words: list[str]) -> None:
    kind, number, seconds = words
    print(json.dumps((udp if kind == "udp" else window)(int(number), float(seconds))))


if __name__ == "__main__":
    main(sys.argv[1:])
