"""RFC 6528: ISN = M + F(localip, localport, remoteip, remoteport, secretkey)."""

from __future__ import annotations

import inspect
import os
from collections import Counter
from itertools import pairwise
from random import Random

from stack.config import Config
from stack.host.host import Host
from stack.sockets.host import open_host
from stack.tcp.isn import initial_sequence_number
from stack.tcp.seq import sub
from tests.requirements import rfc

SECRET = bytes(range(16))
KEY = bytes((10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 200, 0))


@rfc("6528-3-a")
def test_m_ticks_every_four_microseconds() -> None:
    start = initial_sequence_number(SECRET, KEY, 1000.0)
    assert sub(initial_sequence_number(SECRET, KEY, 1001.0), start) == 250_000
    assert sub(initial_sequence_number(SECRET, KEY, 1000.0 + 2**32 * 4e-6), start) == 0


@rfc("6528-3-a")
def test_f_depends_on_each_of_its_arguments() -> None:
    """Every octet of the addresses and ports, and every octet of the secret."""
    isns = {initial_sequence_number(SECRET, KEY, 0.0)}
    for i in range(len(KEY)):
        changed = KEY[:i] + bytes((KEY[i] ^ 1,)) + KEY[i + 1 :]
        isns.add(initial_sequence_number(SECRET, changed, 0.0))
    for i in range(len(SECRET)):
        changed = SECRET[:i] + bytes((SECRET[i] ^ 1,)) + SECRET[i + 1 :]
        isns.add(initial_sequence_number(changed, KEY, 0.0))
    assert len(isns) == 1 + len(KEY) + len(SECRET)


@rfc("6528-3-b")
def test_one_connections_isn_says_nothing_about_the_next() -> None:
    """10,000 ports in a row, at one moment: no step between neighbours comes twice but by chance."""
    isns = [initial_sequence_number(SECRET, KEY[:10] + port.to_bytes(2, "big"), 5.0) for port in range(10_000)]
    steps = Counter(sub(after, before) for before, after in pairwise(isns))
    assert max(steps.values()) <= 2
    for bit in range(32):
        assert 4700 < sum(isn >> bit & 1 for isn in isns) < 5300


@rfc("6528-3-c", "6528-4-a")
def test_the_secret_is_128_bits_of_what_the_host_was_given_as_random() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return Random(7).randbytes(count)

    host = Host(Config(), random=random, raise_errors=True)
    assert set(asked) >= {16}
    chosen = host.tcp.services.choose_iss(KEY, 0.0)
    assert chosen in {initial_sequence_number(Random(7).randbytes(count), KEY, 0.0) for count in asked if count == 16}
    other = Host(Config(), random=Random(8).randbytes, raise_errors=True)
    assert other.tcp.services.choose_iss(KEY, 0.0) != chosen


@rfc("6528-4-a")
def test_a_real_hosts_random_numbers_are_the_systems() -> None:
    assert inspect.signature(open_host).parameters["random"].default is os.urandom
