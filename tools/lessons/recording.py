"""What has happened in a run: the events of all hosts, in order, with the fields that patterns ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import stack

from .patterns import BadPattern, Pattern, Selector, Statement, fits, holds, number

SYN, ACK = 0x02, 0x10
FLAGS = ((2, "SYN"), (1, "FIN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG"), (64, "ECE"), (128, "CWR"))
NUMBERS_32 = 1 << 32
OF_OUR_SIDE = ("seq", "snd_una", "snd_nxt", "iss")
OF_THE_PEER = ("ack", "rcv_nxt", "irs")
LAYERS = ("ethernet", "arp", "ipv4", "icmp", "udp", "tcp", "dhcp", "ntp", "relative")
OF_FRAMES = (
    "kind", "source", "destination", "sport", "dport", "flags", "data", "window", "ttl", "wrong", "seq", "ack",
)  # fmt: skip
OF_ALL = ("at", "n", "group", "cause", "name", "because", "why", "sentence")


class Seen(NamedTuple):
    """An event of a host. `fields` are those of its data, and, of a frame, those of its headers."""

    host: str
    event: stack.Event
    fields: dict[str, object]


@dataclass
class Recording:
    """The events of a run and what its code has kept. `hosts` are the names of the hosts, in order."""

    hosts: list[str] = field(default_factory=list)
    told: list[tuple[str, stack.Event]] = field(default_factory=list)
    kept: dict[str, object] = field(default_factory=dict)
    _seen: list[Seen] | None = None

    def events(self) -> list[Seen]:
        """Return the events by time; those of the same moment by host, then by number."""
        if self._seen is None:
            order = {host: place for place, host in enumerate(self.hosts)}
            self.told.sort(key=lambda each: (round(each[1].at, 9), order[each[0]], each[1].n))
            self._seen = list(with_fields(self.told))
        return self._seen

    def of(self, host: str) -> list[stack.Event]:
        """Return the events of one host."""
        return [seen.event for seen in self.events() if seen.host == host]

    def find(self, pattern: Pattern, after: int = -1) -> int:
        """Return the place of the first event after that place which is as the pattern says; -1 without any."""
        events = self.events()
        for place in range(after + 1, len(events)):
            if matches(events[place], pattern):
                return place
        return -1

    def all(self, pattern: Pattern) -> list[Seen]:
        """Return all events that are as the pattern says."""
        return [seen for seen in self.events() if matches(seen, pattern)]

    # --- over a pipe

    def to_json(self) -> str:
        """Return the recording as text."""
        events = [[host, *event[:7], event.data, event.why] for host, event in self.told]
        return json.dumps({"hosts": self.hosts, "told": events, "kept": self.kept}, default=_octets)

    @classmethod
    def from_json(cls, text: str) -> Recording:
        """Return the recording that `to_json` has written."""
        read = json.loads(text, object_hook=_object)
        told = [(each[0], stack.Event._make([*each[1:9], tuple(each[9])])) for each in read["told"]]
        return cls(read["hosts"], told, read["kept"])


def _octets(value: object) -> object:
    return {"hex": value.hex()} if isinstance(value, bytes) else str(value)


def _object(read: dict[str, object]) -> object:
    return bytes.fromhex(str(read["hex"])) if list(read) == ["hex"] else read


# --- fields


def with_fields(told: Iterable[tuple[str, stack.Event]]) -> Iterator[Seen]:
    """Give the events the fields that are computed: those of frames, and numbers that count from the SYN."""
    first: dict[tuple[object, ...], int] = {}  # the number of the SYN, by host and both sockets
    own: dict[tuple[str, str], dict[str, int]] = {}  # "iss" and "irs", by host and connection
    for host, event in told:
        data = event.data
        fields = dict(data)
        octets = data.get("octets")
        if event.name == "wire:frame" and isinstance(octets, bytes):
            fields |= frame_fields(octets, str(data.get("link", "ethernet")))
            fields |= relative(host, fields, first)
        elif event.name.startswith("tcp:"):
            numbers = own.setdefault((host, event.group), {})
            numbers.update({key: value for key in ("iss", "irs") if isinstance(value := data.get(key), int)})
            for keys, start in ((OF_OUR_SIDE, "iss"), (OF_THE_PEER, "irs")):
                for key in keys:
                    value = data.get(key)
                    if isinstance(value, int) and start in numbers:
                        fields[f"relative.{key}"] = (value - numbers[start]) % NUMBERS_32
        yield Seen(host, event, fields)


@cache
def _named(octets: bytes, link: str) -> dict[str, object]:
    fields: dict[str, object] = {}
    wrong = []
    for layer in stack.dissect(octets, link="ethernet" if link == "ethernet" else "ip"):
        if layer.depth:
            continue
        prefix = slug(layer.name)
        for each in layer.fields:
            fields.setdefault(f"{prefix}.{slug(each.name)}", value_of(each))
        if layer.error:
            wrong.append(layer.error)
    fields["wrong"] = ",".join(wrong)
    return fields


def frame_fields(octets: bytes, link: str) -> dict[str, object]:
    """Return the fields of a frame's headers: "ipv4.time_to_live", "tcp.window"; and short names for the usual ones.

    "kind" is the innermost protocol: arp, icmp, udp, tcp, ipv4 (a fragment) or ethernet; "source" and "destination"
    are addresses, "data" is the number of octets of a segment's or datagram's text, "wrong" why a host drops it.
    """
    fields = dict(_named(octets, link))
    names = {key.partition(".")[0] for key in fields}
    fields["kind"] = next((kind for kind in ("arp", "icmp", "udp", "tcp", "ipv4") if kind in names), "ethernet")
    for short, long in (("source", "source_address"), ("destination", "destination_address"), ("ttl", "time_to_live")):
        if (value := fields.get(f"ipv4.{long}")) is not None:
            fields[short] = value
    transport = str(fields["kind"])
    for short, long in (("sport", "source_port"), ("dport", "destination_port"), ("window", "window")):
        if (value := fields.get(f"{transport}.{long}")) is not None:
            fields[short] = value
    if transport == "tcp":
        bits = sum(bit for bit, name in FLAGS if fields.get(f"tcp.{name.lower()}") == 1)
        fields["flags"] = ",".join(name for bit, name in FLAGS if bits & bit)
        fields["data"] = data_octets(fields)
    elif transport == "udp" and isinstance(length := fields.get("udp.length"), int):
        fields["data"] = length - 8
    return fields


def data_octets(fields: dict[str, object]) -> int:
    """Return how many octets of text a TCP segment has, by the lengths in its headers."""
    total, ihl, offset = (fields.get(key) for key in ("ipv4.total_length", "ipv4.ihl", "tcp.data_offset"))
    if isinstance(total, int) and isinstance(ihl, int) and isinstance(offset, int):
        return total - 4 * ihl - 4 * offset
    return 0


def relative(host: str, fields: dict[str, object], first: dict[tuple[object, ...], int]) -> dict[str, object]:
    """Return "seq" and "ack" of a TCP segment, counted from the SYN of each end where it was seen."""
    seq, ack = fields.get("tcp.sequence_number"), fields.get("tcp.acknowledgment_number")
    if not isinstance(seq, int) or not isinstance(ack, int):
        return {}
    here = (fields.get("source"), fields.get("sport"))
    there = (fields.get("destination"), fields.get("dport"))
    if fields.get("tcp.syn"):
        first[host, here, there] = seq
    told: dict[str, object] = {"seq": (seq - first.get((host, here, there), 0)) % NUMBERS_32}
    if fields.get("tcp.ack"):
        told["ack"] = (ack - first.get((host, there, here), 0)) % NUMBERS_32
    return told


def slug(name: str) -> str:
    """Return the name of a layer or a field as patterns have it: "Time to Live" as time_to_live, ar$op as op."""
    name = name.lower().removeprefix("ar$").replace("ethernet ii", "ethernet")
    return re.sub(r"[^a-z0-9]+", "_", name).strip("_")


def value_of(field: stack.Field) -> object:
    """Return a field's value: a number, or text for octets: an address, or hexadecimal."""
    if isinstance(field.value, int):
        return field.value
    if field.width == 32 and "address" in f"{field.name} {field.words}".lower():
        return ".".join(map(str, field.value))
    if field.width == 48:
        return field.value.hex(":")
    return field.value.hex()


