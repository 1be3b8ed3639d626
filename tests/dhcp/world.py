"""A client and nothing else: each test says what arrives and what leaves, a message a line, in
virtual time.

`World.expects` takes the next message the client sent, `World.sends` gives it one, `World.told`
takes the next thing it said to its host, `World.after` lets time pass. Whatever is left over at the
end fails the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import pytest

from stack.config import DhcpConfig
from stack.counters import Counters
from stack.dhcp.client import Client
from stack.dhcp.lease import Lease
from stack.dhcp.states import Event, State
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, parse_ipv4
from stack.wire.dhcp import DhcpMessage, make_options
from tests.dhcp.server import Reply, Server

MAC = bytes.fromhex("020000000001")
OTHER_MAC = bytes.fromhex("020000000099")
ADDRESS = parse_ipv4("10.9.0.50")
SERVER = parse_ipv4("10.9.0.1")
SECOND = parse_ipv4("10.9.0.2")
MASK = parse_ipv4("255.255.255.0")

EXACT = DhcpConfig(retransmission_jitter_s=0.0, renew_fuzz=0.0)
"""Every time as it would be without chance."""


@dataclass(frozen=True)
class Sent:
    """A message the client sent: where from, where to, when."""

    message: DhcpMessage
    source: bytes
    destination: bytes
    at: float


def seconds(value: int) -> bytes:
    """The value of an option that is a time."""
    return value.to_bytes(4, "big")


class World:
    """The client, its host as far as it sees it, and the clock. Times are relative to the start of the test.

    Chance moves no time unless `config` says so; `chance` is the byte that
    then takes the place of all random ones. `probing`: what `ClientHost.probe` is
    answered at once; "later" leaves it to the test, which then calls `client.probed`.
    """

    def __init__(
        self,
        config: DhcpConfig | None = None,
        *,
        chance: int | None = None,
        mtu: int = 1500,
        probing: bytes | str | None = None,
        duid: bytes | None = None,
    ) -> None:
        self.now = 1000.0
        self.start = self.now
        self.sent: list[Sent] = []
        self.said: list[tuple[str, tuple[Any, ...]]] = []
        self.probes: list[bytes] = []
        self.trace: list[tuple[str, dict[str, object]]] = []
        self.probing = probing
        self.counters = Counters()
        self.seen: dict[tuple[State, Event, State], None] = {}  # transitions
        self._chance = chance
        self._drawn = 0
        self.config = EXACT if config is None else config
        self.client = Client(self.config, self.counters, MAC, mtu, self._random, self, duid=duid)
        self.client.trace = self._trace
        self.latest: DhcpMessage | None = None

    # --- what the client sees of its host

    def broadcast(self, message: bytes, source: bytes, now: float) -> None:
        assert now == self.now
        self._take(Sent(DhcpMessage.parse(message), source, BROADCAST, now - self.start))

    def unicast(self, message: bytes, source: bytes, server: bytes, now: float) -> None:
        assert now == self.now
        self._take(Sent(DhcpMessage.parse(message), source, server, now - self.start))

    def probe(self, address: bytes, now: float) -> None:
        self.probes.append(address)
        if not isinstance(self.probing, str):
            self.client.probed(address, self.probing, now)

    def cancel_probe(self, address: bytes, now: float) -> None:
        self.probes.remove(address)
        self.said.append(("cancel_probe", (address,)))

    def bound(self, lease: Lease, previous: Lease | None, now: float) -> None:
        self.said.append(("bound", (lease, previous)))

    def unbound(self, lease: Lease, reason: str, now: float) -> None:
        self.said.append(("unbound", (lease, reason)))

    def denied(self, lease: Lease, reason: str, now: float) -> None:
        self.said.append(("denied", (lease, reason)))

    def informed(self, lease: Lease, now: float) -> None:
        self.said.append(("informed", (lease,)))

    def silent(self, now: float) -> None:
        self.said.append(("silent", ()))

    def _take(self, sent: Sent) -> None:
        self.sent.append(sent)
        self.latest = sent.message

    def _random(self, count: int) -> bytes:
        self._drawn += 1
        if self._chance is not None:
            return bytes((self._chance,)) * count
        return hashlib.sha256(b"%d" % self._drawn).digest()[:count]

    def _trace(self, event: str, fields: dict[str, object]) -> None:
        self.trace.append((event, fields))
        if event == "state":
            names = str(fields["from"]), str(fields["event"]), str(fields["to"])
            self.seen[State[names[0]], Event[names[1]], State[names[2]]] = None

    # --- what a test says

    @property
    def elapsed(self) -> float:
        """Seconds since the test began."""
        return self.now - self.start

    def begin(self, remembered: Lease | None = None, *, requested: bytes | None = None) -> None:
        """Start the client."""
        self.client.start(self.now, remembered, requested=requested)

    def after(self, seconds_: float) -> None:
        """Let time pass, and the client do what is due meanwhile."""
        end = self.now + seconds_
        for _ in range(10000):
            if self.client.deadline > end:
                self.now = end
                return
            assert self.client.deadline != -inf
            self.now = max(self.now, self.client.deadline)
            self.client.on_deadline(self.now)
        raise AssertionError("the deadline spins")

    def due(self) -> None:
        """Let time pass until the client's deadline, and no longer."""
        assert self.client.deadline < inf
        self.after(max(self.client.deadline - self.now, 0))

    def expects(self, kind: int, *, to: bytes = BROADCAST, source: bytes = ANY, at: float | None = None) -> DhcpMessage:
        """The next message sent: of this type, to and from there, at that time; for more questions it is returned."""
        assert self.sent, f"message type {kind} was not sent"
        sent = self.sent.pop(0)
        assert sent.message.message_type == kind
        assert (sent.destination, sent.source) == (to, source)
        if at is not None:
            assert sent.at == pytest.approx(at)
        return sent.message

    def told(self, what: str) -> tuple[Any, ...]:
        """The next thing the host was told; its arguments without the time."""
        assert self.said, f"{what} was not said"
        name, arguments = self.said.pop(0)
        assert name == what
        return arguments

    def answer(self, kind: int, options: dict[int, bytes | None] | None = None, **fields: Any) -> DhcpMessage:
        """A good answer of SERVER to the latest message, but for `options` and `fields`."""
        assert self.latest is not None
        values: dict[int, bytes | None] = {dhcp.MESSAGE_TYPE: bytes((kind,)), dhcp.SERVER_IDENTIFIER: SERVER}
        if kind != dhcp.NAK:
            values |= {dhcp.SUBNET_MASK: MASK, dhcp.ROUTER: SERVER, dhcp.LEASE_TIME: seconds(3600)}
        values |= options or {}
        message = DhcpMessage(
            op=dhcp.BOOT_REPLY,
            xid=self.latest.xid,
            chaddr=MAC,
            yiaddr=ANY if kind == dhcp.NAK else ADDRESS,
            options=make_options([(code, value) for code, value in values.items() if value is not None]),
        )
        return replace(message, **fields)

    def sends(self, kind: int, options: dict[int, bytes | None] | None = None, **fields: Any) -> None:
        """Such an answer arrives."""
        self.arrives(self.answer(kind, options, **fields).build())

    def arrives(self, payload: bytes, destination: bytes = BROADCAST) -> None:
        """These bytes arrive, in a buffer that is used again afterwards."""
        buffer = bytearray(payload)
        self.client.receive(memoryview(buffer), (SERVER, 67), destination, self.now)
        buffer[:] = bytes(len(buffer))

    def refused(self, reason: str) -> None:
        """What arrived last was dropped for this reason, and nothing else was; the count starts anew."""
        assert self.counters.drops() == {reason: 1}
        self.counters[reason] = 0

    def become_requesting(self, options: dict[int, bytes | None] | None = None, **fields: Any) -> DhcpMessage:
        """From the start to REQUESTING, as `requests`; the request."""
        self.begin()
        return self.requests(options, **fields)

    def requests(self, options: dict[int, bytes | None] | None = None, **fields: Any) -> DhcpMessage:
        """From INIT to REQUESTING, by a good offer of SERVER but for `options` and `fields`; the request."""
        self.expects(dhcp.DISCOVER)
        self.sends(dhcp.OFFER, options, **fields)
        self.due()
        return self.expects(dhcp.REQUEST)

    def become_bound(self, options: dict[int, bytes | None] | None = None) -> Lease:
        """From the start to BOUND, with nothing left to be asserted about the way."""
        self.become_requesting(options)
        self.sends(dhcp.ACK, options)
        lease, previous = self.told("bound")
        assert previous is None
        assert isinstance(lease, Lease)
        self.probes.clear()
        return lease

    def serve(self, server: Server, seconds_: float, *others: Server) -> None:
        """Let scripted servers answer for so long; what is sent is no longer there to be expected."""
        end = self.now + seconds_
        waiting: list[tuple[float, int, Reply]] = []
        serial = 0
        while True:
            for sent in self.sent:
                for one in (server, *others):
                    if sent.destination in (BROADCAST, one.address):
                        for reply in one.receive(sent.message.build(), self.now):
                            serial += 1
                            waiting.append((self.now + reply.delay_s, serial, reply))
            self.sent.clear()
            waiting.sort(key=lambda entry: entry[:2])
            next_reply = waiting[0][0] if waiting else inf
            at = min(next_reply, self.client.deadline)
            if at > end:
                self.now = end
                return
            self.now = max(self.now, at)
            if next_reply <= self.now:
                reply = waiting.pop(0)[2]
                self.arrives(reply.payload, reply.destination)
            else:
                self.client.on_deadline(self.now)

    def finish(self) -> None:
        """Nothing is left over: no message, no word to the host, no drop, no deadline that is overdue."""
        assert self.sent == []
        assert self.said == []
        assert self.counters.drops() == {}
        assert self.client.deadline > self.now


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose leftovers fail the test."""
    made = World()
    yield made
    made.finish()
