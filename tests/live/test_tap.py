"""The TAP against the Linux kernel. Each test has a network namespace of its own, which is removed
afterwards.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytun

from stack.link import tap as tap_module
from stack.link.capture import Capture
from stack.link.tap import Tap
from stack.wire.addresses import Prefix
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.checksum import Buffer, internet_checksum, pseudo_sum, verify
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_UDP
from tests import modes

pytestmark = [pytest.mark.live, pytest.mark.one_way]

CLONE_NEWNET = 0x40000000
TOP = Path(__file__).parents[2]
KERNEL, OURS = bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2))
OUR_MAC = bytes.fromhex("0200000000aa")
TUN_F_CSUM, TUN_F_TSO4 = 1, 2


def missing(what: str) -> None:
    """Skip; fail where everything has to be there."""
    if os.environ.get("REQUIRE_LIVE") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    """A network namespace for this process and its children, without IPv6 so that the kernel is silent when idle."""
    if os.geteuid() != 0:
        missing("needs root")
    if not os.path.exists(tap_module.NODE):
        missing(f"needs {tap_module.NODE}")
    for program in ("ip", "setpriv"):
        if shutil.which(program) is None:
            missing(f"needs {program}")
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            missing(f"needs a network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
            yield
        finally:
            assert libc.setns(home, CLONE_NEWNET) == 0
    finally:
        os.close(home)


@pytest.fixture
def tap() -> Iterator[Tap]:
    """A TAP of ours, not open yet."""
    link = Tap("tapt", mac=OUR_MAC, offload=modes.offload(), host_address=Prefix(KERNEL, 24))
    yield link
    link.close()


def ip(*arguments: str) -> str:
    """The output of the ip command, which must succeed."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def interfaces() -> list[str]:
    """The names of this namespace's interfaces."""
    return [line.split(":")[0].strip() for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]]


def never() -> None:
    """The wake of a link that has a descriptor."""
    raise AssertionError("a TAP needs no wake")


def next_frame(tap: Tap, ethertype: int, seconds: float = 5.0) -> bytes:
    """A copy of the next frame of this kind, waiting on the descriptor as the runner does."""
    for _ in range(100):
        view = tap.read(0.0)
        if view is None:
            readable, _, _ = select.select([tap.fileno()], [], [], seconds)
            assert readable, "nothing came"
        elif bytes(view[12:14]) == ethertype.to_bytes(2, "big"):
            return bytes(view)
    raise AssertionError("only other frames came")


def neighbour_known() -> None:
    """Spare the kernel the ARP request for us."""
    ip("neigh", "replace", "10.9.0.2", "lladdr", OUR_MAC.hex(":"), "dev", "tapt", "nud", "permanent")


# --- what open does ---------------------------------------------------------------------------------------------------


def test_a_tap_is_made_set_up_and_gone_after_close(tap: Tap) -> None:
    tap.open(never)
    shown = ip("addr", "show", "dev", "tapt")
    assert "UP" in shown
    assert "LOWER_UP" in shown
    assert "mtu 1500" in shown
    assert "inet 10.9.0.1/24 brd 10.9.0.255 scope global tapt" in shown
    assert OUR_MAC.hex(":") not in shown, "the kernel's address is another"
    assert "10.9.0.0/24" in ip("route")
    assert ("vnet_hdr on" in ip("-d", "link", "show", "dev", "tapt")) is modes.offload()
    assert tap.mtu == 1500
    assert not tap.persistent
    assert not os.get_inheritable(tap.fileno())
    assert tap.read(0.0) is None
    tap.close()
    assert interfaces() == ["lo"]
    tap.open(never)
    assert interfaces() == ["lo", "tapt"]


@pytest.mark.parametrize("mtu", [68, 9000, 65521])
def test_mtu(mtu: int) -> None:
    tap = Tap("tapt", mtu=mtu)
    tap.open(never)
    assert tap.mtu == mtu
    assert f"mtu {mtu} " in ip("link", "show", "dev", "tapt")
    assert "inet " not in ip("addr", "show", "dev", "tapt")
    tap.close()


def test_a_tap_can_be_left_down(tap: Tap) -> None:
    down = Tap("tapt", up=False)
    down.open(never)
    assert "state DOWN" in ip("link", "show", "dev", "tapt")
    down.close()


def test_a_persistent_tap_keeps_its_address_and_stays(tap: Tap) -> None:
    ip("tuntap", "add", "tapt", "mode", "tap")
    ip("link", "set", "tapt", "mtu", "1400")
    ip("addr", "add", "192.0.2.1/25", "dev", "tapt")
    tap.open(never)
    assert tap.persistent
    assert tap.mtu == 1400
    shown = ip("addr", "show", "dev", "tapt")
    assert "inet 192.0.2.1/25" in shown
    assert "10.9.0.1" not in shown
    tap.close()
    assert interfaces() == ["lo", "tapt"]


