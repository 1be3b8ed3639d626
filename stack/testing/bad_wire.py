"""Two hosts on a wire that a test makes bad, and names without a name server.

`stack.testing.plugin` has them as fixtures. Nothing here needs pytest.
"""

from __future__ import annotations

import socket as stdlib
from typing import Any, Unpack

import trio

from stack.link.impair import Fields, Impaired, Impairment
from stack.sockets.host import Host
from stack.sockets.resolver import ipv4_only


class BadWire:
    """Two hosts, and the wire between them, which loses nothing until the test says so.

    client, server: the hosts. `trio.socket` makes the sockets of the client. For those of the
    server use its methods, such as `server.serve_tcp`, or `with server.install():`.
    to_server, to_client: the two directions of the wire, each a `stack.Direction`: it counts what
    happened, its `impairment` may be replaced, and `arm(stack.Fault(...))` loses, duplicates, swaps
    or corrupts a single frame.
    """

    def __init__(self, client: Host, server: Host, link: Impaired) -> None:
        self.client = client
        self.server = server
        self.to_server = link.outgoing
        self.to_client = link.incoming
        self._link = link

    def __repr__(self) -> str:
        return f"<BadWire: to the server {self.to_server!r}, to the client {self.to_client!r}>"

    def impair(self, **fields: Unpack[Fields]) -> None:
        """Let the wire do this to all frames of both directions from now on.

        The fields are those of `stack.Impairment`, such as `loss=0.1` or `delay_s=0.05`; those that
        are left out do nothing. ValueError and TypeError as from `stack.Impairment`.
        """
        self.to_server.impairment = self.to_client.impairment = Impairment(**fields)

    def heal(self) -> None:
        """Be a perfect wire from now on. Frames that are held pass at once."""
        self._link.heal()


class Names:
    """The sockets of a host, for `stack.sockets.resolver.installed`; each name has one address.

    No query leaves the process. A query by the machine's resolver would wait in a thread, while a
    virtual clock jumps. `address` is text; None: no name is known.
    """

    def __init__(self, host: Host) -> None:
        self.address: str | None = None
        self._host = host

    def socket(
        self, family: int = stdlib.AF_INET, type: int = stdlib.SOCK_STREAM, proto: int = 0, /
    ) -> trio.socket.SocketType:
        """As `Host.socket`."""
        return self._host.socket(family, type, proto)

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As `trio.socket.getaddrinfo`: `address`, whatever the name. gaierror if there is none."""
        await trio.lowlevel.checkpoint()
        if self.address is None:
            raise stdlib.gaierror(stdlib.EAI_NONAME, "no fixture of this test has another host: names lead nowhere")
        return stdlib.getaddrinfo(self.address, port, ipv4_only(family), type, proto, flags | stdlib.AI_NUMERICHOST)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `trio.socket.getnameinfo`: the address itself is the name."""
        await trio.lowlevel.checkpoint()
        return stdlib.getnameinfo(sockaddr, flags | stdlib.NI_NUMERICHOST)
