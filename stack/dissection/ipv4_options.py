"""The options of IPv4, field by field. See RFC 791 section 3.1, and `stack.wire.ipv4_options`."""

from __future__ import annotations

from stack.dissection.layer import Table


def options_table(row: Table, raw: bytes) -> None:
    """Make the fields of all options."""
    row.octets("Options", len(raw))
