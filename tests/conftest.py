"""Two hosts in memory, for any test; options; and the checks with programs that are not ours.

The live checks, those marked `live`, are counted. One that finds a program or a privilege missing
skips and says which, and so does a test of the page (`page`) without a browser. CI sets
REQUIRE_LIVE=1: there a skip is a failure, and so is a full run with another number of passed live
checks than tests/live/EXPECTED says.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from stack import Host
from stack.config import HostConfig
from tests import modes
from tests.digests import Digests
from tests.marks import Conformance
from tests.sockets.hosts import two_hosts

if TYPE_CHECKING:
    from tests.live.net import Namespace

pytest_plugins = ("stack.testing.plugin", "pytester")
pytest.register_assert_rewrite("tests.live.net")

TCP = "tests/tcp/"
LIVE = Path(__file__).parent / "live"
EXPECTED = int((LIVE / "EXPECTED").read_text())
REQUIRED = os.environ.get("REQUIRE_LIVE", "") not in ("", "0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--conformance", type=Path, metavar="FILE", help="write which test names which clause, and its end"
    )
    parser.addoption("--plain", action="store_true", help="without what only makes it fast: fast paths, offload")
    parser.addoption("--digests", type=Path, metavar="FILE", help="write the digest of each simulated network")
    parser.addoption("--full-grid", action="store_true", help="simulate all networks of the grid, and each for longer")


def set_default(config: type, name: str, value: object) -> None:
    """Change a default itself, so that it holds for every test, wherever that makes its configuration."""
    names = list(inspect.signature(config).parameters)
    init = vars(config)["__init__"]
    defaults = list(init.__defaults__)
    defaults[names.index(name)] = value
    init.__defaults__ = tuple(defaults)


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("plain"):
        modes.set_plain()
        set_default(HostConfig, "fast_paths", False)
    config.pluginmanager.register(Conformance(config.getoption("conformance")), "conformance")
    if config.getoption("digests"):
        if config.getoption("numprocesses", None):
            raise pytest.UsageError("--digests needs -n 0: one process has all networks, and writes the file")
        config.pluginmanager.register(Digests(config.getoption("digests")), "digests")


def run_in_namespace(test: Callable[[], Awaitable[None]], **options: Any) -> None:
    """What pytest-trio has in the place of `trio.run` for live tests: in the network namespace of the test."""
    assert isinstance(test, partial)
    namespace: Namespace = test.keywords["namespace"]
    namespace.in_here(partial(trio.run, test, **options))


def check_clock(item: pytest.Item) -> None:
    """An async test runs under pytest-trio: with a clock of trio.testing among its arguments, or a reason for none.

    pytest-trio gives the run a clock only where the test itself has it as an argument. The fixtures of
    stack.testing.plugin bring one.
    """
    if not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(item.function):
        return
    from stack.testing.plugin import FIXTURES  # not at the head: pytest must be the first to import a plugin

    names = inspect.signature(item.function).parameters
    if any(name in item.fixturenames for name in FIXTURES):
        return
    if not any(name.endswith("_clock") for name in names) and item.get_closest_marker("real_time") is None:
        raise pytest.UsageError(f"{item.nodeid}: add the argument autojump_clock, or the mark real_time(why)")


class Tally:
    """How many live checks were collected, and how many passed."""

    collected = 0
    passed = 0


def is_whole_run(config: pytest.Config) -> bool:
    """Whether all tests were asked for."""
    chosen = config.getoption("keyword") or config.getoption("markexpr") or config.getoption("deselect")
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not chosen


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(LIVE):
            item.add_marker("live")
            if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
                item.add_marker(pytest.mark.trio(run=run_in_namespace), append=False)
        else:
            check_clock(item)
    Tally.collected = sum(item.get_closest_marker("live") is not None for item in items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    outside = item.get_closest_marker("live") or item.get_closest_marker("page")
    if outside is not None and report.skipped and REQUIRED:
        if isinstance(report.longrepr, tuple):
            report.outcome = "failed"
            report.longrepr = f"REQUIRE_LIVE is set, and this check would not run: {report.longrepr[2]}"
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed and "live" in report.keywords:
        Tally.passed += 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The tests of a file run one after another; so do all of tests/tcp, whose last one asks what they have seen."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return TCP if nodeid.startswith(TCP) else str(super()._split_scope(nodeid))

    return ByFile(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process that ran tests for this one has ended, and says what it has collected."""
    Tally.collected = getattr(node, "workeroutput", {}).get("live", Tally.collected)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if Tally.collected:
        terminalreporter.write_line(f"live checks: {Tally.passed} passed of {EXPECTED} expected")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):  # this process runs tests for another one (pytest-xdist)
        session.config.workeroutput["live"] = Tally.collected
    elif REQUIRED and is_whole_run(session.config) and Tally.passed != EXPECTED and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
async def alice_and_bob() -> AsyncIterator[tuple[Host, Host]]:
    """Two hosts on one Ethernet, for one test."""
    async with two_hosts() as hosts:
        yield hosts


@pytest.fixture
def alice(alice_and_bob: tuple[Host, Host]) -> Host:
    """The first of the two hosts, at ALICE."""
    return alice_and_bob[0]


@pytest.fixture
def bob(alice_and_bob: tuple[Host, Host]) -> Host:
    """The second, at BOB."""
    return alice_and_bob[1]
