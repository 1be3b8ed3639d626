"""The TAP without a kernel: a pair of datagram sockets plays the device, so that each error comes
when it is wanted.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from stack.link import tap as tap_module
from stack.link.tap import SIOCGIFTXQLEN, SIOCSIFTXQLEN, TUNGETIFF, TUNSETOFFLOAD

IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


class FakeDevice:
    """What pytun gives us, on one end of a pair of sockets whose other end plays the kernel."""

    def __init__(self) -> None:
        ours, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        os.set_inheritable(ours.fileno(), True)
        self.descriptor = ours.detach()
        self.arguments: dict[str, object] = {}
        self.hwaddr = b"\x0a\1\2\3\4\5"
        self.did: list[tuple[str, object]] = []
        self.refuses: dict[str, int] = {}
        self.current: dict[str, object] = {"mtu": 1500, "addr": None}
        self.closed = 0

    def fileno(self) -> int:
        return self.descriptor

    def close(self) -> None:
        self.closed += 1
        if self.closed == 1:
            os.close(self.descriptor)

    def act(self, what: str, value: object = None) -> None:
        if what in self.refuses:
            raise OSError(self.refuses[what], os.strerror(self.refuses[what]))
        self.did.append((what, value))
        self.current[what] = value

    def up(self) -> None:
        self.act("up")

    @property
    def mtu(self) -> object:
        return self.current["mtu"]

    @mtu.setter
    def mtu(self, value: int) -> None:
        self.act("mtu", value)

    @property
    def addr(self) -> object:
        if self.current["addr"] is None:
            raise OSError(errno.EADDRNOTAVAIL, "none")
        return self.current["addr"]

    @addr.setter
    def addr(self, value: str) -> None:
        self.act("addr", value)

    @property
    def netmask(self) -> object:
        raise NotImplementedError

    @netmask.setter
    def netmask(self, value: str) -> None:
        self.act("netmask", value)


class FakeControl:
    """fcntl.ioctl for it: remembers the requests."""

    def __init__(self) -> None:
        self.requests: dict[int, int | bytes] = {}
        self.order: list[int] = []
        self.flags = 0  # of the interface, as TUNGETIFF tells them
        self.refuses: dict[int, int] = {}
        self.offloads = 0x7F  # the bits of TUNSETOFFLOAD that this kernel knows
        self.queue_frames = 1000

    def ioctl(self, descriptor: int | socket.socket, request: int, argument: int | bytes = 0) -> int | bytes:
        self.order.append(request)
        if request in self.refuses:
            raise OSError(self.refuses[request], os.strerror(self.refuses[request]))
        if request == TUNGETIFF:
            assert isinstance(argument, bytes)
            return argument[:16] + struct.pack("=H", self.flags) + argument[18:]
        if request in (SIOCGIFTXQLEN, SIOCSIFTXQLEN):
            assert isinstance(argument, bytes)
            assert argument[:16].rstrip(b"\0") == b"tap7"
            if request == SIOCGIFTXQLEN:
                return argument[:16] + struct.pack("=i", self.queue_frames) + argument[20:]
            (self.queue_frames,) = struct.unpack_from("=i", argument, 16)
            return argument
        if request == TUNSETOFFLOAD:
            assert isinstance(argument, int)
            both = argument & 0x60
            if argument & ~self.offloads or both not in (0, 0x60) or (argument and not argument & 1):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.requests[request] = argument
        return argument


@contextmanager
def fakes(patch: pytest.MonkeyPatch) -> Iterator[tuple[FakeDevice, FakeControl]]:
    """Both in the place of the real ones; an interface has the flags that it is made with."""
    device, control = FakeDevice(), FakeControl()

    def create(**arguments: object) -> FakeDevice:
        flags = arguments["flags"]
        assert isinstance(flags, int)
        if flags & IFF_VNET_HDR and control.refuses.get(IFF_VNET_HDR):
            raise OSError(control.refuses[IFF_VNET_HDR], "no headers")
        device.arguments = arguments
        control.flags |= flags
        return device

    patch.setattr("pytun.TunTapDevice", create)
    patch.setattr("fcntl.ioctl", control.ioctl)
    yield device, control
    device.kernel.close()
    device.close()


def refusing(number: int) -> Callable[..., NoReturn]:
    """A system call that always fails with this errno."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


assert tap_module.IFF_VNET_HDR == IFF_VNET_HDR
