"""What an attack costs a host with its services: the RSS of a process of its own, in virtual time.

usage: python -m tests.sockets.memory ATTACK

Prints a line of JSON: RSS in MB before, and how many MB more at its highest and at the end; and
whether others got what they asked for. The memory budget is 64 MB. The end is a minute after the
attacker's last connection has gone. The attacker's own memory does not count: it is a process of
its own, and the time stands still while it works.

"Before" is after a smaller attack. A process that was never attacked keeps more: 11 of 42 MB (26 %)
after "holes". The tables are empty then, and a collection and malloc_trim change nothing. What is
left are free pools of Python's allocator (11 MB), in arenas of a megabyte of which a few objects
hold a piece each; it gives back whole arenas only. The next attack uses them.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe

import trio
from trio.testing import MockClock

from stack import Config, Ethernet, Host
from stack.config import HostConfig
from stack.testing.frame_sender import FrameSender, Heard, segment_in
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, PROTO_TCP
from stack.wire.tcp import ACK, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options
from tests.sim.idle import resident_bytes
from tests.sockets.hosts import host_on
from tools.services import serve

ATTACKER_MAC = b"\x02\0\0\0\0\x66"
SERVER, OLD, NEW = "10.0.0.1", "10.0.0.2", "10.0.0.3"
CONFIG = replace(Config(), host=HostConfig(memory_bytes=64 << 20))
MSS = 1460
OPTIONS = build_options(TcpOptions(MSS, 7, True))
CONNECTIONS = {"holes": 1500, "holes of many": 1500, "holes kept": 1500, "echo": 1000}
FLOODS = {"SYNs of nobody": (2, 7), "SYNs of neighbors": (1, 7), "segments for nobody": (1, 4242)}

End = tuple[bytes, int]


class Attacker(FrameSender):
    """It makes connections by hand, from as many addresses as it likes, and reads nothing.

    It lives in a process of its own, at the other end of `pipe`.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__("10.1.0.0", ATTACKER_MAC)
        self.pipe = pipe
        self.said: list[bytes] = []
        self.numbers: dict[End, list[int]] = {}  # the next number to send, the next to acknowledge, the right edge
        self.window = 65535
        self.takes_probes = True

    def says(self, frame: bytes) -> None:
        self.said.append(frame)

    def pause(self, seconds: float) -> None:
        """Put on the wire what was said, let time pass and take in what has come."""
        self.pipe.send((self.said, seconds))
        self.said = []
        for frame in self.pipe.recv():
            self.hear(frame)

    def segment(self, me: End, flags: int, ahead: int = 0, data: bytes = b"", options: bytes = b"") -> None:
        """A segment that begins `ahead` octets after the next one; only what is not ahead counts as sent."""
        seq, ack, _ = self.numbers[me]
        self.says_tcp(
            SERVER, (me[1], 7), flags, seq=seq + ahead, ack=ack, data=data, window=self.window, options=options,
            source=me[0],
        )  # fmt: skip
        if not ahead:
            self.numbers[me][0] += len(data) + bool(flags & SYN)

    def hear(self, frame: bytes) -> None:
        """Answer ARP, acknowledge SYN,ACKs and keep-alives, note what the window is."""
        if EthernetHeader.parse(frame).ethertype == ETHERTYPE_ARP:
            packet = ArpPacket.parse(frame[14:])
            self.stations[packet.sender_ip] = packet.sender_mac
            if packet.operation == REQUEST and packet.target_ip[:2] == self.address[:2]:
                self.says_arp(REPLY, packet.target_ip, packet.sender_ip, packet.sender_mac)
            return
        ip = Ipv4Header.parse(frame[14:])
        if ip.protocol == PROTO_TCP and ip.destination[:2] == self.address[:2]:
            self._hear_segment(segment_in(frame[14 : 14 + ip.total_length], ip))

    def _hear_segment(self, heard: Heard) -> None:
        me = heard.ip.destination, heard.tcp.destination_port
        if heard.tcp.flags & RST:
            self.numbers.pop(me, None)
        if me not in self.numbers:
            return
        numbers = self.numbers[me]
        numbers[2] = heard.tcp.ack + (heard.tcp.window << (0 if heard.tcp.flags & SYN else 7))
        if heard.tcp.flags & SYN:
            numbers[1] = heard.next
            self.segment(me, ACK)
        elif self.takes_probes and not heard.data and heard.tcp.seq + 1 == numbers[1]:
            self.segment(me, ACK)

    def connect(self, count: int, addresses: int) -> None:
        """Open so many connections from so many addresses."""
        self.says_arp(REQUEST, self.address, bytes((10, 0, 0, 1)))
        self.pause(0.001)
        for number in range(count):
            me = self.address[:2] + (number % addresses + 1).to_bytes(2, "big"), 2000 + number
            self.numbers[me] = [number, 0, 0]
            self.segment(me, SYN, options=OPTIONS)
            self.pause(0.001)

    def leave_holes(self) -> None:
        """Fill all windows but their first octet."""
        for me in list(self.numbers):
            for place in range(1, 60_000, MSS):
                if me in self.numbers:
                    self.segment(me, ACK, place, bytes(MSS))
            self.pause(0.0001)

    def flood_echo(self) -> None:
        """Send whatever the windows allow, as long as they move, and let nothing come back."""
        self.window = 0
        for _ in range(2):
            for me, numbers in list(self.numbers.items()):
                for _ in range(40):
                    room = numbers[2] - numbers[0]
                    if room <= 0 or me not in self.numbers:
                        break
                    self.segment(me, ACK, 0, bytes(min(room, MSS)))
                self.pause(0.0001)

    def flood(self, network: int, port: int, count: int = 10_000) -> None:
        """SYNs to a port, ten in a millisecond, from as many addresses; only those of network 1 answer ARP."""
        for number in range(count):
            source = bytes((10, network)) + (number + 1).to_bytes(2, "big")
            self.says_tcp(SERVER, (1024 + number, port), SYN, seq=number, source=source)
            if number % 10 == 9:
                self.pause(0.001)

    def gone(self) -> None:
        """All connections end by resets."""
        for me in list(self.numbers):
            self.segment(me, RST)
        self.numbers.clear()
        self.pause(0.0)

    def wait(self, seconds: float) -> None:
        """Answer what comes, if it answers probes at all."""
        while seconds > 0:
            self.pause(10.0)
            seconds -= 10.0


