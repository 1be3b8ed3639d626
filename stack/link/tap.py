"""A Linux TAP: a network interface of the kernel whose wire ends in this process.

We read each frame that the kernel sends out of the interface, and each frame that we write arrives
at the kernel as if from the wire. See Documentation/networking/tuntap.rst in the Linux source.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

from stack.errors import error_name
from stack.frame_buffer import FrameBuffer
from stack.link.device import ETHERNET_HEADER, NO_OFFLOAD, Offload, check_station_address
from stack.wire import virtio
from stack.wire.addresses import Prefix, format_ipv4
from stack.wire.checksum import Buffer
from stack.wire.virtio import NO_OFFLOAD_HEADER, VERIFIED

NODE = "/dev/net/tun"
DOCKER_HINT = "in Docker: --device /dev/net/tun --cap-add NET_ADMIN"

# linux/if_tun.h. These are the values of _IOW('T', n, size) on all architectures except alpha,
# mips, powerpc and sparc.
TUNSETOFFLOAD = 0x400454D0
TUNSETTXFILTER = 0x400454D1
TUNGETIFF = 0x800454D2
TUNSETVNETHDRSZ = 0x400454D8
TUNSETVNETLE = 0x400454DC
IFF_PERSIST, IFF_VNET_HDR = 0x0800, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_USO4, TUN_F_USO6 = 0x01, 0x02, 0x20, 0x40

# linux/sockios.h
SIOCGIFTXQLEN, SIOCSIFTXQLEN = 0x8942, 0x8943

# The sets of offloads that we ask the kernel for, the largest first, and what the link announces if
# the kernel agrees. USO came with Linux 6.2. The kernel accepts USO4 only together with USO6.
GSO_MAX_BYTES = 65_535 - 60 - 60  # the TCP payload that fits with the longest headers
OFFLOADS = (
    (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_USO4 | TUN_F_USO6, Offload(True, GSO_MAX_BYTES, uso=True)),
    (TUN_F_CSUM | TUN_F_TSO4, Offload(True, GSO_MAX_BYTES)),
    (TUN_F_CSUM, Offload(True)),
    (0, NO_OFFLOAD),
)
WANTED: dict[bool | str, int] = {True: 0, "checksum": 2, "software": 3, False: 3}  # the first entry of OFFLOADS to try

READ_BYTES = 65_536 + 256  # the largest IP packet or super-frame with Ethernet, VLAN and offload headers
QUEUE_FRAMES = 4096  # without TSO, room for the largest receive window in segments of an Ethernet's size
LONGEST_NAME = 15  # bytes: IFNAMSIZ minus the terminating zero
SMALLEST_MTU = 68  # RFC 791 section 3.2
LARGEST_MTU = 65535 - ETHERNET_HEADER  # what the kernel allows on a TAP
STALE_FRAMES = 4096  # the most frames that `open` reads to empty the queue; the kernel's holds 500 to 1,000
_DISCARD_BYTES = 64  # read of each frame that is discarded
MOST_PARTS = 1024  # linux/uio.h: UIO_MAXIOV
TRANSIENT = frozenset({errno.EINTR, errno.ENOMEM, errno.ENOBUFS})

MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class Tap:
    """A link to the kernel of this machine: a TAP, which is made if it does not exist.

    name: the name of the interface, at most 15 bytes.
    mtu: in bytes, 68 to 65521. None leaves the MTU of an existing TAP as it is, and gives a new one
      1500.
    mac: the host's station address, 6 bytes. It differs from that of the kernel's interface: the
      two are neighbours on one wire. The default is a locally administered address that depends on
      the machine and the name, and stays the same.
    offload: True lets the kernel compute checksums, segment large frames for us and deliver large
      frames to us, if it can; else as "software". "checksum" asks for checksums only. "software"
      asks the kernel for nothing: the host cuts large segments just before the TAP, which is faster
      than to form each one. False: TCP forms each segment by itself. While open, the attribute
      `offload` shows what the kernel agreed to.
    host_address: the address and prefix of the kernel's interface, "10.9.0.1/24". It is set only if
      the TAP has none; None sets none.
    up: bring the interface up.

    ValueError for an argument that is not valid. `open` reports what the system refuses.

    A TAP that `open` made disappears at `close`. A persistent one (`ip tuntap add`) stays; then
    `persistent` is True while it is open. `write_errors` counts the frames that the kernel did not
    take, by the name of the error: EIO while the interface is down. A TAP that `open` made gets a
    queue for a whole receive window (`queue_frames`).
    """

    def __init__(
        self,
        name: str = "tap0",
        *,
        mtu: int | None = None,
        mac: bytes | None = None,
        offload: bool | str = True,
        host_address: str | Prefix | None = None,
        up: bool = True,
    ) -> None:
        check_interface_name(name)
        if mtu is not None and not SMALLEST_MTU <= mtu <= LARGEST_MTU:
            raise ValueError(f"the MTU of a TAP is {SMALLEST_MTU} to {LARGEST_MTU} bytes, not {mtu}")
        if offload not in WANTED:
            raise ValueError(f"offload is True, False, 'checksum' or 'software', not {offload!r}")
        if mac is not None:
            check_station_address(mac)
        self.name = name
        self.mtu = 1500 if mtu is None else mtu
        self.mac: bytes | None = stable_mac(name) if mac is None else bytes(mac)
        self.ip_offset = ETHERNET_HEADER
        self.offload = NO_OFFLOAD
        self.rx_checksum_ok = False
        self.queue_frames = 0
        self.may_offload = bool(offload)
        self.deadline = math.inf
        self.persistent = False
        self.write_errors: dict[str, int] = {}
        self._first_try = WANTED[offload]
        self._in_software = offload in (True, "software")
        self._wanted_mtu = mtu
        self._host_address = Prefix.parse(host_address) if isinstance(host_address, str) else host_address
        self._up = up
        self._device: Any = None
        self._fd = -1
        self._read_into(FrameBuffer(READ_BYTES))
        self._header = 0  # the bytes of the offload header before each frame

    def _read_into(self, buffer: FrameBuffer) -> None:
        self._buffer = buffer
        self._buffers = [buffer]
        self._view = memoryview(buffer).toreadonly()

    @property
    def rx_gso_size(self) -> int:
        """The payload in bytes of each packet in the last frame if it was a super-frame; else 0."""
        return virtio.gso_size(self._buffer) if self._header else 0

    def open(self, wake: Callable[[], None]) -> None:
        """Make or open the TAP and set it up. `wake` is never called: wait for the descriptor.

        OSError with a text for users: EOPNOTSUPP on a system other than Linux and without the
        package python-pytun, EPERM or EACCES without the privilege, ENOENT without /dev/net/tun,
        EBUSY if another process uses this TAP, EINVAL if the name belongs to an interface of
        another kind, EADDRINUSE if the kernel's interface has our MAC address, EALREADY if it is
        open.
        """
        if self._device is not None:
            raise OSError(errno.EALREADY, f"{self.name} is open already")
        fcntl, pytun = _what_a_tap_needs(self.name)
        device = self._create(pytun)
        try:
            descriptor: int = device.fileno()
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)
            self._negotiate(descriptor, fcntl)
            self._discard_stale_frames(descriptor)
            self._set_up(device, fcntl)
        except BaseException:
            device.close()
            raise
        self._device = device
        self._fd = descriptor

    def fileno(self) -> int:
        """The descriptor of the TAP; -1 when closed."""
        return self._fd

    def read(self, now: float) -> memoryview | None:  # hot
        """The next frame, in a FrameBuffer; None if there is none now.

        It is valid until the next call, or longer if it is kept. OSError(ENETDOWN) if the interface
        was deleted.
        """
        if self._buffer.kept:
            self._read_into(self._buffer.another())
        try:
            length = os.readv(self._fd, self._buffers)
        except BlockingIOError:
            return None
        except OSError as error:
            if self._fd < 0 or error.errno in TRANSIENT:
                return None
            raise OSError(errno.ENETDOWN, f"{self.name} is gone") from None
        # One buffer for header and frame is 0.1 us cheaper than two.
        header = self._header
        if header:
            self.rx_checksum_ok = self._buffer[0] & VERIFIED != 0
        return self._view[header:length]

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:  # hot
        """Send one frame; False if the kernel did not take it, which `write_errors` counts.

        A TAP takes a frame whole or not at all, so the return value of writev adds nothing.
        """
        try:
            # A new list costs 0.07 us. Inserting the header into the caller's list, and removing it
            # again, costs as much.
            os.writev(self._fd, [offload or NO_OFFLOAD_HEADER, *parts] if self._header else parts)
        except OSError as error:
            return self._refused(parts, offload, error)
        return True

    def poll(self, now: float) -> None:
        """Do nothing: the kernel queues the frames, and no work is ever due."""

    def close(self) -> None:
        """Release the TAP. One that `open` made disappears."""
        device, self._device, self._fd = self._device, None, -1
        self.persistent = self.rx_checksum_ok = False
        self.offload, self._header = NO_OFFLOAD, 0
        if device is not None:
            device.close()

    def _refused(self, parts: list[Buffer], offload: bytes, error: OSError) -> bool:
        if self._fd < 0:
            return False
        if error.errno == errno.EINVAL and len(parts) >= MOST_PARTS:
            return self.write([b"".join(parts)], 0.0, offload)
        name = error_name(error.errno)
        self.write_errors[name] = self.write_errors.get(name, 0) + 1
        return False

    def _create(self, pytun: ModuleType) -> Any:
        flags = pytun.IFF_TAP | pytun.IFF_NO_PI
        try:
            if self.may_offload and OFFLOADS[self._first_try][0]:
                try:
                    return pytun.TunTapDevice(name=self.name, flags=flags | IFF_VNET_HDR, dev=NODE)
                except OSError as error:
                    # Either the name belongs to another kind of interface, or the kernel has no
                    # offload headers. The call below, without them, shows which.
                    if error.errno != errno.EINVAL:
                        raise
            return pytun.TunTapDevice(name=self.name, flags=flags, dev=NODE)
        except OSError as error:
            raise _open_error(error, self.name) from None

    def _negotiate(self, descriptor: int, fcntl: ModuleType) -> None:
        """Set what an earlier user may have left, and ask for the offloads.

        A persistent TAP keeps the settings of its last user: offloads, the size and byte order of
        their header, a filter of addresses. So each of them is set, even to its default.
        """
        (flags,) = struct.unpack_from("=H", fcntl.ioctl(descriptor, TUNGETIFF, bytes(40)), 16)
        self.persistent = bool(flags & IFF_PERSIST)
        self._header = virtio.HEADER_LENGTH if flags & IFF_VNET_HDR else 0
        for request, value in (
            (TUNSETVNETHDRSZ, struct.pack("=i", virtio.HEADER_LENGTH)),
            (TUNSETVNETLE, struct.pack("=i", 1)),
            (TUNSETTXFILTER, struct.pack("=HH", 0, 0)),
        ):
            try:
                fcntl.ioctl(descriptor, request, value)
            except OSError as error:
                # A kernel without the request has no such setting, and its headers are like ours.
                if error.errno not in (errno.EINVAL, errno.ENOTTY):
                    raise
        for wanted, result in OFFLOADS[self._first_try if self._header else WANTED[False] :]:
            try:
                fcntl.ioctl(descriptor, TUNSETOFFLOAD, wanted)
            except OSError as error:
                if not wanted or error.errno not in (errno.EINVAL, errno.ENOTTY):
                    raise
            else:
                if self._in_software and self.may_offload and not result.gso_max_bytes:
                    result = replace(result, gso_max_bytes=GSO_MAX_BYTES, software=True)
                self.offload = result
                return

    def _discard_stale_frames(self, descriptor: int) -> None:
        """Empty the queue: if the interface was up, it may hold frames meant for its last user."""
        for _ in range(STALE_FRAMES):
            try:
                os.read(descriptor, _DISCARD_BYTES)
            except OSError:
                break

    def _set_up(self, device: Any, fcntl: ModuleType) -> None:
        """Configure the kernel's interface. Settings that are right already need no privilege."""
        if device.hwaddr == self.mac:
            raise OSError(
                errno.EADDRINUSE,
                f"{self.name}: the kernel's interface has the MAC address {device.hwaddr.hex(':')}:"
                " choose another one for the host",
            )
        doing = "set its MTU"
        try:
            if self._wanted_mtu is not None and device.mtu != self._wanted_mtu:
                device.mtu = self._wanted_mtu
            self.mtu = device.mtu
            if self._host_address is not None and not _has_address(device):
                doing = f"give it the address {self._host_address}"
                device.addr = format_ipv4(self._host_address.address)
                device.netmask = format_ipv4(self._host_address.mask)
            if self._up:
                doing = "bring it up"
                device.up()
            self._set_queue_length(fcntl)
        except OSError as error:
            forbidden = error.errno in (errno.EPERM, errno.EACCES)
            reason = "that needs root or CAP_NET_ADMIN" if forbidden else error.strerror
            raise OSError(error.errno, f"{self.name}: cannot {doing}: {reason}") from None

    def _set_queue_length(self, fcntl: ModuleType) -> None:
        """Give a TAP that we made a queue that is long enough, and read the queue's length."""
        name = os.fsencode(self.name)
        self.queue_frames = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            try:
                if not self.persistent:
                    fcntl.ioctl(control, SIOCSIFTXQLEN, struct.pack("=16si20x", name, QUEUE_FRAMES))
                answer = fcntl.ioctl(control, SIOCGIFTXQLEN, struct.pack("=16s24x", name))
                self.queue_frames = struct.unpack_from("=i", answer, 16)[0]
            except OSError:
                pass  # the length stays unknown: 0


