"""Short runs of scripts/bench: every test of it runs against both stacks, and the echoes are right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.measuring.__main__ import KERNEL
from scripts.measuring.client import TESTS
from tests.live.net import need, need_root

pytestmark = pytest.mark.one_way

TOP = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_us_and_kernel_sockets(tmp_path: Path) -> None:
    need_root()
    need("ping", "unshare", "nsenter")
    file = tmp_path / "figures.json"
    command = ["unshare", "--net", sys.executable, "-m", "scripts.measuring"]
    options = ["--secs", "0.2", "--repeat", "1", "--offloads", "no offload", "--json", str(file)]
    done = subprocess.run([*command, *options], cwd=TOP, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text())["results"]
    assert list(results) == [KERNEL.name, "no offload"], done.stderr
    for figures in results.values():
        assert list(figures) == list(TESTS), done.stderr
        assert all(figure > 0 for (figure,) in figures.values())
