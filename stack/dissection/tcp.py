"""TCP. See RFC 9293 section 3.1, and RFC 3168 for ECE and CWR."""

from __future__ import annotations

from functools import lru_cache

from stack.dissection import checksums
from stack.dissection.layer import Layer, Table, count, shown
from stack.dissection.show_options import tcp_options
from stack.dissection.tcp_options import options_table
from stack.dissection.texts import REMEMBERED, port, port_words, set_or_not
from stack.wire import tcp
from stack.wire.checksum import internet_checksum
from stack.wire.numbers import PROTO_TCP
from stack.wire.tcp import CHECKSUM_AT, HEADER_LENGTH, TcpHeader

QUOTED_LENGTH = 8
"""An ICMP error quotes at least the first 8 octets: ports and sequence number (RFC 792)."""


@lru_cache(maxsize=REMEMBERED)
def _flags(flags: int) -> str:
    return tcp.flag_names(flags)


class Tcp(Layer):
    """A header with its options. `segment` are the octets that the checksum covers.

    `pseudo` is the pseudo-header's sum, or None if the checksum cannot be verified.
    """

    __slots__ = ("offload", "pseudo", "segment")
    name = "TCP"
    rfc = "RFC 9293 section 3.1"
    header: TcpHeader

    def __init__(
        self, segment: memoryview, offset: int, header: TcpHeader, depth: int, pseudo: int | None, offload: bool
    ) -> None:
        self.octets = segment[: HEADER_LENGTH + len(header.options)]
        self.offset = offset
        self.header = header
        self.depth = depth
        self.segment = segment
        self.pseudo = pseudo
        self.offload = offload

    @property
    def verdict(self) -> str:
        """What can be said of the checksum."""
        return checksums.judge(self.header.checksum, self.segment, self.pseudo, self.offload)

    @property
    def error(self) -> str:
        """tcp_bad_checksum, or nothing."""
        return "tcp_bad_checksum" if self.verdict == checksums.WRONG else ""

    def text(self) -> str:
        """Ports, control bits, numbers, window and options."""
        header = self.header
        flags = header.flags
        ack = f", ack {header.ack}" if flags & tcp.ACK else ""
        urgent = f", urgent pointer {header.urgent_pointer}" if flags & tcp.URG else ""
        reserved = f", reserved bits 0x{header.reserved:x}" if header.reserved else ""
        options = f", options [{tcp_options(header.options)}]" if header.options else ""
        wrong = self.pseudo is not None and internet_checksum(self.segment, self.pseudo)
        note = checksums.note(self.verdict, header.checksum) if wrong else ""
        return (
            f"TCP {port(header.source_port, PROTO_TCP)} > {port(header.destination_port, PROTO_TCP)}, "
            f"{_flags(flags)}, seq {header.seq}{ack}, win {header.window}{urgent}{reserved}{options}"
            f"{note}"
        )

    def table(self, row: Table) -> None:
        """RFC 9293 figure 1."""
        header, flags = self.header, self.header.flags
        syn = ", the number of the SYN; the first octet of data has the next one" if flags & tcp.SYN else ""
        ack = f"{header.ack}, the next octet that the sender expects" if flags & tcp.ACK else "no meaning without ACK"
        urgent = (
            f"{count(header.urgent_pointer, 'octet')} from SEG.SEQ" if flags & tcp.URG else "no meaning without URG"
        )
        checksum = checksums.words(self.verdict, header.checksum, self.segment, self.pseudo, CHECKSUM_AT)
        row.number("Source Port", 16, port_words(header.source_port, PROTO_TCP))
        row.number("Destination Port", 16, port_words(header.destination_port, PROTO_TCP))
        row.number("Sequence Number", 32, f"{header.seq}{syn}")
        row.number("Acknowledgment Number", 32, ack)
        row.number("Data Offset", 4, f"the header has {header.header_length} octets: this counts words of 32 bits")
        row.number("Rsrvd", 4, "reserved" if not header.reserved else "reserved, and not zero")
        row.number("CWR", 1, set_or_not(flags & tcp.CWR, "congestion window reduced (RFC 3168)"))
        row.number("ECE", 1, set_or_not(flags & tcp.ECE, "ECN-Echo (RFC 3168)"))
        row.number("URG", 1, set_or_not(flags & tcp.URG, "the Urgent Pointer is significant"))
        row.number("ACK", 1, set_or_not(flags & tcp.ACK, "the Acknowledgment Number is significant"))
        row.number("PSH", 1, set_or_not(flags & tcp.PSH, "push: pass the data on at once"))
        row.number("RST", 1, set_or_not(flags & tcp.RST, "reset the connection"))
        row.number("SYN", 1, set_or_not(flags & tcp.SYN, "synchronize sequence numbers"))
        row.number("FIN", 1, set_or_not(flags & tcp.FIN, "the sender has no more data"))
        row.number("Window", 16, _window(header))
        row.number("Checksum", 16, checksum)
        row.number("Urgent Pointer", 16, urgent)
        options_table(row, header.options)


def _window(header: TcpHeader) -> str:
    if header.flags & tcp.SYN:
        return f"the sender takes {header.window} octets; in a SYN this is never scaled"
    return f"the sender takes {header.window} octets more, times 2 to the shift.cnt of its SYN if both SYNs had one"


class PartOfTcp(Layer):
    """The beginning of a header, with the ports and the number that are in it.

    The rest was not captured, or is in another fragment, or an ICMP error does not quote it.
    """

    __slots__ = ()
    name = "TCP"
    rfc = "RFC 9293 section 3.1"

    def text(self) -> str:
        """Ports and sequence number, if they are there."""
        if len(self.octets) < QUOTED_LENGTH:
            return f"TCP cut off, {shown(self.octets)}"
        source, destination, seq = self._numbers()
        return f"TCP {port(source, PROTO_TCP)} > {port(destination, PROTO_TCP)}, seq {seq}, cut off"

    def _numbers(self) -> tuple[int, int, int]:
        source, destination, seq = (int.from_bytes(self.octets[a:b], "big") for a, b in ((0, 2), (2, 4), (4, 8)))
        return source, destination, seq

    def table(self, row: Table) -> None:
        """The first rows of RFC 9293 figure 1."""
        source, destination, seq = self._numbers()
        row.number("Source Port", 16, port_words(source, PROTO_TCP))
        row.number("Destination Port", 16, port_words(destination, PROTO_TCP))
        row.number("Sequence Number", 32, str(seq))
