"""`Host.configure`: another TCP configuration, for the connections that are opened from then on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

import stack
from stack.wire.tcp import SYN
from stack.wire.tcp_options import parse_options
from tests.sockets.hosts import BOB, two_hosts


def options_of_our_syns(events: list[stack.Event]) -> list[set[str]]:
    """The names of the options in each SYN and SYN,ACK that was sent."""
    found = []
    for event in events:
        octets = event.data.get("octets")
        if event.name == "wire:frame" and event.data["dir"] == "out" and isinstance(octets, bytes):
            if octets[23] == 6 and octets[47] & SYN:
                options = parse_options(octets[54 : 34 + (octets[46] >> 4) * 4])
                names = ("mss", "window_scale", "sack_permitted", "timestamps")
                found.append({name for name in names if getattr(options, name) not in (None, False)})
    return found


async def test_it_holds_for_connections_that_are_opened_afterwards(autojump_clock: trio.testing.MockClock) -> None:
    """By a listener that was there before, too."""
    async with two_hosts() as (alice, bob):
        told: list[stack.Event] = []
        with alice.watch(told.append), bob.watch(told.append):
            [listener] = await bob.open_tcp_listeners(7)
            early = await alice.open_tcp_stream(BOB, 7)
            accepted = await listener.accept()
            for host in (alice, bob):
                host.configure(tcp=replace(host.config.tcp, timestamps=False, sack=False, window_scaling=False))
            assert not bob.config.tcp.sack
            late = await alice.open_tcp_stream(BOB, 7)
            last = await listener.accept()
            every = {"mss", "window_scale", "sack_permitted", "timestamps"}
            assert options_of_our_syns(told) == [every, every, {"mss"}, {"mss"}]
            await early.send_all(b"still with timestamps")
            assert await accepted.receive_some(100) == b"still with timestamps"
            for stream in (early, accepted, late, last, listener):
                await stream.aclose()


async def test_an_open_connection_keeps_its_own_msl(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (alice, bob):
        [listener] = await bob.open_tcp_listeners(7)
        for change, waits_s in ((False, 60.0), (True, 2.0)):
            stream = await alice.open_tcp_stream(BOB, 7)
            other = await listener.accept()
            if not change:
                alice.configure(tcp=replace(alice.config.tcp, msl_s=1.0))
            await stream.aclose()
            await trio.sleep(0.1)
            await other.aclose()
            await trio.sleep(waits_s - 0.5)
            assert [record.state for record in alice.connections()] == ["TIME-WAIT"]
            await trio.sleep(0.6)
            assert alice.connections() == []
        await listener.aclose()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("congestion", "vegas", "must be one of"),
        ("syn_cookie_period_s", 1.0, "syn_cookie_period_s concerns the whole host"),
        ("fast_open_servers", 1, "fast_open_servers concerns the whole host"),
    ],
)
async def test_what_is_refused_changes_nothing(
    field: str, value: object, message: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with two_hosts() as (alice, _):
        before = alice.config
        with pytest.raises(ValueError, match=message):
            alice.configure(tcp=replace(before.tcp, sack=False, **{field: value}))  # type: ignore[arg-type]
        assert alice.config is before
        with pytest.raises(TypeError, match=r"tcp is a stack\.TcpConfig"):
            alice.configure(tcp=stack.Config())  # type: ignore[arg-type]


async def test_a_new_socket_takes_its_buffers_from_it(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (alice, _):
        before = alice.socket()
        alice.configure(tcp=replace(alice.config.tcp, receive_buffer_bytes=50_000))
        after = alice.socket()
        sizes = [end.getsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF) for end in (before, after)]
        assert sizes == [1 << 18, 50_000]
        before.close()
        after.close()


async def test_cookies_that_are_outstanding_are_void(autojump_clock: trio.testing.MockClock) -> None:
    async with two_hosts() as (alice, _):
        services = alice._runner.core.tcp.services
        before = services.cookie_secret
        alice.configure(tcp=alice.config.tcp)
        assert services.cookie_secret != before
