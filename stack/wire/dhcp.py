"""The DHCP message.

See RFC 2131 section 2, RFC 951 (BOOTP, which has the same format), RFC 2132 (options).

`DhcpMessage.options` has the options in the order of the wire, not put together.
`DhcpMessage.values` puts them together: it includes the options in the overloaded fields `file` and
`sname` (RFC 2132 section 9.3), and it joins long values that were split into several options
(RFC 3396).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from stack.errors import BadPacket
from stack.wire.checksum import Buffer

BOOT_REQUEST = 1
BOOT_REPLY = 2
BROADCAST_FLAG = 0x8000
SERVER_PORT = 67
CLIENT_PORT = 68
HARDWARE_ETHERNET = 1

# --- message types, the value of option 53 (RFC 2132 section 9.6)
DISCOVER = 1
OFFER = 2
REQUEST = 3
DECLINE = 4
ACK = 5
NAK = 6
RELEASE = 7
INFORM = 8

# --- options (RFC 2132)
PAD = 0
SUBNET_MASK = 1
ROUTER = 3
DOMAIN_NAME_SERVER = 6
HOST_NAME = 12
DOMAIN_NAME = 15
INTERFACE_MTU = 26
BROADCAST_ADDRESS = 28
STATIC_ROUTE = 33
NTP_SERVERS = 42
REQUESTED_ADDRESS = 50
LEASE_TIME = 51
OVERLOAD = 52
MESSAGE_TYPE = 53
SERVER_IDENTIFIER = 54
PARAMETER_REQUEST_LIST = 55
MESSAGE = 56
MAXIMUM_SIZE = 57
RENEWAL_TIME = 58
REBINDING_TIME = 59
VENDOR_CLASS = 60
CLIENT_IDENTIFIER = 61
DOMAIN_SEARCH = 119
CLASSLESS_STATIC_ROUTE = 121
END = 255

FIXED_LENGTHS = {
    **dict.fromkeys((19, 20, 23, 27, 29, 30, 31, 34, 36, 37, 39, 46, OVERLOAD, MESSAGE_TYPE), 1),
    **dict.fromkeys((13, 22, INTERFACE_MTU, MAXIMUM_SIZE), 2),
    **dict.fromkeys((SUBNET_MASK, 2, 16, 24, BROADCAST_ADDRESS, 32, 35, 38, REQUESTED_ADDRESS), 4),
    **dict.fromkeys((LEASE_TIME, SERVER_IDENTIFIER, RENEWAL_TIME, REBINDING_TIME), 4),
}
"""By code: the length in octets of those options in RFC 2132 that always have the same length."""

OVERLOAD_FILE = 1
OVERLOAD_SNAME = 2

HEADER_LENGTH = 236
MAGIC_COOKIE = bytes((99, 130, 83, 99))
MIN_OPTIONS_LENGTH = 60
"""With the cookie, 64 bytes: BOOTP's vendor field, which some relays and servers still require."""

_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")

Option = tuple[int, bytes]


def split(raw: Buffer) -> tuple[Option, ...]:
    """The options in a field, in order, as (code, data).

    Pad has no data; the data of end is all the bytes after it. Raises BadPacket dhcp_bad_options
    when an option reaches past the field.
    """
    options: list[Option] = []
    offset, size = 0, len(raw)
    while offset < size:
        code = raw[offset]
        if code == END:
            options.append((END, bytes(raw[offset + 1 :])))
            break
        if code == PAD:
            options.append((PAD, b""))
            offset += 1
            continue
        if offset + 1 >= size or offset + 2 + raw[offset + 1] > size:
            raise BadPacket("dhcp_bad_options")
        start = offset + 2
        offset = start + raw[offset + 1]
        options.append((code, bytes(raw[start:offset])))
    return tuple(options)


def join(options: Iterable[Option]) -> bytes:
    """The bytes of a list of options; the inverse of `split`."""
    return b"".join(
        bytes((code,)) + data if code in (PAD, END) else bytes((code, len(data))) + data for code, data in options
    )


def make_options(options: Iterable[Option]) -> tuple[Option, ...]:
    """The options for a message, with end and padding.

    Long values are split into pieces of 255 bytes (RFC 3396).
    """
    pieces: list[Option] = []
    for code, data in options:
        pieces.extend((code, data[start : start + 255]) for start in range(0, len(data) or 1, 255))
    return (*pieces, (END, bytes(max(0, MIN_OPTIONS_LENGTH - len(join(pieces)) - 1))))


def _is_repeated(code: int, pieces: list[bytes]) -> bool:
    """Whether each piece is the whole value, sent repeatedly, instead of a part of a long value.

    See RFC 3396.
    """
    return len(pieces[0]) == FIXED_LENGTHS.get(code) and pieces.count(pieces[0]) == len(pieces)


