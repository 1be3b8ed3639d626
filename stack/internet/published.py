"""Answers that a host gives only if the user configures them: proxy ARP, RARP and InARP.

See RFC 1027 section 2 (proxy ARP), RFC 903 (RARP: which address has this station?) and RFC 2390
section 7 (InARP: which address has the station at the other end?).
"""

from __future__ import annotations

from stack.config import ArpConfig
from stack.counters import Counters
from stack.errors import BadPacket
from stack.internet.arp_output import ArpOutput, told
from stack.trace.trace import Trace
from stack.wire.addresses import ANY, format_ipv4, format_mac, is_group_mac
from stack.wire.arp import INVERSE_REPLY, REPLY, REVERSE_REPLY, REVERSE_REQUEST, ArpPacket
from stack.wire.checksum import Buffer
from stack.wire.numbers import ETHERTYPE_RARP


class Published:
    """The answers of one interface.

    Arguments:
      config, counters: `Config.arp` and the host's counters.
      mac: the interface's station address.
      output: sends the answers.
      trace, name: tells the observers, and the name of the interface.

    The user fills two dicts. `proxies` has the addresses to answer for, with the station address to
    answer, or None for our own. `stations` has the addresses to tell by RARP, by station address.
    """

    def __init__(
        self,
        config: ArpConfig,
        counters: Counters,
        mac: bytes,
        output: ArpOutput,
        trace: Trace,
        name: str,
    ) -> None:
        self.proxies: dict[bytes, bytes | None] = {}
        self.stations: dict[bytes, bytes] = {}
        self._config = config
        self._counters = counters
        self._mac = mac
        self._output = output
        self._trace = trace
        self._name = name

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
            if self._trace.on:
                self._trace.tell("arp:answer", self._name, "arp_asked_for_published", **told(reply))
            self._output.send(reply, request.sender_mac, now)
        return True

    def answer_inverse(self, request: ArpPacket, now: float) -> bool:
        """Answer a station that asks for our address; returns whether it was answered.

        It is answered if `answer_inverse` is configured, we have an address, and the request names
        our station.
        """
        address = self._output.source_for(request.sender_ip)
        if not self._config.answer_inverse or request.target_mac != self._mac or address == ANY:
            return False
        reply = ArpPacket(INVERSE_REPLY, self._mac, address, request.sender_mac, request.sender_ip)
        if self._trace.on:
            self._trace.tell("arp:answer", self._name, "arp_asked_inverse", **told(reply))
        self._output.send(reply, request.sender_mac, now)
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
        ours = ANY if address is None else self._output.source_for(address)
        if packet.operation != REVERSE_REQUEST or is_group_mac(packet.sender_mac) or address is None or ours == ANY:
            self._counters.drop("rarp_not_answered")
            return
        reply = ArpPacket(REVERSE_REPLY, self._mac, ours, packet.target_mac, address)
        if self._trace.on:
            self._trace.tell(
                "arp:answer",
                self._name,
                "arp_asked_reverse",
                address=format_ipv4(address),
                mac=format_mac(packet.target_mac),
                to=format_mac(packet.sender_mac),
            )
        self._output.send(reply, packet.sender_mac, now, ETHERTYPE_RARP)
