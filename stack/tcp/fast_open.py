"""TCP Fast Open: data in the SYN, for a client whose address the server has seen to be its own before.

See RFC 7413 section 4, whose Figure in section 3.1 is in short:

    <SYN, cookie wanted>           -->                              once: GetCookie(address)
                                   <--  <SYN,ACK, cookie>           the client keeps it
    <SYN, cookie, data>            -->                              from then on: IsCookieValid(address, cookie)?
                                   <--  <SYN,ACK of SYN and data>   the data is with the application already

Nothing of it happens unless the application asks for it, on either side, for one reason above all (sections 2.1 and
6.1): a SYN that the network duplicates, and that arrives when its connection is over and forgotten, is a new connection
with the same data. While the connection is known here, TIME-WAIT included, no octet is delivered twice.

Here are both ends' memories and decisions; `handshake.py` and `listener.py` ask for them where the RFC has them.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2s
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from stack.tcp import seq
from stack.tcp.segment import Segment
from stack.tcp.states import Event, State
from stack.wire.tcp import FIN
from stack.wire.tcp import HEADER_LENGTH as TCP_HEADER

if TYPE_CHECKING:
    from stack.config import TcpConfig
    from stack.tcp.tcb import Tcb

COOKIE_BYTES = 8  # section 4.1.2: "truncate to 64 bits"

K = TypeVar("K")
V = TypeVar("V")

ServerKey = tuple[bytes, bytes, int]
"""The client's address, the server's, and the server's port."""


class FastOpen:
    """Fast Open's part in a handshake that is under way; where it has none (any more) `Tcb.fast_open` is None.

    `cookie` is what the option of our first SYN or SYN,ACK says, None for no option. `mss` is what the server's was
    last time, 0 where we have no cookie of it. `requests` is what a server's connection counts in as pending.
    """

    __slots__ = ("cookie", "mss", "requests")

    def __init__(self, cookie: bytes | None, mss: int = 0, requests: PendingRequests | None = None) -> None:
        self.cookie = cookie
        self.mss = mss
        self.requests = requests


# --- the server


def make_cookie(secret: bytes, address: bytes, count: int) -> bytes:
    """GetCookie (4.1.2): a MAC of the client's address by the key of period `count`, which only `secret` yields."""
    key = blake2s(b"%d" % count, key=secret, person=b"fastopen").digest()
    return blake2s(address, key=key, digest_size=COOKIE_BYTES).digest()


class PendingRequests:
    """PendingFastOpenRequests of one listener: `limit` of them at the most, 0 being FastOpenEnabled off (4.2).

    A request that was reset still counts for a while: else the resets of hosts whose address and cookie were stolen
    would let the flood pass that they answer (section 5.1).
    """

    __slots__ = ("_pending", "_reset_until", "limit")

    def __init__(self) -> None:
        self.limit = 0
        self._pending = 0
        self._reset_until: deque[float] = deque()

    def __len__(self) -> int:
        """How many that were reset still count."""
        return len(self._reset_until)

    def full(self, now: float) -> bool:
        """No more requests now: what comes is an ordinary SYN."""
        while self._reset_until and self._reset_until[0] <= now:
            self._reset_until.popleft()
        return self._pending + len(self._reset_until) >= self.limit

    def add(self) -> None:
        """One more connection is open before its handshake is over."""
        self._pending += 1

    def remove(self, reset_until: float | None = None) -> None:
        """Its handshake is over, or (until then it counts) it was reset."""
        self._pending -= 1
        if reset_until is not None:
            self._reset_until.append(reset_until)


def receive_syn(tcb: Tcb, requests: PendingRequests, seg: Segment, now: float) -> None:
    """Section 4.2.2, "Receiving SYN", steps 1 to 4: sets the FastOpened flag, and the cookie that the SYN,ACK brings.

    What comes with a cookie that does not count is to be sent again, as the client expects.
    """
    services = tcb.services
    config = services.config
    presented = None if not requests.limit or not config.fast_open_server else seg.options().fast_open
    if presented is None:
        return
    if not requests.full(now):
        count = int(now / config.fast_open_key_period_s)
        fresh = make_cookie(services.cookie_secret, tcb.remote[0], count)
        if compare_digest(presented, fresh):
            tcb.fast_open = FastOpen(None, requests=requests)
        elif compare_digest(presented, make_cookie(services.cookie_secret, tcb.remote[0], count - 1)):
            tcb.fast_open = FastOpen(fresh, requests=requests)
        else:
            tcb.fast_open = FastOpen(fresh)
            services.counters["tcpFastOpenPassiveFail" if presented else "tcpFastOpenCookieReqd"] += 1
    else:
        services.counters["tcpFastOpenListenOverflow"] += 1
    if tcb.fast_open is not None and tcb.fast_open.requests is not None:
        tcb.fast_opened = True
        requests.add()
        services.counters["tcpFastOpenPassive"] += 1
    elif presented and seg.text:
        services.counters.drop("tcp_fast_open_refused")
        seg.text = b""
        seg.flags &= ~FIN
        seg.seg_len = 1


# --- the client


class CachedCookie(NamedTuple):
    """What a client keeps of a server: its cookie, and the MSS that it announced."""

    cookie: bytes
    mss: int


