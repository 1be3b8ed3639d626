"""Our DHCP client in real kinds of networks: with many options, behind a relay, with several
servers or none.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

import stack
from stack.wire.dhcp import OVERLOAD
from tests import modes
from tests.live.dhcp_host import MAC, RATE, Ours
from tests.live.dhcp_servers import RELAYED, SERVER, SERVERS, TAP, Dhcpd, Dnsmasq, Lan, Pool, Wire, relayed
from tests.live.net import Namespace, need, own_namespace

pytestmark = pytest.mark.one_way

ANYONE, EVERYONE = "0.0.0.0", "255.255.255.255"
UNHEARD_OF = 224  # RFC 3942: for use within a site
SHORT = Pool(lease_s=200, t1_s=20, t2_s=40)


def configured(**changes: Any) -> stack.Config:
    """The usual configuration, but for these numbers of DHCP's."""
    return stack.Config(dhcp=replace(stack.Config().dhcp, **changes))


# The same in the language of each server.
EVERYTHING = {
    "dnsmasq": """
        dhcp-option=6,10.9.0.1,10.9.0.3
        dhcp-option=26,1400
        domain=example.org
        dhcp-option=119,lab.example.org,example.org
        dhcp-option=42,10.9.0.4
        dhcp-option=121,192.0.2.0/24,10.9.0.7,0.0.0.0/0,10.9.0.1
        dhcp-option=224,tapstack
    """,
    "udhcpd": """
        opt dns 10.9.0.1 10.9.0.3
        opt mtu 1400
        opt domain example.org
        opt search lab.example.org example.org
        opt ntpsrv 10.9.0.4
        opt staticroutes 192.0.2.0/24 10.9.0.7, 0.0.0.0/0 10.9.0.1
        opt 0xe0 746170737461636b
    """,
    "isc": """
        option domain-name-servers 10.9.0.1, 10.9.0.3;
        option interface-mtu 1400;
        option domain-name "example.org";
        option domain-search "lab.example.org", "example.org";
        option ntp-servers 10.9.0.4;
        option classless 24, 192, 0, 2, 10, 9, 0, 7, 0, 10, 9, 0, 1;
        option unheard-of "tapstack";
    """,
    "kea": json.dumps(
        {
            "option-data": [
                {"name": "routers", "data": "10.9.0.254"},
                {"name": "domain-name-servers", "data": "10.9.0.1, 10.9.0.3"},
                {"name": "interface-mtu", "data": "1400"},
                {"name": "domain-name", "data": "example.org"},
                {"name": "domain-search", "data": "lab.example.org, example.org"},
                {"name": "ntp-servers", "data": "10.9.0.4"},
                {"code": 121, "data": "18c000020a090007000a090001", "csv-format": False},
                {"code": 224, "data": b"tapstack".hex(), "csv-format": False},
            ]
        }
    ),
}


@pytest.mark.parametrize("name", SERVERS)
def test_what_a_server_tells_takes_effect(lan: Lan, tmp_path: Path, name: str) -> None:
    """Classless routes instead of the router, the MTU, names and servers, and an unknown option."""
    with SERVERS[name](lan.namespace, tmp_path) as server:
        server.start(Pool(router="10.9.0.254", more=EVERYTHING[name]))
        with Ours(lan, config=configured(parameters=(*stack.Config().dhcp.parameters, UNHEARD_OF))) as ours:
            lease = ours.leased()
            assert lease.name_servers == ("10.9.0.1", "10.9.0.3")
            assert (lease.domain, lease.search) == ("example.org", ("lab.example.org", "example.org"))
            assert (lease.mtu, lease.ntp_servers) == (1400, ("10.9.0.4",))
            assert lease.routes == (("192.0.2.0/24", "10.9.0.7"), ("0.0.0.0/0", "10.9.0.1"))
            assert lease.routers == ("10.9.0.254",)
            assert (UNHEARD_OF, b"tapstack".hex()) in lease.options
            assert ours.ask(lambda host: [interface.mtu for interface in host.interfaces() if interface.mac]) == [1400]
            assert ours.ask(lambda host: host.name_servers) == ["10.9.0.1", "10.9.0.3"]
            gateways = ours.ask(lambda host: {route.destination: route.gateway for route in host.routes()})
            assert (gateways["192.0.2.0/24"], gateways["0.0.0.0/0"]) == ("10.9.0.7", "10.9.0.1")


