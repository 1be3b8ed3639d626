"""The same packets, from a raw station, to a host of ours and to the kernel beside it: both do the
same with them.

What is compared is in each test: the segments that come back, with numbers counted from each side's
first, and what the program at the other end reads. Timing is compared only where a host would wait
for a timer.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
import trio

import stack
from stack.testing.frame_sender import Heard
from stack.wire.checksum import internet_checksum
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options, parse_options
from tests.live.attacker import Attacker, tcp_in
from tests.live.net import OURS, PATIENCE_S, Namespace
from tests.live.tap_host import on_tap
from tests.requirements import rfc

T = TypeVar("T")

KERNEL = "10.10.0.1"
PORT, MSS = 7000, 1460
FIRST = 100_000  # the station's initial sequence number
FAST_OPEN_OF_SERVERS = "3"


class End(Protocol):
    """A connected socket of the program."""

    def recv(self, count: int) -> bytes: ...
    def send(self, data: bytes) -> object: ...
    def shutdown(self, how: int) -> None: ...
    def close(self) -> None: ...


class Program(Protocol):
    """Sockets of one of the two hosts, as a program that blocks sees them."""

    address: str

    def listen(self, port: int, *, fast_open: bool = False) -> None: ...
    def accept(self) -> End: ...
    def connect_soon(self, address: str, port: int) -> None: ...


class OnKernel:
    """A program on the kernel's sockets."""

    address = KERNEL

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._open: list[socket.socket] = []

    def _socket(self) -> socket.socket:
        self._open.append(self._namespace.socket(socket.SOCK_STREAM))
        return self._open[-1]

    def listen(self, port: int, *, fast_open: bool = False) -> None:
        self._listener = self._socket()
        if fast_open:
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        self._listener.bind((self.address, port))
        self._listener.listen()

    def accept(self) -> End:
        accepted, _ = self._listener.accept()
        accepted.settimeout(PATIENCE_S)
        self._open.append(accepted)
        return accepted

    def connect_soon(self, address: str, port: int) -> None:
        connecting = self._socket()
        connecting.setblocking(False)
        with pytest.raises(BlockingIOError):
            connecting.connect((address, port))

    def close(self) -> None:
        for made in self._open:
            made.close()


