"""Random programs of socket calls, for the kernel's sockets and for ours.

A program is a list of steps, made from a seed. It makes one call at a time, and all that has been
sent arrives before the next. The steps name sockets by their numbers in the order in which they
were made; a step about a socket that is not there does nothing.
"""

from __future__ import annotations

import socket as stdlib
from collections.abc import Callable
from random import Random
from typing import Any

import trio
from trio.socket import SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, SocketType

from stack import open_host
from stack.sockets import options
from tests.sockets.worlds import aoutcome, outcome

HERE = "127.0.0.1"
MOST_SOCKETS = 6
PORTS = 4  # of a program

Step = tuple[Any, ...]

OPTIONS = [
    (SOL_SOCKET, stdlib.SO_REUSEADDR),
    (SOL_SOCKET, stdlib.SO_KEEPALIVE),
    (SOL_SOCKET, stdlib.SO_BROADCAST),
    (SOL_SOCKET, stdlib.SO_OOBINLINE),
    (stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY),
    (stdlib.IPPROTO_IP, stdlib.IP_TTL),
    (stdlib.IPPROTO_IP, stdlib.IP_TOS),
    (SOL_SOCKET, stdlib.SO_RCVLOWAT),
    (SOL_SOCKET, options.SO_REUSEPORT),
    (SOL_SOCKET, stdlib.SO_DONTROUTE),
    (stdlib.IPPROTO_TCP, options.TCP_CORK),
    (stdlib.IPPROTO_TCP, options.TCP_DEFER_ACCEPT),
    (stdlib.IPPROTO_IP, options.IP_FREEBIND),
    (stdlib.IPPROTO_UDP, options.UDP_SEGMENT),
]
OF_DATAGRAMS = [(SOL_SOCKET, options.SO_TIMESTAMP), (stdlib.IPPROTO_IP, options.IP_RECVERR)]  # refused for TCP
READ_ONLY = [
    (SOL_SOCKET, stdlib.SO_ERROR),
    (SOL_SOCKET, stdlib.SO_TYPE),
    (SOL_SOCKET, stdlib.SO_ACCEPTCONN),
]


def program(seed: int, steps: int = 24) -> list[Step]:
    """The steps of a program. It begins with two sockets, mostly a listener and a client."""
    random = Random(f"program {seed}")
    kind = random.choice((SOCK_STREAM, SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM))
    made: list[Step] = [("socket", kind), ("bind", 0, HERE, 0), ("listen", 0, 3), ("socket", kind), ("connect", 1, 0)]
    made = made[: random.randint(1, len(made))]
    while len(made) < steps:
        made.append(_step(random))
    return made


def _step(random: Random) -> Step:
    sock, port = random.randrange(MOST_SOCKETS), random.randrange(PORTS)
    call = random.choice(
        "socket bind connect connect listen accept accept send send send sendto recv recv recv recvfrom shutdown close"
        " names option option readable".split()
    )
    match call:
        case "socket":
            return call, random.choice((SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM))
        case "bind":
            return call, sock, random.choice((HERE, HERE, "0.0.0.0", "192.0.2.1")), random.choice((port, port, None))
        case "connect":
            return call, sock, port
        case "listen":
            return call, sock, random.choice((1, 3))
        case "send" | "sendto":
            return call, sock, random.choice((0, 1, 100, 3000)), port
        case "recv" | "recvfrom":
            return call, sock, random.choice((0, 1, 50, 4000)), random.choice((0, 0, stdlib.MSG_PEEK))
        case "shutdown":
            return call, sock, random.choice((stdlib.SHUT_RD, stdlib.SHUT_WR, stdlib.SHUT_WR, stdlib.SHUT_RDWR))
        case "option":
            option = random.choice((*OPTIONS, *OF_DATAGRAMS, *READ_ONLY))
            return call, sock, *option, random.choice((None, 0, 1, 64))
    return call, sock


