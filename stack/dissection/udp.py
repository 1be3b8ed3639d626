"""UDP. See RFC 768."""

from __future__ import annotations

from stack.dissection import checksums
from stack.dissection.layer import Layer, Table
from stack.dissection.texts import port, port_words
from stack.wire.checksum import internet_checksum
from stack.wire.numbers import PROTO_UDP
from stack.wire.udp import CHECKSUM_AT, HEADER_LENGTH, UdpHeader


class Udp(Layer):
    """A header. `datagram` are the octets that the checksum covers, the header's included.

    `pseudo` is the pseudo-header's sum, or None if the checksum cannot be verified.
    """

    __slots__ = ("datagram", "offload", "pseudo")
    name = "UDP"
    rfc = "RFC 768"
    header: UdpHeader

    def __init__(
        self, datagram: memoryview, offset: int, header: UdpHeader, depth: int, pseudo: int | None, offload: bool
    ) -> None:
        self.octets = datagram[:HEADER_LENGTH]
        self.offset = offset
        self.header = header
        self.depth = depth
        self.datagram = datagram
        self.pseudo = pseudo
        self.offload = offload

    @property
    def verdict(self) -> str:
        """What can be said of the checksum."""
        if self.header.checksum == 0:
            return checksums.NONE
        return checksums.judge(self.header.checksum, self.datagram, self.pseudo, self.offload)

    @property
    def error(self) -> str:
        """udp_bad_checksum, or nothing."""
        return "udp_bad_checksum" if self.verdict == checksums.WRONG else ""

    def text(self) -> str:
        """Ports and length."""
        header = self.header
        note = ""
        if header.checksum == 0:
            note = ", no checksum"
        elif self.pseudo is not None and internet_checksum(self.datagram, self.pseudo):
            note = checksums.note(self.verdict, header.checksum)
        return (
            f"UDP {port(header.source_port, PROTO_UDP)} > {port(header.destination_port, PROTO_UDP)}, "
            f"length {header.length}{note}"
        )

    def table(self, row: Table) -> None:
        """RFC 768, "Format"."""
        header = self.header
        checksum = checksums.words(self.verdict, header.checksum, self.datagram, self.pseudo, CHECKSUM_AT)
        row.number("Source Port", 16, port_words(header.source_port, PROTO_UDP))
        row.number("Destination Port", 16, port_words(header.destination_port, PROTO_UDP))
        row.number("Length", 16, f"{header.length} octets: this header and {header.length - 8} of data")
        row.number("Checksum", 16, checksum)
