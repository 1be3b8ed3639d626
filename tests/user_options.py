"""What the user asks of a connection, for tests: by the names of the fields of `UserOptions`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stack.tcp.options import UserOptions
from stack.tcp.tcb import Services, Tcb


def set_options(conn: Tcb, **options: Any) -> None:
    """Change options of a connection. A change is noticed as soon as anything happens."""
    conn.set_options(replace(conn.user_options, **options))


def user_options(services: Services, **options: Any) -> UserOptions:
    """The default options of a host, with these changes."""
    return replace(services.user_options, **options)
