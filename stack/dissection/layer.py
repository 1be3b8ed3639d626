"""A layer of a frame, its fields, and the table by which a layer's octets are cut into fields.

A file of this folder has the `Layer` of one protocol. Its method `table` is the header's figure in
the RFC, read row by row from the first bit on: the name of each field, its width and what its value
means.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stack.counters import meaning
from stack.wire.escape import escape

MAX_SHOWN = 64
"""At most this many bytes of a payload are shown."""
SHORT_FRAME = 68
"""The length in octets up to which padding is explained: 46, an Ethernet header and two tags."""
_INDENT = "    "


class Field(NamedTuple):
    """A field of a header.

    Attributes:
      name: as in the RFC's figure.
      bit: the first bit of the field, counted from the beginning of the layer. Bit 0 is the first.
      width: in bits.
      value: what is on the wire. It is an int if the field is a number, else bytes.
      words: what the value means. Text from the wire is escaped.
    """

    name: str
    bit: int
    width: int
    value: int | bytes
    words: str


class Table:
    """Cuts octets into fields, from the first bit on. Each call is a row of the header's figure.

    The table never reads past the octets: a field that they do not hold whole is not made, and no
    field after it. `finish` makes one field of the octets that are left.
    """

    def __init__(self, octets: memoryview) -> None:
        self._octets = octets
        self._bits = 8 * len(octets)
        self._bit = 0
        self._fields: list[Field] = []

    @property
    def left(self) -> int:
        """The number of whole octets that are in no field yet."""
        return (self._bits - self._bit) // 8

    def number(self, name: str, width: int, words: str = "") -> None:
        """A field of `width` bits, at most 64, that is a number."""
        first, end = self._bit, self._bit + width
        if end > self._bits:
            self._bits = min(self._bits, first)
            return
        octets = self._octets[first // 8 : (end + 7) // 8]
        value = (int.from_bytes(octets, "big") >> (-end % 8)) & ((1 << width) - 1)
        self._fields.append(Field(name, first, width, value, words))
        self._bit = end

    def octets(self, name: str, size: int, words: str = "") -> None:
        """A field of `size` octets that is no number: an address or text."""
        first, start = self._bit, self._bit // 8
        if first + 8 * size > self._bits:
            self._bits = min(self._bits, first)
            return
        if size:
            self._fields.append(Field(name, first, 8 * size, bytes(self._octets[start : start + size]), words))
            self._bit = first + 8 * size

    def finish(self, name: str = "rest") -> tuple[Field, ...]:
        """The fields. The octets that no row has taken, if there are any, are the last one."""
        while self._bit % 8:  # the octets end inside a row that has begun an octet
            self._bit = self._fields.pop().bit
        rest = bytes(self._octets[self._bit // 8 :])
        if rest:
            self._fields.append(Field(name, self._bit, 8 * len(rest), rest, shown(rest)))
        return tuple(self._fields)


class Layer:
    """One protocol's part of a frame: a header, or octets that are no header.

    Attributes:
      name: of the protocol.
      rfc: where the header is described, such as "RFC 791 section 3.1".
      offset: of the first octet, from the beginning of the frame.
      octets: those of this layer alone.
      header: as its parser in stack/wire returns it. None if the layer has no parser.
      depth: 1 inside a datagram that an ICMP error quotes, else 0.
    """

    __slots__ = ("_fields", "depth", "header", "octets", "offset")
    name: str = ""
    rfc: str = ""
    header: object
    _fields: tuple[Field, ...]

    def __init__(self, octets: memoryview, offset: int, header: object = None, depth: int = 0) -> None:
        self.octets = octets
        self.offset = offset
        self.header = header
        self.depth = depth

    @property
    def line(self) -> str:
        """The layer as one line of `show`. It is empty if `show` leaves the layer out."""
        text = self.text()
        return _INDENT * self.depth + text if self.depth and text else text

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields, in order. Each bit of `octets` is in exactly one of them."""
        try:
            return self._fields
        except AttributeError:  # they are made when they are first asked for
            table = Table(self.octets)
            self.table(table)
            self._fields = table.finish()
            return self._fields

    @property
    def error(self) -> str:
        """Why a host drops the layer: a name in `stack.counters`. It is empty for a good layer."""
        return ""

    def text(self) -> str:
        """The line, not indented."""
        raise NotImplementedError

    def table(self, row: Table) -> None:
        """Make the fields: one call of `row` for each."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.name} at {self.offset}, {count(len(self.octets), 'byte')}>"


def rebuild(layers: Iterable[Layer]) -> bytes:
    """The frame, put together from the values of the fields of its layers.

    Raises ValueError if a field does not begin where the one before it ends.
    """
    frame = bytearray()
    for layer in layers:
        value = width = bit = 0
        for field in layer.fields:
            if field.bit != bit:
                raise ValueError(f"{layer.name}: {field.name} begins at bit {field.bit}, not at {bit}")
            number = field.value if isinstance(field.value, int) else int.from_bytes(field.value, "big")
            if isinstance(field.value, bytes) and not width:
                frame += field.value
            else:
                value, width = value << field.width | number, width + field.width
            if width and not width % 8:
                frame += value.to_bytes(width // 8, "big")
                value = width = 0
            bit += field.width
        if width:
            raise ValueError(f"{layer.name} ends inside an octet")
    return bytes(frame)


def count(number: int, unit: str) -> str:
    """Text such as "1 byte" or "2 bytes"."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def shown(data: bytes | memoryview) -> str:
    """The number of bytes, and the first of them as text."""
    size = len(data)
    if not size:
        return "no bytes"
    if size > MAX_SHOWN:
        return f'{size} bytes "{escape(data[:MAX_SHOWN])}"...'
    return f'{size} byte{"s" if size > 1 else ""} "{escape(data)}"'


