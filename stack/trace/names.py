"""The names of the events, each with a sentence and the clauses it is about.

An event with a reason ("because") has the clauses of that reason.
"""

from __future__ import annotations

from stack.trace.reason import Reason

NAMES: dict[str, Reason] = {
    "wire:frame": Reason("a frame comes in or goes out", ("own",)),
    "wire:fate": Reason("a bad wire does something to a frame", ("own",)),
    "host:done": Reason("a frame has been processed", ("own",)),
    "host:drop": Reason("a packet is dropped", ("own",)),
    "host:call": Reason("the program makes a call", ("own",)),
    "arp:ask": Reason("an ARP request is sent", ("own",)),
    "arp:answer": Reason("an ARP packet is answered", ("own",)),
    "arp:wait": Reason("a datagram waits for a station address", ("own",)),
    "arp:entry": Reason("an entry of the ARP cache changes, or is confirmed", ("own",)),
    "acd:state": Reason("what is known of a conflict about an address changes", ("own",)),
    "ip:route": Reason("a route is chosen for a path, or the routing table changes", ("own",)),
    "ip:mtu": Reason("a path MTU changes", ("own",)),
    "ip:ident": Reason("a datagram gets its Identification", ("own",)),
    "ip:fragment": Reason("a fragment is sent", ("own",)),
    "ip:not_sent": Reason("a datagram is not sent", ("own",)),
    "ip:reassembly": Reason("a fragment comes, or a datagram is complete or given up", ("own",)),
    "icmp:sent": Reason("an ICMP message is sent", ("own",)),
    "icmp:not_sent": Reason("an ICMP error may not be sent", ("1122-3.2.2-k",)),
    "icmp:taken": Reason(
        "an ICMP message is handed to the connection, socket or ping that it concerns", ("1122-3.2.2-d",)
    ),
    "udp:taken": Reason("a UDP datagram is put into the queue of a socket", ("own",)),
    "udp:sent": Reason("a UDP datagram is handed to IP", ("own",)),
    "host:result": Reason("a call of the program returns a number of octets, must wait, or fails", ("own",)),
    "tcp:open": Reason("a connection gets the number by which the events name it", ("own",)),
    "tcp:iss": Reason("the initial sequence number of our side is chosen", ("9293 MUST-8",)),
    "tcp:agreed": Reason("both SYNs have come, so the options are known", ("own",)),
    "tcp:fast_open": Reason("TCP Fast Open is asked for, used, or refused", ("own",)),
    "tcp:listener": Reason("a listening port has taken, refused or answered a segment", ("own",)),
    "tcp:reset": Reason("a segment of no connection is answered by a reset, or not", ("9293-3.5.2-a",)),
    "tcp:timer": Reason("a timer is set, cleared, or has expired", ("own",)),
    "tcp:delta": Reason("variables of the TCB have other values; one that was not told yet is 0", ("own",)),
    "tcp:state": Reason("the state of a connection changes", ("own",)),
    "tcp:window": Reason("the peer offers another send window", ("9293-3.10.7.4-p",)),
    "tcp:rtt": Reason("a round trip was measured, or could not be", ("9293 MUST-18",)),
    "tcp:recovery": Reason("an episode of loss recovery begins, goes on, or is over", ("own",)),
    "tcp:phase": Reason("the congestion window changes by another rule from now on", ("5681-3.1-a",)),
    "tcp:dsack": Reason("the peer reports octets that it had already", ("2883-5-a",)),
    "tcp:mtu": Reason("a packet may have been too large for the path", ("own",)),
    "tcp:urgent": Reason("urgent data is announced", ("own",)),
    "tcp:undo": Reason("a retransmission was not needed, and what it did to cwnd is undone", ("own",)),
    "tcp:ack": Reason("an ACK is sent now, later, with data, or not", ("9293 MUST-58",)),
    "tcp:send": Reason("a segment is sent, for the first time or again", ("own",)),
    "tcp:blocked": Reason("nothing, or no more, is sent now", ("own",)),
    "tcp:buffer": Reason("a buffer changes its size", ("own",)),
    "tcp:ecn": Reason("a router has marked a packet, or the sender has reacted to it", ("3168-6.1.3-a",)),
    "tcp:pruned": Reason("out-of-order text is dropped to save memory", ("own",)),
    "tcp:loss": Reason(
        "a loss is found, or congestion is reported, so the congestion window is reduced", ("5681-3.1-g",)
    ),
    "dhcp:send": Reason("the DHCP client sends a message", ("2131-4.1-l",)),
    "dhcp:receive": Reason("a DHCP message comes", ("2131-4.1-s",)),
    "dhcp:drop": Reason("a DHCP message is ignored", ("own",)),
    "dhcp:offer": Reason("an offer is kept", ("2131-4.3.1-a",)),
    "dhcp:choice": Reason("an offer is chosen", ("own",)),
    "dhcp:probe": Reason(
        "an address is probed",
        (
            "2131-4.4.1-l",
            "2131-2.2-a",
        ),
    ),
    "dhcp:bound": Reason(
        "a lease begins, or is extended",
        (
            "2131-4.4.1-k",
            "2131-4.4.5-e",
        ),
    ),
    "dhcp:unbound": Reason("a lease ends", ("own",)),
    "dhcp:wait": Reason("the DHCP client waits", ("own",)),
    "dhcp:note": Reason("something to know about a lease", ("own",)),
    "dhcp:conflict": Reason(
        "another host has the address",
        (
            "2131-3.1-g",
            "2131-4.4.1-n",
        ),
    ),
    "dhcp:state": Reason("the state of the DHCP client changes", ("own",)),
    "lab:wire": Reason("the user changes what the wire does to frames", ("own",)),
    "lab:setting": Reason("the user changes a setting, for connections that are opened later", ("own",)),
    "lab:mark": Reason("the user marks this moment", ("own",)),
    "lab:break": Reason("the user breaks something on purpose", ("own",)),
    "dhcp:link_local": Reason("a link-local address is used meanwhile", ("3927-1.9-f",)),
}
