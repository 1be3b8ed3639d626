"""Prints a DHCP exchange in words, message by message, for `tapstack dhcp -v`.

Without `-v`, a notice is printed if no server answers the first message. See RFC 2131 sections 3
and 4.
"""

from __future__ import annotations

from collections.abc import Callable

import stack

Details = dict[str, object]

STATES = {
    "SELECTING": "we look for servers",
    "REQUESTING": "we have chosen an offer and wait for its server to confirm it",
    "REBOOTING": "we ask for the address we had before",
    "BOUND": "the address is ours",
    "RENEWING": "T1 has passed: we ask our server to extend the lease",
    "REBINDING": "our server has not answered: we ask any server to extend the lease",
    "INIT": "we start from the beginning",
}
ENDS = {
    "expired": "the lease has expired, and no server has extended it",
    "nak": "a server refuses it",
    "conflict": "another host has it",
    "released": "we have given it back",
}

WAITS = {
    "start": "so that hosts that start together do not all ask at the same moment",
    "refusal": "a server refused what it offered",
    "conflict": "so that repeated conflicts do not flood the network",
}


class DhcpNarrator:
    """An observer that prints the DHCP events in words, with the seconds since the first."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began: float | None = None

    def __call__(self, event: stack.Event) -> None:
        """Print a DHCP event. Other events are ignored."""
        words = WORDS.get(event.name)
        text = "" if words is None else words(event.data)
        if not text:
            return
        if self._began is None:
            self._began = event.at
        first, *others = text.split("\n")
        self._say(f"{event.at - self._began:8.3f} {first}")
        for line in others:
            self._say(f"{'':8} {line}")


class SilenceNotice:
    """An observer that prints `text` once, if a request is repeated before a server has answered."""

    def __init__(self, say: Callable[[str], None], text: str) -> None:
        self._say = say
        self._text = text
        self._done = False

    def __call__(self, event: stack.Event) -> None:
        """Print the notice at the second attempt, if no message was received before."""
        again = event.name == "dhcp:send" and event.data.get("attempt") == 2
        if again and not self._done:
            self._say(self._text)
        self._done = self._done or again or event.name == "dhcp:receive"


def duration(seconds: object) -> str:
    """Return a time span in two units: "1 h 30 min"."""
    if not isinstance(seconds, int | float):
        return str(seconds)
    parts = []
    left = round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def sent(details: Details) -> str:
    """Describe a message that we send."""
    kind, to = details.get("kind"), details.get("to")
    wanted, own = details.get("requested"), details.get("ciaddr")
    said = {
        "DISCOVER": "is there a DHCP server? I need an address" + (f", {wanted} if possible" if wanted else ""),
        "REQUEST": request(details),
        "DECLINE": f"I cannot use {wanted}: another host has it",
        "RELEASE": f"I no longer need {own}",
        "INFORM": f"I have {own}: what else should I know?",
    }.get(str(kind), "")
    attempt = details.get("attempt")
    again = f", attempt {attempt}" if isinstance(attempt, int) and attempt > 1 and kind != "RELEASE" else ""
    return f"we -> {to}: {kind} (xid {details.get('xid')}{again})\n    {said}"


def request(details: Details) -> str:
    """Describe what a DHCPREQUEST asks for, as its fields tell: RFC 2131 section 4.3.2."""
    wanted, own = details.get("requested"), details.get("ciaddr")
    if "server" in details:
        return f"I take {wanted}, which server {details['server']} offers, and no other offer"
    if wanted:
        return f"I had {wanted}: may I use it again?"
    return f"I have {own}: may I use it for longer?"


def received(details: Details) -> str:
    """Describe a message of a server."""
    kind, address = details.get("kind"), details.get("yiaddr")
    time = duration(details.get("lease_s", "an unknown time"))
    said = {
        "OFFER": f"you could have {address} for {time}",
        "ACK": f"{address} is yours for {time}",
        "NAK": "no, you cannot have that address here",
    }.get(str(kind), "")
    if "text" in details:
        said += f' ("{details["text"]}")'
    relay = f", relayed by {details['relay']}" if "relay" in details else ""
    return f"{details.get('server', 'a server')} -> us: {kind} (xid {details.get('xid')}{relay})\n    {said}"


def state(details: Details) -> str:
    """Describe the client's new state."""
    known = STATES.get(str(details.get("to")))
    return f"state {details.get('to')}: {known}" if known else ""


def bound(details: Details) -> str:
    """Describe a lease that begins or is extended."""
    lease_s, t1_s = duration(details.get("lease_s")), duration(details.get("t1_s"))
    return f"{details.get('address')} may be used for {lease_s}; after {t1_s} we ask to extend it"


WORDS: dict[str, Callable[[Details], str]] = {
    "dhcp:send": sent,
    "dhcp:receive": received,
    "dhcp:state": state,
    "dhcp:bound": bound,
    "dhcp:choice": lambda told: f"we choose {told.get('address')} of {told.get('server')}: {told.get('rule')}",
    "dhcp:probe": lambda told: f"we ask by ARP, three times, whether another host has {told.get('address')}",
    "dhcp:conflict": lambda told: f"{told.get('mac')} answers: it has {told.get('address')}",
    "dhcp:unbound": lambda told: f"{told.get('address')} is no longer ours: {ENDS.get(str(told.get('end')), '')}",
    "dhcp:wait": lambda told: f"we wait {told.get('seconds')} s, {WAITS.get(str(told.get('after')), '')}",
    "dhcp:note": lambda told: f"note: {told.get('text')}",
    "dhcp:drop": lambda told: f"a message is ignored: {told.get('meaning') or told.get('reason')}",
    "dhcp:link_local": lambda told: (
        f"no server has given an address: we use {told.get('address')} meanwhile (RFC 3927)"
    ),
}
