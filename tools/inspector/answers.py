"""What the page asks for and what it gets, without HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

JSON = "application/json"


class Refused(Exception):
    """A request that gets no content. `status` and `why`, a sentence, give the reason."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why


def wrong(why: str) -> Refused:
    """Return the refusal of a request whose text is wrong: 400."""
    return Refused(HTTPStatus.BAD_REQUEST, why)


@dataclass(frozen=True)
class Request:
    """A request that has passed the guard.

    Attributes:
      path: what stands after the token, without its "/": "events", "page/main.js", "".
      query: the parameters after "?", by name; the first of each.
      headers: by name, in lower case.
      body: of a POST.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What a request gets.

    Attributes:
      kind: the media type.
      body: the octets; or an iterable of parts, each made when the one before has been sent. Other
        tasks run between the parts, so a part should take at most some milliseconds.
      file_name: if it is not empty, the browser saves the answer as a file of this name.
    """

    kind: str
    body: bytes | Iterable[bytes]
    file_name: str = ""
