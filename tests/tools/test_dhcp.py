"""`tapstack dhcp`: the lease that it prints, and the exchange in words."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from stack import Dhcp, Ethernet, Host
from stack.link.memory import EthernetPort
from stack.trace.event import Observer
from tests.dhcp.server import Server, addresses
from tests.sockets.lan import CAREFUL, FIRST, client, serving
from tools import cli, dhcp, output, services, up
from tools.exchange import DhcpNarrator, duration

EPOCH_S = 981_015_477.0  # Thu Feb  1 08:17:57 2001, UTC
OPTIONS: dict[int, bytes | None] = {6: addresses("10.9.0.1", "10.9.0.3"), 15: b"example.org", 26: b"\x05\x78"}


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local times are those of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


async def test_a_lease_is_printed_as_by_pump(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(options=OPTIONS)), client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        assert dhcp.as_text(lease, "tap0", EPOCH_S - lease.requested_at) == [
            "Device tap0",
            "    IP: 10.9.0.50",
            "    Netmask: 255.255.255.0",
            "    Broadcast: 10.9.0.255",
            "    Network: 10.9.0.0",
            "    Server: 10.9.0.1",
            "    Router: 10.9.0.1",
            "    Name servers: 10.9.0.1 10.9.0.3",
            "    Domain: example.org",
            "    MTU: 1400",
            "    Lease time: 1 h",
            "    Renewal time: Thu Feb  1 08:47:57 2001",
            "    Expiration time: Thu Feb  1 09:17:57 2001",
        ]


async def test_a_lease_for_ever_says_so(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(lease_s=0xFFFFFFFF, options={3: None})), client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        lines = dhcp.as_text(lease, "tap0", EPOCH_S)
        assert "    Router: none" in lines
        assert lines[-3:] == ["    Lease time: for ever", "    Renewal time: never", "    Expiration time: never"]


async def test_the_router_is_that_of_the_default_route(autojump_clock: MockClock) -> None:
    """Classless routes (RFC 3442) may have others, for single networks, or no router."""
    ethernet = Ethernet()
    routes = bytes((24, 192, 0, 2, *(10, 9, 0, 7), 24, 198, 51, 100, *(0, 0, 0, 0), 0, *(10, 9, 0, 1)))
    async with serving(ethernet, Server(options={121: routes})), client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        lines = dhcp.as_text(lease, "tap0", EPOCH_S)
        at = lines.index("    Router: 10.9.0.1")
        assert lines[at + 1] == "    Routes: 192.0.2.0/24 by 10.9.0.7, 198.51.100.0/24 by the link"


async def test_json_has_all_fields_of_the_lease(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet, Server(options={**OPTIONS, 200: b"\x01\xff"})), client(ethernet.attach()) as host:
        lease = host.lease
        assert lease is not None
        told = json.loads(dhcp.as_json(lease, EPOCH_S - lease.requested_at))
    assert told["address"] == FIRST
    assert told["renew_at"] == "2001-02-01T08:47:57+00:00"
    assert told["expires_at"] == "2001-02-01T09:17:57+00:00"
    assert told["routes"] == [["0.0.0.0/0", "10.9.0.1"]]
    assert [200, "01ff"] in told["options"]


def without_numbers(lines: list[str]) -> list[str]:
    """Transaction ids left out."""
    return [re.sub(r"0x[0-9a-f]{8}", "...", line) for line in lines]


async def test_the_exchange_is_printed_in_words(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    said: list[str] = []
    narrator = DhcpNarrator(said.append)
    wish = Dhcp(request_address="10.9.0.57")
    async with serving(ethernet), client(ethernet.attach(), wish, config=CAREFUL, trace=narrator):
        pass
    told = without_numbers(said)
    assert [line[9:] for line in told if "BOUND" not in line and "may be used" not in line] == [
        "state INIT: we start from the beginning",
        "state SELECTING: we look for servers",
        "we -> broadcast: DISCOVER (xid ...)",
        "    is there a DHCP server? I need an address, 10.9.0.57 if possible",
        "10.9.0.1 -> us: OFFER (xid ...)",
        "    you could have 10.9.0.57 for 1 h",
        "we choose 10.9.0.57/24 of 10.9.0.1: the only one",
        "state REQUESTING: we have chosen an offer and wait for its server to confirm it",
        "we -> broadcast: REQUEST (xid ...)",
        "    I take 10.9.0.57, which server 10.9.0.1 offers, and no other offer",
        "10.9.0.1 -> us: ACK (xid ...)",
        "    10.9.0.57 is yours for 1 h",
        "we ask by ARP, three times, whether another host has 10.9.0.57",
        "we -> 10.9.0.1: RELEASE (xid ...)",
        "    I no longer need 10.9.0.57",
        "10.9.0.57/24 is no longer ours: we have given it back",
    ]
    assert told[0].startswith("   0.000 ")
    bound = [line for line in told if "may be used" in line]
    assert [line[9:] for line in bound] == ["10.9.0.57/24 may be used for 1 h; after 30 min we ask to extend it"]


async def test_errors_are_printed_in_words(autojump_clock: MockClock) -> None:
    """Retries, an answer for another client, a refusal, the wait after it, a link-local address."""
    ethernet = Ethernet()
    said: list[str] = []
    server = Server(silent=(1,))
    narrator = DhcpNarrator(said.append)
    async with serving(ethernet, server) as there, client(ethernet.attach(), config=CAREFUL, trace=narrator) as host:
        there.sender.say(bytes(300))
        await trio.sleep(0.1)
        server.silent = ()
        await host.wait_lease_change(None)
        server.refuse = True
        await host.wait_lease_change(host.lease)
        await trio.sleep(10)
    told = "\n".join(without_numbers(said))
    assert "DISCOVER (xid ..., attempt 2)" in told
    assert re.search(r"no server has given an address: we use 169\.254\.\d+\.\d+ meanwhile \(RFC 3927\)", told)
    assert "a message is ignored: the options do not start with the magic cookie of RFC 2131" in told
    assert "state RENEWING: T1 has passed: we ask our server to extend the lease" in told
    assert "I have 10.9.0.50: may I use it for longer?" in told
    assert "10.9.0.1 -> us: NAK (xid ...)\n             no, you cannot have that address here" in told
    assert "10.9.0.50/24 is no longer ours: a server refuses it" in told
    assert re.search(r"we wait [\d.]+ s, a server refused what it offered", told)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59, "59 s"), (3600, "1 h"), (5400, "1 h 30 min"), (90061, "1 d 1 h"), ("for ever", "for ever")],
)
def test_durations_have_two_units(seconds: float | str, words: str) -> None:
    assert duration(seconds) == words


# --- what runs on a host whose address comes and goes


async def echoed(asker: Host, address: str) -> bool:
    """Whether the UDP echo service answers there."""
    with asker.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.connect((address, 7))
        await sock.send(b"hello")
        with trio.move_on_after(2):
            return await sock.recv(100) == b"hello"
    return False


async def test_services_move_with_the_address(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    server = Server(silent=(1,))
    nowhere = client(ethernet.attach(), Dhcp(wait="nothing"))
    async with serving(ethernet, server) as there, nowhere as host, trio.open_nursery() as nursery:
        await services.serve(host, {"echo": 7, "daytime": 13}, nursery)
        server.silent = ()
        await host.wait_lease_change(None)
        assert await echoed(there.host, FIRST)
        server.first = bytes((10, 9, 0, 90))  # another range: what was lent is denied at the next renewal
        await host.wait_lease_change(host.lease)
        await host.wait_lease_change(None)
        assert await echoed(there.host, "10.9.0.90")
        assert not await echoed(there.host, FIRST)
        bound = [connection.local for connection in host.connections() if connection.protocol == "udp"]
        assert bound == ["10.9.0.90:7", "10.9.0.90:13"]
        nursery.cancel_scope.cancel()


async def test_up_prints_changes_of_lease_and_address(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    said: list[str] = []
    monkeypatch.setattr(up, "say", said.append)

    ethernet = Ethernet()
    server = Server(silent=(1,), lease_s=600)
    async with serving(ethernet, server), client(ethernet.attach(), Dhcp(wait="nothing")) as host:
        assert up.address(host) == "no address"
        await up.first_address(host)
        assert up.address(host).startswith("169.254.")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(up.print_leases, host)
            nursery.start_soon(up.print_addresses, host)
            server.silent = ()
            await host.wait_lease_change(None)
            assert up.address(host) == FIRST
            await trio.sleep(1)
            server.silent = (1, 3)
            await trio.sleep(660)
            nursery.cancel_scope.cancel()
    assert re.fullmatch(r"lease: 10\.9\.0\.50/24 from 10\.9\.0\.1, until .{24}", said[0]) or "address" in said[0]
    assert sorted(line.split()[0] for line in said) == ["address:", "address:", "address:", "lease:", "lease:"]
    assert "address: 10.9.0.50" in said
    assert "lease: it has ended; asking for another" in said
    assert re.fullmatch(
        r"address: 169\.254\.\d+\.\d+; link-local \(RFC 3927\): no DHCP server has given an address", said[-1]
    )


async def test_up_prints_every_few_seconds_that_it_waits_and_since_when(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    said: list[str] = []
    monkeypatch.setattr(up, "say", said.append)

    with trio.move_on_after(12):
        await up.print_waiting("tap0")
    since = r"waiting: tap0 has had no address since \d\d:\d\d:\d\d, %d s: asking for one by DHCP"
    assert len(said) == 2
    for line, waited_s in zip(said, (5, 10), strict=True):
        assert re.fullmatch(since % waited_s, line)


def test_dhcp_needs_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tools.namespace.has_capability", lambda number: False)
    assert cli.main(["dhcp"]) == 1
    said = capsys.readouterr().err
    assert "start this as root" in said
    assert "unshare --map-root-user --net" in said  # which an ordinary user may do


OPTIONS_OF_ALL: Any = SimpleNamespace(lease_file=None, tap="tap0")


def put_on(ethernet: Ethernet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the program use this segment in the place of a TAP."""

    @asynccontextmanager
    async def on_tap(options: object, asked: Dhcp, watcher: Observer) -> AsyncIterator[tuple[Host, EthernetPort, None]]:
        link = ethernet.attach()
        async with client(link, asked, trace=watcher) as host:
            yield host, link, None

    monkeypatch.setattr(dhcp, "on_tap", on_tap)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("silent", [(), (1,)], ids=["answered", "no answer"])
