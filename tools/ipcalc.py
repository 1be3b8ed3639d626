"""`tapstack ipcalc`: an IPv4 address and its network, in the form of the command ipcalc(1).

See RFC 4632 (prefixes), RFC 950 (masks), RFC 3021 (prefixes of 31 bits) and RFC 6890 (special
addresses). `-v` adds what the address is, in words, with the RFCs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import stack

from .output import Failed
from .printer import COLUMNS, printing, wrapped

MOST_RANGES = 3  # named in the table; `-v` names all


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tapstack ipcalc`."""
    parser.add_argument("address", metavar="ADDRESS[/PREFIX]", help="an address: 192.168.0.0/26, or with a MASK")
    parser.add_argument("mask", nargs="?", metavar="MASK", help="the mask, or the prefix length: 255.255.255.192 or 26")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what the address is, with the RFCs")


def main(arguments: argparse.Namespace) -> int:
    """Print the table. Raises Failed, which names the wrong argument and the rule."""
    prefix = parse(arguments.address, arguments.mask)
    with printing() as printer:
        for line in table(prefix):
            printer(line)
        if arguments.verbose:
            printer("")
            for sentence in explained(prefix):
                for line in wrapped(sentence, COLUMNS, rest="    "):
                    printer(line)
    return 0


def parse(address: str, mask: str | None) -> stack.Prefix:
    """Parse an address with its prefix length or its mask. Raises Failed, with status 2."""
    slash = "/"
    if mask is None:
        address, slash, mask = address.partition("/")
        if not slash and is_address(address):
            raise Failed(f"{address!r} has no network: write {address}/24, or a mask: {address} 255.255.255.0", 2)
    elif "/" in address:
        raise Failed(f"{address!r} has its prefix length already: leave out {mask!r}", 2)
    if ":" in address or not (slash or is_address(address)):
        raise Failed(
            f"{address!r} is not an IPv4 address, and only those are explained here: four numbers from 0 to 255 with"
            " dots",
            2,
        )
    try:
        if "." in mask:
            return stack.Prefix.with_mask(address, mask)
        return stack.Prefix.parse(f"{address}/{mask}")
    except ValueError as error:
        raise Failed(str(error), 2) from None


def is_address(text: str) -> bool:
    """Return whether this is an IPv4 address."""
    try:
        stack.Prefix.parse(f"{text}/32")
    except ValueError:
        return False
    return True


# --- the table


def table(prefix: stack.Prefix) -> Iterator[str]:
    """Yield the lines that ipcalc(1) prints, without those that are blank."""
    length = prefix.length
    mask = number(prefix.mask)
    network = number(prefix.network)
    last = network | ~mask & 0xFFFFFFFF
    yield row("Address:", dotted(number(prefix.address)), number(prefix.address), length)
    yield row("Netmask:", f"{dotted(mask)} = {length}", mask, length)
    yield row("Wildcard:", dotted(~mask & 0xFFFFFFFF), ~mask & 0xFFFFFFFF, length)
    yield "=>"
    yield row("Hostroute:" if length == 32 else "Network:", f"{dotted(network)}/{length}", network, length)
    if length < 32:
        first_host, last_host = (network, last) if length == 31 else (network + 1, last - 1)
        yield row("HostMin:", dotted(first_host), first_host, length)
        yield row("HostMax:", dotted(last_host), last_host, length)
    if prefix.broadcast is not None:
        yield row("Broadcast:", dotted(last), last, length)
    kinds = ", ".join(kinds_of(prefix))
    yield f"{'Hosts/Net:':<11}{hosts(prefix):<22}{kinds}"


def row(name: str, text: str, value: int, length: int) -> str:
    """Return a line: a value, and its bits with a blank between those of the network and of the host."""
    return f"{name:<11}{text:<21}{bits(value, length)}".rstrip()


def bits(value: int, length: int) -> str:
    """Return the 32 bits in groups of eight, with a blank after the first `length`."""
    digits = f"{value:032b}"
    parted = ""
    for position in range(32):
        parted += "." if position and position % 8 == 0 else ""
        parted += " " if position == length else ""
        parted += digits[position]
    return parted


