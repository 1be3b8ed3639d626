"""The options that few UDP endpoints have: the queue of errors, and path MTU discovery."""

from __future__ import annotations

import errno

import pytest

from stack.udp.endpoint import Endpoint
from stack.udp.special import DO, DONT, ICMP, INTERFACE, LOCAL, OMIT, PROBE, WANT, QueuedError
from stack.wire import icmp
from stack.wire.ipv4 import Ipv4Header
from stack.wire.udp import UdpHeader
from tests.internet.station import FAR, OTHER, PEER, US, Station
from tests.udp.endpoints import bound, connected, received

UDP = 17


def quote(data: bytes, remote: tuple[bytes, int] = (PEER, 9), port: int = 7) -> bytes:
    """What an ICMP error about a datagram of ours quotes."""
    length = 8 + len(data)
    header = Ipv4Header(US, remote[0], UDP, 20 + length).build()
    return header + UdpHeader(port, remote[1], length).build() + data


def queueing(station: Station, endpoint: Endpoint | None = None) -> Endpoint:
    endpoint = bound(station) if endpoint is None else endpoint
    endpoint.set_queue_errors(True)
    return endpoint


def queued(endpoint: Endpoint) -> list[QueuedError]:
    result = []
    while (error := endpoint.take_queued_error()) is not None:
        result.append(error)
    return result


# --- the queue of errors


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (icmp.unreachable(icmp.PORT_UNREACHABLE, quote(b"data")), (errno.ECONNREFUSED, 3, 3, 0)),
        (icmp.unreachable(icmp.HOST_UNREACHABLE, quote(b"data")), (errno.EHOSTUNREACH, 3, 1, 0)),
        (icmp.time_exceeded(0, quote(b"data")), (errno.EHOSTUNREACH, 11, 0, 0)),
        (icmp.parameter_problem(21, quote(b"data")), (errno.EPROTO, 12, 0, 21)),
    ],
)
def test_each_error_is_queued_also_for_an_unconnected_endpoint(
    station: Station, message: icmp.IcmpMessage, expected: tuple[int, int, int, int]
) -> None:
    """An error has the datagram's data and destination, its own sender and its errno. Soft errors are queued, too
    (RFC 1122 section 4.1.3.3).
    """
    endpoint = queueing(station)
    endpoint.send_to(b"data", (PEER, 9), station.now)
    station.receives_icmp(message, source=OTHER)
    assert endpoint.error == expected[0]
    [error] = queued(endpoint)
    assert (error.data, error.remote, error.offender, error.origin) == (b"data", (PEER, 9), OTHER, ICMP)
    assert (error.errno, error.type, error.code, error.info) == expected
    assert endpoint.error == 0, "reading the last error has cleared it"
    assert station.counters.drops() == {}


def test_an_error_about_what_was_not_sent_is_not_queued(station: Station) -> None:
    endpoint = queueing(station)
    endpoint.send_to(b"data", (PEER, 9), station.now)
    station.receives_icmp(icmp.unreachable(icmp.PORT_UNREACHABLE, quote(b"data", (PEER, 10))), source=PEER)
    assert (queued(endpoint), endpoint.error) == ([], 0)
    assert station.counters.drops() == {"icmp_error_unmatched": 1}


def test_without_the_option_nothing_is_queued(station: Station) -> None:
    endpoint = connected(station)
    endpoint.set_queue_errors(True)
    endpoint.set_queue_errors(False)
    endpoint.send(b"data", station.now)
    station.receives_icmp(icmp.unreachable(icmp.HOST_UNREACHABLE, quote(b"data")), source=PEER)
    assert (queued(endpoint), endpoint.error) == ([], 0), "a soft error"
    station.receives_icmp(icmp.unreachable(icmp.PORT_UNREACHABLE, quote(b"data")), source=PEER)
    assert (queued(endpoint), endpoint.error) == ([], errno.ECONNREFUSED)


