"""UDP and ping between whole hosts: datagrams larger than a frame, closed ports, wires that lose
frames.
"""

from __future__ import annotations

import errno
from random import Random
from typing import Any

import pytest

from stack.config import IpConfig
from stack.internet.echo import EchoFailure, EchoReply
from stack.udp.endpoint import Endpoint
from stack.wire.addresses import BROADCAST, parse_ipv4
from tests.sim.network import Machine, Network, pair

LARGEST = 65_507
THERE = parse_ipv4("10.0.0.2")


def echo(machine: Machine, port: int = 7) -> Endpoint:
    """A UDP echo service (RFC 862)."""
    endpoint = machine.udp(port)

    def answer() -> None:
        while (received := endpoint.receive()) is not None:
            endpoint.send_to(received[0], received[1], machine.network.now)
        machine.settle()

    endpoint.on_readable = lambda: machine.network.soon(answer)
    return endpoint


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 8192, 64 * 1024 - 100, LARGEST])
@pytest.mark.parametrize("mtu", [576, 1500, 9000])
def test_udp_echo_of_every_size(size: int, mtu: int) -> None:
    network, here, there = pair(11, mtu=mtu)
    echo(there)
    client = here.udp()
    data = Random(size).randbytes(size)
    client.send_to(data, (THERE, 7), network.now)
    network.run(lambda: client.readable, for_s=5.0)
    assert client.receive() == (data, (THERE, 7))
    fragments = here.host.counters["ipSystemStatsOutFragCreates"]
    pieces = -(-(size + 8) // ((mtu - 20) // 8 * 8))
    assert fragments == (pieces if size + 28 > mtu else 0)
    assert there.host.counters["ipSystemStatsReasmOKs"] == (1 if fragments else 0)


@pytest.mark.parametrize("size", [0, 56, 1472, 1473, 20_000, LARGEST])
def test_ping_of_every_size(size: int) -> None:
    network, here, _ = pair(11, delay_s=0.01)
    data = Random(size).randbytes(size)
    results = here.ping("10.0.0.2", data)
    network.run(lambda: bool(results), for_s=5.0)
    [reply] = results
    assert isinstance(reply, EchoReply)
    assert reply.data == data
    assert reply.rtt_s >= 0.02


@pytest.mark.parametrize("size", [LARGEST + 1, 100_000])
def test_more_than_a_datagram_can_be_is_refused_at_once(size: int) -> None:
    network, here, _ = pair(11)
    with pytest.raises(OSError) as caught:
        here.udp().send_to(bytes(size), (THERE, 7), network.now)
    assert caught.value.errno == errno.EMSGSIZE
    with pytest.raises(OSError) as caught:
        here.ping("10.0.0.2", bytes(size))
    assert caught.value.errno == errno.EMSGSIZE
    assert here.host.tables()["paths"] <= 1


def test_what_the_wire_takes_is_gone_and_what_it_breaks_is_not_delivered() -> None:
    """What comes at all comes whole; fragments whose datagram never does are forgotten after a minute."""
    bad: dict[str, Any] = {"loss": 0.03, "reorder": 0.1, "duplicate": 0.05, "corrupt": 0.02, "delay_s": 0.001}
    network, here, there = pair(12, **bad)
    server, client = there.udp(7), here.udp()
    random = Random(12)
    sent, got = [], []

    def take() -> None:
        while (received := server.receive()) is not None:
            got.append(received[0])

    server.on_readable = lambda: network.soon(take)
    for number in range(300):
        sent.append(number.to_bytes(4, "big") + random.randbytes(random.randrange(20_000)))
        client.send_to(sent[-1], (THERE, 7), network.now)
        network.run(for_s=0.02)
    assert 100 < len({data[:4] for data in got}) < 300
    assert all(data == sent[int.from_bytes(data[:4], "big")] for data in got)
    assert there.host.tables()["fragmented_datagrams"] > 0
    network.run(for_s=IpConfig().reassembly_timeout_s + 1)
    assert there.host.tables()["fragmented_datagrams"] == 0
    assert there.host.counters["ipv4_reassembly_timeout"] > 0


def test_a_port_where_nobody_is_refuses_a_connected_endpoint() -> None:
    network, here, there = pair(11)
    connected, other = here.udp(), here.udp()
    connected.connect((THERE, 99), network.now)
    woken: list[float] = []
    connected.on_readable = lambda: woken.append(network.now)
    connected.send(b"x", network.now)
    other.send_to(b"x", (THERE, 98), network.now)
    network.run(for_s=1.0)
    assert len(woken) == 1
    with pytest.raises(OSError) as caught:
        connected.receive()
    assert caught.value.errno == errno.ECONNREFUSED
    assert other.error == 0  # it could not tell which datagram the error is about
    connected.send(b"again", network.now)  # the error is told once; then it is tried again
    network.run(for_s=1.0)
    with pytest.raises(OSError) as caught:
        connected.send(b"and again", network.now)
    assert caught.value.errno == errno.ECONNREFUSED
    assert there.host.counters["udpNoPorts"] == 3


def test_a_neighbour_that_is_not_there_is_told_to_a_connected_endpoint() -> None:
    network, here, _ = pair(11)
    endpoint = here.udp()
    endpoint.connect((parse_ipv4("10.0.0.77"), 7), network.now)
    endpoint.send(b"x", network.now)
    network.run(lambda: endpoint.readable, for_s=10.0)
    assert endpoint.take_error() == errno.EHOSTUNREACH
    results = here.ping("10.0.0.77")
    network.run(lambda: bool(results), for_s=10.0)
    assert isinstance(results[0], EchoFailure)
    assert results[0].errno == errno.EHOSTUNREACH


def test_a_broadcast_reaches_everybody_and_only_who_may_may_send_it() -> None:
    network, here, there = pair(11)
    receivers = [there.udp(9), here.udp(9)]
    sender = here.udp()
    for address in (BROADCAST, parse_ipv4("10.0.0.255")):
        with pytest.raises(OSError) as caught:
            sender.send_to(b"x", (address, 9), network.now)
        assert caught.value.errno == errno.EACCES
    sender.broadcast = True
    for address in (BROADCAST, parse_ipv4("10.0.0.255")):
        sender.send_to(b"hello, all", (address, 9), network.now)
        network.run(for_s=0.1)
        received = receivers[0].receive()
        assert received is not None
        assert received[0] == b"hello, all"
    sender.send_to(b"nobody there", (BROADCAST, 10), network.now)
    network.run(for_s=0.1)
    assert there.host.counters["udpNoPorts"] == 1
    assert there.host.counters["icmpOutMsgs"] == 0  # no error about a broadcast


def test_a_slow_reader_loses_datagrams_and_no_more_than_that() -> None:
    network, here, there = pair(11)
    server, client = there.udp(7), here.udp()
    for _ in range(1000):
        client.send_to(bytes(1000), (THERE, 7), network.now)
        network.run(for_s=0.001)
    assert server.queued_bytes <= server.receive_bytes
    queued = 0
    while server.receive() is not None:
        queued += 1
    assert queued + there.host.counters["udp_queue_full"] == 1000
    assert queued > 100
    client.send_to(b"now", (THERE, 7), network.now)
    network.run(lambda: server.readable, for_s=1.0)


def test_an_hour_of_pings_leaves_nothing() -> None:
    network: Network
    network, here, there = pair(11, loss=0.05, delay_s=0.001)
    answered = 0
    for _ in range(360):
        results = here.ping("10.0.0.2", b"x" * 100, timeout_s=5.0)
        network.run(for_s=10.0)
        answered += isinstance(results[0], EchoReply)
    assert 300 < answered < 360
    network.run(for_s=there.host.config.icmp.echo_path_lifetime_s)
    for machine in (here, there):
        tables = machine.host.tables()
        assert tables["echo_requests"] == tables["paths"] == 0
