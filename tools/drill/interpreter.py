"""Runs one script: each event at its time, and compares each expectation with what the host does.

Only the interpreter moves the clock, and before each move it waits until every task of the host is
blocked. So events at the same time happen in the order of the script, and the speed of the machine
changes nothing.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import trio
from trio.testing import wait_all_tasks_blocked

import stack

from . import symbols
from .assertions import check_block
from .calls import Calls, PreparedCall, Progress, Result
from .clock import START_S, VirtualClock
from .descriptors import Descriptor
from .incoming import inject
from .matching import Row, compare, described
from .options import Settings
from .outcome import Failed, seconds, side_by_side
from .parser import LONGEST_TIME_S
from .script import Call, Code, Event, IcmpPacket, Script, ScriptError, TcpPacket, Timing, UdpPacket, Unsupported
from .wire import Sent, Wire

MOST_STEPS = 200_000  # of the clock, in one script
LONGEST_RUN_S = 120  # of CPU time, for one script
HALF_US = 5e-7  # in seconds
MEMORY_BYTES = 1 << 28  # the host's memory budget
RUN_ERRORS = (Failed, ScriptError, Unsupported)

Packet = TcpPacket | UdpPacket | IcmpPacket
Watch = Callable[[int, Callable[[Packet], bool]], None]
"""Called for each event that expects a packet, when the host has sent one, with the index of the
event and a function. The function takes another expected packet, and returns whether the script
would fail if the event expected that one at the same time."""


@dataclass(slots=True)
class RunningCall:
    """A socket call in progress. `detached`: a nonblocking connect that returned EINPROGRESS."""

    event: Event
    call: Call
    end_us: int | None
    progress: Progress = field(default_factory=Progress)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    descriptor: Descriptor | None = None
    result: Result | None = None
    ended_us: int = 0
    detached: bool = False
    error: Exception | None = None


class Interpreter:
    """One run of one script. `line` is the line of the current event."""

    def __init__(self, script: Script, settings: Settings, clock: VirtualClock, watch: Watch | None = None) -> None:
        self.line = script.events[0].line
        self._script = script
        self._settings = settings
        self._clock = clock
        self._watch = watch
        self._tolerance_us = settings.tolerance_usecs
        self._wire = Wire(settings, lambda: clock.now_us)
        self._waiting: list[RunningCall] = []
        self._last_us = 0
        self._steps = 0
        self._over_at = time.process_time() + LONGEST_RUN_S
        self._calls: Calls
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Run the script. Raises Failed at the first difference, and ScriptError or Unsupported."""
        settings = self._settings
        failure: Exception | None = None
        async with stack.open_host(
            self._wire,
            address=f"{settings.local_ip}/{_prefix_length(settings.netmask_ip)}",
            gateway=settings.gateway_ip,
            acd="off",
            config=_with_memory(settings.config),
            random=Random(settings.seed).randbytes,
            raise_errors=True,
        ) as host:
            self._calls = Calls(host, self._wire, settings)
            try:
                async with trio.open_nursery() as self._nursery:
                    try:
                        await self._events()
                    except RUN_ERRORS as error:
                        failure = error
                    self._nursery.cancel_scope.cancel()
            finally:
                self._calls.files.close_all()
        if failure is not None:
            raise failure

    async def _events(self) -> None:
        for index, event in enumerate(self._script.events):
            self.line = event.line
            await self._event(event, index)
        end_us = max([self._clock.now_us, *[call.end_us or 0 for call in self._waiting]])
        await self._reach(end_us)
        await self._advance(end_us + self._tolerance_us, lambda: not self._waiting)
        self._fail_overdue(math.inf)
        if self._wire.sent:
            self._unexpected(self._wire.sent[0], "no line of the script expects this packet", len(self._script.events))

    async def _event(self, event: Event, index: int) -> None:
        when, action = event.when, event.action
        base_us = self._last_us if when.timing in (Timing.RELATIVE, Timing.RELATIVE_RANGE) else 0
        start_us, end_us = base_us + when.start_us, base_us + when.end_us
        if not isinstance(action, (Call, Code)) and action.outbound:
            await self._expect(event, action, start_us, end_us, index)
            return
        await self._reach(start_us, index)
        self._last_us = start_us
        if isinstance(action, Call):
            await self._call(event, action, None if action.end_us is None else base_us + action.end_us)
        elif isinstance(action, Code):
            check_block(action.text, event.line, self._values())
        else:
            inject(action, event.line, self._wire, self._settings, self._calls.is_open)
            await self._settle()

    # --- time

    async def _settle(self) -> None:
        """Run every task until it blocks; check for malformed packets and calls that returned."""
        await wait_all_tasks_blocked()
        if time.process_time() > self._over_at:
            raise Failed(self.line, f"the script has used {LONGEST_RUN_S} s of CPU time, the limit of a script")
        if self._calls.changed.statistics().tasks_waiting:
            self._calls.changed.unpark_all()
            await wait_all_tasks_blocked()
        if self._wire.fault is not None:
            at_us, fault = self._wire.fault
            raise Failed(self.line, f"at {seconds(at_us)} the host sent a bad packet: {fault}")
        for running in [
            running for running in self._waiting if running.result is not None or running.error is not None
        ]:
            self._waiting.remove(running)
            self._check_call(running)

    async def _advance(self, until_us: int, enough: Callable[[], bool]) -> None:
        """Move the clock from deadline to deadline, to `until_us` or until `enough()` is true."""
        goal = START_S + until_us / 1_000_000
        while True:
            await self._settle()
            now = self._clock.current_time()
            if enough() or now >= goal:
                return
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise Failed(self.line, f"the host has had {MOST_STEPS} deadlines, the limit of a script")
            due = now + trio.lowlevel.current_statistics().seconds_to_next_deadline
            if due > goal + HALF_US:
                if until_us >= LONGEST_TIME_S * 1_000_000 and math.isinf(due):
                    return
                self._clock.set(goal)
                await self._settle()
                return
            self._clock.set(max(due, math.nextafter(now, math.inf)))

    async def _reach(self, time_us: int, index: int | None = None) -> None:
        """Go to the time of an event that does something.

        Raises Failed if the host sends a packet before it that no line has expected, if that time
        has passed, or if a call should have returned before it.
        """

        def early() -> Sent | None:
            sent = self._wire.sent
            return sent[0] if sent and sent[0].at_us + self._tolerance_us < time_us else None

        late_us = self._clock.now_us - time_us
        if late_us > self._tolerance_us:
            now = seconds(self._clock.now_us)
            raise Failed(self.line, f"the time of this line is {seconds(time_us)}, and the script is at {now} already")
        await self._advance(time_us, lambda: early() is not None)
        sent = early()
        if sent is not None:
            before = len(self._script.events) if index is None else index
            self._unexpected(sent, "no line before this one expects this packet", before)
        self._fail_overdue(time_us)

    def _fail_overdue(self, before_us: float) -> None:
        """Raise Failed if a call that should have returned before this time is still blocked."""
        for running in self._waiting:
            assert running.end_us is not None
            if running.end_us + self._tolerance_us < before_us:
                expected = f"{running.call.name} should return at {seconds(running.end_us)}"
                raise Failed(running.event.line, f"{expected}, and is still blocked\n    {running.event.text}")

    # --- outgoing packets

    async def _expect(self, event: Event, packet: Packet, start_us: int, end_us: int, index: int) -> None:
        """Check that the next packet that the host sends is the one of this line, at its time."""
        wire, any_time = self._wire, event.when.timing is Timing.ANY
        limit_us = LONGEST_TIME_S * 1_000_000 if any_time else end_us + self._tolerance_us
        await self._advance(limit_us, lambda: bool(wire.sent))
        when = "at any time" if any_time else f"at {seconds(start_us)}"
        if end_us > start_us:
            when += f" to {seconds(end_us)}"
        if not wire.sent:
            nothing = f"expected {when}:  {event.text}\n    sent:  nothing, up to {seconds(self._clock.now_us)}"
            raise Failed(event.line, f"the host did not send the packet\n    {nothing}")
        sent = wire.sent[0]
        if self._watch is not None:
            self._watch(index, lambda other: any(map(_differs, compare(other, sent, wire.copy(), self._settings))))
        right = any_time or start_us - self._tolerance_us <= sent.at_us <= end_us + self._tolerance_us
        rows = [Row("time", when.removeprefix("at "), seconds(sent.at_us), not right)]
        rows += compare(packet, sent, wire, self._settings)
        if any(map(_differs, rows)):
            names = ", ".join(row.name for row in rows if row.differs)
            raise Failed(event.line, f"the packet differs from the line: {names}\n{self._table(rows, event.line)}")
        wire.sent.popleft()
        single = event.when.timing in (Timing.ABSOLUTE, Timing.RELATIVE)
        self._last_us = start_us if single else sent.at_us

    def _unexpected(self, sent: Sent, message: str, index: int) -> None:
        """Raise Failed, with the packet beside the next one that is expected from `index` on."""
        for event in self._script.events[index:]:
            packet = event.action
            if not isinstance(packet, (Call, Code)) and packet.outbound:
                rows = compare(packet, sent, self._wire, self._settings)
                table = self._table([Row("time", "later", seconds(sent.at_us), True), *rows], event.line)
                break
        else:
            rows = compare(described(sent, self._wire), sent, self._wire, self._settings)
            rows = [Row(row.name, "", row.actual, True) for row in rows]
            table = side_by_side([Row("time", "nothing", seconds(sent.at_us), True), *rows], ("expected", "sent"))
        raise Failed(self.line, f"{message}\n{table}")

    def _table(self, rows: list[Row], line: int) -> str:
        return side_by_side(rows, (f"expected by line {line}", "sent"))

    # --- socket calls

    async def _call(self, event: Event, call: Call, end_us: int | None) -> None:
        running = RunningCall(event, call, end_us)
        try:
            prepared = self._calls.prepare(event.line, call)
        except OSError as error:
            running.result, running.ended_us = Result(-1, error.errno or 0), self._clock.now_us
            self._check_call(running)
            return
        running.descriptor = prepared.descriptor
        self._nursery.start_soon(self._run_call, running, prepared)
        await self._settle()
        if running.result is None and running.error is None and not _may_block(prepared):
            await self._end_nonblocking(running)
        if running.result is not None or running.error is not None:
            self._check_call(running)
        elif end_us is None:
            raise Failed(
                event.line,
                f"{call.name} blocks, and the line does not say when it returns: the time of such a call is 0.1...0.2",
            )
        else:
            self._waiting.append(running)

    async def _end_nonblocking(self, running: RunningCall) -> None:
        """End a call that would block on a nonblocking socket.

        connect fails with EINPROGRESS and goes on. Another call returns what it has done, or fails
        with EAGAIN if that is nothing.
        """
        if running.call.name == "connect" and running.descriptor is not None:
            running.detached = running.descriptor.connect_unreported = True
            running.result, running.ended_us = Result(-1, errno.EINPROGRESS), self._clock.now_us
            return
        if running.call.name == "sendto" and any(
            isinstance(argument, int) and argument & symbols.MSG_FASTOPEN for argument in running.call.arguments[3:4]
        ):
            raise Unsupported(running.event.line, "MSG_FASTOPEN without a cookie on a nonblocking socket")
        running.scope.cancel()
        await self._settle()

    async def _run_call(self, running: RunningCall, prepared: PreparedCall) -> None:
        result: Result | None = None
        with running.scope:
            try:
                result = await prepared.run(running.progress)
            except trio.BusyResourceError:
                if _may_block(prepared):
                    running.error = Unsupported(running.event.line, "two calls that block on one socket at once")
                result = Result(-1, errno.EAGAIN)
            except trio.ClosedResourceError:
                result = Result(-1, errno.EBADF)
            except (ValueError, OverflowError) as error:
                running.error = ScriptError(running.event.line, 0, f"{running.call.name}: {error}")
            except RUN_ERRORS as error:
                running.error = error
            except OSError as error:
                result = Result(-1, error.errno or 0)
        if running.scope.cancelled_caught:
            done = running.progress.done
            result = Result(done) if done else Result(-1, errno.EAGAIN)
        if running.detached:
            if running.descriptor is not None and result is not None:
                running.descriptor.connect_error = result.errno
            return
        running.result, running.ended_us = result, self._clock.now_us

    def _check_call(self, running: RunningCall) -> None:
        """Compare a call's result and the time of its return with its line."""
        if running.error is not None:
            raise running.error
        call, result, line = running.call, running.result, running.event.line
        assert result is not None
        returned = symbols.errno_name(result.errno) if result.errno else ""
        rows = [Row("result", str(call.result), str(result.value), call.result != result.value)]
        if call.errno or returned:
            rows.append(Row("errno", call.errno or "-", returned or "-", (call.errno or "") != returned))
        rows += [] if result.errno else result.outputs
        if running.end_us is not None:
            off_us = abs(running.ended_us - running.end_us)
            rows.append(Row("end", seconds(running.end_us), seconds(running.ended_us), off_us > self._tolerance_us))
        if any(row.differs for row in rows):
            names = ", ".join(row.name for row in rows if row.differs)
            table = side_by_side(rows, (f"expected by line {line}", "returned"))
            raise Failed(line, f"{call.name} differs from the line: {names}\n    {running.event.text}\n{table}")

    # --- assertions

    def _values(self) -> dict[str, int | None]:
        """Return the names for assertions: states, and `tcp_info` of the latest descriptor."""
        values: dict[str, int | None] = {
            "TCP_" + name.replace("-", "_"): number for number, name in enumerate(symbols.TCP_STATES) if number
        }
        values |= {"TCP_CLOSE": 7, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4, "TCP_FIN_WAIT2": 5}
        latest = self._calls.files.latest
        record = None if latest is None else self._calls.record(latest)
        if latest is None or record is None:
            return values | {"tcpi_state": 7}
        mss = latest.socket.getsockopt(symbols.IPPROTO_TCP, symbols.TCP_MAXSEG)
        return values | {
            "tcpi_state": symbols.TCP_STATES.index(record.state),
            "tcpi_snd_mss": mss,
            "tcpi_snd_cwnd": (record.cwnd or 0) // mss,
            "tcpi_rtt": None if record.srtt_s is None else round(record.srtt_s * 1_000_000),
            "tcpi_rto": None if record.rto_s is None else round(record.rto_s * 1_000_000),
        }


def _differs(row: Row) -> bool:
    return row.differs


def _may_block(prepared: PreparedCall) -> bool:
    return prepared.blocks and not (prepared.descriptor is not None and prepared.descriptor.nonblocking)


def _with_memory(config: stack.Config) -> stack.Config:
    """Return `config` with a memory budget that is the same on every machine, unless it has one."""
    if config.host.memory_bytes is not None:
        return config
    return replace(config, host=replace(config.host, memory_bytes=MEMORY_BYTES))


def _prefix_length(netmask: str) -> int:
    return sum(int(part).bit_count() for part in netmask.split("."))
