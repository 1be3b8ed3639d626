"""Four NTP packets of 13 June 2001: `ntpdate` asks a server twice for the time.

The fields are those that a protocol analyser printed, in a course on networks; the octets are put
together from them by `build`, with nothing but struct. The analyser printed four digits of each
fraction of a second. Of the fractions that it would print so, those stand here that fit the
printed UDP checksum: the transmit timestamp is chosen, and the others lie in the middle. The IP
header was not printed but for addresses and checksum. With DF, a TTL of 64 and 241, and TOS 0, these
identifications fit, and they count on by 1 and by 4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

CLIENT, SERVER = bytes((193, 248, 36, 34)), bytes((194, 2, 0, 28))
ASSUMED_TTL = {CLIENT: 64, SERVER: 241}


@dataclass(frozen=True)
class Packet:
    """The numbers of one packet, and what the analyser printed of the times."""

    number: int
    source: bytes
    header_checksum: int
    udp_checksum: int
    identification: int
    flags: int
    stratum: int
    poll: int
    precision: int
    root_delay: int
    root_dispersion: int
    reference_id: bytes
    times: tuple[int, int, int, int]
    printed_delays: tuple[str, str]
    printed_times: tuple[str, str, str, str]

    @property
    def destination(self) -> bytes:
        return SERVER if self.source is CLIENT else CLIENT

    def payload(self) -> bytes:
        """The 48 octets."""
        exponents = struct.pack("!BBbb", self.flags, self.stratum, self.poll, self.precision)
        delays = struct.pack("!II", self.root_delay, self.root_dispersion)
        return exponents + delays + self.reference_id + struct.pack("!QQQQ", *self.times)

    def build(self) -> bytes:
        """The IP datagram. Its link had no header that the analyser printed."""
        header = struct.pack(
            "!BBHHHBBH",
            0x45, 0, 76, self.identification, 0x4000, ASSUMED_TTL[self.source], 17, self.header_checksum,
        )  # fmt: skip
        udp = struct.pack("!HHHH", 123, 123, 56, self.udp_checksum)
        return header + self.source + self.destination + udp + self.payload()


NO_TIMES = ("NULL", "NULL", "NULL")
LAST_SET = "2001-06-13 12:33:43,8840 UTC"
SENT_16, SENT_18 = "2001-06-13 12:36:30,1227 UTC", "2001-06-13 12:36:30,1879 UTC"
T1_16, T1_18 = 0xBED1DCCE_1F696000, 0xBED1DCCE_301A5001
SET = 0xBED1DC27_E24DD2F1
UPSTREAM = bytes((49, 110, 238, 145))

# fmt: off
SESSION = (
    Packet(16, CLIENT, 0x40A6, 0x5B48, 20930, 0xDB, 0, 4, -6, 0x10000, 0x10000, bytes(4), (0, 0, 0, T1_16),
           ("1,0000", "1,0000"), (*NO_TIMES, SENT_16)),
    Packet(17, SERVER, 0xA111, 0xA367, 16470, 0x1C, 2, 4, -18, 852, 9771, UPSTREAM,
           (SET, T1_16, 0xBED1DC86_6CA57A78, 0xBED1DC86_6CB252B3), ("0,0130", "0,1491"),
           (LAST_SET, SENT_16, "2001-06-13 12:35:18,4244 UTC", "2001-06-13 12:35:18,4246 UTC")),
    Packet(18, CLIENT, 0x40A5, 0x5A96, 20931, 0xDB, 0, 4, -6, 0x10000, 0x10000, bytes(4), (0, 0, 0, T1_18),
           ("1,0000", "1,0000"), (*NO_TIMES, SENT_18)),
    Packet(19, SERVER, 0xA10D, 0x66A1, 16474, 0x1C, 2, 4, -18, 852, 9771, UPSTREAM,
           (SET, T1_18, 0xBED1DC86_82B020C4, 0xBED1DC86_82B6BC6C), ("0,0130", "0,1491"),
           (LAST_SET, SENT_18, "2001-06-13 12:35:18,5105 UTC", "2001-06-13 12:35:18,5106 UTC")),
)
# fmt: on
