"""The examples of stack/testing/README.md run, and print what it says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import SimpleNamespace
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


def files(folder: Path) -> None:
    """Write the files of the first test."""
    found = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL)
    assert [name for name, _ in found] == ["conftest.py", "client.py", "test_client.py"]
    for name, text in found:
        (folder / name).write_text(text)


def test_the_first_test_fails_as_it_is_said(pytester: pytest.Pytester) -> None:
    files(pytester.path)
    printed = re.search(r"<!-- output -->\n```text\n(.*?)```", README, re.DOTALL)
    assert printed is not None
    result = pytester.runpytest_subprocess("-W", "error", "--basetemp", "tmp")
    result.assert_outcomes(failed=1)
    text = result.stdout.str().replace(f"{pytester.path}/tmp/", "/tmp/pytest-of-you/pytest-0/")
    assert printed[1] in text


def test_the_first_test_passes_as_it_is_said(pytester: pytest.Pytester) -> None:
    files(pytester.path)
    client = pytester.path / "client.py"
    loop = "        async for data in stream:\n            answer += data\n"
    assert loop in client.read_text()
    limited = "        with trio.fail_after(30):\n" + re.sub("^", "    ", loop, flags=re.MULTILINE).rstrip(" ")
    client.write_text(client.read_text().replace(loop, limited))
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


async def handle(stream: trio.SocketStream) -> None:
    """Acknowledge an upload; give up half a request after a minute."""
    with trio.move_on_after(60):
        sizes = [len(data) async for data in stream]
        await stream.send_all(b"%d" % sum(sizes))


async def upload(name: str, data: bytes) -> None:
    """Send data, and have it acknowledged."""
    async with await trio.open_tcp_stream(name, 80) as stream:
        await stream.send_all(data)
        await stream.send_eof()
        assert b"".join([data async for data in stream]) == b"%d" % len(data)


def program(name: str) -> Any:
    """The function of an example that uses the modules `client` and `server`."""
    ours = SimpleNamespace(handle=handle, upload=upload)
    names = {"stack": stack, "trio": trio, "client": ours, "server": ours}
    found = re.search(rf"<!-- {name} -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    exec(compile(found[1], "README.md", "exec", dont_inherit=True), names)
    return next(value for name, value in names.items() if name.startswith("test_"))


async def test_the_bad_wire(bad_wire: stack.testing.BadWire, nursery: trio.Nursery) -> None:
    await program("wire")(bad_wire, nursery)
    assert bad_wire.to_client.dropped == 1
    assert bad_wire.to_server.lost


async def test_the_server(misbehaving_peer: stack.testing.Peer, nursery: trio.Nursery) -> None:
    await program("server")(misbehaving_peer, nursery)
    await trio.sleep(70)
    assert " < FIN,ACK " in misbehaving_peer.log[-1]


def test_each_misbehaviour_is_told() -> None:
    told = set(re.findall(r"`(\w+)\(", README[README.index("## The misbehaviours") :]))
    made = {name for name in stack.testing.__all__ if inspect.isfunction(getattr(misbehaviours, name, None))}
    assert len(made) == 18
    assert made <= told
