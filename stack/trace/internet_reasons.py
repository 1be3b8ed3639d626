"""Why ARP, IP, ICMP, UDP and DHCP do what they do: the reasons, by the word that the code says."""

from __future__ import annotations

from stack.trace.reason import Reason

INTERNET_REASONS: dict[str, Reason] = {
    # --- the wire (stack.link.impair)
    "wire_lost": Reason("The wire loses the frame, by chance.", ("own",)),
    "wire_lost_on_purpose": Reason("The wire loses the frame, since it was told to lose this one.", ("own",)),
    "wire_queue_full": Reason("The queue before the wire is full, so the frame is lost.", ("own",)),
    "wire_duplicated": Reason("The wire delivers the frame twice.", ("own",)),
    "wire_corrupted": Reason("The wire changes a bit of the frame.", ("own",)),
    "wire_corrupted_ethernet": Reason(
        "The wire changes a bit of the Ethernet header. The frame check sequence of a cable covers it; a TAP has none.",
        ("own",),
    ),
    "wire_corrupted_ip": Reason("The wire changes a bit of the IP header. The header checksum covers it.", ("own",)),
    "wire_corrupted_transport": Reason(
        "The wire changes a bit of the TCP, UDP or ICMP header. The checksum in that header covers it.", ("own",)
    ),
    "wire_corrupted_data": Reason(
        "The wire changes a bit of the data. The checksum of TCP, UDP or ICMP covers it.", ("own",)
    ),
    "wire_too_large": Reason(
        "The packet is too large for the path, and no ICMP message says so: an MTU black hole.", ("own",)
    ),
    "wire_swapped": Reason("The wire lets the next frame of the kind pass before this one.", ("own",)),
    "wire_held_back": Reason("The wire holds the frame back, so that later ones overtake it.", ("own",)),
    "wire_delayed": Reason("The frame takes some time to pass the wire.", ("own",)),
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
    "arp_learnt": Reason("A request for our address brings the station address of its sender.", ("826-rcv-g",)),
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
    "arp_asked_inverse": Reason(
        "A station knows our station address and asks for our IP address (InARP, RFC 2390).", ("own",)
    ),
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
    # --- IP: routes
    "route_to_ourselves": Reason(
        "The destination is an address of ours, so the datagram stays in this host.", ("own",)
    ),
    "route_to_many": Reason("A broadcast or multicast goes to the link without a gateway.", ("1122-3.3.1.1-c",)),
    "route_link_local": Reason(
        "A link-local address is only valid on the link, so no gateway is used.", ("3927-2.6.2-a", "3927-2.7-a")
    ),
    "route_on_link": Reason(
        "The destination is on the link: it agrees with the prefix under its mask.", ("1122-3.3.1.1-a", "950-2.2-a")
    ),
    "route_by_gateway": Reason(
        "The destination is on none of our networks, so the datagram goes to a gateway.",
        ("1122-3.3.1.1-a", "1122-3.3.1.2-c"),
    ),
    "route_redirected": Reason(
        "A Redirect of the first hop names another gateway for this one host.", ("1122-3.2.2.2-b", "1122-3.3.1.2-b")
    ),
    "route_connected": Reason("An address of ours connects the host to this network.", ("1122-3.3.1.1-a",)),
    "route_given": Reason("The user has set the route.", ("1122-3.3.1.6-a", "1122-3.3.1.2-e")),
    "route_of_lease": Reason("The lease has the route.", ("2132-3.5-b", "3442-client-b")),
    "route_taken_away": Reason("The user has removed the route.", ("own",)),
    "route_lease_over": Reason("The lease that had the route has ended, or has other routes now.", ("own",)),
    "route_interface_gone": Reason("The interface is removed.", ("own",)),
    "route_address_gone": Reason("The route sends from an address that is no longer ours.", ("own",)),
    "route_gateway_off_link": Reason(
        "The gateway is on none of our networks any longer, and a gateway must be a neighbour.", ("1122-3.3.1.1-a",)
    ),
    "redirect_suspected": Reason(
        "TCP reports that packets do not seem to arrive, so the Redirect is forgotten.", ("1122-3.3.1.4-f",)
    ),
    "redirect_old": Reason(
        "A gateway should not be used for ever without a sign that it works, so a Redirect expires.",
        ("1122-3.3.1.4-b",),
    ),
    "redirects_full": Reason("The table of Redirects is full: the oldest makes room.", ("own",)),
    "redirects_out_of_date": Reason(
        "The configured routes have changed, and a Redirect is only a hint about the old ones.", ("own",)
    ),
    "gateway_silent": Reason(
        "The gateway does not answer ARP, so other gateways are preferred for a while.",
        ("1122-3.3.1.4-a", "1122-3.3.1.5-a"),
    ),
    "gateway_answered": Reason("The gateway has answered ARP, so it is used again.", ("own",)),
    # --- IP: path MTU, fragments, Identification
    "mtu_from_router": Reason(
        "A router says that larger datagrams do not pass. All that is sent on this path is smaller now.",
        ("1191-3-a", "1191-6.2-a"),
    ),
    "mtu_probed": Reason(
        "Large segments are lost and small ones pass: no router has said so, but the path seems to be a black hole.",
        ("4821-7.7-a",),
    ),
    "mtu_old": Reason(
        "The path MTU was not lowered for a while. It is forgotten, so that a larger one is found.", ("1191-6.3-a",)
    ),
    "mtu_of_interface": Reason("The MTU of the interface was set.", ("1122-3.3.3-e",)),
    "larger_than_mtu": Reason(
        "The datagram is larger than the path MTU and may be fragmented. Fragments begin at multiples of 8 octets.",
        ("1122-3.3.3-b", "791-3.2-d"),
    ),
    "may_not_fragment": Reason(
        "The datagram is larger than the path MTU and has DF: it must not be fragmented.", ("791-3.2-h", "6864-4.3-b")
    ),
    "fragment_waits": Reason(
        "The fragment fills a part of a hole. Others are missing, so the datagram waits.", ("815-3-c", "791-3.2-b")
    ),
    "fragments_complete": Reason("No hole is left: the datagram is complete.", ("815-3-f",)),
    "fragments_differ": Reason(
        "Two fragments have different octets for the same place, or different ends: the datagram is discarded, with"
        " the fragments that are still to come.",
        ("5722-4-b",),
    ),
    "fragments_scattered": Reason(
        "The fragments leave more holes than one datagram may have here: it is discarded.", ("own",)
    ),
    "fragments_no_room": Reason(
        "There are too many incomplete datagrams, or octets of them: the oldest makes room.", ("own",)
    ),
    "fragments_late": Reason("The missing fragments did not come in time.", ("1122-3.3.2-e", "791-3.2-m")),
    "fragments_not_needed": Reason("The whole datagram has come, so its fragments are discarded.", ("791-3.2-j",)),
    "fragments_interface_gone": Reason("The interface that the fragments came in by is removed.", ("own",)),
    "ident_counts": Reason(
        "The datagram may be fragmented, so it has the next Identification for its addresses and protocol.",
        ("791-3.2-o", "6864-4.3-a"),
    ),
    "ident_random": Reason(
        "The Identification of an error or reset is random. A counter would show others that one was sent.", ("own",)
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
        "A router could not forward a datagram that has DF and is larger than the MTU of the next link.", ("1191-3-a",)
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
    # --- DHCP: states
    "dhcp_start": Reason("The client is told to get an address.", ("own",)),
    "dhcp_inform": Reason(
        "The address is set by other means: only the other parameters are asked for.", ("2131-4.4.3-a",)
    ),
    "dhcp_stop": Reason("The client is told to stop.", ("own",)),
    "dhcp_look_for_servers": Reason("A DHCPDISCOVER to all asks which servers there are.", ("2131-4.4.1-g",)),
    "dhcp_ask_again_for_address": Reason(
        "The client had an address and asks whether it may use it again.", ("2131-4.4.2-a", "2131-3.2-a")
    ),
    "dhcp_take_offer": Reason(
        "An offer is chosen. The DHCPREQUEST names its server, so the others know that theirs are not.",
        ("2131-3.1-b", "2131-4.3.2-b"),
    ),
    "dhcp_acknowledged": Reason(
        "The server has acknowledged, and no other host has the address: the lease counts from the request.",
        ("2131-4.4.1-k", "2131-4.4.5-e"),
    ),
    "dhcp_refused": Reason(
        "A DHCPNAK refuses the address, so the client begins again.", ("2131-3.1-i", "2131-3.2-d", "2131-4.4-a")
    ),
    "dhcp_address_taken": Reason(
        "Another host has the address: the client declines it and begins again.", ("2131-3.1-g", "2131-4.4.1-n")
    ),
    "dhcp_unanswered": Reason("The last attempt was not answered.", ("2131-3.1-j",)),
    "dhcp_t1": Reason("T1 has passed: the client asks its server to extend the lease.", ("2131-4.4.5-b",)),
    "dhcp_t2": Reason(
        "T2 has passed without an answer: the client asks any server to extend the lease.", ("2131-4.4.5-f",)
    ),
    "dhcp_expired": Reason(
        "The lease has expired: the address may not be used any longer.", ("2131-4.4.5-j", "2131-3.7-b")
    ),
    "dhcp_network_changed": Reason(
        "The host may be on another network now, so the address is verified.", ("2131-3.7-a",)
    ),
    "dhcp_released": Reason("The address is not needed any longer and is given back.", ("2131-4.4.6-a",)),
    # --- DHCP: choices and waits
    "dhcp_only_offer": Reason(
        "It is the only offer. RFC 2131 section 4.4.1 leaves the choice to the client.", ("own",)
    ),
    "dhcp_better_server": Reason("Its server has failed less often than the others since the last lease.", ("own",)),
    "dhcp_wanted_address": Reason("It is the address that was asked for, so connections may survive.", ("own",)),
    "dhcp_same_server": Reason("Its server gave the last lease.", ("own",)),
    "dhcp_has_route": Reason("It has a route out of the subnet, and the others have none.", ("own",)),
    "dhcp_first_offer": Reason("It came first: its server is the nearest, or the least busy.", ("own",)),
    "dhcp_wait_at_start": Reason(
        "The first message waits for a random time, so that hosts that start together do not all ask at once.",
        ("2131-4.4.1-a",),
    ),
    "dhcp_wait_after_refusal": Reason(
        "A server refused what it had offered. The client waits, so that it does not ask without end.", ("own",)
    ),
    "dhcp_wait_after_conflict": Reason(
        "An address was declined. The client waits, so that repeated conflicts do not flood the network.",
        ("2131-3.1-h", "5227-2.1.1-dhcp-a"),
    ),
}
