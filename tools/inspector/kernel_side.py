"""The kernel's end of each connection, as `ss -tin` tells it (iproute2).

In the lab, and on a TAP, the kernel of this machine is often the other end. It is asked at most
once a second, and only while a page is open, after an event: see `state.State`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import OrderedDict
from collections.abc import Sequence

import trio

import stack

from ..output import report
from .inspector import Inspector

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
PATIENCE_S = 0.5  # for the answer
MOST_OCTETS = 1 << 18  # of the answer
LONGEST_LINE = 4096  # octets
MOST_ADDRESSES = 8  # of our host
MOST_GROUPS = 1000  # connections that are remembered, to find the kernel's end of them
MOST_SHOWN = 50
LONGEST_QUEUES = 24  # digits of both together
MOST_EVENTS = 5000  # are read at a time, to learn of new connections
STATES = frozenset(
    ("ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE-WAIT", "LAST-ACK", "CLOSING")
)
END = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}", re.ASCII)
NUMBER = r"(\d{1,15}(?:\.\d{1,6})?)"
# Of each value: its name here, with its unit, and how ss writes it. A unit that TCP's RFCs do not use is named.
NUMBERS = {
    name: re.compile(rf"(?:^| ){text}(?: |$)", re.ASCII)
    for name, text in {
        "cwnd_segments": f"cwnd:{NUMBER}",
        "ssthresh_segments": f"ssthresh:{NUMBER}",
        "rto_ms": f"rto:{NUMBER}",
        "rtt_ms": f"rtt:{NUMBER}/[0-9.]+",
        "rttvar_ms": f"rtt:[0-9.]+/{NUMBER}",
        "delayed_ack_ms": f"ato:{NUMBER}",
        "mss": f"mss:{NUMBER}",
        "backoff": f"backoff:{NUMBER}",
        "unacked": f"unacked:{NUMBER}",
        "sacked": f"sacked:{NUMBER}",
        "lost": f"lost:{NUMBER}",
        "retrans": rf"retrans:{NUMBER}/\d+",
        "retrans_total": rf"retrans:\d+/{NUMBER}",
        "notsent": f"notsent:{NUMBER}",
        "send_window": f"snd_wnd:{NUMBER}",
        "receive_space": f"rcv_space:{NUMBER}",
    }.items()
}
CONGESTION = re.compile(
    r"(?:^| )(cubic|reno|bbr|bbr2|bbr3|dctcp|vegas|westwood|htcp|hybla|bic|cdg|illinois|yeah)(?: |$)"
)
OPTIONS = {"timestamps": "ts", "SACK": "sack", "ECN": "ecn", "window scaling": "wscale"}


def add(inspector: Inspector) -> None:
    """Add the look `kernel`, if there is a program that tells it."""
    program = shutil.which("ss", path=PATH)
    if program is None:
        report("the page does not show the kernel's end of connections: there is no ss (iproute2)")
        return
    inspector.state.looks["kernel"] = KernelSide(inspector.host, inspector.recorder, program).look


class KernelSide:
    """What the kernel says of its ends of a host's connections."""

    def __init__(self, host: stack.Host, recorder: stack.Recorder, program: str) -> None:
        self._host = host
        self._recorder = recorder
        self._program = program
        self._groups: OrderedDict[tuple[str, str], str] = OrderedDict()  # by the host's end and the other one
        self._read = 0  # the number of the last event that was read

    async def look(self) -> dict[str, object]:
        """Return what the kernel says, by the name of our connection."""
        await self._learn()
        addresses = [text.partition("/")[0] for each in self._host.interfaces() for text in each.addresses]
        if not self._groups or not addresses:
            return {}
        return self.told(await answer(self._program, addresses[:MOST_ADDRESSES]))

    def told(self, answered: bytes) -> dict[str, object]:
        """Return what an answer of ss says of our connections, at most 50, the newest first."""
        ends = ends_of(answered)
        known = [(group, ends[end]) for end, group in reversed(self._groups.items()) if end in ends]
        return dict(known[:MOST_SHOWN])

    async def _learn(self) -> None:
        """Read which connections there are, of the events since the last time."""
        groups = self._groups
        while events := self._recorder.since(self._read, MOST_EVENTS):
            self._read = events[-1].n
            for event in events:
                if event.name == "tcp:open":
                    end = str(event.data["local"]), str(event.data["remote"])
                    groups[end] = event.group  # a later connection may have the same ends
                    groups.move_to_end(end)
            while len(groups) > MOST_GROUPS:
                groups.popitem(last=False)
            await trio.lowlevel.checkpoint()


async def answer(program: str, addresses: Sequence[str]) -> bytes:
    """Return what ss prints of the kernel's connections to these addresses; as much as it may.

    It is started from this thread, since the lab may have no other: see `lab.run_command`.
    """
    which = " or ".join(f"dst {address}" for address in addresses)
    process = subprocess.Popen(
        [program, "-tinaHO", *which.split()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": PATH, "LC_ALL": "C"},
    )
    assert process.stdout is not None
    printed = bytearray()
    try:
        with trio.move_on_after(PATIENCE_S):
            async with trio.lowlevel.FdStream(os.dup(process.stdout.fileno())) as stream:
                while len(printed) < MOST_OCTETS and (part := await stream.receive_some(MOST_OCTETS)):
                    printed += part
    finally:
        process.kill()  # does nothing once it has ended
        process.stdout.close()
        process.wait()
    return bytes(printed[:MOST_OCTETS])


def ends_of(answered: bytes) -> dict[tuple[str, str], dict[str, object]]:
    """Return what the kernel says of each connection, by (the host's end, the kernel's end).

    A line that is not as expected is left out, and so is the last one if it is not whole.
    """
    ends: dict[tuple[str, str], dict[str, object]] = {}
    for line in answered.split(b"\n")[:-1]:
        if len(line) > LONGEST_LINE:
            continue
        fields = line.decode("ascii", "replace").split(maxsplit=5)
        if len(fields) < 5 or fields[0] not in STATES or not all(map(END.fullmatch, fields[3:5])):
            continue
        state, unread, unsent, kernel, ours = fields[:5]
        end: dict[str, object] = {"state": state}
        if unread.isdigit() and unsent.isdigit() and len(unread + unsent) < LONGEST_QUEUES:
            end |= {"unread": int(unread), "unsent": int(unsent)}
        ends[ours, kernel] = end | values_of(fields[5] if len(fields) > 5 else "")
    return ends


def values_of(text: str) -> dict[str, object]:
    """Return the values that ss writes behind the addresses."""
    values: dict[str, object] = {}
    congestion = CONGESTION.search(text)
    if congestion is not None:
        values["congestion"] = congestion[1]
    for name, pattern in NUMBERS.items():
        found = pattern.search(text)
        if found is not None:
            values[name] = float(found[1]) if "." in found[1] else int(found[1])
    if values:
        words = {word.partition(":")[0] for word in text.split()}
        values["options"] = ", ".join(name for name, word in OPTIONS.items() if word in words) or "none"
    return values
