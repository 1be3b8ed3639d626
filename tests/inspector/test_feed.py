"""Events reach each viewer in order, or it is told which it has missed. Without a viewer nothing is encoded."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
import trio.testing

import stack
from tests.inspector.served import EPOCH_S, TOKEN, served
from tools.inspector import feed, state

Clock = trio.abc.Clock


async def test_a_viewer_gets_the_past_and_then_what_happens(autojump_clock: Clock) -> None:
    async with served() as page:
        page.tell(2000)
        last = page.recorder.numbers()[1]
        async with page.viewer() as events:
            name, hello = await events.next()
            assert name == "hello"
            assert isinstance(hello, dict)
            assert (hello["first"], hello["last"], hello["lost"]) == (1, last, 0)
            assert (hello["offload"], hello["fast_paths"]) == (False, False)
            assert "notes" not in hello
            assert hello["epoch_ms"] == 1000 * EPOCH_S
            assert await events.numbers(last) == list(range(1, last + 1))
            page.tell(3)
            assert await events.numbers(last + 3) == [last + 1, last + 2, last + 3]


async def test_a_record_is_the_event_with_the_name_of_the_host(autojump_clock: Clock) -> None:
    async with served() as page, page.viewer(page.recorder.numbers()[1]) as events:
        await events.next()
        page.host.tell("mark", text="\N{RIGHT-TO-LEFT OVERRIDE}<img onerror=x>\n\ud800")
        name, records = await events.next()
        assert name == "batch"
        assert isinstance(records, list)
        (event,) = list(page.recorder)[-1:]
        assert records[0]["n"] == event.n
        assert records[0]["name"] == "lab:mark"
        assert records[0]["host"] == "host"
        assert records[0]["data"] == {"text": "\N{RIGHT-TO-LEFT OVERRIDE}<img onerror=x>\n?"}
        assert "sentence" not in records[0]


async def test_a_viewer_that_connects_again_goes_on_where_it_was(autojump_clock: Clock) -> None:
    async with served() as page:
        page.tell(100)
        last = page.recorder.numbers()[1]
        async with page.viewer(after=last - 5) as events:
            assert (await events.next())[0] == "hello"
            assert await events.numbers(last) == list(range(last - 4, last + 1))
        async with page.viewer(Last_Event_ID=str(last - 2)) as events:
            assert (await events.next())[0] == "hello"
            assert await events.numbers(last) == [last - 1, last]
        async with page.viewer(after=10**9) as events:
            assert (await events.next())[0] == "hello"
            page.tell(1)
            assert await events.numbers(last + 1) == [last + 1]


async def test_what_the_recorder_has_lost_is_told(autojump_clock: Clock) -> None:
    async with served(most_events=200) as page:
        page.tell(1000)
        first, last = page.recorder.numbers()
        async with page.viewer() as events:
            assert (await events.next())[0] == "hello"
            numbers = await events.numbers(last)
            assert numbers == [-number for number in range(1, first)] + list(range(first, last + 1))


async def test_a_viewer_that_reads_a_long_past_misses_nothing_that_happens_meanwhile(autojump_clock: Clock) -> None:
    async with served() as page, trio.open_nursery() as nursery:
        page.tell(30_000)

        async def go_on() -> None:
            for _ in range(30):
                await trio.sleep(feed.BATCH_S)
                page.tell(600)

        async with page.viewer() as events:
            assert (await events.next())[0] == "hello"
            last = page.recorder.numbers()[1] + 30 * 600
            nursery.start_soon(go_on)
            numbers = await events.numbers(last)
            first = page.recorder.numbers()[0]
            assert first == 1, "the recorder still has all of them"
            assert numbers == list(range(1, last + 1))


async def test_a_viewer_goes_over_to_the_batches_when_it_is_close_behind(autojump_clock: Clock) -> None:
    async with served() as page:
        given = page.inspector.feed
        begin = page.recorder.numbers()[1]
        with given.viewer(begin):
            for _ in range(10):  # nearly so many as are kept
                page.tell(470)
                assert given.encode()
            with given.viewer(begin) as late:
                told = [given.next_for(late)]
                page.tell(900)
                assert given.encode()
                while (message := given.next_for(late)) is not None:
                    told.append(message)
                assert not any(b"event: gap" in (message or b"") for message in told)
                assert told[-1] is given._batches[-1].message, "encoded once for all"


async def test_a_viewer_that_does_not_read_costs_bounded_memory_and_is_told_its_gap(autojump_clock: Clock) -> None:
    async with served() as page:
        last = page.recorder.numbers()[1]
        with trio.CancelScope() as scope:
            async with page.viewer(last, stops=True) as slow, page.viewer(last) as quick:
                assert (await slow.next())[0] == "hello"
                assert (await quick.next())[0] == "hello"
                for _ in range(40):
                    page.tell(500)
                    assert await quick.numbers(page.recorder.numbers()[1]) == list(range(last + 1, last + 501))
                    last += 500
                held = sum(len(batch.message) for batch in page.inspector.feed._batches)
                assert held < 3_000_000
                numbers = await slow.numbers(last)
                assert [abs(number) for number in numbers] == list(range(numbers[0], last + 1))
                assert any(number < 0 for number in numbers)
                scope.cancel()


async def test_a_burst_is_more_than_is_encoded_and_the_gap_is_told(autojump_clock: Clock) -> None:
    async with served() as page:
        last = page.recorder.numbers()[1]
        async with page.viewer(last) as events:
            assert (await events.next())[0] == "hello"
            await trio.sleep(1)
            page.tell(feed.BEHIND_EVENTS + 1)
            await trio.testing.wait_all_tasks_blocked()
            page.tell(1)
            newest = page.recorder.numbers()[1]
            numbers = await events.numbers(newest)
            assert [abs(number) for number in numbers] == list(range(last + 1, newest + 1))
            assert numbers[0] < 0 < numbers[-1]


async def test_a_batch_is_encoded_once_for_all_and_at_most_every_50_ms(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[float] = []
    encode = stack.events_json

    def counted(events: list[stack.Event], **fields: object) -> bytes:
        encoded.append(trio.current_time())
        return encode(events, **fields)

    async with served() as page:
        monkeypatch.setattr(stack, "events_json", counted)
        last = page.recorder.numbers()[1]
        async with page.viewer(last) as one, page.viewer(last) as two, page.viewer(last) as three:
            for events in (one, two, three):
                assert (await events.next())[0] == "hello"
            for _ in range(1000):
                page.tell(1)
                await trio.sleep(0.001)
            for events in (one, two, three):
                assert await events.numbers(last + 1000) == list(range(last + 1, last + 1001))
        assert 18 <= len(encoded) <= 22
        assert min(later - earlier for earlier, later in pairwise(encoded)) >= feed.BATCH_S - 1e-9


async def test_with_the_page_closed_nothing_is_encoded_or_noticed(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served() as page:
        async with page.viewer() as events:
            assert (await events.next())[0] == "hello"
        await trio.sleep(5)

        def never(*_: object, **__: object) -> bytes:
            raise AssertionError("it is encoded although no page is open")

        monkeypatch.setattr(stack, "events_json", never)
        monkeypatch.setattr(feed.Feed, "_notice", never)
        page.tell(1000)
        await trio.sleep(5)
        assert not page.inspector.feed.viewers
        assert not page.inspector.feed._batches


class Wakes(trio.abc.Instrument):
    """Counts how often a task runs."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if "stack timer" not in task.name and "test_" not in task.name:
            self.count += 1


