"""RFC 3927, the machine alone: which addresses are tried, when, and when the one in use is left."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import AcdConfig, LinkLocalConfig
from stack.dhcp.link_local import LinkLocal, State, candidate, may_be_chosen
from stack.wire.addresses import parse_ipv4
from tests.requirements import rfc

MAC = bytes.fromhex("02000000aa02")
OTHER = bytes.fromhex("02000000cc03")
START = 1000.0


class World:
    """The machine and what it asked for, one line each."""

    def __init__(self, mac: bytes = MAC) -> None:
        self.now = START
        self.asked: list[tuple[str, bytes, float]] = []
        self.busy = False
        self.machine = LinkLocal(LinkLocalConfig(), AcdConfig(), mac, self)

    def probe(self, address: bytes, now: float) -> None:
        self.asked.append(("probe", address, now))

    def cancel_probe(self, address: bytes, now: float) -> None:
        self.asked.append(("cancel", address, now))

    def claimed(self, address: bytes, now: float) -> None:
        self.asked.append(("claimed", address, now))

    def left(self, address: bytes, now: float) -> None:
        self.asked.append(("left", address, now))

    def in_use(self, address: bytes) -> bool:
        assert address == self.machine.address
        return self.busy

    def taken(self) -> list[tuple[str, bytes]]:
        asked, self.asked = self.asked, []
        return [(what, address) for what, address, _ in asked]

    def at(self, later_s: float) -> None:
        end = self.now + later_s
        while self.machine.deadline <= end:
            self.now = max(self.now, self.machine.deadline)
            self.machine.on_deadline(self.now)
        self.now = end

    def probed(self, conflict: bytes | None = None) -> bytes:
        """The probing that goes on ends so; which address it was."""
        [(what, address)] = self.taken()
        assert what == "probe"
        self.at(0.5)
        self.machine.probed(address, conflict, self.now)
        return address

    def held(self) -> bytes:
        self.machine.start(self.now)
        address = self.probed()
        assert self.taken() == [("claimed", address)]
        return address


@rfc("3927-2.1-a", "3927-2.1-b")
def test_addresses_are_chosen_evenly_and_none_is_reserved() -> None:
    chosen = [candidate(MAC, number) for number in range(65024 * 4)]
    assert min(chosen) == parse_ipv4("169.254.1.0")
    assert max(chosen) == parse_ipv4("169.254.254.255")
    thirds = Counter(address[2] for address in chosen)
    assert len(thirds) == 254
    assert all(850 < count < 1200 for count in thirds.values())  # 1024 on average
    assert len(set(chosen)) > 0.97 * 65024


@rfc("3927-2.1-c")
def test_stations_that_differ_in_one_bit_try_other_addresses() -> None:
    ours = [candidate(MAC, number) for number in range(50)]
    for bit in range(48):
        other = (int.from_bytes(MAC, "big") ^ 1 << bit).to_bytes(6, "big")
        theirs = [candidate(other, number) for number in range(50)]
        assert sum(a == b for a, b in zip(ours, theirs, strict=True)) <= 1


@rfc("3927-2.1-d")
def test_the_same_station_tries_the_same_addresses_at_every_boot() -> None:
    sequences = []
    for _ in range(2):
        world = World()
        world.machine.start(world.now)
        sequences.append([world.probed(OTHER) for _ in range(9)])
    assert sequences[0] == sequences[1] == [candidate(MAC, number) for number in range(9)]


@rfc("3927-2.2-a", "3927-2.2-c", "3927-1.9-f")
def test_an_address_is_used_after_no_other_host_was_found_to_have_it() -> None:
    world = World()
    world.machine.start(world.now)
    assert world.machine.address is None
    address = world.probed()
    assert world.taken() == [("claimed", address)]
    assert (world.machine.state, world.machine.address) == (State.HELD, address)
    assert world.machine.deadline == inf


@rfc("3927-2.2.1-c", "3927-1.5-a")
def test_an_address_that_is_taken_makes_way_for_another() -> None:
    world = World()
    world.machine.start(world.now)
    first = world.probed(OTHER)
    second = world.probed(OTHER)
    third = world.probed()
    assert len({first, second, third}) == 3
    assert world.taken() == [("claimed", third)]


@rfc("3927-2.2.1-e")
def test_after_ten_conflicts_one_address_a_minute() -> None:
    world = World()
    world.machine.start(world.now)
    for _ in range(10):
        world.probed(OTHER)
    for _ in range(5):
        tried_at = world.now - 0.5
        world.at(tried_at + 59.9 - world.now)
        assert world.taken() == []
        world.at(0.2)
        world.now = tried_at + 60.0
        world.probed(OTHER)


@rfc("3927-2.2.1-e")
def test_conflicts_in_use_count() -> None:
    world = World()
    world.machine.start(world.now)
    for _ in range(10):
        address = world.probed()
        assert world.taken() == [("claimed", address)]
        world.machine.conflict(address, world.now)
    assert world.taken() == []
    world.at(60.0)
    assert [what for what, _ in world.taken()] == ["probe"]


@rfc("3927-2.5-a", "3927-2.5-b", "3927-2.5-c")
def test_a_host_that_insists_gets_the_address_and_we_another() -> None:
    world = World()
    address = world.held()
    world.at(1000.0)
    world.machine.conflict(address, world.now)
    assert world.machine.address is None
    another = world.probed()
    assert another != address
    assert world.taken() == [("claimed", another)]


@rfc("3927-2.1-e")
def test_the_previous_address_is_tried_first() -> None:
    world = World()
    old = parse_ipv4("169.254.77.7")
    world.machine.start(world.now, remembered=old)
    assert world.probed() == old
    world.machine.stop(world.now)
    assert world.taken() == [("claimed", old), ("left", old)]
    world.machine.start(world.now)
    assert world.probed(OTHER) == old
    assert world.probed() == candidate(MAC, 0)


@pytest.mark.parametrize("text", ["169.254.0.7", "169.254.255.7", "10.0.0.1", "0.0.0.0", "255.255.255.255"])
def test_a_memory_that_cannot_be_is_not_believed(text: str) -> None:
    world = World()
    assert not may_be_chosen(parse_ipv4(text))
    world.machine.start(world.now, remembered=parse_ipv4(text))
    assert world.probed() == candidate(MAC, 0)


@rfc("3927-2.2-b")
def test_nothing_is_done_periodically() -> None:
    world = World()
    world.held()
    world.at(1e6)
    assert world.taken() == []


# --- beside a routable address


@rfc("3927-1.9-a", "3927-1.9-e")
def test_a_routable_address_ends_it() -> None:
    world = World()
    address = world.held()
    world.machine.routable(world.now)
    assert world.taken() == [("left", address)]
    assert (world.machine.state, world.machine.address, world.machine.deadline) == (State.OFF, None, inf)


@rfc("3927-1.9-d")
def test_communication_under_way_goes_on() -> None:
    world = World()
    address = world.held()
    world.busy = True
    world.machine.routable(world.now)
    world.at(1000.0)
    assert world.taken() == []
    assert (world.machine.state, world.machine.address) == (State.LEAVING, address)
    world.busy = False
    world.at(5.0)
    assert world.taken() == [("left", address)]
    world.at(1000.0)
    assert world.taken() == []


def test_a_routable_address_that_goes_again_leaves_us_what_we_had() -> None:
    world = World()
    address = world.held()
    world.busy = True
    world.machine.routable(world.now)
    world.machine.start(world.now)
    world.busy = False
    world.at(1000.0)
    assert world.taken() == []
    assert (world.machine.state, world.machine.address) == (State.HELD, address)


def test_a_routable_address_ends_the_claiming() -> None:
    world = World()
    world.machine.start(world.now)
    [(_, wanted)] = world.taken()
    world.machine.routable(world.now)
    assert world.taken() == [("cancel", wanted)]
    world.machine.probed(wanted, None, world.now)
    world.machine.probed(wanted, OTHER, world.now)
    world.at(1000.0)
    assert world.taken() == []
    assert world.machine.state is State.OFF


def test_a_conflict_while_leaving_ends_it() -> None:
    world = World()
    address = world.held()
    world.busy = True
    world.machine.routable(world.now)
    world.machine.conflict(address, world.now)
    world.at(1000.0)
    assert world.taken() == []
    assert world.machine.state is State.OFF


def test_a_wait_for_the_next_address_can_be_ended() -> None:
    world = World()
    world.machine.start(world.now)
    for _ in range(10):
        world.probed(OTHER)
    world.machine.stop(world.now)
    world.at(1000.0)
    assert world.taken() == []


def test_starting_twice_is_starting_once() -> None:
    world = World()
    world.machine.start(world.now)
    world.machine.start(world.now)
    assert len(world.taken()) == 1


def test_an_answer_may_come_at_once() -> None:
    """Where nothing is probed for, because the user wants it so."""
    world = World()
    world.probe = lambda address, now: world.machine.probed(address, None, now)  # type: ignore[method-assign]
    world.machine.start(world.now)
    assert world.taken() == [("claimed", candidate(MAC, 0))]


STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "routable", "stop", "free", "taken", "conflict", "wait"]), st.floats(0, 100))
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STEPS, st.booleans())
def test_whatever_happens_the_state_says_what_is_held(steps: list[tuple[str, float]], busy: bool) -> None:
    world = World()
    machine = world.machine
    world.busy = busy
    probing: bytes | None = None
    held: bytes | None = None
    for step, later_s in steps:
        world.at(later_s)
        match step:
            case "start":
                machine.start(world.now)
            case "routable":
                machine.routable(world.now)
            case "stop":
                machine.stop(world.now)
            case "free" if probing is not None:
                machine.probed(probing, None, world.now)
            case "taken" if probing is not None:
                machine.probed(probing, OTHER, world.now)
            case "conflict" if held is not None:
                machine.conflict(held, world.now)
                held = None
        for what, address in world.taken():
            if what == "probe":
                assert held is None
                probing = address
            elif what == "claimed":
                assert (held, probing) == (None, address)
                held, probing = address, None
            elif what == "left":
                assert held == address
                held = None
            else:
                probing = None
        assert machine.address == held
        assert (machine.state in (State.HELD, State.LEAVING)) == (held is not None)
        assert machine.state is not State.OFF or machine.deadline == inf
