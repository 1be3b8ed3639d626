"""Exercises without end: each is made from a generator of random numbers, and its answer is computed.

See RFC 4632 section 3.1 (prefixes), RFC 950 (masks), RFC 1122 section 3.2.1.3 (host numbers of all zeros and ones) and
RFC 1071 section 1 (the Internet checksum).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import stack

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
ALL = 0xFFFFFFFF


@dataclass(frozen=True)
class Exercise:
    """An exercise: its text, the right answer, what is said of some wrong ones by value, and why it is right."""

    prompt: str
    right: str
    hints: tuple[tuple[str, str], ...]
    because: str


def dotted(value: int) -> str:
    """Return a number of 32 bits as a dotted quad."""
    return ".".join(str(octet) for octet in value.to_bytes(4, "big"))


def some_network(random: Random, least: int = 9, most: int = 30) -> tuple[int, int, int]:
    """Return an address in a private network, the length of its prefix, and the mask."""
    around = stack.Prefix.parse(random.choice(PRIVATE))
    length = random.randint(max(least, around.length + 1), most)
    address = int.from_bytes(around.network, "big") | random.getrandbits(32 - around.length)
    mask = ALL << (32 - length) & ALL
    host = address & ~mask & ALL
    if host in (0, ~mask & ALL):
        address ^= 1  # neither the network itself nor its broadcast address
    return address, length, mask


def without_right(right: str, hints: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the hints for answers that are wrong; of those for the same answer the first."""
    first: dict[str, str] = {}
    for wrong, sentence in hints:
        if wrong != right:
            first.setdefault(wrong, sentence)
    return tuple(first.items())


