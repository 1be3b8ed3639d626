"""Bytes from the wire as text that is safe to print, whoever made them."""

from __future__ import annotations

from stack.wire.checksum import Buffer

_ESCAPES = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x22: '\\"', 0x5C: "\\\\"}


def escape(data: Buffer) -> str:
    """The bytes as printable ASCII; the rest, control characters and 8-bit bytes among it, as \\r, \\n, \\x1b."""
    return "".join(_ESCAPES.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)
