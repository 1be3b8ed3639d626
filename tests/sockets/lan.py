"""An Ethernet with scripted DHCP servers on it, for tests of whole hosts that get their addresses
there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import trio

from stack import Config, Dhcp, Ethernet, Host, open_host
from stack.config import AcdConfig, DhcpConfig
from stack.internet.fragments import fragment
from stack.link.device import Link
from stack.link.memory import EthernetPort
from stack.trace.event import Observer
from stack.wire.addresses import BROADCAST, MAC_BROADCAST, format_ipv4, parse_ipv4
from stack.wire.checksum import Buffer, pseudo_sum
from stack.wire.dhcp import DhcpMessage
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_UDP
from stack.wire.udp import build_datagram
from tests.dhcp.server import Reply, Server
from tests.sockets.hosts import host_on

SERVER = "10.9.0.1"
FIRST = "10.9.0.50"  # of the server's pool
EXACT = DhcpConfig(retransmission_jitter_s=0.0, renew_fuzz=0.0)
"""Every time as it would be without chance."""
HASTY = Config(acd=AcdConfig(mode="off"), dhcp=EXACT)
"""And an address is used as soon as it is acknowledged, without probing."""
CAREFUL = Config(dhcp=EXACT)


class DirectSender:
    """Sends what a server says straight to a station: without ARP, since the client has no address yet."""

    def __init__(self, ethernet: Ethernet, address: str) -> None:
        self.address = parse_ipv4(address)
        self._port: EthernetPort = ethernet.attach(queue_limit=1)
        self._port.open(lambda: None)

    def say(self, payload: bytes, destination: bytes = BROADCAST, mac: bytes = MAC_BROADCAST) -> None:
        """One datagram from port 67 to port 68."""
        pseudo = pseudo_sum(self.address, destination, PROTO_UDP, 8 + len(payload))
        datagram = build_datagram(67, 68, payload, pseudo)
        header = Ipv4Header(self.address, destination, PROTO_UDP, 20 + len(datagram))
        assert self._port.mac is not None
        for packet in fragment(header, datagram, self._port.mtu):
            frame: list[Buffer] = [ethernet_ii(mac, self._port.mac, ETHERTYPE_IPV4), packet]
            self._port.write(frame, trio.current_time())

    def answer(self, reply: Reply) -> None:
        """Send a reply of the scripted server."""
        everybody = reply.destination == BROADCAST
        self.say(reply.payload, reply.destination, MAC_BROADCAST if everybody else reply.chaddr)


@dataclass
class Heard:
    """A message that a server got: when, from which address, to which."""

    at: float
    source: str
    kind: str


class Serving:
    """A server on the Ethernet: `host` is the machine it runs on, `heard` what clients sent to it, and when.

    `gone`: it hears nothing any more. `noise`: what everybody gets to hear before each answer.
    """

    def __init__(self, ethernet: Ethernet, server: Server, host: Host) -> None:
        self.server = server
        self.host = host
        self.heard: list[Heard] = []
        self.sender = DirectSender(ethernet, format_ipv4(server.address))
        self.gone = False
        self.noise: Callable[[DhcpMessage], list[bytes]] = lambda answer: []

    def times(self) -> list[float]:
        """When something was heard, from the first on."""
        return [round(heard.at - self.heard[0].at, 6) for heard in self.heard]

    async def run(self, nursery: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled."""
        with self.host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("0.0.0.0", 67))
            task_status.started()
            while True:
                payload, (source, _) = await sock.recvfrom(65535)
                if self.gone:
                    continue
                now = trio.current_time()
                before = len(self.server.log)
                replies = self.server.receive(payload, now)
                self.heard.append(Heard(now, source, self.server.log[before]))
                for reply in replies:
                    nursery.start_soon(self._answer, reply)

    async def _answer(self, reply: Reply) -> None:
        await trio.sleep(reply.delay_s)
        for payload in self.noise(DhcpMessage.parse(reply.payload)):
            self.sender.say(payload)
        self.sender.answer(reply)


@asynccontextmanager
async def serving(ethernet: Ethernet, server: Server | None = None, *, seed: int = 90) -> AsyncIterator[Serving]:
    """A scripted server on a host of its own."""
    server = Server() if server is None else server
    link = ethernet.attach(f"server {format_ipv4(server.address)}")
    address = f"{format_ipv4(server.address)}/24"
    async with host_on(link, address, seed=seed) as host, trio.open_nursery() as nursery:
        serving = Serving(ethernet, server, host)
        await nursery.start(serving.run, nursery)
        yield serving
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def client(
    link: Link,
    dhcp: Dhcp | None = None,
    *,
    config: Config = HASTY,
    seed: int = 1,
    trace: Observer | None = None,
    **options: Any,
) -> AsyncIterator[Host]:
    """A host that gets its address by DHCP; its failures end the test."""
    async with open_host(
        link,
        address="dhcp",
        dhcp=dhcp,
        config=config,
        random=Random(seed).randbytes,
        raise_errors=True,
        trace=trace,
        **options,
    ) as host:
        yield host
        assert host.counters()["handler_failed"] == 0


def own(host: Host) -> list[str]:
    """The host's addresses, without prefix lengths."""
    return [address.partition("/")[0] for interface in host.interfaces() for address in interface.addresses]
