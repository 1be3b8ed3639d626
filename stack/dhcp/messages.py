"""Builds the messages of a client, and checks the fixed fields of those of servers.

See RFC 2131 tables 4 and 5 (which message carries what), RFC 2132 section 9, RFC 4361 section 6.1
(the client identifier), RFC 3442 (the order of the parameter request list, the maximum message
size).
"""

from __future__ import annotations

from stack.config import DhcpConfig
from stack.errors import BadPacket
from stack.wire import dhcp
from stack.wire.addresses import ANY
from stack.wire.checksum import Buffer
from stack.wire.dhcp import DhcpMessage, Option

_HARDWARE_LENGTH = 6
_TYPE_DUID = 255  # RFC 4361 section 6.1: what follows is an IAID and a DUID
_DUID_LINK_LAYER = 3  # RFC 3315 section 9.4
_SMALLEST_MAXIMUM = 576  # RFC 2132 section 9.10
_SECONDS_MAX = 0xFFFF
_TIMES = (dhcp.LEASE_TIME, dhcp.RENEWAL_TIME, dhcp.REBINDING_TIME)
_AFTER_CLASSLESS = (dhcp.ROUTER, dhcp.STATIC_ROUTE)


def client_identifier(kind: str, mac: bytes, duid: bytes | None) -> bytes:
    """The value of option 61: `kind` is "duid" or "mac" (`DhcpConfig.client_identifier`).

    A "duid" identifier holds an IAID and a DUID. The IAID is the last four octets of the station
    address and tells the host's interfaces apart. If `duid` is None, the DUID is made from the
    station address: it is then as stable as that address, but differs between the interfaces.
    """
    if kind == "mac":
        return bytes((dhcp.HARDWARE_ETHERNET,)) + mac
    if kind != "duid":
        raise ValueError(f"client_identifier must be 'duid' or 'mac', not {kind!r}")
    if duid is None:
        duid = _DUID_LINK_LAYER.to_bytes(2, "big") + dhcp.HARDWARE_ETHERNET.to_bytes(2, "big") + mac
    return bytes((_TYPE_DUID,)) + mac[-4:] + duid


def parameter_request_list(config: DhcpConfig) -> bytes:
    """The value of option 55: `config.parameters`, with 121 before the options it replaces.

    RFC 3442.
    """
    codes = [code for code in dict.fromkeys(config.parameters) if 0 < code < dhcp.END]
    if not config.classless_routes:
        codes = [code for code in codes if code != dhcp.CLASSLESS_STATIC_ROUTE]
    elif dhcp.CLASSLESS_STATIC_ROUTE in codes:
        codes.remove(dhcp.CLASSLESS_STATIC_ROUTE)
        before = min([codes.index(code) for code in _AFTER_CLASSLESS if code in codes], default=len(codes))
        codes.insert(before, dhcp.CLASSLESS_STATIC_ROUTE)
    return bytes(codes)


def maximum_size(config: DhcpConfig, mtu: int) -> int:
    """The largest IP datagram with a message that we accept: at least the MTU.

    RFC 2132 section 9.10, RFC 3442.
    """
    return max(_SMALLEST_MAXIMUM, config.message_bytes_max, mtu)


