"""The page's export, as a user does it: the files that the buttons give, opened again."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request

import stack
from tests.page.lab import Lab, until

OURS = "10.9.0.2"
TALL = {"width": 1280, "height": 8000}  # for all rows to be in the document
LABELS = "[...document.querySelectorAll('.scroll [role=row]')].map((row) => row.getAttribute('aria-label'))"
ENDED = """[...tapstackStore.connections.values()].length === 2 && [...tapstackStore.connections.values()]
  .every(({state}) => state === 'CLOSED' || state === 'TIME_WAIT')"""
READ = "globalThis.tapstackStore && tapstackStore.count >= {} && tapstackStore.visible.length > 0"


@pytest.fixture(scope="module")
def conversation(lab: Lab) -> Lab:
    """The lab after a conversation by curl and one by nc."""
    assert lab.run(f"curl -s -m 10 -o /dev/null -w '%{{http_code}}' http://{OURS}/").startswith("200")
    assert "said" in lab.run(f"printf 'said\\n' | timeout 20 nc -N -w 5 {OURS} 7")
    return lab


@pytest.fixture
def talked(page: Page, conversation: Lab) -> Page:
    """The page of that lab, with all that was said."""
    page.set_viewport_size(TALL)  # type: ignore[arg-type]
    page.goto(conversation.url)
    until(page, f"tapstackStore.online && {ENDED} && !tapstackStore.queue.length")
    return page


def downloaded(page: Page, name: str, folder: Path) -> Path:
    """The file that a button of the page gives."""
    with page.expect_download() as download:
        page.get_by_role("link", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_the_report_of_the_page_opens_from_the_disk_with_the_same_ladder(
    talked: Page, context: BrowserContext, tmp_path: Path
) -> None:
    path = downloaded(talked, "Report", tmp_path)
    assert path.name == "report.html"
    document = path.read_text()
    assert document.endswith("</html>\n")
    report, asked = context.new_page(), list[Request]()

    def note(request: Request) -> None:
        asked.append(request)

    report.on("request", note)
    report.set_viewport_size(TALL)  # type: ignore[arg-type]
    report.goto(path.as_uri())
    until(report, READ.format(1))
    last = report.evaluate("tapstackStore.lastN")
    until(
        report,
        f"tapstackStore.rows.length >= {talked.evaluate(f'tapstackStore.rows.filter(({{n}}) => n <= {last}).length')}",
    )
    assert [request.url for request in asked if not request.url.startswith(("file:", "data:"))] == []
    for group in ("c1", "c2"):
        shown = []
        for each in (talked, report):
            each.evaluate("(group) => tapstackStore.setFollow(group)", group)
            until(each, "document.querySelectorAll('.scroll [role=row]').length === tapstackStore.visible.length")
            shown.append(each.evaluate(LABELS))
        assert len(shown[0]) >= 8
        assert shown[1] == shown[0]
    static = report.locator("#static tbody tr")
    frames = "tapstackStore.rows.filter((row) => row.kind === 'frame').length"
    assert static.count() >= report.evaluate(frames) >= 16


def test_the_capture_of_the_page_has_its_frames(talked: Page, tmp_path: Path) -> None:
    path = downloaded(talked, "Capture", tmp_path)
    assert path.name == "tapstack.pcapng"
    frames = list(stack.read_capture(path))
    shown = talked.evaluate(
        "tapstackStore.rows.filter((row) => row.kind === 'frame').map(({dir, event}) => [dir, event.data.len])"
    )
    assert [[frame.direction, frame.length] for frame in frames] == shown[: len(frames)]
    assert len(frames) >= 16
    assert sum(b"said" in frame.octets for frame in frames) == 2
