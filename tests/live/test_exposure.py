"""What any client on the network can read, use up or delay, of the program as `scripts/run` starts
it.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import modes
from tests.live.attacker import RUN, run
from tests.live.net import COMMAND, OURS, PATIENCE_S, THEIRS, Namespace, need, wait_until
from tests.requirements import rfc

pytestmark = pytest.mark.one_way

OTHER = "10.9.0.7"  # another address of the kernel's: a second client
SECRETS = (b"ESTABLISHED", b"tcpInSegs", b"udpNoPorts", b"Neighbours", b"Routes")


def fetch(namespace: Namespace, target: str = "/", address: str = THEIRS) -> tuple[int, bytes]:
    """Status and body of what http answers a client with this address."""
    with namespace.socket(socket.SOCK_STREAM) as client:
        client.bind((address, 0))
        client.connect((OURS, 80))
        connection = http.client.HTTPConnection(OURS)
        connection.sock = client
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read()


def ping(namespace: Namespace, *options: str) -> str:
    """ping's last two lines."""
    return "\n".join(namespace.run("ping", "-q", *options, OURS, check=False).decode().splitlines()[-2:])


# --- the page ---------------------------------------------------------------------------------------------------------


def page_beside_a_connection(namespace: Namespace) -> tuple[bytes, bytes]:
    """The page while a client has a connection, and that client's address and port as the page would write them."""
    with namespace.socket(socket.SOCK_STREAM) as client, namespace.socket(socket.SOCK_DGRAM) as stray:
        client.connect((OURS, 7))
        client.sendall(b"secret")
        assert client.recv(100) == b"secret"
        stray.sendto(b"x", (OURS, 999))
        status, body = fetch(namespace)
        assert status == 200
        address, port = client.getsockname()
        return body, f"{address}:{port}".encode()


@rfc("page-1")
def test_another_host_learns_no_ports_and_no_counters_from_the_page(namespace: Namespace) -> None:
    with run(namespace):
        body, client = page_beside_a_connection(namespace)
    assert b"<td>10.9.0.2/24" in body
    for secret in (client, THEIRS.encode(), *SECRETS):
        assert secret not in body


@rfc("page-1")
def test_with_status_the_page_shows_the_host_from_inside(namespace: Namespace) -> None:
    with run(namespace, "--status"):
        body, client = page_beside_a_connection(namespace)
    for shown in (client, b"ESTABLISHED", b"tcpInSegs", b"Neighbours"):
        assert shown in body