# --- patterns


def text_of(value: object) -> str:
    """Return a value as patterns and answers have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list | tuple):
        return ",".join(text_of(each) for each in value)
    return "none" if value is None else str(value)


def get(seen: Seen, key: str) -> object:
    """Return a field of an event; None if it has none of this name. "because" is the key, "why" all clauses."""
    event = seen.event
    if key in seen.fields:
        return seen.fields[key]
    if key == "sentence":
        return stack.event_words()["reasons"].get(str(event.data.get("because")), "")
    return getattr(event, key) if key in OF_ALL and key != "because" else None


def matches(seen: Seen, pattern: Pattern) -> bool:
    """Return whether an event is as a pattern says."""
    if pattern.host and seen.host != pattern.host:
        return False
    if not fits(seen.event.name, "wire:frame" if pattern.name == "frame" else pattern.name):
        return False
    for term in pattern.terms:
        if term.key == "why":
            wanted = term.value.replace(" ", "-")
            if not any(fits(clause.replace(" ", "-"), wanted) for clause in seen.event.why):
                return False
            continue
        value = get(seen, term.key)
        if value is None and term.key not in seen.fields:
            return False
        if not holds(text_of(value), term.operator, term.value):
            return False
    return True


def problem(recording: Recording, pattern: Pattern) -> str:
    """Return what no event of this run can have, as by a slip of the pen: a host, a name, a field; "" for nothing."""
    if pattern.host and pattern.host not in recording.hosts:
        return f"the run has no host {pattern.host!r}: it has {', '.join(recording.hosts)}"
    name = "wire:frame" if pattern.name == "frame" else pattern.name
    if not any(fits(known, name) for known in stack.event_words()["names"]):
        return f"there is no event {pattern.name!r}"
    events = [seen for seen in recording.events() if fits(seen.event.name, name)]
    for term in pattern.terms:
        known = term.key in OF_ALL or term.key.partition(".")[0] in LAYERS or term.key in OF_FRAMES
        if events and not known and all(term.key not in seen.fields for seen in events):
            return f"no {pattern.name!r} of this run has a field {term.key!r}"
    return ""


def patterns_of(statement: Statement) -> Iterator[Pattern]:
    """Yield the patterns of a statement."""
    if statement.pattern is not None:
        yield statement.pattern
    chosen = statement.selector
    while chosen is not None:
        if chosen.pattern is not None:
            yield chosen.pattern
        chosen = chosen.minus


def value(recording: Recording, selector: Selector) -> object:
    """Return what a selector gives: a number, a text or, for `all`, a list of texts. Raises BadPattern without any."""
    found = _value(recording, selector)
    if selector.minus is None:
        return found
    left, right = number(text_of(found)), number(text_of(value(recording, selector.minus)))
    if left is None or right is None:
        raise BadPattern(f"one of the two sides of `minus` is no number: {selector.text}")
    difference = round(left - right, 9)
    return int(difference) if difference == int(difference) else difference


def _value(recording: Recording, selector: Selector) -> object:
    if selector.kind == "kept":
        if selector.field not in recording.kept:
            raise BadPattern(f"the run keeps no {selector.field!r}: call lesson.keep({selector.field}=...)")
        return recording.kept[selector.field]
    assert selector.pattern is not None
    found = recording.all(selector.pattern)
    if selector.kind == "count":
        return len(found)
    if selector.kind == "all":
        return [text_of(get(seen, selector.field)) for seen in found]
    place = selector.number - 1 if selector.number > 0 else -1
    if not found or place >= len(found):
        raise BadPattern(f"the run has {len(found)} such events: {selector.text}")
    told = get(found[place], selector.field)
    if told is None and selector.field not in found[place].fields:
        raise BadPattern(f"there is no {selector.field!r} in this event: {selector.text}")
    return told


def first_that_fails(recording: Recording, statements: Iterable[Statement]) -> tuple[Statement, str] | None:
    """Return the first statement that does not hold in a recording, and why; None if all hold."""
    place = -1
    for each in statements:
        if each.kind == "event":
            assert each.pattern is not None
            found = recording.find(each.pattern, place)
            if found < 0:
                before = "" if place < 0 else " after the statement before"
                earlier = recording.find(each.pattern) >= 0
                return each, f"the run has no such event{before}{' (but an earlier one)' if earlier else ''}"
            place = found
        elif each.kind == "never":
            assert each.pattern is not None
            if count := len(recording.all(each.pattern)):
                return each, f"the run has {count} such events"
        else:
            assert each.selector is not None
            try:
                real = text_of(value(recording, each.selector))
            except BadPattern as error:
                return each, str(error)
            if not holds(real, each.operator, each.value):
                return each, f"the run has {real}"
    return None
