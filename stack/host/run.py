"""A run: frames in a row that differ in nothing but what must differ between one segment of a stream and the next.

A sender that is in a hurry hands 64 KiB at a time to its link, which cuts them into segments: 45 frames with the same
headers but for SEG.SEQ, the Identification and the two checksums. The first of them goes the ordinary way. If that was
header prediction's, and it brought nothing but text, one comparison shows that the next one would go the same way, and
what is left to do for it is to verify its checksums and to take its text. Generic receive offload in the Linux kernel
lives on the same likeness.

A run is over with the first frame that does not belong to it, and with the batch. Until then nothing else happens to
the connection, so nothing of what was true at the first frame needs to be asked again, and TCP need not know before
the end.
"""

from __future__ import annotations

from functools import cache

from stack.counters import Counters
from stack.host.interface import Interface
from stack.tcp.connection import Connection
from stack.tcp.predict import deliver_train
from stack.tcp.recvbuf import JOIN_BELOW, KEEP_FROM, kept
from stack.tcp.seq import MASK
from stack.wire.checksum import folded
from stack.wire.ipv4 import HEADER_LENGTH as IP_HEADER

_IDENTIFICATION, _IP_CHECKSUM = 4, 10  # where these fields are, in the IP header
_SEQ, _DATA_OFFSET, _TCP_CHECKSUM = 4, 12, 16  # and these, in the TCP header
SHORTEST_PACKET = JOIN_BELOW + 120  # octets: shorter text, whatever the headers, is not stored by itself


@cache
def _masks(ip: int, text: int) -> tuple[int, int]:
    """For headers of `text` octets, the IP header's at `ip`: where they must be the same, and what varies in IP's.

    Both are numbers with as many octets as the headers.
    """
    varying = bytearray(text)
    varying[ip + _IDENTIFICATION : ip + _IDENTIFICATION + 2] = b"\xff\xff"
    varying[ip + _IP_CHECKSUM : ip + _IP_CHECKSUM + 2] = b"\xff\xff"
    sums = int.from_bytes(varying, "big")
    varying[ip + IP_HEADER + _TCP_CHECKSUM : ip + IP_HEADER + _TCP_CHECKSUM + 2] = b"\xff\xff"
    return int.from_bytes(varying, "big") ^ ((1 << 8 * text) - 1), sums


class Run:
    """Begins with a frame whose segment was DATA_ONLY, as header prediction says; it is as long as its packet."""

    __slots__ = (
        "_behind", "_expected", "_length", "_room", "_same", "_step", "_sum", "_sums", "_text", "_texts", "_whole_sum",
        "connection", "interface",
    )  # fmt: skip

    def __init__(self, connection: Connection, interface: Interface, view: memoryview, checksum_ok: bool) -> None:
        self.connection = connection
        self.interface = interface
        self._texts: list[bytes | memoryview] = []  # of the frames that have followed the first
        ip = interface.ip_offset
        self._length = len(view)
        tcp = ip + IP_HEADER
        self._text = text = tcp + (view[tcp + _DATA_OFFSET] >> 4) * 4
        # So many more fit the window, and before SEG.SEQ wraps around: its carry would go into the ports.
        length, seq = len(view) - text, int.from_bytes(view[tcp + _SEQ : tcp + _SEQ + 4], "big")
        self._room = min(connection.rcv_wnd, MASK - seq) // length
        self._same, self._sums = _masks(ip, text)
        headers = int.from_bytes(view[:text], "big")
        self._step = length << 8 * (text - tcp - _SEQ - 4)
        self._expected = (headers & self._same) + self._step
        # The rest of the IP header stays, so its checksum is right as long as what varies has the same sum. Then TCP's
        # is if the whole frame has the same sum, too.
        self._sum = (headers & self._sums) % 0xFFFF
        self._whole_sum = -1 if checksum_ok else folded(int.from_bytes(view, "big")) % 0xFFFF
        self._behind = 8 * length  # bits of the frame that follow its headers

    def goes_on(self, view: memoryview, checksum_ok: bool) -> bool:  # hot
        """Take the next frame, if it is one of the run; False: it is not, and nothing was touched."""
        text, texts = self._text, self._texts
        if len(view) != self._length or len(texts) >= self._room:
            return False
        if checksum_ok:
            headers = int.from_bytes(view[:text], "big")
        else:
            frame = int.from_bytes(view, "big")
            headers = frame >> self._behind
        if headers & self._same != self._expected or (headers & self._sums) % 0xFFFF != self._sum:
            return False
        if not checksum_ok and folded(frame) % 0xFFFF != self._whole_sum:
            return False
        self._expected += self._step
        data = view[text:]
        texts.append(bytes(data) if len(data) < KEEP_FROM else kept(data))
        return True

    def end(self, counters: Counters) -> None:
        """TCP processes what it has not seen yet, and what was not counted frame by frame is."""
        frames = len(self._texts)
        if not frames:
            return
        counters["ifInOctets"] += frames * self._length
        counters["ifInUcastPkts"] += frames
        counters["ipSystemStatsInReceives"] += frames
        counters["ipSystemStatsInDelivers"] += frames
        counters["tcpInSegs"] += frames
        deliver_train(self.connection, self._texts, self._length - self._text)
