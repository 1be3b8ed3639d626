"""Micro-benchmarks, one for each function that is marked `# hot`.

usage: pytest tests/bench/hot.py

The ordinary run of the tests leaves this file out, since its name does not begin with test_.
Nothing is asserted of the times. The budget behind a benchmark's name is what the function may cost
on a quiet machine of two 3 GHz cores, with what it calls. A change that takes more
needs a reason, which stands beside the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pytest
import trio

from stack import open_host
from stack.host.deadlines import Deadlines
from stack.host.fast import Fast
from stack.host.fast.gro import SegmentTrain
from stack.host.fast.tcp import KnownConnections
from stack.host.input import Input
from stack.host.interface import Interface
from stack.link.device import Offload
from stack.link.memory import Ethernet
from stack.link.tap import Tap
from stack.noop import noop
from stack.sockets.attachment import Attachment
from stack.sockets.runner import Runner
from stack.tcp import acks, output, predict, segment_arrives, timers
from stack.tcp.rack import Rack
from stack.wire.checksum import Buffer, internet_checksum, pseudo_sum
from stack.wire.icmp import echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK
from stack.wire.udp import build_datagram
from tests.bench.world import MSS, SocketLink, World
from tests.link.fake_tap import fakes
from tests.user_options import set_options

ROUNDS = 200
HERE, THERE = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
TEXT = bytes(MSS)
SUPER = bytes(64_000)


class Benchmark(Protocol):
    """pytest-benchmark's fixture, as far as it is used here."""

    def __call__(self, function: Callable[..., object], *arguments: object) -> object: ...
    def pedantic(
        self, target: Callable[..., object], *, setup: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]], rounds: int
    ) -> object: ...


