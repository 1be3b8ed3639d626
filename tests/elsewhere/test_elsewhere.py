"""macOS and Windows: `import stack`, networks in memory and the commands that need no TAP work there.

Both are simulated: no such machine is at hand. What only Linux has is taken away from stack and
tools (`simulated.py`), and what they use is compared with what each system has (`availability.py`).
"""

from __future__ import annotations

import ast
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import stack
from stack.errors import error_text, os_error
from stack.link import files
from tests.elsewhere.availability import LINUX, MACOS, MISSING_MODULES, SYSTEM_MODULES, WINDOWS, missing, names
from tests.elsewhere.simulated import TOP
from tools import cli

ELSEWHERE = (MACOS, WINDOWS)

# Where names are used that another system lacks, and why they are not reached there.
_TAP = "reached only when a TAP is open, or is being opened on Linux"
_COMMAND = "only `tapstack up`, `lab`, `enter`, `ping` and `dhcp` reach it, which end with a sentence elsewhere"
_FOLDER = "reached only after `open_folder`, which raises EOPNOTSUPP on Windows"
_ASKED = "the lines around it ask whether the system has the name"
USES = {
    "stack/link/tap.py": (_TAP, "os.set_blocking os.readv os.writev fcntl.ioctl"),
    "stack/link/files.py": (_FOLDER, "os.geteuid"),
    "stack/sockets/lease_file.py": (_FOLDER, "os.pwrite os.pread os.geteuid os.O_CLOEXEC os.O_NOFOLLOW"),
    "stack/sockets/suspension.py": (_ASKED, "time.clock_gettime time.CLOCK_BOOTTIME"),
    "stack/sockets/system_memory.py": (_ASKED, "os.sysconf"),
    "tools/kernel.py": (_COMMAND, "fcntl.ioctl socket.AF_NETLINK socket.NETLINK_ROUTE socket.SOCK_CLOEXEC"),
    "tools/lab.py": (
        _COMMAND,
        "os.pidfd_open os.getuid os.O_CLOEXEC pwd.getpwuid signal.SIGHUP signal.SIGCONT signal.SIGKILL",
    ),
    "tools/break_clause.py": (_COMMAND, "os.geteuid"),
    "tools/namespace.py": (_COMMAND, "os.getuid os.getgid os.O_CLOEXEC"),
    "tools/options.py": (_ASKED, "os.pathconf"),
    "tools/rights.py": (
        _COMMAND,
        "os.setgroups os.setresgid os.setresuid os.getresuid os.getresgid os.geteuid pwd.getpwuid pwd.getpwnam",
    ),
}
# Files in which a folder of the system's is named, which another system does not have.
SYSTEM_PATHS = {
    "stack/link/tap.py": _TAP,
    "stack/sockets/system_memory.py": "a file that is missing is not read",
    "tools/inspector/kernel_side.py": _COMMAND,
    "tools/kernel.py": _COMMAND,
    "tools/lab.py": _COMMAND,
    "tools/namespace.py": _COMMAND,
    "tools/rights.py": _COMMAND,
    "tools/up.py": _COMMAND,
}


@cache
def trees() -> list[tuple[str, ast.Module]]:
    """Each file of stack and tools, by its path."""
    paths = (path for top in ("stack", "tools") for path in sorted((TOP / top).rglob("*.py")))
    return [(str(path.relative_to(TOP)), ast.parse(path.read_text())) for path in paths]


