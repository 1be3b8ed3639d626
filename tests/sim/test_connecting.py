"""Connections that do not come about, and what the program is told: POSIX's errno, in the time that
it should take.
"""

from __future__ import annotations

import errno

import pytest

from stack.config import ArpConfig, TcpConfig
from stack.host.interface import Interface
from stack.internet.echo import EchoFailure
from stack.link.impair import Impaired, Impairment
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.seq import add
from stack.tcp.states import State
from stack.wire import icmp
from stack.wire.addresses import ANY, parse_ipv4
from stack.wire.checksum import pseudo_sum
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP
from stack.wire.tcp import HEADER_LENGTH, RST, SYN, TcpHeader, build_segment
from tests.requirements import rfc
from tests.sim.network import Machine, Network, pair
from tests.sim.programs import Exchange, Server
from tests.sim.raw_station import RawStation

ARP_GIVES_UP_S = ArpConfig().attempts * ArpConfig().request_interval_s
SYN_TIMEOUT_S = TcpConfig().syn_timeout_s


def ends(network: Network, connection: Connection, for_s: float) -> tuple[str, float]:
    """How an attempt ended: the errno's name, and after how many seconds."""
    began = network.now
    told: list[float] = []
    connection.on_readable = lambda: told.append(network.now)
    network.run(lambda: connection.state is State.CLOSED, for_s=for_s)
    assert told or network.now == began  # the call that waits is woken
    with pytest.raises(OSError) as caught:
        connection.send(b"x", network.now)
    return errno.errorcode[caught.value.errno or 0], network.now - began


def nothing_is_left(machine: Machine) -> bool:
    tables = machine.host.tables()
    return not any(tables[name] for name in ("connections", "local_ports", "paths", "deadlines"))


def test_refused_at_once() -> None:
    network, here, there = pair(10, delay_s=0.01)
    assert ends(network, here.connect("10.0.0.2", 99), 5.0) == ("ECONNREFUSED", pytest.approx(0.04, abs=0.001))
    assert nothing_is_left(here)
    assert nothing_is_left(there)


def test_unreachable_when_nobody_answers_arp() -> None:
    network, here, _ = pair(10)
    assert ends(network, here.connect("10.0.0.77", 99), 60.0) == ("EHOSTUNREACH", ARP_GIVES_UP_S)
    assert nothing_is_left(here)


@rfc("9293 MUST-46")
def test_no_route_is_said_by_the_call_itself() -> None:
    _, here, _ = pair(10)
    for address in ("192.0.2.1", "240.0.0.1", "224.0.0.5", "255.255.255.255", "10.0.0.255", "10.0.0.0", "0.0.0.0"):
        with pytest.raises(OSError) as caught:
            here.connect(address, 99)
        assert caught.value.errno == errno.ENETUNREACH, address
    assert nothing_is_left(here)


def test_no_gateway_is_unreachable_too() -> None:
    network = Network(10)
    here = network.machine("here")
    here.attach(Ethernet().attach(), "10.0.0.1/24", gateway="10.0.0.254")
    assert ends(network, here.connect("192.0.2.1", 99), 60.0) == ("EHOSTUNREACH", ARP_GIVES_UP_S)


def test_timed_out_when_the_peer_says_nothing() -> None:
    network = Network(10)
    ethernet = Ethernet()
    here = network.machine("here")
    here.attach(ethernet.attach(), "10.0.0.1/24")
    silent = RawStation(network, ethernet)
    name, seconds = ends(network, here.connect("10.0.0.66", 99), 600.0)
    assert (name, seconds) == ("ETIMEDOUT", pytest.approx(SYN_TIMEOUT_S, rel=0.01))
    assert seconds >= 180.0  # MUST-23: three minutes at least
    syns = silent.segments()
    assert 5 < len(syns) < 12
    assert {heard.tcp.flags for heard in syns} == {SYN}
    assert len({heard.tcp.seq for heard in syns}) == 1
    assert nothing_is_left(here)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (icmp.NET_UNREACHABLE, "ENETUNREACH"),
        (icmp.HOST_UNREACHABLE, "EHOSTUNREACH"),
        (icmp.PROTOCOL_UNREACHABLE, "ENOPROTOOPT"),
        (icmp.PORT_UNREACHABLE, "ECONNREFUSED"),
    ],
)
def test_what_a_router_says_is_the_reason(code: int, name: str) -> None:
    """Soft errors (network, host) are the reason when the time is up, hard ones (protocol, port) at once."""
    network = Network(10)
    ethernet = Ethernet()
    here = network.machine("here")
    here.attach(ethernet.attach(), "10.0.0.1/24", gateway="10.0.0.66")
    router = RawStation(network, ethernet)

    def complain() -> None:
        for frame in router.frames:
            router.says_ip(PROTO_ICMP, icmp.unreachable(code, frame[14 : 14 + 28]).build(), "10.0.0.1")
        router.frames.clear()

    router.on_tcp = lambda heard: network.soon(complain)
    hard = code in (icmp.PROTOCOL_UNREACHABLE, icmp.PORT_UNREACHABLE)
    got, seconds = ends(network, here.connect("192.0.2.1", 99), 600.0)
    assert got == name
    assert seconds < 1.0 if hard else seconds >= 180.0


