"""The seed of an `Ethernet`: where its hosts draw from, and the order of tasks."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import trio

from stack.link.device import Link


def random_bytes(link: Link | None) -> Callable[[int], bytes]:
    """Where a host on `link` draws from: the link's own generator, else the operating system."""
    generator: object = getattr(link, "random", None)
    return generator.randbytes if isinstance(generator, Random) else os.urandom


def repeat_order(link: Link | None) -> None:
    """Where `link` has a seed, have trio draw from it, too.

    trio tosses a coin for the order of tasks that become ready at the same moment. Its generator is
    not public. With a trio that has none of this name, a program repeats only where this order
    changes nothing.
    """
    seed: object = getattr(link, "seed", None)
    coin: object = getattr(trio._core._run, "_r", None)
    if isinstance(seed, str) and isinstance(coin, Random):
        coin.seed(f"{seed} order")
