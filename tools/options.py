"""The options of the commands, checked strictly: which host, on which TAP, with which services.

A wrong value is refused before anything is opened. The message names the argument and the rule that
the value breaks.
"""

import argparse
import ipaddress
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stack import Tap

from . import rights
from .bad_wire import EXAMPLE, KEYS, BadWire, bad_wire
from .parser import whole_number

PORTS = {"echo": 7, "discard": 9, "daytime": 13, "qotd": 17, "chargen": 19, "time": 37, "http": 80}


@dataclass(frozen=True)
class Options:
    """The host of one command. `address` is None when a DHCP server gives the address."""

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
    trace_file: Path | None = None
    lease_file: Path | None = None
    status: bool = False
    user: rights.User | None = None
    acd: str = "optimistic"
    impair: BadWire | None = None
    fast: bool = True
    inspect: int | None = None  # the port of the page; 0 for any that is free
    report: Path | None = None
    payload: str = "head"  # of the report


def interface_address(text: str) -> ipaddress.IPv4Interface:
    """Parse an address with its prefix length, fit for a host: "10.9.0.2/24"."""
    address, slash, length = text.partition("/")
    ip = host_address(address)
    if not slash:
        raise argparse.ArgumentTypeError(f"{text!r} has no prefix length: write it as {text}/24")
    if not length.isascii() or not length.isdigit() or not 1 <= int(length) <= 30:
        raise argparse.ArgumentTypeError(f"{length!r} is not a prefix length: a whole number from 1 to 30")
    interface = ipaddress.IPv4Interface(f"{ip}/{int(length)}")
    if ip in (interface.network.network_address, interface.network.broadcast_address):
        which = "network itself" if ip == interface.network.network_address else "broadcast address"
        raise argparse.ArgumentTypeError(f"{text} is the {which}, not a host on it")
    return interface


def host_address(text: str) -> ipaddress.IPv4Address:
    """Parse an address that one host can have: RFC 1122 section 3.2.1.3."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an IPv4 address: four numbers from 0 to 255, without leading zeros, with dots between"
            " (names are not looked up)"
        ) from None
    first = address.packed[0]
    if first in (0, 127) or first >= 224:
        kind = {0: "this network", 127: "loopback"}.get(first, "multicast" if first < 240 else "reserved or broadcast")
        raise argparse.ArgumentTypeError(f"{text} is a {kind} address: a host's is unicast, 1.0.0.0 to 223.255.255.255")
    return address


def kernel_address(text: str) -> ipaddress.IPv4Interface | None:
    """Parse --host-address: an address with prefix length, or "none" to leave the kernel's side alone."""
    return None if text == "none" else interface_address(text)


def mac_address(text: str) -> bytes:
    """Parse a station address: six two-digit hexadecimal numbers, neither a group's nor zero."""
    if not re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a MAC: six two-digit hexadecimal numbers, 02:00:00:00:00:01")
    mac = bytes.fromhex(re.sub("[:-]", "", text))
    checked(lambda: Tap(mac=mac))
    return mac


def tap_name(text: str) -> str:
    """Parse an interface name by Linux's rules."""
    checked(lambda: Tap(text))
    return text


def mtu(text: str) -> int:
    """Parse the largest IP packet of the link, in bytes."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not an MTU: a whole number of bytes")
    checked(lambda: Tap(mtu=int(text)))
    return int(text)


def offload(text: str) -> str:
    """Parse how much work is left to the kernel."""
    if text not in ("all", "checksum", "software"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not known: write --offload alone, --offload=checksum or --offload=software"
        )
    return text


def checked(make_link: Callable[[], object]) -> None:
    """Turn the ValueError of a link's constructor into ArgumentTypeError with the same text."""
    try:
        make_link()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def port(text: str) -> int:
    """Parse a TCP or UDP port to serve on."""
    return whole_number(text, "port", 1, 65535)


def inspect_port(text: str) -> int:
    """Parse the port of `--inspect`; 0 stands for any that is free."""
    return whole_number(text, "port", 0, 65535)


