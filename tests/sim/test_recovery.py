"""Loss recovery of one flow through a queue that its slow start overflows: nothing there ever
changes places.
"""

from __future__ import annotations

from stack.trace.event import Event
from tests.sim.bottleneck import MSS, Bottleneck, Cell


def test_a_second_recovery_right_after_the_first_is_not_called_for_nothing() -> None:
    """The first acknowledgment in it is for what the first one sent again, and so echoes an older timestamp."""
    world = Bottleneck(Cell(0.0, 0.02, 0.5), 1)
    seen: list[str] = []

    world.sender.host.watch(lambda event: seen.append(event.name))
    world.start()
    world.network.run(for_s=1.0)
    assert seen.count("tcp:loss") > 1
    assert "tcp:undo" not in seen


def test_the_window_is_in_use_when_recovery_ends() -> None:
    """Which it is not when the sending program was not told during recovery that there is room for more."""
    world = Bottleneck(Cell(0.0, 0.02, 0.5), 1)
    used: list[float] = []

    world.start()
    connection = world.flows[0].connection

    def observe(event: Event) -> None:
        if event.data.get("because") == "recovery_over":
            used.append(connection.flight / connection.congestion.cwnd)

    world.sender.host.watch(observe)
    world.network.run(for_s=6.0)
    assert len(used) > 2
    assert connection.congestion.cwnd > 100 * MSS
    assert min(used) > 0.9