@pytest.fixture
def fast_clock() -> MockClock:
    """Ours: real servers know real seconds only."""
    return MockClock(rate=RATE)


@pytest.mark.parametrize("name", SERVERS)
async def test_a_static_address_asks_for_what_goes_with_it(
    namespace: Namespace, lan: Lan, wire: Wire, tmp_path: Path, name: str, fast_clock: MockClock
) -> None:
    """DHCPINFORM: names and servers, but no address and no time."""
    with SERVERS[name](lan.namespace, tmp_path) as server:
        server.start(Pool(router="10.9.0.254", more=EVERYTHING[name]))
        link = stack.Tap(TAP, mac=MAC, offload=modes.offload())
        async with stack.open_host(link, address="10.9.0.200/24", raise_errors=True) as host:
            told = await host.inform(link)
            assert host.name_servers == ["10.9.0.1", "10.9.0.3"]
    assert (told.domain, told.search) == ("example.org", ("lab.example.org", "example.org"))
    assert (told.address, told.expires_at) == ("10.9.0.200", None)
    wire.says(f"^Inform 10.9.0.200 > {EVERYONE} ciaddr 10.9.0.200$")
    wire.says(f"^ACK {SERVER} > 10.9.0.200 ciaddr 10.9.0.200$")


LONG = [f"a-rather-long-name-for-a-domain-{n:02}.example.org" for n in range(8)]
"""267 bytes with all the compression that there is: more than one option holds."""


def test_an_option_that_is_longer_than_an_option(lan: Lan, tmp_path: Path) -> None:
    with Dhcpd(lan.namespace, tmp_path) as server:
        server.start(Pool(more=f"option domain-search {', '.join(map(json.dumps, LONG))};"))
        with Ours(lan) as ours:
            lease = ours.leased()
            assert lease.search == tuple(LONG)
            assert len(dict(lease.options)[119]) > 2 * 255


def test_options_in_the_file_field(lan: Lan, tmp_path: Path) -> None:
    """A message for the smallest MTU does not hold them all where options belong; one goes on in another field."""
    servers = [f"10.9.0.{n}" for n in range(1, 71)]
    with Dhcpd(lan.namespace, tmp_path) as server:
        server.start(Pool(more=f"option domain-name-servers {', '.join(servers)};"))
        with Ours(lan, mtu=576) as ours:
            options = dict(ours.leased().options)
            assert options[OVERLOAD] == "01"
            assert options[6] == "".join(f"0a0900{n:02x}" for n in range(1, 71))


def test_options_in_the_fields_file_and_sname(lan: Lan, tmp_path: Path) -> None:
    with Dnsmasq(lan.namespace, tmp_path) as server:
        more = f"dhcp-option=6,{','.join(['10.9.0.1'] * 50)}\ndhcp-option-force=224,{'x' * 60}\n"
        more += f"dhcp-option-force=225,{'y' * 100}\ndhcp-option=119,{LONG[0]}"
        server.start(Pool(more=more))
        with Ours(lan, mtu=576) as ours:
            lease = ours.leased()
            options = dict(lease.options)
            assert options[OVERLOAD] == "03"
            assert (options[224], options[225]) == ((b"x" * 60).hex(), (b"y" * 100).hex())
            assert lease.search == (LONG[0],)