def hosts(prefix: stack.Prefix) -> int:
    """Return how many hosts the network can have: without host 0 and the broadcast address, where they exist."""
    addresses: int = 1 << 32 - prefix.length
    return addresses if prefix.length >= 31 else addresses - 2


def kinds_of(prefix: stack.Prefix) -> list[str]:
    """Return the class of the network, and the names of the special ranges that it lies in or contains."""
    first, last = (stack.address_class(address) for address in ends(prefix))
    kinds = [f"Class {first.letter}" if first == last else f"Classes {first.letter} to {last.letter}"]
    ranges = stack.special_ranges(prefix)
    around = {each.name: None for each in ranges if each.prefix.length <= prefix.length}
    inside = {each.name: None for each in ranges if each.prefix.length > prefix.length}
    kinds += around
    if len(inside) > MOST_RANGES:
        kinds.append(f"in part special ({len(inside)} purposes)")
    else:
        kinds += [f"in part {name}" for name in inside if name not in around]
    if prefix.length == 31:
        kinds.append("point-to-point link (RFC 3021)")
    return kinds


def ends(prefix: stack.Prefix) -> tuple[bytes, bytes]:
    """Return the first and the last address of a network."""
    last = number(prefix.network) | ~number(prefix.mask) & 0xFFFFFFFF
    return prefix.network, last.to_bytes(4, "big")


def number(address: bytes) -> int:
    """Return an address as a number of 32 bits."""
    return int.from_bytes(address, "big")


def dotted(value: int) -> str:
    """Return a number of 32 bits as a dotted quad."""
    return ".".join(str(octet) for octet in value.to_bytes(4, "big"))


# --- in words


def explained(prefix: stack.Prefix) -> Iterator[str]:
    """Yield sentences about the address, its network, its class and its special purposes."""
    address, length = dotted(number(prefix.address)), prefix.length
    if length in (0, 32):
        yield f"All of its 32 bits are the {'network' if length else 'host'}'s. (RFC 4632 section 3.1)"
    else:
        yield f"The first {length} of its 32 bits are the network's, the others the host's. (RFC 4632 section 3.1)"
    yield f"{address} {role(prefix)}"
    kind = stack.address_class(prefix.address)
    if (octet := prefix.address[3]) in (0, 255) and is_host(prefix) and length < 31 and kind.letter in "ABC":
        which = "zero" if octet == 0 else "one"
        yield f"Its last octet is {octet}, but not all of its host bits are {which}: it is a host like the others."
    default = "without networks" if kind.prefix_length is None else f"networks of /{kind.prefix_length}"
    yield f"Its first bits are {kind.leading_bits}: it is of class {kind.letter}, {default}. ({kind.rfc})"
    yield "Classes are history: the prefix says where the host's bits begin. (RFC 4632)"
    for each in stack.special_ranges(prefix):
        relation = "is in" if each.prefix.length <= length else "has in it"
        yield f"{dotted(number(prefix.network))}/{length} {relation} {each.prefix}, {each.name}. ({each.rfc})"


def is_host(prefix: stack.Prefix) -> bool:
    """Return whether the address can be that of a host in its network."""
    host = number(prefix.address) & ~number(prefix.mask) & 0xFFFFFFFF
    return prefix.length >= 31 or host not in (0, ~number(prefix.mask) & 0xFFFFFFFF)


def role(prefix: stack.Prefix) -> str:
    """Return what the address is in its network, as the rest of a sentence."""
    host = number(prefix.address) & ~number(prefix.mask) & 0xFFFFFFFF
    if number(prefix.address) == 0xFFFFFFFF:
        return "is the limited broadcast: it reaches every host on this link. (RFC 919 section 7)"
    if (letter := stack.address_class(prefix.address).letter) in "DE":
        return f"is {'a group of hosts, not one host' if letter == 'D' else 'reserved'}. (RFC 1112 section 4)"
    if prefix.length == 32:
        return "is the only address: the route leads to one host."
    if prefix.length == 31:
        return f"is host {host} of 2 on a point-to-point link, which has no broadcast address. (RFC 3021 section 2.1)"
    if host == 0:
        return "has all host bits zero: it is the network itself, not a host. (RFC 1122 section 3.2.1.3)"
    if not is_host(prefix):
        return "has all host bits one: it is the broadcast address, not a host. (RFC 919 section 7)"
    return f"is host {host} of the network."
