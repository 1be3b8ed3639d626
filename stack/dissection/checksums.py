"""What can be said of a checksum field: right, wrong, partial, absent, or not to be verified."""

from __future__ import annotations

from stack.wire.checksum import internet_checksum, verify

RIGHT = "right"
WRONG = "WRONG"
NONE = "none"
PARTIAL = "partial"
UNKNOWN = "not verified"

_SENTENCES = {
    RIGHT: "right",
    NONE: "none: 0 says that the sender has computed no checksum (over IPv6 only in tunnels: RFC 6935)",
    PARTIAL: "partial (offload): only the sum of the pseudo-header, which the device completes when it sends",
    UNKNOWN: "not verified: not all the octets that it covers are in this frame",
}


def judge(found: int, data: memoryview, pseudo: int | None, offload: bool = False) -> str:
    """Compare the checksum `found` in a header with `data`, the octets that it covers.

    `pseudo` is the sum of the pseudo-header, 0 where there is none. It is None if `data` is not
    whole. `offload` says that a partial checksum is no error.
    """
    if pseudo is None:
        return UNKNOWN
    if verify(data, pseudo):
        return RIGHT
    return PARTIAL if offload and found % 0xFFFF == pseudo % 0xFFFF else WRONG


def note(verdict: str, found: int) -> str:
    """What a line of `show` says about a checksum: nothing, unless it is wrong or partial."""
    if verdict == WRONG:
        return f", WRONG CHECKSUM 0x{found:04x}"
    return ", checksum left to the device" if verdict == PARTIAL else ""


def words(verdict: str, found: int, data: memoryview, pseudo: int | None, at: int) -> str:
    """What a checksum field means. The field is at the octet `at` of `data`."""
    if verdict != WRONG or pseudo is None:
        return f"0x{found:04x}, {_SENTENCES[verdict]}"
    right = internet_checksum(bytes(data[:at]) + bytes(2) + bytes(data[at + 2 :]), pseudo)
    return f"0x{found:04x}, WRONG: these octets have 0x{right:04x}"
