"""Named counters: the MIBs' own names for what a host counts, and one name for each reason a packet
is dropped.

See RFC 1213 (interfaces, ICMP), RFC 4293 (IP), RFC 4022 (TCP) and RFC 4113 (UDP). A name that is
not listed here raises KeyError when it is counted, so each counter has its sentence.
"""

from __future__ import annotations

from collections.abc import Callable

MIB: dict[str, str] = {
    # --- interfaces (RFC 1213 section 6.2: ifTable)
    "ifInOctets": "octets received, link headers included",
    "ifInUcastPkts": "frames received that were addressed to this host alone",
    "ifInNUcastPkts": "frames received that were addressed to a group or to all",
    "ifInDiscards": "frames dropped although they had no error",
    "ifInErrors": "frames dropped because of an error in them",
    "ifInUnknownProtos": "frames of a protocol that this host does not implement",
    "ifOutOctets": "octets sent, link headers included",
    "ifOutUcastPkts": "frames sent to one station",
    "ifOutNUcastPkts": "frames sent to a group or to all",
    "ifOutDiscards": "frames the link did not take",
    # --- ARP
    "arpOutRequests": "requests sent for an address, polls of known stations included",
    "arpOutProbes": "requests sent to find out whether an address is free (RFC 5227)",
    "arpOutAnnouncements": "announcements of our addresses sent, those in defence included (RFC 5227)",
    "arpInConflicts": "packets by which another host claims an address of ours, or one that we probe for (RFC 5227)",
    # --- IPv4 (RFC 4293)
    "ipSystemStatsInReceives": "packets received, wrong ones included",
    "ipSystemStatsInHdrErrors": "packets dropped because of an error in their header",
    "ipSystemStatsInTruncatedPkts": "packets dropped because the frame held less than their total length",
    "ipSystemStatsInAddrErrors": "packets dropped because of their source or destination address",
    "ipSystemStatsInUnknownProtos": "datagrams of a protocol without a handler",
    "ipSystemStatsInMcastPkts": "multicast packets received",
    "ipSystemStatsInBcastPkts": "broadcast packets received",
    "ipSystemStatsInDelivers": "datagrams handed to a protocol, ICMP included",
    "ipSystemStatsReasmReqds": "fragments received",
    "ipSystemStatsReasmOKs": "datagrams reassembled",
    "ipSystemStatsReasmFails": "datagrams that could not be reassembled",
    "ipSystemStatsOutRequests": "datagrams that protocols asked to be sent, ICMP included",
    "ipSystemStatsOutNoRoutes": "datagrams dropped because no route led to their destination",
    "ipSystemStatsOutFragReqds": "datagrams that had to be fragmented",
    "ipSystemStatsOutFragOKs": "datagrams that were fragmented",
    "ipSystemStatsOutFragFails": "datagrams too large for the MTU that must not be fragmented",
    "ipSystemStatsOutFragCreates": "fragments made",
    "ipSystemStatsOutTransmits": "packets handed to a link, or to ARP to wait for an address",
    # --- ICMP (RFC 1213 section 6.6)
    "icmpInMsgs": "messages received, wrong ones included",
    "icmpInErrors": "messages received that were too short or had a wrong checksum",
    "icmpInDestUnreachs": "Destination Unreachable received",
    "icmpInTimeExcds": "Time Exceeded received",
    "icmpInParmProbs": "Parameter Problem received",
    "icmpInSrcQuenchs": "Source Quench received",
    "icmpInRedirects": "Redirect received",
    "icmpInEchos": "Echo received",
    "icmpInEchoReps": "Echo Reply received",
    "icmpInTimestamps": "Timestamp received",
    "icmpInTimestampReps": "Timestamp Reply received",
    "icmpInAddrMasks": "Address Mask Request received",
    "icmpInAddrMaskReps": "Address Mask Reply received",
    "icmpOutMsgs": "messages we tried to send",
    "icmpOutErrors": "messages that could not be sent",
    "icmpOutDestUnreachs": "Destination Unreachable sent",
    "icmpOutTimeExcds": "Time Exceeded sent",
    "icmpOutParmProbs": "Parameter Problem sent",
    "icmpOutEchos": "Echo sent",
    "icmpOutEchoReps": "Echo Reply sent",
    "icmpOutTimestampReps": "Timestamp Reply sent",
    # --- UDP (RFC 4113)
    "udpInDatagrams": "datagrams delivered to a socket",
    "udpNoPorts": "datagrams for a port without a socket",
    "udpInErrors": "datagrams dropped for any other reason",
    "udpOutDatagrams": "datagrams sent",
    # --- TCP (RFC 4022)
    "tcpActiveOpens": "connections that went from CLOSED to SYN-SENT",
    "tcpPassiveOpens": "connections that went from LISTEN to SYN-RECEIVED",
    "tcpAttemptFails": "connections that went from SYN-SENT or SYN-RECEIVED to CLOSED or LISTEN",
    "tcpEstabResets": "connections that went from ESTABLISHED or CLOSE-WAIT straight to CLOSED",
    "tcpInSegs": "segments received, those in error included",
    "tcpOutSegs": "segments sent, without those that only repeat octets",
    "tcpRetransSegs": "segments sent again",
    "tcpInErrs": "segments received in error (a bad checksum, for example)",
    "tcpOutRsts": "segments sent with the RST flag",
    "tcpInCePkts": "segments with data that met congestion on their way (RFC 3168)",
    "tcpWindowScaleTooLarge": "SYNs with a window scale over 14, which was taken as 14 (RFC 7323 section 2.3)",
    "tcpInDsacks": "segments received that report a duplicate (RFC 2883)",
    "tcpFastOpenActive": "SYNs of ours whose data was acknowledged with them (RFC 7413)",
    "tcpFastOpenActiveFail": "SYNs of ours whose data was not acknowledged with them",
    "tcpFastOpenPassive": "SYNs whose data (if there was any) was delivered at once",
    "tcpFastOpenPassiveFail": "SYNs with a Fast Open cookie that was wrong or too old",
    "tcpFastOpenListenOverflow": "SYNs treated as ordinary ones, as too many Fast Open requests were pending",
    "tcpFastOpenCookieReqd": "SYNs that asked for a Fast Open cookie",
    "tcpTimeouts": "connections given up because the peer did not answer",
}

