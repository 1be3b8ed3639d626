"""Small programs that use connections. They run like tasks, never inside a call of the protocol
code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stack.tcp.connection import Connection
from tests.sim.network import Machine


class Program:
    """Something that uses one connection. `step` is called whenever the connection has told of something.

    `error` is the errno that the connection ended with, None while there was none; `closed` says that the program has
    closed its end.
    """

    def __init__(self, machine: Machine, connection: Connection) -> None:
        self.machine = machine
        self.connection = connection
        self.error: int | None = None
        self.closed = False
        self._awake = False
        connection.on_readable = connection.on_writable = self.wake
        self.wake()

    @property
    def now(self) -> float:
        return self.machine.network.now

    def wake(self) -> None:
        """Run soon, once, however often this is called."""
        if not self._awake:
            self._awake = True
            self.machine.network.soon(self._run)

    def _run(self) -> None:
        self._awake = False
        if self.closed:
            return
        try:
            self.step()
        except OSError as error:
            self.error = error.errno
            self.close()
        self.machine.settle()

    def step(self) -> None:
        """Do what can be done now."""
        raise NotImplementedError

    def close(self) -> None:
        """The program has done its part."""
        self.closed = True
        self.connection.close(self.now)


class Exchange(Program):
    """Send `data` and then FIN; meanwhile receive until the other side's FIN; then close."""

    def __init__(self, machine: Machine, connection: Connection, data: bytes = b"") -> None:
        super().__init__(machine, connection)
        self.received = bytearray()
        self.done = False  # sent everything and received everything
        self._left = memoryview(data)
        self._sent_fin = False
        self._at_end = False

    def step(self) -> None:
        connection, now = self.connection, self.now
        if not connection.synchronized and not connection.error:
            return
        while self._left and (taken := connection.send(self._left, now)):
            self._left = self._left[taken:]
        if not self._left and not self._sent_fin:
            self._sent_fin = True
            connection.shutdown_write(now)
        while not self._at_end and (data := connection.receive(65536, now)) is not None:
            self.received += data
            self._at_end = not data
        if self._at_end and self._sent_fin:
            self.done = True
            self.close()


class Echo(Program):
    """Send back what comes; close when the other side has."""

    def __init__(self, machine: Machine, connection: Connection) -> None:
        super().__init__(machine, connection)
        self._pending = b""

    def step(self) -> None:
        connection, now = self.connection, self.now
        while True:
            if not self._pending:
                data = connection.receive(65536, now)
                if data is None:
                    return
                if not data:
                    self.close()
                    return
                self._pending = data
            taken = connection.send(self._pending, now)
            if not taken:
                return
            self._pending = self._pending[taken:]


class Requester(Program):
    """Every `interval_s` send a request to an echo server and take its answer; `answered` counts them."""

    def __init__(self, machine: Machine, connection: Connection, *, interval_s: float, times: int) -> None:
        super().__init__(machine, connection)
        self.answered = 0
        self._interval_s = interval_s
        self._times = times
        self._missing = 0
        self._started = False

    def step(self) -> None:
        connection = self.connection
        if not self._started:
            if not connection.synchronized and not connection.error:
                return
            self._started = True
            self._request()
        while self._missing and (data := connection.receive(self._missing, self.now)):
            self._missing -= len(data)
            if not self._missing:
                self.answered += 1
                if self.answered == self._times:
                    self.close()
                else:
                    self.machine.network.at(self.now + self._interval_s, self._next)

    def _next(self) -> None:
        if not self.closed:
            self._request()
            self.machine.settle()

    def _request(self) -> None:
        request = f"request {self.answered}".encode()
        self._missing = self.connection.send(request, self.now)
        assert self._missing == len(request)


class Server:
    """Listens on a port and gives every connection a program of its own."""

    def __init__(
        self,
        machine: Machine,
        port: int,
        program: Callable[[Machine, Connection], Program] = Echo,
        *,
        backlog: int = 128,
        **options: Any,
    ) -> None:
        self.machine = machine
        self.programs: list[Program] = []
        self.accepted = 0
        self.keep = True  # remember the programs; a server that has many customers may not want to
        self.listener = machine.listen(port, backlog=backlog, **options)
        self.listener.on_readable = lambda: machine.network.soon(self._accept)
        self._program = program

    def _accept(self) -> None:
        while (connection := self.listener.accept()) is not None:
            self.accepted += 1
            program = self._program(self.machine, connection)
            if self.keep:
                self.programs.append(program)
        self.machine.settle()

    def close(self) -> None:
        """Stop listening."""
        self.listener.close(self.machine.network.now)
        self.machine.settle()
