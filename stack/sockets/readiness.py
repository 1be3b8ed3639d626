"""A descriptor of the kernel's that says whether a socket of ours can be read or written.

Programs pass descriptors to `select`, `poll` and trio's `wait_readable`. Ours belongs to one end of
a socketpair: an octet that waits there makes it readable, and a full send queue makes it not
writable. It is a signal only. What a program reads from it or writes to it has no meaning.
"""

from __future__ import annotations

import atexit
import errno
import socket as stdlib
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import cache
from typing import TYPE_CHECKING
from weakref import ref

import trio

if TYPE_CHECKING:
    from stack.sockets.socket import Socket

CHUNK = bytes(4096)
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
signals: dict[int, None] = {}  # the descriptors that are in use, as keys


def kernel_pair() -> tuple[stdlib.socket, stdlib.socket]:
    """Two connected sockets of the kernel's that never block.

    On systems without socketpair(2) Python connects two sockets of the kernel's, which must not
    become ours. In an empty context no host is installed.
    """
    pair = Context().run(stdlib.socketpair)
    for end in pair:
        end.setblocking(False)
    return pair


@cache
def _silent() -> Readiness:
    """A descriptor that never becomes ready, which stays open while the process lives."""
    silent = Readiness()
    atexit.register(silent.close, in_run=False)
    return silent


class Readiness:
    """The descriptor of one socket. `show` sets its state. At first it is neither."""

    __slots__ = ("_ours", "_readable", "_theirs", "_writable")

    def __init__(self) -> None:
        self._theirs, self._ours = kernel_pair()
        self._theirs.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_SNDBUF, 1)  # the kernel makes it its least
        self._readable, self._writable = False, True
        self.show(False, False)
        signals[self.fileno()] = None

    def fileno(self) -> int:
        """The descriptor that programs may wait for."""
        return self._theirs.fileno()

    def set_inheritable(self, inheritable: bool) -> None:
        """Whether the descriptor stays open in programs that this process executes."""
        self._theirs.set_inheritable(inheritable)

    def show(self, readable: bool, writable: bool) -> None:
        """Let the descriptor be readable, and writable, or not."""
        if readable != self._readable:
            self._readable = readable
            if readable:
                with suppress(OSError):
                    self._ours.send(CHUNK[:1])
            else:
                _drain(self._theirs)
        if writable != self._writable:
            self._writable = writable
            if writable:
                _drain(self._ours)
            else:
                with suppress(OSError):
                    while True:
                        self._theirs.send(CHUNK)

    def close(self, *, in_run: bool = True) -> None:
        """Close the descriptor. Tasks that wait for it get trio.ClosedResourceError.

        Without `in_run` no task can wait: trio's run is over, or another thread's.
        """
        if in_run:
            with suppress(RuntimeError):  # trio's run is over
                trio.lowlevel.notify_closing(self._theirs)
        signals.pop(self.fileno(), None)
        self._theirs.close()
        self._ours.close()


def _drain(end: stdlib.socket) -> None:
    with suppress(OSError):
        while end.recv(65536):
            pass


def readiness() -> Readiness | None:
    """A new descriptor; None if the process has none left.

    A program that only asks whether a socket is open must not fail then. It gets
    `silent_descriptor`.
    """
    _silent()  # made while there are descriptors
    try:
        return Readiness()
    except OSError as error:
        if error.errno in OUT_OF_DESCRIPTORS:
            return None
        raise


def silent_descriptor() -> int:
    """A descriptor that is neither readable nor writable, and is not a socket's own."""
    return _silent().fileno()


def telling(waiter: Callable[[], bool], socket: Socket) -> Callable[[], bool]:
    """A callback for protocol code: wakes `waiter`, and updates the descriptor of `socket`.

    It has no reference to the socket, so that a forgotten socket can be collected.
    """
    its = ref(socket)

    def wake() -> bool:
        woken = waiter()
        sock = its()
        if sock is not None:
            sock._tell()
        return woken

    return wake
