"""What an idle connection costs: bytes that tracemalloc counts, and bytes of RSS, for one end of
one connection.

usage: python -m tests.sim.idle COUNT
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from pathlib import Path

from stack.tcp.connection import Connection
from stack.tcp.states import State
from tests.sim.network import pair

PAGE_BYTES = 4096


def idle_connections(count: int) -> list[Connection]:
    """Both ends of `count` connections that have each carried some data and are quiet now, keepalive on."""
    network, here, there = pair(4)
    listener = there.listen(7, backlog=count, keepalive=True)
    ends = []
    for _ in range(count):
        client = here.connect("10.0.0.2", 7, keepalive=True)
        network.run(lambda: listener.readable)
        server = listener.accept()
        assert server is not None
        client.send(b"x" * 100, network.now)
        server.send(b"y" * 100, network.now)
        here.settle()
        there.settle()
        network.run(for_s=0.001)
        assert (client.receive(1000, network.now), server.receive(1000, network.now)) == (b"y" * 100, b"x" * 100)
        ends += [client, server]
    network.run(for_s=10.0)
    assert all(end.state is State.ESTABLISHED for end in ends)
    return ends


def resident_bytes() -> int:
    """The RSS of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def main(count: int) -> None:
    """Once without tracing, for the RSS, once with."""
    warm = idle_connections(10)
    gc.collect()
    before = resident_bytes()
    ends = idle_connections(count)
    gc.collect()
    resident = (resident_bytes() - before) / len(ends)
    del ends
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    ends = idle_connections(count)
    gc.collect()
    traced = (tracemalloc.get_traced_memory()[0] - before) / len(ends)
    print(f"{traced:.0f} {resident:.0f}")
    del warm


if __name__ == "__main__":
    main(int(sys.argv[1]))
