"""Fixtures of the tests of the programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a bit of everything, and secrets around it."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "root"
    (folder / "sub dir").mkdir(parents=True)
    (folder / "a.txt").write_text("text of a")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 4000)
    (folder / "sub dir" / "<b>&.html").write_text("<p>b")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<p>index")
    (folder / "out").symlink_to(tmp_path)
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "in.txt").symlink_to("a.txt")
    (folder / "loop").symlink_to("loop")
    (folder / "trap").mkdir()
    (folder / "trap" / "index.html").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "pipe")
    return folder.resolve()
