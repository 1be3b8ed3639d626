"""ICMP input: answers queries, hands errors to the protocol concerned, and follows Redirects.

See RFC 792, RFC 1122 section 3.2.2, RFC 1191 (fragmentation needed), RFC 5927 (which errors to
believe), RFC 6633 (no Source Quench) and RFC 6918 (no Information and Address Mask messages).
"""

from __future__ import annotations

from collections.abc import Callable

from stack.config import IcmpConfig
from stack.counters import Counters
from stack.errors import BadPacket
from stack.internet.echo import EchoClient
from stack.internet.icmp_error import IcmpError, read_error
from stack.internet.icmp_output import IcmpOutput
from stack.internet.ipv4_output import Ipv4Output
from stack.internet.received import Received
from stack.internet.reply_options import reply_route
from stack.trace.trace import Trace
from stack.wire import icmp
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP

ErrorHandler = Callable[[IcmpError, float], bool]
"""`(error, now)` returns whether the protocol has sent the quoted packet and still knows it.

See RFC 5927. Every message that changes a route, a path MTU or a connection passes such a handler
first.
"""

_IN_COUNTERS: dict[int, str] = {
    icmp.ECHO_REPLY: "icmpInEchoReps",
    icmp.UNREACHABLE: "icmpInDestUnreachs",
    icmp.SOURCE_QUENCH: "icmpInSrcQuenchs",
    icmp.REDIRECT: "icmpInRedirects",
    icmp.ECHO_REQUEST: "icmpInEchos",
    icmp.TIME_EXCEEDED: "icmpInTimeExcds",
    icmp.PARAMETER_PROBLEM: "icmpInParmProbs",
    icmp.TIMESTAMP_REQUEST: "icmpInTimestamps",
    icmp.TIMESTAMP_REPLY: "icmpInTimestampReps",
    icmp.MASK_REQUEST: "icmpInAddrMasks",
    icmp.MASK_REPLY: "icmpInAddrMaskReps",
}


