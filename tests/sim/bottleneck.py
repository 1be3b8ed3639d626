"""Bulk flows through one bottleneck: a rate, a delay, a queue and losses, as in the networks TCP
was made for.

All flows go from one host to another; only their direction is impaired, with the whole round-trip
time on its way. What TCP can tell of a path (its round-trip time, its rate, its queue, its losses)
is the same as if both were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

from stack.config import Config
from stack.link.device import ETHERNET_HEADER
from stack.link.impair import Impaired, Impairment
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from tests.sim.network import Machine, Network

RATE_BPS = 100e6
MTU = 1500
FRAME = MTU + ETHERNET_HEADER  # bytes of a full frame, as the rate counts them
MSS = MTU - 40 - 12  # with timestamps in every segment
PORT = 5001
BUFFER = 1 << 24  # bytes: neither end's buffer is the limit
UNSENT = 1 << 17  # bytes: the sender keeps so much ready
CHUNK = bytes(1 << 16)


@dataclass(frozen=True)
class Cell:
    """One network of the grid: a probability, seconds, and a queue in multiples of rate times round-trip time."""

    loss: float
    rtt_s: float
    queue_bdp: float
    rate_bps: float = RATE_BPS

    def __str__(self) -> str:
        return f"{self.loss:.1%} loss, {self.rtt_s * 1000:g} ms, queue {self.queue_bdp:g} BDP"

    @property
    def impairment(self) -> Impairment:
        """The direction that carries data."""
        return Impairment(
            loss=self.loss,
            delay_s=self.rtt_s,
            rate_bps=self.rate_bps,
            queue_limit_bytes=round(self.queue_bdp * self.rate_bps / 8 * self.rtt_s),
        )

    @property
    def floor(self) -> float:
        """Octets of data a second that must get through.

        Without loss 95 % of what the rate has room for. With it, 0.8 of what the steady state of RFC 5681 with delayed
        acknowledgments gives: a window of sqrt(3 / (2 b p)) segments, b = 2 (Padhye et al. 1998, section II).
        """
        clean = 0.95 * self.rate_bps / 8 * MSS / FRAME
        if not self.loss:
            return clean
        return min(clean, 0.8 * sqrt(3 / (4 * self.loss)) * MSS / self.rtt_s)


class Flow:
    """One connection that is always given more to send, and whose other end is read as fast as data comes."""

    def __init__(self, sender: Machine, receiver: Machine, connect: Callable[[], Connection]) -> None:
        self.received = 0  # octets
        self.arrivals: list[float] = []  # when data came, in seconds
        self._sender = sender
        self._receiver = receiver
        self.connection = connect()
        self.connection.on_writable = lambda: sender.network.soon(self._send)

    def accepted(self, connection: Connection) -> None:
        """The other end."""
        self._far = connection
        connection.on_readable = lambda: self._receiver.network.soon(self._receive)
        self._receive()

    def _send(self) -> None:
        connection, now = self.connection, self._sender.network.now
        while connection.unsent < UNSENT and connection.send(CHUNK, now):
            pass
        self._sender.settle()

    def _receive(self) -> None:
        now = self._receiver.network.now
        data = self._far.receive(BUFFER, now)
        assert data != b"", "the connection has ended"
        if data:
            self.received += len(data)
            self.arrivals.append(now)
        self._receiver.settle()


class Bottleneck:
    """Flows through a `Cell`, all from one host to the other.

    `jitter_s` is how much earlier or later an acknowledgment may come than it should. Without it the same flow finds
    the queue full every time (Floyd and Jacobson 1991, "On Traffic Phase Effects in Packet-Switched Gateways"): no two
    real machines keep time so well.
    """

    def __init__(self, cell: Cell, seed: int, config: Config | None = None, *, jitter_s: float = 0.0) -> None:
        config = config or Config()
        tcp = replace(
            config.tcp,
            send_buffer_bytes=BUFFER,
            receive_buffer_bytes=BUFFER,
            max_receive_buffer_bytes=BUFFER,
            notsent_lowat_bytes=UNSENT,
        )
        config = replace(config, tcp=tcp)
        self.network = Network(seed)
        self.sender, self.receiver = (self.network.machine(name, config) for name in ("sender", "receiver"))
        ethernet = Ethernet()
        way_back = Impairment(delay_s=jitter_s, jitter_s=jitter_s)
        self.wire = Impaired(ethernet.attach(mtu=MTU), outgoing=cell.impairment, incoming=way_back, seed=seed)
        self.sender.attach(self.wire, "10.0.0.1/24")
        self.receiver.attach(ethernet.attach(mtu=MTU), "10.0.0.2/24")
        self.flows: list[Flow] = []
        self._listener = self.receiver.listen(PORT)
        self._listener.on_readable = lambda: self.network.soon(self._accept)

    def start(self) -> None:
        """One more flow begins."""
        self.flows.append(Flow(self.sender, self.receiver, lambda: self.sender.connect("10.0.0.2", PORT)))

    def _accept(self) -> None:
        while (connection := self._listener.accept()) is not None:
            for flow in self.flows:
                if flow.connection.local == connection.remote:
                    flow.accepted(connection)

    def goodput(self, warm_up_s: float, for_s: float) -> list[float]:
        """Octets of data a second that each flow carries, once `warm_up_s` are over."""
        self.network.run(for_s=warm_up_s)
        before = [flow.received for flow in self.flows]
        self.network.run(for_s=for_s)
        return [(flow.received - start) / for_s for flow, start in zip(self.flows, before, strict=True)]


def goodput(cell: Cell, seed: int, *, warm_up_s: float, for_s: float, config: Config | None = None) -> float:
    """Octets of data a second that one flow carries through a cell."""
    world = Bottleneck(cell, seed, config)
    world.start()
    [rate] = world.goodput(warm_up_s, for_s)
    return rate


def jain(rates: list[float]) -> float:
    """Jain's index of fairness: 1 when all have the same, 1/n when one has everything."""
    return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates))
