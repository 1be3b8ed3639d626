"""The internet layer: ARP, IPv4 and ICMP, each way in and out.

Read `ipv4.py` first (what the parts are and who calls them), then `ipv4_input.py` for a packet's way in and `path.py`
for its way out. Nothing here waits, reads a clock or draws a random number.
"""
