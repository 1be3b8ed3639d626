"""Two network namespaces joined by two TAPs, and a bad wire between these.

usage: python -m tests.live.joint NICENESS FIRST SECOND LOSS DELAY_S RATE_BPS QUEUE_BYTES SEED

FIRST and SECOND are names of namespaces, each of which gets a tap0. What comes out of the first
one's passes the wire; the way back is perfect. The wire runs with the given niceness. Runs until it
is killed.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import time

from stack.link.impair import Impaired, Impairment
from stack.link.tap import Tap

CLONE_NEWNET = 0x40000000


def enter(namespace: str) -> None:
    """What this process opens from here on is in a namespace; what it has open stays where it is."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def run(first: str, second: str, impairment: Impairment, seed: int) -> None:
    """Carry frames from one to the other, and back."""
    enter(first)
    left = Impaired(Tap("tap0"), incoming=impairment, seed=seed)
    left.open(lambda: None)
    enter(second)
    right = Tap("tap0", offload=False)
    right.open(lambda: None)
    print("ready", flush=True)
    descriptors = [left.fileno(), right.fileno()]
    while True:
        wait_s = max(0.0, left.deadline - time.monotonic())
        select.select(descriptors, [], [], min(wait_s, 1.0))  # knows microseconds, epoll only milliseconds
        now = time.monotonic()
        left.poll(now)
        while (frame := left.read(now)) is not None:
            right.write([frame], now)
        while (frame := right.read(now)) is not None:
            left.write([frame], now)


if __name__ == "__main__":
    niceness, first, second, *numbers, seed = sys.argv[1:]
    os.nice(int(niceness))
    loss, delay_s, rate_bps, queue_bytes = map(float, numbers)
    how = Impairment(loss=loss, delay_s=delay_s, rate_bps=rate_bps, queue_limit_bytes=int(queue_bytes))
    run(first, second, how, int(seed))
