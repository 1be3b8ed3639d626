"""Types, classes and codes: "Domain Name System (DNS) Parameters"."""

DNS_TYPES = """
# type  name  reference
1      A           RFC 1035
2      NS          RFC 1035
3      MD          RFC 1035, obsolete
4      MF          RFC 1035, obsolete
5      CNAME       RFC 1035
6      SOA         RFC 1035
7      MB          RFC 1035
8      MG          RFC 1035
9      MR          RFC 1035
10     NULL        RFC 1035
11     WKS         RFC 1035
12     PTR         RFC 1035
13     HINFO       RFC 1035
14     MINFO       RFC 1035
15     MX          RFC 1035
16     TXT         RFC 1035
17     RP          RFC 1183
18     AFSDB       RFC 1183
24     SIG         RFC 2535
25     KEY         RFC 2535
28     AAAA        RFC 3596
29     LOC         RFC 1876
33     SRV         RFC 2782
35     NAPTR       RFC 3403
36     KX          RFC 2230
37     CERT        RFC 4398
39     DNAME       RFC 6672
41     OPT         RFC 6891
42     APL         RFC 3123
43     DS          RFC 4034
44     SSHFP       RFC 4255
45     IPSECKEY    RFC 4025
46     RRSIG       RFC 4034
47     NSEC        RFC 4034
48     DNSKEY      RFC 4034
49     DHCID       RFC 4701
50     NSEC3       RFC 5155
51     NSEC3PARAM  RFC 5155
52     TLSA        RFC 6698
53     SMIMEA      RFC 8162
55     HIP         RFC 8005
59     CDS         RFC 7344
60     CDNSKEY     RFC 7344
61     OPENPGPKEY  RFC 7929
62     CSYNC       RFC 7477
63     ZONEMD      RFC 8976
64     SVCB        RFC 9460
65     HTTPS       RFC 9460
99     SPF         RFC 7208, obsolete
108    EUI48       RFC 7043
109    EUI64       RFC 7043
249    TKEY        RFC 2930
250    TSIG        RFC 8945
251    IXFR        RFC 1995
252    AXFR        RFC 1035
253    MAILB       RFC 1035
254    MAILA       RFC 1035, obsolete
255    ANY         RFC 1035, RFC 8482
256    URI         RFC 7553
257    CAA         RFC 8659
"""

DNS_CLASSES = """
# class  name  reference
1    IN    RFC 1035
2    CS    RFC 1035, obsolete
3    CH    RFC 1035
4    HS    RFC 1035
254  NONE  RFC 2136
255  ANY   RFC 1035
"""

DNS_OPCODES = """
# opcode  name  reference
0  query          RFC 1035
1  inverse query  RFC 3425, obsolete
2  status         RFC 1035
4  notify         RFC 1996
5  update         RFC 2136
6  stateful       RFC 8490
"""

DNS_RESPONSE_CODES = """
# rcode  name  reference
0   no error         RFC 1035
1   format error     RFC 1035
2   server failure   RFC 1035
3   name error       RFC 1035
4   not implemented  RFC 1035
5   refused          RFC 1035
6   name exists      RFC 2136
7   record exists    RFC 2136
8   no such record   RFC 2136
9   not authorized   RFC 2136, RFC 8945
10  not in the zone  RFC 2136
16  bad version      RFC 6891
17  bad key          RFC 8945
18  bad time         RFC 8945
23  bad cookie       RFC 7873
"""

EDNS_OPTIONS = """
# code  name  reference
3   name server identifier  RFC 5001
5   DAU                     RFC 6975
6   DHU                     RFC 6975
7   N3U                     RFC 6975
8   client subnet           RFC 7871
9   expire                  RFC 7314
10  cookie                  RFC 7873
11  TCP keep-alive          RFC 7828
12  padding                 RFC 7830
13  chain                   RFC 7901
14  key tag                 RFC 8145
15  extended error          RFC 8914
"""

SVCB_KEYS = """
# key  name  reference
0  mandatory        RFC 9460
1  alpn             RFC 9460
2  no-default-alpn  RFC 9460
3  port             RFC 9460
4  ipv4hint         RFC 9460
5  ech              RFC 9460
6  ipv6hint         RFC 9460
7  dohpath          RFC 9461
"""
