"""Echo Requests answered by a prepared path: the reply and the counters are those of IP input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from random import Random

import pytest

from stack.config import Config, IcmpConfig
from stack.counters import Counters
from stack.link.memory import Ethernet
from stack.wire.addresses import Prefix, parse_ipv4
from stack.wire.checksum import internet_checksum
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP
from stack.wire.show import show
from tests.host.direct_host import MAC, NOW, OTHER, PEER, PEER_MAC, US, DirectHost


class Twin(DirectHost):
    """A host with or without prepared paths."""

    def __init__(self, echo_paths_max: int) -> None:
        super().__init__(replace(Config(), icmp=IcmpConfig(echo_paths_max=echo_paths_max)))

    @property
    def prepared(self) -> int:
        return len(self.host.ip.icmp.echo_server.prepared_paths)

    def narrow(self) -> None:
        """From now on the peer's address is that of all hosts of our network."""
        self.host.remove_address(self.interface, US, 1.0)
        self.host.add_address(self.interface, Prefix(US, 30), 1.0, acd="off")

    def forget_neighbors(self) -> None:
        assert self.interface.neighbors is not None
        self.interface.neighbors.flush()


def request(
    data: bytes = bytes(range(56)), source: bytes = PEER, number: int = 1, ttl: int = 64, tos: int = 0, cut: int = 0
) -> bytes:
    message = echo_request(number, number, data).build()
    packet = Ipv4Header(source, US, PROTO_ICMP, 20 + len(message), ttl=ttl, tos=tos).build() + message
    return (ethernet_ii(MAC, PEER_MAC, ETHERTYPE_IPV4) + packet)[: -cut or None]


def changed(original: bytes, at: int, octet: int) -> bytes:
    return original[:at] + bytes((octet,)) + original[at + 1 :]


def repaired(frame: bytes) -> bytes:
    """With checksums that are right."""
    ip = frame[14:24] + bytes(2) + frame[26:34]
    message = frame[34:36] + bytes(2) + frame[38:]
    ip = ip[:10] + internet_checksum(ip).to_bytes(2, "big") + ip[12:]
    return frame[:14] + ip + message[:2] + internet_checksum(message).to_bytes(2, "big") + message[4:]


def twins() -> tuple[Twin, Twin]:
    return Twin(64), Twin(0)


def test_whatever_comes_the_outcome_is_that_of_the_long_way() -> None:
    """Each octet of a request changed, with and without right checksums, its length, and its padding."""
    random = Random(7)
    good = request()
    frames = [changed(good, at, random.randrange(256)) for at in range(len(good)) for _ in range(3)]
    frames += list(map(repaired, frames))
    frames += [request(cut=count) for count in range(1, len(good) - 14)]
    frames += [good + bytes(count) for count in (1, 2, 18)]
    frames += [repaired(changed(good, 17, total)) for total in range(19, 34)]  # the rest is padding
    frames += [request(ttl=ttl, tos=tos) for ttl in (0, 1, 255) for tos in (0, 0x10, 3)]
    frames += [request(bytes(count)) for count in range(30)] + [request(bytes(1472)), request(b"x" * 1471)]
    frames += [request(bytes(count), number=0) for count in (12, 13, 56)]  # what is left of it sums to nothing
    both = twins()
    for twin in both:
        for each in frames:
            twin.hears(good)
            twin.hears(each)
    assert both[0].outcome() == both[1].outcome()
    assert both[0].prepared
    assert not both[1].prepared


