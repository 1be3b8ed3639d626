"""Every packet-level test ends in silence: nothing unclaimed, nothing overdue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .world import World


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    World.live.clear()
    yield
    for world in World.live:
        world.check_over()
    World.live.clear()
