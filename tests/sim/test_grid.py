"""What one flow gets out of networks of many kinds, each with a floor; and whether several share
one fairly.

By default every combination of loss and round-trip time is run with a queue of one BDP, and for
some hundred round trips; `--full-grid` runs all queues, and 20 s each.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf
from statistics import mean

import pytest

from tests.sim.bottleneck import FRAME, RATE_BPS, Bottleneck, Cell, goodput, jain

pytestmark = pytest.mark.long

SEEDS = range(1, 6)
LOSSES = (0.0, 0.001, 0.01, 0.05)
RTTS_S = (0.001, 0.02, 0.1)
QUEUES_BDP = (0.5, 1.0, 2.0)
STEADY_LOSS = 0.05  # from here on timeouts matter more than the formula's window
LONGEST_PAUSE_S = 3.0
FAIR = 0.9
JITTER_FRAMES = 0.8  # of the time that a frame takes: not enough for two acknowledgments to change places


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cells, for the tests that take one, and for how long to look at it."""
    if "cell" not in metafunc.fixturenames:
        return
    full = metafunc.config.getoption("full_grid")
    kind = metafunc.function.__name__
    queues = QUEUES_BDP if full else (1.0,)
    cells = [Cell(loss, rtt_s, queue) for loss in LOSSES for rtt_s in RTTS_S for queue in queues]
    metafunc.parametrize("cell", [cell for cell in cells if floor_of(cell.loss) == kind], ids=str)


def floor_of(loss: float) -> str:
    """The name of the test that has the floor of this cell."""
    if not loss:
        return test_a_clean_network_is_filled.__name__
    heavy = loss >= STEADY_LOSS
    return (
        test_heavy_losses_leave_steady_progress if heavy else test_random_losses_cost_no_more_than_they_must
    ).__name__


@pytest.fixture
def for_s(cell: Cell, request: pytest.FixtureRequest) -> float:
    """How long goodput is measured, once slow start and its losses are over."""
    return 20.0 if request.config.getoption("full_grid") else 2.0 + 80 * cell.rtt_s


def warm_up_s(cell: Cell) -> float:
    """Slow start, and the first curves of CUBIC, which take as long whatever the round-trip time is."""
    return 1.0 + 90 * cell.rtt_s


def test_a_clean_network_is_filled(cell: Cell, for_s: float) -> None:
    measured = goodput(cell, 1, warm_up_s=warm_up_s(cell), for_s=for_s)
    # A queue of less than the BDP runs empty whenever the window is reduced: by how much is a matter of the policy.
    floor = cell.floor if cell.queue_bdp >= 1 else 0.8 * cell.floor
    assert measured >= floor, f"{measured / floor:.3f} of the floor"


def test_random_losses_cost_no_more_than_they_must(cell: Cell, for_s: float) -> None:
    measured = mean(goodput(cell, seed, warm_up_s=warm_up_s(cell), for_s=for_s) for seed in SEEDS)
    assert measured >= cell.floor, f"{measured / cell.floor:.3f} of the floor"


def test_heavy_losses_leave_steady_progress(cell: Cell, for_s: float) -> None:
    """There is no formula for these; a program that waits sees some progress."""
    for seed in SEEDS:
        world = Bottleneck(cell, seed)
        world.start()
        assert min(world.goodput(warm_up_s(cell), for_s)) > 0
        assert longest_pause(world) < LONGEST_PAUSE_S


def longest_pause(world: Bottleneck) -> float:
    """The longest time, in seconds, without new data at the receiver of the first flow."""
    arrivals = world.flows[0].arrivals
    return max((later - earlier for earlier, later in pairwise(arrivals)), default=inf)


@pytest.mark.parametrize("flows", [2, 8])
def test_equal_flows_share_equally(flows: int, request: pytest.FixtureRequest) -> None:
    """The later ones begin while the first ones have all of it; after some curves of CUBIC that is forgotten."""
    rate_bps = RATE_BPS if request.config.getoption("full_grid") else RATE_BPS / 5
    cell = Cell(0.0, 0.02, 1.0, rate_bps)
    world = Bottleneck(cell, 1, jitter_s=JITTER_FRAMES * FRAME * 8 / rate_bps)
    for _ in range(flows):
        world.start()
        world.network.run(for_s=0.1)
    rates = world.goodput(warm_up_s=20.0, for_s=20.0)
    assert jain(rates) >= FAIR, [f"{rate * 8 / 1e6:.1f} Mbit/s" for rate in rates]
    assert sum(rates) >= cell.floor
