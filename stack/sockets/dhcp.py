"""The DHCP settings of a program: what to wait for, and the file that keeps the lease."""

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
NOT_REMEMBERED = ("released", "nak", "conflict")
"""The reasons for which a lease ended and its address must not be asked for again."""


@dataclass(frozen=True, slots=True)
class Dhcp:
    """How to get an address by DHCP.

    wait: what `open_host` and `Host.wait_ready` wait for. "link-local": a lease or, if no server
      answers, an address of 169.254.0.0/16 (RFC 3927). "bound": a lease, and no link-local address
      is used. "nothing": they do not wait.
    wait_s: the longest wait in seconds, after which they raise TimeoutError. None: no limit.
    request_address: the address to ask for, "10.9.0.57". A server may give another one.
    lease_file: the file in which the lease is kept, so that the next start asks for the same
      address.
    release: whether the address is given back at the end. None: only without a lease file.
    """

    wait: str = LINK_LOCAL
    wait_s: float | None = 60.0
    request_address: str | None = None
    lease_file: str | os.PathLike[str] | None = None
    release: bool | None = None

    def __post_init__(self) -> None:
        if self.wait not in WAITS:
            raise ValueError(f"wait is one of {', '.join(WAITS)}, not {self.wait!r}")
        wait_s: object = self.wait_s
        if wait_s is not None and not (isinstance(wait_s, int | float) and wait_s >= 0):
            raise ValueError(f"wait_s is a number of seconds, not {self.wait_s!r}")
        if self.request_address is not None:
            parse_ipv4(self.request_address)

    @property
    def releases(self) -> bool:
        """Whether the address is given back at the end."""
        return self.lease_file is None if self.release is None else self.release


class LeaseFiles:
    """The lease files of the interfaces. `report(text)` is called for files that cannot be used."""

    def __init__(self, core: HostCore) -> None:
        self.report: Callable[[str], None] = warn
        self._files: dict[int, LeaseFile] = {}
        core.dhcp.on_lease = self._on_lease

    def open(self, interface: Interface, path: str | os.PathLike[str] | None, now: float) -> Lease | None:
        """Keep the leases of this interface in a file, and return the lease in it, if any."""
        if path is None or interface.mac is None:
            return None
        file = self._files[interface.index] = LeaseFile(path, interface.mac, epoch_s, self.report)
        return file.load(now)

    def close(self, interface: Interface) -> None:
        """Close the file of an interface that is gone."""
        file = self._files.pop(interface.index, None)
        if file is not None:
            file.close()

    def _on_lease(self, interface: Interface, lease: Lease | None, reason: str) -> None:
        file = self._files.get(interface.index)
        if file is None:
            return
        if lease is not None:
            file.save(lease)
        elif reason in NOT_REMEMBERED:
            file.remove()


def epoch_s() -> float:
    """The difference between the wall clock and trio's clock, in seconds."""
    return time.time() - trio.current_time()


def warn(text: str) -> None:
    """Report a text by `warnings`, for programs without a `report`."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)