def uses(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of each name of a module that differs between systems, and of each module that some lack."""
    watched = frozenset(SYSTEM_MODULES).union(*MISSING_MODULES.values()) - {"pytun"}
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name in watched}
        elif isinstance(node, ast.ImportFrom) and node.module in watched:
            yield from ((node.module, alias.name) for alias in node.names)
    # A module that is passed as an argument keeps its name.
    imported |= {"fcntl": "fcntl"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
            yield imported[node.value.id], node.attr


def is_missing(module: str, name: str) -> bool:
    """Whether macOS or Windows lacks the name."""
    return any(module in MISSING_MODULES[each] or name in missing(module, each) for each in ELSEWHERE)


def test_names_that_another_system_lacks_are_used_where_it_does_not_come() -> None:
    found = {path: {f"{module}.{name}" for module, name in uses(tree) if is_missing(module, name)}
             for path, tree in trees()}  # fmt: skip
    assert {path: used for path, used in found.items() if used} == {
        path: set(listed.split()) for path, (_, listed) in USES.items()
    }


@pytest.mark.parametrize(
    "code", ["import os\nos.eventfd(0)", "from socket import SO_DOMAIN", "import fcntl\nfcntl.ioctl"]
)
def test_a_new_use_is_noticed(code: str) -> None:
    assert [use for use in uses(ast.parse(code)) if is_missing(*use)]


def test_modules_that_another_system_lacks_are_imported_in_functions_only() -> None:
    absent = frozenset().union(*MISSING_MODULES.values())
    assert not [
        (path, alias.name)
        for path, tree in trees()
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.name in absent or getattr(node, "module", None) in absent
    ]


def test_what_depends_on_an_open_folder_is_where_a_folder_has_been_opened() -> None:
    found = {
        path
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg is not None and node.arg.endswith("dir_fd")
    }
    assert found == {"stack/link/files.py", "stack/sockets/lease_file.py"}


def test_folders_of_the_system_are_named_where_another_system_does_not_come() -> None:
    found = {
        path
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith(("/proc", "/sys", "/dev/", "/etc", "/var", "/usr", "/bin"))
    }
    assert found - set(SYSTEM_PATHS) == set()


def test_the_stubs_know_the_systems() -> None:
    """Names whose systems Python's documentation gives (socket, os, select, signal)."""
    assert {"SO_DOMAIN", "SO_PROTOCOL", "SOCK_NONBLOCK", "SOCK_CLOEXEC", "MSG_MORE", "AF_NETLINK"} <= missing(
        "socket", MACOS
    )
    assert {"eventfd", "pidfd_open", "O_PATH", "EFD_CLOEXEC"} <= missing("os", MACOS)
    assert {"geteuid", "readv", "pread", "O_NOFOLLOW", "O_NONBLOCK"} <= missing("os", WINDOWS)
    assert {"poll", "epoll"} <= missing("select", WINDOWS)
    assert {"SIGHUP", "SIGKILL"} <= missing("signal", WINDOWS)
    assert "SO_KEEPALIVE" in names("socket", MACOS) & names("socket", WINDOWS)
    assert names("os", LINUX) >= {name for name in dir(os) if name.startswith("O_")} - {"O_LARGEFILE"}


def test_numbers_for_machines_without_the_name_are_those_of_linux() -> None:
    checked = set()
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "number":
                if len(node.args) == 2 and isinstance(node.args[0], ast.Constant):
                    name, linux = (ast.literal_eval(each) for each in node.args)
                    assert getattr(socket, name, linux) == linux, f"{path}: {name}"
                    checked.add(name)
    assert {"SO_DOMAIN", "SO_PROTOCOL", "SOCK_NONBLOCK", "MSG_MORE"} <= checked


def test_an_error_without_a_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no text for the errors of sockets."""
    assert error_text(errno.ECONNRESET) == "Connection reset by peer"
    monkeypatch.setattr(os, "strerror", lambda error: "Unknown error")
    error = os_error(errno.ECONNRESET)
    assert isinstance(error, ConnectionResetError)
    assert error.strerror == "ECONNRESET"


def test_without_o_path_a_link_on_the_way_is_followed_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "O_PATH")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"")
    os.close(files.open_empty(str(tmp_path / "link" / "capture")))
    assert (tmp_path / "folder" / "capture").is_file()
    for path, wrong in (("loop/a", errno.ELOOP), ("file/a", errno.ENOTDIR), ("none/a", errno.ENOENT)):
        with pytest.raises(OSError) as refused:
            files.open_empty(str(tmp_path / path))
        assert refused.value.errno == wrong


def test_without_open_folders_the_path_must_be_that_of_a_regular_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "supports_dir_fd", frozenset())
    path = tmp_path / "capture"
    for _ in range(2):
        file = files.open_empty(str(path))
        os.write(file, b"frames\n")
        os.close(file)
        assert path.read_bytes() == b"frames\n"
    (tmp_path / "link").symlink_to(path)
    for name in ("link", "."):
        with pytest.raises(OSError):
            files.open_empty(str(tmp_path / name))
    assert path.read_bytes() == b"frames\n"
    with pytest.raises(OSError) as refused:
        files.open_folder(str(tmp_path))
    assert refused.value.errno == errno.EOPNOTSUPP


# --- the simulated systems


def simulated(platform: str, *words: str, cwd: Path = TOP) -> str:
    """What a program prints on a simulated system."""
    command = (sys.executable, "-m", "tests.elsewhere.simulated", platform, *words)
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(
        command, check=False, text=True, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    said, _, rest = done.stdout.partition("\n")
    assert said == f"simulated: {platform}"
    return rest


EVERYTHING = """
import importlib, os, pkgutil, runpy
import pytest
for top in ("stack", "tools"):
    for module in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
        if ".examples." not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)

