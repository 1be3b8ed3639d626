"""The options that name a host: what `up`, `lab` and `ping` have in common, read strictly.

A value that cannot be is refused with the argument's name and the rule it breaks, before anything is touched.
"""

import argparse
import ipaddress
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from stack import Tap

from . import rights
from .bad_wire import EXAMPLE, KEYS, BadWire, bad_wire

PORTS = {"echo": 7, "discard": 9, "daytime": 13, "qotd": 17, "chargen": 19, "time": 37, "http": 80}


@dataclass(frozen=True)
class Options:
    """What the host of one command is to be. `address` is None where a DHCP server is to give one."""

    tap: str
    address: ipaddress.IPv4Interface | None
    gateway: ipaddress.IPv4Address | None
    host_address: ipaddress.IPv4Interface | None
    mac: bytes | None
    mtu: int | None
    offload: bool | str
    services: dict[str, int]
    http_root: Path | None
    pcap: Path | None
    trace: bool
    lease_file: Path | None = None
    status: bool = False
    user: rights.User | None = None
    acd: str = "optimistic"
    impair: BadWire | None = None


def interface_address(text: str) -> ipaddress.IPv4Interface:
    """An address with its prefix length, fit for a host: "10.9.0.2/24"."""
    address, slash, length = text.partition("/")
    ip = host_address(address)
    if not slash:
        raise argparse.ArgumentTypeError(f"{text!r} has no prefix length: write it as {text}/24")
    if not length.isascii() or not length.isdigit() or not 1 <= int(length) <= 30:
        raise argparse.ArgumentTypeError(f"{length!r} is no prefix length: a whole number from 1 to 30")
    interface = ipaddress.IPv4Interface(f"{ip}/{int(length)}")
    if ip in (interface.network.network_address, interface.network.broadcast_address):
        which = "network itself" if ip == interface.network.network_address else "broadcast address"
        raise argparse.ArgumentTypeError(f"{text} is the {which}, not a host on it")
    return interface


def host_address(text: str) -> ipaddress.IPv4Address:
    """An address that one host can have: RFC 1122 section 3.2.1.3."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no IPv4 address: four numbers from 0 to 255, without leading zeros, with dots between"
            " (names are not looked up)"
        ) from None
    first = address.packed[0]
    if first in (0, 127) or first >= 224:
        kind = {0: "this network", 127: "loopback"}.get(first, "multicast" if first < 240 else "reserved or broadcast")
        raise argparse.ArgumentTypeError(f"{text} is a {kind} address: a host's is unicast, 1.0.0.0 to 223.255.255.255")
    return address


def kernel_address(text: str) -> ipaddress.IPv4Interface | None:
    """--host-address: an address with prefix length, or "none" to leave the kernel's side alone."""
    return None if text == "none" else interface_address(text)


def mac_address(text: str) -> bytes:
    """A station address: six two-digit hexadecimal numbers; neither a group's nor all zero."""
    if not re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no MAC: six two-digit hexadecimal numbers, 02:00:00:00:00:01")
    mac = bytes.fromhex(re.sub("[:-]", "", text))
    checked(lambda: Tap(mac=mac))
    return mac


def tap_name(text: str) -> str:
    """What Linux takes as an interface name."""
    checked(lambda: Tap(text))
    return text


def mtu(text: str) -> int:
    """The largest IP packet of the link, in bytes."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no MTU: a whole number of bytes")
    checked(lambda: Tap(mtu=int(text)))
    return int(text)


def offload(text: str) -> str:
    """How much is left to the kernel."""
    if text not in ("all", "checksum"):
        raise argparse.ArgumentTypeError(f"{text!r} is no part of it: `--offload` alone is all, or --offload=checksum")
    return text


def checked(make_link: Callable[[], object]) -> None:
    """What a link refuses is refused here in its words, before anything is touched."""
    try:
        make_link()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def port(text: str) -> int:
    """A TCP or UDP port to serve on."""
    return whole_number(text, "port", 1, 65535)


def whole_number(text: str, what: str, low: int, high: int) -> int:
    """A decimal number in this range, or an error that gives the range."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}: a whole number from {low} to {high}")
    return int(text)


