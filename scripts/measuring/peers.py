"""Builds the other stacks of `scripts/bench --peers` from Debian packages, and says what is missing.

gVisor's netstack (Go) and lwIP (C) come as libraries; the programs around them are in
`scripts/peers/`. A program is built once for each state of its source, its library and its
compiler, into `tapstack/peers` below XDG_CACHE_HOME (default: ~/.cache). Nothing is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.measuring.client import Ports
from scripts.measuring.testbed import Column

SOURCES = Path(__file__).resolve().parent.parent / "peers"
GO_PACKAGES = Path("/usr/share/gocode")
FDBASED = GO_PACKAGES / "src/gvisor.dev/gvisor/pkg/tcpip/link/fdbased/endpoint.go"
LWIP = Path("/usr/include/lwip/lwip/tcp.h")
# Its link has TSO on sockets alone. The condition stands once in the file, around what sets TSO.
SOCKETS_ONLY, EVERYWHERE = "\t\tif isSocket {\n\t\t\tif opts.GSOMaxSize", "\t\t{\n\t\t\tif opts.GSOMaxSize"
BUILD_S = 600


class Missing(Exception):
    """A peer cannot be built. The text is one line, with the command that would help."""


@dataclass(frozen=True)
class Peer:
    """A program that can be built. `needs`: a program or file, and the Debian package that has it."""

    source: str
    needs: tuple[tuple[str, str], ...]
    build: Callable[[Path, Path], list[str]]  # source, program to make: the command
    columns: tuple[tuple[str, tuple[str, ...]], ...]  # name, options of the program


def build_gvisor(source: Path, program: Path) -> list[str]:
    """Lay a copy of one file with TSO on a TAP over gVisor's own. Returns the command."""
    text = FDBASED.read_text(encoding="utf-8")
    if text.count(SOCKETS_ONLY) != 1:
        raise Missing(f"{FDBASED} is of a version of gVisor that is not known here")
    patched, overlay = program.parent / "endpoint.go", program.parent / "overlay.json"
    patched.write_text(text.replace(SOCKETS_ONLY, EVERYWHERE), encoding="utf-8")
    overlay.write_text(json.dumps({"Replace": {str(FDBASED): str(patched)}}), encoding="utf-8")
    return ["go", "build", "-overlay", str(overlay), "-o", str(program), str(source)]


def build_lwip(source: Path, program: Path) -> list[str]:
    """Return the command."""
    return ["gcc", "-std=gnu11", "-O2", "-Wall", "-I/usr/include/lwip", "-o", str(program), str(source), "-llwip"]


PEERS = {
    "gvisor": Peer(
        "gvisor.go",
        (("go", "golang-go"), (str(FDBASED), "golang-gvisor-gvisor-dev")),
        build_gvisor,
        (("gVisor TSO", ("-tso",)), ("gVisor TSO again", ("-tso",)), ("gVisor plain", ())),
    ),
    "lwip": Peer("lwip.c", (("gcc", "gcc"), (str(LWIP), "liblwip-dev")), build_lwip, (("lwIP", ()),)),
}


def cache_folder() -> Path:
    """Return the folder for the programs; make it if it is not there.

    XDG_CACHE_HOME counts if it is absolute (XDG Base Directory Specification). A folder into which
    other users may write is refused: root runs what is in it.
    """
    above = os.environ.get("XDG_CACHE_HOME", "")
    folder = (Path(above) if above.startswith("/") else Path.home() / ".cache") / "tapstack" / "peers"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        states = [folder.stat(), folder.parent.stat()]
    except OSError as error:
        raise Missing(f"cannot make {folder}: {error.strerror} (XDG_CACHE_HOME names another place)") from None
    if any(state.st_uid != os.geteuid() or state.st_mode & 0o022 for state in states):
        raise Missing(f"other users may write in {folder}: name a folder of yours by XDG_CACHE_HOME")
    return folder


def lacks(peer: Peer) -> list[str]:
    """Return the Debian packages that building a peer takes and that are not there."""
    return [
        package
        for need, package in peer.needs
        if not (Path(need).exists() if need.startswith("/") else shutil.which(need))
    ]


def digest(peer: Peer) -> str:
    """Return what the program depends on, as a few hexadecimal digits."""
    state = hashlib.sha256()
    for path in (SOURCES / peer.source, Path(__file__), *(Path(shutil.which(need) or need) for need, _ in peer.needs)):
        status = path.stat()
        own = path.read_bytes() if SOURCES.parent in path.parents else b"%d %d" % (status.st_size, status.st_mtime_ns)
        state.update(b"%s\0%d\0" % (os.fsencode(path.name), len(own)) + own)
    return state.hexdigest()[:12]


def build(name: str, cache: Path) -> Path:
    """Return a peer's program; build it if this state of it has not been built.

    Raises `Missing` when the compiler fails.
    """
    peer = PEERS[name]
    place = cache / f"{name}-{digest(peer)}"
    if place.exists():
        return place
    print(f"building {name} in {cache} (only this time)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = Path(folder) / name
        go = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(GO_PACKAGES), "GOCACHE": str(cache / "go")}
        done = subprocess.run(
            peer.build(SOURCES / peer.source, made),
            env={**os.environ, **go, "GOPROXY": "off", "GOTOOLCHAIN": "local"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_S,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            told = next((line for line in lines if "error" in line), lines[-1] if lines else "no output")
            raise Missing(f"{name} does not build: {told[:300]}")
        made.replace(place)
    return place


def missing_packages(names: list[str]) -> list[str]:
    """Return the Debian packages that building these peers takes and that are not there."""
    return [package for name in names for package in lacks(PEERS[name])]


def columns(names: list[str]) -> list[Column]:
    """Build these peers and return their columns, gVisor with TSO twice.

    The second gVisor shows how much two runs of the same program differ. Raises `Missing`.
    """
    if missing := missing_packages(names):
        raise Missing(f"not installed: apt install --no-install-recommends {' '.join(missing)}")
    cache = cache_folder()
    found = []
    for name in names:
        program = str(build(name, cache))
        for column, options in PEERS[name].columns:
            found.append(Column(column, (program, *options), Ports(), says_ready=False, http=False))
    return found
