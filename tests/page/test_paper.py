"""A lesson on paper, as the browser prints it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tools.lessons import paper, shelf
from tools.lessons.check import Runs
from tools.lessons.network import perform
from tools.lessons.parse import read
from tools.lessons.words import WORDS

PAGE = re.compile(rb"/Type\s*/Page\b")


@pytest.mark.parametrize(
    ("number", "language", "most"), [("L14", "en", 4), ("L14", "fr", 4), ("T1", "en", 4), ("T2", "en", 8)]
)
def test_a_lesson_needs_few_sheets(page: Page, tmp_path: Path, number: str, language: str, most: int) -> None:
    lesson = read(shelf.find(number, language).path)
    out = tmp_path / "lesson.html"
    out.write_text(paper.page(lesson, Runs(lesson, perform), WORDS[language], language))
    page.goto(out.as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    assert 2 <= len(PAGE.findall(printed)) <= most
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off at the right"
    for name in ("body", ".answer"):
        size_px = page.locator(name).first.evaluate("(element) => parseFloat(getComputedStyle(element).fontSize)")
        assert size_px >= 11, "it can be read: 8.25 points"
