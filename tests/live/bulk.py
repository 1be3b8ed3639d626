"""Bulk flows with the kernel's TCP.

usage: python -m tests.live.bulk source ADDRESS PORT FLOWS POLICY
       python -m tests.live.bulk sink PORT FLOWS WARM_UP_S FOR_S

A source makes so many connections and sends on all of them until it is killed; POLICY is the
kernel's name of a congestion control. A sink takes so many connections, prints the octets of data a
second that came on all of them together, once the first WARM_UP_S seconds are over, and keeps them
until it is killed: an end of its own would reset them under a sender that has not been told yet
that the measurement is over.
"""

from __future__ import annotations

import select
import signal
import socket
import sys
import time

CHUNK = bytes(1 << 16)


def source(address: str, port: int, flows: int, policy: str) -> None:
    """Send for ever."""
    sockets = []
    for _ in range(flows):
        made = socket.socket()
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, policy.encode())
        made.connect((address, port))
        made.setblocking(False)
        sockets.append(made)
    while True:
        for one in select.select([], sockets, [])[1]:
            one.send(CHUNK)


def sink(port: int, flows: int, warm_up_s: float, for_s: float) -> None:
    """Receive until the time is over, then wait for the end."""
    listener = socket.create_server(("", port), backlog=flows)
    print("listening", flush=True)
    sockets = [listener.accept()[0] for _ in range(flows)]
    begins = time.monotonic() + warm_up_s
    ends = begins + for_s
    received = 0
    while (now := time.monotonic()) < ends:
        for one in select.select(sockets, [], [], ends - now)[0]:
            count = len(one.recv(1 << 20))
            if time.monotonic() >= begins:
                received += count
    print(f"octets a second: {received / for_s}", flush=True)
    signal.pause()


if __name__ == "__main__":
    words = sys.argv[2:]
    if sys.argv[1] == "source":
        source(words[0], int(words[1]), int(words[2]), words[3])
    else:
        sink(int(words[0]), int(words[1]), float(words[2]), float(words[3]))