def of(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Say which hot functions a benchmark is for; tests/test_bench.py sees to it that each has one."""

    def same(function: Callable[..., object]) -> Callable[..., object]:
        return function

    assert names
    return same


def each_afresh(benchmark: Benchmark, target: Callable[..., object], setup: Callable[[World], tuple[Any, ...]]) -> None:
    """Run `target` once on each of many new worlds, with what `setup` makes there as its arguments.

    The same is done untimed just before, on a world of its own: what is measured is the function
    under load, and not how much of the processor's caches the making of a world has used.
    """

    def warm() -> tuple[tuple[Any, ...], dict[str, Any]]:
        before, arguments = setup(World()), setup(World())
        target(*before)
        return arguments, {}

    benchmark.pedantic(target, setup=warm, rounds=ROUNDS)


# --- frames in


def fast(world: World) -> Fast:
    """The fast paths of our host."""
    found = world.here.host.fast
    assert found is not None
    return found


@of("stack.host.fast.Fast.take_first")  # budget: 12 us
def test_frame_with_a_segment(benchmark: Benchmark) -> None:
    each_afresh(
        benchmark,
        Fast.take_first,
        lambda world: (fast(world), world.interfaces[0], world.frame_from_peer(TEXT), world.now),
    )


@of("stack.host.fast.tcp.KnownConnections.take")  # budget: 8 us
def test_segment_that_was_expected(benchmark: Benchmark) -> None:
    each_afresh(
        benchmark,
        KnownConnections.take,
        lambda world: (
            fast(world).tcp, world.conn, world.conn.key, world.frame_from_peer(TEXT)[14:], True, world.now
        ),
    )  # fmt: skip


def train_of(world: World, checksum_ok: bool) -> tuple[SegmentTrain, Interface, memoryview, float]:
    """A train and its next frame, both with the checksums that a link without offload brings."""
    frames = []
    for _ in range(2):
        frame = bytearray(world.frame_from_peer(TEXT))
        frame[50:52] = bytes(2)
        frame[50:52] = internet_checksum(frame[34:], pseudo_sum(THERE, HERE, PROTO_TCP, len(frame) - 34)).to_bytes(2)
        frames.append(memoryview(frame))
    interface = world.interfaces[0]
    world.wires[0].rx_checksum_ok = checksum_ok
    return SegmentTrain(world.conn, interface, frames[0], False, fast(world).take_first), interface, frames[1], 0.0


@pytest.mark.parametrize("checksum_ok", [False, True])
@of("stack.host.fast.gro.SegmentTrain.take", "stack.wire.checksum.folded")  # budget: 4 us, 2 us without the checksum
def test_segment_train(benchmark: Benchmark, checksum_ok: bool) -> None:
    def next_frame(train: SegmentTrain, interface: Interface, frame: memoryview, now: float) -> None:
        assert train.take(interface, frame, now)

    each_afresh(benchmark, next_frame, lambda world: train_of(world, checksum_ok))


@of("stack.host.fast.udp.UdpFlows.take")  # budget: 9 us
def test_datagram_like_the_one_before(benchmark: Benchmark) -> None:
    world = World()
    endpoint = world.here.udp(9)
    datagram = build_datagram(4000, 9, bytes(64), pseudo_sum(THERE, HERE, PROTO_UDP, 72))
    packet = memoryview(Ipv4Header(THERE, HERE, PROTO_UDP, 20 + len(datagram)).build() + datagram)
    world.here.host.ip.receive(world.interfaces[0], packet, world.now)
    flows, interface = fast(world).udp, world.interfaces[0]
    key = THERE + HERE + bytes(datagram[:4])

    def take() -> None:
        assert flows.take(interface, key, packet, False)
        endpoint.receive_datagram()

    benchmark(take)


@of("stack.host.fast.echo.EchoPaths.take")  # budget: 8 us
def test_echo_request_like_the_one_before(benchmark: Benchmark) -> None:
    world = World()
    message = echo_request(1, 1, bytes(56)).build()
    packet = memoryview(Ipv4Header(THERE, HERE, PROTO_ICMP, 20 + len(message)).build() + message)
    for _ in range(2):
        world.here.host.ip.receive(world.interfaces[0], packet, world.now)
    paths, interface = fast(world).echo, world.interfaces[0]

    def answer() -> None:
        assert paths.take(interface, THERE + HERE, packet, world.now)

    benchmark(answer)


@of("stack.tcp.predict.predicted")  # budget: 7 us
def test_predicted_text(benchmark: Benchmark) -> None:
    each_afresh(benchmark, predict.predicted, lambda world: (world.conn, world.frame_from_peer(TEXT)[34:], world.now))


def acknowledgment(world: World) -> memoryview:
    """A TCP header that acknowledges a segment that we have sent."""
    world.conn.send(TEXT, world.now)
    world.here.settle()
    return world.frame_from_peer(b"")[34:]


@of("stack.tcp.predict.predicted")  # budget: 15 us
def test_predicted_acknowledgment(benchmark: Benchmark) -> None:
    each_afresh(
        benchmark,
        predict.predicted,
        lambda world: (world.conn, acknowledgment(world), world.now),
    )


@of("stack.tcp.segment_arrives.deliver_in_order")  # budget: 4 us
def test_deliver_in_order(benchmark: Benchmark) -> None:
    each_afresh(benchmark, segment_arrives.deliver_in_order, lambda world: (world.conn, memoryview(TEXT), world.now))


@of("stack.tcp.acks.new_data_acknowledged")  # budget: 6 us
def test_new_data_acknowledged(benchmark: Benchmark) -> None:
    def sent(world: World) -> tuple[Any, ...]:
        world.conn.send(TEXT, world.now)
        world.here.settle()
        return world.conn, world.conn.snd_nxt, MSS, 0, 0, world.now

    each_afresh(benchmark, acks.new_data_acknowledged, sent)


@of("stack.host.input.Input.batch_end")  # budget: 12 us: an acknowledgment goes out
def test_batch_end(benchmark: Benchmark) -> None:
    def touched(world: World) -> tuple[Any, ...]:
        for _ in range(2):
            world.here.host.frame(world.interfaces[0], world.now, world.frame_from_peer(TEXT))
        return world.here.host.input, world.now

    each_afresh(benchmark, Input.batch_end, touched)


# --- segments out


def to_send(text: bytes) -> Callable[[World], tuple[Any, ...]]:
    """A connection that has text to send, and the time."""

    def setup(world: World) -> tuple[Any, ...]:
        world.conn.congestion.cwnd = 1 << 20
        world.conn.snd_wnd = 1 << 20
        world.conn.send_buffer.append(text)
        return world.conn, world.now

    return setup


@of("stack.tcp.output.transmit")  # budget: 22 us
def test_output_of_a_segment(benchmark: Benchmark) -> None:
    each_afresh(benchmark, output.transmit, to_send(TEXT))


@of("stack.tcp.timers.set_timers")  # budget: 12 us: with a segment in flight
def test_set_timers(benchmark: Benchmark) -> None:
    def in_flight(world: World) -> tuple[Any, ...]:
        conn, now = to_send(TEXT)(world)
        output.transmit(conn, now)
        return conn, now

    each_afresh(benchmark, timers.set_timers, in_flight)


@of("stack.tcp.output._send_new")  # budget: 20 us
def test_send_new_super_frame(benchmark: Benchmark) -> None:
    each_afresh(benchmark, output._send_new, to_send(SUPER))


@of("stack.tcp.output.send_range")  # budget: 12 us
def test_send_range(benchmark: Benchmark) -> None:
    def setup(world: World) -> tuple[Any, ...]:
        conn, now = to_send(TEXT)(world)
        return conn, conn.snd_nxt, MSS, False, now

    each_afresh(benchmark, output.send_range, setup)


@of("stack.tcp.output.emit")  # budget: 4 us
def test_emit(benchmark: Benchmark) -> None:
    world = World()
    benchmark(output.emit, world.conn, world.conn.snd_nxt, ACK, world.now, [TEXT], MSS)


@of("stack.internet.path.Path._send_cut", "stack.internet.segmentation.pieces")  # budget: 60 us, 45 segments
def test_path_cut(benchmark: Benchmark) -> None:
    world = World()
    world.wires[0].offload, world.wires[0].cut = Offload(gso_max_bytes=65_000, software=True), True
    path = world.conn.path
    benchmark(path.send_offloaded, [bytes(32), SUPER], 32 + len(SUPER), 0.0, 32, MSS, False)


@of("stack.internet.path.Path.send", "stack.internet.path.Path.send_offloaded")  # budget: 4 us
def test_path_send(benchmark: Benchmark) -> None:
    path = World().conn.path
    benchmark(path.send_offloaded, [bytes(32), SUPER], 32 + len(SUPER), 0.0, 32, MSS, False)


@of("stack.internet.path.Path.confirm")  # budget: 0.5 us
def test_path_confirm(benchmark: Benchmark) -> None:
    world = World()
    benchmark(world.conn.path.confirm, world.now)


# --- around them


@of("stack.tcp.rack.Rack.transmitted")  # budget: 0.3 us
def test_rack_transmitted(benchmark: Benchmark) -> None:
    benchmark.pedantic(Rack.transmitted, setup=lambda: ((Rack(300.0), 0, MSS, 1.0), {}), rounds=10 * ROUNDS)


@of("stack.tcp.rack.Rack.delivered")  # budget: 1.5 us
def test_rack_delivered(benchmark: Benchmark) -> None:
    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        rack = Rack(300.0)
        rack.transmitted(0, MSS, 1.0)
        return (rack, MSS, [], 1.01, 1.0), {}

    benchmark.pedantic(Rack.delivered, setup=setup, rounds=10 * ROUNDS)


@of("stack.tcp.rack.Rack.delivered_in_order")  # budget: 1.2 us
def test_rack_delivered_in_order(benchmark: Benchmark) -> None:
    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        rack = Rack(300.0)
        rack.transmitted(0, MSS, 1.0)
        return (rack, MSS, 1.01, 0.01), {}

    benchmark.pedantic(Rack.delivered_in_order, setup=setup, rounds=10 * ROUNDS)


class Timed:
    """Something with a deadline that moves on with every call."""

    def __init__(self) -> None:
        self.deadline = 1.0
        self.heap_entry: Any = None


@of("stack.host.deadlines.Deadlines.arm")  # budget: 0.2 us where the deadline moves to later, as nearly always
def test_deadlines_arm(benchmark: Benchmark) -> None:
    deadlines, timed = Deadlines(noop), Timed()

    def later() -> None:
        timed.deadline += 1
        deadlines.arm(timed)

    benchmark(later)


@of("stack.link.tap.Tap.read", "stack.link.tap.Tap.write")  # budget: 8 us both, beside what the kernel does
def test_tap_write_and_read(benchmark: Benchmark) -> None:
    with pytest.MonkeyPatch.context() as patch, fakes(patch) as (device, _):
        tap = Tap("tap7")
        tap.open(lambda: None)
        parts: list[Buffer] = [bytes(54), TEXT]

        def there_and_back() -> None:
            tap.write(parts, 0.0)
            device.kernel.send(device.kernel.recv(2048))
            assert tap.read(0.0) is not None

        benchmark(there_and_back)
        tap.close()


# --- the loop


@of("stack.sockets.runner.Runner._take")  # budget: 120 us: eight frames
@pytest.mark.real_time("it is measured")
async def test_take_a_batch(benchmark: Benchmark, nursery: trio.Nursery) -> None:
    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        world = World()
        set_options(world.peer, nodelay=True)  # or Nagle's algorithm would leave one frame, taken eight times
        frames = [bytes(world.frame_from_peer(bytes(100))) for _ in range(8)]
        assert len(set(frames)) == 8
        attachment = Attachment(world.wires[0])
        attachment.interface = world.interfaces[0]
        runner = Runner(world.here.host, nursery, 64)
        views = iter([memoryview(frame) for frame in frames])
        world.wires[0].read = lambda now: next(views, None)  # type: ignore[method-assign]
        return (runner, attachment), {}

    benchmark.pedantic(Runner._take, setup=setup, rounds=ROUNDS)


PINGS = 100


async def pings(one: Any, other: Any) -> None:
    """So many echoes, one after another, between two hosts."""
    async with (
        open_host(one, address="10.9.0.1/24", acd="off") as here,
        open_host(other, address="10.9.0.2/24", acd="off"),
    ):
        for _ in range(PINGS):
            await here.ping("10.9.0.2")


# These two measure a whole run of trio, which is therefore their own.


@of("stack.sockets.runner.Runner._run_descriptor")  # budget: 50 ms: 500 us a ping, with four wakes
def test_wake_by_a_descriptor(benchmark: Benchmark) -> None:
    benchmark.pedantic(trio.run, setup=lambda: ((pings, *SocketLink.pair()), {}), rounds=10)


@of("stack.sockets.runner.Runner._run_notified")  # budget: 50 ms
def test_wake_by_the_link(benchmark: Benchmark) -> None:
    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        ethernet = Ethernet()
        return (pings, ethernet.attach(), ethernet.attach()), {}

    benchmark.pedantic(trio.run, setup=setup, rounds=10)
