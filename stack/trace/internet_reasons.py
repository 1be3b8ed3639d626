"""Why ARP, IP, ICMP, UDP and DHCP do what they do: the reasons, by the word that the code says."""

from __future__ import annotations

from stack.trace.reason import Reason

INTERNET_REASONS: dict[str, Reason] = {
    # --- ARP: asking
    "arp_no_entry": Reason(
        "the cache has no station address for the next hop, so all stations are asked", ("826-gen-b", "826-gen-d")
    ),
    "arp_not_known_yet": Reason(
        "the datagram waits until the station address of the next hop is known", ("1122-2.3.2.2-arp-a",)
    ),
    "arp_old": Reason(
        "the entry is in use and was not confirmed for a while, so its station is asked again",
        ("1122-2.3.2.1-arp-f", "826-aging-b"),
    ),
    "arp_stale_used": Reason(
        "the entry is stale and is used again: the packet is sent, and the station is asked", ("826-aging-b",)
    ),
    "arp_suspected": Reason(
        "a higher layer reports that packets do not seem to arrive, so the entry is verified", ("1122-2.3.2.1-arp-g",)
    ),
    "arp_claimed": Reason(
        "another station claims the address. Any station can send such a packet, so the known one is asked first",
        ("own",),
    ),
    "arp_answer_late": Reason(
        "the known station has not answered, but acknowledgments still come through it, so it is asked once more",
        ("own",),
    ),
    # --- ARP: learning and forgetting
    "arp_learnt": Reason("a request for our address names its sender's station address", ("826-rcv-g",)),
    "arp_answered": Reason("the station that has the address has answered", ("826-rcv-e",)),
    "arp_verified": Reason("an ARP packet of the known station confirms the entry", ("1122-2.3.2.1-arp-e",)),
    "arp_moved": Reason("the entry was in doubt, and another station says that it has the address", ("826-rcv-l",)),
    "arp_claim_believed": Reason(
        "the known station does not answer, so the station that claims the address is believed", ("826-rcv-l",)
    ),
    "arp_unused": Reason(
        "no packet has used the entry since it was confirmed, so it is not asked for again", ("826-aging-a",)
    ),
    "arp_unused_long": Reason("the entry is out of date, and nothing uses it", ("1122-2.3.2.1-arp-a",)),
    "arp_acknowledged": Reason(
        "no answer has come, but what was sent through the station is acknowledged, so the entry is kept once",
        ("own",),
    ),
    "arp_no_answer": Reason("the address did not answer the requests", ("1122-2.3.2.1-arp-a",)),
    "arp_no_room": Reason("the cache is full, and this entry is one of the least useful", ("own",)),
    "arp_set_by_user": Reason("the user has set the station address: ARP packets do not change it", ("own",)),
    "arp_removed_by_user": Reason("the user has removed the entry", ("own",)),
    "arp_link_down": Reason("the link was down or is removed, and other hosts may have the addresses now", ("own",)),
    "arp_off_link": Reason("our addresses have changed, and this one is no neighbour any longer", ("own",)),
    # --- ARP: answering
    "arp_asked_for_us": Reason(
        "a request for our address is answered, to its sender alone", ("826-rcv-i", "826-rcv-j")
    ),
    "arp_asked_for_published": Reason(
        "the user has told us to answer for this address (proxy ARP, RFC 1027)", ("own",)
    ),
    "arp_asked_inverse": Reason("a station asks for the address of ours (InARP, RFC 2390)", ("own",)),
    "arp_asked_reverse": Reason(
        "a station asks for its own address, which the user has told us (RARP, RFC 903)", ("own",)
    ),
    # --- address conflict detection
    "acd_random_wait": Reason(
        "the first probe waits for a random time, so that hosts that start together do not probe together",
        ("5227-2.1.1-b",),
    ),
    "acd_probe": Reason("a probe asks whether another host has the address", ("5227-2.1.1-b", "5227-2.1-a")),
    "acd_many_conflicts": Reason(
        "there were MAX_CONFLICTS conflicts: from now on one address is probed in RATE_LIMIT_INTERVAL",
        ("5227-2.1.1-f",),
    ),
    "acd_in_use": Reason("an ARP packet has the address as its sender: another host uses it", ("5227-2.1.1-c",)),
    "acd_both_probe": Reason("another host probes for the same address", ("5227-2.1.1-d",)),
    "acd_free": Reason("no conflict was seen until ANNOUNCE_WAIT after the last probe", ("5227-2.1.1-g",)),
    "acd_announce": Reason("an announcement tells the link that the address is ours", ("5227-2.3-a",)),
    "acd_defend_once": Reason(
        "another host claims the address, for the first time in DEFEND_INTERVAL: one announcement answers",
        ("5227-2.4-d", "5227-2.4-a"),
    ),
    "acd_defend_always": Reason(
        "another host claims the address, which this host must not give up: one announcement answers",
        ("5227-2.4-f", "5227-2.4-g"),
    ),
    "acd_defended_lately": Reason(
        "the address was defended within DEFEND_INTERVAL, so this claim gets no announcement", ("5227-2.4-h",)
    ),
    "acd_second_conflict": Reason(
        "a second conflict came within DEFEND_INTERVAL, so the address is given up at once", ("5227-2.4-e",)
    ),
}
