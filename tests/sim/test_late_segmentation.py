"""A link without offload carries the same, whether TCP forms each segment or super-frames are cut before it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from stack.config import Config, TcpConfig
from stack.link.device import NO_OFFLOAD, Link, Offload
from stack.link.impair import Impaired
from stack.link.memory import Ethernet
from stack.wire.checksum import Buffer
from stack.wire.ipv4 import Ipv4Header
from stack.wire.tcp import CWR, SYN, TcpHeader
from tests.sim.network import Machine, Network
from tests.sim.programs import Exchange, Server
from tests.sim.test_marked_wire import Marker

SOFTWARE = Offload(gso_max_bytes=65_415, software=True)
Sent = tuple[int, int, int, int, bytes]  # from the first sequence number on, flags, window, options but for time, data
DATA = bytes(range(256)) * 4000


class Case:
    """One transfer of DATA from host1 to host2; `sent` are host1's segments with data, in order."""

    def __init__(
        self, offload: Offload, config: Config | None = None, *, marks: bool = False, **impairment: Any
    ) -> None:
        self.network = Network(3)
        ethernet = Ethernet()
        self.sent: list[Sent] = []
        self.frames: list[int] = []
        machines = []
        for number in (1, 2):
            machine = self.network.machine(f"host{number}", config)
            port = ethernet.attach()
            link: Link = Impaired(port, seed=3, **impairment) if impairment else port
            if number == 1:
                if marks:
                    link = Marker(port, b"")
                link.offload = offload
                self._watch(link)
            machine.attach(link, f"10.0.0.{number}/24")
            machines.append(machine)
        self.here, self.there = machines

    def _watch(self, link: Link) -> None:
        write = link.write

        def seen(parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
            frame = b"".join(parts)
            self.frames.append(len(frame))
            if frame[12:14] == b"\x08\x00":
                self._segment(frame[14:])
            return write(parts, now, offload)

        link.write = seen  # type: ignore[method-assign]

    def _segment(self, packet: bytes) -> None:
        ip = Ipv4Header.parse(packet)
        segment = packet[ip.header_length :]
        tcp = TcpHeader.parse(segment)
        if tcp.flags & SYN:
            self.first = tcp.seq
        data = segment[tcp.header_length :]
        if data:
            self.sent.append(((tcp.seq - self.first) & 0xFFFFFFFF, tcp.flags, tcp.window, len(tcp.options), data))

    def run(self) -> Exchange:
        server = Server(self.there, 7, Exchange)
        program = Exchange(self.here, self.here.connect("10.0.0.2", 7), DATA)
        self.network.run(lambda: program.closed and not self.here.host.tcp.connections, for_s=600)
        assert [bytes(each.received) for each in programs(server)] == [DATA]
        return program


def programs(server: Server) -> list[Exchange]:
    return [each for each in server.programs if isinstance(each, Exchange)]


def counted(machine: Machine, *names: str) -> list[int]:
    return [machine.host.counters[name] for name in names]


def test_segment_by_segment_it_is_the_same() -> None:
    """Without loss, for the same windows: each sequence number, flag, window, length and octet."""
    cut, formed = Case(SOFTWARE), Case(NO_OFFLOAD)
    for case in (cut, formed):
        case.run()
        assert max(case.frames) == 1514
    assert b"".join(each[-1] for each in cut.sent) == DATA
    assert cut.sent == formed.sent
    names = ("tcpOutSegs", "tcpRetransSegs", "ifOutOctets", "ifOutUcastPkts", "ipSystemStatsOutTransmits")
    assert counted(cut.here, *names) == counted(formed.here, *names)


@pytest.mark.parametrize("loss", [0.001, 0.01, 0.05])
def test_what_is_lost_of_a_super_frame_is_sent_again(loss: float) -> None:
    cut = Case(SOFTWARE, loss=loss, delay_s=0.01)
    cut.run()
    assert max(cut.frames) == 1514
    assert cut.here.host.counters["tcpRetransSegs"] > 0
    assert cut.there.host.counters["tcpInErrs"] == 0


def test_congestion_is_answered_by_one_cwr() -> None:
    """RFC 3168 section 6.1.2: only the first new segment after the reduction carries it."""
    cut = Case(SOFTWARE, Config(tcp=TcpConfig(ecn="on")), marks=True)
    cut.run()
    cwr = [seq for seq, flags, *_ in cut.sent if flags & CWR]
    assert cwr
    assert all(after - before > 2 * 1448 for before, after in pairwise(cwr)), "not two segments of one super-frame"
    assert max(cut.frames) == 1514
