"""The targets by name, with the longest input of each and the most time and memory that one input
may take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import hosts, parsers

CORPUS = Path(__file__).resolve().parent / "corpus"


@dataclass(frozen=True, slots=True)
class Target:
    """`run(data)` raises when something does not hold.

    `longest` is in octets; `limit_s` is processor time, many times what any input takes without the fuzzer's counting.
    `modules` is the code whose coverage guides the fuzzer.
    """

    name: str
    run: Callable[[bytes], None]
    longest: int
    limit_s: float
    modules: tuple[str, ...] = ("stack",)

    def test(self, data: bytes) -> None:
        """One input, in bounded time."""
        began = time.process_time()
        self.run(data)
        took = time.process_time() - began
        assert took < self.limit_s, f"{took:.1f} s for {len(data)} octets"

    def seeds(self) -> list[Path]:
        """The inputs in the repository."""
        return sorted(path for path in self.corpus.glob("*") if path.is_file())

    @property
    def corpus(self) -> Path:
        """Their folder; two targets that read the same steps share one."""
        return CORPUS / ("host" if self.name == "fast_and_plain" else self.name)


STATELESS = (
    "stack.wire",
    "stack.dissection",
    "stack.dhcp",
    "stack.link",
    "stack.tcp.segment",
    "stack.internet.fragments",
    "stack.sockets.lease_file",
)
PARSERS = {name: Target(name, run, 4096, 1.0, STATELESS) for name, run in parsers.TARGETS.items()}
HOSTS = {name: Target(name, run, 1024, 30.0) for name, run in hosts.TARGETS.items()}
TARGETS = {**PARSERS, **HOSTS}
GROUPS = {"parsers": [*PARSERS], "hosts": [*HOSTS], "all": [*TARGETS]}
