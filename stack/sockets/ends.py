"""What a stream socket asks of its connection here and there, and what becomes of it in the end."""

from __future__ import annotations

import errno
from collections.abc import Callable
from socket import MSG_OOB
from typing import TYPE_CHECKING, NoReturn

from stack.sockets.options import MSG_FASTOPEN, fail
from stack.sockets.waiter import Waiter
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.states import State

if TYPE_CHECKING:
    from stack.host.host import HostCore

_CONNECTING = frozenset({State.SYN_SENT, State.SYN_RECEIVED})


def is_connecting(connection: Connection) -> bool:
    """The handshake is not over; a connection that Fast Open has given us earlier is as good as any."""
    return connection.state in _CONNECTING and not connection.fast_opened


def refuse(flags: int, core: HostCore, connection: Connection | None) -> NoReturn:
    """Flags that a `send` does not take. MSG_FASTOPEN is for one with an address."""
    if flags & MSG_FASTOPEN and not flags & MSG_OOB and core.config.tcp.fast_open_client:
        fail(errno.EINVAL if connection is None else errno.EISCONN)
    fail(errno.EOPNOTSUPP)


def both(reader: Waiter, urgent: Waiter) -> Callable[[], bool]:
    """Wake whoever waits for data, and for urgent data; without a reference to the socket, which may be forgotten."""

    def wake() -> bool:
        urgent.wake()
        return reader.wake()

    return wake


def give_back(
    core: HostCore,
    connection: Connection | None,
    listener: Listener | None,
    bound: tuple[bytes, int] | None,
    now: float,
) -> None:
    """What `close` does to a stream socket's possessions."""
    if listener is not None:
        listener.close(now)
    if connection is not None:
        connection.close(now)  # which is an abort when SO_LINGER says 0 seconds
    if bound is not None:
        core.release_tcp(bound)


def take_error(connection: Connection) -> int:
    """SO_ERROR: what ended the connection, or what the network complained of, once."""
    error = connection.error or connection.soft_error
    connection.error = connection.soft_error = 0
    return error
