"""DHCP message types and options (RFC 2132).

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
12   host name                    text
13   boot file size               number
15   domain name                  text
17   root path                    text
19   IP forwarding                number
22   maximum reassembly size      number
23   default IP TTL               number
26   interface MTU                number
28   broadcast address            address
31   router discovery             number
33   static route                 addresses
35   ARP cache timeout            seconds
37   TCP default TTL              number
38   TCP keepalive interval       seconds
42   NTP servers                  addresses
43   vendor specific information
44   NetBIOS name server          addresses
46   NetBIOS node type            number
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
66   TFTP server name             text
67   boot file name               text
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