def seconds(text: str, what: str, low: float, high: float) -> float:
    """Parse a time in this range. The error gives the range."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid {what}: seconds, from {low:g} to {high:g}")
    return number


def services(text: str) -> dict[str, int]:
    """Parse the services and their ports: "echo,http" or "echo,http=8080"; "none" for no service."""
    chosen: dict[str, int] = {}
    for word in text.split(",") if text != "none" else []:
        name, equals, number = word.partition("=")
        if name not in PORTS:
            raise argparse.ArgumentTypeError(f"{name!r} is not a service: choose from {', '.join(PORTS)} (or none)")
        if name in chosen:
            raise argparse.ArgumentTypeError(f"{name} is named twice")
        chosen[name] = port(number) if equals else PORTS[name]
    if len(set(chosen.values())) < len(chosen):
        raise argparse.ArgumentTypeError(f"{text!r} gives two services one port")
    if "http" in chosen:
        need_h11()
    return chosen


def need_h11() -> None:
    """Raise ArgumentTypeError if h11 is missing, without which http cannot be served."""
    if find_spec("h11") is None:
        raise argparse.ArgumentTypeError("http needs h11: pip install 'tapstack[tools]'")


def folder(text: str) -> Path:
    """Parse the folder of http: one that can be read."""
    need_h11()
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder that you can see")
    if not os.access(text, os.R_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{text!r} may not be read by you")
    return Path(text).resolve()


def capture_file(text: str) -> Path:
    """Parse the name of a regular file that can be written or created, without touching it."""
    if not text:
        raise argparse.ArgumentTypeError("'' is not a file name")
    holder = os.path.dirname(text) or "."
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, not a file")
    if not os.path.isdir(holder):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: its folder does not exist")
    longest = os.pathconf(holder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    if len(os.fsencode(os.path.basename(text))) > longest:
        raise argparse.ArgumentTypeError(f"a file name there has at most {longest} bytes")
    if os.path.islink(text):
        raise argparse.ArgumentTypeError(f"{text!r} is a symbolic link, which is not followed: name the file itself")
    if os.path.exists(text) and not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular file: a pipe or a device could block the host")
    if not os.access(text if os.path.exists(text) else holder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} may not be written by you")
    return Path(text)


def trace_target(text: str) -> Path | None:
    """Parse the file of `--trace=FILE`; "-" is the terminal, as is `--trace` alone (None)."""
    return None if text == "-" else capture_file(text)


def lease_file(text: str) -> Path:
    """Parse the name of a file in a writable folder: a lease file is replaced, not changed."""
    path = capture_file(text)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{text!r} may not be replaced by you: its folder is not writable for you")
    return path


def add_address_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the host's address."""
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
    """Add the option that says what to do when another host has the same address."""
    parser.add_argument(
        "--acd",
        choices=("strict", "optimistic", "defend", "off"),
        metavar="MODE",
        help="how to find and treat another host that has --address (RFC 5227). 'strict' probes before it uses the"
        " address, 'optimistic' (the default) while it uses it; both end the program when the address is lost."
        " 'defend' keeps the address. 'off' does nothing",
    )


def add_impair_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that makes the wire between the host and the kernel a bad one."""
    parser.add_argument(
        "--impair",
        type=bad_wire,
        metavar="KEY=VALUE,...",
        help=f"lose, delay or change frames in both directions, as in {EXAMPLE}: any of {', '.join(KEYS)}."
        " The first four are probabilities for each frame (0.1 or 10%%); times have a unit (20ms); the same seed"
        " repeats the same run. Offload is off, so that a frame is one segment",
    )


def add_inspect_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that serves the page on which one watches the host."""
    parser.add_argument(
        "--inspect",
        type=inspect_port,
        nargs="?",
        const=0,
        metavar="PORT",
        help="serve a page on which you watch the host work, on PORT of 127.0.0.1 (default: any that is free). Its"
        " address is printed; it has a secret token. Offload is off, and no frame takes a fast path then",
    )


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the report that is written at the end."""
    parser.add_argument(
        "--report",
        type=capture_file,
        metavar="FILE",
        help="at the end, write the last events (at most 50,000) to FILE as a report: one HTML file with the page of"
        " --inspect, which opens without a network. No frame takes a fast path then",
    )
    parser.add_argument(
        "--payload",
        choices=("none", "head", "all"),
        help="how much of the frames --report keeps: their headers, their first 128 octets (the default), or all",
    )


def add_link_options(parser: argparse.ArgumentParser, program: str) -> None:
    """Add the options for the link of the host; the help gives the defaults of `kernels`."""
    add = parser.add_argument
    first = "%(default)s, or the first one where --address is"
    kernel = {"lab": first, "dhcp": "none"}.get(program, f"{first}; none with --dhcp")
    lease = "the lease" if program == "dhcp" else "the lease of --dhcp"
    tap = "the first that no program has open" if program == "exec" else "%(default)s"
    add("--tap", type=tap_name, default="tap0", metavar="NAME", help=f"the TAP to use or make (default: {tap})")
    add(
        "--lease-file",
        type=lease_file,
        metavar="FILE",
        help=f"keep {lease} in FILE, to ask for the same address next time",
    )
    add(
        "--host-address",
        type=kernel_address,
        default=interface_address("10.9.0.1/24"),
        metavar="ADDR/LEN",
        help=f"the kernel's address on the TAP, set if it has none; 'none' leaves it alone (default: {kernel})",
    )
    add("--mac", type=mac_address, metavar="MAC", help="the host's station address (default: made from the machine)")
    add("--mtu", type=mtu, metavar="N", help="the largest IP packet, in bytes (default: the TAP's; 1500 for a new one)")
    add(
        "--offload",
        type=offload,
        nargs="?",
        const="all",
        default=True,
        metavar="checksum|software",
        help="let the kernel compute checksums and cut large segments, where it can (default); or checksums alone; or"
        " nothing, and cut large segments just before the TAP",
    )
    add(
        "--no-offload",
        dest="offload",
        action="store_false",
        help="leave no work to the kernel: every frame is one that could be on a wire",
    )
    add(
        "--no-fast",
        dest="fast",
        action="store_false",
        help="take no fast paths: process every frame by the code that stack/README.md follows",
    )
    if program not in ("lab", "exec"):
        add(
            "--user",
            type=rights.user,
            metavar="USER",
            help="the user that this program, started by root, becomes once all files are open; 'root' stays root"
            " (default: the owner of the program's folder, or nobody if that is root)",
        )


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what the program writes about the host's traffic."""
    add = parser.add_argument
    add(
        "--pcap",
        type=capture_file,
        metavar="FILE",
        help="write all frames to FILE, for Wireshark and tcpdump, with the host's reasons as comments;"
        " no frame takes a fast path then",
    )
    add(
        "--trace",
        type=trace_target,
        action="append",
        nargs="?",
        metavar="=FILE",
        help="print every frame, a line for each layer, and under it what the host decides and why; --trace=FILE"
        " writes all events to FILE in the place of that, as JSON for programs (qlog). No frame takes a fast path then",
    )


