"""Offload in both directions: super-frames and partial checksums between this stack and the kernel."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

import stack
from stack.link.device import NO_OFFLOAD
from stack.link.tap import OFFLOADS, Tap
from stack.wire import virtio
from stack.wire.addresses import parse_ipv4
from stack.wire.checksum import Buffer, pseudo_sum, verify
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK, PSH, TcpHeader
from tests.live.net import OURS, Namespace, ip, need, up
from tests.live.tap_host import host_on, on_tap, pair

UDP_SEGMENT = 103
MEGABYTES, HUNDRED = 32, 100_000
CHUNK = os.urandom(1 << 20)


class Watched(Tap):
    """A TAP that notes, for each frame that was read, its length and the size of its pieces; and what was written."""

    def __init__(self, offload: bool | str) -> None:
        super().__init__("tap0", offload=offload)
        self.seen: list[tuple[int, int]] = []
        self.written: list[tuple[int, bytes]] = []  # lengths and headers

    def read(self, now: float) -> memoryview | None:
        view = super().read(now)
        if view is not None:
            self.seen.append((len(view), self.rx_gso_size))
        return view

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        self.written.append((sum(map(len, parts)), offload))
        return super().write(parts, now, offload)


def on_offloading_tap(
    namespace: Namespace, test: Callable[[stack.Host, Watched], Awaitable[None]], offload: bool | str = True
) -> None:
    """Run `test(host, link)` on a host of ours whose TAP offloads so much, if not everything: see `on_tap`."""

    async def body() -> None:
        link = Watched(offload)
        with trio.fail_after(60):
            async with host_on(link, namespace) as host:
                await test(host, link)

    namespace.in_here(trio.run, body)


async def take(host: stack.Host, namespace: Namespace) -> None:
    """A hundred kilobytes from the kernel."""
    stream, kernel = await pair(host, namespace, active=True)

    def send() -> None:
        with closing(kernel):
            kernel.sendall(CHUNK[:HUNDRED])

    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, send)
        assert b"".join([data async for data in stream]) == CHUNK[:HUNDRED]


# --- what the kernel gives us -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offload", "least", "most"), [(True, 30_000, 65_549), ("checksum", 1514, 1514), ("software", 1514, 1514)]
)
def test_a_stream_comes_whole_in_frames_of_the_largest_kind(
    namespace: Namespace, offload: bool | str, least: int, most: int
) -> None:
    async def test(host: stack.Host, link: Watched) -> None:
        stream, kernel = await pair(host, namespace, active=True)

        def send() -> None:
            with closing(kernel):
                for _ in range(MEGABYTES):
                    kernel.sendall(CHUNK)

        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, send)
            expected = memoryview(CHUNK * 2)
            at = 0
            async for data in stream:
                start = at % len(CHUNK)
                for offset in range(0, len(data), len(CHUNK)):
                    piece = data[offset : offset + len(CHUNK)]
                    assert piece == expected[start : start + len(piece)]
                at += len(data)
            assert at == MEGABYTES * len(CHUNK)
        lengths = [length for length, _ in link.seen]
        assert least <= max(lengths) <= most
        assert {size for length, size in link.seen if length > 1514} <= {1448}
        assert host.counters()["tcpInErrs"] == 0

    on_offloading_tap(namespace, test, offload)


def test_datagrams_with_partial_checksums_and_fragments_come_and_go(namespace: Namespace) -> None:
    async def test(host: stack.Host, link: Watched) -> None:
        with host.socket(type=socket.SOCK_DGRAM) as sock, closing(namespace.socket(socket.SOCK_DGRAM)) as kernel:
            await sock.bind(("", 7))
            kernel.connect((OURS, 7))
            for length in (0, 1, 1472, 1473, 9000, 65507):
                data = CHUNK[:length]
                kernel.send(data)
                got, sender = await sock.recvfrom(1 << 16)
                assert got == data
                await sock.sendto(got, sender)
                assert await trio.to_thread.run_sync(kernel.recv, 1 << 16) == data
        assert host.counters()["udpInErrors"] == 0

    on_offloading_tap(namespace, test)


@pytest.mark.parametrize("size", [1472, 1000, 100])
def test_datagrams_sent_at_once_come_one_by_one(namespace: Namespace, size: int) -> None:
    """UDP_SEGMENT: one call, one frame, many datagrams, the last one short; a frame may even fit the MTU."""
    count = 12

    async def test(host: stack.Host, link: Watched) -> None:
        data = CHUNK[: size * count + 17]
        with host.socket(type=socket.SOCK_DGRAM) as sock, closing(namespace.socket(socket.SOCK_DGRAM)) as kernel:
            await sock.bind(("", 7))
            kernel.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
            kernel.connect((OURS, 7))
            for _ in range(3):
                kernel.send(data)
                for start in range(0, len(data), size):
                    got, _ = await sock.recvfrom(1 << 16)
                    assert got == data[start : start + size]
        if link.offload.uso:
            assert (14 + 20 + 8 + len(data), size) in link.seen
        assert host.counters()["udpInErrors"] == 0

    on_offloading_tap(namespace, test)


def test_pings_of_every_size(namespace: Namespace) -> None:
    need("ping")
    with up(namespace, "--offload"):
        for size in ("0", "1472", "1473", "65507"):
            namespace.run("ping", "-c", "3", "-i", "0.01", "-W", "5", "-s", size, OURS)


def test_an_icmp_error_quotes_a_whole_checksum(namespace: Namespace) -> None:
    """The kernel gave us the sum of the pseudo-header alone: on a wire it would have been another."""

    async def test(host: stack.Host, link: Watched) -> None:
        raw: socket.socket = namespace.in_here(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        with closing(raw), closing(namespace.socket(socket.SOCK_DGRAM)) as kernel:
            raw.settimeout(10)
            kernel.sendto(b"nobody there", (OURS, 9999))
            packet = await trio.to_thread.run_sync(raw.recv, 2000)
            quote = packet[28:]
            header = Ipv4Header.parse(quote, quoted=True)
            datagram = quote[header.header_length :]
            assert datagram[8:] == b"nobody there"
            assert verify(datagram, pseudo_sum(header.source, header.destination, PROTO_UDP, len(datagram)))

    on_offloading_tap(namespace, test)


def test_a_capture_holds_super_frames_whole(namespace: Namespace, tmp_path: Path) -> None:
    need("tcpdump")
    path = tmp_path / "large.pcapng"

    async def test(host: stack.Host) -> None:
        await take(host, namespace)

    on_tap(namespace, test, through=lambda _: stack.Capture(Tap("tap0"), path))
    shown = subprocess.run(["tcpdump", "-nr", path, "tcp"], capture_output=True, text=True, timeout=20, check=True)
    lengths = [int(line.rpartition(" ")[2]) for line in shown.stdout.splitlines()]
    assert max(lengths) > 1460
    assert sum(lengths) == HUNDRED
    assert "truncated" not in shown.stdout


def test_a_bad_wire_sees_frames_that_fit_the_mtu(namespace: Namespace) -> None:
    taps: list[Tap] = []

    def spoilt(_: Tap) -> stack.Impaired:
        taps.append(Tap("tap0"))
        return stack.Impaired(taps[0], seed=3, drop=lambda frame, _: len(frame) > 1514)

    async def test(host: stack.Host) -> None:
        assert taps[0].offload == NO_OFFLOAD
        await take(host, namespace)

    on_tap(namespace, test, through=spoilt)


def test_a_tap_deleted_beneath_a_waiter_ends_it(namespace: Namespace) -> None:
    async def test(host: stack.Host, link: Watched) -> None:
        assert link.offload != NO_OFFLOAD
        stream, kernel = await pair(host, namespace, active=True)
        with closing(kernel):
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, ip, "-n", namespace.name, "link", "del", "tap0")
                with pytest.raises(trio.BrokenResourceError) as caught:
                    await stream.receive_some(1)
            assert isinstance(caught.value.__cause__, OSError)
            assert caught.value.__cause__.errno == errno.ENETDOWN
        assert await host.wait_link_lost() == "tap0"

    on_offloading_tap(namespace, test)


# --- what we give the kernel ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offload", "least", "most"),
    [(True, 30_000, 65_549), ("checksum", 1514, 1514), ("software", 1514, 1514), (False, 1514, 1514)],
)
def test_a_stream_goes_whole_in_frames_of_the_largest_kind(
    namespace: Namespace, offload: bool | str, least: int, most: int
) -> None:
    async def test(host: stack.Host, link: Watched) -> None:
        stream, kernel = await pair(host, namespace, active=True)

        def receive() -> int:
            expected, at = memoryview(CHUNK * 2), 0
            while data := kernel.recv(1 << 20):
                start = at % len(CHUNK)
                assert data == expected[start : start + len(data)]
                at += len(data)
            return at

        async def send() -> None:
            async with stream:
                for _ in range(MEGABYTES):
                    await stream.send_all(CHUNK)

        with closing(kernel):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                assert await trio.to_thread.run_sync(receive) == MEGABYTES * len(CHUNK)
        assert least <= max(length for length, _ in link.written) <= most
        large = [header for length, header in link.written if length > 1514]
        assert {virtio.gso_size(header) for header in large} <= {1448}
        assert bool(large) is (offload is True)
        assert any(header for _, header in link.written) is (offload in (True, "checksum"))
        if offload == "software":
            super_frames = host.counters()["tcpOutSegs"]
            assert link.offload.software
            assert super_frames >= MEGABYTES * len(CHUNK) // 1448, "segments are counted, not what they were cut from"

    on_offloading_tap(namespace, test, offload)


# A router of the kernel's joins two of our TAPs. What is written to the first as a super-frame must come out of the
# second, which offloads nothing, as what the header before it promised.
LEFT, RIGHT = "10.1.0.2", "10.2.0.2"
OUR_MAC = bytes.fromhex("0200000000aa")
NOP, GSO_SIZE = b"\1", 500


@contextmanager
def routed() -> Iterator[tuple[Tap, Tap, bytes]]:
    """Both TAPs, and the router's station address on the first."""
    left = Tap("left", mac=OUR_MAC, host_address="10.1.0.1/24")
    right = Tap("right", mac=OUR_MAC, host_address="10.2.0.1/24", offload=False)
    for tap in (left, right):
        tap.open(lambda: None)
    try:
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for tap, address in ((left, LEFT), (right, RIGHT)):
            Path(f"/proc/sys/net/ipv4/conf/{tap.name}/rp_filter").write_text("0")
            ip("neigh", "replace", address, "lladdr", OUR_MAC.hex(":"), "dev", tap.name, "nud", "permanent")
        shown = ip("-o", "link", "show", "dev", "left")
        yield left, right, bytes.fromhex(shown.split("link/ether ")[1].split()[0].replace(":", ""))
    finally:
        left.close()
        right.close()


