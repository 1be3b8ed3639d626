"""What UDP tells its observers: datagrams that are sent, and those that sockets get; the program's calls."""

from __future__ import annotations

from stack.wire.addresses import ANY
from tests.internet.station import PEER, SUBNET_BROADCAST, US, Station
from tests.udp.endpoints import bound, connected


def told(station: Station) -> list[tuple[str, str, object]]:
    """Name, group and reason or call of what was told since the last call."""
    events = [(event.name, event.group, event.data.get("because", event.data.get("call"))) for event in station.told]
    station.told.clear()
    return events


def test_the_calls_of_a_program_and_the_datagrams_that_it_sends(station: Station) -> None:
    station.watch()
    endpoint = connected(station)
    endpoint.send(b"hello", station.now)
    call, sent = [event for event in station.told if event.name in ("host:call", "udp:sent")][-2:]
    assert (call.data["call"], call.data["len"], call.data["remote"]) == ("SEND", 5, "10.9.0.1:9")
    assert (sent.data["source"], sent.data["to"], sent.data["len"]) == ("10.9.0.2:7", "10.9.0.1:9", 5)
    endpoint.disconnect()
    endpoint.close()
    group, any_address = "udp 10.9.0.2:7", "udp 0.0.0.0:7"
    assert [event for event in told(station) if event[0] in ("host:call", "udp:sent")] == [
        ("host:call", any_address, "BIND"),
        ("host:call", group, "CONNECT"),
        ("host:call", group, "SEND"),
        ("udp:sent", group, None),
        ("host:call", any_address, "DISCONNECT"),
        ("host:call", any_address, "CLOSE"),
    ]


def test_a_datagram_is_told_with_the_socket_that_gets_it(station: Station) -> None:
    bound(station, ANY)
    endpoint = connected(station, (PEER, 4000), port=8)
    station.watch()
    station.receives_udp(4000, 8, b"one")
    station.receives_udp(4000, 8, b"two")
    one, two = station.told
    assert (one.name, one.data["because"], one.data["socket"]) == ("udp:taken", "udp_best_match", "udp 10.9.0.2:8")
    assert (one.data["source"], one.data["port"], one.data["len"]) == ("10.9.0.1:4000", 8, 3)
    assert (one.data["queued"], two.data["queued"]) == (1, 2)
    station.told.clear()
    endpoint.receive()
    [call] = station.told
    assert (call.data["call"], call.data["len"], call.data["queued"]) == ("RECEIVE", 3, 1)


def test_a_broadcast_goes_to_each_socket(station: Station) -> None:
    bound(station, ANY, reuse_address=True)
    bound(station, ANY, reuse_address=True)
    station.watch()
    station.receives_udp(4000, 7, b"all", destination=SUBNET_BROADCAST)
    assert told(station) == [("udp:taken", "host", "udp_broadcast")] * 2


def test_a_port_of_the_host_itself(station: Station) -> None:
    station.udp.claim(68, lambda received, port, payload: None)
    station.watch()
    station.receives_udp(67, 68, b"offer")
    assert told(station) == [("udp:taken", "host", "udp_claimed")]


def test_a_datagram_that_no_socket_gets_is_not_taken(station: Station) -> None:
    bound(station, US, receive_bytes=1)
    station.receives_udp(4000, 7, b"first")
    station.watch()
    station.receives_udp(4000, 7, b"the queue is full")
    station.receives_udp(4000, 99, b"no socket")
    assert station.counters["udp_queue_full"] == 1
    assert [event[0] for event in told(station) if not event[0].startswith("ip:")] == ["icmp:sent"]
