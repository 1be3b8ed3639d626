"""EtherTypes: the protocols in an Ethernet frame. See IEEE 802 and RFC 9542 appendix B.

Those of old vendors are listed as they were commonly known.
"""

ETHERTYPES = """
# type, or first-last  name
0600       Xerox XNS IDP
0660-0661  DLOG
0800       IPv4
0801       X.75 Internet
0802       NBS Internet
0803       ECMA Internet
0804       Chaosnet
0805       X.25 level 3
0806       ARP
0807       XNS compatibility
0808       Frame Relay ARP
081C       Symbolics private
0842       Wake-on-LAN
0888-088A  Xyplex
0900       Ungermann-Bass network debugger
0A00       Xerox IEEE 802.3 PUP
0A01       PUP address translation
0A02       Xerox PUP CAL protocol (unused)
0BAD       Banyan VINES
0BAE       VINES loopback
0BAF       VINES echo
1000       Berkeley trailer negotiation
1001-100F  Berkeley trailer encapsulation for IP
1066       VALIS Systems
1600       Valid Systems
22EA       Stream Reservation Protocol
22F0       Audio Video Transport Protocol (AVTP)
22F3       TRILL
22F4       L2-IS-IS
3C01-3C0D  3Com
3C10-3C14  3Com
4242       PCS basic block protocol
5208       BBN Simnet private
6000       DEC unassigned
6001       DEC MOP dump/load assistance
6002       DEC MOP remote console
6003       DECnet phase IV
6004       DEC LAT
6005       DEC diagnostic protocol
6006       DEC customer protocol
6007       DEC LAVC
6008       DEC Amber
6009       DEC MUMPS
6010-6014  3Com
6558       Transparent Ethernet Bridging
6559       Raw Frame Relay
7000       Ungermann-Bass download
7001       Ungermann-Bass NIU
7002       Ungermann-Bass diagnostic/loopback
7007       OS/9 Microware
7020-7029  LRT
7030       Proteon
7034       Cabletron
8003       Cronus VLN
8004       Cronus Direct
8005       HP Probe
8006       Nestar
8008       AT&T
8010       Excelan
8013       SGI diagnostics (obsolete)
8014       SGI network games (obsolete)
8015       SGI reserved (obsolete)
8016       SGI bounce server (obsolete)
8019       Apollo Domain
802E       Tymshare
802F       Tigan
8035       RARP
8036       Aeonic Systems
8038       DEC LANBridge
8039       DEC DSM
803A       DEC Aragon
803B       DEC VAXELN
803C       DEC NSMV
803D       DEC Ethernet encryption
803E       DEC DNA
803F       DEC LAN traffic monitor
8040       DEC NetBIOS
8041       DEC MS/DOS
8042       DEC unassigned
8044       Planning Research Corporation
8046-8047  AT&T
8049       ExperData
805B       Versatile Message Transaction Protocol (VMTP, RFC 1045)
805C       Stanford V kernel, version 6.0
805D       Evans & Sutherland
8060       Little Machines
8062       Counterpoint Computers
8065-8066  University of Massachusetts at Amherst
8067       Veeco Integrated Automation
8068       General Dynamics
8069       AT&T
806A       Autophon
806C       ComDesign
806D       Computgraphic
806E-8077  Landmark Graphics
807A       Matra
807B       Dansk Data Elektronik
807C       Merit Internodal
807D-8080  Vitalink Communications
8081-8083  Counterpoint Computers
8088-808A  Xyplex
809B       AppleTalk
809C-809E  Datability
809F       Spider Systems
80A3       Nixdorf Computers
80A4-80B3  Siemens Gammasonics
80C0-80C3  Digital Communications Associates
80C4-80C5  Banyan Systems
80C6       Pacer Software
80C7       Applitek
80C8-80CC  Intergraph
80CD-80CE  Harris
80CF-80D2  Taylor Instrument
80D3-80D4  Rosemount
80D5       IBM SNA over Ethernet
80DD       Varian Associates
80DE       Integrated Solutions TRFS
80DF       Integrated Solutions
80E0-80E3  Allen-Bradley
80E4-80F0  Datability
80F2       Retix
80F3       AppleTalk ARP (AARP)
80F4-80F5  Kinetics
80F7       Apollo Computer
80FF       Wellfleet Communications
8100       802.1Q VLAN tag
8101-8103  Wellfleet Communications
8107-8109  Symbolics private
8130       Hayes Microcomputers (Waterloo Microsystems)
8131       VG Laboratory Systems
8137       Novell IPX
8138       Novell
8139-813D  KTI
814C       SNMP over Ethernet
817D       XTP
8191       NetBIOS/NetBEUI
86DD       IPv6
876B       TCP/IP compression (RFC 1144)
876C       IP autonomous systems
876D       Secure Data
8808       Ethernet flow control (MAC control)
8809       slow protocols (LACP, OAM)
880B       PPP
880C       General Switch Management Protocol
8819       CobraNet
8822       Ethernet NIC hardware and software testing
8847       MPLS
8848       MPLS with upstream-assigned label
8861       Multicast Channel Allocation Protocol
8863       PPPoE discovery
8864       PPPoE session
8870       jumbo frames (draft)
887B       HomePlug 1.0 MME
888E       EAP over LAN (802.1X)
8892       PROFINET
8899       Realtek Remote Control Protocol
889A       SCSI over Ethernet (HyperSCSI)
88A2       ATA over Ethernet
88A4       EtherCAT
88A8       802.1Q service VLAN tag
88AB       Ethernet Powerlink
88B5       local experiment 1
88B6       local experiment 2
88B7       OUI extended
88B8       IEC 61850 GOOSE
88B9       IEC 61850 GSE management
88BA       IEC 61850 sampled values
88BF       MikroTik RoMON
88C7       802.11i pre-authentication
88CC       LLDP
88CD       SERCOS III
88DC       WAVE Short Message Protocol
88E1       HomePlug Green PHY
88E3       Media Redundancy Protocol
88E5       MACsec (802.1AE)
88E7       provider backbone bridge (802.1ah)
88F5       MVRP
88F6       MMRP
88F7       Precision Time Protocol
88F8       NC-SI
88FB       Parallel Redundancy Protocol
8902       connectivity fault management (802.1ag)
8906       Fibre Channel over Ethernet
890D       802.11 fast roaming remote request
8914       FCoE initialization
8915       RDMA over converged Ethernet
8917       media independent handover (802.21)
891D       TTEthernet
892F       High-availability Seamless Redundancy
893F       802.1BR bridge port extension
8940       Edge Control Protocol
8946       TRILL fine grained labeling
8947       GeoNetworking
894F       Network Service Header
9000       loopback (configuration test protocol)
9001       3Com (Bridge) XNS systems management
9002       3Com (Bridge) TCP/IP systems management
9003       3Com (Bridge) loop detection
9100       802.1Q double tag (old)
A0ED       LoWPAN encapsulation
B7EA       GRE control channel
FF00       BBN VITAL LANBridge cache wakeup
FFFF       reserved (RFC 1701)
"""