def segments(tap: Tap, count_bytes: int) -> list[tuple[Ipv4Header, TcpHeader, bytes]]:
    """The TCP segments that come, each with its checksums right, until they hold so many bytes of data."""
    found = []
    while count_bytes > 0:
        view = tap.read(0.0)
        if view is None:
            assert select.select([tap.fileno()], [], [], 5.0)[0], "nothing more came"
            continue
        packet = bytes(view[14:])
        header = Ipv4Header.parse(packet)
        if header.protocol != PROTO_TCP:
            continue
        segment = packet[header.header_length : header.total_length]
        assert verify(segment, pseudo_sum(header.source, header.destination, PROTO_TCP, len(segment)))
        tcp = TcpHeader.parse(segment)
        data = segment[tcp.header_length :]
        found.append((header, tcp, data))
        count_bytes -= len(data)
    return found


def send_super_frame(tap: Tap, router: bytes, ip_options: int, tcp_options: int, data: bytes, size: int) -> None:
    """With so many bytes of options in its headers; `size` 0 for a frame of one segment with a partial checksum."""
    tcp = TcpHeader(1000, 2000, 2**32 - 700, 7, ACK | PSH, 1234, options=NOP * tcp_options)
    length = tcp.header_length + len(data)
    source, destination = parse_ipv4(LEFT), parse_ipv4(RIGHT)
    ipv4 = Ipv4Header(source, destination, PROTO_TCP, 20 + ip_options + length, 99, options=NOP * ip_options)
    start = 14 + ipv4.header_length
    partial = pseudo_sum(source, destination, PROTO_TCP, length) % 65535
    head = bytearray(tcp.build())
    head[virtio.TCP_CHECKSUM : virtio.TCP_CHECKSUM + 2] = partial.to_bytes(2, "big")
    before = (
        virtio.tcp_header(start, tcp.header_length, size)
        if size
        else virtio.checksum_header(start, virtio.TCP_CHECKSUM)
    )
    frame: list[Buffer] = [ethernet_ii(router, OUR_MAC, ETHERTYPE_IPV4), ipv4.build(), head, memoryview(data)]
    assert tap.write(frame, 0.0, before), tap.write_errors


