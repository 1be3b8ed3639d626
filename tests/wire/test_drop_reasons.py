"""Every reason for dropping a packet is registered, has a sentence that explains it, and can
happen.
"""

from __future__ import annotations

import ast
from pathlib import Path

from stack.counters import DROPS

STACK = Path(__file__).resolve().parents[2] / "stack"


def named(call: ast.Call) -> str:
    """What is called: "BadPacket" or "drop" for `counters.drop`."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def reasons() -> list[tuple[str, str]]:
    """(place, reason) of every `BadPacket("...")` and `.drop("...")` below stack/."""
    found: list[tuple[str, str]] = []
    for path in sorted(STACK.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or named(node) not in ("BadPacket", "drop") or not node.args:
                continue
            for literal in ast.walk(node.args[0]):  # a conditional expression has two
                if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                    found.append((f"{path.relative_to(STACK.parent)}:{node.lineno}", literal.value))
    return found


def test_every_reason_given_is_registered() -> None:
    assert len(reasons()) > 30
    assert [(place, reason) for place, reason in reasons() if reason not in DROPS] == []


def test_every_registered_reason_is_given_somewhere() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(STACK.rglob("*.py")) if path.name != "counters.py"]
    assert [reason for reason in DROPS if not any(f'"{reason}"' in text for text in texts)] == []


def test_every_reason_names_its_layer_and_has_one_sentence() -> None:
    layers = ("ethernet", "arp", "rarp", "ipv4", "icmp", "udp", "tcp", "dhcp", "handler", "interface")
    assert [reason for reason in DROPS if not reason.startswith(layers)] == []
    assert [reason for reason, text in DROPS.items() if not text or text.endswith(".") or "\n" in text] == []
