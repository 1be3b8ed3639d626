"""Two hosts on a wire that loses, reorders, doubles and breaks frames: what one sends is what the
other gets.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.transfer import BAD_WIRE, Transfer, fingerprint

TOP = Path(__file__).resolve().parent.parent.parent
MEGABYTE = 1_000_000


@pytest.mark.parametrize("seed", range(50))
def test_a_megabyte_each_way_arrives_intact(seed: int) -> None:
    transfer = Transfer(seed, MEGABYTE)
    transfer.run()
    [served] = transfer.served
    assert bytes(served.received) == transfer.up
    assert bytes(transfer.client.received) == transfer.down
    assert not transfer.here.host.tcp.connections
    assert not transfer.there.host.tcp.connections
    for wire in transfer.wires:  # and the wire was as bad as it should have been
        way = wire.outgoing
        assert way.lost > BAD_WIRE.loss * way.frames / 2
        assert way.reordered > BAD_WIRE.reorder * way.frames / 2
        assert way.duplicated > BAD_WIRE.duplicate * way.frames / 3
        assert way.corrupted > BAD_WIRE.corrupt * way.frames / 5


def test_the_same_seed_gives_the_same_bytes_at_the_same_times(tmp_path: Path) -> None:
    """In this process and in others, whatever their hashes of strings are; another seed gives others."""

    def elsewhere(hash_seed: str) -> str:
        folder = tmp_path / hash_seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "tests.sim.transfer", "7", "100000", str(folder)]
        done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    (tmp_path / "here").mkdir()
    (tmp_path / "other").mkdir()
    here = fingerprint(7, 100_000, tmp_path / "here")
    assert elsewhere("1") == here
    assert elsewhere("4242") == here
    assert set(fingerprint(8, 100_000, tmp_path / "other").split()).isdisjoint(here.split())
    assert (tmp_path / "here" / "host1.pcapng").stat().st_size > 100_000
