"""Serving TCP: a task for each connection that a listener of ours accepts.

It does the same as `trio.serve_listeners`, at less cost. Our listeners report a connection by a
callback, and our streams can be closed at once. Trio closes a stream in a cancelled scope, which
takes two more turns of its loop and an exception each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import NoReturn

import trio

from stack.sockets.stream import StreamSocket

Handler = Callable[[trio.SocketStream], Awaitable[object]]


async def serve_listeners(
    handler: Handler,
    listeners: list[trio.SocketListener],
    *,
    handler_nursery: trio.Nursery | None = None,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """As `trio.serve_listeners`. `accept` cannot run out of descriptors here: there is no retry."""
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            nursery.start_soon(_serve, handler, listener, handler_nursery or nursery, nursery)
        task_status.started(listeners)
    raise AssertionError("a listener is served until it fails")


async def _serve(
    handler: Handler, listener: trio.SocketListener, handler_nursery: trio.Nursery, nursery: trio.Nursery
) -> NoReturn:
    """Serve one listener. `nursery` is the nursery in which this task runs."""
    context = copy_context()

    def begin(stream: trio.SocketStream) -> None:
        context.run(handler_nursery.start_soon, _handle, handler, stream)

    def begin_at_once(socket: StreamSocket) -> None:
        stream = trio.SocketStream(socket)
        try:
            begin(stream)
        except Exception as error:  # the nursery is closed: the server fails, and the host goes on
            nursery.start_soon(_fail, stream, error)

    async with listener:
        if isinstance(listener.socket, StreamSocket):  # begin in the callback: it saves a turn of this task
            listener.socket.on_accept(begin_at_once)
        while True:
            begin(await listener.accept())


async def _fail(stream: trio.SocketStream, error: Exception) -> NoReturn:
    stream.socket.close()
    raise error


async def _handle(handler: Handler, stream: trio.SocketStream) -> None:
    try:
        await handler(stream)
    finally:
        stream.socket.close()
