"""A program started by root gives up its rights, so that a harmful frame can do little damage.

It does so once the TAP and all files are open. See capabilities(7), credentials(7), prctl(2) and
user_namespaces(7). Only root, of any user namespace, has rights to give up. `tapstack lab` keeps
its rights, since it runs the user's own command.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import importlib.util
import os
import pkgutil
import struct
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import stack

from .namespace import CAPABILITY_VERSION_3, check, has_capability

NOBODY = "nobody"
OVERFLOW_ID = 65534  # proc_sys_kernel(5): stands for users that are not mapped
CAP_SETGID, CAP_SETUID, CAP_SETPCAP = 6, 7, 8
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_DUMPABLE = 1, 2, 4
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
PACKAGE = __name__.rpartition(".")[0]
# Modules that Python, trio and h11 import only when they need them.
LATE = (
    "encodings.idna",
    "encodings.latin_1",
    "encodings.unicode_escape",
    "stringprep",
    "unicodedata",
    "_strptime",
    "h11",
    "mimetypes",
    "linecache",
    "importlib.readers",
)
NEED_H11 = ("httpd", "inspector.server")  # modules that import it


@dataclass(frozen=True)
class User:
    """The user that a program started by root becomes.

    `asked`: the command line names this user.
    """

    name: str
    uid: int
    gid: int
    asked: bool = False


ROOT = User("root", 0, 0, asked=True)


def user(text: str) -> User:
    """Parse --user: a name or a number."""
    if sys.platform != "linux":
        raise argparse.ArgumentTypeError("a program can change its user on Linux only")
    import pwd

    try:
        entry = pwd.getpwuid(int(text)) if text.isascii() and text.isdigit() else pwd.getpwnam(text)
    except (KeyError, OverflowError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a user of this machine") from None
    if entry.pw_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise argparse.ArgumentTypeError(f"only root can become {entry.pw_name}")
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, asked=True)


def default_user() -> User:
    """Return the owner of this program's folder, or nobody if that is root."""
    import pwd

    owner = os.stat(os.path.dirname(os.path.abspath(__file__))).st_uid
    for name in (owner, NOBODY):
        try:
            entry = pwd.getpwuid(name) if isinstance(name, int) else pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return User(NOBODY, OVERFLOW_ID, OVERFLOW_ID)


def give_up(wanted: User | None) -> User | None:
    """Become this user (None: the default one) without any capability, if this process is root's.

    Returns the user that this process has become. Returns None and changes nothing if the process
    is not root's, or `wanted` is root. In a user namespace without other users (`unshare
    --map-root-user`) root gives up only its capabilities, and a `wanted` user is refused. Every
    module that may be needed later is imported first, since the new user may not be able to read
    it. OSError when a right could not be given up.
    """
    if os.geteuid() != 0 or (wanted is not None and wanted.uid == 0):
        return None
    new = default_user() if wanted is None else wanted
    import_all()
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("rights must be given up before another thread starts: each thread has its own")
    libc = ctypes.CDLL(None, use_errno=True)
    if has_capability(CAP_SETPCAP):
        for number in range(int(LAST_CAPABILITY.read_text()) + 1):
            check(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0))
    signal = ctypes.c_int()
    check(libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(signal)))
    if may_become(new):
        os.setgroups([])
        os.setresgid(new.gid, new.gid, new.gid)
        os.setresuid(new.uid, new.uid, new.uid)
    elif new.asked:
        raise PermissionError(f"this root may not become {new.name}: its container lacks that user, or forbids it")
    else:
        new = User("root", 0, 0)
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    head = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0))
    check(libc.capset(head, ctypes.create_string_buffer(24)))
    # Other processes of this user must not read this one's memory or trace it: it holds data that root has read.
    # They can still send signals.
    check(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    # The change of user has cleared the death signal, by which this process ends with its parent. Set it again.
    check(libc.prctl(PR_SET_PDEATHSIG, signal.value, 0, 0, 0))
    if os.getresuid() != (new.uid,) * 3 or os.getresgid() != (new.gid,) * 3 or any(map(has_capability, range(64))):
        raise RuntimeError(f"this process has not become {new.name}")
    return new


def may_become(new: User) -> bool:
    """Return whether this root may change its user and groups to ones that its user namespace has."""
    if not (has_capability(CAP_SETGID) and has_capability(CAP_SETUID)):
        return False
    try:
        if Path("/proc/self/setgroups").read_text().strip() == "deny":
            return False
    except FileNotFoundError:
        pass  # a kernel without user namespaces
    return _mapped("uid_map", new.uid) and _mapped("gid_map", new.gid)


def _mapped(file: str, number: int) -> bool:
    try:
        lines = Path("/proc/self", file).read_text().splitlines()
    except FileNotFoundError:
        return True
    ranges = [tuple(map(int, line.split())) for line in lines]
    return any(first <= number < first + count for first, _, count in ranges)


def import_all() -> None:
    """Import all modules that this program may need later, and let Python load its own late ones."""
    for package in (PACKAGE, stack.__name__):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if module.name.rpartition(".")[2] == "__main__" or ".examples." in module.name:
                continue  # programs of their own
            if module.name.startswith("stack.testing."):
                continue  # for tests; one of them needs pytest
            if _lacks_its_extra(module.name):
                continue
            importlib.import_module(module.name)
    for name in LATE:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    "a".encode("idna")
    time.strptime("1", "%d")
    try:
        raise ExceptionGroup("", [OSError()])
    except ExceptionGroup:
        traceback.format_exc()


def _lacks_its_extra(name: str) -> bool:
    return name.removeprefix(f"{PACKAGE}.") in NEED_H11 and importlib.util.find_spec("h11") is None
