"""`tapstack number`: looks assigned numbers up, by number or by name.

The registries are those of `stack.assigned_numbers`. IANA keeps most of them
(https://www.iana.org/protocols).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import stack

from .output import Failed
from .printer import COLUMNS, printing, wrapped

MOST_LINES = 40
UNDER = " " * 29  # begins a line that goes on with an assignment, a little right of where its name begins
HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+")
DECIMAL = re.compile(r"[0-9]+")
NEGATIVE = re.compile(r"-[0-9]+")
LONGEST = 1000  # digits; Python refuses to turn more than 4300 into a number
FIRST_DYNAMIC_PORT = 49152  # RFC 6335 section 6


@dataclass(frozen=True)
class Registry:
    """A registry as the command line names it: its names in the stack, and the size of its numbers."""

    names: tuple[str, ...]
    largest: int
    base: int = 10
    field: str = ""


REGISTRIES = {
    "port": Registry(("tcp port", "udp port"), 0xFFFF, field="a port has 16 bits"),
    "tcp": Registry(("tcp port",), 0xFFFF, field="a port has 16 bits"),
    "udp": Registry(("udp port",), 0xFFFF, field="a port has 16 bits"),
    "protocol": Registry(("protocol",), 0xFF, field="the protocol field of IPv4 has 8 bits"),
    "version": Registry(("ip version",), 0xF, field="the version field of IP has 4 bits"),
    "ethertype": Registry(("ethertype",), 0xFFFF, base=16, field="an EtherType has 16 bits"),
    "sap": Registry(("sap",), 0xFF, base=16, field="a SAP has 8 bits"),
    "icmp": Registry(("icmp",), 0xFF, field="a type of ICMP, and a code, has 8 bits"),
    "ip-option": Registry(("ip option",), 0xFF, field="an option's type has 8 bits"),
    "tcp-option": Registry(("tcp option",), 0xFF, field="an option's kind has 8 bits"),
    "dns": Registry(("dns type",), 0xFFFF, field="a type has 16 bits"),
    "dhcp": Registry(("dhcp option",), 0xFF, field="an option's code has 8 bits"),
    "dhcp-message": Registry(("dhcp message",), 0xFF, field="a message type has 8 bits"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tapstack number`."""
    names = ", ".join(REGISTRIES)
    parser.usage = "%(prog)s [-h] [REGISTRY] NUMBER|NAME"
    parser.add_argument(
        "what",
        nargs="+",
        metavar="[REGISTRY] NUMBER|NAME",
        help="a number (110, 0x806, or 3/4 for a type of ICMP with its code) or a part of a name, and before it the"
        f" registry, if it is to be only one: {names}",
    )


def main(arguments: argparse.Namespace) -> int:
    """Print what is found, at most `MOST_LINES` assignments. Raises Failed when nothing is."""
    found = look_up(arguments.what)
    lines = list(merged(found))
    with printing() as printer:
        for line in lines[:MOST_LINES]:
            for piece in wrapped(line, COLUMNS, rest=UNDER):
                printer(piece.rstrip())
        if len(lines) > MOST_LINES:
            printer(f"and {len(lines) - MOST_LINES} more: type more of the name, or the registry before it")
    return 0


def look_up(words: Sequence[str]) -> list[stack.AssignedNumber]:
    """Return the assignments for these words, the best first. Raises Failed."""
    registry = REGISTRIES.get(words[0].lower()) if len(words) > 1 else None
    text = " ".join(words[1:] if registry else words).strip()
    if not text:
        raise Failed("there is nothing to look up: give a number or a part of a name", 2)
    if NEGATIVE.fullmatch(text):
        raise Failed(f"{text} is too small: assigned numbers are 0 or more", 2)
    among = [each for each in stack.assigned_numbers() if registry is None or each.registry in registry.names]
    number, slash, code = text.partition("/")
    values = as_numbers(number, registry)
    if not values:
        return by_name(among, text, registry)
    if slash and (as_number(code) is None or (registry and registry.names != ("icmp",))):
        raise Failed(f"{text!r}: only a type of ICMP has a code: icmp 3/4", 2)
    return by_number(among, values, as_number(code) if slash else None, registry, text)


