"""The READMEs are true: what they name is there, their links lead somewhere, their diagrams and
examples are right.
"""

from __future__ import annotations

import ast
import inspect
import re
import socket
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import stack
from stack import config
from stack.dhcp import states as dhcp_states
from stack.sockets import options as socket_options
from stack.sockets.options import TCP_FASTOPEN_CONNECT
from stack.tcp.states import diagram
from tools import cli, options
from tools.trace import TracePrinter

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.md").read_text()
ALL = sorted(
    path for path in TOP.rglob("README.md") if not any(part.startswith(".") for part in path.relative_to(TOP).parts)
)
IGNORED = (TOP / ".gitignore").read_text().split()  # files that a reader makes


def name_of(readme: Path) -> str:
    """Its path from the top of the checkout on."""
    return str(readme.relative_to(TOP))


@cache
def names_in(file: Path) -> frozenset[str]:
    """The classes and functions of a Python file, methods also as `Class.method`."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = [each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            names.update(f"{node.name}.{name}" for name in inner)
    return frozenset(names)


def find(readme: Path, name: str) -> Path:
    """The file that a README means: beside it, or from the top on."""
    beside = readme.parent / name
    return next((file for file in (beside, TOP / name) if file.exists()), TOP / "stack" / name)


@pytest.mark.parametrize("readme", ALL, ids=name_of)
def test_each_file_and_function_named_is_there(readme: Path) -> None:
    text = readme.read_text()
    missing = []
    for name, function in re.findall(r"`([\w./-]+\.py)(?::([\w.]+))?`", text):
        file = find(readme, name)
        if f"/{name}" in IGNORED or name.rpartition("/")[2] == "NAME.py":
            continue
        if not file.is_file() or (function and function not in names_in(file)):
            missing.append(f"{name}:{function}")
    for function, name in re.findall(r"\[`(\w+)`\]\(([\w./-]+\.py)\)", text):
        if function not in names_in(readme.parent / name):
            missing.append(f"{name}:{function}")
    assert not missing


@pytest.mark.parametrize("readme", ALL, ids=name_of)
def test_each_field_of_a_configuration_named_is_there(readme: Path) -> None:
    named = re.findall(r"\b(\w+Config|Config)\((\w+)=", readme.read_text())
    assert not [
        f"{kind}({name}=)" for kind, name in named if name not in inspect.signature(getattr(config, kind)).parameters
    ]


@pytest.mark.parametrize("readme", ALL, ids=name_of)
def test_each_link_leads_somewhere(readme: Path) -> None:
    broken = []
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", readme.read_text()):
        name, _, anchor = target.partition("#")
        file = readme.parent / name if name else readme
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def anchors(file: Path) -> set[str]:
    """What GitHub makes of the headings of a document."""
    headings = re.findall(r"^#+ (.*)", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shape(line: str) -> str:
    """A line of the trace without its numbers and station addresses."""
    line = re.sub(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", line.strip())
    return re.sub(r"\d+(?:\.\d+)*(?:e-\d+)?", "N", line)


async def test_the_tour_shows_lines_that_the_trace_prints(autojump_clock: MockClock) -> None:
    printed: list[str] = []

    wire = stack.Ethernet()
    async with (
        stack.open_host(
            wire.attach(), address="10.9.0.2/24", trace=TracePrinter(lambda text: printed.extend(text.splitlines()))
        ) as host,
        stack.open_host(stack.Impaired(wire.attach(), delay_s=0.01), address="10.9.0.1/24") as client,
        trio.open_nursery() as nursery,
    ):

        async def echo(stream: trio.SocketStream) -> None:
            async for data in stream:
                await stream.send_all(data)

        await nursery.start(host.serve_tcp, echo, 7)
        async with await client.open_tcp_stream("10.9.0.2", 7) as stream:
            await trio.sleep(1)
            await stream.send_all(b"hello\n")
            assert await stream.receive_some() == b"hello\n"
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    told = re.findall(
        r"^ {4} *(?:\d+\.\d{6} |(?=IPv4|TCP|data|c\d+: )).*", (TOP / "stack/README.md").read_text(), re.MULTILINE
    )
    assert len(told) >= 10
    assert {shape(line) for line in told} - {shape(line) for line in printed} == set()


def block(mark: str, language: str, readme: str = "README.md") -> str:
    """The code block behind the comment `mark`."""
    found = re.search(rf"<!-- {mark} -->\n```{language}\n(.*?)```\n", (TOP / readme).read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_diagram_is_drawn_from_the_table() -> None:
    """To draw it again: python -c 'from stack.tcp.states import diagram; print(diagram())'."""
    assert block("diagram", "mermaid", "stack/tcp/README.md").strip() == diagram().strip()
    assert block("dhcp diagram", "mermaid", "stack/dhcp/README.md").strip() == dhcp_states.diagram().strip()


def test_the_example_is_python() -> None:
    compile(block("example", "python"), "README.md", "exec")


def test_the_tested_program_with_packet_loss() -> None:
    names: dict[str, Any] = {}
    exec(compile(block("lossy", "python"), "README.md", "exec"), names)
    names["test_shout"]()


def test_two_hosts_in_memory_do_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("ethernet", "python"), "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert f"prints `{printed}`:" in README


def test_the_folders_of_the_stack_are_told_and_have_a_readme() -> None:
    named = re.findall(
        r"^\| \[`([a-z]+)/`\]\(([a-z]+)/README.md\)", (TOP / "stack/README.md").read_text(), re.MULTILINE
    )
    folders = {path.name for path in (TOP / "stack").iterdir() if (path / "__init__.py").is_file()}
    assert {(name, name) for name in folders} == set(named)


def test_the_options_are_told_and_those_told_are_taken() -> None:
    text = (TOP / "tools/README.md").read_text()
    lines = re.findall(r"^    (--[a-z-]+(?:, --[a-z-]+)?)[ =]", text, re.MULTILINE)
    listed = {option for line in lines for option in line.split(", ")}
    _, parsers = cli.make_parser()
    taken = {word for word in re.findall(r"--[a-z-]+", parsers["up"].format_help()) if word != "--help"}
    assert listed == taken


def test_each_command_is_told() -> None:
    _, parsers = cli.make_parser()
    assert set(re.findall(r"^\| `tapstack (\w+)", (TOP / "tools/README.md").read_text(), re.MULTILINE)) == set(parsers)


def test_each_public_name_is_told() -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", section("Use it as a library"), re.MULTILINE)
    told = {word for row in rows for word in re.findall(r"`(\w+)[`(]", " ".join(row))}
    assert set(stack.__all__) <= told
    first = {word for row in rows for word in re.findall(r"`(\w+)[`(]", row[0])}
    assert first <= set(stack.__all__)


def test_each_socket_option_is_told() -> None:
    text = section("Use it as a library")
    told = set(re.findall(r"`((?:SO|TCP|UDP|IP)_[A-Z0-9_]+)`", text[text.index("*Socket options.*") :]))
    ours = {name: getattr(socket_options, name) for name in told if hasattr(socket_options, name)}
    ours |= {"TCP_FASTOPEN_CONNECT": TCP_FASTOPEN_CONNECT, "IP_PKTINFO": 8, "IP_RECVTTL": 12, "IP_RECVTOS": 13}
    levels = {"SO": socket.SOL_SOCKET, "TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP, "IP": socket.IPPROTO_IP}
    numbers = {(int(levels[name.partition("_")[0]]), int(ours.get(name) or getattr(socket, name))) for name in told}
    tables = {**socket_options.STREAM, **socket_options.DATAGRAM}
    by_name = {(int(socket.SOL_SOCKET), socket_options.SO_BINDTODEVICE)}  # its value is the name of an interface
    assert numbers == {(int(level), int(number)) for level, number in tables} | by_name


def section(title: str) -> str:
    """What stands under a heading of the README."""
    start = README.index(f"## {title}\n")
    return README[start : README.index("\n## ", start)]


def test_what_the_commands_leave_in_the_checkout_is_ignored() -> None:
    """After the commands of the README, the tests and scripts/check still pass."""
    text = "\n".join(readme.read_text() for readme in ALL)
    commands = "\n".join(re.findall(r"^[$#] .*", text, re.MULTILINE))
    left = re.findall(r"(?:> |--dhcp-leasefile=)(\w+)", commands)
    left += re.findall(r"With the\sprogram\sabove\sin\s`(\S+)`", text)
    assert {"log", "leases", "example.py"} <= set(left)
    assert {f"/{name}" for name in left} <= set(IGNORED)


def test_the_services_named_are_served() -> None:
    rows = re.findall(r"^\| ([a-z]+) \| (\d+)[ |]", (TOP / "tools/README.md").read_text(), re.MULTILINE)
    assert {name: int(port) for name, port in rows} == options.PORTS


def test_the_totals_of_the_clauses_are_those_of_the_table() -> None:
    text = (TOP / "tests/README.md").read_text()
    table = (TOP / "tests/requirements/CONFORMANCE.md").read_text()
    totals = table[table.index("| core clauses of") : table.index("\n\n## ")]
    assert totals in text
    rows = [row for row in totals.splitlines()[2:] if not row.startswith("| flaws ")]
    counts = [int(number) for row in rows for number in re.findall(r"(?<=\| )\d+(?= \|)", row)]
    assert f"{sum(counts)} clauses" in text


def test_the_number_of_live_checks_is_the_one_that_is_expected() -> None:
    expected = (TOP / "tests/live/EXPECTED").read_text().strip()
    assert f"live checks: {expected} passed of {expected} expected" in (TOP / "tests/README.md").read_text()
