"""The rights that `scripts/run` gives up as root, and that all of it works without them; files that
others planted.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.wire.icmp import timestamp_request
from tests.checkout import copy_to, furnish
from tests.live.attacker import RUN, run
from tests.live.dhcp_servers import SERVERS, Lan, Pool
from tests.live.net import OURS, Namespace, Program, need, wait_until

pytestmark = pytest.mark.one_way

NOBODY = pwd.getpwnam("nobody")
SECRET = "of root's"


def credentials(process: int) -> dict[str, list[str]]:
    """What the kernel says of a process: each line of its status in words."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


def check_has_nothing(process: int, uid: int, gid: int) -> None:
    """It has this user and group, for all purposes, no other group and no capability, and can get none by a program."""
    of = credentials(process)
    assert (of["Uid"], of["Gid"], of["Groups"]) == ([str(uid)] * 4, [str(gid)] * 4, [])
    assert [int(of[f"Cap{kind}"][0], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [0] * 5
    assert of["NoNewPrivs"] == ["1"]


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder of root's home that root alone may look into."""
    with tempfile.TemporaryDirectory(prefix="tapstack-", dir=pwd.getpwuid(0).pw_dir) as name:
        yield Path(name)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may write in, like /tmp."""
    with tempfile.TemporaryDirectory(prefix="tapstack-test-") as name:
        os.chmod(name, 0o1777)
        yield Path(name)


def talk(namespace: Namespace, address: str) -> None:
    """Use every service, and be refused by a port where there is none."""
    for port, data in ((7, b"hello"), (9, b"hello"), (13, b""), (17, b""), (37, b""), (80, b"GET / HTTP/1.0\r\n\r\n")):
        with namespace.socket(socket.SOCK_STREAM) as client:
            client.connect((address, port))
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert (answer == data) if port == 7 else (answer != b"") == (port != 9)
    with namespace.socket(socket.SOCK_STREAM) as client:
        client.connect((address, 19))
        assert client.recv(65536)
    for port in (7, 13, 17, 19, 37):
        with namespace.socket(socket.SOCK_DGRAM) as client:
            client.connect((address, port))
            client.send(b"hello")
            assert client.recv(65536)
    with namespace.socket(socket.SOCK_STREAM) as client, pytest.raises(ConnectionRefusedError):
        client.connect((address, 99))
    namespace.run("ping", "-q", "-c", "1", "-s", "20000", address)


def test_from_a_checkout_that_root_alone_may_read_everything_works_to_the_end(
    namespace: Namespace, closed: Path, shared: Path
) -> None:
    """All services, a lease renewal, a bug and the end, as the user `nobody`, which can open none of those files."""
    need("dhcpd", "ping", "tshark")
    checkout, lease, capture = closed / "checkout", closed / "lease", closed / "all.pcapng"
    checkout.mkdir()
    copy_to(checkout)
    furnish(checkout)
    script, code = checkout / "scripts" / "run", checkout / "stack" / "internet" / "icmp.py"
    script.write_text(script.read_text().replace("-I -m tapstack up", "-I -X importtime -m tapstack up"))
    clause = '"""Answer a Timestamp request (RFC 1122 section 3.2.2.8)."""\n'
    assert clause in code.read_text()
    code.write_text(code.read_text().replace(clause, f'{clause}        raise RuntimeError("a bug")\n'))
    lan = Lan(namespace)
    server = SERVERS["isc"](namespace, shared)
    words = [str(script), "--dhcp", "--lease-file", str(lease), "--pcap", str(capture)]
    with server, (closed / "errors").open("wb") as errors:
        server.start(Pool("10.9.0.50", "10.9.0.50", lease_s=200, t1_s=6, t2_s=40))
        with lan.namespace.start(*words, stderr=errors, cwd="/") as program:
            address = program.wait_for(b"ready: ").split()[1]
            check_has_nothing(program.process.pid, NOBODY.pw_uid, NOBODY.pw_gid)
            imported = (closed / "errors").read_bytes().count(b"import time:")
            assert imported > 100
            first = json.loads(lease.read_text())["lease"]["requested_at"]
            talk(namespace, address)
            with namespace.in_here(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
                raw.sendto(timestamp_request(1, 1, 1).build(), (address, 0))
            wait_until(lambda: b"a bug" in (closed / "errors").read_bytes(), "the bug is reported")
            wait_until(
                lambda: json.loads(lease.read_text() or "{}").get("lease", {}).get("requested_at", first) > first,
                "the renewal is in the lease file",
            )
            talk(namespace, address)
            status, _, _ = program.stop(signal.SIGINT)
            assert status == 0
    said = (closed / "errors").read_bytes()
    assert said.count(b"import time:") == imported, "nothing is imported after the start"
    others = [line for line in said.splitlines() if not line.startswith(b"import time:")]
    assert others[0].startswith(b"tapstack: ")
    assert b"RuntimeError: a bug" in others
    assert not any(b"PermissionError" in line for line in others)
    assert (lease.stat().st_uid, lease.stat().st_mode & 0o777) == (0, 0o600)
    read = subprocess.run(["tshark", "-n", "-r", str(capture), "-Y", "tcp.port == 99"], capture_output=True, check=True)
    assert read.stdout.count(b"RST") == 2
    assert b"cut short" not in read.stderr


def test_the_user_can_be_named(namespace: Namespace) -> None:
    daemon = pwd.getpwnam("daemon")
    with run(namespace, "--user", "daemon") as program:
        check_has_nothing(program.process.pid, daemon.pw_uid, daemon.pw_gid)
    assert "tap0" not in namespace.links()
    with run(namespace, "--user", "root") as program:
        of = credentials(program.process.pid)
        assert (of["Uid"], int(of["CapEff"][0], 16) != 0) == (["0"] * 4, True)


def test_the_owner_of_the_checkout_runs_it(namespace: Namespace, shared: Path) -> None:
    """The owner is not root, and the program goes on as that user."""
    daemon = pwd.getpwnam("daemon")
    checkout = shared / "checkout"
    checkout.mkdir()
    copy_to(checkout)
    furnish(checkout)
    for path in (checkout / "tools", *(checkout / "tools").iterdir()):
        os.chown(path, daemon.pw_uid, daemon.pw_gid)
    with namespace.start(str(checkout / "scripts" / "run")) as program:
        program.wait_for(b"ready: ")
        check_has_nothing(program.process.pid, daemon.pw_uid, daemon.pw_gid)
        looked = [
            "setpriv",
            f"--reuid={daemon.pw_uid}",
            "--clear-groups",
            "cat",
            f"/proc/{program.process.pid}/environ",
        ]
        assert subprocess.run(looked, capture_output=True, check=False).returncode != 0
        assert program.stop()[0] == 0


@pytest.mark.parametrize("program", ["ping", "dhcp"])
def test_the_other_programs_of_root_give_their_rights_up_too(namespace: Namespace, program: str) -> None:
    words = {"ping": ["ping", "10.9.0.1"], "dhcp": ["dhcp", "--timeout", "60"]}[program]
    with namespace.start(sys.executable, "-P", "-m", "tapstack", *words) as started:
        wait_until(lambda: credentials(started.process.pid)["Uid"][0] == str(NOBODY.pw_uid), "it is nobody's")
        wait_until(lambda: credentials(started.process.pid)["NoNewPrivs"] == ["1"], "it gets no rights any more")
        check_has_nothing(started.process.pid, NOBODY.pw_uid, NOBODY.pw_gid)
        started.stop(signal.SIGINT)


def test_a_folder_that_the_user_may_not_read_is_refused_by_name(namespace: Namespace, closed: Path) -> None:
    (closed / "page.txt").write_text(SECRET)
    command = namespace.command(str(RUN), "--http-root", str(closed))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert f"--http-root: {closed} may not be read by nobody" in done.stderr
    assert "tap0" not in namespace.links()
    with run(namespace, "--http-root", str(closed), "--user", "root"):
        page = namespace.run("curl", "-sS", f"http://{OURS}/page.txt")
        assert page == SECRET.encode()


@pytest.mark.parametrize("option", ["--pcap", "--trace", "--lease-file"])
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "file"])
def test_what_was_planted_is_not_written(
    namespace: Namespace, closed: Path, shared: Path, option: str, kind: str
) -> None:
    need("setpriv")
    victim = closed / "victim"
    victim.write_text(SECRET)
    place = shared / "planted"
    if kind == "link":
        place.symlink_to(victim)
    elif kind == "hard link":
        victim = shared / "victim"
        victim.write_text(SECRET)
        place.hardlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.write_text(SECRET)
        os.chown(place, 54321, 54321)
        victim = place
    more = ["--dhcp"] if option == "--lease-file" else []
    with namespace.start(str(RUN), *more, f"{option}={place}") as program:
        if option == "--lease-file" and kind in ("hard link", "file"):
            # It goes on without the file, and says so.
            wait_until(lambda: "tap0" in namespace.links(), "the host is there")
            wait_until(lambda: credentials(program.process.pid)["NoNewPrivs"] == ["1"], "it has given its rights up")
            status, _, errors = program.stop()
            assert (status, errors.count(b"cannot be used: ")) == (0, 1), errors
        else:
            status, output, errors = program.wait()
            assert (status in (1, 2), output, errors.count(b"\n")) == (True, b"", 1), errors
            assert option.encode() in errors
    assert victim.read_text() == SECRET


def test_scripts_run_runs_nothing_from_the_folder_it_is_started_in(namespace: Namespace, shared: Path) -> None:
    mark = shared / "mark"
    planted = shared / "planted"
    planted.mkdir()
    for name in ("tapstack", "trio", "stack", "tools", "sitecustomize", "json", "h11", "pytun"):
        (planted / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write('{name} ran')\n")
    for name in ("id", "cat", "cksum", "dirname", "python3"):
        (planted / name).write_text(f"#!/bin/sh\necho {name} ran >>{mark}\n")
        (planted / name).chmod(0o755)
    environment = {**os.environ, "PATH": f":.:{os.environ['PATH']}", "PYTHONPATH": ":."}
    # ip(8) itself is looked up by PATH.
    command = [str(shutil.which("ip")), *namespace.command(str(RUN))[1:]]
    with Program(command, cwd=planted, env=environment) as program:
        program.wait_for(b"ready: ")
        status, _, errors = program.stop()
        assert (status, errors) == (0, b"")
    assert not mark.exists(), mark.read_text()
