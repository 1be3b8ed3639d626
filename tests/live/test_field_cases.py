"""Cases from real programs: between this stack and the kernel the outcome is the same as over the
kernel's loopback.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio

import stack
from tests.live.net import OURS, THEIRS, Namespace
from tests.live.tap_host import on_tap
from tests.sockets.field_cases import FIELD_CASES
from tests.sockets.worlds import World, run_in_the_kernel

pytestmark = pytest.mark.live

PATIENCE_S = 0.2


@pytest.mark.parametrize("name", FIELD_CASES)
def test_same_as_the_kernel(namespace: Namespace, name: str) -> None:
    """The kernel is the server of our client, then the client of our server, and both in the comparison."""
    case = FIELD_CASES[name]
    kernel = trio.socket.socket

    async def both_ways(host: stack.Host) -> list[Any]:
        await host.ping(THEIRS)  # so that addresses are resolved, as they are on the loopback
        return [
            await case(World(host.socket, kernel, THEIRS, 4, PATIENCE_S)),
            await case(World(kernel, host.socket, OURS, 4, PATIENCE_S)),
        ]

    expected = namespace.in_here(run_in_the_kernel, case)
    as_client, as_server = on_tap(namespace, both_ways)
    assert as_client == expected
    assert as_server == expected
