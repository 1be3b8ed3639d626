"""What the micro-benchmarks work on: a connection between two whole hosts whose wires have been
cut.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from math import inf

from stack.host.interface import Interface
from stack.link.device import NO_OFFLOAD, Offload
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.wire.checksum import Buffer
from tests.sim.network import Machine, Network

MSS = 1448


class Wire:
    """A link around a port of an Ethernet. Once it is cut, what is written is kept in `sent` and goes nowhere."""

    def __init__(self, ethernet: Ethernet) -> None:
        self._link = ethernet.attach()
        self.cut = False
        self.sent: list[bytes] = []
        self.name, self.mtu, self.mac, self.ip_offset = "wire0", 1500, self._link.mac, 14
        self.offload = Offload(checksum=True, gso_max_bytes=65_000)
        self.rx_checksum_ok = True
        self.rx_gso_size = self.queue_frames = 0
        self.may_offload = True
        self.deadline = inf

    def open(self, wake: Callable[[], None]) -> None:
        """As the port."""
        self._link.open(wake)

    def fileno(self) -> int:
        """There is none."""
        return -1

    def read(self, now: float) -> memoryview | None:
        """As the port."""
        return self._link.read(now)

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """As the port, or nowhere."""
        if not self.cut:
            return self._link.write(parts, now)
        self.sent = [b"".join(parts)]
        return True

    def poll(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """As the port."""
        self._link.close()


class World:
    """Two hosts, a connection between them that has carried a little, and no wire any more."""

    def __init__(self) -> None:
        self.network = Network(1)
        self.network.recording = False
        ethernet = Ethernet()
        self.wires: list[Wire] = []
        self.interfaces: list[Interface] = []
        machines: list[Machine] = []
        for number in (1, 2):
            machine = self.network.machine(f"host{number}")
            wire = Wire(ethernet)
            self.interfaces.append(machine.attach(wire, f"10.0.0.{number}/24"))
            self.wires.append(wire)
            machines.append(machine)
        self.here, self.there = machines
        listener = self.there.listen(7)
        self.conn = self.here.connect("10.0.0.2", 7)
        self.network.run(lambda: listener.readable)
        server = listener.accept()
        assert server is not None
        self.peer: Connection = server
        for sender, receiver in ((self.conn, self.peer), (self.peer, self.conn)):
            sender.send(b"x" * 100, self.now)
            self.settle()
            self.network.run(lambda receiver=receiver: receiver.receive_buffer.size > 0)  # type: ignore[misc]
            receiver.receive(1000, self.now)
        self.network.run(for_s=1.0)
        for wire in self.wires:
            wire.cut = True

    @property
    def now(self) -> float:
        """Seconds."""
        return self.network.now

    def settle(self) -> None:
        """Let both send what they have."""
        self.here.settle()
        self.there.settle()

    def frame_from_peer(self, text: bytes) -> memoryview:
        """A frame with the next text of the peer's, or only with his acknowledgment of all that we have sent."""
        if text:
            self.peer.send(text, self.now)
        else:
            self.there.host.frame(self.interfaces[1], self.now, memoryview(self.wires[0].sent[-1]))
            self.peer.ack_now = "ack_two_segments"
        self.there.settle()
        return memoryview(self.wires[1].sent[-1])


class SocketLink:
    """Bare IP packets over a pair of datagram sockets: a link with a descriptor, without a device."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.setblocking(False)
        self._buffer = bytearray(2048)
        self.name, self.mtu, self.mac, self.ip_offset = "pair0", 1500, None, 0
        self.offload = NO_OFFLOAD
        self.rx_checksum_ok = self.may_offload = False
        self.rx_gso_size = self.queue_frames = 0
        self.deadline = inf

    @classmethod
    def pair(cls) -> tuple[SocketLink, SocketLink]:
        """Both ends."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        return cls(one), cls(other)

    def open(self, wake: Callable[[], None]) -> None:
        """The descriptor tells."""

    def fileno(self) -> int:
        """To wait for."""
        return self._sock.fileno()

    def read(self, now: float) -> memoryview | None:
        """The next packet."""
        try:
            return memoryview(self._buffer)[: self._sock.recv_into(self._buffer)]
        except BlockingIOError:
            return None

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Send one packet."""
        try:
            os.writev(self._sock.fileno(), parts)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNREFUSED, errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET):
                raise
            return False
        return True

    def poll(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
