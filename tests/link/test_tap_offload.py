"""A TAP that leaves work to the kernel, without a kernel: what is asked of it, and the header
before each frame.
"""

from __future__ import annotations

import errno
import os
import socket

import pytest

from stack.frame_buffer import FrameBuffer
from stack.link.device import NO_OFFLOAD, Offload
from stack.link.tap import GSO_MAX_BYTES, MOST_PARTS, TUNSETOFFLOAD, TUNSETVNETHDRSZ, TUNSETVNETLE, Tap
from stack.wire import virtio
from stack.wire.checksum import Buffer
from tests.link.fake_tap import IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, FakeControl, FakeDevice, refusing
from tests.link.frames import Wakes

CSUM, TSO4, TSO6, USO4, USO6 = 0x01, 0x02, 0x04, 0x20, 0x40
ALL, NO_USO = Offload(True, GSO_MAX_BYTES, uso=True), Offload(True, GSO_MAX_BYTES)
SOFTWARE = Offload(gso_max_bytes=GSO_MAX_BYTES, software=True)
PERSISTENT = 0x0800
FRAME = b"\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5a frame"
SUPER = virtio.tcp_header(34, 32, 1448)


def opened(offload: bool | str = True) -> Tap:
    tap = Tap("tap7", offload=offload)
    assert tap.offload == NO_OFFLOAD, "not known yet"
    tap.open(Wakes())
    return tap


# --- what is asked of the kernel ----------------------------------------------------------------------------------


def test_everything_is_asked_for_first(device: FakeDevice, control: FakeControl) -> None:
    tap = opened()
    assert device.arguments["flags"] == IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
    assert control.requests[TUNSETOFFLOAD] == CSUM | TSO4 | USO4 | USO6
    assert control.requests[TUNSETVNETHDRSZ] == (10).to_bytes(4, "little")
    assert control.requests[TUNSETVNETLE] == (1).to_bytes(4, "little")
    assert tap.offload == ALL


@pytest.mark.parametrize(
    ("known", "wanted", "result"),
    [
        (CSUM | TSO4 | TSO6, CSUM | TSO4, NO_USO),  # before Linux 6.2: TSO is kept
        (CSUM | TSO4 | USO4, CSUM | TSO4, NO_USO),  # half of USO is none
        (CSUM, CSUM, Offload(checksum=True, gso_max_bytes=GSO_MAX_BYTES, software=True)),
        (0, 0, SOFTWARE),
    ],
)
def test_a_kernel_that_can_do_less(
    device: FakeDevice, control: FakeControl, known: int, wanted: int, result: Offload
) -> None:
    control.offloads = known
    tap = opened()
    assert control.requests[TUNSETOFFLOAD] == wanted
    assert tap.offload == result
    assert tap.write([FRAME], 0.0)
    assert device.kernel.recv(2000) == bytes(10) + FRAME, "the header is there all the same"


def test_a_kernel_without_the_header_leaves_the_cutting_to_us(device: FakeDevice, control: FakeControl) -> None:
    control.refuses = {IFF_VNET_HDR: errno.EINVAL}
    tap = opened()
    assert device.arguments["flags"] == IFF_TAP | IFF_NO_PI
    assert control.requests[TUNSETOFFLOAD] == 0
    assert tap.offload == SOFTWARE
    assert tap.write([FRAME], 0.0)
    assert device.kernel.recv(2000) == FRAME
    device.kernel.send(FRAME)
    assert bytes(tap.read(0.0) or b"") == FRAME
    assert not tap.rx_checksum_ok
    assert tap.rx_gso_size == 0


@pytest.mark.parametrize("number", [errno.EPERM, errno.EBUSY])
def test_a_tap_that_cannot_be_had_is_asked_for_once(
    control: FakeControl, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(**arguments: object) -> None:
        asked.append(arguments)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pytun.TunTapDevice", refuse)
    with pytest.raises(OSError, match="tap7: "):
        opened()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("most", "wanted", "result"),
    [
        ("checksum", CSUM, Offload(checksum=True)),
        ("software", 0, SOFTWARE),
        (False, 0, NO_OFFLOAD),
    ],
)
def test_less_can_be_wanted(
    device: FakeDevice, control: FakeControl, most: bool | str, wanted: int, result: Offload
) -> None:
    control.flags = PERSISTENT  # the last user wanted more
    tap = opened(most)
    assert control.requests[TUNSETOFFLOAD] == wanted
    assert tap.offload == result
    header = IFF_VNET_HDR if wanted else 0  # none where it would say nothing
    assert device.arguments["flags"] == IFF_TAP | IFF_NO_PI | header