CHANGES: dict[str, Callable[[Twin], object]] = {
    "nothing": lambda twin: None,
    "not our address any more": lambda twin: twin.host.remove_address(twin.interface, US, 1.0),
    "the pinging host's address is ours": lambda twin: twin.host.add_address(
        twin.interface, Prefix(PEER, 24), 1.0, acd="off"
    ),
    "a small MTU": lambda twin: twin.host.set_mtu(twin.interface, 576, 1.0),
    "a narrow path": lambda twin: twin.host.ip.output.lower_mtu(PEER, 600, 1.0),
    "another route": lambda twin: twin.host.ip.routes.add(Prefix(PEER, 32), twin.interface, gateway=OTHER),
    "no route": lambda twin: twin.host.ip.routes.remove_interface(twin.interface),
    "no neighbour": lambda twin: twin.forget_neighbors(),
    "the pinging host's address is that of all hosts": lambda twin: twin.narrow(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_outcome_is_that_of_the_long_way(change: str) -> None:
    both = twins()
    for twin in both:
        for _ in range(3):
            twin.hears(request(bytes(1000)))
        CHANGES[change](twin)
        for _ in range(3):
            twin.hears(request(bytes(1000)))
        assert twin.host.ip.output.open_paths == twin.prepared
    assert both[0].outcome() == both[1].outcome()


def test_a_request_by_another_link_goes_the_long_way() -> None:
    both = twins()
    for twin in both:
        other = Ethernet().attach("other", b"\x02\0\0\0\0\7")
        other.open(lambda: None)
        interface = twin.host.attach(other, [Prefix(OTHER, 32)], None, 0.0, acd="off")
        for _ in range(3):
            twin.hears(request())
        twin.host.frame(interface, 1.0, memoryview(b"\x02\0\0\0\0\7" + request()[6:]))
    assert both[0].outcome() == both[1].outcome()


def test_a_request_with_our_own_source_address_is_refused() -> None:
    """What we ask ourselves opens no way for the same from a link."""
    both = twins()
    for twin in both:
        for _ in range(3):
            twin.host.ping(US, b"are we here?", 1.0, lambda result: None)
            twin.host.batch_end(1.0)
        twin.hears(request(source=US))
    assert Counters.drops(both[0].host.counters) == Counters.drops(both[1].host.counters) == {"ipv4_own_source": 1}
    assert both[0].prepared == both[0].host.ip.output.open_paths == 0


def test_the_third_request_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Twin(64)
    twin.hears(request())
    twin.hears(request())

    def long_way(*_: object) -> None:
        raise AssertionError("it took the slow path")

    monkeypatch.setattr(twin.host.ip.input, "receive", long_way)
    twin.hears(request(b"are you still there?", tos=0x10))
    assert "echo reply" in str(show(twin.sent[-1])).lower()
    assert twin.sent[-1].endswith(b"are you still there?")
    assert twin.sent[-1][15] == 0x10


def test_the_number_of_hosts_with_a_prepared_path_is_bounded() -> None:
    twin = Twin(4)
    for number in range(2, 20):
        for _ in range(3):
            twin.hears(request(source=parse_ipv4(f"10.0.0.{number}")))
            assert twin.prepared <= 4
            assert twin.host.ip.output.open_paths == twin.prepared


def test_after_a_while_all_are_forgotten() -> None:
    twin = Twin(64)
    config, ip = twin.host.config.icmp, twin.host.ip
    twin.hears(request())  # after which the neighbour is known
    woken: list[float] = []
    twin.host.wake_timer = lambda: woken.append(ip.deadline)
    for _ in range(2):
        twin.hears(request())
    assert woken == [NOW + config.echo_path_lifetime_s], "the owner is told of the deadline"
    assert ip.deadline == NOW + config.echo_path_lifetime_s
    twin.host.on_deadline(ip.deadline - 0.001)
    assert twin.prepared == 1
    twin.host.on_deadline(ip.deadline)
    assert twin.prepared == ip.output.open_paths == 0
    assert ip.deadline == inf
    for number in (1, 2):
        twin.hears(request(number=number))
        assert twin.prepared == number - 1, "the host has to be learned again"


def test_a_host_that_pings_once_leaves_nothing_behind() -> None:
    twin = Twin(64)
    for number in range(2, 20):
        twin.hears(request(source=parse_ipv4(f"10.0.0.{number}")))
    assert twin.prepared == twin.host.ip.output.open_paths == 0


def test_a_broadcast_request_is_not_remembered() -> None:
    """Broadcast requests that we are told to answer."""
    config = replace(Config(), icmp=IcmpConfig(answer_broadcast_echo=True))
    twin = Twin(64)
    twin.host.ip.icmp.config = config.icmp
    frame = bytearray(request())
    frame[30:34] = parse_ipv4("10.0.0.255")
    for _ in range(3):
        twin.hears(repaired(bytes(frame)))
    assert twin.prepared == 0
