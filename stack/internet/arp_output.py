"""The ARP packets that one Ethernet interface sends: requests, answers, probes and announcements.

See RFC 826 ("Packet Generation", and the end of "Packet Reception") and RFC 3927 section 2.5.
"""

from __future__ import annotations

from stack.counters import Counters
from stack.internet.neighbor import Neighbor, Transmit
from stack.trace.trace import Trace
from stack.wire.addresses import ANY, MAC_BROADCAST, MAC_ZERO, Prefix, format_ipv4, format_mac, is_link_local
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_ARP


class ArpOutput:
    """Sends ARP packets.

    Arguments:
      counters: the host's.
      mac: our 6-byte station address.
      addresses: the interface's own list of addresses, the same object, which may change in place.
      transmit: `(parts, now, offload)` writes one frame to the link.
      trace, name: tells the observers, and the name of the interface.
    """

    def __init__(
        self,
        counters: Counters,
        mac: bytes,
        addresses: list[Prefix],
        transmit: Transmit,
        trace: Trace,
        name: str,
    ) -> None:
        self._counters = counters
        self._mac = mac
        self._addresses = addresses
        self._transmit = transmit
        self._trace = trace
        self._name = name

    def request(self, neighbor: Neighbor, unicast: bool, now: float) -> None:
        """Ask which station has the neighbour's address: all stations, or the last known one."""
        target = neighbor.mac if unicast and neighbor.mac is not None else MAC_BROADCAST
        neighbor.requested_at = now
        packet = ArpPacket(REQUEST, self._mac, self.source_for(neighbor.address), MAC_ZERO, neighbor.address)
        self._counters["arpOutRequests"] += 1
        if self._trace.on:
            self._trace.tell(
                "arp:ask",
                self._name,
                neighbor.asked_because,
                address=format_ipv4(neighbor.address),
                to="broadcast" if target == MAC_BROADCAST else format_mac(target),
                attempt=neighbor.attempts,
                attempts=len(neighbor.plan),
            )
        self.send(packet, target, now)

    def reply(self, request: ArpPacket, now: float) -> None:
        """Answer by unicast: swap the fields and put our addresses in the sender's.

        See RFC 826, and RFC 5227 sections 2.5 and 2.6.
        """
        reply = ArpPacket(REPLY, self._mac, request.target_ip, request.sender_mac, request.sender_ip)
        if self._trace.on:
            self._trace.tell("arp:answer", self._name, "arp_asked_for_us", **told(reply))
        self.send(reply, request.sender_mac, now)

    def source_for(self, address: bytes) -> bytes:
        """The address of ours to send from, to ask about `address`; ANY if we have none."""
        for prefix in self._addresses:
            if prefix.contains(address):
                return prefix.address
        return self._addresses[0].address if self._addresses else ANY

    def send(self, packet: ArpPacket, target: bytes, now: float, ethertype: int = ETHERTYPE_ARP) -> None:
        """Send an ARP packet to the station address `target`.

        A packet from a link-local address is broadcast instead, so that two hosts with the same
        address detect the conflict (RFC 3927 section 2.5).
        """
        if is_link_local(packet.sender_ip):
            target = MAC_BROADCAST
        self._transmit([ethernet_ii(target, self._mac, ethertype), packet.build()], now, b"")


def told(answer: ArpPacket) -> dict[str, object]:
    """What an event says of an answer: the address, the station that has it, and who asked."""
    return {
        "address": format_ipv4(answer.sender_ip),
        "mac": format_mac(answer.sender_mac),
        "to": format_ipv4(answer.target_ip),
    }
