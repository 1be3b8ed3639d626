"""One page for one host: what it shows, and what it can do. The parts of the page add to it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import trio

import stack

from .. import broken
from .answers import JSON, Answer, Refused, Request, wrong
from .feed import Feed, message
from .page_files import kind, package_file, page_files
from .recorded import capture_file, layers_json
from .words import words_json

MOST_VIEWERS = 4
LONGEST_MARK = 200  # characters
LONGEST_NUMBER = 15  # digits

Action = Callable[[dict[str, object]], Awaitable[object]]
"""Does what a POST to `do` asks for, and returns an object for JSON. Raises Refused."""
Route = Callable[[Request], Awaitable[Answer]]
"""Answers a GET. Raises Refused."""


class Inspector:
    """The page that shows one host.

    `epoch_s` is the time of day, in seconds since 1970, at which the host's time is 0.

    Attributes:
      name: of the host.
      recorder: has the events of the host.
      wire: the link of the host, if it is a bad wire.
      actions: by the word in "do", what the page may do: "mark", "wire", ...
      routes: by path, what the page may ask for.
      state: its `looks` are the tables of the page.
      ended: set when the host has ended, and has told its last events.
    """

    def __init__(
        self,
        host: stack.Host,
        recorder: stack.Recorder,
        *,
        epoch_s: float = 0.0,
        wire: stack.Impaired | None = None,
        name: str = "host",
    ) -> None:
        self.host = host
        self.wire = wire
        self.recorder = recorder
        self.feed = Feed(recorder, name)
        self.state = self.feed.state
        self.actions: dict[str, Action] = {"mark": self._mark}
        self.routes: dict[str, Route] = {
            "words.json": self._words,
            "clauses.json": self._clauses,
            "layers": self._layers,
            "capture.pcapng": self._capture,
        }
        self.name = name
        self.epoch_s = epoch_s
        self.ended = trio.Event()
        self._files = page_files()
        self._clauses_json = package_file("clauses.json") or b"[]"

    # --- requests

    async def answer(self, request: Request) -> Answer:
        """Return the answer to a request that is not for the events. Raises Refused."""
        if request.method == "POST":
            if request.path != "do":
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "POST is for `do` alone")
            return json_answer(await self._do(request.body))
        if request.path == "do":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "`do` is for POST")
        route = self.routes.get(request.path)
        if route is not None:
            return await route(request)
        path = "index.html" if request.path == "" else request.path.removeprefix("page/")
        if path not in self._files or path == request.path:
            raise Refused(HTTPStatus.NOT_FOUND, "the page has no such file")
        return Answer(kind(path), self._files[path])

    async def _do(self, body: bytes) -> object:
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise wrong("the body is not JSON") from None
        if not isinstance(asked, dict):
            raise wrong("the body is no object")
        action = self.actions.get(str(asked.get("do")))
        if action is None:
            raise wrong(f'"do" is none of {", ".join(self.actions)}')
        done = await action(asked)
        self.state.move()
        return done

    async def _mark(self, asked: dict[str, object]) -> object:
        self.host.tell("mark", text=text_of(asked, "text", LONGEST_MARK))
        return {}

    async def _words(self, request: Request) -> Answer:
        return Answer(JSON, words_json())

    async def _clauses(self, request: Request) -> Answer:
        return Answer(JSON, self._clauses_json)

    async def _layers(self, request: Request) -> Answer:
        told = layers_json(self.recorder, number_of(request, "n"))
        if told is None:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such frame, or it is not kept any more")
        return Answer(JSON, told)

    async def _capture(self, request: Request) -> Answer:
        parts = capture_file(self.recorder, self.epoch_s)
        return Answer("application/octet-stream", parts, file_name="tapstack.pcapng")

    # --- viewers

    def after(self, request: Request) -> int:
        """Return the number of the last event that a viewer has. Raises Refused.

        That is Last-Event-ID, if the browser has connected again by itself.
        """
        last = request.headers.get("last-event-id", "")
        return number(last, "Last-Event-ID") if last else number(request.query.get("after", "0"), "after")

    def check_room(self) -> None:
        """Refuse a viewer if there are as many as there may be. Raises Refused."""
        if len(self.feed.viewers) >= MOST_VIEWERS:
            why = f"{MOST_VIEWERS} pages show this host already: close one of them"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, why)

    async def hello(self) -> bytes:
        """Return the first message for a viewer."""
        first, last = self.recorder.numbers()
        told: dict[str, object] = {
            "host": self.name,
            "epoch_ms": round(1000 * self.epoch_s, 3),
            "first": first,
            "last": last,
            "lost": self.recorder.lost,
            "offload": False,
            "fast_paths": False,
        }
        if notice := broken.notice():
            told["notes"] = [f"Warning: {notice}"]
        for name in ("wire", "settings", "services"):
            if name in self.state.looks:
                told[name] = await self.state.looks[name]()
        return message("hello", json.dumps(told, separators=(",", ":")).encode())


def json_answer(told: object) -> Answer:
    """Return an object as the answer."""
    return Answer(JSON, json.dumps(told, separators=(",", ":")).encode())


def number_of(request: Request, name: str) -> int:
    """Return a parameter that is a number. Raises Refused."""
    return number(request.query.get(name, ""), name)


def number(text: str, name: str) -> int:
    """Return a whole number from a request. Raises Refused."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise wrong(f"{name} is not a whole number")
    return int(text)


def text_of(asked: dict[str, object], name: str, longest: int) -> str:
    """Return a text of a request to `do`. Raises Refused."""
    value = asked.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise wrong(f"{name} is not a text of at most {longest} characters")
    return value
