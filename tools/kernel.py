"""The kernel's network configuration: reads its addresses, brings an interface up, disables IPv6.

It uses rtnetlink (RFC 3549; the layouts are those of linux/rtnetlink.h and linux/if_addr.h), so
that no program needs to be installed.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR = 18, 20, 22
IFLA_MASTER = 10
IFA_ADDRESS, IFA_LOCAL = 1, 2
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP, IFF_RUNNING = 1, 0x40

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
IFADDRMSG = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, interface index
IFINFOMSG = struct.Struct("=BxHiII")  # family, device type, interface index, flags, change mask
ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type
IFREQ_FLAGS = struct.Struct("=16sH22x")


@dataclass(frozen=True)
class KernelAddress:
    """One IPv4 address of the kernel."""

    interface: str
    address: ipaddress.IPv4Interface


def addresses() -> list[KernelAddress]:
    """Return all IPv4 addresses that the kernel has in this network namespace."""
    names = dict(socket.if_nameindex())
    found = []
    for kind, body in request(RTM_GETADDR, NLM_F_DUMP, IFADDRMSG.pack(socket.AF_INET, 0, 0, 0, 0)):
        if kind != RTM_NEWADDR:
            continue
        family, length, _, _, index = IFADDRMSG.unpack_from(body)
        parts = dict(attributes(body[IFADDRMSG.size :]))
        address = parts.get(IFA_LOCAL, parts.get(IFA_ADDRESS))
        if family == socket.AF_INET and address is not None:
            interface = ipaddress.IPv4Interface((address, length))
            found.append(KernelAddress(names.get(index, f"interface {index}"), interface))
    return found


def master(interface: str) -> str | None:
    """Return the bridge (or bond) of an interface; None if it has none or does not exist."""
    names = dict(socket.if_nameindex())
    if interface not in names.values():
        return None
    index = socket.if_nametoindex(interface)
    for _, body in request(RTM_GETLINK, 0, IFINFOMSG.pack(socket.AF_UNSPEC, 0, index, 0, 0)):
        above = dict(attributes(body[IFINFOMSG.size :])).get(IFLA_MASTER)
        return None if above is None else names.get(int.from_bytes(above, sys.byteorder))
    return None


def is_running(interface: str) -> bool:
    """Return whether an interface exists, is up and has a carrier; a TAP has one while a program has it open."""
    import fcntl

    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        try:
            asked = IFREQ_FLAGS.pack(os.fsencode(interface), 0)
            return bool(IFREQ_FLAGS.unpack(fcntl.ioctl(sock, SIOCGIFFLAGS, asked))[1] & IFF_RUNNING)
        except OSError:
            return False


def set_up(interface: str) -> None:
    """Bring an interface up. OSError when that is not permitted."""
    import fcntl

    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        name = os.fsencode(interface)
        _, flags = IFREQ_FLAGS.unpack(fcntl.ioctl(sock, SIOCGIFFLAGS, IFREQ_FLAGS.pack(name, 0)))
        if not flags & IFF_UP:
            fcntl.ioctl(sock, SIOCSIFFLAGS, IFREQ_FLAGS.pack(name, flags | IFF_UP))


def switch_ipv6_off(interface: str) -> None:
    """Disable the kernel's IPv6 on an interface ("default": on those made later)."""
    try:
        Path(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6").write_text("1")
    except OSError:
        pass  # no IPv6, or a read-only /proc/sys: then captures show router solicitations, which do no harm


# --- rtnetlink --------------------------------------------------------------------------------------------------------


def request(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Send one request and yield (type, body) of each answer. OSError for a refusal."""
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)) as sock:
        sock.sendto(HEADER.pack(HEADER.size + len(body), kind, flags | NLM_F_REQUEST, 1, 0) + body, (0, 0))
        while True:
            for answer_kind, answer in messages(sock.recv(65536)):
                if answer_kind == NLMSG_DONE:
                    return
                if answer_kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", answer)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                yield answer_kind, answer


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the netlink messages in one datagram of the kernel's."""
    while len(data) >= HEADER.size:
        length, kind, _, _, _ = HEADER.unpack_from(data)
        if length < HEADER.size:
            raise OSError(errno.EPROTO, "a netlink message shorter than its header")
        yield kind, data[HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the (type, value) attributes at the end of a netlink message."""
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        if length < ATTRIBUTE.size:
            return
        yield kind, data[ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]