def test_the_queue_is_bounded_with_the_datagrams(station: Station) -> None:
    endpoint = queueing(station)
    endpoint.receive_bytes = 4 * (station.config.udp.receive_overhead_bytes + 100)
    endpoint.send_to(bytes(100), (PEER, 9), station.now)
    for _ in range(2):
        station.receives_udp(5000, 7, bytes(100))
    for _ in range(3):
        station.receives_icmp(icmp.unreachable(icmp.PORT_UNREACHABLE, quote(bytes(100))), source=PEER)
    assert station.counters.drops() == {"udp_errors_full": 1}
    station.receives_udp(5000, 7, bytes(100))
    assert station.counters.drops() == {"udp_errors_full": 1, "udp_queue_full": 1}
    assert endpoint.queued_bytes == endpoint.receive_bytes
    assert len(queued(endpoint)) == 2
    assert len(received(endpoint)) == 2
    assert endpoint.queued_bytes == 0


def test_the_memory_of_errors_is_accounted(station: Station) -> None:
    """What goes beyond the least buffer is charged to the remote, and given back: read, thrown away or closed."""
    budget = station.udp.budget
    endpoint = queueing(station)
    endpoint.send_to(bytes(1000), (PEER, 9), station.now)
    before = budget.used

    def errors(number: int) -> None:
        for _ in range(number):
            station.receives_icmp(icmp.unreachable(icmp.PORT_UNREACHABLE, quote(bytes(1000))), source=PEER)

    enough = 2 + budget.least // 1000
    errors(enough)
    assert budget.used > before
    assert len(queued(endpoint)) == enough
    assert budget.used == before
    errors(enough)
    endpoint.set_queue_errors(False)
    assert (budget.used, endpoint.queued_bytes) == (before, 0)
    endpoint.set_queue_errors(True)
    errors(enough)
    endpoint.close()
    assert budget.used == before - budget.endpoint


def test_a_next_hop_that_does_not_answer(station: Station) -> None:
    """The host says "host unreachable" to itself; a fragmented datagram is quoted by its first fragment."""
    endpoint = queueing(station)
    absent = bytes((10, 9, 0, 77))
    endpoint.send_to(b"\1" * 2000, (absent, 9), station.now)
    station.at(10)
    [error] = queued(endpoint)
    assert (error.errno, error.type, error.code, error.offender) == (errno.EHOSTUNREACH, 3, 1, US)
    assert error.data == b"\1" * 1472
    assert error.remote == (absent, 9)


# --- DF


def sizes_and_df(station: Station) -> list[tuple[int, bool]]:
    return [(20 + len(payload), header.dont_fragment) for header, payload in station.packets()]


@pytest.mark.parametrize(
    ("discover", "small", "large"),
    [
        (DONT, [(1500, False)], [(1500, False), (48, False)]),
        (WANT, [(1500, True)], [(1500, False), (48, False)]),
        (DO, [(1500, True)], None),
        (PROBE, [(1500, True)], None),
        (INTERFACE, [(1500, False)], None),
        (OMIT, [(1500, False)], [(1500, False), (48, False)]),
    ],
)
def test_df_and_fragments(
    station: Station, discover: int, small: list[tuple[int, bool]], large: list[tuple[int, bool]] | None
) -> None:
    endpoint = bound(station)
    endpoint.set_discover(discover)
    for _ in range(2):
        endpoint.send_to(bytes(1472), (PEER, 9), station.now)
        assert sizes_and_df(station) == small
        if large is None:
            with pytest.raises(OSError) as caught:
                endpoint.send_to(bytes(1500), (PEER, 9), station.now)
            assert caught.value.errno == errno.EMSGSIZE
            assert station.silent()
        else:
            endpoint.send_to(bytes(1500), (PEER, 9), station.now)
            assert sizes_and_df(station) == large


@pytest.mark.parametrize(("discover", "mtu"), [(DONT, 1000), (WANT, 1000), (DO, 1000), (PROBE, 1500), (OMIT, 1500)])
def test_a_routers_mtu_counts_or_not(station: Station, discover: int, mtu: int) -> None:
    endpoint = bound(station)
    endpoint.set_discover(discover)
    endpoint.send_to(bytes(1400), (FAR, 9), station.now)
    station.packets()
    station.receives_icmp(icmp.unreachable(4, quote(bytes(1400), (FAR, 9)), 1000), source=PEER)
    endpoint.send_to(bytes(900), (FAR, 9), station.now)
    assert sizes_and_df(station) == [(928, discover in (WANT, DO, PROBE))]
    if discover == DO:
        with pytest.raises(OSError) as caught:
            endpoint.send_to(bytes(1400), (FAR, 9), station.now)
        assert caught.value.errno == errno.EMSGSIZE
    else:
        endpoint.send_to(bytes(1400), (FAR, 9), station.now)
        first = sizes_and_df(station)[0]
        assert first == ((1428, discover == PROBE) if mtu == 1500 else (996, False))