def test_an_error_about_a_syn_that_was_not_sent_is_not_believed() -> None:
    network = Network(10)
    ethernet = Ethernet()
    here = network.machine("here")
    here.attach(ethernet.attach(), "10.0.0.1/24", gateway="10.0.0.66")
    liar = RawStation(network, ethernet)
    connection = here.connect("192.0.2.1", 99)
    network.run(lambda: bool(liar.frames), for_s=1.0)
    [(header, segment_sent)] = liar.packets()
    guessed = bytearray(header.build() + segment_sent[:8])
    guessed[24] ^= 0x40  # the sequence number
    liar.says_ip(PROTO_ICMP, icmp.unreachable(icmp.PORT_UNREACHABLE, bytes(guessed)).build(), "10.0.0.1")
    network.run(for_s=0.5)
    assert connection.state is State.SYN_SENT
    assert here.host.counters["tcp_icmp_not_in_flight"] == 1


def test_reset_by_the_peer_and_nobody_else() -> None:
    network = Network(10)
    ethernet = Ethernet()
    here, there = network.machine("here"), network.machine("there")
    here.attach(ethernet.attach(), "10.0.0.1/24")
    there.attach(ethernet.attach(), "10.0.0.2/24")
    forger = RawStation(network, ethernet)
    forger.asks("10.0.0.1")
    Server(there, 7)
    connection = here.connect("10.0.0.2", 7)
    network.run(lambda: connection.synchronized)
    ports = 7, connection.local[1]
    for seq in (0, connection.rcv_nxt - 1, connection.rcv_nxt + 1, connection.rcv_nxt + connection.rcv_wnd):
        forger.says_tcp("10.0.0.1", ports, RST, seq=seq & 0xFFFFFFFF, source=parse_ipv4("10.0.0.2"))
    network.run(for_s=1.0)
    assert connection.state is State.ESTABLISHED
    [peer] = there.host.tcp.connections.values()
    peer.abort(network.now)
    there.settle()
    assert ends(network, connection, 1.0) == ("ECONNRESET", 0.0)


def test_the_way_is_gone_for_good_in_the_midst_of_a_transfer() -> None:
    network = Network(10)
    ethernet = Ethernet()
    here, there = network.machine("here"), network.machine("there")
    wire = Impaired(ethernet.attach(), delay_s=0.01)
    here.attach(wire, "10.0.0.1/24")
    there.attach(ethernet.attach(), "10.0.0.2/24")
    Server(there, 7)
    client = Exchange(here, here.connect("10.0.0.2", 7), bytes(10_000_000))
    network.run(for_s=0.5)
    assert len(client.received) > 0
    wire.outgoing.impairment = wire.incoming.impairment = Impairment(loss=1.0)
    began = network.now
    network.run(lambda: client.error is not None, for_s=1000.0)
    # ARP finds out that the neighbour is gone, which is what the connection gives as the reason for its end.
    assert client.error == errno.EHOSTUNREACH
    assert network.now - began == pytest.approx(TcpConfig().user_timeout_s, abs=1.0)
    network.run(for_s=1000.0)
    for machine in (here, there):
        assert machine.host.tables()["connections"] == 0