DROPS: dict[str, str] = {
    # --- host
    "handler_failed": "a handler raised, by a bug of ours: its packet is given up, and the traceback is reported",
    # --- ethernet
    "ethernet_own_source": "the source is our own address: a frame of ours that a loop in the network has sent back",
    "ethernet_unknown_type": "an EtherType that this host does not implement: it is not answered",
    "ethernet_truncated": "the frame ends inside its Ethernet header or 802.1Q tag, so it cannot be read",
    "ethernet_too_many_tags": "more than the two 802.1Q tags that 802.1ad has",
    "ethernet_other_vlan": "an 802.1Q tag of a VLAN: this host takes only untagged frames and VLAN 0 (a priority)",
    "ethernet_bad_length": "an 802.3 length field of 1501 to 1535, beyond the frame, or too short for its LLC header",
    "ethernet_not_for_us": "the destination is another station's address, which we do not listen to",
    # --- arp
    "arp_truncated": "the packet ends before its 28 octets, so it cannot be read",
    "arp_bad_hardware": "the hardware type or address length is not Ethernet's",
    "arp_bad_protocol": "the protocol type or address length is not IPv4's",
    "arp_bad_sender": "the sender claims a group address, or none, as its station address (RFC 1812 section 3.3.2)",
    "arp_from_ourselves": "one of our own packets came back",
    "arp_conflict": "the sender has one of our addresses",
    "arp_not_for_us": "the target is another host, and the sender is not in the cache",
    "arp_claim": "another station claimed a neighbour's address, but the known one answered or a newer claim came",
    "arp_fixed": "a packet with another station address for a neighbour that the user has set: the setting stays",
    "arp_bad_operation": "for us, but neither a request nor a reply, or one that is not answered unless configured",
    "rarp_not_answered": "a RARP packet that is not a request, or for a station not configured: RARP cannot refuse",
    "arp_unsolicited": "a reply from a host that we did not ask: it makes no entry in the cache",
    "arp_cache_full": "a neighbour, one of the least useful, removed to make room for a new one",
    "arp_queue_full": "a datagram that waited for an address, dropped to make room for a newer one",
    "arp_unresolved": "a datagram whose next hop did not answer, or was forgotten while it waited",
    # --- ipv4
    "ipv4_truncated": "the packet ends inside its fixed header",
    "ipv4_bad_version": "the version field is not 4 (RFC 1122 section 3.2.1.1)",
    "ipv4_bad_header_length": "the IHL field is under 5 or reaches past the packet",
    "ipv4_bad_total_length": "the total length is less than the header's or more than what arrived",
    "ipv4_bad_checksum": "the header checksum is wrong (RFC 1122 section 3.2.1.2)",
    "ipv4_bad_option": "an option with an impossible length or pointer (RFC 1122 section 3.2.1.8)",
    "ipv4_martian_source": "a source that is not a single host, or cannot be on this link (RFC 1122 section 3.2.1.3)",
    "ipv4_own_source": "our own address as source, from the wire: a LAND attack, or another host has our address",
    "ipv4_martian_destination": "a destination of 127/8 or class E",
    "ipv4_not_for_us": "the destination is another host: we forward nothing",
    "ipv4_not_our_group": "the destination is a multicast group we have not joined",
    "ipv4_link_broadcast_only": "broadcast on the link, but to our own IP address (RFC 1122 section 3.3.6)",
    "ipv4_source_route": "a source route that does not end here, a second one, or any if none are accepted",
    "ipv4_super_frame": "a super-frame of more UDP datagrams than a kernel makes: none of them is taken",
    "ipv4_unknown_protocol": "no handler for its protocol",
    "ipv4_fragment_empty": "a fragment without payload: it fills no gap",
    "ipv4_fragment_unaligned": "a fragment, not the last, whose payload is not a multiple of 8 octets",
    "ipv4_fragment_too_long": "a fragment that reaches past 65,535 octets (ping of death)",
    "ipv4_fragment_tiny": "a fragment that splits a TCP header (RFC 1858, RFC 3128)",
    "ipv4_fragment_duplicate": "a fragment whose octets are all there already",
    "ipv4_fragment_overlap": "overlapping fragments that differ: the datagram is dropped (RFC 5722 section 4)",
    "ipv4_fragment_ecn": "some fragments have CE, and some are Not-ECT (RFC 3168 section 5.3)",
    "ipv4_fragment_holes": "too many gaps in one datagram, which is dropped with all its fragments",
    "ipv4_fragment_of_refused": "a further fragment of a datagram that was dropped",
    "ipv4_reassembly_full": "an incomplete datagram, dropped to make room for newer ones",
    "ipv4_reassembly_timeout": "a datagram whose missing fragments did not come in time",
    # --- icmp
    "icmp_truncated": "the message ends before the fields of its type, so it cannot be read",
    "icmp_bad_checksum": "the checksum is wrong",
    "icmp_bad_quote": "an error that does not quote an IPv4 header and 8 octets of what follows",
    "icmp_unknown_type": "a type we do not handle (RFC 1122 section 3.2.2, RFC 6918)",
    "icmp_unknown_code": "an error with a code that is not assigned: what it means is not known",
    "icmp_broadcast_echo": "an Echo to a broadcast address, not answered unless configured (smurf)",
    "icmp_timestamp": "a Timestamp, not answered unless configured, and never if broadcast",
    "icmp_echo_unexpected": "an Echo Reply that matches no waiting request, so no program gets it",
    "icmp_source_quench": "a Source Quench (RFC 6633)",
    "icmp_bad_redirect": "a Redirect that is not legal, or not from the current first hop (RFC 1122 section 3.2.2.2)",
    "icmp_redirect_unknown_router": "a Redirect to a gateway that no configured route has (secure_redirects)",
    "icmp_too_big_fits": "a Packet Too Big that quotes a datagram no larger than the MTU it names",
    "icmp_too_big_not_sent": "a Packet Too Big with an MTU that no datagram sent to that destination exceeds",
    "icmp_error_broadcast": "an error that was broadcast: a true one goes to the host that sent the quoted datagram",
    "icmp_not_our_datagram": "an error about a datagram that is not ours",
    "icmp_error_unmatched": "an error about a packet that we have not sent, or one that is not believed",
    "icmp_error_rate_limited": "an error that was not sent, because too many were sent lately",
    # --- udp
    "udp_truncated": "the datagram ends inside its header",
    "udp_bad_length": "the length field is under 8 or more than what arrived",
    "udp_bad_checksum": "the checksum is wrong (RFC 1122 section 4.1.3.4)",
    "udp_no_checksum": "the sender computed no checksum, and we are configured to require one",
    "udp_port_zero": "the destination port is 0, which no socket can have",
    "udp_no_port": "no socket is bound to the port",
    "udp_no_memory": "the memory budget had no room for a datagram of this sender",
    "udp_open_no_memory": "a socket of our own program that was refused, because there was no memory",
    "udp_errors_full": "an ICMP error for which the socket's queue of errors, or the memory budget, had no room",
    "udp_queue_full": "the socket's receive queue is full: the datagram that comes is lost, those in the queue stay",
    # --- tcp
    "tcp_truncated": "the segment ends inside its fixed header, so it cannot be read",
    "tcp_bad_data_offset": "the data offset is under 5 or reaches past the segment, so the text cannot be found",
    "tcp_bad_options": "options with a length under 2 or past the header: ignored, not their segment",
    "tcp_bad_checksum": "the TCP checksum is wrong",
    "tcp_not_unicast": "a segment to a multicast or broadcast address",
    "tcp_no_connection": "no connection and no listener has this port: answered by a reset, unless it is a reset",
    "tcp_syn_sent_bad_ack": "in SYN-SENT, an acknowledgment of something that was not sent",
    "tcp_syn_sent_bad_reset": "in SYN-SENT, a reset that acknowledges nothing",
    "tcp_syn_sent_no_syn": "in SYN-SENT, neither SYN nor RST",
    "tcp_syn_received_bad_ack": "in SYN-RECEIVED, an acknowledgment of something that was not sent",
    "tcp_unacceptable": "its sequence numbers lie outside the receive window",
    "tcp_no_timestamp": "no timestamp where both ends agreed on them, with strict_timestamps (RFC 7323 section 3.2)",
    "tcp_paws": "a timestamp older than an earlier one: an old duplicate (RFC 7323 section 5.3)",
    "tcp_beyond_fin": "text or a FIN beyond the FIN that ends the peer's stream",
    "tcp_window_closed": "text while the receive window is zero",
    "tcp_reset_not_exact": "a reset in the window but not at RCV.NXT: answered by a challenge ACK",
    "tcp_reset_in_time_wait": "a reset in TIME-WAIT, perhaps an old duplicate (RFC 1337)",
    "tcp_in_time_wait": "in TIME-WAIT, a segment that is not at RCV.NXT or has text: answered by a challenge ACK",
    "tcp_unexpected_syn": "a SYN for a connection: answered by a challenge ACK, or SYN-RECEIVED returns to LISTEN",
    "tcp_no_ack": "a segment without the ACK flag, in SYN-RECEIVED or a later state",
    "tcp_bad_ack": "it acknowledges what was not sent, or what is too old: answered by a challenge ACK",
    "tcp_challenge_limited": "a challenge ACK that was not sent, as too many were sent lately (RFC 5961 section 7)",
    "tcp_no_memory": "text within the window for which the memory budget had no room (RFC 2018 section 8)",
    "tcp_pruned": "connections whose out-of-order text was dropped to save memory (RFC 2018 section 8)",
    "tcp_refused_no_memory": "SYNs, and ACKs of a cookie, for which the memory budget had no room",
    "tcp_open_no_memory": "connections that our own programs could not open, because there was no memory",
    "tcp_too_many_runs": "an out-of-order segment, when too many gaps are held already: the peer sends it again",
    "tcp_data_after_close": "data for a connection that its user has closed: answered by a reset",
    "tcp_accept_queue_full": "the accept queue is full, as the program does not accept: the peer tries again",
    "tcp_accept_deferred": "a bare ACK of our SYN, as the program waits for data first (TCP_DEFER_ACCEPT)",
    "tcp_syn_queue_full": "the SYN queue is full: a SYN answered by a cookie, or an old half-open connection dropped",
    "tcp_bad_cookie": "while SYN cookies are in use, an ACK that acknowledges none: answered by a reset",
    "tcp_fast_open_refused": "data of a SYN with a wrong Fast Open cookie, or above the limit: the peer sends it again",
    "tcp_icmp_not_in_flight": "an ICMP error about a segment that is not in flight",
    "tcp_too_big_not_sent": "a Packet Too Big with an MTU that no segment in flight exceeds",
    "tcp_too_big_delayed": "a Packet Too Big about a size that did arrive, kept until a timeout (RFC 5927 section 7.2)",
    "tcp_not_sent": "a segment that the Internet layer could not send: to TCP it is lost in the network",
    # --- dhcp
    "dhcp_truncated": "the message ends inside its fixed BOOTP header, so it cannot be read",
    "dhcp_bad_hardware": "the hardware address is longer than its field of 16 octets, or not an Ethernet station's",
    "dhcp_bad_cookie": "the options do not start with the magic cookie of RFC 2131",
    "dhcp_bad_options": "an option reaches past its field",
    "dhcp_too_long": "longer than the size that the client said it takes",
    "dhcp_not_a_reply": "its op field does not say BOOTREPLY, as each message of a server does (RFC 2131 section 3)",
    "dhcp_other_client": "the hardware address is another client's: an answer to it that was broadcast",
    "dhcp_bad_type": "no message type, as in BOOTP, or one that is not a server's answer to a client",
    "dhcp_unexpected": "a message that the client's state has no use for (RFC 2131 figure 5)",
    "dhcp_other_transaction": "its xid is not that of the request in flight",
    "dhcp_other_identifier": "it carries another client identifier than ours (RFC 6842 section 3)",
    "dhcp_no_server": "no server identifier, or one that cannot be a host's address (RFC 2131 table 3)",
    "dhcp_other_server": "from a server that was not asked: only the chosen server, or that of the lease, was",
    "dhcp_bad_address": "the address given cannot be a host's",
    "dhcp_other_address": "it acknowledges another address than the one requested",
    "dhcp_bad_lease_time": "no lease time, or one too short to be used",
    "dhcp_lease_over": "the lease it acknowledges has run out since it was requested",
    "dhcp_no_client": "to the client's port on an interface without DHCP",
    "dhcp_not_sent": "a message that the Internet layer could not send: to the client it is lost in the network",
    "dhcp_bad_route": "a route of a lease whose router cannot be reached: the others are used without it",
    "dhcp_too_many_offers": "an offer beyond those that are compared",
}

