"""`pytest --digests FILE`: the digest of each simulated network, one line per test and network.

Two runs of the same code write the same file. So do the runs before and after a change that changes
no frame, which is how such a change is checked: `diff` names the tests whose frames, times or order
are others now.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.network import Hash, Network


class Digests:
    """Collects the networks that a test makes, and writes their digests when the test is over."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> object:
        hashes: list[Hash] = []
        Network.hashes = hashes
        try:
            return (yield)
        finally:
            Network.hashes = None
            for number, network in enumerate(hashes, 1):
                self._file.write(f"{network.hexdigest()} {number} {item.nodeid}\n")

    def pytest_sessionfinish(self) -> None:
        self._file.close()
