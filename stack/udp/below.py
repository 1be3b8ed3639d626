"""The interface between UDP and the layer below: received datagrams, paths to send by, ICMP errors.

UDP never looks inside an address: it compares addresses as bytes, and the path or the datagram has
the pseudo-header's sum. So another internet layer would change nothing here. See RFC 1122
section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from stack.wire.checksum import Buffer

if TYPE_CHECKING:
    from stack.udp.special import Special

Address = tuple[bytes, int]
"""An IP address and a port."""


class Received(Protocol):
    """The part of `stack.internet.received.Received` that UDP uses."""

    @property
    def source(self) -> bytes: ...
    @property
    def destination(self) -> bytes: ...
    @property
    def local(self) -> bytes: ...
    @property
    def protocol(self) -> int: ...
    @property
    def ttl(self) -> int: ...
    @property
    def tos(self) -> int: ...
    @property
    def options(self) -> bytes: ...
    @property
    def payload(self) -> Buffer: ...
    @property
    def broadcast(self) -> bool: ...
    @property
    def checksum_ok(self) -> bool: ...
    @property
    def now(self) -> float: ...


class PathUser(Protocol):
    """The owner of a path, as in `stack.internet.path.PathUser`."""

    def path_failed(self, error: int) -> None: ...

    def path_mtu_changed(self, now: float) -> None: ...


class Path(Protocol):
    """The part of `stack.internet.path.Path` that UDP uses."""

    source: bytes
    destination: bytes
    mtu: int
    header_length: int
    pseudo_sum: int
    broadcast: bool
    ttl: int
    tos: int
    user: PathUser | None

    def want_df(self, wanted: bool) -> None: ...

    def send(self, parts: list[Buffer], length: int, now: float) -> None: ...

    def close(self) -> None: ...


class IcmpError(Protocol):
    """The part of `stack.internet.icmp_error.IcmpError` that UDP uses."""

    @property
    def type(self) -> int: ...
    @property
    def code(self) -> int: ...
    @property
    def source(self) -> bytes: ...
    @property
    def quoted_source(self) -> bytes: ...
    @property
    def quoted_destination(self) -> bytes: ...
    @property
    def quoted(self) -> bytes: ...
    @property
    def next_hop_mtu(self) -> int: ...
    @property
    def pointer(self) -> int: ...
    @property
    def errno(self) -> int: ...
    @property
    def hard(self) -> bool: ...

    def because(self) -> str: ...

    def told(self) -> dict[str, object]: ...


class OpenPath(Protocol):
    """Makes a path, by the `way` that an endpoint asks for. Raises OSError: ENETUNREACH, EINVAL."""

    def __call__(
        self,
        source: bytes | None,
        destination: bytes,
        *,
        ttl: int | None,
        tos: int,
        options: bytes,
        now: float,
        way: Special | None = None,
    ) -> Path: ...


EphemeralPort = Callable[[bytes, Address | None, Callable[[int], bool]], int]
"""`(local address, remote or None, is_free)` returns a port for which `is_free(port)` is true.

See RFC 6056. Raises OSError EADDRINUSE when there is none.
"""
