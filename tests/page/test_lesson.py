"""A lesson in the browser: it asks before it shows, says why an answer is wrong, and shows in red what is broken."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.page.lab import TOP, URL
from tests.page.test_access import violations

HOSTILE = """# T1 <img src=x onerror=window.tapstackHit=1>
time: 1 min

<script>window.tapstackHit = 1</script> and [a link](javascript:window.tapstackHit=1) and `<b>code</b>`.

| <i>head</i> | other |
|---|---|
| <img src=x onerror=window.tapstackHit=1> | *emphasis* |

```python run=one seed=1
client, server = await lesson.hosts("client", "server")
await client.ping("10.9.0.2")
```

```predict id=q about="count client frame kind=icmp"
How many messages <u>pass</u>?
answer: 2
hint 1: <img src=x onerror=window.tapstackHit=1> is no answer.
because: A request and a reply.
```
"""


@contextmanager
def taught(state: Path, *words: str) -> Iterator[str]:
    """Run `tapstack lesson ... --page` until the block ends, and give the URL of the page."""
    command = [sys.executable, "-P", "-u", "-m", "tools", "lesson", *words, "--page"]
    environment = {**os.environ, "PYTHONPATH": str(TOP), "XDG_STATE_HOME": str(state)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = URL.search(process.stdout.readline())
            assert found
            yield found[0]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    """The page of a lesson whose questions have all been answered."""
    with taught(tmp_path_factory.mktemp("state"), "T1") as url:
        page = browser.new_page()
        page.goto(url)
        settled(page)
        while True:
            if page.get_by_role("button", name="Show the answer").count():
                page.get_by_role("button", name="Show the answer").click()
                expect(page.get_by_role("status")).not_to_be_empty()
            if page.get_by_text("This is the end of the lesson.").count():
                break
            forward(page)
        page.close()
        yield url


def forward(page: Page) -> None:
    """Go to the next step."""
    heading = page.locator(".where")
    before = heading.inner_text()
    page.get_by_role("button", name="Next").click()
    expect(heading).not_to_have_text(before)
    settled(page)


def settled(page: Page) -> None:
    """Wait until the step is there."""
    page.locator(".step > *").first.wait_for()
    expect(page.locator(".step")).not_to_have_text("…")


def step_with(page: Page, url: str, text: str) -> None:
    """Open the page at its last step, and go back to the one that has this text."""
    page.goto(url)
    settled(page)
    while not page.locator(".step", has_text=text).count():
        heading = page.locator(".where")
        before = heading.inner_text()
        page.get_by_role("button", name="Previous").click()
        expect(heading).not_to_have_text(before)
        settled(page)


def test_it_asks_before_it_shows_and_says_why(page: Page, tmp_path: Path) -> None:
    with taught(tmp_path, "T1") as url:
        page.goto(url)
        page.get_by_role("heading", name="Which control bits").or_(page.locator("legend")).first.wait_for()
        assert page.locator(".ladder").count() == 0
        assert page.get_by_role("button", name="Next").is_disabled()
        page.get_by_label("SYN and ACK", exact=False).check()
        page.get_by_role("button", name="Answer", exact=True).click()
        verdict = page.get_by_role("status")
        expect(verdict).to_contain_text("Not yet. ACK says that the acknowledgment number means something.")
        assert page.get_by_role("button", name="Next").is_disabled(), "one more try"
        page.get_by_role("radio").first.check()
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(verdict).to_contain_text("Right. SYN stands for")
        assert page.locator("progress").get_attribute("value") == "1"
        forward(page)
        assert page.locator(".where").evaluate("(element) => element === document.activeElement")
        page.reload()
        page.locator(".order").wait_for()
        assert page.locator("progress").get_attribute("value") == "1"
    with taught(tmp_path, "T1") as url:  # another day
        page.goto(url)
        page.locator(".order").wait_for()
        assert page.locator("progress").get_attribute("value") == "1"


def test_the_ladder_of_the_run_and_that_of_the_broken_one(page: Page, done: str) -> None:
    step_with(page, done, "The ladder of this run is beside the lesson.")
    rows = page.locator(".beside .scroll [role=row]")
    rows.first.wait_for()
    assert "SYN" in page.locator(".beside .scroll").inner_text()
    if not page.locator(".notes .broken").count():
        assert "ESTABLISHED" in page.locator(".beside .scroll").inner_text()
    step_with(page, done, "Without it the checksum of each segment is 0")
    note = page.locator(".notes .broken")
    note.wait_for()
    expect(note).to_contain_text("Warning: broken on purpose: 9293 MUST-2. Without it")
    expect(note).to_have_css("color", "rgb(168, 0, 24)")
    expect(page.locator(".broken-note")).to_have_css("color", "rgb(168, 0, 24)")


def test_the_keyboard_alone_is_enough(page: Page, tmp_path: Path) -> None:
    with taught(tmp_path, "T1") as url:
        page.goto(url)
        page.locator("legend").wait_for()
        page.locator("body").press("Tab")
        for _ in range(20):
            if page.evaluate("document.activeElement.type") == "radio":
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Right.")
        for _ in range(20):
            if page.evaluate("document.activeElement.textContent") == "Next":
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.locator(".order").wait_for()
        wanted = ["SYN", "SYN and ACK", "ACK"]
        for place, text in enumerate(wanted):
            while page.locator(".order li span").all_inner_texts().index(text) > place:
                page.get_by_role("button", name=re.compile(f"^move up: {text}$")).press("Enter")
        page.get_by_role("button", name="Answer", exact=True).press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Right. The client sends its SYN.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(context: BrowserContext, done: str, tmp_path: Path, scheme: Any) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)
    with taught(tmp_path, "T1") as url:
        page.goto(url)
        page.locator("legend").wait_for()
        assert violations(page) == []
        page.get_by_role("button", name="Show the answer").click()
        expect(page.get_by_role("status")).not_to_be_empty()
        assert violations(page) == []
        forward(page)
        assert violations(page) == []
    step_with(page, done, "Without it the checksum of each segment is 0")
    page.locator(".notes .broken").wait_for()
    page.locator(".beside .scroll [role=row]").first.wait_for()
    assert violations(page) == []


def test_nothing_is_cut_off_at_320_px(context: BrowserContext, done: str) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 320, "height": 640})
    step_with(page, done, "Without it the checksum of each segment is 0")
    page.locator(".beside .scroll [role=row]").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_text_of_a_lesson_is_not_html(page: Page, tmp_path: Path) -> None:
    lesson = tmp_path / "T1-hostile.md"
    lesson.write_text(HOSTILE)
    with taught(tmp_path, str(lesson)) as url:
        page.goto(url)
        page.locator("legend").wait_for()
        page.get_by_label("Your answer").fill("1")
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("<img src=x onerror=window.tapstackHit=1> is no answer.")
        assert page.locator(".lesson-pane").locator("img, script, b, i, u, a").count() == 0
        assert page.evaluate("window.tapstackHit") is None


def test_exercises_do_not_end(page: Page, tmp_path: Path) -> None:
    with taught(tmp_path, "L4") as url:
        page.goto(url)
        settled(page)
        show, another = (page.get_by_role("button", name=name) for name in ("Show the answer", "Another exercise"))
        while not another.count():
            if show.count():
                show.click()
                expect(page.get_by_role("status")).not_to_be_empty()
            if not another.count():
                forward(page)
        before = page.locator("legend").inner_text()
        another.click()
        expect(page.locator("legend")).not_to_have_text(before)
        show.click()
        expect(page.get_by_role("status")).to_contain_text("The answer is")


def test_a_result_sheet_has_each_answer_at_once(page: Page, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet"
    with taught(tmp_path, "T1", "--check", str(sheet)) as url:
        page.goto(url)
        page.get_by_label("SYN and ACK", exact=False).check()
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("Not yet. ACK says")
        expect(page.get_by_role("status")).to_contain_text("The answer is a.")
        assert page.get_by_role("button", name="Next").is_enabled(), "there is one try"
        (row,) = map(json.loads, sheet.read_text().splitlines())
    assert row == {
        "lesson": "T1",
        "title": "The three-way handshake",
        "question": "first",
        "given": ["b"],
        "right": False,
    }


def test_the_help_is_in_the_language_of_the_lesson(context: BrowserContext, done: str, tmp_path: Path) -> None:
    page = context.new_page()
    step_with(page, done, "The ladder of this run is beside the lesson.")
    page.locator(".beside .scroll [role=row]").first.wait_for()
    page.get_by_role("button", name="help: the keys").click()
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("the row before, the next row")
    expect(dialog).not_to_contain_text("go live")  # a run of a lesson is over
    assert violations(page) == []
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    shelf_file = tmp_path / "tapstack" / "lessons.json"
    shelf_file.parent.mkdir()
    shelf_file.write_text(json.dumps({"T1": dict.fromkeys(["first", "order", "ack", "third"], True)}))
    with taught(tmp_path, "T1", "--lang", "fr") as url:
        page.goto(url)
        page.locator(".beside .scroll [role=row]").first.wait_for()
        page.locator(".beside .scroll [role=row]").first.click()
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Touches")
        expect(dialog).to_contain_text("la ligne précédente, la suivante")
        expect(dialog).to_contain_text("perdu sur le câble")
        expect(dialog).to_have_attribute("lang", "fr")
        assert violations(page) == []
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def test_a_lesson_in_french(page: Page, tmp_path: Path) -> None:
    with taught(tmp_path, "T1", "--lang", "fr") as url:
        page.goto(url)
        page.get_by_role("button", name="Montrer la réponse").click()
        expect(page.get_by_role("status")).to_contain_text("La réponse est a.")
        assert page.evaluate("document.documentElement.lang") == "fr"