def test_an_address_and_a_name_for_ever(lan: Lan, tmp_path: Path) -> None:
    with Dnsmasq(lan.namespace, tmp_path) as server:
        server.start(Pool(more=f"dhcp-host={MAC.hex(':')},10.9.0.222,box,infinite"))
        with Ours(lan) as ours:
            lease = ours.leased()
            server.logs("ack", MAC, "10.9.0.222")
            assert (lease.address, lease.host_name) == ("10.9.0.222", "box")
            assert (lease.lease_s, lease.renew_at, lease.rebind_at, lease.expires_at) == (None, None, None, None)


def test_answers_are_broadcast_when_we_ask_for_it(lan: Lan, wire: Wire, tmp_path: Path) -> None:
    """Where unicast does not arrive before there is an address: isc-dhcp-server would send it so of itself."""
    with Dhcpd(lan.namespace, tmp_path) as server:
        server.start(Pool())
        with Ours(lan, config=configured(broadcast_flag=True)) as ours:
            ours.leased()
            for message in (
                f"Discover {ANYONE} > {EVERYONE}",
                f"Offer {SERVER} > {EVERYONE}",
                f"Request {ANYONE} > {EVERYONE} wanted [0-9.]+ of {SERVER}",
                f"ACK {SERVER} > {EVERYONE}",
            ):
                wire.says(rf"^{message} \(to be broadcast\)$")


def test_a_server_behind_a_relay(lan: Lan, wire: Wire, tmp_path: Path) -> None:
    """Asked through the relay, then, for more time and at the end, over the router without it."""
    with relayed(lan, tmp_path, Dhcpd) as (server, relay):
        server.start(SHORT)
        with Ours(lan) as ours:
            lease = ours.leased()
            address = lease.address
            assert lease.server == RELAYED
            for message in ("DISCOVER", "OFFER", "REQUEST", "ACK"):
                server.says(f"DHCP{message} .*{MAC.hex(':')} via {SERVER}$")
            relay.says(f"Forwarded BOOTREQUEST for {MAC.hex(':')} to {RELAYED}")
            relay.says(f"Forwarded BOOTREPLY for {MAC.hex(':')} to {address}")
            wire.says(f"^ACK {SERVER} > {address}$")
            wire.says(f"^Request {address} > {RELAYED} ciaddr {address}$")
            wire.says(f"^ACK {RELAYED} > {address} ciaddr {address}$")
            server.says(f"DHCPACK on {address} to {MAC.hex(':')} via eth0$")
            assert ours.leased(lambda now: now.requested_at > lease.requested_at).address == address
        wire.says(f"^Release {address} > {RELAYED} ciaddr {address} of {RELAYED}$")
        server.logs("release", MAC, address)


def test_two_servers(lan: Lan, wire: Wire, tmp_path: Path) -> None:
    """The quick one is chosen. The other one says no to that, being authoritative; this is none of its business."""
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    with own_namespace() as namespace:
        lan.join(namespace, "10.9.0.4")
        with Dhcpd(lan.namespace, tmp_path) as chosen, Dnsmasq(namespace, other_folder, "eth0") as other:
            chosen.start(SHORT)
            other.start(Pool("10.9.0.150", "10.9.0.199", more="dhcp-reply-delay=1"))  # its offer comes too late
            with Ours(lan, config=configured(offer_window_s=10.0)) as ours:
                chosen.logs("discover", MAC)
                wire.says(f"^Offer {SERVER}")
                chosen.pause()
                address = wire.says(f"^Request {ANYONE} > {EVERYONE} wanted ([0-9.]+) of {SERVER}$")[1]
                wire.says(f"^NACK 10.9.0.4 > {EVERYONE}")
                other.says(f"DHCPNAK.*{MAC.hex(':')} wrong server-ID")
                chosen.resume()
                chosen.logs("ack", MAC, address)
                assert ours.leased().server == SERVER
                wire.says(f"^Request {address} > {SERVER} ciaddr {address}$")
                chosen.logs("ack", MAC, address)
            chosen.logs("release", MAC, address)
            assert "Discover" not in wire.sent(after="NACK")


