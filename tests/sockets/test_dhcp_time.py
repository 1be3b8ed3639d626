"""A lease over time: a day of renewals, an expiry, a restart with the previous address."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from stack import Dhcp, Ethernet, Host
from stack.wire import dhcp
from tests.dhcp.server import Server, addresses
from tests.requirements import rfc
from tests.sockets.hosts import stream_pair
from tests.sockets.lan import CAREFUL, FIRST, HASTY, SERVER, client, serving

DAY_S = 86400
SECOND = "10.9.0.51"
EVERYTHING = (dhcp.DISCOVER, dhcp.REQUEST)


@pytest.fixture(autouse=True)
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock jumps with trio's."""
    monkeypatch.setattr("stack.sockets.dhcp.epoch_s", lambda: 1_700_000_000.0)


def holdings(host: Host) -> dict[str, object]:
    """What must not grow: tasks, sockets, routes, neighbours, addresses."""
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "sockets": host.connections(),
        "routes": host.routes(),
        "neighbours": [neighbor.address for neighbor in host.neighbors()],
        "interfaces": host.interfaces(),
    }


@rfc("2131-4.4.5-e")
async def test_a_day_of_an_hours_lease(autojump_clock: MockClock) -> None:
    """Each renewal is half an hour after the one before: nothing drifts, and nothing is left behind."""
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(ethernet.attach(), config=CAREFUL) as host:
        await trio.sleep(1801 + 700)  # the first renewal, and until ARP has forgotten the server again
        before = holdings(host)
        await trio.sleep(DAY_S)
        assert holdings(host) == before
        renewals = [heard.at for heard in there.heard[2:]]
        first = there.heard[1].at  # the request that was acknowledged
        assert len(renewals) == 49
        assert renewals == pytest.approx([first + 1800 * number for number in range(1, 50)], abs=0.01)
        assert {heard.source for heard in there.heard[2:]} == {FIRST}
        assert host.counters()["udpOutDatagrams"] == 51
        lease = host.lease
        assert lease is not None
        assert lease.expires_at == pytest.approx(renewals[-1] + 3600)


