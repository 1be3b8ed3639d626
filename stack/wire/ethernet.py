"""Ethernet framing: Ethernet II, IEEE 802.3 with LLC and SNAP, 802.1Q tags.

See RFC 894 (IPv4 in Ethernet II), RFC 1042 (IPv4 in 802.3) and RFC 1122 section 2.3.3: a host sends
the first form and accepts both. The two bytes after the addresses tell them apart: a value up to
1500 is a length, one from 0x0600 on is a type.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.checksum import Buffer
from stack.wire.numbers import ETHERTYPE_SERVICE_VLAN, ETHERTYPE_VLAN

HEADER_LENGTH = 14
"""The length of the Ethernet II header, the only one that this stack sends."""
MIN_FRAME_LENGTH = 60
"""Shorter frames are padded. The 4 bytes of the frame check sequence are not counted."""
MAX_LLC_LENGTH = 1500
MIN_ETHERTYPE = 0x0600
MAX_TAGS = 2
"""One 802.1Q tag, or two (802.1ad: the provider's tag before the customer's)."""

LLC_SNAP_SAP = 0xAA
LLC_UNNUMBERED_INFORMATION = b"\x03"
OUI_ETHERTYPE = b"\0\0\0"
"""This OUI in SNAP says that the protocol identifier is an EtherType (RFC 1042)."""

DESTINATION_AND_TYPE = struct.Struct("!6s6xH")
"""What `host/` reads of every frame: the destination and the EtherType of an untagged frame."""

_ADDRESSES = struct.Struct("!6s6sH")
_TAGS = (ETHERTYPE_VLAN, ETHERTYPE_SERVICE_VLAN)
_TAG = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class VlanTag:
    """IEEE 802.1Q: four bytes between the addresses and the type.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Tag Protocol Id (81-00, 88-A8)| PCP |D|   VLAN Identifier     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    `vlan` 0 means that the tag carries a priority only.
    """

    vlan: int
    priority: int = 0
    drop_eligible: bool = False
    tpid: int = ETHERTYPE_VLAN

    def build(self) -> bytes:
        """The 4 bytes of the tag."""
        return _TAG.pack(self.tpid, self.priority << 13 | self.drop_eligible << 12 | self.vlan)


@dataclass(frozen=True, slots=True)
class LlcHeader:
    """IEEE 802.2 logical link control, with the SNAP extension (RFC 1042).

    There is SNAP when both SAPs are AA and control is 03.

    +--------+--------+---------+- - - - - - - - - - - - - - - - - - -+
    |  DSAP  |  SSAP  | Control |  SNAP: OUI, 3 bytes | Protocol Id, 2 |
    +--------+--------+---------+- - - - - - - - - - - - - - - - - - -+

    `control` has one byte in unnumbered frames, two in numbered ones. `oui` is None without SNAP.
    """

    dsap: int
    ssap: int
    control: bytes = LLC_UNNUMBERED_INFORMATION
    oui: bytes | None = None
    protocol_id: int = 0

    @classmethod
    def parse(cls, data: Buffer) -> LlcHeader:
        """Parse LLC and SNAP at the start of `data`.

        `data` ends where the frame's length field says. Raises BadPacket ethernet_bad_length.
        """
        if len(data) < 3:
            raise BadPacket("ethernet_bad_length")
        dsap, ssap = data[0], data[1]
        control = bytes(data[2:3] if data[2] & 3 == 3 else data[2:4])
        if data[2] & 3 != 3 and len(control) < 2:
            raise BadPacket("ethernet_bad_length")
        if not dsap == ssap == LLC_SNAP_SAP or control != LLC_UNNUMBERED_INFORMATION:
            return cls(dsap, ssap, control)
        if len(data) < 8:
            raise BadPacket("ethernet_bad_length")
        return cls(dsap, ssap, control, bytes(data[3:6]), int.from_bytes(data[6:8], "big"))

    @property
    def ethertype(self) -> int:
        """The EtherType in the SNAP header; 0 if there is none."""
        return self.protocol_id if self.oui == OUI_ETHERTYPE else 0

    def build(self) -> bytes:
        """The bytes: 3 or 4 of LLC, and 5 of SNAP if there is one."""
        snap = b"" if self.oui is None else self.oui + self.protocol_id.to_bytes(2, "big")
        return bytes((self.dsap, self.ssap)) + self.control + snap


class EthernetHeader(NamedTuple):
    """RFC 894 and IEEE 802.3:

    +-------------+-------------+ - - - - - +---------------+
    | Destination |   Source    |  802.1Q   | Type (II) or  |   then the payload (II)
    |   6 bytes   |   6 bytes   |  4 each   | Length (802.3)|   or LLC, SNAP and payload (802.3)
    +-------------+-------------+ - - - - - +---------------+

    `ethertype` comes from the type field or from SNAP; it is 0 for LLC without SNAP. `length` and
    `llc` are None for Ethernet II.
    """

    destination: bytes
    source: bytes
    ethertype: int
    tags: tuple[VlanTag, ...] = ()
    length: int | None = None
    llc: LlcHeader | None = None

    @classmethod
    def parse(cls, data: Buffer) -> EthernetHeader:
        """Parse the header at the start of a frame.

        The frame has no preamble and no frame check sequence. Raises BadPacket ethernet_truncated,
        ethernet_too_many_tags, ethernet_bad_length.
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("ethernet_truncated")
        destination, source, kind = _ADDRESSES.unpack_from(data)
        if kind >= MIN_ETHERTYPE and kind not in _TAGS:
            return cls(destination, source, kind)
        offset = HEADER_LENGTH
        tags: list[VlanTag] = []
        while kind in _TAGS:
            if len(tags) == MAX_TAGS:
                raise BadPacket("ethernet_too_many_tags")
            if len(data) < offset + 4:
                raise BadPacket("ethernet_truncated")
            control = int.from_bytes(data[offset : offset + 2], "big")
            tags.append(VlanTag(control & 0x0FFF, control >> 13, bool(control & 0x1000), kind))
            kind = int.from_bytes(data[offset + 2 : offset + 4], "big")
            offset += 4
        if kind >= MIN_ETHERTYPE:
            return cls(destination, source, kind, tuple(tags))
        if kind > MAX_LLC_LENGTH or kind > len(data) - offset:
            raise BadPacket("ethernet_bad_length")
        llc = LlcHeader.parse(data[offset : offset + kind])
        return cls(destination, source, llc.ethertype, tuple(tags), kind, llc)

    @property
    def header_length(self) -> int:
        """The length of the header in bytes, tags, LLC and SNAP included.

        The payload starts there.
        """
        return HEADER_LENGTH + 4 * len(self.tags) + (0 if self.llc is None else len(self.llc.build()))

    def payload(self, frame: Buffer) -> memoryview:
        """The payload of a frame. With a length field (802.3) the padding is cut off."""
        view = memoryview(frame)
        if self.length is None:
            return view[self.header_length :]
        return view[self.header_length : HEADER_LENGTH + 4 * len(self.tags) + self.length]

    def build(self) -> bytes:
        """The bytes of the header, tags, LLC and SNAP included."""
        tags = b"".join(tag.build() for tag in self.tags)
        if self.llc is None or self.length is None:
            return self.destination + self.source + tags + self.ethertype.to_bytes(2, "big")
        if self.llc.ethertype != self.ethertype:
            raise ValueError("an 802.3 frame must have the same EtherType as its SNAP header")
        return self.destination + self.source + tags + self.length.to_bytes(2, "big") + self.llc.build()


def ethernet_ii(destination: bytes, source: bytes, ethertype: int) -> bytes:
    """The 14 bytes of an Ethernet II header (RFC 894)."""
    return _ADDRESSES.pack(destination, source, ethertype)


def snap_header(destination: bytes, source: bytes, ethertype: int, payload_length: int) -> EthernetHeader:
    """The 802.3 header with LLC and SNAP for a payload of `payload_length` bytes, at most 1492.

    See RFC 1042.
    """
    llc = LlcHeader(LLC_SNAP_SAP, LLC_SNAP_SAP, LLC_UNNUMBERED_INFORMATION, OUI_ETHERTYPE, ethertype)
    return EthernetHeader(destination, source, ethertype, (), len(llc.build()) + payload_length, llc)
