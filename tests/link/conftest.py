"""A TAP's device and its control without a kernel, for every test that asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.link.fake_tap import FakeControl, FakeDevice, fakes


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeDevice, FakeControl]]:
    with fakes(monkeypatch) as both:
        yield both


@pytest.fixture
def device(fake: tuple[FakeDevice, FakeControl]) -> FakeDevice:
    return fake[0]


@pytest.fixture
def control(fake: tuple[FakeDevice, FakeControl]) -> FakeControl:
    return fake[1]
