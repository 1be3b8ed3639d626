"""Putting a host in the kernel's place: which sockets and which names a task gets from `trio.socket`.

trio keeps one socket factory and one resolver per run. Ours ask a context variable, which child tasks inherit, so
that several hosts can be in use in one run, each by the tasks started under it; a task that is under none gets what it
would have got without us.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import trio

from stack.sockets.options import fail

STREAM_PROTOCOLS = (0, stdlib.IPPROTO_TCP)
DATAGRAM_PROTOCOLS = (0, stdlib.IPPROTO_UDP)
KIND_MASK = ~(stdlib.SOCK_NONBLOCK | stdlib.SOCK_CLOEXEC)


class Sockets(Protocol):
    """What makes sockets and knows names: a host."""

    def socket(self, family: int = ..., type: int = ..., proto: int = ..., /) -> trio.socket.SocketType: ...

    async def getaddrinfo(
        self, host: bytes | None, port: bytes | str | int | None, family: int, type: int, proto: int, flags: int
    ) -> Any: ...

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]: ...


current: ContextVar[Sockets | None] = ContextVar("stack_host", default=None)


class Factory(trio.abc.SocketFactory):
    """Makes the current host's sockets for IPv4, and everybody else's for families it has nothing to do with.

    IPv6 is refused (EAFNOSUPPORT), and not left to the kernel: a server that listens on all addresses is to listen on
    the host's.
    """

    def __init__(self, otherwise: trio.abc.SocketFactory | None) -> None:
        self._otherwise = otherwise

    def socket(
        self, family: int = stdlib.AF_INET, type: int = stdlib.SOCK_STREAM, proto: int = 0
    ) -> trio.socket.SocketType:
        """As `trio.socket.socket`."""
        host = current.get()
        if host is not None and family in (stdlib.AF_INET, stdlib.AF_INET6):
            return host.socket(family, type, proto)
        if self._otherwise is not None:
            return self._otherwise.socket(family, type, proto)
        return trio.socket.from_stdlib_socket(stdlib.socket(family, type, proto))


class Resolver(trio.abc.HostnameResolver):
    """Asks the current host for names, and whoever was asked before when there is none."""

    def __init__(self, otherwise: trio.abc.HostnameResolver | None) -> None:
        self._otherwise = otherwise

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As `trio.socket.getaddrinfo`, for what is no numeric address."""
        asked: Sockets | trio.abc.HostnameResolver | None = current.get() or self._otherwise
        if asked is not None:
            return await asked.getaddrinfo(host, port, family, type, proto, flags)
        return await in_thread(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `trio.socket.getnameinfo`."""
        asked: Sockets | trio.abc.HostnameResolver | None = current.get() or self._otherwise
        if asked is not None:
            return await asked.getnameinfo(sockaddr, flags)
        return await trio.to_thread.run_sync(stdlib.getnameinfo, sockaddr, flags, abandon_on_cancel=True)


async def in_thread(
    host: bytes | str | None, port: bytes | str | int | None, family: int, type: int, proto: int, flags: int
) -> Any:
    """Ask the machine's own resolver, which blocks, in a thread."""
    return await trio.to_thread.run_sync(
        stdlib.getaddrinfo, host, port, family, type, proto, flags, abandon_on_cancel=True
    )


@contextmanager
def installed(host: Sockets) -> Iterator[None]:
    """Within this block, in this task and those it starts, `trio.socket` is the host's.

    Our factory and resolver stay behind until the run ends: taken away, they would leave tasks that still run under the
    host to the kernel, without a word.
    """
    factory = trio.socket.set_custom_socket_factory(None)
    trio.socket.set_custom_socket_factory(factory if isinstance(factory, Factory) else Factory(factory))
    resolver = trio.socket.set_custom_hostname_resolver(None)
    trio.socket.set_custom_hostname_resolver(resolver if isinstance(resolver, Resolver) else Resolver(resolver))
    token = current.set(host)
    try:
        yield
    finally:
        current.reset(token)


def check_kind(family: int, kind: int, proto: int) -> stdlib.SocketKind:
    """SOCK_STREAM or SOCK_DGRAM, if we have such a socket; OSError as socket(2) raises it if not."""
    if family != stdlib.AF_INET:
        fail(errno.EAFNOSUPPORT)
    kind &= KIND_MASK
    if kind == stdlib.SOCK_STREAM:
        return stdlib.SOCK_STREAM if proto in STREAM_PROTOCOLS else fail(errno.EPROTONOSUPPORT)
    if kind == stdlib.SOCK_DGRAM:
        return stdlib.SOCK_DGRAM if proto in DATAGRAM_PROTOCOLS else fail(errno.EPROTONOSUPPORT)
    return fail(errno.ESOCKTNOSUPPORT)
