"""Options of the IPv4 and the TCP header.

IANA's registries are "IP Option Numbers" and "TCP Option Kind Numbers". RFC 7126 section 4 tells of
each option of IPv4, RFC 7414 of those of TCP.
"""

IP_OPTIONS = """
# type  name  reference
0    end                                 RFC 791
1    no-op                               RFC 791
7    record route                        RFC 791
10   experimental measurement            no open specification (RFC 7126 section 4.23)
11   probe MTU                           RFC 1063, obsoleted by RFC 1191
12   reply MTU                           RFC 1063, obsoleted by RFC 1191
15   encode                              deprecated by RFC 6814
25   quick-start                         RFC 4782
30   experiment, not copied, control     RFC 4727
68   timestamp                           RFC 791
82   traceroute                          RFC 1393, deprecated by RFC 6814
94   experiment, not copied, debugging   RFC 4727
130  security                            RFC 1108
131  loose source route                  RFC 791
133  extended security                   RFC 1108
134  commercial security
136  stream id                           RFC 791, deprecated by RFC 6814
137  strict source route                 RFC 791
142  experimental access control (VISA)  deprecated by RFC 6814
144  IMI traffic descriptor              no open specification (RFC 7126 section 4.23)
145  extended internet protocol          RFC 1385, deprecated by RFC 6814
147  address extension                   deprecated by RFC 6814
148  router alert                        RFC 2113
149  selective directed broadcast        RFC 1770, deprecated by RFC 6814
151  dynamic packet state                deprecated by RFC 6814
152  upstream multicast packet           deprecated by RFC 6814
158  experiment, copied, control         RFC 4727
205  experimental flow control           no open specification (RFC 7126 section 4.23)
222  experiment, copied, debugging       RFC 4727
"""

TCP_OPTIONS = """
# kind  name  reference
0    end                            RFC 9293
1    no-op                          RFC 9293
2    mss                            RFC 9293
3    window scale                   RFC 7323
4    SACK permitted                 RFC 2018
5    SACK                           RFC 2018
6    echo                           RFC 1072, obsoleted by the timestamps of RFC 7323
7    echo reply                     RFC 1072, obsoleted by the timestamps of RFC 7323
8    timestamps                     RFC 7323
9    partial order permitted        RFC 1693, historic by RFC 6247
10   partial order service profile  RFC 1693, historic by RFC 6247
11   connection count               RFC 1644, historic by RFC 6247
12   connection count new           RFC 1644, historic by RFC 6247
13   connection count echo          RFC 1644, historic by RFC 6247
14   alternate checksum request     RFC 1146, historic by RFC 6247
15   alternate checksum data        RFC 1146, historic by RFC 6247
16   skeeter
17   bubba
18   trailer checksum
19   MD5 signature                  RFC 2385, obsoleted by RFC 5925
20   SCPS capabilities
21   selective negative ACK
22   record boundaries
23   corruption experienced
24   SNAP
26   compression filter
27   quick-start response           RFC 4782
28   user timeout                   RFC 5482
29   TCP-AO                         RFC 5925
30   multipath TCP                  RFC 8684
34   fast open                      RFC 7413
69   encryption negotiation         RFC 8547
172  accurate ECN order 0           RFC 9768
174  accurate ECN order 1           RFC 9768
253  experiment 1                   RFC 4727
254  experiment 2                   RFC 4727
"""
