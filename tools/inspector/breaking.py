"""Breaking the wire from the page: {"do": "wire", ...}.

A request has one of three forms:

    {"heal": true}                                      everything is as it was
    {"fault": "lose", "kind": "syn,ack", "dir": "out"}  once; with "number", "part" and "flow"
    {"dir": "both", "loss": 0.05, "delay_ms": 20}       from now on; 0 ends it

"dir" is "out" (from the host), "in" or "both". "flow" is the two ends of a connection, each
"10.9.0.2:7". What is not named stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import stack

from .answers import wrong
from .inspector import Inspector

DIRECTIONS = {"out": ("outgoing",), "in": ("incoming",), "both": ("outgoing", "incoming")}
WAYS = {"outgoing": "from us", "incoming": "to us"}
LONGEST_TEXT = 40
# of each number that a request may have: its least and greatest value, the field of `Impairment`, and the unit of that
RANGES: dict[str, tuple[float, float, str, float]] = {
    "loss": (0, 1, "loss", 1),
    "duplicate": (0, 1, "duplicate", 1),
    "reorder": (0, 1, "reorder", 1),
    "corrupt": (0, 1, "corrupt", 1),
    "delay_ms": (0, 10_000, "delay_s", 1e-3),
    "jitter_ms": (0, 10_000, "jitter_s", 1e-3),
    "rate_kbps": (8, 1_000_000, "rate_bps", 1e3),
    "queue_kb": (1, 10_000, "queue_limit_bytes", 1e3),
    "mtu": (68, 65_535, "mtu_bytes", 1),
}
WHOLE = ("queue_limit_bytes", "mtu_bytes")
LIMITS = ("rate_bps", "queue_limit_bytes", "mtu_bytes")  # 0 stands for "no limit"
ACTIONS = {
    "lose": "is lost",
    "duplicate": "comes twice",
    "swap": "changes places with the one after it",
    "corrupt": "gets a wrong bit",
}
PARTS = {"": "", "ethernet": " in its Ethernet header", "ip": " in its IP header",
         "transport": " in its TCP, UDP or ICMP header", "data": " in its data"}  # fmt: skip
FRAMES = {"any": "frame", "segment": "TCP segment", "syn": "SYN", "syn,ack": "SYN,ACK", "ack": "pure ACK",
          "data": "segment with data", "fin": "FIN", "rst": "RST", "udp": "UDP datagram", "icmp": "ICMP message",
          "arp": "ARP packet"}  # fmt: skip


def add(inspector: Inspector) -> None:
    """Let the page break the wire, if the host's link may be a bad one."""
    if inspector.wire is not None:
        wire = Wire(inspector.host, inspector.wire)

        async def act(asked: dict[str, object]) -> object:
            told = await wire.act(asked)
            await inspector.state.look_at("wire")  # it may be as before at the next look
            return told

        inspector.actions["wire"] = act
        inspector.state.looks["wire"] = wire.look


class Wire:
    """The wire of a host, for the page."""

    def __init__(self, host: stack.Host, link: stack.Impaired) -> None:
        self._host = host
        self._link = link

    async def look(self) -> dict[str, object]:
        """Return what is broken now, in words and in numbers."""
        words: list[str] = []
        told: dict[str, object] = {"words": words}
        for name, attribute in (("out", "outgoing"), ("in", "incoming")):
            direction: stack.Direction = getattr(self._link, attribute)
            words += [f"{capital(text)} ({WAYS[attribute]})." for text in broken(direction)]
            how = direction.impairment
            told[name] = {key: (getattr(how, field) or 0) / unit for key, (_, _, field, unit) in RANGES.items()} | {
                "armed": len(direction.armed)
            }
        return told

    async def act(self, asked: dict[str, object]) -> object:
        """Do what the page asks for. Raises Refused."""
        asked = {key: value for key, value in asked.items() if key != "do"}
        if "heal" in asked:
            if asked["heal"] is not True or len(asked) > 1:
                raise wrong('"heal" is true, and stands alone')
            self._link.heal()
            self._host.tell("wire", heal=True, words="The wire is healed.")
            return await self.look()
        dir_ = asked.pop("dir", "both")
        if not isinstance(dir_, str) or dir_ not in DIRECTIONS:
            raise wrong(f'"dir" is one of {", ".join(DIRECTIONS)}')
        directions: list[stack.Direction] = [getattr(self._link, name) for name in DIRECTIONS[dir_]]
        if "fault" in asked:
            self._arm(fault_of(asked), directions, dir_)
        else:
            self._change(asked, directions, dir_)
        return await self.look()

    def _arm(self, fault: stack.Fault, directions: list[stack.Direction], dir_: str) -> None:
        if len(directions) > 1:
            raise wrong('a fault needs "dir": "out" or "in"')
        try:
            directions[0].arm(fault)
        except ValueError as error:
            raise wrong(str(error)) from None
        words = f"{capital(sentence(fault))} ({WAYS[DIRECTIONS[dir_][0]]})."
        self._host.tell("wire", dir=dir_, fault=fault.action, kind=fault.kind, number=fault.number, words=words)

    def _change(self, asked: dict[str, object], directions: list[stack.Direction], dir_: str) -> None:
        fields = {RANGES[key][2]: value for key, value in numbers_of(asked).items()}
        try:
            changed = [replaced(direction.impairment, fields) for direction in directions]
        except ValueError as error:
            raise wrong(str(error)) from None
        for direction, how in zip(directions, changed, strict=True):
            direction.impairment = how
        ways = " and ".join(WAYS[name] for name in DIRECTIONS[dir_])
        words = f"The wire is changed ({ways}): {'; '.join(standing(changed[0])) or 'nothing is broken'}."
        self._host.tell("wire", dir=dir_, words=words, **asked)