def test_what_a_persistent_tap_remembers_of_its_last_user_does_no_harm(tap: Tap) -> None:
    """The last user took partial checksums, super-frames, a longer header before each frame, and one address only."""
    last = pytun.TunTapDevice(name="tapt", flags=pytun.IFF_TAP | pytun.IFF_NO_PI | pytun.IFF_VNET_HDR)
    fcntl.ioctl(last.fileno(), tap_module.TUNSETVNETHDRSZ, struct.pack("=i", 12))
    fcntl.ioctl(last.fileno(), tap_module.TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)
    fcntl.ioctl(last.fileno(), tap_module.TUNSETTXFILTER, struct.pack("=HH6s", 0, 1, b"\2\0\0\0\0\x99"))
    last.persist(True)
    last.close()
    tap.open(never)
    neighbour_known()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"with a checksum", ("10.9.0.2", 7))
    frame = next_frame(tap, ETHERTYPE_IPV4)
    assert frame[:6] == OUR_MAC, "no header before the frame, and no filter against it"
    header = Ipv4Header.parse(frame[14:])
    datagram = frame[34 : 14 + header.total_length]
    assert datagram[8:] == b"with a checksum"
    assert tap.rx_checksum_ok or verify(datagram, pseudo_sum(KERNEL, OURS, PROTO_UDP, len(datagram)))


# --- frames -----------------------------------------------------------------------------------------------------------


def test_the_kernel_asks_who_we_are_and_learns_from_our_answer(tap: Tap) -> None:
    tap.open(never)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kernel:
        kernel.bind(("10.9.0.1", 4000))
        kernel.settimeout(5.0)
        kernel.sendto(b"question", ("10.9.0.2", 7))
        question = next_frame(tap, ETHERTYPE_ARP)
        request = ArpPacket.parse(question[14:])
        assert (request.operation, request.sender_ip, request.target_ip) == (REQUEST, KERNEL, OURS)
        answer = ArpPacket(REPLY, OUR_MAC, OURS, request.sender_mac, KERNEL)
        assert tap.write([ethernet_ii(request.sender_mac, OUR_MAC, ETHERTYPE_ARP), answer.build()], 0.0)
        frame = next_frame(tap, ETHERTYPE_IPV4)
        assert frame[:6] == OUR_MAC
        assert frame[42:] == b"question"
        udp = struct.pack("!HHHH", 7, 4000, 14, 0) + b"answer"
        checksum = internet_checksum(udp, pseudo_sum(OURS, KERNEL, PROTO_UDP, len(udp)))
        ours: list[Buffer] = [
            ethernet_ii(request.sender_mac, OUR_MAC, ETHERTYPE_IPV4),
            Ipv4Header(OURS, KERNEL, PROTO_UDP, 20 + len(udp)).build(),
            udp[:6] + checksum.to_bytes(2, "big"),
            memoryview(udp)[8:],
        ]
        assert tap.write(ours, 0.0)
        assert kernel.recvfrom(100) == (b"answer", ("10.9.0.2", 7))


def test_many_frames_and_many_parts(tap: Tap) -> None:
    """More parts than writev takes, and more frames than one batch, all in order."""
    tap.open(never)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as watcher:
        watcher.bind(("tapt", 0x88B5))
        watcher.settimeout(5.0)
        header = ethernet_ii(b"\xff" * 6, OUR_MAC, 0x88B5)
        parts: list[Buffer] = [bytes([n & 0xFF]) for n in range(1400)]
        assert tap.write([header, *parts], 0.0)
        assert watcher.recv(2000) == header + b"".join(parts)
        for number in range(100):
            assert tap.write([header, number.to_bytes(4, "big"), bytes(60)], 0.0)
        assert [int.from_bytes(watcher.recv(2000)[14:18], "big") for _ in range(100)] == list(range(100))


def test_the_largest_packet_of_the_largest_mtu() -> None:
    tap = Tap("tapt", mtu=65521, mac=OUR_MAC, offload=modes.offload(), host_address=Prefix(KERNEL, 24))
    tap.open(never)
    neighbour_known()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"z" * (65521 - 28), ("10.9.0.2", 7))
    assert len(next_frame(tap, ETHERTYPE_IPV4)) == 65535
    tap.close()


def test_a_capture_of_a_tap_is_what_tcpdump_reads(tap: Tap, tmp_path: Path) -> None:
    if shutil.which("tcpdump") is None:
        missing("needs tcpdump")
    path = tmp_path / "live.pcapng"
    capture = Capture(tap, path)
    capture.open(never)
    neighbour_known()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", ("10.9.0.2", 7))
    assert select.select([capture.fileno()], [], [], 5.0)[0]
    while capture.read(1.0) is not None:
        pass
    capture.close()
    done = subprocess.run(["tcpdump", "-nr", path, "udp"], capture_output=True, text=True, timeout=20, check=True)
    assert "> 10.9.0.2.7: UDP, length 5" in done.stdout


# --- an interface that goes away --------------------------------------------------------------------------------------