def test_a_second_server_does_not_take_the_previous_address_away(lan: Lan, wire: Wire, tmp_path: Path) -> None:
    """After a restart everybody is asked. One knows nothing of it and says no; the one that gave it is waited for."""
    other_folder, lease_file = tmp_path / "other", tmp_path / "lease"
    other_folder.mkdir()
    with own_namespace() as namespace:
        lan.join(namespace, "10.9.0.4")
        with Dhcpd(lan.namespace, tmp_path) as first, Dnsmasq(namespace, other_folder, "eth0") as other:
            first.start(SHORT)
            with Ours(lan, lease_file=lease_file) as ours:
                address = ours.leased().address
            first.logs("ack", MAC, address)
            first.pause()
            other.start(Pool("10.9.0.150", "10.9.0.199"))
            with Ours(lan, lease_file=lease_file, config=configured(nak_doubt_s=60.0)) as ours:
                wire.says(f"^Request {ANYONE} > {EVERYONE} wanted {address}$")
                wire.says(f"^NACK 10.9.0.4 > {EVERYONE}")
                other.logs("nak", MAC, address)
                first.resume()
                assert ours.leased().address == address
                first.logs("ack", MAC, address)
            assert "Discover" not in wire.sent(after="NACK")


def test_the_lease_ends_while_the_server_is_gone(lan: Lan, wire: Wire, tmp_path: Path) -> None:
    """Everybody is asked, in vain; then the address goes, and is asked for again when there is a server once more."""
    need("ping")
    with Dhcpd(lan.namespace, tmp_path) as server:
        server.start(Pool(lease_s=60, t1_s=20, t2_s=30))
        with Ours(lan) as ours:
            address = ours.leased().address
            server.stop()
            wire.says(f"^Request {address} > {SERVER} ciaddr {address}$")
            wire.says(f"^Request {address} > {EVERYONE} ciaddr {address}$")
            wire.says(f"^Discover {ANYONE} > {EVERYONE} wanted {address}$")
            assert ours.lease is None
            assert address not in str(ours.ask(lambda host: host.interfaces()))
            server.start(Pool())
            assert ours.leased().address == address


def test_link_local_until_there_is_a_server(lan: Lan, tmp_path: Path) -> None:
    """Two hosts that have nothing but the wire talk to each other; then a server comes, and its address is used."""
    need("ping")
    namespace = lan.namespace
    namespace.ip("addr", "add", "169.254.200.1/16", "dev", "lan")
    with Ours(lan) as ours:
        own = ours.until(lambda host: re.search(r"169\.254\.\d+\.\d+", str(host.interfaces())), "an address")[0]
        namespace.run("ping", "-q", "-c", "1", "-W", "2", own)
        with Dnsmasq(namespace, tmp_path) as server:
            server.start(Pool())
            address = ours.leased().address
            server.logs("ack", MAC, address)
            namespace.run("ping", "-q", "-c", "1", "-W", "2", address)
            ours.until(lambda host: own not in str(host.interfaces()) or None, "the other address is gone")


def test_another_host_takes_the_address_later(lan: Lan, wire: Wire, tmp_path: Path) -> None:
    """We defend it once (RFC 5227 section 2.4 (b)); then it goes, the server hears of it, and we ask for another."""
    need("arping")
    with Dhcpd(lan.namespace, tmp_path) as server, own_namespace() as other:
        lan.join(other, "10.9.0.4")
        server.start(Pool())
        with Ours(lan) as ours:
            address = ours.leased().address
            other.ip("addr", "add", f"{address}/24", "dev", "eth0")
            announce = ("arping", "-U", "-c", "1", "-I", "eth0", address)
            with other.start(*announce), other.start(*announce):  # the second one before DEFEND_INTERVAL is over
                server.logs("decline", MAC, address)
            wire.says(f"^Decline {ANYONE} > {EVERYONE} wanted {address} of {SERVER}$")
            assert ours.leased(lambda lease: lease.address != address).server == SERVER
