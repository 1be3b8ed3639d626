"""What a capture itself says about a frame of which follow and tshark say different things.

Each reason is a check of the captured octets, which knows neither of the two. So a difference is not excused by an
opinion: the reason must hold for the very frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stack.link.captured import CapturedFrame
from stack.wire.numbers import PROTO_TCP
from stack.wire.tcp import ACK, FIN, RST, SYN
from tests.outside.captures import is_broken

MASK, HALF = 0xFFFF_FFFF, 1 << 31
ETHERNET = 14


@dataclass(frozen=True, slots=True)
class Piece:
    """A captured segment. `end` counts SYN and FIN; `broken` says that its checksum is wrong."""

    number: int
    sender: bytes
    receiver: bytes
    seq: int
    end: int
    length: int
    ack: int
    flags: int
    window: int
    broken: bool


def pieces(frames: Sequence[CapturedFrame]) -> dict[int, Piece]:
    """The segments of a capture, by the numbers of their frames."""
    found: dict[int, Piece] = {}
    for frame in frames:
        octets = frame.octets
        if octets[12:14] == b"\x08\0" and octets[23] == PROTO_TCP:
            at, addresses = ETHERNET + (octets[14] & 15) * 4, octets[26:34]
            length = int.from_bytes(octets[16:18], "big") + ETHERNET - at
        elif octets[12:14] == b"\x86\xdd" and octets[20] == PROTO_TCP:
            at, addresses = ETHERNET + 40, octets[22:54]
            length = int.from_bytes(octets[18:20], "big")
        else:
            continue
        tcp = octets[at : at + 20]
        flags, length = tcp[13], length - (tcp[12] >> 4) * 4
        seq = int.from_bytes(tcp[4:8], "big")
        half = len(addresses) // 2
        found[frame.number] = Piece(
            frame.number,
            addresses[:half] + tcp[:2],
            addresses[half:] + tcp[2:4],
            seq,
            (seq + length + bool(flags & SYN) + bool(flags & FIN)) & MASK,
            length,
            int.from_bytes(tcp[8:12], "big"),
            flags,
            int.from_bytes(tcp[14:16], "big"),
            len(octets) == frame.length and is_broken(octets),
        )
    return found


class Facts:
    """The segments of one capture, and questions about them."""

    def __init__(self, frames: Sequence[CapturedFrame]) -> None:
        self.pieces = pieces(frames)

    def before(self, piece: Piece, sender: bytes) -> list[Piece]:
        """What `sender` sent in the same connection before `piece`. A SYN with another number begins another one."""
        found: list[Piece] = []
        for earlier in self.pieces.values():
            if earlier.number >= piece.number:
                break
            if {earlier.sender, earlier.receiver} != {piece.sender, piece.receiver} or earlier.flags & RST:
                continue
            if earlier.sender == sender:
                if earlier.flags & SYN and found and found[0].seq != earlier.seq:
                    found = []
                found.append(earlier)
        return found

    def was_captured(self, piece: Piece, sender: bytes, seq: int, end: int) -> bool:
        """Whether all octets from `seq` to before `end` are in earlier frames of `sender`."""
        sent = self.before(piece, sender)
        while seq != end:
            covering = [one.end for one in sent if (seq - one.seq) & MASK < (one.end - one.seq) & MASK]
            if not covering:
                return False
            furthest = max((stop - seq) & MASK for stop in covering)
            seq = end if furthest >= (end - seq) & MASK else (seq + furthest) & MASK
        return True

    def previous(self, piece: Piece) -> Piece | None:
        """The segment of the same sender before this one."""
        sent = self.before(piece, piece.sender)
        return sent[-1] if sent else None


Flags = frozenset[str]
Check = Callable[[Facts, Piece, Flags, Flags], bool]


def captured_before(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    return tshark == {"out_of_order"} and facts.was_captured(piece, piece.sender, piece.seq, piece.end)


def acked_was_captured(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    return tshark == {"ack_lost_segment"} and facts.was_captured(
        piece, piece.receiver, (piece.ack - 1) & MASK, piece.ack
    )


def acked_was_not(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    """The octets between the last ACK and this one are not all there."""
    if follow != {"ack_lost_segment"} or tshark:
        return False
    acks = [one.ack for one in facts.before(piece, piece.sender) if one.flags & ACK]
    if not acks:
        return False
    last = acks[0]
    for ack in acks:
        last = ack if (ack - last) & MASK < HALF else last
    return (piece.ack - last) & MASK < HALF and not facts.was_captured(piece, piece.receiver, last, piece.ack)


def acked_before(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    acks = [one.ack for one in facts.before(piece, piece.sender) if one.flags & ACK]
    return tshark == {"ack_lost_segment"} and any((ack - piece.ack) & MASK < HALF for ack in acks)


def octet_before_was_captured(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    return tshark == {"lost_segment"} and facts.was_captured(piece, piece.sender, (piece.seq - 1) & MASK, piece.seq)


def octet_is_outstanding(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    """Its one octet was not acknowledged yet."""
    if tshark != {"keep_alive"} or piece.length != 1:
        return False
    acks = [one.ack for one in facts.before(piece, piece.receiver) if one.flags & ACK]
    return bool(acks) and all((ack - piece.end) & MASK >= HALF for ack in acks)


def number_zero(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    return not follow and len(tshark) == 1 and 0 in (piece.seq, piece.ack, (piece.seq + 1) & MASK)


def after_a_broken_one(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    previous = facts.previous(piece)
    return previous is not None and previous.broken and bool((follow | tshark) & {"window_update", "duplicate_ack"})


def begun_by_a_syn_ack(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    """The last SYN,ACK acknowledges a SYN that the capture does not have."""
    if follow or not tshark <= {"ack_lost_segment", "lost_segment"}:
        return False
    opened = [
        one for one in facts.pieces.values() if one.number <= piece.number and one.flags & SYN and not one.flags & RST
    ]
    return bool(opened) and bool(opened[-1].flags & ACK) and all(one.end != opened[-1].ack for one in opened)


def answers_a_reset_or_syn(facts: Facts, piece: Piece, follow: Flags, tshark: Flags) -> bool:
    """The segment before it is a reset or a SYN of the other end, and this is an ACK without anything."""
    if follow or tshark != {"duplicate_ack"}:
        return False
    last = [one for one in facts.pieces.values() if one.number < piece.number][-1]
    return last.sender == piece.receiver and bool(last.flags & (RST | SYN)) and not piece.length


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a difference is none of follow's faults. `sentence` is for the reader of the table."""

    sentence: str
    holds: Check


