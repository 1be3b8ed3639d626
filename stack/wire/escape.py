"""Converts bytes from the wire to text that is safe to print on a terminal."""

from __future__ import annotations

from stack.wire.checksum import Buffer

_TEXTS = {byte: f"\\x{byte:02x}" for byte in (*range(0x20), *range(0x7F, 0x100))}
_TEXTS |= {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x22: '\\"', 0x5C: "\\\\"}


def escape(data: Buffer) -> str:
    """The bytes as printable ASCII. Other bytes become escapes such as \\r, \\n and \\x1b."""
    return bytes(data).decode("latin-1").translate(_TEXTS)
