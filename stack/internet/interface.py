"""An interface as the internet layer sees it: a link, our addresses on it, and the neighbours.

`stack.host` makes interfaces, and a host may have several. The strong model of RFC 1122
section 3.3.4.2 is used throughout: an address belongs to one interface, and only that interface
takes datagrams for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stack.counters import Counters
from stack.wire.addresses import ANY, BROADCAST, LINK_LOCAL_BROADCAST, Prefix
from stack.wire.checksum import Buffer

if TYPE_CHECKING:
    from stack.internet.arp import NeighborCache


class Offload(Protocol):
    """The part of `stack.link.device.Offload` that the internet layer uses."""

    @property
    def checksum(self) -> bool: ...

    @property
    def gso_max_bytes(self) -> int: ...

    @property
    def software(self) -> bool: ...


class IpLink(Protocol):
    """The part of `stack.link.device.Link` that the internet layer uses."""

    @property
    def ip_offset(self) -> int: ...

    @property
    def rx_gso_size(self) -> int: ...

    @property
    def offload(self) -> Offload: ...

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool: ...


class Interface(Protocol):
    """A link's place in the host: one connection of the host to a network.

    Attributes:
      name: the name that users see, such as "tap0".
      index: a small number, different for every interface of the host.
      link: frames are written to it.
      mtu: the largest IP packet in bytes that fits one frame.
      mac: our station address, None on a link that carries bare IP packets.
      addresses: the host's addresses on this link, the preferred one first. Always the same list
        object: `Ipv4.add_address` and `Ipv4.remove_address` change it in place.
      neighbors: the ARP cache; None on a link that carries bare IP packets.
      loopback: whether packets sent here come back to this host.
      awaited_port: UDP datagrams to this port are taken for any destination address, because our
        address is not known yet (RFC 2131 section 4.1); 0 for none.
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
        counters.drop("ifOutDiscards")
        return False
    counters["ifOutOctets"] += sum(map(len, parts))
    group = link.ip_offset and parts[0][0] & 1
    counters["ifOutNUcastPkts" if group else "ifOutUcastPkts"] += 1
    return True


def is_broadcast_to(interface: Interface, address: bytes) -> bool:
    """Whether a datagram that came in for `address` was broadcast.

    RFC 1122 section 3.3.6: the limited broadcast, the subnet's and the network's all-ones address,
    and the all-zeros forms of 4.2BSD.
    """
    if address in (BROADCAST, ANY) or is_subnet_broadcast(interface, address):
        return True
    for prefix in interface.addresses:
        classful = _classful(prefix.address)
        if classful is not None and classful.length < prefix.length and address == classful.broadcast:
            return True
    return False


def is_broadcast_on(interface: Interface, address: bytes) -> bool:
    """Whether a datagram sent to `address` out of this interface is a broadcast (RFC 919).

    Only the forms that are still sent count: all ones, and all ones under the mask of a network of
    ours.
    """
    return address in (BROADCAST, LINK_LOCAL_BROADCAST, *[prefix.broadcast for prefix in interface.addresses])


def is_subnet_broadcast(interface: Interface, address: bytes) -> bool:
    """Whether `address` is the broadcast or the network address of one of our networks here."""
    for prefix in interface.addresses:
        broadcast = prefix.broadcast
        if broadcast is not None and (address == broadcast or address == prefix.network):
            return True
    return False


def _classful(address: bytes) -> Prefix | None:
    """The class A, B or C network of an address, before CIDR.

    Net-directed broadcasts are defined by it.
    """
    first = address[0]
    if first < 128:
        return Prefix(address, 8)
    if first < 192:
        return Prefix(address, 16)
    if first < 224:
        return Prefix(address, 24)
    return None
