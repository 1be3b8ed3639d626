"""Writes the frames of a link to a pcapng file, for Wireshark and tcpdump.

See draft-ietf-opsawg-pcapng: a Section Header Block, one Interface Description Block and an
Enhanced Packet Block for each frame, all in little-endian order.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable

from stack.link.device import Link
from stack.link.frame_comments import FrameComments
from stack.link.output_file import OutputFile
from stack.link.wrapper import LinkWrapper
from stack.trace.event import Event
from stack.wire.checksum import Buffer

LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101  # the packet starts with its IPv4 or IPv6 header
SNAPLEN = 262_144  # the bytes of a frame that are kept: tcpdump's default
NANOSECONDS = 9  # if_tsresol: timestamps count units of 10**-9 s

SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
OPT_COMMENT, SHB_USERAPPL, IF_NAME, IF_TSRESOL, EPB_FLAGS = 1, 4, 2, 9, 2
INBOUND, OUTBOUND = 1, 2  # the direction bits of epb_flags
LONGEST_COMMENT = 65_535 - 3  # an option's length has 16 bits

FLUSH_BYTES = 65_536
EXPLAINED_FLUSH_BYTES = 4 << 20  # a batch of 64 super-frames, which are explained at its end
FLUSH_S = 0.1


class Record:
    """One frame that has not been written to the file yet; `number` counts those of the capture."""

    __slots__ = ("comments", "data", "direction", "length", "number", "timestamp_ns")

    def __init__(self, number: int, timestamp_ns: int, direction: int, frame: Buffer) -> None:
        self.number = number
        self.timestamp_ns = timestamp_ns
        self.direction = direction
        self.length = len(frame)
        self.data = bytes(frame[:SNAPLEN])
        self.comments: list[str] = []


class Capture(LinkWrapper):
    """Wraps a link and writes each frame, in both directions, to the pcapng file at `path`.

    epoch_s: the wall-clock time, in seconds since 1970, at which `now` is 0. With the default the
      timestamps are `now` itself, so that the same run gives the same bytes. It may be changed
      while frames pass.
    clock: returns the time of a frame, in seconds on the scale of `now` (`trio.current_time`). The
      default is the `now` of the call. A host reads that once for a batch of frames: this is right
      in simulations, but too early for the later frames of a batch on a real wire.
    limit_bytes: the capture ends before the file grows beyond this; None for no limit.

    The file can be read at any time. It is at most 0.1 s behind the link, and complete after
    `close`. Only its owner may read it, since it holds private data. An existing file is
    overwritten. When the file cannot be written any more (the disk is full), the capture ends,
    `error` says why, and the link goes on. If the wrapped link offloads, the file shows the same as
    tcpdump's would: whole super-frames, and partial checksums.

    With `host.watch(capture.explain)` the host's reasons become comments of the frames, which
    Wireshark shows.
    """

    def __init__(
        self,
        link: Link,
        path: str | os.PathLike[str],
        *,
        epoch_s: float = 0.0,
        limit_bytes: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(link)
        self.epoch_s = epoch_s
        self._clock = clock
        self._file = OutputFile(path, "capture", limit_bytes)
        self._records: list[Record] = []
        self._recorded = 0
        self._unwritten_bytes = 0
        self._flush_bytes = FLUSH_BYTES
        self._flush_at = math.inf
        self._comments: FrameComments | None = None

    def _copy_attributes(self) -> None:
        super()._copy_attributes()
        self.offload = self._link.offload

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._file.path

    @property
    def error(self) -> str | None:
        """Why the capture has ended early; None if it has not."""
        return self._file.error

    @property
    def rx_gso_size(self) -> int:
        """The `rx_gso_size` of the wrapped link."""
        return self._link.rx_gso_size

    @property
    def may_offload(self) -> bool:
        """Whether the wrapped link may offload."""
        return self._link.may_offload

    @may_offload.setter
    def may_offload(self, value: bool) -> None:
        self._link.may_offload = value

    def open(self, wake: Callable[[], None]) -> None:
        """Open the wrapped link and make the file.

        OSError as the link raises it, or, with the path as its `filename`, if the file cannot be
        made: see `OutputFile.open`.
        """
        link = self._link
        link.open(wake)
        try:
            self._file.open()
        except OSError:
            link.close()
            raise
        self._wake = wake
        self._copy_attributes()
        self._recorded = 0
        self._file.write([section_header(), interface_description(link.name, link.ip_offset)])
        self._rearm()

    def read(self, now: float) -> memoryview | None:
        """The next frame of the wrapped link, which is recorded. OSError as the link raises it."""
        frame = self._link.read(now)
        if frame is not None:
            self._record(INBOUND, frame, now)
            self.rx_checksum_ok = self._link.rx_checksum_ok
        self._rearm()
        return frame

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Send one frame, and record it if the wrapped link took it."""
        taken = self._link.write(parts, now, offload)
        if taken:
            self._record(OUTBOUND, b"".join(parts), now)
        earlier = self.deadline
        self._rearm()
        if self.deadline < earlier and self._wake is not None:
            self._wake()
        return taken

    def note(self, text: str, *, outgoing: bool | None = None) -> bool:
        """Add a comment to the last recorded frame, or to the last sent or received one.

        `outgoing` selects the direction. Call it before time passes. False if the frame is in the
        file already, or there is none.
        """
        for record in reversed(self._records):
            if outgoing is None or outgoing == (record.direction == OUTBOUND):
                record.comments.append(text)
                self._unwritten_bytes += len(text) + 8
                return True
        return False

    def explain(self, event: Event) -> None:
        """An observer: `host.watch(capture.explain)`.

        A frame that comes in gets what became of it as its comments; one that goes out gets why it
        was sent. What is decided when the frame is in the file already, 0.1 s later, is not told.
        """
        if self._comments is None:
            self._comments = FrameComments(self.name)
            self._flush_bytes = EXPLAINED_FLUSH_BYTES
        self._unwritten_bytes += self._comments.add(event, self._records)

    def poll(self, now: float) -> None:
        """Write the recorded frames to the file if that is due, and poll the wrapped link."""
        if self._link.deadline <= now:
            self._link.poll(now)
        if self._flush_at <= now:
            self.flush()
        self._rearm()

    def flush(self) -> None:
        """Write the recorded frames to the file."""
        self._flush_at = math.inf
        self._unwritten_bytes = 0
        records, self._records = self._records, []
        if self._comments is not None:
            self._comments.written()
        if records:
            self._file.write([enhanced_packet(record) for record in records])

    def close(self) -> None:
        """Complete the file and close the wrapped link."""
        self.flush()
        self._file.close()
        self._wake = None
        self._link.close()
        self.deadline = math.inf

    def _record(self, direction: int, frame: Buffer, now: float) -> None:
        if not self._file.is_open:
            return
        if self._unwritten_bytes >= self._flush_bytes:
            self.flush()
        if not self._records:
            self._flush_at = now + FLUSH_S
        # The sum is computed in integers, because a float of the seconds since 1970 is not exact to
        # a nanosecond.
        epoch_ns = math.floor(self.epoch_s) * 1_000_000_000 + round(self.epoch_s % 1 * 1e9)
        timestamp_ns = epoch_ns + round((now if self._clock is None else self._clock()) * 1e9)
        self._recorded += 1
        record = Record(self._recorded, timestamp_ns, direction, frame)
        self._records.append(record)
        if self._comments is not None and direction == OUTBOUND:
            self._unwritten_bytes += self._comments.sent(record)
        self._unwritten_bytes += len(frame) + 64

    def _rearm(self) -> None:
        self.deadline = min(self._flush_at, self._link.deadline)