def attacker_process(pipe: Pipe) -> None:
    """Do what is asked, one request after another, until there is none."""
    attacker = Attacker(pipe)
    while (request := pipe.recv()) is not None:
        name, *arguments = request
        if name == "takes_probes":
            (attacker.takes_probes,) = arguments
        else:
            getattr(attacker, name)(*arguments)
        pipe.send(None)


class Remote:
    """The attacker as the host's process has it: its place on the Ethernet, and the pipe to it."""

    def __init__(self, ethernet: Ethernet) -> None:
        self.port = ethernet.attach("attacker", ATTACKER_MAC, queue_limit=100_000)
        self.port.open(lambda: None)
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=attacker_process, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    async def does(self, request: str, *arguments: object) -> None:
        """Have the attacker do that: what it says goes on the wire, what comes for it goes back."""
        self.pipe.send((request, *arguments))
        while (step := self.pipe.recv()) is not None:
            frames, seconds = step
            for frame in frames:
                assert self.port.write([frame], 0.0)
            await trio.sleep(seconds)
            heard = []
            while (view := self.port.read(0.0)) is not None:
                heard.append(bytes(view))
            self.pipe.send(heard)
        self.let_go()

    def let_go(self) -> None:
        """Throw away what has come for the attacker and will not be read: it is no memory of the host's."""
        while self.port.read(0.0) is not None:
            pass

    def end(self) -> None:
        """The process ends."""
        self.pipe.send(None)
        self.process.join()


async def exchanged(host: Host, count: int, stream: trio.SocketStream | None = None) -> bool:
    """Whether `count` octets come back from the echo service within two minutes, over `stream` or a new connection."""
    with trio.move_on_after(120):
        try:
            if stream is None:
                stream = await host.open_tcp_stream(SERVER, 7)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, bytes(count))
                left = count
                while left:
                    left -= len(await stream.receive_some())
            return True
        except* OSError:
            pass
    return False


async def main(attack: str) -> None:
    """Run one attack."""
    ethernet = Ethernet()
    ports = [ethernet.attach(name, queue_limit=20_000) for name in ("server", "old", "new")]
    async with (
        host_on(ports[0], f"{SERVER}/8", seed=1, config=CONFIG) as server,
        host_on(ports[1], f"{OLD}/8", seed=2) as old,
        host_on(ports[2], f"{NEW}/8", seed=3) as new,
        trio.open_nursery() as nursery,
    ):
        await serve(server, {"echo": 7}, nursery)
        stream = await old.open_tcp_stream(SERVER, 7)
        assert await exchanged(old, 1 << 20, stream)
        assert await exchanged(new, 1000)
        attacker = Remote(ethernet)
        await attacker.does("connect", 200, 1)  # the host has been in use before, and its ARP cache is full
        await attacker.does("flood", 1, 4242, 1000)
        await attacker.does("leave_holes")
        await attacker.does("gone")
        await trio.sleep(60)
        attacker.let_go()
        gc.collect()
        before = most = resident_bytes()
        opened = server.counters()["tcpPassiveOpens"]
        if attack in FLOODS:
            await attacker.does("flood", *FLOODS[attack])
        else:
            count = CONNECTIONS[attack]
            await attacker.does("connect", count, count if attack == "holes of many" else 1)
            await attacker.does("takes_probes", attack != "holes")
            await attacker.does("flood_echo" if attack == "echo" else "leave_holes")
        opened = server.counters()["tcpPassiveOpens"] - opened
        most = max(most, resident_bytes())
        result: dict[str, object] = {
            "old": await exchanged(old, 1 << 20, stream),
            "new": await exchanged(new, 1000),
            "opened": opened,
            "before": before / (1 << 20),
        }
        most = max(most, resident_bytes())
        await attacker.does("wait", 300)  # in which those that are silent are found out
        most = max(most, resident_bytes())
        result["later"] = (resident_bytes() - before) / (1 << 20)
        await attacker.does("gone")
        await trio.sleep(60)
        attacker.let_go()
        attacker.end()
        result["most"], result["after"] = ((most - before) / (1 << 20), (resident_bytes() - before) / (1 << 20))
        result["connections"] = len(server.connections())
        counters = server.counters()
        result["pruned"], result["dropped"] = counters["tcp_pruned"], counters["tcp_no_memory"]
        print(json.dumps(result), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], clock=MockClock(autojump_threshold=0))