import stack, stack.link.files, stack.sockets.options, tools.cli
assert not hasattr(stack.link.files.os, "O_PATH")
assert not hasattr(stack.sockets.options.socket, "SO_DOMAIN")
with pytest.raises(OSError) as refused:
    stack.Tap("tap0", host_address="10.9.0.1/24").open(print)
print(refused.value.strerror)

for example in ("two_hosts", "bad_wire", "ack_decisions", "udp_datagrams", "capture_file"):
    runpy.run_module(f"tools.examples.{example}", run_name="__main__")
assert os.path.exists("ping.pcapng")

for program in ("", *tools.cli.PROGRAMS):
    with pytest.raises(SystemExit) as done:
        tools.cli.main([program, "--help"] if program else ["--help"])
    assert done.value.code == 0
for words in (["up"], ["lab"], ["ping", "10.9.0.1"], ["dhcp"], ["enter", "7"]):
    assert tools.cli.main(words) == 1
for words in (["drill", DRILL], ["explain", "ping.pcapng"], ["explain", "--fields", "ping.pcapng"],
              ["explain", "--json", "ping.pcapng"], ["ipcalc", "192.168.0.0/26"], ["number", "pop3"]):
    assert tools.cli.main(words) == 0
"""


@pytest.mark.parametrize("platform", ELSEWHERE)
def test_modules_examples_and_commands(platform: str, tmp_path: Path) -> None:
    """Every module is imported; a TAP and the commands that need one say so; the others work."""
    script = TOP / "tests" / "drill" / "figure-13-simultaneous-close.pkt"
    said = simulated(platform, "-c", EVERYTHING.replace("DRILL", repr(str(script))), cwd=tmp_path)
    assert said.startswith("tap0: a TAP needs Linux: on this system use stack.Ethernet, a network in memory\nHELLO\n")
    assert said.count("usage: tapstack") == 1 + len(cli.PROGRAMS)
    for program in ("up", "lab", "ping", "dhcp", "enter"):
        assert f"tapstack {program}: it needs a TAP, which only Linux has; here you can use drill, " in said
    assert f"{script}: passed" in said


def test_without_pytun_a_tap_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytun", None)
    with pytest.raises(OSError, match="tap0: a TAP needs the package python-pytun: `pip install") as refused:
        stack.Tap("tap0").open(print)
    assert refused.value.errno == errno.EOPNOTSUPP


IN_MEMORY = (
    "link/test_memory.py link/test_impair.py sockets/test_options.py sockets/test_messages.py sockets/test_install.py"
    " sockets/test_data.py sockets/test_waits.py drill/urgent.pkt drill/fast-open-client.pkt drill/udp-msg-more.pkt"
).split()


@pytest.mark.long
@pytest.mark.parametrize("platform", ELSEWHERE)
def test_tests_in_memory_pass(platform: str) -> None:
    """Some of them. `python -m tests.elsewhere.simulated win32 -m pytest FILE ...` runs others."""
    options = "-q -p no:cacheprovider --benchmark-disable".split()
    print(simulated(platform, "-m", "pytest", *options, *(f"tests/{file}" for file in IN_MEMORY)))