async def test_dhcp_prints_after_some_seconds_that_no_server_has_answered(
    silent: tuple[int, ...],
    verbose: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    autojump_clock: MockClock,
) -> None:
    ethernet = Ethernet()
    put_on(ethernet, monkeypatch)
    server = Server(silent=silent, delay_s=3.0)  # as long as dnsmasq takes to ping the address
    async with serving(ethernet, server), trio.open_nursery() as nursery:
        nursery.start_soon(dhcp.run, OPTIONS_OF_ALL, dhcp.Plan(False, False, None, 60.0, verbose))
        await trio.sleep(20)
        server.silent = ()
    printed, errors = capsys.readouterr()
    assert f"IP: {FIRST}" in printed
    told = "tapstack dhcp: no DHCP server has answered on tap0 yet: the request is repeated, for 60 s in all\n"
    if verbose:
        assert told not in errors
    else:
        assert errors == (told if silent else "")


@pytest.fixture
def unharmed() -> Iterator[None]:
    """An unhandled signal fails the test, and does not end all tests."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: pytest.fail("SIGTERM was not handled"))
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize(
    ("silent", "log", "release"), [((), 4, [f"RELEASE {FIRST}"]), ((1,), 1, [])], ids=["bound", "no answer"]
)
async def test_a_signal_ends_dhcp_and_the_address_is_released(
    silent: tuple[int, ...], log: int, release: list[str], monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """So does a write to a full disk: see `output.Output`."""

    def die(line: str = "") -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    async def dies_later() -> None:
        await trio.sleep(1)
        die()

    ethernet = Ethernet()

    put_on(ethernet, monkeypatch)
    monkeypatch.setattr(dhcp, "say", die)
    async with serving(ethernet, Server(silent=silent)) as there, trio.open_nursery() as nursery:
        if silent:
            nursery.start_soon(dies_later)
        assert await dhcp.run(OPTIONS_OF_ALL, dhcp.Plan(False, True, None, 60.0, False)) == 128 + signal.SIGTERM
        await trio.sleep(0.1)
        assert there.server.log[log:] == release


def test_a_reader_that_has_closed_its_pipe_does_no_harm() -> None:
    """`tapstack dhcp -v 2>&1 | head`: the lines are written from within protocol code."""
    for_reading, for_writing = os.pipe()
    os.close(for_reading)
    with open(for_writing, "w", encoding="ascii") as closed:
        log = output.Output(lambda: closed, "standard error")
        log("one")
        log("two")
        assert log.flush() == 0
