"""A peer that a test leads by the hand: by a script, by rules, or by one of the misbehaviours.

It is a station on a wire without a stack. See RFC 9293 for what a TCP should do instead.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Unpack

import trio

from stack.errors import BadPacket
from stack.link.device import Link
from stack.link.memory import Ethernet
from stack.testing.conversation import Conversation, Received, SegmentFields
from stack.testing.frame_sender import FrameSender, Heard, segment_in
from stack.wire.addresses import MAC_BROADCAST, format_ipv4, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.checksum import pseudo_sum, verify
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import ACK, FIN, RST, SYN, flag_names

ADDRESS = "10.9.0.66"
QUEUE_LIMIT = 10_000  # segments that wait for `expect`, and frames that wait for the peer
LOG_LINES = 1000
SHOWN_LINES = 40  # of the log, in an error
KEPT_CONVERSATIONS = 10_000
ARP_PATIENCE_S = 5.0

Predicate = Callable[[Received], object]
Action = Callable[[Received], object]
Misbehaviour = Callable[["Peer"], object]


class PeerError(AssertionError):
    """What the peer expected has not come: says what was expected, what came, and all before it."""


class Rule:
    """What `Peer.when` has asked for; `left` is how often it still applies."""

    def __init__(self, predicate: Predicate, action: Action, left: float, instead: bool) -> None:
        self.predicate = predicate
        self.action = action
        self.left = left
        self.instead = instead


def is_noise(segment: Received) -> bool:
    """Whether a script need not mention a segment: a bare ACK, or one that was taken before."""
    if not segment.flags & (SYN | FIN | RST) and not segment.data:
        return True
    return segment.length > 0 and segment.seq + segment.length <= segment.conversation.next_ack


def nothing(segment: Received) -> bool:
    """No segment: with `skip=nothing`, `Peer.expect` wants exactly the next one."""
    return False


def no_limit(conversation: Conversation) -> None:
    """Do nothing at the limit, which is never reached."""


class Peer(FrameSender):
    """The other end of TCP connections, which does what a test says. `open_peer` makes one.

    *A script.* At first it does nothing by itself but answer ARP. `expect` waits for a segment of
    the host, `send` sends one: each field is as you say.

    *By itself.* After `answers`, `when`, `misbehaves` or `connect` it is a small honest server: it
    accepts connections to every port, acknowledges data at once, sends its answers, and answers FIN
    with FIN. It never sends a segment again, keeps no segment that comes too early, and offers no
    option but the MSS. So it belongs on a wire that loses nothing. `when` and the misbehaviours of
    this package change what it does. `expect` can be used, too: it looks at what has come.

    Settings of the second kind, which a misbehaviour changes:
      window: what it offers, in octets. takes: how many octets it takes in all; None: any number.
      segment_octets: the most data in a segment. gap_s: seconds before each segment with data.
      delay_s: seconds between a request and its answer.
      copies: how often each segment is sent. breaks_checksum_of_every: n for each n-th segment with
      data, 0 for none. closes: whether it answers FIN with FIN.
      limit: how many octets it sends, and what it does then (a function of the conversation).

    `log` has a line for each segment, `conversations` each connection, `current` the last one that
    `expect` or `connect` was about.
    """

    def __init__(self, link: Link, address: str = ADDRESS) -> None:
        if link.mac is None:
            raise ValueError(f"{link.name} carries bare IP packets: a peer needs an Ethernet")
        super().__init__(address, link.mac)
        self.link = link
        self.window = 65535
        self.takes: int | None = None
        self.segment_octets = 1460
        self.gap_s = 0.0
        self.delay_s = 0.0
        self.copies = 1
        self.breaks_checksum_of_every = 0
        self.closes = True
        self.limit: tuple[float, Callable[[Conversation], object]] = (math.inf, no_limit)
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.conversations: list[Conversation] = []
        self.current: Conversation | None = None
        self._by_ports: dict[tuple[bytes, int, int], Conversation] = {}
        self._rules: list[Rule] = []
        self._arrived: deque[Received] = deque()
        self._overflowed = 0
        self._by_itself = False
        self._response: bytes | Callable[[bytes], bytes] | None = None
        self._request_end = b""
        self._closes_after_answer = False
        self._news = trio.Event()
        self._woken = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._began: float | None = None
        self._next_port = 40_000

    def __repr__(self) -> str:
        return f"<Peer {format_ipv4(self.address)}: {len(self.conversations)} conversations>"

    # --- what it does by itself

    def answers(self, response: bytes | Callable[[bytes], bytes], *, to: bytes = b"", close: bool = False) -> None:
        r"""Send `response` for each request: octets, or a function that gets the request.

        A request ends with `to`, such as b"\r\n\r\n"; with b"" all that has come is one. With
        `close` the peer sends FIN after the answer.
        """
        self._response, self._request_end, self._closes_after_answer = response, to, close
        self._by_itself = True

    def when(self, predicate: Predicate, action: Action, *, times: float = math.inf, instead: bool = True) -> None:
        """Call `action(segment)` for each segment of the host that meets `predicate(segment)`.

        The action takes the place of the peer's own answer, and the segment counts as not taken.
        With `instead=False` the peer's own answer follows. Of the rules that apply, the first one
        that was given counts. `times` is how often it applies. What either function raises ends the
        test.
        """
        self._rules.append(Rule(predicate, action, times, instead))
        self._by_itself = True

    def misbehaves(self, *misbehaviours: Misbehaviour) -> None:
        """Apply misbehaviours: functions that change the settings and rules of a peer."""
        self._by_itself = True
        for misbehaviour in misbehaviours:
            misbehaviour(self)

    def answer_request(self, conversation: Conversation) -> None:
        """Answer the requests that a conversation has received whole."""
        while self._response is not None and conversation.received:
            end = len(conversation.received)
            if self._request_end:
                found = conversation.received.find(self._request_end)
                if found < 0:
                    return
                end = found + len(self._request_end)
            request = bytes(conversation.received[:end])
            del conversation.received[:end]
            conversation.answered += 1
            response = self._response if isinstance(self._response, bytes) else self._response(request)
            if self.delay_s:
                self.start_soon(self._answer_late, conversation, response)
            else:
                self._answer(conversation, response)

    async def _answer_late(self, conversation: Conversation, response: bytes) -> None:
        await trio.sleep(self.delay_s)
        self._answer(conversation, response)

    def _answer(self, conversation: Conversation, response: bytes) -> None:
        conversation.say(response)
        if self._closes_after_answer:
            conversation.finish()

    # --- a script

    async def expect(
        self,
        flags: int | None = None,
        *,
        data: bytes | None = None,
        seq: int | None = None,
        ack: int | None = None,
        where: Predicate | None = None,
        within_s: float = 60.0,
        skip: Predicate = is_noise,
    ) -> Received:
        """Wait for the host's next segment. PeerError if it is another, or none comes.

        `flags`: SYN, FIN and RST must be as said, and ACK of a segment with SYN. Other flags that
        are said must be set, and others may be. `data`, `seq` and `ack` must be equal; the numbers
        count from the SYNs. `where` is a further condition. None means any. A segment that does
        not fit is passed over if `skip(segment)` is true: by default a bare ACK, and one that was
        taken before. With `skip=nothing` none is.

        The segment is taken: the next `send` acknowledges it. Its conversation is `current` now.
        """
        wanted = wanted_text(flags, data, seq, ack, where)
        deadline = trio.current_time() + within_s
        await trio.lowlevel.checkpoint()
        while True:
            while self._arrived:
                segment = self._arrived.popleft()
                fits = fits_flags(segment.flags, flags) and all(
                    said is None or said == real
                    for said, real in ((data, segment.data), (seq, segment.seq), (ack, segment.ack))
                )
                if fits and (where is None or where(segment)):
                    self.current = segment.conversation
                    segment.conversation.take(segment)
                    return segment
                if not skip(segment):
                    raise self._error(f"expected {wanted}\nbut got  {segment.line}")
                segment.conversation.take(segment)
            self._news = trio.Event()
            with trio.move_on_at(deadline) as scope:
                await self._news.wait()
            if scope.cancelled_caught and not self._arrived:
                raise self._error(f"expected {wanted}\nbut nothing of the kind came within {within_s:g} s")

    async def expect_nothing(self, *, for_s: float = 1.0, skip: Predicate = nothing) -> None:
        """Wait `for_s` seconds. PeerError if the host sends a segment that is not to be skipped."""
        deadline = trio.current_time() + for_s
        await trio.sleep_until(deadline)
        while self._arrived:
            segment = self._arrived.popleft()
            if not skip(segment):
                raise self._error(f"expected nothing for {for_s:g} s\nbut got  {segment.line}")

    async def send(
        self,
        flags: int = ACK,
        data: bytes = b"",
        **fields: Unpack[SegmentFields],
    ) -> None:
        """Send a segment in the current conversation; see `Conversation.transmit` for the fields.

        RuntimeError before the first `expect`, `connect` or `toward`.
        """
        if self.current is None:
            raise RuntimeError("there is no conversation yet: expect(SYN), or await peer.toward(address, port)")
        self.current.transmit(flags, data, **fields)
        await trio.lowlevel.checkpoint()

    async def toward(self, address: str, port: int) -> Conversation:
        """Make a conversation with a port of a host, and make it the current one. It sends no SYN.

        PeerError if the host does not answer ARP.
        """
        target = parse_ipv4(address)
        if target not in self.stations:
            self.says_arp(REQUEST, self.address, target)
            with trio.move_on_after(ARP_PATIENCE_S):
                while target not in self.stations:
                    self._news = trio.Event()
                    await self._news.wait()
            if target not in self.stations:
                raise self._error(f"expected {address} to answer ARP\nbut nothing came within {ARP_PATIENCE_S:g} s")
        self._next_port += 1
        self.current = self._new(target, port, self._next_port)
        return self.current

    async def connect(self, address: str, port: int) -> Conversation:
        """Open a connection to a server on a host, and return it established.

        PeerError if that takes more than a minute. `conversation.say(data)` sends data, `finish()`
        sends FIN.
        """
        conversation = await self.toward(address, port)
        self._by_itself = True
        conversation.transmit(SYN)
        with trio.move_on_after(60):
            while not conversation.established and not conversation.forgotten:
                self._news = trio.Event()
                await self._news.wait()
        if not conversation.established:
            raise self._error(f"expected SYN,ACK from {address}:{port}\nbut the connection was not established")
        return conversation

    # --- the log

    def log_line(self, direction: str, line: str, bad_checksum: bool = False) -> None:
        """Add a line to `log`: ">" for a segment of the peer, "<" for one of the host."""
        now = trio.current_time()
        self._began = now if self._began is None else self._began
        self.log.append(f"{now - self._began:12.6f} {direction} {line}{' (bad checksum)' if bad_checksum else ''}")

    def _error(self, what: str) -> PeerError:
        lines = list(self.log)[-SHOWN_LINES:]
        told = "\n".join(lines) if lines else "  no segment"
        more = f"\n({self._overflowed} segments were not kept for `expect`)" if self._overflowed else ""
        return PeerError(f"{what}\nso far, > from the peer, < from the host, numbers from each SYN:\n{told}{more}")

    # --- the wire

    def says(self, frame: bytes) -> None:
        """Put a frame on the wire."""
        self.link.write([frame], trio.current_time())

    def start_soon(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a task that ends with the peer."""
        assert self._nursery is not None
        self._nursery.start_soon(function, *arguments)

    async def sleep(self, seconds: float) -> None:
        """Wait, on trio's clock."""
        await trio.sleep(seconds)

    def _wake(self) -> None:
        self._woken.set()

    async def run(self, nursery: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
        """Read frames until cancelled; `open_peer` starts it."""
        self._nursery = nursery
        link = self.link
        link.open(self._wake)
        task_status.started()
        try:
            while True:
                self._woken = trio.Event()
                now = trio.current_time()
                if link.deadline <= now:
                    link.poll(now)
                while (view := link.read(now)) is not None:
                    self._take_frame(bytes(view), now)
                with trio.move_on_at(link.deadline):
                    await self._woken.wait()
        finally:
            link.close()

    def _take_frame(self, frame: bytes, now: float) -> None:
        try:
            header = EthernetHeader.parse(frame)
            if header.destination not in (self.mac, MAC_BROADCAST):
                return
            if header.ethertype == ETHERTYPE_ARP:
                self._take_arp(ArpPacket.parse(frame[14:]))
            elif header.ethertype == ETHERTYPE_IPV4:
                ip = Ipv4Header.parse(frame[14:])
                if ip.protocol == PROTO_TCP and ip.destination == self.address and not ip.is_fragment:
                    self._take_packet(frame[14 : 14 + ip.total_length], ip, now)
        except BadPacket as error:
            self.log_line("<", f"a damaged frame: {error}")

    def _take_arp(self, packet: ArpPacket) -> None:
        self.stations[packet.sender_ip] = packet.sender_mac
        self._news.set()
        if packet.operation == REQUEST and packet.target_ip == self.address:
            self.says_arp(REPLY, self.address, packet.sender_ip, packet.sender_mac)

    def _take_packet(self, packet: bytes, ip: Ipv4Header, now: float) -> None:
        segment = packet[ip.header_length :]
        if not verify(segment, pseudo_sum(ip.source, ip.destination, PROTO_TCP, len(segment))):
            raise BadPacket("tcp_bad_checksum")
        heard = segment_in(packet, ip)
        conversation = self._of(heard)
        conversation.note(heard)
        received = Received(now, heard, conversation)
        self.log_line("<", received.line)
        if len(self._arrived) == QUEUE_LIMIT:
            self._arrived.popleft()
            self._overflowed += 1
        self._arrived.append(received)
        if self._by_itself:
            self._react(received)
        self._news.set()

    def _of(self, heard: Heard) -> Conversation:
        """The conversation of a segment; a new one for a SYN to ports that are free."""
        ports = heard.ip.source, heard.tcp.source_port, heard.tcp.destination_port
        known = self._by_ports.get(ports)
        opens = heard.tcp.flags & (SYN | ACK | RST) == SYN
        if known is not None and not (known.forgotten and opens):
            return known
        conversation = self._new(*ports)
        conversation.forgotten = not heard.tcp.flags & SYN
        return conversation

    def _new(self, remote: bytes, remote_port: int, local_port: int) -> Conversation:
        conversation = Conversation(self, remote, remote_port, local_port)
        if len(self.conversations) == KEPT_CONVERSATIONS:
            oldest = self.conversations.pop(0)
            self._by_ports.pop((oldest.remote, oldest.remote_port, oldest.local_port), None)
        self.conversations.append(conversation)
        self._by_ports[remote, remote_port, local_port] = conversation
        return conversation

    def _react(self, segment: Received) -> None:
        conversation = segment.conversation
        if not conversation.silent and not conversation.forgotten:
            for rule in self._rules:
                if rule.left > 0 and rule.predicate(segment):
                    rule.left -= 1
                    rule.action(segment)
                    if rule.instead:
                        return
                    break
        conversation.answer(segment)


def fits_flags(real: int, said: int | None) -> bool:
    """Whether the flags of a segment are those that `Peer.expect` was told."""
    if said is None:
        return True
    exact = SYN | FIN | RST | (ACK if said & SYN else 0)
    return real & exact == said & exact and real & said == said


def wanted_text(flags: int | None, data: bytes | None, seq: int | None, ack: int | None, where: object) -> str:
    """What `Peer.expect` was told, for its error."""
    parts = ["a segment" if flags is None else flag_names(flags)]
    for name, value in (("seq", seq), ("ack", ack), ("data", data)):
        if value is not None:
            parts.append(f"{name} {value!r}")
    if where is not None:
        parts.append(f"where {getattr(where, '__name__', where)}")
    return " ".join(parts)


@asynccontextmanager
async def open_peer(wire: Ethernet | Link, *misbehaviours: Misbehaviour, address: str = ADDRESS) -> AsyncIterator[Peer]:
    """Run a peer with `address` on a wire: an `Ethernet`, or a link of memory that wraps a port.

    ValueError for a link of bare IP packets.

    >>> async with stack.testing.open_peer(ethernet, stack.testing.resets_after(sent=100)) as peer:
    ...     peer.answers(b"HTTP/1.1 200 OK\\r\\n...")
    """
    link = wire.attach("peer", queue_limit=QUEUE_LIMIT) if isinstance(wire, Ethernet) else wire
    peer = Peer(link, address)
    if misbehaviours:
        peer.misbehaves(*misbehaviours)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(peer.run, nursery)
            yield peer
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The nursery is a detail: what the block raises leaves it as it was raised.
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None
