"""Runs a command as a user without privileges, although the tests run as root.

The command gets a mount namespace of its own. In it, the user can read the interpreter and this
checkout, also where they are in a home directory that is closed to other users, and /dev/net/tun
has the mode that most systems give it. Nothing changes outside the namespace.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path

from tests.live.net import need, need_root

UID = 54321
TOP = Path(__file__).resolve().parents[2]
NODE = Path("/dev/net/tun")


def ordinary(*words: str) -> list[str]:
    """The command that runs `words` as a user without any privilege; skips where that cannot be arranged."""
    if os.geteuid() != 0:
        return list(words)
    need_root()
    need("unshare", "setpriv", "mount")
    user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all"]
    script = "\n".join(["set -e", "umask 022", *open_paths(), *open_node(), f"exec {shlex.join([*user, *words])}"])
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


def open_paths() -> list[str]:
    """Shell lines that put the interpreter and this checkout where an ordinary user can read them, at the same path."""
    lines: list[str] = []
    covered: dict[Path, list[Path]] = {}
    for path in dict.fromkeys(Path(place).resolve() for place in (sys.base_prefix, sys.prefix, TOP)):
        closed = [folder for folder in reversed(path.parents) if not folder.stat().st_mode & stat.S_IXOTH]
        if closed:
            covered.setdefault(closed[0], []).append(path)
    for number, (closed_folder, paths) in enumerate(covered.items()):
        hold = f"/run/tapstack-hold-{os.getpid()}-{number}"
        lines += [f"mkdir -p {hold}", f"mount -t tmpfs -o mode=700 tmpfs {hold}"]
        for n, path in enumerate(paths):
            lines += [f"mkdir {hold}/{n}", f"mount --bind {shlex.quote(str(path))} {hold}/{n}"]
        lines.append(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(closed_folder))}")
        for n, path in enumerate(paths):
            place = shlex.quote(str(path))
            lines += [f"mkdir -p {place}", f"mount --bind {hold}/{n} {place}", f"umount {hold}/{n}"]
        lines += [f"umount {hold}", f"rmdir {hold}"]
    return lines


def open_node() -> list[str]:
    """Shell lines that lay a 0666 copy of the tun node over the machine's own where that is closed."""
    status = NODE.stat()
    if status.st_mode & 0o666 == 0o666:
        return []
    hold = f"/run/tapstack-node-{os.getpid()}"
    number = f"{os.major(status.st_rdev)} {os.minor(status.st_rdev)}"
    return [
        f"mkdir -p {hold}",
        f"mount -t tmpfs -o mode=755,dev tmpfs {hold}",
        f"mknod -m 0666 {hold}/tun c {number}",
        f"mount --bind {hold}/tun {NODE}",
        f"umount -l {hold}",
        f"rmdir {hold}",
    ]
