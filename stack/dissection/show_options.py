"""Shows options of IPv4, TCP and DHCP as text, for `show`.

Never raises; escapes all text from the wire.
"""

from __future__ import annotations

from stack.errors import BadPacket
from stack.wire import dhcp, dhcp_values
from stack.wire import ipv4_options as ipv4
from stack.wire import tcp_options as tcp
from stack.wire.addresses import format_ipv4
from stack.wire.checksum import Buffer
from stack.wire.escape import escape
from stack.wire.numbers import DHCP_MESSAGE_TYPES, DHCP_OPTION_KINDS, DHCP_OPTIONS

MAX_SHOWN = 64
"""At most this many bytes of a DHCP option are shown."""
MAX_ROUTES_SHOWN = 16


def ipv4_options(raw: Buffer) -> str:
    """Text such as "record route 10.0.0.1 10.0.0.2 (2 of 9), end"."""
    try:
        options = ipv4.split(raw)
    except BadPacket:
        return f"malformed {bytes(raw).hex()}"
    return ", ".join(_ipv4_option(option) for option in options)


def _ipv4_option(option: ipv4.Ipv4Option) -> str:
    if option.type in (ipv4.END, ipv4.NO_OPERATION):
        return option.name
    try:
        if option.type in ipv4.ROUTES:
            route = ipv4.Route.from_option(option)
            # In a record only the visited slots are filled; a source route has all its hops from
            # the start.
            known = route.visited if option.type == ipv4.RECORD_ROUTE else route.addresses
            hops = "".join(f" {format_ipv4(address)}" for address in known)
            return f"{option.name}{hops} ({len(route.visited)} of {len(route.addresses)})"
        if option.type == ipv4.TIMESTAMP:
            stamps = ipv4.Timestamps.from_option(option)
            entries = " ".join(
                f"{time} ms" if address is None else f"{format_ipv4(address)} {time} ms"
                for address, time in stamps.entries
            )
            return f"{option.name} {entries} overflow {stamps.overflow}"
        if option.type == ipv4.SECURITY:
            security = ipv4.Security.from_option(option)
            level = ipv4.SECURITY_LEVELS.get(security.level) or f"level 0x{security.level:04x}"
            return f"{option.name} {level} compartments 0x{security.compartments:04x}"
    except BadPacket:
        return f"{option.name} malformed {option.data.hex()}"
    return f"{option.name} {option.data.hex()}".rstrip()


def tcp_options(raw: Buffer) -> str:
    """Text such as "mss 1460, no-op, window scale 7"."""
    if len(raw) == tcp.STAMP.size:  # what nearly all segments have
        layout, value, echo = tcp.STAMP.unpack(raw)
        if layout == tcp.STAMP_LAYOUT:
            return f"no-op, no-op, timestamps {value} echo {echo}"
    try:
        options = tcp.split(raw)
    except BadPacket:
        return f"malformed {bytes(raw).hex()}"
    return ", ".join([_tcp_option(kind, data) for kind, data in options])


def _tcp_option(kind: int, data: bytes) -> str:
    name = tcp.OPTION_NAMES.get(kind) or f"option {kind}"
    size = len(data)
    if kind == tcp.END or size == 0:
        return name
    if kind == tcp.TIMESTAMPS and size == 8:
        return f"{name} {int.from_bytes(data[:4], 'big')} echo {int.from_bytes(data[4:], 'big')}"
    if (kind, size) == (tcp.MSS, 2) or (kind, size) == (tcp.WINDOW_SCALE, 1):
        return f"{name} {int.from_bytes(data, 'big')}"
    words = [int.from_bytes(data[start : start + 4], "big") for start in range(0, size - size % 4, 4)]
    if kind == tcp.SACK and size % 8 == 0:
        return name + "".join(f" {left}-{right}" for left, right in zip(words[::2], words[1::2], strict=True))
    return f"{name} {data.hex()}"


def dhcp_line(data: Buffer) -> str | None:
    """A DHCP message as one line; None when it cannot be parsed as one."""
    try:
        return dhcp_message(dhcp.DhcpMessage.parse(data))
    except BadPacket:
        return None


def dhcp_message(message: dhcp.DhcpMessage) -> str:
    """A DHCP message as one line."""
    values = message.values()
    value = message.message_type
    kind = DHCP_MESSAGE_TYPES.get(value) or (f"type {value}" if value else "BOOTP")
    direction = {dhcp.BOOT_REQUEST: "request", dhcp.BOOT_REPLY: "reply"}.get(message.op, f"op {message.op}")
    addresses = "".join(
        f", {name} {format_ipv4(address)}"
        for name, address in (
            ("ciaddr", message.ciaddr),
            ("yiaddr", message.yiaddr),
            ("siaddr", message.siaddr),
            ("giaddr", message.giaddr),
        )
        if any(address)
    )
    options = ", ".join(dhcp_option(code, value) for code, value in values.items() if code != dhcp.MESSAGE_TYPE)
    broadcast = ", broadcast" if message.broadcast else ""
    return (
        f"DHCP {kind} ({direction}), xid 0x{message.xid:08x}, chaddr {message.chaddr.hex(':')}, secs {message.secs}"
        f"{broadcast}{addresses}{f', options [{options}]' if options else ''}"
    )


def dhcp_option(code: int, value: bytes) -> str:
    """An option of DHCP as text, with its name: "IP address lease time 3600 s"."""
    if code == dhcp.CLASSLESS_STATIC_ROUTE:
        return _routes(DHCP_OPTIONS[code], value)
    return _dhcp_value(code, value[:MAX_SHOWN]) + ("..." if len(value) > MAX_SHOWN else "")


def _routes(name: str, data: bytes) -> str:
    """Text such as "classless static route 10.0.0.0/8 via 10.9.0.1, 172.16.0.0/12 on the link"."""
    try:
        routes = dhcp_values.classless_routes(data)
    except BadPacket:
        return f"{name} malformed {data[:MAX_SHOWN].hex()}"
    ways = [
        f"{destination} via {format_ipv4(router)}" if any(router) else f"{destination} on the link"
        for destination, router in routes[:MAX_ROUTES_SHOWN]
    ]
    return f"{name} {', '.join(ways)}" + (", ..." if len(routes) > MAX_ROUTES_SHOWN else "")


def _dhcp_value(code: int, data: bytes) -> str:
    name = DHCP_OPTIONS.get(code) or f"option {code}"
    kind = DHCP_OPTION_KINDS.get(code, "")
    if kind in ("address", "addresses") and data and len(data) % 4 == 0:
        return " ".join([name, *(format_ipv4(data[start : start + 4]) for start in range(0, len(data), 4))])
    if kind == "seconds" and len(data) == 4:
        return f"{name} {int.from_bytes(data, 'big')} s"
    if kind == "number" and 0 < len(data) <= 4:
        return f"{name} {int.from_bytes(data, 'big')}"
    if kind == "text":
        return f'{name} "{escape(data)}"'
    if code == dhcp.PARAMETER_REQUEST_LIST:
        return " ".join([name, *map(str, data)])
    if code == dhcp.DOMAIN_SEARCH and (searched := dhcp_values.names(data, MAX_SHOWN)):
        return " ".join([name, *searched])
    return f"{name} {data.hex()}".rstrip()
