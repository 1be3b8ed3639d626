"""Ports 0 to 1023, by protocol: "Service Name and Transport Protocol Port Number Registry".

See RFC 6335. Names are IANA's; other common uses are in parentheses. Unassigned ports have no row.
"""

WELL_KNOWN_PORTS = """
# port  protocols  name  what it is
0    tcp udp  reserved           reserved
1    tcp udp  tcpmux             TCP Port Service Multiplexer
2    tcp udp  compressnet        CompressNET management utility
3    tcp udp  compressnet        CompressNET compression process
5    tcp udp  rje                Remote Job Entry
7    tcp udp  echo               Echo (RFC 862)
9    tcp udp  discard            Discard (RFC 863)
11   tcp udp  systat             Active Users (RFC 866)
13   tcp udp  daytime            Daytime (RFC 867)
15   tcp udp  netstat            netstat (was assigned)
17   tcp udp  qotd               Quote of the Day (RFC 865)
18   tcp udp  msp                Message Send Protocol (RFC 1312)
19   tcp udp  chargen            Character Generator (RFC 864)
20   tcp udp  ftp-data           File Transfer, data (RFC 959)
21   tcp udp  ftp                File Transfer, control (RFC 959)
22   tcp udp  ssh                Secure Shell (RFC 4251)
23   tcp udp  telnet             Telnet (RFC 854)
24   tcp udp  priv-mail          any private mail system
25   tcp udp  smtp               Simple Mail Transfer (RFC 5321)
27   tcp udp  nsw-fe             NSW User System FE
29   tcp udp  msg-icp            MSG ICP
31   tcp udp  msg-auth           MSG Authentication
33   tcp udp  dsp                Display Support Protocol
34   tcp udp  rf                 Remote File (unofficial)
35   tcp udp  priv-print         any private printer server
37   tcp udp  time               Time (RFC 868)
38   tcp udp  rap                Route Access Protocol
39   tcp udp  rlp                Resource Location Protocol (RFC 887)
41   tcp udp  graphics           Graphics
42   tcp udp  nameserver         Host Name Server (Windows Internet Name Service)
43   tcp udp  nicname            WHOIS (RFC 3912)
44   tcp udp  mpm-flags          MPM FLAGS Protocol
45   tcp udp  mpm                Message Processing Module
46   tcp udp  mpm-snd            MPM, default send
47   tcp udp  ni-ftp             NI FTP
48   tcp udp  auditd             Digital Audit Daemon
49   tcp udp  tacacs             Login Host Protocol (TACACS)
50   tcp udp  re-mail-ck         Remote Mail Checking Protocol
51   tcp udp  la-maint           IMP Logical Address Maintenance
52   tcp udp  xns-time           XNS Time Protocol
53   tcp udp  domain             Domain Name System (RFC 1035)
54   tcp udp  xns-ch             XNS Clearinghouse
55   tcp udp  isi-gl             ISI Graphics Language
56   tcp udp  xns-auth           XNS Authentication (Route Access Protocol)
57   tcp udp  priv-term          any private terminal access (Mail Transfer Protocol, RFC 780)
58   tcp udp  xns-mail           XNS Mail
59   tcp udp  priv-file          any private file service
62   tcp udp  acas               ACA Services
63   tcp udp  whoispp            whois++
64   tcp udp  covia              Communications Integrator
65   tcp udp  tacacs-ds          TACACS database service
66   tcp udp  sql-net            Oracle SQL*NET
67   tcp udp  bootps             Bootstrap Protocol server; DHCP (RFC 2131)
68   tcp udp  bootpc             Bootstrap Protocol client; DHCP (RFC 2131)
69   tcp udp  tftp               Trivial File Transfer (RFC 1350)
70   tcp udp  gopher             Gopher (RFC 1436)
71   tcp udp  netrjs-1           Remote Job Service
72   tcp udp  netrjs-2           Remote Job Service
73   tcp udp  netrjs-3           Remote Job Service
74   tcp udp  netrjs-4           Remote Job Service
75   tcp udp  priv-dial          any private dial-out service
76   tcp udp  deos               Distributed External Object Store
77   tcp udp  priv-rje           any private remote job service
79   tcp udp  finger             Finger (RFC 1288)
80   tcp udp  http               Hypertext Transfer Protocol (RFC 9110)
81   tcp      torpark-onion      Torpark onion routing (unofficial)
82   tcp udp  xfer               XFER Utility (Torpark control)
83   tcp udp  mit-ml-dev         MIT ML Device
84   tcp udp  ctf                Common Trace Facility
85   tcp udp  mit-ml-dev         MIT ML Device
86   tcp udp  mfcobol            Micro Focus Cobol
87   tcp udp  priv-link          any private terminal link
88   tcp udp  kerberos           Kerberos (RFC 4120)
89   tcp udp  su-mit-tg          SU/MIT Telnet Gateway
90   tcp udp  dnsix              DNSIX Security Attribute Token Map (PointCast)
91   tcp udp  mit-dov            MIT Dover Spooler
92   tcp udp  npp                Network Printing Protocol
93   tcp udp  dcp                Device Control Protocol
94   tcp udp  objcall            Tivoli Object Dispatcher
95   tcp udp  supdup             SUPDUP (RFC 734)
96   tcp udp  dixie              DIXIE Protocol (RFC 1249)
97   tcp udp  swift-rvf          Swift Remote Virtual File Protocol
98   tcp udp  tacnews            TAC News
99   tcp udp  metagram           Metagram Relay (WIP Message protocol)
101  tcp udp  hostname           NIC Host Name Server (RFC 953)
102  tcp udp  iso-tsap           ISO Transport class 0 on TCP (RFC 1006)
103  tcp udp  gppitnp            Genesis Point-to-Point Trans Net
104  tcp udp  acr-nema           ACR-NEMA Digital Imaging and Communications in Medicine 300
105  tcp udp  cso                CCSO Nameserver, Qi/Ph (RFC 2378)
106  tcp udp  3com-tsmux         3COM-TSMUX (poppassd)
107  tcp udp  rtelnet            Remote Telnet Service (RFC 818)
108  tcp udp  snagas             SNA Gateway Access Server
109  tcp udp  pop2               Post Office Protocol version 2 (RFC 937)
110  tcp udp  pop3               Post Office Protocol version 3 (RFC 1939)
111  tcp udp  sunrpc             ONC Remote Procedure Call (RFC 5531)
112  tcp udp  mcidas             McIDAS Data Transmission Protocol
113  tcp udp  ident              Identification Protocol (RFC 1413), Authentication Service
115  tcp udp  sftp               Simple File Transfer Protocol (RFC 913)
116  tcp udp  ansanotify         ANSA REX Notify
117  tcp udp  uucp-path          UUCP Path Service (RFC 915)
118  tcp udp  sqlserv            SQL Services
119  tcp udp  nntp               Network News Transfer (RFC 3977)
120  tcp udp  cfdptkt            CFDPTKT
121  tcp udp  erpc               Encore Expedited Remote Procedure Call
122  tcp udp  smakynet           SMAKYNET
123  tcp udp  ntp                Network Time Protocol (RFC 5905)
124  tcp udp  ansatrader         ANSA REX Trader
126  tcp udp  nxedit             NXEdit
129  tcp udp  pwdgen             Password Generator Protocol (RFC 972)
130  tcp udp  cisco-fna          Cisco FNATIVE
131  tcp udp  cisco-tna          Cisco TNATIVE
132  tcp udp  cisco-sys          Cisco SYSMAINT
133  tcp udp  statsrv            Statistics Service (RFC 996)
135  tcp udp  epmap              DCE endpoint resolution (Microsoft RPC)
136  tcp udp  profile            PROFILE Naming System
137  tcp udp  netbios-ns         NetBIOS Name Service (RFC 1002)
138  tcp udp  netbios-dgm        NetBIOS Datagram Service (RFC 1002)
139  tcp udp  netbios-ssn        NetBIOS Session Service (RFC 1002)
143  tcp udp  imap               Internet Message Access Protocol (RFC 9051)
144  tcp udp  uma                Universal Management Architecture
150  tcp udp  sql-net            SQL-NET
152  tcp udp  bftp               Background File Transfer Program (RFC 1068)
153  tcp udp  sgmp               Simple Gateway Monitoring Protocol (RFC 1028)
156  tcp udp  sqlsrv             SQL Service
158  tcp udp  pcmail-srv         PCMail Server, Distributed Mail System Protocol (RFC 1056)
161  tcp udp  snmp               Simple Network Management Protocol (RFC 3411)
162  tcp udp  snmptrap           SNMP traps (RFC 3411)
163  tcp udp  cmip-man           CMIP/TCP Manager
164  tcp udp  cmip-agent         CMIP/TCP Agent
170  tcp udp  print-srv          Network PostScript
174  tcp udp  mailq              MAILQ
175  tcp udp  vmnet              VMNET
177  tcp udp  xdmcp              X Display Manager Control Protocol
178  tcp udp  nextstep           NextStep Window Server
179  tcp udp  bgp                Border Gateway Protocol (RFC 4271)
194  tcp udp  irc                Internet Relay Chat (RFC 1459)
199  tcp udp  smux               SNMP Unix Multiplexer (RFC 1227)
201  tcp udp  at-rtmp            AppleTalk Routing Maintenance
202  tcp udp  at-nbp             AppleTalk Name Binding
204  tcp udp  at-echo            AppleTalk Echo
206  tcp udp  at-zis             AppleTalk Zone Information
209  tcp udp  qmtp               Quick Mail Transfer Protocol
210  tcp udp  z39-50             ANSI Z39.50
213  tcp udp  ipx                IPX over IP (RFC 1234)
218  tcp udp  mpp                Message Posting Protocol (RFC 1204)
220  tcp udp  imap3              Interactive Mail Access Protocol version 3 (RFC 1203)
256  tcp udp  rap                RAP (2DEV "2SP")
259  tcp udp  esro-gen           Efficient Short Remote Operations (RFC 2188)
264  tcp udp  bgmp               Border Gateway Multicast Protocol (RFC 3913)
280  tcp udp  http-mgmt          http-mgmt
308  tcp udp  novastorbakcup     Novastor Backup
311  tcp udp  asip-webadmin      AppleShare IP WebAdmin
318  tcp udp  pkix-timestamp     PKIX TimeStamp (RFC 3161)
319  tcp udp  ptp-event          Precision Time Protocol, event messages
320  tcp udp  ptp-general        Precision Time Protocol, general messages
323  tcp udp  rpki-rtr           RPKI to Router Protocol (RFC 8210) (IMMP; chrony control)
350  tcp udp  matip-type-a       MATIP type A (RFC 2351)
351  tcp udp  matip-type-b       MATIP type B (RFC 2351)
366  tcp udp  odmr               On-Demand Mail Relay (RFC 2645)
369  tcp udp  rpc2portmap        rpc2portmap
370  tcp udp  codaauth2          Coda authentication (securecast1)
371  tcp udp  clearcase          ClearCase albd
383  tcp udp  hp-alarm-mgr       HP performance data alarm manager
384  tcp udp  arns               A Remote Network Server System
387  tcp udp  aurp               AppleTalk Update-based Routing Protocol (RFC 1504)
389  tcp udp  ldap               Lightweight Directory Access Protocol (RFC 4511)
401  tcp udp  ups                Uninterruptible Power Supply
402  tcp udp  genie              Genie Protocol (Altiris deployment client)
411  tcp udp  rmt                Remote MT Protocol (Direct Connect hub)
412  tcp udp  synoptics-trap     Trap Convention Port (Direct Connect client)
427  tcp udp  svrloc             Service Location Protocol (RFC 2608)
443  tcp udp  https              HTTP over TLS, and over QUIC (RFC 9110, RFC 9114)
444  tcp udp  snpp               Simple Network Paging Protocol (RFC 1861)
445  tcp udp  microsoft-ds       Microsoft SMB file sharing
464  tcp udp  kpasswd            Kerberos change and set password (RFC 3244)
465  tcp      submissions        mail submission over TLS (RFC 8314)
465  udp      igmpv3lite         IGMP over UDP for SSM
475  tcp udp  tcpnethaspsrv      Aladdin HASP license manager
497  tcp udp  retrospect         Retrospect backup
500  tcp udp  isakmp             Internet Key Exchange (RFC 7296)
501  tcp udp  stmf               Simple Transportation Management Framework
502  tcp udp  mbap               Modbus Application Protocol
504  tcp udp  citadel            Citadel multiservice protocol
510  tcp udp  fcp                FirstClass Protocol
512  tcp      exec               remote process execution (rexec)
512  udp      comsat             mail notification (biff)
513  tcp      login              remote login (rlogin, RFC 1282)
513  udp      who                who is logged in to machines on a local net (rwho)
514  tcp      shell              remote shell (rsh)
514  udp      syslog             system log (RFC 5426)
515  tcp udp  printer            Line Printer Daemon (RFC 1179)
517  tcp udp  talk               talk
518  tcp udp  ntalk              new talk
520  tcp      efs                extended file name server
520  udp      router             Routing Information Protocol (RFC 2453)
521  tcp udp  ripng              RIP for IPv6 (RFC 2080)
524  tcp udp  ncp                NetWare Core Protocol
525  tcp udp  timed              timeserver
530  tcp udp  courier            rpc
531  tcp udp  conference         chat (AOL Instant Messenger)
532  tcp udp  netnews            readnews
533  tcp udp  netwall            emergency broadcasts
540  tcp udp  uucp               uucpd
542  tcp udp  commerce           commerce applications
543  tcp udp  klogin             Kerberos login
544  tcp udp  kshell             Kerberos remote shell
545  tcp udp  appleqtcsrvr       appleqtcsrvr (OSIsoft PI)
546  tcp udp  dhcpv6-client      DHCPv6 client (RFC 8415)
547  tcp udp  dhcpv6-server      DHCPv6 server (RFC 8415)
548  tcp udp  afpovertcp         Apple Filing Protocol
550  tcp udp  new-rwho           new-who
554  tcp udp  rtsp               Real Time Streaming Protocol (RFC 7826)
556  tcp udp  remotefs           Brunhoff remote filesystem (rfs)
560  tcp udp  rmonitor           remote monitor
561  tcp udp  monitor            monitor
563  tcp udp  nntps              NNTP over TLS (RFC 4642)
587  tcp udp  submission         mail submission (RFC 6409)
591  tcp udp  http-alt           FileMaker web sharing
593  tcp udp  http-rpc-epmap     HTTP RPC Ep Map
604  tcp      tunnel             TUNNEL profile for BEEP (RFC 3620)
623  tcp      oob-ws-http        DMTF out-of-band web services management
623  udp      asf-rmcp           ASF Remote Management and Control Protocol (IPMI)
631  tcp udp  ipp                Internet Printing Protocol (RFC 8010)
635  tcp udp  rlzdbase           RLZ DBase
636  tcp udp  ldaps              LDAP over TLS
639  tcp udp  msdp               Multicast Source Discovery Protocol (RFC 3618)
641  tcp udp  repcmd             SupportSoft Nexus Remote Command, control
646  tcp udp  ldp                MPLS Label Distribution Protocol (RFC 5036)
647  tcp udp  dhcp-failover      DHCP failover
648  tcp udp  rrp                Registry Registrar Protocol (RFC 2832)
651  tcp udp  ieee-mms           IEEE MMS
652  tcp udp  hello-port         HELLO_PORT (Dynamic Tunnel Configuration Protocol)
653  tcp udp  repscmd            SupportSoft Nexus Remote Command, data
654  tcp udp  aodv               Ad hoc On-Demand Distance Vector routing (Media Management Protocol)
655  tcp udp  tinc               TINC virtual private network
657  tcp udp  rmc                IBM Remote Monitoring and Control
660  tcp udp  mac-srvr-admin     Mac OS X Server administration
665  tcp      sun-dr             Sun remote dynamic reconfiguration
666  tcp udp  doom               Doom (mdqs)
674  tcp udp  acap               Application Configuration Access Protocol (RFC 2244)
691  tcp udp  msexch-routing     Microsoft Exchange routing
694  tcp udp  ha-cluster         Linux-HA heartbeat
695  tcp udp  ieee-mms-ssl       IEEE MMS over SSL
698  udp      olsr               Optimized Link State Routing (RFC 3626)
700  tcp udp  epp                Extensible Provisioning Protocol (RFC 5734)
701  tcp udp  lmp                Link Management Protocol (RFC 4204)
702  tcp udp  iris-beep          IRIS over BEEP (RFC 3983)
706  tcp udp  silc               Secure Internet Live Conferencing
711  tcp udp  cisco-tdp          Cisco Tag Distribution Protocol
712  tcp udp  tbrpf              Topology Broadcast based on Reverse-Path Forwarding (RFC 3684)
720  tcp      smqp               Simple Message Queue Protocol (unofficial)
749  tcp udp  kerberos-adm       Kerberos administration
750  tcp      rfile              rfile
750  udp      kerberos-iv        Kerberos version IV (loadav)
751  tcp udp  pump               pump (Kerberos master)
752  tcp udp  qrh                qrh (Kerberos password server)
753  tcp udp  rrh                Reverse Routing Header (Kerberos userreg server)
754  tcp udp  tell               send (Kerberos v5 slave propagation)
760  tcp udp  ns                 ns (Kerberos registration)
782  tcp      conserver          serial console management (unofficial)
783  tcp      spamd              SpamAssassin (unofficial)
808  tcp      net-tcp-port       Microsoft Net.TCP port sharing (unofficial)
829  tcp      pkix-3-ca-ra       Certificate Management Protocol
830  tcp udp  netconf-ssh        NETCONF over SSH (RFC 6242)
843  tcp      flash-policy       Adobe Flash policy (unofficial)
847  tcp udp  dhcp-failover2     DHCP failover 2
848  tcp udp  gdoi               Group Domain of Interpretation (RFC 6407)
853  tcp udp  domain-s           DNS over TLS, DTLS and QUIC (RFC 7858, RFC 8094, RFC 9250)
854  tcp udp  dlep               Dynamic Link Exchange Protocol (RFC 8175)
860  tcp udp  iscsi              iSCSI (RFC 7143)
861  tcp udp  owamp-control      One-Way Active Measurement Protocol (RFC 4656)
862  tcp udp  twamp-control      Two-Way Active Measurement Protocol (RFC 5357)
873  tcp udp  rsync              rsync file synchronisation (RFC 5781)
888  tcp udp  accessbuilder      AccessBuilder (CD Database Protocol)
901  tcp udp  smpnameres         SMPNAMERES (Samba Web Administration Tool, VMware)
902  tcp udp  ideafarm-door      self documenting Telnet door (VMware)
903  tcp udp  ideafarm-panic     self documenting Telnet panic door (VMware)
904  tcp      vmware-alt         VMware Server alternate (unofficial)
911  tcp udp  xact-backup        xact-backup (Network Console on Acid)
944  udp      nfs-old            Network File System service (unofficial)
953  tcp udp  rndc               BIND remote name daemon control
973  udp      nfs-old6           Network File System over IPv6 (unofficial)
981  tcp      sofaware-https     SofaWare remote HTTPS management (unofficial)
987  tcp      sharepoint-https   Microsoft Remote Web Workplace (unofficial)
989  tcp udp  ftps-data          FTP data over TLS
990  tcp udp  ftps               FTP control over TLS
991  tcp udp  nas                Netnews Administration System
992  tcp udp  telnets            Telnet over TLS
993  tcp udp  imaps              IMAP over TLS (RFC 8314)
995  tcp udp  pop3s              POP3 over TLS (RFC 8314)
999  tcp udp  garcon             garcon, puprouter (ScimoreDB)
1002  tcp      opsware            Opsware agent (unofficial)
1021  tcp udp  exp1               RFC 3692-style experiment 1
1022  tcp udp  exp2               RFC 3692-style experiment 2
1023  tcp udp  reserved           reserved
"""
