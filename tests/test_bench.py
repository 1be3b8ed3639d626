"""The parts of scripts/bench that can be tested without measuring: no time is asserted here."""

from __future__ import annotations

import argparse
import ast
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import trio

from scripts.measuring import ratios
from scripts.measuring.__main__ import KERNEL, peer, python_build, table
from scripts.measuring.client import PATTERN, Ports
from scripts.measuring.kernel_host import KernelHost
from scripts.measuring.ratios import interval, ratio
from tools import services

if TYPE_CHECKING:
    from stack import Host


TOP = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port of this machine that nobody uses at the moment, for TCP and UDP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        port: int = tcp.getsockname()[1]
        return port


@pytest.mark.real_time("the kernel's sockets end its waits")
async def test_the_services_run_on_the_kernels_sockets_as_they_are() -> None:
    async with trio.open_nursery() as nursery:
        port = free_port()
        await services.serve(cast("Host", KernelHost("127.0.0.1/8")), {"echo": port}, nursery)
        with trio.fail_after(10):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(b"hello")
                assert await stream.receive_some(5) == b"hello"
            with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
                await sock.sendto(b"hello", ("127.0.0.1", port))
                assert await sock.recv(100) == b"hello"
        nursery.cancel_scope.cancel()


def test_a_peer_is_a_name_some_ports_and_a_command() -> None:
    column = peer("theirs sink=9: cd /tmp && ./serve -x 1:2")
    assert (column.name, column.ports, column.http) == ("theirs", Ports(9, 5002), False)
    assert column.command == ("sh", "-c", "cd /tmp && ./serve -x 1:2")


@pytest.mark.parametrize("text", ["", "name", "name:", "name: ", "name sink=x: command", "name speed=1: command"])
def test_what_is_no_peer_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        peer(text)


def test_a_ratio_says_how_many_times_better_the_median_is() -> None:
    assert ratio("echo", [1, 30, 20], [10, 10, 10]) == 2
    assert ratio("ping", [0.1, 0.2, 0.3], [0.1, 0.1, 0.1]) == 0.5


def test_the_table_has_medians_ranges_and_ratios() -> None:
    results = {KERNEL.name: {"echo": [100.0, 200.0, 300.0]}, "ours": {"echo": [100.0]}, "theirs": {}}
    assert table(results, ["echo"]).splitlines()[-1] == ("| 1-octet TCP echoes /s | 200 (100 to 300) | 100 0.50x | - |")


def test_the_client_compares_chargen_with_what_chargen_sends() -> None:
    assert services.chargen_pattern() == PATTERN


def hot_functions(node: ast.AST, lines: list[str], prefix: str) -> Iterator[str]:
    """The dotted names of the functions below `node` that are marked `# hot` at their head."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if any("# hot" in line for line in lines[child.lineno - 1 : child.body[0].lineno]):
                yield f"{prefix}.{child.name}"
        elif isinstance(child, ast.ClassDef):
            yield from hot_functions(child, lines, f"{prefix}.{child.name}")


def test_each_hot_function_has_a_benchmark() -> None:
    hot: set[str] = set()
    for path in (TOP / "stack").rglob("*.py"):
        source = path.read_text()
        module = ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")
        hot.update(hot_functions(ast.parse(source), source.splitlines(), module))
    measured = {
        argument.value
        for node in ast.walk(ast.parse((TOP / "tests" / "bench" / "hot.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "of"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }
    assert measured == hot


@pytest.mark.parametrize(
    ("rounds", "first", "last"), [(6, 1, 6), (8, 1, 8), (9, 2, 8), (14, 3, 12), (15, 4, 12), (20, 6, 15)]
)
def test_an_interval_is_that_of_the_sign_test(rounds: int, first: int, last: int) -> None:
    """The ranks are those of the tables of the sign test, two-sided, at 5 %."""
    assert interval([float(value) for value in range(rounds, 0, -1)]) == (first, last)


def test_five_rounds_have_no_interval() -> None:
    assert interval([1.0] * 5) is None
    assert interval([]) is None


def test_ratios_are_of_pairs_of_one_round() -> None:
    results = {
        "ours": {"echo": [10.0, 200.0, 30.0, 40.0, 50.0, 60.0], "ping": [2.0], "in": [1.0, 2.0]},
        "theirs": {"echo": [20.0, 100.0, 60.0, 80.0, 100.0, 120.0], "ping": [1.0], "in": [1.0]},
    }
    rows = {"echo": "echoes", "ping": "ping, ms", "in": "in"}
    assert ratios.table(results, rows, [("ours", "theirs"), ("ours", "nothing")]).splitlines() == [
        "| | ours / theirs |",
        "|---|---|",
        "| echoes | 0.50 (0.50 to 2.00) |",
        "| ping, ms | 0.50 |",
        "| in | - |",
    ]


@pytest.mark.parametrize(
    ("prefix", "arguments", "told"),
    [
        ("/usr", "'--prefix=/usr'", "the system's, configured without --enable-optimizations"),
        ("/opt", "'--enable-optimizations' 'CC=gcc'", "not the system's, configured with --enable-optimizations"),
        ("/opt", None, "not the system's, configured without --enable-optimizations"),
    ],
)
def test_which_python_it_was(monkeypatch: pytest.MonkeyPatch, prefix: str, arguments: str | None, told: str) -> None:
    monkeypatch.setattr("sys.base_prefix", prefix)
    monkeypatch.setattr("sysconfig.get_config_var", {"CONFIG_ARGS": arguments}.get)
    assert python_build() == told
