"""The captures of the scenes: name -> frames, and what the host at that end told of its states.

A name is `scene@point`, or `scene@point+change` where something was done to the capture afterwards:

- `gaps`: some frames were not captured, as by a machine that is too slow.
- `late`: the capture began when the connection was there already.
- `snapped`: of each frame only its first octets are there.
- `ipv6`: each segment is in an IPv6 packet, with another checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from stack.link.captured import CapturedFrame
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_TCP
from tests.outside.scene import POINTS, Frame, Log
from tests.outside.scenes import SCENES

BETWEEN_GAPS = (11, 29)  # frames that are captured between two that are not
LATE_FRAMES = 14
SNAPLEN = 96
EPOCH_NS = 1_700_000_000 * 1_000_000_000

ETHERNET, IPV4 = 14, 20
CHECKSUM_AT = 16  # in the TCP header


@dataclass(frozen=True, slots=True)
class MadeCapture:
    """One capture, at `point` of a scene. `logs` has what each host told of its states: "here" and "there".

    `log` is that of the capture's own end. It is None in the midst, and after a change.
    """

    name: str
    point: str
    frames: list[CapturedFrame]
    logs: dict[str, Log]
    log: Log | None


@cache
def made() -> list[MadeCapture]:
    """Every capture, scene by scene."""
    return list(_made())


def _made() -> Iterator[MadeCapture]:
    for number, (name, run) in enumerate(SCENES.items()):
        logs = run().logs
        for point in POINTS:
            frames = logs[point].frames
            if not frames:
                continue  # a station that is no stack has no capture of its own
            own = logs[point] if point != "midst" else None
            yield MadeCapture(f"{name}@{point}", point, captured(frames), logs, own)
            for change, how in CHANGES.items():
                if changed(name, number, POINTS.index(point), change):
                    changed_frames = how(frames, Random(f"{name}@{point}"))
                    yield MadeCapture(f"{name}@{point}+{change}", point, changed_frames, logs, None)


def changed(name: str, scene: int, point: int, change: str) -> bool:
    """A scene has a capture with gaps and one that is changed in another way; the point goes round.

    A snapped segment cannot be told from a broken one, and gaps among many segments that change places are a riddle.
    """
    if change == "gaps" and name.startswith("bulk"):
        return True
    if change == "gaps":
        return "reorder" not in name and "requests" not in name and scene % len(POINTS) == point
    if change == "snapped" and ("corrupt" in name or name == "bad-wire"):
        return False
    return (scene + 1) % len(POINTS) == point and list(CHANGES).index(change) - 1 == scene % 4 % 3


def captured(frames: list[Frame]) -> list[CapturedFrame]:
    """Frames as a capture file has them."""
    return [
        CapturedFrame(
            number, EPOCH_NS + frame.time_ns, frame.octets, len(frame.octets), "ethernet", "", frame.direction
        )
        for number, frame in enumerate(frames, 1)
    ]


# --- changes


def with_gaps(frames: list[Frame], random: Random) -> list[CapturedFrame]:
    kept: list[Frame] = []
    left = random.randint(*BETWEEN_GAPS)
    for frame in frames:
        left -= 1
        if left:
            kept.append(frame)
        else:
            left = random.randint(*BETWEEN_GAPS)
    return captured(kept)


def late(frames: list[Frame], random: Random) -> list[CapturedFrame]:
    return captured(frames[LATE_FRAMES:])


def snapped(frames: list[Frame], random: Random) -> list[CapturedFrame]:
    return [frame._replace(octets=frame.octets[:SNAPLEN]) for frame in captured(frames)]


def over_ipv6(frames: list[Frame], random: Random) -> list[CapturedFrame]:
    return captured([Frame(frame.time_ns, in_ipv6(frame.octets), frame.direction) for frame in frames])


def in_ipv6(frame: bytes) -> bytes:
    """The same segment in an IPv6 packet (RFC 8200 section 3). Its checksum stays right, or stays wrong."""
    if not is_tcp(frame):
        return frame
    total = int.from_bytes(frame[ETHERNET + 2 : ETHERNET + 4], "big")
    segment = bytearray(frame[ETHERNET + IPV4 : ETHERNET + total])
    source, destination = frame[ETHERNET + 12 : ETHERNET + 16], frame[ETHERNET + 16 : ETHERNET + 20]
    wrong = internet_checksum(segment, pseudo_sum(source, destination, PROTO_TCP, len(segment)))
    six = [bytes.fromhex("20010db8") + bytes(8) + address for address in (source, destination)]
    segment[CHECKSUM_AT : CHECKSUM_AT + 2] = bytes(2)
    pseudo = sum(int.from_bytes(octets[at : at + 2], "big") for octets in six for at in range(0, 16, 2))
    checksum = internet_checksum(segment, pseudo + PROTO_TCP + len(segment)) ^ wrong
    segment[CHECKSUM_AT : CHECKSUM_AT + 2] = checksum.to_bytes(2, "big")
    header = b"\x60\0\0\0" + len(segment).to_bytes(2, "big") + bytes((PROTO_TCP, frame[ETHERNET + 8]))
    return ethernet_ii(frame[:6], frame[6:12], ETHERTYPE_IPV6) + header + b"".join(six) + segment


def is_tcp(frame: bytes) -> bool:
    """Whether this is a TCP segment over IPv4, of the plain form that our hosts send."""
    return (
        frame[12:14] == ETHERTYPE_IPV4.to_bytes(2, "big")
        and frame[ETHERNET : ETHERNET + 1] == b"\x45"
        and frame[ETHERNET + 9] == PROTO_TCP
        and ETHERNET + IPV4 + 20 <= ETHERNET + int.from_bytes(frame[ETHERNET + 2 : ETHERNET + 4], "big") <= len(frame)
    )


def is_broken(frame: bytes) -> bool:
    """Whether a bit of the packet has changed on the way: a checksum of IP or TCP is wrong, or a length."""
    if frame[12:14] != ETHERTYPE_IPV4.to_bytes(2, "big"):
        return False
    if not is_tcp(frame):
        return True
    packet = frame[ETHERNET : ETHERNET + int.from_bytes(frame[ETHERNET + 2 : ETHERNET + 4], "big")]
    pseudo = pseudo_sum(packet[12:16], packet[16:20], PROTO_TCP, len(packet) - IPV4)
    return bool(internet_checksum(packet[:IPV4])) or bool(internet_checksum(packet[IPV4:], pseudo))


CHANGES: dict[str, Callable[[list[Frame], Random], list[CapturedFrame]]] = {
    "gaps": with_gaps,
    "late": late,
    "snapped": snapped,
    "ipv6": over_ipv6,
}
