"""The small standard services, each a handler for one TCP stream and an answer to one UDP datagram.

See RFC 862 (echo), RFC 863 (discard), RFC 867 (daytime), RFC 865 (qotd), RFC 864 (chargen) and RFC
868 (time).
"""

from __future__ import annotations

import errno
import time
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio
from trio.abc import HalfCloseableStream as Stream

from .habits import Habits
from .output import report
from .slow_sends import PIECE_BYTES, SlowSendReaper, reset

if TYPE_CHECKING:
    from stack import Host

Handler = Callable[[Stream], Awaitable[None]]
Answer = Callable[[bytes], bytes | None]

RECEIVE_BYTES = 262144  # the size of a full receive buffer: fewer, larger reads
LEAST_READ_BYTES = 4096  # the size of a read when the handlers hold many octets
MOST_CLIENTS = 20_480  # of a service at a time; one more is reset
DATAGRAM_BYTES = 65535
# An ICMP error about an earlier answer, or no route to this client: other clients can still be answered.
ERRORS_OF_ONE_CLIENT = frozenset(
    (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMSGSIZE, errno.EACCES, errno.ENOBUFS)
)
ADDRESS_GONE = (errno.EADDRNOTAVAIL, errno.ENETDOWN)  # for example a lease that ended: stop serving on the address
# A client that vanished is detected after 60 + 8 * 15 s of silence.
KEEPALIVE = {trio.socket.TCP_KEEPIDLE: 60, trio.socket.TCP_KEEPINTVL: 15, trio.socket.TCP_KEEPCNT: 8}
PEER_CLOSE_S = 10.0  # how long a service that has sent everything waits for its client to close
QUOTE = b"Be liberal in what you accept, and conservative in what you send. (RFC 1122 section 1.2.2)\r\n"
EPOCH_1900_S = 2_208_988_800  # seconds from 1900, where RFC 868 starts to count, to 1970


# --- TCP --------------------------------------------------------------------------------------------------------------


class UnsentBytes:
    """Counts the octets that handlers have read and not sent yet, outside the host's memory budget.

    The more there are, the less a handler may read next, so that clients that read nothing cost a
    bounded amount.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.total = 0

    def may_read(self) -> int:
        """Return how many octets a handler may read next."""
        return max(min((self._most - self.total) // 8, RECEIVE_BYTES), LEAST_READ_BYTES)


UNSENT = UnsentBytes(8 << 20)


async def echo(stream: Stream) -> None:
    """Send back the data that arrives, until the other end has no more."""
    while data := await stream.receive_some(UNSENT.may_read()):
        count = len(data)
        UNSENT.total += count
        try:
            await stream.send_all(data)
        finally:
            UNSENT.total -= count
        del data  # so that a silent client costs no buffer


async def discard(stream: Stream) -> None:
    """Read and drop all data."""
    while await stream.receive_some(RECEIVE_BYTES):
        pass


async def chargen(stream: Stream) -> None:
    """Send the pattern until the client ends the connection; data from the client is dropped."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(discard, stream)
        while True:
            await stream.send_all(PATTERN_CHUNK)


def once(answer: Answer) -> Handler:
    """Return a handler that sends one message, ends its side and waits a little for the client's end."""

    async def handler(stream: Stream) -> None:
        await stream.send_all(answer(b"") or b"")
        await stream.send_eof()
        with trio.move_on_after(PEER_CLOSE_S):
            await discard(stream)

    return handler


# --- the messages -----------------------------------------------------------------------------------------------------


def daytime_text(_: bytes) -> bytes:
    """Return the local time as a line of text; RFC 867 does not prescribe a form."""
    return time.strftime("%A, %B %d, %Y %H:%M:%S-%Z\r\n").encode("ascii", "replace")


def quote_text(_: bytes) -> bytes:
    """Return the quote of the day, shorter than RFC 865's 512 characters."""
    return QUOTE


def time_bytes(_: bytes) -> bytes:
    """Return the seconds since 1900 as 32 bits in network byte order; they wrap to 0 in 2036."""
    return ((int(time.time()) + EPOCH_1900_S) % 2**32).to_bytes(4, "big")


def chargen_pattern() -> bytes:
    """Return RFC 864's pattern: lines of 72 of the 95 printing characters, each starting one later."""
    ring = bytes(range(32, 127)) * 2
    return b"".join(ring[start : start + 72] + b"\r\n" for start in range(95))


