"""The rights that a program of root gives up: the user that it becomes, and its refusals.

tests/live/test_rights.py tests the same on a real TAP.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock

import stack
from stack import Ethernet
from stack.link.memory import EthernetPort
from stack.wire.ethernet import ethernet_ii
from tests.requirements import rfc
from tests.tools.test_options import parse
from tools import cli, options, output, rights, up

TOP = Path(__file__).resolve().parents[2]
DAEMON = pwd.getpwnam("daemon")


def by_root(script: str, *before: str) -> subprocess.CompletedProcess[str]:
    """Run this in a process of root's, started by the command `before`; skips where there is none."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    text = f"import ctypes, os, threading\nfrom tools import rights\nlibc = ctypes.CDLL(None)\n{script}"
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    command = [*before, sys.executable, "-c", text]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_user_takes_a_name_or_a_number() -> None:
    assert rights.user("root") == rights.ROOT
    if os.geteuid() == 0:
        assert rights.user("daemon") == rights.User("daemon", DAEMON.pw_uid, DAEMON.pw_gid, asked=True)
        assert rights.user(str(DAEMON.pw_uid)) == rights.user("daemon")


@pytest.mark.parametrize("text", ["no-such-user", "4000000000", "", "-1", "1" * 40, "\u0661", "root\0"])
def test_an_unknown_user_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a user of this machine"):
        rights.user(text)


def test_only_root_can_become_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(argparse.ArgumentTypeError, match="only root can become daemon"):
        rights.user("daemon")
    assert rights.give_up(None) is None


@rfc("root-3")
@pytest.mark.parametrize(("owner", "name"), [(0, "nobody"), (DAEMON.pw_uid, "daemon"), (54321, "nobody")])
def test_the_default_is_the_owner_of_the_program_and_never_root(
    owner: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "stat", lambda path: SimpleNamespace(st_uid=owner))
    assert rights.default_user().name == name


def test_without_a_user_nobody_its_number_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)
    assert rights.default_user() == rights.User("nobody", 65534, 65534)


def test_a_lab_keeps_its_rights_and_other_programs_follow_user() -> None:
    assert parse("--user", "root").user == rights.ROOT
    assert parse().user is None
    parser, parsers = cli.make_parser()
    assert options.from_arguments(parser.parse_args(["lab"]), parsers["lab"]).user == rights.ROOT


@rfc("root-3")
def test_rights_are_given_up_for_good_and_the_death_signal_is_kept() -> None:
    """There is no way back to root, and the process still ends with its parent: prctl(2)."""
    done = by_root(
        """
libc.prctl(1, 9, 0, 0, 0)
print(rights.give_up(None).name, os.getresuid(), os.getresgid(), os.getgroups())
signal = ctypes.c_int()
libc.prctl(2, ctypes.byref(signal))
print(signal.value, libc.prctl(3, 0, 0, 0, 0))
for regain in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.chroot('/')):
    try:
        regain()
    except PermissionError:
        print('refused')
"""
    )
    name = rights.default_user()
    assert done.stdout.splitlines() == [
        f"{name.name} {(name.uid,) * 3} {(name.gid,) * 3} []",
        "9 0",
        *["refused"] * 4,
    ], done.stderr


@rfc("root-3")
def test_root_of_a_user_namespace_without_other_users_gives_up_its_capabilities() -> None:
    """Outside it is an ordinary user, and inside there is no other user to become."""
    script = """
from pathlib import Path
print(rights.give_up(None), os.getuid(), [l.split()[1] for l in Path('/proc/self/status').open() if 'CapEff' in l])
"""
    unshare = ("unshare", "--user", "--map-root-user")
    if os.geteuid() == 0 and subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    done = by_root(script, *unshare)
    assert done.stdout == f"{rights.User('root', 0, 0)} 0 ['{'0' * 16}']\n", done.stderr
    done = by_root("rights.give_up(rights.user('daemon'))", *unshare)
    assert "PermissionError: this root may not become daemon" in done.stderr


