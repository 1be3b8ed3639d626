"""The same seed gives the same bytes, whatever memory the machine has."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from stack.config import Config, HostConfig
from stack.link.capture import Capture
from stack.link.impair import Impaired
from stack.link.memory import Ethernet
from stack.sockets import system_memory
from stack.sockets.making import with_memory
from stack.wire.addresses import parse_ipv4
from stack.wire.tcp import SYN
from tests.requirements import rfc
from tests.sim.network import Network
from tests.sim.programs import Exchange, Server
from tests.sim.raw_station import RawStation

TEXT = bytes(range(256)) * 1000
SYNS = 300
PAGE_BYTES = 4096
LITTLE, MUCH = 512 << 20, 64 << 30


def captured(path: Path, config: Config) -> tuple[bytes, str]:
    """The capture of a server that echoes TEXT over a bad wire while it is flooded; and the digest of all frames."""
    network, ethernet = Network(11), Ethernet()
    server, client = network.machine("server", config), network.machine("client", config)
    wire = Impaired(ethernet.attach(), seed=7, loss=0.02, reorder=0.02, delay_s=0.002)
    server.attach(Capture(wire, path), "10.0.0.1/16")
    client.attach(ethernet.attach(), "10.0.0.2/16")
    station = RawStation(network, ethernet)
    station.asks("10.0.0.1")
    Server(server, 7)
    exchange = Exchange(client, client.connect("10.0.0.1", 7), TEXT)
    for number in range(SYNS):
        source = parse_ipv4("10.0.1.0")[:2] + (256 + number).to_bytes(2, "big")
        station.says_tcp("10.0.0.1", (2000 + number, 7), SYN, seq=number, source=source)
        network.run(for_s=0.001)
    network.run(lambda: exchange.done, for_s=600.0)
    assert exchange.received == TEXT
    network.run(for_s=60.0)
    budget = server.host.budget
    assert max(budget.peak, budget.used) < budget.pressure
    for machine in (server, client):
        machine.close()
    return path.read_bytes(), network.digest


@rfc("budget-12")
def test_the_bytes_do_not_depend_on_the_memory_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = captured(tmp_path / "first.pcapng", Config())
    assert len(first[0]) > 2 * len(TEXT)
    numbers: list[int | None] = []
    for memory in (LITTLE, MUCH):
        told = {"SC_PAGE_SIZE": PAGE_BYTES, "SC_PHYS_PAGES": memory // PAGE_BYTES}
        monkeypatch.setattr(os, "sysconf", told.__getitem__)
        monkeypatch.setattr(system_memory, "_limits", lambda memory=memory: [memory])
        assert captured(tmp_path / "plain.pcapng", Config()) == first
        asked = with_memory(Config())  # what `open_host` gives a host
        numbers.append(asked.host.memory_bytes)
        assert captured(tmp_path / "asked.pcapng", asked) == first
    assert numbers == [64 << 20, 8 << 30]
    for memory in (64 << 20, 4 << 30):
        config = replace(Config(), host=HostConfig(memory_bytes=memory))
        assert with_memory(config) is config
        assert captured(tmp_path / "given.pcapng", config) == first
