"""Every container of a host shows in `tables()`: all that hangs from a host is walked after traffic
of all kinds.

A new container needs a line here: either a table counts it, or it belongs to an entry of a table
and has a bound there.
"""

from __future__ import annotations

from collections import Counter

import pytest

from stack.config import Config
from stack.host.tables import CONFIGURED, REMEMBERED
from tests.requirements import rfc
from tests.sim.containers import sizes
from tests.sim.soak import Soak

CONFIG = Config()
COUNTED: dict[str, tuple[str, ...]] = {
    "interfaces": ("HostCore._interfaces",),
    "reported_faults": ("Barrier._reported",),
    "connections": ("TcpLayer.connections", "Demux.connections", "Fast._connections"),
    "listeners": ("TcpLayer.listeners", "Demux.listeners"),
    "half_open": ("Listener._half_open",),
    "not_accepted": ("Listener._accept_queue",),
    "local_ports": ("TcpLayer._local_ports",),
    "reserved_ports": ("TcpLayer._reserved[]",),
    "deadlines": ("Deadlines._heap",),
    "touched": ("Services.touched",),
    "fast_open_servers": ("CookieCache._known", "CookieCache._failed"),
    "fast_open_resets": ("PendingRequests._reset_until",),
    "udp_endpoints": ("UdpPorts._open",),
    "udp_ports": ("UdpPorts._bound",),
    "udp_claims": ("UdpPorts._claimed",),
    "tcp_sources": ("KnownConnections.sources",),
    "udp_flows": ("UdpFlows.flows", "Fast._flows"),
    "udp_datagrams": ("Endpoint._queue",),
    "udp_remotes": ("Endpoint._sent",),
    "addresses": ("Ipv4._own", "Ipv4Output._own", "Ipv4Input._own"),
    "paths": ("Ipv4Output._paths[]",),
    "path_mtus": ("PathMtus._known",),
    "routes": ("RoutingTable._by_length[][]",),
    "redirects": ("RoutingTable._redirects",),
    "dead_gateways": ("RoutingTable._dead_until",),
    "fragmented_datagrams": ("Reassembler._flows",),
    "fragment_sources": ("Reassembler._per_source",),
    "echo_requests": ("EchoClient._waiting",),
    "echo_paths": ("EchoPaths.paths", "Fast._paths"),
    "icmp_error_peers": ("RateLimit._peers",),
    "loopback_packets": ("Loopback.queue",),
    "neighbors": ("NeighborCache._entries",),
    "published_addresses": ("Published.proxies", "Published.stations"),
    "tentative_addresses": ("Addresses._tentative",),
    "guarded_addresses": ("Addresses._guarded",),
    "watched_addresses": ("Conflicts._probes", "Conflicts._announcements", "Conflicts._watched"),
    "dhcp_clients": ("DhcpLayer._interfaces",),
    "memory_peers": ("Budget.peers",),
    "memory_behind_gaps": ("Budget.out_of_order",),
}
"""For each table the containers that it counts, by owner and attribute."""

INSIDE: dict[str, tuple[str, int]] = {
    "TcpLayer._reserved": ("reserved_ports", 1),
    "UdpPorts._bound[]": ("udp_endpoints", 1),
    "Endpoint._paths": ("udp_endpoints", CONFIG.udp.paths_max),
    "Ipv4Output._paths": ("paths", 1),
    "RateLimit._places": ("icmp_error_peers", 1),
    "Ipv4Output._mtus_of": ("interfaces", 1),  # one for each protocol that keeps its own: UDP
    "RoutingTable._lengths": ("routes", 1),
    "RoutingTable._by_length": ("routes", 1),
    "RoutingTable._by_length[]": ("routes", 1),
    "NeighborCache.addresses": ("addresses", 1),
    "Interface.addresses": ("addresses", 1),
    "Neighbor.waiting": ("neighbors", CONFIG.arp.queue_packets),
    "Waiting.packets": ("neighbors", 64 * CONFIG.arp.queue_packets),
    "Flow.pieces": ("fragment_bytes", 1),
    "Flow.starts": ("fragment_bytes", 1),
    "Flow.holes": ("fragmented_datagrams", CONFIG.ip.reassembly_holes_max),
    "DhcpLayer._listening": ("dhcp_clients", 1),
    "InterfaceDhcp._routes": ("dhcp_clients", CONFIG.dhcp.routes_max),
    "Client._let_down": ("dhcp_clients", CONFIG.dhcp.servers_max),
    "SendBuffer._chunks": ("connections", 10_000),
    "ReceiveBuffer._chunks": ("connections", 10_000),
    "ReceiveBuffer._runs": ("connections", CONFIG.tcp.max_out_of_order_runs),
    "SackReporter._starts": ("connections", CONFIG.tcp.max_out_of_order_runs),
    "SackReporter._ends": ("connections", CONFIG.tcp.max_out_of_order_runs),
    "SackReporter._recent": ("connections", CONFIG.tcp.max_out_of_order_runs),
    "Scoreboard.starts": ("connections", CONFIG.tcp.max_sacked_ranges),
    "Scoreboard._ends": ("connections", CONFIG.tcp.max_sacked_ranges),
    "Rack._segments": ("connections", 10_000),
    "Rack._order": ("connections", 10_000),
    "Rack._lost_heap": ("connections", 10_000),
}
"""Containers inside the entries of a table: which table, and how many elements an entry may have."""


