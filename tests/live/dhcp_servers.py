"""DHCP servers of Debian, and a relay, in network namespaces: the other end of the checks of our
DHCP client.

All four look at the same bridge `lan`, one of whose ports is the TAP of ours. Their own check
whether an address is in use is off, so that finding out is left to the client.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import pytest

from tests.live.net import Namespace, Program, need, own_namespace, wait_until

LAN = "lan"
TAP = "tap0"
SERVER = "10.9.0.1"
OURS = ("Discover", "Request", "Decline", "Release", "Inform")  # what clients send
RELAYED = "10.8.0.1"  # the server's address where a relay stands between us and it


@dataclass(frozen=True, slots=True)
class Pool:
    """What a server is told to lease: addresses of 10.9.0.0/24 and times in seconds. `more` is in its own language.

    `closed` is a range that was leased once: isc-dhcp-server and kea refuse a request for an address in it, and
    do not answer one for an address that they do not know.
    """

    first: str = "10.9.0.50"
    last: str = "10.9.0.99"
    lease_s: int = 3600
    t1_s: int = 1200
    t2_s: int = 2400
    router: str = SERVER
    closed: tuple[str, str] | None = None
    more: str = ""


class Lan:
    """A bridge in a namespace, where the kernel has an address and our TAP a port; others may join it."""

    def __init__(self, namespace: Namespace, address: str = SERVER) -> None:
        self.namespace = namespace
        self.address = address
        namespace.ip("link", "add", LAN, "type", "bridge")
        namespace.ip("addr", "add", f"{address}/24", "dev", LAN)
        namespace.ip("tuntap", "add", "mode", "tap", TAP)
        # A bridge runs as long as one of its ports does, and kea serves no interface that does not.
        namespace.ip("link", "add", "running", "type", "veth", "peer", "name", "other-end")
        namespace.ip("link", "set", "other-end", "arp", "off", "up")
        namespace.ip("link", "set", LAN, "up")
        for port in (TAP, "running"):
            self._plug_in(port)

    def _plug_in(self, port: str) -> None:
        self.namespace.ip("link", "set", port, "master", LAN, "up")

    def move(self, address: str) -> None:
        """Give the kernel's side another address."""
        self.namespace.ip("addr", "del", f"{self.address}/24", "dev", LAN)
        self.namespace.ip("addr", "add", f"{address}/24", "dev", LAN)
        self.address = address

    def join(self, other: Namespace, address: str, interface: str = "eth0") -> None:
        """Make another namespace a station of this network, with this address."""
        port = f"to-{interface}"
        cable(self.namespace, port, other, interface, address)
        self._plug_in(port)


def cable(here: Namespace, port: str, there: Namespace, interface: str, address: str) -> None:
    """A cable from `port` in one namespace to `interface` in another, which has this address there and is up."""
    here.ip("link", "add", port, "type", "veth", "peer", "name", interface, "netns", there.name)
    there.ip("addr", "add", f"{address}/24", "dev", interface)
    there.ip("link", "set", interface, "up")


class Record:
    """Lines of something that goes on. It is searched from where the last search ended: the order counts."""

    def __init__(self) -> None:
        self._searched = 0

    def text(self) -> str:
        """All there is by now; it only ever grows."""
        raise NotImplementedError

    def ended(self) -> bool:
        """Whether nothing will be added."""
        return False

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until there is this."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            ended = self.ended()
            match = re.compile(pattern, re.MULTILINE).search(self.text(), self._searched)
            found.extend([match] if match else [])
            assert found or not ended, f"{type(self).__name__} has ended: {self.text()[-4000:]}"
            return bool(found)

        try:
            wait_until(look, f"{pattern!r} from {type(self).__name__}")
        except pytest.fail.Exception as error:
            pytest.fail(f"{error}, which says\n{self.text()[-4000:]}")
        self._searched = found[0].end()
        return found[0]


