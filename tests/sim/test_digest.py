"""The digest of a network: what it covers, and that it depends on nothing but the seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.sim.network import pair

TOP = Path(__file__).parents[2]


def digest(seed: int = 1, ping: bytes = b"octets", at_s: float = 1.0, **impairment: Any) -> str:
    """Of two hosts of which the first pings the second after `at_s` seconds."""
    network, here, _ = pair(seed, **impairment)
    network.run(for_s=at_s)
    here.ping("10.0.0.2", ping)
    network.run(for_s=10.0)
    return network.digest


def test_equal_runs_have_equal_digests() -> None:
    assert digest() == digest()


def test_the_octets_count() -> None:
    assert digest(ping=b"octetS") != digest()


def test_the_time_of_a_frame_counts() -> None:
    assert digest(at_s=1.001) != digest()


def test_frames_that_are_read_by_no_host_count() -> None:
    """The wire loses each frame, so that all that can differ is what was sent."""
    assert digest(loss=1.0) != digest(loss=1.0, at_s=1.001)


def test_who_reads_a_frame_counts() -> None:
    assert digest(loss=1.0) != digest()


def recorded(path: Path, hash_seed: str) -> str:
    """What `pytest --digests` writes about a test with two networks, in a process of its own."""
    test = "tests/sim/test_digest.py::test_equal_runs_have_equal_digests"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test, "--digests", str(path)]
    subprocess.run(command, cwd=TOP, env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True, capture_output=True)
    return path.read_text(encoding="utf-8")


def test_pytest_writes_the_digests_and_the_hash_seed_does_not_matter(tmp_path: Path) -> None:
    first = recorded(tmp_path / "first", "1")
    name = "tests/sim/test_digest.py::test_equal_runs_have_equal_digests"
    assert first == f"{digest()} 1 {name}\n{digest()} 2 {name}\n"
    assert recorded(tmp_path / "second", "2") == first
