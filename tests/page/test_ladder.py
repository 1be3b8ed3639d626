"""The ladder in the browser: keys, focus, what a screen reader gets, how many nodes, and that rows do not jump."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

FOLDER = Path(__file__).parent.parent.parent / "tools/inspector/page"
UNITS = Path(__file__).parent / "units"
KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
FILL = """async (copies) => {
  const {Log} = await import("./units/made.js");
  const log = new Log().handshake();
  for (let i = 0; i < copies; i++) {
    log.segment({seq: 101 + 4 * i, ack: 501, flags: 24, data: "text"});
    log.tell("host:call", {call: "LISTEN", because: "call_listen"}, {group: "0.0.0.0:7", cause: "call"});
  }
  tapstackStore.take(log.records);
  globalThis.made = log;
  while (tapstackStore.pumping) await new Promise(requestAnimationFrame);
}"""
MORE = """async (copies) => {
  made.records = [];
  for (let i = 0; i < copies; i++) made.segment({seq: 100000 + 4 * i, ack: 501, flags: 24, data: "text"});
  tapstackStore.take(made.records);
  while (tapstackStore.pumping) await new Promise(requestAnimationFrame);
}"""
CHOSEN = ".ladder [role=row][aria-selected=true]"


@pytest.fixture
def ladder(page: Page) -> Page:
    """The page with the rows of a connection; its server says nothing."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://page.test/t/").partition("?")[0] or "page/index.html"
        folder, _, name = path.partition("/")
        file = {"page": FOLDER, "units": UNITS}.get(folder, FOLDER / "none") / name
        if file.is_file():
            route.fulfill(body=file.read_bytes(), content_type=KINDS.get(file.suffix, "text/plain"))
        elif path == "events":
            route.fulfill(status=204)
        else:
            route.fulfill(body="{}", content_type="application/json")

    page.route("**/*", answer)
    page.goto("http://page.test/t/")
    page.wait_for_selector(".ladder")
    page.evaluate(FILL, 300)
    return page


