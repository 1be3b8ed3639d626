"""Converts bytes from the wire to text that is safe to print on a terminal."""

from __future__ import annotations

from stack.wire.checksum import Buffer

_TEXTS = [chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}" for octet in range(256)]
for _octet, _text in ((0x09, "\\t"), (0x0A, "\\n"), (0x0D, "\\r"), (0x22, '\\"'), (0x5C, "\\\\")):
    _TEXTS[_octet] = _text


def escape(data: Buffer) -> str:
    """The bytes as printable ASCII. Other bytes become escapes such as \\r, \\n and \\x1b."""
    text = str(data, "latin-1")
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(map(_TEXTS.__getitem__, bytes(data)))
