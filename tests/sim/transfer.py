"""One transfer in both directions between two hosts, over an impaired wire, with a capture on
request.
"""

from __future__ import annotations

import errno
import hashlib
import sys
from pathlib import Path
from random import Random

from stack.link.capture import Capture
from stack.link.device import Link
from stack.link.impair import Impaired, Impairment
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from tests.sim.network import Machine, Network
from tests.sim.programs import Exchange, Server

BAD_WIRE = Impairment(loss=0.1, reorder=0.1, duplicate=0.05, corrupt=0.01, delay_s=0.002)


class Transfer:
    """Both hosts send `size` octets at once over one connection; the wire spoils the frames of both.

    `captures` is a folder in which each host keeps a capture file of its own.
    """

    def __init__(self, seed: int, size: int, *, wire: Impairment = BAD_WIRE, captures: Path | None = None) -> None:
        self.network = Network(seed)
        self.wires: list[Impaired] = []
        self._captures = captures
        self._wire = wire
        ethernet = Ethernet()
        self.here, self.there = self._machine(1, ethernet), self._machine(2, ethernet)
        # Text seeds a generator in the same way whatever PYTHONHASHSEED is.
        self.up = Random(f"{seed} up").randbytes(size)
        self.down = Random(f"{seed} down").randbytes(size)
        self.served: list[Exchange] = []
        self.server = Server(self.there, 7, self._serve)
        self.client = self._connect()

    def _machine(self, number: int, ethernet: Ethernet) -> Machine:
        machine = self.network.machine(f"host{number}")
        # Each of the two spoils what its host sends, so that every frame passes one bad wire.
        wire = Impaired(ethernet.attach(), outgoing=self._wire, seed=self.network.seed * 2 + number)
        self.wires.append(wire)
        link: Link = wire
        if self._captures is not None:
            link = Capture(wire, self._captures / f"host{number}.pcapng")
        machine.attach(link, f"10.0.0.{number}/24")
        return machine

    def _serve(self, machine: Machine, connection: Connection) -> Exchange:
        self.served.append(Exchange(machine, connection, self.down))
        return self.served[-1]

    def _connect(self) -> Exchange:
        return Exchange(self.here, self.here.connect("10.0.0.2", 7), self.up)

    def run(self) -> None:
        """Until both have sent and received everything, then until both hosts have forgotten the connection."""
        self.network.run(self._done, for_s=3600)
        self.network.run(for_s=300)

    def _done(self) -> bool:
        if self.client.error == errno.EHOSTUNREACH and not self.served:
            self.client = self._connect()  # the wire took all three ARP requests: people try again
        assert self.client.error is None, errno.errorcode[self.client.error]
        return self.client.done and all(program.done for program in self.served)


def fingerprint(seed: int, size: int, captures: Path) -> str:
    """Everything that happened, in a few characters: every byte of both captures, and every frame with its time."""
    transfer = Transfer(seed, size, captures=captures)
    transfer.run()
    for machine in transfer.network.machines:
        machine.close()
    files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(captures.glob("*.pcapng"))]
    return " ".join((*files, transfer.network.digest))


if __name__ == "__main__":
    print(fingerprint(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
