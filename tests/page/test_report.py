"""A report in the browser: it runs from the disk, nothing in it runs that is not ours, and it prints."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request

import stack
from tests.course import captures
from tests.inspector.report_files import hostile_capture
from tests.tools.capture_files import tcp_frame
from tools import cli
from tools.inspector.report import About, Report

HOSTILE = 1000  # payloads
MOST_PAGES = 4  # of A4
PAGE_BYTES, EVENT_BYTES = 250_000, 50
READ = "([count]) => globalThis.tapstackStore && tapstackStore.count >= count && tapstackStore.visible.length > 0"
SCROLL = """async () => {
  const element = document.querySelector(".scroll"), times = [];
  const frame = () => new Promise(requestAnimationFrame);
  let before = await frame();
  for (let i = 0; i < 120; i++) {
    element.scrollTop += 2000;
    const now = await frame();
    times.push(now - before);
    before = now;
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)];
}"""


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
    assert page.locator(".scroll [role=row]").count() >= 10
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
    assert page.evaluate("document.scripts.length") == 5


@pytest.mark.parametrize("count", [10_000, 100_000])
def test_a_long_report_is_read_whole(
    page: Page, tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    path = tmp_path / "long.html"
    path.write_bytes(run_of(count))
    assert path.stat().st_size <= PAGE_BYTES + EVENT_BYTES * count
    page.goto(path.as_uri())
    page.wait_for_function(READ, arg=[count])
    usable = page.evaluate("performance.now()")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    scroll = page.evaluate(SCROLL)
    assert page.locator(".scroll [role=row]").count() < 200
    with capsys.disabled():
        print(
            f"\nreport of {count} events, ms: paint {paint:.0f}, all read {usable:.0f}, p95 of scrolling {scroll:.1f}"
        )
