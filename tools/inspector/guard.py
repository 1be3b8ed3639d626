"""Decides whether a request comes from the page of the user who started the program.

Every program on the machine can connect to 127.0.0.1, other users' and those that a foreign web
page runs in the user's own browser. So:
- The first segment of the path is a token of 128 random bits. The URL that the program prints has it.
- The Host header has to name this machine. A foreign page that had its own name resolved to
  127.0.0.1 ("DNS rebinding") would send its own name.
- A POST comes from the page itself: its Origin header, if it has one, is that of the page. The
  Content-Type has to be JSON, which a foreign page cannot send without asking first (RFC 6454; the
  Fetch standard's "CORS-preflight").

See RFC 9110 section 7.2 for Host.
"""

from __future__ import annotations

import hmac
import re
import urllib.parse
from http import HTTPStatus

from .answers import JSON, Refused, Request, wrong

HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
MOST_PARAMETERS = 8
LONGEST_TARGET = 1024
METHODS = ("GET", "HEAD", "POST")
NO_TOKEN = "the path does not begin with the token: use the URL that was printed"


def shows_token(line: bytes, token: str) -> bool:
    """Return whether a request line has the token. It may be the beginning of one, or no request line at all."""
    shown = line.partition(b" /")[2][: len(token) + 1]
    return hmac.compare_digest(shown[:-1], token.encode("ascii")) and shown[-1:] in (b"/", b" ", b"?")


def admit(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], token: str) -> Request:
    """Return the request, without its body. Raises Refused."""
    named = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in headers}
    if not HOST.fullmatch(named.get("host", "")):
        raise wrong("the Host header does not name this machine: load the page from 127.0.0.1 or localhost")
    if len(target) > LONGEST_TARGET:
        raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, f"the target is longer than {LONGEST_TARGET} octets")
    path, _, query = target.decode("latin-1").partition("?")
    given, slash, rest = path.removeprefix("/").partition("/")
    if not path.startswith("/") or not hmac.compare_digest(given.encode("latin-1"), token.encode("ascii")):
        raise Refused(HTTPStatus.FORBIDDEN, NO_TOKEN)
    if not slash:
        raise Refused(HTTPStatus.NOT_FOUND, "the URL of the page ends in /")
    if method.decode("latin-1") not in METHODS:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET, HEAD and POST")
    if method == b"POST":
        check_post(named)
    return Request(method.decode("ascii"), rest, parameters(query), named)


def check_post(headers: dict[str, str]) -> None:
    """Refuse a POST that another page may have made the browser send. Raises Refused."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{headers['host']}".lower():
        raise Refused(HTTPStatus.FORBIDDEN, "another page has sent this: its Origin is not that of the page")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the Content-Type is not {JSON}")


def parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query. Raises Refused if there are too many."""
    try:
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise wrong(f"the query has more than {MOST_PARAMETERS} parameters") from None
    return dict(reversed(pairs))
