"""Ends a test that would never end: by a limit in virtual time, and one of rounds without any."""

from __future__ import annotations

import site
import sysconfig
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import trio

LIMIT_S = 3600.0  # of virtual time: less than the two hours after which keep-alives begin
MOST_ROUNDS = 20_000  # of trio's loop at one moment of virtual time: some 5,000 exchanges, or 400 MB
OURS = Path(__file__).resolve().parent.parent
LIBRARIES = [Path(path).resolve() for path in {*site.getsitepackages(), *sysconfig.get_paths().values()}]


class EndlessError(AssertionError):
    """A test was ended, since it would not have ended by itself. It says where that was."""


class Rounds(trio.abc.Instrument):
    """Cancels a scope after so many rounds of trio's loop in which no virtual time passed."""

    def __init__(self, scope: trio.CancelScope, most: int) -> None:
        self._most = most
        self.too_many = False
        self._scope = scope
        self._now = 0.0
        self._rounds = 0

    def before_io_wait(self, timeout: float) -> None:
        """Count a round."""
        now = trio.current_time()
        if now != self._now:
            self._now, self._rounds = now, 0
        self._rounds += 1
        if self._rounds == self._most:
            self.too_many = True
            self._scope.cancel()


async def limited(
    what: str, test: Callable[[], Awaitable[object]], limit_s: float, home: Path, most_rounds: int = MOST_ROUNDS
) -> None:
    """Run a test for at most `limit_s` seconds of virtual time, and so many rounds without any.

    If it is not over then, EndlessError says so of `what` ("the test"), with its places in the
    files below `home`, the user's own.
    """
    __tracebackhide__ = True
    with trio.CancelScope(deadline=trio.current_time() + limit_s) as scope:
        rounds = Rounds(scope, most_rounds)
        trio.lowlevel.add_instrument(rounds)
        try:
            await test()
        except BaseException as error:
            if not scope.cancel_called:
                raise
            if rounds.too_many:
                how = f"has run {most_rounds:,} rounds in which no virtual time passes: it tries again without a pause"
            else:
                how = (
                    f"was not over after {limit_s:g} s of virtual time: it waits without a limit, or with a longer one"
                )
            raise EndlessError(f"{what} {how}{place_of(error, home)}") from None
        finally:
            trio.lowlevel.remove_instrument(rounds)


def place_of(error: BaseException, home: Path) -> str:
    """The lines of the user's own files that an exception came through, innermost first."""
    lines: dict[tuple[Path, str], int] = {}
    for each in chain_of(error):
        for frame in traceback.extract_tb(each.__traceback__):
            path = Path(frame.filename).resolve()
            if path.is_relative_to(home) and not any(path.is_relative_to(other) for other in (OURS, *LIBRARIES)):
                lines[path.relative_to(home), frame.name] = frame.lineno or 0
    places = [f"{path}:{number} ({name})" for (path, name), number in reversed(lines.items())]
    return f", at {', from '.join(places)}" if places else ""


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An exception, those in its group, and the cancellation during which it was raised.

    What is closed while a scope is cancelled is cancelled again, so the last one says least.
    """
    following: BaseException | None = error
    while following is not None:
        yield following
        if isinstance(following, BaseExceptionGroup):
            following = following.exceptions[0]
        else:
            following = following.__context__ if isinstance(following.__context__, trio.Cancelled) else None