def test_the_host_ends_and_whoever_waits_is_told() -> None:
    network, here, there = pair(10, delay_s=0.01)
    server = Server(there, 7)
    client = Exchange(here, here.connect("10.0.0.2", 7), bytes(100_000_000))
    waiting = here.connect("10.0.0.77", 7)
    endpoint = here.udp(9)
    woken: list[str] = []
    waiting.on_readable = lambda: woken.append("tcp")
    endpoint.on_readable = lambda: woken.append("udp")
    pings = here.ping("10.0.0.77")
    network.run(for_s=0.1)
    assert not client.done
    here.host.shutdown(network.now)
    network.run(for_s=1.0)
    assert client.error == errno.ENETDOWN
    assert server.programs[0].error == errno.ECONNRESET  # and the other end knows
    assert sorted(woken) == ["tcp", "udp"]
    [failure] = pings
    assert isinstance(failure, EchoFailure)
    assert failure.errno == errno.ENETDOWN
    for call in (lambda: here.connect("10.0.0.2", 7), lambda: here.ping("10.0.0.2"), lambda: here.listen(8)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENETDOWN
    with pytest.raises(OSError) as caught:
        endpoint.receive()
    assert caught.value.errno == errno.ENETDOWN
    assert nothing_is_left(here)


def test_an_address_that_is_taken() -> None:
    network, here, _ = pair(10)
    here.listen(7)
    for address in (ANY, parse_ipv4("10.0.0.1")):
        with pytest.raises(OSError) as caught:
            here.listen(7, address=address)
        assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError) as caught:
        here.listen(8, address=parse_ipv4("10.0.0.9"))
    assert caught.value.errno == errno.EADDRNOTAVAIL
    local, remote = (parse_ipv4("10.0.0.1"), 5000), (parse_ipv4("10.0.0.77"), 80)
    here.host.connect(local, remote, network.now)
    with pytest.raises(OSError) as caught:
        here.host.connect(local, remote, network.now)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    here.host.connect(local, (remote[0], 81), network.now)  # another connection from the same port is another one


@rfc("6191-2-a")
def test_the_same_port_again_while_the_server_is_in_time_wait() -> None:
    network, here, there = pair(4)
    listener = there.listen(7)
    local = (parse_ipv4("10.0.0.1"), 5000)
    for _ in range(3):
        client = here.host.connect(local, (parse_ipv4("10.0.0.2"), 7), network.now)
        here.settle()
        network.run(lambda: listener.readable, for_s=0.5)
        server = listener.accept()
        assert server is not None
        server.close(network.now)
        there.settle()
        network.run(for_s=0.01)
        assert client.peer_fin
        client.close(network.now)
        here.settle()
        network.run(for_s=0.01)
        assert (client.state, server.state) == (State.CLOSED, State.TIME_WAIT)
    assert there.host.tables()["connections"] == 1


def old_duplicate(here: Machine, server: Connection, now: float) -> None:
    """A SYN that the client might have sent once, from a port that it no longer uses."""
    (source, port), (destination, listening) = server.remote, server.local
    header = TcpHeader(port, listening, add(server.rcv_nxt, 1000), 0, SYN, 0xFFFF)
    raw = build_segment(header, b"", pseudo_sum(source, destination, PROTO_TCP, HEADER_LENGTH))
    here.host.ip.output.send(source, destination, PROTO_TCP, [raw], now)


def in_time_wait(network: Network, here: Machine, there: Machine) -> Connection:
    """The server's end of a connection to its port 7, which the server has closed first."""
    listener = there.listen(7)
    client = here.connect("10.0.0.2", 7)
    network.run(lambda: listener.readable, for_s=0.5)
    server = listener.accept()
    assert server is not None
    server.close(network.now)
    there.settle()
    network.run(lambda: client.peer_fin, for_s=0.5)
    client.close(network.now)
    here.settle()
    network.run(for_s=0.01)
    assert (client.state, server.state) == (State.CLOSED, State.TIME_WAIT)
    return server


@rfc("9293 MAY-2")
def test_an_old_syn_is_reset_by_its_supposed_sender_and_time_wait_goes_on() -> None:
    network, here, there = pair(4)
    server = in_time_wait(network, here, there)
    began = network.now
    for _ in range(3):
        old_duplicate(here, server, network.now)
        network.run(for_s=1.0)
        assert there.host.tcp.connections == {server.key: server}
        assert server.state is State.TIME_WAIT
    assert here.host.counters["tcpOutRsts"] == there.host.counters["tcpPassiveOpens"] - 1 == 3
    assert there.host.tables()["local_ports"] == 1
    network.run(lambda: server.state is State.CLOSED, for_s=100.0)
    assert network.now - began == pytest.approx(2 * TcpConfig().msl_s, abs=1.0)
    tables = there.host.tables()
    assert (tables["connections"], tables["local_ports"], tables["deadlines"]) == (0, 0, 0)


def test_an_address_that_goes_takes_both_along() -> None:
    network, here, there = pair(4)
    server = in_time_wait(network, here, there)
    old_duplicate(here, server, network.now)
    network.run(lambda: there.host.tcp.connections[server.key] is not server, for_s=1.0)
    child = there.host.tcp.connections[server.key]
    assert (child.state, server.state) == (State.SYN_RECEIVED, State.TIME_WAIT)
    interface = server.path.interface
    assert isinstance(interface, Interface)
    there.host.remove_address(interface, server.local[0], network.now, errno.EADDRNOTAVAIL)
    there.settle()
    assert (child.state, server.state) == (State.CLOSED, State.CLOSED)
    assert there.host.tables()["connections"] == there.host.tables()["local_ports"] == 0
