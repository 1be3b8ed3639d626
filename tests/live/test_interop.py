"""Libraries that know nothing of this stack, as clients of real servers and as servers of real clients.

The servers (redis, mosquitto) and the clients (Chromium, ab, wrk) use the kernel's TCP/IP.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import modes
from tests.interop.servers import NAME, Certificates
from tests.live.net import OURS, THEIRS, Namespace, Program, need, wait_for_listener
from tests.live.test_exec import EXEC, STARLETTE, serving

pytestmark = pytest.mark.one_way

REDIS = f"""
import coredis, trio

async def main():
    async with coredis.Redis(host="{THEIRS}", port=6379, decode_responses=True) as client:
        await client.set("greeting", "hello")
        for number in range(100):
            await client.rpush("list", [str(number)])
        print(await client.get("greeting"), len(await client.lrange("list", 0, -1)))

trio.run(main)
"""
MQTT = f"""
import trio
from distmqtt.client import open_mqttclient

async def main():
    async with open_mqttclient() as client:
        await client.connect("mqtt://{THEIRS}:1883/")
        async with client.subscription("news/#") as news:
            await client.publish("news/today", b"hello", qos=1)
            async for message in news:
                print(message.topic, bytes(message.data).decode())
                break

trio.run(main)
"""
MANY = f"""
import httpx, ssl, sys, trio

async def main():
    texts = []
    context = ssl.create_default_context(cafile=sys.argv[1])
    async with httpx.AsyncClient(http2=True, verify=context, timeout=60) as client:
        async def fetch():
            response = await client.get("https://{THEIRS}:4433/")
            texts.append((response.http_version, response.text))
        async with trio.open_nursery() as nursery:
            for _ in range(500):
                nursery.start_soon(fetch)
        octets = 0
        async with client.stream("GET", "https://{THEIRS}:4433/much") as response:
            async for part in response.aiter_bytes():
                octets += len(part)
    print(len(texts), set(texts), octets)

trio.run(main)
"""


@contextmanager
def server(namespace: Namespace, port: int, *command: str) -> Iterator[Program]:
    """A server with the kernel's sockets, which listens on a port."""
    with namespace.start(*command) as program:
        wait_for_listener(program, port)
        yield program


def printed(namespace: Namespace, folder: Path, text: str, *arguments: str) -> str:
    """What a program prints that runs under `tapstack exec`."""
    (folder / "program.py").write_text(text)
    return namespace.run(*EXEC, *modes.up_options(), str(folder / "program.py"), *arguments).decode()


def test_coredis_and_redis(namespace: Namespace, tmp_path: Path) -> None:
    need("redis-server")
    words = "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--port", "6379", "--dir", str(tmp_path)
    with server(namespace, 6379, "redis-server", *words):
        assert printed(namespace, tmp_path, REDIS) == "hello 100\n"


def test_distmqtt_and_mosquitto(namespace: Namespace, tmp_path: Path) -> None:
    need("mosquitto")
    (tmp_path / "mosquitto.conf").write_text("listener 1883 0.0.0.0\nallow_anonymous true\n")
    tmp_path.chmod(0o755)
    with server(namespace, 1883, "mosquitto", "-c", str(tmp_path / "mosquitto.conf")):
        assert printed(namespace, tmp_path, MQTT) == "news/today hello\n"


def test_httpx_with_500_requests_at_the_same_time_and_one_of_100_mb(namespace: Namespace, tmp_path: Path) -> None:
    """HTTP/2 over TLS, to hypercorn on the kernel's sockets; and then one answer of 100 MB."""
    certificates = Certificates(tmp_path, THEIRS)
    (tmp_path / "ca.pem").write_bytes(certificates.authority.cert_pem.bytes())
    (tmp_path / "star.py").write_text(STARLETTE)
    files = "--certfile", str(certificates.chain), "--keyfile", str(certificates.key)
    hypercorn = [sys.executable, "-m", "hypercorn", "--workers", "0", "-k", "trio", "--bind", "0.0.0.0:4433", *files]
    with namespace.start(*hypercorn, "star:app", cwd=tmp_path) as program:
        wait_for_listener(program, 4433)
        answer = f"500 {{('HTTP/2', 'hello {OURS} over HTTP/2')}} 100000000\n"
        assert printed(namespace, tmp_path, MANY, str(tmp_path / "ca.pem")) == answer


def test_chromium_loads_a_page_over_tls(namespace: Namespace, tmp_path: Path) -> None:
    need("chromium")
    certificates = Certificates(tmp_path)
    (tmp_path / "star.py").write_text(STARLETTE)
    files = "--certfile", str(certificates.chain), "--keyfile", str(certificates.key)
    with serving(namespace, tmp_path, "--bind", f"{OURS}:443", *files, "star:app"):
        page = namespace.run(
            *"chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run".split(),
            *"--disable-background-networking --disable-component-update --disable-sync --dump-dom".split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--ignore-certificate-errors",
            f"--host-resolver-rules=MAP {NAME} {OURS}",
            f"https://{NAME}/",
        )
    assert f"hello {THEIRS} over HTTP/2" in page.decode()


def test_ab_and_wrk_have_no_failed_request(namespace: Namespace, tmp_path: Path) -> None:
    need("ab", "wrk")
    (tmp_path / "star.py").write_text(STARLETTE)
    with serving(namespace, tmp_path, "--bind", f"{OURS}:8000", "star:app"):
        for keep in ([], ["-k"]):
            said = namespace.run("ab", "-q", *keep, "-n", "500", "-c", "20", f"http://{OURS}:8000/").decode()
            assert re.search(r"Complete requests: +500\n", said)
            assert re.search(r"Failed requests: +0\n", said)
        said = namespace.run("wrk", "-t", "1", "-c", "20", "-d", "2", f"http://{OURS}:8000/").decode()
        assert "Socket errors" not in said
        assert "Non-2xx" not in said
        assert int(re.findall(r"(\d+) requests in", said)[0]) > 100
