"""Puts datagrams together from their fragments: RFC 791 section 3.2, RFC 8200 section 4.5."""

from __future__ import annotations

NS = 1_000_000_000
WAIT_NS = 60 * NS  # RFC 1122 section 3.3.2: 60 to 120 s
MOST_PIECES = 64
MOST_OCTETS = 65_535


class Fragments:
    """The datagrams of which some fragments have been captured; at most `most`, the oldest leave.

    `incomplete` counts those that left without being whole.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[bytes, Pieces] = {}
        self.incomplete = 0

    def add(self, key: bytes, offset: int, data: bytes, more: bool, time_ns: int) -> tuple[bytes, int] | None:
        """Take one fragment. Returns the whole datagram and its number of fragments, or None."""
        pieces = self._held.get(key)
        if pieces is None or time_ns - pieces.began_ns > WAIT_NS:
            if pieces is not None:
                del self._held[key]
                self.incomplete += 1
            if len(self._held) >= self._most:
                del self._held[next(iter(self._held))]
                self.incomplete += 1
            pieces = self._held[key] = Pieces(time_ns)
        whole = pieces.add(offset, data, more)
        if whole is None:
            return None
        del self._held[key]
        return whole, pieces.count


class Pieces:
    """The fragments of one datagram, by their offsets. The first copy of an offset counts."""

    __slots__ = ("began_ns", "count", "length", "parts")

    def __init__(self, began_ns: int) -> None:
        self.began_ns = began_ns
        self.count = 0
        self.length = -1  # of the whole, known from the last fragment
        self.parts: dict[int, bytes] = {}

    def add(self, offset: int, data: bytes, more: bool) -> bytes | None:
        """The whole datagram, if this fragment completes it without gap and overlap."""
        if self.count >= MOST_PIECES or offset + len(data) > MOST_OCTETS or not data:
            return None
        self.count += offset not in self.parts
        self.parts.setdefault(offset, data)
        if not more:
            self.length = offset + len(data)
        if self.length < 0:
            return None
        joined = bytearray()
        for begin in sorted(self.parts):
            if begin != len(joined):
                return None
            joined += self.parts[begin]
        return bytes(joined) if len(joined) == self.length else None
