"""The way of a frame through the host: from its link to the end of its batch.

Read it from the top: a frame, its Ethernet header, the protocol that gets the packet, and the end
of the batch. An IPv4 packet goes on in `internet/ipv4_input.py`, an ARP packet in
`internet/arp.py`. See RFC 894, RFC 1042 and RFC 1122 section 2.3.

The most frequent frames take a fast path (`fast/`) with the same outcome. Read that last.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.budget import Budget
from stack.counters import Counters
from stack.errors import BadPacket
from stack.host.barrier import Barrier
from stack.host.fast import Fast
from stack.host.interface import Interface
from stack.host.tcp_layer import TcpLayer
from stack.internet.ipv4 import Ipv4
from stack.tcp.memory import prune
from stack.trace.trace import Trace
from stack.wire.addresses import MAC_BROADCAST
from stack.wire.ethernet import EthernetHeader
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_RARP


class Input:
    """Takes frames from links, and packets from the loopback.

    Arguments:
      counters, ip, tcp, budget, barrier: those of the host.
      fast: the fast paths, or None for the slow path alone.
      trace: tells the observers, if there are any.
      loopback_packets: how many packets are read from the loopback in one turn.
      moved: called when a deadline of the host has moved earlier.

    `now` is the time of the frame, call or deadline that is being processed, in seconds.
    """

    def __init__(
        self,
        counters: Counters,
        ip: Ipv4,
        tcp: TcpLayer,
        budget: Budget,
        barrier: Barrier,
        *,
        fast: Fast | None,
        trace: Trace,
        loopback_packets: int,
        moved: Callable[[], None],
    ) -> None:
        self.now = 0.0
        self._counters = counters
        self._ip = ip
        self._tcp = tcp
        self._services = tcp.services
        self._budget = budget
        self._barrier = barrier
        self._fast = self._fast_paths = fast
        self._trace = trace
        self._watched = False
        self._loopback_packets = loopback_packets
        self._moved = moved

    def watch(self, watched: bool) -> None:
        """Observers have come, or have gone. While there are any, no frame takes a fast path."""
        if self._fast is not None:
            self._fast.end_train(self.now)
        self._watched = watched
        self._fast = None if watched else self._fast_paths

    def frame(self, interface: Interface, now: float, view: memoryview) -> None:
        """Process one frame.

        If this raises, only the frame and its connection are lost (see `Barrier`).
        """
        self.now = now
        try:
            if self._fast is None or not self._fast.take(interface, view, now):
                self._frame(interface, view, now)
        except Exception as error:
            self._barrier.failed(error, self._tcp.connection_of(view[interface.ip_offset :]), now)

    def _frame(self, interface: Interface, view: memoryview, now: float) -> None:
        """Count a frame, and tell the observers. On a link without Ethernet it is an IP packet."""
        self._counters["ifInOctets"] += len(view)
        if self._watched:
            self._trace.frame_in(interface.name, interface.ip_offset, bytes(view))
        if interface.ip_offset:
            self._ethernet(interface, view, now)
        else:
            self._counters["ifInUcastPkts"] += 1
            self._ip.input.receive(interface, view, now, False, interface.link.rx_checksum_ok)

    def _ethernet(self, interface: Interface, view: memoryview, now: float) -> None:
        """Read the Ethernet header, and hand the content to the protocol of its EtherType."""
        counters = self._counters
        try:
            header = EthernetHeader.parse(view)
        except BadPacket as bad:
            counters["ifInErrors"] += 1
            counters.drop(bad.reason)
            return
        if any(tag.vlan for tag in header.tags):  # VLAN 0 means that the tag only has a priority (802.1Q 9.6)
            counters.drop("ethernet_other_vlan")
            return
        group = bool(header.destination[0] & 1)
        if not group and header.destination != interface.mac:
            counters.drop("ethernet_not_for_us")
            return
        bare = header.header_length == interface.ip_offset  # neither tags nor LLC
        if header.source == interface.mac != MAC_BROADCAST and (
            group or header.ethertype != ETHERTYPE_IPV4 or not bare
        ):
            # Our own frame, which a loop in the network has sent back. We send no IPv4 to ourselves
            # by a link, so a bare IPv4 packet would be from another station with our address.
            counters.drop("ethernet_own_source")
            return
        counters["ifInNUcastPkts" if group else "ifInUcastPkts"] += 1
        content = view[header.header_length :]
        if header.ethertype == ETHERTYPE_IPV4:
            self._ip.input.receive(interface, content, now, group, interface.link.rx_checksum_ok)
        elif header.ethertype == ETHERTYPE_ARP and interface.neighbors is not None:
            interface.neighbors.receive(content, now)
        elif header.ethertype == ETHERTYPE_RARP and interface.neighbors is not None:
            interface.neighbors.published.receive_reverse(content, now)
        else:
            counters["ifInUnknownProtos"] += 1
            counters.drop("ethernet_unknown_type")

    def batch_end(self, now: float) -> None:  # hot
        """End a batch of frames, a user call or a deadline.

        Each touched connection sends, and wakes its program, once. Packets to ourselves are
        received here too.
        """
        self.now = now
        if self._watched:
            self._trace.frame_done()
        if self._fast is not None and self._fast.train is not None:
            self._fast.end_train(now)
        services = self._services
        loopback = self._ip.loopback
        packets, budget = self._loopback_packets, self._budget
        while True:
            while services.touched:
                touched, services.touched = services.touched, []
                for tcb in touched:
                    tcb.untouch()
                    if services.trace is not None:
                        services.trace.turn_to(tcb)
                    try:
                        tcb.settle(now)
                    except Exception as error:
                        self._barrier.failed(error, tcb, now)
            if budget.tight and budget.used > budget.prune_at:
                prune(budget)
            if not loopback.queue:
                break
            if packets <= 0:
                self._moved()  # the rest in the next turn: while packets wait, `HostCore.deadline` is now
                break
            packets -= 1
            packet = loopback.read(now)
            if packet is not None:
                self._loop(packet, now)
        if self._watched:
            self._trace.frame_done()
            if services.trace is not None:
                services.trace.batch_end()
            self._trace.batch_end()

    def _loop(self, packet: memoryview, now: float) -> None:
        """Receive a packet that this host has sent to itself."""
        if self._watched:
            self._trace.frame_in("lo", 0, bytes(packet))
        try:
            self._ip.input.receive(self._ip.loopback, packet, now)
        except Exception as error:
            self._barrier.failed(error, self._tcp.connection_of(packet), now)
