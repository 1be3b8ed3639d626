"""A DHCP server that follows a script. It does no I/O, so that it serves method calls as well as
frames on an Ethernet.

It does what RFC 2131 section 4.3 asks of a server, except where a knob says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, format_ipv4, parse_ipv4
from stack.wire.dhcp import DhcpMessage, make_options
from stack.wire.numbers import DHCP_MESSAGE_TYPES


@dataclass(frozen=True, slots=True)
class Reply:
    """A UDP payload to port 68 of `destination`: BROADCAST, or an address that the client may not have yet, so that it
    goes to the hardware address `chaddr` without ARP (section 4.1). `delay_s` is how long the server takes."""

    payload: bytes
    destination: bytes
    chaddr: bytes
    delay_s: float = 0.0


def addresses(*texts: str) -> bytes:
    """The value of an option that is a list of addresses."""
    return b"".join(map(parse_ipv4, texts))


@dataclass
class Server:
    """The knobs, all of which may be turned while it runs:

    address, first, size: the server identifier; the pool begins at `first` and has `size` addresses.
    lease_s, t1_s, t2_s: what leases say; None leaves the option out.
    options: further options by code, for DHCPOFFER and DHCPACK (mask and router have a default; None leaves one out).
    silent: message types that are not answered. refuse: DHCPREQUESTs are answered by DHCPNAK.
    delay_s: how long every answer takes. broadcast: all answers are broadcast. echo: RFC 6842 is followed.
    authoritative: a DHCPREQUEST for an unknown address is refused, not ignored.
    twist: changes any answer before it is sent; what it returns instead of a message is sent as it is.

    `leases` is client identifier to address, `declined` the addresses that another host has, `log` a line for each
    message: "DISCOVER", "OFFER 10.9.0.50", "RELEASE 10.9.0.50".
    """

    address: bytes = parse_ipv4("10.9.0.1")
    first: bytes = parse_ipv4("10.9.0.50")
    size: int = 10
    lease_s: int | None = 3600
    t1_s: int | None = None
    t2_s: int | None = None
    options: dict[int, bytes | None] = field(default_factory=dict)
    silent: tuple[int, ...] = ()
    refuse: bool = False
    delay_s: float = 0.0
    broadcast: bool = False
    echo: bool = True
    authoritative: bool = True
    twist: Callable[[DhcpMessage], DhcpMessage | bytes] | None = None
    leases: dict[bytes, bytes] = field(default_factory=dict)
    declined: list[bytes] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    received: list[DhcpMessage] = field(default_factory=list)

    def receive(self, payload: bytes, now: float) -> list[Reply]:
        """Take what a client sent to port 67; what to send for it, at once or later. `now` is for knobs that ask."""
        message = DhcpMessage.parse(payload)
        self.received.append(message)
        kind = message.message_type
        values = message.values()
        server = values.get(dhcp.SERVER_IDENTIFIER)
        wanted = values.get(dhcp.REQUESTED_ADDRESS, message.ciaddr)
        self._note(kind, wanted)
        if kind in self.silent or (server is not None and server != self.address):
            return []
        if kind == dhcp.DISCOVER:
            address = self._free(message, wanted)
            return [] if address is None else [self._answer(message, dhcp.OFFER, address)]
        if kind == dhcp.REQUEST:
            return self._request(message, wanted)
        if kind == dhcp.INFORM:
            return [self._answer(message, dhcp.ACK, ANY)]
        if kind == dhcp.DECLINE:
            self.declined.append(wanted)
        if kind in (dhcp.DECLINE, dhcp.RELEASE):
            self.leases.pop(self._key(message), None)
        return []

    def _request(self, message: DhcpMessage, wanted: bytes) -> list[Reply]:
        selecting = dhcp.SERVER_IDENTIFIER in message.values()
        if self.refuse or not (wanted in self._pool() and self._owner(wanted) in (None, self._key(message))):
            return [self._answer(message, dhcp.NAK, ANY)] if self.refuse or selecting or self.authoritative else []
        if not selecting and not self.authoritative and self._owner(wanted) is None:
            return []  # 4.3.2: no record of this client
        self.leases[self._key(message)] = wanted
        return [self._answer(message, dhcp.ACK, wanted)]

    def _answer(self, message: DhcpMessage, kind: int, address: bytes) -> Reply:
        options: dict[int, bytes | None] = {
            dhcp.MESSAGE_TYPE: bytes((kind,)),
            dhcp.SERVER_IDENTIFIER: self.address,
        }
        if self.echo:
            options[dhcp.CLIENT_IDENTIFIER] = message.values().get(dhcp.CLIENT_IDENTIFIER)
        if kind != dhcp.NAK:
            options[dhcp.SUBNET_MASK] = addresses("255.255.255.0")
            options[dhcp.ROUTER] = self.address
            options.update(self.options)
            if message.message_type != dhcp.INFORM:
                times = (
                    (dhcp.LEASE_TIME, self.lease_s),
                    (dhcp.RENEWAL_TIME, self.t1_s),
                    (dhcp.REBINDING_TIME, self.t2_s),
                )
                options.update((code, value.to_bytes(4, "big")) for code, value in times if value is not None)
        answer = DhcpMessage(
            op=dhcp.BOOT_REPLY,
            xid=message.xid,
            chaddr=message.chaddr,
            options=make_options([(code, value) for code, value in options.items() if value is not None]),
            ciaddr=message.ciaddr if kind == dhcp.ACK else ANY,
            yiaddr=address,
            flags=message.flags,
        )
        destination = message.ciaddr if any(message.ciaddr) else address
        if kind == dhcp.NAK or message.broadcast or self.broadcast:
            destination = BROADCAST
        self._note(kind, address)
        twisted = answer if self.twist is None else self.twist(answer)
        payload = twisted if isinstance(twisted, bytes) else twisted.build()
        return Reply(payload, destination, message.chaddr, self.delay_s)

    def _pool(self) -> list[bytes]:
        first = int.from_bytes(self.first, "big")
        return [(first + n).to_bytes(4, "big") for n in range(self.size)]

    def _owner(self, address: bytes) -> bytes | None:
        return next((key for key, leased in self.leases.items() if leased == address), None)

    def _free(self, message: DhcpMessage, wanted: bytes) -> bytes | None:
        """Section 4.3.1: the client's own address, else the one it asks for, else any."""
        own = self.leases.get(self._key(message))
        free = [address for address in self._pool() if self._owner(address) is None and address not in self.declined]
        if own in self._pool():
            return own
        return wanted if wanted in free else next(iter(free), None)

    def _key(self, message: DhcpMessage) -> bytes:
        return message.values().get(dhcp.CLIENT_IDENTIFIER) or message.chaddr

    def _note(self, kind: int, address: bytes) -> None:
        name = DHCP_MESSAGE_TYPES.get(kind, str(kind))
        self.log.append(f"{name} {format_ipv4(address)}" if any(address) else name)


def with_options(message: DhcpMessage, changes: dict[int, bytes | None]) -> DhcpMessage:
    """The message with these options instead; None takes one away. For `Server.twist`."""
    values: dict[int, bytes | None] = {**message.values(), **changes}
    return replace(
        message, options=make_options([(code, value) for code, value in values.items() if value is not None])
    )