def replaced(how: stack.Impairment, fields: dict[str, float | int | None]) -> stack.Impairment:
    """Return `how` with other values. A queue goes with its rate. ValueError if they do not fit."""
    if fields.get("rate_bps", 1) is None and "queue_limit_bytes" not in fields:
        fields = {**fields, "queue_limit_bytes": None}
    values: dict[str, Any] = fields
    return replace(how, **values)


def numbers_of(asked: dict[str, object]) -> dict[str, float | int | None]:
    """Return the numbers of a request, in the units of `Impairment`. Raises Refused."""
    if not asked:
        raise wrong(f"name what is to change: {', '.join(RANGES)}, or a fault")
    found: dict[str, float | int | None] = {}
    for key, value in asked.items():
        if key not in RANGES:
            raise wrong(f"{key[:LONGEST_TEXT]!r} is none of {', '.join(RANGES)}")
        low, high, field, unit = RANGES[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not (value == 0 or low <= value <= high):
            raise wrong(f"{key} is a number from {low:g} to {high:g}, or 0")
        number = value * unit
        if field in LIMITS and not value:
            found[key] = None
        else:
            found[key] = round(number) if field in WHOLE else number
    return found


def fault_of(asked: dict[str, object]) -> stack.Fault:
    """Return the fault of a request. Raises Refused."""
    unknown = [key for key in asked if key not in ("fault", "kind", "number", "part", "flow")]
    if unknown:
        raise wrong(f"a fault has no {unknown[0][:LONGEST_TEXT]!r}: only kind, number, part, flow and dir")
    texts = {"fault": asked["fault"], "kind": asked.get("kind", "any"), "part": asked.get("part", "")}
    for name, text in texts.items():
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise wrong(f"{name} is not a text of at most {LONGEST_TEXT} characters")
    number = asked.get("number", 1)
    if type(number) is not int:
        raise wrong("number is not a whole number")
    action, kind, part = map(str, texts.values())
    try:
        return stack.Fault(action, kind, number, flow_of(asked.get("flow")), part)
    except ValueError as error:
        raise wrong(str(error)) from None


def flow_of(asked: object) -> tuple[tuple[str, int], tuple[str, int]] | None:
    """Return the two ends of a connection. Raises Refused."""
    if asked is None:
        return None
    if not isinstance(asked, list) or len(asked) != 2:
        raise wrong('flow is two ends, as in ["10.9.0.2:7", "10.9.0.1:40000"]')
    return end_of(asked[0]), end_of(asked[1])


def end_of(text: object) -> tuple[str, int]:
    """Return address and port of "10.9.0.2:7". Raises Refused."""
    if isinstance(text, str) and len(text) <= LONGEST_TEXT and text.isascii():
        address, colon, port = text.rpartition(":")
        if colon and port.isdigit() and len(port) <= 5:
            return address, int(port)
    raise wrong('an end of a flow is an address and a port, as in "10.9.0.2:7"')


def broken(direction: stack.Direction) -> list[str]:
    """Return in words what a direction does to frames, and what it is to do once."""
    return standing(direction.impairment) + [sentence(fault) for fault in direction.armed]


def capital(text: str) -> str:
    """Return a text with a capital at its begin."""
    return text[:1].upper() + text[1:]


def standing(how: stack.Impairment) -> list[str]:
    """Return in words what happens to all frames."""
    told = [
        f"{100 * chance:g} % of the frames {what}"
        for chance, what in (
            (how.loss, "are lost"),
            (how.duplicate, "come twice"),
            (how.reorder, "are held back"),
            (how.corrupt, "get a wrong bit"),
        )
        if chance
    ]
    if how.delay_s or how.jitter_s:
        more = f", {1000 * how.jitter_s:g} ms more or less" if how.jitter_s else ""
        told.append(f"each frame takes {1000 * how.delay_s:g} ms{more}")
    if how.rate_bps is not None:
        queue = f", with a queue of {how.queue_limit_bytes / 1000:g} kB" if how.queue_limit_bytes is not None else ""
        told.append(f"{how.rate_bps / 1000:g} kbit/s pass{queue}")
    if how.mtu_bytes is not None:
        told.append(f"packets of more than {how.mtu_bytes} octets vanish without ICMP")
    return told


def sentence(fault: stack.Fault) -> str:
    """Return in words what is to happen once."""
    which = f"the next {FRAMES[fault.kind]}"
    if fault.number > 1:
        which = f"{FRAMES[fault.kind]} number {fault.number} from then on"
    flow = "" if fault.flow is None else " between " + " and ".join(f"{address}:{port}" for address, port in fault.flow)
    return f"{which}{flow} {ACTIONS[fault.action]}{PARTS[fault.part]}"