PATTERN = chargen_pattern()
PATTERN_CHUNK = PATTERN * (PIECE_BYTES // len(PATTERN))  # whole periods, so that chunks can follow each other


# --- UDP --------------------------------------------------------------------------------------------------------------


class Budget:
    """Allows `per_second` answers a second: a token bucket."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._left = per_second
        self._counted_at = float("-inf")

    def take(self, now: float) -> bool:
        """Return whether one more answer may be given at `now` (seconds)."""
        self._left = min(self._per_second, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class ClientBudgets:
    """A budget for each client, `per_client` answers a second, within the budget `overall` for all.

    The table of clients is bounded: a new entry replaces the one that was used longest ago. A
    client that `overall` refuses gets no entry. A flood with forged addresses could push out a
    victim's entry, so that the victim gets a new budget of reflected answers; `overall` limits how
    fast that happens.
    """

    def __init__(self, per_client: float, overall: Budget) -> None:
        self._per_client = per_client
        self._overall = overall
        self._budgets: OrderedDict[str | tuple[str, int], Budget] = OrderedDict()

    def take(self, client: str | tuple[str, int], now: float) -> bool:
        """Return whether this client may get one more answer at `now` (seconds)."""
        budget = self._budgets.get(client)
        if budget is None:
            budget = Budget(self._per_client)
        if not budget.take(now) or not self._overall.take(now):
            return False
        self._budgets[client] = budget
        self._budgets.move_to_end(client)
        if len(self._budgets) > MOST_CLIENT_BUDGETS:
            self._budgets.popitem(last=False)
        return True


def chargen_answer(_: bytes) -> bytes:
    """Return a part of the pattern, shorter than RFC 864's 512 characters."""
    return PATTERN[: 6 * 74]


# Answers a second over UDP. Those of `AMPLIFYING` are larger than the question, whose source address may be forged.
ECHO_BUDGET = 100_000.0
SMALL_BUDGET = 1_000.0
# Answers a second to one address, from amplifying services, or to one address and port, from services on an unusual
# port; and the size of the table of such clients.
CLIENT_BUDGET = 20.0
MOST_CLIENT_BUDGETS = 1024
PRIVILEGED_PORTS = 1024  # below this, other hosts have services, not clients
UDP_ANSWERS: dict[str, tuple[Answer, float]] = {
    "echo": (lambda data: data, ECHO_BUDGET),
    "discard": (lambda data: None, ECHO_BUDGET),
    "daytime": (daytime_text, SMALL_BUDGET),
    "qotd": (quote_text, SMALL_BUDGET),
    "chargen": (chargen_answer, SMALL_BUDGET),
    "time": (time_bytes, SMALL_BUDGET),
}
AMPLIFYING = frozenset(("daytime", "qotd", "chargen", "time"))
TCP_HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "discard": discard,
    "daytime": once(daytime_text),
    "qotd": once(quote_text),
    "chargen": chargen,
    "time": once(time_bytes),
}


