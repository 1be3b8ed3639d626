"""The exceptions: one for hostile bytes, and POSIX's for users.

Everything a user of the stack sees is an `OSError` with the POSIX errno; what arrives from the wire and cannot be
understood raises `BadPacket`, which never leaves the stack: the layer that called the parser counts it and goes on.
"""

import os


def os_error(error: int) -> OSError:
    """The exception a kernel socket would raise for this errno: the same class, number and message."""
    return OSError(error, os.strerror(error))


class BadPacket(Exception):
    """Bytes that are not what they claim to be.

    `reason` is the name of the drop counter (a key of `stack.counters.DROPS`), so that catching is counting.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
