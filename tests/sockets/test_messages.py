"""The errors that a beginner meets say what to do: a name for a link, IPv6, asyncio, another
thread, a host that has ended.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import pydoc
import threading
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
import trio
from trio.socket import SOCK_DGRAM, SocketType
from trio.testing import MockClock

import stack
from stack import Ethernet, Host, Impaired, open_host
from tests.requirements import rfc
from tests.sockets.hosts import BOB, two_hosts


@rfc("sockets-11")
@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("tap0", r"'tap0' is a name, not a link: write stack\.Tap\('tap0'\)"),
        (stack.Tap, r"Tap is a class, not a link: make one, as in stack\.Tap\('tap0'\)"),
        (5, r"5 is not a link: write stack\.Tap\('tap0'\)"),
        (Ethernet(), r"an Ethernet is a wire, not a link: give each host ethernet\.attach\(\)"),
    ],
)
async def test_what_is_no_link(link: Any, message: str, autojump_clock: MockClock) -> None:
    with pytest.raises(TypeError, match=message):
        async with open_host(link, address="10.9.0.2/24"):
            raise AssertionError("opened")
    with pytest.raises(TypeError, match=message):
        Impaired(link)


@rfc("sockets-11")
@pytest.mark.parametrize(
    ("address", "gateway", "error", "message"),
    [
        ("fd00::1/64", None, ValueError, "'fd00::1/64' is an IPv6 address, and this host has only IPv4: write one"),
        ("fd00::1", None, ValueError, "'fd00::1' is an IPv6 address"),
        ("::ffff:10.9.0.2/96", None, ValueError, "'::ffff:10.9.0.2/96' is an IPv6 address"),
        ("fe80:1:2:3:4:5:6:7/64", None, ValueError, "is an IPv6 address"),
        ("10.9.0.2/24", "fd00::2", ValueError, "'fd00::2' is an IPv6 address, .* such as 10.9.0.2$"),
        ("02:00:00:00:00:01/24", None, ValueError, "needs four numbers separated by dots"),
        ("10.9.0.2", None, ValueError, "has no prefix length: write ADDRESS/LENGTH, as in 10.9.0.2/24"),
        (ipaddress.ip_interface("10.9.0.2/24"), None, TypeError, "an address must be a str: write '10.9.0.2/24', not "),
        (
            "10.9.0.2/24",
            ipaddress.ip_address("10.9.0.1"),
            TypeError,
            "an address must be a str: write '10.9.0.2', not ",
        ),
    ],
)
async def test_what_is_no_address(
    address: Any, gateway: Any, error: type[Exception], message: str, autojump_clock: MockClock
) -> None:
    link = Ethernet().attach()
    with pytest.raises(error, match=message):
        async with open_host(link, address=address, gateway=gateway, acd="off"):
            raise AssertionError("opened")
    assert not link.is_open


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"config": stack.TcpConfig(sack=False)},
            r"part of one: write stack\.Config\(tcp=TcpConfig\(.*sack=False\)\)",
        ),
        ({"config": {}}, r"is a stack\.Config, not \{\}: write stack\.Config\(tcp=stack\.TcpConfig\(\.\.\.\)\)"),
        ({"random": Random(1)}, r"random\(n\) returns n bytes: write random\.Random\(7\)\.randbytes, not <random"),
        ({"random": Random(1).random}, r"write random\.Random\(7\)\.randbytes, not "),
        ({"random": Random(1).getrandbits}, r"write random\.Random\(7\)\.randbytes, not "),
        ({"random": 7}, r"write random\.Random\(7\)\.randbytes, not 7"),
        ({"report": True}, "report is a function of one text, such as print, not True"),
        ({"boottime": 3}, r"boottime is a function that returns seconds, such as time\.monotonic, not 3"),
        ({"dhcp": True}, r"dhcp is a stack\.Dhcp\(\.\.\.\), not True"),
    ],
)
async def test_what_is_no_argument_of_this_kind(
    arguments: dict[str, Any], message: str, autojump_clock: MockClock
) -> None:
    """One TypeError, not in a group, before anything is opened."""
    link = stack.Ethernet().attach()
    with pytest.raises(TypeError, match=message):
        async with open_host(link, address="10.9.0.2/24", **arguments):
            raise AssertionError("opened")
    assert not link.is_open


async def test_a_congestion_control_that_is_not_there(autojump_clock: MockClock) -> None:
    link = stack.Ethernet().attach()
    config = stack.Config(tcp=stack.TcpConfig(congestion="fore"))
    with pytest.raises(ValueError, match=r"TcpConfig\.congestion must be one of cubic, reno, not .fore."):
        async with open_host(link, address="10.9.0.2/24", config=config):
            raise AssertionError("opened")
    assert not link.is_open


def test_a_part_of_the_configuration_is_of_its_own_kind() -> None:
    wrong: Any = stack.UdpConfig()
    with pytest.raises(TypeError, match="tcp is a TcpConfig, not a UdpConfig"):
        stack.Config(tcp=wrong)


def test_a_configuration_prints_what_differs_from_the_default() -> None:
    assert repr(stack.Config()) == "Config()"
    assert repr(stack.Config(udp=stack.UdpConfig(flows_max=3))).startswith("Config(udp=UdpConfig(flows_max=3)")


def test_the_help_of_open_host_begins_with_what_it_does() -> None:
    text = pydoc.plain(pydoc.render_doc(stack.open_host)).splitlines()
    [described] = [number for number, line in enumerate(text) if line.startswith("    Run a host")]
    assert sum(map(len, text[:described])) < 600
    assert "Config(" not in "".join(text[:described])


@rfc("sockets-11")
def test_asyncio_is_told_to_be_trio() -> None:
    async def main() -> None:
        async with open_host(Ethernet().attach(), address="10.9.0.2/24"):
            raise AssertionError("opened")

    with pytest.raises(RuntimeError, match=r"start the program with trio\.run\(main\), not asyncio\.run\(main\)"):
        asyncio.run(main())


def in_a_thread(call: Callable[[], object]) -> object:
    """What a call in another thread raises."""
    raised: list[object] = []

    def body() -> None:
        try:
            raised.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return raised[0]


SYNCHRONOUS: dict[str, Callable[[Host, SocketType, Any], object]] = {
    "socket": lambda host, sock, link: host.socket(),
    "datagram socket": lambda host, sock, link: host.socket(type=SOCK_DGRAM),
    "install": lambda host, sock, link: host.install(),
    "attach": lambda host, sock, link: host.attach(link, addresses=["10.9.0.7/24"]),
    "detach": lambda host, sock, link: host.detach(link),
    "remove_address": lambda host, sock, link: host.remove_address(link, BOB),
    "add_neighbor": lambda host, sock, link: host.add_neighbor(link, BOB, "02:00:00:00:00:07"),
    "shutdown": lambda host, sock, link: sock.shutdown(2),
    "setsockopt": lambda host, sock, link: sock.setsockopt(1, 2, 1),
    "listen": lambda host, sock, link: sock.listen(),
}
ASYNCHRONOUS: dict[str, Callable[[Host, SocketType], Awaitable[object]]] = {
    "ping": lambda host, sock: host.ping(BOB),
    "open_tcp_stream": lambda host, sock: host.open_tcp_stream(BOB, 80),
    "open_tcp_listeners": lambda host, sock: host.open_tcp_listeners(80),
    "wait_link_lost": lambda host, sock: host.wait_link_lost(),
    "wait_address_lost": lambda host, sock: host.wait_address_lost(),
    "wait_lease_change": lambda host, sock: host.wait_lease_change(None),
    "recv": lambda host, sock: sock.recv(1),
    "recv_into": lambda host, sock: sock.recv_into(bytearray(1)),
    "recvfrom": lambda host, sock: sock.recvfrom(1),
    "send": lambda host, sock: sock.send(b"x"),
    "accept": lambda host, sock: sock.accept(),
    "connect": lambda host, sock: sock.connect((BOB, 80)),
    "bind": lambda host, sock: sock.bind(("0.0.0.0", 80)),
    "wait_writable": lambda host, sock: sock.wait_writable(),
}


@rfc("sockets-11")
async def test_another_thread_is_told_to_call_from_there(alice: Host, autojump_clock: MockClock) -> None:
    link = Ethernet().attach()
    with alice.socket() as stream, alice.socket(type=SOCK_DGRAM) as datagrams:
        for sock in (stream, datagrams):
            for name, call in SYNCHRONOUS.items():
                error = in_a_thread(lambda call=call, sock=sock: call(alice, sock, link))  # type: ignore[misc]
                assert isinstance(error, RuntimeError), (name, error)
                assert "trio.from_thread.run" in str(error), name
            for name, acall in ASYNCHRONOUS.items():

                async def run(acall: Any = acall, sock: Any = sock) -> None:  # the run of the other thread
                    await acall(alice, sock)

                error = in_a_thread(lambda run=run: trio.run(run))  # type: ignore[misc]
                assert isinstance(error, RuntimeError), (name, error)
                assert "trio.from_thread.run" in str(error), name


@rfc("sockets-11")
def test_a_host_that_has_ended_says_so_in_the_next_run() -> None:
    async def first() -> Host:
        async with two_hosts() as (host, _):
            return host

    async def second(alice: Host) -> None:
        for call in (alice.ping(BOB), alice.wait_link_lost(), alice.wait_address_lost(), alice.wait_lease_change(None)):
            with pytest.raises(OSError, match="the host has ended, as it does when its open_host") as told:
                await call
            assert told.value.errno == errno.ENETDOWN
        with pytest.raises(OSError, match="the host has ended"):
            alice.attach(Ethernet().attach(), addresses=["10.9.0.7/24"])

    # Two runs of the test's own, since pytest-trio gives a test one.
    trio.run(second, trio.run(first))