class CookieCache:
    """The cookies of servers, and where Fast Open did not work (4.1.3 and 4.1.3.1).

    Both tables have `config.fast_open_servers` entries at the most; what was used least lately gives way.
    """

    def __init__(self, config: TcpConfig) -> None:
        self._config = config
        self._known: dict[tuple[bytes, bytes], CachedCookie] = {}
        self._failed: dict[ServerKey, tuple[float, int]] = {}  # not to be tried before, and how often it did not work

    def __len__(self) -> int:
        return len(self._known) + len(self._failed)

    def cookie(self, key: ServerKey) -> CachedCookie | None:
        """What is kept for this pair of addresses."""
        known = self._known.get(key[:2])
        if known is not None:
            _remember(self._known, key[:2], known, self._config.fast_open_servers)
        return known

    def learn(self, key: ServerKey, cookie: bytes | None, mss: int) -> None:
        """A SYN,ACK with a cookie, an MSS or both (4.2.2); only the latest cookie is kept.

        Of the MSS no more than Ethernet's, as larger SYNs meet trouble on their way.
        """
        known = self._known.get(key[:2])
        if cookie is None and known is not None:
            cookie = known.cookie
        if cookie is not None:
            entry = CachedCookie(cookie, min(mss, self._config.fast_open_max_mss))
            _remember(self._known, key[:2], entry, self._config.fast_open_servers)

    def may_try(self, key: ServerKey, now: float) -> bool:
        """Nothing went wrong lately on this path."""
        return self._failed.get(key, (now, 0))[0] <= now

    def failed(self, key: ServerKey, now: float) -> None:
        """A negative response (4.1.3.1): leave it for a while, each time twice as long."""
        config = self._config
        count = self._failed.get(key, (now, 0))[1]
        pause_s = min(config.fast_open_retry_s * 2 ** min(count, 30), config.fast_open_retry_max_s)
        _remember(self._failed, key, (now + pause_s, count + 1), config.fast_open_servers)

    def worked(self, key: ServerKey) -> None:
        """The server has taken the data, or given a cookie: the path is fine."""
        self._failed.pop(key, None)


def _remember(table: dict[K, V], key: K, value: V, limit: int) -> None:
    """Put it last in the table, whose first entry is the one that was not touched for longest."""
    table.pop(key, None)
    table[key] = value
    while len(table) > limit:
        del table[next(iter(table))]


def server_key(tcb: Tcb) -> ServerKey:
    """The path of a client's connection."""
    return tcb.local[0], tcb.remote[0], tcb.remote[1]


def has_cookie(tcb: Tcb, now: float) -> bool:
    """A SYN of this connection, sent now, would carry data."""
    cache, key = tcb.services.cookie_cache, server_key(tcb)
    return tcb.services.config.fast_open_client and cache.may_try(key, now) and cache.cookie(key) is not None


def begin_fast_open(tcb: Tcb, now: float) -> None:
    """The user wants Fast Open for this OPEN: with the cookie we have, or else asking for one (4.2.1)."""
    cache, key = tcb.services.cookie_cache, server_key(tcb)
    if not tcb.services.config.fast_open_client or not cache.may_try(key, now):
        return
    known = cache.cookie(key)
    tcb.fast_open = FastOpen(b"") if known is None else FastOpen(known.cookie, known.mss)


def text_of_syn(tcb: Tcb, pending: FastOpen, options: int) -> int:
    """How much of what the user has sent goes into the SYN, whose options take so many octets (4.2.2, 1 b).

    Nothing without a cookie. The MSS counts options and data alike (RFC 6691 section 2).
    """
    room = min(pending.mss, tcb.path.mtu - tcb.path.header_length - TCP_HEADER) - options
    return max(min(tcb.send_buffer.size, room), 0)


def receive_syn_ack(tcb: Tcb, seg: Segment, now: float) -> None:
    """Section 4.2.2, "Client: Receiving SYN-ACK", step 1; SND.UNA is SEG.ACK already.

    After a timeout a SYN,ACK of the bare SYN says nothing: it may well answer the one that was sent again without the
    option, and what the timeout was taken for stands. A cookie, or an acknowledgment of the data, says more.
    """
    pending, tcb.fast_open = tcb.fast_open, None
    if pending is None or pending.cookie is None:
        return
    services, key = tcb.services, server_key(tcb)
    options = seg.options()
    first = seq.add(tcb.iss, 1)
    with_text = tcb.snd_nxt != first
    tcb.fast_opened = with_text and tcb.snd_una != first
    if options.fast_open or options.mss is not None:
        services.cookie_cache.learn(key, options.fast_open or None, tcb.send_mss)
    if options.fast_open or tcb.fast_opened:
        services.cookie_cache.worked(key)
    elif not tcb.timeouts:
        services.cookie_cache.failed(key, now)
    if with_text:
        services.counters["tcpFastOpenActive" if tcb.fast_opened else "tcpFastOpenActiveFail"] += 1


def negative_response(tcb: Tcb, now: float) -> None:
    """A negative response to our SYN: an ICMP error, a reset, or (first of all) nothing before the timer fired."""
    pending = tcb.fast_open
    if pending is not None and pending.cookie is not None and tcb.state is State.SYN_SENT:
        tcb.services.cookie_cache.failed(server_key(tcb), now)


# --- both


def syn_acknowledged(tcb: Tcb) -> None:
    """Our SYN was acknowledged."""
    pending, tcb.fast_open = tcb.fast_open, None
    if pending is not None and pending.requests is not None:
        pending.requests.remove()


def handshake_failed(tcb: Tcb, event: Event, now: float) -> None:
    """The connection is about to end by `event` before its handshake was over."""
    if event is Event.RCV_RST or (event is Event.USER_TIMEOUT and not tcb.timeouts):
        negative_response(tcb, now)
    pending, tcb.fast_open = tcb.fast_open, None
    if pending is not None and pending.requests is not None:
        reset = event is Event.RCV_RST
        pending.requests.remove(now + tcb.services.config.fast_open_reset_penalty_s if reset else None)
