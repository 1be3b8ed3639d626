"""RFC 7323 section 2.4: windows that shrink by what scaling rounds off."""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp.connection import Connection
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .world import ACK, MSS, RST, SYN, Peer, add, closed, syn_sent

BUFFER = 1 << 20  # needs a shift of 5: 32 * 65535 is the first product above it


def scaled(shift: int = 3, window: int = 1000, **changes: Any) -> tuple[Connection, Peer]:
    """ESTABLISHED; the peer shifts by `shift` and offers `window` units in its SYN,ACK, which are octets there."""
    options = {"window_scaling": True, "receive_buffer_bytes": BUFFER, "max_receive_buffer_bytes": BUFFER, **changes}
    conn, peer = syn_sent(**options)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, window_scale=shift), window=window)
    peer.expects(ACK)
    return conn, peer


def acknowledges(peer: Peer, data: bytes) -> int:
    """Our ACK of two segments; its window field."""
    half = len(data) // 2
    with peer.batch():
        peer.sends(ACK, data[:half])
        peer.sends(ACK, data[half:])
    peer.world.wait(0.1)
    return peer.expects(ACK, ack=peer.snd_nxt).window


@rfc("7323-2.3-f", "7323-2.2-a")
def test_we_never_shift_by_more_than_14() -> None:
    conn, peer = closed(window_scaling=True, max_receive_buffer_bytes=1 << 40)
    conn.open(peer.world.now)
    assert peer.expects(SYN).options.window_scale == 14


@rfc("7323-2.3-g")
def test_a_shift_above_14_is_put_down() -> None:
    _, peer = scaled(shift=14)
    assert peer.world.counters["tcpWindowScaleTooLarge"] == 0
    _, peer = scaled(shift=15)
    assert peer.world.counters["tcpWindowScaleTooLarge"] == 1


@rfc("7323-2.4-d")
def test_new_data_stays_within_the_newest_window() -> None:
    conn, peer = scaled(shift=5, window=3000)
    peer.sends(ACK, window=3000 >> 5)
    conn.send(bytes(10000), peer.world.now)
    peer.expects(ACK, MSS)
    peer.expects(ACK, MSS)
    peer.sends(ACK, ack=add(conn.snd_una, MSS), window=MSS >> 5)  # 1440: twenty octets have left the window
    peer.silent()
    peer.sends(ACK, window=10)
    peer.silent()
    assert conn.snd_wnd == 320
    conn.abort(peer.world.now)
    peer.expects(RST | ACK)


@rfc("7323-2.4-a", "7323-2.4-e", "9293 MAY-7")
@pytest.mark.parametrize("window", [0, 10, 40])
def test_the_first_retransmission_does_not_care_for_the_window(window: int) -> None:
    conn, peer = scaled(shift=5, window=3000)
    conn.send(bytes(MSS), peer.world.now)
    peer.expects(ACK, MSS)
    peer.sends(ACK, ack=conn.snd_una, window=window)
    peer.world.wait(0.25)
    peer.expects(ACK, MSS, seq=conn.snd_una)
    peer.sends(ACK, window=window)
    assert conn.flight == 0


@rfc("7323-2.4-f")
@pytest.mark.parametrize(("window", "length"), [(0, 1), (10, 320)])
def test_later_retransmissions_stay_within_the_window(window: int, length: int) -> None:
    conn, peer = scaled(shift=5, window=3000)
    conn.send(bytes(MSS), peer.world.now)
    peer.expects(ACK, MSS)
    peer.sends(ACK, ack=conn.snd_una, window=window)
    peer.world.wait(0.25)
    peer.expects(ACK, MSS)
    peer.world.wait(0.45)
    peer.expects(ACK, length, seq=conn.snd_una)
    peer.sends(ACK)


@rfc("7323-2.4-b", "7323-2.4-c")
def test_what_was_in_the_window_once_stays_in_it() -> None:
    """28 octets arrive; the field can only say a multiple of 32, so the edge it shows moves to the left."""
    conn, peer = scaled()
    edge = add(conn.rcv_nxt, acknowledges(peer, bytes(2 * MSS)) << 5)
    edge = add(edge, 2 * MSS)
    shown = add(peer.snd_nxt, 28 + (acknowledges(peer, bytes(28)) << 5))
    assert shown == add(edge, -4)
    peer.sends(ACK, b"last", seq=add(edge, -4))
    peer.expects(ACK, ack=conn.rcv_nxt)
    assert conn.receive_buffer.held == 4
