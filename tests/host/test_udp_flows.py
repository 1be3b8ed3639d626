"""The fast path for a datagram of a known flow delivers and counts the same as IP input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from stack.config import Config, UdpConfig
from stack.counters import Counters
from stack.udp.endpoint import Endpoint
from stack.wire.addresses import ANY, Prefix, parse_ipv4
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_UDP
from stack.wire.udp import build_datagram
from tests.host.direct_host import MAC, OTHER, PEER, US, DirectHost


class Twin(DirectHost):
    """A host that hears frames, with or without the short way."""

    def __init__(self, flows_max: int) -> None:
        config = replace(Config(), udp=UdpConfig(flows_max=flows_max, receive_bytes=2000))
        super().__init__(config)
        self.endpoints: list[Endpoint] = []

    def bind(self, address: bytes = ANY, port: int = 7) -> Endpoint:
        endpoint = self.host.udp.open()
        endpoint.reuse_address = True
        endpoint.bind((address, port))
        self.endpoints.append(endpoint)
        return endpoint

    def claim(self) -> None:
        """The port is the host's own from now on."""
        self.endpoints[0].close()
        self.host.udp.claim(7, lambda *_: None)

    def fill(self) -> None:
        """More than the queue holds."""
        for _ in range(9):
            self.hears(frame(bytes(300)))

    def outcome(self) -> tuple[object, ...]:
        got = []
        for endpoint in self.endpoints:
            while not endpoint.closed and (datagram := endpoint.receive_datagram()) is not None:
                got.append(repr(datagram))
        return got, *super().outcome()


def frame(
    data: bytes = b"some octets, that is", source: bytes = PEER, port: int = 7, cut: int = 0, ttl: int = 64
) -> bytes:
    datagram = build_datagram(4000, port, data, pseudo_sum(source, US, PROTO_UDP, 8 + len(data)))
    packet = Ipv4Header(source, US, PROTO_UDP, 20 + len(datagram), ttl=ttl, tos=4).build() + datagram
    return (ethernet_ii(MAC, b"\x02\0\0\0\0\2", ETHERTYPE_IPV4) + packet)[: -cut or None]


def changed(original: bytes, at: int, octet: int) -> bytes:
    return original[:at] + bytes((octet,)) + original[at + 1 :]


def repaired(frame: bytes) -> bytes:
    """With an IP header whose checksum is right."""
    ip = frame[14:24] + bytes(2) + frame[26:34]
    return frame[:14] + ip[:10] + internet_checksum(ip).to_bytes(2, "big") + ip[12:] + frame[34:]


CHANGES: dict[str, Callable[[Twin], object]] = {
    "nothing": lambda twin: None,
    "a closer match": lambda twin: twin.bind(US),
    "closed": lambda twin: twin.endpoints[0].close(),
    "connected to another": lambda twin: twin.endpoints[0].connect((OTHER, 9), 1.0),
    "not our address any more": lambda twin: twin.host.remove_address(twin.interface, US, 1.0),
    "the sender's address is ours": lambda twin: twin.host.add_address(
        twin.interface, Prefix(PEER, 24), 1.0, acd="off"
    ),
    "claimed": lambda twin: twin.claim(),
    "full": lambda twin: twin.fill(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_outcome_is_that_of_the_full_way(change: str) -> None:
    twins = Twin(1024), Twin(0)
    for twin in twins:
        twin.bind()
        for _ in range(3):
            twin.hears(frame())
        CHANGES[change](twin)
        for _ in range(3):
            twin.hears(frame())
    assert twins[0].outcome() == twins[1].outcome()


def test_whatever_comes_the_outcome_is_that_of_the_full_way() -> None:
    """Each octet of a datagram changed, and its length, and its padding."""
    random = Random(7)
    good = frame()
    frames = [changed(good, at, random.randrange(256)) for at in range(len(good)) for _ in range(3)]
    frames += [frame(cut=count) for count in range(1, len(good) - 14)]
    frames += [good + bytes(count) for count in (1, 2, 18)] + [changed(changed(good, 40, 0), 41, 0)]
    frames += [frame(ttl=ttl) for ttl in (0, 1, 255)]
    frames += [repaired(changed(good, 23, protocol)) for protocol in (1, 6, 200)]
    frames += [repaired(changed(good, 17, total)) for total in (*range(19, 30), len(good) - 15)]  # the rest is padding
    twins = Twin(1024), Twin(0)
    for twin in twins:
        twin.bind()
        for each in frames:
            twin.hears(good)
            twin.hears(each)
            twin.endpoints[0].receive_datagram()
    assert twins[0].outcome() == twins[1].outcome()
    assert twins[0].host.udp.flows
    assert not twins[1].host.udp.flows


def test_a_super_frame_is_taken_apart_whatever_its_sender_sent_before() -> None:
    twins = Twin(1024), Twin(0)
    for twin in twins:
        twin.bind()
        for size in (0, 0, 20, 0):
            twin.link.rx_gso_size = size
            twin.hears(frame(bytes(range(50))), verified=(True,))
    got, *others = twins[0].outcome()
    assert [got, *others] == [*twins[1].outcome()]
    assert isinstance(got, list)
    assert len(got) == 6


def test_a_datagram_with_our_own_source_address_is_refused() -> None:
    """What we send to ourselves opens no way for the same from a link."""
    twins = Twin(1024), Twin(0)
    for twin in twins:
        twin.bind()
        asker = twin.bind(US, 4000)
        asker.send_to(b"from us, to ourselves", (US, 7), 1.0)
        twin.host.batch_end(1.0)
        twin.hears(frame(b"from who knows where", source=US))
    assert twins[0].outcome() == twins[1].outcome()
    assert Counters.drops(twins[0].host.counters) == {"ipv4_own_source": 1}


def test_the_table_is_bounded() -> None:
    twin = Twin(4)
    twin.bind()
    for number in range(2, 20):
        twin.hears(frame(source=parse_ipv4(f"10.0.0.{number}")))
        assert len(twin.host.udp.flows) <= 4


def test_the_second_datagram_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Twin(1024)
    twin.bind()
    twin.hears(frame())

    def full_way(*_: object) -> None:
        raise AssertionError("it took the full way")

    monkeypatch.setattr(twin.host.ip.input, "receive", full_way)
    twin.hears(frame(b"another, from the same"))
    assert "another" in str(twin.outcome()[0])
