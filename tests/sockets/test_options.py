"""Socket options: the same answers as the kernel's for every value, and their effect on what is
sent.
"""

from __future__ import annotations

import errno
import gc
import itertools
import os
import socket as stdlib
import struct
import weakref
from enum import IntEnum
from typing import Any

import pytest
import trio
from trio.socket import IPPROTO_IP, IPPROTO_TCP, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from trio.testing import MockClock, wait_all_tasks_blocked

from stack import Config, Ethernet, Host, TcpConfig, open_host
from stack.sockets import options
from stack.wire.ipv4 import Ipv4Header
from tests.sockets.hosts import ALICE, BOB, Cut, host_on, stream_pair, two_hosts
from tests.sockets.worlds import outcome

VALUES: list[Any] = [
    *(0, 1, 2, -1, -2, 64, 127, 128, 255, 256, 300, 32767, 32768, 70000, (1 << 31) - 1, -(1 << 31), True),
    *(1 << 31, 1 << 40, "x", 1.5, None),
    *(b"", b"\1", b"\1\0", b"\1\0\0\0", b"\1\0\0\0\5\0\0\0", bytes(8), bytearray(4), memoryview(b"\2\0\0\0")),
    struct.pack("ii", 2, 30),
    *(b"reno", b"cubic\0rest", b"Reno", b"reno" + bytes(30), b"cubic" * 4),
]

# What we answer differently on purpose: buffers are what was asked for, and not twice that; a limit of 0 means none.
BUFFERS = {(SOL_SOCKET, stdlib.SO_RCVBUF), (SOL_SOCKET, stdlib.SO_SNDBUF)}
UNLIMITED = {(IPPROTO_TCP, stdlib.TCP_NOTSENT_LOWAT)}
# What holds when a value is refused is ours: a SYN is sent again for three minutes (MUST-23), the policy is CUBIC.
DEFAULTS = {(IPPROTO_TCP, options.TCP_SYNCNT), (IPPROTO_TCP, options.TCP_CONGESTION)}
# At most half of the largest receive buffer, which is another one.
HALF_A_BUFFER = (SOL_SOCKET, stdlib.SO_RCVLOWAT)
# A UDP socket begins without DF, as the kernel's do with ip_no_pmtu_disc. TCP always discovers the MTU.
DISCOVER = (IPPROTO_IP, options.IP_MTU_DISCOVER)


PRIVILEGED = {(SOL_SOCKET, options.SO_PRIORITY), (SOL_SOCKET, options.SO_MARK)}  # the kernel lets only root set them


def known() -> list[tuple[int, int, int]]:
    tables = ((int(SOCK_STREAM), options.STREAM), (int(SOCK_DGRAM), options.DATAGRAM))
    here = [(kind, level, number) for kind, table in tables for level, number in table]
    return here if os.geteuid() == 0 else [each for each in here if each[1:] not in PRIVILEGED]


@pytest.mark.parametrize(("kind", "level", "number"), known())
async def test_every_value_is_taken_or_refused_as_the_kernel_does(
    kind: int, level: int, number: int, autojump_clock: MockClock
) -> None:
    async with host_on(None, None) as host:
        for value in VALUES:
            with stdlib.socket(type=kind) as theirs, host.socket(type=kind) as ours:
                if (level, number) == DISCOVER:
                    theirs.setsockopt(*DISCOVER, 0 if kind == SOCK_DGRAM else 1)
                expected = outcome(theirs.setsockopt, level, number, value)
                if (level, number) == DISCOVER and kind == SOCK_STREAM and theirs.getsockopt(*DISCOVER) not in (1, 2):
                    expected = ("raised", "OSError", "ENOPROTOOPT")
                    theirs.setsockopt(*DISCOVER, 1)
                assert outcome(ours.setsockopt, level, number, value) == expected, value
                if (level, number) in BUFFERS or ((level, number) in UNLIMITED and value in (-1, 0)):
                    continue
                if (level, number) == HALF_A_BUFFER and theirs.getsockopt(level, number) > 1 << 20:
                    continue
                if (level, number) in DEFAULTS and expected is not None:
                    continue
                for length in (None, 0, 1, 2, 4, 16):
                    args = (level, number) if length is None else (level, number, length)
                    assert outcome(ours.getsockopt, *args) == outcome(theirs.getsockopt, *args), (value, length)


