"""SO_BINDTODEVICE: every value and every length is taken or refused as the kernel does."""

from __future__ import annotations

import socket as stdlib

import pytest
from trio.socket import SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from trio.testing import MockClock

from stack.sockets.options import SO_BINDTODEVICE
from tests.sockets.hosts import host_on
from tests.sockets.test_options import VALUES
from tests.sockets.worlds import outcome

DEVICE = (SOL_SOCKET, SO_BINDTODEVICE)
NAMES = [b"lo", b"lo\0xx", b"no such one", b"x" * 15, b"x" * 16, b"\xff", b"lo" + bytes(20)]


@pytest.mark.parametrize("kind", [SOCK_DGRAM, SOCK_STREAM])
async def test_every_value_is_taken_or_refused_as_the_kernel_does(kind: int, autojump_clock: MockClock) -> None:
    async with host_on(None, None) as host:
        for value in (*VALUES, *NAMES):
            with stdlib.socket(type=kind) as theirs, host.socket(type=kind) as ours:
                assert outcome(ours.setsockopt, *DEVICE, value) == outcome(theirs.setsockopt, *DEVICE, value), value
                for length in (-1, 0, 1, 15, 16, 17, 1024, 1025):
                    expected = outcome(theirs.getsockopt, *DEVICE, length)
                    assert outcome(ours.getsockopt, *DEVICE, length) == expected, (value, length)
        with stdlib.socket(type=kind) as theirs, host.socket(type=kind) as ours:
            for length in (-1, 0, 4, 16):
                expected = outcome(theirs.setsockopt, *DEVICE, None, length)
                assert outcome(ours.setsockopt, *DEVICE, None, length) == expected