class Icmp:
    """The ICMP module of one host.

    Arguments:
      config, counters, output: `Config.icmp`, the host's counters, and IP's output side.
      random: `(n)` returns n random bytes.
      clock_ms: `()` returns the milliseconds since midnight UT. With None Timestamp requests are
        not answered, and timestamp options are not filled in.
      trace: tells the observers, if there are any.

    A transport protocol registers its handler of errors in `error_handlers[protocol]`. A fast path
    (`stack.host.fast`) may set `on_echo_answered(received)`, which is called when an Echo Request
    has been answered.
    """

    def __init__(
        self,
        config: IcmpConfig,
        counters: Counters,
        output: Ipv4Output,
        random: Callable[[int], bytes],
        clock_ms: Callable[[], int] | None,
        trace: Trace,
    ) -> None:
        self.config = config
        self.counters = counters
        self.output = output
        self.errors = IcmpOutput(config, counters, output, random, trace)
        self.echo = EchoClient(config, counters, output, random, trace)
        self.on_echo_answered: Callable[[Received], None] | None = None
        self.error_handlers: dict[int, ErrorHandler] = {PROTO_ICMP: self.echo.receive_error}
        self.clock_ms = clock_ms
        output.on_unreachable = self.next_hop_failed

    def tables(self) -> dict[str, int]:
        """The numbers of waiting echo requests, and of peers with an error budget."""
        return {
            "echo_requests": len(self.echo),
            "icmp_error_peers": len(self.errors.limit),
        }

    def receive(self, received: Received) -> None:
        """Take an ICMP message. This is IP's handler of protocol 1."""
        self.counters["icmpInMsgs"] += 1
        try:
            message = IcmpMessage.parse(received.payload)
        except BadPacket as bad:
            self.counters["icmpInErrors"] += 1
            self.counters.drop(bad.reason)
            return
        if message.type in _IN_COUNTERS:
            self.counters[_IN_COUNTERS[message.type]] += 1
        try:
            self._dispatch(received, message)
        except BadPacket as bad:
            self.counters.drop(bad.reason)

    def _dispatch(self, received: Received, message: IcmpMessage) -> None:
        if message.type == icmp.ECHO_REQUEST:
            self._echo(received, message)
        elif message.type == icmp.ECHO_REPLY:
            self.echo.receive(received, message)
        elif message.type == icmp.TIMESTAMP_REQUEST:
            self._timestamp(received, message)
        elif message.type == icmp.SOURCE_QUENCH:
            raise BadPacket("icmp_source_quench")
        elif message.is_error:
            self._error(received, message)
        else:
            raise BadPacket("icmp_unknown_type")

    # --- queries

    def _echo(self, received: Received, message: IcmpMessage) -> None:
        """Send all the data back, with the same TOS (RFC 1122 sections 3.2.2.6 and 3.2.1.6)."""
        if received.broadcast and not self.config.answer_broadcast_echo:
            raise BadPacket("icmp_broadcast_echo")
        answered = self._answer(
            received, IcmpMessage(icmp.ECHO_REPLY, 0, message.rest, message.body), "icmp_echo_asked"
        )
        if answered and self.on_echo_answered is not None:
            self.on_echo_answered(received)

    def _timestamp(self, received: Received, message: IcmpMessage) -> None:
        """Answer a Timestamp request (RFC 1122 section 3.2.2.8)."""
        if self.clock_ms is None or not self.config.answer_timestamp or received.broadcast:
            raise BadPacket("icmp_timestamp")
        time_ms = self.clock_ms()
        originate = message.timestamps[0]
        reply = icmp.timestamp_reply(message.identifier, message.sequence, originate, time_ms, time_ms)
        self._answer(received, reply, "icmp_time_asked")

    def _answer(self, received: Received, message: IcmpMessage, because: str) -> bool:
        """Send an answer, with the request's route options if it has any.

        Returns whether it could be sent.
        """
        destination, options = received.source, b""
        if received.options:
            destination, options = reply_route(
                received.options,
                received.source,
                received.local,
                self.clock_ms,
                reverse=self.config.reverse_source_route,
            )
        return self.errors.send_message(
            received.local, destination, message, because, received.now, tos=received.tos, options=options
        )

    # --- errors

    def next_hop_failed(self, packet: bytes, error: int, now: float) -> None:
        """The next hop of a packet of ours does not answer: an error from this host to itself.

        Its protocol gets it as if a router had sent it: Host Unreachable (RFC 1812
        section 4.3.3.1), with the errno `error`.
        """
        header = Ipv4Header.parse(packet)
        quoted = packet[header.header_length :]
        handler = self.error_handlers.get(header.protocol)
        if handler is not None:
            told = IcmpError(
                icmp.UNREACHABLE, icmp.HOST_UNREACHABLE, header.source, header.source, header.destination,
                header.protocol, quoted, 0, error, False,
            )  # fmt: skip
            handler(told, now)

    def _error(self, received: Received, message: IcmpMessage) -> None:
        if received.broadcast:
            raise BadPacket("icmp_error_broadcast")
        header, quoted = message.quoted()
        if header.fragment_offset:
            raise BadPacket("icmp_bad_quote")
        if header.source != received.destination:  # RFC 792: it goes to the source of the quoted datagram
            raise BadPacket("icmp_not_our_datagram")
        path_mtu, _ = self.output.path_mtus.limit(header.destination, received.interface.mtu)
        error = read_error(message, received.source, header, quoted, path_mtu)
        if error is None:
            raise BadPacket("icmp_unknown_code")
        if message.type == icmp.REDIRECT:
            self._redirect(received, message, error)
            return
        if error.next_hop_mtu >= header.total_length:
            raise BadPacket("icmp_too_big_fits")
        self._believe(error, received.now)
        if error.next_hop_mtu:
            # TCP has checked that the quoted sequence number is in flight and that packets of this
            # size have not arrived (RFC 5927). For another protocol any host can learn a valid
            # quote from an answer of ours. So such an error changes the path MTU of that protocol
            # alone.
            protocol = None if error.protocol == PROTO_TCP else error.protocol
            self.output.lower_mtu(error.quoted_destination, error.next_hop_mtu, received.now, protocol=protocol)

    def _believe(self, error: IcmpError, now: float) -> None:
        """Hand an error to the protocol that it is about.

        Raises BadPacket if that protocol has not sent the quoted packet.
        """
        handler = self.error_handlers.get(error.protocol)
        if handler is None or not handler(error, now):
            raise BadPacket("icmp_error_unmatched")

    def _redirect(self, received: Received, message: IcmpMessage, error: IcmpError) -> None:
        """Take a Redirect. One that is not legal is discarded (RFC 1122 section 3.2.2.2).

        Two more checks are made, since any host can forge a Redirect. It must quote a datagram that
        we have sent. And by default the new gateway must be one of a configured route (as with
        Linux's `secure_redirects`).
        """
        routes, now = self.output.routes, received.now
        redirect = error.quoted_destination, message.gateway, received.source, received.interface, now
        if not self.config.accept_redirects or not routes.may_redirect(*redirect):
            raise BadPacket("icmp_bad_redirect")
        if self.config.secure_redirects and not routes.is_router(message.gateway, received.interface):
            raise BadPacket("icmp_redirect_unknown_router")
        self._believe(error, now)
        routes.redirect(*redirect)
