"""Congestion control policies. TCP chooses one by name.

TCP reads `cwnd` (octets that may be in flight) and calls a method for each event: see
`policy.Congestion`. A policy imports nothing else of the stack. A new one needs a file here, an
import, and an entry in `POLICIES`.
"""

from __future__ import annotations

from .cubic import Cubic
from .policy import Congestion
from .reno import Reno

__all__ = ["Congestion", "POLICIES"]

POLICIES: dict[str, type[Congestion]] = {"cubic": Cubic, "reno": Reno}
