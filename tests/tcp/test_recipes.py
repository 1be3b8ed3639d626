"""The recipes of stack/tcp/README.md: as much work as they say is enough."""

from __future__ import annotations

import pytest

from stack.tcp.congestion import POLICIES, Congestion

from .world import ACK, MSS, established, text


class Doubling(Congestion):
    """A policy of ten lines: it doubles the window in each round trip, and begins anew after a loss."""

    __slots__ = ()

    def on_ack(self, acked: int, now: float, rtt_s: float) -> None:
        self.cwnd += acked

    def on_loss(self, flight: int, now: float) -> None:
        self.cwnd = self.initial_window()


def test_a_congestion_control_is_a_class_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, "doubling", Doubling)
    conn, peer = established(congestion="doubling")
    conn.send(text(40 * MSS), peer.now)
    for _ in range(10):
        peer.expects(ACK, MSS)
    peer.silent()
    peer.sends(ACK)
    for _ in range(20):
        peer.expects(ACK, MSS)
    assert conn.congestion.cwnd == 20 * MSS
    for _ in range(3):  # duplicate ACKs: the first of the twenty is lost
        peer.sends(ACK, ack=conn.snd_una, window=0xFFFF)
    assert conn.congestion.cwnd == 10 * MSS
    peer.world.sent.clear()


def test_a_policy_without_overrides_keeps_the_initial_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, "constant", Congestion)
    conn, peer = established(congestion="constant")
    conn.send(text(25 * MSS), peer.now)
    for count in (10, 10, 5):
        for _ in range(count):
            peer.expects(ACK, MSS)
        peer.silent()
        peer.sends(ACK)
    assert conn.congestion.cwnd == 10 * MSS
