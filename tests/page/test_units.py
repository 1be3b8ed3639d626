"""The page's modules that need no document, tested in the browser.

Each function in `tests` of units/*.js is one test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

HERE = Path(__file__).parent
FOLDERS = {"page": HERE.parent.parent / "tools/inspector/page", "units": HERE / "units"}
MODULES = sorted(path.stem for path in (HERE / "units").glob("*.js") if "export const tests" in path.read_text())
NAME = re.compile(r'^  (?:async )?"(.+)"\(\) \{$', re.MULTILINE)
TESTS = [(module, name) for module in MODULES for name in NAME.findall((HERE / f"units/{module}.js").read_text())]
RUN = """async ([module, name]) => {
  const {tests} = await import(`./units/${module}.js`);
  try {
    await tests[name]();
  } catch (error) {
    return `${error.message}\\n${error.stack}`;
  }
  return "";
}"""


@pytest.fixture
def bench(page: Page) -> Page:
    """An empty document that may import the page's modules, and the tests."""

    def answer(route: Route) -> None:
        folder, _, path = route.request.url.removeprefix("http://page.test/").partition("/")
        if folder in FOLDERS:
            route.fulfill(body=(FOLDERS[folder] / path).read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>tests</title>", content_type="text/html")

    page.route("**/*", answer)
    page.goto("http://page.test/")
    return page


@pytest.mark.parametrize(("module", "name"), TESTS)
def test_in_the_browser(bench: Page, module: str, name: str) -> None:
    assert bench.evaluate(RUN, [module, name]) == ""


def test_all_tests_are_found() -> None:
    assert len(TESTS) >= 25
    assert {module for module, _ in TESTS} == set(MODULES)