REASONS: dict[str, Reason] = {
    "captured_before": Reason(
        "Earlier frames have all its octets, so no other segment has overtaken it: it is sent again. tshark 4.0 looks"
        " at times only, and not at what SACK blocks ask for (Wireshark issue 13863).",
        captured_before,
    ),
    "acked_was_captured": Reason(
        "The last octet that it acknowledges is in an earlier frame. tshark 4.0 goes on from the highest number before"
        " the gap, or forgets the octet of a window probe.",
        acked_was_captured,
    ),
    "acked_was_not": Reason(
        "It acknowledges octets that no earlier frame has. tshark 4.0 tells of one gap only until the sender has sent"
        " more.",
        acked_was_not,
    ),
    "acked_before": Reason(
        "An earlier frame acknowledges as much, and that was told there. tshark 4.0 tells it once more.",
        acked_before,
    ),
    "octet_is_outstanding": Reason(
        "Its one octet is not acknowledged, and a keep-alive may be sent only if all data is (RFC 9293 MUST-26): the"
        " octet is sent again. tshark looks at the number only.",
        octet_is_outstanding,
    ),
    "octet_before_was_captured": Reason(
        "The octet before it is in an earlier frame: the receiver has taken that of a window probe, and tshark 4.0"
        " does not count it.",
        octet_before_was_captured,
    ),
    "number_zero": Reason("tshark takes the sequence number 0 for one that it has not seen.", number_zero),
    "after_a_broken_one": Reason(
        "The sender's frame before it has a wrong checksum. The receiver drops such a frame; tshark takes its ACK and"
        " its window.",
        after_a_broken_one,
    ),
    "answers_a_reset_or_syn": Reason(
        "It answers a reset or a SYN that its sender does not believe: a challenge ACK (RFC 5961). It tells nothing of"
        " a loss, so follow does not call it a duplicate ACK.",
        answers_a_reset_or_syn,
    ),
    "begun_by_a_syn_ack": Reason(
        "The SYN,ACK before it, or itself, acknowledges a SYN that was not captured: its numbers are those of another"
        " connection. tshark 4.0 says so, too, but compares them with the older one's.",
        begun_by_a_syn_ack,
    ),
}


def reason_for(facts: Facts, number: int, follow: Flags, tshark: Flags) -> str:
    """The first reason that holds; "" if none does. `follow` and `tshark` are what only one of them says."""
    piece = facts.pieces[number]
    for name, reason in REASONS.items():
        if reason.holds(facts, piece, follow, tshark):
            return name
    return ""
