"""Pacing: data is sent at a rate, in small bursts, not all at once when an ACK opens the window.

The congestion policy gives a rate (`pacing_rate`), and the user may set a limit
(SO_MAX_PACING_RATE). If neither does, the connection has no `Pacer`. Retransmissions wait like new
data. Three kinds do not wait: a fast retransmission, the one after a timeout, and a loss probe.
Acknowledgments never wait. No RFC has the details; they are those of Linux.
"""

from __future__ import annotations

from math import inf

UNLIMITED = (1 << 64) - 1


class Pacer:
    """One connection's schedule.

    A burst has up to `quantum` octets of data. The next one may begin at `free_at`, when the one
    before it is over at `rate` octets a second. `left` is what may still be sent in the present
    burst.

    `limit` is the limit that the user set; 0 and UNLIMITED mean none. `resume_at` is a deadline of
    the connection: when the next burst begins if data waits for it, else inf.
    """

    __slots__ = ("_waited", "free_at", "left", "limit", "quantum", "rate", "resume_at")

    def __init__(self, limit: int = UNLIMITED) -> None:
        self.limit = limit
        self.rate = inf
        self.quantum = 0
        self.free_at = 0.0
        self.resume_at = inf
        self.left = 0
        self._waited = False

    def begin_burst(self, rate: float, quantum_s: float, smallest: int, largest: int, now: float) -> None:
        """Set the rate and the size of a burst before something is sent.

        A burst takes `quantum_s`, but has at least `smallest` and at most `largest` octets.
        """
        self._waited = self.resume_at < inf
        self.resume_at = inf
        if 0 < self.limit < UNLIMITED:
            rate = min(rate, self.limit)
        # The rest of the last burst takes more or less time at the new rate
        if rate != self.rate and self.free_at > now:
            self.free_at = now + (self.free_at - now) * self.rate / rate
        self.rate = rate
        self.quantum = largest if rate * quantum_s >= largest else max(int(rate * quantum_s), smallest)

    def may_send(self, now: float) -> bool:
        """Whether the next segment may be sent now; if not, `resume_at` says when."""
        if now >= self.free_at:
            # A timer that fires late does not slow the flow: the schedule goes on from the planned
            # time, but catches up by no more than one burst.
            late_s = min(now - self.free_at, self.quantum / self.rate) if self._waited else 0.0
            self.free_at = now - late_s
            self.left = self.quantum
            self._waited = False
        elif self.left <= 0:
            self.resume_at = self.free_at
            return False
        return True

    def sent(self, octets: int, now: float) -> None:
        """Account for `octets` that were sent, whether or not they had to wait."""
        self.free_at = max(self.free_at, now - self.quantum / self.rate) + octets / self.rate
        self.left -= octets
