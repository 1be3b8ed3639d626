"""What passes in one test: kept in memory, and written to files if the test fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stack.link.event_capture import capture_of
from stack.link.output_file import OutputFile
from stack.link.trace_file import TraceFile
from stack.testing.peer import Peer
from stack.trace.recorder import Recorder

FRAME_OCTETS = 2048  # a whole frame
REPORT_PATIENCE_S = 120  # of real time
SHOWN_LINES = 20  # of the log of the peer


class Traffic:
    """The events of the hosts of one test, at most 50,000 and 32 MiB for each, the last ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.peer: Peer | None = None
        self._recorders: dict[str, Recorder] = {}

    def of(self, name: str) -> Recorder:
        """A new recorder, for the host that the files are named after."""
        self._recorders[name] = recorder = Recorder(frame_octets=FRAME_OCTETS)
        return recorder

    def write(self) -> str:
        """Write a report and a capture for each host; return text that says where they are."""
        self.folder.mkdir(exist_ok=True)
        lines = []
        for name, recorder in self._recorders.items():
            if any(event.name == "wire:frame" for event in recorder):
                lines += self._write_host(name, recorder)
        if self.peer is not None and self.peer.log:
            lines += ["the last segments, > from the peer, < from the host; numbers count from each SYN:"]
            lines += list(self.peer.log)[-SHOWN_LINES:]
        return "\n".join(lines) or "no frame was sent"

    def _write_host(self, name: str, recorder: Recorder) -> list[str]:
        capture, trace, html = (self.folder / f"{name}.{ending}" for ending in ("pcapng", "sqlog", "html"))
        file = OutputFile(capture, "capture")
        file.open()
        for part in capture_of(recorder):
            file.write([part])
        file.close()
        with TraceFile(trace) as events:
            for event in recorder:
                events(event)
        problem = file.error or events.error or write_report(trace, html)
        lines = [f"the report on {name}:  {html}", f"and the capture:  {capture}"]
        if problem:
            lines[0] = f"no report on {name}: {problem}"
        else:
            trace.unlink()
        if recorder.lost:
            lines.append(f"(without the first {recorder.lost} events)")
        return lines


def write_report(trace: Path, html: Path) -> str:
    """Let `tapstack explain` write the report; return what went wrong, or ""."""
    command = [sys.executable, "-P", "-m", "tapstack", "explain", str(trace), "--html", str(html)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=REPORT_PATIENCE_S, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
