"""The command line of scripts/fuzz: which targets run, for how long, and with which results."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.targets import GROUPS, TARGETS, Target

TOP = Path(__file__).resolve().parent.parent.parent
OUT = TOP / ".fuzz"
_PROGRESS = re.compile(r"^#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)
_ARTIFACT = re.compile(r"Test unit written to (\S+)")
_MEMORY_MB = 2048


def options() -> argparse.ArgumentParser:
    """What can be said."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description="Fuzz parsers and whole hosts, guided by coverage."
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="a target, or several: parsers, hosts, all")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="for all targets together (60); each runs at least 1 s"
    )
    parser.add_argument("--runs", type=int, default=-1, metavar="N", help="at most so many inputs for each target")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the fuzzer's own choices (1)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="for corpus, crashes and logs (.fuzz)")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run these inputs once, without fuzzing")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--verbose", action="store_true", help="show what libFuzzer says, too")
    return parser


def chosen(names: list[str], parser: argparse.ArgumentParser) -> list[Target]:
    """The targets that the names stand for, each once."""
    found: dict[str, Target] = {}
    for name in names:
        if name not in TARGETS and name not in GROUPS:
            parser.error(f"no target is called {name!r} (--list names them)")
        found.update((one, TARGETS[one]) for one in GROUPS.get(name, [name]))
    return list(found.values())


def fuzz(target: Target, seconds: float, wanted: argparse.Namespace) -> bool:
    """Run one target in a process of its own; whether nothing was found."""
    corpus, crashes, log = (wanted.out / name for name in ("corpus", "crashes", "logs"))
    for folder in (corpus / target.name, crashes, log):
        folder.mkdir(parents=True, exist_ok=True)
    log /= f"{target.name}.log"
    command = [
        *(sys.executable, "-P", "-m", "tests.fuzz.engine", target.name, ",".join(target.modules)),
        *(f"-max_total_time={max(1, round(seconds))}", f"-runs={wanted.runs}", f"-seed={wanted.seed}"),
        *(f"-max_len={target.longest}", f"-timeout={int(4 * target.limit_s)}", f"-rss_limit_mb={_MEMORY_MB}"),
        "-len_control=0",
        *(f"-artifact_prefix={crashes / target.name}-", str(corpus / target.name)),
        str(target.corpus),
    ]
    began = time.monotonic()
    with log.open("w") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    took = time.monotonic() - began
    said = log.read_text(errors="replace")
    if wanted.verbose:
        print(said)
    progress = _PROGRESS.findall(said)
    runs, edges, features, size = progress[-1] if progress else ("0", "0", "0", "0")
    print(f"{target.name}: {runs} inputs in {took:.0f} s, {edges} edges, {features} features, {size} kept", flush=True)
    if done.returncode:
        artifact = _ARTIFACT.search(said)
        print(_fault(said), file=sys.stderr)
        place = artifact.group(1) if artifact else f"(none: see {log})"
        print(f"{target.name}: FAULT; again with: scripts/fuzz {target.name} --replay {place}", file=sys.stderr)
    return not done.returncode


def _fault(said: str) -> str:
    """The traceback, or the end of what libFuzzer said."""
    start = said.find("=== Uncaught Python exception")
    return said[start:][:6000] if start >= 0 else said[-3000:]


def main() -> None:
    """Exit status 1 when any input broke something."""
    parser = options()
    wanted = parser.parse_args()
    if wanted.list:
        for group in ("parsers", "hosts"):
            print(f"{group}: {' '.join(GROUPS[group])}")
        return
    targets = chosen(wanted.targets, parser)
    if not targets:
        parser.error("name a target (--list names them)")
    if wanted.replay:
        for target in targets:
            for path in wanted.replay:
                target.test(path.read_bytes())
                print(f"{target.name}: {path}: nothing found")
        return
    end = time.monotonic() + wanted.seconds
    results = []
    for number, target in enumerate(targets):  # what starting takes is part of the time
        results.append(fuzz(target, (end - time.monotonic()) / (len(targets) - number), wanted))
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()
