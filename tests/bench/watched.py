"""What an observer costs: microseconds for each frame of a host, in or out.

usage: python -m tests.bench.watched [ROUNDS]

A host receives octets, sends them, and echoes small messages: first unobserved, without fast paths,
then with an observer that does nothing, then with a Recorder, in turn. The least of the rounds is
printed, in processor time, and the events for each frame.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import process_time

from stack.config import Config, HostConfig
from stack.tcp.connection import Connection
from stack.trace.event import Observer
from stack.trace.recorder import Recorder
from tests.sim.network import Machine, pair
from tests.sim.programs import Exchange, Program, Requester, Server

OCTETS = 3_000_000
SENDER = bytes(OCTETS)


class Source(Exchange):
    """Sends many octets, and closes."""

    def __init__(self, machine: Machine, connection: Connection) -> None:
        super().__init__(machine, connection, SENDER)


def receive(here: Machine, there: Machine) -> Program:
    Server(there, 7, Source)
    return Exchange(here, here.connect("10.0.0.2", 7))


def send(here: Machine, there: Machine) -> Program:
    Server(there, 7, Exchange)
    return Exchange(here, here.connect("10.0.0.2", 7), SENDER)


def echo(here: Machine, there: Machine) -> Program:
    Server(there, 7)
    return Requester(here, here.connect("10.0.0.2", 7), interval_s=0.001, times=1500)


def run(program: Callable[[Machine, Machine], Program], observer: Observer | None, fast: bool) -> tuple[float, int]:
    """Microseconds a frame, and frames, of one run; the host `here` may be observed."""
    network, here, there = pair(3, configs=(Config(host=HostConfig(fast_paths=fast)), None))
    network.recording = False
    if observer is not None:
        here.host.watch(observer)
    began = process_time()
    running = program(here, there)
    network.run(lambda: running.closed)
    took_s = process_time() - began
    counters = here.host.counters
    frames = sum(counters[f"if{way}UcastPkts"] + counters[f"if{way}NUcastPkts"] for way in ("In", "Out"))
    return took_s / frames * 1e6, frames


def nothing(event: object) -> None:
    """An observer that does nothing."""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("us a frame: fast paths, without them, an observer that does nothing, a Recorder; events a frame")
    for program in (receive, send, echo):
        figures: list[list[float]] = [[], [], [], []]
        for _ in range(rounds):
            recorder = Recorder()
            for column, (observer, fast) in enumerate(((None, True), (None, False), (nothing, True), (recorder, True))):
                took, frames = run(program, observer, fast)
                figures[column].append(took)
        events = (len(recorder) + recorder.lost) / frames
        print(f"{program.__name__:8}", *(f"{min(column):7.2f}" for column in figures), f"{events:6.2f}", frames)


if __name__ == "__main__":
    main()
