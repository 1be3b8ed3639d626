"""An Echo Request from a host that pings often: answered by a path that is kept for it.

A host that is pinged is idle as a rule. The code and data that an answer needs are then in none of
the processor's caches, and an answer costs five times what it costs under load. Here there is less
to do. See RFC 792 and RFC 1122 section 3.2.2.6.

The second request in a row from the same host prepares a path for it, and `take` answers the
requests that follow. What this skips for them:

- The checks of the addresses. They depend only on our addresses. If those have changed, all paths
  are closed.
- The route to the pinging host. If routes have changed, all paths are closed. If the neighbour has
  gone, the slow path takes the request.
- A record of the ICMP message. The answer has the octets of the request; only the type and the
  checksum differ.

All paths are closed when a fixed time is over. Hosts that still ping are learnt again.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from stack.config import IcmpConfig
from stack.counters import Counters
from stack.host.interface import Interface
from stack.internet.ipv4 import Ipv4
from stack.internet.path import Path
from stack.internet.received import Received
from stack.noop import noop
from stack.wire.icmp import ECHO_REQUEST
from stack.wire.numbers import PROTO_ICMP

_IP_HEADER = 20
_CODE, _CHECKSUM, _REST = 1, 2, 4  # offsets in the ICMP message


class EchoPaths:
    """The paths to the hosts that ping often.

    `paths` has them by the pinging host's address and the address of ours that it pings, each with
    the interface of that address. `reschedule` (set afterwards) is called when `deadline` has moved
    earlier.
    """

    def __init__(self, config: IcmpConfig, counters: Counters, ip: Ipv4) -> None:
        self.paths: dict[bytes, tuple[Path, object]] = {}
        self._config = config
        self._counters = counters
        self._output = ip.output
        self._epoch = ip.output.epoch
        self._last_key = b""  # the key of the last request
        self.deadline = inf
        self.reschedule: Callable[[], None] = noop
        ip.icmp.on_echo_answered = self._learn

    def _learn(self, received: Received) -> None:
        """Note that IP and ICMP input have answered a request.

        The second in a row from one host prepares a path. IP input has checked its addresses. Our
        own pings arrive by loopback and get no path. A request from the wire with our source
        address is forged: IP input must see and reject it.
        """
        key = received.source + received.local
        if received.broadcast or received.options or key != self._last_key:
            self._last_key = key
            return
        if not self._config.echo_paths_max or self._output.owner(received.source) is not None:
            return
        if self._epoch != self._output.epoch:
            self._close_paths()
        known = self.paths.pop(key, None)
        if known is not None:  # its neighbour had gone, so `take` could not use it
            known[0].close()
        elif len(self.paths) >= self._config.echo_paths_max:
            self.paths.pop(next(iter(self.paths)))[0].close()
        path = self._output.path(received.local, received.source, PROTO_ICMP, now=received.now)
        self.paths[key] = path, received.interface
        if self.deadline == inf:
            self.deadline = received.now + self._config.echo_path_lifetime_s
            self.reschedule()

    def take(self, interface: Interface, key: bytes, packet: memoryview, now: float) -> bool:  # hot
        """Answer an ICMP packet, whose IP header is right and has no options.

        Returns False, having counted nothing, if IP input must take it.
        """
        if self._epoch != self._output.epoch:
            self._close_paths()
        known = self.paths.get(key)
        if known is None or known[1] is not interface:
            return False
        path = known[0]
        message = packet[_IP_HEADER:]
        if (
            message[0] != ECHO_REQUEST
            or message[_CODE]
            or path.neighbor.ethernet is None
            or int.from_bytes(message, "big") % 0xFFFF
        ):
            return False
        # The reply differs from the request in the type alone: 0 instead of 8 (RFC 1624). A
        # checksum of zero has two representations, 0x0000 and 0xFFFF, so the slow path computes
        # that one anew.
        checksum = ((message[_CHECKSUM] << 8) + message[_CHECKSUM + 1] + (ECHO_REQUEST << 8)) % 0xFFFF
        if not checksum:
            return False
        counters = self._counters
        counters["ipSystemStatsInReceives"] += 1
        counters["ipSystemStatsInDelivers"] += 1
        counters["icmpInMsgs"] += 1
        counters["icmpInEchos"] += 1
        counters["icmpOutMsgs"] += 1
        counters["icmpOutEchoReps"] += 1
        path.tos = packet[1]
        path.send([checksum.to_bytes(4, "big"), message[_REST:]], len(message), now)
        return True

    def on_deadline(self, now: float) -> None:
        """Close all paths if the time is over."""
        if now >= self.deadline:
            self.deadline = inf
            self._last_key = b""
            self._close_paths()

    def _close_paths(self) -> None:
        self._epoch = self._output.epoch
        for path, _ in self.paths.values():
            path.close()
        self.paths.clear()
