"""Every reason for dropping a packet has a sentence that explains it.

That each is registered, and can happen, is in tests/test_trace_clauses.py.
"""

from __future__ import annotations

from stack.counters import DROPS, UNREADABLE, meaning


def test_every_reason_names_its_layer_and_has_one_sentence() -> None:
    layers = ("ethernet", "arp", "rarp", "ipv4", "icmp", "udp", "tcp", "dhcp", "handler", "interface")
    assert [reason for reason in DROPS if not reason.startswith(layers)] == []
    assert [reason for reason, text in DROPS.items() if not text or text.endswith(".") or "\n" in text] == []


def test_every_reason_of_a_parser_alone_names_its_protocol_and_has_one_sentence() -> None:
    protocols = ("ntp", "dns", "ipv6", "icmpv6", "linux_cooked")
    assert [reason for reason in UNREADABLE if not reason.startswith(protocols)] == []
    assert [reason for reason, text in UNREADABLE.items() if not text or text.endswith(".") or "\n" in text] == []
    assert DROPS.keys().isdisjoint(UNREADABLE)


def test_the_meaning_of_a_reason_is_its_sentence() -> None:
    assert meaning("udp_truncated") == DROPS["udp_truncated"]
    assert meaning("ntp_truncated") == UNREADABLE["ntp_truncated"]
    assert meaning("unheard_of") == "unheard_of"