class Writer:
    """Builds the messages of one client. The constructor takes the values that all of them share.

    `identifier` is the value of option 61, the same in every message (RFC 2131 section 2, RFC 4361
    section 6.4). Each method returns a message; `xid` and `secs` are its header fields, addresses
    have 4 bytes.
    """

    def __init__(self, config: DhcpConfig, mac: bytes, mtu: int, duid: bytes | None) -> None:
        self.mac = mac
        self.identifier = client_identifier(config.client_identifier, mac, duid)
        self.size_max = maximum_size(config, mtu)
        self._flags = dhcp.BROADCAST_FLAG if config.broadcast_flag else 0
        self._requested_lease_s = config.requested_lease_s
        self._common: list[Option] = [(dhcp.MAXIMUM_SIZE, min(self.size_max, 0xFFFF).to_bytes(2, "big"))]
        self._parameters = parameter_request_list(config)
        if config.host_name:
            self._common.append((dhcp.HOST_NAME, config.host_name.encode("ascii")))
        if config.vendor_class:
            self._common.append((dhcp.VENDOR_CLASS, config.vendor_class.encode("ascii")))

    def discover(self, xid: int, secs: int, requested: bytes | None) -> DhcpMessage:
        """DHCPDISCOVER; `requested` is an address to suggest."""
        hints = [] if requested is None else [(dhcp.REQUESTED_ADDRESS, requested)]
        return self._message(dhcp.DISCOVER, xid, [*hints, *self._lease_time(), *self._ask()], secs=secs)

    def request_offer(self, xid: int, secs: int, address: bytes, server: bytes) -> DhcpMessage:
        """DHCPREQUEST for the offer of `server` (SELECTING in table 4)."""
        which = [(dhcp.REQUESTED_ADDRESS, address), (dhcp.SERVER_IDENTIFIER, server)]
        return self._message(dhcp.REQUEST, xid, [*which, *self._lease_time(), *self._ask()], secs=secs)

    def request_remembered(self, xid: int, secs: int, address: bytes) -> DhcpMessage:
        """DHCPREQUEST for a remembered address, of any server (INIT-REBOOT in table 4)."""
        which = [(dhcp.REQUESTED_ADDRESS, address)]
        return self._message(dhcp.REQUEST, xid, [*which, *self._lease_time(), *self._ask()], secs=secs)

    def request_more_time(self, xid: int, secs: int, address: bytes) -> DhcpMessage:
        """DHCPREQUEST to extend the lease of `ciaddr` (RENEWING and REBINDING in table 4)."""
        return self._message(dhcp.REQUEST, xid, [*self._lease_time(), *self._ask()], secs=secs, ciaddr=address)

    def inform(self, xid: int, secs: int, address: bytes) -> DhcpMessage:
        """DHCPINFORM: asks for parameters, without an address and without lease times."""
        return self._message(dhcp.INFORM, xid, self._ask(without=_TIMES), secs=secs, ciaddr=address)

    def decline(self, xid: int, address: bytes, server: bytes, why: str) -> DhcpMessage:
        """DHCPDECLINE of an address that `server` gave."""
        which = [(dhcp.REQUESTED_ADDRESS, address), (dhcp.SERVER_IDENTIFIER, server)]
        return self._message(dhcp.DECLINE, xid, [*which, (dhcp.MESSAGE, why.encode("ascii"))], flags=0)

    def release(self, xid: int, address: bytes, server: bytes, why: str) -> DhcpMessage:
        """DHCPRELEASE of an address that `server` gave."""
        which = [(dhcp.SERVER_IDENTIFIER, server)]
        return self._message(dhcp.RELEASE, xid, [*which, (dhcp.MESSAGE, why.encode("ascii"))], ciaddr=address, flags=0)

    def _ask(self, without: tuple[int, ...] = ()) -> list[Option]:
        """The options of every request. The parameter request list is last, and never empty."""
        codes = bytes(code for code in self._parameters if code not in without)
        return [*self._common, (dhcp.PARAMETER_REQUEST_LIST, codes)] if codes else self._common

    def _lease_time(self) -> list[Option]:
        seconds = self._requested_lease_s
        return [] if seconds is None else [(dhcp.LEASE_TIME, seconds.to_bytes(4, "big"))]

    def _message(
        self,
        kind: int,
        xid: int,
        options: list[Option],
        *,
        secs: int = 0,
        ciaddr: bytes = ANY,
        flags: int | None = None,
    ) -> DhcpMessage:
        head = [(dhcp.MESSAGE_TYPE, bytes((kind,))), (dhcp.CLIENT_IDENTIFIER, self.identifier)]
        return DhcpMessage(
            op=dhcp.BOOT_REQUEST,
            xid=xid,
            chaddr=self.mac,
            options=dhcp.make_options([*head, *options]),
            ciaddr=ciaddr,
            secs=min(secs, _SECONDS_MAX),
            flags=self._flags if flags is None else flags,
        )


def accept(payload: Buffer, mac: bytes, size_max: int) -> DhcpMessage:
    """Parse a message of a server to the client at `mac`. Its options are not checked here.

    Raises BadPacket with the reasons of `DhcpMessage.parse`, dhcp_too_long, dhcp_not_a_reply,
    dhcp_bad_hardware, dhcp_other_client and dhcp_bad_type.
    """
    if len(payload) > size_max:
        raise BadPacket("dhcp_too_long")
    message = DhcpMessage.parse(payload)
    if message.op != dhcp.BOOT_REPLY:
        raise BadPacket("dhcp_not_a_reply")
    if message.htype != dhcp.HARDWARE_ETHERNET or len(message.chaddr) != _HARDWARE_LENGTH:
        raise BadPacket("dhcp_bad_hardware")
    if message.chaddr != mac:
        raise BadPacket("dhcp_other_client")
    if message.message_type not in (dhcp.OFFER, dhcp.ACK, dhcp.NAK):
        raise BadPacket("dhcp_bad_type")
    return message
