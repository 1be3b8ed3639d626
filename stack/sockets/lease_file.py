"""The lease in a file, so that a restarted host asks for the same address.

See RFC 2131 sections 3.2 and 4.4.2. Times are written as wall-clock times (seconds since 1970),
since the host's own clock starts anew. The contents are used only if all of them are valid. An
empty file holds no lease.

The file is replaced as a whole if this process may do that. A program that has given up root's
rights (`tapstack up --user`) may not, if the folder or the file is root's. So the file is opened or
made at the start, and later written in place through that descriptor, in one call. If the power
fails during that call, the next start finds a damaged file, reports it, and asks for any address.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from collections.abc import Callable

from stack.dhcp.lease import Lease
from stack.link.files import NO_REGULAR_FILE, open_folder, open_in
from stack.wire.addresses import format_mac

FORMAT = 1
LONGEST_BYTES = 1 << 18
"""No lease is as long: its options fit in a datagram, and each byte of them is two characters."""
DAMAGED = ".damaged"
CLOSED = -1


class LeaseFile:
    """The lease file at `path` for the interface with the station address `mac`; close it.

    `epoch_s()` is the difference between the wall clock and the host's clock, in seconds. No method
    raises: `report(text)` is called for what went wrong. A few kilobytes are read or written, once
    per renewal. A file that another user may have planted is neither read nor written (see
    `stack.link.files`).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mac: bytes,
        epoch_s: Callable[[], float],
        report: Callable[[str], None],
    ) -> None:
        self.path = os.fspath(path)
        self._name = os.path.basename(self.path)
        self._mac = format_mac(mac)
        self._epoch_s = epoch_s
        self._report = report
        self._folder = self._file = CLOSED

    def load(self, now: float) -> Lease | None:
        """The lease that was saved last, expired or not; None if there is none that can be used.

        A missing file is made. A damaged one is renamed (`.damaged`), so that it can be examined
        and is not read again.
        """
        try:
            self._open()
            raw = os.pread(self._file, LONGEST_BYTES + 1, 0)
        except FileNotFoundError:
            return None  # the folder does not exist: `save` reports that
        except OSError as error:
            wrong = (
                "is not a regular file, and is not used" if _not_regular(error) else f"cannot be used: {error.strerror}"
            )
            self._report(f"lease file {self.path}: {wrong}")
            return None
        if not raw:
            return None
        try:
            return self._parse(raw, now)
        except ValueError as error:
            self._set_aside(str(error))
            return None

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in (self._file, self._folder):
            if descriptor != CLOSED:
                os.close(descriptor)
        self._folder = self._file = CLOSED

    def _open(self) -> None:
        if self._folder == CLOSED:
            self._folder = open_folder(os.path.dirname(self.path))
        if self._file == CLOSED:
            self._file = open_in(self._folder, self._name, os.O_RDWR, make=True)

    def _switch_to(self, file: int) -> None:
        """Use another open file from now on, and close the old one."""
        old, self._file = self._file, file
        os.close(old)

    def _parse(self, raw: bytes, now: float) -> Lease | None:
        if len(raw) > LONGEST_BYTES:
            raise ValueError(f"it is longer than {LONGEST_BYTES} bytes")
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it is not JSON ({error})") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"it does not have format {FORMAT}")
        lease = Lease.from_json(data.get("lease")).shifted(-self._epoch_s())
        if data.get("mac") != self._mac:
            self._report(f"lease file {self.path}: is that of another interface ({data.get('mac')!r}), and is not used")
            return None
        # If the wall clock was set back, the lease must not get longer than it was.
        return lease.shifted(min(0.0, now - lease.requested_at))

    def _set_aside(self, why: str) -> None:
        aside = self._name + DAMAGED
        try:
            os.replace(self._name, aside, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._switch_to(open_in(self._folder, self._name, os.O_RDWR, make=True))
        except OSError as error:
            self._report(f"lease file {self.path}: {why}; it cannot be set aside: {error.strerror}")
        else:
            self._report(f"lease file {self.path}: {why}; it is set aside as {self.path}{DAMAGED}")

    def save(self, lease: Lease) -> None:
        """Write the lease. A file that is not regular, such as /dev/null, is left as it is."""
        data = {
            "format": FORMAT,
            "mac": self._mac,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "lease": lease.shifted(self._epoch_s()).to_json(),
        }
        try:
            self._open()
            self._write((json.dumps(data, indent=2) + "\n").encode())
        except OSError as error:
            wrong = (
                "is not a regular file, and is not written"
                if _not_regular(error)
                else f"cannot be written: {error.strerror}"
            )
            self._report(f"lease file {self.path}: {wrong}")

    def _write(self, text: bytes) -> None:
        status = os.fstat(self._file)
        if status.st_uid == os.geteuid():  # otherwise a new file would change the owner
            try:
                self._replace(text)
            except PermissionError:
                pass
            else:
                return
        if status.st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "it was removed, and this user may not make it again")
        # Blanks pad the text to the former length, so that no rest of the old text follows it.
        os.pwrite(self._file, text.ljust(status.st_size), 0)
        os.fsync(self._file)
        os.ftruncate(self._file, len(text))

    def _replace(self, text: bytes) -> None:
        """Replace the old file by a new one in one step: a reader finds one of the two, whole."""
        temporary = f"{self._name}.{secrets.token_hex(8)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        new = os.open(temporary, flags, 0o600, dir_fd=self._folder)
        try:
            with open(new, "wb", closefd=False) as file:
                file.write(text)
            os.fsync(new)
            os.replace(temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except BaseException:
            os.close(new)
            os.unlink(temporary, dir_fd=self._folder)
            raise
        self._switch_to(new)

    def remove(self) -> None:
        """Remove the lease: it was given back, or a server refused it."""
        if self._file == CLOSED:
            return
        try:
            try:
                os.unlink(self._name, dir_fd=self._folder)
            except PermissionError:
                os.ftruncate(self._file, 0)
                return
        except FileNotFoundError:
            pass
        except OSError as error:
            self._report(f"lease file {self.path}: cannot be removed: {error.strerror}")
            return
        os.close(self._file)
        self._file = CLOSED


def _not_regular(error: OSError) -> bool:
    return error.strerror == NO_REGULAR_FILE
