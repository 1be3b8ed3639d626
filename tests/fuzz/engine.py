"""One target under atheris, in a process of its own, which libFuzzer ends.

usage: python -m tests.fuzz.engine TARGET MODULES [arguments of libFuzzer]

The code under test is instrumented as it is imported, so it must not be imported before. MODULES
says what is: `stack.wire,stack.dhcp`, say. That takes seconds for the whole stack.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=sys.argv[2].split(",")):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer's own bounds (-runs, -max_total_time) or a fault."""
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[3:]], target.test)
    atheris.Fuzz()


main()
