"""How fast the page is: first paint, from the wire to an arrow, keys, scrolling, floods.

The bounds are for a machine that does a loop of Python in the time LOOP_S and has one program for
each core. On a slower one, or while other programs share it, the bound grows by that factor, before
or after; or by that of the frames of an empty page. Where the first measurement misses its bound, a
second decides, and both are printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from statistics import quantiles
from time import perf_counter

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.page.lab import Lab, until

FIRST_PAINT_MS = 300
WIRE_TO_ARROW_MS = 150
KEY_MS = 50
BUSY_KEY_MS = 100
FRAME_MS, LONGEST_FRAME_MS = 33.4, 150  # two frames of 60 in a second, as the browser's clock rounds them
NODES = 2500
LOOPS, LOOP_S = 1_000_000, 0.1
A_FRAME_MS = 1000 / 60


def slowness_now() -> float:
    """How much slower the machine is now than the one that the bounds are for, and at least 1.

    A loop tells how fast a core is, the load average how many programs share it.
    """
    began = perf_counter()
    total = 0
    for number in range(LOOPS):
        total += number
    return max(1.0, (perf_counter() - began) / LOOP_S, os.getloadavg()[0] / (os.cpu_count() or 1))


def bounded(
    what: str, bound: float, measure: Callable[[], float], slowness: Callable[[], float] = slowness_now
) -> None:
    """Fail if `measure` is above the bound twice."""
    seen: list[str] = []
    for _ in range(2):
        before = slowness()
        value = measure()
        slower = max(before, slowness())
        seen.append(f"{value:.1f}" + (f" on a machine that is {slower:.1f} times slower now" if slower > 1.1 else ""))
        if value <= bound * slower:
            break
    else:
        pytest.fail(f"{what}: {', then '.join(seen)}; the bound is {bound:g}")
    print(f"{what}: {', then '.join(seen)}; the bound is {bound:g}")


def p95(values: list[float]) -> float:
    """The value that 95 of 100 do not exceed."""
    return quantiles(values, n=20)[-1]


@pytest.fixture
def live(page: Page, lab: Lab) -> Page:
    """The page of the lab, with events on it."""
    page.goto(lab.url)
    lab.run("ping -c 1 -W 5 10.9.0.2")
    until(page, "tapstackStore.count > 0")
    return page


def test_first_paint(context: BrowserContext, lab: Lab) -> None:
    def measure() -> float:
        page = context.new_page()
        page.goto(lab.url)
        page.wait_for_selector("[role=grid]")
        until(page, "performance.getEntriesByName('first-contentful-paint').length")
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        page.close()
        return float(painted)

    measure()  # Chromium itself is cold the first time
    bounded("first paint in ms", FIRST_PAINT_MS, measure)


WATCH = """() => {
  const store = tapstackStore, epoch = store.hello.epoch_ms, late = globalThis.late = [];
  let last = store.lastN;
  const look = () => {
    // A frame callback's end is the moment before the paint.
    for (; last < store.lastN; last++) {
      const record = store.events.get(last + 1);
      if (record && record.name === "wire:frame") globalThis.waiting.push(record);
    }
    const shown = store.rows.length ? document.querySelector(".scroll .row.chosen") : null;
    for (const record of globalThis.waiting.splice(0)) if (shown) late.push(Date.now() - epoch - record.at);
  };
  globalThis.waiting = [];
  const seen = {childList: true, subtree: true, attributes: true};
  new MutationObserver(look).observe(document.querySelector(".scroll"), seen);
}"""


def test_from_the_wire_to_an_arrow(live: Page, lab: Lab) -> None:
    def measure() -> float:
        live.evaluate("() => { globalThis.late = []; }")
        live.evaluate(WATCH)
        lab.run("ping -c 40 -i 0.05 -W 5 10.9.0.2")
        until(live, "late.length >= 80")
        return p95(live.evaluate("late"))

    bounded("from the wire to the arrow in ms, p95", WIRE_TO_ARROW_MS, measure)


KEY = """(key) => new Promise((done) => {
  const began = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})"""


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
@pytest.mark.parametrize("lower", ["4", "5", "6"], ids=["why", "bits", "host"])
@pytest.mark.parametrize("upper", ["1", "2", "3"], ids=["states", "tcb", "graph"])
def test_a_step_changes_all_panels(live: Page, lab: Lab, upper: str, lower: str, opened: bool) -> None:
    """With each two panels, and with all that they fold away."""
    lab.run("for i in 1 2 3 4 5; do echo hello | nc -N -w 5 10.9.0.2 7; done")
    until(live, "tapstackStore.connections.size >= 5")
    live.keyboard.press(upper)
    live.keyboard.press(lower)
    live.keyboard.press("End")
    if opened:
        live.evaluate("() => document.querySelectorAll('.panels details').forEach((each) => { each.open = true; })")

    def measure() -> float:
        return p95([live.evaluate(KEY, "ArrowLeft") for _ in range(40)])

    bounded("from a step to all panels in ms, p95", KEY_MS, measure)
    assert not live.evaluate("tapstackStore.live")


SCROLL = """(by) => new Promise((done) => {
  const element = document.querySelector(".scroll") || document.body, times = [];
  let last = 0, count = 0;
  const step = (now) => {
    if (last) times.push(now - last);
    last = now;
    element.scrollTop -= by;
    if (++count < 120) requestAnimationFrame(step);
    else done(times);
  };
  requestAnimationFrame(step);
})"""


def test_ten_thousand_events_scroll_smoothly(live: Page, lab: Lab) -> None:
    empty = live.context.new_page()
    for _ in range(20):  # how many events a megabyte has depends on the machine: large frames take fewer
        lab.run("head -c 8000000 /dev/zero | nc -N -w 60 10.9.0.2 9")
        if live.evaluate("tapstackStore.count > 10000"):
            break
    until(live, "tapstackStore.count > 10000 && !tapstackStore.queue.length")
    live.keyboard.press("ArrowUp")

    def measure() -> float:
        live.bring_to_front()
        live.keyboard.press("End")
        times[:] = live.evaluate(SCROLL, 300)
        assert live.evaluate("document.querySelectorAll('*').length") <= NODES
        return p95(times)

    def slowness() -> float:
        empty.bring_to_front()
        return max(slowness_now(), p95(empty.evaluate(SCROLL, 300)) / A_FRAME_MS)

    times: list[float] = []
    bounded("a frame while scrolling in ms, p95", FRAME_MS, measure, slowness)
    bounded("the longest frame while scrolling in ms", LONGEST_FRAME_MS, lambda: measure() and max(times), slowness)
