"""A flow: the packets between a port of ours and a port of a remote host.

The hosts and ports of a flow are named by twelve octets, its key. They are in the order in which a
packet that comes in has them, so without IP options the key is one slice of the packet. See RFC 791
section 3.1 (the addresses), RFC 9293 section 3.1 and RFC 768 (the ports).

    +----------------+----------------+-------------+------------+
    | Remote Address | Local Address  | Remote Port | Local Port |
    +----------------+----------------+-------------+------------+
            4                4               2            2
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

PORTS = Struct("!HH")
"""The first four octets of a TCP or UDP header: source port, destination port."""

FIRST_24 = Struct("!HHHHxBH12s")
"""The first 24 octets of a packet without IP options.

The fields are: version, IHL and type of service; total length; Identification; flags and fragment
offset; protocol; checksum; and the key of the flow. The TTL is skipped.
"""

FLOW = Struct("!4s4sHH")
"""The key of a flow: remote address, local address, remote port, local port."""

flow_key: Callable[[bytes, bytes, int, int], bytes] = FLOW.pack
"""`flow_key(remote address, local address, remote port, local port)` returns the twelve octets.

It is a method of a Struct, because that costs less than a function in Python.
"""