class Server(Record):
    """A program that leases addresses. It may be started again, with another pool: its leases and its log go on."""

    program: ClassVar[str]
    serving: ClassVar[str]
    """What its log says when it answers."""
    lines: ClassVar[dict[str, str]]
    """What its log says of a message; of those that are not here it says nothing."""

    def __init__(self, namespace: Namespace, folder: Path, interface: str = LAN) -> None:
        need(self.program)
        super().__init__()
        self.namespace = namespace
        self.folder = folder
        self.interface = interface
        self.leases = folder / f"{self.program}.leases"
        self.log = folder / f"{self.program}.log"
        self.log.touch()
        self._running: Program | None = None

    def configuration(self, pool: Pool) -> str:
        """The contents of its configuration file."""
        raise NotImplementedError

    def command(self, configuration: str) -> list[str]:
        """How it is started in the foreground, with its log on standard output or error."""
        raise NotImplementedError

    def address(self) -> str:
        """The kernel's address where it serves."""
        said = self.namespace.ip("-o", "-4", "addr", "show", self.interface)
        return said.split(" inet ")[1].split("/")[0]

    def start(self, pool: Pool) -> None:
        """Serve this pool; returns when it does."""
        configuration = self.folder / f"{self.program}.conf"
        configuration.write_text(self.configuration(pool))
        command = self.command(str(configuration))
        command[0] = unconfined(command[0], self.folder)
        with self.log.open("ab") as log:
            self._searched = len(self.text())
            environment = {**os.environ, "KEA_PIDFILE_DIR": str(self.folder), "KEA_LOCKFILE_DIR": "none"}
            self._running = self.namespace.start(*command, stdout=log, stderr=log, env=environment)
        self.says(self.serving)

    def stop(self) -> None:
        """End it; its leases are in its file afterwards."""
        if self._running is not None:
            self._running.stop()
        self._running = None

    def pause(self) -> None:
        """Have it read nothing until `resume`: what is sent to it waits."""
        assert self._running is not None
        self._running.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it read again."""
        assert self._running is not None
        self._running.process.send_signal(signal.SIGCONT)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def ended(self) -> bool:
        return self._running is None or self._running.process.poll() is not None

    def logs(self, message: str, mac: bytes, address: str | None = None) -> None:
        """Wait until its log tells of a message of this name from or to this station, if it ever tells of such."""
        if message in self.lines:
            address = "[0-9.]+" if address is None else re.escape(address)
            self.says(self.lines[message].format(address=address, mac=mac.hex(":")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.kill()


class Dnsmasq(Server):
    """dnsmasq(8). Leases for at least two minutes whatever it is told, which T1 and T2 of one's own get around."""

    program = "dnsmasq"
    serving = r"DHCP, IP range"
    lines: ClassVar[dict[str, str]] = {
        "discover": r"DHCPDISCOVER\(\w+\) .*{mac}",
        "request": r"DHCPREQUEST\(\w+\) {address} {mac}",
        "ack": r"DHCPACK\(\w+\) {address} {mac}",
        "nak": r"DHCPNAK\(\w+\) {address} {mac}",
        "release": r"DHCPRELEASE\(\w+\) {address} {mac}",
        "decline": r"DHCPDECLINE\(\w+\) {address} {mac}",
    }

    def configuration(self, pool: Pool) -> str:
        return f"""
            port=0
            interface={self.interface}
            bind-interfaces
            dhcp-range={pool.first},{pool.last},255.255.255.0,{pool.lease_s}
            dhcp-option=3,{pool.router}
            dhcp-option-force=58,{pool.t1_s}i
            dhcp-option-force=59,{pool.t2_s}i
            dhcp-leasefile={self.leases}
            dhcp-authoritative
            no-ping
            log-dhcp
            {pool.more}
        """

    def command(self, configuration: str) -> list[str]:
        where = f"--conf-file={configuration}"
        return ["dnsmasq", "--keep-in-foreground", "--user=root", "--log-facility=-", "--pid-file=", where]


class Udhcpd(Server):
    """busybox's udhcpd. Its log tells of offers and leases alone; the rest is in its lease file, written when asked."""

    program = "udhcpd"
    serving = r"started, v"
    lines: ClassVar[dict[str, str]] = {"ack": r"sending ACK to {address}"}

    def logs(self, message: str, mac: bytes, address: str | None = None) -> None:
        if message in ("release", "decline"):
            station = mac if message == "release" else bytes(6)  # without a client: it is not leased for a while
            self.leased_until(address, station, released=message == "release")
        else:
            super().logs(message, mac, address)

    def leased_until(self, address: str | None, mac: bytes, *, released: bool) -> None:
        """Wait until the lease file has this address for this station: with no time left, or with some."""
        assert address is not None
        key = ipaddress.IPv4Address(address).packed + mac

        def look() -> bool:
            assert self._running is not None
            self._running.process.send_signal(signal.SIGUSR1)
            entries = self.leases.read_bytes()[8:]  # the time of writing is before them
            rows = [entries[start : start + 36] for start in range(0, len(entries), 36)]
            return any(row[4:14] == key and (row[:4] == bytes(4)) == released for row in rows)

        wait_until(look, f"{address} of {mac.hex(':')} in the lease file of udhcpd")

    def configuration(self, pool: Pool) -> str:
        self.leases.touch()
        return f"""
            start {pool.first}
            end {pool.last}
            interface {self.interface}
            max_leases 40
            lease_file {self.leases}
            pidfile {self.folder}/udhcpd.pid
            min_lease 1
            auto_time 0
            opt subnet 255.255.255.0
            opt router {pool.router}
            opt lease {pool.lease_s}
            opt 0x3a {pool.t1_s:08x}
            opt 0x3b {pool.t2_s:08x}
            {pool.more}
        """

    def command(self, configuration: str) -> list[str]:
        return ["udhcpd", "-f", "-a", "0", configuration]


