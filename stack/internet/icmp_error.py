"""ICMP errors that reach us, in the form in which transport protocols get them.

See RFC 792, RFC 1122 sections 3.2.2.1 to 3.2.2.5 and 4.2.3.9 (soft and hard errors). The errno is
the one that a Linux socket reports for the same message.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from stack.internet.path_mtu import plateau_below
from stack.wire import icmp
from stack.wire.addresses import format_ipv4
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header

_SOFT, _HARD = False, True
_UNREACHABLE: dict[int, tuple[int, bool]] = {
    icmp.NET_UNREACHABLE: (errno.ENETUNREACH, _SOFT),
    icmp.HOST_UNREACHABLE: (errno.EHOSTUNREACH, _SOFT),
    icmp.PROTOCOL_UNREACHABLE: (errno.ENOPROTOOPT, _HARD),
    icmp.PORT_UNREACHABLE: (errno.ECONNREFUSED, _HARD),
    icmp.FRAGMENTATION_NEEDED: (errno.EMSGSIZE, _SOFT),
    icmp.SOURCE_ROUTE_FAILED: (errno.EOPNOTSUPP, _SOFT),
    icmp.NET_UNKNOWN: (errno.ENETUNREACH, _HARD),
    icmp.HOST_UNKNOWN: (errno.EHOSTDOWN, _HARD),
    icmp.HOST_ISOLATED: (getattr(errno, "ENONET", errno.EHOSTUNREACH), _HARD),  # ENONET is Linux's
    icmp.NET_PROHIBITED: (errno.ENETUNREACH, _HARD),
    icmp.HOST_PROHIBITED: (errno.EHOSTUNREACH, _HARD),
    icmp.NET_TOS_UNREACHABLE: (errno.ENETUNREACH, _SOFT),
    icmp.HOST_TOS_UNREACHABLE: (errno.EHOSTUNREACH, _SOFT),
    icmp.COMMUNICATION_PROHIBITED: (errno.EHOSTUNREACH, _HARD),
    icmp.HOST_PRECEDENCE_VIOLATION: (errno.EHOSTUNREACH, _HARD),
    icmp.PRECEDENCE_CUTOFF: (errno.EHOSTUNREACH, _HARD),
}


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An error about a datagram that claims to be ours.

    Attributes:
      type, code: those of the message.
      source: the address of the sender of the error.
      quoted_source, quoted_destination, protocol: from the quoted IP header; quoted_source is one
        of our addresses.
      quoted: the first bytes of the payload of the quoted datagram, at least 8.
      next_hop_mtu: for "fragmentation needed" the MTU in bytes, guessed where the router does not
        tell; else 0.
      errno: the error to report. 0 for a Redirect, which is not reported: the protocol only checks
        the quote.
      hard: whether a transport protocol may give up at once (RFC 1122 section 4.2.3.9).
      pointer: for a parameter problem the offset of the wrong octet; else 0.

    Any host can forge an error, so the protocol must check that it has sent what is `quoted`
    (RFC 5927).
    """

    type: int
    code: int
    source: bytes
    quoted_source: bytes
    quoted_destination: bytes
    protocol: int
    quoted: bytes
    next_hop_mtu: int
    errno: int
    hard: bool
    pointer: int = 0

    def because(self) -> str:
        """What the error means for the protocol that gets it, as observers are told."""
        if not self.errno:
            return "icmp_other_gateway"
        if self.next_hop_mtu:
            return "icmp_too_big"
        return "icmp_hard" if self.hard else "icmp_soft"

    def told(self) -> dict[str, object]:
        """The fields that observers are told: the message, its sender, and what it quotes."""
        mtu: dict[str, object] = {"mtu": self.next_hop_mtu} if self.next_hop_mtu else {}
        return {
            "type": self.type,
            "code": self.code,
            "source": format_ipv4(self.source),
            "destination": format_ipv4(self.quoted_destination),
            **mtu,
        }


def read_error(
    message: IcmpMessage, source: bytes, header: Ipv4Header, quoted: bytes, path_mtu: int
) -> IcmpError | None:
    """Interpret the error `message` from `source`; None when its code is unknown.

    `header` and `quoted` are the quoted IP header and the bytes after it. `path_mtu` is the
    estimate so far for the quoted destination.
    """
    next_hop_mtu = pointer = 0
    if message.type == icmp.UNREACHABLE:
        if message.code not in _UNREACHABLE:
            return None
        error, hard = _UNREACHABLE[message.code]
        if message.code == icmp.FRAGMENTATION_NEEDED:
            next_hop_mtu = message.next_hop_mtu or plateau_below(header.total_length, header.header_length, path_mtu)
    elif message.type == icmp.TIME_EXCEEDED:
        error, hard = errno.EHOSTUNREACH, _SOFT
    elif message.type == icmp.REDIRECT:
        if message.code > icmp.REDIRECT_TOS_HOST:
            return None
        error, hard = 0, _SOFT
    else:
        error, hard, pointer = errno.EPROTO, _HARD, message.pointer
    return IcmpError(
        message.type,
        message.code,
        source,
        header.source,
        header.destination,
        header.protocol,
        quoted,
        next_hop_mtu,
        error,
        hard,
        pointer,
    )
