"""Checkouts of a test's own: their scripts run the code in them, with their own interpreter and
this run's packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PARTS = ("scripts", "stack", "tools")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def copy_to(folder: Path) -> None:
    """What the set-up and the programs need."""
    for name in PARTS:
        shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(TOP / name, folder)


def furnish(checkout: Path) -> None:
    """Make the .venv that the set-up would make, without asking for packages."""
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    library = next((checkout / ".venv" / "lib").glob("python3*")) / "site-packages"
    others = [path for path in sys.path if path.endswith("-packages")]
    (library / "others.pth").write_text("\n".join([str(checkout), *others]) + "\n")
    (library / "tapstack").symlink_to(checkout / "tools")
    for want in ("run", "test", "fuzz"):
        (checkout / ".venv" / f".made-for-{want}").write_bytes(stamp(checkout))


def stamp(checkout: Path) -> bytes:
    """What the set-up writes down when it is done: it does nothing more as long as that is so."""
    parts = [(checkout / name).read_bytes() for name in ("pyproject.toml", "scripts/setup")]
    return subprocess.run(["cksum"], input=b"".join(parts), capture_output=True, check=True).stdout
