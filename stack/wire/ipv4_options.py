"""IPv4 options.

See RFC 791 section 3.1, RFC 1122 section 3.2.1.8, RFC 2113 (router alert), RFC 1108 (security).

`split` and `join` keep every byte and its order. `Route`, `Timestamps` and `Security` parse the
data of the options that have fields. `find_error` finds the wrong byte, for the pointer of a
Parameter Problem.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from stack.errors import BadPacket
from stack.wire.checksum import Buffer
from stack.wire.registry import names
from stack.wire.registry.options import IP_OPTIONS

END = 0
NO_OPERATION = 1
RECORD_ROUTE = 7
TIMESTAMP = 68
SECURITY = 130
LOOSE_SOURCE_ROUTE = 131
EXTENDED_SECURITY = 133
STREAM_ID = 136
STRICT_SOURCE_ROUTE = 137
ROUTER_ALERT = 148

OPTION_NAMES: dict[int, str] = names(IP_OPTIONS, 10)

ROUTES = (RECORD_ROUTE, LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE)
SOURCE_ROUTES = (LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE)
MAX_LENGTH = 40

_COPIED = 0x80


@dataclass(frozen=True, slots=True)
class Ipv4Option:
    """RFC 791 section 3.1:

      0   1 2   3 4 5 6 7
    +---+-----+-----------+- - - - - - - -+- - - - - - - - - - - -+
    | C |class|  number   |    length     |  length - 2 of data   |
    +---+-----+-----------+- - - - - - - -+- - - - - - - - - - - -+

    `type` is the whole first byte, and C is the copied flag. End and no-op have only this byte. The
    `data` of no-op is empty, and the data of end is all the padding after it.
    """

    type: int
    data: bytes = b""

    @property
    def copied(self) -> bool:
        """Whether every fragment carries the option; otherwise only the first does."""
        return bool(self.type & _COPIED)

    @property
    def option_class(self) -> int:
        """The class: 0 is control, 2 is debugging and measurement."""
        return self.type >> 5 & 3

    @property
    def number(self) -> int:
        """The number of the option within its class."""
        return self.type & 0x1F

    @property
    def name(self) -> str:
        """The name of the option, or "option" and its number."""
        return OPTION_NAMES.get(self.type, f"option {self.type}")

    def build(self) -> bytes:
        """The bytes of this option. Padding is not added; that of end is its data."""
        if self.type in (END, NO_OPERATION):
            return bytes((self.type,)) + self.data
        return bytes((self.type, len(self.data) + 2)) + self.data


def split(raw: Buffer) -> list[Ipv4Option]:
    """The options of a header, in order.

    Raises BadPacket ipv4_bad_option for an impossible length.
    """
    options: list[Ipv4Option] = []
    offset, end = 0, len(raw)
    while offset < end:
        kind = raw[offset]
        if kind == END:
            options.append(Ipv4Option(END, bytes(raw[offset + 1 :])))
            break
        if kind == NO_OPERATION:
            options.append(Ipv4Option(NO_OPERATION))
            offset += 1
            continue
        length = raw[offset + 1] if offset + 1 < end else 0
        if length < 2 or offset + length > end:
            raise BadPacket("ipv4_bad_option")
        options.append(Ipv4Option(kind, bytes(raw[offset + 2 : offset + length])))
        offset += length
    return options


def join(options: list[Ipv4Option]) -> bytes:
    """The bytes of a list of options; the inverse of `split`."""
    return b"".join(option.build() for option in options)


def pad(raw: Buffer) -> bytes:
    """`raw`, padded to a multiple of 4 bytes by zeros: an end-of-options list and padding."""
    return bytes(raw) + bytes(-len(raw) % 4)


def copied_options(raw: Buffer) -> bytes:
    """The options that the second and later fragments of a datagram carry, padded.

    See RFC 791 section 3.2. Raises BadPacket ipv4_bad_option.
    """
    return pad(join([option for option in split(raw) if option.copied]))


def find_error(raw: Buffer) -> int | None:
    """The offset in `raw` of the first wrong byte, or None when all options are well formed.

    The pointer of an ICMP Parameter Problem is 20 larger, because it counts from the start of the
    header.
    """
    offset, end = 0, len(raw)
    while offset < end and raw[offset] != END:
        if raw[offset] == NO_OPERATION:
            offset += 1
            continue
        length = raw[offset + 1] if offset + 1 < end else 0
        if length < 2 or offset + length > end:
            return min(offset + 1, end - 1)
        wrong = _error_inside(Ipv4Option(raw[offset], bytes(raw[offset + 2 : offset + length])))
        if wrong is not None:
            return offset + wrong
        offset += length
    return None


def _error_inside(option: Ipv4Option) -> int | None:
    """The offset of the first wrong field in an option, or None. The type byte has offset 0.

    Only options whose fields this module knows are checked.
    """
    length = len(option.data) + 2
    if option.type in ROUTES:
        return 1 if length < 3 else _pointer_error(option.data[0], length, first=4, size=4)
    if option.type == TIMESTAMP:
        if length < 4:
            return 1
        flag = option.data[1] & 0x0F
        if flag not in (0, 1, 3):
            return 3
        return _pointer_error(option.data[0], length, first=5, size=4 if flag == 0 else 8)
    if option.type in (ROUTER_ALERT, STREAM_ID):
        return 1 if length != 4 else None
    return None


def _pointer_error(pointer: int, length: int, first: int, size: int) -> int | None:
    """The offset of the pointer, which is 2, if the pointer is wrong; None if it is right.

    It must be past the end (the option is full), or at the start of a whole slot.
    """
    if pointer > length:
        return None
    return 2 if pointer < first or (pointer - first) % size or pointer + size - 1 > length else None


@dataclass(frozen=True, slots=True)
class Route:
    """Record route, loose and strict source route (RFC 791 section 3.1):

    +--------+--------+--------+---------//--------+
    |  type  | length | pointer|     route data    |
    +--------+--------+--------+---------//--------+

    `pointer` counts bytes, and the type byte is 1. The smallest legal value is 4, the first
    address. `addresses` are all slots, filled or not. `rest` has the bytes that are left over when
    the length is not a multiple of four.
    """

    type: int
    addresses: tuple[bytes, ...]
    pointer: int = 4
    rest: bytes = b""

    @classmethod
    def from_option(cls, option: Ipv4Option) -> Route:
        """Parse an option. Raises BadPacket ipv4_bad_option."""
        if option.type not in ROUTES or _error_inside(option) is not None:
            raise BadPacket("ipv4_bad_option")
        data = option.data[1:]
        whole = len(data) // 4 * 4
        addresses = tuple(data[start : start + 4] for start in range(0, whole, 4))
        return cls(option.type, addresses, option.data[0], data[whole:])

    def option(self) -> Ipv4Option:
        """The option with these fields."""
        return Ipv4Option(self.type, bytes((self.pointer,)) + b"".join(self.addresses) + self.rest)

    @property
    def exhausted(self) -> bool:
        """Whether the pointer is past the end.

        Then a record is full, or a source route was followed to its end.
        """
        return self.pointer > 3 + 4 * len(self.addresses) + len(self.rest)

    @property
    def visited(self) -> tuple[bytes, ...]:
        """The addresses before the pointer: the hops that the datagram has passed."""
        return self.addresses[: (self.pointer - 4) // 4]

    @property
    def next_hop(self) -> bytes | None:
        """The next address of a source route, or None when the datagram has arrived."""
        return None if self.exhausted else self.addresses[(self.pointer - 4) // 4]

    def record(self, address: bytes) -> Route:
        """The route with our own `address` in the slot at the pointer, and the pointer advanced.

        A full route is returned unchanged (RFC 791: the datagram is forwarded without recording).
        """
        if self.exhausted:
            return self
        slot = (self.pointer - 4) // 4
        addresses = (*self.addresses[:slot], address, *self.addresses[slot + 1 :])
        return replace(self, addresses=addresses, pointer=self.pointer + 4)


@dataclass(frozen=True, slots=True)
class Timestamps:
    """Internet timestamp (RFC 791 section 3.1):

    +--------+--------+--------+--------+
    |01000100| length | pointer|oflw|flg|
    +--------+--------+--------+--------+
    |         internet address          |   with flag 1 and 3 only
    +--------+--------+--------+--------+
    |             timestamp             |
    +--------+--------+--------+--------+

    With `flag` 0 there are timestamps only. With 1 each timestamp follows the address of the host
    that recorded it. With 3 the sender has filled in the addresses, and only these hosts record a
    timestamp. `slots` are the entries of 4 or 8 bytes, filled or not. Times are in milliseconds
    since midnight UT.
    """

    slots: tuple[bytes, ...]
    flag: int = 0
    pointer: int = 5
    overflow: int = 0
    rest: bytes = b""

    @classmethod
    def from_option(cls, option: Ipv4Option) -> Timestamps:
        """Parse an option. Raises BadPacket ipv4_bad_option."""
        if option.type != TIMESTAMP or _error_inside(option) is not None:
            raise BadPacket("ipv4_bad_option")
        overflow, flag = option.data[1] >> 4, option.data[1] & 0x0F
        size = 4 if flag == 0 else 8
        data = option.data[2:]
        whole = len(data) // size * size
        slots = tuple(data[start : start + size] for start in range(0, whole, size))
        return cls(slots, flag, option.data[0], overflow, data[whole:])

    def option(self) -> Ipv4Option:
        """The option with these fields."""
        head = bytes((self.pointer, self.overflow << 4 | self.flag))
        return Ipv4Option(TIMESTAMP, head + b"".join(self.slots) + self.rest)

    @property
    def entries(self) -> tuple[tuple[bytes | None, int], ...]:
        """All slots as (address or None, time)."""
        return tuple((slot[:-4] or None, int.from_bytes(slot[-4:], "big")) for slot in self.slots)

    def record(self, address: bytes, time_ms: int) -> Timestamps:
        """The option with our timestamp in the slot at the pointer, and the pointer advanced.

        If the option is full, the overflow count is raised instead. With flag 3 nothing changes
        unless the next slot has our `address`. Raises BadPacket ipv4_bad_option when the overflow
        count itself overflows (RFC 791: the datagram is in error).
        """
        size = 4 if self.flag == 0 else 8
        if self.pointer > 4 + size * len(self.slots) + len(self.rest):
            if self.overflow == 15:
                raise BadPacket("ipv4_bad_option")
            return replace(self, overflow=self.overflow + 1)
        slot = (self.pointer - 5) // size
        if self.flag == 3 and self.slots[slot][:4] != address:
            return self
        entry = (address if size == 8 else b"") + time_ms.to_bytes(4, "big")
        return replace(self, slots=(*self.slots[:slot], entry, *self.slots[slot + 1 :]), pointer=self.pointer + size)


SECURITY_LEVELS: dict[int, str] = {
    0x0000: "unclassified",
    0xF135: "confidential",
    0x789A: "EFTO",
    0xBC4D: "MMMM",
    0x5E26: "PROG",
    0xAF13: "restricted",
    0xD788: "secret",
    0x6BC5: "top secret",
}
"""The levels of RFC 791. RFC 1108 has another form of the option."""


@dataclass(frozen=True, slots=True)
class Security:
    """The security option of RFC 791 section 3.1. RFC 1108's shorter form is not parsed.

    +--------+--------+---//---+---//---+---//---+---//---+
    |10000010|00001011|SSS  SSS|CCC  CCC|HHH  HHH|  TCC   |
    +--------+--------+---//---+---//---+---//---+---//---+
    """

    level: int
    compartments: int = 0
    handling: bytes = bytes(2)
    transmission_control: bytes = bytes(3)

    @classmethod
    def from_option(cls, option: Ipv4Option) -> Security:
        """Parse an option. Raises BadPacket ipv4_bad_option for any but the 11-byte form."""
        if option.type != SECURITY or len(option.data) != 9:
            raise BadPacket("ipv4_bad_option")
        return cls(*struct.unpack("!HH2s3s", option.data))

    def option(self) -> Ipv4Option:
        """The option with these fields."""
        fields = (self.level, self.compartments, self.handling, self.transmission_control)
        return Ipv4Option(SECURITY, struct.pack("!HH2s3s", *fields))


def router_alert(value: int = 0) -> Ipv4Option:
    """The option that asks every router to examine the datagram.

    See RFC 2113, which defines only the value 0.
    """
    return Ipv4Option(ROUTER_ALERT, value.to_bytes(2, "big"))