@pytest.mark.parametrize(
    ("discover", "error"), [(DONT, 0), (WANT, errno.EMSGSIZE), (DO, errno.EMSGSIZE), (PROBE, errno.EMSGSIZE)]
)
def test_fragmentation_needed_is_an_error_for_who_sets_df(station: Station, discover: int, error: int) -> None:
    """A connected endpoint is told by its next call; with a queue of errors, also the MTU."""
    endpoint = connected(station, (FAR, 9))
    endpoint.set_discover(discover)
    endpoint.send(bytes(1400), station.now)
    message = icmp.unreachable(4, quote(bytes(1400), (FAR, 9)), 1000)
    station.receives_icmp(message, source=PEER)
    assert endpoint.take_error() == error
    queueing(station, endpoint)
    station.receives_icmp(message, source=PEER)
    assert [each.info for each in queued(endpoint)] == ([1000] if error else [])


def test_too_large_for_the_path_is_told_in_the_queue(station: Station) -> None:
    endpoint = queueing(station)
    endpoint.set_discover(DO)
    told: list[int] = []
    endpoint.on_readable = lambda: told.append(endpoint.errors_queued)
    with pytest.raises(OSError):
        endpoint.send_to(bytes(1473), (PEER, 9), station.now)
    assert told == [1]
    assert endpoint.error == 0, "the call has raised it already"
    [error] = queued(endpoint)
    assert (error.errno, error.origin, error.info, error.offender) == (errno.EMSGSIZE, LOCAL, 1500, None)
    assert error.remote == (PEER, 0), "the port is that of the connected peer"


def test_an_error_of_our_own_is_not_pending_when_it_is_the_next(station: Station) -> None:
    endpoint = queueing(station)
    endpoint.set_discover(DO)
    endpoint.send_to(b"data", (PEER, 9), station.now)
    station.receives_icmp(icmp.unreachable(icmp.PORT_UNREACHABLE, quote(b"data")), source=PEER)
    assert endpoint.take_error() == errno.ECONNREFUSED
    with pytest.raises(OSError):
        endpoint.send_to(bytes(1473), (PEER, 9), station.now)
    first = endpoint.take_queued_error()
    assert first is not None
    assert (first.origin, endpoint.errors_queued, endpoint.error) == (ICMP, 1, 0)
    endpoint.error_pending(errno.EHOSTUNREACH)
    second = endpoint.take_queued_error()
    assert second is not None
    assert (second.origin, endpoint.error) == (LOCAL, errno.EHOSTUNREACH), "it says nothing about an ICMP error"


def test_df_is_left_out_where_the_smallest_mtu_does_not_pass(station: Station) -> None:
    """RFC 1191 section 3: "by ceasing to set the Don't Fragment bit"."""
    endpoint = bound(station)
    endpoint.set_discover(WANT)
    endpoint.send_to(bytes(1400), (FAR, 9), station.now)
    station.receives_icmp(icmp.unreachable(4, quote(bytes(1400), (FAR, 9)), 300), source=PEER)
    station.packets()
    for _ in range(2):
        endpoint.send_to(bytes(100), (FAR, 9), station.now)
        endpoint.send_to(bytes(1400), (FAR, 9), station.now)  # in between DF is cleared anyway
    assert not any(df for _, df in sizes_and_df(station))


def test_what_may_be_set(station: Station) -> None:
    endpoint = bound(station)
    endpoint.set_discover(DONT)
    endpoint.set_queue_errors(False)
    assert endpoint.special is None, "what has no effect costs nothing"
    for value in (-1, 6):
        with pytest.raises(OSError) as caught:
            endpoint.set_discover(value)
        assert caught.value.errno == errno.EINVAL
