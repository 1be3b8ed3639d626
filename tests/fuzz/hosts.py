"""The fuzzer's targets with a state: a whole host, the steps of `script.py`, and the conditions
that must hold after each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from stack.config import Config
from stack.wire.addresses import BROADCAST, MAC_BROADCAST, parse_ipv4
from stack.wire.arp import ArpPacket
from stack.wire.dhcp import DhcpMessage
from stack.wire.numbers import ETHERTYPE_ARP
from tests.dhcp.server import with_options
from tests.fuzz.script import Reader, Script
from tests.fuzz.world import SMALL, World, plain
from tests.sim.lan import SERVER_MAC, Lan

DHCP_WAITS_S = (0.3, 3.0, 8.0, 60.0, 299.0, 601.0, 5000.0, 0.01)
DHCP_PLACES = tuple(
    map(parse_ipv4, ("10.9.0.50", "10.9.0.1", "10.9.0.51", "169.254.7.7", "0.0.0.0", "255.255.255.255"))
)
MOST_STEPS = 60


def _config(scenario: int) -> Config:
    config = SMALL if scenario & 1 else Config()
    if scenario & 2:
        config = replace(config, tcp=replace(config.tcp, user_timeout_option=True, ecn="on", congestion="reno"))
    if scenario & 8:
        config = replace(
            config, tcp=replace(config.tcp, sack=False, timestamps=False, rack=False, window_scaling=False)
        )
    if scenario & 0x20:  # memory for half a dozen connections
        config = replace(config, host=replace(config.host, memory_bytes=100_000))
    return config


def host(data: bytes) -> None:
    """One octet chooses configuration and offload, the others are steps."""
    reader = Reader(data)
    scenario = reader.number()
    config = _config(scenario)
    world = World(plain(config) if scenario & 0x10 else config, offload=bool(scenario & 4))
    Script(world, reader).run()
    world.end()


def fast_and_plain(data: bytes) -> None:
    """The same steps with what only makes the stack fast and without: the same frames, counters and tables."""
    ends = []
    for bend in (_config, lambda scenario: plain(_config(scenario))):
        reader = Reader(data)
        scenario = reader.number()
        world = World(bend(scenario), offload=bool(scenario & 4))
        Script(world, reader).run()
        tables = world.host.tables()
        for kept in ("tcp_sources", "udp_flows", "echo_paths", "paths", "deadlines"):  # fast paths keep things ready
            tables.pop(kept, None)
        ends.append((world.digest, dict(world.host.counters), tables))
    fast, slow = ends
    differing = {name: (fast[1][name], slow[1][name]) for name in fast[1] if fast[1][name] != slow[1][name]}
    assert not differing, f"counters with and without fast paths: {differing}"
    assert fast[2] == slow[2], f"tables with and without fast paths: {fast[2]} {slow[2]}"
    assert fast[0] == slow[0], "other frames with and without fast paths"


def dhcp_client(data: bytes) -> None:
    """A host that gets its address by DHCP, from a server whose answers are bent on their way."""
    reader = Reader(data)
    scenario = reader.number()
    lan = Lan(("strict", "optimistic", "off")[scenario % 3])
    if scenario & 4:
        lan.bind()
    for _ in range(MOST_STEPS):
        if not reader.left:
            break
        _dhcp_step(lan, reader)
        lan.check()
    lan.host.shutdown(lan.now)
    assert lan.interface.addresses == []


def _dhcp_step(lan: Lan, reader: Reader) -> None:
    kind = reader.number()
    place = DHCP_PLACES[kind >> 4 & 7] if kind >> 4 & 7 < len(DHCP_PLACES) else BROADCAST
    match kind & 7:
        case 0 | 1:
            for payload in lan.answers():
                lan.says(payload, place if kind & 0x80 else BROADCAST)
        case 2:
            lan.wait(DHCP_WAITS_S[kind >> 4 & 7])
        case 3:
            lan.says(reader.octets(2 * reader.number()), place)
        case 4:
            packet = ArpPacket(kind >> 7, SERVER_MAC, place, bytes(6), DHCP_PLACES[reader.number() % 6])
            lan.frame(MAC_BROADCAST, ETHERTYPE_ARP, packet.build())
        case 5:
            changes: dict[int, bytes | None] = {}
            for _ in range(1 + (kind >> 4 & 3)):
                changes[1 + reader.number() % 254] = reader.octets(reader.number() % 64)
            for payload in lan.answers():
                lan.says(with_options(DhcpMessage.parse(payload), changes).build(), BROADCAST)
        case 6:
            for payload in lan.answers():
                bent = bytearray(payload)
                for _ in range(1 + (kind >> 4)):
                    bent[reader.number(2) % len(bent)] = reader.number()
                lan.says(bytes(bent), BROADCAST)
        case _:
            lan.host.network_changed(lan.interface, lan.now)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "dhcp_client": dhcp_client,
    "fast_and_plain": fast_and_plain,
    "host": host,
}
