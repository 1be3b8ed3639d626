"""Every reason for dropping a packet has a sentence that explains it.

That each is registered, and can happen, is in tests/test_trace_clauses.py.
"""

from __future__ import annotations

from stack.counters import DROPS


def test_every_reason_names_its_layer_and_has_one_sentence() -> None:
    layers = ("ethernet", "arp", "rarp", "ipv4", "icmp", "udp", "tcp", "dhcp", "handler", "interface")
    assert [reason for reason in DROPS if not reason.startswith(layers)] == []
    assert [reason for reason, text in DROPS.items() if not text or text.endswith(".") or "\n" in text] == []
