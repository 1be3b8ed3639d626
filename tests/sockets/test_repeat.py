"""A network in memory repeats by one argument, the seed of its Ethernet: every frame and every time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import stack

BOB = "10.9.0.2"


async def network(wire: stack.Ethernet, path: Path) -> None:
    """Two hosts, a wire that loses frames between them, and clients that begin at the same moment."""
    seen = stack.Capture(wire.attach(), path, epoch_s=0, clock=trio.current_time)
    bad = stack.Impaired(wire.attach(), loss=0.05, delay_s=0.01, jitter_s=0.005)
    with trio.fail_after(3600):
        async with (
            stack.open_host(seen, address="10.9.0.1/24") as alice,
            stack.open_host(bad, address=f"{BOB}/24") as bob,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(bob.serve_tcp, echo, 7)
            async with trio.open_nursery() as clients:
                for number in range(4):
                    clients.start_soon(client, alice, bytes([number]) * (5_000 + number))
            nursery.cancel_scope.cancel()


async def echo(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def client(host: stack.Host, text: bytes) -> None:
    answer = b""
    async with await host.open_tcp_stream(BOB, 7) as stream:
        await stream.send_all(text)
        await stream.send_eof()
        async for data in stream:
            answer += data
    assert answer == text


def capture(path: Path, **options: Any) -> bytes:
    """The capture of one run: a run of its own each time, since a test compares several."""
    path.unlink(missing_ok=True)
    trio.run(network, stack.Ethernet(**options), path, clock=MockClock(autojump_threshold=0))
    return path.read_bytes()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = capture(tmp_path / "capture", seed=7)
    assert len(first) > 40_000
    for _ in range(4):
        assert capture(tmp_path / "capture", seed=7) == first
    assert capture(tmp_path / "capture", seed="7") == first
    assert capture(tmp_path / "capture", seed=8) != first


def test_without_a_seed_each_run_is_another(tmp_path: Path) -> None:
    assert capture(tmp_path / "capture") != capture(tmp_path / "capture")


def test_the_hash_seed_of_the_process_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    program = (
        "import sys; from pathlib import Path; from tests.sockets.test_repeat import capture;"
        "capture(Path(sys.argv[1]), seed=7)"
    )
    captures = []
    for hash_seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", program, str(path)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
        )
        captures.append(path.read_bytes())
    # Not compared with a run in this process: once hypothesis is imported, trio sorts its tasks.
    assert captures[0] == captures[1]


def test_hosts_of_one_wire_have_numbers_of_their_own() -> None:
    wire, again = stack.Ethernet(seed=7), stack.Ethernet(seed=7)
    drawn = [wire.attach().random, wire.attach().random, stack.Impaired(again.attach()).random]
    one, two, around = (generator.randbytes(8) for generator in drawn if generator is not None)
    assert one == around != two


async def test_a_host_may_have_random_bytes_of_its_own(autojump_clock: MockClock) -> None:
    asked: list[int] = []

    def mine(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count % 256)).ljust(count, b"\0")

    async with stack.open_host(stack.Ethernet(seed=7).attach(), address="10.9.0.1/24", acd="off", random=mine):
        assert any(asked)


def test_a_seed_is_a_number_or_a_text() -> None:
    wrong: Any = 1.5
    with pytest.raises(TypeError, match=r"a seed is a number or a text, not 1\.5"):
        stack.Ethernet(seed=wrong)
