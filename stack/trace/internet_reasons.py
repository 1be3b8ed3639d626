"""Why ARP, IP, ICMP, UDP and DHCP do what they do: the reasons, by the word that the code says."""

from __future__ import annotations

from stack.trace.reason import Reason

INTERNET_REASONS: dict[str, Reason] = {
    # --- ARP: asking
    "arp_no_entry": Reason(
        "The cache has no station address for the next hop, so all stations are asked.", ("826-gen-b", "826-gen-d")
    ),
    "arp_not_known_yet": Reason(
        "The datagram waits until the station address of the next hop is known.", ("1122-2.3.2.2-arp-a",)
    ),
    "arp_old": Reason(
        "The entry is in use and was not confirmed for a while, so its station is asked again.",
        ("1122-2.3.2.1-arp-f", "826-aging-b"),
    ),
    "arp_stale_used": Reason(
        "The entry is stale and is used again: the packet is sent, and the station is asked.", ("826-aging-b",)
    ),
    "arp_suspected": Reason(
        "A higher layer reports that packets do not seem to arrive, so the entry is verified.", ("1122-2.3.2.1-arp-g",)
    ),
    "arp_claimed": Reason(
        "Another station claims the address. Any station can send such a packet, so the known one is asked first.",
        ("own",),
    ),
    "arp_answer_late": Reason(
        "The known station has not answered, but acknowledgments still come through it, so it is asked once more.",
        ("own",),
    ),
    # --- ARP: learning and forgetting
    "arp_learnt": Reason("A request for our address names its sender's station address.", ("826-rcv-g",)),
    "arp_answered": Reason("The station that has the address has answered.", ("826-rcv-e",)),
    "arp_verified": Reason("An ARP packet of the known station confirms the entry.", ("1122-2.3.2.1-arp-e",)),
    "arp_moved": Reason("The entry was in doubt, and another station says that it has the address.", ("826-rcv-l",)),
    "arp_claim_believed": Reason(
        "The known station does not answer, so the station that claims the address is believed.", ("826-rcv-l",)
    ),
    "arp_unused": Reason(
        "No packet has used the entry since it was confirmed, so it is not asked for again.", ("826-aging-a",)
    ),
    "arp_unused_long": Reason("The entry is out of date, and nothing uses it.", ("1122-2.3.2.1-arp-a",)),
    "arp_acknowledged": Reason(
        "No answer has come, but what was sent through the station is acknowledged, so the entry is kept once.",
        ("own",),
    ),
    "arp_no_answer": Reason("The address did not answer the requests.", ("1122-2.3.2.1-arp-a",)),
    "arp_no_room": Reason("The cache is full, and this entry is one of the least useful.", ("own",)),
    "arp_set_by_user": Reason("The user has set the station address: ARP packets do not change it.", ("own",)),
    "arp_removed_by_user": Reason("The user has removed the entry.", ("own",)),
    "arp_link_down": Reason("The link was down or is removed, and other hosts may have the addresses now.", ("own",)),
    "arp_off_link": Reason("Our addresses have changed, and this one is no neighbour any longer.", ("own",)),
    # --- ARP: answering
    "arp_asked_for_us": Reason(
        "A request for our address is answered, to its sender alone.", ("826-rcv-i", "826-rcv-j")
    ),
    "arp_asked_for_published": Reason(
        "The user has told us to answer for this address (proxy ARP, RFC 1027).", ("own",)
    ),
    "arp_asked_inverse": Reason("A station asks for the address of ours (InARP, RFC 2390).", ("own",)),
    "arp_asked_reverse": Reason(
        "A station asks for its own address, which the user has told us (RARP, RFC 903).", ("own",)
    ),
    # --- address conflict detection
    "acd_random_wait": Reason(
        "The first probe waits for a random time, so that hosts that start together do not probe together.",
        ("5227-2.1.1-b",),
    ),
    "acd_probe": Reason("A probe asks whether another host has the address.", ("5227-2.1.1-b", "5227-2.1-a")),
    "acd_many_conflicts": Reason(
        "There were MAX_CONFLICTS conflicts: from now on one address is probed in RATE_LIMIT_INTERVAL.",
        ("5227-2.1.1-f",),
    ),
    "acd_in_use": Reason("An ARP packet has the address as its sender: another host uses it.", ("5227-2.1.1-c",)),
    "acd_both_probe": Reason("Another host probes for the same address.", ("5227-2.1.1-d",)),
    "acd_free": Reason("No conflict was seen until ANNOUNCE_WAIT after the last probe.", ("5227-2.1.1-g",)),
    "acd_announce": Reason("An announcement tells the link that the address is ours.", ("5227-2.3-a",)),
    "acd_defend_once": Reason(
        "Another host claims the address, for the first time in DEFEND_INTERVAL: one announcement answers.",
        ("5227-2.4-d", "5227-2.4-a"),
    ),
    "acd_defend_always": Reason(
        "Another host claims the address, which this host must not give up: one announcement answers.",
        ("5227-2.4-f", "5227-2.4-g"),
    ),
    "acd_defended_lately": Reason(
        "The address was defended within DEFEND_INTERVAL, so this claim gets no announcement.", ("5227-2.4-h",)
    ),
    "acd_second_conflict": Reason(
        "A second conflict came within DEFEND_INTERVAL, so the address is given up at once.", ("5227-2.4-e",)
    ),
    # --- ICMP: sending
    "icmp_echo_asked": Reason(
        "An Echo Request is answered with all its data.", ("1122-3.2.2.6-a", "792-echo-a", "792-echo-b")
    ),
    "icmp_time_asked": Reason("A Timestamp request is answered, since that is configured.", ("1122-3.2.2.8-a",)),
    "icmp_ping": Reason("The program sends an Echo Request.", ("1122-3.2.2.6-b",)),
    "icmp_no_protocol": Reason(
        "No protocol of this host takes the datagram, so its sender gets Protocol Unreachable.",
        ("1122-3.2.2.1-a", "792-du-c"),
    ),
    "icmp_no_port": Reason(
        "No socket is bound to the datagram's port, so its sender gets Port Unreachable.",
        ("1122-4.1.3.1-a", "1122-3.2.2.1-a"),
    ),
    "icmp_no_forwarding": Reason(
        "The datagram's source route goes on from here, and this host forwards nothing.", ("1122-3.3.5-j",)
    ),
    "icmp_wrong_header": Reason(
        "An option of the datagram is wrong, and a Parameter Problem points to it.", ("1122-3.2.2.5-a", "792-pp-a")
    ),
    "icmp_fragments_missing": Reason(
        "The other fragments of the datagram did not come in time.", ("1122-3.3.2-e", "792-te-a")
    ),
    # --- ICMP: errors that may not be sent
    "icmp_not_about_broadcast": Reason(
        "No error is sent about a datagram that was broadcast or multicast: all its receivers would send one.",
        ("1122-3.2.2-g", "1122-3.2.2-h"),
    ),
    "icmp_not_to_many": Reason("No error is sent to a source that is not a single host.", ("1122-3.2.2-j",)),
    "icmp_not_about_later_fragment": Reason(
        "No error is sent about a fragment other than the first.", ("1122-3.2.2-i",)
    ),
    "icmp_not_about_error": Reason(
        "No error is sent about an ICMP error: two hosts could go on for ever.", ("1122-3.2.2-f",)
    ),
    # --- ICMP: what comes
    "icmp_reply": Reason("The Echo Reply to our request has come.", ("1122-3.2.2.6-h",)),
    "icmp_hard": Reason(
        "The error says that what we sent cannot be delivered: for UDP and an open connection attempt it is final.",
        ("1122-3.2.2-d", "1122-3.2.2.1-b"),
    ),
    "icmp_soft": Reason(
        "The error may be temporary: it is only a hint that the destination cannot be reached.",
        ("1122-3.2.2-d", "1122-3.2.2.1-d"),
    ),
    "icmp_too_big": Reason(
        "A router could not forward a datagram with DF: it is larger than the next link's MTU.", ("1191-3-a",)
    ),
    "icmp_other_gateway": Reason(
        "A Redirect names a better gateway for this destination, and quotes a datagram of ours.", ("1122-3.2.2.2-b",)
    ),
    # --- UDP
    "udp_best_match": Reason(
        "Of the sockets bound to the port, the one that matches best gets the datagram.", ("own",)
    ),
    "udp_broadcast": Reason("A broadcast goes to each socket that matches.", ("own",)),
    "udp_claimed": Reason("The host itself uses the port, for DHCP.", ("2131-4.1-b",)),
}
