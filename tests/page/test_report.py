"""A report in the browser: it runs from the disk, nothing in it runs that is not ours, and it prints."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

import stack
from tests.course import captures
from tests.inspector.report_files import hostile_capture
from tests.page.test_bounds import SCROLL, bounded, p95
from tests.tools.capture_files import tcp_frame, write_pcapng
from tools import cli
from tools.inspector.report import About, Report

HOSTILE = 1000  # payloads
MOST_PAGES = 4  # of A4
SHORT, LONG = 10_000, 100_000  # events
PAINT_MS, USABLE_MS = 300, 2500
STEP_PX, MOST_ROWS = 300, 200  # scrolled in a frame; rows in the document
PAGE_BYTES, EVENT_BYTES = 250_000, 50
READ = "([count]) => globalThis.tapstackStore && tapstackStore.count >= count && tapstackStore.visible.length > 0"


def made(path: Path, *options: str) -> Path:
    """The report of a capture."""
    out = path.parent / "report.html"
    assert cli.main(["explain", str(path), "--html", str(out), *options]) == 0
    return out


@pytest.fixture
def pop3(tmp_path: Path) -> Path:
    return made(captures.write(tmp_path / "pop3.pcap", captures.ETHERNET, captures.pop3()))


def run_of(count: int) -> bytes:
    """The report of a host that has told `count` events: a transfer."""
    chance, events, seq = random.Random(1), list[stack.Event](), 1
    events.append(
        stack.Event(1, 0, 0, "tcp:open", "c1", 0, "call", {"local": "10.9.0.2:7", "remote": "10.9.0.1:5000"}, ())
    )
    while len(events) < count:
        n, at = len(events) + 1, len(events) / 5000
        back = n % 2 == 0
        octets = tcp_frame(b"" if back else chance.randbytes(60), seq=1 if back else seq, ack=seq, back=back)
        data: dict[str, object] = {
            "dir": "out" if back else "in",
            "link": "ethernet",
            "len": len(octets),
            "octets": octets,
        }
        events.append(stack.Event(n, at, at, "wire:frame", "tap0", n, "frame", data, ("own",)))
        seq += 0 if back else 60
        delta: dict[str, object] = {"rcv_nxt": seq, "srtt_s": chance.random() / 1000}
        events.append(stack.Event(n + 1, at, at, "tcp:delta", "c1", n, "frame", delta, ("own",)))
        told: dict[str, object] = {"decision": "now", "ack": seq, "because": "ack_second_segment"}
        events.append(stack.Event(n + 2, at, at, "tcp:ack", "c1", n, "frame", told, ("9293 SHLD-18",)))
    return Report(events[:count], About("host")).html()


def test_it_opens_from_the_disk_and_asks_for_nothing(page: Page, pop3: Path) -> None:
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    page.on("request", note)
    page.goto(pop3.as_uri())
    page.wait_for_function(READ, arg=[20])
    assert page.locator("#static").is_hidden()
    page.wait_for_function(
        "() => document.querySelectorAll('.scroll [role=row]').length >= 10"
    )  # they are drawn a little later
    assert "what looks like a password" in page.locator(".notes").inner_text()
    states = page.evaluate("tapstackStore.connections.get('c1').states.map((each) => each.after)")
    assert states == ["LISTEN", "SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]
    for key in "123456":
        page.keyboard.press(key)
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(50)
    assert [request.url for request in asked if not request.url.startswith(("file:", "data:"))] == []
    assert sum(request.url.startswith("file:") for request in asked) == 1


def test_without_javascript_it_is_a_table(browser: Browser, pop3: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pop3.as_uri())
    rows = page.locator("#static tbody tr")
    assert rows.count() == 20
    assert "SYN seq 0 win 16384" in rows.nth(2).inner_text()
    assert "+OK POP3 gateway1.maison.mrs" in rows.nth(5).inner_text()
    assert "The checksum is wrong" in rows.nth(9).inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    context.close()


def test_the_pop3_session_prints_on_four_pages(page: Page, pop3: Path) -> None:
    page.goto(pop3.as_uri())
    page.wait_for_function(READ, arg=[20])
    assert pages(page.pdf(format="A4", prefer_css_page_size=True)) <= MOST_PAGES


def pages(pdf: bytes) -> int:
    """How many pages a PDF has."""
    return max(int(count) for count in re.findall(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)", pdf) or [b"0"])


def test_nothing_of_a_thousand_hostile_payloads_runs(page: Page, tmp_path: Path) -> None:
    path = hostile_capture(tmp_path / "a<img src=x onerror=globalThis.hit=1>\u202e.pcapng", HOSTILE)
    page.goto(made(path, "--payload", "all").as_uri())
    page.wait_for_function(READ, arg=[2 * HOSTILE])
    page.evaluate(
        """async () => {
          for (let i = 0; i < tapstackStore.rows.length; i += 10) {
            tapstackStore.select(i);
            await new Promise(requestAnimationFrame);
          }
        }"""
    )
    assert page.evaluate("globalThis.hit") is None
    assert (
        page.locator("iframe, object, embed, b-nasty, #page img, #page script, #static img, #static script").count()
        == 0
    )
    assert page.evaluate("document.scripts.length") == 4


@pytest.fixture(scope="module")
def long_reports(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Reports of so many events."""
    folder = tmp_path_factory.mktemp("long")
    reports = {count: folder / f"{count}.html" for count in (SHORT, LONG)}
    for count, path in reports.items():
        path.write_bytes(run_of(count))
    return reports