class Running:
    """One program in one world. `ports` are the numbers that its ports have there."""

    def __init__(self, make: Callable[..., SocketType], ports: list[int]) -> None:
        self._make = make
        self._ports = ports
        self._sockets: list[SocketType] = []
        self._kinds: list[int] = []

    async def run(self, steps: list[Step]) -> list[Any]:
        """What each step gave."""
        happened: list[Any] = []
        for number, step in enumerate(steps):
            happened.append(self._plain(await self._take(number, *step)))
            for _ in range(30):
                await trio.lowlevel.checkpoint()
        for sock in self._sockets:
            sock.close()
        return happened

    async def _take(self, number: int, call: str, *words: Any) -> Any:
        if call == "socket":
            if len(self._sockets) < MOST_SOCKETS:
                self._sockets.append(self._make(stdlib.AF_INET, words[0]))
            return None
        if words[0] >= len(self._sockets):
            return None
        sock, words = self._sockets[words[0]], words[1:]
        match call:
            case "bind":
                return await aoutcome(sock.bind, (words[0], 0 if words[1] is None else self._ports[words[1]]))
            case "connect":
                return await aoutcome(sock.connect, (HERE, self._ports[words[0]]))
            case "accept":
                accepted = await aoutcome(sock.accept)
                if isinstance(accepted, tuple) and isinstance(accepted[0], SocketType):
                    if len(self._sockets) < MOST_SOCKETS:
                        self._sockets.append(accepted[0])
                    else:
                        accepted[0].close()
                    return "accepted", accepted[1]
                return accepted
            case "send":
                return await aoutcome(sock.send, bytes([number]) * words[0])
            case "sendto":
                return await aoutcome(sock.sendto, bytes([number]) * words[0], (HERE, self._ports[words[1]]))
            case "recv" | "recvfrom":
                return await aoutcome(getattr(sock, call), *words)
            case "names":
                return outcome(sock.getsockname), outcome(sock.getpeername)
            case "option":
                if words[:2] in OF_DATAGRAMS and sock.type == SOCK_STREAM:
                    return None
                if words[2] is not None:
                    return outcome(sock.setsockopt, *words)
                return outcome(sock.getsockopt, *words[:2])
            case "readable":
                return outcome(sock.is_readable)
        return outcome(getattr(sock, call), *words)

    def _plain(self, value: Any) -> Any:
        """A value with the program's ports by their numbers, and others as such."""
        if isinstance(value, tuple):
            if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int) and value[0][:1].isdigit():
                port = value[1]
                return value[0], self._ports.index(port) if port in self._ports else "other" if port else "none"
            return tuple(self._plain(part) for part in value)
        return value


async def in_the_kernel(seed: int, steps: list[Step]) -> list[Any]:
    """Run a program with the kernel's sockets. Each seed has ports of its own."""
    first = 10_000 + seed % 5000 * PORTS
    return await Running(trio.socket.socket, list(range(first, first + PORTS))).run(steps)


async def in_the_stack(seed: int, steps: list[Step]) -> list[Any]:
    """Run a program on a host of ours, which talks to itself."""
    async with open_host(random=Random(seed).randbytes, raise_errors=True) as host:
        return await Running(host.socket, list(range(10_000, 10_000 + PORTS))).run(steps)


CONNECT_AGAIN = "a nonblocking `connect` is not over for Linux before a second one has given its outcome"
FAILED_SHUTDOWN = "Linux ends a direction even if `shutdown` raises ENOTCONN"
SHUT_DATAGRAMS = "after SHUT_RD a nonblocking UDP socket of Linux is readable, and `recv` raises EAGAIN"
LISTEN_AGAIN = "to listen again needs SO_REUSEADDR on Linux while a connection has the port"


def first_difference(steps: list[Step], theirs: list[Any], ours: list[Any]) -> tuple[str, str]:
    """The first step that gave something else, in words, and why that is; "" if there is none."""
    for number, (step, one, other) in enumerate(zip(steps, theirs, ours, strict=True)):
        if one != other:
            before = [(earlier, theirs[n]) for n, earlier in enumerate(steps[:number]) if earlier[1:2] == step[1:2]]
            return f"step {number} {step}: the kernel {one!r}, ours {other!r}", _reason(step, one, before)
    return "", ""


def _reason(step: Step, theirs: Any, before: list[tuple[Step, Any]]) -> str:
    """Why a step gave something else; "" if that is not known. `before`: the earlier steps of its socket."""
    calls = [earlier[0] for earlier, _ in before]
    shut = [result for earlier, result in before if earlier[0] == "shutdown"]
    if step[0] == "connect" and "connect" in calls:
        return CONNECT_AGAIN
    if ("raised", "OSError", "ENOTCONN") in shut:
        return FAILED_SHUTDOWN
    if step[0] in ("recv", "recvfrom") and theirs == "waits" and None in shut:
        return SHUT_DATAGRAMS
    if step[0] == "listen" and theirs == ("raised", "OSError", "EADDRINUSE") and None in shut:
        return LISTEN_AGAIN
    return ""
