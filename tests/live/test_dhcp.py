"""Our DHCP client and four servers of Debian: each row of the table with each of them.

The server's log or lease file, and tcpdump, show which messages were sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.dhcp_host import MAC, Ours
from tests.live.dhcp_servers import SERVER, SERVERS, Lan, Pool, Server, Wire
from tests.live.net import need, own_namespace

pytestmark = pytest.mark.one_way

ANYONE, EVERYONE = "0.0.0.0", "255.255.255.255"
SHORT = Pool(lease_s=200, t1_s=20, t2_s=40)
"""Renewal and rebinding soon; and enough time after them for a second try, which comes at half of what is left."""
MOVED = Pool("10.9.0.150", "10.9.0.199", lease_s=200, t1_s=20, t2_s=40, closed=("10.9.0.50", "10.9.0.99"))


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, lan: Lan, tmp_path: Path) -> Iterator[Server]:
    with SERVERS[request.param](lan.namespace, tmp_path) as made:
        yield made


def test_lease(lan: Lan, server: Server, wire: Wire) -> None:
    """The four messages, then an address that answers; the network's parameters are those that the server has."""
    need("ping")
    server.start(Pool())
    with Ours(lan) as ours:
        lease = ours.leased()
        for message in ("discover", "request", "ack"):
            server.logs(message, MAC, None if message == "discover" else lease.address)
        assert lease.address in [f"10.9.0.{n}" for n in range(50, 100)]
        assert (lease.netmask, lease.server, lease.routers) == ("255.255.255.0", SERVER, (SERVER,))
        assert lease.lease_s == 3600
        lan.namespace.run("ping", "-q", "-c", "1", "-W", "2", lease.address)
        wire.says(f"^Discover {ANYONE} > {EVERYONE}$")
        wire.says(f"^Offer {SERVER} > ")
        wire.says(f"^Request {ANYONE} > {EVERYONE} wanted {lease.address} of {SERVER}$")
        wire.says(f"^ACK {SERVER} > ")


def test_renewal_and_rebinding(lan: Lan, server: Server, wire: Wire) -> None:
    """At T1 the client asks its server. Then that is gone, and at T2 a server at another address answers."""
    server.start(SHORT)
    with Ours(lan) as ours:
        first = ours.leased()
        address = first.address
        server.logs("ack", MAC, address)
        wire.says(f"^Request {address} > {SERVER} ciaddr {address}$")
        wire.says(f"^ACK {SERVER} > {address} ciaddr {address}$")
        server.logs("ack", MAC, address)
        renewed = ours.leased(lambda lease: lease.requested_at > first.requested_at)
        server.stop()
        lan.move("10.9.0.3")
        server.start(SHORT)
        wire.says(f"^Request {address} > {EVERYONE} ciaddr {address}$")
        wire.says(f"^ACK 10.9.0.3 > {address} ciaddr {address}$")
        server.logs("ack", MAC, address)
        rebound = ours.leased(lambda lease: lease.server == "10.9.0.3")
        assert (renewed.address, rebound.address) == (address, address)
        assert "Discover" not in wire.sent(after="ACK")


def test_init_reboot(lan: Lan, server: Server, wire: Wire, tmp_path: Path) -> None:
    """After a restart the old address is asked for first, by its name, and no server in particular."""
    server.start(Pool())
    with Ours(lan, lease_file=tmp_path / "lease") as ours:
        before = ours.leased()
    server.logs("ack", MAC, before.address)
    wire.says("^ACK ")
    with Ours(lan, lease_file=tmp_path / "lease") as ours:
        assert ours.leased().address == before.address
        server.logs("ack", MAC, before.address)
        wire.says(f"^Request {ANYONE} > {EVERYONE} wanted {before.address}$")
        assert "Discover" not in wire.sent(after="ACK")


def test_nak_after_the_range_has_changed(lan: Lan, server: Server, wire: Wire, tmp_path: Path) -> None:
    """A restart asks for an address that is not to be had any more: no from the server, and one of the new range."""
    server.start(Pool())
    with Ours(lan, lease_file=tmp_path / "lease") as ours:
        before = ours.leased()
    server.stop()
    server.start(MOVED)
    wire.says("^ACK ")
    with Ours(lan, lease_file=tmp_path / "lease") as ours:
        after = ours.leased()
        wire.says(f"^Request {ANYONE} > {EVERYONE} wanted {before.address}$")
        wire.says(f"^NACK {SERVER} > {EVERYONE}")
        server.logs("nak", MAC, before.address)
        assert wire.sent(after="NACK")[0] == "Discover"
        assert after.address in [f"10.9.0.{n}" for n in range(150, 200)]
        server.logs("ack", MAC, after.address)


@pytest.mark.parametrize("server", [name for name in SERVERS if name != "udhcpd"], indirect=True)
def test_nak_of_a_renewal(lan: Lan, server: Server, wire: Wire) -> None:
    """The address goes at once, and another one comes. (udhcpd leaves a renewal it does not like unanswered.)"""
    server.start(SHORT)
    with Ours(lan) as ours:
        before = ours.leased()
        server.stop()
        server.start(MOVED)
        wire.says(f"^Request {before.address} > {SERVER} ciaddr {before.address}$")
        wire.says(f"^NACK {SERVER} > ")
        server.logs("nak", MAC, before.address)
        assert wire.sent(after="NACK")[0] == "Discover"
        after = ours.leased(lambda lease: lease.address != before.address)
        assert after.address in [f"10.9.0.{n}" for n in range(150, 200)]


def test_release(lan: Lan, server: Server, wire: Wire) -> None:
    server.start(Pool())
    with Ours(lan) as ours:
        address = ours.leased().address
        server.logs("ack", MAC, address)
    wire.says(f"^Release {address} > {SERVER} ciaddr {address} of {SERVER}$")
    server.logs("release", MAC, address)


def test_decline(lan: Lan, server: Server, wire: Wire) -> None:
    """Another host has the only address there is. The server hears of it, and gives us another when it has one."""
    with own_namespace() as other:
        lan.join(other, "10.9.0.50")
        server.start(Pool("10.9.0.50", "10.9.0.50"))
        with Ours(lan) as ours:
            wire.says("^ACK ")
            wire.says(f"^Decline {ANYONE} > {EVERYONE} wanted 10.9.0.50 of {SERVER}$")
            server.logs("decline", MAC, "10.9.0.50")
            assert ours.lease is None
            server.stop()
            server.start(Pool("10.9.0.60", "10.9.0.99"))
            address = ours.leased().address
            assert address in [f"10.9.0.{n}" for n in range(60, 100)]
            server.logs("ack", MAC, address)
