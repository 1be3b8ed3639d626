"""Loss recovery of one flow through a queue that its slow start overflows: nothing there ever
changes places.
"""

from __future__ import annotations

from stack.tcp.tcb import Tcb
from tests.sim.bottleneck import MSS, Bottleneck, Cell


def test_a_second_recovery_right_after_the_first_is_not_called_for_nothing() -> None:
    """The first acknowledgment in it is for what the first one sent again, and so echoes an older timestamp."""
    world = Bottleneck(Cell(0.0, 0.02, 0.5), 1)
    seen: list[str] = []

    def trace(tcb: Tcb, event: str, details: dict[str, object]) -> None:
        seen.append(event)

    world.sender.host.tcp.services.trace = trace
    world.start()
    world.network.run(for_s=1.0)
    assert seen.count("fast retransmit") > 1
    assert "spurious retransmission" not in seen


def test_the_window_is_in_use_when_recovery_ends() -> None:
    """Which it is not when the sending program was not told during recovery that there is room for more."""
    world = Bottleneck(Cell(0.0, 0.02, 0.5), 1)
    used: list[float] = []

    def trace(tcb: Tcb, event: str, details: dict[str, object]) -> None:
        if event == "recovered":
            used.append(tcb.flight / tcb.congestion.cwnd)

    world.sender.host.tcp.services.trace = trace
    world.start()
    world.network.run(for_s=6.0)
    assert len(used) > 2
    assert world.flows[0].connection.congestion.cwnd > 100 * MSS
    assert min(used) > 0.9
