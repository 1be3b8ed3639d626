"""NTP packets: the 48 octets of the header, what may follow them, and the arithmetic of timestamps.

See RFC 5905 sections 6 (time formats), 7.3 to 7.5 (packet) and 8 (offset and delay), and RFC 4330
section 3 (the era). The header of NTP version 3 (RFC 1305) is the same. Not read: the control
messages of mode 6 and the private ones of mode 7, the contents of extension fields, and whether a
message digest is right.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.addresses import format_ipv4
from stack.wire.checksum import Buffer
from stack.wire.escape import escape

PORT = 123
HEADER_LENGTH = 48
_HEADER = struct.Struct("!BBbbII4sQQQQ")

SYMMETRIC_ACTIVE = 1
SYMMETRIC_PASSIVE = 2
CLIENT = 3
SERVER = 4
BROADCAST = 5
CONTROL = 6
PRIVATE = 7

LEAP_INDICATORS = {
    0: "no warning",
    1: "the last minute of the day has 61 seconds",
    2: "the last minute of the day has 59 seconds",
    3: "alarm condition (clock not synchronized)",
}
"""RFC 5905 figure 9. The words for 3 are those of RFC 1305."""

MODES = {
    0: "reserved",
    SYMMETRIC_ACTIVE: "symmetric active",
    SYMMETRIC_PASSIVE: "symmetric passive",
    CLIENT: "client",
    SERVER: "server",
    BROADCAST: "broadcast",
    CONTROL: "control message",
    PRIVATE: "private use",
}
"""RFC 5905 figure 10."""

MAC_LENGTH_MAX = 24
"""A key identifier of 4 octets, and a digest of at most 20 (SHA-1)."""
EXTENSION_LENGTH_MIN = 16  # RFC 5905 section 7.5

UNIX_EPOCH = 2_208_988_800
"""The timestamp of 1 January 1970, in seconds (RFC 5905 figure 4)."""
ERA_S = 1 << 32
"""The seconds of an era, about 136 years. Era 0 began with the year 1900, era 1 begins in 2036."""
_WRAP = 1 << 64


class Extension(NamedTuple):
    """An extension field (RFC 5905 section 7.5). `value` has its padding, too."""

    type: int
    value: bytes

    def build(self) -> bytes:
        """The octets of the field."""
        return struct.pack("!HH", self.type, 4 + len(self.value)) + self.value


@dataclass(frozen=True, slots=True)
class NtpPacket:
    """RFC 5905 section 7.3, figure 8:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |LI | VN  |Mode |    Stratum     |     Poll      |  Precision   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Root Delay                            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Root Dispersion                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                          Reference ID                         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                     Reference Timestamp (64)                  |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Origin Timestamp (64)                    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Receive Timestamp (64)                   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Transmit Timestamp (64)                  |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    Extension fields may follow, then a key identifier of 32 bits and a message digest (the MAC).

    `poll` and `precision` are exponents of 2, and mean seconds. `root_delay` and `root_dispersion`
    are in units of 2**-16 seconds, timestamps in units of 2**-32 seconds. `mac` is empty, or the
    key identifier and the digest.
    """

    leap: int
    version: int
    mode: int
    stratum: int
    poll: int
    precision: int
    root_delay: int
    root_dispersion: int
    reference_id: bytes
    reference: int
    origin: int
    receive: int
    transmit: int
    extensions: tuple[Extension, ...] = ()
    mac: bytes = b""

    @classmethod
    def parse(cls, data: Buffer) -> NtpPacket:
        """Parse a whole packet (a UDP payload).

        Versions 1 to 4 have this header. Raises BadPacket ntp_truncated, ntp_bad_version,
        ntp_control, ntp_bad_extension.
        """
        if len(data) < 1:
            raise BadPacket("ntp_truncated")
        leap, version, mode = data[0] >> 6, data[0] >> 3 & 7, data[0] & 7
        if not 1 <= version <= 4:
            raise BadPacket("ntp_bad_version")
        if mode in (CONTROL, PRIVATE):
            raise BadPacket("ntp_control")
        if len(data) < HEADER_LENGTH:
            raise BadPacket("ntp_truncated")
        extensions, mac = _split(data[HEADER_LENGTH:])
        (
            _,
            stratum,
            poll,
            precision,
            root_delay,
            root_dispersion,
            reference_id,
            reference,
            origin,
            receive,
            transmit,
        ) = _HEADER.unpack_from(data)
        return cls(
            leap,
            version,
            mode,
            stratum,
            poll,
            precision,
            root_delay,
            root_dispersion,
            reference_id,
            reference,
            origin,
            receive,
            transmit,
            extensions,
            mac,
        )

    def build(self) -> bytes:
        """The octets of the whole packet."""
        first = self.leap << 6 | self.version << 3 | self.mode
        header = _HEADER.pack(
            first,
            self.stratum,
            self.poll,
            self.precision,
            self.root_delay,
            self.root_dispersion,
            self.reference_id,
            self.reference,
            self.origin,
            self.receive,
            self.transmit,
        )
        return header + b"".join(extension.build() for extension in self.extensions) + self.mac


def _split(data: Buffer) -> tuple[tuple[Extension, ...], bytes]:
    """The extension fields and the MAC in what follows the header.

    At most 24 octets are a MAC, and more begin with an extension field: a MAC has no mark of its
    own. A key identifier alone says that the authentication failed (RFC 5905 section 9.2).
    """
    extensions: list[Extension] = []
    at, size = 0, len(data)
    if size % 4:
        raise BadPacket("ntp_bad_extension")
    while size - at > MAC_LENGTH_MAX:
        kind, length = struct.unpack_from("!HH", data, at)
        if length < EXTENSION_LENGTH_MIN or length % 4 or at + length > size:
            raise BadPacket("ntp_bad_extension")
        extensions.append(Extension(kind, bytes(data[at + 4 : at + length])))
        at += length
    return tuple(extensions), bytes(data[at:])


# --- what the values mean


def stratum_name(stratum: int) -> str:
    """RFC 5905 figure 11."""
    if stratum == 0:
        return "unspecified or invalid"
    if stratum == 1:
        return "primary server"
    if stratum < 16:
        return "secondary server"
    return "unsynchronized" if stratum == 16 else "reserved"


def reference_name(stratum: int, reference_id: bytes) -> str:
    """The reference identifier as text (RFC 5905 section 7.3).

    With stratum 0 it is a kiss code, and with stratum 1 the name of a clock. Above, it is the IPv4
    address of the server's own server. An IPv6 address is not recognizable: four octets of its MD5
    hash stand here.
    """
    if stratum > 1:
        return format_ipv4(reference_id)
    return escape(reference_id.rstrip(b"\0"))


def unix_seconds(timestamp: int, near: int | None = None) -> int:
    """The seconds since 1970 of a timestamp, its fraction left out.

    A timestamp does not say its era. With `near`, in seconds since 1970, it is the era that brings
    the time nearest to that: within 68 years it is the right one (RFC 5905 section 6). Without
    `near` it is the first era for the timestamps from 20 January 1968 on, whose first bit is set,
    and else the second one, from 7 February 2036 on (RFC 4330 section 3).
    """
    seconds = (timestamp >> 32) - UNIX_EPOCH
    if near is None:
        return seconds if timestamp >> 63 else seconds + ERA_S
    return near + (seconds - near + ERA_S // 2) % ERA_S - ERA_S // 2


def nanoseconds(timestamp: int) -> int:
    """The fraction of a timestamp in nanoseconds, rounded down."""
    return (timestamp & 0xFFFFFFFF) * 1_000_000_000 >> 32


def utc_text(timestamp: int, near: int | None = None) -> str:
    """Text such as "2001-06-13 12:36:30.122700000 UTC"; "not known" for zero.

    `near` selects the era, as in `unix_seconds`. Leap seconds have no number of their own.
    """
    if timestamp == 0:
        return "not known"
    days, second = divmod(unix_seconds(timestamp, near), 86_400)
    year, month, day = civil_date(days)
    return (
        f"{year:04d}-{month:02d}-{day:02d} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        f".{nanoseconds(timestamp):09d} UTC"
    )


def civil_date(days: int) -> tuple[int, int, int]:
    """Year, month and day of the Gregorian calendar, so many days after 1 January 1970.

    The year is counted from 1 March, so that the leap day is its last day. 400 years have 146,097
    days.
    """
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    date = day - (153 * month + 2) // 5 + 1
    return era * 400 + year + (month > 9), month + 3 if month < 10 else month - 9, date


class Measurement(NamedTuple):
    """What one exchange says about the server's clock and the path to it, in seconds."""

    offset_s: float
    delay_s: float


def measure(origin: int, receive: int, transmit: int, destination: int) -> Measurement:
    """The offset of the server's clock and the round-trip delay (RFC 5905 section 8).

    The four timestamps are T1 to T4: the client sends, the server receives, the server sends, the
    client receives. The server's clock is `offset_s` ahead of the client's. Differences are taken
    in 64 bits with a sign. So they are right across a change of the era, as long as the two clocks
    differ by less than 68 years.
    """
    there, back = difference_s(receive, origin), difference_s(transmit, destination)
    away, served = difference_s(destination, origin), difference_s(transmit, receive)
    return Measurement((there + back) / 2, away - served)


def difference_s(later: int, earlier: int) -> float:
    """The seconds from one timestamp to another: at most 68 years, forwards or backwards."""
    units = (later - earlier + _WRAP // 2) % _WRAP - _WRAP // 2
    return units / ERA_S
