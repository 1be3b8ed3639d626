"""The ARP cache of one Ethernet interface: which station has which address.

See RFC 826 ("Packet Generation" and "Packet Reception"), RFC 1122 section 2.3.2 (ageing, rate
limit, the packet queue) and RFC 1812 section 3.3.2 (station addresses that must not be believed).

Two things differ from RFC 826, because any station can send any ARP packet:
  - Only a request for one of our addresses, from an address that can be on this link, creates an
    entry. Otherwise any station could fill the cache.
  - A packet that gives a known address another station is only a claim. The known station is asked
    first, and the entry keeps it if it answers.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable

from stack.config import ArpConfig
from stack.counters import Counters
from stack.errors import BadPacket
from stack.internet.arp_output import ArpOutput
from stack.internet.neighbor import (
    GONE,
    INCOMPLETE,
    PERMANENT,
    PROBING,
    REACHABLE,
    STALE,
    Neighbor,
    NeighborRecord,
    OnError,
    Transmit,
    Waiting,
    fixed,
)
from stack.internet.published import Published
from stack.noop import noop
from stack.trace.trace import UNWATCHED, Trace
from stack.wire.addresses import (
    ANY,
    BROADCAST,
    LINK_LOCAL_BROADCAST,
    MAC_BROADCAST,
    MAC_ZERO,
    Prefix,
    format_ipv4,
    format_mac,
    is_group_mac,
    is_link_local,
    is_loopback,
    is_multicast,
    is_this_network,
    multicast_mac,
)
from stack.wire.arp import INVERSE_REQUEST, REPLY, REQUEST, ArpPacket
from stack.wire.checksum import Buffer

_UNICAST, _BROADCAST = True, False


class NeighborCache:
    """Resolves next hops' addresses, answers requests for ours, and keeps what it learns.

    Arguments:
      config, counters: `Config.arp` and the host's counters.
      mac: our 6-byte station address.
      addresses: the interface's own list of addresses, the same object, which may change in place.
      transmit: `(parts, now, offload)` writes one frame to the link.
      trace, name: tells the observers, if there are any, and the name of the interface.

    Attributes that the owner may set:
      reschedule: called when `deadline` has moved earlier.
      on_failure: `(address, now)` is called when an address did not answer (dead gateway
        detection).
      on_answer: `(address,)` is called when an address that was being resolved has answered.
      observe: `(packet, now)` is called first with every valid ARP packet (address conflict
        detection, RFC 5227).
      is_gateway: `(address,)` returns whether an address is the gateway of a route. Gateways are
        evicted last.

    `output` sends our ARP packets. `published` answers requests for the addresses of other hosts.
    """

    def __init__(
        self,
        config: ArpConfig,
        counters: Counters,
        mac: bytes,
        addresses: list[Prefix],
        transmit: Transmit,
        trace: Trace = UNWATCHED,
        name: str = "",
    ) -> None:
        self.config = config
        self.counters = counters
        self.mac = mac
        self.addresses = addresses
        self.transmit = transmit
        self.reschedule: Callable[[], None] = noop
        self.on_failure: Callable[[bytes, float], None] | None = None
        self.on_answer: Callable[[bytes], None] | None = None
        self.observe: Callable[[ArpPacket, float], None] | None = None
        self.is_gateway: Callable[[bytes], bool] = lambda address: False
        self.output = ArpOutput(counters, mac, addresses, transmit, trace, name)
        self.published = Published(config, counters, mac, self.output, trace, name)
        self.deadline = math.inf
        self.waiting_bytes = 0
        self._entries: dict[bytes, Neighbor] = {}
        self._trace = trace
        self._name = name

    def __len__(self) -> int:
        return len(self._entries)

    # --- looking up and sending

    def neighbor(self, address: bytes) -> Neighbor:
        """The entry for a next hop, or a new one.

        Nothing is sent until a datagram is to be sent. Broadcast and group addresses map to their
        station addresses without ARP (RFC 894, RFC 1112 section 6.4).
        """
        known = self._entries.get(address)
        if known is not None:
            return known
        if is_multicast(address):
            return fixed(address, multicast_mac(address), self.mac, group=True)
        broadcasts = (BROADCAST, LINK_LOCAL_BROADCAST)
        if address in broadcasts or any(prefix.broadcast == address for prefix in self.addresses):
            return fixed(address, MAC_BROADCAST, self.mac, group=True)
        return Neighbor(address, GONE)

    def send(
        self,
        neighbor: Neighbor,
        packets: list[bytes],
        now: float,
        on_error: OnError | None = None,
        offload: bytes = b"",
    ) -> Neighbor:
        """Send the packets of one datagram, now or when the station address is known.

        Returns the entry in the cache, which may be another object than `neighbor`. The newest
        `queue_packets` datagrams wait for each address (RFC 1122 section 2.3.2.2). `on_error` is
        called with EHOSTUNREACH if the address does not answer.
        """
        if neighbor.ethernet is None and neighbor.state == GONE:
            neighbor = self._entries.get(neighbor.address) or self._create(neighbor.address)
        neighbor.used = True
        if neighbor.state == STALE:
            self._poll(neighbor, "arp_stale_used", now)
        if neighbor.ethernet is not None:
            for packet in packets:
                self.transmit([neighbor.ethernet, packet], now, offload)
            return neighbor
        self._enqueue(neighbor, Waiting(packets, sum(map(len, packets)), offload, on_error))
        if neighbor.deadline == math.inf:
            self._start(neighbor, (_BROADCAST,) * self.config.attempts, "arp_no_entry", now)
        return neighbor

    def resolve(self, address: bytes, now: float) -> bool:
        """Whether a datagram to `address` would leave at once. If not, resolve the address now."""
        neighbor = self.neighbor(address)
        if neighbor.ethernet is not None:
            return True
        if neighbor.state == GONE:
            neighbor = self._create(address)
        if neighbor.state == STALE:
            self._poll(neighbor, "arp_stale_used", now)
        elif neighbor.deadline == math.inf:
            self._start(neighbor, (_BROADCAST,) * self.config.attempts, "arp_no_entry", now)
        return neighbor.ethernet is not None

    def suspect(self, address: bytes, now: float, sent_at: float = math.inf, genuine: bool = True) -> None:
        """Take negative advice from above: packets do not seem to arrive.

        See RFC 1122 section 2.3.2.1 and RFC 9293 section 3.8.3. The entry remains in use while the
        address is asked for again. The request is a broadcast: the address may have moved to
        another station, or the entry may be a forgery whose author would answer a unicast request.
        If another station answers within `claim_wait_s`, or has claimed the address already, it is
        believed.

        If packets are lost behind a gateway, the entry is right, and a broadcast would only let a
        forger answer. So a station with positive advice is asked by unicast first, and an answer
        from another station is an ordinary claim. Positive advice is an acknowledgment of something
        that was sent through the station. It must be recent, unless this negative advice is not
        `genuine`: then only a SYN, whose source may be forged, has caused it. A packet sent at
        `sent_at`, before this station was learnt, went to another station and is no evidence
        against this one.
        """
        neighbor = self._entries.get(address)
        if neighbor is None or neighbor.mac is None or neighbor.state == PERMANENT:
            return
        config = self.config
        advice_until = neighbor.positive_advice_at + config.positive_advice_s if genuine else math.inf
        plan = (_BROADCAST,) * config.attempts
        if sent_at <= neighbor.learnt_at or (
            neighbor.positive_advice_at > neighbor.learnt_at + config.settle_s and now < advice_until
        ):
            plan = (_UNICAST, *plan[1:])
        elif neighbor.claim is not None:
            self._confirm(neighbor, neighbor.claim, "arp_claim_believed", now)
            return
        else:
            asked_at = max(now, neighbor.requested_at + config.request_interval_s)
            neighbor.doubted_until = asked_at + config.claim_wait_s
        if neighbor.state in (REACHABLE, STALE):
            self._start(neighbor, plan, "arp_suspected", now)
        elif _BROADCAST not in neighbor.plan:
            neighbor.plan = (*neighbor.plan[: neighbor.attempts], *plan[1:])

    # --- packets in

    def receive(self, data: Buffer, now: float) -> None:
        """Take an ARP packet, the payload of its frame, as in RFC 826's "Packet Reception".

        One thing differs: only a request for one of our addresses creates an entry (see the head of
        this file).
        """
        try:
            packet = ArpPacket.parse(data)
        except BadPacket as bad:
            self.counters.drop(bad.reason)
            return
        if is_group_mac(packet.sender_mac) or packet.sender_mac == MAC_ZERO:
            self.counters.drop("arp_bad_sender")
            return
        if packet.sender_mac == self.mac:  # our own packet, which a hub has sent back (RFC 5227 section 2.1.1)
            self.counters.drop("arp_from_ourselves")
            return
        if self.observe is not None:
            self.observe(packet, now)
        if packet.sender_ip != ANY and self._is_ours(packet.sender_ip):  # RFC 5227 2.5: it gets no ordinary answer
            self.counters.drop("arp_conflict")
            return
        merged = self._merge(packet, now)
        if packet.operation == INVERSE_REQUEST:  # its target address is what it asks for
            if not self.published.answer_inverse(packet, now):
                self.counters.drop("arp_bad_operation")
            return
        if packet.target_ip == ANY or not self._is_ours(packet.target_ip):
            if not (packet.operation == REQUEST and self.published.answer_for(packet, now)) and not merged:
                self.counters.drop("arp_not_for_us")
            return
        if packet.operation != REQUEST:
            if not merged:
                self.counters.drop("arp_unsolicited" if packet.operation == REPLY else "arp_bad_operation")
            return
        if not merged and self._can_be_neighbor(packet.sender_ip) and self._is_on_link(packet.sender_ip):
            self._confirm(self._create(packet.sender_ip), packet.sender_mac, "arp_learnt", now)
        self.output.reply(packet, now)

    def _is_ours(self, address: bytes) -> bool:
        return any(prefix.address == address for prefix in self.addresses)

    def _merge(self, packet: ArpPacket, now: float) -> bool:
        """Update the sender's entry; returns whether there is one.

        If the packet gives a known address another station, that is only a claim, unless the entry
        is in doubt.
        """
        neighbor = self._entries.get(packet.sender_ip)
        if neighbor is None or not self._can_be_neighbor(packet.sender_ip):
            return False
        if neighbor.state == PERMANENT:
            if neighbor.mac != packet.sender_mac:
                self.counters.drop("arp_fixed")
        elif neighbor.mac is None or neighbor.mac == packet.sender_mac or now < neighbor.doubted_until:
            because = "arp_answered" if neighbor.mac is None else "arp_verified"
            if neighbor.mac not in (None, packet.sender_mac):
                because = "arp_moved"
            self._confirm(neighbor, packet.sender_mac, because, now)
        else:
            self._claimed(neighbor, packet.sender_mac, now)
        return True

    def _claimed(self, neighbor: Neighbor, mac: bytes, now: float) -> None:
        """Another station claims a known address: ask the known one whether it still has it.

        The request is unicast, so that a switch delivers it to that station alone. Without an
        answer within `claim_wait_s` the address has moved (a failover), and the newest claim is
        believed. If a request is out already, its answer counts. At most one request is sent in
        `request_interval_s`, for any number of claims.
        """
        if neighbor.claim is not None:
            if neighbor.claim != mac:
                self.counters.drop("arp_claim")
                neighbor.claim = mac
            return
        neighbor.claim = mac
        if neighbor.state != PROBING:
            self._start(neighbor, (_UNICAST,), "arp_claimed", now)
        elif neighbor.attempts:
            answer_by = neighbor.requested_at + self.config.claim_wait_s
            if now < answer_by:
                self._schedule(neighbor, answer_by)
            else:
                self._decide(neighbor, mac, now, now)

    def _can_be_neighbor(self, address: bytes) -> bool:
        """Whether this can be the address of another host.

        Our own and the 0.0.0.0 of a probe cannot.
        """
        if is_this_network(address) or is_loopback(address) or address[0] >= 224:
            return False
        return not any(prefix.address == address or prefix.broadcast == address for prefix in self.addresses)

    def _is_on_link(self, address: bytes) -> bool:
        """Whether `address` is on one of our networks, or link-local, which is on every link.

        See RFC 3927 section 2.6.2.
        """
        return is_link_local(address) or any(prefix.contains(address) for prefix in self.addresses)

    def _confirm(self, neighbor: Neighbor, mac: bytes, because: str, now: float) -> None:
        before = neighbor.state if neighbor.mac is not None or neighbor.deadline < math.inf else GONE
        asked = neighbor.state in (INCOMPLETE, PROBING)
        if neighbor.claim is not None and neighbor.claim != mac:
            self.counters.drop("arp_claim")
        neighbor.claim = None
        if neighbor.mac != mac:  # acknowledgments that came through the other station say nothing about this one
            neighbor.learnt_at = now
            neighbor.positive_advice_at = neighbor.doubted_until = -math.inf
        neighbor.learn(mac, self.mac)
        neighbor.state = REACHABLE
        neighbor.confirmed_at = now
        neighbor.kept = False
        neighbor.used = bool(neighbor.waiting)
        neighbor.plan, neighbor.attempts = (), 0
        self._schedule(neighbor, now + self.config.reachable_s)
        if self._trace.on:
            self._tell(neighbor, before, because)
        if asked and self.on_answer is not None:
            self.on_answer(neighbor.address)
        if neighbor.waiting:
            for waiting in self._take_waiting(neighbor):
                for packet in waiting.packets:
                    self.transmit([neighbor.ethernet or b"", packet], now, waiting.offload)

    def _decide(self, neighbor: Neighbor, claim: bytes, due: float, now: float) -> None:
        """Believe a claim, since the known station has not answered by `due`. Two exceptions:

        If acknowledgments of packets sent to the known station still arrive, its answer is only
        late, in a long queue: ask again. If this host itself runs late, the answer may have arrived
        and not been read yet: wait a moment, once.
        """
        moment_s = self.config.claim_wait_s / 2
        if now < neighbor.positive_advice_at + moment_s:
            self._start(neighbor, (_UNICAST,), "arp_answer_late", now)
        elif now > due + moment_s and neighbor.attempts <= len(neighbor.plan):
            neighbor.attempts = len(neighbor.plan) + 1
            self._schedule(neighbor, now + moment_s)
        else:
            self._confirm(neighbor, claim, "arp_claim_believed", now)

    # --- asking

    def _poll(self, neighbor: Neighbor, because: str, now: float) -> None:
        """Ask the known station by unicast before the entry is given up.

        See RFC 1122 section 2.3.2.1 (2).
        """
        self._start(neighbor, (_UNICAST,) * self.config.poll_attempts, because, now)

    def _start(self, neighbor: Neighbor, plan: tuple[bool, ...], because: str, now: float) -> None:
        """Begin to ask, at most once per `request_interval_s` (RFC 1122 section 2.3.2.1).

        `plan` has one item for each request: unicast or broadcast.
        """
        before = neighbor.state if neighbor.mac is not None or neighbor.deadline < math.inf else GONE
        if neighbor.mac is None:
            neighbor.state = INCOMPLETE
        else:
            neighbor.state = PROBING
            neighbor.learn(neighbor.mac, self.mac)  # a stale entry gets its link header back
        neighbor.plan, neighbor.attempts, neighbor.asked_because = plan, 0, because
        if self._trace.on:
            self._tell(neighbor, before, because)
        earliest = neighbor.requested_at + self.config.request_interval_s
        if now < earliest:
            self._schedule(neighbor, earliest)
        else:
            self._ask_next(neighbor, now)

    def _ask_next(self, neighbor: Neighbor, now: float) -> None:
        unicast = neighbor.plan[neighbor.attempts]
        neighbor.attempts += 1
        config = self.config
        self._schedule(neighbor, now + (config.request_interval_s if neighbor.claim is None else config.claim_wait_s))
        self.output.request(neighbor, unicast, now)

    def _schedule(self, neighbor: Neighbor, deadline: float) -> None:
        neighbor.deadline = deadline
        if deadline < self.deadline:
            self.deadline = deadline
            self.reschedule()

    def on_deadline(self, now: float) -> None:
        """For each entry that is due: ask again, refresh it, let it become stale, or give it up."""
        for neighbor in [entry for entry in self._entries.values() if entry.deadline <= now]:
            if neighbor.deadline > now:
                continue  # the failure of another entry has changed this one
            if neighbor.state == REACHABLE and neighbor.used:
                self._poll(neighbor, "arp_old", now)
            elif neighbor.state == REACHABLE:
                neighbor.state = STALE
                neighbor.ethernet = None  # without a link header the next packet must come through `send`
                self._schedule(neighbor, now + self.config.stale_s)
                if self._trace.on:
                    self._tell(neighbor, REACHABLE, "arp_unused")
            elif neighbor.state == STALE:
                self._remove(neighbor, "arp_unused_long")
            elif neighbor.claim is not None and neighbor.attempts:
                self._decide(neighbor, neighbor.claim, neighbor.deadline, now)
            elif neighbor.attempts < len(neighbor.plan):
                self._ask_next(neighbor, now)
            elif self._may_be_kept(neighbor, now):
                self._keep(neighbor, now)
            else:
                self._fail(neighbor, now)
        self.deadline = min((entry.deadline for entry in self._entries.values()), default=math.inf)

    def _may_be_kept(self, neighbor: Neighbor, now: float) -> bool:
        """Whether packets sent through the station were acknowledged since the first request.

        Most likely its answers were lost. But a peer can acknowledge what it has not received: this
        counts once, until ARP hears the station again. Acknowledgments right after a change of
        station may be for what the former one took.
        """
        asked_at = now - len(neighbor.plan) * self.config.request_interval_s
        acknowledged = neighbor.positive_advice_at > max(asked_at, neighbor.learnt_at + self.config.settle_s)
        return neighbor.mac is not None and acknowledged and not neighbor.kept

    def _keep(self, neighbor: Neighbor, now: float) -> None:
        """Use the entry a little longer, and then ask again."""
        neighbor.kept, neighbor.state = True, REACHABLE
        neighbor.plan, neighbor.attempts = (), 0
        if self._trace.on:
            self._tell(neighbor, PROBING, "arp_acknowledged")
        self._schedule(neighbor, now + self.config.attempts * self.config.request_interval_s)

    def _fail(self, neighbor: Neighbor, now: float) -> None:
        """Give up: no station has answered.

        The senders of waiting datagrams are told; the next one asks anew.
        """
        waiting = self._take_waiting(neighbor)
        self._remove(neighbor, "arp_no_answer")
        for datagram in waiting:
            self.counters.drop("arp_unresolved")
            if datagram.on_error is not None:
                datagram.on_error(errno.EHOSTUNREACH, now)
        if self.on_failure is not None:
            self.on_failure(neighbor.address, now)

    # --- the table

    def _create(self, address: bytes) -> Neighbor:
        if len(self._entries) >= self.config.entries_max:
            self._evict()
        neighbor = self._entries[address] = Neighbor(address)
        return neighbor

    def _evict(self) -> None:
        """Remove the least useful entries.

        A sixteenth of the table is removed at once, so that a flood causes few scans.
        """

        def worth(neighbor: Neighbor) -> tuple[bool, float, bool, bool, float]:
            known = neighbor.mac is not None
            return (
                self.is_gateway(neighbor.address),
                neighbor.positive_advice_at if known else -math.inf,
                known and neighbor.used,
                known,
                neighbor.confirmed_at,
            )

        ranked = sorted((entry for entry in self._entries.values() if entry.state != PERMANENT), key=worth)
        for neighbor in ranked[: max(1, self.config.entries_max // 16)]:
            self.counters.drop("arp_cache_full")
            self._take_waiting(neighbor)
            self._remove(neighbor, "arp_no_room")

    def set_permanent(self, address: bytes, mac: bytes, now: float) -> None:
        """Set a neighbour's station address by hand, and send what waits for it.

        Raises ValueError when either address cannot be that of another host on this link.
        """
        if not (self._can_be_neighbor(address) and self._is_on_link(address)):
            raise ValueError(f"{format_ipv4(address)} cannot be another host on this link")
        if len(mac) != 6 or mac in (MAC_ZERO, MAC_BROADCAST, self.mac):
            raise ValueError(f"{format_mac(mac)} cannot be another station's address")
        neighbor = self._entries.get(address) or self._create(address)
        self._confirm(neighbor, mac, "arp_set_by_user", now)
        neighbor.state = PERMANENT
        neighbor.deadline = math.inf
        if self._trace.on:
            self._tell(neighbor, REACHABLE, "arp_set_by_user")

    def forget(self, address: bytes) -> bool:
        """Forget one neighbour, permanent or not, and what waits for it.

        Returns whether it was known.
        """
        neighbor = self._entries.get(address)
        if neighbor is None:
            return False
        for _ in self._take_waiting(neighbor):
            self.counters.drop("arp_unresolved")
        self._remove(neighbor, "arp_removed_by_user")
        return True

    def publish(self, address: bytes, mac: bytes | None) -> None:
        """Answer requests for another host's address with `mac`; None stands for our own.

        Raises ValueError when `address` cannot be another host's, or `mac` cannot be a station's.
        """
        if not self._can_be_neighbor(address):
            raise ValueError(f"{format_ipv4(address)} cannot be another host's address")
        if mac is not None and (len(mac) != 6 or mac == MAC_ZERO or is_group_mac(mac)):
            raise ValueError(f"{format_mac(mac)} cannot be a station's address")
        self.published.proxies[address] = mac

    def _remove(self, neighbor: Neighbor, because: str) -> None:
        if self._trace.on:
            before, neighbor.state = neighbor.state, GONE
            self._tell(neighbor, before, because)
        neighbor.forget(GONE)
        self._entries.pop(neighbor.address, None)

    def _enqueue(self, neighbor: Neighbor, datagram: Waiting) -> None:
        neighbor.waiting.append(datagram)
        self.waiting_bytes += datagram.size
        if self._trace.on:
            address, waiting = format_ipv4(neighbor.address), len(neighbor.waiting)
            self._trace.tell("arp:wait", self._name, "arp_not_known_yet", address=address, waiting=waiting)
        while neighbor.waiting and (
            len(neighbor.waiting) > self.config.queue_packets or self.waiting_bytes > self.config.queue_bytes_max
        ):
            self.waiting_bytes -= neighbor.waiting.pop(0).size
            self.counters.drop("arp_queue_full")

    def _take_waiting(self, neighbor: Neighbor) -> list[Waiting]:
        waiting, neighbor.waiting = neighbor.waiting, []
        self.waiting_bytes -= sum(datagram.size for datagram in waiting)
        return waiting

    def flush(self) -> None:
        """Forget all learnt entries, as when the link goes down. Permanent entries stay.

        Datagrams that wait are dropped and counted; their senders are not told.
        """
        for neighbor in [entry for entry in self._entries.values() if entry.state != PERMANENT]:
            for _ in self._take_waiting(neighbor):
                self.counters.drop("arp_unresolved")
            self._remove(neighbor, "arp_link_down")
        self.deadline = math.inf

    def addresses_changed(self, gone: bytes | None = None) -> None:
        """Our addresses have changed: forget neighbours that need the old ones.

        These are neighbours on none of our networks, and addresses that are now our own. Datagrams
        that wait and have the address `gone` as their source are dropped.
        """
        for neighbor in list(self._entries.values()):
            if gone is not None:
                kept = [datagram for datagram in neighbor.waiting if datagram.packets[0][12:16] != gone]
                for _ in range(len(neighbor.waiting) - len(kept)):
                    self.counters.drop("arp_unresolved")
                neighbor.waiting = kept
            if not (self._can_be_neighbor(neighbor.address) and self._is_on_link(neighbor.address)):
                for _ in self._take_waiting(neighbor):
                    self.counters.drop("arp_unresolved")
                self._remove(neighbor, "arp_off_link")
        self.waiting_bytes = sum(datagram.size for entry in self._entries.values() for datagram in entry.waiting)

    def _tell(self, neighbor: Neighbor, before: str, because: str) -> None:
        told = {"mac": neighbor.mac, "claim": neighbor.claim}
        self._trace.tell(
            "arp:entry",
            self._name,
            because,
            address=format_ipv4(neighbor.address),
            before=before,
            after=neighbor.state,
            **{name: format_mac(mac) for name, mac in told.items() if mac is not None},
        )

    def records(self, now: float) -> list[NeighborRecord]:
        """The cache as it is now."""
        return [entry.record(now) for entry in self._entries.values()] + [
            NeighborRecord(format_ipv4(address), format_mac(mac or self.mac), "published", None, 0)
            for address, mac in self.published.proxies.items()
        ]
