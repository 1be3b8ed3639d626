"""Forged ARP packets against connections that are in use, and failovers, which look the same and
must be followed.

A claim that the known station refutes changes nothing. An entry that is wrong nevertheless heals by
RFC 9293 MUST-20's advice to IP from R1 on. ARP has no checksum, so that a flipped bit is as good as
a forger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import pytest

from stack.config import Config, TcpConfig
from stack.internet.echo import EchoReply, EchoResult
from stack.link.device import Link
from stack.link.impair import Impaired, Impairment, Predicate
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.trace.event import Event
from stack.wire.addresses import Prefix, parse_ipv4
from stack.wire.arp import REPLY, ArpPacket
from stack.wire.numbers import ETHERTYPE_ARP
from tests.requirements import rfc
from tests.sim.network import Machine, Network
from tests.sim.programs import Echo, Exchange, Requester, Server
from tests.sim.raw_station import RawStation

HERE, THERE = "10.0.0.1", "10.0.0.2"
HEALS_WITHIN_S = 5.0
R1 = TcpConfig().r1_retransmissions


@dataclass
class Watch:
    """Counts a host's retransmission timeouts, and notes when its connections came to R1."""

    r1_at: list[float] = field(default_factory=list)
    timeouts: int = 0

    def __call__(self, event: Event) -> None:
        if event.data.get("because") == "timer_retransmission":
            self.timeouts += 1
            if event.data["count"] == R1:
                self.r1_at.append(event.time)


class World:
    """Two hosts 20 ms apart, and a station that lies. `tamper` sees what the second host sends, and may take it."""

    def __init__(self, tamper: Predicate | None = None, buffer_bytes: int = 1 << 16) -> None:
        self.network = Network(5)
        # So much waits for the wire at the most: an eighth of a second's worth, unless a test wants more.
        self.config = Config(tcp=TcpConfig(receive_buffer_bytes=buffer_bytes, auto_tuning=False))
        self.ethernet = Ethernet()
        self.watches = Watch(), Watch()
        self.here, self.there = self._machine(1, None), self._machine(2, tamper)
        self.macs = [machine.host.interfaces()[0].mac for machine in (self.here, self.there)]
        self.forger = RawStation(self.network, self.ethernet)

    def _machine(self, number: int, tamper: Predicate | None) -> Machine:
        machine = self.network.machine(f"host{number}", self.config, trace=self.watches[number - 1])
        # A rate keeps the transfer going for some seconds.
        link: Link = Impaired(self.ethernet.attach(), outgoing=Impairment(delay_s=0.02, rate_bps=4e6, drop=tamper))
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
        """An unsolicited reply: `about` is at the forger's station."""
        target = victim.host.interfaces()[0]
        mac = bytes.fromhex((target.mac or "").replace(":", ""))
        self.forger.says_arp(REPLY, parse_ipv4(about), parse_ipv4(target.addresses[0].split("/")[0]), mac)

    def mac_of(self, machine: Machine, address: str) -> str | None:
        return next((record.mac for record in machine.host.neighbors() if record.address == address), None)

    def healthy(self) -> bool:
        return self.mac_of(self.here, THERE) == self.macs[1] and self.mac_of(self.there, HERE) == self.macs[0]


def is_reply(frame: bytes) -> bool:
    return frame[12:14] == ETHERTYPE_ARP.to_bytes(2, "big") and ArpPacket.parse(frame[14:]).operation == REPLY


def add(found: list[bytes], frame: bytes) -> bool:
    found.append(frame)
    return True


def check_heals(world: World, client: Exchange, served: list[Exchange], up: int, down: int) -> None:
    """The wrong entries are right again soon after a connection came to R1, and the transfer ends well."""
    poisoned_at = world.network.now
    assert not world.healthy()
    world.network.run(world.healthy, for_s=30.0)
    r1_at = min(world.watches[0].r1_at + world.watches[1].r1_at)
    assert poisoned_at < r1_at <= world.network.now < r1_at + HEALS_WITHIN_S
    world.network.run(lambda: client.done and served[0].done, for_s=60.0)
    assert (len(served[0].received), len(client.received)) == (up, down)


@rfc("arp-1")
@pytest.mark.parametrize(("up", "down"), [(2_000_000, 0), (0, 2_000_000), (1_000_000, 1_000_000)])
@pytest.mark.parametrize("victims", ["sender", "receiver", "both"])
def test_a_forged_reply_in_the_midst_of_a_transfer(up: int, down: int, victims: str) -> None:
    """The known stations refute it: not even a retransmission timeout comes of it."""
    world = World()
    client, served = world.transfer(up, down)
    world.network.run(for_s=1.0)
    assert world.healthy()
    assert not client.done
    sender, receiver = (world.here, world.there) if up else (world.there, world.here)
    forged = {"sender": (sender,), "receiver": (receiver,), "both": (sender, receiver)}[victims]
    for machine in forged:
        world.forge(machine, THERE if machine is world.here else HERE)
    while not (client.done and served[0].done):
        world.network.step()
        assert world.healthy()
    assert (len(served[0].received), len(client.received)) == (up, down)
    assert world.watches[0].timeouts == world.watches[1].timeouts == 0
    assert sum(machine.host.counters["arp_claim"] for machine in (world.here, world.there)) == len(forged)
    assert world.forger.frames == []


