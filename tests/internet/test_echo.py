"""The echo client: requests, the replies and errors that count as answers, and how a wait ends."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from stack.config import Config, IcmpConfig
from stack.internet.echo import EchoFailure, EchoReply, EchoResult, Ping
from stack.wire import icmp
from stack.wire.addresses import BROADCAST, LOOPBACK, Prefix
from stack.wire.icmp import echo_reply
from stack.wire.ipv4 import Ipv4Header
from tests.internet.station import FAR, OTHER, OTHER_MAC, PEER, REQUEST, SUBNET_BROADCAST, US, Station
from tests.requirements import rfc


class Client:
    """A station that pings."""

    def __init__(self, station: Station | None = None) -> None:
        self.station = station or Station()
        self.station.knows(PEER)
        self.results: list[EchoResult] = []

    def ping(self, destination: bytes = PEER, data: bytes = b"abc", **options: object) -> Ping:
        echo = self.station.ipv4.icmp.echo
        return echo.ping(destination, data, self.station.now, self.results.append, **options)  # type: ignore[arg-type]

    @property
    def clean(self) -> bool:
        """Whether nothing is left of past requests."""
        return len(self.station.ipv4.icmp.echo) == 0 and self.station.ipv4.output.open_paths == 0


def test_a_request_goes_out_and_its_reply_is_matched() -> None:
    client = Client()
    ping = client.ping(data=b"abc")
    header, message = client.station.icmp()
    assert (header.source, header.destination) == (US, PEER)
    assert (message.type, message.identifier, message.sequence, message.body) == (
        icmp.ECHO_REQUEST,
        ping.identifier,
        ping.sequence,
        b"abc",
    )
    assert client.station.counters["icmpOutMsgs"] == client.station.counters["icmpOutEchos"] == 1
    client.station.at(0.25)
    client.station.receives_icmp(echo_reply(ping.identifier, ping.sequence, b"abc"), ttl=61, tos=4)
    assert client.results == [EchoReply(PEER, ping.identifier, ping.sequence, 0.25, 61, 4, b"abc")]
    assert client.clean


def test_several_requests_have_sequence_numbers_of_their_own() -> None:
    client = Client()
    pings = [client.ping() for _ in range(10)]
    assert len({ping.sequence for ping in pings}) == 10
    for ping in reversed(pings):
        client.station.receives_icmp(echo_reply(ping.identifier, ping.sequence, b"abc"))
    assert [result.sequence for result in client.results] == [ping.sequence for ping in reversed(pings)]


@pytest.mark.parametrize("field", ["identifier", "sequence", "source"])
def test_a_reply_to_something_else_is_not_ours(field: str) -> None:
    client = Client()
    ping = client.ping()
    identifier = ping.identifier ^ (field == "identifier")
    sequence = ping.sequence ^ (0x4000 if field == "sequence" else 0)
    source = OTHER if field == "source" else PEER
    client.station.receives_icmp(echo_reply(identifier, sequence, b"abc"), source=source)
    assert client.results == []
    assert client.station.counters.drops() == {"icmp_echo_unexpected": 1}


def test_a_duplicate_reply_is_dropped() -> None:
    client = Client()
    ping = client.ping()
    for _ in range(2):
        client.station.receives_icmp(echo_reply(ping.identifier, ping.sequence, b"abc"))
    assert len(client.results) == 1
    assert client.station.counters.drops() == {"icmp_echo_unexpected": 1}


def test_time_runs_out() -> None:
    client = Client()
    told: list[None] = []
    client.station.ipv4.reschedule = lambda: told.append(None)
    ping = client.ping(timeout_s=2.0)
    assert len(told) == 1
    client.station.at(1.9)
    assert client.results == []
    client.station.at(0.2)
    assert client.results == [EchoFailure(PEER, ping.identifier, ping.sequence, errno.ETIMEDOUT)]
    assert client.clean
    assert client.station.ipv4.deadline == float("inf")


def test_a_cancelled_request_has_no_result() -> None:
    client = Client()
    ping = client.ping(OTHER)
    ping.cancel()
    ping.cancel()
    client.station.at(100.0)
    assert client.results == []
    assert client.clean


def test_a_neighbour_that_does_not_answer_arp() -> None:
    client = Client()
    ping = client.ping(OTHER)
    client.station.at(5.0)
    assert client.results == [EchoFailure(OTHER, ping.identifier, ping.sequence, errno.EHOSTUNREACH)]
    assert client.clean


def test_an_icmp_error_tells_who_and_why() -> None:
    client = Client()
    ping = client.ping(FAR, ttl=1)
    header, message = client.station.icmp()
    assert header.ttl == 1
    quoted = header.build() + message.build()
    client.station.receives_icmp(icmp.time_exceeded(0, quoted[:28]), source=PEER)
    [result] = client.results
    assert isinstance(result, EchoFailure)
    assert (result.destination, result.errno, result.sequence) == (FAR, errno.EHOSTUNREACH, ping.sequence)
    assert result.error is not None
    assert (result.error.source, result.error.type) == (PEER, icmp.TIME_EXCEEDED)


def test_an_icmp_error_about_another_request_is_not_ours() -> None:
    client = Client()
    ping = client.ping(FAR)
    header, message = client.station.icmp()
    good = header.build() + message.build()
    other_host = Ipv4Header(US, OTHER, 1, len(good)).build() + good[20:]
    other_sequence = good[:26] + (ping.sequence ^ 0x4000).to_bytes(2, "big")
    a_reply = good[:20] + b"\0" + good[21:]
    for quoted in (other_host, other_sequence, a_reply):
        client.station.receives_icmp(icmp.unreachable(1, quoted), source=PEER)
    assert client.results == []
    assert client.station.counters.drops() == {"icmp_error_unmatched": 3}


@rfc("icmp-1")
def test_an_icmp_error_about_another_address_of_ours_is_not_believed() -> None:
    client = Client()
    second = Prefix.parse("10.9.0.77/24")
    client.station.ipv4.add_address(client.station.eth, second)
    client.ping(FAR)
    header, message = client.station.icmp()
    forged = header._replace(source=second.address, checksum=None).build() + message.build()
    client.station.receives_icmp(icmp.unreachable(1, forged), source=PEER, destination=second.address)
    assert client.results == []
    assert client.station.counters.drops() == {"icmp_error_unmatched": 1}


@rfc("toobig-1")
@pytest.mark.parametrize(("named", "believed"), [(1027, True), (1028, False)])
def test_a_request_that_fits_is_not_too_big(named: int, believed: bool) -> None:
    client = Client()
    client.ping(FAR, data=bytes(1000))
    header, message = client.station.icmp()
    quoted = header._replace(total_length=1500, checksum=None).build() + message.build()
    client.station.receives_icmp(icmp.unreachable(4, quoted, named), source=PEER)
    assert [result.errno for result in client.results if isinstance(result, EchoFailure)] == (
        [errno.EMSGSIZE] if believed else []
    )
    assert client.station.counters["icmp_too_big_not_sent"] == (not believed)
    assert client.station.ipv4.output.path(None, FAR, 1).mtu == (named if believed else 1500)
    assert client.station.ipv4.output.path(None, FAR, 6).mtu == 1500
    assert client.station.ipv4.output.path(None, FAR, 17).mtu == 1500


@rfc("redirect-1")
def test_a_redirect_is_followed_for_a_request_that_is_out_and_for_no_answer() -> None:
    client = Client()
    station = client.station
    station.ipv4.routes.add(Prefix.parse("198.51.100.0/24"), station.eth, OTHER)
    station.receives_icmp(icmp.echo_request(1, 1), source=FAR)
    header, message = station.icmp()
    station.receives_icmp(icmp.redirect(1, OTHER, header.build() + message.build()), source=PEER)
    assert len(station.ipv4.routes) == 0
    ping = client.ping(FAR)
    header, message = station.icmp()
    quoted = header.build() + message.build()
    for other in (quoted[:27] + bytes((quoted[27] ^ 1,)), quoted[:24] + b"\x12\x34" + quoted[26:]):
        station.receives_icmp(icmp.redirect(1, OTHER, other), source=PEER)
    assert len(station.ipv4.routes) == 0
    assert station.counters.drops() == {"icmp_error_unmatched": 3}
    station.receives_icmp(icmp.redirect(1, OTHER, quoted), source=PEER)
    assert len(station.ipv4.routes) == 1
    assert client.results == []  # the request was delivered all the same
    station.receives_icmp(echo_reply(ping.identifier, ping.sequence, b"abc"), source=FAR)
    assert [type(result) for result in client.results] == [EchoReply]


def test_a_large_request_is_fragmented_and_df_refuses_it() -> None:
    client = Client()
    client.ping(data=bytes(65507))
    assert len(client.station.packets()) == 45
    for data, df in ((bytes(65508), False), (bytes(2000), True)):
        with pytest.raises(OSError) as caught:
            client.ping(data=data, df=df)
        assert caught.value.errno == errno.EMSGSIZE
    assert len(client.station.ipv4.icmp.echo) == 1


@pytest.mark.parametrize("destination", [BROADCAST, SUBNET_BROADCAST])
def test_a_broadcast_needs_permission_and_anyone_may_answer(destination: bytes) -> None:
    client = Client()
    with pytest.raises(OSError) as caught:
        client.ping(destination)
    assert caught.value.errno == errno.EACCES
    assert client.clean
    ping = client.ping(destination, broadcast=True)
    client.station.receives_icmp(echo_reply(ping.identifier, ping.sequence, b"abc"), source=OTHER)
    [result] = client.results
    assert isinstance(result, EchoReply)
    assert result.source == OTHER


def test_requests_that_wait_are_bounded() -> None:
    client = Client(Station(config=replace(Config(), icmp=IcmpConfig(echoes_max=3))))
    for _ in range(3):
        client.ping()
    with pytest.raises(OSError) as caught:
        client.ping()
    assert caught.value.errno == errno.ENOBUFS


def test_identifier_and_sequence_can_be_given_once() -> None:
    client = Client()
    client.ping(identifier=5, sequence=6)
    _, message = client.station.icmp()
    assert (message.identifier, message.sequence) == (5, 6)
    with pytest.raises(OSError) as caught:
        client.ping(identifier=5, sequence=6)
    assert caught.value.errno == errno.EADDRINUSE


def test_no_route() -> None:
    client = Client(Station(gateway=None))
    with pytest.raises(OSError) as caught:
        client.ping(FAR)
    assert caught.value.errno == errno.ENETUNREACH
    assert client.clean


@pytest.mark.parametrize("destination", [US, LOOPBACK])
def test_we_answer_ourselves(destination: bytes) -> None:
    client = Client()
    client.ping(destination)
    assert client.station.loop() == 2
    [result] = client.results
    assert isinstance(result, EchoReply)
    assert result.source == destination
    assert client.station.silent()


def test_a_ping_from_a_result_finds_the_table_in_order() -> None:
    client = Client()
    station = client.station
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    again: list[EchoResult] = []

    def result(_: EchoResult) -> None:
        station.ipv4.icmp.echo.ping(OTHER, b"", station.now, again.append, timeout_s=1.0)

    station.ipv4.icmp.echo.ping(PEER, b"", station.now, result, timeout_s=1.0)
    station.at(1.5)
    assert again == []
    station.at(1.0)
    assert [type(outcome) for outcome in again] == [EchoFailure]


def test_shutting_down_ends_every_request() -> None:
    client = Client()
    pings = [client.ping(), client.ping(OTHER)]
    client.station.ipv4.icmp.echo.shutdown(errno.ENETDOWN)
    assert client.results == [EchoFailure(p.destination, p.identifier, p.sequence, errno.ENETDOWN) for p in pings]
    assert client.clean
    client.station.at(10.0)
    assert len(client.results) == 2
