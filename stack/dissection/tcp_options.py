"""The options of TCP, field by field. See RFC 9293 section 3.2, and `stack.wire.tcp_options`."""

from __future__ import annotations

from stack.dissection.layer import Table


def options_table(row: Table, raw: bytes) -> None:
    """Make the fields of all options."""
    row.octets("Options", len(raw))
