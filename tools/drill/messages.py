"""The number of octets and the flags in the arguments of a call that reads or writes.

The call has one buffer (read, send), an iovec (readv, writev) or a msghdr (recvmsg, sendmsg).
"""

from __future__ import annotations

from .descriptors import Arguments
from .script import Expression, Struct

MOST_OCTETS = 1 << 26


def octets_and_flags(arguments: Arguments, *, reading: bool) -> tuple[int, int]:
    """Return (octets, flags) of a call that reads or writes."""
    name = arguments.call.name
    if name in ("readv", "writev"):
        arguments.count(3)
        return _total(arguments, arguments.at(1), arguments.integer(2)), 0
    if name in ("recvmsg", "sendmsg"):
        arguments.count(3)
        return _message(arguments)
    flags = 0
    if name in ("read", "write"):
        arguments.count(3)
    elif name in ("recv", "send"):
        arguments.count(4)
        flags = arguments.integer(3)
    else:
        arguments.count(6)
        flags = arguments.integer(3)
        if reading:
            arguments.unspecified(4)
    arguments.unspecified(1)
    return arguments.size(2), flags


def _message(arguments: Arguments) -> tuple[int, int]:
    message = arguments.at(1)
    if not isinstance(message, Struct) or message.kind != "msghdr" or "msg_iov" not in message.fields:
        raise arguments.error("argument 2 must be {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}")
    if message.fields.get("msg_name", ...) is not ...:
        raise arguments.unsupported("msg_name other than ...")
    if message.fields.get("msg_flags", 0) != 0:
        raise arguments.unsupported("msg_flags other than 0")
    return _total(arguments, message.fields["msg_iov"], None), arguments.integer(2)


def _total(arguments: Arguments, iovec: Expression, count: int | None) -> int:
    if not isinstance(iovec, list) or (count is not None and len(iovec) != count):
        raise arguments.error("an iovec must be a list of {..., octets}, with its length after it")
    total = 0
    for part in iovec:
        length = part.fields.get("length") if isinstance(part, Struct) and part.kind == "iovec" else None
        if not isinstance(length, int) or length < 0:
            raise arguments.error("each part of an iovec must be {..., octets}")
        total += length
    if total > MOST_OCTETS:
        raise arguments.error(f"an iovec may have at most {MOST_OCTETS} octets, not {total}")
    return total
