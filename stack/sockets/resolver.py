"""Makes `trio.socket` create the sockets of a host instead of the kernel's, and resolve names.

trio has one socket factory and one resolver per run. Ours look up the current host in a context
variable, which child tasks inherit. So several hosts can be used in one run, each by the tasks
started under it. A task without a host gets the sockets it would have got without us.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import trio

from stack.sockets.numbers import number
from stack.sockets.options import fail

STREAM_PROTOCOLS = (0, stdlib.IPPROTO_TCP)
DATAGRAM_PROTOCOLS = (0, stdlib.IPPROTO_UDP)
EAI_ADDRFAMILY = number("EAI_ADDRFAMILY", -9)
KIND_MASK = ~(number("SOCK_NONBLOCK", 0x800) | number("SOCK_CLOEXEC", 0x8_0000))


class SocketProvider(Protocol):
    """A host, which makes sockets and resolves names."""

    def socket(self, family: int = ..., type: int = ..., proto: int = ..., /) -> trio.socket.SocketType: ...

    async def getaddrinfo(
        self, host: bytes | None, port: bytes | str | int | None, family: int, type: int, proto: int, flags: int
    ) -> Any: ...

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]: ...


current: ContextVar[SocketProvider | None] = ContextVar("stack_host", default=None)


class Factory(trio.abc.SocketFactory):
    """Makes the current host's sockets for IPv4, and the former factory's for other families.

    IPv6 is refused (EAFNOSUPPORT) and not left to the kernel: a server that listens on all
    addresses must listen on the host's.
    """

    def __init__(self, fallback: trio.abc.SocketFactory | None) -> None:
        self._fallback = fallback

    def socket(
        self, family: int = stdlib.AF_INET, type: int = stdlib.SOCK_STREAM, proto: int = 0
    ) -> trio.socket.SocketType:
        """As `trio.socket.socket`."""
        host = current.get()
        if host is not None and family in (stdlib.AF_INET, stdlib.AF_INET6):
            return host.socket(family, type, proto)
        if self._fallback is not None:
            return self._fallback.socket(family, type, proto)
        return trio.socket.from_stdlib_socket(stdlib.socket(family, type, proto))


class Resolver(trio.abc.HostnameResolver):
    """Resolves names by the current host, or by the former resolver without one."""

    def __init__(self, fallback: trio.abc.HostnameResolver | None) -> None:
        self._fallback = fallback

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As `trio.socket.getaddrinfo`, for hosts that are not numeric addresses."""
        asked: SocketProvider | trio.abc.HostnameResolver | None = current.get() or self._fallback
        if asked is not None:
            return await asked.getaddrinfo(host, port, family, type, proto, flags)
        return await in_thread(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `trio.socket.getnameinfo`."""
        asked: SocketProvider | trio.abc.HostnameResolver | None = current.get() or self._fallback
        if asked is not None:
            return await asked.getnameinfo(sockaddr, flags)
        return await trio.to_thread.run_sync(stdlib.getnameinfo, sockaddr, flags, abandon_on_cancel=True)


def ipv4_only(family: int) -> int:
    """AF_INET for AF_UNSPEC. gaierror(EAI_ADDRFAMILY) for IPv6, which a host does not have."""
    if family == stdlib.AF_INET6:
        raise stdlib.gaierror(EAI_ADDRFAMILY, "Address family for hostname not supported")
    return stdlib.AF_INET if family == stdlib.AF_UNSPEC else family


async def in_thread(
    host: bytes | str | None, port: bytes | str | int | None, family: int, type: int, proto: int, flags: int
) -> Any:
    """Call the machine's resolver, which blocks, in a thread."""
    return await trio.to_thread.run_sync(
        stdlib.getaddrinfo, host, port, family, type, proto, flags, abandon_on_cancel=True
    )


@contextmanager
def installed(host: SocketProvider) -> Iterator[None]:
    """In this block, and in tasks started in it, `trio.socket` uses the host.

    Our factory and resolver stay installed until trio's run ends. If they were removed, tasks that
    still run under the host would silently get the kernel's sockets.
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
    """SOCK_STREAM or SOCK_DGRAM. OSError as from socket(2) for other sockets."""
    if family != stdlib.AF_INET:
        fail(errno.EAFNOSUPPORT)
    kind &= KIND_MASK
    if kind == stdlib.SOCK_STREAM:
        return stdlib.SOCK_STREAM if proto in STREAM_PROTOCOLS else fail(errno.EPROTONOSUPPORT)
    if kind == stdlib.SOCK_DGRAM:
        return stdlib.SOCK_DGRAM if proto in DATAGRAM_PROTOCOLS else fail(errno.EPROTONOSUPPORT)
    return fail(errno.ESOCKTNOSUPPORT)
