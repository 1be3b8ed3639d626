"""The options at the head of a script: addresses, ports, the tolerance, the host's configuration.

packetdrill does not have `--config=NAME=VALUE`. It takes the place of the sysctl commands that
scripts for a kernel run in a shell. NAME is a field of `stack.Config`, such as tcp.rack.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import stack

from . import symbols
from .script import Expression, ScriptError, Unsupported

if TYPE_CHECKING:
    from .expressions import ExpressionParser

MOST_OPTIONS = 200
_WORDS = ("reno", "cubic", "off", "accept", "on", "strict", "optimistic")  # for fields of type str
MOST = 1 << 40  # the upper limit of a number in the configuration
IGNORED = ("speed", "verbose", "debug", "dry_run", "send_omit_free")
"""Options of packetdrill that are accepted and have no effect."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that a script runs with. Addresses are dotted text, times are in microseconds.

    A script need not name ports: `bind_port` is the port of a host's socket that is bound,
    `connect_port` the port to which a host's socket connects, and `peer_port` the port of a peer
    that opens a connection.
    """

    local_ip: str = "192.168.0.1"
    gateway_ip: str = "192.168.0.2"
    netmask_ip: str = "255.255.0.0"
    remote_ip: str = "192.0.2.1"
    bind_port: int = 8080
    connect_port: int = 8080
    peer_port: int = 50000
    mtu: int = 1500
    tolerance_usecs: int = 0
    tcp_ts_tick_usecs: int = 1000
    seed: int = 1
    config: stack.Config = dataclasses.field(default_factory=stack.Config)


_NUMBERS = {
    "bind_port": (1, 65535),
    "connect_port": (1, 65535),
    "peer_port": (1, 65535),
    "mtu": (68, 65535),
    "tolerance_usecs": (0, 10_000_000),
    "tcp_ts_tick_usecs": (0, 1_000_000),
    "seed": (0, 1 << 32),
}
_ADDRESSES = ("local_ip", "gateway_ip", "netmask_ip", "remote_ip")


def read_options(parser: ExpressionParser) -> tuple[list[tuple[int, str, str | None]], dict[str, Expression]]:
    """Read the options at the head of a script.

    Returns (line, name, value) for each option, and the values of the names that `--define` gives.
    """
    options: list[tuple[int, str, str | None]] = []
    defines: dict[str, Expression] = {}
    while parser.peek().kind == "option":
        token = parser.take()
        if len(options) + len(defines) == MOST_OPTIONS:
            raise parser.error(f"a script has at most {MOST_OPTIONS} options", token)
        value: str | None = None
        if parser.accept("="):
            value = parser.take().text
            while parser.peek().start == parser.before().stop and parser.peek().kind != "end":
                value += parser.take().text
        if token.text == "--define":
            name, _, meaning = (value or "").partition("=")
            known = _defined(meaning)
            if not name or known is None:
                raise Unsupported(token.line, f"--define={value}")
            defines[name] = known
        else:
            options.append((token.line, token.text[2:], value))
    return options, defines


def _defined(meaning: str) -> Expression | None:
    if meaning.startswith('"') and meaning.endswith('"') and len(meaning) > 1:
        return meaning[1:-1].encode()
    if meaning.lstrip("-").isdecimal():
        return int(meaning)
    return symbols.constant(meaning)


def apply_options(options: tuple[tuple[int, str, str | None], ...], given: Settings) -> Settings:
    """Return the settings of the command line with the script's own options applied over them.

    Raises ScriptError and Unsupported.
    """
    settings = given
    for line, name, value in options:
        if name in IGNORED:
            continue
        if name == "ip_version":
            if value != "ipv4":
                raise Unsupported(line, f"--ip_version={value}")
            continue
        if name != "config" and name not in _NUMBERS and name not in _ADDRESSES:
            raise Unsupported(line, f"the option --{name}")
        try:
            settings = with_option(settings, name, (value or "").strip('"'))
        except ValueError as error:
            raise ScriptError(line, 1, f"--{name}: {error}") from None
    if options:
        _check_network(settings, options[0][0])
    return settings


def _check_network(settings: Settings, line: int) -> None:
    """Raise ScriptError unless a host can have its address, and its gateway is on its network."""
    try:
        network = ipaddress.IPv4Network(f"{settings.local_ip}/{settings.netmask_ip}", strict=False)
    except ValueError:
        raise ScriptError(line, 1, f"{settings.netmask_ip} is not a netmask") from None
    local, gateway = (ipaddress.IPv4Address(text) for text in (settings.local_ip, settings.gateway_ip))
    unusable = local.is_multicast or local.is_loopback or local.is_unspecified or local.is_reserved
    if unusable or local in (network.network_address, network.broadcast_address):
        raise ScriptError(line, 1, f"a host on {network} cannot have the address {local}")
    if gateway not in network or gateway == local:
        raise ScriptError(line, 1, f"the gateway {gateway} is not another host on {network}")


def with_option(settings: Settings, name: str, value: str) -> Settings:
    """Return `settings` with one option changed. Raises ValueError if it cannot have this value."""
    if name == "config":
        return dataclasses.replace(settings, config=_configured(settings.config, value))
    if name in _ADDRESSES:
        return _replaced(settings, name, str(ipaddress.IPv4Address(value)))
    low, high = _NUMBERS[name]
    if not value.isdecimal() or len(value) > 12 or not low <= int(value) <= high:
        raise ValueError(f"expected a number from {low} to {high}")
    return _replaced(settings, name, int(value))


def _replaced(settings: Settings, name: str, value: Any) -> Settings:
    return dataclasses.replace(settings, **{name: value})


def _configured(config: stack.Config, setting: str) -> stack.Config:
    """Return `config` with one field set, as in `tcp.rack=false`, to a value of the same type."""
    path, equals, text = setting.partition("=")
    section, _, name = path.partition(".")
    part = getattr(config, section, None) if section in _fields(config) else None
    if not equals or part is None or name not in _fields(part):
        raise ValueError("expected a field of stack.Config and its value, such as tcp.rack=false")
    return dataclasses.replace(
        config, **{section: dataclasses.replace(part, **{name: _typed(getattr(part, name), text)})}
    )


def _fields(record: object) -> tuple[str, ...]:
    if not dataclasses.is_dataclass(record):
        return ()
    return tuple(field.name for field in dataclasses.fields(record))


def _typed(default: object, text: str) -> object:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ValueError("expected true or false")
        return text == "true"
    if isinstance(default, (int, float)):
        number = type(default)(text)
        if not 0 <= number < MOST:
            raise ValueError(f"expected a number from 0 to {MOST - 1}")
        return number
    if isinstance(default, str) and text in _WORDS:
        return text
    if isinstance(default, str):
        raise ValueError(f"expected one of {', '.join(_WORDS)}")
    raise ValueError("a script can set only fields that hold a number, a name, or true or false")
