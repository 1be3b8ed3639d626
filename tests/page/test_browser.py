"""The browser itself: if this fails, Playwright and Chromium do not fit together."""

from __future__ import annotations

from playwright.sync_api import Page


def test_the_browser_runs_a_script(page: Page) -> None:
    page.set_content("<title>a page</title>")
    assert page.title() == "a page"
    assert page.evaluate("1 + 1") == 2