async def test_a_day_of_short_leases_with_chance_in_their_times(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    config = replace(CAREFUL, dhcp=replace(CAREFUL.dhcp, renew_fuzz=0.1, retransmission_jitter_s=1.0))
    async with serving(ethernet, Server(lease_s=300)) as there, client(ethernet.attach(), config=config) as host:
        ours, theirs = await stream_pair(host, there.host, SERVER)
        await trio.sleep(1000)
        before = holdings(host)["tasks"]
        await trio.sleep(DAY_S)
        assert holdings(host)["tasks"] == before
        times = [heard.at for heard in there.heard[1:]]
        assert all(75 <= later - earlier <= 262.5 for earlier, later in pairwise(times))
        assert there.server.log.count("DISCOVER") == 1
        await ours.send_all(b"still there")
        assert await theirs.receive_some() == b"still there"


@rfc("2131-3.7-b", "2131-4.4.5-j", "2131-4.4.5-i")
async def test_a_lease_that_ends_while_the_server_is_gone(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    server = Server(options={dhcp.INTERFACE_MTU: (1000).to_bytes(2, "big"), dhcp.DOMAIN_NAME_SERVER: addresses(SERVER)})
    async with serving(ethernet, server) as there, client(ethernet.attach()) as host:
        ours, _ = await stream_pair(host, there.host, SERVER)
        udp = host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        await udp.bind((FIRST, 5000))
        server.silent = EVERYTHING
        lease = host.lease
        assert lease is not None
        assert lease.expires_at is not None
        with pytest.raises(trio.BrokenResourceError) as broken:
            await ours.receive_some()
        assert isinstance(broken.value.__cause__, OSError)
        assert broken.value.__cause__.errno == errno.EADDRNOTAVAIL
        assert trio.current_time() == pytest.approx(lease.expires_at)
        with trio.move_on_after(1):
            pytest.fail(f"{await udp.recv(100)!r} came to an address that is gone")
        with pytest.raises(OSError) as gone:
            await udp.sendto(b"x", (SERVER, 9))
        assert gone.value.errno == errno.ENETUNREACH
        with pytest.raises(OSError) as nowhere:
            await host.ping(SERVER)
        assert nowhere.value.errno == errno.ENETUNREACH
        assert (host.lease, host.name_servers, host.routes()) == (None, [], [])
        assert [(interface.addresses, interface.mtu) for interface in host.interfaces()] == [((), 1500)]
        asked = [round(heard.at - lease.requested_at, 3) for heard in there.heard[2:]]
        # Half of the time that is left to T2, then to the end, but not under a minute (RFC 2131 section 4.4.5).
        expected = [1800, 2475, 2812.5, 2981.25, 3065.625, 3125.625, 3150, 3375, 3487.5, 3547.5, 3600]
        assert asked == pytest.approx(expected, abs=0.01)
        server.silent = ()
        lease = await host.wait_lease_change(None)
        assert lease is not None
        assert await host.ping(SERVER) >= 0


async def test_what_a_renewal_changes_is_changed(autojump_clock: MockClock) -> None:
    """Router, MTU, mask and name servers become others, and connections live on."""
    ethernet = Ethernet()
    async with serving(ethernet) as there, client(ethernet.attach()) as host:
        ours, theirs = await stream_pair(host, there.host, SERVER)
        there.server.options = {
            dhcp.ROUTER: addresses("10.9.0.2", "10.9.0.3"),
            dhcp.INTERFACE_MTU: (1200).to_bytes(2, "big"),
            dhcp.SUBNET_MASK: addresses("255.255.0.0"),
            dhcp.DOMAIN_NAME_SERVER: addresses("10.9.0.9"),
        }
        await host.wait_lease_change(host.lease)
        assert host.name_servers == ["10.9.0.9"]
        assert [(interface.addresses, interface.mtu) for interface in host.interfaces()] == [((f"{FIRST}/16",), 1200)]
        assert [(route.destination, route.gateway) for route in host.routes()] == [
            ("10.9.0.0/16", None),
            ("0.0.0.0/0", "10.9.0.2"),
            ("0.0.0.0/0", "10.9.0.3"),
        ]
        await ours.send_all(bytes(5000))
        got = 0
        while got < 5000:
            got += len(await theirs.receive_some())


# --- the lease file


async def test_a_restart_asks_for_the_previous_address(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    ethernet = Ethernet()
    link = ethernet.attach()
    async with serving(ethernet) as there:
        there.server.first = bytes((10, 9, 0, 51))
        async with client(link, Dhcp(lease_file=file)) as host:
            assert host.lease is not None
            assert host.lease.address == SECOND
        assert there.server.log[-1] == f"ACK {SECOND}"  # it is not given back
        there.server.first = bytes((10, 9, 0, 50))
        await trio.sleep(600)
        async with client(link, Dhcp(lease_file=file)) as host:
            assert there.server.log[4:] == [f"REQUEST {SECOND}", f"ACK {SECOND}"]  # INIT-REBOOT: nothing discovered
            assert host.lease is not None
            assert host.lease.address == SECOND
        there.server.leases.clear()
        await trio.sleep(4000)
        async with client(link, Dhcp(lease_file=file)):
            assert there.server.log[6:] == [
                f"DISCOVER {SECOND}",
                f"OFFER {SECOND}",
                f"REQUEST {SECOND}",
                f"ACK {SECOND}",
            ]


async def test_a_lease_given_back_or_denied_is_not_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    ethernet = Ethernet()
    async with serving(ethernet) as there:
        async with client(ethernet.attach(), Dhcp(lease_file=file, release=True)):
            assert json.loads(file.read_text())["lease"]["address"] == FIRST
        assert not file.exists()
        async with client(ethernet.attach(), Dhcp(lease_file=file)) as host:
            there.server.refuse = True
            assert file.exists()
            await host.wait_lease_change(host.lease)
            assert not file.exists()


async def test_a_lease_that_is_denied_at_the_start_is_not_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    ethernet = Ethernet()
    link = ethernet.attach()
    async with serving(ethernet) as there:
        async with client(link, Dhcp(lease_file=file)):
            pass
        there.server.refuse, there.server.silent = True, (dhcp.DISCOVER,)
        async with client(link, Dhcp(lease_file=file)) as host:
            assert host.lease is None
            assert there.server.log[4:7] == [f"REQUEST {FIRST}", "NAK", "DISCOVER"]
        assert not file.exists()


async def test_a_renewal_is_written(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    ethernet = Ethernet()
    async with serving(ethernet), client(ethernet.attach(), Dhcp(lease_file=file)) as host:
        first = json.loads(file.read_text())["lease"]["requested_at"]
        await host.wait_lease_change(host.lease)
        second = json.loads(file.read_text())["lease"]["requested_at"]
        assert second - first == pytest.approx(1800, abs=1)
        assert [path.name for path in tmp_path.iterdir()] == ["lease"]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 2}',
        b'{"format": 1, "mac": "02:00:00:00:00:01", "lease": {"address": "10.9.0.300"}}',
        b" " * (1 << 19),
        b'{"format": 1, "lease": {"address": "10.9.0.50", "prefix_length": 24, "server": "10.9.0.1", "lease_s": 1'
        + b"0" * 400
        + b"}}",
    ],
)
async def test_a_damaged_file_is_set_aside(content: bytes, tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    file.write_bytes(content)
    said: list[str] = []

    ethernet = Ethernet()
    async with serving(ethernet) as there, client(ethernet.attach(), Dhcp(lease_file=file), report=said.append):
        assert there.server.log[0] == "DISCOVER"
        assert json.loads(file.read_text())["lease"]["address"] == FIRST
    assert (tmp_path / "lease.damaged").read_bytes() == content
    assert len(said) == 1
    assert said[0].startswith(f"lease file {file}: ")
    assert said[0].endswith(f"; it is set aside as {file}.damaged")


async def test_an_empty_file_holds_no_lease(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    file.touch()
    ethernet = Ethernet()
    said: list[str] = []
    async with serving(ethernet) as there, client(ethernet.attach(), Dhcp(lease_file=file), report=said.append):
        assert there.server.log[0] == "DISCOVER"
    assert not said
    assert [path.name for path in tmp_path.iterdir()] == ["lease"]


def another_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the process has another user, as after `--user`: neither the file nor its folder is that one's."""
    monkeypatch.setattr(os, "geteuid", lambda: 54321)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    for name in ("unlink", "replace"):
        monkeypatch.setattr(os, name, refuse)


@rfc("root-3")
async def test_the_file_is_kept_by_a_user_that_could_not_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """In place, by the descriptor of the start: a renewal, a shorter text, the end of the lease, another one."""
    file = tmp_path / "lease"
    said: list[str] = []

    descriptors = len(os.listdir("/proc/self/fd"))
    ethernet = Ethernet()
    async with (
        serving(ethernet) as there,
        client(ethernet.attach(), Dhcp(lease_file=file), report=said.append) as host,
    ):
        node = file.stat().st_ino
        another_owner(monkeypatch)
        first = json.loads(file.read_text())["lease"]["requested_at"]
        file.write_text(file.read_text() + " " * 1000 + "rest")
        await host.wait_lease_change(host.lease)
        text = file.read_text()
        assert json.loads(text)["lease"]["requested_at"] - first == pytest.approx(1800, abs=1)
        assert text.endswith("}\n")
        there.server.refuse = True
        await host.wait_lease_change(host.lease)
        assert file.read_text() == ""
        there.server.refuse = False
        await host.wait_lease_change(None)
        assert json.loads(file.read_text())["lease"]["address"] == FIRST
        assert file.stat().st_ino == node
        monkeypatch.undo()
        file.unlink()
        another_owner(monkeypatch)
        await host.wait_lease_change(host.lease)
        monkeypatch.undo()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert said == [
        f"lease file {file}: cannot be written: it was removed, and this user may not make it again",
    ]


@rfc("planted-2")
@pytest.mark.parametrize(
    "kind",
    [
        "link",
        "hard link",
        pytest.param("file", marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root's chown")),
    ],
)
async def test_a_planted_lease_is_neither_read_nor_written(
    tmp_path: Path, kind: str, autojump_clock: MockClock
) -> None:
    """In a folder that others may write in, and as a link anywhere."""
    victim, folder = tmp_path / "victim", tmp_path / "shared"
    victim.write_text("{}")
    folder.mkdir()
    folder.chmod(0o1777)
    file = folder / "lease"
    if kind == "link":
        file.symlink_to(victim)
    elif kind == "hard link":
        file.hardlink_to(victim)
    else:
        file.write_text("{}")
        os.chown(file, 54321, 54321)
    said: list[str] = []

    ethernet = Ethernet()
    dhcp = Dhcp(lease_file=file, release=True)
    async with serving(ethernet), client(ethernet.attach(), dhcp, report=said.append) as host:
        assert host.lease is not None
    assert victim.read_text() == "{}"
    assert [path.name for path in folder.iterdir()] == ["lease"]
    assert kind == "link" or file.read_text() == "{}"
    assert [("cannot be used" in line, "cannot be written" in line) for line in said] == [(True, False), (False, True)]


async def test_the_file_of_another_interface_is_not_used(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    ethernet = Ethernet()
    said: list[str] = []
    async with serving(ethernet) as there:
        async with client(ethernet.attach(mac=bytes.fromhex("020000000a01")), Dhcp(lease_file=file)):
            pass
        mac = bytes.fromhex("020000000a02")
        async with client(ethernet.attach(mac=mac), Dhcp(lease_file=file), report=said.append) as host:
            assert there.server.log[4] == "DISCOVER"
            assert host.lease is not None
    assert said == [f"lease file {file}: is that of another interface ('02:00:00:00:0a:01'), and is not used"]


async def test_a_file_that_cannot_be_written_costs_a_message_and_no_lease(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    said: list[str] = []
    ethernet = Ethernet()
    file = tmp_path / "no" / "folder"
    async with serving(ethernet), client(ethernet.attach(), Dhcp(lease_file=file), report=said.append) as host:
        assert host.lease is not None
    assert said == [f"lease file {file}: cannot be written: No such file or directory"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
async def test_what_is_no_file_is_no_lease_file_and_stays_what_it_is(
    make: Callable[[Path], None], tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Such as /dev/null, which belongs to everybody."""
    file = tmp_path / "other"
    make(file)
    before = file.stat()
    said: list[str] = []

    descriptors = len(os.listdir("/proc/self/fd"))
    ethernet = Ethernet()
    dhcp = Dhcp(lease_file=file, release=True)
    async with serving(ethernet), client(ethernet.attach(), dhcp, report=said.append) as host:
        assert host.lease is not None
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert file.stat().st_ino == before.st_ino
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert said[0].startswith(f"lease file {file}: ")
    assert said[1:] == [f"lease file {file}: is not a regular file, and is not written"]


async def test_without_anybody_to_report_to_there_is_a_warning(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = tmp_path / "lease"
    file.write_text("?")
    ethernet = Ethernet()
    with pytest.warns(RuntimeWarning, match="set aside"):
        async with serving(ethernet), client(ethernet.attach(), Dhcp(lease_file=file)):
            pass


async def test_an_address_can_be_asked_for(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet), client(ethernet.attach(), Dhcp(request_address="10.9.0.57")) as host:
        assert host.lease is not None
        assert host.lease.address == "10.9.0.57"


@pytest.mark.parametrize(
    "wrong", [{"wait": "forever"}, {"wait_s": -1.0}, {"wait_s": float("nan")}, {"request_address": "10.9.0"}]
)
def test_wishes_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)) if "request_address" not in wrong else "10.9.0"):
        Dhcp(**wrong)  # type: ignore[arg-type]


async def test_port_68_is_the_hosts_own_meanwhile(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    async with serving(ethernet), client(ethernet.attach(), config=HASTY) as host:
        with host.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            with pytest.raises(OSError) as taken:
                await sock.bind(("0.0.0.0", 68))
            assert taken.value.errno == errno.EADDRINUSE
