"""Which application protocol is read behind UDP and TCP, by the port.

To add a protocol: a parser in stack/wire, a file here with its `Layer` and its reader, and a line
in `READERS`.
"""

from __future__ import annotations

from stack.dissection.dhcp import dhcp
from stack.dissection.payload import Reader
from stack.wire.dhcp import CLIENT_PORT, SERVER_PORT
from stack.wire.numbers import PROTO_UDP

READERS: dict[tuple[int, int], Reader] = {
    (PROTO_UDP, SERVER_PORT): dhcp,
    (PROTO_UDP, CLIENT_PORT): dhcp,
}
"""The reader by protocol number and port. The port of the destination is looked up first."""
