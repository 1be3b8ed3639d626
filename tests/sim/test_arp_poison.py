"""A wrong station address in the ARP cache heals while a transfer runs: RFC 9293 MUST-20's advice to IP at R1.

ARP has no checksum, so that a flipped bit is as good as a forger.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from stack.config import TcpConfig
from stack.link.device import Link
from stack.link.impair import Impaired, Impairment, Predicate
from stack.link.segment import Segment
from stack.tcp.connection import Connection
from stack.wire.addresses import parse_ipv4
from stack.wire.arp import REPLY, ArpPacket
from stack.wire.numbers import ETHERTYPE_ARP
from tests.sim.network import Machine, Network
from tests.sim.programs import Exchange, Server
from tests.sim.stranger import Stranger

HERE, THERE = "10.0.0.1", "10.0.0.2"
HEALS_WITHIN_S = 5.0
R1 = TcpConfig().r1_retransmissions


@dataclass
class Watch:
    """Notes when a host's connections came to R1. Sees every event, as a learner would."""

    r1_at: list[float] = field(default_factory=list)

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None: ...

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        if name == "retransmission timeout" and details["count"] == R1:
            self.r1_at.append(now)


class World:
    """Two hosts 20 ms apart, and a stranger who lies. `tamper` sees what the second host sends, and may take it."""

    def __init__(self, tamper: Predicate | None = None) -> None:
        self.network = Network(5)
        self.segment = Segment()
        self.watches = Watch(), Watch()
        self.here, self.there = self._machine(1, None), self._machine(2, tamper)
        self.macs = [machine.host.interfaces()[0].mac for machine in (self.here, self.there)]
        self.forger = Stranger(self.network, self.segment)

    def _machine(self, number: int, tamper: Predicate | None) -> Machine:
        machine = self.network.machine(f"host{number}", trace=self.watches[number - 1])
        # A rate keeps the transfer going for some seconds.
        link: Link = Impaired(self.segment.attach(), outgoing=Impairment(delay_s=0.02, rate_bps=4e6, drop=tamper))
        machine.attach(link, f"10.0.0.{number}/24")
        return machine

    def transfer(self, up: int, down: int) -> tuple[Exchange, list[Exchange]]:
        served: list[Exchange] = []

        def serve(machine: Machine, connection: Connection) -> Exchange:
            served.append(Exchange(machine, connection, bytes(down)))
            return served[-1]

        Server(self.there, 7, serve)
        return Exchange(self.here, self.here.connect(THERE, 7), bytes(up)), served

    def forge(self, victim: Machine, about: str) -> None:
        """A reply nobody asked for: `about` is at the forger's station."""
        target = victim.host.interfaces()[0]
        mac = bytes.fromhex((target.mac or "").replace(":", ""))
        self.forger.says_arp(REPLY, parse_ipv4(about), parse_ipv4(target.addresses[0].split("/")[0]), mac)

    def mac_of(self, machine: Machine, address: str) -> str | None:
        return next((record.mac for record in machine.host.neighbors() if record.address == address), None)

    def healthy(self) -> bool:
        return self.mac_of(self.here, THERE) == self.macs[1] and self.mac_of(self.there, HERE) == self.macs[0]


def check_heals(world: World, client: Exchange, served: list[Exchange], up: int, down: int) -> None:
    """The wrong entries are right again soon after somebody came to R1, and the transfer ends well."""
    poisoned_at = world.network.now
    assert not world.healthy()
    world.network.run(world.healthy, for_s=30.0)
    r1_at = min(world.watches[0].r1_at + world.watches[1].r1_at)
    assert poisoned_at < r1_at <= world.network.now < r1_at + HEALS_WITHIN_S
    world.network.run(lambda: client.done and served[0].done, for_s=60.0)
    assert (len(served[0].received), len(client.received)) == (up, down)


@pytest.mark.parametrize(("up", "down"), [(2_000_000, 0), (0, 2_000_000), (1_000_000, 1_000_000)])
@pytest.mark.parametrize("victims", ["sender", "receiver", "both"])
def test_a_forged_reply_in_the_midst_of_a_transfer(up: int, down: int, victims: str) -> None:
    world = World()
    client, served = world.transfer(up, down)
    world.network.run(for_s=1.0)
    assert world.healthy()
    assert not client.done
    sender, receiver = (world.here, world.there) if up else (world.there, world.here)
    for machine in {"sender": (sender,), "receiver": (receiver,), "both": (sender, receiver)}[victims]:
        world.forge(machine, THERE if machine is world.here else HERE)
    world.network.run(for_s=0.001)
    check_heals(world, client, served, up, down)


@pytest.mark.parametrize("bit", range(48))
def test_a_flipped_bit_in_the_answer_to_the_first_request(bit: int) -> None:
    """Any bit of the station address: what is believed heals, and what cannot be a station is not believed."""
    flipped: list[bytes] = []

    def flip(frame: bytes, number: int) -> bool:
        if (
            flipped
            or frame[12:14] != ETHERTYPE_ARP.to_bytes(2, "big")
            or ArpPacket.parse(frame[14:]).operation != REPLY
        ):
            return False
        broken = bytearray(frame)
        broken[22 + bit // 8] ^= 0x80 >> bit % 8  # ar$sha, behind the Ethernet header and eight octets of ARP
        flipped.append(bytes(broken))
        world.network.soon(lambda: world.forger.says(flipped[0]))
        return True

    world = World(flip)
    client, served = world.transfer(50_000, 50_000)
    world.network.run(for_s=0.1)
    believed = world.mac_of(world.here, THERE)
    if bit == 7:  # a group's address
        assert believed is None
        world.network.run(lambda: client.done and served[0].done, for_s=5.0)
    else:
        assert believed == flipped[0][22:28].hex(":") != world.macs[1]
        check_heals(world, client, served, 50_000, 50_000)
