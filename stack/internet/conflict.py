"""Address conflict detection on one Ethernet interface: probe, announce, watch, and defend.

See RFC 5227: section 2.1.1 (probing), 2.3 (announcing), 2.4 (ongoing detection: (b) defend once,
(c) always).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stack.config import AcdConfig
from stack.counters import Counters
from stack.noop import noop
from stack.trace.trace import UNWATCHED, Trace
from stack.wire.addresses import ANY, MAC_BROADCAST, MAC_ZERO, format_ipv4, format_mac
from stack.wire.arp import REQUEST, ArpPacket

Done = Callable[[bytes | None, float], None]
OnConflict = Callable[[bytes, float], None]


@dataclass(slots=True)
class _Probe:
    """An address that is being probed.

    `in_use`: we use it already, and ARP answers other hosts' probes for it.
    """

    done: Done
    due: float
    in_use: bool
    sent: int = 0


@dataclass(slots=True)
class _Announcement:
    """An address of ours that is being announced to the link."""

    due: float
    sent: int = 0


@dataclass(slots=True)
class _Watch:
    """An address in use, to be defended. `conflict_at` is when another host last claimed it.

    If `yields` is false, `conflict_at` is when a claim was last answered.
    """

    on_conflict: OnConflict
    yields: bool
    conflict_at: float = -math.inf


class Conflicts:
    """Probes for, announces and defends the addresses of one interface.

    Arguments:
      config, counters: `Config.acd` and the host's counters.
      mac: the interface's 6-byte station address.
      random: `(n)` returns n random bytes.
      transmit: `(packet, station address, now)` sends one ARP packet.
      trace, name: tells the observers, if there are any, and the name of the interface.

    Attributes that the owner may set:
      reschedule: called when `deadline` has moved earlier.
      is_ours: `(mac)` returns whether a station address is one of this host's, on any of its
        interfaces.

    The owner passes every ARP packet of the interface to `receive`, and calls `on_deadline` when
    `deadline` is reached. `conflicts` counts the conflicts so far.
    """

    def __init__(
        self,
        config: AcdConfig,
        counters: Counters,
        mac: bytes,
        random: Callable[[int], bytes],
        transmit: Callable[[ArpPacket, bytes, float], None],
        trace: Trace = UNWATCHED,
        name: str = "",
    ) -> None:
        self.config = config
        self.counters = counters
        self.mac = mac
        self.reschedule: Callable[[], None] = noop
        self.is_ours: Callable[[bytes], bool] = lambda station: station == mac
        self.deadline = math.inf
        self.conflicts = 0
        self._random = random
        self._transmit = transmit
        self._trace = trace
        self._name = name
        self._began_at = -math.inf  # when the last probing began
        self._probes: dict[bytes, _Probe] = {}
        self._announcements: dict[bytes, _Announcement] = {}
        self._watched: dict[bytes, _Watch] = {}

    def __len__(self) -> int:
        """How many addresses are being probed, announced or watched."""
        return len(self._probes) + len(self._announcements) + len(self._watched)

    # --- calls by the host

    def probe(self, address: bytes, now: float, done: Done, *, in_use: bool = False) -> None:
        """Find out whether another host has `address`.

        Then `done(station address of that host, or None, now)` is called once. A free address takes
        4 to 7 seconds. After MAX_CONFLICTS conflicts one probing begins per RATE_LIMIT_INTERVAL
        (section 2.1.1). A second probing of the same address replaces the first.

        With `in_use` the address is used meanwhile. Another host's probe is then not a conflict,
        since our ARP reply tells that host that the address is taken.
        """
        probe = self._probes[address] = _Probe(done, now + self._uniform(0.0, self.config.PROBE_WAIT_S), in_use)
        if self._trace.on:
            self._tell(address, "probing", "acd_random_wait", wait_s=probe.due - now)
        self._due_at(probe.due)

    def cancel(self, address: bytes) -> None:
        """Stop probing for `address`, if it is being probed. `done` is not called."""
        self._probes.pop(address, None)

    def is_probing(self, address: bytes) -> bool:
        """Whether `address` is being probed."""
        return address in self._probes

    def announce(self, address: bytes, now: float) -> None:
        """Announce that `address` is ours: now, and again after ANNOUNCE_INTERVAL (section 2.3)."""
        announcement = self._announcements[address] = _Announcement(now)
        self._announce_next(address, announcement, now)

    def watch(self, address: bytes, on_conflict: OnConflict, *, yields: bool = True) -> None:
        """Defend `address`, which is in use: by section 2.4 (b), or by (c) if `yields` is false.

        (b): one announcement answers the first claim by another host. At a second claim within
        DEFEND_INTERVAL the address must be given up at once: `on_conflict(station address, now)` is
        called, and the address is no longer watched.

        (c): one announcement answers a claim, and `on_conflict` is called. Both happen at most once
        in DEFEND_INTERVAL, for any number of claims. The address is kept.
        """
        self._watched[address] = _Watch(on_conflict, yields)

    def defend(self, address: bytes, mac: bytes, now: float) -> None:
        """Defend a watched address against a claim that came in answer to our probes."""
        watch = self._watched.get(address)
        if watch is not None:
            self._defend(address, watch, mac, now)

    def unwatch(self, address: bytes) -> None:
        """Stop watching and announcing `address`: it is no longer in use."""
        self._watched.pop(address, None)
        self._announcements.pop(address, None)

    # --- packets in

    def receive(self, packet: ArpPacket, now: float) -> None:
        """Look at an ARP packet, request or reply alike (sections 2.1.1 and 2.4)."""
        if self.is_ours(packet.sender_mac):
            return  # our own packet, which a hub or an access point has sent back
        probe = self._probes.get(packet.sender_ip)
        wanted = packet.sender_ip
        if packet.sender_ip == ANY and packet.operation == REQUEST:  # a probe: its sender wants the target address
            wanted = packet.target_ip
            probe = self._probes.get(wanted)
            if probe is not None and probe.in_use:
                return
        if probe is not None:
            self._count()
            del self._probes[wanted]
            if self._trace.on:
                because = "acd_in_use" if packet.sender_ip == wanted else "acd_both_probe"
                self._tell(wanted, "taken", because, mac=format_mac(packet.sender_mac))
            probe.done(packet.sender_mac, now)
            return
        watch = self._watched.get(packet.sender_ip)
        if watch is not None:
            self._count()
            self._defend(packet.sender_ip, watch, packet.sender_mac, now)

    def _defend(self, address: bytes, watch: _Watch, mac: bytes, now: float) -> None:
        if not watch.yields:
            if now - watch.conflict_at > self.config.DEFEND_INTERVAL_S:
                watch.conflict_at = now
                if self._trace.on:
                    self._tell(address, "defending", "acd_defend_always", mac=format_mac(mac))
                self._send(address, address, now)
                watch.on_conflict(mac, now)
            elif self._trace.on:
                self._tell(address, "in use", "acd_defended_lately", mac=format_mac(mac))
            return
        last, watch.conflict_at = watch.conflict_at, now
        if now - last <= self.config.DEFEND_INTERVAL_S:
            if self._trace.on:
                self._tell(address, "given up", "acd_second_conflict", mac=format_mac(mac))
            self.unwatch(address)
            watch.on_conflict(mac, now)
        else:
            if self._trace.on:
                self._tell(address, "defending", "acd_defend_once", mac=format_mac(mac))
            self._send(address, address, now)

    def _count(self) -> None:
        self.conflicts += 1
        self.counters["arpInConflicts"] += 1

    # --- time

    def on_deadline(self, now: float) -> None:
        """Send the probes and announcements that are due, and report addresses that are free."""
        for address, probe in list(self._probes.items()):
            if probe.due <= now and self._probes.get(address) is probe:
                self._probe_next(address, probe, now)
        for address, announcement in list(self._announcements.items()):
            if announcement.due <= now and self._announcements.get(address) is announcement:
                self._announce_next(address, announcement, now)
        dues = [probe.due for probe in self._probes.values()]
        dues.extend(announcement.due for announcement in self._announcements.values())
        self.deadline = min(dues, default=math.inf)

    def _probe_next(self, address: bytes, probe: _Probe, now: float) -> None:
        config = self.config
        if probe.sent == config.PROBE_NUM:
            del self._probes[address]
            if self._trace.on:
                self._tell(address, "free", "acd_free")
            probe.done(None, now)
            return
        if probe.sent == 0:
            may_begin_at = self._began_at + config.RATE_LIMIT_INTERVAL_S
            if self.conflicts >= config.MAX_CONFLICTS and now < may_begin_at:
                probe.due = may_begin_at + self._uniform(0.0, config.PROBE_WAIT_S)
                if self._trace.on:
                    self._tell(address, "probing", "acd_many_conflicts", wait_s=probe.due - now)
                return
            self._began_at = now
        probe.sent += 1
        if self._trace.on:
            self._tell(address, "probing", "acd_probe", number=probe.sent, of=config.PROBE_NUM)
        self._send(ANY, address, now)
        if probe.sent < config.PROBE_NUM:
            probe.due = now + self._uniform(config.PROBE_MIN_S, config.PROBE_MAX_S)
        else:
            probe.due = now + config.ANNOUNCE_WAIT_S
        self._due_at(probe.due)

    def _announce_next(self, address: bytes, announcement: _Announcement, now: float) -> None:
        announcement.sent += 1
        if self._trace.on:
            number, of = announcement.sent, self.config.ANNOUNCE_NUM
            self._tell(address, "announcing", "acd_announce", number=number, of=of)
        self._send(address, address, now)
        if announcement.sent == self.config.ANNOUNCE_NUM:
            del self._announcements[address]
            return
        announcement.due = now + self.config.ANNOUNCE_INTERVAL_S
        self._due_at(announcement.due)

    def _due_at(self, due: float) -> None:
        if due < self.deadline:
            self.deadline = due
            self.reschedule()

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * int.from_bytes(self._random(4), "big") / 2**32

    def _tell(self, address: bytes, state: str, because: str, **data: object) -> None:
        self._trace.tell("acd:state", self._name, because, address=format_ipv4(address), state=state, **data)

    def _send(self, sender: bytes, target: bytes, now: float) -> None:
        """Send a probe (the sender is ANY) or an announcement (sender and target are the address).

        See section 1.1.
        """
        self.counters["arpOutProbes" if sender == ANY else "arpOutAnnouncements"] += 1
        self._transmit(ArpPacket(REQUEST, self.mac, sender, MAC_ZERO, target), MAC_BROADCAST, now)
