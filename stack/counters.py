"""Named counters: the MIBs' own names for what a host counts, and one name for each reason a packet is dropped.

See RFC 1213 (interfaces, ICMP), RFC 4293 (IP), RFC 4022 (TCP) and RFC 4113 (UDP). A name that is not listed here
raises KeyError when it is counted: a drop nobody can look up is a bug.
"""

MIB: dict[str, str] = {
    # --- interfaces (RFC 1213 section 6.2: ifTable)
    "ifInOctets": "octets received, link headers included",
    "ifInUcastPkts": "frames received that were addressed to this host alone",
    "ifInNUcastPkts": "frames received that were addressed to a group or to all",
    "ifInDiscards": "frames dropped though nothing was wrong with them",
    "ifInErrors": "frames dropped because something was wrong with them",
    "ifInUnknownProtos": "frames of a protocol this host does not speak",
    "ifOutOctets": "octets sent, link headers included",
    "ifOutUcastPkts": "frames sent to one station",
    "ifOutNUcastPkts": "frames sent to a group or to all",
    "ifOutDiscards": "frames the link did not take",
    # --- ARP
    # --- IPv4 (RFC 4293)
    # --- ICMP (RFC 1213 section 6.6)
    # --- UDP (RFC 4113)
    # --- TCP (RFC 4022)
    "tcpActiveOpens": "connections that went from CLOSED to SYN-SENT",
    "tcpPassiveOpens": "connections that went from LISTEN to SYN-RECEIVED",
    "tcpAttemptFails": "connections that ended before they were established",
    "tcpEstabResets": "established connections ended by a reset",
    "tcpInSegs": "segments received, those in error included",
    "tcpOutSegs": "segments sent, retransmissions included",
    "tcpRetransSegs": "segments sent again",
    "tcpInErrs": "segments received in error (a bad checksum, for example)",
    "tcpOutRsts": "segments sent with the RST flag",
    "tcpTimeouts": "connections given up because the peer did not answer",
}

DROPS: dict[str, str] = {
    # --- host
    "handler_failed": "a handler raised: a bug of ours, reported with its traceback",
    # --- ethernet
    "ethernet_truncated": "the frame ends inside its Ethernet header or 802.1Q tag",
    "ethernet_too_many_tags": "more 802.1Q tags than 802.1ad allows",
    "ethernet_bad_length": "an 802.3 length field of 1501 to 1535, beyond the frame, or too short for its LLC header",
    "ethernet_not_for_us": "the destination is another station's address",
    # --- arp
    "arp_truncated": "the packet ends before its 28 bytes",
    "arp_bad_hardware": "the hardware type or address length is not Ethernet's",
    "arp_bad_protocol": "the protocol type or address length is not IPv4's",
    # --- ipv4
    "ipv4_truncated": "the packet ends inside its fixed header",
    "ipv4_bad_version": "the version field is not 4 (RFC 1122 section 3.2.1.1)",
    "ipv4_bad_header_length": "the IHL field is under 5 or reaches past the packet",
    "ipv4_bad_total_length": "the total length is less than the header's or more than what arrived",
    "ipv4_bad_checksum": "the header checksum is wrong (RFC 1122 section 3.2.1.2)",
    "ipv4_bad_option": "an option whose length or pointer cannot be (RFC 1122 section 3.2.1.8)",
    # --- icmp
    "icmp_truncated": "the message ends before the fields of its type",
    "icmp_bad_checksum": "the checksum is wrong",
    "icmp_bad_quote": "an error that does not quote an IPv4 header and 8 bytes of what follows",
    # --- udp
    "udp_truncated": "the datagram ends inside its header",
    "udp_bad_length": "the length field is under 8 or more than what arrived",
    # --- tcp
    "tcp_truncated": "the segment ends inside its fixed header",
    "tcp_bad_data_offset": "the data offset is under 5 or reaches past the segment",
    "tcp_bad_options": "an option whose length is under 2 or reaches past the header (RFC 9293 MUST-7)",
    # --- dhcp
    "dhcp_truncated": "the message ends inside its fixed BOOTP header",
    "dhcp_bad_hardware": "the hardware address is longer than its 16-byte field",
    "dhcp_bad_cookie": "the options do not start with the magic cookie of RFC 2131",
    "dhcp_bad_options": "an option reaches past the field it stands in",
}


class Counters(dict[str, int]):
    """Every counter of one host, all present and zero from the start.

    >>> counters = Counters()
    >>> counters["ifInOctets"] += 64
    >>> counters.drop("ethernet_not_for_us")
    """

    def __init__(self) -> None:
        super().__init__(dict.fromkeys((*MIB, *DROPS), 0))

    def drop(self, reason: str) -> None:
        """Count one dropped packet under `reason`, a key of `DROPS`."""
        self[reason] += 1

    def drops(self) -> dict[str, int]:
        """The drop counters that are not zero."""
        return {reason: self[reason] for reason in DROPS if self[reason]}
