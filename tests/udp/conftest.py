"""A fresh station for every test of UDP."""

from __future__ import annotations

import pytest

from tests.internet.station import Station
from tests.udp.endpoints import made


@pytest.fixture
def station() -> Station:
    return made()
