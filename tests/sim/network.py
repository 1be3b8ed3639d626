"""A network in one process and in no time: whole hosts, the wires between them, and one heap of
(time, serial number).

Nothing here waits, and nothing is left to chance: what happens next is the entry of the heap with
the earliest time, and of those with the same time the one that was put in first. Two runs with the
same seed are the same to the last bit, whatever PYTHONHASHSEED is. This is `stack.sockets.runner`
without trio: links are read in batches, programs run when the batch is over, a host is called again
when its deadline comes.
"""

from __future__ import annotations

import hashlib
import heapq
import struct
from collections.abc import Callable
from math import inf
from random import Random
from typing import Any, ClassVar

from stack.config import Config
from stack.host.host import HostCore
from stack.host.interface import Interface
from stack.internet.echo import EchoResult
from stack.link.device import Link
from stack.link.impair import Impaired
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.trace.event import Observer
from stack.udp.endpoint import Endpoint
from stack.wire.addresses import ANY, Prefix, parse_ipv4
from stack.wire.checksum import Buffer
from tests.user_options import user_options

Action = Callable[[], None]
Hash = hashlib.blake2b

_TIME_LENGTH = struct.Struct("<dI").pack

MOST_EVENTS_AT_ONCE = 1_000_000
"""So many events without the clock moving on are a loop that will never end."""


class Network:
    """The clock and the heap. `now` is in seconds, `events` says how much has happened.

    `digest` sums up each frame that a host has sent or read: which host, when, in which order, and the octets.
    `hashes` is None, or a list that is given the hash of each network that is made (`pytest --digests`).
    """

    hashes: ClassVar[list[Hash] | None] = None

    def __init__(self, seed: int = 0, *, start_s: float = 1000.0) -> None:
        self.seed = seed
        self.now = start_s
        self.events = 0
        self.machines: list[Machine] = []
        self._heap: list[tuple[float, int, Action]] = []
        self._serial = 0
        self._at_once = 0
        self.recording = True  # the benchmarks do without the frames that are sent
        self._hash: Hash = hashlib.blake2b(digest_size=16)
        if Network.hashes is not None:
            Network.hashes.append(self._hash)

    def machine(self, name: str, config: Config | None = None, **options: Any) -> Machine:
        """A new host with no links yet; `options` are `HostCore`'s own."""
        machine = Machine(self, name, config, **options)
        self.machines.append(machine)
        return machine

    # --- what happens

    def at(self, time: float, action: Action) -> None:
        """Have `action` called at `time`, which may be now: then it comes after what is due already."""
        self._serial += 1
        heapq.heappush(self._heap, (max(time, self.now), self._serial, action))

    def soon(self, action: Action) -> None:
        """Have `action` called as soon as all that is due already is done."""
        self.at(self.now, action)

    def run(self, until: Callable[[], bool] | None = None, *, for_s: float = inf) -> None:
        """Let things happen until `until()` is true, or for `for_s` seconds, or, with neither, until nothing is left.

        AssertionError when `until()` never became true.
        """
        end = self.now + for_s
        heap = self._heap
        while until is None or not until():
            if not heap or heap[0][0] > end:
                assert until is None, f"still not so after {for_s} s, at {self.now}"
                self.now = max(self.now, end) if end < inf else self.now
                return
            self.step()

    def step(self) -> None:
        """Let the next thing happen."""
        time, _, action = heapq.heappop(self._heap)
        self._at_once = self._at_once + 1 if time == self.now else 0
        assert self._at_once < MOST_EVENTS_AT_ONCE, f"the clock stands still at {self.now}"
        self.now = time
        self.events += 1
        action()

    # --- what was seen

    def record(self, event: bytes, frame: Buffer) -> None:
        """Add a frame to the digest. `event` says which host has sent or read it."""
        self._hash.update(_TIME_LENGTH(self.now, len(frame)) + event + frame)

    @property
    def digest(self) -> str:
        """Equal for two runs whose frames were the same."""
        return self._hash.hexdigest()


class Attachment:
    """A link in a machine, and whether its frames are about to be read."""

    def __init__(self, machine: Machine, link: Link) -> None:
        self.machine = machine
        self.link = link
        self._read_event = b"<" + machine.name.encode()
        self.interface: Interface | None = None
        self._notified = False

    def notify(self) -> None:
        """The link has something to read, or an earlier deadline."""
        if not self._notified:
            self._notified = True
            self.machine.network.soon(self.take)

    def take(self) -> None:
        """Hand one batch of frames to the host, as the runner does."""
        self._notified = False
        machine = self.machine
        now, host, read, interface = machine.network.now, machine.host, self.link.read, self.interface
        assert interface is not None
        for _ in range(host.config.host.batch_frames):
            view = read(now)
            if view is None:
                break
            machine.network.record(self._read_event, view)
            host.frame(interface, now, view)
        else:
            self.notify()
        host.batch_end(now)
        machine.arm()


