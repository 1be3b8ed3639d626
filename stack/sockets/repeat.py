"""Uses the seed of an `Ethernet` for the random bytes of its hosts and for the order of tasks."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import trio

from stack.link.device import Link


def random_bytes(link: Link | None) -> Callable[[int], bytes]:
    """The random bytes of a host on `link`: from the link's generator, else from the system."""
    generator: object = getattr(link, "random", None)
    return generator.randbytes if isinstance(generator, Random) else os.urandom


def repeat_order(link: Link | None) -> None:
    """If `link` has a seed, seed trio's own generator from it, too.

    trio chooses at random the order of tasks that become ready at the same moment. Its generator is
    not public. With a version of trio that has none of this name, a program repeats only if this
    order changes nothing.
    """
    seed: object = getattr(link, "seed", None)
    if not isinstance(seed, str):
        return
    coin: object = getattr(getattr(getattr(trio, "_core", None), "_run", None), "_r", None)
    if isinstance(coin, Random):
        coin.seed(f"{seed} order")
