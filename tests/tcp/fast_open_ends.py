"""Both ends of a Fast Open, as the tests need them: a client with a cookie, a server that takes
it.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from stack.tcp import fast_open
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.wire.tcp_options import TcpOptions

from .world import (
    ACK,
    MSS,
    OUR_ISS,
    OURS,
    RST,
    SYN,
    THEIRS,
    Peer,
    Sent,
    closed,
    listening,
)

COOKIE = bytes(range(8))
PLAIN = TcpOptions(mss=MSS)
ASKING = TcpOptions(mss=MSS, fast_open=b"")
GIVEN = TcpOptions(mss=MSS, fast_open=COOKIE)
HELLO = b"hello"
DAY_S = 86400.0

ports = count(50000)


def server(limit: int = 5, backlog: int = 5, **changes: Any) -> tuple[Listener, Peer]:
    """A listener that takes data from SYNs."""
    listener, peer = listening(backlog=backlog, **changes)
    listener.fast_open.limit = limit
    return listener, peer


def cookie_of(peer: Peer) -> bytes:
    """Ask a server for a cookie, and be gone."""
    client = peer.another(next(ports))
    client.sends(SYN, options=ASKING)
    given = peer.expects(SYN | ACK).options.fast_open
    assert given
    client.sends(RST, seq=client.snd_nxt)
    return given


def with_cookie(cookie: bytes) -> TcpOptions:
    return TcpOptions(mss=MSS, fast_open=cookie)


def opened(**changes: Any) -> tuple[Listener, Peer, Connection]:
    """A client's SYN has brought HELLO to a server, which has accepted the connection; its SYN,ACK is claimed."""
    listener, peer = server(**changes)
    peer.sends(SYN, HELLO, options=with_cookie(cookie_of(peer)))
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=peer.snd_nxt)
    conn = listener.accept()
    assert conn is not None
    return listener, peer, conn


def client(cookie: bytes | None = COOKIE, mss: int = MSS, **changes: Any) -> tuple[Connection, Peer]:
    """A connection to be opened to a server whose cookie we have, unless `cookie` is None."""
    conn, peer = closed(**changes)
    if cookie is not None:
        conn.services.cookie_cache.learn(where(), cookie, mss)
    return conn, peer


def again(peer: Peer) -> tuple[Connection, Peer]:
    """Another connection of the same host to the same port."""
    conn = peer.world.new_connection()
    return conn, Peer(peer.world)


def where(port: int = THEIRS[1]) -> fast_open.ServerKey:
    return OURS[0], THEIRS[0], port


def asks(sent: Sent) -> bool:
    return sent.options.fast_open == b""


def refused(conn: Connection, peer: Peer) -> None:
    """End it, whatever it has come to."""
    conn.abort(peer.now)
    peer.world.sent.clear()
