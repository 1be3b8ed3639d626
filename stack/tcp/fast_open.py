"""TCP Fast Open: data in the SYN, for a client whose address the server has verified before.

See RFC 7413 section 4. The figure of section 3.1, shortened:

    <SYN, cookie wanted>  -->                             once: GetCookie(address)
                          <--  <SYN,ACK, cookie>          the client stores it
    <SYN, cookie, data>   -->                             later: IsCookieValid(address, cookie)?
                          <--  <SYN,ACK of SYN and data>  the application has the data already

Fast Open is used only if the application asks for it, on either side. The main reason is this
(sections 2.1 and 6.1): the network may duplicate a SYN and deliver the copy after its connection is
over and forgotten. The copy then opens a new connection with the same data. While the connection is
known here, TIME-WAIT included, no octet is delivered twice.

This file has the memory and the decisions of both ends. `handshake.py`, `listener.py` and others
call it at the steps that the RFC names.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2s
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from stack.tcp import seq
from stack.tcp.segment import Segment
from stack.tcp.states import SYN_SENT, Event
from stack.wire.tcp import FIN

if TYPE_CHECKING:
    from stack.config import TcpConfig
    from stack.tcp.tcb import Tcb

COOKIE_BYTES = 8  # section 4.1.2: "truncate to 64 bits"

K = TypeVar("K")
V = TypeVar("V")

ServerKey = tuple[bytes, bytes, int]
"""The client's address, the server's, and the server's port."""


class FastOpen:
    """Fast Open in a handshake that is under way. Without Fast Open `Tcb.fast_open` is None.

    `cookie` is the value of the option in our first SYN or SYN,ACK, None for no option. `mss` is
    the MSS that the server announced last time, 0 if we have no cookie of it. On a server,
    `requests` is the counter in which the connection counts as pending.
    """

    __slots__ = ("cookie", "mss", "requests")

    def __init__(self, cookie: bytes | None, mss: int = 0, requests: PendingRequests | None = None) -> None:
        self.cookie = cookie
        self.mss = mss
        self.requests = requests


# --- the server


def make_cookie(secret: bytes, address: bytes, count: int) -> bytes:
    """GetCookie (4.1.2): a MAC of the client's address.

    The key is derived from `secret` and the number of the period, `count`.
    """
    key = blake2s(b"%d" % count, key=secret, person=b"fastopen").digest()
    return blake2s(address, key=key, digest_size=COOKIE_BYTES).digest()


class PendingRequests:
    """PendingFastOpenRequests of one listener, at most `limit`; 0: FastOpenEnabled is off (4.2).

    A request that was reset still counts for a while. An attacker may flood us with the stolen
    addresses and cookies of other hosts. Those hosts answer our SYN,ACKs with resets, and without
    this rule each reset would make room for the next request (section 5.1).
    """

    __slots__ = ("_pending", "_reset_until", "limit")

    def __init__(self) -> None:
        self.limit = 0
        self._pending = 0
        self._reset_until: deque[float] = deque()

    def __len__(self) -> int:
        """How many reset requests still count."""
        return len(self._reset_until)

    def full(self, now: float) -> bool:
        """Whether no more requests are taken now. A SYN is then treated as an ordinary one."""
        while self._reset_until and self._reset_until[0] <= now:
            self._reset_until.popleft()
        return self._pending + len(self._reset_until) >= self.limit

    def add(self) -> None:
        """Count a connection that is open before its handshake is over."""
        self._pending += 1

    def remove(self, reset_until: float | None = None) -> None:
        """Stop counting a connection: its handshake is over.

        If it was reset, the request still counts until `reset_until`.
        """
        self._pending -= 1
        if reset_until is not None:
            self._reset_until.append(reset_until)


def receive_syn(tcb: Tcb, requests: PendingRequests, seg: Segment, now: float) -> None:
    """Section 4.2.2, "Receiving SYN", steps 1 to 4: set FastOpened and choose the cookie to send.

    Data that came with a cookie that is not accepted is dropped; the client expects to send it
    again.
    """
    services = tcb.services
    config = services.config
    presented = None if not requests.limit or not config.fast_open_server else seg.options().fast_open
    if presented is None:
        return
    because = "fast_open_too_many"
    if not requests.full(now):
        count = int(now / config.fast_open_key_period_s)
        fresh = make_cookie(services.cookie_secret, tcb.remote[0], count)
        if compare_digest(presented, fresh):
            tcb.fast_open = FastOpen(None, requests=requests)
            because = "fast_open_accepted"
        elif compare_digest(presented, make_cookie(services.cookie_secret, tcb.remote[0], count - 1)):
            tcb.fast_open = FastOpen(fresh, requests=requests)
            because = "fast_open_accepted_old"
        else:
            tcb.fast_open = FastOpen(fresh)
            because = "fast_open_refused" if presented else "fast_open_asked"
            services.counters["tcpFastOpenPassiveFail" if presented else "tcpFastOpenCookieReqd"] += 1
    else:
        services.counters["tcpFastOpenListenOverflow"] += 1
    if services.trace is not None:
        tcb.tell("tcp:fast_open", because, octets=len(seg.text))
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
    """What a client stores about a server: its cookie, and the MSS that it announced."""

    cookie: bytes
    mss: int


