"""DHCP for a program: what it waits for, and the file that keeps the lease. See RFC 2131."""

from __future__ import annotations

import errno
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import trio

from stack.dhcp.lease import Lease
from stack.errors import os_error
from stack.host.host import HostCore
from stack.host.interface import Interface
from stack.host.lease_record import LeaseRecord, lease_record
from stack.sockets.attachment import Attachment
from stack.sockets.lease_file import LeaseFile
from stack.sockets.runner import Runner
from stack.wire.addresses import parse_ipv4

BOUND, LINK_LOCAL, NOTHING = "bound", "link-local", "nothing"
WAITS = (BOUND, LINK_LOCAL, NOTHING)
RELEASE_GRACE_S = 1.0
"""How long the end of a host waits for ARP, before it sends a DHCPRELEASE to a server."""
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


class DhcpClients:
    """The DHCP clients of a host's interfaces: a program begins them, waits for them, ends them."""

    def __init__(self, runner: Runner) -> None:
        self.files = LeaseFiles(runner.core)
        self._runner = runner
        self._layer = runner.core.dhcp
        runner.on_detached = self._detached

    def begin(self, interface: Interface, dhcp: Dhcp, acd: str | None, now: float) -> None:
        """Ask for an address by the settings in `dhcp`, first for that in the lease file."""
        interface_dhcp = self._layer.prepare(interface, acd)
        interface_dhcp.release = dhcp.releases
        interface_dhcp.link_local_allowed = dhcp.wait != BOUND
        remembered = self.files.open(interface, dhcp.lease_file, now)
        wish = None if dhcp.request_address is None else parse_ipv4(dhcp.request_address)
        interface_dhcp.begin(now, remembered, wish)

    async def wait_lease(self, attachment: Attachment) -> None:
        """Wait for what `Dhcp.wait` names. TimeoutError after `Dhcp.wait_s`."""
        dhcp, interface = attachment.dhcp, attachment.interface
        if dhcp is None or interface is None or dhcp.wait not in (BOUND, LINK_LOCAL):
            return
        with trio.move_on_after(inf if dhcp.wait_s is None else dhcp.wait_s):
            while not self._layer.has_address(interface, link_local=dhcp.wait == LINK_LOCAL):
                await self._runner.wait_change()
                if not attachment.open:
                    raise os_error(errno.ENETDOWN)
            return
        raise TimeoutError(errno.ETIMEDOUT, f"no DHCP server has given an address within {dhcp.wait_s:g} s")

    async def inform(self, attachment: Attachment) -> LeaseRecord:
        """Ask for the parameters of the interface's address.

        OSError: EADDRNOTAVAIL without an address, TimeoutError if no server answers.
        """
        now = self._runner.now()
        interface = attachment.interface
        if attachment.dhcp is not None or interface is None:
            raise ValueError(f"{attachment.link.name} has a lease, or waits for one: the lease has the parameters")
        if not interface.addresses:
            raise os_error(errno.EADDRNOTAVAIL)
        interface_dhcp = self._layer.on(interface) or self._layer.prepare(interface)
        address = interface.addresses[0].address
        interface_dhcp.inform(address, now)
        self._runner.after_call(now)
        while not interface_dhcp.informed_or_silent:
            await self._runner.wait_change()
        if not attachment.open:
            raise os_error(errno.ENETDOWN)
        if self._layer.on(interface) is not interface_dhcp:
            raise os_error(errno.EADDRNOTAVAIL)
        if interface_dhcp.parameters is None:
            raise TimeoutError(errno.ETIMEDOUT, "no DHCP server has answered")
        await trio.lowlevel.checkpoint()
        return lease_record(interface.name, interface_dhcp.parameters)

    def end_lease(self, attachment: Attachment, address: bytes, now: float) -> bool:
        """Give a leased address back, and ask for no other one. Returns whether it was leased."""
        assert attachment.interface is not None
        interface_dhcp = self._layer.on(attachment.interface)
        if interface_dhcp is None or not interface_dhcp.holds(address):
            return False
        attachment.dhcp = None
        self._layer.end(attachment.interface, now, errno.EADDRNOTAVAIL)
        return True

    def forget_informed(self, attachment: Attachment, address: bytes, now: float) -> None:
        """An address was removed: forget the parameters that `inform` has got for it."""
        assert attachment.interface is not None
        interface_dhcp = self._layer.on(attachment.interface)
        if interface_dhcp is not None and interface_dhcp.informed_about == address:
            self._layer.end(attachment.interface, now)

    async def resolve_servers_before_close(self) -> None:
        """Before `Runner.close`: resolve by ARP the servers that will get a DHCPRELEASE.

        The links are read here, since the tasks of a cancelled host no longer read them.
        """
        with trio.move_on_after(RELEASE_GRACE_S, shield=True):
            while not self._runner.down and not self._layer.may_end(trio.current_time()):
                await trio.sleep(RELEASE_GRACE_S / 100)
                self._runner.poll_links()

    def _detached(self, attachment: Attachment) -> None:
        if attachment.interface is not None:
            self.files.close(attachment.interface)


def epoch_s() -> float:
    """The difference between the wall clock and trio's clock, in seconds."""
    return time.time() - trio.current_time()


def warn(text: str) -> None:
    """Report a text by `warnings`, for programs without a `report`."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)