def as_numbers(text: str, registry: Registry | None) -> list[int]:
    """Return what a number can mean: `sap 66` is 0x66, as SAPs are written, or 66, which is 0x42."""
    bases = (registry.base, 10) if registry else (10,)
    values = dict.fromkeys(value for base in bases if (value := as_number(text, base)) is not None)
    fitting = [value for value in values if registry is None or value <= registry.largest]
    return fitting or list(values)


def as_number(text: str, base: int = 10) -> int | None:
    """Return a number, with 0x hexadecimal, and without in this base (16: only what it cannot mistake for a name)."""
    # Python's `int` takes more than these: blanks, signs, underscores, the digits of other scripts.
    if HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if base == 16 and len(text) in (2, 4) and HEXADECIMAL.fullmatch(f"0x{text}"):
        return int(text, 16)
    if DECIMAL.fullmatch(text):
        return int(text) if len(text) < LONGEST else 10**LONGEST  # too large in any case
    return None


def by_number(
    among: list[stack.AssignedNumber], values: list[int], code: int | None, registry: Registry | None, text: str
) -> list[stack.AssignedNumber]:
    """Return the assignments of a number: in one registry, or in all. Raises Failed."""
    value = values[0]
    largest = registry.largest if registry else 0xFFFF
    if value > largest or (code or 0) > 0xFF:
        rule = (
            registry.field
            if registry and value > largest
            else "a code of ICMP has 8 bits"
            if code
            else "none has more than 16 bits"
        )
        raise Failed(f"{text} is too large: {rule}, 0 to {largest if value > largest else 0xFF}", 2)
    found = [each for value in values for each in among if each.first <= value <= each.last]
    if code is not None:
        found = [each for each in found if each.code == code]
    elif registry is None or registry.names == ("icmp",):
        # In all registries a type stands for its codes; of ICMP alone the codes are listed, too.
        found = [each for each in found if each.code is None or registry is not None]
    if not found:
        dynamic = value >= FIRST_DYNAMIC_PORT and (
            registry is None or "tcp port" in registry.names or "udp port" in registry.names
        )
        why = (
            f": ports from {FIRST_DYNAMIC_PORT} on are for clients, and have no names (RFC 6335 section 6)"
            if dynamic
            else ""
        )
        raise Failed(f"{text} has no name in {' and '.join(registry.names) if registry else 'any registry'} here{why}")
    return found


def by_name(among: list[stack.AssignedNumber], text: str, registry: Registry | None) -> list[stack.AssignedNumber]:
    """Return the assignments with this name, then those whose name begins with it, then those that have it inside.

    Descriptions are looked at only if no name fits. Raises Failed.
    """
    sought = text.lower()
    found = [each for each in among if sought in each.name.lower()]
    found.sort(key=lambda each: (each.name.lower() != sought, not each.name.lower().startswith(sought)))
    found = found or [each for each in among if sought in each.about.lower()]
    if not found:
        where = " or ".join(registry.names) if registry else "registry"
        raise Failed(f"no {where} here has a name with {text!r}")
    return found


def merged(found: list[stack.AssignedNumber]) -> Iterator[str]:
    """Yield a line for each assignment; the same port of TCP and of UDP has one line."""
    udp = {each._replace(registry="") for each in found if each.registry == "udp port"}
    tcp = {each._replace(registry="") for each in found if each.registry == "tcp port"}
    for each in found:
        registry = each.registry
        plain = each._replace(registry="")
        if registry == "tcp port" and plain in udp:
            registry = "port"
        elif registry == "udp port" and plain in tcp:
            continue
        yield f"{registry:<13}{digits(each):<14}{each.name:<25}  {each.about}".rstrip()


def digits(each: stack.AssignedNumber) -> str:
    """Return the number as its registry writes it: EtherTypes and SAPs in hexadecimal."""
    if each.registry == "ethertype":
        first, last = f"0x{each.first:04x}", f"0x{each.last:04x}"
    elif each.registry == "sap":
        first, last = f"0x{each.first:02x}", f"0x{each.last:02x}"
    else:
        first, last = str(each.first), str(each.last)
    if each.code is not None:
        return f"{first}/{each.code}"
    return first if first == last else f"{first}-{last}"
