"""The hostile station of the live checks: it writes raw frames to the TAP that `scripts/run`
answers on.

The host cannot tell its frames from those of another station on the network: it forges whatever
address it likes, and hears all that the host sends. The kernel, which has the address 10.9.0.1 on
the same TAP, is the honest peer.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack.testing.frame_sender import FrameSender, Heard, segment_in
from stack.wire.addresses import parse_ipv4, parse_mac
from stack.wire.arp import REQUEST, ArpPacket
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_TCP
from tests import modes
from tests.live.net import OURS, PATIENCE_S, Namespace, Program

RUN = Path(__file__).resolve().parents[2] / "scripts" / "run"
STATION = b"\x02\0\0\0\0\x66"
ETH_P_ALL = 3


@contextmanager
def run(namespace: Namespace, *options: str, ends_with: int = 0, errors: bool = False) -> Iterator[Program]:
    """`scripts/run` in a namespace, ready. It must end with this status, and complain of nothing unless `errors`."""
    with namespace.start(str(RUN), *modes.up_options(), *options) as program:
        program.wait_for(b"ready: ")
        yield program
        status, _, complaints = program.stop()
        assert errors or not complaints, complaints.decode()
        assert status == ends_with


class Attacker(FrameSender):
    """A raw socket on an interface of a namespace, by default the TAP. `address` is its own. Close it, or use it in a
    `with` block.

    `host` is the station address of the host that it attacks, once `asks` has found it out.
    """

    def __init__(
        self, namespace: Namespace, address: str = "10.9.0.66", mac: bytes = STATION, interface: str = "tap0"
    ) -> None:
        super().__init__(address, mac)
        self._socket: socket.socket = namespace.in_here(
            socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)
        )
        self._socket.bind((interface, ETH_P_ALL))
        self.kernel = parse_mac(namespace.run("cat", f"/sys/class/net/{interface}/address").decode().strip())
        """The station address of the kernel's side."""

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    # --- speaking

    def says(self, frame: bytes) -> None:
        assert self._socket.send(frame) == len(frame)

    # --- hearing

    def hears(self, wanted: Callable[[bytes], bool], timeout_s: float = PATIENCE_S) -> bytes:
        """The next frame of the host that is `wanted`; fails when none comes in time."""
        frame = self.hears_or_not(wanted, timeout_s)
        if frame is None:
            pytest.fail("the host has not sent what was waited for")
        return frame

    def hears_or_not(self, wanted: Callable[[bytes], bool], timeout_s: float) -> bytes | None:
        """The next frame of the host that is `wanted`, or None when none comes in time."""
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                break
            frame, place = self._socket.recvfrom(1 << 17)
            if place[2] == socket.PACKET_OUTGOING:  # what the kernel, or this station, has written
                continue
            self._note_station(frame)
            if wanted(frame):
                return frame
        return None

    def _note_station(self, frame: bytes) -> None:
        if EthernetHeader.parse(frame).ethertype == ETHERTYPE_ARP:
            packet = ArpPacket.parse(frame[14:])
            self.stations[packet.sender_ip] = packet.sender_mac

    def hears_tcp(self, wanted: Callable[[Heard], bool], timeout_s: float = PATIENCE_S) -> Heard:
        """The next TCP segment of the host that is `wanted`."""

        def fits(frame: bytes) -> bool:
            heard = tcp_in(frame)
            return heard is not None and wanted(heard)

        heard = tcp_in(self.hears(fits, timeout_s))
        assert heard is not None
        return heard

    def asks(self, address: str = OURS, source: str | None = None) -> bytes:
        """Learn the station of `address` by ARP, as `source` (by default itself); the host learns the asker by that."""
        self.says_arp(REQUEST, self.address if source is None else parse_ipv4(source), parse_ipv4(address))
        self.hears(lambda frame: parse_ipv4(address) in self.stations)
        return self.stations[parse_ipv4(address)]


def tcp_in(frame: bytes) -> Heard | None:
    """The TCP segment that a frame carries, None when there is none."""
    if len(frame) < 54 or EthernetHeader.parse(frame).ethertype != ETHERTYPE_IPV4:
        return None
    ip = Ipv4Header.parse(frame[14:])
    if ip.protocol != PROTO_TCP:
        return None
    return segment_in(frame[14 : 14 + ip.total_length], ip)
