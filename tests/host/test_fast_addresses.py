"""When the fast paths look at the addresses of all peers again. The outcome is test_fast.py's."""

from __future__ import annotations

from typing import Any

import pytest

from stack.wire.addresses import Prefix
from tests.host.direct_host import OTHER, US
from tests.host.fast_and_plain import MSS, Piece, Twin, row


class Connections(dict[bytes, Any]):
    """Connections that count how often all of them are looked at."""

    looks = 0

    def values(self) -> Any:
        self.looks += 1
        return super().values()


def test_a_change_of_routes_costs_no_look_at_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redirect changes routes, and may be forged."""
    twin = Twin(True)
    fast = twin.host.fast
    assert fast is not None
    connections = Connections(twin.host.tcp.connections)
    monkeypatch.setattr(fast, "_connections", connections)
    twin.hears(*twin.segments(*row(1)))
    epoch, looks = twin.host.ip.output.epoch, connections.looks
    twin.host.ip.routes.add(Prefix(OTHER, 32), twin.interface, source=US)
    assert twin.host.ip.output.epoch > epoch
    twin.hears(*twin.segments(Piece(MSS)))
    assert connections.looks == looks
    twin.host.add_address(twin.interface, Prefix(OTHER, 24), twin.now, acd="off")
    twin.hears(*twin.segments(Piece(2 * MSS)))
    assert connections.looks == looks + 1
