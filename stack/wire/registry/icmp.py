"""ICMP types and codes: "Internet Control Message Protocol (ICMP) Parameters"."""

ICMP_TYPES = """
# type  name  reference
0    echo reply                     RFC 792
3    destination unreachable        RFC 792
4    source quench                  RFC 792, deprecated by RFC 6633
5    redirect                       RFC 792
6    alternate host address         deprecated by RFC 6918
8    echo request                   RFC 792
9    router advertisement           RFC 1256
10   router solicitation            RFC 1256
11   time exceeded                  RFC 792
12   parameter problem              RFC 792
13   timestamp request              RFC 792
14   timestamp reply                RFC 792
15   information request            RFC 792, deprecated by RFC 6918
16   information reply              RFC 792, deprecated by RFC 6918
17   address mask request           RFC 950, deprecated by RFC 6918
18   address mask reply             RFC 950, deprecated by RFC 6918
19   reserved for security
20-29  robustness experiment
30   traceroute                     RFC 1393, deprecated by RFC 6918
31   datagram conversion error      RFC 1475, deprecated by RFC 6918
32   mobile host redirect           deprecated by RFC 6918
33   IPv6 where-are-you             deprecated by RFC 6918
34   IPv6 I-am-here                 deprecated by RFC 6918
35   mobile registration request    deprecated by RFC 6918
36   mobile registration reply      deprecated by RFC 6918
37   domain name request            RFC 1788, deprecated by RFC 6918
38   domain name reply              RFC 1788, deprecated by RFC 6918
39   SKIP                           deprecated by RFC 6918
40   Photuris                       RFC 2521
41   experimental mobility          RFC 4065
42   extended echo request          RFC 8335
43   extended echo reply            RFC 8335
253  experiment 1                   RFC 4727
254  experiment 2                   RFC 4727
"""

ICMP_CODES = """
# type  code  name
3   0   net unreachable
3   1   host unreachable
3   2   protocol unreachable
3   3   port unreachable
3   4   fragmentation needed and DF set
3   5   source route failed
3   6   destination network unknown
3   7   destination host unknown
3   8   source host isolated
3   9   communication with destination network administratively prohibited
3   10  communication with destination host administratively prohibited
3   11  destination network unreachable for type of service
3   12  destination host unreachable for type of service
3   13  communication administratively prohibited
3   14  host precedence violation
3   15  precedence cutoff in effect
5   0   redirect for the network
5   1   redirect for the host
5   2   redirect for the type of service and network
5   3   redirect for the type of service and host
6   0   alternate address for host
9   0   normal router advertisement
9   16  does not route common traffic
11  0   time to live exceeded in transit
11  1   fragment reassembly time exceeded
12  0   pointer indicates the error
12  1   missing a required option
12  2   bad length
40  0   bad SPI
40  1   authentication failed
40  2   decompression failed
40  3   decryption failed
40  4   need authentication
40  5   need authorization
43  0   no error
43  1   malformed query
43  2   no such interface
43  3   no such table entry
43  4   multiple interfaces satisfy query
"""
