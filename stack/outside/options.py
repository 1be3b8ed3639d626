"""What the options of the SYNs say: the segment size and the scale of the window."""

from __future__ import annotations

from stack.errors import BadPacket
from stack.outside.connection import SeenConnection, SeenEnd, SeenSegment
from stack.wire.tcp import ACK
from stack.wire.tcp_options import NO_OPTIONS, parse_options

MOST_SHIFT = 14  # RFC 7323 section 2.3


def take_syn_options(connection: SeenConnection, sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> None:
    """Take the options of a SYN.

    Windows are scaled only if both SYNs have the option (RFC 7323 section 2.2). A SYN,ACK without
    it says so alone.
    """
    try:
        options = parse_options(segment.options)
    except BadPacket:
        options = NO_OPTIONS
    sender.mss = options.mss
    sender.offered_scale = -1 if options.window_scale is None else min(options.window_scale, MOST_SHIFT)
    if sender.offered_scale < 0 and segment.flags & ACK:
        sender.scale = receiver.scale = 0
    elif receiver.offered_scale is not None:
        scaled = sender.offered_scale >= 0 and receiver.offered_scale >= 0
        sender.scale = sender.offered_scale if scaled else 0
        receiver.scale = receiver.offered_scale if scaled else 0