@rfc("page-1")
def test_in_a_lab_the_page_shows_the_host_from_inside() -> None:
    need("curl")
    command = [*COMMAND, "lab", "--", "curl", "-sS", f"http://{OURS}/"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    for shown in (b"10.9.0.2:80<td>10.9.0.1:", b"ESTABLISHED", b"tcpInSegs"):
        assert shown in done.stdout


# --- the services -----------------------------------------------------------------------------------------------------


@rfc("service-2")
def test_slow_clients_of_one_address_do_not_shut_out_another(namespace: Namespace, http_root: str) -> None:
    """2,000 connections with half a request each, as many as http serves in all."""
    (Path(http_root) / "hello").write_text("hello")
    with run(namespace, "--http-root", http_root):
        namespace.ip("addr", "add", f"{OTHER}/24", "dev", "tap0")
        slow: list[socket.socket] = []

        def attack() -> None:
            for _ in range(2000):
                client = socket.socket()
                slow.append(client)
                client.settimeout(PATIENCE_S)
                client.bind((OTHER, 0))
                client.connect((OURS, 80))
                client.send(b"GET /hello HT")

        try:
            namespace.in_here(attack)
            assert [fetch(namespace, "/hello") for _ in range(12)] == [(200, b"hello")] * 12
        finally:
            for client in slow:
                client.close()


@rfc("service-2")
@pytest.mark.parametrize("kind", ["slow bodies", "no reading"])
def test_slow_clients_behind_a_nat_do_not_shut_out_another_behind_it(
    namespace: Namespace, http_root: str, kind: str
) -> None:
    """500 connections, the share of one address, whose requests are complete; or 64, its share of the open files."""
    (Path(http_root) / "hello").write_text("hello")
    (Path(http_root) / "large").write_bytes(bytes(3_000_000))
    count, said = {
        "slow bodies": (500, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\nx"),
        "no reading": (64, b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n"),
    }[kind]
    with run(namespace, "--http-root", http_root), ExitStack() as slow:
        for _ in range(count):
            client = slow.enter_context(namespace.socket(socket.SOCK_STREAM))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((OURS, 80))
            client.sendall(said)
        time.sleep(1.5)  # longer than the grace
        assert [fetch(namespace, "/hello") for _ in range(12)] == [(200, b"hello")] * 12


@rfc("service-3")
def test_a_long_listing_does_not_keep_a_ping_waiting(namespace: Namespace, http_root: str) -> None:
    need("ping")
    folder = Path(http_root, "many")
    folder.mkdir()
    for number in range(50_000):
        (folder / f"a file with a name of usual length {number}").touch()
    pings = ("ping", "-c", "150", "-i", "0.01", OURS)
    with run(namespace, "--http-root", http_root), namespace.start(*pings) as pinging:
        began = time.monotonic()
        for number in range(5):
            status, body = fetch(namespace, "/many/")
            assert status == 200
            assert b"and 49000 more" in body
            if number == 0:
                one_listing_s = time.monotonic() - began
        said = pinging.wait()[1].decode()
    times_s = sorted(float(time_ms) / 1000 for time_ms in re.findall(r" time=([\d.]+) ms", said))
    assert len(times_s) == 150
    # Held up for a whole listing each time, most would be as late as that; a busy machine makes few late.
    assert times_s[140] < one_listing_s / 4


@rfc("service-1")
@pytest.mark.parametrize("port", [19, 1919])
def test_chargen_answers_one_address_so_often_whatever_its_ports(namespace: Namespace, port: int) -> None:
    with run(namespace, "--services", f"chargen={port}"):
        clients = [namespace.socket(socket.SOCK_DGRAM, 0.2) for _ in range(100)]
        answers = 0
        for client in clients:
            client.sendto(b"", (OURS, port))
        for client in clients:
            try:
                answers += len(client.recv(1000)) > 0
            except TimeoutError:
                pass
            client.close()
    assert 1 <= answers < 60  # 20, and what a busy machine's seconds bring anew


# --- what it says -----------------------------------------------------------------------------------------------------


@rfc("watch-3")
def test_a_trace_into_a_pipe_that_is_not_read_stops_nothing(namespace: Namespace) -> None:
    """After the ready line the pipe is not read any more; it holds 64 KiB, and the trace of this is six times that."""
    need("ping")
    with namespace.start(str(RUN), *modes.up_options(), "--trace") as program:
        program.wait_for(b"ready: ")
        assert " 600 received" in ping(namespace, "-c", "600", "-i", "0.002")
        assert fetch(namespace)[0] == 200
        status, output, errors = program.stop()  # which reads all that is there
    assert (status, errors) == (0, b"")
    assert output.count(b"ICMP echo reply") >= 600


@rfc("watch-3")
@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_stop_nothing_and_are_given_to_nothing(
    namespace: Namespace, tmp_path: Path, redirection: str
) -> None:
    """The next descriptors that are opened would have their numbers: what is printed would go into a capture."""
    capture = tmp_path / "capture"
    script = f'exec "$0" "$@" {redirection}'
    with namespace.start("sh", "-c", script, str(RUN), *modes.up_options(), "--pcap", str(capture)) as program:
        wait_until(lambda: " 1 received" in ping(namespace, "-c", "1", "-W", "1"), "the host answers")
        for number in (0, 1, 2):
            place = os.readlink(f"/proc/{program.process.pid}/fd/{number}")
            assert place.startswith("pipe:") or place == os.devnull
        status, _, errors = program.stop()
    assert (status, errors) == (0, b"")
