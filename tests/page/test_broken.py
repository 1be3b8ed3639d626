"""The page says in red what is broken on purpose."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.page.lab import inspected


def test_what_is_broken_is_said_in_red(context: BrowserContext) -> None:
    with inspected(without="9293 SHLD-18") as lab:
        assert any(line.startswith("broken on purpose: 9293 SHLD-18. Without it every") for line in lab.told)
        assert any("; broken on purpose: 9293 SHLD-18" in line for line in lab.told if line.startswith("ready:"))
        page = context.new_page()
        page.goto(lab.url)
        note = page.locator(".notes .broken")
        note.wait_for()
        assert note.inner_text().startswith("Warning: broken on purpose: 9293 SHLD-18. Without it every segment")
        expect(note).to_have_css("color", "rgb(168, 0, 24)")
        page.locator(".row.lab").first.wait_for()