def parted(address: int, length: int) -> str:
    """Return where the mask cuts an address, in bits, for the sentence that explains it."""
    digits = f"{address:032b}"
    octet = min(length // 8, 3)
    bits = digits[8 * octet : 8 * octet + 8]
    inside = length - 8 * octet
    if inside in (0, 8):
        return f"The mask ends between two octets, behind the first {length // 8}."
    value = int(bits, 2)
    return f"The mask ends in octet {octet + 1}: {value} is {bits[:inside]} {bits[inside:]} in bits."


def network(random: Random) -> Exercise:
    """What is the network of a host?"""
    address, length, mask = some_network(random)
    right = dotted(address & mask)
    hints = without_right(right, [
        (dotted(address), "That is the host itself: its host bits are not all zero yet."),
        (dotted(address | ~mask & ALL), "That is the broadcast address: its host bits are all one, not zero."),
        (dotted((address & mask) + 1), "That is the first host of the network. The network itself is one less."),
        (dotted(address & ~mask & ALL), "Those are the host's bits. The network has the others."),
        (dotted(address & 0xFFFFFF00), "That is the network of a mask of 24 bits. This mask has another length."),
        (dotted(mask), "That is the mask. The network is the address AND the mask."),
    ])  # fmt: skip
    return Exercise(f"A host has the address {dotted(address)}/{length}. What is its network?", right, hints,
                    f"{dotted(address)} AND {dotted(mask)} is {right}. {parted(address, length)}")  # fmt: skip


def broadcast(random: Random) -> Exercise:
    """What is the broadcast address of a host's network?"""
    address, length, mask = some_network(random)
    last = address | ~mask & ALL
    hints = without_right(dotted(last), [
        (dotted(address), "That is the host itself: its host bits are not all one yet."),
        (dotted(address & mask), "That is the network: its host bits are all zero, not one."),
        (dotted(last - 1), "That is the last host. The broadcast address is one more."),
        (dotted(address | 255), "That would be right for a mask of 24 bits. This mask has another length."),
        ("255.255.255.255", "That reaches this link, whatever its network is. The network has one of its own."),
    ])  # fmt: skip
    return Exercise(
        f"A host has the address {dotted(address)} and the mask {dotted(mask)}. What is the broadcast address of its"
        " network?",
        dotted(last), hints, f"All host bits are one: {dotted(address & mask)} + {last - (address & mask)}."
        f" {parted(address, length)}")  # fmt: skip


def mask(random: Random) -> Exercise:
    """Which mask has a prefix length?"""
    length = random.randint(1, 30)
    right = ALL << (32 - length) & ALL
    hints = without_right(dotted(right), [
        (dotted(~right & ALL), "That is the other part: its bits are one where those of the mask are zero."),
        (dotted(right << 1 & ALL), f"That mask has {length - 1} bits."),
        (dotted(right >> 1 | 1 << 31), f"That mask has {length + 1} bits."),
        (str(length), "That is the prefix length itself. The mask has four numbers with dots."),
    ])  # fmt: skip
    whole = f"{length // 8} whole octet{'' if length // 8 == 1 else 's'} of 255"
    bits, octet = length % 8, right >> (24 - length // 8 * 8) & 255
    told = f", then {bits} bits in the next octet: {'1' * bits}{'0' * (8 - bits)} is {octet}" if bits else ""
    return Exercise(f"Write the mask of /{length} as four numbers with dots.", dotted(right), hints,
                    f"{length} bits are one: {whole}{told}.")  # fmt: skip


def hosts(random: Random) -> Exercise:
    """How many hosts can a network have?"""
    length = random.randint(8, 30)
    right = (1 << 32 - length) - 2
    hints = without_right(str(right), [
        (str(right + 2), "That counts the network itself and the broadcast address, too: they are no hosts."),
        (str(right + 1), "Two addresses are no hosts, not one: all host bits zero, and all one."),
        (str(1 << length), "That is 2 to the power of the network's bits. The host's bits count."),
        (str(32 - length), "That is the number of host bits. Each one doubles the number of addresses."),
    ])  # fmt: skip
    return Exercise(f"How many hosts can a network of /{length} have?", str(right), hints,
                    f"There are {32 - length} host bits, so {right + 2} addresses; all zero and all one are no hosts."
                    )  # fmt: skip


def host_id(random: Random) -> Exercise:
    """Which part of an address is the host's?"""
    address, length, mask = some_network(random)
    right = dotted(address & ~mask & ALL)
    hints = without_right(right, [
        (dotted(address & mask), "That is the part of the network. The host has the other bits."),
        (dotted(address & 255), "That is the last octet. This mask does not end there."),
        (dotted(~mask & ALL), "That is the complement of the mask. Take the address AND it."),
        (dotted(address), "That is the whole address. The bits of the network become zero."),
    ])  # fmt: skip
    return Exercise(
        f"A host has the address {dotted(address)} and the mask {dotted(mask)}. Which part of it is the host's"
        " (HostID)?",
        right, hints, f"{dotted(address)} AND {dotted(~mask & ALL)}, the complement of the mask, is {right}."
        f" {parted(address, length)}")  # fmt: skip


def least(random: Random) -> Exercise:
    """Which is the least address that a host of a network can have?"""
    address, length, mask = some_network(random)
    first = address & mask
    hints = without_right(dotted(first + 1), [
        (dotted(first), "That is the network itself: all host bits are zero."),
        (dotted(address & 0xFFFFFF00 | 1), "That would be right for a mask of 24 bits. This mask has another length."),
        (dotted(address), "That is one host of the network. There are hosts below it."),
    ])  # fmt: skip
    return Exercise(
        f"A host has the address {dotted(address)}/{length}. Which is the least address that a host of its network can"
        " have?",
        dotted(first + 1), hints, f"The network is {dotted(first)}, and one more is the first host."
        f" {parted(address, length)}")  # fmt: skip


def greatest(random: Random) -> Exercise:
    """Which is the greatest address that a host of a network can have?"""
    address, length, mask = some_network(random)
    last = address | ~mask & ALL
    hints = without_right(dotted(last - 1), [
        (dotted(last), "That is the broadcast address: all host bits are one."),
        (dotted(address & 0xFFFFFF00 | 254), "That would be right for a mask of 24 bits. This one has another length."),
        (dotted(address), "That is one host of the network. There are hosts above it."),
        (dotted(last - 2), "One more is still a host: only the address with all host bits one is none."),
    ])  # fmt: skip
    return Exercise(
        f"A host has the address {dotted(address)}/{length}. Which is the greatest address that a host of its network"
        " can have?",
        dotted(last - 1), hints, f"The broadcast address is {dotted(last)}, and one less is the last host."
        f" {parted(address, length)}")  # fmt: skip


def same_network(random: Random) -> Exercise:
    """Can two hosts reach each other without a router?"""
    address, length, bits = some_network(random, 17, 28)
    inside = random.random() < 0.5
    other = (address & bits) | random.randint(1, (1 << (32 - length)) - 2)  # not all zeros, not all ones
    if other == address:
        other = (address & bits) | (2 if address & ~bits & ALL == 1 else 1)
    if not inside:
        other ^= 1 << (32 - length)
    first, second = dotted(address & bits), dotted(other & bits)
    right = "yes" if first == second else "no"
    wrong = "no" if right == "yes" else "yes"
    reason = f"AND the mask, one is in {first}, the other in {second}."
    return Exercise(
        f"Two hosts have {dotted(address)}/{length} and {dotted(other)}/{length}. Can they reach each other without a"
        " router: yes or no?",
        right, ((wrong, reason),), reason)  # fmt: skip


def class_of(random: Random) -> Exercise:
    """Which class is an address of?"""
    address = random.getrandbits(32)
    kind = stack.address_class(address.to_bytes(4, "big"))
    first = f"Its first octet is {address >> 24}, {address >> 24:08b} in bits"
    hints = without_right(kind.letter, [
        (letter, f"{first}. Class {letter} begins with {bits}.")
        for letter, bits in (("A", "0"), ("B", "10"), ("C", "110"), ("D", "1110"), ("E", "1111"))
    ])  # fmt: skip
    return Exercise(
        f"Which class is {dotted(address)} of: A, B, C, D or E?",
        kind.letter, hints, f"{first}: it begins with {kind.leading_bits}.")  # fmt: skip


def private(random: Random) -> Exercise:
    """Is an address a private one?"""
    around = stack.Prefix.parse(random.choice((*PRIVATE, "172.0.0.0/8", "192.0.0.0/8", "11.0.0.0/8")))
    address = int.from_bytes(around.network, "big") | random.getrandbits(32 - around.length)
    holding = [each for each in PRIVATE if is_in(address, each)]
    right, wrong = ("yes", "no") if holding else ("no", "yes")
    told = f"it is in {holding[0]}" if holding else f"it is in none of {', '.join(PRIVATE)}"
    told = f"{dotted(address)} is {'' if holding else 'not '}private: {told}. (RFC 1918 section 3)"
    return Exercise(f"Is {dotted(address)} a private address: yes or no?", right, ((wrong, told),), told)


def is_in(address: int, prefix: str) -> bool:
    """Return whether an address is in a network."""
    parsed = stack.Prefix.parse(prefix)
    return address >> (32 - parsed.length) == int.from_bytes(parsed.network, "big") >> (32 - parsed.length)


def checksum(random: Random) -> Exercise:
    """What is the Internet checksum of three words of 16 bits?"""
    words = [random.randint(0x8000, 0xFFFF), random.randint(0x8000, 0xFFFF), random.randint(0x1000, 0x7FFF)]
    total = sum(words)
    folded = (total & 0xFFFF) + (total >> 16)
    folded = (folded & 0xFFFF) + (folded >> 16)
    right = f"0x{0xFFFF ^ folded:04x}"
    hints = without_right(right, [
        (f"0x{folded:04x}", "That is the sum. The checksum is its complement: each bit inverted."),
        (f"0x{0xFFFF ^ total & 0xFFFF:04x}", "The carry is not lost: it is added at the right."),
        (f"0x{total & 0xFFFF:04x}", "That is the sum without its carry, and it is not inverted yet."),
        (f"0x{total:x}", "That has more than 16 bits. Add the carry at the right, and invert each bit."),
    ])  # fmt: skip
    told = ", ".join(f"0x{word:04x}" for word in words)
    return Exercise(
        f"What is the Internet checksum of the words {told}? Write it in hexadecimal, with 0x.",
        right, hints, f"The sum is 0x{total:x}. With its carry {total >> 16} added at the right it is 0x{folded:04x}."
        f" Each bit inverted: {right}.")  # fmt: skip


EXERCISES: dict[str, Callable[[Random], Exercise]] = {
    "network": network,
    "broadcast": broadcast,
    "mask": mask,
    "hosts": hosts,
    "same_network": same_network,
    "class_of": class_of,
    "private": private,
    "host_id": host_id,
    "least": least,
    "greatest": greatest,
    "checksum": checksum,
}
"""The exercises, by the name that a lesson gives: `about="exercise network"`."""