def _what_a_tap_needs(name: str) -> tuple[ModuleType, ModuleType]:
    """The modules fcntl and pytun. OSError(EOPNOTSUPP), which says what is missing.

    They are imported here, since a network in memory needs neither of them.
    """
    if sys.platform != "linux":
        text = "a TAP needs Linux: on this system use stack.Ethernet, a network in memory"
        raise OSError(errno.EOPNOTSUPP, f"{name}: {text}")
    try:
        import fcntl

        import pytun
    except ImportError as error:
        text = f"a TAP needs the package python-pytun: `pip install python-pytun` ({error})"
        raise OSError(errno.EOPNOTSUPP, f"{name}: {text}") from None
    return fcntl, pytun


def stable_mac(name: str) -> bytes:
    """A locally administered address for the host on the TAP `name`, always the same on a machine.

    It is a hash, since the machine id must not be shown to the network (machine-id(5)).
    """
    identity = socket.gethostname().encode()
    for path in MACHINE_ID_FILES:
        try:
            with open(path, "rb") as file:
                content = file.read(64).strip()
        except OSError:
            continue
        if content and content != b"uninitialized":
            identity = content
            break
    digest = hashlib.sha256(b"tapstack\0" + identity + b"\0" + os.fsencode(name)).digest()
    return bytes((digest[0] & 0xFC | 0x02, *digest[1:6]))


