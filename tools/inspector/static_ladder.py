"""The ladder of a report as an HTML table: for a reader without JavaScript, and for paper.

It has the first rows only. A row is a frame, a call of the program, a timer that expired, what a bad wire
did to a frame, or a note of the inspector; the decisions stand in the row that caused them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

import stack

from ..ladder import names_of
from ..printer import clean, octets_as_text
from .frame_head import Head
from .payload import head_of, octets_of
from .used_words import Used

MOST_ROWS = 200
MOST_REASONS = 3  # of a row
LONGEST = 300  # characters of one text
MOST_DATA = 48  # octets of data that are shown
MOST_DATA_CHARACTERS = 64  # of them, as text
MOST_TABLE_CHARACTERS = 24_000  # of all rows: each report carries them beside its log
SYN, ACK = 0x02, 0x10
MASK = 0xFFFF_FFFF
UNSAID = frozenset(
    {"host:done", "tcp:delta", "dhcp:drop", "tcp:timer", "tcp:open", "host:result", "ip:ident", "ip:route"}
)
WEIGHTS = {
    "host:drop": 9, "wire:fate": 8, "seen:mark": 8, "seen:note": 7, "tcp:state": 7, "tcp:loss": 7, "tcp:reset": 7,
    "tcp:recovery": 6, "tcp:undo": 6, "icmp:sent": 5, "icmp:taken": 5, "arp:entry": 5, "arp:answer": 5,
    "seen:comment": 5, "tcp:send": 4, "tcp:ack": 4, "tcp:window": 2, "tcp:rtt": 1,
}  # fmt: skip
EXPLAINS = frozenset(
    {"tcp:send", "tcp:reset", "icmp:sent", "arp:ask", "arp:answer", "udp:sent", "dhcp:send", "tcp:ack"}
)


class Row:
    """A row of the table."""

    __slots__ = ("decisions", "event", "group", "head", "lost", "number", "states", "text")

    def __init__(self, event: stack.Event, group: str) -> None:
        self.event = event
        self.group = group
        self.head: Head | None = None
        self.number = 0
        self.text = ""
        self.lost = False
        self.states: dict[str, str] = {}  # new ones, by "ours" and "peer"
        self.decisions: list[stack.Event] = []

    @property
    def direction(self) -> str:
        """ "in" or "out" for a frame, else ""."""
        return str(self.event.data.get("dir", "")) if self.head is not None else ""


class Rows:
    """Makes the rows of events. `follow` is a group: only its rows are made; "" makes all."""

    def __init__(self, follow: str = "") -> None:
        self.rows: list[Row] = []
        self.more = 0  # rows that are not kept
        self._follow = follow
        self._frames: dict[int, Row] = {}  # by the number of the event
        self._pending: list[stack.Event] = []  # decisions that explain the frame that leaves next
        self._groups: dict[tuple[str, str], str] = {}  # by local and remote socket
        self._bases: dict[tuple[str, str], int] = {}  # what relative numbers count from: by group and direction
        self._last: Row | None = None  # a call or a timer
        self._count = 0

    def take(self, event: stack.Event) -> None:
        """Take the next event."""
        name = event.name
        if name == "wire:frame":
            self._frame(event)
        elif name in ("host:call", "lab:wire", "lab:setting", "lab:mark", "lab:break"):
            self._last = self._add(Row(event, event.group))
        elif name == "tcp:timer":
            if event.data.get("action") == "fired":
                self._last = self._add(Row(event, event.group))
        elif name == "wire:fate" and event.frame not in self._frames:
            if event.data.get("lost") is True and octets_of(event):
                self._fate(event)
        else:
            self._decision(event)

    def _add(self, row: Row) -> Row:
        if self._follow and row.group != self._follow and not row.event.name.startswith("lab:"):
            return row
        if len(self.rows) < MOST_ROWS:
            self.rows.append(row)
        else:
            self.more += 1
        return row

    def _frame(self, event: stack.Event) -> None:
        self._count += 1
        row = self._with_head(event)
        number = event.data.get("number")
        row.number = number if isinstance(number, int) else self._count
        if event.data.get("dir") == "out":
            row.decisions += [told for told in self._pending if (told.cause, told.frame) == (event.cause, event.frame)]
        self._pending.clear()
        if len(self.rows) < MOST_ROWS:
            self._frames[event.n] = row
        self._add(row)

    def _with_head(self, event: stack.Event) -> Row:
        head = head_of(event)
        ends = (head.source, head.destination) if event.data.get("dir") == "out" else (head.destination, head.source)
        group = str(event.data.get("connection") or self._groups.get(ends, ""))
        row = Row(event, group)
        row.head = head
        if head.tcp is not None:
            key, back = group or " ".join(sorted(ends)), str(event.data.get("dir"))
            if head.tcp.flags & SYN or (key, back) not in self._bases:
                self._bases[key, back] = head.tcp.seq if head.tcp.flags & SYN else (head.tcp.seq - 1) & MASK
            row.text = self._segment(head, key, back)
        return row

    def _segment(self, head: Head, key: str, direction: str) -> str:
        tcp = head.tcp
        assert tcp is not None
        parts = [names_of(tcp.flags), f"seq {(tcp.seq - self._bases[key, direction]) & MASK}"]
        if tcp.length:
            parts.append(f"len {tcp.length}")
        base = self._bases.get((key, "in" if direction == "out" else "out"))
        if tcp.flags & ACK:
            parts.append(f"ack {tcp.ack if base is None else (tcp.ack - base) & MASK}")
        return " ".join([*parts, f"win {tcp.window}"])

    def _fate(self, event: stack.Event) -> None:
        row = self._with_head(event)
        row.lost = True
        row.decisions.append(event)
        self._add(row)

    def _decision(self, event: stack.Event) -> None:
        data = event.data
        if event.name == "tcp:open":
            self._groups[str(data.get("local")), str(data.get("remote"))] = event.group
            if (frame := self._frames.get(event.frame)) is not None and not frame.group:
                self._regroup(frame, event.group)
        if event.name in EXPLAINS and event.frame not in self._frames:
            self._pending.append(event)
        row = self._frames.get(event.frame) if event.frame else self._last
        if row is None or (not event.frame and row.group != event.group):
            return
        if event.name == "tcp:state":
            row.states["peer" if data.get("end") == "peer" else "ours"] = str(data.get("after"))
        if event.name == "wire:fate" and data.get("lost") is True:
            row.lost = True
        row.decisions.append(event)

    def _regroup(self, row: Row, group: str) -> None:
        """The first frame of a connection came before the connection had a number."""
        row.group = group
        if row.head is not None and row.head.tcp is not None:
            self._bases[group, row.direction] = row.head.tcp.seq
        if self._follow == group and len(self.rows) < MOST_ROWS and row not in self.rows:
            self.rows.append(row)


def table(rows: Rows, words: Used, names: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of the table. `names` are those of the left and the right end."""
    left, right = (text(name) for name in names)
    heads = ("frame", "time, s", left, "on the wire", right, "why")
    yield '<p id="printed"></p>'
    yield f'<table class="static-rows"><thead><tr>{"".join(f"<th scope=col>{head}" for head in heads)}</thead>'
    yield "<tbody>"
    room, shown = MOST_TABLE_CHARACTERS, 0
    for row in rows.rows:
        told = line(row, words, rows.rows[0].event.at)
        room -= len(told)
        if room < 0:
            break
        yield told
        shown += 1
    yield "</tbody></table>"
    more = rows.more + len(rows.rows) - shown
    if more:
        yield f"<p>{more} more rows are not in this table. With JavaScript the page shows all.</p>"


