"""Checks of the arguments of `open_host`: a TypeError that says what to pass instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from stack.config import Config, TcpConfig
from stack.sockets.dhcp import Dhcp


def check_config(config: object) -> None:
    """TypeError unless it is a `Config`. One layer's configuration and a dict are not."""
    if isinstance(config, Config):
        return
    for field in fields(Config):
        if type(config) is field.type:
            name = type(config).__name__
            text = f"config is a stack.Config, and {name} is a part of one: write stack.Config({field.name}={config!r})"
            raise TypeError(text)
    raise TypeError(f"config is a stack.Config, not {short(config)}: write stack.Config(tcp=stack.TcpConfig(...))")


def check_tcp_config(tcp: object) -> None:
    """TypeError unless it is a `TcpConfig`."""
    if not isinstance(tcp, TcpConfig):
        raise TypeError(f"tcp is a stack.TcpConfig(...), not {short(tcp)}")


def check_random(random: Callable[[int], bytes]) -> None:
    """TypeError unless `random(n)` returns n bytes: for instance, a generator, or its `random`."""
    try:
        drawn: object = random(0)  # takes nothing out of a generator
    except TypeError:
        drawn = None
    if not isinstance(drawn, bytes):
        raise TypeError(
            "random is a function, and random(n) returns n bytes: write random.Random(7).randbytes,"
            f" not {short(random)}"
        )


def check_function(name: str, function: object, purpose: str) -> None:
    """TypeError unless it can be called. The message has the `purpose` of the function."""
    if not callable(function):
        raise TypeError(f"{name} is a function {purpose}, not {short(function)}")


def check_dhcp(dhcp: object) -> None:
    """TypeError unless it is a `Dhcp` or None."""
    if dhcp is not None and not isinstance(dhcp, Dhcp):
        raise TypeError(f"dhcp is a stack.Dhcp(...), not {short(dhcp)}")


def short(value: object) -> str:
    """The repr of a value, or its class if that is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"
