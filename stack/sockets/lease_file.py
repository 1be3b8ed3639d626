"""The lease in a file, so that a host that starts again asks for the address it had: RFC 2131 sections 3.2 and 4.4.2.

Times are written as those of the wall clock (seconds since 1970), since the host's own clock starts anew with it. The
file is replaced whole or not at all; what is read is believed only if all of it makes sense.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Callable

from stack.dhcp.lease import Lease
from stack.wire.addresses import format_mac

FORMAT = 1
LONGEST_BYTES = 1 << 18
"""No lease is as long: the options of a message fit a datagram, and each byte of them takes two here."""
DAMAGED = ".damaged"


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe that nobody writes to would stop the host here."""
    return os.open(path, flags | os.O_NONBLOCK)


class LeaseFile:
    """`path` for the interface whose station address is `mac`.

    `epoch_s()` is what the wall clock is ahead of the host's just now, in seconds; `report(text)` is told of what went
    wrong: nothing here raises. What is read and written is a few kilobytes, once per renewal.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mac: bytes,
        epoch_s: Callable[[], float],
        report: Callable[[str], None],
    ) -> None:
        self.path = os.fspath(path)
        self._mac = format_mac(mac)
        self._epoch_s = epoch_s
        self._report = report

    def load(self, now: float) -> Lease | None:
        """The lease that was saved last, expired or not; None when there is none that could be used.

        A file that makes no sense is renamed (`.damaged`), so that it can be looked at and is not met again.
        """
        try:
            with open(self.path, "rb", opener=_open_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    self._report(f"lease file {self.path}: is no regular file, and is not used")
                    return None
                raw = file.read(LONGEST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(f"lease file {self.path}: cannot be read: {error.strerror}")
            return None
        try:
            return self._understood(raw, now)
        except ValueError as error:
            self._set_aside(str(error))
            return None

    def _understood(self, raw: bytes, now: float) -> Lease | None:
        if len(raw) > LONGEST_BYTES:
            raise ValueError(f"it is longer than {LONGEST_BYTES} bytes")
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it is no JSON ({error})") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}")
        lease = Lease.from_json(data.get("lease")).shifted(-self._epoch_s())
        if data.get("mac") != self._mac:
            self._report(f"lease file {self.path}: is that of another interface ({data.get('mac')!r}), and is not used")
            return None
        # A wall clock that was set back must not make the lease longer than it was.
        return lease.shifted(min(0.0, now - lease.requested_at))

    def _set_aside(self, why: str) -> None:
        aside = self.path + DAMAGED
        try:
            os.replace(self.path, aside)
        except OSError as error:
            self._report(f"lease file {self.path}: {why}; it cannot be set aside: {error.strerror}")
        else:
            self._report(f"lease file {self.path}: {why}; it is set aside as {aside}")

    def save(self, lease: Lease) -> None:
        """Write it: whoever reads the file, and whenever the power fails, finds the old lease or the new one.

        What is no regular file, /dev/null say, is left as it is.
        """
        if not self._may_be_replaced():
            self._report(f"lease file {self.path}: is no regular file, and is not written")
            return
        data = {
            "format": FORMAT,
            "mac": self._mac,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "lease": lease.shifted(self._epoch_s()).to_json(),
        }
        folder = os.path.dirname(self.path) or "."
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=os.path.basename(self.path) + ".", dir=folder)
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    file.write(json.dumps(data, indent=2) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self.path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            self._report(f"lease file {self.path}: cannot be written: {error.strerror}")

    def remove(self) -> None:
        """There is no lease to come back to: it was given back, or a server denied it."""
        if not self._may_be_replaced():
            return
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._report(f"lease file {self.path}: cannot be removed: {error.strerror}")

    def _may_be_replaced(self) -> bool:
        try:
            return stat.S_ISREG(os.stat(self.path).st_mode)
        except OSError:
            return True  # there is none, or whoever tries will say why not