async def test_with_an_open_page_and_no_traffic_no_task_wakes(autojump_clock: Clock) -> None:
    async with served() as page, page.viewer() as events:
        assert (await events.next())[0] == "hello"
        await trio.sleep(30)
        wakes = Wakes()
        trio.lowlevel.add_instrument(wakes)
        await trio.sleep(600)
        trio.lowlevel.remove_instrument(wakes)
        assert wakes.count == 0


async def test_the_end_of_the_host_is_told_after_the_last_events(autojump_clock: Clock) -> None:
    async with trio.open_nursery() as nursery, served() as page:
        seen: list[str] = []
        ready = trio.Event()

        async def look() -> None:
            async with page.viewer(page.recorder.numbers()[1]) as events:
                while (told := await events.next())[0]:
                    seen.append(told[0])
                    ready.set()

        nursery.start_soon(look)
        await ready.wait()
        await trio.sleep(1)
        page.tell(2)
    assert seen == ["hello", "batch", "end"]


async def test_the_last_events_of_the_host_come_before_the_end(autojump_clock: Clock) -> None:
    numbers: list[int] = []
    names: list[str] = []

    async with trio.open_nursery() as nursery, served() as page:

        async def look(task_status: trio.TaskStatus[None]) -> None:
            async with page.viewer() as events:
                task_status.started()
                while (told := await events.next())[0]:
                    names.append(told[0])
                    if told[0] == "batch":
                        assert isinstance(told[1], list)
                        numbers.extend(record["n"] for record in told[1])

        await nursery.start(look)
        listeners = await page.host.open_tcp_listeners(7)
        await trio.sleep(1)
        before = page.recorder.numbers()[1]
        assert numbers[-1] == before
        assert listeners
    last = page.recorder.numbers()[1]
    assert last > before, "the host tells of its end"
    assert numbers == list(range(1, last + 1))
    assert names[-1] == "end"