@rfc("root-3")
def test_a_root_that_may_not_change_its_user_gives_up_its_capabilities() -> None:
    """For example in a container that was given only NET_ADMIN."""
    bounded = ("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all")
    done = by_root("print(rights.give_up(None).uid, rights.has_capability(12))", *bounded)
    assert done.stdout == "0 False\n", done.stderr


def test_a_second_thread_is_refused_because_it_would_keep_its_rights() -> None:
    done = by_root(
        """
end = threading.Event()
threading.Thread(target=end.wait).start()
try:
    rights.give_up(None)
finally:
    end.set()
"""
    )
    assert "RuntimeError: rights must be given up before another thread starts" in done.stderr


class Watched:
    """A link that notes when it is opened and read."""

    link: EthernetPort
    events: list[str]

    def __init__(self, link: EthernetPort, events: list[str]) -> None:
        self.__dict__.update(link=link, events=events)

    def __getattr__(self, name: str) -> object:
        return getattr(self.link, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.link, name, value)

    def open(self, wake: Callable[[], None]) -> None:
        self.events.append("open")
        self.link.open(wake)

    def read(self, now: float) -> memoryview | None:
        frame: memoryview | None = self.link.read(now)
        if frame is not None:
            self.events.append("frame")
        return frame


@rfc("root-3")
@pytest.mark.parametrize("dhcp", [False, True])
async def test_no_frame_is_read_before_the_rights_are_given_up(
    dhcp: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """All that needs root's rights is open by then: the TAP, the capture, the trace, the lease file."""
    events: list[str] = []
    lease, capture, trace = tmp_path / "lease", tmp_path / "all.pcapng", tmp_path / "all.sqlog"

    ethernet = Ethernet()
    link, other = ethernet.attach(), ethernet.attach()

    def give_up(_: rights.User | None) -> None:
        events.append(f"given up: {capture.exists() and trace.exists()} {lease.exists() == dhcp}")

    monkeypatch.setattr("stack.Tap", lambda *_, **__: Watched(link, events))
    monkeypatch.setattr(rights, "give_up", give_up)
    monkeypatch.setattr(up, "check_addresses", lambda _: None)
    more = ["--dhcp", "--lease-file", str(lease)] if dhcp else []
    wanted = parse("--pcap", str(capture), f"--trace={trace}", *more)
    other.open(lambda: None)
    waits = stack.Dhcp(wait="bound", wait_s=1, lease_file=lease) if dhcp else None
    with trio.move_on_after(2), contextlib.suppress(output.Failed):  # there is no server
        async with up.on_tap(wanted, waits):
            other.write([ethernet_ii(b"\xff" * 6, b"\2\0\0\0\0\1", 0x0806) + bytes(46)], 0.0)
            await trio.sleep(1)
    assert events[:2] == ["open", "given up: True True"]
    assert dhcp or events[2:] == ["frame"]


@rfc("root-4")
def test_an_unreadable_http_root_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = parse("--http-root", str(tmp_path))
    monkeypatch.setattr(rights, "give_up", lambda _: rights.User("daemon", 1, 1))
    up.give_up_rights(options)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(output.Failed, match=f"^--http-root: {tmp_path} may not be read by daemon"):
        up.give_up_rights(options)


def test_every_codec_that_the_sources_name_is_there_before_the_rights_are_given_up() -> None:
    """Python looks up a codec when it is first used, in files that the new user may not be able to read."""
    sources = [path.read_text() for folder in ("tools", "stack") for path in (TOP / folder).rglob("*.py")]
    codecs = sorted({name for text in sources for name in re.findall(r"(?:en|de)code\(\"([\w-]+)\"", text)})
    assert {"unicode_escape", "idna"} <= set(codecs)
    look = (
        "import sys; from tools import rights; rights.import_all(); sys.path[:] = sys.meta_path[:] = []\n"
        f"for name in {codecs!r}: 'a'.encode(name)"
    )
    done = subprocess.run([sys.executable, "-c", look], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
