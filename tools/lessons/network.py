"""What the Python of a run may use: hosts on an Ethernet in memory, in virtual time. The same run does the same."""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

import trio
import trio.testing

import stack
import stack.testing

from .blocks import LessonError, Run
from .dhcp_server import DhcpServer
from .recording import Recording

MOST_EVENTS = 20_000
MOST_OCTETS = 32 << 20  # of all frames
LONGEST_S = 86_400.0  # of virtual time
DELAY_S = 0.010  # each frame takes as long to the other end
CHUNK = 65536


class Network:
    """The `lesson` of a run: it opens hosts and peers, and keeps what happens.

    Attributes:
      ethernet: the wire, `stack.Ethernet`; each host has a link of its own to it.
      nursery: for further tasks. Let one host have one task, and let no two things happen at the same moment.
    """

    def __init__(self, seed: int, fast_paths: bool, nursery: trio.Nursery, stacked: AsyncExitStack) -> None:
        self.ethernet = stack.Ethernet(seed=seed)
        self.nursery = nursery
        self.recording = Recording()
        self.is_over = False
        self._octets = 0
        self._fast_paths = fast_paths
        self._stacked = stacked
        self._wires: dict[str, stack.Impaired] = {}
        self._hosts: dict[str, stack.Host] = {}

    async def host(
        self,
        name: str,
        address: str = "",
        *,
        gateway: str | None = None,
        acd: str = "",
        delay_s: float = DELAY_S,
        config: stack.Config | None = None,
        mtu: int = 1500,
        dhcp: stack.Dhcp | None = None,
    ) -> stack.Host:
        """Open a host. By default the first one is 10.9.0.1/24, the second 10.9.0.2/24, and so on.

        What it sends arrives `delay_s` seconds later. An address is not probed first, but with `acd="probe"`; one from
        a server (`address="dhcp"`) is, but with `acd="off"`.
        """
        place = len(self._wires) + 1
        link = self._wire(name, delay_s, mtu)
        config = config or stack.Config()
        config = replace(config, host=replace(config.host, fast_paths=self._fast_paths))
        self.recording.hosts.append(name)
        host = await self._stacked.enter_async_context(
            stack.open_host(
                link,
                address=address or f"10.9.0.{place}/24",
                gateway=gateway,
                acd=None if acd == "probe" else acd or (None if address == "dhcp" else "off"),
                dhcp=dhcp,
                config=config,
                raise_errors=True,
                trace=lambda event: self._tell(name, event),
            )
        )
        self._hosts[name] = host
        return host

    async def hosts(self, *names: str) -> list[stack.Host]:
        """Open hosts with these names, as `host` does."""
        return [await self.host(name) for name in names]

    async def peer(
        self,
        *misbehaviours: stack.testing.Misbehaviour,
        name: str = "peer",
        address: str = "10.9.0.66",
        delay_s: float = DELAY_S,
    ) -> stack.testing.Peer:
        """Open a peer without a stack, which does what a script says: see `stack.testing.Peer`."""
        link = self._wire(name, delay_s, 1500)
        return await self._stacked.enter_async_context(stack.testing.open_peer(link, *misbehaviours, address=address))

    def wire(self, name: str) -> stack.Impaired:
        """Return the link of a host or peer: `lesson.wire("client").outgoing.impairment = ...`."""
        return self._wires[name]

    def lose(self, name: str, kind: str = "any", number: int = 1) -> None:
        """Lose one frame that this host sends: the `number`-th of its kind from now on (`stack.Fault`)."""
        self.fault(name, "lose", kind, number)

    def fault(self, name: str, action: str, kind: str = "any", number: int = 1, part: str = "") -> None:
        """Let a fault happen to one frame that this host sends: see `stack.Fault`."""
        self._wires[name].outgoing.arm(stack.Fault(action, kind, number, part=part))

    def frames(self, name: str, frames: Iterable[tuple[float, bytes | str]], address: str = "") -> None:
        """Record frames that nobody sends here, as a capture has them: each with its time in seconds.

        They are octets, or hexadecimal text. `name` sees them: they come in, but for those from `address`.
        """
        self.recording.hosts.append(name)
        for number, (time, given) in enumerate(frames, 1):
            octets = bytes.fromhex(given) if isinstance(given, str) else given
            sources = {getattr(layer.header, "source", None) for layer in stack.dissect(octets)}
            way = "out" if own_address(address) in sources else "in"
            data: dict[str, object] = {"dir": way, "link": "ethernet", "len": len(octets), "octets": octets}
            self._tell(name, stack.Event(number, time, time, "wire:frame", "wire", number, "frame", data, ("own",)))

    async def serve(
        self, host: stack.Host, handler: Callable[[trio.SocketStream], Awaitable[object]], port: int
    ) -> None:
        """Serve TCP on a port; `handler(stream)` is called for each connection."""
        await self.nursery.start(host.serve_tcp, handler, port)

    async def dhcp_server(
        self,
        host: stack.Host,
        address: str,
        pool: str,
        lease_s: float = 3600.0,
        options: Mapping[int, bytes] | None = None,
    ) -> DhcpServer:
        """Start a DHCP server on a host, at its `address` ("10.9.0.1/24"); `pool` is the first that it gives."""
        server = DhcpServer(host, address, pool, lease_s, options or {})
        await self.nursery.start(server.run)
        return server

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a task that ends with the run."""
        self.nursery.start_soon(function, *arguments)

    async def sleep(self, seconds: float) -> None:
        """Wait, in virtual time."""
        await trio.sleep(seconds)

    @property
    def now(self) -> float:
        """The virtual time, in seconds. It begins with 0."""
        return trio.current_time()

    def keep(self, **values: object) -> None:
        """Keep values for the questions and statements of the lesson: `kept NAME`."""
        self.recording.kept.update(values)

    def stop_recording(self) -> None:
        """Record nothing more: what follows is no part of the lesson."""
        self.is_over = True

    @staticmethod
    async def echo(stream: trio.SocketStream) -> None:
        """Send back what comes (RFC 862), and close when the other end does."""
        async for data in stream:
            await stream.send_all(data)

    @staticmethod
    async def sink(stream: trio.SocketStream) -> None:
        """Take what comes and throw it away (RFC 863)."""
        async for _ in stream:
            pass

    def _wire(self, name: str, delay_s: float, mtu: int) -> stack.Impaired:
        if name in self._wires:
            raise ValueError(f"there is a host {name!r} already")
        if len(self._wires) >= 16:
            raise ValueError("a run has at most 16 hosts")
        link = stack.Impaired(self.ethernet.attach(name, mtu=mtu), outgoing=stack.Impairment(delay_s=delay_s))
        self._wires[name] = link
        return link

    @property
    def is_full(self) -> bool:
        """Whether more has happened than may be recorded."""
        return len(self.recording.told) >= MOST_EVENTS or self._octets > MOST_OCTETS

    def _tell(self, host: str, event: stack.Event) -> None:
        if self.is_over:
            return
        told = self.recording.told
        octets = event.data.get("octets")
        self._octets += len(octets) if isinstance(octets, bytes) else 0
        if self.is_full:
            self.is_over = True
            self.nursery.cancel_scope.cancel()
        told.append((host, event))


def own_address(text: str) -> bytes:
    """Return an address as octets; none for no text."""
    return stack.Prefix.parse(f"{text}/32").address if text else b""


def perform(file: str, run: Run, *, fast_paths: bool = True) -> Recording:
    """Do what a run says, in virtual time, and return what has happened. Raises LessonError if it fails."""
    return trio.run(_perform, file, run, fast_paths, clock=trio.testing.MockClock(autojump_threshold=0))


async def _perform(file: str, run: Run, fast_paths: bool) -> Recording:
    network: Network | None = None
    finished = False
    problem: Exception | None = None
    try:
        with trio.move_on_after(LONGEST_S):
            async with trio.open_nursery() as nursery, AsyncExitStack() as stacked:
                network = Network(run.seed, fast_paths, nursery, stacked)
                try:
                    await body(file, run, network)
                    finished = True
                except Exception as error:  # that its hosts end now makes further errors in handlers
                    problem = error
                nursery.cancel_scope.cancel()
    except Exception as error:
        problem = problem or error
    if problem is not None:
        raise failure(file, run, problem) from problem
    if network is None or not finished:
        many = network is not None and network.is_full
        limit = (
            f"{MOST_EVENTS} events or {MOST_OCTETS >> 20} MB of frames"
            if many
            else f"{LONGEST_S:.0f} s of virtual time"
        )
        raise LessonError(file, run.line, f"the run {run.name!r} is longer than {limit}")
    return network.recording


async def body(file: str, run: Run, network: Network) -> None:
    """Execute the Python of a run."""
    names = {"lesson": network, "stack": stack, "testing": stack.testing, "trio": trio, "__name__": "lesson"}
    code = compile("\n" * (run.line - 1) + run.source, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waiting = eval(code, names)
    if inspect.isawaitable(waiting):
        await waiting
    network.stop_recording()
    for value in list(names.values()):  # streams that the run has left open
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, trio.abc.AsyncResource):
                await trio.aclose_forcefully(each)


def failure(file: str, run: Run, error: BaseException) -> LessonError:
    """Return the error of a run whose Python has raised one, with the line of the lesson."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = lines[-1] if lines and lines[-1] is not None else run.line
    told = " ".join(str(error).split())
    return LessonError(file, line, f"the run {run.name!r} failed: {type(error).__name__}: {told}"[:600])
