"""Ancillary data of datagrams: what `recvmsg` and `sendmsg` carry beside the data.

See socket(7) for SO_TIMESTAMP, ip(7) for IP_PKTINFO, IP_RECVTTL, IP_RECVTOS and IP_RECVERR, udp(7)
for UDP_SEGMENT, cmsg(3) for the layout, and RFC 1122 section 4.1.3.5 for the addresses.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from stack.socket_option import C_INT, Value
from stack.sockets.numbers import number
from stack.sockets.options import IP_RECVERR, SO_TIMESTAMP, SO_TIMESTAMPNS, UDP_SEGMENT, fail
from stack.sockets.time_of_day import nanoseconds
from stack.udp.endpoint import Datagram
from stack.udp.special import QueuedError
from stack.wire.addresses import ANY

if TYPE_CHECKING:
    from typing_extensions import Buffer

Ancillary = list[tuple[int, int, bytes]]

IP_PKTINFO = number("IP_PKTINFO", 8)
SEGMENT = Struct("=H")  # of UDP_SEGMENT: octets in a datagram
PACKET_INFO = Struct("=i4s4s")  # struct in_pktinfo: interface, local address, destination in the header
MSG_CTRUNC = number("MSG_CTRUNC", 8)
EXTENDED_ERROR = Struct("=IBBBBII")  # struct sock_extended_err: errno, origin, type, code, 0, info, data
OFFENDER = Struct("=HH4s8x")  # struct sockaddr_in: family, port, address
TIME = Struct("@ll")  # struct timeval, and struct timespec
MICROSECONDS, NANOSECONDS = 1, 2  # the form in which a program wants times of arrival
HEADER_BYTES, ALIGNMENT = 16, 8  # struct cmsghdr


def received(
    datagram: Datagram, interface: int, wanted: Mapping[str, Value], stamp: Ancillary, room: int
) -> tuple[Ancillary, int]:
    """What is `wanted` of a datagram, as far as there is `room`, and MSG_CTRUNC if some is missing.

    `interface` is the number of the interface on which it has come, `stamp` the time as `stamped`
    gives it.
    """
    items: Ancillary = [*stamp]
    if wanted.get("pktinfo"):
        info = PACKET_INFO.pack(interface, datagram.local, datagram.destination)
        items.append((stdlib.IPPROTO_IP, IP_PKTINFO, info))
    if wanted.get("recvttl"):
        items.append((stdlib.IPPROTO_IP, stdlib.IP_TTL, C_INT.pack(datagram.ttl)))
    if wanted.get("recvtos"):
        items.append((stdlib.IPPROTO_IP, stdlib.IP_TOS, bytes([datagram.tos])))
    return fitting(items, room)


def stamped(form: int, ago_s: float) -> Ancillary:
    """The wall-clock time `ago_s` seconds ago, in the form `MICROSECONDS` or `NANOSECONDS`."""
    if not form:
        return []
    seconds, rest = divmod(nanoseconds(ago_s), 1_000_000_000)
    if form == MICROSECONDS:
        return [(stdlib.SOL_SOCKET, SO_TIMESTAMP, TIME.pack(seconds, rest // 1000))]
    return [(stdlib.SOL_SOCKET, SO_TIMESTAMPNS, TIME.pack(seconds, rest))]


def error(queued: QueuedError, stamp: Ancillary, room: int) -> tuple[Ancillary, int]:
    """An error of the queue, as IP_RECVERR gives it, and MSG_CTRUNC if `room` is too small.

    It is a struct sock_extended_err and the address of the offender, which is unset for an error of
    this host's own.
    """
    data = EXTENDED_ERROR.pack(queued.errno, queued.origin, queued.type, queued.code, 0, queued.info, 0)
    family = 0 if queued.offender is None else int(stdlib.AF_INET)
    data += OFFENDER.pack(family, 0, queued.offender or ANY)
    return fitting([*stamp, (stdlib.IPPROTO_IP, IP_RECVERR, data)], room)


def fitting(items: Ancillary, room: int) -> tuple[Ancillary, int]:
    """The part of `items` that fits `room` octets, and MSG_CTRUNC if some is missing."""
    fits: Ancillary = []
    for level, kind, data in items:
        if room < HEADER_BYTES:
            return fits, MSG_CTRUNC
        fits.append((level, kind, data[: room - HEADER_BYTES]))
        if room < HEADER_BYTES + len(data):
            return fits, MSG_CTRUNC
        room -= HEADER_BYTES + -(-len(data) // ALIGNMENT) * ALIGNMENT
    return fits, 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the ancillary data of `sendmsg` asks for; None where it says nothing.

    source: the address to send from (IP_PKTINFO).
    segment_bytes: the size of the datagrams into which the data is cut (UDP_SEGMENT); 0 for one.
    """

    source: bytes | None = None
    segment_bytes: int | None = None


def asked(ancillary: Iterable[tuple[int, int, Buffer]]) -> Asked:
    """What ancillary data asks for. Levels of other protocols are ignored, as in Linux.

    OSError(EINVAL) for data that is not understood.
    """
    source: bytes | None = None
    segment_bytes = None
    for level, kind, data in ancillary:
        content = bytes(data)
        if (level, kind) == (stdlib.IPPROTO_IP, IP_PKTINFO) and len(content) == PACKET_INFO.size:
            source = PACKET_INFO.unpack(content)[1]
        elif (level, kind) == (stdlib.IPPROTO_UDP, UDP_SEGMENT) and len(content) == SEGMENT.size:
            (segment_bytes,) = SEGMENT.unpack(content)
        elif level in (stdlib.SOL_SOCKET, stdlib.IPPROTO_IP, stdlib.IPPROTO_UDP):
            fail(errno.EINVAL)
    return Asked(None if source == ANY else source, segment_bytes)