@pytest.fixture(scope="module")
def states() -> dict[str, tuple[Counter[str], dict[str, int]]]:
    """Sizes of containers and tables of one host: new, at the height of two soaks, and after each."""
    found = {}
    world = Soak()

    def look(name: str) -> None:
        host = world.host.host
        found[name] = sizes(host, *world.links()), host.tables()

    look("new")
    for number, rounds in enumerate((40, 80), 1):
        world.soak(rounds)
        look(f"height {number}")
        world.quiet()
        look(f"quiet {number}")
    assert world.host.host.counters["handler_failed"] == 0
    return found


def test_the_soak_reaches_the_tables(states: dict[str, tuple[Counter[str], dict[str, int]]]) -> None:
    """Else the tests below would show nothing."""
    tables = states["height 2"][1]
    for name in ("connections", "half_open", "neighbors", "fragmented_datagrams", "icmp_error_peers", "paths"):
        assert tables[name] >= 30, name
    filled = {name for name, size in tables.items() if size}
    assert len(filled) >= 28, set(tables) - filled


@rfc("tables-3")
@pytest.mark.parametrize("when", ["new", "height 1", "quiet 1", "height 2", "quiet 2"])
def test_each_table_says_how_long_its_containers_are(
    states: dict[str, tuple[Counter[str], dict[str, int]]], when: str
) -> None:
    found, tables = states[when]
    counted = {name: sum(found[each] for each in containers) for name, containers in COUNTED.items()}
    assert counted == {name: tables[name] for name in COUNTED}
    assert {name for name in tables if not name.endswith("_bytes")} == set(COUNTED)


@rfc("tables-3")
def test_what_grows_is_counted_or_bounded(states: dict[str, tuple[Counter[str], dict[str, int]]]) -> None:
    new, found = states["new"][0], dict[str, int]()
    counted = {each for containers in COUNTED.values() for each in containers}
    for when in ("height 1", "quiet 1", "height 2", "quiet 2"):
        sizes_then, tables = states[when]
        for name, size in sizes_then.items():
            if name in INSIDE:
                table, most = INSIDE[name]
                assert size <= most * tables[table], name
            elif name not in counted and size > new[name]:
                found[name] = size
    assert not found, "grows, and is in no table"


@rfc("tables-3")
def test_nothing_is_left_of_a_soak(states: dict[str, tuple[Counter[str], dict[str, int]]]) -> None:
    """What is left of the second, which was twice as long, is no more than what is left of the first."""
    remembered = {each for name in REMEMBERED for each in COUNTED[name]} | {"RateLimit._places"}
    after, later = states["quiet 1"][0], states["quiet 2"][0]
    grown = {name: (after[name], size) for name, size in later.items() if size > after[name]}
    assert set(grown) <= remembered, grown
    assert all(states["quiet 2"][1][name] <= 2 * 1024 for name in REMEMBERED)
    new, tables = states["new"][1], states["quiet 2"][1]
    left = {name: size for name, size in tables.items() if size > new[name]}
    allowed = {*CONFIGURED, *REMEMBERED, "paths", "udp_ports", "udp_remotes", "udp_endpoints"}  # those still open
    assert set(left) <= allowed, left
