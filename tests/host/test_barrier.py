"""The barrier: a handler that raises loses its frame and its connection, and nothing else.

In other tests the barrier lets each exception out. Here it is on, and the tests plant the
exceptions.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from stack.config import Config, HostConfig
from stack.internet.arp_output import ArpOutput
from stack.internet.echo import EchoReply
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.predict import NOT_PREDICTED, predicted
from stack.tcp.states import State
from stack.wire.addresses import ANY
from tests.requirements import rfc
from tests.sim.network import Machine, Network
from tests.sim.programs import Echo, Exchange, Server
from tests.user_options import set_options


class Bug(Exception):
    """The one we planted."""


def bug(*_: Any, **__: Any) -> Any:
    raise Bug("planted")


class World:
    """Two hosts on a segment; failures of `there` are reported, those of `here` end the test."""

    def __init__(self, config: Config | None = None) -> None:
        self.network = Network(1)
        self.reports: list[str] = []
        ethernet = Ethernet()
        self.here = self.network.machine("here")
        self.there = self.network.machine("there", config, raise_errors=False, report=self.reports.append)
        self.here.attach(ethernet.attach(), "10.0.0.1/24")
        self.there.attach(ethernet.attach(), "10.0.0.2/24")
        self.server = Server(self.there, 7)

    @property
    def failures(self) -> int:
        return self.there.host.counters["handler_failed"]

    def ping_works(self) -> bool:
        results = self.here.ping("10.0.0.2", b"are you there?", timeout_s=5.0)
        self.network.run(lambda: bool(results))
        return isinstance(results[0], EchoReply)

    def echo_works(self) -> bool:
        client = Exchange(self.here, self.here.connect("10.0.0.2", 7), b"hello")
        self.network.run(lambda: client.done or client.error is not None)
        return client.done and client.received == b"hello"

    def established(self, machine: Machine | None = None) -> tuple[Echo, Connection]:
        """A connection from `here` to the echo server: the server's program, and the client's end."""
        connection = self.here.connect("10.0.0.2", 7)
        count = len(self.server.programs)
        self.network.run(lambda: len(self.server.programs) > count)
        program = self.server.programs[-1]
        assert isinstance(program, Echo)
        return program, connection

    def send(self, connection: Connection, data: bytes = b"x") -> None:
        connection.send(data, self.network.now)
        self.here.settle()
        self.network.run(for_s=1.0)


@pytest.fixture
def world() -> World:
    return World()


def test_a_handler_that_raises_loses_its_frame_and_the_next_is_served(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    icmp = world.there.host.ip.handlers[1]
    seen: list[object] = []

    def once(received: Any) -> None:
        seen.append(received)
        if len(seen) == 1:
            raise Bug("planted")
        icmp(received)

    world.there.host.ip.handlers[1] = once
    assert not world.ping_works()
    assert world.failures == 1
    assert world.ping_works()
    assert world.echo_works()
    assert world.failures == 1
    [report] = world.reports
    assert report.startswith("Traceback (most recent call last)")
    assert 'raise Bug("planted")' in report
    assert "Bug: planted" in report


def test_the_same_bug_is_counted_every_time_and_told_once(world: World) -> None:
    handlers = world.there.host.ip.handlers
    handlers[1] = bug
    for count in range(1, 6):
        assert not world.ping_works()
        assert world.failures == count
    assert len(world.reports) == 1

    def another(_: object) -> None:
        raise Bug("another")

    handlers[1] = another
    assert not world.ping_works()
    assert len(world.reports) == 2


def test_a_report_that_raises_costs_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.there.host.barrier, "_report", bug)
    world.there.host.ip.handlers[1] = bug
    assert not world.ping_works()
    assert world.failures == 2  # the planted bug, and the one in the report
    assert world.echo_works()


def test_a_bug_in_arp_loses_the_request_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ArpOutput, "reply", bug)
        world.here.ping("10.0.0.2", timeout_s=0.5)
        world.network.run(for_s=0.5)
        assert world.failures == 1
    world.network.run(for_s=5.0)
    assert world.ping_works()


def test_without_the_barrier_the_bug_comes_out(world: World) -> None:
    world.here.host.ip.handlers[1] = bug
    world.here.ping("10.0.0.2")
    with pytest.raises(Bug):
        world.network.run(for_s=1.0)


def fails_with(connection: Connection, error: int) -> bool:
    with pytest.raises(OSError) as caught:
        connection.receive(1, 0.0)
    return caught.value.errno == error


def check_only_that_one_died(world: World, victim: Echo, its_peer: Connection, other: Connection) -> None:
    """The victim was aborted, its program woken, its peer reset; every other connection and a new one work."""
    assert victim.error == errno.ECONNABORTED
    assert victim.connection.state is State.CLOSED
    assert victim.connection.key not in world.there.host.tcp.connections
    assert fails_with(its_peer, errno.ECONNRESET)
    world.send(other, b"still here?")
    assert other.receive(100, world.network.now) == b"still here?"
    assert world.echo_works()


@pytest.mark.parametrize("short_cut", [True, False])
def test_a_segment_that_raises_costs_its_connection(world: World, short_cut: bool) -> None:
    (victim, its_peer), (_, other) = world.established(), world.established()
    victim.connection.segment = bug  # type: ignore[method-assign]
    if not short_cut:  # with options in the IP header every packet takes the slow path
        its_peer.path.options, its_peer.path.header_length = b"\1\1\1\0", 24  # type: ignore[attr-defined]
    world.send(its_peer)
    assert world.failures == 1
    check_only_that_one_died(world, victim, its_peer, other)


@pytest.mark.parametrize("ended_by", ["the batch", "another connection"])
def test_a_train_that_raises_costs_its_connection(monkeypatch: pytest.MonkeyPatch, ended_by: str) -> None:
    """More segments than fit one batch, so that none of it is pushed, and all but the first are of the train."""
    world = World(Config(host=replace(HostConfig(), fast_paths=True)))
    (victim, its_peer), (_, other) = world.established(), world.established()
    with monkeypatch.context() as patch:
        patch.setattr("stack.host.fast.gro.deliver_train", bug)
        its_peer.send(bytes(30 * its_peer.mss), world.network.now)
        if ended_by == "another connection":
            other.send(b"x", world.network.now)
        world.here.settle()
        world.network.run(for_s=1.0)
    assert world.failures == 1
    if ended_by == "another connection":
        assert other.receive(100, world.network.now) == b"x"
    check_only_that_one_died(world, victim, its_peer, other)


@pytest.fixture(autouse=True)
def connections_can_be_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection has slots: let those of these tests take a planted method."""

    class Patchable(Connection):
        pass

    def predicted_unless_planted(connection: Connection, data: memoryview, now: float) -> int:
        return NOT_PREDICTED if "segment" in vars(connection) else predicted(connection, data, now)

    monkeypatch.setattr("stack.host.tcp_layer.Connection", Patchable)
    monkeypatch.setattr("stack.host.fast.tcp.predicted", predicted_unless_planted)