async def test_arguments_are_checked_as_the_standard_library_does(autojump_clock: MockClock) -> None:
    async with host_on(None, None) as host:
        for kind in (SOCK_STREAM, SOCK_DGRAM):
            with stdlib.socket(type=kind) as theirs, host.socket(type=kind) as ours:
                for args in [(SOL_SOCKET, 2, -1), (SOL_SOCKET, 2, 5000), (SOL_SOCKET, 2, "x"), ("x", 2)]:
                    assert outcome(ours.getsockopt, *args) == outcome(theirs.getsockopt, *args)
                for args in [
                    (SOL_SOCKET, 2, None, 4),
                    ("x", 2, 1),
                    (SOL_SOCKET, None, 1),
                    (SOL_SOCKET, 2.0, 1),
                    (float(SOL_SOCKET), 2, 1),
                ]:
                    assert outcome(ours.setsockopt, *args) == outcome(theirs.setsockopt, *args)
                with pytest.raises(TypeError, match="must be None when specifying optlen"):
                    ours.setsockopt(SOL_SOCKET, 2, b"x", 4)  # type: ignore[call-overload]


async def test_unknown_options_are_refused(autojump_clock: MockClock) -> None:
    async with host_on(None, None) as host:
        with host.socket() as stream, host.socket(type=SOCK_DGRAM) as datagram:
            for sock, (level, number) in itertools.product(
                (stream, datagram), [(SOL_SOCKET, 999), (999, 1), (IPPROTO_IP, 999), (stdlib.IPPROTO_IPV6, 26)]
            ):
                with stdlib.socket(type=sock.type) as theirs:
                    assert outcome(sock.setsockopt, level, number, 1) == ("raised", "OSError", "ENOPROTOOPT")
                    assert outcome(sock.getsockopt, level, number) == outcome(theirs.getsockopt, level, number)
            for option in (stdlib.TCP_NODELAY, stdlib.TCP_KEEPIDLE):
                with pytest.raises(OSError) as caught:
                    datagram.setsockopt(IPPROTO_TCP, option, 1)
                assert caught.value.errno == errno.ENOPROTOOPT


class Level(IntEnum):
    TCP = 6
    SOCKET = 1


async def test_levels_and_numbers_may_be_enumerations(autojump_clock: MockClock) -> None:
    async with host_on(None, None) as host:
        with host.socket() as sock:
            sock.setsockopt(Level.TCP, stdlib.TCP_NODELAY, 1)
            assert sock.getsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY) == 1
            assert sock.getsockopt(Level.SOCKET, stdlib.SO_TYPE) == SOCK_STREAM


async def test_buffer_sizes_are_what_was_asked_for_within_bounds(autojump_clock: MockClock) -> None:
    async with host_on(None, None) as host:
        for kind, option in itertools.product((SOCK_STREAM, SOCK_DGRAM), (stdlib.SO_RCVBUF, stdlib.SO_SNDBUF)):
            with host.socket(type=kind) as sock:
                assert sock.getsockopt(SOL_SOCKET, option) > 65536
                for asked, given in [(100_000, 100_000), (0, 2304), (-1, 8 << 20)]:
                    sock.setsockopt(SOL_SOCKET, option, asked)
                    assert sock.getsockopt(SOL_SOCKET, option) == given


SETTINGS: list[tuple[int, int, int]] = [
    (SOL_SOCKET, stdlib.SO_KEEPALIVE, 1),
    (SOL_SOCKET, stdlib.SO_RCVBUF, 40_000),
    (SOL_SOCKET, stdlib.SO_SNDBUF, 50_000),
    (SOL_SOCKET, stdlib.SO_RCVLOWAT, 17),
    (IPPROTO_TCP, stdlib.TCP_NODELAY, 1),
    (IPPROTO_TCP, options.TCP_CORK, 1),
    (IPPROTO_TCP, options.TCP_QUICKACK, 0),
    (IPPROTO_TCP, options.TCP_SYNCNT, 3),
    (IPPROTO_TCP, options.TCP_LINGER2, 7),
    (IPPROTO_TCP, options.TCP_WINDOW_CLAMP, 5000),
    (IPPROTO_TCP, stdlib.TCP_NOTSENT_LOWAT, 7000),
    (IPPROTO_TCP, stdlib.TCP_KEEPIDLE, 11),
    (IPPROTO_TCP, stdlib.TCP_KEEPINTVL, 12),
    (IPPROTO_TCP, stdlib.TCP_KEEPCNT, 13),
    (IPPROTO_TCP, stdlib.TCP_USER_TIMEOUT, 14_000),
    (SOL_SOCKET, options.SO_MAX_PACING_RATE, 16_000_000),
    (IPPROTO_IP, stdlib.IP_TTL, 15),
    (IPPROTO_IP, stdlib.IP_TOS, 0x10),
]


