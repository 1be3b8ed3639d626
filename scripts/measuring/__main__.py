"""Measures the installed `tapstack up`, and the same program on kernel sockets, with the Linux
kernel as the client.

All stacks run at the same time, each in a network namespace of its own, but only one is busy. Each
round does each test on one stack after another, so a drift in the machine's speed affects all
stacks alike. A figure is the median of the rounds. The ratio after it compares it with kernel
sockets across a veth pair; above 1 is better (for ping the ratio is inverted). Echoed data is
compared with the data that was sent, and chargen's data with RFC 864's pattern.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from scripts.measuring import curves, peers, profile, ratios, scale
from scripts.measuring.client import BODY, PAGE, TESTS, Ports
from scripts.measuring.ratios import Results, ratio
from scripts.measuring.testbed import PROGRAM, Column, Refused, Testbed
from stack.link.files import open_empty

KERNEL = Column("kernel sockets", None)
OFFLOADS = {
    "offload": ("--offload",),
    "checksum only": ("--offload", "checksum"),
    "software": ("--offload", "software"),
    "no offload": ("--no-offload",),
}
ROWS = {
    "in": ("kernel to stack, Gbit/s", "{:.2f}"),
    "out": ("stack to kernel, Gbit/s", "{:.2f}"),
    "echo": ("1-octet TCP echoes /s", "{:,.0f}"),
    "connect": ("connect, echo, close /s", "{:,.0f}"),
    "udp": ("64-octet UDP echoes /s", "{:,.0f}"),
    "http": ("HTTP requests (h11) /s", "{:,.0f}"),
    "ping": ("ping, ms", "{:.3f}"),
}
MOST_CONNECTIONS = 60_000  # from one address to one port
PAIRS = (
    ("offload", "gVisor TSO"),
    ("software", "gVisor plain"),
    ("no offload", "gVisor plain"),
    ("software", "lwIP"),
    ("offload", KERNEL.name),
    ("offload", "offload again"),
    ("gVisor TSO", "gVisor TSO again"),
)
"""The ratios that are printed with their intervals. The last two are the noise."""


def tapstack(offload: str, root: Path, more: list[str]) -> Column:
    """`tapstack up` with one kind of offload."""
    return Column(offload, (PROGRAM, "up", *OFFLOADS[offload], "--http-root", str(root), *more))


def again(column: Column) -> Column:
    """A second instance of a column: how much the two differ is the noise of a run."""
    return replace(column, name=f"{column.name} again")


def peer(text: str) -> Column:
    """A column from 'NAME [sink=PORT] [source=PORT]: COMMAND'."""
    head, colon, command = text.partition(":")
    name, *settings = head.split() or [""]
    if not colon or not name or not command.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not like 'NAME sink=5001 source=5002: COMMAND'")
    ports = {"sink": 5001, "source": 5002}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in ports or not value.isdigit():
            raise argparse.ArgumentTypeError(f"{setting!r} is neither sink=PORT nor source=PORT")
        ports[key] = int(value)
    return Column(name, ("sh", "-c", command.strip()), Ports(**ports), says_ready=False, http=False)


def peer_names(text: str) -> list[str]:
    """The names of peers from 'NAME,...'."""
    names = text.split(",")
    for name in names:
        if name not in peers.PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(peers.PEERS)}")
    return names


def counts(text: str) -> list[int]:
    """Numbers of connections from 'N,...'."""
    words = text.split(",")
    if not all(word.isdecimal() and len(word) < 6 and 0 < int(word) <= MOST_CONNECTIONS for word in words):
        raise argparse.ArgumentTypeError(f"{text!r} is not like '10,1000' (each from 1 to {MOST_CONNECTIONS:,})")
    return [int(word) for word in words]


def measure(columns: list[Column], tests: list[str], seconds: float, rounds: int, root: Path) -> Results:
    """Start all stacks, check them, and measure.

    A stack that does not start is left out, and so is a test that fails.
    """
    results: Results = {}
    with ExitStack() as exit_stack:
        testbeds = []
        for column in columns:
            try:
                testbed = exit_stack.enter_context(Testbed(column, root))
                testbed.client("check", 0)
            except Refused as why:
                print(f"{column.name} is left out: {why}", file=sys.stderr)
            else:
                testbeds.append(testbed)
                results[column.name] = {}
        for number in range(rounds):
            for test in tests:
                for testbed in testbeds:
                    if test == "http" and not testbed.column.http:
                        continue
                    print(f"round {number + 1}, {test}, {testbed.column.name}", file=sys.stderr)
                    try:
                        figure = testbed.client(test, seconds)
                    except Refused as why:
                        print(f"{testbed.column.name}: {why}", file=sys.stderr)
                    else:
                        results[testbed.column.name].setdefault(test, []).append(figure)
    return results


def table(results: Results, tests: list[str]) -> str:
    """Markdown: a row for each test, a column for each stack."""
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for test in tests:
        label, shape = ROWS[test]
        cells = []
        for name, figures in results.items():
            values = figures.get(test)
            if not values:
                cells.append("-")
                continue
            cell = shape.format(statistics.median(values))
            if len(values) > 1:
                cell += f" ({shape.format(min(values))} to {shape.format(max(values))})"
            baseline = results.get(KERNEL.name, {}).get(test)
            if name != KERNEL.name and baseline:
                cell += f" {ratio(test, values, baseline):.2f}x"
            cells.append(cell)
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def python_build() -> str:
    """Return whose Python this is, and whether it tells of profile-guided optimizations.

    They make it some 10 % faster. Debian's python3 has them, and does not tell.
    """
    whose = "the system's" if sys.base_prefix == "/usr" else "not the system's"
    optimized = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    return f"{whose}, configured {'with' if optimized else 'without'} --enable-optimizations"


def about() -> dict[str, object]:
    """Return facts about the machine on which the figures depend."""
    return {
        "linux": platform.release(),
        "python": platform.python_version(),
        "build": python_build(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--secs", type=float, default=3.0, metavar="S", help="seconds a test and round (default 3)")
    add("--repeat", type=int, default=3, metavar="N", help="rounds; the median is shown (default 3)")
    add("--tests", default=",".join(TESTS), metavar="TEST,...", help="of %(default)s")
    add("--offloads", default=",".join(OFFLOADS), metavar="KIND,...", help="of %(default)s; empty: none of ours")
    add(
        "--peer",
        type=peer,
        action="append",
        default=[],
        metavar="'NAME sink=PORT source=PORT: COMMAND'",
        help="another stack to put beside: COMMAND makes tap0 and serves on 10.9.0.2 (echo on 7, TCP and UDP)",
    )
    add(
        "--peers",
        type=peer_names,
        nargs="?",
        const=list(peers.PEERS),
        default=[],
        metavar="NAME,...",
        help=f"put these beside, built from Debian packages (default: {','.join(peers.PEERS)}), and ours a second time",
    )
    add("--json", metavar="FILE", help="write every single figure there, too")
    add("--profile", choices=list(TESTS), metavar="TEST", help="where the microseconds of one test go, instead")
    add("--scale", action="store_true", help="what many connections cost, instead")
    add("--plot", metavar="FILE", help="draw what grows with connections, UDP peers, windows and loss, as SVG, instead")
    add(
        "--counts",
        type=counts,
        default="10,1000,20000",
        metavar="N,...",
        help="with --scale, --plot: so many connections (%(default)s)",
    )
    add("options", nargs="*", metavar="OPTION", help="after --, more options of `tapstack up`")
    return parser.parse_args()


def opened(option: str, path: str | None) -> int:
    """Open a file to write before anything is measured. Returns its descriptor, -1 without a path."""
    try:
        return open_empty(path) if path else -1
    except OSError as error:
        raise SystemExit(f"scripts/bench: {option}: cannot write {path}: {error.strerror}") from None


def main() -> None:
    args = arguments()
    tests = args.tests.split(",")
    if unknown := [test for test in tests if test not in TESTS]:
        raise SystemExit(f"scripts/bench: --tests: {unknown[0]!r} is none of {', '.join(TESTS)}")
    figures, picture = opened("--json", args.json), opened("--plot", args.plot)
    try:
        theirs = peers.columns(args.peers)
    except peers.Missing as why:
        raise SystemExit(f"scripts/bench: --peers: {why}") from None
    kinds = [kind.strip() for kind in args.offloads.split(",") if kind.strip() in OFFLOADS]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)  # for the user that `tapstack up` becomes
        (root / PAGE).write_bytes(BODY)
        if args.profile:
            profile.report(tapstack(kinds[0], root, args.options), args.profile, args.secs, root)
            return
        facts = about()
        machine = f"Linux {facts['linux']}, Python {facts['python']} ({facts['build']}), {facts['cpus']} CPUs"
        if args.scale:
            found: object = scale.report(root, args.counts, args.secs)
        elif args.plot:
            drawn, found = curves.report(root, args.counts, args.secs, args.repeat, machine)
            with open(picture, "w") as file:
                file.write(drawn)
        else:
            columns = [KERNEL, *(tapstack(kind, root, args.options) for kind in kinds), *args.peer]
            if args.peers:
                columns += [again(column) for column in columns[1:2] if kinds] + theirs
            results = measure(columns, tests, args.secs, args.repeat, root)
            print(f"{machine}; median (range) of {args.repeat} rounds of {args.secs:g} s, ratio to kernel sockets\n")
            print(table(results, tests))
            if args.peers:
                print("\nRatios, above 1 is better: median of the rounds' ratios (95 % interval)\n")
                print(ratios.table(results, {test: ROWS[test][0] for test in tests}, PAIRS))
            found = results
    if args.json:
        with open(figures, "w") as file:
            json.dump({**about(), "results": found}, file, indent=1)


if __name__ == "__main__":
    main()