class Dhcpd(Server):
    """isc-dhcp-server."""

    program = "dhcpd"
    serving = r"Server starting service"
    lines: ClassVar[dict[str, str]] = {
        "discover": r"DHCPDISCOVER from {mac}",
        "request": r"DHCPREQUEST for {address} (\([0-9.]+\) )?from {mac}",
        "ack": r"DHCPACK on {address} to {mac}",
        "nak": r"DHCPNAK on {address} to {mac}",
        "release": r"DHCPRELEASE of {address} from {mac} .*\(found\)",
        "decline": r"DHCPDECLINE of {address} from {mac}",
    }

    def configuration(self, pool: Pool) -> str:
        self.leases.touch()
        away = "" if self.interface == LAN else "subnet 10.8.0.0 netmask 255.255.255.0 { }"
        closed = f"pool {{ range {' '.join(pool.closed)}; deny all clients; }}" if pool.closed else ""
        return f"""
            authoritative;
            ping-check false;
            min-lease-time 1;
            dhcp-cache-threshold 0;
            max-lease-time {pool.lease_s};
            default-lease-time {pool.lease_s};
            option dhcp-renewal-time {pool.t1_s};
            option dhcp-rebinding-time {pool.t2_s};
            {away}
            option classless code 121 = array of unsigned integer 8;
            option unheard-of code 224 = text;
            subnet 10.9.0.0 netmask 255.255.255.0 {{
                pool {{ range {pool.first} {pool.last}; }}
                {closed}
                option routers {pool.router};
                {pool.more}
            }}
        """

    def command(self, configuration: str) -> list[str]:
        files = ["-cf", configuration, "-lf", str(self.leases), "-pf", str(self.folder / "dhcpd.pid")]
        return ["dhcpd", "-4", "-f", "-d", *files, self.interface]


class Kea(Server):
    """kea-dhcp4-server."""

    program = "kea-dhcp4"
    serving = r"DHCP4_STARTED"
    lines: ClassVar[dict[str, str]] = {
        "discover": r"{mac}\].* DHCPDISCOVER \(type 1\) received",
        "request": r"{mac}\].* DHCPREQUEST \(type 3\) received",
        "ack": r"{mac}\].* trying to send packet DHCPACK .* to {address}:68",
        "nak": r"{mac}\].* trying to send packet DHCPNAK",
        "release": r"{mac}\].* address {address} was released properly",
        "decline": r"DHCP4_DECLINE_LEASE .*{address}.*{mac}",
    }

    def configuration(self, pool: Pool) -> str:
        pools = [{"pool": f"{pool.first}-{pool.last}"}]
        if pool.closed:
            pools.append({"pool": "-".join(pool.closed), "client-class": "nobody"})
        subnet = {
            "id": 1,
            "subnet": "10.9.0.0/24",
            "pools": pools,
            "option-data": [{"name": "routers", "data": pool.router}],
            **json.loads(pool.more or "{}"),
        }
        output = {"output": "stdout", "flush": True}
        files = {"type": "memfile", "persist": True, "name": str(self.leases), "lfc-interval": 0}
        server = {
            "interfaces-config": {"interfaces": [self.interface], "dhcp-socket-type": "raw"},
            "lease-database": files,
            "valid-lifetime": pool.lease_s,
            "renew-timer": pool.t1_s,
            "rebind-timer": pool.t2_s,
            "authoritative": True,
            "client-classes": [{"name": "nobody"}],
            "subnet4": [subnet],
            "loggers": [{"name": "kea-dhcp4", "severity": "DEBUG", "debuglevel": 55, "output_options": [output]}],
        }
        return json.dumps({"Dhcp4": server}, indent=1)

    def command(self, configuration: str) -> list[str]:
        return ["kea-dhcp4", "-c", configuration]


