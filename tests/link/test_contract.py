"""The promises of `stack.link.device.Link`, tested on every link that needs no privilege."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from stack.link.capture import Capture
from stack.link.device import NO_OFFLOAD, Link, check_station_address
from stack.link.impair import Impaired
from stack.link.loan import Loan
from stack.link.memory import Ethernet, ip_pair
from tests.link.frames import Wakes, drain, udp_frame

Ends = tuple[Link, Link]


def segment(_: Path) -> Ends:
    hub = Ethernet()
    return hub.attach(), hub.attach()


def pipe(_: Path) -> Ends:
    return ip_pair()


def impaired(_: Path) -> Ends:
    hub = Ethernet()
    return Impaired(hub.attach(), seed=1), Impaired(hub.attach(), seed=2)


def captured(folder: Path) -> Ends:
    hub = Ethernet()
    return Capture(hub.attach(), folder / "one.pcapng"), Capture(hub.attach(), folder / "two.pcapng")


def nested(folder: Path) -> Ends:
    hub = Ethernet()
    return Capture(Impaired(hub.attach()), folder / "one.pcapng"), Impaired(
        Capture(hub.attach(), folder / "two.pcapng")
    )


ALL = pytest.mark.parametrize("make", [segment, pipe, impaired, captured, nested])


@ALL
def test_a_frame_in_parts_arrives_whole_and_once(make: Callable[[Path], Ends], tmp_path: Path) -> None:
    one, two = make(tmp_path)
    one_wakes, two_wakes = Wakes(), Wakes()
    one.open(one_wakes)
    two.open(two_wakes)
    frame = udp_frame(b"x" * 40)
    assert one.write([frame[:14], memoryview(frame)[14:34], bytearray(frame[34:])], 1.0)
    assert two_wakes.count == 1
    assert drain(two, 1.0) == [frame]
    assert drain(one, 1.0) == []


@ALL
def test_wakes_only_when_there_was_nothing_to_read(make: Callable[[Path], Ends], tmp_path: Path) -> None:
    one, two = make(tmp_path)
    wakes = Wakes()
    one.open(Wakes())
    two.open(wakes)
    for _ in range(3):
        one.write([udp_frame(b"x" * 40)], 0.0)
    assert wakes.count == 1
    assert len(drain(two)) == 3
    one.write([udp_frame(b"x" * 40)], 0.0)
    assert wakes.count == 2


@ALL
def test_the_parts_may_be_reused_and_a_view_ends_with_the_next_read(
    make: Callable[[Path], Ends], tmp_path: Path
) -> None:
    one, two = make(tmp_path)
    one.open(Wakes())
    two.open(Wakes())
    scratch = bytearray(udp_frame(b"first" * 20))
    frame = bytes(scratch)
    one.write([scratch], 0.0)
    scratch[:] = bytes(len(scratch))
    kept = two.read(0.0)
    assert kept is not None
    assert kept.tobytes() == frame
    assert kept.readonly
    assert two.read(0.0) is None
    assert set(kept) == {0xDB}


@ALL
def test_closing(make: Callable[[Path], Ends], tmp_path: Path) -> None:
    one, two = make(tmp_path)
    one.close()  # one that was never open
    one.open(Wakes())
    two.open(Wakes())
    one.write([udp_frame(b"x" * 40)], 0.0)
    for _ in range(2):
        two.close()
        assert two.read(1.0) is None
        assert not two.write([udp_frame(b"x")], 1.0)
        two.poll(1.0)
        assert two.fileno() == -1
        assert two.deadline == math.inf
    assert one.write([udp_frame(b"x" * 40)], 2.0)  # the wire is there, but the other end is closed


@ALL
def test_what_is_announced(make: Callable[[Path], Ends], tmp_path: Path) -> None:
    for link in make(tmp_path):
        assert link.offload == NO_OFFLOAD
        assert not link.rx_checksum_ok
        assert link.deadline == math.inf
        assert link.mtu == 1500
        assert (link.mac is None) == (link.ip_offset == 0)


@pytest.mark.parametrize("mac", [b"", b"\2\0\0\0\0", bytes(6), b"\xff" * 6, b"\1\0\x5e\0\0\1"])
def test_what_is_no_stations_address(mac: bytes) -> None:
    with pytest.raises(ValueError, match=r"MAC|station"):
        check_station_address(mac)


def test_a_loan_grows_and_poisons_the_whole_of_the_last_frame() -> None:
    loan = Loan()
    short = loan.lend(b"ab")
    long = loan.lend(b"c" * 70_000)
    assert short.tobytes() == b"\xdb\xdb"
    assert long.tobytes() == b"c" * 70_000
    empty = loan.lend(b"")
    assert empty.tobytes() == b""
    assert long.tobytes() == b"\xdb" * 70_000
