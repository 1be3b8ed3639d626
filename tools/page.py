"""The page that http serves by default: this host's addresses, neighbours, connections and counters as they are now."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack import Host

STYLE = (
    "body{font:15px/1.4 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}"
    "table{border-collapse:collapse;margin:.5em 0 1.5em}"
    "th,td{border:1px solid #bbb;padding:.15em .6em;text-align:left;font-family:monospace}"
    "th{background:#eee}"
)


def host_page(host: Host) -> str:
    """The page as HTML; whatever came from the network is escaped."""
    counters = {name: count for name, count in host.counters().items() if count}
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>tapstack</title>",
        f"<style>{STYLE}</style>",
        "<h1>A host in one Python process</h1>",
        "<p>Its Ethernet, ARP, IPv4, ICMP, UDP and TCP brought you this page. Load it again to see it move.</p>",
        section("Interfaces and addresses", host.interfaces()),
        section("Neighbours (ARP)", host.neighbors()),
        section("Routes", host.routes()),
        section("Connections", host.connections()),
        "<h2>Counters that are not zero</h2>",
        table(["counter", "value"], [[name, str(count)] for name, count in counters.items()]),
        "</html>\n",
    ]
    return "\n".join(parts)


def section(title: str, records: Iterable[object]) -> str:
    """A heading and a table with a row for each record."""
    rows = [fields(record) for record in records]
    if not rows:
        return f"<h2>{escape(title)}</h2><p>none</p>"
    heads = list(rows[0])
    return f"<h2>{escape(title)}</h2>" + table(heads, [[text(row.get(head)) for head in heads] for row in rows])


def fields(record: object) -> Mapping[str, object]:
    """A record's names and values."""
    if dataclasses.is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    if isinstance(record, Mapping):
        return record
    return {"": record}


def text(value: object) -> str:
    """A value for people."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(text(part) for part in value) or "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """An HTML table of escaped text."""
    head = "".join(f"<th>{escape(name.replace('_', ' '))}" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{head}{body}</table>"
