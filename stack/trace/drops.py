"""The clauses that ask for each drop; its sentence is in `stack.counters.DROPS`.

"own" stands where no clause asks for it; the sentence then says what we do. A clause of RFC 1812
is a router's, and good practice for a host. Ids without the number of an RFC ("arp-1") are those of
attacks and faults, in tests/requirements/flaws.tsv.
"""

from __future__ import annotations

OWN = ("own",)

DROP_CLAUSES: dict[str, tuple[str, ...]] = {
    # --- host
    "handler_failed": OWN,
    # --- ethernet
    "ethernet_own_source": OWN,
    "ethernet_unknown_type": OWN,
    "ethernet_truncated": OWN,
    "ethernet_too_many_tags": OWN,
    "ethernet_other_vlan": ("vlan-1", "vlan-2"),
    "ethernet_bad_length": OWN,
    "ethernet_not_for_us": OWN,
    # --- arp
    "arp_truncated": OWN,
    "arp_bad_hardware": ("826-rcv-a", "826-rcv-b"),
    "arp_bad_protocol": ("826-rcv-c", "826-rcv-d"),
    "arp_bad_sender": ("1812-3.3.2-c",),
    "arp_from_ourselves": ("5227-2.1.1-e",),
    "arp_conflict": ("5227-2.4-a", "5227-2.4-b"),
    "arp_not_for_us": ("826-rcv-f", "826-rcv-k"),
    "arp_claim": ("arp-1", "arp-3"),
    "arp_fixed": OWN,
    "arp_bad_operation": ("826-rcv-h",),
    "rarp_not_answered": OWN,
    "arp_unsolicited": OWN,
    "arp_cache_full": OWN,
    "arp_queue_full": ("1122-2.3.2.2-arp-a",),
    "arp_unresolved": ("1812-3.3.2-b",),
    # --- ipv4
    "ipv4_truncated": ("1812-5.2.2-a",),
    "ipv4_bad_version": ("1122-3.2.1.1-a",),
    "ipv4_bad_header_length": ("791-3.1-a", "1812-5.2.2-a"),
    "ipv4_bad_total_length": ("791-3.1-b", "1812-5.2.2-a", "1812-5.2.2-b"),
    "ipv4_bad_checksum": ("1122-3.2.1.2-a",),
    "ipv4_bad_option": ("792-pp-b", "1122-3.2.1.8-d"),
    "ipv4_martian_source": ("1122-3.2.1.3-d", "1812-4.2.2.11-d"),
    "ipv4_own_source": OWN,
    "ipv4_martian_destination": ("1122-3.2.1.3-c", "1812-5.3.7-b"),
    "ipv4_not_for_us": ("1122-3.2.1.3-c",),
    "ipv4_not_our_group": ("1122-3.2.1.3-c",),
    "ipv4_link_broadcast_only": ("1122-3.3.6-f",),
    "ipv4_source_route": ("1122-3.3.5-j", "791-3.1-n", "791-3.1-o"),
    "ipv4_super_frame": OWN,
    "ipv4_unknown_protocol": ("1122-3.2.2.1-a",),
    "ipv4_fragment_empty": OWN,
    "ipv4_fragment_unaligned": ("791-3.2-q",),
    "ipv4_fragment_too_long": ("791-3.2-p",),
    "ipv4_fragment_tiny": ("1858-3.2.1-a", "1858-4.2-a", "3128-3-a"),
    "ipv4_fragment_duplicate": ("815-3-b", "field-11"),
    "ipv4_fragment_overlap": ("5722-4-b", "field-11"),
    "ipv4_fragment_ecn": ("3168-5.3-b",),
    "ipv4_fragment_holes": OWN,
    "ipv4_fragment_of_refused": ("5722-4-b",),
    "ipv4_reassembly_full": OWN,
    "ipv4_reassembly_timeout": ("1122-3.3.2-e", "791-3.2-m"),
    # --- icmp
    "icmp_truncated": OWN,
    "icmp_bad_checksum": ("792-du-b",),
    "icmp_bad_quote": ("792-du-a", "792-intro-c", "1122-3.2.2-l"),
    "icmp_unknown_type": ("1122-3.2.2-a", "6918-3-a"),
    "icmp_unknown_code": OWN,
    "icmp_broadcast_echo": ("1122-3.2.2.6-c", "1122-3.2.2.6-d"),
    "icmp_timestamp": ("1122-3.2.2.8-a", "1122-3.2.2.8-c", "1122-3.2.2.8-d"),
    "icmp_echo_unexpected": OWN,
    "icmp_source_quench": ("6633-8-a", "9293 MUST-55"),
    "icmp_bad_redirect": ("1122-3.2.2.2-d",),
    "icmp_redirect_unknown_router": ("redirect-2",),
    "icmp_too_big_fits": ("toobig-1",),
    "icmp_too_big_not_sent": ("toobig-1",),
    "icmp_error_broadcast": OWN,
    "icmp_not_our_datagram": ("icmp-1",),
    "icmp_error_unmatched": ("icmp-1", "5927-4.1-a", "redirect-1"),
    "icmp_error_rate_limited": ("1812-4.3.2.8-a",),
    # --- udp
    "udp_truncated": ("768-fields-b",),
    "udp_bad_length": ("768-fields-b",),
    "udp_bad_checksum": ("1122-4.1.3.4-b",),
    "udp_no_checksum": ("1122-4.1.3.4-e",),
    "udp_port_zero": OWN,
    "udp_no_port": ("1122-4.1.3.1-a",),
    "udp_no_memory": ("budget-8",),
    "udp_open_no_memory": ("budget-6",),
    "udp_errors_full": OWN,
    "udp_queue_full": OWN,
    # --- tcp
    "tcp_truncated": OWN,
    "tcp_bad_data_offset": OWN,
    "tcp_bad_options": ("9293 MUST-7",),
    "tcp_bad_checksum": ("9293 MUST-3",),
    "tcp_not_unicast": ("9293 MUST-57",),
    "tcp_no_connection": ("9293-3.5.2-a", "9293-3.10.7.1-a", "9293-3.10.7.1-b"),
    "tcp_syn_sent_bad_ack": ("9293-3.10.7.3-a", "5961-3.2-f"),
    "tcp_syn_sent_bad_reset": ("9293-3.5.3-b", "9293-3.10.7.3-c"),
    "tcp_syn_sent_no_syn": ("9293-3.10.7.3-g",),
    "tcp_syn_received_bad_ack": ("9293-3.10.7.4-n", "9293-3.5.2-c"),
    "tcp_unacceptable": ("9293-3.4-c", "9293-3.10.7.4-a", "9293-3.10.7.4-f"),
    "tcp_no_timestamp": ("7323-3.2-i",),
    "tcp_paws": ("7323-5.3-c",),
    "tcp_beyond_fin": ("field-2",),
    "tcp_window_closed": ("9293-3.4-e", "9293-3.8.6.1-a"),
    "tcp_reset_not_exact": ("9293-3.10.7.4-e", "5961-3.2-d", "5961-3.2-e"),
    "tcp_reset_in_time_wait": ("1337-3-a",),
    "tcp_in_time_wait": ("9293-3.10.7.4-v", "field-9"),
    "tcp_unexpected_syn": ("9293-3.10.7.4-j", "9293-3.10.7.4-k", "5961-4.2-c"),
    "tcp_no_ack": ("9293-3.10.7.4-l",),
    "tcp_bad_ack": ("9293-3.10.7.4-m", "9293-3.10.7.4-o", "5961-5.2-c"),
    "tcp_challenge_limited": ("5961-7-a",),
    "tcp_no_memory": ("budget-4",),
    "tcp_pruned": ("2018-8-a", "budget-5"),
    "tcp_refused_no_memory": ("budget-6",),
    "tcp_open_no_memory": ("budget-6",),
    "tcp_too_many_runs": OWN,
    "tcp_data_after_close": ("9293 SHLD-3", "sockets-3"),
    "tcp_accept_queue_full": OWN,
    "tcp_accept_deferred": OWN,
    "tcp_syn_queue_full": ("4987-3.2-a", "4987-3.4-a", "4987-3.7-a"),
    "tcp_bad_cookie": ("4987-3.6-a", "9293-3.10.7.2-b"),
    "tcp_fast_open_refused": ("7413-4.1.2-a", "7413-4.2-b"),
    "tcp_icmp_not_in_flight": ("5927-4.1-a", "icmp-1"),
    "tcp_too_big_not_sent": ("5927-7.2-a",),
    "tcp_too_big_delayed": ("5927-7.2-c",),
    "tcp_not_sent": OWN,
    # --- dhcp
    "dhcp_truncated": OWN,
    "dhcp_bad_hardware": OWN,
    "dhcp_bad_cookie": ("2131-3-a",),
    "dhcp_bad_options": ("2132-2-e",),
    "dhcp_too_long": OWN,
    "dhcp_not_a_reply": OWN,
    "dhcp_other_client": OWN,
    "dhcp_bad_type": ("2131-3-b",),
    "dhcp_unexpected": ("2131-4.4-b", "2131-4.4.1-i"),
    "dhcp_other_transaction": ("2131-4.4.1-h", "2131-4.4.5-d"),
    "dhcp_other_identifier": ("6842-3-b",),
    "dhcp_no_server": ("2131-4.3.1-a",),
    "dhcp_other_server": OWN,
    "dhcp_bad_address": OWN,
    "dhcp_other_address": OWN,
    "dhcp_bad_lease_time": ("2131-4.3.1-b",),
    "dhcp_lease_over": ("2131-4.4.1-k", "2131-4.4.5-e"),
    "dhcp_no_client": OWN,
    "dhcp_not_sent": OWN,
    "dhcp_bad_route": OWN,
    "dhcp_too_many_offers": OWN,
    # --- counters of our own packets
    "ifOutDiscards": OWN,
    "icmpOutErrors": OWN,
}

NOT_THE_FRAME = frozenset(
    """
    arp_cache_full arp_claim arp_queue_full arp_unresolved dhcp_bad_route dhcp_not_sent icmp_error_rate_limited
    ipv4_reassembly_full ipv4_reassembly_timeout tcp_challenge_limited tcp_not_sent tcp_open_no_memory tcp_pruned
    tcp_bad_options tcp_syn_queue_full udp_open_no_memory ifOutDiscards icmpOutErrors
    """.split()
)
"""The drops that concern something else than the frame in progress.

It is an older packet, a packet of ours, or a call of the program. A SYN that finds the SYN queue
full is answered. With the default limits no datagram is as large as the memory for fragments, so
what makes room there is always an older one.
"""
