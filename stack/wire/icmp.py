"""ICMP messages.

See RFC 792, RFC 950 (address mask), RFC 1191 (next-hop MTU) and RFC 1122 section 3.2.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from stack.errors import BadPacket
from stack.wire.checksum import Buffer, internet_checksum, verify
from stack.wire.ipv4 import Ipv4Header

# --- types
ECHO_REPLY = 0
UNREACHABLE = 3
SOURCE_QUENCH = 4
REDIRECT = 5
ECHO_REQUEST = 8
ROUTER_ADVERTISEMENT = 9
ROUTER_SOLICITATION = 10
TIME_EXCEEDED = 11
PARAMETER_PROBLEM = 12
TIMESTAMP_REQUEST = 13
TIMESTAMP_REPLY = 14
INFORMATION_REQUEST = 15
INFORMATION_REPLY = 16
MASK_REQUEST = 17
MASK_REPLY = 18

ERRORS = (UNREACHABLE, SOURCE_QUENCH, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM)
"""The types that report an error of another datagram and quote it.

No error is sent about one (RFC 1122 3.2.2).
"""

QUERIES = (
    ECHO_REQUEST,
    ECHO_REPLY,
    TIMESTAMP_REQUEST,
    TIMESTAMP_REPLY,
    INFORMATION_REQUEST,
    INFORMATION_REPLY,
    MASK_REQUEST,
    MASK_REPLY,
)
"""The types whose second word is an identifier and a sequence number."""

# --- codes of destination unreachable
# 0-5: RFC 792; 6-12: RFC 1122 section 3.2.2.1; 13-15: RFC 1812 section 5.2.7.1
NET_UNREACHABLE = 0
HOST_UNREACHABLE = 1
PROTOCOL_UNREACHABLE = 2
PORT_UNREACHABLE = 3
FRAGMENTATION_NEEDED = 4
SOURCE_ROUTE_FAILED = 5
NET_UNKNOWN = 6
HOST_UNKNOWN = 7
HOST_ISOLATED = 8
NET_PROHIBITED = 9
HOST_PROHIBITED = 10
NET_TOS_UNREACHABLE = 11
HOST_TOS_UNREACHABLE = 12
COMMUNICATION_PROHIBITED = 13
HOST_PRECEDENCE_VIOLATION = 14
PRECEDENCE_CUTOFF = 15

# --- codes of redirect
REDIRECT_NET = 0
REDIRECT_HOST = 1
REDIRECT_TOS_NET = 2
REDIRECT_TOS_HOST = 3

# --- codes of time exceeded
TTL_EXCEEDED = 0
REASSEMBLY_EXCEEDED = 1

# --- codes of parameter problem
POINTER_INDICATES_ERROR = 0
REQUIRED_OPTION_MISSING = 1
BAD_LENGTH = 2

HEADER_LENGTH = 8
_HEADER = struct.Struct("!BBH4s")
ECHO_NUMBERS = struct.Struct("!4xHH")
"""Identifier and sequence number of an Echo or Echo Reply."""

_TWO_WORDS = struct.Struct("!HH")
_TIMESTAMPS = struct.Struct("!III")
_MIN_BODY = {TIMESTAMP_REQUEST: 12, TIMESTAMP_REPLY: 12, MASK_REQUEST: 4, MASK_REPLY: 4}


@dataclass(frozen=True, slots=True)
class IcmpMessage:
    """RFC 792. The meaning of `rest` and `body` depends on the type:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     Type      |     Code      |          Checksum             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  rest: identifier and sequence number (queries), gateway      |
    |  (redirect), pointer (parameter problem), next-hop MTU, ...   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  body: data (echo), three timestamps, an address mask, or the |
    |  Internet header and the first bytes of the datagram at fault |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    `rest` has 4 bytes. With `checksum` None `build` computes it. A property that reads a field is
    meaningful only for the types that have the field.
    """

    type: int
    code: int
    rest: bytes = bytes(4)
    body: bytes = b""
    checksum: int | None = None

    @classmethod
    def parse(cls, data: Buffer, verify_checksum: bool = True) -> IcmpMessage:
        """Parse a whole message (an IP payload).

        Raises BadPacket icmp_truncated, icmp_bad_checksum.
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("icmp_truncated")
        if verify_checksum and not verify(data):
            raise BadPacket("icmp_bad_checksum")
        kind, code, checksum, rest = _HEADER.unpack_from(data)
        body = bytes(data[HEADER_LENGTH:])
        if len(body) < _MIN_BODY.get(kind, 0):
            raise BadPacket("icmp_truncated")
        return cls(kind, code, rest, body, checksum)

    @property
    def identifier(self) -> int:
        """The identifier of an echo, timestamp, information or address mask message."""
        return int.from_bytes(self.rest[:2], "big")

    @property
    def sequence(self) -> int:
        """The sequence number of an echo, timestamp, information or address mask message."""
        return int.from_bytes(self.rest[2:], "big")

    @property
    def gateway(self) -> bytes:
        """The address of the better first hop, in a redirect."""
        return self.rest

    @property
    def pointer(self) -> int:
        """The offset of the wrong byte in the quoted datagram, in a parameter problem."""
        return self.rest[0]

    @property
    def next_hop_mtu(self) -> int:
        """The MTU in bytes, in unreachable with code 4; 0 from routers older than RFC 1191."""
        return int.from_bytes(self.rest[2:], "big")

    @property
    def timestamps(self) -> tuple[int, int, int]:
        """The originate, receive and transmit times of a timestamp message.

        They are in milliseconds since midnight UT.
        """
        originate, receive, transmit = _TIMESTAMPS.unpack_from(self.body)
        return originate, receive, transmit

    @property
    def mask(self) -> bytes:
        """The 4 bytes of the subnet mask, in an address mask reply (RFC 950)."""
        return self.body[:4]

    @property
    def is_error(self) -> bool:
        """Whether this reports an error of another datagram."""
        return self.type in ERRORS

    def quoted(self) -> tuple[Ipv4Header, bytes]:
        """The IP header that an error quotes, and at least 8 bytes of the payload after it.

        The checksum of the quoted header is not verified, because routers may have changed fields
        that it covers. Raises BadPacket icmp_bad_quote.
        """
        try:
            header = Ipv4Header.parse(self.body, verify_checksum=False, quoted=True)
        except BadPacket:
            raise BadPacket("icmp_bad_quote") from None
        payload = self.body[header.header_length : header.total_length]
        if len(payload) < 8:
            raise BadPacket("icmp_bad_quote")
        return header, payload

    def build(self) -> bytes:
        """The bytes of the whole message."""
        if len(self.rest) != 4:
            raise ValueError("the second word of an ICMP header has 4 bytes")
        checksum = self.checksum
        if checksum is None:
            checksum = internet_checksum(_HEADER.pack(self.type, self.code, 0, self.rest) + self.body)
        return _HEADER.pack(self.type, self.code, checksum, self.rest) + self.body


