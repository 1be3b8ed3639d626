"""Ancillary data of datagrams: what `recvmsg` and `sendmsg` carry beside the data.

See ip(7) for IP_PKTINFO, IP_RECVTTL and IP_RECVTOS, cmsg(3) for the layout, and RFC 1122 section
4.1.3.5 for the addresses.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Iterable, Mapping
from struct import Struct
from typing import TYPE_CHECKING

from stack.socket_option import C_INT, Value
from stack.sockets.numbers import number
from stack.sockets.options import fail
from stack.udp.endpoint import Datagram
from stack.wire.addresses import ANY

if TYPE_CHECKING:
    from typing_extensions import Buffer

Ancillary = list[tuple[int, int, bytes]]

IP_PKTINFO = number("IP_PKTINFO", 8)
PACKET_INFO = Struct("=i4s4s")  # struct in_pktinfo: interface, local address, destination in the header
MSG_CTRUNC = number("MSG_CTRUNC", 8)
HEADER_BYTES, ALIGNMENT = 16, 8  # struct cmsghdr


def received(datagram: Datagram, interface: int, wanted: Mapping[str, Value], room: int) -> tuple[Ancillary, int]:
    """What is `wanted` of a datagram, as far as there is `room`, and MSG_CTRUNC if some is missing.

    `interface` is the number of the interface on which it has come.
    """
    items: Ancillary = []
    if wanted.get("pktinfo"):
        info = PACKET_INFO.pack(interface, datagram.local, datagram.destination)
        items.append((stdlib.IPPROTO_IP, IP_PKTINFO, info))
    if wanted.get("recvttl"):
        items.append((stdlib.IPPROTO_IP, stdlib.IP_TTL, C_INT.pack(datagram.ttl)))
    if wanted.get("recvtos"):
        items.append((stdlib.IPPROTO_IP, stdlib.IP_TOS, bytes([datagram.tos])))
    fitting: Ancillary = []
    for level, kind, data in items:
        if room < HEADER_BYTES:
            return fitting, MSG_CTRUNC
        fitting.append((level, kind, data[: room - HEADER_BYTES]))
        if room < HEADER_BYTES + len(data):
            return fitting, MSG_CTRUNC
        room -= HEADER_BYTES + -(-len(data) // ALIGNMENT) * ALIGNMENT
    return fitting, 0


def source_of(ancillary: Iterable[tuple[int, int, Buffer]]) -> bytes | None:
    """The address to send from, by IP_PKTINFO. OSError(EINVAL) for any other ancillary data."""
    source = None
    for level, kind, data in ancillary:
        info = bytes(data)
        if (level, kind) != (stdlib.IPPROTO_IP, IP_PKTINFO) or len(info) != PACKET_INFO.size:
            fail(errno.EINVAL)
        source = PACKET_INFO.unpack(info)[1]
    return None if source == ANY else source
