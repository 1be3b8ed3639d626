"""Where the page is reached: a port of 127.0.0.1, and a token that only the user gets.

`tapstack lab` opens it before it enters its network namespace. The socket stays in the user's own
one, where the browser is.
"""

from __future__ import annotations

import secrets
import socket
from importlib.util import find_spec

from ..output import Failed

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 16
BACKLOG = 1024  # in a flood of connections, that of the page waits for its turn


class Door:
    """A listening socket, the token, and the URL of the page."""

    def __init__(self, port: int, option: str = "--inspect") -> None:
        """Listen on this port, or on a free one if it is 0. `option` is what asked for it. Raises Failed."""
        if find_spec("h11") is None:
            raise Failed(f"{option} needs h11: pip install 'tapstack[tools]'")
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((LOOPBACK, port))
            self.socket.listen(BACKLOG)
        except OSError as error:
            self.socket.close()
            raise Failed(f"{option}: port {port} of {LOOPBACK} cannot be used: {error.strerror}") from None
        self.url = f"http://{LOOPBACK}:{self.socket.getsockname()[1]}/{self.token}/"

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()
