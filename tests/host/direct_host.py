"""A host that a test hands frames to, without a clock: to compare what fast and plain code make of
them.
"""

from __future__ import annotations

from random import Random

from stack.config import Config
from stack.counters import Counters
from stack.frame_buffer import FrameBuffer
from stack.host.host import HostCore
from stack.link.memory import Ethernet
from stack.wire.addresses import Prefix, parse_ipv4
from stack.wire.arp import REPLY, ArpPacket
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_ARP

US, OTHER, PEER = (parse_ipv4(f"10.0.0.{number}") for number in (1, 2, 3))
MAC, PEER_MAC = b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2"
NOW = 1.0
ROOM = 66_000  # bytes: for a super-frame


class DirectHost:
    """The host 10.0.0.1. One other station answers ARP for all other addresses; `sent` has the frames that reach it."""

    def __init__(self, config: Config) -> None:
        self.host = HostCore(config, random=Random(1).randbytes, raise_errors=True)
        ethernet = Ethernet()
        self.link, self._far = ethernet.attach("wire", MAC), ethernet.attach("far", PEER_MAC)
        for link in (self.link, self._far):
            link.open(lambda: None)
        self.interface = self.host.attach(self.link, [Prefix(US, 24)], None, 0.0, acd="off")
        self.sent: list[bytes] = []
        self.now = NOW

    def hears(self, *frames: bytes, verified: tuple[bool, ...] = (False,)) -> None:
        """One batch, in the one buffer that the link has; `verified` says in turn whether it knows the checksums."""
        buffer = FrameBuffer(ROOM)
        for number, frame in enumerate(frames):
            if buffer.kept:
                buffer = buffer.another()
            buffer[:] = b"\xdb" * len(buffer)
            buffer[: len(frame)] = frame
            self.link.rx_checksum_ok = verified[number % len(verified)]
            self.host.frame(self.interface, self.now, memoryview(buffer).toreadonly()[: len(frame)])
        self.host.batch_end(self.now)
        self._answer_arp()

    def _answer_arp(self) -> None:
        while (view := self._far.read(self.now)) is not None:
            frame = bytes(view)
            self.sent.append(frame)
            if frame[12:14] == ETHERTYPE_ARP.to_bytes(2, "big"):
                wanted = ArpPacket.parse(frame[14:]).target_ip
                self.hears(
                    ethernet_ii(MAC, PEER_MAC, ETHERTYPE_ARP) + ArpPacket(REPLY, PEER_MAC, wanted, MAC, US).build()
                )

    def outcome(self) -> tuple[object, ...]:
        """What was sent, dropped and counted."""
        return self.sent, Counters.drops(self.host.counters), dict(self.host.counters)
