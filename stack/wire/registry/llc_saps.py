"""LLC service access points: the sending and receiving protocol of an 802.2 frame.

See IEEE 802.2 and RFC 1042.
"""

LLC_SAPS = """
# SAP  name
00  null LSAP
02  LLC sublayer management, individual
03  LLC sublayer management, group
04  IBM SNA path control, individual
05  IBM SNA path control, group
06  Internet Protocol (ARPANET)
08  SNA
0C  SNA
0E  PROWAY (IEC 955) network management and initialization
10  Novell NetWare (old)
14  ISO Network Layer Protocol (OSLAN)
18  Texas Instruments
42  IEEE 802.1 bridge spanning tree
4E  EIA RS-511 manufacturing message service
5E  ISI IP
7E  ISO 8208 (X.25 over IEEE 802.2 type 2)
80  Xerox Network Systems (XNS)
82  BACnet
86  Nestar
8E  PROWAY (IEC 955) active station list maintenance
98  Address Resolution Protocol (ARPANET)
AA  SubNetwork Access Protocol (SNAP)
AB  SubNetwork Access Protocol (SNAP), group
BC  Banyan VINES
D4  LAN resource management
E0  Novell NetWare
F0  IBM NetBIOS
F4  IBM LAN management, individual
F5  IBM LAN management, group
F8  IBM remote program load (RPL)
FA  Ungermann-Bass
FC  remote program load discovery
FE  ISO network layer protocol
FF  global LSAP
"""
