"""What a report has in it, read as the page reads it; and captures that want to break out of it."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

from tests.tools.capture_files import tcp_frame, udp_frame, write_pcapng

NASTY = (
    "</script><script>globalThis.hit=1</script>",
    "<!--<script>",
    "--><img src=x onerror=globalThis.hit=1>",
    "\"'><svg onload=globalThis.hit=1>",
    "<b-nasty style=color:red>\u202e\u2066\u2028\u2029\x00\x1b[31m\x7f\x9b",
    "</style><style>*{display:none}</style>",
    "]]></main></title><iframe srcdoc='<script>parent.hit=1</script>'>",
    "{{constructor.constructor('globalThis.hit=1')()}}${globalThis.hit=1}`",
    "javascript:globalThis.hit=1",
    "\ud800 half \udfff",
)


def packed_log(document: str, *, raw: bool = False) -> Any:
    """The first line of the log, and its records; or the text of the block."""
    block = re.search(r'<script type="application/json\+gzip" id="log">(.*?)</script>', document, re.DOTALL)
    assert block is not None
    if raw:
        return block[1]
    first, *lines = gzip.decompress(base64.b64decode(block[1])).decode().split("\n")
    return json.loads(first), records(lines)


def records(lines: list[str]) -> list[dict[str, Any]]:
    """The records in the columns: the same as page/columns.js makes."""
    groups: list[str] = []
    shapes: list[Any] = []
    found = []
    for line in lines:
        part = json.loads(line)
        groups += part.get("groups", [])
        shapes += part.get("shapes", [])
        values = iter(part["v"])
        at = 0
        for i, shape in enumerate(part["s"]):
            name, cause, why, keys, fixed = shapes[shape]
            known = dict(map(tuple, fixed))
            data = {key: known[place] if place in known else next(values) for place, key in enumerate(keys)}
            at += part["a"][i]
            n = part["n"] + (part["numbers"][i] if "numbers" in part else i)
            found.append({
                "n": n, "time": (at - part["t"][i]) / 1000, "at": at / 1000, "name": name,
                "group_id": groups[part["g"][i]],
                "frame": n - part["f"][i] + 1 if part["f"][i] else 0, "cause": cause, "data": data, "why": why,
            })  # fmt: skip
    return found


def hostile_capture(path: Path, count: int) -> Path:
    """A capture with `count` payloads and comments that are markup, in segments and datagrams."""
    frames = [tcp_frame(b"", seq=0, flags=2, ack=0), tcp_frame(b"", seq=0, flags=0x12, ack=1, back=True)]
    comments: dict[int, list[str]] = {}
    at = 1
    for number in range(count):
        text = NASTY[number % len(NASTY)].encode("utf-8", "surrogatepass") + b" %d" % number
        if number % 3:
            frames.append(tcp_frame(text, seq=at))
            at += len(text)
        else:
            frames.append(udp_frame(text, port=(53, 67, 123, 40000)[number % 4]))
        comments[len(frames)] = [text.decode("utf-8", "replace")]
    return write_pcapng(path, frames, comments=comments)