def test_an_interface_that_is_down_drops_and_comes_back(tap: Tap) -> None:
    tap.open(never)
    frame = ethernet_ii(b"\xff" * 6, OUR_MAC, 0x88B5) + bytes(50)
    ip("link", "set", "tapt", "down")
    assert tap.read(0.0) is None
    assert not tap.write([frame], 0.0)
    assert not tap.write([frame], 0.0)
    assert tap.write_errors == {"EIO": 2}
    ip("link", "set", "tapt", "up")
    assert tap.write([frame], 0.0)
    neighbour_known()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("10.9.0.2", 7))
    assert next_frame(tap, ETHERTYPE_IPV4)


def test_an_interface_that_is_deleted_ends_the_link(tap: Tap) -> None:
    tap.open(never)
    poll = select.epoll()
    poll.register(tap.fileno(), select.EPOLLIN)
    ip("link", "del", "tapt")
    assert poll.poll(5.0), "a reader that waits for frames is told"
    poll.close()
    for _ in range(2):
        with pytest.raises(OSError, match="tapt is gone") as caught:
            tap.read(0.0)
        assert caught.value.errno == errno.ENETDOWN
        assert not tap.write([bytes(60)], 0.0)
    tap.close()
    assert tap.read(0.0) is None


def test_a_frame_that_is_none_is_refused_without_harm(tap: Tap) -> None:
    tap.open(never)
    assert not tap.write([b"short"], 0.0)
    assert tap.write_errors == {"EINVAL": 1}
    assert tap.write([ethernet_ii(b"\xff" * 6, OUR_MAC, 0x88B5), bytes(46)], 0.0)


# --- a TAP that cannot be had -----------------------------------------------------------------------------------------


def test_a_tap_in_use(tap: Tap) -> None:
    tap.open(never)
    with pytest.raises(OSError, match="tapt: another program is using this TAP") as caught:
        Tap("tapt").open(never)
    assert caught.value.errno == errno.EBUSY
    assert tap.read(0.0) is None, "the first goes on"
    tap.close()
    second = Tap("tapt")
    second.open(never)
    second.close()


@pytest.mark.parametrize("how", ["lo", "tun", "multi_queue"])
def test_a_name_of_another_kind_of_interface(how: str) -> None:
    name = "lo" if how == "lo" else "other"
    if how == "tun":
        ip("tuntap", "add", name, "mode", "tun")
    elif how == "multi_queue":
        ip("tuntap", "add", name, "mode", "tap", "multi_queue")
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=f"{name}: there is an interface of this name that is not a TAP") as caught:
        Tap(name).open(never)
    assert caught.value.errno == errno.EINVAL
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_kernels_mac_is_not_ours() -> None:
    ip("tuntap", "add", "tapt", "mode", "tap")
    ip("link", "set", "tapt", "address", OUR_MAC.hex(":"))
    with pytest.raises(OSError, match="02:00:00:00:00:aa") as caught:
        Tap("tapt", mac=OUR_MAC).open(never)
    assert caught.value.errno == errno.EADDRINUSE


OPEN_ONE = """
import sys
from stack.link.tap import Tap
from stack.wire.addresses import Prefix
tap = Tap("tapt", mtu=int(sys.argv[1]), host_address=Prefix.parse("10.9.0.1/24"))
try:
    tap.open(lambda: None)
except OSError as error:
    print(error.errno, error.strerror)
else:
    print("opened", tap.write([bytes(60)], 0.0), tap.write_errors)
"""


def open_without_the_capability(mtu: int) -> str:
    """What becomes of a TAP that root without CAP_NET_ADMIN opens."""
    dropped = ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
    command = ["setpriv", *dropped, sys.executable, "-c", OPEN_ONE, str(mtu)]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_privilege() -> None:
    said = open_without_the_capability(1500)
    assert said.startswith(f"{errno.EPERM} tapt: a TAP needs root or CAP_NET_ADMIN")
    assert said.count("\n") == 1


def test_a_tap_made_for_a_user_without_privilege_works_as_it_was_set_up() -> None:
    ip("tuntap", "add", "tapt", "mode", "tap", "user", "0")
    assert open_without_the_capability(1500).startswith(f"{errno.EPERM} tapt: cannot give it the address 10.9.0.1/24")
    ip("addr", "add", "10.9.0.1/24", "dev", "tapt")
    assert open_without_the_capability(1500).startswith(f"{errno.EPERM} tapt: cannot bring it up: that needs root")
    ip("link", "set", "tapt", "up")
    assert open_without_the_capability(1500) == "opened True {}\n"
    assert open_without_the_capability(1400).startswith(f"{errno.EPERM} tapt: cannot set its MTU: that needs root")


def test_without_the_node(tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "NODE", "/dev/net/no-such-node")
    with pytest.raises(OSError, match="tapt: /dev/net/no-such-node is missing: load its module") as caught:
        tap.open(never)
    assert caught.value.errno == errno.ENOENT
