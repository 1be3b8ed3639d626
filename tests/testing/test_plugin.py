"""The pytest plugin: its fixtures here, and what it makes of tests that fail, by pytester."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

import stack
import stack.testing
from stack.testing import BadWire, Peer
from stack.testing.traffic import write_report

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


async def shout(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data.upper())


async def shouted(length: int) -> bytes:
    """What comes back of so many octets."""
    async with await trio.open_tcp_stream("a.name", 7) as stream:
        await stream.send_all(b"x" * length)
        await stream.send_eof()
        return b"".join([data async for data in stream])


async def test_a_program_meets_the_peer_by_any_name(misbehaving_peer: Peer) -> None:
    misbehaving_peer.answers(REPLY, to=b"\r\n\r\n")
    async with httpx.AsyncClient() as http:
        for name in ("api.example.com", "localhost", "10.9.0.66"):
            assert (await http.get(f"http://{name}/")).text == "hello"
    assert [conversation.local_port for conversation in misbehaving_peer.conversations] == [80, 80, 80]


async def test_the_peer_is_a_client_of_a_program(
    misbehaving_peer: Peer, installed_host: stack.Host, nursery: trio.Nursery
) -> None:
    await nursery.start(trio.serve_tcp, shout, 7)
    conversation = await misbehaving_peer.connect("10.9.0.1", 7)
    conversation.say(b"hello")
    await trio.sleep(1)
    assert conversation.received == b"HELLO"
    assert [record.local for record in installed_host.connections() if record.remote] == ["10.9.0.1:7"]


async def test_a_wire_becomes_bad_and_good_again(bad_wire: BadWire, nursery: trio.Nursery) -> None:
    await nursery.start(bad_wire.server.serve_tcp, shout, 7)
    assert await shouted(100_000) == b"X" * 100_000
    assert trio.current_time() == 0
    bad_wire.impair(loss=0.2, delay_s=0.1)
    assert await shouted(100_000) == b"X" * 100_000
    assert bad_wire.to_server.lost > 0
    assert bad_wire.to_client.lost > 0
    ended = trio.current_time()
    assert 1 < ended < 100
    bad_wire.heal()
    assert await shouted(100_000) == b"X" * 100_000
    assert trio.current_time() - ended < 1
    assert "lost" in repr(bad_wire)


async def test_one_fault_happens_to_one_frame(bad_wire: BadWire, nursery: trio.Nursery) -> None:
    await nursery.start(bad_wire.server.serve_tcp, shout, 7)
    bad_wire.to_server.arm(stack.Fault("lose", "syn"))
    assert await shouted(10) == b"X" * 10
    assert bad_wire.to_server.dropped == 1
    assert trio.current_time() == pytest.approx(1)


RUNS: dict[int, set[tuple[int, int, float]]] = {1: set(), 2: set()}


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("wire_seed", [1, 2])
async def test_a_seed_repeats_a_run(bad_wire: BadWire, nursery: trio.Nursery, wire_seed: int, again: bool) -> None:
    await nursery.start(bad_wire.server.serve_tcp, shout, 7)
    bad_wire.impair(loss=0.2, delay_s=0.1)
    await shouted(300_000)
    RUNS[wire_seed].add((bad_wire.to_server.frames, bad_wire.to_server.lost, trio.current_time()))
    assert len(RUNS[wire_seed]) == 1
    assert not RUNS[1] & RUNS[2]


async def test_with_both_the_names_lead_to_the_peer(misbehaving_peer: Peer, bad_wire: BadWire) -> None:
    found = await trio.socket.getaddrinfo("a.name", 80, 0, trio.socket.SOCK_STREAM)
    assert [entry[4] for entry in found] == [("10.9.0.66", 80)]
    assert await bad_wire.client.ping("10.9.0.2") >= 0
    assert (await trio.socket.getnameinfo(("10.9.0.66", 80), 0))[0] == "10.9.0.66"


async def test_a_host_alone_has_no_names(installed_host: stack.Host) -> None:
    with pytest.raises(trio.socket.gaierror, match="no fixture of this test has another host"):
        await trio.open_tcp_stream("a.name", 80)
    (listener,) = await trio.open_tcp_listeners(80, host="0.0.0.0")
    async with listener:
        assert [record.local for record in installed_host.listeners()] == ["0.0.0.0:80"]


async def test_a_clock_of_the_test_is_the_clock(misbehaving_peer: Peer, autojump_clock: MockClock) -> None:
    autojump_clock.jump(1000)
    assert 1000 <= trio.current_time() < 1001


# --- what it makes of tests that fail

FAILING = """
import pytest, stack.testing, trio

@pytest.fixture
async def stream(misbehaving_peer):
    misbehaving_peer.misbehaves(stack.testing.answers_late(1e9))
    misbehaving_peer.answers(b"x")
    async with await trio.open_tcp_stream("peer", 80) as stream:
        await stream.send_all(b"please")
        yield stream

@pytest.fixture
async def endless(misbehaving_peer):
    yield
    await trio.sleep_forever()

async def ask(stream):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.receive_some)

async def test_waits(stream):
    await ask(stream)

@pytest.mark.parametrize("virtual_limit_s", [10])
async def test_waits_less(stream, virtual_limit_s):
    await ask(stream)

async def test_waits_in_a_fixture(endless):
    pass

async def test_tries_again_and_again(misbehaving_peer):
    misbehaving_peer.misbehaves(stack.testing.refuses())
    while True:
        try:
            await trio.open_tcp_stream("peer", 80)
        except OSError:
            pass

async def test_is_wrong(stream):
    assert 1 + 1 == 3

