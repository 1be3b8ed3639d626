"""What UDP and TCP carry, as a reader of an application protocol gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stack.dissection.layer import Layer


class Payload(NamedTuple):
    """What a UDP datagram or a TCP segment carries.

    Attributes:
      octets: at least one.
      offset: of the first octet, from the beginning of the frame.
      depth: for the layers: 1 inside a datagram that an ICMP error quotes, else 0.
      from_server: whether the port by which the reader was found is the source's.
      whole: whether these are all octets of the datagram or the segment.
    """

    octets: memoryview
    offset: int
    depth: int
    from_server: bool
    whole: bool


Reader = Callable[[Payload], list[Layer]]
"""A reader returns the layers that it finds at the beginning of a payload.

The layers follow one another without a gap. The octets after them become a layer "Data", so that a
reader returns an empty list for a payload which is not of its protocol. It raises nothing.
"""
