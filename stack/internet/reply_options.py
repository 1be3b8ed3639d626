"""The IP options of an ICMP answer, made from those of the request.

See RFC 1122 section 3.2.2.6: record route and timestamp options are completed and sent back. A
source route is reversed only if the configuration asks for it, since the sender of the request
could direct the answer anywhere (RFC 7126 sections 4.3 and 4.4). The reversal is that of
section 3.2.1.8 (c). It is right even if the sender is listed as the first stop.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.wire.ipv4_options import (
    RECORD_ROUTE,
    SOURCE_ROUTES,
    TIMESTAMP,
    Ipv4Option,
    Route,
    Timestamps,
    join,
    pad,
    split,
)


def reply_route(
    raw: bytes, source: bytes, local: bytes, clock_ms: Callable[[], int] | None = None, *, reverse: bool = False
) -> tuple[bytes, bytes]:
    """The destination and the raw options of an answer.

    The request came from `source` with the raw options `raw`. `local` is our address. With
    `reverse` the answer goes back by the source route of the request. Raises BadPacket
    ipv4_bad_option.
    """
    destination = source
    answer: list[Ipv4Option] = []
    for option in split(raw):
        if option.type in SOURCE_ROUTES and reverse:
            stops = [stop for stop in Route.from_option(option).visited if stop != local]
            if stops and stops[0] == source:
                del stops[0]
            if stops:
                destination = stops[-1]
                back = (*reversed(stops[:-1]), source)
                answer.append(Route(option.type, back).option())
        elif option.type == RECORD_ROUTE:
            answer.append(Route.from_option(option).record(local).option())
        elif option.type == TIMESTAMP and clock_ms is not None:
            answer.append(Timestamps.from_option(option).record(local, clock_ms()).option())
    return destination, pad(join(answer))