# --- what changes slowly


async def test_state_is_looked_at_once_a_second_and_only_changes_are_sent(autojump_clock: Clock) -> None:
    looks: list[float] = []
    values: dict[str, object] = {"arp": [1], "routes": []}

    async def look() -> dict[str, object]:
        looks.append(trio.current_time())
        return dict(values)

    async with served() as page:
        page.inspector.state.looks["host"] = look
        last = page.recorder.numbers()[1]
        async with page.viewer(last) as events:
            assert (await events.next())[0] == "hello"
            assert await events.next() == ("state", {"host": {"arp": [1], "routes": []}})
            for number in range(100):
                values["arp"] = [number // 50]
                page.tell(1)
                await trio.sleep(0.05)
            told: list[object] = []
            while abs(page.recorder.numbers()[1] - last) and len(told) < 2:
                name, data = await events.next()
                if name == "state":
                    told.append(data)
            assert told == [{"host": {"arp": [0]}}, {"host": {"arp": [1]}}]
            assert len(looks) <= 7
            assert min(later - earlier for earlier, later in pairwise(looks)) >= state.STATE_S
            del values["routes"]
            page.tell(1)
            while (told_now := await events.next())[0] != "state":
                pass
            assert told_now[1] == {"host": {"routes": None}}
        looks.clear()
        page.tell(5)
        await trio.sleep(10)
        assert looks == []


async def test_a_look_that_raises_is_taken_no_more_and_costs_nothing_else(
    autojump_clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken() -> dict[str, object]:
        raise ValueError("broken on purpose")

    async def look() -> dict[str, object]:
        return {"x": 1}

    async with served() as page:
        page.inspector.state.looks.update(kernel=broken, host=look)
        async with page.viewer(page.recorder.numbers()[1]) as events:
            assert (await events.next())[0] == "hello"
            assert await events.next() == ("state", {"host": {"x": 1}})
        assert list(page.inspector.state.looks) == ["host"]
    assert "broken on purpose" in capsys.readouterr().err


# --- what the page asks for


async def test_the_layers_of_a_recorded_frame_and_the_capture(autojump_clock: Clock) -> None:
    async with served() as page:
        with trio.move_on_after(2):
            await page.host.ping("10.0.0.9")
        n = next(event.n for event in page.recorder if event.name == "wire:frame")
        status, _, body = await page.get(f"layers?n={n}")
        assert status == 200
        assert b'"name":"Ethernet II"' in body
        status, headers, body = await page.get("capture.pcapng")
        assert status == 200
        assert headers["content-disposition"] == 'attachment; filename="tapstack.pcapng"'
        assert body.startswith(bytes.fromhex("0a0d0d0a"))
        assert (await page.ask("HEAD", f"/{TOKEN}/capture.pcapng"))[2] == b""