async def answer_datagrams(
    host: Host,
    local: tuple[str, int],
    answer: Answer,
    per_second: float,
    refused: frozenset[int],
    larger: bool,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer the datagrams to `local`, an address of our own and a port.

    The socket is bound to an address, so it receives no broadcasts or multicasts. One of those with
    a forged source would make every host send an answer to its victim (RFC 1122 section 3.2.1.3 on
    what may be answered).

    An answer `larger` than the question amplifies an attack: the question's source address is
    forged, and the victim there gets the answer. So each address gets at most `CLIENT_BUDGET` of
    those a second, from all its ports together.

    Two services that answer each other's answers would loop for ever after one forged datagram.
    Three rules limit that:

    - A datagram from a port below 1024, where other hosts have their services, or from the port of
      one of our own services (`refused`) gets no answer. That ends every loop between services on
      their usual ports, and between hosts that serve on the same ports.
    - A service of ours on a port from 1024 on could be taken for a client by a host like this one.
      It gives each client at most `CLIENT_BUDGET` answers a second. A faster loop ends, since
      further datagrams get no answer; a slower one goes on.
    - A service on its usual port can loop, within `per_second`, with another program that answers
      every datagram from a port from 1024 on: that program cannot be told from a fast client.
    """
    budget = Budget(per_second)
    budgets = ClientBudgets(CLIENT_BUDGET, budget) if larger or local[1] >= PRIVILEGED_PORTS else None
    with host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(local)
        task_status.started()
        while True:
            try:
                data, address = await sock.recvfrom(DATAGRAM_BYTES)
                reply = answer(data)
                if reply is None or address[1] < PRIVILEGED_PORTS or address[1] in refused:
                    continue
                now = trio.current_time()
                client = address[0] if larger else address
                if budget.take(now) if budgets is None else budgets.take(client, now):
                    await sock.sendto(reply, address)
            except OSError as error:
                if error.errno not in ERRORS_OF_ONE_CLIENT:
                    raise


# --- all of them ------------------------------------------------------------------------------------------------------


def guarded(name: str, handler: Handler) -> Handler:
    """Wrap a handler: a broken connection ends quietly, and a bug ends only its connection.

    A client that vanished or does not read is dropped after the times given above. When there are
    `MOST_CLIENTS` clients, a further one is reset.
    """
    clients = 0

    async def wrapper(stream: Stream) -> None:
        nonlocal clients
        if clients >= MOST_CLIENTS:
            reset(stream)
            return
        clients += 1
        try:
            await handler(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except* trio.TooSlowError:
            reset(stream)
        except* Exception:
            report(f"{name} failed:\n{traceback.format_exc()}")
        finally:
            clients -= 1

    return wrapper


async def serve_tcp(host: Host, handler: Handler, port: int, nursery: trio.Nursery) -> None:
    """Serve a port on all the host's addresses. Returns when it listens.

    Keepalive detects a client that is gone (RFC 9293 section 3.8.4). Connections inherit their
    listener's options.
    """
    listeners = await host.open_tcp_listeners(port)
    for listener in listeners:
        for option, value in KEEPALIVE.items():
            listener.socket.setsockopt(trio.socket.IPPROTO_TCP, option, value)
        listener.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
    await nursery.start(host.serve_listeners, handler, listeners)


async def serve(host: Host, ports: dict[str, int], nursery: trio.Nursery, habits: Habits | None = None) -> None:
    """Start the services named in `ports`. Returns when all of them listen."""
    reaper = SlowSendReaper()
    nursery.start_soon(reaper.run)
    for name, port in ports.items():
        if name in TCP_HANDLERS:
            handler = reaper.with_clients(TCP_HANDLERS[name])
            await serve_tcp(
                host, guarded(name, handler if habits is None else habits.with_streams(handler)), port, nursery
            )
    await nursery.start(answer_everywhere, host, ports)


async def answer_everywhere(
    host: Host, ports: dict[str, int], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer datagrams on every address of the host, including addresses that it gets later."""
    serving: dict[str, trio.CancelScope] = {}
    async with trio.open_nursery() as nursery:
        seen = host.interfaces()
        while True:
            own = [address.partition("/")[0] for interface in seen for address in interface.addresses]
            for gone in [address for address in serving if address not in own]:
                serving.pop(gone).cancel()
            for address in own:
                if address not in serving:
                    serving[address] = await nursery.start(answer_on, host, address, ports)
            task_status.started()
            task_status = trio.TASK_STATUS_IGNORED
            seen = await host.wait_interfaces_change(seen)


async def answer_on(
    host: Host, address: str, ports: dict[str, int], task_status: trio.TaskStatus[trio.CancelScope]
) -> None:
    """Answer datagrams on one address, until the host loses it or the started scope is cancelled."""
    refused = frozenset(ports.values())
    all_bound = False
    with trio.CancelScope() as scope:
        try:
            async with trio.open_nursery() as nursery:
                for name in [name for name in ports if name in UDP_ANSWERS]:
                    answer, per_second = UDP_ANSWERS[name]
                    local = (address, ports[name])
                    larger = name in AMPLIFYING
                    await nursery.start(answer_datagrams, host, local, answer, per_second, refused, larger)
                all_bound = True
                task_status.started(scope)
        except* OSError as errors:
            if errors.subgroup(lambda error: isinstance(error, OSError) and error.errno not in ADDRESS_GONE):
                raise
            if not all_bound:
                task_status.started(scope)  # the host has lost the address already
