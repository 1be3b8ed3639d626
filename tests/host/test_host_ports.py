"""Ephemeral ports: in the range, all of it, never one that is taken, and unpredictable (RFC 6056)."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from stack.config import Config, HostConfig
from stack.host.ports import EphemeralPorts
from stack.link.memory import Ethernet
from tests.requirements import rfc
from tests.sim.network import Machine, Network, pair
from tests.sim.programs import Server

FIRST, LAST = 40_000, 40_099
RANGE = HostConfig(ephemeral_first=FIRST, ephemeral_last=LAST)


def ports(seed: int = 1) -> EphemeralPorts:
    return EphemeralPorts(RANGE, Random(seed).randbytes)


def free(_: int) -> bool:
    return False


@rfc("6056-3.3-a")
def test_every_port_of_the_range_comes_once_before_any_comes_again() -> None:
    choose = ports().choose
    assert sorted(choose(b"a flow", free) or 0 for _ in range(100)) == list(range(FIRST, LAST + 1))


@rfc("6056-3.3.1-a")
def test_a_port_in_use_is_passed_over_and_none_left_is_said() -> None:
    choose = ports().choose
    assert choose(b"a flow", lambda port: port != 40_042) == 40_042
    assert choose(b"a flow", lambda port: True) is None


@rfc("6056-3.3-a", "6056-3.3.1-a", "5927-4.2-a")
def test_flows_begin_at_places_that_say_nothing_about_each_other() -> None:
    """10,000 destinations: no step from one to the next is more likely than chance makes it."""
    choose = EphemeralPorts(HostConfig(), Random(1).randbytes).choose
    chosen = [choose(number.to_bytes(4, "big"), free) or 0 for number in range(10_000)]
    steps = [(after - before) % 64512 for before, after in pairwise(chosen)]
    assert max(Counter(steps).values()) < 10
    assert len(set(chosen)) > 8000


def udp_port(machine: Machine) -> int:
    endpoint = machine.udp()
    endpoint.bind((bytes(4), 0))
    return endpoint.local[1]


@pytest.mark.parametrize(
    "what",
    [
        lambda machine: machine.connect("10.0.0.2", 80).local[1],
        lambda machine: machine.host.bind_tcp((bytes(4), 0)),
        udp_port,
    ],
)
def test_no_two_calls_of_a_host_get_the_same_port(what: Callable[[Machine], int]) -> None:
    _, machine, _ = pair(3)
    numbers = [what(machine) for _ in range(200)]
    assert len(set(numbers)) == 200
    assert all(1024 <= number <= 65535 for number in numbers)


def test_hosts_with_other_secrets_choose_other_ports() -> None:
    chosen = []
    for seed in range(20):
        _, machine, _ = pair(seed)
        chosen.append(machine.connect("10.0.0.2", 80).local[1])
    assert len(set(chosen)) == 20


@rfc("6056-3.2-a", "6056-3.2-c", "6056-3.2-b")
def test_the_range_is_all_but_the_ports_of_services() -> None:
    config = HostConfig()
    choose = EphemeralPorts(config, Random(1).randbytes).choose
    seen = {choose(b"a flow", free) for _ in range(64512 - len(config.service_ports))}
    assert seen == set(range(1024, 65536)) - set(config.service_ports)
    assert 8080 not in seen


@rfc("6056-3.1-a")
def test_a_port_that_is_listened_on_or_bound_is_not_ephemeral() -> None:
    config = Config(host=HostConfig(ephemeral_first=50_000, ephemeral_last=50_003))
    network = Network(1)
    machine = network.machine("here", config)
    machine.attach(Ethernet().attach(), "10.0.0.1/24")
    machine.listen(50_000)
    machine.host.bind_tcp((bytes(4), 50_001))
    assert {machine.connect("10.0.0.2", 80).local[1] for _ in range(2)} == {50_002, 50_003}
    with pytest.raises(OSError, match="address"):
        machine.connect("10.0.0.2", 80)


@rfc("ports-1")
def test_an_ephemeral_bind_passes_over_the_ports_of_connections() -> None:
    """A port that a connection uses, in whatever state it is, would make the next `listen` or `connect` fail."""
    config = Config(host=HostConfig(ephemeral_first=50_000, ephemeral_last=50_004))
    network, here, there = pair(3, configs=(config, None))
    server = Server(there, 80)
    used = {here.connect("10.0.0.2", 80).local[1] for _ in range(3)}
    here.connect("10.0.0.99", 80)  # in SYN-SENT
    network.run(lambda: server.accepted == 3)
    (free_port,) = set(range(50_000, 50_005)) - {c.local[1] for c in here.host.tcp.connections.values()}
    assert len(used) == 3
    for _ in range(10):
        assert here.host.bind_tcp((bytes(4), 0)) == free_port
        here.host.release_tcp((bytes(4), free_port))
    here.host.bind_tcp((bytes(4), 0))
    with pytest.raises(OSError) as caught:
        here.host.bind_tcp((bytes(4), 0))
    assert caught.value.errno == errno.EADDRINUSE
    next(iter(here.host.tcp.connections.values())).abort(network.now)
    assert here.host.bind_tcp((bytes(4), 0)) in used
