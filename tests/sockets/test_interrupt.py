"""Ctrl-C in the midst of a call of the program: the protocol code finishes its work first."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from stack import Ethernet, Host
from stack.link.memory import EthernetPort
from stack.wire.checksum import Buffer
from tests.sockets.hosts import ALICE, BOB, host_on, stream_pair

Call = Callable[[trio.SocketStream, Host], Awaitable[None]]


class Interrupted(EthernetPort):
    """A port that is interrupted while it sends its next frame, once it is armed."""

    armed = False
    finished = 0

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        if Interrupted.armed:
            Interrupted.armed = False
            signal.raise_signal(signal.SIGINT)
            Interrupted.finished += 1
        return super().write(parts, now, offload)


async def send(stream: trio.SocketStream, host: Host) -> None:
    await stream.send_all(b"x" * 100)


async def close(stream: trio.SocketStream, host: Host) -> None:
    stream.socket.shutdown(trio.socket.SHUT_WR)


async def datagram(stream: trio.SocketStream, host: Host) -> None:
    with host.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.sendto(b"x", (BOB, 9))


async def connect(stream: trio.SocketStream, host: Host) -> None:
    with host.socket() as sock:
        await sock.connect((BOB, 81))


async def interrupted(call: Call, stream: trio.SocketStream, host: Host) -> None:
    """Make the call, and wait for the interrupt."""
    await call(stream, host)
    await trio.sleep(1)


@pytest.mark.parametrize("call", [send, close, datagram, connect])
def test_ctrl_c_does_not_interrupt_protocol_code(call: Call) -> None:
    async def main() -> None:
        ethernet = Ethernet()
        link = ethernet.attach("alice")
        link.__class__ = Interrupted
        async with (
            host_on(link, f"{ALICE}/24") as alice,
            host_on(ethernet.attach("bob"), f"{BOB}/24", seed=2) as bob,
        ):
            ours, theirs = await stream_pair(alice, bob)
            before = Interrupted.finished
            Interrupted.armed = True
            with pytest.raises(KeyboardInterrupt):
                await interrupted(call, ours, alice)
            assert Interrupted.finished == before + 1
            if call is not close:
                await ours.send_all(b"and it goes on")
                received = b""
                while not received.endswith(b"goes on"):
                    received += await theirs.receive_some()
            for stream in (ours, theirs):
                await trio.aclose_forcefully(stream)

    trio.run(main, clock=MockClock(autojump_threshold=0))