class OurEnd:
    """A connected socket of ours, used from a thread."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def recv(self, count: int) -> bytes:
        received: bytes = in_trio(partial(self._sock.recv, count))
        return received

    def send(self, data: bytes) -> object:
        return in_trio(partial(self._sock.send, data))

    def shutdown(self, how: int) -> None:
        trio.from_thread.run_sync(self._sock.shutdown, how)

    def close(self) -> None:
        trio.from_thread.run_sync(self._sock.close)


class OnOurs:
    """A program on sockets of ours."""

    address = OURS

    def __init__(self, host: stack.Host, nursery: trio.Nursery) -> None:
        self._host, self._nursery = host, nursery
        self._listener: Any = None

    def listen(self, port: int, *, fast_open: bool = False) -> None:
        async def body() -> None:
            self._listener = self._host.socket(trio.socket.AF_INET, trio.socket.SOCK_STREAM)
            if fast_open:
                self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
            await self._listener.bind((self.address, port))
            self._listener.listen(5)

        trio.from_thread.run(body)

    def accept(self) -> End:
        accepted, _ = in_trio(self._listener.accept)
        return OurEnd(accepted)

    def connect_soon(self, address: str, port: int) -> None:
        async def body() -> None:
            with suppress(OSError), self._host.socket(trio.socket.AF_INET, trio.socket.SOCK_STREAM) as sock:
                await sock.connect((address, port))

        trio.from_thread.run_sync(self._nursery.start_soon, body)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()


def in_trio(call: Callable[[], Any]) -> Any:
    """Wait for a call of ours, from a thread, not for ever."""

    async def body() -> Any:
        with trio.fail_after(PATIENCE_S):
            return await call()

    return trio.from_thread.run(body)


class Talk:
    """One connection of the station's with a program. Numbers are counted from each side's first octet of data."""

    serial = 40_000

    def __init__(self, station: Attacker, program: Program) -> None:
        Talk.serial += 1
        self.station, self.program, self.port = station, program, Talk.serial
        self.theirs = 0  # the program's first octet
        station.asks(program.address)

    def says(
        self, flags: int, seq: int = 0, ack: int = 0, data: bytes = b"", options: TcpOptions | None = None
    ) -> None:
        number = (FIRST + 1 + seq) & 0xFFFFFFFF
        acked = (self.theirs + ack) & 0xFFFFFFFF if flags & ACK else 0
        raw = b"" if options is None else build_options(options)
        ports = (self.port, PORT)
        self.station.says_tcp(self.program.address, ports, flags, seq=number, ack=acked, data=data, options=raw)

    def hears(self, wanted: Callable[[Heard], bool] = lambda heard: True, timeout_s: float = PATIENCE_S) -> Heard:
        return self.station.hears_tcp(lambda heard: self.is_mine(heard) and wanted(heard), timeout_s)

    def is_mine(self, heard: Heard) -> bool:
        return heard.tcp.destination_port == self.port

    def opens(self, syn: TcpOptions | None = None, ack: TcpOptions | None = None) -> End:
        """The three-way handshake, by the station."""
        self.says(SYN, -1, options=syn or TcpOptions(mss=MSS))
        answer = self.hears(lambda heard: heard.tcp.flags & SYN != 0)
        assert answer.tcp.ack == FIRST + 1
        self.theirs = answer.next
        self.says(ACK, options=ack)
        return self.program.accept()

    def answers(self) -> list[tuple[int, int, int, bytes]]:
        """What comes until the host has answered two pings: (flags without PSH, seq, ack, data) of each segment."""
        found: list[tuple[int, int, int, bytes]] = []
        for number in (1, 2):
            self.station.says_ip(PROTO_ICMP, echo(number), self.program.address)
            while True:
                frame = self.station.hears(lambda frame: True)
                if is_echo_reply(frame, number):
                    break
                heard = tcp_in(frame)
                if heard is not None and self.is_mine(heard):
                    found.append(self.relative(heard))
        return found

    def relative(self, heard: Heard) -> tuple[int, int, int, bytes]:
        seq, ack = (heard.tcp.seq - self.theirs) & 0xFFFFFFFF, (heard.tcp.ack - FIRST - 1) & 0xFFFFFFFF
        return heard.tcp.flags & ~PSH, seq, ack, heard.data

    def sent_within(self, seconds: float, enough: int = 1 << 30) -> int:
        """How far the program's stream has been sent when this time is over, or `enough` of it is."""
        reached, end = 0, time.monotonic() + seconds
        while reached < enough and (left := end - time.monotonic()) > 0:
            frame = self.station.hears_or_not(lambda frame: True, left)
            heard = None if frame is None else tcp_in(frame)
            if heard is not None and self.is_mine(heard) and not heard.tcp.flags & SYN:
                reached = max(reached, (heard.tcp.seq + len(heard.data) - self.theirs) & 0xFFFFFFFF)
        return reached


def echo(number: int, data: bytes = b"") -> bytes:
    bare = bytes((8, 0, 0, 0, 0x53, 0x50)) + number.to_bytes(2, "big") + data
    return bare[:2] + internet_checksum(bare).to_bytes(2, "big") + bare[4:]


def is_echo_reply(frame: bytes, number: int) -> bool:
    return frame[12:14] == b"\x08\x00" and frame[23] == PROTO_ICMP and frame[34:35] == b"\0" and (
        frame[38:42] == b"\x53\x50" + number.to_bytes(2, "big")
    )  # fmt: skip


def on_both(namespace: Namespace, test: Callable[[Attacker, Program], T]) -> tuple[T, T]:
    """What `test(station, program)` returns with a host of ours, and with the kernel."""

    async def ours(host: stack.Host) -> T:
        async with trio.open_nursery() as nursery:
            program = OnOurs(host, nursery)
            with Attacker(namespace) as station:
                result = await trio.to_thread.run_sync(test, station, program)
            program.close()
            nursery.cancel_scope.cancel()
        return result

    first = on_tap(namespace, ours)
    namespace.in_here(Path("/proc/sys/net/ipv4/tcp_fastopen").write_text, FAST_OPEN_OF_SERVERS)
    namespace.ip("link", "add", "k0", "type", "veth", "peer", "name", "k1")
    namespace.ip("addr", "add", f"{KERNEL}/24", "dev", "k1")
    namespace.ip("link", "set", "k0", "up")
    namespace.ip("link", "set", "k1", "up")
    program = OnKernel(namespace)
    try:
        with Attacker(namespace, "10.10.0.66", interface="k0") as station:
            return first, test(station, program)
    finally:
        program.close()


