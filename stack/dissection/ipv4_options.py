"""The options of IPv4, field by field. See RFC 791 section 3.1 and RFC 2113 (router alert).

Each option begins with one octet of three fields: whether fragments get a copy of it, its class,
and its number. (A copied flag of 1 means "copied". Some reference cards have it the other way
round.)
"""

from __future__ import annotations

from stack.dissection.layer import Table, shown
from stack.dissection.texts import time_of_day
from stack.wire import ipv4_options as options
from stack.wire.addresses import format_ipv4

CLASSES = ("control", "reserved for future use", "debugging and measurement", "reserved for future use")
"""RFC 791: the words for the option class, by its value."""


FLAGS = {0: "only timestamps", 1: "each with the address of its host", 3: "only of the hosts with these addresses"}
"""RFC 791: what an Internet timestamp holds, by its flag."""


def options_table(row: Table, raw: bytes) -> None:
    """Make the fields of all options."""
    at = 0
    while at < len(raw):
        kind = raw[at]
        row.number("copied flag", 1, _copied(kind))
        row.number("option class", 2, CLASSES[kind >> 5 & 3])
        row.number("option number", 5, f"type {kind}, {options.OPTION_NAMES.get(kind, 'unassigned')}")
        if kind == options.END:
            row.octets("Padding", len(raw) - at - 1, "up to a multiple of 32 bits")
            return
        if kind == options.NO_OPERATION:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 0
        if length < 2 or at + length > len(raw):
            row.octets("octets", len(raw) - at - 1, "malformed: the length is under 2, or leads out of the header")
            return
        row.number("length", 8, f"{length} octets, these two included")
        _data(row, kind, raw[at + 2 : at + length], length)
        at += length


def _copied(kind: int) -> str:
    if kind in (options.END, options.NO_OPERATION):
        return "a router that makes fragments may add it or leave it out"
    return "copied into all fragments" if kind & 0x80 else "not copied: only the first fragment has it"


def _data(row: Table, kind: int, data: bytes, length: int) -> None:
    """What follows the length of one option."""
    if kind in options.ROUTES and data:
        _route(row, kind, data, length)
    elif kind == options.TIMESTAMP and len(data) >= 2:
        _timestamps(row, data, length)
    elif kind == options.SECURITY and len(data) == 9:
        level = int.from_bytes(data[:2], "big")
        row.number("Security", 16, options.SECURITY_LEVELS.get(level, "reserved"))
        row.number("Compartments", 16)
        row.number("Handling Restrictions", 16)
        row.number("Transmission Control Code", 24)
    elif kind == options.ROUTER_ALERT and len(data) == 2:
        row.number("value", 16, "routers examine the packet" if data == b"\0\0" else "not defined by RFC 2113")
    elif kind == options.STREAM_ID and len(data) == 2:
        row.number("Stream ID", 16)
    else:
        row.octets("option data", len(data), shown(data))


def _route(row: Table, kind: int, data: bytes, length: int) -> None:
    """Record route, and loose and strict source route. The pointer counts from 1."""
    pointer = data[0]
    row.number("pointer", 8, _pointer(pointer, length))
    for at in range(1, len(data) - 3, 4):
        address = format_ipv4(data[at : at + 4])
        if at + 3 < pointer:
            row.octets("route data", 4, f"{address} has been there")
        else:
            row.octets("route data", 4, "free" if kind == options.RECORD_ROUTE else f"{address} is still to come")
    rest = (len(data) - 1) % 4
    row.octets("route data", rest, "not a whole address")


def _timestamps(row: Table, data: bytes, length: int) -> None:
    """Internet timestamp. With the flag 0 there are no addresses."""
    flag = data[1] & 0x0F
    row.number("pointer", 8, _pointer(data[0], length))
    row.number("oflw", 4, f"{data[1] >> 4} hosts found no room")
    row.number("flg", 4, FLAGS.get(flag, "not defined"))
    size = 8 if flag in (1, 3) else 4
    for at in range(2, len(data) - size + 1, size):
        if size == 8:
            row.octets("internet address", 4, format_ipv4(data[at : at + 4]))
        time = int.from_bytes(data[at + size - 4 : at + size], "big")
        row.number("timestamp", 32, time_of_day(time) if at + 3 < data[0] else "free")
    row.octets("octets", (len(data) - 2) % size, "not a whole entry")


def _pointer(pointer: int, length: int) -> str:
    return "no room is left" if pointer > length else f"the next host writes at octet {pointer} of the option"
