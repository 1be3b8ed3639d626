"""Shows a frame as text: one line per layer, with the names of the RFCs.

This never raises. For a header that cannot be parsed there is a line that says why. All text from
the wire is escaped, so that a frame cannot send control sequences to the terminal.
"""

from __future__ import annotations

from stack.dissection.usual import usual_lines
from stack.dissection.walk import Link, dissect
from stack.wire.checksum import Buffer


def show(
    frame: Buffer, *, link: Link = "ethernet", offload: bool = False, mtu: int | None = None, length: int | None = None
) -> list[str]:
    """One readable line per layer of a frame. The arguments are those of `dissect`.

    A datagram quoted in an ICMP error follows the message, indented. A layer that has nothing to
    say, such as padding of zeros, has no line.
    """
    if length is None and (link == "ethernet" or link == "ip"):
        lines = usual_lines(bytes(frame), link == "ethernet", offload, mtu)
        if lines is not None:
            return lines
    layers = dissect(frame, link=link, offload=offload, mtu=mtu, length=length)
    return [line for layer in layers if (line := layer.line if layer.depth else layer.text())]
