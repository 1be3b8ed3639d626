"""`tapstack` with instruments: on a signal it writes a profile, or the sizes of its tables, to a
file.

usage: python -m scripts.measuring.instrumented FILE ARGUMENTS...      (the arguments are those of `tapstack`)

The first SIGUSR1 starts the profiler; the next one stops it and writes the profile to FILE. SIGUSR2
writes the sizes of the host's tables to FILE, as JSON.
"""

from __future__ import annotations

import cProfile
import gc
import json
import os
import signal
import sys

from stack.host.host import HostCore
from tools import cli


class Instruments:
    """The handlers of the signals."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._profile: cProfile.Profile | None = None

    def profile(self, *_: object) -> None:
        """Start the profiler, or stop it and write the profile."""
        if self._profile is None:
            self._profile = cProfile.Profile()
            self._profile.enable()
        else:
            self._profile.disable()
            self._profile.dump_stats(self._file + ".new")
            self._profile = None
            os.rename(self._file + ".new", self._file)

    def tables(self, *_: object) -> None:
        """Write the sizes of the tables."""
        sizes = next(thing for thing in gc.get_objects() if isinstance(thing, HostCore)).tables()
        with open(self._file + ".new", "w", encoding="utf-8") as file:
            json.dump(sizes, file)
        os.rename(self._file + ".new", self._file)


if __name__ == "__main__":
    instruments = Instruments(sys.argv[1])
    signal.signal(signal.SIGUSR1, instruments.profile)
    signal.signal(signal.SIGUSR2, instruments.tables)
    sys.exit(cli.main(sys.argv[2:]))
