"""Which datagrams take the fast path of a known flow. That its outcome is the same shows
test_fast.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.config import Config, UdpConfig
from stack.wire.addresses import Prefix, parse_ipv4
from tests.host.direct_host import OTHER, US, DirectHost
from tests.host.fast_and_plain import Twin, datagram


def test_the_second_datagram_takes_the_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Twin(True)
    twin.bind()
    twin.hears(datagram())

    def slow_path(*_: object) -> None:
        raise AssertionError("it took the slow path")

    monkeypatch.setattr(twin.host.ip.input, "receive", slow_path)
    twin.hears(datagram(b"another, from the same"))
    assert "another" in str(twin.outcome()[1])


@pytest.mark.parametrize("maximum", [0, 4])
def test_the_table_is_bounded(maximum: int) -> None:
    host = DirectHost(replace(Config(), udp=UdpConfig(flows_max=maximum)))
    if host.host.fast is None:
        return
    endpoint = host.host.udp.open()
    endpoint.bind((US, 7))
    for number in range(2, 20):
        host.hears(datagram(source=parse_ipv4(f"10.0.0.{number}")))
        assert len(host.host.fast.udp.flows) <= maximum
    assert bool(host.host.fast.udp.flows) is bool(maximum)


def test_a_change_of_ports_or_addresses_makes_all_flows_be_learnt_again() -> None:
    twin = Twin(True)
    twin.bind()
    for change in (
        lambda: twin.bind(US, 9),
        lambda: twin.host.add_address(twin.interface, Prefix(OTHER, 24), twin.now, acd="off"),
    ):
        for number in range(3, 9):
            twin.hears(datagram(source=parse_ipv4(f"10.0.0.{number}")))
        assert len(twin.fast.udp.flows) == 6
        change()
        twin.hears(datagram())
        assert len(twin.fast.udp.flows) == 1


def test_a_closed_endpoint_is_forgotten_at_once() -> None:
    twin = Twin(True)
    endpoint = twin.bind()
    twin.hears(datagram())
    endpoint.close()
    assert not twin.fast.udp.flows
