"""Ten questions of a student about a run with the kernel, each answered by a line of the log, which
names the clause.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass

import pytest
import trio

import stack
from stack.link.device import Link
from stack.link.impair import Impaired, Impairment
from stack.testing.frame_sender import segment_in
from stack.trace.reasons import REASONS
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP
from tests.live.net import OURS, THEIRS, Namespace
from tests.live.tap_host import on_tap, pair

pytestmark = pytest.mark.live

Scene = Callable[[stack.Host, Namespace], Awaitable[None]]


@dataclass(frozen=True)
class Question:
    """What a student asks, what happens, and the events that answer, in this order: name, reason, clause."""

    asks: str
    scene: Scene
    answers: tuple[tuple[str, str, str], ...]
    through: Callable[[stack.Tap], Link] = lambda tap: tap


async def told(recorder: stack.Recorder, question: Question) -> list[stack.Event]:
    """The events that answer, once all are there."""
    while len(found := answers_in(list(recorder), question)) < len(question.answers):
        await trio.sleep(0.01)
    return found


def answers_in(events: list[stack.Event], question: Question) -> list[stack.Event]:
    found: list[stack.Event] = []
    for event in events:
        if len(found) < len(question.answers):
            name, reason, clause = question.answers[len(found)]
            words = (event.data.get("because"), event.data.get("reason"))
            if event.name == name and reason in words and clause in event.why:
                found.append(event)
    return found


# --- what happens


@asynccontextmanager
async def connection(
    host: stack.Host, namespace: Namespace, *, active: bool = True
) -> AsyncIterator[tuple[trio.SocketStream, socket.socket]]:
    """A connection between us and the kernel. It stays until the question is answered."""
    stream, kernel = await pair(host, namespace, active=active)
    async with stream:
        with closing(kernel):
            yield stream, kernel
            await trio.sleep_forever()


async def three_octets_come(host: stack.Host, namespace: Namespace) -> None:
    """Our program does not read them."""
    async with connection(host, namespace, active=False) as (_, kernel):
        kernel.send(b"abc")


async def two_small_messages(host: stack.Host, namespace: Namespace) -> None:
    """The kernel's acknowledgment of the first is on its way for 0.2 s."""
    async with connection(host, namespace) as (stream, _):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)  # which trio has set
        await stream.send_all(b"a")
        await stream.send_all(b"b")


async def the_kernel_does_not_read(host: stack.Host, namespace: Namespace) -> None:
    async with connection(host, namespace) as (stream, kernel):
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await stream.send_all(bytes(10_000_000))


async def a_message_is_lost(host: stack.Host, namespace: Namespace) -> None:
    async with connection(host, namespace) as (stream, _):
        await stream.send_all(b"hello")


async def a_datagram_for_no_socket(host: stack.Host, namespace: Namespace) -> None:
    with closing(namespace.socket(socket.SOCK_DGRAM)) as kernel:
        kernel.sendto(b"is somebody there?", (OURS, 9))
        await trio.sleep(0.5)


async def a_connection_is_refused(host: stack.Host, namespace: Namespace) -> None:
    with closing(namespace.socket(socket.SOCK_STREAM)) as kernel, suppress(ConnectionRefusedError):
        await trio.to_thread.run_sync(kernel.connect, (OURS, 81))


async def we_ping(host: stack.Host, namespace: Namespace) -> None:
    await host.ping(THEIRS)


async def we_open(host: stack.Host, namespace: Namespace) -> None:
    async with connection(host, namespace):
        pass


async def we_close_first(host: stack.Host, namespace: Namespace) -> None:
    async with connection(host, namespace) as (stream, kernel):
        await stream.send_eof()
        await trio.to_thread.run_sync(kernel.recv, 1)
        kernel.close()


async def we_close_unread(host: stack.Host, namespace: Namespace) -> None:
    async with connection(host, namespace) as (stream, kernel):
        kernel.send(b"important")
        while host.counters()["tcpInSegs"] < 2:  # SYN,ACK, and the text
            await trio.sleep(0.01)
        await stream.aclose()


