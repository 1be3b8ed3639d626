"""A link's place in the trio loop, and what has become of the addresses that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from stack.host.interface import Interface
from stack.link.device import Link
from stack.sockets.waiter import Waiter

if TYPE_CHECKING:
    from stack.sockets.dhcp import Dhcp


class AddressOutcome:
    """The outcome of a request for an address. Once `known` is set, `ok` says if it may be used.

    `mac` is the station that has the address, if that is the reason.
    """

    __slots__ = ("known", "mac", "ok")

    def __init__(self) -> None:
        self.known = trio.Event()
        self.ok = False
        self.mac: bytes | None = None

    def decide(self, ok: bool, now: float) -> None:
        """Record the outcome and wake the tasks that wait for it."""
        self.ok = ok
        self.known.set()


class Attachment:
    """A link that is attached to the host, with its interface, its addresses and its tasks' state.

    The link calls `notify` as its `wake`. From then until the next batch is read, `has_frames` is
    true. The task in `Runner._run_notified` waits at `ready_waiter`.
    """

    __slots__ = ("dhcp", "has_frames", "interface", "link", "open", "outcomes", "ready_waiter")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.interface: Interface | None = None
        self.ready_waiter = Waiter()
        self.has_frames = False
        self.open = True
        self.outcomes: dict[bytes, AddressOutcome] = {}
        self.dhcp: Dhcp | None = None

    def notify(self) -> None:
        """The link may have frames to read, or an earlier deadline.

        Nothing is read here, since a write may be in progress.
        """
        self.has_frames = True
        self.ready_waiter.wake()
