"""Capture files for the tests of `tapstack explain`: of frames, and of two hosts in virtual time."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import trio

import stack
from stack.link.capture import INBOUND, Record, enhanced_packet, interface_description, section_header
from stack.wire.checksum import internet_checksum, pseudo_sum

EPOCH_S = 971_000_000.0
ECHO_PORT = 7


def write_pcapng(path: Path, frames: Iterable[bytes], *, comments: dict[int, list[str]] | None = None) -> Path:
    """A file with these frames, a millisecond apart; `comments` by the number of the frame, from 1."""
    blocks = [section_header(), interface_description("tap0", 14)]
    for number, frame in enumerate(frames, 1):
        record = Record(number, int(EPOCH_S) * 10**9 + number * 1_000_000, INBOUND, frame)
        record.comments += (comments or {}).get(number, [])
        blocks.append(enhanced_packet(record))
    path.write_bytes(b"".join(blocks))
    return path


def udp_frame(payload: bytes, *, port: int = 40000) -> bytes:
    """A datagram in an Ethernet frame."""
    length = 8 + len(payload)
    source, destination = b"\x0a\x09\x00\x01", b"\x0a\x09\x00\x02"
    udp = struct.pack("!HHHH", port, port, length, 0) + payload
    udp = udp[:6] + internet_checksum(udp, pseudo_sum(source, destination, 17, length)).to_bytes(2, "big") + udp[8:]
    return in_ipv4(17, source, destination, udp)


def tcp_frame(payload: bytes, *, seq: int, flags: int = 0x18, ack: int = 1, back: bool = False) -> bytes:
    """A segment between 10.9.0.1:5000 and 10.9.0.2:7, of the second end if `back`."""
    source, destination, ports = b"\x0a\x09\x00\x01", b"\x0a\x09\x00\x02", (5000, ECHO_PORT)
    if back:
        source, destination, ports = destination, source, (ECHO_PORT, 5000)
    tcp = struct.pack("!HHIIBBHHH", *ports, seq, ack, 0x50, flags, 1000, 0, 0) + payload
    checksum = internet_checksum(tcp, pseudo_sum(source, destination, 6, len(tcp)))
    return in_ipv4(6, source, destination, tcp[:16] + checksum.to_bytes(2, "big") + tcp[18:])


def in_ipv4(protocol: int, source: bytes, destination: bytes, payload: bytes) -> bytes:
    """An IPv4 datagram in an Ethernet frame."""
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0) + source + destination
    header = header[:10] + internet_checksum(header).to_bytes(2, "big") + header[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + header + payload


async def capture_of_echo(path: Path, octets: bytes, *, loss: float = 0.0) -> Path:
    """A client sends `octets` to a service that sends them back, and then asks a port without a service.

    The file has the client's frames, with its reasons as comments.
    """
    wire = stack.Ethernet(seed=3)
    bad = stack.Impaired(wire.attach(), loss=loss, delay_s=0.01)
    capture = stack.Capture(bad, path, epoch_s=EPOCH_S)
    async with (
        stack.open_host(capture, address="10.9.0.1/24", acd="off") as client,
        stack.open_host(wire.attach(), address="10.9.0.2/24", acd="off") as server,
        trio.open_nursery() as nursery,
    ):

        async def echo(stream: trio.SocketStream) -> None:
            async for data in stream:
                await stream.send_all(data)

        await nursery.start(server.serve_tcp, echo, ECHO_PORT)
        with client.watch(capture.explain):
            try:
                await client.ping("10.9.0.2")
            except TimeoutError:
                pass
            stream = await client.open_tcp_stream("10.9.0.2", ECHO_PORT)
            nursery.start_soon(send, stream, octets)
            assert b"".join([data async for data in stream]) == octets
            await stream.aclose()
            try:
                await client.open_tcp_stream("10.9.0.2", 81)
            except OSError:
                pass
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return path


async def send(stream: trio.SocketStream, octets: bytes) -> None:
    """Send all octets and close this direction."""
    await stream.send_all(octets)
    await stream.send_eof()
