"""The echo client: sends Echo Requests and matches the replies.

See RFC 792 and RFC 1122 section 3.2.2.6.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from dataclasses import dataclass

from stack.config import IcmpConfig
from stack.counters import Counters
from stack.errors import os_error
from stack.internet.icmp_error import IcmpError
from stack.internet.ipv4_output import Ipv4Output
from stack.internet.path import Path
from stack.internet.received import Received
from stack.noop import noop
from stack.trace.trace import Trace
from stack.wire.addresses import format_ipv4
from stack.wire.icmp import ECHO_NUMBERS, ECHO_REQUEST, IcmpMessage, echo_request
from stack.wire.numbers import PROTO_ICMP


@dataclass(frozen=True, slots=True)
class EchoReply:
    """An answer: its source, the round-trip time in seconds, its TTL and TOS, and its data."""

    source: bytes
    identifier: int
    sequence: int
    rtt_s: float
    ttl: int
    tos: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EchoFailure:
    """No answer will come. `error` is the ICMP error that says so.

    It is None when this host gave up by itself: ARP failed, the time is up (ETIMEDOUT), our address
    was removed, or the host is shutting down.
    """

    destination: bytes
    identifier: int
    sequence: int
    errno: int
    error: IcmpError | None = None


EchoResult = EchoReply | EchoFailure


class Ping:
    """A request that waits for its answer. `cancel` forgets it."""

    __slots__ = (
        "_client", "deadline", "destination", "identifier", "length", "on_result", "path", "sent_at", "sequence",
    )  # fmt: skip

    def __init__(
        self,
        client: EchoClient,
        path: Path,
        identifier: int,
        sequence: int,
        sent_at: float,
        deadline: float,
        on_result: Callable[[EchoResult], None],
    ) -> None:
        self._client = client
        self.path = path
        self.length = 0  # of the datagram in bytes, IP header included; 0 until it is sent
        self.destination = path.destination
        self.identifier = identifier
        self.sequence = sequence
        self.sent_at = sent_at
        self.deadline = deadline
        self.on_result = on_result

    @property
    def name(self) -> str:
        """By which events name it."""
        return f"ping {self.identifier}/{self.sequence}"

    def path_failed(self, error: int) -> None:
        """The request cannot be delivered."""
        self._client.fail(self, error)

    def path_mtu_changed(self, now: float) -> None:
        """Do nothing: the request has been sent already."""

    def cancel(self) -> None:
        """Stop waiting: `on_result` will not be called.

        Does nothing after the result or a first `cancel`.
        """
        self._client.forget(self)


class EchoClient:
    """Sends Echo Requests and keeps those that wait for an answer.

    Arguments: `Config.icmp`, the counters, IP's output side, `random(n)`, which returns n random
    bytes, and the trace, which tells the observers. `reschedule` (set afterwards) is called when
    `deadline` has moved earlier.
    """

    def __init__(
        self,
        config: IcmpConfig,
        counters: Counters,
        output: Ipv4Output,
        random: Callable[[int], bytes],
        trace: Trace,
    ) -> None:
        self._trace = trace
        self.config = config
        self.counters = counters
        self.output = output
        self.reschedule: Callable[[], None] = noop
        self.deadline = math.inf
        self._identifier = int.from_bytes(random(2), "big")
        self._sequence = 0
        self._waiting: dict[tuple[int, int], Ping] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def ping(
        self,
        destination: bytes,
        data: bytes,
        now: float,
        on_result: Callable[[EchoResult], None],
        *,
        source: bytes | None = None,
        ttl: int | None = None,
        tos: int = 0,
        df: bool = False,
        identifier: int | None = None,
        sequence: int | None = None,
        timeout_s: float | None = None,
        broadcast: bool = False,
    ) -> Ping:
        """Send one Echo Request; `on_result` is called once, with an EchoReply or an EchoFailure.

        Identifier and sequence number are chosen if not given. Raises OSError: ENETUNREACH,
        EADDRNOTAVAIL, EMSGSIZE, EACCES (a broadcast address without `broadcast`), EADDRINUSE (a
        request with that identifier and sequence number waits already), ENOBUFS (too many requests
        wait).
        """
        if len(self._waiting) >= self.config.echoes_max:
            raise os_error(errno.ENOBUFS)
        if identifier is None:
            identifier = self._identifier
        if sequence is None:
            sequence = self._free_sequence(identifier)
        elif (identifier, sequence) in self._waiting:
            raise os_error(errno.EADDRINUSE)
        path = self.output.path(source, destination, PROTO_ICMP, ttl=ttl, tos=tos, df=df, now=now)
        try:
            if path.broadcast and not broadcast:
                raise os_error(errno.EACCES)
            deadline = now + (self.config.echo_timeout_s if timeout_s is None else timeout_s)
            ping = Ping(self, path, identifier, sequence, now, deadline, on_result)
            path.user = ping
            self._waiting[identifier, sequence] = ping
            message = echo_request(identifier, sequence, data).build()
            self.counters["icmpOutMsgs"] += 1
            self.counters["icmpOutEchos"] += 1
            if self._trace.on:
                to = format_ipv4(destination)
                self._trace.tell("icmp:sent", ping.name, "icmp_ping", type=ECHO_REQUEST, code=0, to=to)
            path.send([message], len(message), now)
            ping.length = path.header_length + len(message)
        except OSError:
            self._waiting.pop((identifier, sequence), None)
            path.close()
            raise
        if deadline < self.deadline:
            self.deadline = deadline
            self.reschedule()
        return ping

    def _free_sequence(self, identifier: int) -> int:
        while True:
            self._sequence = (self._sequence + 1) & 0xFFFF
            if (identifier, self._sequence) not in self._waiting:
                return self._sequence

    def receive(self, received: Received, message: IcmpMessage) -> None:
        """Take an Echo Reply.

        Its source must be the destination of the request, unless that was a group.
        """
        ping = self._waiting.get((message.identifier, message.sequence))
        if ping is not None and ping.destination != received.source:
            if not (ping.path.broadcast or ping.path.multicast):
                ping = None
        if ping is None:
            self.counters.drop("icmp_echo_unexpected")
            return
        rtt_s = received.now - ping.sent_at
        if self._trace.on:
            self._trace.verdict("delivered", ping.name)
            source = format_ipv4(received.source)
            self._trace.tell(
                "icmp:taken", ping.name, "icmp_reply", type=message.type, code=0, source=source, rtt_s=rtt_s
            )
        reply = EchoReply(
            received.source, ping.identifier, ping.sequence, rtt_s, received.ttl, received.tos, message.body
        )
        self.forget(ping)
        ping.on_result(reply)

    def receive_error(self, error: IcmpError, now: float) -> bool:
        """Take an ICMP error that quotes an ICMP message of ours.

        Returns whether a waiting request matches it. An error that quotes an Echo Reply of ours is
        not believed: any host can make us send one.
        """
        if error.quoted[0] != ECHO_REQUEST:
            return False
        identifier, sequence = ECHO_NUMBERS.unpack_from(error.quoted)
        ping = self._waiting.get((identifier, sequence))
        if ping is None or (ping.path.source, ping.destination) != (error.quoted_source, error.quoted_destination):
            return False
        if error.next_hop_mtu >= ping.length:
            self.counters.drop("icmp_too_big_not_sent")
            return False
        if self._trace.on:
            self._trace.verdict("delivered", ping.name)
            self._trace.tell("icmp:taken", ping.name, error.because(), **error.told())
        if error.errno:
            self.fail(ping, error.errno, error)
        return True

    def on_deadline(self, now: float) -> None:
        """Give up the requests whose time is up."""
        for ping in [ping for ping in self._waiting.values() if ping.deadline <= now]:
            if self._waiting.get((ping.identifier, ping.sequence)) is ping:
                self.fail(ping, errno.ETIMEDOUT)
        self.deadline = min((ping.deadline for ping in self._waiting.values()), default=math.inf)

    def shutdown(self, error: int) -> None:
        """The host ends: fail all waiting requests."""
        for ping in list(self._waiting.values()):
            self.fail(ping, error)

    def source_gone(self, address: bytes, error: int) -> None:
        """An address of ours was removed: fail the requests that were sent from it."""
        for ping in list(self._waiting.values()):
            if ping.path.source == address:
                self.fail(ping, error)

    def forget(self, ping: Ping) -> None:
        """Remove a request without calling `on_result`."""
        key = (ping.identifier, ping.sequence)
        if self._waiting.get(key) is ping:
            del self._waiting[key]
            ping.path.close()
            if not self._waiting:
                self.deadline = math.inf

    def fail(self, ping: Ping, error: int, icmp_error: IcmpError | None = None) -> None:
        self.forget(ping)
        ping.on_result(EchoFailure(ping.destination, ping.identifier, ping.sequence, error, icmp_error))
