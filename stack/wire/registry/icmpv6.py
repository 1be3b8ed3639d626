"""ICMPv6 types and codes: "Internet Control Message Protocol version 6 (ICMPv6) Parameters"."""

ICMPV6_TYPES = """
# type  name  reference
1    destination unreachable                  RFC 4443
2    packet too big                           RFC 4443
3    time exceeded                            RFC 4443
4    parameter problem                        RFC 4443
100  experiment 1                             RFC 4443
101  experiment 2                             RFC 4443
127  reserved for more errors                 RFC 4443
128  echo request                             RFC 4443
129  echo reply                               RFC 4443
130  multicast listener query                 RFC 2710
131  multicast listener report                RFC 2710
132  multicast listener done                  RFC 2710
133  router solicitation                      RFC 4861
134  router advertisement                     RFC 4861
135  neighbor solicitation                    RFC 4861
136  neighbor advertisement                   RFC 4861
137  redirect                                 RFC 4861
138  router renumbering                       RFC 2894
139  node information query                   RFC 4620
140  node information response                RFC 4620
141  inverse neighbor discovery solicitation  RFC 3122
142  inverse neighbor discovery advertisement  RFC 3122
143  multicast listener report version 2      RFC 3810
144  home agent address discovery request     RFC 6275
145  home agent address discovery reply       RFC 6275
146  mobile prefix solicitation               RFC 6275
147  mobile prefix advertisement              RFC 6275
148  certification path solicitation          RFC 3971
149  certification path advertisement         RFC 3971
151  multicast router advertisement           RFC 4286
152  multicast router solicitation            RFC 4286
153  multicast router termination             RFC 4286
155  RPL control                              RFC 6550
157  duplicate address request                RFC 6775
158  duplicate address confirmation           RFC 6775
160  extended echo request                    RFC 8335
161  extended echo reply                      RFC 8335
200  experiment 3                             RFC 4443
201  experiment 4                             RFC 4443
255  reserved for more information            RFC 4443
"""

ICMPV6_CODES = """
# type  code  name
1  0  no route
1  1  administratively prohibited
1  2  beyond the scope of the source address
1  3  address unreachable
1  4  port unreachable
1  5  source address failed the policy
1  6  route rejected
3  0  hop limit exceeded
3  1  reassembly time exceeded
4  0  wrong header field
4  1  unknown next header
4  2  unknown option
"""