def add_service_options(parser: argparse.ArgumentParser, program: str) -> None:
    """Add the options for the services.

    The page of a lab may show everything, because only the user can load it.
    """
    add = parser.add_argument
    add(
        "--services",
        type=services,
        default=dict(PORTS),
        metavar="NAME[=PORT],...",
        help=f"what to serve: any of {','.join(PORTS)}, or none (default: all)",
    )
    add("--http-root", type=folder, metavar="DIR", help="the folder http serves (default: a page about this host)")
    shows = (
        "the page shows neighbours, connections, counters and (with --trace or --pcap) the last events to every client"
    )
    default = " (default)" if program == "lab" else ""
    add("--status", action="store_true", default=None, help=shows + default)
    default = "" if program == "lab" else " (default)"
    add("--no-status", dest="status", action="store_false", help=f"the page shows only this host's addresses{default}")


def from_arguments(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> Options:
    """Return the options as one record. Ends the program when two options contradict each other."""
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
    traces: list[Path | None] = arguments.trace or []
    trace_files = [path for path in traces if path is not None]
    if len(trace_files) > 1:
        parser.error("argument --trace: only one FILE")
    if trace_files and arguments.pcap is not None and trace_files[0].resolve() == arguments.pcap.resolve():
        parser.error("argument --trace: not the FILE of --pcap")
    report: Path | None = getattr(arguments, "report", None)
    payload: str | None = getattr(arguments, "payload", None)
    if payload is not None and report is None:
        parser.error("argument --payload: only with --report")
    for option, other in (("--pcap", arguments.pcap), ("--trace", trace_files[0] if trace_files else None)):
        if report is not None and other is not None and report.resolve() == other.resolve():
            parser.error(f"argument --report: not the FILE of {option}")
    impair: BadWire | None = getattr(arguments, "impair", None)
    if impair is not None and isinstance(arguments.offload, str):
        parser.error("argument --impair: not with --offload: a bad wire carries single segments with their checksums")
    inspect: int | None = getattr(arguments, "inspect", None)
    if inspect is not None and isinstance(arguments.offload, str):
        parser.error("argument --inspect: not with --offload: the page shows single segments with their checksums")
    return Options(
        tap=arguments.tap,
        address=own,
        gateway=gateway,
        host_address=kernels(arguments, parser, own),
        mac=arguments.mac,
        mtu=arguments.mtu,
        offload=impair is None and inspect is None and (arguments.offload == "all" or arguments.offload),
        services=getattr(arguments, "services", {}),
        http_root=getattr(arguments, "http_root", None),
        pcap=arguments.pcap,
        trace=None in traces,
        trace_file=trace_files[0] if trace_files else None,
        lease_file=arguments.lease_file,
        # `lab` and `exec` keep their rights, since they run the user's own program.
        user=rights.ROOT if arguments.program in ("lab", "exec") else arguments.user,
        acd=acd or "optimistic",
        status=arguments.program == "lab" if status is None else status,
        impair=impair,
        fast=arguments.fast,
        inspect=inspect,
        report=report,
        payload=payload or "head",
    )


def kernels(
    arguments: argparse.Namespace, parser: argparse.ArgumentParser, own: ipaddress.IPv4Interface | None
) -> ipaddress.IPv4Interface | None:
    """Return the kernel's address, None for none. Ends the program when it does not fit to `own`."""
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
        parser.error(f"argument --gateway: {gateway} is not a host of {own.network}")
    return kernel


def neighbour(own: ipaddress.IPv4Interface) -> ipaddress.IPv4Interface:
    """Return the first other address of a network."""
    first = own.network.network_address + 1
    return ipaddress.IPv4Interface(f"{first if first != own.ip else first + 1}/{own.network.prefixlen}")
