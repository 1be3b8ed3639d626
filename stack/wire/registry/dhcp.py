"""DHCP message types and options (RFC 2132), and the RFCs that define them.

IANA's registry is "Dynamic Host Configuration Protocol (DHCP) and BOOTP Parameters".
"""

DHCP_MESSAGE_TYPES = """
# value  name
1   DISCOVER
2   OFFER
3   REQUEST
4   DECLINE
5   ACK
6   NAK
7   RELEASE
8   INFORM
9   FORCERENEW
10  LEASEQUERY
11  LEASEUNASSIGNED
12  LEASEUNKNOWN
13  LEASEACTIVE
"""

DHCP_OPTIONS = """
# code  name  kind of value, for showing: address, addresses, seconds, number, text or nothing (bytes)
0    pad
1    subnet mask                  address
2    time offset                  number
3    router                       addresses
4    time server                  addresses
5    name server                  addresses
6    domain name server           addresses
7    log server                   addresses
8    cookie server                addresses
9    LPR server                   addresses
10   Impress server               addresses
11   resource location server     addresses
12   host name                    text
13   boot file size               number
14   merit dump file              text
15   domain name                  text
16   swap server                  address
17   root path                    text
18   extensions path              text
19   IP forwarding                number
20   non-local source routing     number
21   policy filter                addresses
22   maximum reassembly size      number
23   default IP TTL               number
24   path MTU aging timeout       seconds
25   path MTU plateau table
26   interface MTU                number
27   all subnets are local        number
28   broadcast address            address
29   perform mask discovery       number
30   mask supplier                number
31   router discovery             number
32   router solicitation address  address
33   static route                 addresses
34   trailer encapsulation        number
35   ARP cache timeout            seconds
36   Ethernet encapsulation       number
37   TCP default TTL              number
38   TCP keepalive interval       seconds
39   TCP keepalive garbage        number
40   NIS domain                   text
41   NIS servers                  addresses
42   NTP servers                  addresses
43   vendor specific information
44   NetBIOS name server          addresses
45   NetBIOS datagram server      addresses
46   NetBIOS node type            number
47   NetBIOS scope
48   X font server                addresses
49   X display manager            addresses
50   requested IP address         address
51   IP address lease time        seconds
52   option overload              number
53   DHCP message type            number
54   server identifier            address
55   parameter request list
56   message                      text
57   maximum DHCP message size    number
58   renewal (T1) time            seconds
59   rebinding (T2) time          seconds
60   vendor class identifier      text
61   client identifier
64   NIS+ domain                  text
65   NIS+ servers                 addresses
66   TFTP server name             text
67   boot file name               text
68   mobile IP home agent         addresses
69   SMTP server                  addresses
70   POP3 server                  addresses
71   NNTP server                  addresses
72   WWW server                   addresses
73   finger server                addresses
74   IRC server                   addresses
75   StreetTalk server            addresses
76   StreetTalk directory server  addresses
77   user class
80   rapid commit
81   client FQDN
82   relay agent information
93   client system architecture
94   client network interface
97   client machine identifier
100  POSIX timezone               text
101  TZ database timezone         text
108  IPv6-only preferred          seconds
114  captive portal               text
116  auto-configure               number
118  subnet selection             address
119  domain search
121  classless static route
150  TFTP server address          addresses
249  classless static route (Microsoft)
252  web proxy auto-discovery     text
255  end
"""

DHCP_MESSAGE_TYPE_RFCS = """
1-8    RFC 2132
9      RFC 3203
10-13  RFC 4388
"""

DHCP_OPTION_RFCS = """
0-61   RFC 2132
64-76  RFC 2132
77     RFC 3004
80     RFC 4039
81     RFC 4702
82     RFC 3046
93-94  RFC 4578
97     RFC 4578
100    RFC 4833
101    RFC 4833
108    RFC 8925
114    RFC 8910
116    RFC 2563
118    RFC 3011
119    RFC 3397
121    RFC 3442
150    RFC 5859
255    RFC 2132
"""
