"""Fixtures of the live checks: a network namespace for each module or each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.net import Namespace, Program, own_namespace, up


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """An empty network namespace for one test."""
    with own_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def module_namespace() -> Iterator[Namespace]:
    """One network namespace for all tests of a module."""
    with own_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def http_root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder that http serves."""
    return str(tmp_path_factory.mktemp("http"))


@pytest.fixture(scope="module")
def running(module_namespace: Namespace, http_root: str) -> Iterator[Program]:
    """`tapstack up` for all tests of a module."""
    with up(module_namespace, "--http-root", http_root) as program:
        yield program
