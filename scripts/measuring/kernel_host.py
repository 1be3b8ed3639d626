"""The services on the kernel's own sockets, for comparison with our stack.

usage: python -m scripts.measuring.kernel_host ADDRESS HTTP_ROOT

It runs the code of `tools.services` and `tools.httpd` unchanged, and prints "ready:" when they listen.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import trio

from tools import httpd, services
from tools.options import PORTS

if TYPE_CHECKING:
    from stack import Host


class KernelHost:
    """The part of `stack.Host` that the services use."""

    open_tcp_listeners = staticmethod(trio.open_tcp_listeners)
    serve_listeners = staticmethod(trio.serve_listeners)
    socket = staticmethod(trio.socket.socket)

    def __init__(self, address: str) -> None:
        self._address = address

    def interfaces(self) -> list[SimpleNamespace]:
        """One interface, with the address of the benchmark."""
        return [SimpleNamespace(addresses=[self._address])]

    async def wait_interfaces_change(self, seen: object) -> list[SimpleNamespace]:
        """Wait for ever: the interfaces do not change."""
        await trio.sleep_forever()
        return self.interfaces()


async def main(address: str, root: str) -> None:
    """Serve until killed."""
    host = cast("Host", KernelHost(address))
    async with trio.open_nursery() as nursery:
        await services.serve(host, {name: port for name, port in PORTS.items() if name != "http"}, nursery)
        handler = services.guarded("http", httpd.handler(host, Path(root)))
        await services.serve_tcp(host, handler, PORTS["http"], nursery)
        print("ready: kernel sockets", flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