def test_every_length_of_headers(namespace: Namespace) -> None:
    def test() -> None:
        with routed() as (left, right, router):
            assert left.offload in [result for _, result in OFFLOADS[:2]]
            data = CHUNK[: 4 * GSO_SIZE + 123]
            for ip_options in range(0, 41, 4):
                for tcp_options in range(0, 41, 4):
                    send_super_frame(left, router, ip_options, tcp_options, data, GSO_SIZE)
                    found = segments(right, len(data))
                    assert b"".join(piece for _, _, piece in found) == data
                    assert [len(piece) for _, _, piece in found] == [GSO_SIZE] * 4 + [123]
                    for number, (header, tcp, _) in enumerate(found):
                        assert header.options == NOP * ip_options
                        assert header.identification == 99 + number
                        assert tcp.options == NOP * tcp_options
                        assert tcp.seq == (2**32 - 700 + number * GSO_SIZE) % 2**32
                        assert (tcp.ack, tcp.window) == (7, 1234)
                        assert bool(tcp.flags & PSH) is (number == 4)

    namespace.in_here(test)


def test_a_partial_checksum_is_completed_for_every_length_of_headers(namespace: Namespace) -> None:
    def test() -> None:
        with routed() as (left, right, router):
            for ip_options in range(0, 41, 20):
                for tcp_options in range(0, 41, 8):
                    for length in (1, 2, 1200):
                        send_super_frame(left, router, ip_options, tcp_options, CHUNK[:length], 0)
                        assert [piece for _, _, piece in segments(right, length)] == [CHUNK[:length]]

    namespace.in_here(test)


def test_the_largest_super_frame(namespace: Namespace) -> None:
    def test() -> None:
        with routed() as (left, right, router):
            data = CHUNK[: left.offload.gso_max_bytes]
            send_super_frame(left, router, 40, 40, data, 1380)
            assert b"".join(piece for _, _, piece in segments(right, len(data))) == data
            data = CHUNK[: left.offload.gso_max_bytes + 80]  # what there is room for under the shortest headers
            send_super_frame(left, router, 0, 0, data, 1380)
            assert b"".join(piece for _, _, piece in segments(right, len(data))) == data

    namespace.in_here(test)


def test_a_header_that_promises_what_is_not_there_is_refused(namespace: Namespace) -> None:
    def test() -> None:
        with routed() as (left, _, router):
            frame: list[Buffer] = [ethernet_ii(router, OUR_MAC, 0x88B5), bytes(60)]
            assert not left.write(frame, 0.0, struct.pack("<BBHHHH", 1, 0, 0, 0, 200, 16))
            assert left.write_errors == {"EINVAL": 1}
            assert left.write(frame, 0.0)

    namespace.in_here(test)
