"""Address conflict detection, without a host: RFC 5227 packet by packet."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from random import Random

from stack.config import AcdConfig
from stack.counters import Counters
from stack.internet.conflict import Conflicts
from stack.wire.addresses import ANY, MAC_BROADCAST, MAC_ZERO, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from tests.requirements import rfc

MAC = bytes.fromhex("02000000aa02")
OTHER = bytes.fromhex("02000000cc03")
THIRD = bytes.fromhex("02000000dd04")
X = parse_ipv4("10.9.0.2")
Y = parse_ipv4("10.9.0.3")
START = 1000.0

PROBE = ArpPacket(REQUEST, MAC, ANY, MAC_ZERO, X)
ANNOUNCEMENT = ArpPacket(REQUEST, MAC, X, MAC_ZERO, X)


class World:
    """The machine, what it sent and when, and what it said."""

    def __init__(self, seed: int = 1) -> None:
        self.now = START
        self.sent: list[tuple[float, bytes, ArpPacket]] = []
        self.verdicts: list[tuple[bytes, bytes | None, float]] = []
        self.lost: list[tuple[bytes, float]] = []
        self.counters = Counters()
        self.machine = Conflicts(AcdConfig(), self.counters, MAC, Random(seed).randbytes, self._transmit)

    def _transmit(self, packet: ArpPacket, target: bytes, now: float) -> None:
        self.sent.append((now, target, packet))

    def probe(self, address: bytes = X, *, in_use: bool = False) -> None:
        self.machine.probe(address, self.now, lambda mac, now: self.verdicts.append((address, mac, now)), in_use=in_use)

    def watch(self, address: bytes = X, *, yields: bool = True) -> None:
        self.machine.watch(address, lambda mac, now: self.lost.append((mac, now)), yields=yields)

    def hears(self, sender_ip: bytes, target_ip: bytes, *, mac: bytes = OTHER, operation: int = REQUEST) -> None:
        self.machine.receive(ArpPacket(operation, mac, sender_ip, MAC_ZERO, target_ip), self.now)

    def at(self, later_s: float) -> None:
        end = self.now + later_s
        while self.machine.deadline <= end:
            self.now = max(self.now, self.machine.deadline)
            self.machine.on_deadline(self.now)
        self.now = end

    def taken(self) -> list[tuple[float, bytes, ArpPacket]]:
        sent, self.sent = self.sent, []
        return sent


def conflicts(world: World, count: int) -> None:
    """So many probings fail."""
    for _ in range(count):
        world.probe()
        world.hears(X, Y)
    world.verdicts.clear()


# --- probing


@rfc("5227-1.1-a", "5227-1.1-b", "5227-1.1-d")
def test_a_probe_asks_for_the_address_without_claiming_it() -> None:
    world = World()
    world.probe()
    world.at(1.0)
    [(_, target, packet)] = world.taken()
    assert target == MAC_BROADCAST
    assert (packet.operation, packet.sender_mac, packet.sender_ip, packet.target_ip) == (REQUEST, MAC, ANY, X)


@rfc("5227-1.1-c", "5227-2.1.1-a", "3927-2.2.1-a")
def test_a_probe_is_broadcast_with_zeros_in_the_unused_field() -> None:
    world = World()
    world.probe()
    world.at(10.0)
    assert [(target, packet) for _, target, packet in world.taken()] == [(MAC_BROADCAST, PROBE)] * 3


@rfc("5227-2.1.1-b", "3927-2.2.1-b")
def test_three_probes_after_a_random_wait_one_to_two_seconds_apart() -> None:
    waits: list[float] = []
    gaps: list[float] = []
    for seed in range(200):
        world = World(seed)
        world.probe()
        world.at(20.0)
        first, second, third = [at for at, _, _ in world.taken()]
        waits.append(first - START)
        gaps.extend((second - first, third - second))
        assert world.verdicts == [(X, None, third + 2.0)]
    assert 0.0 <= min(waits) < 0.05
    assert 0.95 < max(waits) <= 1.0
    assert 1.0 <= min(gaps) < 1.05
    assert 1.95 < max(gaps) <= 2.0
    assert 0.45 < sum(waits) / len(waits) < 0.55
    assert 1.45 < sum(gaps) / len(gaps) < 1.55


@rfc("5227-1.1-f")
def test_the_constants_are_the_rfcs_and_cannot_be_changed() -> None:
    config = AcdConfig()
    assert (config.PROBE_WAIT_S, config.PROBE_NUM, config.PROBE_MIN_S, config.PROBE_MAX_S) == (1.0, 3, 1.0, 2.0)
    assert (config.ANNOUNCE_WAIT_S, config.ANNOUNCE_NUM, config.ANNOUNCE_INTERVAL_S) == (2.0, 2, 2.0)
    assert (config.MAX_CONFLICTS, config.RATE_LIMIT_INTERVAL_S, config.DEFEND_INTERVAL_S) == (10, 60.0, 10.0)
    assert list(AcdConfig.__dataclass_fields__) == ["mode"] + [
        name for name in AcdConfig.__dataclass_fields__ if name.isupper()
    ]
    try:
        AcdConfig(PROBE_NUM=1)  # type: ignore[call-arg]
    except TypeError:
        return
    raise AssertionError("a constant was changed")


@rfc("5227-2.1.1-c")
def test_any_packet_from_the_address_ends_the_probing() -> None:
    for operation in (REQUEST, REPLY):
        for wait_s in (0.0, 0.5, 1.5, 3.0):
            world = World()
            world.probe()
            world.at(wait_s)
            world.taken()
            world.hears(X, Y, operation=operation)
            assert world.verdicts == [(X, OTHER, world.now)]
            world.at(100.0)
            assert world.taken() == []
            assert len(world.verdicts) == 1


@rfc("5227-2.1.1-c", "5227-2.1.1-g")
def test_until_announce_wait_after_the_last_probe_it_may_be_taken() -> None:
    world = World()
    world.probe()
    while len(world.sent) < 3:
        world.at(0.01)
    last = world.taken()[-1][0]
    world.at(last + 1.99 - world.now)
    assert world.verdicts == []
    world.hears(X, X)
    assert world.verdicts == [(X, OTHER, world.now)]
    free = World()
    free.probe()
    free.at(20.0)
    assert [(address, mac) for address, mac, _ in free.verdicts] == [(X, None)]


@rfc("5227-2.1.1-d", "3927-2.2.1-d")
def test_two_hosts_that_probe_at_once_both_lose() -> None:
    world = World()
    world.probe()
    world.at(1.2)
    world.hears(ANY, X)
    assert world.verdicts == [(X, OTHER, world.now)]


def test_a_reply_without_a_sender_is_no_probe() -> None:
    world = World()
    world.probe()
    world.hears(ANY, X, operation=REPLY)
    assert world.verdicts == []


def test_packets_about_other_addresses_are_no_conflict() -> None:
    world = World()
    world.probe()
    world.watch(Y)
    for sender, target in ((parse_ipv4("10.9.0.9"), X), (ANY, Y), (ANY, parse_ipv4("10.9.0.9"))):
        for operation in (REQUEST, REPLY):
            world.hears(sender, target, operation=operation)
    assert world.verdicts == world.lost == []
    assert world.machine.conflicts == 0


@rfc("5227-2.1.1-e")
def test_our_own_probe_come_back_is_no_conflict() -> None:
    world = World()
    world.machine.is_ours = lambda mac: mac in (MAC, THIRD)
    world.probe()
    world.at(1.2)
    world.hears(ANY, X, mac=MAC)
    world.hears(ANY, X, mac=THIRD)
    world.hears(X, X, mac=THIRD)
    assert world.verdicts == []
    world.at(20.0)
    assert [(address, mac) for address, mac, _ in world.verdicts] == [(X, None)]


def test_without_being_told_of_others_only_the_interfaces_own_station_is_ours() -> None:
    world = World()
    world.probe()
    world.hears(X, X, mac=MAC)
    assert world.verdicts == []
    world.hears(X, X, mac=THIRD)
    assert world.verdicts == [(X, THIRD, world.now)]


@rfc("5227-2.1-b")
def test_nothing_is_done_periodically() -> None:
    world = World()
    world.probe()
    world.at(20.0)
    world.machine.announce(X, world.now)
    world.watch()
    world.at(20.0)
    assert len(world.taken()) == 5
    world.at(1e6)
    assert world.taken() == []
    assert world.machine.deadline == inf


def test_an_address_in_use_while_probed_leaves_the_answer_to_arp() -> None:
    world = World()
    world.probe(in_use=True)
    world.at(1.2)
    world.hears(ANY, X)
    assert world.verdicts == []
    world.hears(X, Y)
    assert world.verdicts == [(X, OTHER, world.now)]


def test_a_probing_that_is_cancelled_says_nothing() -> None:
    world = World()
    world.probe()
    world.at(1.2)
    world.taken()
    world.machine.cancel(X)
    world.machine.cancel(X)
    world.at(20.0)
    assert world.verdicts == world.taken() == []
    assert len(world.machine) == 0
    assert world.machine.deadline == inf


def test_addresses_are_probed_side_by_side() -> None:
    world = World()
    world.probe(X)
    world.probe(Y)
    world.at(1.2)
    world.hears(Y, Y)
    world.at(20.0)
    assert [(address, mac) for address, mac, _ in world.verdicts] == [(Y, OTHER), (X, None)]


# --- too many conflicts


@rfc("5227-2.1.1-f", "5227-2.1.1-dhcp-a")
def test_after_ten_conflicts_one_address_a_minute_is_tried() -> None:
    world = World()
    conflicts(world, 9)
    world.probe()
    world.at(1.0)
    began = world.taken()[0][0]
    world.hears(X, Y)
    for _ in range(5):
        world.probe(Y)
        world.at(began + 59.9 - world.now)
        assert world.taken() == []
        world.at(1.2)
        at = world.taken()[0][0]
        assert began + 60.0 <= at <= began + 61.0
        began = at
        world.hears(Y, X)
    assert len(world.verdicts) == 6


@rfc("5227-2.1.1-f")
def test_conflicts_in_use_count_too() -> None:
    world = World()
    conflicts(world, 8)
    world.probe()
    world.at(10.0)
    world.taken()
    world.watch()
    world.hears(X, X)
    world.hears(X, X)
    assert world.machine.conflicts == 10
    assert world.counters["arpInConflicts"] == 10
    world.taken()
    world.probe(Y)
    world.at(40.0)
    assert world.taken() == []
    world.at(30.0)
    assert len(world.taken()) == 3


def test_a_long_peace_costs_no_further_wait() -> None:
    world = World()
    conflicts(world, 20)
    world.at(61.0)
    world.probe(Y)
    world.at(1.0)
    assert len(world.taken()) == 1


# --- announcing


@rfc("5227-1.1-e", "5227-2.3-a", "3927-2.4-a")
def test_two_announcements_two_seconds_apart() -> None:
    world = World()
    world.machine.announce(X, world.now)
    world.at(100.0)
    assert world.taken() == [
        (START, MAC_BROADCAST, ANNOUNCEMENT),
        (START + 2.0, MAC_BROADCAST, ANNOUNCEMENT),
    ]
    assert world.counters["arpOutAnnouncements"] == 2
    assert world.machine.deadline == inf


def test_an_address_given_up_is_not_announced_again() -> None:
    world = World()
    world.machine.announce(X, world.now)
    world.machine.unwatch(X)
    world.at(100.0)
    assert len(world.taken()) == 1


# --- ongoing detection


@rfc("5227-2.4-a", "5227-2.4-b", "5227-2.4-d")
def test_the_first_claim_is_answered_by_one_announcement() -> None:
    for operation in (REQUEST, REPLY):
        world = World()
        world.watch()
        world.at(1000.0)
        world.hears(X, Y, operation=operation)
        assert world.taken() == [(world.now, MAC_BROADCAST, ANNOUNCEMENT)]
        world.at(1000.0)
        assert world.taken() == []
        assert world.lost == []


@rfc("5227-2.4-e")
def test_the_second_claim_within_ten_seconds_wins() -> None:
    world = World()
    world.watch()
    world.hears(X, X)
    world.taken()
    world.at(10.0)
    world.hears(X, Y, mac=THIRD, operation=REPLY)
    assert world.lost == [(THIRD, world.now)]
    world.hears(X, X)
    world.at(100.0)
    assert world.taken() == []
    assert len(world.lost) == 1
    assert len(world.machine) == 0


@rfc("5227-2.4-d", "3927-2.5-f")
def test_a_claim_now_and_then_is_answered_each_time() -> None:
    world = World()
    world.watch()
    for _ in range(5):
        world.hears(X, X)
        assert len(world.taken()) == 1
        world.at(10.1)
    assert world.lost == []


@rfc("5227-2.4-f", "5227-2.4-g", "defend-1")
def test_an_address_that_is_not_given_up_is_defended_again_after_ten_seconds() -> None:
    for operation in (REQUEST, REPLY):
        world = World()
        world.watch(yields=False)
        for count in range(1, 6):
            world.hears(X, Y, operation=operation)
            assert world.taken() == [(world.now, MAC_BROADCAST, ANNOUNCEMENT)]
            assert world.lost[count - 1 :] == [(OTHER, world.now)]
            world.at(10.1)
        assert world.taken() == []
        assert len(world.machine) == 1


@rfc("5227-2.4-g", "5227-2.4-h", "defend-2")
def test_a_flood_of_claims_is_answered_and_told_once_in_ten_seconds() -> None:
    """By whatever station each of them comes: the interval is the address's."""
    world = World()
    world.watch(yields=False)
    for number in range(3000):
        world.hears(X, X, mac=b"\x02\0\0\0" + number.to_bytes(2, "big"), operation=(REQUEST, REPLY)[number % 2])
        world.at(0.01)
    at = [sent for sent, _, _ in world.taken()]
    assert len(at) == len(world.lost) == 3
    assert all(10.0 < later - earlier < 10.1 for earlier, later in pairwise(at))
    assert world.counters["arpInConflicts"] == 3000


def test_our_own_announcement_come_back_is_no_claim() -> None:
    world = World()
    world.watch()
    world.hears(X, X, mac=MAC)
    world.hears(X, X, mac=MAC)
    assert world.lost == world.taken() == []


def test_the_deadline_that_moves_earlier_is_told() -> None:
    world = World()
    told: list[float] = []
    world.machine.reschedule = lambda: told.append(world.machine.deadline)
    world.machine.announce(X, world.now)
    assert told == [START + 2.0]
    world.probe(Y)
    assert len(told) == 2
    assert told[1] <= START + 1.0


def test_a_callback_may_ask_for_another_address() -> None:
    """As DHCP does: the one is taken, the next is tried."""
    world = World()

    def refused(mac: bytes | None, now: float) -> None:
        world.verdicts.append((X, mac, now))
        world.probe(Y)

    world.machine.probe(X, world.now, refused)
    world.hears(X, X)
    world.at(20.0)
    assert [(address, mac) for address, mac, _ in world.verdicts] == [(X, OTHER), (Y, None)]
