"""The examples of stack/testing/README.md run, and print what it says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import stack
import stack.testing
from stack.testing import misbehaviours
from tests.testing.world import connected, host_and_peer

README = (Path(__file__).resolve().parents[2] / "stack/testing/README.md").read_text()


def example(name: str) -> str:
    """The Python of an example."""
    found = re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def names_of(name: str) -> dict[str, Any]:
    """What an example defines."""
    names = {"stack": stack, **{name: getattr(stack.testing, name) for name in ("SYN", "ACK", "RST")}}
    exec(compile(example(name), "README.md", "exec", dont_inherit=True), names)
    return names


def test_the_first_example_prints_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    names_of("misbehaves")
    lines = capsys.readouterr().out.splitlines()
    assert "It prints " + " and ".join(f"`{line}`" for line in lines) + "." in README


async def test_a_misbehaviour_of_ones_own(autojump_clock: MockClock) -> None:
    async with host_and_peer(names_of("rule")["stops_at_ten"]) as (host, peer), await connected(host) as stream:
        await stream.send_all(b"0123456789")
        await trio.sleep(1)
        assert peer.conversations[0].received == b"0123456789"
        await stream.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()


async def test_a_script(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async with host_and_peer() as (host, peer):
        nursery.start_soon(names_of("script")["script"], peer)
        async with await connected(host) as stream:
            await stream.send_all(b"question")
            assert await stream.receive_some() == b"answer"
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()


def test_each_misbehaviour_is_told() -> None:
    told = set(re.findall(r"`(\w+)\(", README))
    made = {name for name in stack.testing.__all__ if inspect.isfunction(getattr(misbehaviours, name, None))}
    assert len(made) == 18
    assert made <= told