def echo_request(identifier: int, sequence: int, data: Buffer = b"") -> IcmpMessage:
    """RFC 792, type 8."""
    return IcmpMessage(ECHO_REQUEST, 0, _TWO_WORDS.pack(identifier, sequence), bytes(data))


def echo_reply(identifier: int, sequence: int, data: Buffer = b"") -> IcmpMessage:
    """RFC 792, type 0: the request's identifier, sequence number and all of its data.

    See RFC 1122 section 3.2.2.6.
    """
    return IcmpMessage(ECHO_REPLY, 0, _TWO_WORDS.pack(identifier, sequence), bytes(data))


def unreachable(code: int, quoted: Buffer, mtu: int = 0) -> IcmpMessage:
    """RFC 792, type 3.

    `quoted` is the start of the datagram at fault. `mtu`, in bytes, is for code 4 (RFC 1191).
    """
    return IcmpMessage(UNREACHABLE, code, _TWO_WORDS.pack(0, mtu), bytes(quoted))


def source_quench(quoted: Buffer) -> IcmpMessage:
    """RFC 792, type 4. A host must not send one any more (RFC 6633)."""
    return IcmpMessage(SOURCE_QUENCH, 0, bytes(4), bytes(quoted))


def redirect(code: int, gateway: bytes, quoted: Buffer) -> IcmpMessage:
    """RFC 792, type 5. Only routers send it (RFC 1122 section 3.2.2.2)."""
    return IcmpMessage(REDIRECT, code, gateway, bytes(quoted))


def time_exceeded(code: int, quoted: Buffer) -> IcmpMessage:
    """RFC 792, type 11."""
    return IcmpMessage(TIME_EXCEEDED, code, bytes(4), bytes(quoted))


def parameter_problem(pointer: int, quoted: Buffer, code: int = POINTER_INDICATES_ERROR) -> IcmpMessage:
    """RFC 792, type 12. Code 1 is from RFC 1122 section 3.2.2.5."""
    return IcmpMessage(PARAMETER_PROBLEM, code, bytes((pointer, 0, 0, 0)), bytes(quoted))


def timestamp_request(identifier: int, sequence: int, originate: int) -> IcmpMessage:
    """RFC 792, type 13. `originate` is in milliseconds since midnight UT."""
    return IcmpMessage(TIMESTAMP_REQUEST, 0, _TWO_WORDS.pack(identifier, sequence), _TIMESTAMPS.pack(originate, 0, 0))


def timestamp_reply(identifier: int, sequence: int, originate: int, receive: int, transmit: int) -> IcmpMessage:
    """RFC 792, type 14. All times are in milliseconds since midnight UT."""
    times = _TIMESTAMPS.pack(originate, receive, transmit)
    return IcmpMessage(TIMESTAMP_REPLY, 0, _TWO_WORDS.pack(identifier, sequence), times)


def information_request(identifier: int, sequence: int) -> IcmpMessage:
    """RFC 792, type 15; obsolete.

    RARP, BOOTP and DHCP have replaced it (RFC 1122 section 3.2.2.7, RFC 6918).
    """
    return IcmpMessage(INFORMATION_REQUEST, 0, _TWO_WORDS.pack(identifier, sequence))


def information_reply(identifier: int, sequence: int) -> IcmpMessage:
    """RFC 792, type 16; obsolete (RFC 6918)."""
    return IcmpMessage(INFORMATION_REPLY, 0, _TWO_WORDS.pack(identifier, sequence))


def mask_request(identifier: int, sequence: int) -> IcmpMessage:
    """RFC 950 appendix I, type 17; obsolete (RFC 6918)."""
    return IcmpMessage(MASK_REQUEST, 0, _TWO_WORDS.pack(identifier, sequence), bytes(4))


def mask_reply(identifier: int, sequence: int, mask: bytes) -> IcmpMessage:
    """RFC 950 appendix I, type 18; obsolete (RFC 6918)."""
    return IcmpMessage(MASK_REPLY, 0, _TWO_WORDS.pack(identifier, sequence), mask)
