"""A pytest plugin for tests of programs: a peer that misbehaves, and a bad wire.

A user's topmost conftest.py asks for it:

    pytest_plugins = "stack.testing.plugin"

It needs pytest-trio, which runs the tests. A test that has one of `FIXTURES` as an argument runs
under a virtual clock, with a limit in virtual time. If it fails, its traffic is kept in files.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from functools import partial, wraps
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from stack.link.impair import Impaired
from stack.link.memory import Ethernet
from stack.sockets.host import Host, open_host
from stack.sockets.resolver import installed
from stack.testing.bad_wire import BadWire, Names
from stack.testing.limit import LIMIT_S, MOST_ROUNDS, EndlessError, limited
from stack.testing.peer import ADDRESS, Peer, open_peer
from stack.testing.traffic import Traffic

FIXTURES = ("installed_host", "bad_wire", "misbehaving_peer")
HOST, SERVER = "10.9.0.1", "10.9.0.2"
TRAFFIC = pytest.StashKey[Traffic]()


class Wiring:
    """The Ethernet of one test; the link of its host, which may become bad; its names."""

    def __init__(self, seed: int, traffic: Traffic) -> None:
        self.ethernet = Ethernet(seed=seed)
        self.link = Impaired(self.ethernet.attach("host"))
        self.traffic = traffic
        self.names: Names | None = None


# --- fixtures


@pytest.fixture
def wire_seed() -> int:
    """The seed of losses, sequence numbers and ports; a test may parametrise it."""
    return 1


@pytest.fixture
def virtual_limit_s() -> float:
    """The seconds of virtual time after which a test fails; a test may parametrise it."""
    return LIMIT_S


@pytest.fixture
def _wiring(request: pytest.FixtureRequest, wire_seed: int, virtual_limit_s: float, tmp_path: Any) -> Wiring:
    traffic = Traffic(tmp_path / "traffic")
    request.node.stash[TRAFFIC] = traffic
    return Wiring(wire_seed, traffic)


@pytest.fixture
async def installed_host(_wiring: Wiring) -> AsyncIterator[Host]:
    """A host at 10.9.0.1, whose sockets are `trio.socket`'s in the test and in all its tasks."""
    trace = _wiring.traffic.of("installed_host")
    async with open_host(_wiring.link, address=f"{HOST}/24", acd="off", raise_errors=True, trace=trace) as host:
        _wiring.names = Names(host)
        with host.install(), installed(_wiring.names):
            yield host


@pytest.fixture
async def bad_wire(_wiring: Wiring, installed_host: Host) -> AsyncIterator[BadWire]:
    """`installed_host` as the client, and a server at 10.9.0.2, to which every name leads."""
    port = _wiring.ethernet.attach("server")
    trace = _wiring.traffic.of("server")
    async with open_host(port, address=f"{SERVER}/24", acd="off", raise_errors=True, trace=trace) as server:
        assert _wiring.names is not None
        _wiring.names.address = _wiring.names.address or SERVER
        yield BadWire(installed_host, server, _wiring.link)


@pytest.fixture
async def misbehaving_peer(_wiring: Wiring, installed_host: Host) -> AsyncIterator[Peer]:
    """A `stack.testing.Peer` at 10.9.0.66, opposite `installed_host`; every name leads to it."""
    async with open_peer(_wiring.ethernet) as peer:
        assert _wiring.names is not None
        _wiring.names.address = ADDRESS
        _wiring.traffic.peer = peer
        yield peer


# --- hooks


def uses(item: pytest.Item) -> bool:
    """Whether a test uses a fixture of this plugin."""
    return isinstance(item, pytest.Function) and any(name in item.fixturenames for name in FIXTURES)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run without pytest-trio."""
    if not any(
        getattr(plugin, "__name__", "") == "pytest_trio.plugin" for plugin in config.pluginmanager.get_plugins()
    ):
        raise pytest.UsageError("stack.testing.plugin needs pytest-trio: pip install 'tapstack[testing]'")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pytest-trio run our tests, by our runner."""
    for item in items:
        if isinstance(item, pytest.Function) and uses(item) and inspect.iscoroutinefunction(item.obj):
            # pytest-trio takes the first mark that has a runner; its own mode adds one at the end.
            item.add_marker(pytest.mark.trio(run=partial(run, item)), append=False)


def run(item: pytest.Function, test: Callable[[], Awaitable[None]], *, clock: Any = None, **options: Any) -> None:
    """What runs in the place of `trio.run`: under a virtual clock, unless the test has brought one.

    What is limited here is the test with its fixtures. The test alone has half of that.
    """
    __tracebackhide__ = is_of_the_test  # pytest looks at it
    clock = MockClock(autojump_threshold=0) if clock is None else clock
    whole = partial(limited, "a fixture", test, 2 * limit_of(item), item.config.rootpath, 2 * MOST_ROUNDS)
    try:
        trio.run(whole, clock=clock, **options)
        return
    except BaseException as raised:
        error = raised
    # pytest-trio runs a test in nurseries. Their groups say nothing of the test.
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, EndlessError):
        pytest.fail(str(error), pytrace=False)
    raise error


def is_of_the_test(raised: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether the test has raised it, and not `pytest.fail` here."""
    return not isinstance(raised.value, pytest.fail.Exception)


def limit_of(item: pytest.Function) -> float:
    """The limit of a test, in seconds of virtual time."""
    return float(item.funcargs["virtual_limit_s"])  # type: ignore[arg-type]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a test that no trio can run."""
    if uses(item) and item.get_closest_marker("trio") is None:
        pytest.fail(f"a test with {' or '.join(FIXTURES)} is an `async def`, and {item.name} is not", pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Put the test itself under the limit, before pytest-trio wraps it."""
    if isinstance(item, pytest.Function) and uses(item) and inspect.iscoroutinefunction(item.obj):
        item.obj = under_limit(item.obj, item)
    return (yield)


def under_limit(test: Callable[..., Awaitable[None]], item: pytest.Function) -> Callable[..., Awaitable[None]]:
    """A test that ends with EndlessError when its time is over."""

    @wraps(test)
    async def within_limit(**arguments: Any) -> None:
        __tracebackhide__ = True
        await limited("the test", partial(test, **arguments), limit_of(item), item.config.rootpath)

    return within_limit


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write the traffic of a test that failed. All of trio has ended by then."""
    report = yield
    traffic = item.stash.get(TRAFFIC, None)
    if traffic is not None and report.when == "call" and report.failed:
        report.sections.append(("Traffic", traffic.write()))
    return report