@dataclass(frozen=True, slots=True)
class DhcpMessage:
    """RFC 2131 section 2, figure 1:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     op (1)    |   htype (1)   |   hlen (1)    |   hops (1)    |
    +---------------+---------------+---------------+---------------+
    |                            xid (4)                            |
    +-------------------------------+-------------------------------+
    |           secs (2)            |           flags (2)           |
    +-------------------------------+-------------------------------+
    |                          ciaddr  (4)                          |
    +---------------------------------------------------------------+
    |                          yiaddr  (4)                          |
    +---------------------------------------------------------------+
    |                          siaddr  (4)                          |
    +---------------------------------------------------------------+
    |                          giaddr  (4)                          |
    +---------------------------------------------------------------+
    |                          chaddr  (16)                         |
    +---------------------------------------------------------------+
    |                          sname   (64)                         |
    +---------------------------------------------------------------+
    |                          file    (128)                        |
    +---------------------------------------------------------------+
    |               options (variable), magic cookie first          |
    +---------------------------------------------------------------+

    `chaddr` has the first hlen bytes of its field, `chaddr_padding` the rest. `build` fills `sname`
    and `file` with zeros to 64 and 128 bytes. `options` has the form that `split` and
    `make_options` return.
    """

    op: int
    xid: int
    chaddr: bytes
    options: tuple[Option, ...] = ()
    ciaddr: bytes = bytes(4)
    yiaddr: bytes = bytes(4)
    siaddr: bytes = bytes(4)
    giaddr: bytes = bytes(4)
    secs: int = 0
    flags: int = 0
    hops: int = 0
    htype: int = HARDWARE_ETHERNET
    sname: bytes = b""
    file: bytes = b""
    chaddr_padding: bytes = b""

    @classmethod
    def parse(cls, data: Buffer) -> DhcpMessage:
        """Parse a whole message (a UDP payload).

        Raises BadPacket dhcp_truncated, dhcp_bad_hardware, dhcp_bad_cookie, dhcp_bad_options.
        """
        if len(data) < HEADER_LENGTH + len(MAGIC_COOKIE):
            raise BadPacket("dhcp_truncated")
        op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file = (
            _HEADER.unpack_from(data)
        )
        if hlen > len(chaddr):
            raise BadPacket("dhcp_bad_hardware")
        if data[HEADER_LENGTH : HEADER_LENGTH + 4] != MAGIC_COOKIE:
            raise BadPacket("dhcp_bad_cookie")
        message = cls(
            op,
            xid,
            chaddr[:hlen],
            split(data[HEADER_LENGTH + 4 :]),
            ciaddr,
            yiaddr,
            siaddr,
            giaddr,
            secs,
            flags,
            hops,
            htype,
            sname,
            file,
            chaddr[hlen:],
        )
        message.values()  # checks the overloaded fields now, so that later calls cannot fail
        return message

    @property
    def broadcast(self) -> bool:
        """Whether the client asks for answers to be broadcast (RFC 2131 section 2, figure 2)."""
        return bool(self.flags & BROADCAST_FLAG)

    def values(self) -> dict[int, bytes]:
        """The value of every option, by code, put together from all its pieces.

        The options field is read first, then `file`, then `sname`, if option 52 says that they hold
        options (RFC 2131 section 4.1, RFC 3396 section 5). Some servers and relays repeat an option
        of fixed length. If all its copies are equal, one copy is the value; joined together they
        would have an impossible length. Raises BadPacket dhcp_bad_options; never after `parse`,
        which has checked this.
        """
        overload = b"".join(data for code, data in self.options if code == OVERLOAD)
        pieces = list(self.options)
        if overload and overload[0] & OVERLOAD_FILE:
            pieces += split(self.file)
        if overload and overload[0] & OVERLOAD_SNAME:
            pieces += split(self.sname)
        parts: dict[int, list[bytes]] = {}
        for code, data in pieces:
            if code not in (PAD, END):
                parts.setdefault(code, []).append(data)
        return {code: data[0] if _is_repeated(code, data) else b"".join(data) for code, data in parts.items()}

    @property
    def message_type(self) -> int:
        """The value of option 53; 0 for a BOOTP message, which has none."""
        value = self.values().get(MESSAGE_TYPE, b"")
        return value[0] if len(value) == 1 else 0

    def build(self) -> bytes:
        """The bytes of the whole message."""
        hlen = len(self.chaddr)
        if hlen > 16 or len(self.sname) > 64 or len(self.file) > 128:
            raise ValueError("chaddr has at most 16 bytes, sname 64, file 128")
        fixed = _HEADER.pack(
            self.op,
            self.htype,
            hlen,
            self.hops,
            self.xid,
            self.secs,
            self.flags,
            self.ciaddr,
            self.yiaddr,
            self.siaddr,
            self.giaddr,
            self.chaddr + self.chaddr_padding,
            self.sname,
            self.file,
        )
        return fixed + MAGIC_COOKIE + join(self.options)
