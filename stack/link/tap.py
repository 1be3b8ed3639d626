"""A Linux TAP: a network interface of the kernel whose wire ends in this process.

What the kernel sends out of the interface is read here, frame by frame, and what is written here arrives in the kernel
as if from the wire. See Documentation/networking/tuntap.rst in the Linux source.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytun

from stack.frame_buffer import FrameBuffer
from stack.link.device import ETHERNET_HEADER, NO_OFFLOAD, Offload, check_station_address
from stack.wire import virtio
from stack.wire.addresses import Prefix, format_ipv4
from stack.wire.checksum import Buffer
from stack.wire.virtio import NO_OFFLOAD_HEADER, VERIFIED

NODE = "/dev/net/tun"
DOCKER_HINT = "in Docker: --device /dev/net/tun --cap-add NET_ADMIN"

# linux/if_tun.h, as _IOW('T', n, size) comes out everywhere but on alpha, mips, powerpc and sparc.
TUNSETOFFLOAD = 0x400454D0
TUNSETTXFILTER = 0x400454D1
TUNGETIFF = 0x800454D2
TUNSETVNETHDRSZ = 0x400454D8
TUNSETVNETLE = 0x400454DC
IFF_PERSIST, IFF_VNET_HDR = 0x0800, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_USO4, TUN_F_USO6 = 0x01, 0x02, 0x20, 0x40

# linux/sockios.h
SIOCGIFTXQLEN, SIOCSIFTXQLEN = 0x8942, 0x8943

# What is asked of the kernel, the most first, and what we announce when it agrees. USO came with Linux 6.2; its two
# halves go only together, although IPv6 is not for us.
GSO_MAX_BYTES = 65_535 - 60 - 60  # what a TCP payload can have under the longest headers
OFFLOADS = (
    (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_USO4 | TUN_F_USO6, Offload(True, GSO_MAX_BYTES, uso=True)),
    (TUN_F_CSUM | TUN_F_TSO4, Offload(True, GSO_MAX_BYTES)),
    (TUN_F_CSUM, Offload(True)),
    (0, NO_OFFLOAD),
)
WANTED: dict[bool | str, int] = {True: 0, "checksum": 2, False: 3}  # which of these is tried first

READ_BYTES = 65_536 + 256  # the largest IP packet or super-frame with Ethernet, VLAN and offload headers
QUEUE_FRAMES = 4096  # without TSO, room for the largest receive window in segments of an Ethernet's size
LONGEST_NAME = 15  # bytes: IFNAMSIZ less the zero at its end
SMALLEST_MTU = 68  # RFC 791 section 3.2
LARGEST_MTU = 65535 - ETHERNET_HEADER  # what the kernel allows on a TAP
STALE_FRAMES = 4096  # how many frames `open` looks at to empty the queue; the kernel's holds 500 to 1,000
_A_GLANCE = 64  # bytes: of a frame that nobody wants
MOST_PARTS: int = os.sysconf("SC_IOV_MAX")
PASSING = frozenset({errno.EINTR, errno.ENOMEM, errno.ENOBUFS})

MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class Tap:
    """A link to the kernel of this machine: a TAP, made if it is not there yet.

    name: the interface, at most 15 bytes.
    mtu: in bytes, 68 to 65521; None leaves a TAP that is there as it is, and gives a new one 1500.
    mac: our own station address, 6 bytes, which is not that of the kernel's interface: the two are neighbours on one
      wire. By default a locally administered one that is always the same for this machine and this name.
    offload: have the kernel compute checksums and cut large segments up, and take its large ones, as far as it can;
      "checksum" stops at checksums. What came of it is in the attribute `offload` while it is open.
    host_address: the kernel's address and prefix, "10.9.0.1/24", set only where the TAP has none; None: left alone.
    up: bring the interface up.

    ValueError for an argument that cannot be. What the system refuses is told by `open`.

    A TAP that `open` made is gone after `close`; one that was made to stay (`ip tuntap add`) stays, and `persistent`
    is True for it while open. `write_errors` counts the frames the kernel did not take under the names of the errors:
    EIO while the interface is down. A TAP of our making gets a queue for a whole receive window (`queue_frames`).
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
            raise ValueError(f"offload is True, False or 'checksum', not {offload!r}")
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
        self._wanted_mtu = mtu
        self._host_address = Prefix.parse(host_address) if isinstance(host_address, str) else host_address
        self._up = up
        self._device: Any = None
        self._fd = -1
        self._read_into(FrameBuffer(READ_BYTES))
        self._header = 0  # how many bytes come before each frame

    def _read_into(self, buffer: FrameBuffer) -> None:
        self._buffer = buffer
        self._buffers = [buffer]
        self._view = memoryview(buffer).toreadonly()

    @property
    def rx_gso_size(self) -> int:
        """The payload of each packet in the last frame, in bytes, if that was a super-frame; else 0."""
        return virtio.gso_size(self._buffer) if self._header else 0

    def open(self, wake: Callable[[], None]) -> None:
        """Make or take the TAP and set it up; `wake` is never called, the descriptor tells.

        OSError with a text for people: EPERM or EACCES without the privilege, ENOENT without /dev/net/tun, EBUSY when
        another process has this TAP, EINVAL when the name belongs to an interface of another kind, EADDRINUSE when the
        kernel's side has our MAC address, EALREADY when it is open.
        """
        if self._device is not None:
            raise OSError(errno.EALREADY, f"{self.name} is open already")
        device = self._create()
        try:
            descriptor: int = device.fileno()
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)
            self._agree(descriptor)
            self._throw_away_old_frames(descriptor)
            self._set_up(device)
        except BaseException:
            device.close()
            raise
        self._device = device
        self._fd = descriptor

    def fileno(self) -> int:
        """The descriptor of the TAP; -1 when closed."""
        return self._fd

    def read(self, now: float) -> memoryview | None:  # hot
        """The next frame, in a FrameBuffer, valid until the next call unless kept; None when there is none now.

        OSError(ENETDOWN) when the interface was deleted.
        """
        if self._buffer.kept:
            self._read_into(self._buffer.another())
        try:
            length = os.readv(self._fd, self._buffers)
        except BlockingIOError:
            return None
        except OSError as error:
            if self._fd < 0 or error.errno in PASSING:
                return None
            raise OSError(errno.ENETDOWN, f"{self.name} is gone") from None
        # One buffer for header and frame is 0.1 us cheaper than two.
        header = self._header
        if header:
            self.rx_checksum_ok = self._buffer[0] & VERIFIED != 0
        return self._view[header:length]

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:  # hot
        """Send one frame; False when the kernel did not take it, which `write_errors` counts.

        A TAP takes a frame whole or not at all, so what writev returns says nothing more.
        """
        try:
            # A new list costs 0.07 us, as much as to put the header into the caller's and to take it out again.
            os.writev(self._fd, [offload or NO_OFFLOAD_HEADER, *parts] if self._header else parts)
        except OSError as error:
            return self._refused(parts, offload, error)
        return True

    def poll(self, now: float) -> None:
        """Nothing is ever due: the kernel holds the frames."""

    def close(self) -> None:
        """Give the TAP back; one that `open` made is gone with it."""
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
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        self.write_errors[name] = self.write_errors.get(name, 0) + 1
        return False

    def _create(self) -> Any:
        flags = pytun.IFF_TAP | pytun.IFF_NO_PI
        try:
            if self.may_offload:
                try:
                    return pytun.TunTapDevice(name=self.name, flags=flags | IFF_VNET_HDR, dev=NODE)
                except OSError as error:
                    # Either the name is another interface's, which we are told once more, or the kernel has no headers.
                    if error.errno != errno.EINVAL:
                        raise
            return pytun.TunTapDevice(name=self.name, flags=flags, dev=NODE)
        except OSError as error:
            raise _explained(error, self.name) from None

    def _agree(self, descriptor: int) -> None:
        """Settle what the kernel leaves to us and we to it.

        A persistent TAP remembers what its last user wanted: offloads, the size and byte order of their header, a
        filter of addresses. So all of it is set, whether wanted or not.
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
                # A kernel that does not know the request has nothing to forget, and headers like ours.
                if error.errno not in (errno.EINVAL, errno.ENOTTY):
                    raise
        for wanted, result in OFFLOADS[self._first_try if self._header else WANTED[False] :]:
            try:
                fcntl.ioctl(descriptor, TUNSETOFFLOAD, wanted)
            except OSError as error:
                if not wanted or error.errno not in (errno.EINVAL, errno.ENOTTY):
                    raise
            else:
                self.offload = result
                return

    def _throw_away_old_frames(self, descriptor: int) -> None:
        """An interface that was up may have queued frames since we took it that were made for its last user."""
        for _ in range(STALE_FRAMES):
            try:
                os.read(descriptor, _A_GLANCE)
            except OSError:
                break

    def _set_up(self, device: Any) -> None:
        """Give the kernel's side what was asked for, touching only what differs: that needs no privilege."""
        if device.hwaddr == self.mac:
            raise OSError(
                errno.EADDRINUSE,
                f"{self.name}: the kernel's side has the MAC address {device.hwaddr.hex(':')}, choose another for ours",
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
            self._make_room()
        except OSError as error:
            forbidden = error.errno in (errno.EPERM, errno.EACCES)
            reason = "that needs root or CAP_NET_ADMIN" if forbidden else error.strerror
            raise OSError(error.errno, f"{self.name}: cannot {doing}: {reason}") from None

    def _make_room(self) -> None:
        """Find out how many frames the kernel queues for us, and have it be enough where the TAP is of our making."""
        name = os.fsencode(self.name)
        self.queue_frames = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            try:
                if not self.persistent:
                    fcntl.ioctl(control, SIOCSIFTXQLEN, struct.pack("=16si20x", name, QUEUE_FRAMES))
                answer = fcntl.ioctl(control, SIOCGIFTXQLEN, struct.pack("=16s24x", name))
                self.queue_frames = struct.unpack_from("=i", answer, 16)[0]
            except OSError:
                pass  # nobody knows, then


def stable_mac(name: str) -> bytes:
    """A locally administered address for the host on the TAP `name`, the same as long as the machine is the same.

    A hash, since the machine id itself is not to be shown to the network (machine-id(5)).
    """
    identity = os.uname().nodename.encode()
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
    """ValueError unless Linux allows `name` for an interface and people can read it.

    `%` would make it a pattern.
    """
    if not name or len(os.fsencode(name)) > LONGEST_NAME:
        raise ValueError(f"an interface name has 1 to {LONGEST_NAME} bytes, {name!r} does not")
    if name in (".", "..") or any(c in "/:%\0" or c.isspace() for c in name):
        raise ValueError(f"{name!r} is no interface name: it holds a slash, a colon, a percent sign or white space")
    if name in ("all", "default"):
        raise ValueError(f"{name!r} is no interface name: in the kernel's settings it stands for others")
    if not name.isprintable():
        raise ValueError(f"{name!r} is no interface name for us: it holds what cannot be printed")


def _has_address(device: Any) -> bool:
    try:
        return bool(device.addr)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return False
        raise


def _explained(error: OSError, name: str) -> OSError:
    """Why a TAP could not be had, and what to do about it, in one line."""
    code = error.errno or errno.EINVAL
    if code in (errno.EPERM, errno.EACCES):
        text = (
            "a TAP needs root or CAP_NET_ADMIN: run as root, or use `tapstack lab`, or start your own program with"
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
