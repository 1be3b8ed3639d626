"""Full-sized segments by number, from 0 on, for the tests of congestion control, loss and
pacing.
"""

from __future__ import annotations

from stack.tcp.connection import Connection
from stack.wire.tcp_options import TcpOptions

from .world import ACK, MSS, Peer, add


def at(conn: Connection, segment: float) -> int:
    """The sequence number with which our segment of that number begins."""
    return add(conn.iss, 1 + int(segment * MSS))


def goes(conn: Connection, peer: Peer, *numbers: int) -> None:
    """Exactly these segments go out now."""
    for number in numbers:
        peer.expects(ACK, MSS, seq=at(conn, number))
    peer.silent()


def sack(conn: Connection, peer: Peer, acked: float, *blocks: tuple[float, float]) -> None:
    """The peer acknowledges the first `acked` segments, and those in the blocks, the newest first."""
    edges = tuple((at(conn, left), at(conn, right)) for left, right in blocks)
    peer.sends(ACK, ack=at(conn, acked), options=TcpOptions(sack_blocks=edges))
