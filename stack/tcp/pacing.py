"""Pacing: data leaves at a rate, in small bursts, instead of all at once when an ACK opens the window.

A congestion policy says how fast (`pacing_rate`), and the user may set a limit (SO_MAX_PACING_RATE). A connection for
which neither asks has no `Pacer`. Retransmissions wait as new data does, but not those that one event asks for: a fast
retransmission, a timeout, a loss probe. Acknowledgments never wait. No RFC has the details: they are those of Linux.
"""

from __future__ import annotations

from math import inf

UNLIMITED = (1 << 64) - 1


class Pacer:
    """One connection's schedule. A burst of up to `quantum` octets of data may begin at `free_at`: when the one before
    it is over at `rate` octets a second.

    `limit` is the user's, as he set it: 0 and UNLIMITED are none. `resume_at` is a deadline of the connection: when the
    next burst begins, if there is something to send; else inf. `left` is what of the burst under way has not been sent.
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
        """Something may be sent now: by what rate at the most, and in bursts of how many octets or how much time."""
        self._waited = self.resume_at < inf
        self.resume_at = inf
        if 0 < self.limit < UNLIMITED:
            rate = min(rate, self.limit)
        if rate != self.rate and self.free_at > now:  # what is left of the last burst takes another time, too
            self.free_at = now + (self.free_at - now) * self.rate / rate
        self.rate = rate
        self.quantum = largest if rate * quantum_s >= largest else max(int(rate * quantum_s), smallest)

    def may_send(self, now: float) -> bool:
        """Whether the next segment may go now; if not, `resume_at` says when."""
        if now >= self.free_at:
            # Whoever was woken late goes on from where he should have, but makes up for no more than one burst.
            late_s = min(now - self.free_at, self.quantum / self.rate) if self._waited else 0.0
            self.free_at = now - late_s
            self.left = self.quantum
            self._waited = False
        elif self.left <= 0:
            self.resume_at = self.free_at
            return False
        return True

    def sent(self, octets: int, now: float) -> None:
        """So much was sent, whether it had to wait or not."""
        self.free_at = max(self.free_at, now - self.quantum / self.rate) + octets / self.rate
        self.left -= octets
