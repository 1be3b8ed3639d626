"""ICMP errors that we send: when one may be sent, what it quotes, and how often.

See RFC 1122 section 3.2.2 and RFC 1812 section 4.3.2 (576 bytes of quotation, rate limits). The
former forbids an error about an error, about a broadcast, about a fragment other than the first,
and to a source that is not a single host.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.config import IcmpConfig
from stack.counters import Counters
from stack.internet.fragments import Expired
from stack.internet.ipv4_output import Ipv4Output
from stack.internet.rate import RateLimit
from stack.internet.received import Received
from stack.trace.trace import Trace
from stack.wire import icmp
from stack.wire.addresses import BROADCAST, format_ipv4, is_class_e, is_loopback, is_multicast, is_this_network
from stack.wire.checksum import Buffer, internet_checksum, pseudo_sum
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.udp import LENGTH_AT
from stack.wire.virtio import TCP_CHECKSUM, UDP_CHECKSUM

_HEADERS = 28
"""The length of the IP and ICMP headers of an error."""

_CHECKSUM_AT = {PROTO_TCP: TCP_CHECKSUM, PROTO_UDP: UDP_CHECKSUM}

OUT_COUNTERS: dict[int, str] = {
    icmp.ECHO_REPLY: "icmpOutEchoReps",
    icmp.UNREACHABLE: "icmpOutDestUnreachs",
    icmp.ECHO_REQUEST: "icmpOutEchos",
    icmp.TIME_EXCEEDED: "icmpOutTimeExcds",
    icmp.PARAMETER_PROBLEM: "icmpOutParmProbs",
    icmp.TIMESTAMP_REPLY: "icmpOutTimestampReps",
}


class IcmpOutput:
    """Sends ICMP messages.

    Arguments: `Config.icmp`, the counters, IP's output side, `random(n)`, which returns n secret
    bytes, and the trace, which tells the observers.
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
        self.limit = RateLimit(
            (config.error_rate_per_peer, config.error_burst_per_peer),
            (config.error_rate, config.error_burst),
            config.error_peers_max,
            random,
        )

    def send_message(
        self,
        source: bytes | None,
        destination: bytes,
        message: IcmpMessage,
        because: str,
        now: float,
        *,
        tos: int = 0,
        options: bytes = b"",
    ) -> bool:
        """Send a message; returns whether it was sent.

        A message that cannot be sent is counted and dropped. `because` is told to observers.
        """
        random_ident = message.type in icmp.ERRORS
        self.counters["icmpOutMsgs"] += 1
        self.counters[OUT_COUNTERS[message.type]] += 1
        if self._trace.on:
            to = format_ipv4(destination)
            self._trace.tell("icmp:sent", "host", because, type=message.type, code=message.code, to=to)
            self._trace.verdict("answered")  # no frame says it where the answer goes by the loopback
        try:
            self.output.send(
                source,
                destination,
                PROTO_ICMP,
                [message.build()],
                now,
                tos=tos,
                options=options,
                random_ident=random_ident,
            )
        except OSError:
            self.counters.drop("icmpOutErrors")
            return False
        return True

    # --- errors about a datagram that came in

    def protocol_unreachable(self, received: Received) -> None:
        """Report that no handler takes the datagram's protocol (RFC 1122 section 3.2.2.1)."""
        self._send_error(
            received, icmp.unreachable(icmp.PROTOCOL_UNREACHABLE, self._quote(received)), "icmp_no_protocol"
        )

    def port_unreachable(self, received: Received) -> None:
        """Report that no socket is bound to the datagram's port (RFC 1122 section 4.1.3.1)."""
        self._send_error(received, icmp.unreachable(icmp.PORT_UNREACHABLE, self._quote(received)), "icmp_no_port")

    def source_route_failed(self, received: Received) -> None:
        """Report that the datagram's source route goes on from here: we forward nothing.

        See RFC 1122 section 3.3.5.
        """
        self._send_error(
            received, icmp.unreachable(icmp.SOURCE_ROUTE_FAILED, self._quote(received)), "icmp_no_forwarding"
        )

    def parameter_problem(self, received: Received, pointer: int) -> None:
        """Report that the byte at `pointer` of the datagram's header is wrong.

        See RFC 1122 section 3.2.2.5.
        """
        self._send_error(received, icmp.parameter_problem(pointer, self._quote(received)), "icmp_wrong_header")

    def reassembly_exceeded(self, expired: Expired, now: float) -> None:
        """Report that fragments of a datagram did not come in time (RFC 1122 section 3.3.2).

        Nothing is sent when the first fragment is missing.
        """
        header = expired.header
        if header is None:
            return
        interface = expired.interface
        broadcast = not any(prefix.address == header.destination for prefix in interface.addresses)
        received = Received(
            interface=interface,
            source=header.source,
            destination=header.destination,
            local=header.destination,
            protocol=header.protocol,
            ttl=header.ttl,
            tos=header.tos,
            options=header.options,
            payload=b"",
            quote=expired.quote,
            broadcast=broadcast and not interface.loopback,
            checksum_ok=False,
            now=now,
        )
        self._send_error(
            received, icmp.time_exceeded(icmp.REASSEMBLY_EXCEEDED, self._quote(received)), "icmp_fragments_missing"
        )

    def _quote(self, received: Received) -> bytes:
        return bytes(_with_full_checksum(received)[: self.config.error_bytes_max - _HEADERS])

    def _send_error(self, received: Received, message: IcmpMessage, because: str) -> None:
        forbidden = self.forbidden(received)
        if forbidden:
            if self._trace.on:
                source = format_ipv4(received.source)
                self._trace.tell("icmp:not_sent", "host", forbidden, type=message.type, code=message.code, to=source)
            return
        if not self.limit.allow(received.source, received.now):
            self.counters.drop("icmp_error_rate_limited")
            return
        self.send_message(received.local, received.source, message, because, received.now)

    def forbidden(self, received: Received) -> str:
        """Why no error about this datagram may be sent, or "" if one may.

        These are the exceptions of RFC 1122 section 3.2.2.
        """
        source = received.source
        if received.broadcast or is_multicast(received.destination):
            return "icmp_not_about_broadcast"
        if is_this_network(source) or is_multicast(source) or is_class_e(source) or source == BROADCAST:
            return "icmp_not_to_many"
        if is_loopback(source) and not received.interface.loopback:
            return "icmp_not_to_many"
        header = Ipv4Header.parse(received.quote, verify_checksum=False, quoted=True)
        if header.fragment_offset:
            return "icmp_not_about_later_fragment"
        if received.protocol == PROTO_ICMP:
            first = received.quote[header.header_length : header.header_length + 1]
            if len(first) != 1 or first[0] in icmp.ERRORS:
                return "icmp_not_about_error"
        return ""


def _with_full_checksum(received: Received) -> Buffer:
    """The datagram to quote, with a complete transport checksum.

    The original sender may compare the quote with what it has sent. With `checksum_ok` the field
    may hold only a partial checksum.
    """
    at = _CHECKSUM_AT.get(received.protocol)
    if not received.checksum_ok or at is None or len(received.payload) < at + 2:
        return received.quote
    segment = bytearray(received.payload)
    covered = len(segment)
    if received.protocol == PROTO_UDP:
        if segment[at : at + 2] == b"\0\0":
            return received.quote  # its sender computed no checksum
        # The checksum ends where UDP's length says
        covered = min(covered, int.from_bytes(segment[LENGTH_AT : LENGTH_AT + 2], "big"))
    segment[at : at + 2] = b"\0\0"
    pseudo = pseudo_sum(received.source, received.destination, received.protocol, covered)
    checksum = internet_checksum(segment[:covered], pseudo)
    if received.protocol == PROTO_UDP:
        checksum = checksum or 0xFFFF
    segment[at : at + 2] = checksum.to_bytes(2, "big")
    return bytes(received.quote[: -len(segment)]) + segment
