"""Captures as people make them: tcpdump of Debian's own programs, on an interface and on `any`,
with offload and without, read back and compared with tshark.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

import stack
from stack.tcp.states import State
from tests.dissection.again import check
from tests.link.tshark import agree
from tests.live.dhcp_servers import cable, unconfined
from tests.live.net import Namespace, Program, need, own_namespace, wait_for_listener, wait_until

pytestmark = [pytest.mark.live, pytest.mark.one_way]

CLIENT, ROUTER, FAR, SERVER = "10.1.0.2", "10.1.0.1", "10.2.0.1", "10.2.0.2"
MARK = b"end-of-capture"
LARGEST_FRAME = 1514
KINDS = {  # how tcpdump captures: its options, and the link type that comes of it
    "interface": (["-i", "eth0"], "ethernet"),
    "any": (["-i", "any"], "linux-sll2"),
    "any, version 1": (["-i", "any", "-y", "LINUX_SLL"], "linux-sll"),
}


@dataclass(frozen=True)
class Net:
    """A client and a server, and a router between them."""

    client: Namespace
    router: Namespace
    server: Namespace

    def without_offload(self) -> None:
        """Every frame and checksum is as a cable would carry it."""
        need("ethtool")
        for namespace, interfaces in (
            (self.client, ("eth0",)),
            (self.router, ("near", "far")),
            (self.server, ("eth0",)),
        ):
            for interface in interfaces:
                switches = "tx off rx off tso off gso off gro off".split()
                namespace.run("ethtool", "-K", interface, *switches)

    def is_quiet(self) -> bool:
        """Whether all TCP connections are over, but for TIME-WAIT."""
        over = {"06", "0A"}  # TIME-WAIT, LISTEN
        for namespace in (self.client, self.server):
            for table in ("tcp", "tcp6"):
                lines = namespace.in_here(Path(f"/proc/thread-self/net/{table}").read_text).splitlines()[1:]
                if not {line.split()[3] for line in lines} <= over:
                    return False
        return True

    @contextmanager
    def serves(self, port: int, *words: str) -> Iterator[Program]:
        """A program that listens on a TCP port of the server."""
        with self.server.start(*words) as program:
            wait_for_listener(program, port)
            yield program


@pytest.fixture
def net() -> Iterator[Net]:
    with own_namespace() as client, own_namespace() as router, own_namespace() as server:
        cable(router, "near", client, "eth0", CLIENT)
        cable(router, "far", server, "eth0", SERVER)
        for interface, address in (("near", ROUTER), ("far", FAR)):
            router.ip("addr", "add", f"{address}/24", "dev", interface)
            router.ip("link", "set", interface, "up")
        router.in_here(Path("/proc/sys/net/ipv4/ip_forward").write_text, "1")
        client.ip("route", "add", "default", "via", ROUTER)
        server.ip("route", "add", "default", "via", FAR)
        yield Net(client, router, server)


Frames = dict[str, list[stack.CapturedFrame]]


def captured(net: Net, folder: Path, exchange: Callable[[], object]) -> Frames:
    """The frames of an exchange at the client, by the kind of the capture.

    The last ones are of a ping, which shows that tcpdump has written what was before.
    """
    need("tcpdump", "tshark", "ping")
    files = {kind: folder / f"{number}.pcap" for number, kind in enumerate(KINDS)}
    with ExitStack() as stack_of_programs:
        programs = []
        for kind, path in files.items():
            # Not in immediate mode: there a frame takes as much of the buffer as the longest one could.
            words = ["-U", "-n", "-B", "32768", *KINDS[kind][0], "-w", str(path)]
            programs.append(stack_of_programs.enter_context(net.client.start("tcpdump", *words)))
        for path in files.values():
            wait_until(partial(_has, path, b""), "tcpdump listens")
        exchange()
        wait_until(net.is_quiet, "the connections are over")
        net.client.run("ping", "-c", "1", "-w", "20", "-p", MARK.hex(), "-s", "64", SERVER)
        for path in files.values():
            wait_until(partial(_has, path, MARK * 2), "tcpdump has written all")
        for program in programs:
            assert b"\n0 packets dropped by kernel" in program.stop()[2]
    found = {}
    for kind, path in files.items():
        reader = stack.read_capture(path)
        frames = found[kind] = list(reader)
        assert reader.skipped == {}
        assert {frame.link for frame in frames} == {KINDS[kind][1]}
        assert {frame.direction for frame in frames} == ({""} if kind == "interface" else {"in", "out"})
        agree(path, len(frames))
    return found


def explained(frames: Frames, *, strange: bool = False) -> dict[str, list[stack.SeenConnection]]:
    """The TCP connections of each capture. Every layer of every frame can be read, but for `strange` ones.

    What leaves a machine has partial checksums and super-frames where the network card is to finish it.
    """
    connections = {}
    for kind, each in frames.items():
        for frame in each:
            layers = check(frame.octets, frame.link, offload=True, length=frame.length)
            errors = [layer.error for layer in layers if layer.error]
            assert strange or errors == [], (kind, frame.number, errors)
        connections[kind] = list(stack.follow(each))
    return connections


def closed(connections: list[stack.SeenConnection], port: int) -> int:
    """How many connections to this port there are; each was opened and closed by both ends."""
    found = [connection for connection in connections if port in (end.port for end in connection.ends)]
    for connection in found:
        assert connection.began
        assert set(connection.states) <= {State.CLOSED, State.TIME_WAIT}
    return len(found)


def _has(path: Path, text: bytes) -> bool:
    """Whether tcpdump has written its file header, and this twice, in a ping and in its answer."""
    return path.exists() and len(content := path.read_bytes()) >= 24 and content.count(text) >= 2


def said(frames: Frames, *texts: bytes) -> None:
    """Each capture has these octets."""
    for kind, each in frames.items():
        for text in texts:
            assert any(text in frame.octets for frame in each), (kind, text)


# --- the exchanges ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "plain"])
def test_curl(net: Net, tmp_path: Path, offload: bool) -> None:
    need("curl")
    if not offload:
        net.without_offload()
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file").write_bytes(b"0123456789" * 15_000)
    words = ["-m", "http.server", "8000", "--bind", SERVER, "--directory", str(tmp_path / "served")]
    with net.serves(8000, sys.executable, *words):
        frames = captured(net, tmp_path, lambda: net.client.run("curl", "-s", f"http://{SERVER}:8000/file"))
    said(frames, b"GET /file HTTP/1.1\r\n", b"HTTP/1.0 200 OK\r\n")
    assert {closed(connections, 8000) for connections in explained(frames).values()} == {1}
    assert any(frame.length > LARGEST_FRAME for frame in frames["interface"]) == offload


def test_lines_both_ways_as_ssh_begins(net: Net, tmp_path: Path) -> None:
    need("nc")
    script = "echo SSH-2.0-server; sleep 0.2; printf '\\001\\002\\003\\377'; sleep 0.2; echo; sleep 0.2"
    with net.serves(22, "sh", "-c", f"({script}) | nc -l -N {SERVER} 22"):
        words = f"(sleep 0.1; echo SSH-2.0-client; sleep 0.3; head -c 3000 /dev/zero) | nc -N {SERVER} 22"
        frames = captured(net, tmp_path, lambda: net.client.run("sh", "-c", words))
    said(frames, b"SSH-2.0-server\n", b"SSH-2.0-client\n", b"\1\2\3\xff")
    assert {closed(connections, 22) for connections in explained(frames).values()} == {1}


def test_dig(net: Net, tmp_path: Path) -> None:
    need("dig", "dnsmasq")
    names = ["--address=/there.test/10.2.0.9", "--txt-record=text.test,hello", "--mx-host=there.test,mail.test,10"]
    words = [
        "--keep-in-foreground",
        "--user=root",
        "--no-resolv",
        "--no-hosts",
        "--local=/test/",
        "--pid-file=",
        *names,
    ]

    def asks() -> None:
        for question in (
            "there.test A",
            "there.test MX",
            "text.test TXT",
            "none.test A",
            "there.test A +tcp",
            "-x 10.2.0.9",
        ):
            net.client.run("dig", f"@{SERVER}", "+tries=5", *question.split())

    with net.serves(53, "dnsmasq", *words):
        frames = captured(net, tmp_path, asks)
    said(frames, b"\x05there\x04test\0\0\x01\0\x01", b"\x05hello", b"\x04none\x04test\0", b"\x07in-addr\x04arpa\0")
    assert {closed(connections, 53) for connections in explained(frames).values()} == {1}


@pytest.mark.parametrize("client", ["dhclient", "udhcpc"])
def test_dhcp(net: Net, tmp_path: Path, client: str) -> None:
    need(client, "dnsmasq")
    words = [
        "--keep-in-foreground",
        "--user=root",
        "--port=0",
        "--no-ping",
        "--pid-file=",
        "--log-facility=-",
        "--log-dhcp",
    ]
    words += ["--dhcp-authoritative", f"--dhcp-leasefile={tmp_path / 'served'}", "--dhcp-range=10.1.0.100,10.1.0.150"]

    def asks() -> None:
        if client == "udhcpc":
            net.client.run("udhcpc", "-f", "-q", "-n", "-t", "10", "-i", "eth0", "-s", "/bin/true")
            return
        files = ["-sf", "/bin/true", "-lf", str(tmp_path / "leases"), "-pf", str(tmp_path / "pid")]
        net.client.run(unconfined("dhclient", tmp_path), "-1", "-4", *files, "eth0")

    words += ["--interface=near", "--bind-interfaces"]
    with net.router.start("dnsmasq", *words, stderr=subprocess.STDOUT) as server:
        server.wait_for(b"DHCP, IP range")
        frames = captured(net, tmp_path, asks)
    cookie = bytes.fromhex("63825363")
    said(frames, *(cookie + bytes((53, 1, kind)) for kind in (1, 2, 3, 5)))
    explained(frames)


def test_ping_of_all_sizes(net: Net, tmp_path: Path) -> None:
    def pings() -> None:
        for size in (0, 1, 7, 8, 17, 18, 19, 56, 1471, 1472, 1473, 1480, 2953, 8000, 20_000, 65_507):
            net.client.run("ping", "-c", "2", "-i", "0.2", "-w", "20", "-s", str(size), SERVER)
        net.client.run("ping", "-c", "1", "-R", SERVER)
        net.client.run("ping", "-c", "1", "-T", "tsandaddr", SERVER)
        net.client.run("ping", "-c", "1", "-t", "1", SERVER, check=False)
        net.client.run("ping", "-c", "1", "-M", "do", "-s", "1473", SERVER, check=False)

    frames = captured(net, tmp_path, pings)
    explained(frames)
    for kind, header in (("interface", 14), ("any", 20), ("any, version 1", 16)):
        offsets = [int.from_bytes(frame.octets[header + 6 : header + 8]) & 0x1FFF for frame in frames[kind]]
        assert max(offsets) * 8 > 65_000
        assert any(frame.octets[header] > 0x45 for frame in frames[kind])


def test_traceroute(net: Net, tmp_path: Path) -> None:
    need("traceroute")

    def traces() -> None:
        for words in ([], ["-I"], ["-T", "-p", "80"], ["-U", "-p", "9"], ["-w", "1", "-m", "3"]):
            net.client.run("traceroute", "-n", *words, SERVER)

    frames = captured(net, tmp_path, traces)
    said(frames, b"\x0b\0", b"\x03\x03")
    explained(frames)


def test_nmap(net: Net, tmp_path: Path) -> None:
    need("nmap")

    def scans() -> None:
        for words in (
            ["-sS"],
            ["-sT"],
            ["-sU"],
            ["-sX"],
            ["-sN"],
            ["-sO"],
            ["-sS", "-f"],
            ["-sA", "--data-length", "30"],
        ):
            ports = [] if words == ["-sO"] else ["-p", "20-40,80"]
            net.client.run("nmap", "-n", "-Pn", "--max-retries", "0", "--host-timeout", "15s", *words, *ports, SERVER)
        net.client.run(
            "nmap", "-n", "-Pn", "-O", "--max-retries", "0", "--host-timeout", "15s", "-p", "20-40,80", SERVER
        )

    with net.serves(80, sys.executable, "-m", "http.server", "80", "--bind", SERVER, "--directory", str(tmp_path)):
        frames = captured(net, tmp_path, scans)
    assert all(len(each) > 200 for each in frames.values())
    explained(frames, strange=True)


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "plain"])
def test_iperf3(net: Net, tmp_path: Path, offload: bool) -> None:
    need("iperf3")
    if not offload:
        net.without_offload()

    def measures() -> None:
        for words in (
            ["-n", "400K"],
            ["-n", "200K", "-R"],
            ["-n", "300K", "-P", "3"],
            ["-u", "-n", "100K", "-b", "20M"],
        ):
            net.client.run("iperf3", "-c", SERVER, *words)

    with net.serves(5201, "iperf3", "-s", "-B", SERVER):
        frames = captured(net, tmp_path, measures)
    assert all(len(each) > 200 for each in frames.values())
    # A connection for control in each run, and one for each stream of data.
    assert {closed(connections, 5201) for connections in explained(frames).values()} == {2 + 2 + 4 + 1}
    assert any(frame.length > LARGEST_FRAME for frame in frames["interface"]) == offload
