"""RFC 6528: ISN = M + F(localip, localport, remoteip, remoteport, secretkey)."""

from __future__ import annotations

import inspect
import os
from random import Random

from stack import Ethernet
from stack.config import Config
from stack.host.host import HostCore
from stack.sockets.host import open_host
from stack.sockets.repeat import random_bytes
from stack.tcp.isn import initial_sequence_number
from tests.requirements import rfc

SECRET = bytes(range(16))
KEY = bytes((10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 200, 0))


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


@rfc("6528-3-c", "6528-4-a")
def test_the_secret_is_128_bits_of_what_the_host_was_given_as_random() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return Random(7).randbytes(count)

    host = HostCore(Config(), random=random, raise_errors=True)
    assert set(asked) >= {16}
    chosen = host.tcp.services.choose_iss(KEY, 0.0)
    assert chosen in {initial_sequence_number(Random(7).randbytes(count), KEY, 0.0) for count in asked if count == 16}
    other = HostCore(Config(), random=Random(8).randbytes, raise_errors=True)
    assert other.tcp.services.choose_iss(KEY, 0.0) != chosen


@rfc("6528-4-a")
def test_a_real_hosts_random_numbers_are_the_systems() -> None:
    assert inspect.signature(open_host).parameters["random"].default is None  # then `random_bytes` chooses
    assert random_bytes(None) is os.urandom
    assert random_bytes(Ethernet().attach()) is os.urandom  # without a seed
