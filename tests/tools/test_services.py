"""The small services: their messages, their refusals and their ends."""

from __future__ import annotations

import errno
import time
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
import trio
import trio.testing
from trio.abc import HalfCloseableStream
from trio.testing import MockClock

from stack import Host
from tests.requirements import rfc
from tests.sockets.hosts import ALICE, BOB
from tools import services

Address = tuple[str, int]


async def talk(
    handler: services.Handler, client: Callable[[HalfCloseableStream], Awaitable[None]], run: float = 100.0
) -> None:
    """Run a handler with `client` at the other end; both must end."""
    ours, theirs = trio.testing.memory_stream_pair()

    async def serve() -> None:
        await services.guarded("tested", handler)(ours)
        await ours.aclose()

    with trio.fail_after(run):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await client(theirs)


async def read_all(stream: HalfCloseableStream) -> bytes:
    """Everything until the other end ends."""
    parts = []
    while part := await stream.receive_some():
        parts.append(bytes(part))
    return b"".join(parts)


async def test_echo_sends_back_what_comes_and_ends_when_it_does(autojump_clock: MockClock) -> None:
    async def client(stream: HalfCloseableStream) -> None:
        await stream.send_all(b"one")
        assert await stream.receive_some() == b"one"
        await stream.send_all(b"two")
        await stream.send_eof()
        assert await read_all(stream) == b"two"

    await talk(services.TCP_HANDLERS["echo"], client)


async def test_discard_answers_nothing(autojump_clock: MockClock) -> None:
    async def client(stream: HalfCloseableStream) -> None:
        await stream.send_all(bytes(100_000))
        await stream.send_eof()
        assert await read_all(stream) == b""

    await talk(services.TCP_HANDLERS["discard"], client)


@pytest.mark.parametrize("name", ["daytime", "qotd", "time"])
async def test_a_service_sends_one_message_and_ends(name: str, autojump_clock: MockClock) -> None:
    async def client(stream: HalfCloseableStream) -> None:
        text = await read_all(stream)
        if name == "time":
            assert len(text) == 4
            assert abs(int.from_bytes(text, "big") - 2_208_988_800 - time.time()) < 60
        else:
            assert text.endswith(b"\r\n")
            assert text[:-2].decode("ascii").isprintable()
            assert len(text) < 512
        await stream.aclose()

    await talk(services.TCP_HANDLERS[name], client)


async def test_a_client_that_never_closes_does_not_hold_the_handler(autojump_clock: MockClock) -> None:
    async def client(stream: HalfCloseableStream) -> None:
        await read_all(stream)
        await trio.sleep(services.PEER_CLOSE_S + 1)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"still there?")

    await talk(services.TCP_HANDLERS["qotd"], client)


async def test_chargen_sends_rfc_864_until_the_client_goes(autojump_clock: MockClock) -> None:
    async def client(stream: HalfCloseableStream) -> None:
        await stream.send_all(b"thrown away")
        got = b""
        while len(got) < 2 * len(services.PATTERN_CHUNK):
            got += await stream.receive_some()
        lines = got.split(b"\r\n")
        # The first lines that RFC 864 prints.
        assert lines[0] == bytes(range(32, 104))
        assert lines[1] == bytes(range(33, 105))
        assert lines[94] == b"~" + bytes(range(32, 103))
        assert all(lines[n] == lines[n + 95] for n in range(len(lines) - 96))
        assert {len(line) for line in lines[:-1]} == {72}
        await stream.aclose()

    await talk(services.TCP_HANDLERS["chargen"], client)