def seconds(text: str, what: str, low: float, high: float) -> float:
    """A time in this range, or an error that gives the range."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}: seconds, from {low:g} to {high:g}")
    return number


def services(text: str) -> dict[str, int]:
    """The services to run, and their ports: "echo,http" or "echo,http=8080"; "none" for none."""
    chosen: dict[str, int] = {}
    for word in text.split(",") if text != "none" else []:
        name, equals, number = word.partition("=")
        if name not in PORTS:
            raise argparse.ArgumentTypeError(f"{name!r} is no service: choose from {', '.join(PORTS)} (or none)")
        if name in chosen:
            raise argparse.ArgumentTypeError(f"{name} is named twice")
        chosen[name] = port(number) if equals else PORTS[name]
    if len(set(chosen.values())) < len(chosen):
        raise argparse.ArgumentTypeError(f"{text!r} gives two services one port")
    return chosen


def folder(text: str) -> Path:
    """A folder that can be read."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no folder that you can see")
    if not os.access(text, os.R_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{text!r} may not be read by you")
    return Path(text).resolve()


def capture_file(text: str) -> Path:
    """A regular file that can be written, or made; it is not touched yet."""
    if not text:
        raise argparse.ArgumentTypeError("'' is no file: give it a name")
    holder = os.path.dirname(text) or "."
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, not a file")
    if not os.path.isdir(holder):
        raise argparse.ArgumentTypeError(f"{text!r} is no file that you could write: its folder must exist")
    longest = os.pathconf(holder, "PC_NAME_MAX")
    if len(os.fsencode(os.path.basename(text))) > longest:
        raise argparse.ArgumentTypeError(f"a name of more than {longest} bytes is no file's there")
    if os.path.islink(text):
        raise argparse.ArgumentTypeError(f"{text!r} is a symbolic link, which is not followed: name the file itself")
    if os.path.exists(text) and not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no regular file: a pipe or a device could hold the host up")
    if not os.access(text if os.path.exists(text) else holder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} may not be written by you")
    return Path(text)


def lease_file(text: str) -> Path:
    """A regular file, or the name of one to be made in a folder that can be written: it is replaced, not changed."""
    path = capture_file(text)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{text!r} may not be replaced by you: its folder is not yours to write")
    return path


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, which names the argument and the rule, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        """End the program with status 2."""
        # What was typed may hold anything, and is shown as one line nevertheless.
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        self.exit(2, f"{self.prog}: {line} (see {self.prog} --help)\n")

    def refuse_unknown(self, words: Sequence[str]) -> NoReturn:
        """End the program because of words it does not know, with the option that was meant if one is like it."""
        first = words[0].partition("=")[0]
        known = [name for name in self._option_string_actions if name.startswith("--")]
        close = get_close_matches(first, known, 1) if first.startswith("-") else []
        if not first.startswith("-"):
            self.error(f"unrecognized arguments: {' '.join(words)}")
        self.error(f"there is no {first}" + (f": did you mean {close[0]}?" if close else ""))


def add_address_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which address the host has."""
    add = parser.add_argument
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--address",
        type=interface_address,
        default=interface_address("10.9.0.2/24"),
        metavar="ADDR/LEN",
        help="the host's own address (default: %(default)s)",
    )
    where.add_argument(
        "--dhcp",
        action="store_true",
        help="have a DHCP server give the address; if none answers, take one of 169.254.0.0/16 meanwhile",
    )
    add("--gateway", type=host_address, metavar="ADDR", help="the router to all other networks (default: none)")


def add_conflict_options(parser: argparse.ArgumentParser) -> None:
    """The option that says what to do when another host has the same address."""
    parser.add_argument(
        "--acd",
        choices=("strict", "optimistic", "defend", "off"),
        metavar="MODE",
        help="what to do when another host has --address (RFC 5227): 'strict' probes before it is used, 'optimistic'"
        " meanwhile (the default), and both end when it is lost; 'defend' keeps it; 'off' does nothing",
    )


def add_impair_option(parser: argparse.ArgumentParser) -> None:
    """The option that makes the wire between the host and the kernel a bad one."""
    parser.add_argument(
        "--impair",
        type=bad_wire,
        metavar="KEY=VALUE,...",
        help=f"lose, delay or change frames in both directions, as in {EXAMPLE}: any of {', '.join(KEYS)}."
        " The first four are probabilities of a frame (0.1 or 10%%); times have a unit (20ms); the same seed does the"
        " same again. Without offload, so that a frame is one segment",
    )


def add_link_options(parser: argparse.ArgumentParser, program: str) -> None:
    """The options that say where the host of this program is; their help gives the defaults that `kernels` makes."""
    add = parser.add_argument
    first = "%(default)s, or the first one where --address is"
    kernel = {"lab": first, "dhcp": "none"}.get(program, f"{first}; none with --dhcp")
    lease = "the lease" if program == "dhcp" else "the lease (of --dhcp)"
    add("--tap", type=tap_name, default="tap0", metavar="NAME", help="the TAP to use or make (default: %(default)s)")
    add("--lease-file", type=lease_file, metavar="FILE", help=f"keep {lease} here, to ask for it again")
    add(
        "--host-address",
        type=kernel_address,
        default=interface_address("10.9.0.1/24"),
        metavar="ADDR/LEN",
        help=f"the kernel's address on the TAP, set where it has none; 'none' leaves it alone (default: {kernel})",
    )
    add("--mac", type=mac_address, metavar="MAC", help="the host's station address (default: made from the machine)")
    add("--mtu", type=mtu, metavar="N", help="the largest IP packet, in bytes (default: the TAP's; 1500 for a new one)")
    add(
        "--offload",
        type=offload,
        nargs="?",
        const="all",
        default=True,
        metavar="checksum",
        help="have the kernel compute checksums and cut segments up, as far as it can (default); or checksums alone",
    )
    add("--no-offload", dest="offload", action="store_false", help="nothing of the kind")
    if program != "lab":
        add(
            "--user",
            type=rights.user,
            metavar="USER",
            help="the user that this program, started by root, becomes once all files are open; 'root' stays root"
            " (default: the owner of the program's folder, or nobody if that is root)",
        )
    add("--pcap", type=capture_file, metavar="FILE", help="write all frames to FILE, for Wireshark and tcpdump")
    add("--trace", action="store_true", help="print every frame, a line for each layer")


def add_service_options(parser: argparse.ArgumentParser, program: str) -> None:
    """The options that say what the host serves. In a lab the page may show all: the only neighbour is the user."""
    add = parser.add_argument
    add(
        "--services",
        type=services,
        default=dict(PORTS),
        metavar="NAME[=PORT],...",
        help=f"what to serve: any of {','.join(PORTS)}, or none (default: all)",
    )
    add("--http-root", type=folder, metavar="DIR", help="the folder http serves (default: a page about this host)")
    shows = "the page shows neighbours, connections and counters to all who can load it"
    default = " (default)" if program == "lab" else ""
    add("--status", action="store_true", default=None, help=shows + default)
    default = "" if program == "lab" else " (default)"
    add("--no-status", dest="status", action="store_false", help=f"the page shows only this host's addresses{default}")


def from_arguments(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> Options:
    """What was asked for, as one record; ends the program where two options contradict each other."""
    own: ipaddress.IPv4Interface | None = None if arguments.dhcp else arguments.address
    gateway: ipaddress.IPv4Address | None = arguments.gateway
    if own is None and gateway is not None:
        parser.error("argument --gateway: not with --dhcp: the DHCP server names the routers")
    acd: str | None = getattr(arguments, "acd", None)
    if own is None and acd is not None:
        parser.error("argument --acd: not with --dhcp: an address that another host has is declined")
    if own is not None and arguments.lease_file is not None:
        parser.error("argument --lease-file: only with --dhcp")
    status: bool | None = getattr(arguments, "status", None)
    if status and arguments.http_root is not None:
        parser.error("argument --status: not with --http-root: the folder is served in place of the page")
    impair: BadWire | None = getattr(arguments, "impair", None)
    if impair is not None and arguments.offload in ("all", "checksum"):
        parser.error("argument --impair: not with --offload: a bad wire carries single segments with their checksums")
    return Options(
        tap=arguments.tap,
        address=own,
        gateway=gateway,
        host_address=kernels(arguments, parser, own),
        mac=arguments.mac,
        mtu=arguments.mtu,
        offload=impair is None and (arguments.offload == "all" or arguments.offload),
        services=getattr(arguments, "services", {}),
        http_root=getattr(arguments, "http_root", None),
        pcap=arguments.pcap,
        trace=arguments.trace,
        lease_file=arguments.lease_file,
        # A lab keeps its rights, since it runs the user's own command.
        user=rights.ROOT if arguments.program == "lab" else arguments.user,
        acd=acd or "optimistic",
        status=arguments.program == "lab" if status is None else status,
        impair=impair,
    )


def kernels(
    arguments: argparse.Namespace, parser: argparse.ArgumentParser, own: ipaddress.IPv4Interface | None
) -> ipaddress.IPv4Interface | None:
    """The kernel's address beside `own`, None for none; ends the program where they do not go together."""
    kernel: ipaddress.IPv4Interface | None = arguments.host_address
    gateway: ipaddress.IPv4Address | None = arguments.gateway
    unasked = kernel is parser.get_default("host_address")
    if own is None:
        return None if unasked and arguments.program != "lab" else kernel
    if kernel is not None and unasked and kernel.ip not in own.network:
        kernel = neighbour(own)  # --address alone moves the kernel's side with it
    if kernel is not None and (kernel.ip == own.ip or kernel.network != own.network):
        parser.error(f"argument --host-address: {kernel} must be another address on the network of {own}")
    if gateway is not None and (gateway == own.ip or gateway not in own.network):
        parser.error(f"argument --gateway: {gateway} must be another address on the network of {own}")
    if gateway in (own.network.network_address, own.network.broadcast_address):
        parser.error(f"argument --gateway: {gateway} is no host of {own.network}")
    return kernel


def neighbour(own: ipaddress.IPv4Interface) -> ipaddress.IPv4Interface:
    """The first other address of a network."""
    first = own.network.network_address + 1
    return ipaddress.IPv4Interface(f"{first if first != own.ip else first + 1}/{own.network.prefixlen}")
