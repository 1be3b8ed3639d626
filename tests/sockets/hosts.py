"""Hosts for the tests of this folder, on an Ethernet in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import trio

from stack import Config, Ethernet, Host, Impaired, open_host
from stack.link.device import Link

ALICE, BOB = "10.9.0.1", "10.9.0.2"
NOBODY = "10.9.0.99"  # an address on the Ethernet that no host has


@asynccontextmanager
async def host_on(
    link: Link | None,
    address: str | None,
    *,
    seed: int = 1,
    config: Config | None = None,
    gateway: str | None = None,
    acd: str | None = "off",
) -> AsyncIterator[Host]:
    """A host whose failures end the test, and whose secrets are the same every time; its address is not probed for."""
    async with open_host(
        link,
        address=address,
        gateway=gateway,
        acd=acd,
        config=Config() if config is None else config,
        random=Random(seed).randbytes,
        raise_errors=True,
    ) as host:
        yield host
        assert host.counters()["handler_failed"] == 0


class Cut:
    """A predicate for `Impaired`: loses everything once it is made."""

    def __init__(self) -> None:
        self.made = False

    def __call__(self, frame: bytes, number: int) -> bool:
        return self.made


@asynccontextmanager
async def two_hosts(
    config: Config | None = None, *, ethernet: Ethernet | None = None, cut: Cut | None = None
) -> AsyncIterator[tuple[Host, Host]]:
    """ALICE and BOB on one segment; `cut` loses what passes between them."""
    ethernet = Ethernet() if ethernet is None else ethernet
    ports = ethernet.attach("alice"), ethernet.attach("bob")
    async with AsyncExitStack() as stack:
        links: list[Link] = [Impaired(port, drop=cut) if cut is not None else port for port in ports]
        alice = await stack.enter_async_context(host_on(links[0], f"{ALICE}/24", seed=1, config=config))
        bob = await stack.enter_async_context(host_on(links[1], f"{BOB}/24", seed=2, config=config))
        yield alice, bob


async def stream_pair(client: Host, server: Host, address: str = BOB) -> tuple[trio.SocketStream, trio.SocketStream]:
    """A connection from one host to another: (the client's end, the server's)."""
    (listener,) = await server.open_tcp_listeners(0)
    async with listener:
        port = listener.socket.getsockname()[1]
        ends: list[trio.SocketStream] = []

        async def accept() -> None:
            ends.append(await listener.accept())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            stream = await client.open_tcp_stream(address, port)
    return stream, ends[0]


async def clog(stream: trio.SocketStream) -> None:
    """Send until nothing more is taken."""
    scope = trio.CancelScope()
    while not scope.cancelled_caught:
        with trio.CancelScope(deadline=trio.current_time() + 60) as scope:
            await stream.send_all(b"x" * 65536)


async def clogged_pair(client: Host, server: Host) -> tuple[trio.SocketStream, trio.SocketStream]:
    """As `stream_pair`, but neither end can send any more until the other reads."""
    ours, theirs = await stream_pair(client, server)
    await clog(ours)
    await clog(theirs)
    return ours, theirs


async def until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Let others run until `condition` holds; only when that does not help, let time pass."""
    with trio.fail_after(timeout_s):
        for _ in range(100):
            if condition():
                return
            await trio.lowlevel.checkpoint()
        while not condition():
            await trio.sleep(0.001)
