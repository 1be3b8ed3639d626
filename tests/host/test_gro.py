"""Which frames form a train of segments. That its outcome is the same shows test_fast.py."""

from __future__ import annotations

import pytest

from stack.counters import Counters
from stack.host.fast.gro import SegmentTrain
from stack.tcp.seq import MASK
from tests.host.fast_and_plain import COUNT, MSS, Piece, Twin, by_another_link, row


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames each train has had after its first."""
    lengths: list[int] = []
    end = SegmentTrain.end

    def ending(train: SegmentTrain, counters: Counters) -> None:
        lengths.append(len(train))
        end(train, counters)

    monkeypatch.setattr(SegmentTrain, "end", ending)
    return lengths


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("verified", [(False,), (True,), (False, False, True), (True, False)])
@pytest.mark.parametrize("length", [MSS, MSS - 1, 1200])
def test_segments_in_a_row_are_one_train(
    trains: list[int], stamped: bool, verified: tuple[bool, ...], length: int
) -> None:
    twin = Twin(True, stamped=stamped)
    twin.hears(*twin.segments(*row(COUNT, length)), verified=verified)
    assert sum(trains) >= (COUNT - 1 if len(set(verified)) == 1 else COUNT // 3 - 1)


def test_short_segments_are_stored_together_as_ever(trains: list[int]) -> None:
    twin = Twin(True)
    twin.hears(*twin.segments(*row(COUNT, 500)))
    assert trains == []


def test_super_frames_in_a_row_are_one_train(trains: list[int]) -> None:
    twin = Twin(True)
    pieces = [Piece(number * 15_000, 15_000, window=0xFFFF) for number in range(4)]
    twin.hears(*twin.segments(*pieces), verified=(True,))
    assert trains == [3]


def test_a_frame_that_another_link_brings_does_not_belong_to_the_train(trains: list[int]) -> None:
    twin = Twin(True)
    by_another_link(twin, *twin.segments(*row(4)))
    assert trains[0] == 1, "the first two"
    assert max(trains) == 1


def test_a_train_ends_where_the_window_ends(trains: list[int]) -> None:
    twin = Twin(True)
    connection = twin.connections[0]
    connection.rcvbuf = connection.rcv_wnd = 7 * MSS + 100
    twin.hears(*twin.segments(*row()))
    assert trains[0] == 6


def test_a_train_ends_where_sequence_numbers_wrap_around(trains: list[int]) -> None:
    twin = Twin(True, iss=MASK - 6 * MSS)
    twin.hears(*twin.segments(*row(7)))
    assert trains[0] == 5


def test_the_next_batch_begins_a_train_of_its_own(trains: list[int]) -> None:
    twin = Twin(True)
    for number in range(3):
        twin.hears(*twin.segments(*(Piece((4 * number + piece) * MSS) for piece in range(4))))
    assert trains == [3, 3, 3]
    assert twin.fast.train is None
