"""What went over a link, written to a file that Wireshark and tcpdump open: pcapng.

See draft-ietf-opsawg-pcapng: a Section Header Block, one Interface Description Block and an Enhanced Packet Block for
each frame, all in little-endian order.
"""

from __future__ import annotations

import errno
import math
import os
import struct
from collections.abc import Callable

from stack.link import files
from stack.link.around import Around
from stack.link.device import Link
from stack.wire.checksum import Buffer

LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101  # the packet starts with its IPv4 or IPv6 header
SNAPLEN = 262_144  # bytes kept of a frame, tcpdump's own default
NANOSECONDS = 9  # if_tsresol: timestamps count units of 10**-9 s

SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
OPT_COMMENT, SHB_USERAPPL, IF_NAME, IF_TSRESOL, EPB_FLAGS = 1, 4, 2, 9, 2
INBOUND, OUTBOUND = 1, 2  # the direction bits of epb_flags
LONGEST_COMMENT = 65_535 - 3  # an option's length has 16 bits

FLUSH_BYTES = 65_536
FLUSH_S = 0.1


class Record:
    """One frame that is not in the file yet."""

    __slots__ = ("comments", "data", "direction", "length", "timestamp_ns")

    def __init__(self, timestamp_ns: int, direction: int, frame: Buffer) -> None:
        self.timestamp_ns = timestamp_ns
        self.direction = direction
        self.length = len(frame)
        self.data = bytes(frame[:SNAPLEN])
        self.comments: list[str] = []