class Machine:
    """A host, its links, and the calls that programs make. Its secrets come from the network's seed and its name."""

    def __init__(
        self,
        network: Network,
        name: str,
        config: Config | None = None,
        *,
        raise_errors: bool = True,
        report: Callable[[str], None] | None = None,
        trace: Observer | None = None,
    ) -> None:
        self.network = network
        self.name = name
        random = Random(f"{network.seed} {name}").randbytes
        self.host = HostCore(config, random=random, raise_errors=raise_errors, report=report)
        if trace is not None:
            self.host.watch(trace)
        self.host.wake_timer = lambda _: self.arm()
        self._attachments: list[Attachment] = []
        self._timer_at = inf

    def attach(self, link: Link, *addresses: str, gateway: str | None = None, acd: str | None = "off") -> Interface:
        """Open the link and take it in, with addresses such as "10.0.0.1/24", which are ours without being probed."""
        if self.network.recording:
            self._record_what_is_sent(link)
        attachment = Attachment(self, link)
        link.open(attachment.notify)
        prefixes = [Prefix.parse(address) for address in addresses]
        via = None if gateway is None else parse_ipv4(gateway)
        attachment.interface = self.host.attach(link, prefixes, via, self.network.now, acd=acd)
        self._attachments.append(attachment)
        return attachment.interface

    def _record_what_is_sent(self, link: Link) -> None:
        """Add each frame that the host hands to the link to the network's digest, also one that the link then loses."""
        write, record, event = link.write, self.network.record, b">" + self.name.encode()

        def write_and_record(parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
            record(event, b"".join((offload, *parts)))
            return write(parts, now, offload)

        link.write = write_and_record  # type: ignore[method-assign]

    # --- time

    def arm(self) -> None:
        """Be called when the earliest deadline of host and links comes, unless that was asked for already."""
        deadline = self.host.deadline
        for attachment in self._attachments:
            deadline = min(deadline, attachment.link.deadline)
        if deadline < self._timer_at:
            self._timer_at = max(deadline, self.network.now)
            self.network.at(deadline, self._timer)

    def _timer(self) -> None:
        now = self.network.now
        if now < self._timer_at:
            return  # an entry that an earlier one has replaced
        self._timer_at = inf
        for attachment in self._attachments:
            if attachment.link.deadline <= now:
                attachment.link.poll(now)
        host = self.host
        if host.deadline <= now:
            host.on_deadline(now)
        host.batch_end(now)
        assert host.deadline > now or len(host.ip.loopback), f"{self.name}: an expired deadline stays armed"
        self.arm()

    def detach(self, interface: Interface) -> None:
        """Take a link away."""
        (gone,) = (attachment for attachment in self._attachments if attachment.interface is interface)
        self._attachments.remove(gone)
        self.host.detach(interface, self.network.now)
        self.settle()
        gone.link.close()

    def close(self) -> None:
        """Unplug everything; captures are complete then. The host is no longer of use."""
        self.host.shutdown(self.network.now)
        for attachment in self._attachments:
            attachment.link.close()

    # --- user calls

    def settle(self) -> None:
        """To be called after user calls: what they left to do is done."""
        self.host.after_call(self.network.now)
        self.arm()

    def connect(
        self, address: str, port: int, *, source: str | None = None, deferred: bool = False, **options: Any
    ) -> Connection:
        """Active OPEN; `source` is a local address, `options` are fields of `UserOptions`."""
        local = None if source is None else (parse_ipv4(source), 0)
        asked = user_options(self.host.tcp.services, **options) if options else None
        remote = parse_ipv4(address), port
        connection = self.host.connect(local, remote, self.network.now, asked, deferred=deferred)
        self.settle()
        return connection

    def listen(self, port: int, *, address: bytes = ANY, backlog: int = 128, **options: Any) -> Listener:
        """Passive OPEN; `options` are fields of `UserOptions`."""
        asked = user_options(self.host.tcp.services, **options) if options else None
        return self.host.listen((address, port), backlog, self.network.now, asked)

    def udp(self, port: int = 0, *, address: bytes = ANY) -> Endpoint:
        """A UDP endpoint, bound to `port` unless that is 0."""
        endpoint = self.host.udp.open()
        if port:
            endpoint.bind((address, port))
        return endpoint

    def ping(self, address: str, data: bytes = b"", **options: Any) -> list[EchoResult]:
        """Send an Echo Request; the list gets its result once there is one."""
        results: list[EchoResult] = []
        self.host.ping(parse_ipv4(address), data, self.network.now, results.append, **options)
        self.settle()
        return results


def pair(
    seed: int = 0,
    *,
    config: Config | None = None,
    configs: tuple[Config | None, Config | None] | None = None,
    mtu: int = 1500,
    **impairment: Any,
) -> tuple[Network, Machine, Machine]:
    """Two hosts on one Ethernet, 10.0.0.1 and 10.0.0.2; `impairment` is what the wire does in both directions."""
    network = Network(seed)
    ethernet = Ethernet()
    machines = []
    for number, own in enumerate(configs or (config, config), 1):
        machine = network.machine(f"host{number}", own)
        link: Link = ethernet.attach(mtu=mtu)
        if impairment and number == 1:
            link = Impaired(link, seed=seed, **impairment)
        machine.attach(link, f"10.0.0.{number}/24")
        machines.append(machine)
    return network, machines[0], machines[1]
