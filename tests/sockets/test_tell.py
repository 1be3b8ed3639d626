"""`Host.tell`: what a program does to the host from outside, as events."""

from __future__ import annotations

import errno

import pytest
import trio

import stack
from stack import Ethernet, open_host


@pytest.mark.parametrize("what", ["wire", "setting", "mark", "break"])
async def test_what_is_told_is_an_event_in_the_order_of_the_others(autojump_clock: trio.abc.Clock, what: str) -> None:
    recorder = stack.Recorder()
    async with open_host(Ethernet(seed=1).attach(), address="10.0.0.1/24", acd="off", trace=recorder) as host:
        await trio.sleep(1)
        before = recorder.numbers()[1]
        host.tell(what, text="a", number=7)
        event = list(recorder)[-1]
        assert (event.n, event.name, event.data) == (before + 1, f"lab:{what}", {"text": "a", "number": 7})
        assert event.time == trio.current_time()


async def test_another_word_is_refused(autojump_clock: trio.abc.Clock) -> None:
    async with open_host(Ethernet(seed=1).attach(), address="10.0.0.1/24", acd="off") as host:
        with pytest.raises(ValueError, match="'frame' is none of wire, setting, mark, break"):
            host.tell("frame")


async def test_without_an_observer_nothing_is_told(autojump_clock: trio.abc.Clock) -> None:
    recorder = stack.Recorder()
    async with open_host(Ethernet(seed=1).attach(), address="10.0.0.1/24", acd="off") as host:
        host.tell("mark", text="before")
        with host.watch(recorder):
            host.tell("mark", text="meanwhile")
        host.tell("mark", text="after")
    assert [event.data["text"] for event in recorder if event.name == "lab:mark"] == ["meanwhile"]


async def test_of_a_host_that_has_ended_nothing_can_be_told(autojump_clock: trio.abc.Clock) -> None:
    async with open_host(Ethernet(seed=1).attach(), address="10.0.0.1/24", acd="off") as host:
        pass
    with pytest.raises(OSError, match="down") as caught:
        host.tell("mark")
    assert caught.value.errno == errno.ENETDOWN
