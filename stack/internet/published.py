"""Answers that a host gives only if the user configures them: proxy ARP, RARP and InARP.

See RFC 1027 section 2 (proxy ARP), RFC 903 (RARP: which address has this station?) and RFC 2390
section 7 (InARP: which address has the station at the other end?).
"""

from __future__ import annotations

from collections.abc import Callable

from stack.config import ArpConfig
from stack.counters import Counters
from stack.errors import BadPacket
from stack.wire.addresses import ANY, is_group_mac
from stack.wire.arp import INVERSE_REPLY, REPLY, REVERSE_REPLY, REVERSE_REQUEST, ArpPacket
from stack.wire.checksum import Buffer
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_RARP

TransmitArp = Callable[[ArpPacket, bytes, float, int], None]
"""(packet, station address, now, EtherType)."""


class Published:
    """The answers of one interface.

    Arguments:
      config, counters: `Config.arp` and the host's counters.
      mac: the interface's station address.
      source_for: `(address)` returns the address of ours to send from.
      transmit: see `TransmitArp`.

    The user fills two dicts. `proxies` has the addresses to answer for, with the station address to
    answer, or None for our own. `stations` has the addresses to tell by RARP, by station address.
    """

    def __init__(
        self,
        config: ArpConfig,
        counters: Counters,
        mac: bytes,
        source_for: Callable[[bytes], bytes],
        transmit: TransmitArp,
    ) -> None:
        self.proxies: dict[bytes, bytes | None] = {}
        self.stations: dict[bytes, bytes] = {}
        self._config = config
        self._counters = counters
        self._mac = mac
        self._source_for = source_for
        self._transmit = transmit

    def __len__(self) -> int:
        """How many entries the user has made."""
        return len(self.proxies) + len(self.stations)

    def answer_for(self, request: ArpPacket, now: float) -> bool:
        """Answer a request for an address that is not ours.

        Returns whether there is a proxy entry for it. The station that has the address, or claims
        to have it, gets no answer: it would see a conflict (RFC 5227).
        """
        if request.target_ip not in self.proxies:
            return False
        mac = self.proxies[request.target_ip] or self._mac
        if request.sender_mac != mac and request.sender_ip != request.target_ip:
            reply = ArpPacket(REPLY, mac, request.target_ip, request.sender_mac, request.sender_ip)
            self._transmit(reply, request.sender_mac, now, ETHERTYPE_ARP)
        return True

    def answer_inverse(self, request: ArpPacket, now: float) -> bool:
        """Answer a station that asks for our address; returns whether it was answered.

        It is answered if `answer_inverse` is configured, we have an address, and the request names
        our station.
        """
        address = self._source_for(request.sender_ip)
        if not self._config.answer_inverse or request.target_mac != self._mac or address == ANY:
            return False
        reply = ArpPacket(INVERSE_REPLY, self._mac, address, request.sender_mac, request.sender_ip)
        self._transmit(reply, request.sender_mac, now, ETHERTYPE_ARP)
        return True

    def receive_reverse(self, data: Buffer, now: float) -> None:
        """Take the payload of a RARP frame, and tell the station its address if we know it.

        Otherwise nothing is sent, since RARP has no reply "not found". The sender's protocol
        address is undefined (RFC 903), so the ARP cache learns nothing.
        """
        try:
            packet = ArpPacket.parse(data)
        except BadPacket as bad:
            self._counters.drop(bad.reason)
            return
        address = self.stations.get(packet.target_mac)
        ours = ANY if address is None else self._source_for(address)
        if packet.operation != REVERSE_REQUEST or is_group_mac(packet.sender_mac) or address is None or ours == ANY:
            self._counters.drop("rarp_not_answered")
            return
        reply = ArpPacket(REVERSE_REPLY, self._mac, ours, packet.target_mac, address)
        self._transmit(reply, packet.sender_mac, now, ETHERTYPE_RARP)
