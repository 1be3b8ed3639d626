"""Congestion control policies. Each owns its numbers and imports nothing of ours; TCP chooses one by name.

A policy is asked for `cwnd` (octets that may be in flight) and told what happened, in octets and seconds: see
`policy.Congestion`. To add one takes a file here, and a line in `POLICIES`.
"""

from __future__ import annotations

from .cubic import Cubic
from .policy import Congestion
from .reno import Reno

__all__ = ["Congestion", "POLICIES"]

POLICIES: dict[str, type[Congestion]] = {"cubic": Cubic, "reno": Reno}