class CookieCache:
    """The client's cookie cache, and the paths on which Fast Open did not work (4.1.3 and 4.1.3.1).

    Each table has at most `config.fast_open_servers` entries; the least recently used is removed
    first.
    """

    def __init__(self, config: TcpConfig) -> None:
        self._config = config
        self._known: dict[tuple[bytes, bytes], CachedCookie] = {}
        # (when Fast Open may be tried again, number of failures)
        self._failed: dict[ServerKey, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._known) + len(self._failed)

    def cookie(self, key: ServerKey) -> CachedCookie | None:
        """The entry for this pair of addresses."""
        known = self._known.get(key[:2])
        if known is not None:
            _remember(self._known, key[:2], known, self._config.fast_open_servers)
        return known

    def learn(self, key: ServerKey, cookie: bytes | None, mss: int) -> None:
        """Store the cookie, the MSS or both from a SYN,ACK (4.2.2). Only the latest cookie is kept.

        The MSS is stored as at most `config.fast_open_max_mss`, because larger SYNs are often
        dropped.
        """
        known = self._known.get(key[:2])
        if cookie is None and known is not None:
            cookie = known.cookie
        if cookie is not None:
            entry = CachedCookie(cookie, min(mss, self._config.fast_open_max_mss))
            _remember(self._known, key[:2], entry, self._config.fast_open_servers)

    def may_try(self, key: ServerKey, now: float) -> bool:
        """Whether Fast Open may be tried on this path: the last failure is long enough ago."""
        return self._failed.get(key, (now, 0))[0] <= now

    def failed(self, key: ServerKey, now: float) -> None:
        """A negative response (4.1.3.1): do not try again for a while, twice as long each time."""
        config = self._config
        count = self._failed.get(key, (now, 0))[1]
        pause_s = min(config.fast_open_retry_s * 2 ** min(count, 30), config.fast_open_retry_max_s)
        _remember(self._failed, key, (now + pause_s, count + 1), config.fast_open_servers)

    def worked(self, key: ServerKey) -> None:
        """The server has taken the data, or sent a cookie: forget earlier failures."""
        self._failed.pop(key, None)


def _remember(table: dict[K, V], key: K, value: V, limit: int) -> None:
    """Put the entry at the end of the table, whose first entry is the least recently used."""
    table.pop(key, None)
    table[key] = value
    while len(table) > limit:
        del table[next(iter(table))]


def server_key(tcb: Tcb) -> ServerKey:
    """The key of a client's connection."""
    return tcb.local[0], tcb.remote[0], tcb.remote[1]


def has_cookie(tcb: Tcb, now: float) -> bool:
    """Whether a SYN of this connection, if sent now, would carry data."""
    cache, key = tcb.services.cookie_cache, server_key(tcb)
    return tcb.config.fast_open_client and cache.may_try(key, now) and cache.cookie(key) is not None


def begin_fast_open(tcb: Tcb, now: float) -> None:
    """The user wants Fast Open for this OPEN: use the cached cookie, or ask for one (4.2.1)."""
    cache, key = tcb.services.cookie_cache, server_key(tcb)
    if not tcb.config.fast_open_client or not cache.may_try(key, now):
        if tcb.services.trace is not None:
            tcb.tell("tcp:fast_open", "fast_open_not_now")
        return
    known = cache.cookie(key)
    tcb.fast_open = FastOpen(b"") if known is None else FastOpen(known.cookie, known.mss)
    if tcb.services.trace is not None:
        tcb.tell("tcp:fast_open", "fast_open_asks" if known is None else "fast_open_with_cookie")


def text_of_syn(tcb: Tcb, pending: FastOpen, options: int) -> int:
    """How many octets of the user's data go into the SYN; `options` is the length of its options.

    0 without a cookie (4.2.2, 1 b). The MSS counts options and data alike (RFC 6691 section 2).
    """
    room = min(pending.mss, tcb.room) - options
    return max(min(tcb.send_buffer.size, room), 0)


def receive_syn_ack(tcb: Tcb, seg: Segment, now: float) -> None:
    """Section 4.2.2, "Client: Receiving SYN-ACK", step 1. SND.UNA is SEG.ACK already.

    A SYN,ACK without a cookie that acknowledges only the SYN counts as a failure of the path. After
    a timeout it does not count: it may answer the SYN that was sent again without the option, and
    the timeout has been counted as a failure already. A cookie, or an acknowledgment of the data,
    shows in any case that the path works.
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
        because = "fast_open_data_taken" if tcb.fast_opened else "fast_open_learnt"
    elif not tcb.timeouts:
        services.cookie_cache.failed(key, now)
        because = "fast_open_failed"
    else:
        because = "fast_open_not_known"
    if services.trace is not None:
        tcb.tell("tcp:fast_open", because, octets=tcb.send_buffer.size)
    if with_text:
        services.counters["tcpFastOpenActive" if tcb.fast_opened else "tcpFastOpenActiveFail"] += 1


def negative_response(tcb: Tcb, now: float) -> None:
    """A negative response to our SYN: an ICMP error, a reset, or no answer before the timeout."""
    pending = tcb.fast_open
    if pending is not None and pending.cookie is not None and tcb.state is SYN_SENT:
        tcb.services.cookie_cache.failed(server_key(tcb), now)
        if tcb.services.trace is not None:
            tcb.tell("tcp:fast_open", "fast_open_negative")


# --- both


def syn_acknowledged(tcb: Tcb) -> None:
    """Our SYN, or SYN,ACK, was acknowledged."""
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
        pending.requests.remove(now + tcb.config.fast_open_reset_penalty_s if reset else None)