class Malformed(Layer):
    """A header that cannot be parsed, with everything after it. Its octets are one field."""

    __slots__ = ("_reason", "name", "rfc")

    def __init__(self, octets: memoryview, offset: int, protocol: type[Layer], reason: str, depth: int = 0) -> None:
        super().__init__(octets, offset, None, depth)
        self.name, self.rfc, self._reason = protocol.name, protocol.rfc, reason

    @property
    def error(self) -> str:
        """The reason that the parser gave."""
        return self._reason

    def text(self) -> str:
        """What is wrong, and the octets."""
        return f"{self.name} malformed, {meaning(self._reason)}: {shown(self.octets)}"

    def table(self, row: Table) -> None:
        """One field."""
        row.octets("octets", len(self.octets), self.text())


class CutOff(Layer):
    """The beginning of a header. The rest of it is not in the frame, and that is no error.

    The capture has only the first octets of each frame, or the rest is in another fragment, or an
    ICMP error quotes only the first octets of a datagram.
    """

    __slots__ = ("name", "rfc")

    def __init__(self, octets: memoryview, offset: int, protocol: type[Layer], depth: int = 0) -> None:
        super().__init__(octets, offset, None, depth)
        self.name, self.rfc = protocol.name, protocol.rfc

    def text(self) -> str:
        """The octets that are there."""
        return f"{self.name} cut off, {shown(self.octets)}"

    def table(self, row: Table) -> None:
        """One field."""
        row.octets("octets", len(self.octets), self.text())


class Data(Layer):
    """What a header carries, if no other layer reads it."""

    __slots__ = ()
    name = "Data"

    def text(self) -> str:
        """The first octets as text."""
        return f"data {shown(self.octets)}"

    def table(self, row: Table) -> None:
        """One field."""
        row.octets("data", len(self.octets), shown(self.octets))


class Trailer(Layer):
    """Octets after the end that a header gives, where no frame needs padding. `show` omits them.

    A UDP datagram may be shorter than the datagram of IP around it (RFC 9868, "surplus area"), and
    behind the datagram that an ICMP error quotes there may be extensions (RFC 4884).
    """

    __slots__ = ()
    name = "Trailer"

    def text(self) -> str:
        """Nothing."""
        return ""

    def table(self, row: Table) -> None:
        """One field."""
        row.octets("trailer", len(self.octets), f"after the end that the header gives: {shown(self.octets)}")


class Padding(Layer):
    """Octets after the end of a datagram, up to the end of the frame.

    An Ethernet frame has at least 46 octets behind its header (IEEE 802.3). With fewer, a station
    could have sent its frame before the signal of a collision at the far end of the cable comes
    back, and would not know that the frame is lost. A sender fills a short frame up with zeros
    (RFC 894, RFC 1042).
    """

    __slots__ = ()
    name = "Padding"
    rfc = "RFC 894"

    def text(self) -> str:
        """Nothing if all are zero. Others may be what a bad driver has found in its memory."""
        return f"padding {shown(self.octets)}" if any(self.octets) else ""

    def table(self, row: Table) -> None:
        """One field."""
        octets = f"{count(len(self.octets), 'octet')}, all zero" if not any(self.octets) else shown(self.octets)
        short = self.offset + len(self.octets) <= SHORT_FRAME
        why = ": a short frame is filled up to 46 octets after its header, so that a collision is noticed"
        row.octets("padding", len(self.octets), octets + (why if short else ""))


class NotCaptured(Layer):
    """No octets: it says that the end of the frame was not captured."""

    __slots__ = ("length",)
    name = "Not captured"

    def __init__(self, octets: memoryview, offset: int, length: int) -> None:
        super().__init__(octets, offset)
        self.length = length

    def text(self) -> str:
        """How much is missing."""
        return f"not captured: the last {self.length - self.offset} of {count(self.length, 'byte')}"

    def table(self, row: Table) -> None:
        """No field."""
