"""A small DHCP server for lessons: it gives addresses of a pool, extends leases, and says no if it is told to.

See RFC 2131 section 4.3 (servers), figure 1 (the message), and RFC 2132 (options). It is meant for a wire without loss.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

import trio

import stack

HEADER = struct.Struct("!4B I 2H 4s 4s 4s 4s 16s 64s 128s 4s")
COOKIE = bytes((99, 130, 83, 99))
SERVER_PORT, CLIENT_PORT = 67, 68
REQUEST, REPLY = 1, 2
DISCOVER, OFFER, REQUESTED, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
PAD, MASK, ROUTER, DNS, WANTED, LEASE, KIND, SERVER, END = 0, 1, 3, 6, 50, 51, 53, 54, 255
ANY = bytes(4)
MOST_LEASES = 256


class DhcpServer:
    """The server of one host, at one address of it.

    Attributes:
      leases: who has which address, by station address.
      offers: whether it answers DHCPDISCOVER; `says_no`: whether it answers DHCPREQUEST with DHCPNAK; `is_silent`:
        whether it answers nothing at all. Each may be changed at any time.
      log: the names of the messages that have come and gone, in order.
    """

    def __init__(self, host: stack.Host, address: str, pool: str, lease_s: float, options: Mapping[int, bytes]) -> None:
        own, first = stack.Prefix.parse(address), stack.Prefix.parse(f"{pool}/32")
        self._host, self._address = host, own.address
        self._first = int.from_bytes(first.address, "big")
        self._options = {MASK: own.mask, LEASE: round(lease_s).to_bytes(4, "big"), **options}
        self.leases: dict[bytes, bytes] = {}
        self.offers = True
        self.says_no = False
        self.is_silent = False
        self.log: list[str] = []

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled."""
        with self._host.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            await sock.bind(("0.0.0.0", SERVER_PORT))
            task_status.started()
            while True:
                message, _ = await sock.recvfrom(2048)
                answer = self.answer(bytes(message))
                if answer is not None:
                    await sock.sendto(*answer)

    def answer(self, message: bytes) -> tuple[bytes, tuple[str, int]] | None:
        """Return the answer to a message and where it goes; None for no answer."""
        if len(message) < HEADER.size or message[0] != REQUEST:
            return None
        _, kind, size, _, xid, _, flags, client, _, _, relay, station, *_, cookie = HEADER.unpack_from(message)
        options = options_of(message[HEADER.size :])
        if cookie != COOKIE or size != 6 or self.is_silent:
            return None
        station = station[:size]
        which = options.get(KIND, b"\0")[0]
        self._note(which)
        reply, given = self._decide(which, options, station, client)
        if not reply:
            return None
        self._note(reply)
        head = HEADER.pack(REPLY, kind, size, 0, xid, 0, flags, client if reply == ACK else ANY, given, ANY, relay,
                           station, b"", b"", COOKIE)  # fmt: skip
        added = {KIND: bytes((reply,)), SERVER: self._address}
        if reply != NAK:
            added |= self._options
        if which == INFORM:
            del added[LEASE]
        tail = b"".join(bytes((code, len(value))) + value for code, value in added.items()) + bytes((END,))
        to = ".".join(map(str, client)) if client != ANY and reply == ACK else "255.255.255.255"
        return (head + tail).ljust(300, b"\0"), (to, CLIENT_PORT)

    def _decide(self, which: int, options: Mapping[int, bytes], station: bytes, client: bytes) -> tuple[int, bytes]:
        if which == DISCOVER:
            return (OFFER, self._address_for(station)) if self.offers else (0, ANY)
        if which == INFORM:
            return ACK, ANY
        if which in (RELEASE, DECLINE):
            self.leases.pop(station, None)
            if which == DECLINE:
                self.leases[options.get(WANTED, ANY) + b"declined"] = options.get(WANTED, ANY)
            return 0, ANY
        if which != REQUESTED or options.get(SERVER, self._address) != self._address:
            return 0, ANY  # the client has chosen another server
        wanted = client if client != ANY else options.get(WANTED, ANY)
        if self.says_no or wanted != self._address_for(station):
            return NAK, ANY
        self.leases[station] = wanted
        return ACK, wanted

    def _address_for(self, station: bytes) -> bytes:
        """Return the address that a station has, or the first one that is free."""
        if station in self.leases:
            return self.leases[station]
        taken = set(self.leases.values())
        numbers = (number.to_bytes(4, "big") for number in range(self._first, self._first + MOST_LEASES))
        return next((address for address in numbers if address not in taken), ANY)

    def _note(self, which: int) -> None:
        names = ("", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")
        if which < len(names) and len(self.log) < 1000:
            self.log.append(names[which])


def options_of(octets: bytes) -> dict[int, bytes]:
    """Return the options of a message, by code: those before the first one that is cut off."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(octets) and octets[at] != END:
        if octets[at] == PAD:
            at += 1
            continue
        if at + 1 >= len(octets) or at + 2 + octets[at + 1] > len(octets):
            break
        found[octets[at]] = octets[at + 2 : at + 2 + octets[at + 1]]
        at += 2 + octets[at + 1]
    return found