async def test_a_broken_connection_ends_quietly_and_a_bug_is_printed(
    capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    async def broken(stream: HalfCloseableStream) -> None:
        raise trio.BrokenResourceError

    async def wrong(stream: HalfCloseableStream) -> None:
        raise ZeroDivisionError

    async def client(stream: HalfCloseableStream) -> None:
        await stream.aclose()

    await talk(broken, client)
    assert capsys.readouterr().err == ""
    await talk(wrong, client)
    assert "ZeroDivisionError" in capsys.readouterr().err


# --- UDP --------------------------------------------------------------------------------------------------------------


class FakeSocket:
    """A datagram socket that gives what it is told to and notes what is sent."""

    def __init__(self, *arrivals: tuple[bytes, Address] | OSError) -> None:
        self.arrivals = list(arrivals)
        self.sent: list[tuple[bytes, Address]] = []
        self.bound: Address | None = None
        self.unreachable: Address | None = None

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    async def bind(self, address: Address) -> None:
        self.bound = address

    async def recvfrom(self, size: int) -> tuple[bytes, Address]:
        if not self.arrivals:
            await trio.sleep_forever()
        arrival = self.arrivals.pop(0)
        if isinstance(arrival, OSError):
            raise arrival
        return arrival

    async def sendto(self, data: bytes, address: Address) -> None:
        if address == self.unreachable:
            raise OSError(errno.EHOSTUNREACH, "no way")
        self.sent.append((data, address))


class FakeHost:
    """A host whose only socket is a given one."""

    def __init__(self, sock: FakeSocket) -> None:
        self.sock = sock

    def socket(self, family: int, kind: int) -> FakeSocket:
        return self.sock


async def answered(
    name: str, sock: FakeSocket, *, per_second: float | None = None, port: int = 7
) -> list[tuple[bytes, Address]]:
    """What a UDP service sends for the arrivals of `sock`."""
    answer, budget = services.UDP_ANSWERS[name]
    ports = frozenset({7, 9, 13, 17, 19, 37, 5007})
    local = ("10.9.0.2", port)
    with trio.move_on_after(5):
        larger = name in services.AMPLIFYING
        fake = cast(Host, FakeHost(sock))
        await services.answer_datagrams(fake, local, answer, per_second or budget, ports, larger)
    assert sock.bound == local
    return sock.sent


CLIENT = ("10.9.0.1", 40000)


async def test_udp_echo_is_the_datagram_itself(autojump_clock: MockClock) -> None:
    assert await answered("echo", FakeSocket((b"hello", CLIENT), (b"", CLIENT))) == [(b"hello", CLIENT), (b"", CLIENT)]


async def test_udp_discard_sends_nothing(autojump_clock: MockClock) -> None:
    assert await answered("discard", FakeSocket((b"hello", CLIENT))) == []


@pytest.mark.parametrize("name", ["daytime", "qotd", "chargen"])
async def test_udp_text_services_stay_below_512_bytes(name: str, autojump_clock: MockClock) -> None:
    ((data, address),) = await answered(name, FakeSocket((b"", CLIENT)))
    assert address == CLIENT
    assert 0 < len(data) < 512
    assert data.endswith(b"\r\n")


@pytest.mark.parametrize("name", ["echo", "chargen", "daytime", "qotd", "time"])
@pytest.mark.parametrize("port", [0, 7, 19, 53, 123, 1023, 5007])
async def test_a_port_of_another_service_gets_no_answer(name: str, port: int, autojump_clock: MockClock) -> None:
    assert await answered(name, FakeSocket((b"loop", ("10.9.0.1", port)))) == []


async def test_on_an_unusual_port_each_client_has_a_budget(autojump_clock: MockClock) -> None:
    loop: list[tuple[bytes, Address] | OSError] = [(b"x", ("10.9.0.3", 8007))] * 1000
    others: list[tuple[bytes, Address] | OSError] = [(b"x", ("10.9.0.3", 40_000 + n)) for n in range(30)]
    assert len(await answered("echo", FakeSocket(*loop, *others), port=7007)) == services.CLIENT_BUDGET + 30
    assert len(await answered("echo", FakeSocket(*loop, *others), port=7)) == 1030


def test_the_table_of_client_budgets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_CLIENT_BUDGETS", 2)
    budgets = services.ClientBudgets(1, services.Budget(1000))
    one, two, three = (("10.9.0.1", 40_000 + n) for n in range(3))
    assert [budgets.take(client, 5.0) for client in (one, one, two, one, two)] == [True, False, True, False, False]
    assert budgets.take(three, 5.0)  # and `one`, who asked longest ago, is forgotten
    assert [budgets.take(client, 5.0) for client in (two, one)] == [False, True]


@rfc("service-1")
@pytest.mark.parametrize("name", sorted(services.UDP_ANSWERS))
@pytest.mark.parametrize("port", [7, 5007])
async def test_an_amplifying_service_has_a_budget_for_each_address(
    name: str, port: int, autojump_clock: MockClock
) -> None:
    """A thousand questions with a victim's address and different ports, and one of another client."""
    assert services.UDP_ANSWERS[name][0](b"") is None or name in {*services.AMPLIFYING, "echo"}
    forged: list[tuple[bytes, Address] | OSError] = [(b"", ("10.9.0.3", 1024 + n)) for n in range(1000)]
    sent = await answered(name, FakeSocket(*forged, (b"", ("10.9.0.4", 40_000))), port=port)
    if name in services.AMPLIFYING:
        assert [address for _, address in sent].count(("10.9.0.4", 40_000)) == 1
        assert len(sent) == services.CLIENT_BUDGET + 1
    elif name == "echo":
        assert {len(data) for data, _ in sent} == {0}


@rfc("service-1")
def test_forged_addresses_do_not_renew_the_budget_of_a_victim() -> None:
    budgets = services.ClientBudgets(20, services.Budget(1000))
    reflected = 0
    for turn in range(100):
        now = 5.0 + turn / 100
        for name in range(2 * services.MOST_CLIENT_BUDGETS):
            budgets.take(f"forged {name}", now)
        reflected += sum(budgets.take("victim", now + 0.009) for _ in range(20))
    assert reflected <= 3 * services.CLIENT_BUDGET


async def test_a_loop_between_unusual_ports_ends(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    await services.serve(alice, {"echo": 7007}, nursery)
    # A program in place of bob's service, which answers whatever comes: the worst case.
    with bob.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind((BOB, 8007))
        await sock.sendto(b"x", (ALICE, 7007))
        rounds = 0
        with trio.move_on_after(100):
            while True:
                data, address = await sock.recvfrom(100)
                rounds += 1
                await sock.sendto(data, address)
    assert 0 < rounds <= services.CLIENT_BUDGET + 1


async def test_a_broadcast_gets_no_answer(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    await services.serve(alice, {"echo": 7}, nursery)
    with bob.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_BROADCAST, 1)
        for address in ("10.9.0.255", "255.255.255.255", ALICE):
            await sock.sendto(address.encode(), (address, 7))
        data, source = await sock.recvfrom(100)
        assert (data, source) == (ALICE.encode(), (ALICE, 7))
        with trio.move_on_after(10):
            pytest.fail(f"{await sock.recvfrom(100)} came, too")


async def test_an_error_about_one_client_does_not_end_the_service(autojump_clock: MockClock) -> None:
    gone = ("10.9.0.77", 40000)
    sock = FakeSocket((b"a", gone), OSError(errno.ECONNREFUSED, "earlier"), (b"b", CLIENT))
    sock.unreachable = gone
    assert await answered("echo", sock) == [(b"b", CLIENT)]


async def test_an_unexpected_error_ends_the_service(autojump_clock: MockClock) -> None:
    with pytest.raises(OSError, match="broken") as caught:
        await answered("echo", FakeSocket(OSError(errno.EIO, "broken")))
    assert caught.value.errno == errno.EIO


async def test_answers_larger_than_the_question_have_a_budget(autojump_clock: MockClock) -> None:
    flood: list[tuple[bytes, Address] | OSError] = [(b"", CLIENT)] * 100
    assert len(await answered("chargen", FakeSocket(*flood), per_second=10)) == 10
    names: list[tuple[bytes, Address] | OSError] = [(b"", (f"10.8.{n // 200}.{n % 200}", 40_000)) for n in range(2000)]
    assert len(await answered("chargen", FakeSocket(*names), per_second=1000)) == 1000


def test_a_budget_comes_back_with_time() -> None:
    budget = services.Budget(per_second=4)
    assert [budget.take(100.0) for _ in range(5)] == [True] * 4 + [False]
    assert [budget.take(100.5) for _ in range(3)] == [True, True, False]
    assert [budget.take(999.0) for _ in range(5)] == [True] * 4 + [False]


def test_echo_may_answer_what_a_fast_client_sends() -> None:
    assert services.UDP_ANSWERS["echo"][1] >= 3 * 30_000
    assert services.UDP_ANSWERS["chargen"][1] <= 1_000