def test_the_end_of_a_batch_that_raises_costs_its_connection(world: World) -> None:
    (victim, its_peer), (_, other) = world.established(), world.established()
    settle, calls = victim.connection.settle, []

    def fails_once(now: float) -> None:
        calls.append(now)
        if len(calls) == 1:
            raise Bug("planted")
        settle(now)

    victim.connection.settle = fails_once  # type: ignore[method-assign]
    world.send(its_peer)
    world.send(other)
    assert other.receive(100, world.network.now) == b"x"
    assert world.failures == 1
    check_only_that_one_died(world, victim, its_peer, other)


def test_a_deadline_that_raises_costs_its_connection(world: World) -> None:
    (victim, its_peer), (second, other) = world.established(), world.established()
    for program in (victim, second):  # both deadlines come at the same moment
        set_options(program.connection, keepalive=True, keepalive_idle_s=10.0)
        program.connection.options_changed(world.network.now)
    world.there.settle()
    victim.connection.deadline_reached = bug  # type: ignore[method-assign]
    world.network.run(for_s=11.0)
    assert world.failures == 1
    assert second.connection.state is State.ESTABLISHED
    check_only_that_one_died(world, victim, its_peer, other)


@pytest.mark.parametrize("callback", ["on_readable", "on_writable"])
def test_a_callback_that_raises_costs_its_connection(world: World, callback: str) -> None:
    (victim, its_peer), (_, other) = world.established(), world.established()
    victim.connection.send(bytes(1000), world.network.now)
    setattr(victim.connection, callback, bug)
    world.send(its_peer)
    assert world.failures >= 1
    assert victim.connection.state is State.CLOSED
    assert victim.error == errno.ECONNABORTED  # the other of the two still tells the program
    world.send(other)
    assert other.receive(100, world.network.now) == b"x"
    assert world.echo_works()


