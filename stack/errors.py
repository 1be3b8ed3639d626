"""Two exceptions: `OSError` for users of the stack, `BadPacket` for bytes from the wire.

All errors that a user sees are `OSError` with a POSIX errno. A parser raises `BadPacket` for bytes
that it cannot parse. The layer that called the parser counts the error and goes on, so `BadPacket`
never leaves the stack.
"""

import os
from errno import errorcode


def os_error(error: int) -> OSError:
    """The exception that a kernel socket raises for this errno: the same class and message."""
    return OSError(error, error_text(error))


def error_text(error: int) -> str:
    """The system's text for an errno; its name where there is none, as for sockets on Windows."""
    text = os.strerror(error)
    return errorcode.get(error, text) if text.startswith("Unknown error") else text


def error_name(error: int | None) -> str:
    """The POSIX name of an errno, as "ECONNRESET"; its number where it has no name."""
    return errorcode.get(error or 0, str(error))


class BadPacket(Exception):
    """Bytes that are not a valid packet.

    `reason` is the name of the drop counter, a key of `stack.counters.DROPS`. The layer that
    catches the exception counts it by this name. For a protocol that the host does not speak it is
    a key of `stack.counters.UNREADABLE`, which is not counted.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
