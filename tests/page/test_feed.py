"""Where the page gets its records: the stream is resumed, and closed while the page is hidden."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

import stack
from tools.inspector.columns import Columns

FOLDER = Path(__file__).parent.parent.parent / "tools/inspector/page"
KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def call(n: int) -> dict[str, object]:
    """A record of which the page makes a row."""
    about = {"n": n, "time": n, "at": n, "group_id": "c1", "frame": 0, "cause": "call", "why": ["own"], "host": "host"}
    return {**about, "name": "host:call", "data": {"call": "SEND", "octets": n, "because": "call_send"}}


def stream(*messages: tuple[str, object]) -> str:
    return "".join(f"event: {name}\ndata: {json.dumps(content)}\n\n" for name, content in messages)


class Server:
    """Serves the page. Each asking for events gets the next of `streams`, and then the connection ends."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.streams: list[str] = []
        self.body = ""
        page.route("**/*", self.answer)

    def answer(self, route: Route) -> None:
        path, _, query = route.request.url.removeprefix("http://page.test/t/").partition("?")
        file = FOLDER / (path.removeprefix("page/") or "index.html")
        if path == "events":
            self.asked.append(query)
            body = self.streams.pop(0) if self.streams else ""
            route.fulfill(body=body, content_type="text/event-stream")
        elif not path:
            route.fulfill(body=file.read_text().replace("<body>", f"<body>{self.body}"), content_type="text/html")
        elif file.is_file():
            route.fulfill(body=file.read_bytes(), content_type=KINDS.get(file.suffix, "text/plain"))
        else:
            route.fulfill(body='{"reasons": {"call_send": "It sends."}}', content_type="application/json")

    def open(self) -> None:
        self.page.goto("http://page.test/t/")
        self.page.wait_for_selector(".ladder")

    def wait(self, expression: str) -> None:
        self.page.wait_for_function(f"() => {expression}")


@pytest.fixture
def server(page: Page) -> Server:
    page.clock.install()
    return Server(page)


def test_a_stream_that_ends_is_resumed_after_the_last_record(server: Server) -> None:
    server.streams = [
        stream(("hello", {"host": "10.9.0.2", "last": 2}), ("batch", [call(1), call(2)])),
        stream(("batch", [call(2), call(3)]), ("gap", {"lost": [4, 9]})),
        stream(("batch", [call(10)]), ("end", {})),
    ]
    server.open()
    server.wait("tapstackStore.count === 2")
    server.page.clock.run_for(600)
    server.wait("tapstackStore.lostCount")
    server.page.clock.run_for(2000)
    server.wait("tapstackStore.ended && !tapstackStore.pumping && tapstackStore.count === 4")
    assert server.asked == ["after=0", "after=2", "after=9"], "what was told as missed is not told again"
    kinds = server.page.evaluate("tapstackStore.rows.map((row) => row.kind)")
    assert kinds == ["call", "call", "call", "gap", "call"]
    assert server.page.evaluate("tapstackStore.lostCount") == 6
    server.page.clock.run_for(60_000)
    assert len(server.asked) == 3, "the host has ended"


def test_a_hidden_page_closes_its_stream_and_resumes_it(server: Server) -> None:
    server.streams = [stream(("hello", {"host": "a"}), ("batch", [call(1)])) for _ in range(50)]
    server.open()
    server.wait("tapstackStore.count === 1")
    server.page.evaluate(HIDE, True)
    server.page.clock.run_for(61_000)
    asked = len(server.asked)
    server.page.clock.run_for(600_000)
    assert len(server.asked) == asked
    server.page.evaluate(HIDE, False)
    server.page.clock.run_for(1000)
    assert len(server.asked) > asked
    assert server.asked[-1] == "after=1"


def test_malformed_messages_break_nothing(server: Server) -> None:
    bad = "event: batch\ndata: [{\n\nevent: hello\ndata: nul\n\n"
    bad += "event: gap\ndata: {}\n\nevent: state\ndata: 7\n\nevent: new\ndata: 1\n\n"
    server.streams = [bad + stream(("batch", {"no": "list"}), ("batch", [None, call(1)]), ("end", {}))]
    server.open()
    server.wait("tapstackStore.count === 1 && tapstackStore.ended")


def test_a_report_holds_its_records(server: Server) -> None:
    about = json.dumps({"host": "10.9.0.2", "words": {"reasons": {"call_send": "It is sent."}}})
    data = {"call": "SEND", "octets": 7, "because": "call_send"}
    events = (stack.Event(n, n / 1000, n / 1000, "host:call", "c1", 0, "call", data, ("own",)) for n in range(1, 2001))
    packed = base64.b64encode(gzip.compress("\n".join([about, *Columns().lines(events)]).encode())).decode()
    server.body = f'<script type="application/json+gzip" id="log">{packed}</script>'
    server.open()
    server.wait("tapstackStore.count === 2000")
    assert server.asked == []
    server.page.keyboard.press("Home")
    server.wait("document.querySelector('.ladder [aria-selected=true]')?.ariaLabel.endsWith('It is sent.')")
    assert server.page.locator("text=Break it").count() == 0
