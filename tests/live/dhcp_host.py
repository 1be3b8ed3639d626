"""A host of ours that gets its address by DHCP, run beside the test by a thread and trio.run of its own.

Real servers know real seconds only, so it is our clock that is fast: `RATE` of our seconds pass in
one of theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import trio
from trio.testing import MockClock

import stack
from stack import LeaseRecord
from tests import modes
from tests.live.dhcp_servers import TAP, Lan
from tests.live.net import wait_until

T = TypeVar("T")

RATE = 20.0
MAC = bytes.fromhex("0200000000d1")


class Ours:
    """A host on a lan. Leaving it closes the host: the lease is given back unless there is a file to keep it in."""

    def __init__(
        self,
        lan: Lan,
        *,
        lease_file: Path | None = None,
        wait: str = "nothing",
        mtu: int | None = None,
        config: stack.Config | None = None,
    ) -> None:
        self._namespace = lan.namespace
        self._mtu = mtu
        self._config = stack.Config() if config is None else config
        self._dhcp = stack.Dhcp(wait=wait, lease_file=lease_file)
        self._thread = threading.Thread(target=self._run)
        self._failure: BaseException | None = None
        self._open: tuple[stack.Host, trio.lowlevel.TrioToken, trio.Event] | None = None

    def _run(self) -> None:
        try:
            self._namespace.in_here(partial(trio.run, self._body, clock=MockClock(rate=RATE)))
        except BaseException as error:  # raised again in the thread of the test
            self._failure = error

    async def _body(self) -> None:
        link = stack.Tap(TAP, mac=MAC, mtu=self._mtu, offload=modes.offload())
        async with stack.open_host(
            link, address="dhcp", dhcp=self._dhcp, config=self._config, raise_errors=True
        ) as host:
            end = trio.Event()
            self._open = host, trio.lowlevel.current_trio_token(), end
            await end.wait()

    def ask(self, question: Callable[[stack.Host], T]) -> T:
        """What the host answers, in its own thread."""
        self._check()
        assert self._open is not None
        host, token, _ = self._open
        return trio.from_thread.run_sync(question, host, trio_token=token)

    def until(self, question: Callable[[stack.Host], T | None], what: str) -> T:
        """Wait until the host has an answer."""
        answers: list[T] = []

        def look() -> bool:
            if (answer := self.ask(question)) is not None:
                answers.append(answer)
            return bool(answers)

        wait_until(look, what)
        return answers[0]

    @property
    def lease(self) -> LeaseRecord | None:
        """What it has now."""
        return self.ask(lambda host: host.lease)

    def leased(self, condition: Callable[[LeaseRecord], bool] = lambda lease: True) -> LeaseRecord:
        """Wait until there is a lease, one such as this."""
        return self.until(
            lambda host: host.lease if host.lease is not None and condition(host.lease) else None, "the lease"
        )

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _is_open(self) -> bool:
        self._check()
        return self._open is not None

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(self._is_open, "our host is open")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None and self._failure is None:
            _, token, end = self._open
            trio.from_thread.run_sync(end.set, trio_token=token)
        self._thread.join(20)
        assert not self._thread.is_alive()
        if error is None:
            self._check()
