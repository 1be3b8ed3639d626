"""The tables of the host for the page: they are JSON, bounded, and change only when the host's do."""

from __future__ import annotations

import json
from typing import cast

import trio
from trio.testing import MockClock

from stack import Ethernet, Host
from stack.internet.fragments import fragment
from stack.wire.addresses import parse_ipv4
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_UDP
from tests.sockets.hosts import BOB, host_on, two_hosts
from tests.sockets.lan import FIRST, client, serving
from tools.inspector.host_view import MOST_ROWS, view

Table = dict[str, object]


def seen(host: Host) -> dict[str, Table]:
    """The view as the page gets it."""
    return cast(dict[str, Table], json.loads(json.dumps(view(host, trio.current_time()), allow_nan=False)))


def rows(table: Table) -> list[dict[str, object]]:
    return cast(list[dict[str, object]], table["rows"])


async def test_the_tables_of_a_host_that_has_worked(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        with bob.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind((BOB, 53))
            [listener] = await bob.open_tcp_listeners(80)
            await alice.ping(BOB)
            pinged_at = trio.current_time()
            first = seen(bob)
            await trio.sleep(5)
            assert seen(bob)["arp"] == first["arp"]  # its age is told as a time, so it is not sent again
            await listener.aclose()
    [interface] = rows(first["interfaces"])
    assert (interface["name"], interface["addresses"]) == ("bob", ["10.9.0.2/24"])
    [neighbor] = rows(first["arp"])
    assert (neighbor["address"], neighbor["waiting"]) == ("10.9.0.1", 0)
    assert abs(cast(float, neighbor["confirmed_at"]) - pinged_at) < 0.2
    assert {row["destination"] for row in rows(first["routes"])} >= {"10.9.0.0/24"}
    assert {(row["protocol"], row["local"]) for row in rows(first["listeners"])} == {
        ("tcp", "0.0.0.0:80"),
        ("udp", "10.9.0.2:53"),
    }
    assert first["counters"]["icmpInEchos"] == 1
    assert 0 not in first["counters"].values()
    assert rows(first["reassembly"]) == rows(first["leases"]) == []


async def test_many_listeners_are_counted_and_not_told(autojump_clock: MockClock) -> None:
    async with host_on(Ethernet().attach("alice"), "10.9.0.1/24") as host:
        sockets = [host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) for _ in range(MOST_ROWS + 7)]
        for number, sock in enumerate(sockets):
            await sock.bind(("10.9.0.1", 2000 + number))
        table = seen(host)["listeners"]
        for sock in sockets:
            sock.close()
    assert (len(rows(table)), table["left_out"]) == (MOST_ROWS, 7)


async def test_a_datagram_that_waits_for_fragments_is_shown_with_its_holes(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    stranger = ethernet.attach("stranger")
    stranger.open(lambda: None)
    async with host_on(ethernet.attach("bob"), "10.9.0.2/24") as host:
        ours = bytes.fromhex((host.interfaces()[0].mac or "").replace(":", ""))
        header = Ipv4Header(parse_ipv4("10.9.0.9"), parse_ipv4(BOB), PROTO_UDP, 3020, identification=77)
        pieces = fragment(header, bytes(3000), 1500)
        for piece, octets, length, holes in ((0, 1480, None, [[1480, None]]), (2, 1520, 3000, [[1480, 2959]])):
            stranger.write([ethernet_ii(ours, bytes(6), ETHERTYPE_IPV4), pieces[piece]], trio.current_time())
            await trio.sleep(0.1)
            [row] = rows(seen(host)["reassembly"])
            assert (row["source"], row["identification"], row["refused"]) == ("10.9.0.9", 77, False)
            assert (row["octets"], row["length"], row["holes"]) == (octets, length, holes)
        assert host.reassembly()[0].protocol == PROTO_UDP
        await trio.sleep(300)
        assert host.reassembly() == []


async def test_a_lease_has_its_times(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet), client(ethernet.attach()) as host:
        [lease] = rows(seen(host)["leases"])
    assert lease["address"] == FIRST
    assert cast(float, lease["requested_at"]) < cast(float, lease["renew_at"]) < cast(float, lease["expires_at"])
