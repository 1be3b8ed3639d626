"""The programs of tools/examples that need a TAP, each copied to an empty folder and run by its
name.
"""

from __future__ import annotations

import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.live.net import Namespace, Program, need, wait_for_listener, wait_until
from tests.tools.test_examples import EXAMPLES


def start(namespace: Namespace, name: str, folder: Path) -> Program:
    """An example that runs in `folder`, which has nothing else. Its output is not buffered, as on a terminal."""
    shutil.copy(EXAMPLES / name, folder)
    return namespace.start(sys.executable, "-W", "error", "-u", name, cwd=folder)


def test_the_echo_server_talks_to_nc(namespace: Namespace, tmp_path: Path) -> None:
    need("nc")
    with start(namespace, "echo_server.py", tmp_path) as server:
        server.wait_for(b"ready: ")
        assert namespace.run("nc", "-N", "10.9.0.2", "7", data=b"hello\n") == b"hello\n"


def test_the_client_talks_to_nc(namespace: Namespace, tmp_path: Path) -> None:
    need("nc", "sh")
    with namespace.start("sh", "-c", "echo welcome | nc -l -N 8000") as program:
        wait_for_listener(program, 8000)
        with start(namespace, "client.py", tmp_path) as client:
            status, output, errors = client.wait()
        _, heard, _ = program.wait()
    assert (status, errors, heard) == (0, b"", b"hello from user space\n")
    assert re.fullmatch(rb"the ping took 0\.\d{6} s\nwelcome\n", output)


def test_the_lease_comes_from_dnsmasq(namespace: Namespace, tmp_path: Path) -> None:
    """The server is the one of the docstring; here it does not need to be told of a later interface."""
    need("dnsmasq")
    with start(namespace, "dhcp_lease.py", tmp_path) as host:
        host.wait_for(b"waiting")
        command = (EXAMPLES / "dhcp_lease.py").read_text().partition("as root: dnsmasq ")[2].partition('"')[0]
        files = "--pid-file=", f"--dhcp-leasefile={tmp_path / 'leases'}", "--user=root"
        with namespace.start("dnsmasq", *command.split(), *files):
            assert b"from 10.9.0.1 for 3600" in host.wait_for(b" from ").encode()
            host.wait_for(b"routers ('10.9.0.1',), name servers ")


@pytest.mark.parametrize(
    ("name", "printed"), [("client.py", b"the ping took"), ("dhcp_lease.py", b"waiting"), ("echo_server.py", b"ready")]
)
def test_ctrl_c_ends_it_quietly(namespace: Namespace, tmp_path: Path, name: str, printed: bytes) -> None:
    """The client waits for the answer of a program that sends none, the lease for a server that is not there."""
    need("nc")
    with namespace.start("nc", "-l", "8000") as program:
        wait_for_listener(program, 8000)
        with start(namespace, name, tmp_path) as example:
            example.wait_for(printed)
            if name == "client.py":
                program.wait_for(b"hello")
            # The lease's program says that it waits before its host begins, which reads files
            wait_until(lambda: re.search(r"tap0: .*LOWER_UP", namespace.links()) is not None, "the host")
            status, _, errors = example.stop(signal.SIGINT)
    assert (status, errors) == (0, b"")
    assert "tap0" not in namespace.links()
