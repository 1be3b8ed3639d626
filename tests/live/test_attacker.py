"""The hostile station itself: it is on the same wire as the kernel, and hears the host that
`scripts/run` starts.
"""

from __future__ import annotations

from stack.wire.addresses import parse_ipv4
from stack.wire.tcp import ACK, RST, SYN
from tests.live.attacker import Attacker, run
from tests.live.net import OURS, Namespace


def test_an_attacker_finds_the_host_and_opens_a_connection(namespace: Namespace) -> None:
    """Beside it the kernel pings: both are on one wire."""
    with run(namespace), Attacker(namespace) as attacker:
        station = attacker.asks()
        assert station[:1] != b"\0"
        attacker.says_tcp(OURS, (4242, 7), SYN, seq=100)
        heard = attacker.hears_tcp(lambda heard: heard.tcp.destination_port == 4242)
        assert (heard.tcp.flags, heard.tcp.ack) == (SYN | ACK, 101)
        assert heard.ip.destination == parse_ipv4("10.9.0.66")
        attacker.says_tcp(OURS, (4242, 7), RST, seq=101)
        namespace.run("ping", "-c", "1", OURS)
