"""`tapstack exec`: programs of others, by their own command lines, on a host of ours."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import modes
from tests.interop.servers import NAME, Certificates
from tests.live.net import COMMAND, OURS, THEIRS, Namespace, Program, need, need_root
from tests.live.unprivileged import ordinary

pytestmark = pytest.mark.one_way

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

async def home(request):
    return PlainTextResponse(f"hello {request.client.host} over HTTP/{request.scope['http_version']}")

async def much(request):
    async def parts():
        for _ in range(100):
            yield bytes(1_000_000)

    return StreamingResponse(parts())

app = Starlette(routes=[Route("/", home), Route("/much", much)])
"""
QUART = """
from quart import request
from quart_trio import QuartTrio

app = QuartTrio(__name__)

@app.route("/")
async def home():
    return f"hello {request.remote_addr} from quart"
"""
WHERE = """
import socket, sys, trio

early = socket.socket()
early.bind(("0.0.0.0", 0))

async def main():
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.connect((sys.argv[1], 9))
        print(sock.getsockname()[0], early.getsockname()[1] > 0, sys.argv[2:])
    early.close()

trio.run(main)
"""
EXEC = [sys.executable, "-m", "tapstack", "exec"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with the programs, which an ordinary user may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (("star.py", STARLETTE), ("quartz.py", QUART), ("where.py", WHERE)):
            (folder / file).write_text(text)
        folder.chmod(0o755)
        yield folder


@contextmanager
def serving(namespace: Namespace, folder: Path, *words: str) -> Iterator[Program]:
    """hypercorn by its own command line, until it is interrupted."""
    command = [*EXEC, *modes.up_options(), "-m", "hypercorn", "--workers", "0", "-k", "trio", *words]
    with namespace.start(*command, cwd=folder, stderr=subprocess.STDOUT) as program:
        program.wait_for(b"ready: ")
        program.wait_for(b"Running on ")
        yield program
        served = program.printed()
        assert program.process.poll() is None, served
        assert not re.search(rb"Traceback|ERROR", served), served.decode()
        # The answer is here before the app's task is done, where hypercorn ignores an interrupt: interrupt it again.
        while program.process.poll() is None:
            program.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                program.process.wait(10)
            program.printed()
        status, output, _ = program.wait()
        # An interrupt may come to any line of the app, of h11 or of hypercorn, whose own errors may follow from it.
        assert status == 0 or b"KeyboardInterrupt" in output, output.decode()


@pytest.mark.parametrize(
    ("app", "answer"), [("star:app", f"hello {THEIRS} over HTTP/1.1"), ("quartz:app", f"hello {THEIRS} from quart")]
)
def test_hypercorn(namespace: Namespace, folder: Path, app: str, answer: str) -> None:
    need("curl")
    with serving(namespace, folder, "--bind", f"{OURS}:8000", app):
        assert namespace.run("curl", "-s", f"http://{OURS}:8000/").decode() == answer


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_hypercorn_with_tls(namespace: Namespace, folder: Path, version: str) -> None:
    need("curl")
    certificates = Certificates(folder)
    (folder / "ca.pem").write_bytes(certificates.authority.cert_pem.bytes())
    files = "--certfile", str(certificates.chain), "--keyfile", str(certificates.key)
    with serving(namespace, folder, "--bind", "0.0.0.0:443", *files, "star:app"):
        curl = ["curl", "-s", f"--http{version}", "--cacert", str(folder / "ca.pem")]
        resolved = ["--resolve", f"{NAME}:443:{OURS}", f"https://{NAME}/"]
        assert namespace.run(*curl, *resolved).decode() == f"hello {THEIRS} over HTTP/{version}"


def test_hypercorn_with_workers_says_what_to_write(namespace: Namespace, folder: Path) -> None:
    command = [*EXEC, "-m", "hypercorn", "--workers", "1", "-k", "trio", "--bind", f"{OURS}:8000", "star:app"]
    with namespace.start(*command, cwd=folder) as program:
        status, _, errors = program.wait()
    assert status == 1
    assert b"a socket of a tapstack host cannot be pickled" in errors
    assert b"--workers 0" in errors


def test_an_address_that_is_not_the_hosts(namespace: Namespace, folder: Path) -> None:
    command = [*EXEC, "-m", "hypercorn", "--workers", "0", "-k", "trio", "--bind", f"{THEIRS}:8000", "star:app"]
    with namespace.start(*command, cwd=folder) as program:
        status, _, errors = program.wait()
    assert status == 1
    assert f"Cannot assign requested address: bind to {THEIRS}:8000".encode() in errors


def test_a_script_and_a_second_one_beside_it(namespace: Namespace, folder: Path) -> None:
    """The second is on the next TAP and network. The words after the script are its own."""
    with serving(namespace, folder, "--bind", f"{OURS}:8000", "star:app"):
        words = [*EXEC, "where.py", "10.9.1.1", "--trace", "-m", "x"]
        with namespace.start(*words, cwd=folder) as second:
            status, output, errors = second.wait()
        assert (status, output) == (0, b"10.9.1.2 True ['--trace', '-m', 'x']\n"), errors
        assert errors.startswith(b"ready: 10.9.1.2 on tap1 (")
    assert "tap" not in namespace.links()


def test_an_address_from_a_server(namespace: Namespace, folder: Path) -> None:
    need("dnsmasq")
    for words in ("tuntap add tap0 mode tap", f"addr add {THEIRS}/24 dev tap0", "link set tap0 up"):
        namespace.ip(*words.split())
    server = (
        "dnsmasq --no-daemon --conf-file=/dev/null --interface=tap0 --bind-interfaces --no-ping --port=0 --user=root"
    )
    words = f"{server} --dhcp-authoritative --dhcp-range=10.9.0.50,10.9.0.60,1h --dhcp-leasefile={folder}/leases"
    with namespace.start(*words.split()):
        command = namespace.command(*EXEC, "--dhcp", str(folder / "where.py"), THEIRS)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout[:8]) == (0, "10.9.0.5"), done.stderr
    assert "ready: 10.9.0.5" in done.stderr


def test_an_ordinary_user(folder: Path) -> None:
    """Alone in a network of its own, into which a second terminal can go."""
    need_root()
    command = ordinary(*EXEC, str(folder / "where.py"), THEIRS)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, f"{OURS} True []\n"), done.stderr
    first, second = done.stderr.splitlines()
    assert first.startswith("exec: a second terminal enters this network with  ")
    assert " enter " in first
    assert second.startswith(f"ready: {OURS} on tap0 (")


def test_in_the_shell_of_a_lab(folder: Path) -> None:
    need_root()
    command = ordinary(*COMMAND[:1], "-m", "tapstack", "lab", "--", *EXEC, str(folder / "where.py"), "10.9.1.1")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, "10.9.1.2 True []\n"), done.stderr
    assert "ready: 10.9.1.2 on tap1 (" in done.stderr


def test_the_programs_own_end(namespace: Namespace, folder: Path) -> None:
    (folder / "fails.py").write_text("import sys; sys.exit(7)")
    for words, status in ((["fails.py"], 7), (["nothing.py"], 2), (["-m", "nothing.here"], 1)):
        done = subprocess.run(
            namespace.command(*EXEC, *words), cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == status, done.stderr
    assert "there is no module nothing" in done.stderr
