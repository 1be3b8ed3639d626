"""The page that http serves by default: the host's addresses or, on request, the state of the host.

Every client may load it. A blind attacker (RFC 5961) needs the ports of a connection and has to
guess a sequence number; a counter that moves with each dropped segment tells it how good the guess
was. So the page shows peers and counters only with `--status`. The client's address is no
criterion: behind a NAT all clients have the same one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from html import escape
from time import perf_counter
from typing import TYPE_CHECKING

import trio

import stack

if TYPE_CHECKING:
    from stack import Host, Recorder

STYLE = (
    "body{font:15px/1.4 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}"
    "table{border-collapse:collapse;margin:.5em 0 1.5em}"
    "th,td{border:1px solid #bbb;padding:.15em .6em;text-align:left;font-family:monospace}"
    "th{background:#eee}"
)


FRESH_S = 1.0  # a page up to this age is sent again
LARGEST_SHARE = 0.05  # of the time may be spent on making the page: a page that takes longer is made less often
MOST_ROWS = 200  # of a table
SHOWN_EVENTS = 40


class CachedPage:
    """A page for many clients, made at most once in `fresh_s` seconds.

    While one task makes it, the others wait.
    """

    def __init__(self, make: Callable[[], Awaitable[bytes]], fresh_s: float = FRESH_S) -> None:
        self._make = make
        self._fresh_s = fresh_s
        self._page = b""
        self._stale_at = float("-inf")
        self._lock = trio.Lock()

    async def get(self) -> bytes:
        """Return the page, at most `fresh_s` old, or somewhat older when it takes long to make."""
        async with self._lock:
            if trio.current_time() >= self._stale_at:
                began = perf_counter()
                self._page = await self._make()
                self._stale_at = trio.current_time() + max(self._fresh_s, (perf_counter() - began) / LARGEST_SHARE)
            return self._page


HEAD = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>tapstack</title>",
    f"<style>{STYLE}</style>",
    "<h1>A host in one Python process</h1>",
)


async def plain_page(host: Host) -> bytes:
    """Return the page for all clients: the host's addresses, and nothing that its traffic changes."""
    addresses = [[address] for interface in host.interfaces() for address in interface.addresses]
    parts = [
        *HEAD,
        "<p>Its Ethernet, ARP, IPv4, ICMP, UDP and TCP brought you this page.</p>",
        "<h2>Addresses</h2>",
        table(["address"], addresses) if addresses else "<p>none</p>",
        "<p>Started with --status it shows neighbours, routes, connections and counters here.</p>",
        "</html>\n",
    ]
    return "\n".join(parts).encode()


async def status_page(host: Host, events: Recorder | None = None) -> bytes:
    """Return the page with the state of the host, and the last of `events`.

    Text from the network is escaped. Other tasks run between its parts.
    """
    parts = [
        *HEAD,
        "<p>Its Ethernet, ARP, IPv4, ICMP, UDP and TCP brought you this page. Load it again to see it move.</p>",
    ]
    sections: dict[str, Callable[[], Sequence[object]]] = {
        "Interfaces and addresses": host.interfaces,
        "Neighbours (ARP)": host.neighbors,
        "Routes": host.routes,
        "Connections": host.connections,
    }
    if host.leases():
        sections["Leases (DHCP)"] = host.leases
    for title, records in sections.items():
        parts.append(section(title, records()))
        await trio.lowlevel.checkpoint()
    parts.append("<h2>Last events</h2>")
    if events is None:
        parts.append("<p>The host is not watched, which would cost its fast paths. Start it with --trace.</p>")
    else:
        parts.append(table(["time in s", "of", "event"], last_events(events)))
    counters = {name: count for name, count in host.counters().items() if count}
    parts.append("<h2>Counters that are not zero</h2>")
    parts.append(table(["counter", "value"], [[name, str(count)] for name, count in counters.items()]))
    parts.append("</html>\n")
    return "\n".join(parts).encode()


def last_events(events: Recorder) -> list[list[str]]:
    """Return a row for each of the last drops and decisions, the newest first."""
    rows: list[list[str]] = []
    for event in reversed(list(events)):
        explained = stack.explain(event)
        if explained:
            rows.append([f"{event.at:.6f}", event.group, explained])
            if len(rows) == SHOWN_EVENTS:
                break
    return rows


def section(title: str, records: Sequence[object]) -> str:
    """Return a heading and a table with a row for each record, up to `MOST_ROWS`."""
    rows = [fields(record) for record in records[:MOST_ROWS]]
    if not rows:
        return f"<h2>{escape(title)}</h2><p>none</p>"
    heads = list(rows[0])
    shown = f"<h2>{escape(title)}</h2>" + table(heads, [[text(row.get(head)) for head in heads] for row in rows])
    return shown + (f"<p>and {len(records) - MOST_ROWS} more</p>" if len(records) > MOST_ROWS else "")


def fields(record: object) -> Mapping[str, object]:
    """Return a record's names and values."""
    if dataclasses.is_dataclass(record):
        named = ((field.name, getattr(record, field.name)) for field in dataclasses.fields(record))
        return dict(in_milliseconds(name, value) for name, value in named)
    if isinstance(record, Mapping):
        return record
    return {"": record}


def in_milliseconds(name: str, value: object) -> tuple[str, object]:
    """Convert round-trip times to milliseconds, where three decimals are enough."""
    if name not in ("srtt_s", "rto_s"):
        return name, value
    return f"{name[:-2]} in ms", 1000 * value if isinstance(value, float) else value


def text(value: object) -> str:
    """Return a value as text for the page."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(text(part) for part in value) or "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return an HTML table of escaped text."""
    head = "".join(f"<th>{escape(name.replace('_', ' '))}" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{head}{body}</table>"
