"""A host that gets its address by DHCP: what a lease changes, what its end changes back, and how servers may be."""

from __future__ import annotations

import dataclasses
import errno
import json

import pytest
import trio

from stack import Dhcp, Segment
from tests.dhcp.server import Server, addresses
from tests.sockets.hosts import stream_pair, until, virtual
from tests.sockets.lan import CAREFUL, FIRST, HASTY, SERVER, client, serving


@virtual
async def test_a_lease_takes_effect() -> None:
    server = Server(options={6: addresses("10.9.0.1", "10.9.0.2"), 15: b"example.org", 26: (1400).to_bytes(2, "big")})
    segment = Segment()
    async with serving(segment, server), client(segment.attach()) as host:
        lease = host.lease
        assert lease is not None
        assert (lease.address, lease.netmask, lease.network) == (FIRST, "255.255.255.0", "10.9.0.0")
        assert (lease.server, lease.routers, lease.broadcast) == (SERVER, (SERVER,), "10.9.0.255")
        assert (lease.domain, lease.mtu) == ("example.org", 1400)
        assert host.name_servers == ["10.9.0.1", "10.9.0.2"]
        [interface] = host.interfaces()
        assert interface.addresses == (f"{FIRST}/24",)
        assert interface.mtu == 1400
        assert ("0.0.0.0/0", SERVER) in [(route.destination, route.gateway) for route in host.routes()]
        assert await host.ping(SERVER) >= 0
        assert json.loads(json.dumps(dataclasses.asdict(lease)))["address"] == FIRST


@virtual
async def test_an_address_is_probed_before_it_is_used() -> None:
    segment = Segment()
    async with serving(segment) as there:
        began = trio.current_time()
        async with client(segment.attach(), config=CAREFUL) as host:
            assert 4 <= trio.current_time() - began <= 8  # RFC 5227: three probes, and two seconds
            assert host.counters()["arpOutProbes"] == 3
            assert there.server.log == ["DISCOVER", f"OFFER {FIRST}", f"REQUEST {FIRST}", f"ACK {FIRST}"]


@virtual
async def test_the_address_is_given_back_at_the_end() -> None:
    segment = Segment()
    async with serving(segment) as there:
        async with client(segment.attach()) as host:
            ours, _ = await stream_pair(host, there.host, SERVER)
        await until(lambda: there.server.log[-1] == f"RELEASE {FIRST}")
        assert there.server.leases == {}
        assert there.heard[-1].source == FIRST
        with pytest.raises(trio.BrokenResourceError) as ended:
            await ours.send_all(b"x")
        assert isinstance(ended.value.__cause__, OSError)
        assert ended.value.__cause__.errno == errno.ENETDOWN


@virtual
async def test_nothing_is_given_back_when_that_is_not_wanted() -> None:
    segment = Segment()
    async with serving(segment) as there:
        async with client(segment.attach(), Dhcp(release=False)):
            pass
        await trio.sleep(10)
        assert there.server.log[-1] == f"ACK {FIRST}"
        async with client(segment.attach(), config=HASTY) as host:
            assert host.lease is not None