@rfc("field-2")
def test_text_beyond_a_fin(namespace: Namespace) -> None:
    pieces = {"front": (ACK, 0, b"aa"), "last": (FIN | ACK, 2, b"bb"), "evil": (ACK, 4, b"EVIL")}

    def test(station: Attacker, program: Program) -> list[tuple[bytes, int]]:
        program.listen(PORT)
        results = []
        for order in (("last", "evil", "front"), ("evil", "last", "front")):
            talk = Talk(station, program)
            end = talk.opens()
            for name in order:
                flags, seq, data = pieces[name]
                talk.says(flags, seq, data=data)
            read = b""
            while part := end.recv(100):
                read += part
            talk.says(ACK, -1)  # a keep-alive has it say where it stands
            results.append((read, talk.answers()[-1][2]))
            talk.says(RST, results[-1][1])
            end.close()
        return results

    ours, kernel = on_both(namespace, test)
    assert kernel[0] == (b"aabb", 5)
    assert ours == kernel


@rfc("field-5")
def test_timestamps_that_are_missing(namespace: Namespace) -> None:
    def test(station: Attacker, program: Program) -> object:
        program.listen(PORT)
        talk = Talk(station, program)
        stamps = TcpOptions(timestamps=(1000, 0))
        end = talk.opens(TcpOptions(mss=MSS, timestamps=(1000, 0)), stamps)
        end.send(b"hello")
        assert parse_options(talk.hears(lambda heard: heard.data == b"hello").tcp.options).timestamps is not None
        talk.says(ACK, ack=5)
        acknowledged = talk.answers()
        again = talk.sent_within(0.8)
        talk.says(ACK, -1, 5)
        keep_alive = talk.answers()
        talk.says(ACK, 0, 5, b"data")
        read = end.recv(100)
        talk.hears(lambda heard: heard.tcp.ack == FIRST + 5)
        talk.says(ACK, 4, -(1 << 24), b"evil")  # RFC 5961 section 5.2
        talk.answers()  # a challenge, unless the answer to the keep-alive was one of too many
        talk.says(ACK, 4, 5, b"good")
        result = acknowledged, again, keep_alive, read, end.recv(100)
        talk.says(RST, 8)
        end.close()
        return result

    ours, kernel = on_both(namespace, test)
    assert kernel == ([], 0, [(ACK, 5, 0, b"")], b"data", b"good")
    assert ours == kernel


@rfc("field-6")
def test_a_challenge_to_our_syn(namespace: Namespace) -> None:
    def test(station: Attacker, program: Program) -> tuple[list[int], bool]:
        station.asks(program.address)
        program.connect_soon("10.9.0.66" if program.address == OURS else "10.10.0.66", PORT)

        def to_us(heard: Heard) -> bool:
            return heard.tcp.destination_port == PORT

        syn = station.hears_tcp(to_us)
        begun = time.monotonic()
        ports = PORT, syn.tcp.source_port
        station.says_tcp(program.address, ports, ACK, seq=5000, ack=(syn.tcp.seq + 77_777) & 0xFFFFFFFF)
        reset, again = station.hears_tcp(to_us), station.hears_tcp(to_us)
        assert reset.tcp.seq == (syn.tcp.seq + 77_777) & 0xFFFFFFFF
        assert again.tcp.seq == syn.tcp.seq
        at_once = time.monotonic() - begun < 0.9  # the timer takes a second
        station.says_tcp(program.address, ports, RST | ACK, seq=0, ack=(syn.tcp.seq + 1) & 0xFFFFFFFF)
        return [reset.tcp.flags, again.tcp.flags & ~0xC0], at_once

    ours, kernel = on_both(namespace, test)
    assert kernel == ([RST, SYN], True)
    assert ours == kernel


