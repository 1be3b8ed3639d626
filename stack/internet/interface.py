"""What an interface is to the internet layer: a link, the addresses this host has on it, and its neighbours.

`stack.host` makes them. A host has as many as it likes; the strong model of RFC 1122 section 3.3.4.2 is used
throughout: an address belongs to its interface, and a datagram for it is taken nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stack.counters import Counters
from stack.wire.addresses import ANY, BROADCAST, LINK_LOCAL_BROADCAST, Prefix
from stack.wire.checksum import Buffer

if TYPE_CHECKING:
    from stack.internet.arp import NeighborCache


class Offload(Protocol):
    """What a link can do for us (`stack.link.device.Offload` has it)."""

    @property
    def checksum(self) -> bool: ...

    @property
    def gso_max_bytes(self) -> int: ...


class IpLink(Protocol):
    """As much of a link as the internet layer needs (`stack.link.device.Link` has it)."""

    @property
    def ip_offset(self) -> int: ...

    @property
    def rx_gso_size(self) -> int: ...

    @property
    def offload(self) -> Offload: ...

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool: ...


class Interface(Protocol):
    """One attachment of the host to a network.

    Attributes:
      name: for people: "tap0".
      index: a small number, different for every interface of the host.
      link: where frames go.
      mtu: the largest IP packet in bytes that fits one frame.
      mac: our station address, None on a link that carries bare IP packets.
      addresses: the host's addresses on this link, the preferred one first. Always the same list object: it is
        changed in place, by way of `Ipv4.add_address` and `Ipv4.remove_address`.
      neighbors: the ARP cache; None on a link that carries bare IP packets.
      loopback: whether what is sent here comes back to ourselves.
      awaited_port: UDP datagrams to this port are taken whatever address they are for, since one of ours is not known
        yet (RFC 2131 section 4.1); 0 for none.
    """

    @property
    def name(self) -> str: ...

    @property
    def index(self) -> int: ...

    @property
    def link(self) -> IpLink: ...

    @property
    def mtu(self) -> int: ...

    @property
    def mac(self) -> bytes | None: ...

    @property
    def addresses(self) -> list[Prefix]: ...

    @property
    def neighbors(self) -> NeighborCache | None: ...

    @property
    def loopback(self) -> bool: ...

    @property
    def awaited_port(self) -> int: ...


def send_frame(counters: Counters, link: IpLink, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
    """Write one frame and count it (RFC 1213, ifTable); False when the link dropped it."""
    if not link.write(parts, now, offload):
        counters["ifOutDiscards"] += 1
        return False
    counters["ifOutOctets"] += sum(map(len, parts))
    group = link.ip_offset and parts[0][0] & 1
    counters["ifOutNUcastPkts" if group else "ifOutUcastPkts"] += 1
    return True


def is_broadcast_to(interface: Interface, address: bytes) -> bool:
    """Whether a datagram that came in for `address` was broadcast.

    RFC 1122 section 3.3.6: the limited broadcast, the subnet's and the network's all-ones address, and the all-zeros
    forms of 4.2BSD.
    """
    if address in (BROADCAST, ANY) or is_subnet_broadcast(interface, address):
        return True
    for prefix in interface.addresses:
        classful = _classful(prefix.address)
        if classful is not None and classful.length < prefix.length and address == classful.broadcast:
            return True
    return False


def is_broadcast_on(interface: Interface, address: bytes) -> bool:
    """Whether sending to `address` out of this interface is a broadcast (RFC 919): the forms that are still sent."""
    return address in (BROADCAST, LINK_LOCAL_BROADCAST, *[prefix.broadcast for prefix in interface.addresses])


def is_subnet_broadcast(interface: Interface, address: bytes) -> bool:
    """Whether `address` is all ones or all zeros under the mask of one of our networks here: no single host."""
    for prefix in interface.addresses:
        broadcast = prefix.broadcast
        if broadcast is not None and (address == broadcast or address == prefix.network):
            return True
    return False


def _classful(address: bytes) -> Prefix | None:
    """The class A, B or C network an address was in before CIDR: net-directed broadcasts go by it."""
    first = address[0]
    if first < 128:
        return Prefix(address, 8)
    if first < 192:
        return Prefix(address, 16)
    if first < 224:
        return Prefix(address, 24)
    return None
