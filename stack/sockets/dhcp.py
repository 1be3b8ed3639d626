"""DHCP as programs ask for it: what to wait for, and the file that the lease is kept in."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import trio

from stack.dhcp.lease import Lease
from stack.host.host import HostCore
from stack.host.interface import Interface
from stack.sockets.lease_file import LeaseFile
from stack.wire.addresses import parse_ipv4

BOUND, LINK_LOCAL, NOTHING = "bound", "link-local", "nothing"
WAITS = (BOUND, LINK_LOCAL, NOTHING)
FORGOTTEN = ("released", "nak", "conflict")
"""After a lease that ended so its address is not asked for again."""


@dataclass(frozen=True, slots=True)
class Dhcp:
    """How an address is to be got by DHCP.

    wait: what `open_host` and `Host.wait_ready` wait for: "link-local" (a lease or, where there is none, an
      address of 169.254.0.0/16, RFC 3927), "bound" (a lease, and there is no such address meanwhile) or "nothing".
    wait_s: how many seconds; then they raise TimeoutError. None: for ever.
    request_address: the address to ask for, "10.9.0.57"; a server may give another one.
    lease_file: where the lease is kept, so that the next start asks for the same address first.
    release: whether the address is given back at the end; None: only if there is no lease file.
    """

    wait: str = LINK_LOCAL
    wait_s: float | None = 60.0
    request_address: str | None = None
    lease_file: str | os.PathLike[str] | None = None
    release: bool | None = None

    def __post_init__(self) -> None:
        if self.wait not in WAITS:
            raise ValueError(f"wait: {self.wait!r} is none of {', '.join(WAITS)}")
        wait_s: object = self.wait_s
        if wait_s is not None and not (isinstance(wait_s, int | float) and wait_s >= 0):
            raise ValueError(f"wait_s: {self.wait_s!r} is no number of seconds")
        if self.request_address is not None:
            parse_ipv4(self.request_address)

    @property
    def releases(self) -> bool:
        """Whether the address is given back at the end."""
        return self.lease_file is None if self.release is None else self.release


class LeaseFiles:
    """The lease file of each interface that has one. `report(text)` is told of files that cannot be used."""

    def __init__(self, core: HostCore) -> None:
        self.report: Callable[[str], None] = warn
        self._files: dict[int, LeaseFile] = {}
        core.dhcp.on_lease = self._on_lease

    def open(self, interface: Interface, path: str | os.PathLike[str] | None, now: float) -> Lease | None:
        """Keep the leases of this interface in a file from now on; the lease that is there already."""
        if path is None or interface.mac is None:
            return None
        file = self._files[interface.index] = LeaseFile(path, interface.mac, epoch_s, self.report)
        return file.load(now)

    def close(self, interface: Interface) -> None:
        """The interface has gone."""
        file = self._files.pop(interface.index, None)
        if file is not None:
            file.close()

    def _on_lease(self, interface: Interface, lease: Lease | None, reason: str) -> None:
        file = self._files.get(interface.index)
        if file is None:
            return
        if lease is not None:
            file.save(lease)
        elif reason in FORGOTTEN:
            file.remove()


def epoch_s() -> float:
    """What the wall clock is ahead of trio's, in seconds."""
    return time.time() - trio.current_time()


def warn(text: str) -> None:
    """Say what went wrong where the program has no `report`."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)