def line(row: Row, words: Used, first_s: float) -> str:
    """Return the row; its time counts from `first_s`.

    HTML lets the end tags of rows, cells and paragraphs be left out, and report.css knows the cells by
    their place: a row of the table is to be small.
    """
    event = row.event
    why = "".join(f"<p>{reason}" for reason in reasons_of(row, words))
    cells = (row.number or "", f"{event.at - first_s:.6f}", state(row, "peer"), middle(row), state(row, "ours"), why)
    kinds = [row.direction, "lost" if row.lost else "again" if again(row) else ""]
    kind = " ".join(filter(None, kinds))
    return (f'<tr class="{kind}">' if kind else "<tr>") + "".join(f"<td>{cell}" for cell in cells)


def state(row: Row, end: str) -> str:
    """Return the cell of the state of an end, if it is another one from here on."""
    return text(row.states.get(end, "").replace("_", "-"))


def middle(row: Row) -> str:
    """Return what is on the arrow, or what has happened."""
    event = row.event
    group = f"<span>{text(row.group)}</span> " if row.group else ""
    if row.head is None:
        return group + text(happened(event))
    words = text(row.text or other(event))
    if row.lost:
        words += " <b>(lost on the wire)</b>"
    elif again(row):
        words += " <b>(again)</b>"
    words += data_of(row)
    return f"<i>{'&rarr;' if row.direction == 'in' else '&larr;'}</i>{group}{words}"