@pytest.mark.parametrize("count", [20, 500, 2000])
def test_a_report_of_few_events_is_small(count: int) -> None:
    assert len(run_of(count)) <= PAGE_BYTES + EVENT_BYTES * count


def test_a_long_report_is_small(long_reports: dict[int, Path]) -> None:
    for count, path in long_reports.items():
        assert path.stat().st_size <= PAGE_BYTES + EVENT_BYTES * count


def opened(context: BrowserContext, path: Path, count: int, figure: str) -> float:
    """Open a report of `count` events, and return a time that the page knows, once all of it has been read."""
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_function(READ, arg=[count])
    found = page.evaluate(figure)
    page.close()
    return float(found)


def test_a_report_of_ten_thousand_events_paints_soon(context: BrowserContext, long_reports: dict[int, Path]) -> None:
    painted = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    opened(context, long_reports[SHORT], SHORT, painted)  # Chromium itself is cold the first time
    bounded("first paint of a report in ms", PAINT_MS, lambda: opened(context, long_reports[SHORT], SHORT, painted))


def test_a_report_of_a_hundred_thousand_events_is_read_soon(
    context: BrowserContext, long_reports: dict[int, Path]
) -> None:
    read = "performance.now()"
    bounded("a long report is read whole in ms", USABLE_MS, lambda: opened(context, long_reports[LONG], LONG, read))


def test_a_long_report_keeps_few_rows_in_the_document(
    page: Page, long_reports: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    page.goto(long_reports[LONG].as_uri())
    page.wait_for_function(READ, arg=[LONG])
    times = page.evaluate(SCROLL, -STEP_PX)
    assert page.evaluate("document.querySelector('.scroll').scrollTop") >= 100 * STEP_PX
    assert page.locator(".scroll [role=row]").count() < MOST_ROWS
    with capsys.disabled():
        print(f"\na frame while scrolling a report of {LONG} events in ms, p95: {p95(times):.1f}")


def test_printing_follows_the_connection_that_is_shown(page: Page, tmp_path: Path) -> None:
    frames = [tcp_frame(b"", seq=iss, flags=2, ack=0) for iss in (100, 5000)]  # the same ports: two connections
    frames.append(tcp_frame(b"two", seq=5001))
    page.goto(made(write_pcapng(tmp_path / "two.pcapng", frames)).as_uri())
    page.wait_for_function(READ, arg=[3])
    page.emulate_media(media="print")
    rows = page.locator("#static tbody tr:visible")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 3
    page.evaluate("tapstackStore.setFollow('c2')")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 2
    assert "two" in rows.last.inner_text()
    assert "those of connection c2" in page.locator("#printed").inner_text()
    page.evaluate("tapstackStore.setFollow('')")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 3


def test_the_time_of_the_first_row_is_zero(page: Page, pop3: Path) -> None:
    page.goto(pop3.as_uri())
    page.wait_for_function(READ, arg=[20])
    page.wait_for_selector(".scroll [role=row] .time")
    times = page.locator(".scroll [role=row] .time").all_inner_texts()
    assert times[0] == "0.0000"
    assert page.evaluate("tapstackStore.rows.slice(2, 5).map((row) => row.states.peer)") == [
        "SYN_SENT",
        "ESTABLISHED",
        "ESTABLISHED",
    ]
