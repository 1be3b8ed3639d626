"""The echo server (RFC 792, RFC 1122 section 3.2.2.6).

Hosts that ping us repeatedly get a prepared path, so that a reply needs no route lookup.

A host that is pinged is idle as a rule. The code and data that an answer needs are then in none of
the processor's caches, and an answer costs five times what it costs under load. With a prepared
path there is less to do: the request does not pass through IP and ICMP input either.

The second request in a row from the same host prepares a path for it, and `answer` answers the
requests that follow. A prepared path is used until its route or our addresses change. All of them
are forgotten when a fixed time is over.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from stack.config import IcmpConfig
from stack.counters import Counters
from stack.internet.ipv4_output import Ipv4Output
from stack.internet.path import Path
from stack.internet.received import Received
from stack.noop import noop
from stack.wire.icmp import ECHO_REQUEST
from stack.wire.numbers import PROTO_ICMP

_IP_HEADER = 20
_CODE, _CHECKSUM, _REST = 1, 2, 4  # offsets in the ICMP message


class EchoServer:
    """Answers Echo Requests by prepared paths.

    `prepared_paths` has them by the pinging host's address and the address of ours that it pings.
    `reschedule` (set afterwards) is called when `deadline` has moved earlier.
    """

    def __init__(self, config: IcmpConfig, counters: Counters, output: Ipv4Output) -> None:
        self.prepared_paths: dict[bytes, Path] = {}
        self._config = config
        self._counters = counters
        self._output = output
        self._last_key = b""  # the key of the last request
        self.deadline = inf
        self.reschedule: Callable[[], None] = noop

    def answered(self, received: Received) -> None:
        """Note that IP and ICMP input have answered a request.

        The second in a row from one host prepares a path. IP input has checked its addresses. Our
        own pings arrive by loopback and get no prepared path. A request from the wire with our
        source address is spoofed: IP input must see and reject it.
        """
        key = received.source + received.local
        if received.broadcast or received.options or key != self._last_key:
            self._last_key = key
            return
        if not self._config.echo_paths_max or self._output.owner(received.source) is not None:
            return
        path = self.prepared_paths.pop(key, None)
        if path is not None:  # its route has changed, so `answer` could not use it
            path.close()
        elif len(self.prepared_paths) >= self._config.echo_paths_max:
            self.prepared_paths.pop(next(iter(self.prepared_paths))).close()
        self.prepared_paths[key] = self._output.path(received.local, received.source, PROTO_ICMP, now=received.now)
        if self.deadline == inf:
            self.deadline = received.now + self._config.echo_path_lifetime_s
            self.reschedule()

    def answer(self, path: Path, packet: memoryview, now: float) -> bool:  # hot
        """Answer an ICMP packet without IP options by a path in `prepared_paths`.

        Returns False, having changed nothing, when IP input must handle the packet.
        """
        message = packet[_IP_HEADER:]
        if (
            message[0] != ECHO_REQUEST
            or message[_CODE]
            or path.neighbor.ethernet is None
            or int.from_bytes(message, "big") % 0xFFFF
        ):
            return False
        # The reply differs from the request in the type alone: 0 instead of 8 (RFC 1624). A
        # checksum of zero has two representations, 0x0000 and 0xFFFF, so IP input computes that one
        # anew.
        checksum = ((message[_CHECKSUM] << 8) + message[_CHECKSUM + 1] + (ECHO_REQUEST << 8)) % 0xFFFF
        if not checksum:
            return False
        counters = self._counters
        counters["icmpInMsgs"] += 1
        counters["icmpInEchos"] += 1
        counters["icmpOutMsgs"] += 1
        counters["icmpOutEchoReps"] += 1
        path.tos = packet[1]
        path.send([checksum.to_bytes(4, "big"), message[_REST:]], len(message), now)
        return True

    def on_deadline(self, now: float) -> None:
        """Forget all prepared paths; hosts that still ping will be learned again."""
        if now >= self.deadline:
            self.deadline = inf
            self._last_key = b""
            for path in self.prepared_paths.values():
                path.close()
            self.prepared_paths.clear()
