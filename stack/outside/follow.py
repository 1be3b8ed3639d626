"""Follows the connections of a capture: which segment belongs to which, and what each is.

A connection begins with its SYN, not with a pair of ports: a SYN with another initial sequence
number begins a new connection between the same two sockets, the same SYN once more does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stack.link.captured import CapturedFrame
from stack.outside import acknowledged, infer, kinds, packet, resets, sent
from stack.outside.connection import MASK, SeenConnection, SeenEnd, SeenSegment
from stack.outside.fragments import Fragments
from stack.outside.limits import LIMITS, Limits
from stack.outside.mark import Mark
from stack.outside.options import take_syn_options
from stack.outside.packet import TcpPacket, tcp_packet
from stack.wire.tcp import ACK, FIN, RST, SYN

FAR = 1 << 32  # as far as both numbers of a segment together can be
LEAST_SEGMENT = 536  # octets of data that every receiver takes (RFC 9293 section 3.7.1): no super-frame
MOST_RECENT = 16  # datagrams of each end that are compared to find a copy


def follow(frames: Iterable[CapturedFrame], limits: Limits = LIMITS) -> Iterator[SeenConnection]:
    """The TCP connections that a capture shows, over IPv4 and IPv6.

    Never raises for any octets. A connection comes out when it cannot be followed any longer; those
    of a capture of ordinary size come out at its end, in the order of their first frames. `limits`
    bounds memory: see `Limits`.
    """
    follower = Follower(limits)
    for frame in frames:
        follower.take(frame)
        if follower.done:
            yield from follower.done
            follower.done.clear()
    yield from follower.end()


class Follower:
    """Takes the frames of a capture one by one.

    `take` returns the segment of a frame with its marks; its states are complete when `end` or
    `done` gives out the connection. `done` has the connections that are not followed any more; its
    owner empties it.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.done: list[SeenConnection] = []
        self._limits = limits
        self._between: dict[tuple[bytes, bytes], list[SeenConnection]] = {}
        self._followed: dict[int, SeenConnection] = {}
        self._kept = 0
        self._began = 0
        self._fragments = Fragments(limits.datagrams)

    def take(self, frame: CapturedFrame) -> SeenSegment | None:
        """Take one frame. None if it has no TCP segment, or only a part of one."""
        found = tcp_packet(frame, self._fragments)
        if found is None:
            return None
        key = pair(found.source, found.destination)
        connections = self._between.get(key)
        if connections is None:
            connections = self._between[key] = []
        connection, reused = self._choose(connections, found, frame)
        index = connection.index_of(found.source)
        sender, receiver = connection.ends[index], connection.ends[1 - index]
        segment = SeenSegment(
            frame.number, frame.time_ns, index, found.seq, found.ack, found.flags, found.window, found.length,
            found.options,
        )  # fmt: skip
        segment.data_at = found.data_at
        marks = marks_of_the_capture(sender, receiver, found, frame.number)
        if reused is not None:
            marks.append(Mark(kinds.PORT_REUSED, 0, reused))
        if found.checksum == packet.WRONG:
            take_damaged(connection, segment, self._limits.outstanding)
        else:
            marks += judge(connection, segment, self._limits.outstanding)
            infer.infer(connection, segment, captured_where_it_arrived(sender, receiver, frame))
        segment.marks = tuple(marks)
        self._keep(connection, segment)
        return segment

    def end(self) -> list[SeenConnection]:
        """The capture is over: the connections that are still followed, in order."""
        left = sorted(self._followed.values(), key=lambda connection: connection.number)
        for connection in left:
            self._finish(connection)
        self._between.clear()
        self._followed.clear()
        return left

    # --- which connection

    def _choose(
        self, connections: list[SeenConnection], found: TcpPacket, frame: CapturedFrame
    ) -> tuple[SeenConnection, int | None]:
        """The connection of a segment, and the first frame of the one whose ports it uses again."""
        if found.flags & SYN and not found.flags & (ACK | RST):
            for connection in reversed(connections):
                index = connection.index_of(found.source)
                sender, receiver = connection.ends[index], connection.ends[1 - index]
                if sender.iss == found.seq:
                    return connection, None
                if sender.nxt is None and receiver.iss is not None and receiver.ack is None:
                    return connection, None  # it crosses the SYN of the other end
            return self._begin(connections, found, frame)
        fitting = connections
        if found.flags & SYN:
            fitting = [connection for connection in connections if may_begin(connection, found)]
        if not fitting:
            return self._begin(connections, found, frame)
        if len(fitting) == 1:
            return fitting[0], None
        return min(reversed(fitting), key=lambda connection: distance(connection, found)), None

    def _begin(
        self, connections: list[SeenConnection], found: TcpPacket, frame: CapturedFrame
    ) -> tuple[SeenConnection, int | None]:
        reused = connections[-1].first_number if connections else None
        if len(self._followed) >= self._limits.connections:
            by_silence = sorted(self._followed.values(), key=lambda connection: connection.last_number)
            for silent in by_silence[: 1 + len(by_silence) // 10]:
                silent.marks += (Mark(kinds.GIVEN_OUT_EARLY),)
                self._give_out(silent)
        if len(connections) >= self._limits.same_ports:
            self._give_out(connections[0])
        self._began += 1
        connection = SeenConnection(self._began, found.source, found.destination)
        connection.first_number, connection.first_time_ns = frame.number, frame.time_ns
        if connections:
            # The peer may still have the old connection, and challenge the SYN.
            old = connections[-1]
            old.ends[old.index_of(found.destination)].provoked = frame.number
        # `connections` may have been forgotten with a connection that was given out.
        self._between.setdefault(pair(found.source, found.destination), connections).append(connection)
        self._followed[connection.number] = connection
        if not found.flags & SYN:
            connection.marks += (Mark(kinds.BEGAN_BEFORE),)
            infer.assume_established(connection)
        elif found.flags & ACK:
            connection.marks += (Mark(kinds.BEGAN_BEFORE),)
        else:
            connection.began = True
        return connection, reused

    # --- how much is kept

    def _keep(self, connection: SeenConnection, segment: SeenSegment) -> None:
        connection.last_number, connection.last_time_ns = segment.number, segment.time_ns
        counts = connection.counts
        for mark in segment.marks:
            name = mark.kind.name
            counts[name] = counts.get(name, 0) + 1
        if self._kept < self._limits.segments:
            connection.segments.append(segment)
            self._kept += 1
        else:
            connection.left_out += 1

    def _give_out(self, connection: SeenConnection) -> None:
        key = pair(connection.ends[0].socket, connection.ends[1].socket)
        connections = self._between[key]
        connections.remove(connection)
        if not connections:
            del self._between[key]
        del self._followed[connection.number]
        self._kept -= len(connection.segments)
        self._finish(connection)
        self.done.append(connection)

    def _finish(self, connection: SeenConnection) -> None:
        infer.settle(connection)
        if connection.left_out:
            connection.marks += (Mark(kinds.NOT_KEPT, connection.left_out),)


def pair(source: bytes, destination: bytes) -> tuple[bytes, bytes]:
    """Two sockets in the same order, whichever of them sends."""
    return (source, destination) if source <= destination else (destination, source)


def may_begin(connection: SeenConnection, found: TcpPacket) -> bool:
    """Whether a SYN,ACK has the number of this connection: its sender has said nothing else yet."""
    sender = connection.ends[connection.index_of(found.source)]
    return sender.nxt is None or found.seq == sender.base


def distance(connection: SeenConnection, found: TcpPacket) -> int:
    """How far the numbers of a segment are from those that the connection expects next.

    If one end has said nothing yet, the number of the other must be exactly the next one.
    """
    index = connection.index_of(found.source)
    sent_next, received_next = connection.ends[index].nxt, connection.ends[1 - index].nxt
    if not found.flags & ACK:
        return FAR if sent_next is None else between(found.seq, sent_next)
    if sent_next is None or (found.flags & RST and not found.seq):  # a reset that answers a SYN has no number
        return 0 if found.ack == received_next else FAR
    if received_next is None:
        return 0 if found.seq == sent_next else FAR
    return between(found.seq, sent_next) + between(found.ack, received_next)


def between(a: int, b: int) -> int:
    """The way from one number to another on the circle, the shorter way round."""
    ahead = (a - b) & MASK
    return min(ahead, MASK + 1 - ahead)


def marks_of_the_capture(sender: SeenEnd, receiver: SeenEnd, found: TcpPacket, number: int) -> list[Mark]:
    """What the frame says of how it was captured: offload, fragments, damage."""
    marks: list[Mark] = []
    if found.checksum == packet.WRONG:
        marks.append(Mark(kinds.WRONG_CHECKSUM))
    elif found.checksum == packet.PARTIAL:
        marks.append(Mark(kinds.PARTIAL_CHECKSUM))
    if found.length > LEAST_SEGMENT:
        if found.length_left_out or (receiver.mss is not None and found.length > receiver.mss):
            marks.append(Mark(kinds.SUPER_FRAME, found.length))
    if found.identification > 0:
        copied = copy_of(sender, found, number)
        if copied:
            marks.append(Mark(kinds.COPY, 0, copied))
    if found.fragments:
        marks.append(Mark(kinds.REASSEMBLED, found.fragments))
    return marks


def captured_where_it_arrived(sender: SeenEnd, receiver: SeenEnd, frame: CapturedFrame) -> bool:
    """Whether the capture was made at the receiver of a frame, by what it says of directions.

    A router sees a frame twice: it comes in, and goes out. Its frames have not arrived.
    """
    if frame.direction == "in":
        sender.local = False
        return receiver.local is True
    if frame.direction == "out" and sender.local is None:
        sender.local = True
    return False


def copy_of(sender: SeenEnd, found: TcpPacket, number: int) -> int:
    """The frame of which this datagram is a copy; 0 for none."""
    recent = sender.recent
    same = (found.identification, found.seq, found.ack, found.flags, found.length, found.window, found.options)
    copied = recent.pop(same, 0)
    recent[same] = copied or number
    if len(recent) > MOST_RECENT:
        del recent[next(iter(recent))]
    return copied


def judge(connection: SeenConnection, segment: SeenSegment, most_outstanding: int) -> list[Mark]:
    """The marks of a segment, in the order in which they are asked for; then it is remembered."""
    sender, receiver = connection.ends[segment.end], connection.ends[1 - segment.end]
    flags = segment.flags
    marks: list[Mark] = []
    if flags & SYN:
        marks += begin(connection, sender, receiver, segment)
    elif connection.rtt_ns is None and flags & ACK and not segment.end:
        if connection.began and receiver.iss is not None:  # the ACK that ends the handshake
            connection.rtt_ns = segment.time_ns - connection.syn_time_ns
    acknowledged.take_probe(receiver, segment)
    if sent.is_probe(sender, receiver, segment):
        marks.append(sent.PROBE)
        sender.probed = segment.seq
    else:
        placed = sent.judge_place(sender, receiver, segment)
        if placed is not None:
            marks.append(placed)
        windowed = acknowledged.judge_window(sender, segment)
        if windowed is not None:
            marks.append(windowed)
        if sent.fills_window(connection, receiver, segment):
            marks.append(sent.FULL)
        repeated = acknowledged.judge_challenge(sender, segment)
        if repeated is None:
            repeated = acknowledged.judge_repetition(sender, receiver, segment)
        if repeated is not None:
            marks.append(repeated)
        if (segment.length or flags & (SYN | FIN)) and placed not in sent.NOT_NEW:
            marks += sent.judge_data(connection, sender, receiver, segment)
        sent.remember_sent(sender, segment, most_outstanding)
    unseen = acknowledged.judge_ack(receiver, segment)
    if unseen is not None:
        marks.append(unseen)
    if flags & RST:
        marks += resets.judge_reset(connection, sender, receiver, segment)
    if flags & FIN and receiver.fin is not None and sender.fin is None and sent.before(segment.ack, receiver.fin):
        marks.append(Mark(kinds.SIMULTANEOUS_CLOSE))
    acknowledged.remember_ack(sender, receiver, segment)
    sender.provoked = 0
    sender.last, sender.last_time_ns = tuple(marks), segment.time_ns
    sender.octets += segment.length
    return marks


def take_damaged(connection: SeenConnection, segment: SeenSegment, most_outstanding: int) -> None:
    """A segment with a wrong checksum. If its number is the next one, its sender has sent it.

    What it acknowledges, and its window, may be what is damaged.
    """
    sender, receiver = connection.ends[segment.end], connection.ends[1 - segment.end]
    answers = segment.flags & (SYN | ACK) == SYN | ACK and sender.nxt is None and segment.ack == receiver.nxt
    if segment.seq == sender.nxt or answers:
        sent.remember_sent(sender, segment, most_outstanding)


def begin(connection: SeenConnection, sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> list[Mark]:
    """What a SYN tells: the initial sequence number and the options."""
    if not segment.end:
        connection.syn_time_ns = segment.time_ns
    if sender.iss == segment.seq:
        return []
    sender.iss = sender.base = segment.seq
    take_syn_options(connection, sender, receiver, segment)
    if not segment.flags & ACK and receiver.iss is not None and receiver.ack is None:
        return [Mark(kinds.SIMULTANEOUS_OPEN)]
    if segment.flags & ACK and receiver.base is None:
        receiver.base = (segment.ack - 1) & MASK  # the ISS of the SYN that was not captured
    return []
