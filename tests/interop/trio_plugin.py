"""A plugin for pytest: runs trio's own tests with a host of ours installed in each run of trio.

usage: pytest -p trio._tests.pytest_plugin -p tests.interop.trio_plugin --pyargs trio._tests.test_socket
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
import trio

import stack

installed = ExitStack()


@asynccontextmanager
async def opened() -> AsyncIterator[stack.Host]:
    """A host without a link: it talks to itself, at 127.0.0.1."""
    async with stack.open_host(raise_errors=True) as host:
        yield host


def pytest_configure(config: pytest.Config) -> None:
    installed.enter_context(stack.install_in_each_run(opened))
    setattr(trio._core, "run", trio.run)  # noqa: B010  # by which trio's tests begin their runs


def pytest_unconfigure(config: pytest.Config) -> None:
    installed.close()
