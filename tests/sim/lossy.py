"""An echo over a wire that loses a share of all frames in each direction: its time, and the round
trips measured.

Run by itself it prints a table: `python -m tests.sim.lossy [seeds [loss rtt_s]]`.
"""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from random import Random
from statistics import mean, median

from stack.link.impair import Impaired, Impairment
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from tests.sim.network import Machine, Network
from tests.sim.programs import Echo, Exchange, Server

SIZE = 100_000
LOSSES = (0.1, 0.2, 0.3)
RTTS_S = (0.001, 0.04, 0.2)
LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Echoed:
    """One run: `seconds` until all was back, None when it ended otherwise or never; the largest SRTT of both ends."""

    seconds: float | None
    srtt_s: float


class LossyEcho:
    """A client sends SIZE octets and FIN to an echo server, while both ends' wires lose `loss` of what they send."""

    def __init__(self, seed: int, loss: float, rtt_s: float, size: int = SIZE) -> None:
        self.network = Network(seed)
        ethernet = Ethernet()
        self.here, self.there = (self._machine(number, ethernet, loss, rtt_s) for number in (1, 2))
        self.data = Random(f"{seed} echo").randbytes(size)
        self.server = Server(self.there, 7, self._serve)
        self.served: list[Connection] = []
        self.srtt_s = 0.0
        self.client = self._connect()

    def _machine(self, number: int, ethernet: Ethernet, loss: float, rtt_s: float) -> Machine:
        machine = self.network.machine(f"host{number}")
        wire = Impairment(loss=loss, delay_s=rtt_s / 2)
        link = Impaired(ethernet.attach(), outgoing=wire, seed=self.network.seed * 2 + number)
        machine.attach(link, f"10.0.0.{number}/24")
        return machine

    def _serve(self, machine: Machine, connection: Connection) -> Echo:
        self.served.append(connection)
        return Echo(machine, connection)

    def _connect(self) -> Exchange:
        return Exchange(self.here, self.here.connect("10.0.0.2", 7), self.data)

    def run(self) -> Echoed:
        """Until the client has everything back, or has an error."""
        begun = self.network.now
        try:
            self.network.run(self._over, for_s=LONGEST_S)
        except AssertionError:
            return Echoed(None, self.srtt_s)
        if self.client.error is not None or bytes(self.client.received) != self.data:
            return Echoed(None, self.srtt_s)
        return Echoed(self.network.now - begun, self.srtt_s)

    def _over(self) -> bool:
        for connection in (self.client.connection, *self.served):
            srtt_s = connection.rtt.srtt_s
            if srtt_s is not None and srtt_s > self.srtt_s:
                self.srtt_s = srtt_s
        if self.client.error == errno.EHOSTUNREACH and not self.served:
            self.client = self._connect()  # the wire took all three ARP requests: people try again
        return self.client.done or self.client.error is not None


def measured(loss: float, rtt_s: float, seeds: range) -> list[Echoed]:
    """A run for each seed."""
    return [LossyEcho(seed, loss, rtt_s).run() for seed in seeds]


def row(loss: float, rtt_s: float, runs: list[Echoed]) -> str:
    """What came of them: how many failed, the median, mean and longest time of the others, the largest SRTT."""
    times = [run.seconds for run in runs if run.seconds is not None] or [float("nan")]
    return (
        f"{loss:4.0%} {rtt_s * 1000:4.0f} ms: {len(runs) - len(times):2} of {len(runs)} failed;"
        f" median {median(times):6.1f} s, mean {mean(times):6.1f} s, longest {max(times):6.1f} s;"
        f" SRTT at most {max(run.srtt_s for run in runs):6.3f} s"
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    seeds = range(int(words[0]) if words else 60)
    cells = [(float(words[1]), float(words[2]))] if len(words) > 2 else [(a, b) for a in LOSSES for b in RTTS_S]
    for loss, rtt_s in cells:
        print(row(loss, rtt_s, measured(loss, rtt_s, seeds)), flush=True)
