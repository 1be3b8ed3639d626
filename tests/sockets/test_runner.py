"""The loop: when it wakes, how much it takes in at a time, and what it does when a link fails."""

from __future__ import annotations

import errno
import math
import os
import socket as stdlib
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from stack import Config, Ethernet, Host, Impaired
from stack.internet.received import Received
from stack.link.device import NO_OFFLOAD
from stack.wire.checksum import Buffer
from tests.sockets.hosts import ALICE, BOB, Cut, host_on, stream_pair, two_hosts


def task_names() -> list[str]:
    """The names of all tasks of this run."""
    names: list[str] = []
    root = trio.lowlevel.current_root_task()
    waiting = [root] if root is not None else []
    while waiting:
        task = waiting.pop()
        names.append(task.name)
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return names


class Steps(trio.abc.Instrument):
    """Counts how often tasks ran."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


async def test_an_idle_host_never_wakes_up(autojump_clock: MockClock) -> None:
    """An hour with two hosts, a listener, a UDP socket and an idle connection: only the sleeper itself runs."""
    async with two_hosts() as (alice, bob), trio.open_nursery() as nursery:
        await nursery.start(bob.serve_tcp, trio.aclose_forcefully, 80)
        datagrams = alice.socket(type=stdlib.SOCK_DGRAM)
        await datagrams.bind(("", 53))
        nursery.start_soon(datagrams.recvfrom, 100)
        client, server = await stream_pair(alice, bob)
        await client.send_all(b"hello")
        await server.receive_some()
        nursery.start_soon(client.receive_some)
        await trio.sleep(3600)  # what is left to do after traffic (the last ACK, say) is done
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(3600)
        trio.lowlevel.remove_instrument(steps)
        assert steps.count <= 2  # the sleeper's own
        nursery.cancel_scope.cancel()


async def test_delayed_frames_come_when_they_are_due(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    slow = Impaired(ethernet.attach(), delay_s=0.125)
    async with host_on(slow, f"{ALICE}/24") as alice, host_on(ethernet.attach(), f"{BOB}/24", seed=2):
        await alice.ping(BOB)
        assert await alice.ping(BOB) == pytest.approx(0.25)


class ScriptedLink:
    """A bare-IP link whose frames a test provides; `endless` makes it give the same frame again and again."""

    def __init__(self, descriptor: int = -1) -> None:
        self.name = "scripted"
        self.mtu = 1500
        self.mac: bytes | None = None
        self.ip_offset = 0
        self.offload = NO_OFFLOAD
        self.rx_checksum_ok = False
        self.rx_gso_size = 0
        self.queue_frames = 0
        self.may_offload = True
        self.deadline = math.inf
        self.frames: deque[bytes | OSError] = deque()
        self.endless: bytes | None = None
        self.written: list[bytes] = []
        self.reads = 0
        self.polls: list[float] = []
        self.is_open = False
        self.wake: Callable[[], None] = lambda: None
        self._descriptor = descriptor

    def open(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.is_open = True

    def fileno(self) -> int:
        return self._descriptor

    def read(self, now: float) -> memoryview | None:
        self.reads += 1
        if self.endless is not None:
            return memoryview(self.endless)
        if not self.frames:
            return None
        frame = self.frames.popleft()
        if isinstance(frame, OSError):
            raise frame
        return memoryview(frame)

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        self.written.append(b"".join(parts))
        return True

    def poll(self, now: float) -> None:
        self.polls.append(now)
        self.deadline = math.inf

    def close(self) -> None:
        self.is_open = False


async def test_a_flooded_host_lets_others_run_after_each_batch(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    config = replace(Config(), host=replace(Config().host, batch_frames=10))
    async with host_on(link, f"{ALICE}/24", config=config):
        link.reads = 0
        link.endless = b"\x45"  # no packet at all: counted and dropped
        link.wake()
        for _ in range(20):
            before = link.reads
            await trio.lowlevel.checkpoint()
            assert link.reads - before in (0, 10, 20)  # trio may run a task last in one round and first in the next
        assert link.reads >= 100
        link.endless = None
        await wait_all_tasks_blocked()


async def test_wakes_that_come_while_reading_are_not_lost(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    async with host_on(link, f"{ALICE}/24") as alice:
        original = link.read

        def read(now: float) -> memoryview | None:
            view = original(now)
            if view is None and not done:
                done.append(True)
                link.frames.append(b"late")
                link.wake()
            return view

        done: list[bool] = []
        link.read = read  # type: ignore[method-assign]
        link.wake()
        await wait_all_tasks_blocked()
        assert done
        assert not link.frames
        assert alice.counters()["ifInOctets"] == 4


async def test_a_link_is_polled_at_its_deadline(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    async with host_on(link, f"{ALICE}/24"):
        start = trio.current_time()
        link.deadline = start + 5
        link.wake()  # "any link calls it when deadline moves earlier"
        await trio.sleep(10)
        assert link.polls == [start + 5]
        link.deadline = start + 30
        link.wake()
        await wait_all_tasks_blocked()
        link.deadline = start + 20  # and earlier still
        link.wake()
        await trio.sleep(60)
        assert link.polls == [start + 5, start + 20]


async def test_a_link_that_fails_costs_the_interface_and_not_the_host(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    ethernet = Ethernet()
    async with host_on(link, "192.0.2.1/24") as alice, host_on(ethernet.attach(), f"{BOB}/24", seed=2):
        alice.attach(ethernet.attach("wire"), addresses=[f"{ALICE}/24"], acd="off")
        with alice.socket() as sock:
            errors: list[OSError] = []

            async def connect() -> None:
                with pytest.raises(OSError) as caught:
                    await sock.connect(("192.0.2.9", 80))
                errors.append(caught.value)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(connect)
                await wait_all_tasks_blocked()
                link.frames.append(OSError(errno.ENETDOWN, "deleted"))
                link.wake()
            assert [error.errno for error in errors] == [errno.ENETDOWN]
        assert not link.is_open
        assert await alice.wait_link_lost() == link.name
        assert [interface.name for interface in alice.interfaces()] == ["wire"]
        await alice.ping(BOB)


async def test_a_link_that_does_not_open_leaves_no_host_behind(autojump_clock: MockClock) -> None:
    class Refusing(ScriptedLink):
        def open(self, wake: Callable[[], None]) -> None:
            raise PermissionError(errno.EPERM, "not yours")

    with pytest.raises(PermissionError):
        async with host_on(Refusing(), f"{ALICE}/24"):
            raise AssertionError("it opened")


async def test_a_link_that_the_host_refuses_is_closed(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    with pytest.raises(OSError) as caught:
        async with host_on(link, f"{ALICE}/24", gateway="192.0.2.1"):
            raise AssertionError("a gateway on no network of ours was taken")
    assert caught.value.errno == errno.ENETUNREACH
    assert not link.is_open


class SocketLink(ScriptedLink):
    """One with a descriptor: its frames are what comes to a socket."""

    def __init__(self, sock: stdlib.socket) -> None:
        super().__init__(sock.fileno())
        sock.setblocking(False)
        self._sock = sock

    def read(self, now: float) -> memoryview | None:
        self.reads += 1
        try:
            return memoryview(self._sock.recv(2000))
        except BlockingIOError:
            return None


@pytest.mark.real_time("a descriptor ends its waits")
async def test_a_link_with_a_descriptor_is_read_when_it_is_readable_and_let_go_at_the_end() -> None:
    """With the real clock: only descriptors end its waits."""

    before = len(os.listdir("/proc/self/fd"))
    ours, theirs = stdlib.socketpair(stdlib.AF_UNIX, stdlib.SOCK_DGRAM)
    with ours, theirs:
        link = SocketLink(ours)
        with trio.fail_after(20):
            async with host_on(link, "192.0.2.1/24") as alice:
                await wait_all_tasks_blocked()
                for size in (1, 2, 3):
                    theirs.send(bytes(size))
                octets = 6
                while alice.counters()["ifInOctets"] < octets:
                    await trio.lowlevel.checkpoint()
                theirs.send(bytes(4))
                octets += 4
                while alice.counters()["ifInOctets"] < octets:
                    await trio.lowlevel.checkpoint()
                assert len([name for name in task_names() if "scripted" in name]) == 2
                alice.detach(link)  # while its task waits for the descriptor
                await wait_all_tasks_blocked()
                assert [name for name in task_names() if "scripted" in name] == []
                assert not link.is_open
                assert alice.interfaces() == []
                theirs.send(b"a datagram")
                # No task waits for the descriptor any more: it may be waited for by others.
                await trio.lowlevel.wait_readable(ours)
                assert ours.recv(100) == b"a datagram"
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(("busy_poll_s", "looks"), [(0.0, 2), (0.0002, 22)])
@pytest.mark.real_time("a descriptor ends its waits")
async def test_a_link_that_was_busy_is_asked_again_for_a_while_and_then_waited_for(
    busy_poll_s: float, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock of the test's own stands for the microseconds: every look at it takes ten."""
    clock = count(step=10)
    monkeypatch.setattr("stack.sockets.runner.perf_counter", lambda: next(clock) * 1e-6)

    ours, theirs = stdlib.socketpair(stdlib.AF_UNIX, stdlib.SOCK_DGRAM)
    with ours, theirs:
        link = SocketLink(ours)
        config = replace(Config(), host=replace(Config().host, busy_poll_s=busy_poll_s))
        with trio.fail_after(20):
            async with host_on(link, "192.0.2.1/24", config=config) as alice:
                for octets in (1, 2):
                    link.reads = 0
                    steps = Steps()
                    trio.lowlevel.add_instrument(steps)
                    theirs.send(b"x")
                    while alice.counters()["ifInOctets"] < octets:
                        await trio.lowlevel.checkpoint()
                    await wait_all_tasks_blocked()
                    trio.lowlevel.remove_instrument(steps)
                    assert looks - 1 <= link.reads <= looks
                    assert steps.count >= looks, "other tasks may run between two looks"


