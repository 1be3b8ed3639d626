"""Our host is the client; the Linux kernel and its programs are the server, which may not answer."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
import trio

import stack
from tests.live.net import OURS, THEIRS, Namespace, need, need_root, wait_for_listener, wait_until
from tests.live.tap_host import on_tap

TOP = Path(__file__).resolve().parents[2]

ELSEWHERE = "198.51.100.1"  # behind the gateway
NOBODY = "10.9.0.99"  # on the link, but nobody has it


def listening(namespace: Namespace, port: int = 8000) -> socket.socket:
    """A kernel socket that listens."""
    made = namespace.socket(socket.SOCK_STREAM)
    made.bind(("", port))
    made.listen()
    return made


async def read_all(stream: trio.SocketStream) -> bytes:
    """Everything until the other end ends."""
    parts = []
    while part := await stream.receive_some():
        parts.append(bytes(part))
    return b"".join(parts)


# --- what works -------------------------------------------------------------------------------------------------------


def test_we_talk_to_nc(namespace: Namespace) -> None:
    need("nc")
    with namespace.start("nc", "-l", "-N", "8000", stdin=subprocess.PIPE) as program:
        wait_for_listener(program, 8000)

        async def main(host: stack.Host) -> bytes:
            async with await host.open_tcp_stream(THEIRS, 8000) as stream:
                await stream.send_all(b"from us\n")
                await trio.to_thread.run_sync(program.wait_for, b"from us")
                assert program.process.stdin is not None
                program.process.stdin.write(b"from nc\n")
                program.process.stdin.close()
                program.process.stdin = None
                return await read_all(stream)

        assert on_tap(namespace, main) == b"from nc\n"
        assert program.wait()[0] == 0


def test_we_fetch_a_file_from_pythons_http_server(namespace: Namespace, tmp_path: Path) -> None:
    content = Random(5).randbytes(5_000_000)
    (tmp_path / "file.bin").write_bytes(content)
    command = [sys.executable, "-m", "http.server", "8000", "--directory", str(tmp_path)]
    with namespace.start(*command) as program:
        wait_for_listener(program, 8000)

        async def main(host: stack.Host) -> bytes:
            async with await host.open_tcp_stream(THEIRS, 8000) as stream:
                await stream.send_all(b"GET /file.bin HTTP/1.0\r\n\r\n")
                return await read_all(stream)

        head, _, body = on_tap(namespace, main).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 200 OK\r\n")
        assert body == content


def test_we_upload_to_a_kernel_socket(namespace: Namespace) -> None:
    content = Random(6).randbytes(5_000_000)
    received = []
    with closing(listening(namespace)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                while part := peer.recv(65536):
                    received.append(part)

        thread = threading.Thread(target=serve)
        thread.start()

        async def main(host: stack.Host) -> None:
            async with await host.open_tcp_stream(THEIRS, 8000) as stream:
                await stream.send_all(content)
                await stream.send_eof()
                assert await read_all(stream) == b""

        on_tap(namespace, main)
        thread.join()
    assert b"".join(received) == content


def test_we_exchange_datagrams_of_any_size(namespace: Namespace) -> None:
    with closing(namespace.socket(socket.SOCK_DGRAM)) as server:
        server.bind(("", 8000))

        async def main(host: stack.Host) -> None:
            with host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
                await sock.connect((THEIRS, 8000))
                for size in (0, 1, 1472, 1473, 65507):
                    data = Random(size).randbytes(size)
                    await sock.send(data)
                    got, address = await trio.to_thread.run_sync(server.recvfrom, 65536)
                    assert (got, address[0]) == (data, OURS)
                    server.sendto(data[::-1], address)
                    assert await sock.recv(65536) == data[::-1]

        on_tap(namespace, main)


@pytest.mark.parametrize("size", [0, 56, 20000, 65507])
def test_we_ping_the_kernel(namespace: Namespace, size: int) -> None:
    async def main(host: stack.Host) -> None:
        for _ in range(5):
            assert 0 < await host.ping(THEIRS, size=size) < 1

    on_tap(namespace, main)


def test_we_ask_arp_first_and_then_send_one_syn(namespace: Namespace, tmp_path: Path) -> None:
    """The SYN waits for the answer; it is neither lost nor sent twice."""
    need("tshark")
    capture = tmp_path / "capture.pcapng"
    with closing(listening(namespace)):

        async def main(host: stack.Host) -> None:
            (await host.open_tcp_stream(THEIRS, 8000)).socket.close()

        on_tap(namespace, main, through=lambda tap: stack.Capture(tap, capture))
    ours = f"eth.src != {fields(capture, 'tcp.flags == 0x12', 'eth.src')[0]}"  # the kernel has answered the SYN
    sent = fields(capture, ours, "arp.opcode", "arp.dst.proto_ipv4", "tcp.flags")
    requests = [number for number, line in enumerate(sent) if line.startswith(f"1\t{THEIRS}\t")]
    syns = [number for number, line in enumerate(sent) if line == "\t\t0x0002"]
    assert len(syns) == 1
    assert requests
    assert requests[0] < syns[0]
    # The probes and announcements of our own address aside, nothing goes before the question.
    assert all(line.startswith(f"1\t{OURS}\t") for line in sent[: requests[0]])


def fields(capture: Path, which: str, *names: str) -> list[str]:
    """The values, with tabs between, of these fields of the frames that a display filter selects."""
    wanted = [word for name in names for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), "-Y", which, "-T", "fields", *wanted]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


# --- what does not ----------------------------------------------------------------------------------------------------


async def error_of(host: stack.Host, address: str, user_timeout_ms: int | None = None) -> tuple[int, float]:
    """The errno with which connecting fails, and the seconds that took."""
    with host.socket() as sock:
        if user_timeout_ms is not None:
            sock.setsockopt(trio.socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms)
        started = trio.current_time()
        with pytest.raises(OSError) as caught:
            await sock.connect((address, 8000))
        assert caught.value.errno is not None
        return caught.value.errno, trio.current_time() - started


def test_a_refused_connection_says_so_at_once(namespace: Namespace) -> None:
    async def main(host: stack.Host) -> None:
        number, took_s = await error_of(host, THEIRS)
        assert number == errno.ECONNREFUSED
        assert took_s < 0.9

    on_tap(namespace, main)


def test_a_neighbour_that_is_not_there_is_unreachable(namespace: Namespace) -> None:
    async def main(host: stack.Host) -> None:
        number, took_s = await error_of(host, NOBODY)
        assert number == errno.EHOSTUNREACH
        assert took_s < 10
        with pytest.raises(OSError, match=NOBODY) as caught:
            await host.ping(NOBODY)
        assert caught.value.errno == errno.EHOSTUNREACH

    on_tap(namespace, main)


def route_elsewhere(namespace: Namespace, kind: str) -> None:
    """Have the kernel route, but answer with an ICMP error for everything elsewhere."""
    namespace.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    namespace.ip("route", "add", kind, "198.51.100.0/24")


def test_a_router_that_forbids_is_believed_at_once(namespace: Namespace) -> None:
    """Administratively prohibited will not change soon: an open gives in (RFC 1122 section 4.2.3.9 leaves it open)."""
    route_elsewhere(namespace, "prohibit")

    async def main(host: stack.Host) -> None:
        number, took_s = await error_of(host, ELSEWHERE)
        assert number == errno.EHOSTUNREACH
        assert took_s < 5

    on_tap(namespace, main, gateway=THEIRS)


def test_host_unreachable_may_pass_and_is_told_when_it_does_not(namespace: Namespace) -> None:
    """A soft error must not end the open, but is what its timeout says: RFC 1122 section 4.2.3.9."""
    route_elsewhere(namespace, "unreachable")

    async def main(host: stack.Host) -> None:
        number, took_s = await error_of(host, ELSEWHERE, user_timeout_ms=2000)
        assert number == errno.EHOSTUNREACH
        assert 1.5 < took_s < 10

    on_tap(namespace, main, gateway=THEIRS)


def test_without_a_route_the_network_is_unreachable(namespace: Namespace) -> None:
    async def main(host: stack.Host) -> None:
        number, took_s = await error_of(host, ELSEWHERE)
        assert number == errno.ENETUNREACH
        assert took_s < 0.5

    on_tap(namespace, main)


def test_silence_is_a_timeout(namespace: Namespace) -> None:
    """The kernel does not route here, and so drops what is for others in silence."""
    namespace.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")

    async def main(host: stack.Host) -> None:
        number, took_s = await error_of(host, ELSEWHERE, user_timeout_ms=2000)
        assert number == errno.ETIMEDOUT
        assert 1.5 < took_s < 10

    on_tap(namespace, main, gateway=THEIRS)


def test_a_closed_udp_port_refuses(namespace: Namespace) -> None:
    async def main(host: stack.Host) -> None:
        with host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.connect((THEIRS, 8000))
            await sock.send(b"anybody?")
            with pytest.raises(ConnectionRefusedError):
                await sock.recv(100)

    on_tap(namespace, main)


def test_a_peer_that_resets_breaks_the_stream(namespace: Namespace) -> None:
    with closing(listening(namespace)) as server:

        async def main(host: stack.Host) -> None:
            async with await host.open_tcp_stream(THEIRS, 8000) as stream:
                peer, _ = await trio.to_thread.run_sync(server.accept)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                peer.close()
                with pytest.raises(trio.BrokenResourceError) as caught:
                    await stream.receive_some()
                assert isinstance(caught.value.__cause__, ConnectionResetError)

        on_tap(namespace, main)


def test_tapstack_ping_speaks_like_ping(namespace: Namespace) -> None:
    need_root()
    words = [sys.executable, "-W", "error", "-m", "tapstack", "ping", THEIRS]
    said = namespace.run(*words, "-c", "3", "-i", "0.05", "-s", "20000").decode().splitlines()
    assert said[0] == f"PING {THEIRS} from {OURS}: 20000 data bytes"
    assert [line.split(" time=")[0] for line in said[1:4]] == [
        f"20008 bytes from {THEIRS}: icmp_seq={number} ttl=64" for number in (1, 2, 3)
    ]
    assert said[5].startswith("3 packets transmitted, 3 received, 0% packet loss, time ")
    assert said[6].startswith("rtt min/avg/max/mdev = ")
    words[-1] = NOBODY
    done = subprocess.run(namespace.command(*words, "-c", "1"), capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"icmp_seq=1: {os.strerror(errno.EHOSTUNREACH)}" in done.stdout
    assert "1 packets transmitted, 0 received, 100% packet loss" in done.stdout


def test_the_readmes_example_does_what_it_says(namespace: Namespace) -> None:
    need("nc")
    found = re.search(r"<!-- example -->\n```python\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
    assert found is not None
    with namespace.start("nc", "-l", "8000") as server:
        wait_for_listener(server, 8000)
        with namespace.start(sys.executable, "-u", "-W", "error", "-c", found[1]) as example:
            assert 0 < float(example.wait_for(b".")) < 1
            server.wait_for(b"hello from user space")
            with namespace.socket(socket.SOCK_STREAM) as client:
                wait_until(lambda: client.connect_ex((OURS, 7)) in (0, errno.EISCONN), "serving")
                client.sendall(b"louder")
                assert client.recv(100) == b"LOUDER"