def test_a_connection_that_cannot_even_be_aborted_is_forgotten(world: World) -> None:
    tcp = world.there.host.tcp
    (victim, its_peer), (_, other) = world.established(), world.established()
    paths = world.there.host.ip.output.open_paths
    victim.connection.segment = victim.connection.abort = bug  # type: ignore[method-assign]
    world.send(its_peer)
    assert world.failures == 2
    assert victim.error == errno.ECONNABORTED  # its program was woken all the same
    assert victim.connection.key not in tcp.connections
    assert world.there.host.ip.output.open_paths == paths - 1
    world.send(other)
    assert other.receive(100, world.network.now) == b"x"
    world.server.close()
    other.abort(world.network.now)
    world.here.settle()
    world.network.run(for_s=200.0)
    world.there.host.bind_tcp((ANY, 7))  # nothing keeps the port


def test_a_child_that_fails_before_it_is_accepted_is_handed_out_with_its_error(world: World) -> None:
    listener = world.there.listen(8)
    peer = world.here.connect("10.0.0.2", 8)
    world.network.run(lambda: listener.readable)
    [child] = [c for c in world.there.host.tcp.connections.values() if c.local[1] == 8]
    child.segment = child.abort = bug  # type: ignore[method-assign]
    world.send(peer)
    assert world.failures == 2
    assert listener.accept() is child
    assert (child.state, child.error) == (State.CLOSED, errno.ECONNABORTED)
    assert (world.there.host.budget.used, world.there.host.budget.peers) == (0, {})


@rfc("budget-1")
def test_a_half_open_child_that_fails_is_not_charged_for_ever(world: World) -> None:
    listener = world.there.listen(8)
    world.here.connect("10.0.0.2", 8)
    world.network.run(lambda: listener.half_open == 1)
    [child] = [c for c in world.there.host.tcp.connections.values() if c.local[1] == 8]
    child.segment = child.abort = bug  # type: ignore[method-assign]
    world.network.run(lambda: world.failures == 2)
    assert not listener.readable
    assert (world.there.host.budget.used, world.there.host.budget.peers) == (0, {})


def test_one_of_the_other_deadlines_that_raises_does_not_keep_the_next_from_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.there.host.ip, "on_deadline", bug)
    failed = world.there.ping("10.0.0.99")  # no such host: ARP's deadline comes
    world.network.run(lambda: bool(failed), for_s=10.0)
    assert world.failures >= 1
    assert world.echo_works()


def test_what_is_sent_to_ourselves_passes_the_barrier_too(world: World) -> None:
    world.there.host.ip.handlers[17] = bug
    endpoint = world.there.udp(99)
    endpoint.send_to(b"to myself", (world.there.host.ip.interfaces[1].addresses[0].address, 99), world.network.now)
    world.there.settle()
    assert world.failures == 1
    assert world.echo_works()


def test_a_part_that_raises_and_stays_due_is_called_once_a_second(world: World) -> None:
    """Not again and again at once: the host would have no time for anything else."""

    class Faulty:
        deadline = 0.0

        def on_deadline(self, now: float) -> None:
            raise Bug("planted")

    part = Faulty()
    world.there.host.timed_parts.append(part)
    world.there.host.wake_timer(part.deadline)
    world.network.run(for_s=10.5)
    assert 10 <= world.failures <= 12
    assert len(world.reports) == 1
    assert world.echo_works()
    part.deadline = inf
    before = world.failures
    world.network.run(for_s=10.5)
    assert world.failures == before
