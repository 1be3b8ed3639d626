"""Peers that fall silent at the worst moment, a thousand of each kind: each connection is given up
in the end, and its port is free again.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stack.config import TcpConfig
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.testing.frame_sender import Heard
from stack.wire.addresses import ANY
from stack.wire.tcp import ACK, FIN, SYN
from tests.sim.network import Machine, Network
from tests.sim.programs import Echo, Program
from tests.sim.raw_station import RawStation

COUNT = 1000
CONFIG = TcpConfig()

Behaviour = Callable[[RawStation, Heard], None]


class Talker(Program):
    """Says a few words as soon as it can, and closes."""

    def step(self) -> None:
        if self.connection.synchronized or self.connection.error:
            self.connection.send(b"a few words", self.now)
            self.close()


def says_nothing(station: RawStation, heard: Heard) -> None:
    """Not even to the SYN."""


def opens_and_goes(station: RawStation, heard: Heard) -> None:
    """The last thing it says is SYN,ACK."""
    if heard.tcp.flags & SYN:
        station.replies_to(heard, SYN | ACK)


def never_closes(station: RawStation, heard: Heard) -> None:
    """Acknowledges everything, our FIN too, and keeps its own to itself."""
    if heard.tcp.flags & SYN:
        station.replies_to(heard, SYN | ACK)
    elif heard.length:
        station.replies_to(heard, ACK)


def closes_at_the_same_time(station: RawStation, heard: Heard) -> None:
    """Its FIN crosses ours, which it never acknowledges."""
    if heard.tcp.flags & SYN:
        station.replies_to(heard, SYN | ACK)
    elif heard.data and not heard.tcp.flags & FIN:
        station.replies_to(heard, FIN | ACK)


def closes_first_and_goes(station: RawStation, heard: Heard) -> None:
    """Its FIN comes with the handshake, and the last ACK never."""
    if heard.tcp.flags & SYN:
        station.replies_to(heard, SYN | ACK)
    elif heard.tcp.ack == 5001 and not heard.length:  # its SYN was 5000
        station.replies_to(heard, FIN | ACK)


def opens_no_window(station: RawStation, heard: Heard) -> None:
    """Sockstress: a window of zero, which every probe hears again, for ever."""
    if heard.tcp.flags & SYN:
        station.replies_to(heard, SYN | ACK, window=0)
    elif heard.length:
        station.replies_to(heard, ACK, window=0, takes=False)


@pytest.mark.parametrize(
    ("behaviour", "program", "state", "reaped_after_s"),
    [
        (says_nothing, Talker, State.SYN_SENT, CONFIG.syn_timeout_s),
        (opens_and_goes, Talker, State.FIN_WAIT_1, CONFIG.orphan_timeout_s),
        (never_closes, Talker, State.FIN_WAIT_2, CONFIG.fin_wait_2_timeout_s),
        (closes_at_the_same_time, Talker, State.CLOSING, CONFIG.orphan_timeout_s),
        (closes_first_and_goes, Echo, State.LAST_ACK, CONFIG.orphan_timeout_s),
        (opens_no_window, Talker, State.FIN_WAIT_1, CONFIG.orphan_timeout_s),
    ],
)
def test_a_thousand_silent_peers_are_all_given_up(
    behaviour: Behaviour, program: Callable[[Machine, Connection], Program], state: State, reaped_after_s: float
) -> None:
    network = Network(6)
    ethernet = Ethernet()
    host = network.machine("host")
    host.attach(ethernet.attach(queue_limit=10 * COUNT), "10.0.0.1/24")
    station = RawStation(network, ethernet)
    station.on_tcp = lambda heard: behaviour(station, heard)
    connections = []
    for _ in range(COUNT):
        connections.append(host.connect("10.0.0.66", 80))
        program(host, connections[-1])
        network.run(for_s=0.001)
    ports = [connection.local[1] for connection in connections]
    network.run(for_s=5.0)
    assert all(connection.state is state for connection in connections)
    assert host.host.tables()["connections"] == host.host.tables()["paths"] == COUNT
    network.run(lambda: not host.host.tables()["connections"], for_s=1.5 * reaped_after_s)
    tables = host.host.tables()
    assert tables["deadlines"] == tables["local_ports"] == tables["paths"] == 0
    for port in ports:
        host.host.bind_tcp((ANY, port))
    # No connection sent much meanwhile: some twenty segments each, retransmissions and the reset at the end included.
    assert host.host.counters["tcpOutSegs"] < 20 * COUNT


def test_a_zero_window_that_is_kept_open_by_the_user_is_not_given_up() -> None:
    """MUST-37: as long as probes are answered the connection lives, while its user wants it."""
    network = Network(6)
    ethernet = Ethernet()
    host = network.machine("host")
    host.attach(ethernet.attach(), "10.0.0.1/24")
    station = RawStation(network, ethernet)
    station.on_tcp = lambda heard: opens_no_window(station, heard)
    connection = host.connect("10.0.0.66", 80)
    connection.send(b"a few words", network.now)
    network.run(for_s=3600.0)
    assert connection.state is State.ESTABLISHED
    station.on_tcp = None  # now it is gone for good
    network.run(lambda: connection.state is State.CLOSED, for_s=CONFIG.user_timeout_s + CONFIG.rto_max_s)
    assert host.host.tables()["connections"] == host.host.tables()["deadlines"] == 0


def test_the_end_comes_whatever_the_clock_reads() -> None:
    """A deadline is the sum of two times; at that very moment their difference may round to less, and so loop."""
    for tenth in range(300):
        network = Network(6, start_s=1000.0 + tenth / 10)
        ethernet = Ethernet()
        host = network.machine("host")
        host.attach(ethernet.attach(), "10.0.0.1/24")
        station = RawStation(network, ethernet)
        connection = host.connect("10.0.0.66", 80)
        network.run(lambda connection=connection: connection.state is State.CLOSED, for_s=200.0)  # type: ignore[misc]
        assert len(station.frames) < 10
