"""Fast Open on a wire that loses, reorders and doubles frames: nothing is lost or invented, and
mostly it is fast.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from stack.config import Config
from stack.tcp.connection import Connection
from tests.sim.network import Machine, Network, pair
from tests.sim.programs import Echo, Exchange, Server

DELAY_S = 0.02
ROUND_TRIP_S = 2 * DELAY_S


class Customers:
    """One after another they open a connection by Fast Open, send `requests` and read the echo."""

    def __init__(self, here: Machine, requests: list[bytes]) -> None:
        self.machine = here
        self.waiting = list(reversed(requests))
        self.answers: list[bytes] = []
        self.times: list[float] = []
        self.fast = 0
        self._next()

    def _next(self) -> None:
        machine = self.machine
        self.began = machine.network.now
        request = self.waiting.pop()
        connection = machine.connect("10.0.0.2", 7, deferred=True)
        taken = connection.open(self.began, request, fast=True)
        self.program = Exchange(machine, connection, request[taken:])
        machine.settle()

    def all_done(self) -> bool:
        assert self.program.error is None
        if not self.program.done:
            return False
        self.times.append(self.machine.network.now - self.began)
        self.answers.append(bytes(self.program.received))
        self.fast += self.program.connection.fast_opened
        if self.waiting:
            self._next()
            return False
        return True


def run(seed: int, requests: list[bytes], **impairment: Any) -> tuple[Customers, list[Connection], Network]:
    config = Config()
    config = replace(config, tcp=replace(config.tcp, fast_open_retry_s=0.0))  # tried again at once, to be tested more
    network, here, there = pair(seed, config=config, delay_s=DELAY_S, **impairment)
    served: list[Connection] = []

    def serve(machine: Machine, connection: Connection) -> Echo:
        served.append(connection)
        return Echo(machine, connection)

    Server(there, 7, serve).listener.fast_open.limit = 10
    customers = Customers(here, requests)
    network.run(customers.all_done, for_s=3600)
    network.run(for_s=300)
    for machine in (here, there):
        assert not machine.host.tcp.connections
    return customers, served, network


def test_a_round_trip_is_saved_by_all_but_the_first() -> None:
    requests = [b"%d " % n * 100 for n in range(10)]
    customers, served, _ = run(1, requests)
    assert customers.answers == requests
    assert [connection.fast_opened for connection in served] == [False] + [True] * 9
    # Until both ends are closed: the handshake and the echo, or the echo alone, and the FIN's answer.
    first, *others = customers.times
    assert first >= 2 * ROUND_TRIP_S
    assert max(others) < first - 0.9 * ROUND_TRIP_S


@pytest.mark.parametrize("seed", range(10))
def test_on_a_bad_wire_every_request_is_answered_as_it_was_made(seed: int) -> None:
    random = Random(seed)
    requests = [random.randbytes(random.choice((1, 100, 1400, 1460, 5000, 40_000))) for _ in range(40)]
    customers, served, _ = run(seed, requests, loss=0.1, reorder=0.1, duplicate=0.1)
    assert customers.answers == requests
    assert len(served) >= 40  # a SYN that comes twice may be served twice: section 2.1
    assert customers.fast > 15
