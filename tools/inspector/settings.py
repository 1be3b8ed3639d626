"""Settings of TCP from the page: {"do": "setting", "sack": false, "msl_s": 1}.

They hold for connections that are opened from then on: see `stack.Host.configure`. Nagle's algorithm
is a socket option, TCP_NODELAY, which the services set: see `habits`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import stack

from ..habits import Habits
from .answers import wrong
from .inspector import Inspector

LONGEST_NAME = 40


class Setting(NamedTuple):
    """A field of `TcpConfig`, or of `Habits`, that the page may set.

    `choices` are its values; without any it is a number from `low` to `high`, and a whole one if
    `whole` is set.
    """

    label: str
    choices: tuple[object, ...] = ()
    low: float = 0
    high: float = 0
    whole: bool = False


ON_OFF = (True, False)
SETTINGS: dict[str, Setting] = {
    "congestion": Setting("congestion control", ("cubic", "reno")),
    "sack": Setting("SACK (RFC 2018)", ON_OFF),
    "timestamps": Setting("timestamps (RFC 7323)", ON_OFF),
    "window_scaling": Setting("window scaling (RFC 7323)", ON_OFF),
    "rack": Setting("RACK and tail loss probes (RFC 8985)", ON_OFF),
    "prr": Setting("proportional rate reduction (RFC 6937)", ON_OFF),
    "undo": Setting("undo of spurious retransmissions (RFC 4015)", ON_OFF),
    "nagle": Setting("Nagle's algorithm, in the host's services (RFC 9293)", ON_OFF),
    "ecn": Setting("ECN (RFC 3168)", ("accept", "on", "off")),
    "pacing": Setting("pacing", ON_OFF),
    "black_hole_detection": Setting("black hole detection (RFC 4821)", ON_OFF),
    "protect_time_wait": Setting("resets are ignored in TIME-WAIT (RFC 1337)", ON_OFF),
    "delayed_ack_s": Setting("delayed ACK, in seconds", low=0.001, high=0.5),
    "rto_min_s": Setting("least RTO, in seconds", low=0.01, high=60),
    "initial_window_segments": Setting("initial window, in segments", low=1, high=64, whole=True),
    "msl_s": Setting("MSL, in seconds", low=0.1, high=120),
}


OF_SERVICES = ("nagle",)  # fields of `Habits`


def add(inspector: Inspector, habits: Habits) -> None:
    """Let the page set these."""
    settings = Settings(inspector.host, habits)

    async def act(asked: dict[str, object]) -> object:
        told = await settings.act(asked)
        await inspector.state.look_at("settings")
        return told

    inspector.actions["setting"] = act
    inspector.state.looks["settings"] = settings.look


class Settings:
    """The settings of a host and of its services, for the page."""

    def __init__(self, host: stack.Host, habits: Habits) -> None:
        self._host = host
        self._habits = habits
        self._usual = self._now()

    def _now(self) -> dict[str, object]:
        tcp = self._host.config.tcp
        return {name: getattr(self._habits if name in OF_SERVICES else tcp, name) for name in SETTINGS}

    async def look(self) -> dict[str, object]:
        """Return each setting: its label, its value, the usual one, and what it may be."""
        now = self._now()
        return {
            name: {
                "label": setting.label,
                "value": now[name],
                "usual": self._usual[name],
                "choices": setting.choices,
                "low": setting.low,
                "high": setting.high,
            }
            for name, setting in SETTINGS.items()
        }

    async def act(self, asked: dict[str, object]) -> object:
        """Change settings. Raises Refused."""
        wanted = {name: checked(name, value) for name, value in asked.items() if name != "do"}
        if not wanted:
            raise wrong(f"name a setting: {', '.join(SETTINGS)}")
        before = self._now()
        of_tcp = {name: value for name, value in wanted.items() if name not in OF_SERVICES}
        if of_tcp:
            try:
                self._host.configure(tcp=replace(self._host.config.tcp, **of_tcp))  # type: ignore[arg-type]
            except ValueError as error:
                raise wrong(str(error)) from None
        if "nagle" in wanted:
            self._habits.nagle = wanted["nagle"] is True
        for name, value in wanted.items():
            words = f"{SETTINGS[name].label}: {said(value)}, for connections opened from now on."
            self._host.tell("setting", setting=name, value=value, before=before[name], words=words)
        return await self.look()


def checked(name: str, value: object) -> object:
    """Return the value of a setting. Raises Refused."""
    setting = SETTINGS.get(name)
    if setting is None:
        raise wrong(f"{name[:LONGEST_NAME]!r} is none of {', '.join(SETTINGS)}")
    if setting.choices:
        if not any(type(value) is type(choice) and value == choice for choice in setting.choices):
            raise wrong(f"{name} is one of {', '.join(map(said, setting.choices))}")
        return value
    if isinstance(value, bool) or not isinstance(value, int if setting.whole else int | float):
        raise wrong(f"{name} is a {'whole ' if setting.whole else ''}number")
    if not setting.low <= value <= setting.high:
        raise wrong(f"{name} is a number from {setting.low:g} to {setting.high:g}")
    return value


def said(value: object) -> str:
    """Return a value in words."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
