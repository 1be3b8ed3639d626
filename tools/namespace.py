"""A network without root: this process enters a user namespace, and a network namespace in it.

See user_namespaces(7), network_namespaces(7) and capabilities(7). Python 3.11 has no os.unshare, so
it is called in libc.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

from . import kernel
from .output import Failed

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21

# Settings that forbid user namespaces: the file, the value that forbids, what it means, the setting that permits.
BANS = {
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "AppArmor lets no ordinary program make a user namespace",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "/proc/sys/kernel/unprivileged_userns_clone": (
        "0",
        "this kernel lets only root make user namespaces",
        "kernel.unprivileged_userns_clone=1",
    ),
    "/proc/sys/user/max_user_namespaces": (
        "0",
        "user namespaces are switched off",
        "user.max_user_namespaces=10000",
    ),
}
# Files that exist in a container made by Docker or Podman.
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


class Forbidden(Failed):
    """The machine does not let this user have a network namespace; the text says why and what to do."""


def has_capability(number: int) -> bool:
    """Return whether this process has the capability now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def enter() -> None:
    """Move this process into a new network namespace, with `lo` up and IPv6 off.

    It must have one thread. Without privilege it first enters a new user namespace, which keeps its
    user and group. There it has every capability, and so do the programs it starts. Raises
    Forbidden.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not (has_capability(CAP_SYS_ADMIN) and has_capability(CAP_NET_ADMIN) and libc.unshare(CLONE_NEWNET) == 0):
        uid, gid = os.getuid(), os.getgid()
        try:
            check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET))
            # An ordinary user may map a group only after it has disabled setgroups: user_namespaces(7).
            for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                Path("/proc/self", file).write_text(text)
            keep_capabilities(libc)
        except OSError as error:
            raise Forbidden(why_forbidden(error)) from None
    try:
        kernel.set_up("lo")
    except OSError as error:
        raise Forbidden(why_forbidden(error)) from None
    kernel.switch_ipv6_off("default")


class Joined(Exception):
    """The process to join is in the same network namespace as this one."""


def join(process: int) -> None:
    """Move this process into the namespaces of a process that has called `enter`.

    It must have one thread. Programs it starts have every capability there. OSError when the other
    process does not exist or is another user's. Joined when this process is in that network
    already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    places = {kind: f"/proc/{process}/ns/{kind}" for kind in ("user", "net")}
    there = {kind: os.readlink(place) for kind, place in places.items()}
    if there["net"] == os.readlink("/proc/self/ns/net"):
        raise Joined
    user = there["user"] != os.readlink("/proc/self/ns/user")
    opened = [os.open(places[kind], os.O_RDONLY | os.O_CLOEXEC) for kind in (["user", "net"] if user else ["net"])]
    for descriptor in opened:
        check(libc.setns(descriptor, 0))
        os.close(descriptor)
    if user:
        keep_capabilities(libc)


def keep_capabilities(libc: ctypes.CDLL) -> None:
    """Let the capabilities of this namespace survive exec although the user is not root.

    To map the user to root would have the same effect. But tcpdump, started by root, changes to
    another user, and this namespace has no other user.
    """
    head = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0))
    sets = ctypes.create_string_buffer(24)  # effective, permitted and inheritable, twice 32 bits each
    check(libc.capget(head, sets))
    low = list(struct.unpack("=6I", sets.raw[:24]))
    low[2], low[5] = low[1], low[4]  # inheritable = permitted
    check(libc.capset(head, ctypes.create_string_buffer(struct.pack("=6I", *low))))
    permitted = low[1] | low[4] << 32
    for number in range(64):
        if permitted >> number & 1:
            check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0))


def check(result: int) -> None:
    """Raise OSError when a call into libc failed."""
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def why_forbidden(error: OSError) -> str:
    """Return the reason that the machine gives, and what to do."""
    for path, (value, what, setting) in BANS.items():
        try:
            if Path(path).read_text().strip() == value:
                return f"{what}: start it as root, or have root run `sysctl -w {setting}`"
        except OSError:
            continue
    if error.errno == errno.ENOSPC:
        return "the limit on user namespaces is reached: end some, or start it as root"
    if any(Path(mark).exists() for mark in CONTAINER_MARKS):
        return (
            "this container may not make namespaces: start it as root in a container that was started"
            " with --device /dev/net/tun --cap-add NET_ADMIN"
        )
    return f"this machine does not let you make a user namespace ({error.strerror}): start it as root"
