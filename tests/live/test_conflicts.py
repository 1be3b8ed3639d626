"""The kernel and arping are the other host that has, wants or takes our address: RFC 5227 on a real
wire.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from contextlib import closing

import pytest
import trio

import stack
from stack.wire.addresses import ANY, parse_ipv4
from stack.wire.arp import REQUEST, ArpPacket
from tests import modes
from tests.live.net import COMMAND, OURS, THEIRS, Namespace, need, up
from tests.live.tap_host import pair
from tests.requirements import rfc

pytestmark = pytest.mark.one_way

ETH_P_ARP = 0x0806
CLAIMANT = "02:00:00:00:00:99"


@pytest.fixture
def arping() -> None:
    """Skip without it; a fixture, since pytest-trio loses the reason of a skip in an async test."""
    need("arping")


def hearing(namespace: Namespace) -> socket.socket:
    """A kernel socket that hears every ARP packet that comes to tap0."""
    made = namespace.in_here(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP)))
    made.bind(("tap0", ETH_P_ARP))
    made.setblocking(False)
    return made


def heard(ear: socket.socket, sender: bytes | None) -> list[ArpPacket]:
    """What came from this station since the last look."""
    packets: list[ArpPacket] = []
    while True:
        try:
            packet = ArpPacket.parse(ear.recv(100))
        except BlockingIOError:
            return [packet for packet in packets if packet.sender_mac == sender]
        packets.append(packet)


async def program(namespace: Namespace, *words: str, check: bool = True) -> str:
    """What a program says, while the host goes on."""
    return (await trio.to_thread.run_sync(lambda: namespace.run(*words, check=check))).decode()


async def claim(namespace: Namespace, how: str) -> None:
    """The kernel's side says that it has our address: by a request (-U) or by a reply (-A)."""
    await program(namespace, "arping", how, "-c", "1", "-I", "tap0", OURS)


@rfc("5227-2.5-a", "5227-2.5-b")
def test_arping_sees_our_address_as_taken_from_the_first_moment(namespace: Namespace) -> None:
    """While `up` itself still probes for it, and afterwards."""
    need("arping")
    with up(namespace) as running:
        mac = re.search(r"\((.*?)\)", running.wait_for(b"ready: "))
        assert mac is not None
        for wait_s in (0.0, 8.0):
            time.sleep(wait_s)
            said = namespace.run("arping", "-D", "-I", "tap0", "-c", "2", "-w", "4", OURS, check=False).decode()
            assert f"[{mac[1].upper()}]" in said
            assert "Received 1 response" in said
        said = namespace.run("arping", "-D", "-I", "tap0", "-c", "2", "-w", "4", "10.9.0.77").decode()  # which is free
        assert "Received 0 response" in said


def test_up_names_the_station_that_took_its_address_and_ends(namespace: Namespace) -> None:
    """One claim is enough while it still probes for it."""
    need("arping")
    with namespace.start(*COMMAND, "up") as running:
        running.wait_for(b"ready: ")
        namespace.ip("link", "set", "tap0", "address", CLAIMANT)
        namespace.ip("addr", "add", f"{OURS}/24", "dev", "tap0")
        namespace.run("arping", "-U", "-c", "1", "-I", "tap0", OURS, check=False)  # whose interface goes meanwhile
        status, _, errors = running.wait()
    assert status == 1
    assert (
        errors.decode() == f"tapstack up: {OURS} is in use by another host, {CLAIMANT} on tap0: this host gives it up\n"
    )


@rfc("5227-2.1.1-c")
async def test_an_address_that_the_kernel_has_is_refused_and_the_kernel_named(namespace: Namespace) -> None:
    tap = stack.Tap("tap0", offload=modes.offload(), host_address=f"{OURS}/24")
    with trio.fail_after(30), pytest.raises(OSError, match=OURS) as caught:
        async with stack.open_host(tap, address=f"{OURS}/24", raise_errors=True):
            raise AssertionError("taken")
    assert caught.value.errno == errno.EADDRINUSE
    assert re.search("(..:){5}..", str(caught.value))


@rfc("5227-2.1.1-b", "5227-2.4-b", "5227-2.4-e")
@pytest.mark.usefixtures("arping")
async def test_a_host_that_takes_our_address_gets_one_defence_and_then_the_address(namespace: Namespace) -> None:
    async def follow(host: stack.Host, tap: stack.Tap, ear: socket.socket) -> None:
        ours = parse_ipv4(OURS)
        packets = heard(ear, tap.mac)
        assert [packet.operation for packet in packets] == [REQUEST] * 5
        assert [packet.sender_ip for packet in packets] == [ANY, ANY, ANY, ours, ours]
        assert all(packet.target_ip == ours for packet in packets)
        stream, kernel = await pair(host, namespace, active=True)
        with closing(kernel):
            namespace.ip("addr", "add", f"{OURS}/32", "dev", "tap0")
            heard(ear, tap.mac)
            await claim(namespace, "-A")
            await trio.sleep(0.5)
            [defence] = heard(ear, tap.mac)
            assert (defence.operation, defence.sender_ip, defence.target_ip) == (REQUEST, ours, ours)
            assert [interface.addresses for interface in host.interfaces()] == [(f"{OURS}/24",)]
            await claim(namespace, "-U")
            lost = await host.wait_address_lost()
            assert lost.address == OURS
            assert lost.mac in namespace.ip("link", "show", "tap0")
            with pytest.raises(OSError) as caught:
                await stream.socket.recv(1)
            assert caught.value.errno == errno.EADDRNOTAVAIL
            stream.socket.close()
            await claim(namespace, "-U")
            await trio.sleep(0.5)
            assert heard(ear, tap.mac) == []
            assert host.interfaces()[0].addresses == ()

    tap = stack.Tap("tap0", offload=modes.offload(), host_address=f"{THEIRS}/24")
    with trio.fail_after(60):
        async with stack.open_host(raise_errors=True) as host:
            host.attach(tap, addresses=[f"{OURS}/24"])
            with closing(hearing(namespace)) as ear:
                await host.wait_ready(tap)
                await trio.sleep(3)
                await follow(host, tap, ear)


@rfc("arp-2")
@pytest.mark.usefixtures("arping")
async def test_the_kernels_announcement_of_another_station_is_believed_when_the_known_one_is_silent(
    namespace: Namespace,
) -> None:
    tap = stack.Tap("tap0", offload=modes.offload(), host_address=f"{THEIRS}/24")
    with trio.fail_after(30):
        async with stack.open_host(tap, address=f"{OURS}/24", acd="off", raise_errors=True) as host:
            await host.ping(THEIRS)
            namespace.ip("link", "set", "tap0", "address", CLAIMANT)
            await program(namespace, "arping", "-U", "-c", "1", "-I", "tap0", THEIRS)
            with trio.fail_after(5):  # a second, on a machine with nothing else to do
                while host.neighbors()[0].mac != CLAIMANT:
                    await trio.sleep(0.02)
            assert await host.ping(THEIRS, timeout_s=2) > 0
