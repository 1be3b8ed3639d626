"""Header prediction: what it says of a segment. That it leaves everything as the eight steps do shows
tests/host/test_fast_connections.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp import predict
from stack.wire.tcp import ACK, PSH

from .world import established, text


@pytest.mark.parametrize(
    ("sent", "arriving", "said"),
    [(b"", 100, predict.DATA_ONLY), (b"question", 100, predict.PREDICTED), (b"question", 0, predict.PREDICTED)],
)
def test_text_that_acknowledges_nothing_new_is_told_apart(
    sent: bytes, arriving: int, said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only after that nothing but text has changed: a new acknowledgment may begin a recovery."""
    results = []

    def listening(*arguments: Any) -> int:
        results.append(predict.predicted(*arguments))
        return results[-1]

    conn, peer = established()
    peer.world.prediction = True
    if sent:
        conn.send(sent, peer.now)
        peer.expects(ACK, sent)
    monkeypatch.setattr("tests.tcp.world.predicted", listening)
    peer.sends(ACK | PSH, text(arriving))
    assert results == [said]
    peer.world.sent.clear()
