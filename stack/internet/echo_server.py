"""The echo server: RFC 792 and RFC 1122 section 3.2.2.6. It keeps ready what an answer to who asks often needs.

A host that is pinged has nothing else to do, as a rule: all that it executes for an answer comes cold into the
processor's caches, and costs five times what it does under load. So the second request in a row from somebody is the
last that goes all the way through IP and ICMP. For those that follow a path is ready (`answer`), until its route
changes, as it does with our addresses, or until the time is over and all is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from stack.config import IcmpConfig
from stack.counters import Counters
from stack.internet.ipv4_output import Ipv4Output
from stack.internet.path import Path
from stack.internet.received import Received
from stack.wire.icmp import ECHO_REQUEST
from stack.wire.numbers import PROTO_ICMP

_IP_HEADER = 20
_CODE, _CHECKSUM, _REST = 1, 2, 4  # where these are, in the message


def _nothing() -> None:
    pass


class EchoServer:
    """`askers` are those for whom a path is ready, by their address and ours that they ask.

    `reschedule` (set afterwards) is called when `deadline` has moved earlier.
    """

    def __init__(self, config: IcmpConfig, counters: Counters, output: Ipv4Output) -> None:
        self.askers: dict[bytes, Path] = {}
        self._config = config
        self._counters = counters
        self._output = output
        self._last = b""  # who asked last
        self.deadline = inf
        self.reschedule: Callable[[], None] = _nothing

    def answered(self, received: Received) -> None:
        """A request has been answered the long way; its source, TTL and addresses are as they should be.

        What we ask ourselves comes in by no link, and who asks by one in our name has to be refused, the long way.
        """
        asker = received.source + received.local
        if received.broadcast or received.options or asker != self._last:
            self._last = asker
            return
        if not self._config.askers_max or self._output.owner(received.source) is not None:
            return
        path = self.askers.pop(asker, None)
        if path is not None:  # its route has changed
            path.close()
        elif len(self.askers) >= self._config.askers_max:
            self.askers.pop(next(iter(self.askers))).close()
        self.askers[asker] = self._output.path(received.local, received.source, PROTO_ICMP, now=received.now)
        if self.deadline == inf:
            self.deadline = received.now + self._config.askers_for_s
            self.reschedule()

    def answer(self, path: Path, packet: memoryview, now: float) -> bool:  # hot
        """Answer a packet without options from somebody in `askers`. False: nothing was done, it goes the long way."""
        message = packet[_IP_HEADER:]
        if (
            message[0] != ECHO_REQUEST
            or message[_CODE]
            or path.neighbor.ethernet is None
            or int.from_bytes(message, "big") % 0xFFFF
        ):
            return False
        # The type is 0 instead of 0x08, and the rest is the same (RFC 1624). For 0 there are two ways to write it.
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
        """The time is over: a host that nobody asks any more has nothing left of it."""
        if now >= self.deadline:
            self.deadline = inf
            self._last = b""
            for path in self.askers.values():
                path.close()
            self.askers.clear()
