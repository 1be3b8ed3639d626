"""The internet layer: ARP, IPv4 and ICMP, for packets in and packets out.

Read `ipv4.py` first: it names the parts and their callers. `ipv4_input.py` then shows how a packet
comes in, and `path.py` how one goes out. Nothing here waits, reads a clock or draws a random
number.
"""
