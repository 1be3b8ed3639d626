"""Reads a capture file, as tcpdump and Wireshark write it: `for frame in read_capture(path)`.

The two formats are in pcap.py and pcapng.py.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from io import FileIO
from typing import BinaryIO

from stack.link import pcap, pcapng
from stack.link.captured import CapturedFrame
from stack.link.octet_source import OctetSource

STANDARD_INPUT = "-"
SECTION_HEADER = pcapng.SECTION_HEADER.to_bytes(4)  # the same in both byte orders

OTHER_FILES = (
    (b"\x1f\x8b", "is compressed by gzip: unpack it first (gunzip)"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd: unpack it first (unzstd)"),
    (b"\x04\x22\x4d\x18", "is compressed by lz4: unpack it first (unlz4)"),
    (b"\xfd7zX", "is compressed by xz: unpack it first (unxz)"),
    (b"BZh", "is compressed by bzip2: unpack it first (bunzip2)"),
    (b"snoo", "is a capture of snoop: turn it into pcapng first (editcap)"),
    (b"\x1e{", "is a log of events, not a capture: `read_trace` reads it"),
)


def read_capture(path: str | os.PathLike[str]) -> CaptureReader:
    """The frames of the capture at `path`; "-" is standard input.

    OSError if the file cannot be opened or read. `CaptureError`, while the frames are iterated
    over, at the first octets that are not a capture: all frames before them have been given. With
    `cut_short` it only says that the file ends in the midst of a frame.
    """
    name = os.fspath(path)
    return CaptureReader(FileIO(0, closefd=False) if name == STANDARD_INPUT else FileIO(name), name)


class CaptureReader:
    """The frames of a capture. They are read while they are iterated over, so the file may be
    longer than the memory, or a pipe from tcpdump that still runs.

    skipped: how many frames had a link type that is not known, by link type. They are not given,
      but `CapturedFrame.number` counts them.

    Reading blocks. The file is closed at its end, at an error, by `close` and by `with`.
    """

    def __init__(self, file: BinaryIO | FileIO, path: str) -> None:
        self.path = path
        self.skipped: dict[int, int] = {}
        self._file = file
        self._frames = _read(file, path, self.skipped)

    def __iter__(self) -> Iterator[CapturedFrame]:
        return self._frames

    def __enter__(self) -> CaptureReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. No more frames are given."""
        self._frames.close()
        self._file.close()


def _read(file: BinaryIO | FileIO, path: str, skipped: dict[int, int]) -> Generator[CapturedFrame, None, None]:
    # It does not know the reader: one that is dropped in the midst of the file closes it at once.
    try:
        yield from _frames(OctetSource(file, path), skipped)
    finally:
        file.close()


def _frames(source: OctetSource, skipped: dict[int, int]) -> Iterator[CapturedFrame]:
    """The frames of a file whose first four octets say which format it has."""
    if source.ended():
        raise source.cut_short("the file header: it is empty")
    if not source.has(4):
        raise source.cut_short("the file header")
    magic = source.data[:4]
    if magic == SECTION_HEADER:
        return pcapng.PcapngReader(source, skipped).frames()
    if magic in pcap.KINDS:
        return pcap.frames(source, pcap.KINDS[magic], skipped)
    for beginning, what in OTHER_FILES:
        if magic.startswith(beginning):
            raise source.error(f"the file {what}")
    raise source.error(f"the file is no capture: it begins with {magic.hex()}, and neither pcap nor pcapng does")
