"""The most common ports from 1024 on, by protocol. Names are IANA's unless marked as unofficial."""

REGISTERED_PORTS = """
# port  protocols  name  what it is
1058   tcp udp  nim                IBM AIX Network Installation Manager
1059   tcp udp  nimreg             IBM AIX Network Installation Manager
1080   tcp udp  socks              SOCKS (RFC 1928)
1085   tcp udp  webobjects         WebObjects
1098   tcp udp  rmiactivation      Java RMI activation
1099   tcp udp  rmiregistry        Java RMI registry
1109   tcp      kpop               Kerberos Post Office Protocol (unofficial)
1140   tcp udp  autonoc            AutoNOC
1167   tcp udp  cisco-ipsla        Cisco IP SLAs control protocol
1194   tcp udp  openvpn            OpenVPN
1198   tcp udp  cajo-discovery     cajo
1214   tcp udp  kazaa              Kazaa
1220   tcp udp  qt-serveradmin     QuickTime streaming server administration
1241   tcp udp  nessus             Nessus
1293   tcp udp  pkt-krb-ipsec      IPsec with PacketCable Kerberos
1337   tcp udp  menandmice-dns     Men and Mice DNS
1344   tcp udp  icap               Internet Content Adaptation Protocol (RFC 3507)
1352   tcp udp  lotusnote          IBM Lotus Notes
1414   tcp udp  ibm-mqseries       IBM MQ
1417   tcp udp  timbuktu-srv1      Timbuktu service 1
1433   tcp udp  ms-sql-s           Microsoft SQL Server
1434   tcp udp  ms-sql-m           Microsoft SQL Monitor
1494   tcp udp  ica                Citrix ICA
1503   tcp udp  imtc-mcs           Databeam T.120
1512   tcp udp  wins               Microsoft Windows Internet Name Service
1521   tcp udp  ncube-lm           nCube License Manager (Oracle database)
1524   tcp udp  ingreslock         ingres
1527   tcp udp  tlisrv             oracle (Apache Derby)
1533   tcp udp  virtual-places     IBM Sametime
1645   tcp udp  sightline          SightLine (old RADIUS)
1646   tcp udp  sa-msg-port        sa-msg-port (old RADIUS accounting)
1677   tcp udp  groupwise          Novell GroupWise
1688   tcp udp  nsjtp-data         nsjtp-data (Microsoft Key Management Service)
1701   tcp udp  l2tp               Layer Two Tunneling Protocol (RFC 2661)
1719   tcp udp  h323gatestat       H.323 gatekeeper status
1720   tcp udp  h323hostcall       H.323 call signalling
1723   tcp udp  pptp               Point-to-Point Tunneling Protocol (RFC 2637)
1755   tcp udp  ms-streaming       Microsoft Media Services
1801   tcp udp  msmq               Microsoft Message Queuing
1812   tcp udp  radius             RADIUS (RFC 2865)
1813   tcp udp  radius-acct        RADIUS accounting (RFC 2866)
1863   tcp udp  msnp               MSN Messenger
1883   tcp udp  mqtt               MQTT
1900   tcp udp  ssdp               Simple Service Discovery Protocol
1935   tcp udp  macromedia-fcs     Real Time Messaging Protocol
1947   tcp udp  sentinelsrm        Sentinel license manager
1985   tcp udp  hsrp               Cisco Hot Standby Router Protocol (RFC 2281)
1998   tcp udp  x25-svc-port       Cisco X.25 over TCP (RFC 1613)
2000   tcp udp  cisco-sccp         Cisco Skinny Client Control
2049   tcp udp  nfs                Network File System (RFC 7530)
2082   tcp udp  infowave           Infowave Mobility Server (cPanel)
2083   tcp udp  radsec             RADIUS over TLS (RFC 6614) (cPanel)
2086   tcp udp  gnunet             GNUnet
2102   tcp udp  zephyr-srv         Zephyr server
2103   tcp udp  zephyr-clt         Zephyr serv-hm connection
2104   tcp udp  zephyr-hm          Zephyr hostmanager
2105   tcp udp  minipay            IBM MiniPay (Kerberos rlogin)
2121   tcp udp  scientia-ssdb      SCIENTIA-SSDB (FTP proxy)
2152   tcp udp  gtp-user           GTP user plane
2181   tcp udp  eforward           eforward (ZooKeeper)
2222   tcp udp  ethernet-ip-1      EtherNet/IP (alternative SSH)
2375   tcp      docker             Docker REST API
2376   tcp      docker-s           Docker REST API over TLS
2377   tcp      swarm              Docker Swarm
2379   tcp      etcd-client        etcd client
2380   tcp      etcd-server        etcd server to server
2401   tcp udp  cvspserver         CVS
2404   tcp udp  iec-104            IEC 60870-5-104
2427   tcp udp  mgcp-gateway       Media Gateway Control Protocol (RFC 3435)
2447   tcp udp  ovwdb              OpenView Network Node Manager
2483   tcp udp  ttc                Oracle TTC
2484   tcp udp  ttc-ssl            Oracle TTC over TLS
2535   tcp udp  madcap             MADCAP (RFC 2730)
2598   tcp udp  citriximaclient    Citrix session reliability
2628   tcp udp  dict               DICT (RFC 2229)
2947   tcp udp  gpsd               GPS daemon
3000   tcp udp  hbci               HBCI (development web servers)
3050   tcp udp  gds-db             InterBase, Firebird
3074   tcp udp  xbox               Xbox game port
3128   tcp udp  ndl-aas            Active API Server (Squid proxy)
3205   tcp udp  isns               iSNS (RFC 4171)
3225   tcp udp  fcip-port          FCIP (RFC 3821)
3260   tcp udp  iscsi-target       iSCSI target (RFC 7143)
3268   tcp udp  msft-gc            Microsoft Global Catalog
3269   tcp udp  msft-gc-ssl        Microsoft Global Catalog over TLS
3283   tcp udp  net-assistant      Apple Remote Desktop
3306   tcp udp  mysql              MySQL
3389   tcp udp  ms-wbt-server      Microsoft Remote Desktop
3478   tcp udp  stun               STUN, TURN (RFC 8489, RFC 8656)
3493   tcp udp  nut                Network UPS Tools
3544   tcp udp  teredo             Teredo (RFC 4380)
3632   tcp udp  distcc             distcc
3689   tcp udp  daap               Digital Audio Access Protocol
3690   tcp udp  svn                Subversion
3702   tcp udp  ws-discovery       Web Services Dynamic Discovery
3784   udp      bfd-control        Bidirectional Forwarding Detection (RFC 5881)
3785   udp      bfd-echo           Bidirectional Forwarding Detection echo (RFC 5881)
3868   tcp      diameter           Diameter (RFC 6733)
4070   tcp udp  tripe              Trivial IP Encryption
4190   tcp      sieve              ManageSieve (RFC 5804)
4369   tcp udp  epmd               Erlang Port Mapper Daemon
4443   tcp udp  pharos             Pharos (alternative HTTPS)
4460   tcp      ntske              NTS Key Establishment (RFC 8915)
4500   tcp udp  ipsec-nat-t        IPsec NAT traversal (RFC 3947)
4569   udp      iax                Inter-Asterisk eXchange (RFC 5456)
4739   tcp udp  ipfix              IP Flow Information Export (RFC 7011)
4789   udp      vxlan              VXLAN (RFC 7348)
4791   udp      roce               RDMA over converged Ethernet version 2
4899   tcp udp  radmin-port        Radmin
5000   tcp udp  commplex-main      commplex-main (development web servers, UPnP)
5001   tcp udp  commplex-link      commplex-link (iperf)
5004   tcp udp  avt-profile-1      RTP media (RFC 3551)
5005   tcp udp  avt-profile-2      RTP control (RFC 3551)
5060   tcp udp  sip                Session Initiation Protocol (RFC 3261)
5061   tcp udp  sips               SIP over TLS (RFC 3261)
5201   tcp      iperf3             iperf3 (unofficial)
5222   tcp      xmpp-client        XMPP client (RFC 6120)
5223   tcp udp  hpvirtgrp          HP virtual machine groups (XMPP over TLS, Apple push)
5228   tcp udp  hpvroom            HP virtual room (Google push)
5269   tcp      xmpp-server        XMPP server (RFC 6120)
5298   tcp udp  presence           XMPP link-local messaging
5349   tcp udp  stuns              STUN, TURN over TLS (RFC 8489)
5351   tcp udp  nat-pmp            NAT Port Mapping Protocol, PCP (RFC 6886, RFC 6887)
5353   tcp udp  mdns               Multicast DNS (RFC 6762)
5355   tcp udp  llmnr              Link-Local Multicast Name Resolution (RFC 4795)
5432   tcp udp  postgresql         PostgreSQL
5555   tcp udp  personal-agent     Personal Agent (Android debug bridge)
5556   tcp udp  freeciv            Freeciv
5671   tcp udp  amqps              AMQP over TLS
5672   tcp udp  amqp               AMQP
5683   tcp udp  coap               Constrained Application Protocol (RFC 7252)
5684   tcp udp  coaps              CoAP over DTLS, TLS (RFC 7252)
5800   tcp      vnc-http           VNC over HTTP (unofficial)
5900   tcp udp  rfb                Remote Framebuffer, VNC (RFC 6143)
5938   tcp      teamviewer         TeamViewer (unofficial)
5984   tcp udp  couchdb            CouchDB
5985   tcp udp  wsman              Windows Remote Management
5986   tcp udp  wsmans             Windows Remote Management over TLS
6000   tcp udp  x11                X Window System
6001   tcp udp  x11-1              X Window System, display 1
6081   udp      geneve             Geneve (RFC 8926)
6346   tcp udp  gnutella-svc       Gnutella
6379   tcp      redis              Redis
6443   tcp udp  sun-sr-https       Service Registry (Kubernetes API)
6514   tcp udp  syslog-tls         syslog over TLS, DTLS (RFC 5425, RFC 6012)
6566   tcp      sane-port          SANE network scanner
6653   tcp      openflow           OpenFlow
6665   tcp udp  ircu               Internet Relay Chat
6666   tcp udp  ircu               Internet Relay Chat
6667   tcp udp  ircu               Internet Relay Chat
6668   tcp udp  ircu               Internet Relay Chat
6669   tcp udp  ircu               Internet Relay Chat
6696   udp      babel              Babel routing (RFC 8966)
6697   tcp      ircs-u             Internet Relay Chat over TLS (RFC 7194)
6881   tcp udp  bittorrent         BitTorrent (unofficial)
7000   tcp udp  afs3-fileserver    AFS file server
7001   tcp udp  afs3-callback      AFS callbacks
7400   tcp udp  rtps-discovery     RTPS discovery
8000   tcp udp  irdmi              iRDMI (alternative HTTP)
8005   tcp udp  mxi                MXI (Tomcat shutdown)
8008   tcp udp  http-alt           HTTP alternate
8009   tcp      nvme-disc          NVMe over Fabrics discovery (Apache JServ Protocol)
8080   tcp udp  http-alt           HTTP alternate
8081   tcp udp  sunproxyadmin      Sun proxy administration (HTTP alternate)
8086   tcp udp  d-s-n              Distributed SCADA Networking (InfluxDB)
8088   tcp udp  radan-http         Radan HTTP
8140   tcp      puppet             Puppet
8443   tcp udp  pcsync-https       PCsync HTTPS (alternative HTTPS)
8883   tcp udp  secure-mqtt        MQTT over TLS
8888   tcp udp  ddi-1              NewsEDGE (Jupyter)
9000   tcp udp  cslistener         CSlistener
9001   tcp udp  etlservicemgr      ETL Service Manager (Tor)
9042   tcp      cassandra          Cassandra (unofficial)
9090   tcp udp  websm              WebSM (Prometheus)
9092   tcp udp  xmltec-xmlmail     XmlTec (Kafka)
9100   tcp udp  hp-pdl-datastr     raw printing (JetDirect)
9101   tcp udp  bacula-dir         Bacula director
9102   tcp udp  bacula-fd          Bacula file daemon
9103   tcp udp  bacula-sd          Bacula storage daemon
9200   tcp udp  wap-wsp            WAP (Elasticsearch)
9418   tcp udp  git                Git
9987   tcp udp  dsm-scm-target     DSM/SCM Target Interface (TeamSpeak)
10000  tcp udp  ndmp               Network Data Management Protocol (Webmin)
10050  tcp udp  zabbix-agent       Zabbix agent
10051  tcp udp  zabbix-trapper     Zabbix trapper
10080  tcp udp  amanda             Amanda backup
10809  tcp      nbd                Linux Network Block Device
11211  tcp udp  memcache           Memcached
11371  tcp udp  hkp                OpenPGP HTTP Keyserver
12345  tcp udp  italk              Italk Chat System
19132  udp      minecraft-be       Minecraft Bedrock (unofficial)
20000  tcp udp  dnp                DNP3
25565  tcp      minecraft          Minecraft (unofficial)
25672  tcp      rabbitmq-dist      RabbitMQ clustering (unofficial)
27015  tcp udp  source-engine      Source engine games (unofficial)
27017  tcp      mongodb            MongoDB (unofficial)
33434  tcp udp  traceroute         traceroute
44818  tcp udp  ethernet-ip-2      EtherNet/IP
47808  tcp udp  bacnet             BACnet
51820  udp      wireguard          WireGuard (unofficial)
64738  tcp udp  murmur             Mumble (unofficial)
"""