# --- the blocks


def block(kind: int, body: bytes) -> bytes:
    """One block (section 3.1), its body padded to 32 bits:

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                          Block Type                           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Block Total Length                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                          Block Body                           /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Block Total Length                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    body = _padded(body)
    total_length = len(body) + 12
    return struct.pack("<II", kind, total_length) + body + struct.pack("<I", total_length)


def option(code: int, value: bytes) -> bytes:
    """One option (section 3.5): code and length, 16 bits each, and the value, padded to 32 bits."""
    return struct.pack("<HH", code, len(value)) + _padded(value)


def options(*each: bytes) -> bytes:
    """A list of options with opt_endofopt at its end."""
    return b"".join(each) + option(0, b"")


def section_header() -> bytes:
    """The Section Header Block (section 4.1): version 1.0, section length not specified."""
    fields = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1)
    return block(SECTION_HEADER, fields + options(option(SHB_USERAPPL, b"tapstack")))


def interface_description(name: str, ip_offset: int) -> bytes:
    """The Interface Description Block (section 4.2) of a link: Ethernet, or bare IP packets."""
    fields = struct.pack("<HHI", LINKTYPE_ETHERNET if ip_offset else LINKTYPE_RAW, 0, SNAPLEN)
    named = (option(IF_NAME, name.encode("utf-8", "replace")), option(IF_TSRESOL, bytes((NANOSECONDS,))))
    return block(INTERFACE_DESCRIPTION, fields + options(*named))


def enhanced_packet(record: Record, interface: int = 0) -> bytes:
    """The Enhanced Packet Block (section 4.3) of one frame, with its direction and its comments."""
    timestamp = record.timestamp_ns & (1 << 64) - 1
    fields = struct.pack("<IIIII", interface, timestamp >> 32, timestamp & 0xFFFFFFFF, len(record.data), record.length)
    comments = (option(OPT_COMMENT, _comment(text)) for text in record.comments)
    flags = option(EPB_FLAGS, struct.pack("<I", record.direction))
    return block(ENHANCED_PACKET, fields + _padded(record.data) + options(flags, *comments))


def _comment(text: str) -> bytes:
    # Cut between characters, not inside one.
    return text.encode("utf-8", "replace")[:LONGEST_COMMENT].decode("utf-8", "ignore").encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