@rfc("field-7")
def test_the_tail_of_a_write(namespace: Namespace) -> None:
    def test(station: Attacker, program: Program) -> tuple[int, int]:
        program.listen(PORT)
        talk = Talk(station, program)
        end = talk.opens()
        end.send(bytes(2 * MSS + 100))
        first = talk.sent_within(3.0, 2 * MSS + 100)
        end.send(b"more")
        second = talk.sent_within(0.1)
        talk.says(RST)
        end.close()
        return first, second if second > first else first

    ours, kernel = on_both(namespace, test)
    assert kernel == (2 * MSS + 100, 2 * MSS + 100)
    assert ours == kernel


@rfc("field-8")
def test_the_octet_of_a_syn_and_the_initial_window(namespace: Namespace) -> None:
    def test(station: Attacker, program: Program) -> int:
        program.listen(PORT, fast_open=True)
        talk = Talk(station, program)
        talk.says(SYN, -1, options=TcpOptions(mss=MSS, fast_open=b""))
        cookie = parse_options(talk.hears().tcp.options).fast_open
        assert cookie
        talk.says(RST)
        talk = Talk(station, program)
        talk.says(SYN, -1, data=b"x", options=TcpOptions(mss=MSS, fast_open=cookie))
        answer = talk.hears()
        assert (answer.tcp.flags, answer.tcp.ack) == (SYN | ACK, FIRST + 2)
        talk.theirs = answer.next
        end = program.accept()
        end.send(bytes(20 * MSS))
        sent = talk.sent_within(0.6)
        talk.says(RST, 1)
        end.close()
        return sent

    ours, kernel = on_both(namespace, test)
    assert kernel == 10 * MSS
    assert ours == kernel


@rfc("field-9")
def test_out_of_step_in_time_wait(namespace: Namespace) -> None:
    def test(station: Attacker, program: Program) -> object:
        program.listen(PORT)
        talk = Talk(station, program)
        end = talk.opens()
        end.close()
        talk.hears(lambda heard: heard.tcp.flags & FIN != 0)
        talk.says(FIN | ACK, 0, 1)
        talk.hears(lambda heard: heard.tcp.ack == FIRST + 2)
        talk.says(ACK, 1, 1)
        in_step = talk.answers()
        talk.says(ACK, 3, 1)
        out_of_step = talk.answers()
        for _ in range(200):
            talk.says(ACK, 3, 1)
        return in_step, out_of_step, len(talk.answers()) < 100

    ours, kernel = on_both(namespace, test)
    assert kernel == ([], [(ACK, 1, 1, b"")], True)
    assert ours == kernel


@rfc("field-10")
def test_a_fin_that_is_repeated_in_closing(namespace: Namespace) -> None:
    def test(station: Attacker, program: Program) -> object:
        program.listen(PORT)
        talk = Talk(station, program)
        end = talk.opens()
        end.shutdown(socket.SHUT_WR)
        talk.hears(lambda heard: heard.tcp.flags & FIN != 0)
        talk.says(FIN | ACK, 0, 0)  # they cross
        talk.hears(lambda heard: heard.tcp.ack == FIRST + 2)
        talk.says(FIN | ACK, 0, 1)  # its ACK was lost
        end_of_stream = end.recv(1)
        end.close()
        talk.answers()
        return end_of_stream, station.hears_or_not(partial(is_fin_of, talk), 1.5) is not None

    ours, kernel = on_both(namespace, test)
    assert kernel == (b"", False)
    assert ours == kernel


def is_fin_of(talk: Talk, frame: bytes) -> bool:
    heard = tcp_in(frame)
    return heard is not None and talk.is_mine(heard) and heard.tcp.flags & FIN != 0


@rfc("field-11")
def test_fragments_that_were_cut_again(namespace: Namespace) -> None:
    def test(station: Attacker, program: Program) -> bool:
        target = station.asks(program.address)
        datagram = echo(7, bytes(range(248)) * 12)
        for start, end in ((0, 1480), (0, 736), (736, 1480), (1480, 2960), (2960, len(datagram))):
            header = Ipv4Header(
                station.address,
                socket.inet_aton(program.address),
                PROTO_ICMP,
                20 + end - start,
                4242,
                more_fragments=end < len(datagram),
                fragment_offset=start,
            )
            station.says(ethernet_ii(target, station.mac, ETHERTYPE_IPV4) + header.build() + datagram[start:end])
        return station.hears_or_not(lambda frame: is_echo_reply(frame, 7), 5.0) is not None

    ours, kernel = on_both(namespace, test)
    assert kernel
    assert ours == kernel
