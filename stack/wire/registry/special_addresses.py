"""IPv4 addresses with a special purpose.

IANA's registries are "IPv4 Special-Purpose Address Space" (RFC 6890) and "IPv4 Multicast Address
Space" (RFC 5771).
"""

SPECIAL_ADDRESSES = """
# prefix  name  reference
0.0.0.0/8           This Network                      RFC 791 section 3.2
0.0.0.0/32          This Host on This Network         RFC 1122 section 3.2.1.3
10.0.0.0/8          Private Internet                  RFC 1918
100.64.0.0/10       Shared Address Space              RFC 6598
127.0.0.0/8         Loopback                          RFC 1122 section 3.2.1.3
169.254.0.0/16      Link Local                        RFC 3927
172.16.0.0/12       Private Internet                  RFC 1918
192.0.0.0/24        IETF Protocol Assignments         RFC 6890
192.0.0.0/29        IPv4 Service Continuity           RFC 7335
192.0.0.8/32        IPv4 Dummy Address                RFC 7600
192.0.0.9/32        Port Control Protocol Anycast     RFC 7723
192.0.0.10/32       TURN Anycast                      RFC 8155
192.0.0.170/31      NAT64/DNS64 Discovery             RFC 8880
192.0.2.0/24        Documentation                     RFC 5737
192.31.196.0/24     AS112                             RFC 7535
192.52.193.0/24     Automatic Multicast Tunneling     RFC 7450
192.88.99.0/24      6to4 Relay Anycast (deprecated)   RFC 7526
192.168.0.0/16      Private Internet                  RFC 1918
192.175.48.0/24     AS112, Direct Delegation          RFC 7534
198.18.0.0/15       Benchmarking                      RFC 2544
198.51.100.0/24     Documentation                     RFC 5737
203.0.113.0/24      Documentation                     RFC 5737
224.0.0.0/4         Multicast                         RFC 5771
224.0.0.0/24        Multicast on the Local Network    RFC 5771
232.0.0.0/8         Source-Specific Multicast         RFC 4607
233.252.0.0/24      Multicast Documentation           RFC 6676
239.0.0.0/8         Administratively Scoped Multicast  RFC 2365
240.0.0.0/4         Reserved                          RFC 1112 section 4
255.255.255.255/32  Limited Broadcast                 RFC 919
"""
