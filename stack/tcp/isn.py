"""Initial sequence numbers that an attacker cannot guess.

See RFC 6528 section 3 and RFC 9293 section 3.4.1.

    ISN = M + F(localip, localport, remoteip, remoteport, secretkey)

M ticks every 4 microseconds. F is a keyed hash, so that one connection's numbers say nothing about
another's. A new incarnation of the same connection still begins above the old one.
"""

from __future__ import annotations

from hashlib import blake2s

from stack.tcp.seq import MASK

_TICKS_PER_SECOND = 250_000


def initial_sequence_number(secret: bytes, key: bytes, now: float) -> int:
    """The ISN for the connection with addresses and ports `key`; `secret` has at least 16 bytes."""
    return (int(now * _TICKS_PER_SECOND) + keyed_hash(secret, key)) & MASK


def keyed_hash(secret: bytes, key: bytes) -> int:
    """F: 32 bits that cannot be computed without the secret.

    With another secret it also makes the offset of a connection's timestamps (RFC 7323 section
    5.4).
    """
    return int.from_bytes(blake2s(key, key=secret, digest_size=4).digest(), "big")
