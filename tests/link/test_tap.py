"""The TAP without a kernel: a pair of datagram sockets plays the device, so that each error comes
when it is wanted.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from stack.link import tap as tap_module
from stack.link.tap import (
    MOST_PARTS,
    QUEUE_FRAMES,
    SIOCSIFTXQLEN,
    TUNSETOFFLOAD,
    TUNSETTXFILTER,
    TUNSETVNETHDRSZ,
    TUNSETVNETLE,
    Tap,
    check_interface_name,
    stable_mac,
)
from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer
from tests.link.fake_tap import IFF_NO_PI, IFF_TAP, FakeControl, FakeDevice, refusing
from tests.link.frames import Wakes, udp_frame


def opened(**arguments: object) -> Tap:
    """One without offload, unless it is asked for: tests/link/test_tap_offload.py has the others."""
    tap = Tap("tap7", **{"offload": False, **arguments})  # type: ignore[arg-type]
    tap.open(Wakes())
    return tap


# --- opening ----------------------------------------------------------------------------------------------------------


def test_what_is_asked_of_the_kernel(device: FakeDevice, control: FakeControl) -> None:
    tap = opened(mtu=1400, host_address=Prefix.parse("10.9.0.1/20"))
    assert device.arguments == {"name": "tap7", "flags": IFF_TAP | IFF_NO_PI, "dev": "/dev/net/tun"}
    assert device.did == [("mtu", 1400), ("addr", "10.9.0.1"), ("netmask", "255.255.240.0"), ("up", None)]
    assert tap.mtu == 1400
    assert tap.fileno() == device.descriptor
    assert not os.get_inheritable(device.descriptor)
    assert not os.get_blocking(device.descriptor)
    assert not tap.persistent


def test_what_is_already_so_is_left_alone(device: FakeDevice) -> None:
    device.current = {"mtu": 9000, "addr": "192.0.2.1"}
    tap = opened(mtu=9000, host_address=Prefix.parse("10.9.0.1/24"), up=False)
    assert device.did == []
    assert tap.mtu == 9000


def test_the_mtu_is_the_interfaces_own_unless_given(device: FakeDevice) -> None:
    device.current["mtu"] = 9000
    assert Tap("tap7").mtu == 1500
    assert opened().mtu == 9000
    assert device.did == [("up", None)]


def test_what_a_persistent_tap_remembers_is_reset(device: FakeDevice, control: FakeControl) -> None:
    control.flags |= 0x0800
    tap = opened()
    assert control.requests == {
        TUNSETOFFLOAD: 0,
        TUNSETVNETHDRSZ: (10).to_bytes(4, "little"),
        TUNSETVNETLE: (1).to_bytes(4, "little"),
        TUNSETTXFILTER: bytes(4),
    }
    assert tap.persistent
    tap.close()
    assert not tap.persistent


def test_frames_of_the_time_before_are_thrown_away(device: FakeDevice) -> None:
    for _ in range(10):
        device.kernel.send(b"stale")
    tap = opened()
    assert tap.read(0.0) is None
    device.kernel.send(b"fresh")
    view = tap.read(0.0)
    assert view is not None
    assert view.tobytes() == b"fresh"


def test_a_tap_of_our_making_queues_a_receive_window(device: FakeDevice, control: FakeControl) -> None:
    tap = opened()
    assert control.queue_frames == tap.queue_frames == QUEUE_FRAMES


def test_the_queue_of_another_programs_tap_is_known_and_left_alone(device: FakeDevice, control: FakeControl) -> None:
    control.flags = 0x0800
    tap = opened()
    assert control.queue_frames == tap.queue_frames == 1000


def test_a_queue_that_is_not_ours_to_set_is_no_obstacle(device: FakeDevice, control: FakeControl) -> None:
    control.refuses = {SIOCSIFTXQLEN: errno.EPERM}
    assert opened().queue_frames == 0


def test_a_kernel_without_the_lesser_requests_will_do(device: FakeDevice, control: FakeControl) -> None:
    control.refuses = {TUNSETVNETHDRSZ: errno.EINVAL, TUNSETVNETLE: errno.ENOTTY, TUNSETTXFILTER: errno.ENOTTY}
    opened()
    assert control.requests == {TUNSETOFFLOAD: 0}


def test_a_tap_whose_offloads_cannot_be_set_is_not_used(device: FakeDevice, control: FakeControl) -> None:
    control.refuses = {TUNSETOFFLOAD: errno.EINVAL}
    with pytest.raises(OSError, match="Invalid argument"):
        opened()
    assert device.closed == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EPERM, "tap7: a TAP needs root or CAP_NET_ADMIN: run as root, or use `tapstack lab`"),
        (errno.EACCES, "tap7: a TAP needs root or CAP_NET_ADMIN: run as root, or use `tapstack lab`"),
        (errno.EPERM, "tap7: .* or start your program with `unshare --map-root-user --net`"),
        (errno.ENOENT, "tap7: /dev/net/tun is missing: load its module with `modprobe tun` \\(in Docker: --device"),
        (errno.ENODEV, "tap7: /dev/net/tun is missing: load its module"),
        (errno.EBUSY, r"tap7: another program is using this TAP \(in a lab, the lab's own host\)"),
        (errno.EINVAL, "tap7: there is an interface of this name that is not a TAP"),
        (errno.EMFILE, "tap7: cannot open this TAP: Too many open files"),
    ],
)
def test_one_clear_line_for_each_reason(number: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytun.TunTapDevice", refusing(number))
    with pytest.raises(OSError, match=text) as caught:
        opened()
    assert caught.value.errno == number
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("mtu", "tap7: cannot set its MTU: that needs root or CAP_NET_ADMIN"),
        ("addr", "tap7: cannot give it the address 10.9.0.1/24: that needs root or CAP_NET_ADMIN"),
        ("netmask", "tap7: cannot give it the address 10.9.0.1/24: that needs root or CAP_NET_ADMIN"),
        ("up", "tap7: cannot bring it up: that needs root or CAP_NET_ADMIN"),
    ],
)
def test_a_step_that_is_refused_closes_the_device(device: FakeDevice, step: str, text: str) -> None:
    device.refuses = {step: errno.EPERM}
    with pytest.raises(OSError, match=text) as caught:
        opened(mtu=1400, host_address=Prefix.parse("10.9.0.1/24"))
    assert caught.value.errno == errno.EPERM
    assert device.closed == 1


def test_a_step_that_fails_says_why(device: FakeDevice) -> None:
    device.refuses = {"mtu": errno.EINVAL}
    with pytest.raises(OSError, match="tap7: cannot set its MTU: Invalid argument"):
        opened(mtu=60_000)


def test_the_kernel_must_not_have_our_address(device: FakeDevice) -> None:
    with pytest.raises(OSError, match="tap7: the kernel's interface has the MAC address 0a:01:02:03:04:05") as caught:
        opened(mac=device.hwaddr)
    assert caught.value.errno == errno.EADDRINUSE
    assert device.closed == 1


def test_opening_twice(device: FakeDevice) -> None:
    tap = opened()
    with pytest.raises(OSError, match="tap7 is open already") as caught:
        tap.open(Wakes())
    assert caught.value.errno == errno.EALREADY
    assert tap.write([b"still works"], 0.0)


# --- frames -----------------------------------------------------------------------------------------------------------


def test_frames_in_and_out(device: FakeDevice) -> None:
    tap = opened()
    assert tap.read(0.0) is None
    device.kernel.send(b"one")
    device.kernel.send(b"three")
    first = tap.read(0.0)
    assert first is not None
    assert first.tobytes() == b"one"
    assert first.readonly
    second = tap.read(0.0)
    assert second is not None
    assert second.tobytes() == b"three"
    assert first.tobytes() == b"thr", "one buffer for all: a view ends with the next read"
    frame = udp_frame(b"payload")
    assert tap.write([frame[:14], memoryview(frame)[14:40], bytearray(frame[40:])], 0.0)
    assert device.kernel.recv(2000) == frame


def test_the_largest_frame(device: FakeDevice) -> None:
    tap = opened()
    device.kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    largest = bytes(range(256)) * 256 + bytes(12 + 18)
    device.kernel.send(largest)
    view = tap.read(0.0)
    assert view is not None
    assert view.tobytes() == largest


def test_a_frame_in_more_parts_than_one_call_takes(device: FakeDevice) -> None:
    tap = opened()
    parts: list[Buffer] = [b"%d," % number for number in range(MOST_PARTS + 1)]
    assert tap.write(parts, 0.0)
    assert device.kernel.recv(1 << 16) == b"".join(parts)
    assert tap.write_errors == {}


def test_a_full_queue_is_a_drop(device: FakeDevice) -> None:
    tap = opened()
    sent = 0
    while tap.write([bytes(1000)], 0.0):
        sent += 1
    assert sent > 0
    assert tap.write_errors == {"EAGAIN": 1}
    device.kernel.recv(2000)
    assert tap.write([b"room again"], 0.0)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOBUFS, errno.EINVAL, errno.EBADFD, errno.ENOMEM])
def test_what_the_kernel_does_not_take_is_a_drop_under_its_name(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tap = opened()

    with monkeypatch.context() as patch:
        patch.setattr("stack.link.tap.os.writev", refusing(number))
        assert not tap.write([b"a"], 0.0)
        assert not tap.write([b"b"], 0.0)
    assert tap.write_errors == {errno.errorcode[number]: 2}
    assert tap.write([b"c"], 0.0)


@pytest.mark.parametrize(
    ("number", "fatal"), [(errno.EBADFD, True), (errno.EIO, True), (errno.ENOBUFS, False), (errno.EINTR, False)]
)
def test_only_an_interface_that_is_gone_ends_reading(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, number: int, fatal: bool
) -> None:
    tap = opened()

    monkeypatch.setattr("stack.link.tap.os.readv", refusing(number))
    if fatal:
        for _ in range(2):
            with pytest.raises(OSError, match="tap7 is gone") as caught:
                tap.read(0.0)
            assert caught.value.errno == errno.ENETDOWN
    else:
        assert tap.read(0.0) is None
    tap.close()
    assert tap.read(0.0) is None, "no method raises after close"


def test_after_close_nothing_is_touched_and_nothing_raises(device: FakeDevice) -> None:
    tap = opened()
    tap.close()
    tap.close()
    assert device.closed == 1
    assert tap.fileno() == -1
    assert tap.read(0.0) is None
    assert not tap.write([b"x"], 0.0)
    tap.poll(0.0)
    assert tap.write_errors == {}


# --- what a frame costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offload", [False, True], ids=["alone", "with its header"])
def test_cost_of_a_frame_in(device: FakeDevice, benchmark: BenchmarkFixture, offload: bool) -> None:
    tap = opened(offload=offload)
    frame = bytes(1514 + 10 * offload)

    def arrives() -> memoryview | None:
        device.kernel.send(frame)
        return tap.read(0.0)

    assert benchmark.pedantic(arrives, rounds=100, iterations=20) is not None  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("offload", [False, True], ids=["alone", "with its header"])
def test_cost_of_a_frame_out(device: FakeDevice, benchmark: BenchmarkFixture, offload: bool) -> None:
    tap = opened(offload=offload)
    parts: list[Buffer] = [bytes(54), memoryview(bytes(1460))]

    def leaves() -> bool:
        taken = tap.write(parts, 0.0)
        device.kernel.recv(2000)
        return taken

    assert benchmark.pedantic(leaves, rounds=100, iterations=20)  # type: ignore[no-untyped-call]


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 16,
        "ä" * 8,
        "a/b",
        "a b",
        "a\tb",
        "a:b",
        "tap%d",
        ".",
        "..",
        "a\0b",
        "all",
        "default",
        "\udcff",
        "a\x1b",
    ],
)
def test_names_that_are_not_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="interface name"):
        Tap(name)


@pytest.mark.parametrize("name", ["t", "a" * 15, "tap0.1", "ä" * 7, "tap-x_y"])
def test_names_the_kernel_allows(name: str) -> None:
    check_interface_name(name)


@pytest.mark.parametrize("mtu", [-1, 0, 67, 65522])
def test_mtus_a_tap_cannot_have(mtu: int) -> None:
    with pytest.raises(ValueError, match="68 to 65521 bytes"):
        Tap(mtu=mtu)


def test_other_arguments_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="True, False, 'checksum' or 'software', not 'tso'"):
        Tap(offload="tso")
    with pytest.raises(ValueError, match="group"):
        Tap(mac=b"\xff" * 6)
    with pytest.raises(ValueError, match="6 bytes"):
        Tap(mac=b"\2\0\0\0\0")


# --- our own address --------------------------------------------------------------------------------------------------


def test_our_address_is_stable_local_and_of_this_machine_and_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "machine-id"
    monkeypatch.setattr(tap_module, "MACHINE_ID_FILES", (str(tmp_path / "missing"), str(file)))
    fallback = stable_mac("tap0")
    file.write_text("uninitialized\n")
    assert stable_mac("tap0") == fallback, "an image's placeholder names no machine"
    file.write_text("")
    assert stable_mac("tap0") == fallback
    file.write_text("3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    first = stable_mac("tap0")
    assert first != fallback
    assert stable_mac("tap0") == first == Tap("tap0").mac
    others = [stable_mac(f"tap{number}") for number in range(1, 200)]
    file.write_text("00000000000000000000000000000001\n")
    others.append(stable_mac("tap0"))
    assert len({first, *others}) == 201
    assert all(mac[0] & 3 == 2 for mac in (first, *others)), "locally administered, one station's"
    assert bytes.fromhex("3d1219c7c4c5") != first, "the id itself stays at home"