async def test_is_wrong_with_two_hosts(bad_wire):
    assert await bad_wire.client.ping("10.9.0.2") > 1000

async def test_has_no_traffic(bad_wire):
    assert False

@pytest.mark.xfail(strict=True)
async def test_is_known_to_fail(stream):
    assert False

async def test_is_skipped(bad_wire):
    pytest.skip("no need")

async def test_is_right(bad_wire, tmp_path):
    await bad_wire.client.ping("10.9.0.2")

def test_is_not_async(bad_wire):
    pass
"""

SECTION = re.compile(
    r"^_+ (?:ERROR at setup of )?(test_\w+)(?:\[.*\])? _+$(.*?)(?=^_{3,}|^={3,})", re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def failures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest prints of each test of FAILING, in one run of them all."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "conftest.py").write_text('pytest_plugins = "stack.testing.plugin"\n')
    (folder / "test_failing.py").write_text(FAILING)
    command = [sys.executable, "-P", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-v"]
    done = subprocess.run(
        [*command, "--basetemp", str(folder / "tmp")], cwd=folder, capture_output=True, text=True, check=False
    )
    assert "7 failed, 1 passed, 1 skipped, 1 xfailed, 1 error in" in done.stdout, done.stdout + done.stderr
    return {"": str(folder), **{name: text.strip() for name, text in SECTION.findall(done.stdout)}}


def first_line(text: str) -> str:
    return text.splitlines()[0]


def test_a_test_without_an_end_fails_with_one_sentence_that_says_where(failures: dict[str, str]) -> None:
    line = FAILING[: FAILING.index("await ask(stream)")].count("\n") + 1
    inner = FAILING[: FAILING.index("async with trio.open_nursery")].count("\n") + 1
    endless = FAILING[: FAILING.index("await trio.sleep_forever")].count("\n") + 1
    told = "s of virtual time: it waits without a limit, or with a longer one, at test_failing.py"
    assert first_line(failures["test_waits"]) == (
        f"the test was not over after 3600 {told}:{inner} (ask), from test_failing.py:{line} (test_waits)"
    )
    assert first_line(failures["test_waits_less"]).startswith(f"the test was not over after 10 {told}")
    assert first_line(failures["test_waits_in_a_fixture"]) == (
        f"a fixture was not over after 7200 {told}:{endless} (endless)"
    )
    assert first_line(failures["test_tries_again_and_again"]).startswith(
        "the test has run 20,000 rounds in which no virtual time passes: it tries again without a pause, at test_fail"
    )
    for name in ("test_waits", "test_waits_less", "test_waits_in_a_fixture", "test_tries_again_and_again"):
        assert (
            "\n---" in failures[name].partition("\n")[0] + failures[name].replace(first_line(failures[name]), "", 1)[:5]
        )


def test_an_assertion_is_shown_as_it_is_without_pytest_trio(failures: dict[str, str]) -> None:
    text = failures["test_is_wrong"]
    assert "E       assert (1 + 1) == 3" in text
    assert "Exception Group" not in text
    assert "limit.py" not in text


def test_the_traffic_of_a_failed_test_is_kept_beside_its_output(failures: dict[str, str]) -> None:
    text = failures["test_is_wrong"].partition(" Traffic ---")[2]
    folder = Path(failures[""]) / "tmp" / "test_is_wrong0" / "traffic"
    report, capture = folder / "installed_host.html", folder / "installed_host.pcapng"
    assert f"the report on installed_host:  {report}\nand the capture:  {capture}\n" in text
    assert [line[12:] for line in text.splitlines()][-8:-3] == [
        " > SYN,ACK seq 0 ack 1 win 65535",
        " < ACK seq 1 ack 1 win 65535",
        " < PSH,ACK seq 1 ack 1 win 65535 len 6 'please'",
        " > ACK seq 1 ack 7 win 65535",
        " < FIN,ACK seq 7 ack 1 win 65535",
    ]
    with stack.read_capture(capture) as reader:
        (connection,) = stack.follow(reader)
    assert [segment.length for segment in connection.segments if segment.length] == [6]
    page = report.read_text()
    assert page.startswith("<!doctype html>")
    assert "SYN-SENT" in page
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["installed_host.html", "installed_host.pcapng"]


def test_each_of_two_hosts_has_a_report(failures: dict[str, str]) -> None:
    folder = Path(failures[""]) / "tmp" / "test_is_wrong_with_two_hosts0" / "traffic"
    assert sorted(path.name for path in folder.iterdir()) == [
        "installed_host.html", "installed_host.pcapng", "server.html", "server.pcapng",
    ]  # fmt: skip
    assert str(folder / "server.html") in failures["test_is_wrong_with_two_hosts"]


def test_what_does_not_fail_leaves_no_files(failures: dict[str, str]) -> None:
    tmp = Path(failures[""]) / "tmp"
    for name in ("test_is_known_to_fail", "test_is_skipped", "test_is_right"):
        assert not list((tmp / f"{name}0").iterdir()), name
    assert failures["test_has_no_traffic"].endswith("no frame was sent")


def test_a_test_that_is_not_async_is_told(failures: dict[str, str]) -> None:
    told = "a test with installed_host or bad_wire or misbehaving_peer is an `async def`, and test_is_not_async is not"
    assert first_line(failures["test_is_not_async"]) == told


def test_without_pytest_trio_it_says_what_to_install(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = "stack.testing.plugin"')
    result = pytester.runpytest_subprocess("-p", "no:trio")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*stack.testing.plugin needs pytest-trio: pip install 'tapstack[[]testing]'"])


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "trace").write_text("no trace")
    assert write_report(tmp_path / "trace", tmp_path / "report.html") != ""
    assert not (tmp_path / "report.html").exists()
