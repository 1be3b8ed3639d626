"""`tapstack dhcp` and `tapstack up --dhcp`, as a user starts them. They take real time, so the
tests start all of them together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import modes
from tests.live.dhcp_servers import SERVER, SERVERS, Lan, Pool, Server, Wire
from tests.live.net import COMMAND, Namespace, Program, need, own_namespace
from tests.live.unprivileged import ordinary

pytestmark = pytest.mark.one_way

MAC = bytes.fromhex("0200000000d2")


@dataclass
class Asked:
    """A command that has asked a server for an address."""

    lan: Lan
    server: Server
    wire: Wire
    program: Program

    def end(self) -> tuple[str, str]:
        """Wait for its good end: what it has printed, and what it has said beside that."""
        status, output, errors = self.program.wait()
        assert status == 0, errors.decode()
        return output.decode(), errors.decode()


@pytest.fixture(scope="module")
def lease_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lease") / "lease.json"


@pytest.fixture(scope="module")
def lab() -> Iterator[Program]:
    """A lab of an ordinary user, where the server is what the user runs in it. It ends when the host has answered."""
    need("dnsmasq", "nc", "ping")
    script = """
        dnsmasq -d -p 0 --conf-file=/dev/null --dhcp-range=10.9.0.60,10.9.0.60 --dhcp-leasefile=/dev/null --no-ping &
        until ping -q -c 1 -W 1 10.9.0.60 >/dev/null; do :; done
        echo hello | nc -N -w 5 10.9.0.60 7
        kill $!
    """
    with Program(ordinary(*COMMAND, "lab", "--dhcp", *modes.up_options(), "--", "sh", "-c", script)) as program:
        yield program


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, lease_file: Path, lab: Program) -> Iterator[dict[str, Asked]]:
    """Each command with a server and a network of its own, all of them under way, and so is the lab."""
    need(*(kind.program for kind in SERVERS.values()))
    commands = {
        "dnsmasq": ["dhcp"],
        "udhcpd": ["dhcp", "--json", "--request-address", "10.9.0.77"],
        "isc": ["up", "--dhcp", "--lease-file", str(lease_file)],
        "kea": ["dhcp", "-v", "--release"],
    }
    link = ["--mac", MAC.hex(":"), *modes.up_options()]
    with ExitStack() as stack:
        made = {}
        for name, words in commands.items():
            lan = Lan(stack.enter_context(own_namespace()))
            folder = tmp_path_factory.mktemp(name)
            server = stack.enter_context(SERVERS[name](lan.namespace, folder))
            wire = stack.enter_context(Wire(lan.namespace, folder))
            server.start(Pool())
            program = stack.enter_context(lan.namespace.start(*COMMAND, *words, *link))
            made[name] = Asked(lan, server, wire, program)
        yield made


def test_dhcp_prints_the_lease(asked: dict[str, Asked]) -> None:
    of = asked["dnsmasq"]
    output, errors = of.end()
    lines = dict(line.strip().split(": ", 1) for line in output.splitlines()[1:])
    of.server.logs("ack", MAC, lines["IP"])
    assert output.startswith("Device tap0\n    IP: 10.9.0.")
    assert (lines["Netmask"], lines["Network"], lines["Broadcast"]) == ("255.255.255.0", "10.9.0.0", "10.9.0.255")
    assert (lines["Server"], lines["Router"]) == (SERVER, SERVER)
    assert lines["Lease time"] == "1 h"
    for name in ("Renewal time", "Expiration time"):
        assert re.fullmatch(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", lines[name])
    # A server on a busy machine may take so long that it is said to be waited for.
    assert re.fullmatch(r"(tapstack dhcp: no DHCP server has answered on tap0 yet: .*\n)?", errors)
    assert "Release" not in of.wire.text()


def test_dhcp_prints_json_of_the_address_that_was_asked_for(asked: dict[str, Asked]) -> None:
    of = asked["udhcpd"]
    output, _ = of.end()
    lease = json.loads(output)
    assert (lease["address"], lease["server"], lease["lease_s"]) == ("10.9.0.77", SERVER, 3600)
    of.wire.says("^Discover .* wanted 10.9.0.77$")
    of.server.logs("ack", MAC, "10.9.0.77")


def test_dhcp_tells_the_exchange_and_gives_the_address_back(asked: dict[str, Asked]) -> None:
    of = asked["kea"]
    output, errors = of.end()
    address = re.findall(r"IP: (.*)", output)[0]
    told = [errors.index(word) for word in ("DISCOVER", "OFFER", "REQUEST", "ACK", "RELEASE")]
    assert told == sorted(told)
    of.server.logs("ack", MAC, address)
    of.wire.says(f"^Release {address} > {SERVER} ciaddr {address} of {SERVER}$")
    of.server.logs("release", MAC, address)


def test_up_answers_on_the_leased_address_and_keeps_it(asked: dict[str, Asked], lease_file: Path) -> None:
    need("nc")
    of = asked["isc"]
    address = of.program.wait_for(b"ready: ").split()[1]
    of.server.logs("ack", MAC, address)
    echoed = of.lan.namespace.run("nc", "-N", "-w", "5", address, "7", data=b"hello\n")
    assert echoed == b"hello\n"
    of.program.wait_for(f"lease: {address}/24 from {SERVER}, until ".encode())
    status, _, errors = of.program.stop()
    assert (status, errors) == (0, b"")
    assert json.loads(lease_file.read_text())["lease"]["address"] == address
    assert "Release" not in of.wire.text()


def test_a_user_has_a_lab_with_a_server(lab: Program) -> None:
    status, output, errors = lab.wait()
    assert (status, output) == (0, b"hello\n"), errors.decode()
    assert b"ready: 10.9.0.60 on tap0" in errors
    assert re.search(rb"DHCPACK\(tap0\) 10\.9\.0\.60 ", errors)


def test_up_without_a_server_says_that_it_waits_and_what_its_address_is(namespace: Namespace) -> None:
    with namespace.start(*COMMAND, "up", *modes.up_options(), "--dhcp") as program:
        assert re.search(
            r"tap0 has had no address since .*, 5 s: asking for one by DHCP$", program.wait_for(b"waiting: ")
        )
        ready = program.wait_for(b"ready: ", 60)
        assert re.match(r"ready: 169\.254\.\d+\.\d+ on tap0 ", ready)
        assert ready.endswith("; link-local (RFC 3927): no DHCP server has given an address")
        assert program.stop()[0] == 0
