"""What an observer on the path learns from the Identification field: see stack/internet/ident.py
and RFC 7739 section 3.5.
"""

from __future__ import annotations

import pytest

from stack.internet import ident
from stack.link.memory import Ethernet
from stack.wire.icmp import echo_request
from stack.wire.numbers import PROTO_ICMP
from stack.wire.tcp import RST, SYN
from tests.sim.network import Network
from tests.sim.raw_station import RawStation


def test_a_reset_takes_no_identification_from_a_counter_that_a_watcher_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here all flows have the same counter, and the watcher reads it by pings."""
    monkeypatch.setattr(ident, "_COUNTERS", 1)
    network, ethernet = Network(7), Ethernet()
    server = network.machine("server")
    server.attach(ethernet.attach(), "10.0.0.1/24")
    station = RawStation(network, ethernet)
    station.asks("10.0.0.1")

    def identification() -> int:
        station.says_ip(PROTO_ICMP, echo_request(1, 1, b"").build(), "10.0.0.1")
        network.run(for_s=0.1)
        ((header, _),) = station.packets()
        return header.identification

    before = identification()
    station.says_tcp("10.0.0.1", (1024, 4242), SYN)
    network.run(for_s=0.1)
    (reset,) = station.segments()
    assert reset.tcp.flags & RST
    assert (identification() - before) & 0xFFFF == 1