SERVERS: dict[str, type[Server]] = {"dnsmasq": Dnsmasq, "udhcpd": Udhcpd, "isc": Dhcpd, "kea": Kea}


def unconfined(program: str, folder: Path) -> str:
    """The program itself, or a copy of it where AppArmor would keep the original out of `folder`."""
    where = shutil.which(program)
    assert where is not None
    switch = Path("/sys/module/apparmor/parameters/enabled")
    if not switch.exists() or switch.read_text().strip() != "Y":
        return where
    copy = folder / program
    if not copy.exists():
        shutil.copy(where, copy)
    return str(copy)


class Relay(Record):
    """What isc-dhcp-relay says."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def text(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def relayed(lan: Lan, folder: Path, kind: type[Server]) -> Iterator[tuple[Server, Relay]]:
    """A server in a network of its own; isc-dhcp-relay and a router, which is the kernel of `lan`, are in between."""
    need("dhcrelay")
    router = lan.namespace
    with own_namespace() as far:
        cable(router, "uplink", far, "eth0", RELAYED)
        router.ip("addr", "add", "10.8.0.2/24", "dev", "uplink")
        router.ip("link", "set", "uplink", "up")
        far.ip("route", "add", "10.9.0.0/24", "via", "10.8.0.2")
        router.in_here(Path("/proc/sys/net/ipv4/ip_forward").write_text, "1")
        command = [unconfined("dhcrelay", folder), "-4", "-d", "--no-pid", "-id", LAN, "-iu", "uplink", RELAYED]
        log = folder / "dhcrelay.log"
        with (
            kind(far, folder, "eth0") as server,
            log.open("wb") as output,
            router.start(*command, stdout=output, stderr=output),
        ):
            relay = Relay(log)
            relay.says("Sending on   Socket/fallback")
            yield server, relay


class Wire(Record):
    """tcpdump on the bridge: DHCP messages as a program that is not ours saw them, one a line.

    `Request 0.0.0.0 > 255.255.255.255 wanted 10.9.0.50 of 10.9.0.1`, in the words of tcpdump: Discover, Offer, Request,
    Decline, ACK, NACK, Release, Inform. A message of ours with a wrong checksum has `(bad checksum)` at its end.
    """

    _PACKET = re.compile(r"^\S.*\n(?:\s.*\n)*", re.MULTILINE)

    def __init__(self, namespace: Namespace, folder: Path, interface: str = LAN) -> None:
        need("tcpdump")
        super().__init__()
        self._file = folder / "wire.pcap"
        words = ["--immediate-mode", "-U", "-n", "-i", interface, "-w", str(self._file), "udp port 67"]
        self._program = namespace.start("tcpdump", *words)
        wait_until(lambda: self._file.exists() and self._file.stat().st_size >= 24, "tcpdump listens")

    def text(self) -> str:
        command = ["tcpdump", "-n", "-t", "-vv", "-r", str(self._file)]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout
        return "".join(self._line(packet[0]) for packet in self._PACKET.finditer(said))

    @staticmethod
    def _line(packet: str) -> str:
        kind = re.search(r"DHCP-Message \(53\), length 1: (\w+)", packet)
        ends = re.search(r"^\s+([0-9.]+)\.\d+ > ([0-9.]+)\.\d+: ", packet, re.MULTILINE)
        if kind is None or ends is None:
            return ""
        line = f"{kind[1]} {ends[1]} > {ends[2]}"
        if client := re.search(r"Client-IP ([0-9.]+)", packet):
            line += f" ciaddr {client[1]}"
        if wanted := re.search(r"Requested-IP \(50\), length 4: ([0-9.]+)", packet):
            line += f" wanted {wanted[1]}"
        if kind[1] in OURS and (server := re.search(r"Server-ID \(54\), length 4: ([0-9.]+)", packet)):
            line += f" of {server[1]}"
        if "Flags [Broadcast]" in packet:
            line += " (to be broadcast)"
        # What the kernel sends itself may be seen before its checksum is made.
        return line + (" (bad checksum)\n" if kind[1] in OURS and "sum ok" not in packet else "\n")

    def sent(self, *, after: str) -> list[str]:
        """The kinds of our messages since the first message of a kind."""
        kinds = [line.split()[0] for line in self.text().splitlines()]
        return [kind for kind in kinds[kinds.index(after) :] if kind in OURS]

    def __enter__(self) -> Self:
        self._program.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.__exit__(kind, error, trace)