class Capture(Around):
    """A link around a link that writes each frame, in both directions, to the pcapng file at `path`.

    epoch_s: the wall-clock time, in seconds since 1970, at which `now` is 0; with the default the timestamps are `now`
      itself, so that the same run gives the same bytes. May be changed while frames pass.
    clock: gives the time of a frame, in seconds on the scale of `now` (`trio.current_time`); with the default it is the
      `now` of the call, which a host reads once for a batch of frames: right in simulations, too early for the later
      frames of a batch on a real wire.
    limit_bytes: the capture ends before the file grows beyond this; None for no limit.

    The file can be read at any time: it trails the link by 0.1 s at most, by less when there is much to write, and is
    complete after `close`. Only its owner may read it: it holds what people say to each other. An existing file is
    overwritten. When it cannot be written any more (the disk is full), the capture ends, `error` says why, and the
    link goes on. With an offload below, the file shows what tcpdump would: super-frames whole, and checksums as partial
    as they were.
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
        self.path = os.fspath(path)
        self.epoch_s = epoch_s
        self.error: str | None = None
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._file = -1
        self._written_bytes = 0
        self._records: list[Record] = []
        self._unwritten_bytes = 0
        self._flush_at = math.inf

    def _resemble(self) -> None:
        super()._resemble()
        self.offload = self._link.offload

    @property
    def rx_gso_size(self) -> int:
        """That of the link below."""
        return self._link.rx_gso_size

    @property
    def may_offload(self) -> bool:
        """Whether the link below may offload."""
        return self._link.may_offload

    @may_offload.setter
    def may_offload(self, value: bool) -> None:
        self._link.may_offload = value

    def open(self, wake: Callable[[], None]) -> None:
        """Open the link below and make the file.

        OSError as the link raises it, or, with the path as its `filename`, when the file cannot be made; EINVAL for a
        pipe or a device, which might keep the link waiting; ELOOP or EACCES for a link or a file that another user may
        have planted (see `stack.link.files`).
        """
        link = self._link
        link.open(wake)
        try:
            self._file = files.open_empty(self.path)
        except OSError as error:
            link.close()
            text = f"cannot write the capture {self.path}: {error.strerror}"
            raise OSError(error.errno, text, self.path) from None
        self._wake = wake
        self.error = None
        self._resemble()
        self._written_bytes = 0
        self._write([section_header(), interface_description(link.name, link.ip_offset)])
        self._rearm()

    def read(self, now: float) -> memoryview | None:
        """The link's next frame, recorded. OSError as the link raises it."""
        frame = self._link.read(now)
        if frame is not None:
            self._record(INBOUND, frame, now)
            self.rx_checksum_ok = self._link.rx_checksum_ok
        self._rearm()
        return frame

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Send one frame, and record it if the link took it."""
        taken = self._link.write(parts, now, offload)
        if taken:
            self._record(OUTBOUND, b"".join(parts), now)
        earlier = self.deadline
        self._rearm()
        if self.deadline < earlier and self._wake is not None:
            self._wake()
        return taken

    def note(self, text: str, *, outgoing: bool | None = None) -> bool:
        """Add a packet comment to the last frame recorded: the last sent or received one if `outgoing` says which.

        To be called before time passes; False when that frame is in the file already or there was none.
        """
        for record in reversed(self._records):
            if outgoing is None or outgoing == (record.direction == OUTBOUND):
                record.comments.append(text)
                self._unwritten_bytes += len(text) + 8
                return True
        return False

    def poll(self, now: float) -> None:
        """Write out what has been recorded when that is due, and pass the call on."""
        if self._link.deadline <= now:
            self._link.poll(now)
        if self._flush_at <= now:
            self.flush()
        self._rearm()

    def flush(self) -> None:
        """Write what has been recorded so far to the file."""
        self._flush_at = math.inf
        self._unwritten_bytes = 0
        records, self._records = self._records, []
        if records:
            self._write([enhanced_packet(record) for record in records])

    def close(self) -> None:
        """Complete the file and close the link below."""
        self.flush()
        self._close_file()
        self._wake = None
        self._link.close()
        self.deadline = math.inf

    def _record(self, direction: int, frame: Buffer, now: float) -> None:
        if self._file < 0:
            return
        if self._unwritten_bytes >= FLUSH_BYTES:
            self.flush()
        if not self._records:
            self._flush_at = now + FLUSH_S
        # Whole nanoseconds are added: a float that holds the years since 1970 has no room for them.
        epoch_ns = math.floor(self.epoch_s) * 1_000_000_000 + round(self.epoch_s % 1 * 1e9)
        timestamp_ns = epoch_ns + round((now if self._clock is None else self._clock()) * 1e9)
        self._records.append(Record(timestamp_ns, direction, frame))
        self._unwritten_bytes += len(frame) + 64

    def _rearm(self) -> None:
        self.deadline = min(self._flush_at, self._link.deadline)

    def _write(self, blocks: list[bytes]) -> None:
        if self._file < 0:
            return
        data = memoryview(b"".join(blocks))
        room = len(data) if self._limit_bytes is None else self._limit_bytes - self._written_bytes
        done = 0
        try:
            while done < len(data):
                if done >= room:
                    raise OSError(errno.EFBIG, f"more than {self._limit_bytes} bytes are not allowed")
                done += os.write(self._file, data[done:room])
        except OSError as error:
            whole = 0
            for each in blocks:
                if whole + len(each) > done:
                    break
                whole += len(each)
            self._written_bytes += whole
            self._give_up(error)
        else:
            self._written_bytes += len(data)

    def _give_up(self, error: OSError) -> None:
        """End the capture after its last whole block, so that what is there can still be read."""
        self.error = f"the capture {self.path} ended after {self._written_bytes} bytes: {error.strerror}"
        try:
            os.ftruncate(self._file, self._written_bytes)
        except OSError:
            pass  # not a file that can be cut: a pipe whose reader is gone, say
        self._close_file()

    def _close_file(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            try:
                os.close(file)
            except OSError as error:
                # Some file systems tell only now that the last bytes found no room.
                self.error = self.error or f"the capture {self.path} may be incomplete: {error.strerror}"


# --- the blocks -------------------------------------------------------------------------------------------------------


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
    """The Section Header Block (section 4.1): version 1.0, of a length not known yet."""
    fields = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1)
    return block(SECTION_HEADER, fields + options(option(SHB_USERAPPL, b"tapstack")))


def interface_description(name: str, ip_offset: int) -> bytes:
    """The Interface Description Block (section 4.2) of a link: Ethernet, or bare IP packets."""
    fields = struct.pack("<HHI", LINKTYPE_ETHERNET if ip_offset else LINKTYPE_RAW, 0, SNAPLEN)
    named = (option(IF_NAME, name.encode("utf-8", "replace")), option(IF_TSRESOL, bytes((NANOSECONDS,))))
    return block(INTERFACE_DESCRIPTION, fields + options(*named))


def enhanced_packet(record: Record) -> bytes:
    """The Enhanced Packet Block (section 4.3) of one frame, with its direction and its comments."""
    timestamp = record.timestamp_ns & (1 << 64) - 1
    fields = struct.pack("<IIIII", 0, timestamp >> 32, timestamp & 0xFFFFFFFF, len(record.data), record.length)
    comments = (option(OPT_COMMENT, _comment(text)) for text in record.comments)
    flags = option(EPB_FLAGS, struct.pack("<I", record.direction))
    return block(ENHANCED_PACKET, fields + _padded(record.data) + options(flags, *comments))


def _comment(text: str) -> bytes:
    # Cut between characters, not inside one.
    return text.encode("utf-8", "replace")[:LONGEST_COMMENT].decode("utf-8", "ignore").encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
