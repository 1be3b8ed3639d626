"""What a bad wire does to a frame is told to the observers of the host, with the frame that it concerns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import stack
from stack.link.capture import Capture
from stack.link.device import Link
from stack.link.faults import Fault
from stack.link.impair import Fate, Impaired, Impairment
from stack.link.memory import Ethernet
from stack.trace.event import Event
from tests.sim.network import Machine, Network

PERFECT = Impairment()


class World:
    """A host on a bad wire, and another on a good one."""

    def __init__(
        self, *, outgoing: Impairment = PERFECT, incoming: Impairment = PERFECT, capture: Path | None = None
    ) -> None:
        self.network = Network(3)
        ethernet = Ethernet()
        self.here: Machine = self.network.machine("here")
        self.there: Machine = self.network.machine("there")
        self.wire = Impaired(ethernet.attach("tap0"), outgoing=outgoing, incoming=incoming, seed=7)
        link: Link = self.wire if capture is None else Capture(self.wire, str(capture))
        self.interface = self.here.attach(link, "10.0.0.1/24")
        self.there.attach(ethernet.attach(), "10.0.0.2/24")
        self.told: list[Event] = []
        self.observer: Callable[[Event], None] = self.told.append
        self.here.host.watch(self.observer)

    def ping(self) -> None:
        self.here.ping("10.0.0.2", bytes(100))
        self.network.run(for_s=0.5)

    @property
    def fates(self) -> list[Event]:
        return [event for event in self.told if event.name == "wire:fate"]

    def frame(self, number: int) -> Event:
        [event] = [event for event in self.told if event.n == number]
        return event


KINDS = [
    ("wire_lost", Impairment(loss=1.0)),
    ("wire_lost_on_purpose", Impairment(drop=lambda frame, number: True)),
    ("wire_duplicated", Impairment(duplicate=1.0)),
    ("wire_too_large", Impairment(mtu_bytes=100)),
    ("wire_held_back", Impairment(reorder=1.0, reorder_s=0.02)),
    ("wire_delayed", Impairment(delay_s=0.03)),
    ("wire_queue_full", Impairment(queue_limit=1, delay_s=5.0)),
]


@pytest.mark.parametrize(("because", "how"), KINDS)
def test_a_frame_that_goes_out(because: str, how: Impairment) -> None:
    world = World(outgoing=how)
    world.ping()
    world.ping()
    fate = next(event for event in world.fates if event.data["because"] == because)
    sent = world.frame(fate.frame)
    assert (sent.name, sent.data["dir"], fate.data["dir"]) == ("wire:frame", "out", "out")
    assert (fate.group, fate.data["len"], fate.time) == ("tap0", sent.data["len"], sent.time)
    assert "octets" not in fate.data


@pytest.mark.parametrize(("because", "how"), KINDS)
def test_a_frame_that_comes_in(because: str, how: Impairment) -> None:
    """The host has not seen it: the event has its head, and no number."""
    world = World(incoming=how)
    world.ping()
    world.ping()
    fate = next(event for event in world.fates if event.data["because"] == because)
    assert (fate.frame, fate.cause, fate.data["dir"]) == (0, "frame", "in")
    octets = fate.data["octets"]
    assert isinstance(octets, bytes)
    assert 0 < len(octets) <= 128


def test_a_frame_that_is_lost_on_its_way_in_is_said_in_a_line() -> None:
    """Without its octets."""
    world = World(incoming=Impairment(loss=1.0))
    world.ping()
    assert stack.explain(world.fates[0]) == (
        "wire fate dir=in len=60: The wire loses the frame, by chance. (our choice)"
    )


def test_the_details() -> None:
    world = World(outgoing=Impairment(corrupt=1.0, delay_s=0.03))
    world.ping()
    corrupted, delayed = world.fates[:2]
    assert str(corrupted.data["because"]).startswith("wire_corrupted")
    assert corrupted.data["bit"] in range(42 * 8)
    assert (delayed.data["because"], delayed.data["delay_s"]) == ("wire_delayed", pytest.approx(0.03))


@pytest.mark.parametrize(
    ("part", "octets"), [("ethernet", (0, 14)), ("ip", (14, 34)), ("transport", (34, 42)), ("data", (42, 142))]
)
def test_a_bit_is_told_with_the_part_of_the_frame_that_it_is_in(part: str, octets: tuple[int, int]) -> None:
    world = World()
    world.wire.outgoing.arm(Fault("corrupt", "icmp", part=part))
    world.ping()
    [fate] = world.fates
    assert fate.data["because"] == f"wire_corrupted_{part}"
    bit = fate.data["bit"]
    assert isinstance(bit, int)
    assert octets[0] <= bit // 8 < octets[1]


def test_a_bit_of_padding_is_in_no_part() -> None:
    """No checksum covers it."""
    wire = Impaired(Ethernet().attach(), outgoing=Impairment(corrupt=1.0), seed=1)
    fates: list[Fate] = []
    wire.watch_fates(fates.append)
    for _ in range(100):
        wire.outgoing.put(bytes(12) + b"\x08\x06" + bytes(46), 0.0)
    assert {(fate.what, fate.detail["bit"] // 8 < 14) for fate in fates} == {
        ("corrupted ethernet", True),
        ("corrupted", False),
    }


def test_a_swap_is_told_of_the_first_frame() -> None:
    world = World()
    world.wire.outgoing.arm(Fault("swap", "icmp"))
    world.ping()
    [fate] = world.fates
    assert (fate.data["because"], fate.data["delay_s"]) == ("wire_swapped", 1.0)
    assert world.frame(fate.frame).data["dir"] == "out"


def test_through_a_wrapper_and_until_the_observer_goes(tmp_path: Path) -> None:
    world = World(outgoing=Impairment(loss=1.0), capture=tmp_path / "frames.pcap")
    world.ping()
    assert world.fates
    world.here.host.unwatch(world.observer)
    world.here.settle()
    count = len(world.told)
    world.ping()
    assert len(world.told) == count
    assert world.wire.outgoing.on_fate is world.wire.incoming.on_fate is None


def test_a_host_that_gives_the_link_back_is_told_no_more() -> None:
    world = World(outgoing=Impairment(loss=1.0))
    world.here.host.detach(world.interface, world.network.now)
    assert world.wire.outgoing.on_fate is None


def test_what_happens_is_the_same_watched_or_not() -> None:
    def passed(watched: bool) -> list[tuple[float, bytes]]:
        how = Impairment(loss=0.2, duplicate=0.2, corrupt=0.2, jitter_s=0.01)
        wire = Impaired(Ethernet().attach(), outgoing=how, seed=1)
        fates: list[Fate] = []
        if watched:
            wire.watch_fates(fates.append)
        came = []
        for number in range(100):
            wire.outgoing.put(bytes((number,)) * 60, number / 100)
            while (frame := wire.outgoing.take(number / 100)) is not None:
                came.append((number / 100, frame))
        assert bool(fates) is watched
        return came

    assert passed(watched=True) == passed(watched=False)
