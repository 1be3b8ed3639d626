"""Catches exceptions of handlers, so that only one packet and its connection are lost."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable

from stack.counters import Counters
from stack.host.tcp_layer import TcpLayer
from stack.tcp.connection import Connection
from stack.tcp.tcb import Tcb

_MAX_REPORTS = 100


class Barrier:
    """Handles exceptions that are bugs of ours.

    `report(text)` is called once for each bug. With `raise_errors` the exception is raised instead;
    tests use that.
    """

    def __init__(
        self, counters: Counters, tcp: TcpLayer, raise_errors: bool, report: Callable[[str], None] | None
    ) -> None:
        self._counters = counters
        self._tcp = tcp
        self.raise_errors = raise_errors
        self._report = report
        self._reported: dict[str, None] = {}

    def tables(self) -> dict[str, int]:
        """How many bugs were reported."""
        return {"reported_faults": len(self._reported)}

    def failed(self, error: Exception, connection: Tcb | None, now: float) -> None:
        """A handler has raised.

        Count the bug, report it once with its traceback, and abort its connection.
        """
        if self.raise_errors:
            raise error
        self._counters.drop("handler_failed")
        where = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__} at {where[-1].filename}:{where[-1].lineno}" if where else type(error).__name__
        if self._report is not None and place not in self._reported and len(self._reported) < _MAX_REPORTS:
            self._reported[place] = None
            self._tell(self._report, error)
        if isinstance(connection, Connection):
            self._give_up(connection, now)

    def _tell(self, report: Callable[[str], None], error: Exception) -> None:
        """Report a bug. If `report` raises, that is counted too, and the host goes on."""
        try:
            report("".join(traceback.format_exception(error)))
        except Exception:
            self._counters.drop("handler_failed")

    def _give_up(self, connection: Connection, now: float) -> None:
        """Abort a connection, since its state may be wrong.

        If `abort` raises too, only remove it.
        """
        try:
            connection.abort(now, errno.ECONNABORTED)
        except Exception:
            self._counters.drop("handler_failed")
            self._tcp.discard(connection, errno.ECONNABORTED)
