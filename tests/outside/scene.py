"""Two hosts, the bad wires between them, and three places at which their frames are captured.

    here | wire of `here` | the midst | wire of `there` | there

A capture at an end sees what its host sends before the wire can spoil it, and what comes to the
host after that. The one in the midst sees what is left of each host's frames when they have passed
its own wire. At each end the states that the host itself tells are kept beside the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stack.config import Config
from stack.link.device import Link
from stack.link.impair import Impaired, Impairment
from stack.link.memory import Ethernet, EthernetPort
from stack.link.wrapper import LinkWrapper
from stack.tcp.connection import Connection
from stack.tcp.states import Event as Cause
from stack.tcp.states import State
from stack.trace.event import Event
from stack.wire.addresses import parse_ipv4
from stack.wire.checksum import Buffer
from tests.sim.network import Machine, Network
from tests.user_options import user_options

HERE, THERE = "10.0.0.1", "10.0.0.2"
PORT = 7
POINTS = ("here", "midst", "there")
CLEAN = Impairment()


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as a capture has it. `direction` is "in" or "out" at an end, and "" in the midst."""

    time_ns: int
    octets: bytes
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A state that a host tells, of its connection `c1`, `c2`, ... between the two endpoints (as text)."""

    connection: str
    ends: tuple[str, str]
    before: State
    cause: Cause
    after: State


@dataclass(frozen=True, slots=True)
class Restart:
    """The host at this point has lost everything, and begins anew."""


@dataclass(slots=True)
class Log:
    """What was seen at one point, in the order in which it happened: frames, and the host's own states."""

    entries: list[Frame | Change | Restart] = field(default_factory=list)

    @property
    def frames(self) -> list[Frame]:
        return [entry for entry in self.entries if isinstance(entry, Frame)]


class Tap(LinkWrapper):
    """Keeps each frame that passes between a host and its wire, as a capture on the host would."""

    def __init__(self, link: Link, log: Log) -> None:
        super().__init__(link)
        self._log = log

    def _copy_attributes(self) -> None:
        super()._copy_attributes()
        self.offload = self._link.offload
        self.rx_gso_size = self._link.rx_gso_size
        self.may_offload = self._link.may_offload

    def open(self, wake: Callable[[], None]) -> None:
        self._link.open(wake)
        self._copy_attributes()
        self.deadline = self._link.deadline

    def read(self, now: float) -> memoryview | None:
        frame = self._link.read(now)
        if frame is not None:
            self._log.entries.append(Frame(round(now * 1e9), bytes(frame), "in"))
        self.deadline = self._link.deadline
        return frame

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        self._log.entries.append(Frame(round(now * 1e9), b"".join(parts), "out"))
        taken = self._link.write(parts, now, offload)
        self.deadline = self._link.deadline
        return taken

    def poll(self, now: float) -> None:
        self._link.poll(now)
        self.deadline = self._link.deadline

    def close(self) -> None:
        self._link.close()


class TappedEthernet(Ethernet):
    """An Ethernet whose frames are kept: the point in the midst."""

    def __init__(self, network: Network, log: Log) -> None:
        super().__init__()
        self._network = network
        self._log = log

    def carry(self, frame: bytes, source: EthernetPort) -> None:
        self._log.entries.append(Frame(round(self._network.now * 1e9), frame))
        super().carry(frame, source)


class Scene:
    """Two machines, `here` and `there`, whose wires do `ours` and `theirs` to what each of them sends.

    What comes to a machine passes its wire unspoiled, unless `to_us` or `to_them` says otherwise.
    `isn` is the first sequence number of each connection that either machine opens; None leaves it to RFC 6528.
    """

    def __init__(
        self,
        seed: int,
        *,
        ours: Impairment = CLEAN,
        theirs: Impairment = CLEAN,
        to_us: Impairment = CLEAN,
        to_them: Impairment = CLEAN,
        config: Config | None = None,
        configs: tuple[Config | None, Config | None] | None = None,
        mtu: int = 1500,
        isn: int | None = None,
    ) -> None:
        self.network = Network(seed)
        self.logs = {point: Log() for point in POINTS}
        self.ethernet = TappedEthernet(self.network, self.logs["midst"])
        self.wires: dict[str, Impaired] = {}
        self._mtu = mtu
        self._isn = isn
        first, second = configs or (config, config)
        self.here = self.machine("here", HERE, first, ours, to_us)
        self.there = self.machine("there", THERE, second, theirs, to_them)

    def machine(
        self,
        point: str,
        address: str,
        config: Config | None,
        out: Impairment,
        into: Impairment,
        mac: bytes | None = None,
    ) -> Machine:
        """A machine at one of the two ends."""
        log = self.logs[point]
        machine = self.network.machine(point, config, trace=_Watcher(log))
        seed = self.network.seed * 2 + POINTS.index(point)
        wire = Impaired(self.ethernet.attach(mac=mac, mtu=self._mtu), outgoing=out, incoming=into, seed=seed)
        self.wires[point] = wire
        machine.attach(Tap(wire, log), f"{address}/24")
        if self._isn is not None:
            isn = self._isn
            machine.host.tcp.services.choose_iss = lambda key, now: isn
        return machine

    def connect(self, port: int = PORT, *, local_port: int = 0, **options: Any) -> Connection:
        """`here` opens a connection to `there`."""
        return opened(self.here, THERE, port, local_port, **options)

    def run(self, until: Callable[[], bool] | None = None, *, for_s: float = 600.0) -> Scene:
        """Let things happen until `until()` is true, or for so long."""
        self.network.run(until, for_s=for_s)
        return self


def opened(machine: Machine, address: str, port: int, local_port: int = 0, **options: Any) -> Connection:
    """Active OPEN from a port of our choice; 0 is any port."""
    asked = user_options(machine.host.tcp.services, **options)
    own = parse_ipv4(HERE if address == THERE else THERE)
    local = (own, local_port) if local_port else None
    connection = machine.host.connect(local, (parse_ipv4(address), port), machine.network.now, asked)
    machine.settle()
    return connection


class _Watcher:
    """An observer that keeps the states a host tells."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._ends: dict[str, tuple[str, str]] = {}

    def __call__(self, event: Event) -> None:
        data = event.data
        if event.name == "tcp:open":
            self._ends[event.group] = str(data["local"]), str(data["remote"])
        elif event.name == "tcp:state":
            before, cause, after = State[str(data["before"])], Cause[str(data["event"])], State[str(data["after"])]
            self._log.entries.append(Change(event.group, self._ends[event.group], before, cause, after))
