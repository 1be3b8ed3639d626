"""The header before a frame: its ten bytes, as VIRTIO 1.2 section 5.1.6 lays them out."""

from __future__ import annotations

import pytest

from stack.wire import virtio


def test_a_super_frame_of_tcp_segments() -> None:
    header = virtio.tcp_header(34, 32, 1448)
    assert header == bytes.fromhex("01 01 4200 a805 2200 1000")
    assert virtio.gso_size(header) == 1448


def test_congestion_window_reduced_belongs_on_the_first_segment() -> None:
    assert virtio.tcp_header(34, 32, 1448, cwr=True)[1] == virtio.GSO_TCPV4 | 0x80


def test_the_lengths_are_those_of_the_longest_headers() -> None:
    header = virtio.tcp_header(14 + 60, 60, 65_415)
    assert header == bytes.fromhex("01 01 8600 87ff 4a00 1000")


def test_a_checksum_alone() -> None:
    header = virtio.checksum_header(34, virtio.UDP_CHECKSUM)
    assert header == bytes.fromhex("01 00 0000 0000 2200 0600")
    assert virtio.gso_size(header) == 0


@pytest.mark.parametrize("kind", [virtio.GSO_TCPV4, virtio.GSO_UDP_L4, virtio.GSO_TCPV4 | virtio.GSO_ECN])
def test_the_size_of_the_pieces_whatever_they_are(kind: int) -> None:
    buffer = bytearray((virtio.NEEDS_CSUM, kind, 0, 0, 0x34, 0x12, 0, 0, 0, 0)) + b"frame"
    assert virtio.gso_size(buffer) == 0x1234


def test_no_size_without_a_kind() -> None:
    assert virtio.gso_size(bytes((1, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0))) == 0
    assert virtio.gso_size(virtio.NO_OFFLOAD_HEADER) == 0
    assert len(virtio.NO_OFFLOAD_HEADER) == virtio.HEADER_LENGTH
