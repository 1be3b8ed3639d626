"""Changes one expectation of a packet script, to show that the runner compares each of them.

The expectations are every flag, number, option and time of an outgoing packet, every result, errno,
value and time of return of a socket call, and every assertion. An incoming packet is not an
expectation: the script itself sends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tools.drill import symbols
from tools.drill.script import (
    Call,
    Code,
    Event,
    Expression,
    IcmpPacket,
    Ip,
    Option,
    Script,
    Struct,
    TcpPacket,
    Timing,
    UdpPacket,
    When,
)

MASK = 0xFFFF_FFFF
LATER_US = 20_000_000  # more than any tolerance


@dataclass(frozen=True, slots=True)
class Mutant:
    """A script with one expectation changed: `what`, at `line`, in the event `index`.

    `packet` is the packet that the event expects now, if the packet has changed and not its time.
    """

    index: int
    line: int
    what: str
    script: Script
    packet: TcpPacket | UdpPacket | IcmpPacket | None = None


def mutants(script: Script) -> Iterator[Mutant]:
    """Yield a mutant for each expectation."""
    for index, event in enumerate(script.events):
        for what, changed in _changed_events(event):
            action = changed.action
            packet = None if isinstance(action, (Call, Code)) or changed.when != event.when else action
            yield Mutant(index, event.line, what, _with(script, index, changed), packet)
        if not isinstance(event.action, (Call, Code)) and event.action.outbound:
            twice = _with(script, index, event, replace(event, when=_at_once(event)))
            yield Mutant(index, event.line, "line left out", _without_event(script, index))
            yield Mutant(index, event.line, "line given twice", twice)


def _with(script: Script, index: int, *events: Event) -> Script:
    return replace(script, events=(*script.events[:index], *events, *script.events[index + 1 :]))


def _without_event(script: Script, index: int) -> Script:
    """Replace an event by one that does nothing at the same time, so that the later times stay."""
    event = script.events[index]
    if event.when.timing is Timing.ANY:
        nothing = replace(event, when=_at_once(event), action=Code(""))
    else:
        timing = Timing.RELATIVE if event.when.timing in (Timing.RELATIVE, Timing.RELATIVE_RANGE) else Timing.ABSOLUTE
        nothing = replace(event, when=When(timing, event.when.end_us, event.when.end_us), action=Code(""))
    return _with(script, index, nothing)


def _at_once(event: Event) -> When:
    """Return the time of a second packet directly after this one."""
    when = event.when
    return replace(when, timing=Timing.RELATIVE, start_us=0, end_us=0)


def _changed_events(event: Event) -> Iterator[tuple[str, Event]]:
    action, when = event.action, event.when
    if isinstance(action, Call):
        for what, call in _changed_calls(action):
            yield what, replace(event, action=call)
    elif isinstance(action, Code):
        for number in range(action.text.count("assert ")):
            yield f"assertion {number + 1}", replace(event, action=_negated(action, number))
    elif action.outbound:
        if when.timing is not Timing.ANY:
            off_us = when.end_us - when.start_us + LATER_US
            yield (
                "time",
                replace(event, when=replace(when, start_us=when.start_us + off_us, end_us=when.end_us + off_us)),
            )
            if when.start_us > 1000 and when.end_us == when.start_us:
                earlier = replace(when, start_us=when.start_us - 1000, end_us=when.end_us - 1000)
                yield "time, earlier", replace(event, when=earlier)
        for what, packet in _changed_packets(action):
            yield what, replace(event, action=packet)


def _negated(code: Code, number: int) -> Code:
    parts = code.text.split("assert ")
    statement, newline, rest = parts[number + 1].partition("\n")
    parts[number + 1] = f"not ({statement.strip()}){newline}{rest}"
    return Code("assert ".join(parts))


def _changed_packets(
    packet: TcpPacket | UdpPacket | IcmpPacket,
) -> Iterator[tuple[str, TcpPacket | UdpPacket | IcmpPacket]]:
    yield from _changed_ip(packet)
    if packet.ports is not None:
        yield "source port", replace(packet, ports=(packet.ports[0] ^ 1, packet.ports[1]))
        yield "destination port", replace(packet, ports=(packet.ports[0], packet.ports[1] ^ 1))
    if isinstance(packet, TcpPacket):
        yield from _changed_segments(packet)
    elif isinstance(packet, UdpPacket):
        yield "length", replace(packet, length=packet.length + 1)
    else:
        yield "type", replace(packet, kind=packet.kind ^ 1)
        yield "code", replace(packet, code=packet.code ^ 1)
        if packet.mtu is not None:
            yield "mtu", replace(packet, mtu=packet.mtu ^ 1)
        if packet.ident is not None:
            yield "id", replace(packet, ident=packet.ident ^ 1)
        if packet.raw is not None:
            yield "data", replace(packet, raw=packet.raw + 1)
        if packet.quote is not None:
            yield "quote's seq", replace(packet, quote=replace(packet.quote, seq=packet.quote.seq + 1))
            yield "quote's length", replace(packet, quote=replace(packet.quote, length=packet.quote.length + 1))


def _changed_ip(packet: TcpPacket | UdpPacket | IcmpPacket) -> Iterator[tuple[str, TcpPacket | UdpPacket | IcmpPacket]]:
    ip = packet.ip
    if ip.ecn is not None:
        yield "ECN", replace(packet, ip=Ip(ecn="noecn" if ip.ecn != "noecn" else "ect0"))
    if ip.tos is not None:
        yield "TOS", replace(packet, ip=Ip(tos=ip.tos ^ 4))
    if ip.ttl is not None:
        yield "TTL", replace(packet, ip=Ip(ttl=ip.ttl ^ 1))


def _changed_segments(packet: TcpPacket) -> Iterator[tuple[str, TcpPacket]]:
    for letter, bit in symbols.FLAG_LETTERS.items():
        ack = (packet.ack or 1) if (packet.flags ^ bit) & symbols.ACK else None
        yield f"flag {letter}", replace(packet, flags=packet.flags ^ bit, ack=ack)
    yield "seq", replace(packet, seq=(packet.seq + 1) & MASK)
    yield "length", replace(packet, length=packet.length + 1)
    if packet.ack is not None:
        yield "ack", replace(packet, ack=(packet.ack + 1) & MASK)
    if packet.window is not None:
        yield "win", replace(packet, window=packet.window ^ 1)
    if packet.flags & symbols.URG:
        yield "urg", replace(packet, urgent=packet.urgent + 1)
    for place, option in enumerate(packet.options or ()):
        yield f"no {option.name}", replace(packet, options=_without(packet.options, place))
        for number in range(len(option.values)):
            values = tuple((value + (at == number)) & MASK for at, value in enumerate(option.values))
            yield (
                f"{option.name} {number}",
                replace(packet, options=_without(packet.options, place, Option(option.name, values))),
            )
        if option.octets:
            other = Option(option.name, octets=option.octets[:-1] + bytes((option.octets[-1] ^ 1,)))
            yield option.name, replace(packet, options=_without(packet.options, place, other))
    if packet.options is not None:
        yield "one more option", replace(packet, options=(*packet.options, Option("nop")))


def _without(options: tuple[Option, ...] | None, place: int, *instead: Option) -> tuple[Option, ...]:
    assert options is not None
    return (*options[:place], *instead, *options[place + 1 :])


def _changed_calls(call: Call) -> Iterator[tuple[str, Call]]:
    assert isinstance(call.result, int)
    if call.errno is None:
        yield "result", replace(call, result=call.result + 1)
        yield "fails", replace(call, result=-1, errno="EINVAL")
    else:
        yield "errno", replace(call, errno="EINVAL" if call.errno != "EINVAL" else "EBADF")
        yield "succeeds", replace(call, result=0, errno=None)
    if call.end_us is not None:
        yield "end", replace(call, end_us=call.end_us + LATER_US)
        yield "no end", replace(call, end_us=None) if call.end_us else replace(call, end_us=1000)
    if call.name in ("getsockopt", "ioctl"):
        place = 3 if call.name == "getsockopt" else 2
        value = call.arguments[place]
        if isinstance(value, list):
            for at, number in enumerate(value):
                if isinstance(number, int):
                    yield f"value {at}", _with_argument(call, place, [*value[:at], number ^ 1, *value[at + 1 :]])
        elif isinstance(value, Struct):
            for name, number in value.fields.items():
                if isinstance(number, int):
                    fields = {**value.fields, name: number ^ 1}
                    yield f"value {name}", _with_argument(call, place, Struct(value.kind, fields))
    if call.name == "poll":
        entries = call.arguments[0]
        assert isinstance(entries, list)
        for at, entry in enumerate(entries):
            assert isinstance(entry, Struct)
            revents = entry.fields.get("revents", 0)
            assert isinstance(revents, int)
            other = Struct(entry.kind, {**entry.fields, "revents": revents ^ 1})
            yield f"revents {at}", _with_argument(call, 0, [*entries[:at], other, *entries[at + 1 :]])


def _with_argument(call: Call, place: int, value: Expression) -> Call:
    return replace(call, arguments=(*call.arguments[:place], value, *call.arguments[place + 1 :]))
