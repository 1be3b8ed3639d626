"""The names that a script may use: socket constants, errnos, TCP flags, ICMP types and codes."""

from __future__ import annotations

import errno
import socket

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
FLAG_LETTERS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, ".": ACK, "U": URG, "E": ECE, "W": CWR}
_SHOWN = "SFRPUEW."  # the order of flags in a report

SIOCINQ, SIOCOUTQ = 0x541B, 0x5411
F_GETFL, F_SETFL = 3, 4
O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK = 0, 1, 2, 0x800
POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLNVAL, POLLRDHUP = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x2000
IPPROTO_TCP = int(socket.IPPROTO_TCP)
_PREFIXES = ("AF_", "SOCK_", "SOL_", "IPPROTO_", "SO_", "IP_", "TCP_", "MSG_", "SHUT_")
_MORE = {
    "F_GETFL": F_GETFL,
    "F_SETFL": F_SETFL,
    "O_RDONLY": O_RDONLY,
    "O_WRONLY": O_WRONLY,
    "O_RDWR": O_RDWR,
    "O_NONBLOCK": O_NONBLOCK,
    "FIONREAD": SIOCINQ,
    "SIOCINQ": SIOCINQ,
    "SIOCOUTQ": SIOCOUTQ,
    "POLLIN": POLLIN,
    "POLLOUT": POLLOUT,
    "POLLPRI": POLLPRI,
    "POLLERR": POLLERR,
    "POLLHUP": POLLHUP,
    "POLLRDHUP": POLLRDHUP,
    "POLLNVAL": POLLNVAL,
    "INADDR_ANY": 0,
}
# The numbers of Linux, for machines whose socket interface lacks the name. The host's sockets know them.
_OF_LINUX = {
    "SOCK_NONBLOCK": 0x800,
    "SOCK_CLOEXEC": 0x8_0000,
    "SOL_TCP": 6,
    "SO_ACCEPTCONN": 30,
    "SO_PROTOCOL": 38,
    "SO_DOMAIN": 39,
    "SO_MAX_PACING_RATE": 47,
    "TCP_MAXSEG": 2,
    "TCP_KEEPIDLE": 4,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 6,
    "TCP_INFO": 11,
    "TCP_USER_TIMEOUT": 18,
    "TCP_FASTOPEN": 23,
    "TCP_NOTSENT_LOWAT": 25,
    "TCP_FASTOPEN_CONNECT": 30,
    "MSG_DONTWAIT": 0x40,
    "MSG_NOSIGNAL": 0x4000,
    "MSG_MORE": 0x8000,
    "MSG_ZEROCOPY": 0x400_0000,
    "MSG_FASTOPEN": 0x2000_0000,
}
# macOS has another name for it.
_OTHER_NAMES = {} if hasattr(socket, "TCP_KEEPIDLE") else {"TCP_KEEPIDLE": "TCP_KEEPALIVE"}

TCP_STATES = (
    "CLOSED ESTABLISHED SYN-SENT SYN-RECEIVED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED CLOSE-WAIT LAST-ACK LISTEN CLOSING"
).split()
"""The states of RFC 9293 by their numbers in Linux's `struct tcp_info`."""

UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4
ECHO_REPLY, ECHO_REQUEST = 0, 8
ICMP_TYPES = {
    "echo_reply": ECHO_REPLY,
    "unreachable": UNREACHABLE,
    "source_quench": 4,
    "redirect": 5,
    "echo_request": ECHO_REQUEST,
    "time_exceeded": 11,
    "parameter_problem": 12,
    "timestamp_request": 13,
    "timestamp_reply": 14,
    "information_request": 15,
    "information_reply": 16,
    "address_mask_request": 17,
    "address_mask_reply": 18,
}
UNREACHABLE_CODES = (
    "net_unreachable host_unreachable protocol_unreachable port_unreachable frag_needed source_route_failed"
    " net_unknown host_unknown source_host_isolated net_prohibited host_prohibited net_unreachable_for_tos"
    " host_unreachable_for_tos packet_filtered precedence_violation precedence_cutoff"
).split()


def constant(name: str) -> int | None:
    """Return the number of a constant of the socket interface; None if it is unknown."""
    if name in _MORE:
        return _MORE[name]
    if is_errno(name):
        return int(getattr(errno, name))
    if name.startswith(_PREFIXES):
        found = getattr(socket, _OTHER_NAMES.get(name, name), None)
        return int(found) if isinstance(found, int) else _OF_LINUX.get(name)
    return None


def is_errno(name: str) -> bool:
    """Whether the system has an errno of this name."""
    return name in errno.errorcode.values() or name == "EWOULDBLOCK"


def errno_name(error: int) -> str:
    """The name of an errno: EAGAIN."""
    return errno.errorcode.get(error, str(error))


def show_flags(flags: int) -> str:
    """Return flags as a script writes them: "S.", or "-" for none."""
    return "".join(letter for letter in _SHOWN if flags & FLAG_LETTERS[letter]) or "-"


def icmp_type_name(kind: int) -> str:
    """The name of an ICMP type."""
    return next((name for name, number in ICMP_TYPES.items() if number == kind), f"type_{kind}")


def icmp_code_name(kind: int, code: int) -> str:
    """Return the name of an ICMP code; "" for a code of 0 without a name."""
    if kind == UNREACHABLE and code < len(UNREACHABLE_CODES):
        return UNREACHABLE_CODES[code]
    return f"code_{code}" if code else ""


SOCK_NONBLOCK, SOCK_CLOEXEC, TCP_MAXSEG, MSG_DONTWAIT, MSG_MORE, MSG_FASTOPEN = (
    constant(name) or 0 for name in "SOCK_NONBLOCK SOCK_CLOEXEC TCP_MAXSEG MSG_DONTWAIT MSG_MORE MSG_FASTOPEN".split()
)
