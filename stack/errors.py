"""The one exception for hostile bytes.

Everything a user of the stack sees is an `OSError` with the POSIX errno; what arrives from the wire and cannot be
understood raises `BadPacket`, which never leaves the stack: the layer that called the parser counts it and goes on.
"""


class BadPacket(Exception):
    """Bytes that are not what they claim to be.

    `reason` is the name of the drop counter (a key of `stack.counters.DROPS`), so that catching is counting.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
