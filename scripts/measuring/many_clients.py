"""Opens many connections from one process. `scripts.measuring.scale` runs several such processes
against a host.

usage: python -m scripts.measuring.many_clients

Reads commands from standard input and answers each by a line of JSON:

    open COUNT AT_ONCE      open COUNT echo connections, AT_ONCE at a time, and have each echo one octet
    echo SECONDS            for SECONDS, send an octet on one connection after the other and wait for its echo
    daytime COUNT AT_ONCE   open COUNT connections to daytime, which sends the time and closes first
    close                   close all
"""

from __future__ import annotations

import errno
import json
import resource
import select
import socket
import sys
import time
from collections.abc import Iterator

from scripts.measuring.client import ECHO, HOST, echo, rate

DAYTIME = 13
GIVE_UP_S = 90.0


class Connections:
    """The connections of this process."""

    def __init__(self) -> None:
        self._members: list[socket.socket] = []

    def open(self, count: int, at_once: int) -> dict[str, float]:
        """Connect, send an octet, see it come back."""
        start = time.perf_counter()
        kept = [sock for sock, answer in self._talk(count, at_once, ECHO, b"x") if answer == b"x"]
        self._members += kept
        return {"open": len(kept), "failed": count - len(kept), "seconds": time.perf_counter() - start}

    def daytime(self, count: int, at_once: int) -> dict[str, float]:
        """Connect, read the time, and close after the server has closed."""
        start = time.perf_counter()
        heard = 0
        for sock, answer in self._talk(count, at_once, DAYTIME, b""):
            sock.settimeout(5)
            heard += answer.endswith(b"\r\n") and sock.recv(1) == b""
            sock.close()
        return {"heard": heard, "failed": count - heard, "seconds": time.perf_counter() - start}

    def _talk(self, count: int, at_once: int, port: int, say: bytes) -> Iterator[tuple[socket.socket, bytes]]:
        """Yield the connections to `port` with their first answers. Failed ones are left out."""
        poll = select.epoll()
        talking: dict[int, socket.socket] = {}
        began = 0
        deadline = time.monotonic() + GIVE_UP_S
        while (began < count or talking) and time.monotonic() < deadline:
            while began < count and len(talking) < at_once:
                began += 1
                sock = socket.socket()
                sock.setblocking(False)
                if sock.connect_ex((HOST, port)) not in (0, errno.EINPROGRESS):
                    sock.close()
                    continue
                talking[sock.fileno()] = sock
                poll.register(sock, select.EPOLLOUT if say else select.EPOLLIN)
            for number, _ in poll.poll(0.1):
                sock = talking[number]
                try:
                    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        raise OSError
                    try:
                        answer = sock.recv(100)
                    except BlockingIOError:  # connected
                        sock.send(say)
                        poll.modify(sock, select.EPOLLIN)
                        continue
                except OSError:
                    del talking[number]
                    sock.close()
                    continue
                del talking[number]
                poll.unregister(sock)
                yield sock, answer
        for sock in talking.values():
            sock.close()
        poll.close()

    def echo(self, seconds: float) -> dict[str, float]:
        """Echoes a second."""
        for sock in self._members:
            sock.settimeout(5)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        members = self._members
        return {"rate": rate(seconds, lambda count: echo(members[count % len(members)], bytes((count & 0xFF,))))}

    def close(self) -> dict[str, float]:
        """Close all."""
        for sock in self._members:
            sock.close()
        self._members.clear()
        return {}


def main() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    connections = Connections()
    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "echo":
            answer = connections.echo(float(numbers[0]))
        elif command == "close":
            answer = connections.close()
        else:
            answer = (connections.open if command == "open" else connections.daytime)(int(numbers[0]), int(numbers[1]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