async def test_detaching_a_link_of_another_host_is_refused(alice: Host, autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="not attached"):
        alice.detach(ScriptedLink())


async def test_a_thousand_connections_leave_nothing_behind(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def echo_once(stream: trio.SocketStream) -> None:
        await stream.send_all(await stream.receive_some())

    await nursery.start(bob.serve_tcp, echo_once, 7)
    for _ in range(1000):
        stream = await alice.open_tcp_stream(BOB, 7)
        await stream.send_all(b"x")
        assert await stream.receive_some() == b"x"
        await stream.aclose()
    await trio.sleep(600)
    assert alice.connections() == []
    assert [record.state for record in bob.connections()] == ["LISTEN"]
    await trio.sleep(3600)  # until ARP, too, has forgotten
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    await trio.sleep(3600)
    trio.lowlevel.remove_instrument(steps)
    assert steps.count <= 2


async def test_transfers_survive_a_wire_that_is_cut_for_a_while(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob):
        client, server = await stream_pair(alice, bob)
        data = bytes(range(256)) * 4000
        received = bytearray()

        async def receive() -> None:
            async for chunk in server:
                received.extend(chunk)
                if len(received) > 200_000 and not was_cut:
                    was_cut.append(True)
                    cut.made = True

        async def mend() -> None:
            while not was_cut:
                await trio.sleep(0.001)
            await trio.sleep(20)
            cut.made = False

        was_cut: list[bool] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            nursery.start_soon(mend)
            await client.send_all(data)
            await client.aclose()
        assert received == data


async def test_ctrl_c_does_not_come_in_the_midst_of_a_frame_or_a_deadline(autojump_clock: MockClock) -> None:
    """trio raises KeyboardInterrupt in the main task instead, and the host ends in a state that it can end from."""
    protected = {}
    async with two_hosts() as (alice, bob):
        core = bob._runner.core
        icmp, on_deadline = core.ip.handlers[1], core.on_deadline

        def receive(received: Received) -> None:
            protected["frame"] = trio.lowlevel.currently_ki_protected()
            icmp(received)

        def reached(now: float) -> None:
            protected["deadline"] = trio.lowlevel.currently_ki_protected()
            on_deadline(now)

        core.ip.handlers[1], core.on_deadline = receive, reached  # type: ignore[method-assign]
        await alice.ping(BOB)
        await trio.sleep(100)  # the entry of the neighbour expires
    assert protected == {"frame": True, "deadline": True}