@rfc("arp-1")
def test_an_answer_that_is_late_for_a_full_queue() -> None:
    """The question waits for a second behind the transfer; acknowledgments say meanwhile that the station is there."""
    world = World(buffer_bytes=1 << 19)
    client, served = world.transfer(4_000_000, 0)
    world.network.run(for_s=3.0)
    world.forge(world.here, THERE)
    while not (client.done and served[0].done):
        world.network.step()
        assert world.healthy()
    assert world.here.host.counters["arp_claim"] == 1


@rfc("arp-1", "arp-4")
@pytest.mark.parametrize(("up", "down"), [(2_000_000, 0), (0, 2_000_000)])
def test_a_forged_reply_and_a_lost_answer_to_the_question(up: int, down: int) -> None:
    """A sender is still told by acknowledgments that the known station is there, and asks again.

    A receiver believes the forger. Its entry heals soon after R1: by then no acknowledgment speaks for the forger.
    """
    lost: list[bytes] = []

    def lose(frame: bytes, number: int) -> bool:
        if is_reply(frame) and world.network.now > 1000.5 and not lost:
            lost.append(frame)
            return True
        return False

    world = World(lose)
    client, served = world.transfer(up, down)
    world.network.run(for_s=1.0)
    assert not client.done
    world.forge(world.here, THERE)
    if up:
        while not (client.done and served[0].done):
            world.network.step()
            assert world.healthy()
    else:
        world.network.run(lambda: not world.healthy(), for_s=1.0)
        check_heals(world, client, served, up, down)
    assert lost


@rfc("arp-4")
def test_a_forger_that_answers_every_request_first_and_delivers_nothing() -> None:
    """It is nearer, so that its answers come first; it gets the entry, and loses it at R1 of the SYN for good."""
    world = World()
    world.forger.owns = lambda address: address == parse_ipv4(THERE)
    client, served = world.transfer(500_000, 500_000)
    world.network.run(for_s=1.0)
    assert world.mac_of(world.here, THERE) == world.forger.mac.hex(":")
    for _ in range(200):
        world.forge(world.here, THERE)
        world.network.run(for_s=0.1)
    assert client.done
    assert (len(served[0].received), len(client.received)) == (500_000, 500_000)


@rfc("arp-1", "arp-3")
@pytest.mark.parametrize("forgeries", [10, 10_000])
@pytest.mark.parametrize("answers", [False, True], ids=["silent", "answers too"])
def test_forged_replies_for_ten_seconds_do_not_silence_an_old_connection(forgeries: int, answers: bool) -> None:
    """Ten silenced it for 102 s when each was believed, long after the attack was over."""
    world = World()
    Server(world.there, 7, Echo)
    client = Requester(world.here, world.here.connect(THERE, 7), interval_s=0.05, times=1_000_000)
    world.network.run(lambda: client.answered == 20, for_s=10.0)
    if answers:
        world.forger.owns = lambda address: address in (parse_ipv4(HERE), parse_ipv4(THERE))
    begun = world.network.now
    for number in range(forgeries):
        for machine, about in ((world.here, THERE), (world.there, HERE)):
            world.network.at(begun + 10.0 * number / forgeries, partial(world.forge, machine, about))
    answered, answered_at, longest_s = client.answered, begun, 0.0
    while world.network.now < begun + 120.0:
        world.network.step()
        longest_s = max(longest_s, world.network.now - answered_at)
        if client.answered > answered:
            answered, answered_at = client.answered, world.network.now
    assert longest_s < 0.2
    asked = [machine.host.counters["arpOutRequests"] for machine in (world.here, world.there)]
    assert max(asked) <= 1 + 11 + 120 / 60


@rfc("arp-2")
@pytest.mark.parametrize("quiet_s", [0.5, 2.0, 59.5, 61.0], ids="{}s after the entry was confirmed".format)
def test_a_silent_failover_heals_within_a_second(quiet_s: float) -> None:
    """The station that had the address is dead; another takes it and announces it once or twice, as VRRP does."""
    network = Network(6)
    ethernet = Ethernet()
    client, first, second = (network.machine(name) for name in ("client", "first", "second"))
    client.attach(ethernet.attach(), "10.0.0.1/24")
    gone = first.attach(ethernet.attach(), "10.0.0.2/24")
    spare = second.attach(ethernet.attach())
    assert client.ping(THERE) == []
    network.run(for_s=quiet_s)
    first.detach(gone)
    network.run(for_s=1.0)  # how long it takes at the least to find that out
    second.host.add_address(spare, Prefix.parse("10.0.0.2/24"), network.now, acd="probed")
    second.settle()
    claimed_at = network.now
    results: list[list[EchoResult]] = []
    while not any(isinstance(result, EchoReply) for made in results for result in made):
        results.append(client.ping(THERE))
        network.run(for_s=0.01)
        assert network.now <= claimed_at + 1.0


@pytest.mark.parametrize("bit", range(48))
def test_a_flipped_bit_in_the_answer_to_the_first_request(bit: int) -> None:
    """Any bit of the station address: what is believed heals, and what cannot be a station is not believed."""
    flipped: list[bytes] = []

    def flip(frame: bytes, number: int) -> bool:
        if flipped or not is_reply(frame):
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
