"""Fixtures of the live tests: a network namespace for each module or each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.dhcp_servers import Lan, Wire
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
def http_root() -> Iterator[str]:
    """The folder that http serves; pytest's own are closed to the user that serves it."""
    with tempfile.TemporaryDirectory(prefix="tapstack-http-") as name:
        os.chmod(name, 0o755)
        yield name


@pytest.fixture(scope="module")
def running(module_namespace: Namespace, http_root: str) -> Iterator[Program]:
    """`tapstack up` for all tests of a module."""
    with up(module_namespace, "--http-root", http_root) as program:
        yield program


@pytest.fixture
def lan(namespace: Namespace) -> Lan:
    """A network for one test, where the kernel has 10.9.0.1 and our TAP has a port."""
    return Lan(namespace)


@pytest.fixture
def wire(lan: Lan, tmp_path: Path) -> Iterator[Wire]:
    """What DHCP says on that network."""
    with Wire(lan.namespace, tmp_path) as made:
        yield made
