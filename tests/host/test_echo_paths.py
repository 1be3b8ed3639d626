"""Which Echo Requests are answered by a kept path. That the outcome is the same shows test_fast.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest

from stack.config import Config, HostConfig, IcmpConfig
from stack.dissection.show import show
from stack.wire.addresses import Prefix, parse_ipv4
from tests.host.direct_host import NOW, OTHER, PEER, DirectHost
from tests.host.fast_and_plain import Twin, repaired_message, request
from tests.host.test_fast import ECHO_CHANGES


class Pinged(DirectHost):
    """A host with fast paths."""

    def __init__(self, **icmp: object) -> None:
        host = replace(HostConfig(), fast_paths=True)
        super().__init__(Config(host=host, icmp=replace(IcmpConfig(), **icmp)))  # type: ignore[arg-type]

    @property
    def prepared(self) -> int:
        assert self.host.fast is not None
        assert self.host.ip.output.open_paths == len(self.host.fast.echo.paths)
        return len(self.host.fast.echo.paths)


@pytest.mark.parametrize("change", ECHO_CHANGES.values(), ids=ECHO_CHANGES)
def test_no_path_is_left_open_by_a_change(change: Callable[[Twin], object]) -> None:
    twin = Twin(True)
    others = twin.host.ip.output.open_paths  # those of its connections
    for _ in range(3):
        twin.hears(request(bytes(1000)))
    for connection in twin.connections:
        connection.abort(twin.now)
    assert twin.host.ip.output.open_paths == 1 < others
    change(twin)
    for _ in range(3):
        twin.hears(request(bytes(1000)))
    assert twin.host.ip.output.open_paths == len(twin.fast.echo.paths) <= 1


def test_a_request_after_a_change_closes_all_paths_even_if_it_opens_none() -> None:
    host, others = Pinged(), parse_ipv4("10.0.0.4")
    for source in (PEER, PEER, others, others, parse_ipv4("10.0.0.5")):
        host.hears(request(source=source))
    assert host.prepared == 2
    host.host.ip.routes.add(Prefix(PEER, 32), host.interface, gateway=OTHER)
    host.hears(request())  # the last request was from another host
    assert host.prepared == 0


def test_the_third_request_takes_the_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Pinged()
    host.hears(request())
    host.hears(request())

    def slow_path(*_: object) -> None:
        raise AssertionError("it took the slow path")

    monkeypatch.setattr(host.host.ip.input, "receive", slow_path)
    host.hears(request(b"are you still there?", tos=0x10))
    assert "echo reply" in str(show(host.sent[-1])).lower()
    assert host.sent[-1].endswith(b"are you still there?")
    assert host.sent[-1][15] == 0x10


@pytest.mark.parametrize("maximum", [0, 4])
def test_the_number_of_paths_is_bounded(maximum: int) -> None:
    host = Pinged(echo_paths_max=maximum)
    for number in range(2, 20):
        for _ in range(3):
            host.hears(request(source=parse_ipv4(f"10.0.0.{number}")))
            assert host.prepared <= maximum


def test_after_a_while_all_are_forgotten() -> None:
    host = Pinged()
    lifetime_s = host.host.config.icmp.echo_path_lifetime_s
    assert host.host.fast is not None
    echo = host.host.fast.echo
    host.hears(request())  # after which the neighbour is known
    woken: list[float] = []
    host.host.wake_timer = lambda _: woken.append(echo.deadline)
    for _ in range(2):
        host.hears(request())
    assert woken == [NOW + lifetime_s], "the owner is told of the deadline"
    assert echo.deadline == NOW + lifetime_s
    host.host.on_deadline(NOW + lifetime_s - 0.001)
    assert host.prepared == 1
    host.host.on_deadline(NOW + lifetime_s)
    assert host.prepared == 0
    assert echo.deadline == inf
    for number in (1, 2):
        host.hears(request(number=number))
        assert host.prepared == number - 1, "the host has to be learnt again"


def test_a_host_that_pings_once_leaves_nothing_behind() -> None:
    host = Pinged()
    for number in range(2, 20):
        host.hears(request(source=parse_ipv4(f"10.0.0.{number}")))
    assert host.prepared == 0


def test_a_broadcast_request_is_not_remembered() -> None:
    """Broadcast requests that we are told to answer."""
    host = Pinged(answer_broadcast_echo=True)
    frame = bytearray(request())
    frame[30:34] = parse_ipv4("10.0.0.255")
    for _ in range(3):
        host.hears(repaired_message(bytes(frame)))
    assert host.prepared == 0