def check_interface_name(name: str) -> None:
    """ValueError unless Linux allows `name` for an interface and it is printable.

    A `%` would make the name a pattern.
    """
    if not name or len(os.fsencode(name)) > LONGEST_NAME:
        raise ValueError(f"an interface name has 1 to {LONGEST_NAME} bytes: {name!r} is not allowed")
    if name in (".", "..") or any(c in "/:%\0" or c.isspace() for c in name):
        raise ValueError(
            f"{name!r} is not an interface name: slash, colon, percent sign, white space, '.' and '..' are not allowed"
        )
    if name in ("all", "default"):
        raise ValueError(f"{name!r} is not an interface name: the kernel uses it for settings of all interfaces")
    if not name.isprintable():
        raise ValueError(f"{name!r} is not an interface name here: it has unprintable characters")


def _has_address(device: Any) -> bool:
    try:
        return bool(device.addr)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return False
        raise


def _open_error(error: OSError, name: str) -> OSError:
    """The error for a TAP that could not be opened, with what to do about it in one line."""
    code = error.errno or errno.EINVAL
    if code in (errno.EPERM, errno.EACCES):
        text = (
            "a TAP needs root or CAP_NET_ADMIN: run as root, or use `tapstack lab`, or start your program with"
            f" `unshare --map-root-user --net` ({DOCKER_HINT})"
        )
    elif code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        text = f"{NODE} is missing: load its module with `modprobe tun` ({DOCKER_HINT})"
    elif code == errno.EBUSY:
        text = "another program is using this TAP (in a lab, the lab's own host): end it, or choose another name"
    elif code == errno.EINVAL:
        text = "there is an interface of this name that is not a TAP with one queue: choose another name"
    else:
        text = f"cannot open this TAP: {error.strerror or error}"
    return OSError(code, f"{name}: {text}")