async def test_options_of_a_listener_are_its_childrens(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """Whether they were set before or after `listen`; and those of a socket survive its connecting."""
    for after in (False, True):
        with bob.socket() as listener, alice.socket() as client:
            await listener.bind(("", 0))
            if after:
                listener.listen()
            for level, option, value in SETTINGS:
                for sock in (listener, client):
                    sock.setsockopt(level, option, value)
                    assert sock.getsockopt(level, option) == value
            if not after:
                listener.listen()
            await client.connect((BOB, listener.getsockname()[1]))
            server, _ = await listener.accept()
            kept = [each for each in SETTINGS if each[:2] != (IPPROTO_TCP, options.TCP_QUICKACK)]  # it may read 1 again
            for sock in (server, client):
                assert [sock.getsockopt(level, option) for level, option, _ in kept] == [value for _, _, value in kept]
            server.close()


async def test_the_most_that_may_be_waited_for(alice: Host, autojump_clock: MockClock) -> None:
    """Half of the receive buffer at its largest."""
    with alice.socket() as sock:
        sock.setsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT, 1 << 30)
        most = Config().tcp.max_receive_buffer_bytes // 2
        assert sock.getsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT) == most


async def test_to_set_quickack_sends_the_ack_that_is_due(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    client, server = await stream_pair(alice, bob)
    async with client, server:
        await client.send_all(b"x")
        await wait_all_tasks_blocked()
        before = bob.counters()["tcpOutSegs"]
        server.setsockopt(IPPROTO_TCP, options.TCP_QUICKACK, 1)
        assert bob.counters()["tcpOutSegs"] == before + 1


async def test_a_congestion_policy_is_named(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """Before there is a connection, on a listener for its connections, and on a connection, whose window stays."""

    def name(sock: Any, length: int = 16) -> bytes:
        answer: bytes = sock.getsockopt(IPPROTO_TCP, options.TCP_CONGESTION, length)
        return answer

    with bob.socket() as listener, alice.socket() as client:
        assert name(client) == name(client, 100) == b"cubic".ljust(16, b"\0")
        listener.setsockopt(IPPROTO_TCP, options.TCP_CONGESTION, b"reno")
        await listener.bind(("", 0))
        listener.listen()
        await client.connect((BOB, listener.getsockname()[1]))
        server, _ = await listener.accept()
        connection = server._connection  # type: ignore[attr-defined]
        assert type(connection.congestion).__name__ == "Reno"
        assert (name(server, 5), name(client, 5)) == (b"reno\0", b"cubic")
        connection.congestion.cwnd, connection.congestion.ssthresh = 77_777, 55_555
        server.setsockopt(IPPROTO_TCP, options.TCP_CONGESTION, b"cubic")
        assert (type(connection.congestion).__name__, name(server, 6)) == ("Cubic", b"cubic\0")
        assert (connection.congestion.cwnd, connection.congestion.ssthresh) == (77_777, 55_555)
        with pytest.raises(FileNotFoundError):
            server.setsockopt(IPPROTO_TCP, options.TCP_CONGESTION, b"nope")
        server.close()


async def test_a_default_is_that_of_the_configuration(autojump_clock: MockClock) -> None:
    config = Config(tcp=TcpConfig(syn_timeout_s=20, fin_wait_2_timeout_s=5, congestion="reno"))
    async with open_host(config=config) as host:
        with host.socket() as sock:
            for option, default in (
                (options.TCP_SYNCNT, 4), (options.TCP_LINGER2, 5), (options.TCP_WINDOW_CLAMP, 0),
            ):  # fmt: skip
                assert sock.getsockopt(IPPROTO_TCP, option) == default
            assert sock.getsockopt(IPPROTO_TCP, options.TCP_CONGESTION, 4) == b"reno"


async def test_a_clamp_cannot_be_taken_away_from_a_connection(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    """Nor from a listener, as on Linux."""
    (listener,) = await bob.open_tcp_listeners(80)
    with alice.socket() as client:
        client.setsockopt(IPPROTO_TCP, options.TCP_WINDOW_CLAMP, 5000)
        client.setsockopt(IPPROTO_TCP, options.TCP_WINDOW_CLAMP, 0)
        await client.connect((BOB, 80))
        for sock in (client, listener.socket):
            sock.setsockopt(IPPROTO_TCP, options.TCP_WINDOW_CLAMP, 5000)
            with pytest.raises(OSError) as caught:
                sock.setsockopt(IPPROTO_TCP, options.TCP_WINDOW_CLAMP, 0)
            assert caught.value.errno == errno.EINVAL
            assert sock.getsockopt(IPPROTO_TCP, options.TCP_WINDOW_CLAMP) == 5000
    await listener.aclose()


async def test_default_options_are_the_same_before_and_after_connecting(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    (listener,) = await bob.open_tcp_listeners(80)
    with alice.socket() as fresh, alice.socket() as connected:
        await connected.connect((BOB, 80))
        of_a_connection = (
            (IPPROTO_TCP, stdlib.TCP_MAXSEG), (IPPROTO_TCP, options.TCP_INFO), (IPPROTO_IP, options.IP_MTU),
        )  # fmt: skip
        for level, number in options.STREAM:
            if (level, number) not in of_a_connection:
                assert fresh.getsockopt(level, number) == connected.getsockopt(level, number), (level, number)
        assert connected.getsockopt(IPPROTO_TCP, stdlib.TCP_MAXSEG) == 1448  # of 1460, timestamps take 12
    await listener.aclose()


async def test_ttl_and_tos_are_on_the_packets(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    spy = ethernet.attach("spy")
    spy.open(lambda: None)

    def seen() -> list[tuple[int, int, int]]:
        packets = []
        while (frame := spy.read(0)) is not None:
            if frame[12:14] == b"\x08\x00":
                header = Ipv4Header.parse(frame[14:])
                packets.append((header.protocol, header.ttl, header.tos))
        return packets

    async with two_hosts(ethernet=ethernet) as (alice, bob):
        with alice.socket(type=SOCK_DGRAM) as sender, bob.socket(type=SOCK_DGRAM) as receiver:
            await receiver.bind(("", 9))
            sender.setsockopt(IPPROTO_IP, stdlib.IP_TTL, 7)
            sender.setsockopt(IPPROTO_IP, stdlib.IP_TOS, 0xB9)
            await sender.sendto(b"x", (BOB, 9))
            await receiver.recv(1)
            assert seen() == [(17, 7, 0xB9)]
            sender.setsockopt(IPPROTO_IP, stdlib.IP_TTL, -1)
            sender.setsockopt(IPPROTO_IP, stdlib.IP_TOS, 0)
            await sender.sendto(b"x", (BOB, 9))
            await receiver.recv(1)
            assert seen() == [(17, 64, 0)]
        client, server = await stream_pair(alice, bob)
        seen()
        client.setsockopt(IPPROTO_IP, stdlib.IP_TTL, 3)
        client.setsockopt(IPPROTO_IP, stdlib.IP_TOS, 0x11)
        await client.send_all(b"x")
        await server.receive_some()
        assert seen() == [(6, 3, 0x10)]


async def test_broadcasts_need_permission(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.socket(type=SOCK_DGRAM) as sender, bob.socket(type=SOCK_DGRAM) as receiver:
        await receiver.bind(("", 9))
        for address in ("10.9.0.255", "255.255.255.255", "<broadcast>"):
            sender.setsockopt(SOL_SOCKET, stdlib.SO_BROADCAST, 0)
            with pytest.raises(PermissionError):
                await sender.sendto(b"x", (address, 9))
            sender.setsockopt(SOL_SOCKET, stdlib.SO_BROADCAST, 1)
            await sender.sendto(b"x", (address, 9))
            assert await receiver.recvfrom(10) == (b"x", (ALICE, sender.getsockname()[1]))


async def test_a_keepalive_finds_a_peer_that_went_away(autojump_clock: MockClock) -> None:
    """With the times the program set: 10 s of silence, then 3 probes 5 s apart."""
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob):
        client, _server = await stream_pair(alice, bob)
        for option, value in [(stdlib.TCP_KEEPIDLE, 10), (stdlib.TCP_KEEPINTVL, 5), (stdlib.TCP_KEEPCNT, 3)]:
            client.setsockopt(IPPROTO_TCP, option, value)
        client.setsockopt(SOL_SOCKET, stdlib.SO_KEEPALIVE, 1)
        await trio.sleep(3600)
        assert not client.socket.is_readable()  # the peer answers: all is well
        cut.made = True
        start = trio.current_time()
        with pytest.raises(OSError) as caught:
            await client.socket.recv(1)
        # What is known of the reason comes with it: after a while not even ARP gets an answer.
        assert caught.value.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH)
        assert 15 <= trio.current_time() - start <= 30


async def test_a_user_timeout_ends_a_connection_that_gets_no_answer(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob):
        client, _server = await stream_pair(alice, bob)
        client.setsockopt(IPPROTO_TCP, stdlib.TCP_USER_TIMEOUT, 9000)
        cut.made = True
        start = trio.current_time()
        await client.send_all(b"x")
        with pytest.raises(OSError) as caught:
            await client.socket.recv(1)
        assert caught.value.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH)
        assert 9 <= trio.current_time() - start <= 15


async def test_a_rate_that_was_set_is_not_exceeded(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob), trio.open_nursery() as nursery:
        client, server = await stream_pair(alice, bob)
        client.setsockopt(SOL_SOCKET, options.SO_MAX_PACING_RATE, 100_000)
        nursery.start_soon(client.send_all, bytes(1_000_000))
        start = trio.current_time()
        count = 0
        while count < 1_000_000:
            count += len(await server.receive_some())
        assert 9.9 <= trio.current_time() - start <= 10.1


async def test_a_buffer_size_that_was_set_is_not_tuned(autojump_clock: MockClock) -> None:
    async with two_hosts() as (alice, bob):
        client, server = await stream_pair(alice, bob)
        for stream, size in ((client, 50_000), (server, 60_000)):
            stream.setsockopt(SOL_SOCKET, stdlib.SO_RCVBUF, size)
            stream.setsockopt(SOL_SOCKET, stdlib.SO_SNDBUF, size)
            connection = stream.socket._connection  # type: ignore[attr-defined]
            assert (connection.user_options.auto_rcvbuf, connection.user_options.auto_sndbuf) == (False, False)
            assert stream.getsockopt(SOL_SOCKET, stdlib.SO_RCVBUF) == size
        with alice.socket() as sock:
            sock.setsockopt(SOL_SOCKET, stdlib.SO_RCVBUF, 50_000)
            (listener,) = await bob.open_tcp_listeners(81)
            await sock.connect((BOB, 81))
            connection = sock._connection  # type: ignore[attr-defined]
            assert (connection.user_options.auto_rcvbuf, connection.user_options.auto_sndbuf) == (False, True)
            await listener.aclose()


async def test_connections_with_the_same_options_share_them(autojump_clock: MockClock) -> None:
    """A server sets the same options on every connection, and trio sets two on every stream."""
    async with two_hosts() as (alice, bob):
        pairs = [await stream_pair(alice, bob) for _ in range(2)]
        asked = []
        for _, server in pairs:
            server.setsockopt(SOL_SOCKET, stdlib.SO_KEEPALIVE, 1)
            asked.append(server.socket._connection.user_options)  # type: ignore[attr-defined]
        assert asked[0] is asked[1]
        pairs[0][1].setsockopt(SOL_SOCKET, stdlib.SO_KEEPALIVE, 1)  # again: nothing new is made
        assert pairs[0][1].socket._connection.user_options is asked[0]  # type: ignore[attr-defined]
        pairs[0][1].setsockopt(SOL_SOCKET, stdlib.SO_KEEPALIVE, 0)
        assert [server.getsockopt(SOL_SOCKET, stdlib.SO_KEEPALIVE) for _, server in pairs] == [0, 1]


async def test_sockets_of_servers_have_no_attributes_of_their_own(autojump_clock: MockClock) -> None:
    """One socket with any makes each later socket of its class larger: Python reserves the room."""
    async with two_hosts() as (alice, bob):
        with alice.socket() as client, bob.socket() as listener:
            listener.setsockopt(SOL_SOCKET, stdlib.SO_REUSEADDR, 1)
            await listener.bind((BOB, 80))
            listener.listen()
            await client.connect((BOB, 80))
            accepted, _ = await listener.accept()
            with accepted:
                assert [vars(sock) for sock in (listener, client, accepted)] == [{}, {}, {}]


async def test_the_host_keeps_no_callback_of_a_socket_that_is_closed(alice: Host, autojump_clock: MockClock) -> None:
    class Told:
        def __call__(self, error: int, text: str) -> None: ...

    told: Any = Told()
    sock: Any = alice.socket()
    sock.on_error = told
    sock.setsockopt(IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
    sock.close()
    seen = weakref.ref(told)
    del told, sock
    gc.collect()
    assert seen() is None
