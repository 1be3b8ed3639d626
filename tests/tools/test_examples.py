"""The programs of tools/examples, each run as a newcomer runs it: copied to an empty folder, by its
name.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "tools" / "examples"
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name != "__init__.py")
ON_A_TAP = ["client.py", "dhcp_lease.py", "echo_server.py"]  # tests/live/test_examples.py runs these
MOST_LINES = 29
TIME = r"0\.\d{6} s"
PRINTED = {
    "ack_decisions.py": r"(?s)100000 octets\n.* \d+ now: The segment lies after a gap\..* later: .*\(our choice\)\n.*",
    "bad_wire.py": r"1000000 octets in \d\.\d s, \d\d segments sent again\n",
    "capture_file.py": rf"(answered in {TIME}\n){{3}}",
    "http_request.py": "hello from user space\n",
    "trace_handshake.py": r"(?s).* SYN, seq .* SYN,ACK, seq .*after=ESTABLISHED.*5 bytes.*",
    "two_hosts.py": "HELLO\n",
    "udp_datagrams.py": "b'HELLO'\n",
}


def run(name: str, folder: Path, *command: str) -> str:
    """What an example prints when it is run in `folder`, which has nothing else. It must succeed, without a warning."""
    shutil.copy(EXAMPLES / name, folder)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", *command, name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", PRINTED)
def test_it_runs_and_prints(name: str, tmp_path: Path) -> None:
    if name == "http_request.py":
        pytest.importorskip("httpx")
    assert re.fullmatch(PRINTED[name], run(name, tmp_path))


def test_the_capture_is_written(tmp_path: Path) -> None:
    run("capture_file.py", tmp_path)
    assert (tmp_path / "ping.pcapng").stat().st_size > 500


def test_the_bad_wire_is_the_same_each_time(tmp_path: Path) -> None:
    assert run("bad_wire.py", tmp_path) == run("bad_wire.py", tmp_path)


def test_the_test_passes(tmp_path: Path) -> None:
    pytest.importorskip("pytest_trio")
    assert "1 passed" in run("test_packet_loss.py", tmp_path, "-m", "pytest", "-p", "no:cacheprovider")


def test_the_test_fails_when_the_server_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("pytest_trio")
    text = (EXAMPLES / "test_packet_loss.py").read_text()
    (tmp_path / "test_wrong.py").write_text(text.replace("data.upper()", "data"))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_wrong.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert "1 failed" in done.stdout


def test_each_program_is_run_by_a_test() -> None:
    assert sorted([*PRINTED, *ON_A_TAP, "test_packet_loss.py"]) == PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_short_and_says_what_it_shows_and_how_to_run_it(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert len(text.splitlines()) <= MOST_LINES
    shows, how = (ast.get_docstring(ast.parse(text)) or "").split("\n")
    assert f"Run it as {'root' if name in ON_A_TAP else 'any user'}" in shows + how
    assert f"{'pytest' if name.startswith('test_') else 'python'} {name}" in shows + how


def test_the_readme_has_a_line_for_each() -> None:
    listed = re.findall(r"^\| \[`(\w+\.py)`\]\(\1\) \| .+ \|$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == PROGRAMS


def test_the_commands_import_none_of_them() -> None:
    """`tapstack up` imports all modules that it may need while it is still root: no program that is only an example."""
    look = (
        "import sys; from tools import rights; rights.import_all(); print([m for m in sys.modules if 'examples.' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=EXAMPLES.parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
