"""The clauses that ask for each drop; its sentence is in `stack.counters.DROPS`."""

from __future__ import annotations

DROP_CLAUSES: dict[str, tuple[str, ...]] = {}

NOT_THE_FRAME = frozenset(
    """
    arp_cache_full arp_queue_full arp_unresolved dhcp_not_sent handler_failed icmp_error_rate_limited
    ipv4_reassembly_full ipv4_reassembly_timeout tcp_challenge_limited tcp_not_sent tcp_open_no_memory tcp_pruned
    udp_open_no_memory ifOutDiscards icmpOutErrors
    """.split()
)
"""The drops that do not concern the frame in progress, but an older packet or one of ours."""
