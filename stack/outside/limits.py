"""How much of a capture is kept: a hostile one has a million SYNs, or a connection without end."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """The bounds of `follow`.

    Attributes:
      connections: those that are followed at a time. With one more, the tenth of them that has been
        silent for longest is given out, and what comes for one of these later is a connection
        without a beginning.
      segments: those that are kept at a time, of all connections. Later ones are judged and
        counted, but not kept (`SeenConnection.left_out`).
      same_ports: connections that are followed at a time between the same two sockets.
      outstanding: segments of one end that wait for their ACK. A round trip is not measured for
        more.
      datagrams: datagrams of which only some fragments have come.
    """

    connections: int = 10_000
    segments: int = 250_000
    same_ports: int = 4
    outstanding: int = 1000
    datagrams: int = 64


LIMITS = Limits()