def data_of(row: Row) -> str:
    """Return the beginning of the data of a segment, on a line of its own; "" if none is kept."""
    head = row.head
    if head is None or head.tcp is None or not head.tcp.length:
        return ""
    octets = octets_of(row.event)
    data = octets[head.payload_at : head.payload_at + min(head.tcp.length, MOST_DATA)]
    told = octets_as_text(data)
    rest = "..." if head.tcp.length > len(data) or len(told) > MOST_DATA_CHARACTERS else ""
    return f"<small>{text(told[:MOST_DATA_CHARACTERS])}{rest}</small>" if data else ""


def happened(event: stack.Event) -> str:
    """Return the words of a row that is no frame."""
    data = event.data
    if event.name == "host:call":
        octets = data.get("octets")
        return f"program: {data.get('call')}" + (f" {octets}" if octets is not None else "")
    if event.name == "tcp:timer":
        return f"timer: {data.get('timer')} expired"
    facts = [str(data["text"])] if "text" in data else [f"{key} {value}" for key, value in data.items()]
    return f"{event.name}: {', '.join(facts)}"


def other(event: stack.Event) -> str:
    """Return the line of `stack.show` that says most about a frame without a segment."""
    link = event.data.get("link")
    if link not in ("ethernet", "ip"):
        return f"{event.data.get('len')} octets"
    length = event.data.get("len")
    octets = octets_of(event)
    layers = stack.dissect(
        octets, link="ip" if link == "ip" else "ethernet", offload=True,
        length=max(length, len(octets)) if isinstance(length, int) else len(octets),
    )  # fmt: skip
    lines = [layer.line.strip() for layer in layers if layer.line and not layer.depth and layer.name in SAYING]
    return lines[-1] if lines else next((layer.line for layer in layers if layer.line), "")


SAYING = frozenset("ARP RARP IPv4 IPv6 ICMP ICMPv6 UDP DHCP DNS NTP".split())


def again(row: Row) -> bool:
    """Whether the segment was sent before."""
    for told in row.decisions:
        if told.name == "tcp:send" and row.direction == "out" and told.data.get("again"):
            return True
        if told.name == "seen:mark" and told.data.get("mark") == "again":
            return True
    return False


def reasons_of(row: Row, words: Used) -> list[str]:
    """Return the sentences of the weightiest decisions, each with its clauses."""
    told = [row.event] if row.head is None else []
    told += [event for event in row.decisions if event.name not in UNSAID and event.data.get("decision") != "none"]
    told.sort(key=lambda event: (-WEIGHTS.get(event.name, 3), event.n))
    sentences: list[str] = []
    for event in told:
        sentence = words.sentence(event)
        if sentence and (written := reason(event, sentence)) not in sentences:
            sentences.append(written)
    return sentences[:MOST_REASONS]


def reason(event: stack.Event, sentence: str) -> str:
    """Return a sentence with what kind of saying it is, and its clauses."""
    clauses = [clause for clause in event.why if clause != "own"]
    told = text(sentence)
    if event.data.get("inferred"):
        end = "left" if event.data.get("end") == "peer" else "right"
        told = f"<i>inferred:</i> {end} end {text(str(event.data.get('after')).replace('_', '-'))}: {told}"
    elif event.name == "seen:comment":
        told = f"<i>comment:</i> {told}"
    elif "certain" in event.data and not event.data["certain"]:
        told = f"<i>guess:</i> {told} <small>Rule: {text(str(event.data.get('rule')))}</small>"
    return told + (f" <small>({text(', '.join(clauses))})</small>" if clauses else "")


def text(words: str) -> str:
    """Return text of any origin as harmless HTML."""
    return escape(clean(words if len(words) <= LONGEST else words[:LONGEST] + "..."))


def rows_of(events: Iterable[stack.Event], follow: str) -> Rows:
    """Return the rows of the events."""
    rows = Rows(follow)
    for event in events:
        rows.take(event)
    return rows
