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
}

DROPS: dict[str, str] = {
    # --- host
    "handler_failed": "a handler raised: a bug of ours, reported with its traceback",
    # --- ethernet
    "ethernet_not_for_us": "the destination is another station's address",
    # --- arp
    # --- ipv4
    # --- icmp
    # --- udp
    # --- tcp
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