def label(page: Page) -> str:
    """The sentence of the chosen row, after the page was drawn."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return page.locator(CHOSEN).get_attribute("aria-label") or ""


def test_each_row_is_one_sentence(ladder: Page) -> None:
    ladder.keyboard.press("Home")
    assert label(ladder) == (
        "frame 1, from the kernel, SYN, seq 0 win 1000, our host is in SYN-RECEIVED, the kernel is in SYN-SENT, rcv_syn"
    )


def test_steps_by_keys_move_the_focus_and_are_told(ladder: Page) -> None:
    ladder.keyboard.press("Home")
    ladder.keyboard.press("ArrowDown")
    ladder.keyboard.press(" ")
    ladder.keyboard.press("ArrowRight")
    assert label(ladder).startswith("frame 10, from the kernel, PSH,ACK")
    told = "document.activeElement.ariaLabel === tapstackStore.said && tapstackStore.said.startsWith('frame 10,')"
    ladder.wait_for_function(
        f"() => {told} && document.querySelector('[aria-live]').textContent === tapstackStore.said"
    )
    ladder.keyboard.press("j")
    assert label(ladder).startswith("frame 12, "), "the call between them belongs to another group"
    ladder.keyboard.press("k")
    ladder.keyboard.press("ArrowUp")
    assert label(ladder).startswith("frame 8, ")


def test_keys_open_what_they_say(ladder: Page) -> None:
    for key, tab in (("w", "why"), ("g", "graph"), ("1", "states"), ("2", "tcb"), ("5", "bits"), ("6", "host")):
        ladder.keyboard.press(key)
        ladder.wait_for_selector(f"#tab-{tab}[aria-selected=true]")
    ladder.keyboard.press("Enter")
    ladder.wait_for_selector("#tab-bits[aria-selected=true]")
    ladder.keyboard.press("b")
    ladder.wait_for_selector("#drawer")
    ladder.keyboard.press("b")
    ladder.wait_for_selector("#drawer", state="detached")
    ladder.keyboard.press("?")
    ladder.wait_for_selector("dialog.help")
    ladder.keyboard.press("Escape")
    ladder.wait_for_selector("dialog.help", state="detached")


def test_what_is_typed_into_the_filter_is_no_command(ladder: Page) -> None:
    ladder.keyboard.press("/")
    ladder.keyboard.type("gpw syn")
    assert ladder.locator("#filter").input_value() == "gpw syn"
    assert ladder.evaluate("tapstackStore.live")
    ladder.locator("#filter").fill("listen")
    ladder.wait_for_function("() => tapstackStore.visible.length === 300")
    ladder.keyboard.press("Escape")
    ladder.wait_for_function("() => tapstackStore.visible.length === 603")


def test_the_tab_key_reaches_everything_and_leaves(ladder: Page) -> None:
    seen = []
    for _ in range(40):
        ladder.keyboard.press("Tab")
        seen.append(
            ladder.evaluate("document.activeElement.textContent.trim().slice(0, 12) || document.activeElement.id")
        )
    for name in ("Pause", "filter", "Break it", "Report", "Capture", "?", "States", "Why"):
        assert name in seen


def test_numbers_are_relative_or_absolute(ladder: Page) -> None:
    ladder.keyboard.press("Home")
    assert "seq 0 " in label(ladder)
    ladder.keyboard.press("#")
    ladder.wait_for_function(f"() => document.querySelector('{CHOSEN}').ariaLabel.includes('seq 100 ')")


def test_rows_do_not_jump_while_one_reads(ladder: Page) -> None:
    ladder.evaluate("tapstackStore.select(300)")
    ladder.wait_for_selector(CHOSEN)
    before = ladder.locator(CHOSEN).bounding_box()
    ladder.evaluate(MORE, 500)
    ladder.wait_for_timeout(200)
    assert ladder.locator(CHOSEN).bounding_box() == before


def test_the_wheel_stops_a_live_page_and_p_goes_on(ladder: Page) -> None:
    ladder.locator(".ladder .scroll").hover()
    ladder.mouse.wheel(0, -600)
    ladder.wait_for_function("() => !tapstackStore.live")
    ladder.keyboard.press("p")
    ladder.evaluate(MORE, 50)
    ladder.wait_for_function("""() => {
      const last = [...document.querySelectorAll(".ladder [role=row]")].at(-1);
      const scroll = document.querySelector(".scroll");
      return last.getBoundingClientRect().bottom <= scroll.getBoundingClientRect().bottom + 1
        && scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 40;
    }""")


@pytest.mark.parametrize("width", [1440, 800, 320])
def test_each_arrow_shows_where_it_points_however_long_its_words_are(ladder: Page, width: int) -> None:
    ladder.set_viewport_size({"width": width, "height": 900})
    ladder.keyboard.press("Home")
    label(ladder)
    outside = """() => [...document.querySelectorAll(".scroll .arrow:not(.call) .tip")].map((tip) => {
      const {left, right} = tip.getBoundingClientRect(), wire = tip.closest(".wire").getBoundingClientRect();
      return Math.max(wire.left - left, right - wire.right);
    })"""
    found = ladder.evaluate(outside)
    assert len(found) > 3
    assert max(found) <= 1, "pixels beyond the column of the wire"


def test_few_nodes_for_many_rows(ladder: Page) -> None:
    ladder.evaluate(MORE, 50_000)
    ladder.keyboard.press("Home")
    assert ladder.evaluate("tapstackStore.rows.length") == 50_603
    assert ladder.evaluate("document.querySelectorAll('*').length") <= 2_500


def test_a_narrow_window_has_one_column_and_nothing_outside_it(ladder: Page) -> None:
    for width in (320, 640, 900):
        ladder.set_viewport_size({"width": width, "height": 700})
        ladder.wait_for_timeout(50)
        assert ladder.evaluate("document.documentElement.scrollWidth") <= width
        below = ladder.evaluate(
            "document.querySelector('.panels').getBoundingClientRect().top"
            " - document.querySelector('.ladder').getBoundingClientRect().bottom"
        )
        assert below >= 0
