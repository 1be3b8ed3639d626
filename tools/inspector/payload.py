"""How much of the payloads a report keeps, and whether there is a secret in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import stack

from .frame_head import Head, read_head

CHOICES = ("none", "head", "all")
HEAD_OCTETS = 128  # of a frame, as the recorder of a host keeps them
ALL_OCTETS = 65_536  # of a frame; a super-frame has no more
MOST_WARNINGS = 5

SECRETS = (
    ("a password (PASS of POP3 or FTP)", re.compile(rb"(?:\A|\n)PASS [^\r\n]", re.IGNORECASE)),
    ("an answer to a challenge (APOP of POP3)", re.compile(rb"(?:\A|\n)APOP [^\r\n]", re.IGNORECASE)),
    ("a login (AUTH of SMTP or POP3)", re.compile(rb"(?:\A|\n)AUTH (?:PLAIN|LOGIN|CRAM|XOAUTH)", re.IGNORECASE)),
    ("a login (LOGIN of IMAP)", re.compile(rb"(?:\A|\n)\w{1,20} LOGIN \S+ \S", re.IGNORECASE)),
    ("credentials (Authorization of HTTP)", re.compile(rb"\n(?:Proxy-)?Authorization:", re.IGNORECASE)),
    ("a cookie of HTTP", re.compile(rb"\n(?:Set-)?Cookie:", re.IGNORECASE)),
    (
        "a password in a form or an address of HTTP",
        re.compile(rb"(?:[?&\n]|\A)(?:password|passwd|pwd)=\S", re.IGNORECASE),
    ),
)


class Secret(NamedTuple):
    """What looks like a secret, and the first frame that has it: "frame 10"."""

    what: str
    where: str


def octets_of(event: stack.Event) -> bytes:
    """Return the octets of the frame that an event has; empty if it has none."""
    octets = event.data.get("octets")
    return octets if isinstance(octets, bytes) else b""


def head_of(event: stack.Event) -> Head:
    """Return what the headers of the frame of an event say."""
    length = event.data.get("len")
    octets = octets_of(event)
    return read_head(
        octets, length if isinstance(length, int) else len(octets), str(event.data.get("link", "ethernet"))
    )


def kept(event: stack.Event, payload: str, head_octets: int = HEAD_OCTETS) -> stack.Event:
    """Return the event with as much of its frame as `payload`, one of `CHOICES`, leaves.

    With "head" it is the first `head_octets`, and the headers if they are longer.
    """
    octets = octets_of(event)
    if not octets:
        return event
    most = ALL_OCTETS
    if payload != "all" and len(octets) > 14:
        headers = head_of(event).payload_at
        most = headers if payload == "none" else min(max(headers, head_octets), HEAD_OCTETS)
    return event if len(octets) <= most else event._replace(data={**event.data, "octets": octets[:most]})


def secrets(events: Iterable[stack.Event]) -> list[Secret]:
    """Return what looks like a secret in what is kept of the frames: each kind once."""
    found: dict[str, Secret] = {}
    for event in events:
        octets = octets_of(event)
        if octets:
            payload = octets[head_of(event).payload_at :]
            for what, pattern in SECRETS if payload else ():
                if what not in found and pattern.search(payload):
                    number = event.data.get("number")
                    found[what] = Secret(what, f"event {event.n}" if number is None else f"frame {number}")
    return list(found.values())[:MOST_WARNINGS]
