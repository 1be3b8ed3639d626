"""What must hold of any file that is read as a capture."""

from __future__ import annotations

from io import BytesIO

import stack
from stack.link.read_capture import CaptureReader

LINKS = ("ethernet", "ip", "linux-sll", "linux-sll2")


def reads(content: bytes) -> stack.CaptureError | None:
    """Read a file, whose octets may be any, and return its error.

    Any exception but CaptureError is a fault, and so is a frame that is not whole or is not in the file.
    """
    total = number = 0
    error: stack.CaptureError | None = None
    reader = CaptureReader(BytesIO(content), "file")
    try:
        for frame in reader:
            octets = frame.octets
            assert frame.number > number
            assert frame.length >= len(octets)
            assert frame.link in LINKS
            assert frame.direction in ("", "in", "out")
            number = frame.number
            total += len(octets)
    except stack.CaptureError as caught:
        error = caught
    assert total <= len(content)
    assert sum(reader.skipped.values()) <= len(content) // 16
    assert error is None or (0 <= error.offset <= len(content) and error.rule)
    return error
