"""The time of day in ICMP answers and IP options, of a host as programs open it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from stack import Config
from stack.config import IcmpConfig
from stack.sockets.time_of_day import milliseconds
from stack.wire import icmp
from stack.wire.addresses import parse_ipv4
from stack.wire.icmp import IcmpMessage, echo_request, timestamp_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import Timestamps, join, pad, split
from tests.requirements import rfc
from tests.sockets.hosts import ALICE, BOB, host_on
from tests.sockets.test_runner import ScriptedLink

NOON_MS = 43_200_000


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noon in Greenwich, and 7 ms."""
    monkeypatch.setattr("stack.sockets.time_of_day.time", lambda: 20_000 * 86_400 + 43_200.0075)


async def answered(link: ScriptedLink, message: IcmpMessage, options: bytes = b"") -> list[bytes]:
    """What a host answers to such a message of BOB's."""
    body = message.build()
    total = 20 + len(options) + len(body)
    header = Ipv4Header(parse_ipv4(BOB), parse_ipv4(ALICE), 1, total, options=options)
    link.written.clear()
    link.frames.append(header.build() + body)
    link.wake()
    await trio.sleep(0.1)
    return link.written


@rfc("drift-1")
async def test_a_timestamp_request_is_answered_where_that_is_configured(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    config = replace(Config(), icmp=IcmpConfig(answer_timestamp=True))
    async with host_on(link, f"{ALICE}/24", config=config):
        [packet] = await answered(link, timestamp_request(5, 6, 1234))
        reply = IcmpMessage.parse(packet[20:])
        assert (reply.type, reply.timestamps) == (icmp.TIMESTAMP_REPLY, (1234, NOON_MS + 7, NOON_MS + 7))


async def test_by_default_it_is_not(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    async with host_on(link, f"{ALICE}/24") as host:
        assert await answered(link, timestamp_request(5, 6, 1234)) == []
        assert host.counters()["icmp_timestamp"] == 1


@rfc("drift-1")
async def test_the_timestamp_option_of_an_echo_request_comes_back_filled_in(autojump_clock: MockClock) -> None:
    link = ScriptedLink()
    async with host_on(link, f"{ALICE}/24"):
        option = Timestamps((bytes(8), bytes(8)), 1).option()
        [packet] = await answered(link, echo_request(1, 1, b"x"), pad(join([option])))
        header = Ipv4Header.parse(packet)
        assert IcmpMessage.parse(packet[header.header_length :]).type == icmp.ECHO_REPLY
        found = Timestamps.from_option(split(header.options)[0])
        assert found.entries == ((parse_ipv4(ALICE), NOON_MS + 7), (bytes(4), 0))
        assert found.pointer == 13


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, 0), (86_400 * 3, 0), (86_400 * 3 - 0.0005, 86_399_999), (1.5, 1500)]
)
def test_a_day_begins_at_midnight(seconds: float, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.sockets.time_of_day.time", lambda: seconds)
    assert milliseconds() == expected