# --- wires


class FirstTexts:
    """Of what we send, the first segments with text are lost."""

    def __init__(self, count: int) -> None:
        self._left = count

    def __call__(self, frame: bytes, number: int) -> bool:
        if self._left and EthernetHeader.parse(frame).ethertype == ETHERTYPE_IPV4:
            ip = Ipv4Header.parse(frame[14:])
            if ip.protocol == PROTO_TCP and segment_in(frame[14 : 14 + ip.total_length], ip).data:
                self._left -= 1
                return True
        return False


def lossy(tap: stack.Tap) -> Link:
    return Impaired(tap, outgoing=Impairment(drop=FirstTexts(3)))


def slow(tap: stack.Tap) -> Link:
    return Impaired(tap, incoming=Impairment(delay_s=0.2))


QUESTIONS = (
    Question(
        "Why was this ACK sent alone?",
        three_octets_come,
        (("tcp:ack", "ack_delayed", "9293 SHLD-18"), ("tcp:ack", "ack_delay_over", "9293 MUST-40")),
    ),
    Question(
        "Why does my second message wait?",
        two_small_messages,
        (("tcp:blocked", "blocked_nagle", "9293 SHLD-7"),),
        slow,
    ),
    Question(
        "Why is nothing sent now?",
        the_kernel_does_not_read,
        (("tcp:blocked", "blocked_window_closed", "9293 MUST-36"), ("tcp:timer", "set_persist", "9293 SHLD-29")),
    ),
    Question(
        "Why again?",
        a_message_is_lost,
        (("tcp:send", "again_tail_probe", "8985-7.3-d"), ("tcp:send", "again_timeout", "6298-5-e")),
        lossy,
    ),
    Question(
        "Why was my UDP datagram not answered?",
        a_datagram_for_no_socket,
        (("host:drop", "udp_no_port", "1122-4.1.3.1-a"), ("icmp:sent", "icmp_no_port", "1122-4.1.3.1-a")),
    ),
    Question(
        "Why was my connection refused?",
        a_connection_is_refused,
        (
            ("host:drop", "tcp_no_connection", "9293-3.10.7.1-a"),
            ("tcp:reset", "reset_without_listener", "9293-3.10.7.1-b"),
        ),
    ),
    Question("Why does the host ask who has 10.9.0.1?", we_ping, (("arp:ask", "arp_no_entry", "826-gen-b"),)),
    Question(
        "Where does the first sequence number come from?",
        we_open,
        (("tcp:iss", "iss_by_clock_and_secret", "9293 MUST-8"),),
    ),
    Question(
        "Why is the connection still there?",
        we_close_first,
        (("tcp:state", "rcv_fin_after_ours", "9293-3.10.7.4-y"), ("tcp:timer", "set_time_wait", "9293 MUST-13")),
    ),
    Question("Why did you reset my connection?", we_close_unread, (("tcp:state", "unread_at_close", "9293 SHLD-3"),)),
)  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.asks for question in QUESTIONS])
def test_the_log_answers(namespace: Namespace, question: Question) -> None:
    recorder = stack.Recorder()

    async def run(host: stack.Host) -> list[stack.Event]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(question.scene, host, namespace)
            with trio.move_on_after(60):
                found = await told(recorder, question)
                nursery.cancel_scope.cancel()
                return found
            nursery.cancel_scope.cancel()
        log = "\n".join(
            f"{event.name} {event.data.get('because') or event.data.get('reason', '')} {event.why}"
            for event in recorder
        )
        pytest.fail(f"{question.asks} is not answered:\n{log}")

    found = on_tap(namespace, run, question.through, trace=recorder)
    for event in found:
        reason = event.data.get("because")
        print(event.name, REASONS[str(reason)].sentence if reason else event.data["meaning"], event.why)