@pytest.mark.parametrize("wanted", [True, "software"])
def test_a_link_around_it_can_forbid_all(device: FakeDevice, control: FakeControl, wanted: bool | str) -> None:
    tap = Tap("tap7", offload=wanted)
    assert tap.may_offload
    tap.may_offload = False
    tap.open(Wakes())
    assert device.arguments["flags"] == IFF_TAP | IFF_NO_PI
    assert control.requests[TUNSETOFFLOAD] == 0
    assert tap.offload == NO_OFFLOAD


def test_an_offload_that_cannot_be_settled_is_an_error(device: FakeDevice, control: FakeControl) -> None:
    control.refuses = {TUNSETOFFLOAD: errno.EBADFD}
    with pytest.raises(OSError, match=os.strerror(errno.EBADFD)):
        opened()
    assert device.closed == 1


# --- frames in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "verified"),
    [
        (0, False),
        (virtio.NEEDS_CSUM, True),  # partial: it never was on a wire
        (virtio.DATA_VALID, True),
        (virtio.NEEDS_CSUM | virtio.DATA_VALID, True),
        (4, False),  # says nothing of checksums
    ],
)
def test_the_header_says_whether_the_checksum_needs_a_look(device: FakeDevice, flags: int, verified: bool) -> None:
    tap = opened()
    for before in (virtio.NEEDS_CSUM, 0):
        device.kernel.send(bytes((before, *bytes(9))) + b"another")
        assert tap.read(0.0) is not None
        assert tap.rx_checksum_ok is bool(before)
        device.kernel.send(bytes((flags, *bytes(9))) + FRAME)
        view = tap.read(0.0)
        assert view is not None
        assert bytes(view) == FRAME, "without the header"
        assert view.readonly
        assert tap.rx_checksum_ok is verified
        assert tap.rx_gso_size == 0


def test_a_super_frame_in(device: FakeDevice) -> None:
    tap = opened()
    device.kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    largest = bytes(range(256)) * 256 + bytes(12 + 18)
    device.kernel.send(SUPER + largest)
    assert bytes(tap.read(0.0) or b"") == largest
    assert tap.rx_gso_size == 1448
    assert tap.rx_checksum_ok
    device.kernel.send(bytes(10) + FRAME)
    assert bytes(tap.read(0.0) or b"") == FRAME
    assert tap.rx_gso_size == 0
    assert not tap.rx_checksum_ok


def test_a_frame_that_is_kept_stays_when_the_next_comes(device: FakeDevice) -> None:
    tap = opened()
    device.kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    views = []
    for number in range(3):
        device.kernel.send(SUPER + bytes((number,)) * 65_000)
        view = tap.read(0.0)
        assert view is not None
        assert isinstance(view.obj, FrameBuffer)
        view.obj.kept = True
        views.append(view)
    assert [bytes(view) for view in views] == [bytes((number,)) * 65_000 for number in range(3)]
    assert isinstance(views[1].obj, FrameBuffer)
    views[1].obj.give_back()
    device.kernel.send(SUPER + FRAME)
    view = tap.read(0.0)
    assert view is not None
    assert view.obj is views[1].obj
    tap.close()


def test_nothing_is_left_of_the_last_frame_after_closing(device: FakeDevice) -> None:
    tap = opened()
    device.kernel.send(SUPER + FRAME)
    assert tap.read(0.0) is not None
    tap.close()
    assert not tap.rx_checksum_ok
    assert tap.rx_gso_size == 0
    assert not tap.write([FRAME], 0.0, SUPER)


# --- frames out -----------------------------------------------------------------------------------------------------


def test_the_header_goes_before_each_frame(device: FakeDevice) -> None:
    tap = opened()
    parts: list[Buffer] = [FRAME[:14], memoryview(FRAME)[14:]]
    assert tap.write(parts, 0.0)
    assert device.kernel.recv(2000) == bytes(10) + FRAME
    assert tap.write(parts, 0.0, SUPER)
    assert device.kernel.recv(2000) == SUPER + FRAME
    assert parts == [FRAME[:14], FRAME[14:]], "the caller's list is the caller's"


@pytest.mark.parametrize("count", [MOST_PARTS - 1, MOST_PARTS, MOST_PARTS + 1])
def test_more_parts_than_one_call_takes_beside_the_header(device: FakeDevice, count: int) -> None:
    tap = opened()
    parts: list[Buffer] = [b"%d," % number for number in range(count)]
    assert tap.write(parts, 0.0, SUPER)
    assert device.kernel.recv(1 << 16) == SUPER + b"".join(parts)
    assert tap.write_errors == {}


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EBADFD])
def test_what_the_kernel_does_not_take_is_a_drop_under_its_name(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tap = opened()

    with monkeypatch.context() as patch:
        patch.setattr("stack.link.tap.os.writev", refusing(number))
        assert not tap.write([b"a"], 0.0, SUPER)
    assert tap.write_errors == {errno.errorcode[number]: 1}
    assert tap.write([b"c"], 0.0)
