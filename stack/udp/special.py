"""What few programs ask of a UDP endpoint: a queue of errors, and a say in fragmentation.

An endpoint has a `Special` once the program has set such an option. See ip(7) and udp(7) for
Linux's options, RFC 1122 section 4.1.3.3 (ICMP errors for the application), and RFC 1191 (path
MTU discovery).
"""

from __future__ import annotations

import errno
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack.errors import os_error
from stack.udp.below import Address, IcmpError, Path

if TYPE_CHECKING:
    from stack.udp.endpoint import Endpoint

# The values of IP_MTU_DISCOVER. DONT: no DF. WANT: DF on what fits the path's MTU. DO: DF on all.
# PROBE: as DO, within the MTU of the interface. INTERFACE and OMIT: no DF, and the path's MTU does
# not count; OMIT fragments what is larger than the interface's.
DONT, WANT, DO, PROBE, INTERFACE, OMIT = range(6)

LARGEST_LENGTH = 0xFFFF  # of a call's data: more is refused before IP is asked

MOST_SEGMENTS = 128
"""How many datagrams one call may send (UDP_SEGMENT), as in Linux."""

LOCAL, ICMP = 1, 2
"""The origins of an error: SO_EE_ORIGIN_LOCAL and SO_EE_ORIGIN_ICMP."""


@dataclass(slots=True)
class QueuedError:
    """An error that waits to be read (IP_RECVERR), in the words of Linux's sock_extended_err.

    data: what the ICMP error quotes of the datagram's payload.
    remote: where the datagram went.
    origin: `LOCAL`, or `ICMP`; `type` and `code` are then the message's, `offender` its sender.
    info: an MTU in bytes, or the offset of the wrong octet in a parameter problem; else 0.
    arrived: the time, in seconds.
    charged: its octets count against the host's memory budget.
    """

    data: bytes
    remote: Address
    errno: int
    origin: int
    type: int
    code: int
    info: int
    offender: bytes | None
    arrived: float
    charged: bool = False


class Special:
    """The options that few endpoints have. It is a `stack.internet.path.Way` for their paths.

    queue_errors, reuse_port, discover, segment_bytes: IP_RECVERR, SO_REUSEPORT, IP_MTU_DISCOVER,
      UDP_SEGMENT.
    direct, free: SO_DONTROUTE, IP_FREEBIND.
    device: SO_BINDTODEVICE, as the index of an interface, or None.
    stamps: 0, or a value by which the socket knows the form in which its program wants the times of
      arrival.
    """

    __slots__ = (
        "device",
        "direct",
        "discover",
        "errors",
        "free",
        "queue_errors",
        "reuse_port",
        "segment_bytes",
        "stamps",
    )

    def __init__(self) -> None:
        self.queue_errors = False
        self.errors: deque[QueuedError] = deque()
        self.discover = DONT
        self.stamps = self.segment_bytes = 0
        self.reuse_port = self.direct = self.free = False
        self.device: int | None = None

    @property
    def learns_mtu(self) -> bool:
        """Whether the path's MTU counts, and not the interface's alone."""
        return self.discover < PROBE

    def fit(self, endpoint: Endpoint, path: Path, remote: Address, length: int, now: float) -> None:
        """Set or clear DF for a datagram of `length` bytes, IP header included.

        OSError(EMSGSIZE) if it is too large and may not be fragmented.
        """
        discover = self.discover
        refused = length > LARGEST_LENGTH or (length > path.mtu and DO <= discover < OMIT)
        if refused:
            self.refuse(endpoint, path, remote, now)
        path.want_df(discover in (DO, PROBE) or (discover == WANT and length <= path.mtu))

    def refuse(self, endpoint: Endpoint, path: Path, remote: Address, now: float) -> None:
        """OSError(EMSGSIZE). The queue of errors, if there is one, tells the MTU."""
        if self.queue_errors:
            connected = endpoint.remote
            port = 0 if connected is None else connected[1]
            error = QueuedError(b"", (remote[0], port), errno.EMSGSIZE, LOCAL, 0, 0, path.mtu, None, now)
            endpoint.queue_error(error)
        raise os_error(errno.EMSGSIZE)

    def take_icmp(self, endpoint: Endpoint, error: IcmpError, remote: Address, now: float) -> bool:
        """Take an ICMP error; False if the endpoint is treated as any other.

        "Fragmentation needed" is an error of its own only where a datagram may have DF.
        """
        if error.next_hop_mtu and self.discover == DONT:
            return True
        if self.queue_errors and error.errno:
            payload = error.quoted[8:]
            info = error.next_hop_mtu or error.pointer
            endpoint.queue_error(
                QueuedError(payload, remote, error.errno, ICMP, error.type, error.code, info, error.source, now)
            )
            endpoint.error_pending(error.errno)
            return True
        if error.next_hop_mtu and endpoint.remote is not None:
            endpoint.error_pending(error.errno)
            return True
        return False