UNREADABLE: dict[str, str] = {
    # --- cooked captures of Linux
    "linux_cooked_truncated": "the frame ends inside the header that Linux has made up for it",
    # --- ntp
    "ntp_truncated": "the packet ends inside its 48 octets",
    "ntp_bad_version": "a version other than 1 to 4, whose header may be another",
    "ntp_control": "a control message or a private one (modes 6 and 7), which has another format",
    "ntp_bad_extension": "an extension field too short or past the packet, or a length that is no multiple of 4",
    # --- dns
    "dns_truncated": "the message ends inside its header, a question or a record",
    "dns_bad_name": "a domain name that is too long, goes on behind the message, or has a pointer that leads not back",
    "dns_bad_rdata": "a record whose data does not have the format of its type",
    # --- ipv6
    "ipv6_truncated": "the packet ends inside its header of 40 octets",
    "ipv6_bad_version": "the version field is not 6",
    "ipv6_bad_payload_length": "the payload length is more than what arrived",
    "ipv6_bad_extension": "an extension header that reaches past the packet",
    "ipv6_bad_option": "an option that reaches past its extension header",
    # --- icmpv6
    "icmpv6_truncated": "the message ends before the fields of its type",
    "icmpv6_bad_checksum": "the checksum is wrong",
    "icmpv6_bad_option": "an option of neighbour discovery with a length of 0, or one past the message",
    "icmpv6_bad_record": "a multicast address record that reaches past the message",
}
"""Why a parser refuses a packet of a protocol that this host does not speak.

Such packets are only shown, so a host never counts these reasons.
"""


def meaning(reason: str) -> str:
    """The sentence for the reason of a `BadPacket`."""
    return DROPS.get(reason) or UNREADABLE.get(reason) or reason


class Counters(dict[str, int]):
    """Every counter of one host, all present and zero from the start.

    >>> counters = Counters()
    >>> counters["ifInOctets"] += 64
    >>> counters.drop("ethernet_not_for_us")
    """

    def __init__(self) -> None:
        super().__init__(dict.fromkeys((*MIB, *DROPS), 0))
        self.on_drop: Callable[[str], None] | None = None

    def drop(self, reason: str) -> None:
        """Count one dropped packet under `reason`, a key of `DROPS` or one of `SILENT`.

        If the host has an observer, `on_drop` is then called with the reason.
        """
        self[reason] += 1
        if self.on_drop is not None:
            self.on_drop(reason)

    def drops(self) -> dict[str, int]:
        """The drop counters that are not zero."""
        return {reason: self[reason] for reason in DROPS if self[reason]}


SILENT = ("ifOutDiscards", "icmpOutErrors")
"""MIB counters of our own packets that are dropped without an error for a caller."""
