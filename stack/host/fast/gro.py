"""Generic receive offload (GRO): segments that come in a row are processed together.

A sender with much data hands 64 KiB at a time to its link, which splits them into 45 segments.
Their headers differ only in SEG.SEQ, the Identification and the two checksums. The first of them is
processed as usual. If header prediction has taken it, and it brought only data, it begins a train.
For each frame that follows, one comparison of the headers shows that header prediction would take
it too. Then its checksums are verified and its data is kept. TCP processes the whole train at its
end. The Linux kernel's GRO works on the same principle.

A train ends with the first frame that does not belong to it, or with the batch. Until then nothing
else happens to the connection or to the host. So what was true for the first frame stays true: the
addresses, the interface, and the conditions of header prediction. TCP need not see the data before
the end. That is why it is safe to skip header prediction, IP input and the Ethernet header for the
frames after the first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from stack.counters import Counters
from stack.host.interface import Interface
from stack.tcp.connection import Connection
from stack.tcp.predict import deliver_train
from stack.tcp.recvbuf import JOIN_BELOW, KEEP_FROM, kept
from stack.tcp.seq import MASK
from stack.wire import ipv4, tcp
from stack.wire.checksum import folded

Take = Callable[[Interface, memoryview, float], bool]
SHORTEST_PACKET = JOIN_BELOW + 120
"""In octets. With any headers, the data of a longer packet is stored in a chunk of its own."""


@cache
def _masks(ip: int, headers_length: int) -> tuple[int, int]:
    """Two masks for the headers of a frame.

    The headers are `headers_length` octets long, and the IP header is at `ip`. The first mask has
    the bits that must be the same in each frame of a train (apart from SEG.SEQ, which advances).
    The second mask has the fields of the IP header that vary. Both are numbers with as many octets
    as the headers.
    """
    varying = bytearray(headers_length)
    for field in (ip + ipv4.IDENTIFICATION_AT, ip + ipv4.CHECKSUM_AT):
        varying[field : field + 2] = b"\xff\xff"
    varying_ip = int.from_bytes(varying, "big")
    tcp_checksum = ip + ipv4.HEADER_LENGTH + tcp.CHECKSUM_AT
    varying[tcp_checksum : tcp_checksum + 2] = b"\xff\xff"
    return int.from_bytes(varying, "big") ^ ((1 << 8 * headers_length) - 1), varying_ip


class SegmentTrain:
    """Frames of one connection in a row, to be processed together.

    Header prediction has returned DATA_ONLY for the segment of the first frame, `view`. That frame
    must be as long as its IP packet and link header, without padding. `otherwise` is called with a
    frame that does not belong to the train. It must call `end`.
    """

    __slots__ = (
        "_expected",
        "_fixed_mask",
        "_frame_sum",
        "_header_length",
        "_interface",
        "_length",
        "_link",
        "_otherwise",
        "_payload_bits",
        "_payloads",
        "_room",
        "_seq_step",
        "_varying_mask",
        "_varying_sum",
        "connection",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, interface: Interface, view: memoryview, checksum_ok: bool, otherwise: Take
    ) -> None:
        self.connection = connection
        self._interface = interface
        self._link = interface.link
        self._otherwise = otherwise
        self._payloads: list[bytes | memoryview] = []  # the data of each frame after the first
        ip = interface.ip_offset
        self._length = len(view)
        segment = ip + ipv4.HEADER_LENGTH
        self._header_length = headers_length = segment + (view[segment + tcp.DATA_OFFSET_AT] >> 4) * 4
        # The number of frames that still fit the window. SEG.SEQ must not wrap either, because the
        # addition below would carry into the ports.
        length, seq_at = len(view) - headers_length, segment + tcp.SEQ_AT
        seq = int.from_bytes(view[seq_at : seq_at + 4], "big")
        self._room = min(connection.rcv_wnd, MASK - seq) // length
        self._fixed_mask, self._varying_mask = _masks(ip, headers_length)
        headers = int.from_bytes(view[:headers_length], "big")
        self._seq_step = length << 8 * (headers_length - seq_at - 4)
        self._expected = (headers & self._fixed_mask) + self._seq_step
        # The other fields of the IP header are the same, so its checksum is right if the sum of the
        # varying fields is the same. Then TCP's checksum is right if the sum of the whole frame is
        # the same too.
        self._varying_sum = (headers & self._varying_mask) % 0xFFFF
        self._frame_sum = -1 if checksum_ok else folded(int.from_bytes(view, "big")) % 0xFFFF
        self._payload_bits = 8 * length  # the length of the data in bits

    def __len__(self) -> int:
        """How many frames have been added to the first."""
        return len(self._payloads)

    def take(self, interface: Interface, view: memoryview, now: float) -> bool:  # hot
        """Add the next frame, if it belongs to the train.

        Otherwise call `otherwise`, and return what that returns.
        """
        headers_length, payloads = self._header_length, self._payloads
        if len(view) != self._length or len(payloads) >= self._room or interface is not self._interface:
            return self._otherwise(interface, view, now)
        checksum_ok = self._link.rx_checksum_ok
        if checksum_ok:
            headers = int.from_bytes(view[:headers_length], "big")
        else:
            frame = int.from_bytes(view, "big")
            headers = frame >> self._payload_bits
        if headers & self._fixed_mask != self._expected or (headers & self._varying_mask) % 0xFFFF != self._varying_sum:
            return self._otherwise(interface, view, now)
        if not checksum_ok and folded(frame) % 0xFFFF != self._frame_sum:
            return self._otherwise(interface, view, now)
        self._expected += self._seq_step
        data = view[headers_length:]
        payloads.append(bytes(data) if len(data) < KEEP_FROM else kept(data))
        return True

    def end(self, counters: Counters) -> None:
        """End the train: count its frames after the first, and let TCP process their data."""
        frames = len(self._payloads)
        if not frames:
            return
        counters["ifInOctets"] += frames * self._length
        counters["ifInUcastPkts"] += frames
        counters["ipSystemStatsInReceives"] += frames
        counters["ipSystemStatsInDelivers"] += frames
        counters["tcpInSegs"] += frames
        deliver_train(self.connection, self._payloads, self._length - self._header_length)
