"""The numbers of the socket interface: this machine's, and Linux's for what the machine lacks.

A program names an option or a flag as Python's socket module does, and so passes the number that
its machine has: SO_KEEPALIVE is 9 on Linux and 8 on macOS and Windows. A host's sockets take that
number. Some names exist on Linux only, such as SO_DOMAIN. On other machines the sockets take
Linux's number for them.
"""

from __future__ import annotations

import socket

# macOS has another name for the time before the first keep-alive.
OTHER_NAMES = {"TCP_KEEPIDLE": "TCP_KEEPALIVE"}


def number(name: str, linux: int) -> int:
    """The number of a name of the socket interface on this machine; `linux` if it has no such name.

    An int and not an enum of the standard library: each operation on one costs a microsecond.
    """
    found = getattr(socket, name, None)
    if found is None and name in OTHER_NAMES:
        found = getattr(socket, OTHER_NAMES[name], None)
    return linux if found is None else int(found)
