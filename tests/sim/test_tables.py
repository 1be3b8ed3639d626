"""Nothing grows for ever: what connections leave behind, what they cost, and how many deadlines
they keep.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stack.config import Config, TcpConfig
from stack.host.tables import CONFIGURED
from stack.wire.addresses import ANY, parse_ipv4
from tests.sim.network import Machine, Network, pair
from tests.sim.programs import Exchange, Requester, Server

TOP = Path(__file__).resolve().parent.parent.parent
TWO_MSL_S = 2 * TcpConfig().msl_s
ARP_FORGETS_S = 2000.0
BYTES_PER_IDLE_CONNECTION = 4 << 10


def assert_empty(machine: Machine) -> None:
    """Every table of the host is empty, and it has nothing to wake up for."""
    assert {name: size for name, size in machine.host.tables().items() if size and name not in CONFIGURED} == {}
    assert machine.host.deadline == float("inf")


def open_and_close(network: Network, here: Machine, count: int, **options: Any) -> list[int]:
    """`count` connections to port 7, at most 50 at once, each with an echo; the local ports they had."""
    ports: list[int] = []
    while len(ports) < count:
        batch = [Exchange(here, here.connect("10.0.0.2", 7, **options), b"hello") for _ in range(50)]
        network.run(lambda batch=batch: all(client.done for client in batch), for_s=60.0)  # type: ignore[misc]
        ports += [client.connection.local[1] for client in batch]
    return ports


@pytest.mark.parametrize("impairment", [{}, {"loss": 0.1, "reorder": 0.1, "corrupt": 0.02, "delay_s": 0.005}])
@pytest.mark.parametrize("keepalive", [False, True])
def test_a_thousand_connections_leave_nothing_behind(impairment: dict[str, Any], keepalive: bool) -> None:
    network, here, there = pair(4, **impairment)
    server = Server(there, 7, backlog=1000, keepalive=keepalive)
    here.udp().send_to(b"x", (parse_ipv4("10.0.0.2"), 9), network.now)
    here.ping("10.0.0.2", bytes(5000))
    ports = open_and_close(network, here, 1000, keepalive=keepalive)
    assert server.accepted == len(set(ports)) == 1000
    server.close()
    network.run(for_s=TWO_MSL_S + 120)
    for machine in (here, there):
        assert machine.host.tables()["connections"] == 0
        assert machine.host.tables()["deadlines"] == 0
    assert here.host.connections() == [udp for udp in here.host.connections() if udp.protocol == "udp"]
    for port in ports:
        here.host.bind_tcp((ANY, port))
        here.host.release_tcp((ANY, port))
    there.host.bind_tcp((ANY, 7))
    there.host.release_tcp((ANY, 7))


def test_every_table_is_empty_in_the_end() -> None:
    network, here, there = pair(4)
    server = Server(there, 7, backlog=1000)
    answering, asking = there.udp(9), here.udp()
    asking.send_to(bytes(20_000), (parse_ipv4("10.0.0.2"), 9), network.now)
    asking.send_to(b"to nobody", (parse_ipv4("10.0.0.77"), 9), network.now)
    here.ping("10.0.0.2")
    here.ping("10.0.0.77")
    open_and_close(network, here, 100)
    server.close()
    answering.close()
    asking.close()
    network.run(for_s=ARP_FORGETS_S)
    assert_empty(here)
    assert_empty(there)


def test_after_closes_and_a_zero_window_no_expired_deadline_stays_armed() -> None:
    """The network itself asserts that no deadline is overdue after it was handled; here that none is left at all."""
    network, here, there = pair(4, delay_s=0.01)
    server = Server(there, 7, backlog=1000)
    open_and_close(network, here, 1000)
    listener = there.listen(8)
    client = Exchange(here, here.connect("10.0.0.2", 8), bytes(2_000_000))
    network.run(lambda: listener.readable)
    reader = listener.accept()
    assert reader is not None
    network.run(for_s=120.0)  # the user does not read: the window closes, and probes go out
    assert client.connection.snd_wnd == 0
    assert client.connection.persist_backoff > 3
    server.programs.append(Exchange(there, reader))
    network.run(lambda: client.done, for_s=120.0)
    network.run(for_s=TWO_MSL_S + 1)
    for machine in (here, there):
        assert machine.host.tables()["deadlines"] == 0
    before = network.events
    network.run(for_s=3600.0)
    assert network.events - before < 20  # ARP forgetting its entries


def test_idle_hosts_have_nothing_to_wake_up_for() -> None:
    """Connections, listeners and sockets that are quiet arm no timer: once ARP has forgotten, nothing happens again."""
    network, here, there = pair(4, delay_s=0.001)
    Server(there, 7)
    there.udp(9)
    clients = [here.connect("10.0.0.2", 7) for _ in range(50)]
    network.run(lambda: all(client.synchronized for client in clients))
    network.run()  # until nothing is left to happen, however long that takes
    assert here.host.deadline == there.host.deadline == float("inf")
    assert here.host.tables()["connections"] == there.host.tables()["connections"] == 50
    clients[0].send(b"still here", network.now)
    here.settle()
    network.run(lambda: clients[0].receive_buffer.size == 10, for_s=1.0)


def test_a_thousand_connections_at_once_all_come_about() -> None:
    """More than the SYN queue holds, all in the same moment: none is refused, reset or forgotten."""
    network, here, there = pair(4)
    server = Server(there, 7, backlog=2000)
    clients = [Exchange(here, here.connect("10.0.0.2", 7), b"hello") for _ in range(900)]
    network.run(lambda: all(client.done or client.error for client in clients), for_s=60.0)
    assert {client.error for client in clients} == {None}
    assert {bytes(client.received) for client in clients} == {b"hello"}
    assert server.accepted == 900


@pytest.mark.long
def test_an_hour_of_a_request_a_second_keeps_two_deadlines_at_the_most() -> None:
    network, here, there = pair(4)
    Server(there, 7, keepalive=True)
    clients = [
        Requester(here, here.connect("10.0.0.2", 7, keepalive=True), interval_s=1.0, times=3600) for _ in range(100)
    ]
    most = 0
    for _ in range(3600):
        network.run(for_s=1.0)
        most = max(most, here.host.tables()["deadlines"], there.host.tables()["deadlines"])
    assert most <= 2 * 100
    network.run(lambda: all(client.closed for client in clients), for_s=10.0)
    assert [client.answered for client in clients] == [3600] * 100
    network.run(for_s=TWO_MSL_S)
    assert here.host.tables()["deadlines"] == there.host.tables()["deadlines"] == 0


@pytest.mark.parametrize("what", ["tests.sim.idle", "tests.sockets.idle"])
def test_an_idle_connection_costs_less_than_4_kib(what: str) -> None:
    """Measured in a process of their own, where nothing else comes and goes: TCP alone, and with its socket."""
    command = [sys.executable, "-m", what, "500"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True)
    traced = float(done.stdout.split()[0])
    assert 1000 < traced < BYTES_PER_IDLE_CONNECTION


def test_ports_run_out_with_an_error_and_come_back() -> None:
    config = Config()
    config = replace(config, host=replace(config.host, ephemeral_first=50_000, ephemeral_last=50_009))
    network, here, there = pair(4, config=config)
    Server(there, 7)
    clients = [Exchange(here, here.connect("10.0.0.2", 7)) for _ in range(10)]
    with pytest.raises(OSError) as caught:
        here.connect("10.0.0.2", 7)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    network.run(lambda: all(client.done for client in clients))
    network.run(for_s=TWO_MSL_S + 1)
    assert here.connect("10.0.0.2", 7).local[1] in range(50_000, 50_010)
