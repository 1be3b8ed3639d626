"""The TCP header. See RFC 9293 section 3.1, and RFC 3168 for ECE and CWR."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.checksum import Buffer, internet_checksum

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20
ECE = 0x40
CWR = 0x80

FLAG_NAMES: dict[int, str] = {
    SYN: "SYN",
    FIN: "FIN",
    RST: "RST",
    PSH: "PSH",
    ACK: "ACK",
    URG: "URG",
    ECE: "ECE",
    CWR: "CWR",
}
"""In the order in which they are shown: the flags that open and close a connection come first."""

HEADER_LENGTH = 20
MAX_OPTIONS_LENGTH = 40
_HEADER = struct.Struct("!HHIIBBHHH")

# The same header for code that handles every segment: fields that it does not need are skipped, or
# are read as one.
FIXED = struct.Struct("!4xIIBBH2xH")
"""The fixed header without ports and checksum.

The fields are: sequence number, acknowledgment number, data offset, control bits, window, urgent
pointer.
"""

ALL_FIELDS = struct.Struct("!HHIIHHHH")
"""The fields of the fixed header, but data offset and control bits are one number."""

UNSTAMPED = struct.Struct("!4xIIHH")
"""What header prediction looks at in a segment without options.

The fields are: sequence number, acknowledgment number, data offset and control bits, window. The
checksum has been verified, and the urgent pointer has no meaning without URG.
"""

STAMPED = struct.Struct("!4xIIHH4xIII")
"""The same with timestamps: the fields of UNSTAMPED, then those of `tcp_options.STAMP`."""

SEQ_AT, DATA_OFFSET_AT, FLAGS_AT, CHECKSUM_AT = 4, 12, 13, 16
"""Where some fields of the header begin, in octets."""


@lru_cache(maxsize=256)
def flag_names(flags: int) -> str:
    """The flags that are set, such as "SYN,ACK"; "none" when no flag is set."""
    return ",".join(name for bit, name in FLAG_NAMES.items() if flags & bit) or "none"


class TcpHeader(NamedTuple):
    """RFC 9293 section 3.1:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          Source Port          |       Destination Port        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                        Sequence Number                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Acknowledgment Number                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  Data |       |C|E|U|A|P|R|S|F|                               |
    | Offset| Rsrvd |W|C|R|C|S|S|Y|I|            Window             |
    |       |       |R|E|G|K|H|T|N|N|                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           Checksum            |         Urgent Pointer        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                           [Options]                           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    `options` are the raw bytes, at most 40, padded to a multiple of 4; `tcp_options` parses them.
    `window` is the field of the header, not scaled. `reserved` has the four bits that must be zero
    when sent and ignored when received.
    """

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    urgent_pointer: int = 0
    options: bytes = b""
    checksum: int = 0
    reserved: int = 0

    @classmethod
    def parse(cls, data: Buffer) -> TcpHeader:
        """Parse the header at the start of a segment. The payload begins at `header_length`.

        Raises BadPacket tcp_truncated, tcp_bad_data_offset. The checksum is not verified here,
        because it covers the addresses too, which are not in these bytes.
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("tcp_truncated")
        source_port, destination_port, seq, ack, offset, flags, window, checksum, urgent = _HEADER.unpack_from(data)
        header_length = (offset >> 4) * 4
        if not HEADER_LENGTH <= header_length <= len(data):
            raise BadPacket("tcp_bad_data_offset")
        options = bytes(data[HEADER_LENGTH:header_length]) if header_length > HEADER_LENGTH else b""
        return cls(source_port, destination_port, seq, ack, flags, window, urgent, options, checksum, offset & 0x0F)

    @property
    def header_length(self) -> int:
        """The length of the header in bytes, options included: four times the Data Offset field."""
        return HEADER_LENGTH + len(self.options)

    def build(self) -> bytes:
        """The bytes of the header with `checksum` as it is.

        Raises ValueError for options that do not fit.
        """
        if len(self.options) % 4 or len(self.options) > MAX_OPTIONS_LENGTH:
            raise ValueError("TCP options are a multiple of 4 bytes and at most 40")
        fixed = _HEADER.pack(
            self.source_port,
            self.destination_port,
            self.seq,
            self.ack,
            self.header_length << 2 | self.reserved,
            self.flags,
            self.window,
            self.checksum,
            self.urgent_pointer,
        )
        return fixed + self.options


def build_segment(header: TcpHeader, payload: Buffer, pseudo: int) -> bytes:
    """A whole segment with its checksum.

    `pseudo` is the pseudo-header's sum, with the length (`pseudo_sum`).
    """
    segment = bytearray(header.build())
    segment += payload
    segment[CHECKSUM_AT : CHECKSUM_AT + 2] = b"\0\0"
    segment[CHECKSUM_AT : CHECKSUM_AT + 2] = internet_checksum(segment, pseudo).to_bytes(2, "big")
    return bytes(segment)
