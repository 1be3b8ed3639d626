"""Every setting of the user, with its default, its unit and the RFC clause that it comes from.

Times are in seconds, sizes in bytes. `Config()` has the defaults; `dataclasses.replace` makes a
changed copy.
"""

from dataclasses import dataclass, field, fields
from typing import ClassVar

from stack.changed_fields import changed_fields


@dataclass(frozen=True, slots=True)
class ArpConfig:
    """Address resolution: RFC 826, RFC 1122 section 2.3.2."""

    entries_max: int = 512  # neighbours in the cache; the least useful ones make room for new ones
    reachable_s: float = 60.0  # a neighbour in use is polled this long after an answer (2.3.2.1: about a minute)
    stale_s: float = 600.0  # a neighbour that is not used is kept for this long after that
    request_interval_s: float = 1.0  # between requests for one address (2.3.2.1: at most one per second)
    attempts: int = 3  # requests before an address counts as unreachable
    poll_attempts: int = 2  # unicast polls before an old entry is removed (2.3.2.1 (2): N = 2)
    claim_wait_s: float = 0.5  # a claim is believed if the known station does not answer within this time
    positive_advice_s: float = 10.0  # an acknowledgment counts as positive advice for this long
    settle_s: float = 1.0  # acknowledgments may be for the former station for this long after a change
    queue_packets: int = 8  # datagrams that wait for one address (2.3.2.2: at least one, the latest)
    queue_bytes_max: int = 1 << 20  # memory for all datagrams that wait, in bytes
    answer_inverse: bool = False  # answer InARP requests for our address (RFC 2390)

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class AcdConfig:
    """Address conflict detection: RFC 5227. Its constants are not configurable (1.1)."""

    mode: str = "strict"
    """The mode for an address that the user sets.

    "strict": probe for it before it is used (section 2.1).
    "optimistic": use it at once, and give it up if the probes find another host with it.
    "defend": use it at once, and never give it up. An announcement answers a claim, at most once in
      DEFEND_INTERVAL (section 2.4 (c)).
    "off": neither probe nor defend.

    With the first two the address is given up when another host claims it twice (section 2.4 (b)).
    A leased address is never "defend", because its server has others (RFC 2131 section 3.1): then
    "strict" is used.
    """

    PROBE_WAIT_S: ClassVar[float] = 1.0  # the longest random wait before the first probe
    PROBE_NUM: ClassVar[int] = 3
    PROBE_MIN_S: ClassVar[float] = 1.0  # the shortest random time between probes
    PROBE_MAX_S: ClassVar[float] = 2.0  # and the longest
    ANNOUNCE_WAIT_S: ClassVar[float] = 2.0  # after the last probe
    ANNOUNCE_NUM: ClassVar[int] = 2
    ANNOUNCE_INTERVAL_S: ClassVar[float] = 2.0
    MAX_CONFLICTS: ClassVar[int] = 10
    RATE_LIMIT_INTERVAL_S: ClassVar[float] = 60.0  # between two probings after MAX_CONFLICTS
    DEFEND_INTERVAL_S: ClassVar[float] = 10.0  # at a second conflict within this time the address is given up

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class LinkLocalConfig:
    """Link-local addresses (169.254/16), used while no DHCP server answers: RFC 3927."""

    enabled: bool = True
    leave_check_s: float = 5.0
    """Once there is a routable address, the time between checks whether a connection still needs
    the link-local one."""

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class IpConfig:
    """IPv4: RFC 791, RFC 815, RFC 1122 section 3."""

    ttl: int = 64  # of datagrams sent (RFC 1122 3.2.1.7)
    multicast_ttl: int = 1  # of datagrams sent to a group (RFC 1112 6.1)
    accept_source_route: bool = True  # accept datagrams whose source route ends here (RFC 1122 3.2.1.8 (c))
    reassembly_timeout_s: float = 60.0  # RFC 1122 3.3.2: 60 to 120 s
    reassembly_bytes_max: int = 4 << 20  # memory for all fragments, overhead included
    reassembly_overhead_bytes: int = 256  # charged for every fragment and datagram in addition to its payload
    reassembly_flows_max: int = 1024  # datagrams being reassembled
    reassembly_flows_per_source: int = 64  # of those, from one source
    reassembly_holes_max: int = 256  # gaps in one datagram; bounds the time of a search through them
    quote_bytes: int = 576  # bytes of a first fragment to keep for an ICMP error (RFC 1812 4.3.2.3)
    path_mtu_floor: int = 552  # bytes; RFC 1191 3 has 68, which an attacker could use (RFC 5927 7.2)
    path_mtu_timeout_s: float = 600.0  # RFC 1191 6.3: after 10 minutes a larger MTU is tried
    path_mtus_max: int = 1024  # destinations whose path MTU is remembered
    redirects_max: int = 256  # hosts for which a Redirect is remembered (RFC 1122 3.3.1.2)
    redirect_timeout_s: float = 300.0  # how long a Redirect is followed (RFC 1122 3.3.1.4: not indefinitely)
    dead_gateway_s: float = 60.0  # other gateways are preferred to a dead one for this long (RFC 1122 3.3.1.4)
    super_frame_datagrams_max: int = 128  # in one frame from a link with USO; Linux: UDP_MAX_SEGMENTS
    loopback_mtu: int = 65535  # bytes
    loopback_queue_max: int = 1024  # packets from ourselves to ourselves

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class IcmpConfig:
    """ICMP: RFC 792, RFC 1122 section 3.2.2."""

    error_rate_per_peer: float = 10.0  # errors a second to one address (RFC 1812 4.3.2.8)
    error_burst_per_peer: float = 20.0  # errors at once to one address
    error_rate: float = 1000.0  # errors a second to all addresses
    error_burst: float = 200.0  # errors at once to all addresses
    error_peers_max: int = 1024  # addresses whose budget is remembered
    error_bytes_max: int = 576  # of an error message, IP header included (RFC 1812 4.3.2.3)
    answer_broadcast_echo: bool = False  # optional (RFC 1122 3.2.2.6); off because of "smurf" attacks
    answer_timestamp: bool = False  # RFC 1122 3.2.2.8: optional
    reverse_source_route: bool = False
    """Send answers by the reversed source route of the request (RFC 1122 3.2.2.6), over hosts that
    the sender chose. Otherwise they take the ordinary route to the source (RFC 7126 4.3 and 4.4
    describe the attacks)."""
    accept_redirects: bool = True  # RFC 1122 3.2.2.2
    secure_redirects: bool = True  # only to a gateway of a route that was set by hand or by DHCP (as in Linux)
    echo_paths_max: int = 64  # hosts that ping often, each with a path kept for the answers
    echo_path_lifetime_s: float = 60.0  # after this time all these paths are closed, and learnt again
    echoes_max: int = 1024  # echo requests that may wait for an answer
    echo_timeout_s: float = 30.0  # how long a request waits, unless the caller gives another time

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class UdpConfig:
    """UDP: RFC 768, RFC 1122 section 4.1."""

    receive_bytes: int = 256 << 10  # of datagrams waiting to be read at one endpoint, overhead included (SO_RCVBUF)
    receive_overhead_bytes: int = 256  # charged for every datagram in addition to its payload
    require_checksum: bool = False  # refuse datagrams whose sender computed none (RFC 1122 4.1.3.4)
    flows_max: int = 1024  # known flows, whose datagrams take a fast path
    paths_max: int = 16  # destinations for which an endpoint keeps a path
    remotes_max: int = 64  # addresses and ports sent to, about which an endpoint believes ICMP errors

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class TcpConfig:
    """TCP: RFC 9293, RFC 6298, RFC 5681, RFC 5961."""

    # Buffers and windows, in octets
    send_buffer_bytes: int = 1 << 20
    receive_buffer_bytes: int = 1 << 18
    max_receive_buffer_bytes: int = 1 << 22
    """The receive buffer grows by itself up to this. The window scale of a SYN must allow for it
    (RFC 7323 section 2.2)."""
    max_send_buffer_bytes: int = 1 << 23
    """The send buffer grows by itself up to this."""
    auto_tuning: bool = True
    """Both buffers grow with the traffic, up to their maximum, unless the user has set their
    size."""
    auto_tuning_trip_s: float = 0.002
    """The shortest time over which reads are measured, even if the round trip is shorter: both ends
    work in batches."""
    auto_tuning_pause_s: float = 0.01
    """If a reader pauses for longer than this and than two round trips, its reads are not
    measured."""
    send_quantum_bytes: int = 1 << 16
    """What SEND takes at a time, if the link cuts no super-frames and no more can leave at once."""
    notsent_lowat_bytes: int = 1 << 30
    """A send is taken while less than this is unsent. `trio.SocketStream` sets it to 16 KiB."""
    max_out_of_order_runs: int = 1024
    """Runs of octets held behind a gap, for each connection."""
    window_scaling: bool = True
    sack: bool = True
    """Offer and use selective acknowledgments (RFC 2018)."""
    rack: bool = True
    """Find losses by time and by tail loss probes: RFC 8985 in place of RFC 6675, where SACK is in
    use."""
    min_rtt_window_s: float = 300.0
    """RFC 8985 section 6.2 step 1: the time over which the shortest round trip is found."""
    tlp_max_ack_delay_s: float = 0.05
    """RFC 8985 section 7.2, TLP.max_ack_delay: how long a peer may hold back the ACK of a single
    segment."""
    pto_min_s: float = 0.01
    """No probe is sent sooner than this after the last segment, because a peer needs time to
    answer."""
    prr: bool = True
    """Proportional rate reduction: RFC 6937."""
    undo: bool = True
    """Undo what a spurious retransmission did to cwnd, by timestamps: RFC 3522, RFC 4015."""
    max_sacked_ranges: int = 512
    """Ranges of SACKed octets stored for each connection. A further range is not stored, so its
    octets may be sent again."""
    timestamps: bool = True
    """The Timestamps option with RTTM and PAWS: RFC 7323 sections 3 to 5."""
    strict_timestamps: bool = False
    """Drop a segment without a timestamp where both ends agreed on them (RFC 7323 section 3.2).
    Off, as in Linux: several systems omit it from keep-alives and acknowledgments, and some paths
    remove it."""

    ecn: str = "accept"
    """Explicit Congestion Notification (RFC 3168): "off", "accept" (if the peer asks for it) or
    "on" (ask as well). Like Linux we do not ask by default, since some middleboxes drop such a SYN.
    """

    # Segments
    min_send_mss: int = 88
    """The smallest send MSS. If a peer announces less, this is used, because segments of a few
    octets would let it cause much work (RFC 9293 section 3.7.1 has no minimum)."""

    # Retransmission: RFC 6298, RFC 9293 section 3.8.3
    rto_initial_s: float = 1.0
    """RFC 6298 section 2.1."""
    rto_min_s: float = 0.2
    """RFC 6298 section 2.4: SHOULD be 1 s. Like other stacks we use less, because our clock is
    finer."""
    rto_max_s: float = 60.0
    """RFC 6298 section 2.5: at least 60 s."""
    rto_answers_without_sample: int = 3
    """How many ACKs in a row that give no round-trip sample may end the back-off of the RTO."""
    rto_after_syn_loss_s: float = 3.0
    """RFC 6298 section 5.7."""
    clock_granularity_s: float = 0.001
    """G of RFC 6298 section 2."""
    r1_retransmissions: int = 3
    """R1 (RFC 9293 SHLD-10): after this many retransmissions IP is told that the next hop may be
    dead."""
    user_timeout_s: float = 300.0
    """R2 for data, and RFC 9293 section 3.9.1.1's global default of five minutes (SHLD-11: at least
    100 s)."""
    user_timeout_option: bool = False
    """Send our user timeout to the peer, and adopt the longer one of both (RFC 5482). Few stacks
    use it."""
    user_timeout_lower_s: float = 100.0
    user_timeout_upper_s: float = 3600.0
    """The limits of what may be adopted (RFC 5482 section 3.1: L_LIMIT, at least 100 s, and
    U_LIMIT)."""
    syn_timeout_s: float = 185.0
    """R2 for a SYN: it is retransmitted for at least three minutes (MUST-23)."""
    syn_received_timeout_s: float = 63.0
    """How long an unacknowledged SYN,ACK is retransmitted."""
    orphan_timeout_s: float = 120.0
    """R2 for a connection that its user has closed (SHLD-11: at least 100 s): queued data must
    still be delivered."""
    fin_wait_2_timeout_s: float = 60.0
    """How long a closed connection waits for the peer's FIN."""
    msl_s: float = 30.0
    """The maximum segment lifetime. RFC 9293 section 3.4.2 suggests two minutes as "an engineering
    choice"."""

    # Paths whose routers drop large packets silently: RFC 4821
    black_hole_detection: bool = True
    black_hole_timeouts: int = 3
    """Section 7.7, R1: this many timeouts of a large segment in a row, without a message from a
    router, show a black hole."""
    black_hole_mtu: int = 1024
    """Section 7.2: a size that nearly every path takes. Below it the MTU is halved, down to
    `IpConfig.path_mtu_floor`."""
    black_hole_retry_s: float = 30.0
    """After this time the larger size is tried again, in case it was an outage. If that fails, it
    stays small for longer."""

    protect_time_wait: bool = True
    """RFC 1337 section 3: ignore resets in TIME-WAIT. If False, a reset ends it (RFC 9293 section
    3.10.7.4)."""

    # Acknowledgments
    ack_by_reader_s: float = 0.002
    """After a read, an ACK that falls due within this time is left to the next read.

    The ACK of that read also opens the window."""
    delayed_ack_s: float = 0.04
    """MUST-40: below 0.5 s."""
    sws_override_s: float = 0.2
    """RFC 9293 section 3.8.6.2.1: 0.1 to 1.0 s."""
    challenge_acks_per_window: int = 10
    challenge_ack_window_s: float = 5.0
    """RFC 5961 section 7: "no more than 10 ACKs in any 5 second window", for each connection
    separately."""

    # Keep-alives: RFC 9293 section 3.8.4
    keepalive_idle_s: float = 7200.0
    """MUST-28: not less than two hours by default."""
    keepalive_interval_s: float = 75.0
    keepalive_count: int = 9

    # Congestion control
    congestion: str = "cubic"
    """A key of stack.tcp.congestion.POLICIES."""
    initial_window_segments: int = 10
    """RFC 6928 section 2."""
    pacing: bool = False
    """Send at a rate that follows the window, instead of in bursts when ACKs arrive."""
    pacing_quantum_s: float = 0.001
    """The length of a burst at that rate; a burst has at least two segments and at most
    `send_quantum_bytes`."""

    # Passive opens
    syn_backlog: int = 256
    """Connections in SYN-RECEIVED for each listener (RFC 4987 section 3.2)."""
    syn_cookies: bool = True
    """When `syn_backlog` is reached: answer a SYN with a cookie (RFC 4987 section 3.6). If False,
    drop the oldest half-open connection (section 3.4)."""
    syn_cookie_period_s: float = 64.0
    """A cookie is valid in the period in which it was made and in the next."""

    # Fast Open: RFC 7413. An application must ask for it, and these allow it.
    fast_open_client: bool = True
    fast_open_server: bool = True
    fast_open_max_pending: int = 4096
    """Section 4.2, PendingFastOpenRequests: the limit for each listener, which may set a lower
    one."""
    fast_open_reset_penalty_s: float = 60.0
    """Section 5.1: how long a request that was reset counts as pending."""
    fast_open_key_period_s: float = 43200.0
    """Section 4.1.2: a Fast Open cookie is valid in the period in which it was made and in the
    next."""
    fast_open_servers: int = 1024
    """Servers whose cookie a client stores, and paths that are remembered because Fast Open failed
    on them."""
    fast_open_max_mss: int = 1460
    """Section 4.1.3: a server's MSS is stored as at most this."""
    fast_open_retry_s: float = 60.0
    fast_open_retry_max_s: float = 3600.0
    """Section 4.1.3.1: the wait before Fast Open is tried again where it failed. It doubles from
    the first value up to the second."""

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class DhcpConfig:
    """The DHCP client: RFC 2131, RFC 2132, RFC 3396, RFC 3442, RFC 4361."""

    # Messages
    parameters: tuple[int, ...] = (1, 121, 3, 33, 6, 15, 119, 12, 26, 28, 42, 51, 58, 59)
    """Option codes of the parameter request list, the most important first (RFC 2132 section 9.8).
    In any order, 121 is requested before 3 and 33 (RFC 3442)."""
    client_identifier: str = "duid"
    """"duid" (RFC 4361 section 6.1) or "mac" (type 1 and the station address, RFC 2132
    section 9.14).
    """
    host_name: str = ""
    """Our name, sent to the server unless it is empty (RFC 2132 section 3.14)."""
    vendor_class: str = ""
    """The vendor class of this client, sent unless it is empty (RFC 2132 section 9.13)."""
    requested_lease_s: int | None = None
    """The lease time suggested to the server (RFC 2131 section 4.4.1)."""
    broadcast_flag: bool = False
    """Ask for answers by broadcast. We accept unicast before we have an address (RFC 2131
    section 4.1), but not every network delivers it."""

    # When: RFC 2131 section 4.1
    startup_delay_s: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest random wait before the first DHCPDISCOVER; RFC 2131 section 4.4.1
    suggests 1 to 10.
    """
    first_retransmission_s: float = 4.0
    last_retransmission_s: float = 64.0
    """The time to wait for an answer doubles from the first value to the last."""
    retransmission_jitter_s: float = 1.0
    """A random time of at most this length is added to each wait, or subtracted from it."""
    request_attempts: int = 4
    """DHCPREQUESTs for an offer, and DHCPINFORMs, before they are given up: section 3.1 step 5
    has four, in 60 s.
    """
    reboot_attempts: int = 2
    """DHCPREQUESTs for the old address. There are few, because a server that does not know us does
    not answer (section 4.3.2)."""
    renew_retransmission_min_s: float = 60.0
    """Section 4.4.5: half of the time that is left, but not under this."""
    renew_fuzz: float = 0.1
    """Section 4.4.5: T1 and T2 are moved at random by at most this fraction of the distance to the
    nearest other time of the lease."""
    offer_window_s: float = 0.25
    """How long to wait for further offers after the first (section 4.4.1 leaves this open)."""
    silent_after_attempts: int = 2
    """Unanswered DHCPDISCOVERs, or DHCPREQUESTs for an offer, after which the host is told that
    there seems to be no server.
    """
    silent_after_failures: int = 3
    """After this many refusals and conflicts in a row the host is told the same."""
    decline_wait_s: float = 10.0
    """Section 3.1 step 5: before a new start after a DHCPDECLINE."""
    nak_wait_s: float = 1.0
    """The wait before a new start after a second refusal in a row. It doubles with each further
    one, up to last_retransmission_s."""
    nak_doubt_s: float = 1.0
    """After another server has refused a broadcast request, the server of the lease has this long
    to accept it. A server that does not know us must not answer (RFC 2131 section 4.3.2), but some
    do, such as an authoritative dnsmasq."""
    conflicts_max: int = 10
    conflict_wait_s: float = 60.0
    """RFC 5227 section 2.1.1: after conflicts_max conflicts in a row, at most one address is tried
    every conflict_wait_s."""

    # What is accepted
    classless_routes: bool = True
    """Request and use the routes of option 121 (RFC 3442). The server can then redirect any
    traffic, and not only that of the default route.
    """
    message_bytes_max: int = 576
    """The longest message taken where the link's MTU is not larger: RFC 2131 section 2."""
    offers_max: int = 8  # collected at a time
    lease_min_s: float = 5.0  # a shorter one is refused, 0 among them
    renew_min_s: float = 2.0  # a T1 under this counts as contradictory
    mtu_min: int = 68  # RFC 2132 section 5.1
    routes_max: int = 64  # taken from option 121 or 33
    servers_max: int = 16  # addresses taken from any list: routers, name servers, NTP servers
    search_max: int = 32  # domains taken from option 119

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class HostConfig:
    """The host and its loop."""

    busy_poll_s: float = 0.0002
    """After traffic, a link with a descriptor is polled for this long before the loop waits for it,
    because waking up costs more than polling. 0 disables it. An idle host does not poll."""
    fast_paths: bool = True
    """Frequent frames take fast paths, with the same outcome (`stack/host/fast`)."""
    batch_frames: int = 64  # read from a link before connections send and waiting tasks are woken
    smallest_socket_buffer_bytes: int = 2304  # the least for SO_RCVBUF and SO_SNDBUF; Linux: SOCK_MIN_RCVBUF
    largest_socket_buffer_bytes: int = 8 << 20
    ephemeral_first: int = 1024  # RFC 6056 section 3.2: the whole range, the larger the better
    ephemeral_last: int = 65535
    service_ports: tuple[int, ...] = (
        1080, 1194, 1433, 1521, 1723, 1883, 2049, 2375, 3000, 3128, 3306, 3389, 4433, 5000, 5060, 5432, 5672, 5900,
        6000, 6379, 6667, 8000, 8080, 8081, 8443, 8888, 9000, 9090, 9092, 9200, 11211, 27017,
    )  # fmt: skip
    """These ports are never ephemeral, because services often use them (RFC 6056 section 3.2)."""
    suspended_least_s: float = 1.0
    """After a suspension of at least this length the host verifies its addresses, and makes its
    leases older by the time of the suspension."""
    loopback_batch_packets: int = 1024  # read from the loopback in one turn

    # The memory that connections and endpoints hold (budget.py), after Linux's tcp_mem, tcp_rmem[0]
    # and tcp_wmem[0]
    DEFAULT_MEMORY_BYTES: ClassVar[int] = 256 << 20  # the same on every machine: one seed gives the same bytes
    memory_bytes: int | None = None
    """The budget.

    None: `DEFAULT_MEMORY_BYTES`, and in `open_host` an eighth of what this process may have.
    """
    memory_pressure: float = 0.5
    """The fraction above which buffers and windows do not grow beyond a peer's share."""
    memory_high: float = 0.875
    """The fraction above which new connections and sockets are refused."""
    memory_share: float = 0.125
    """Above the pressure mark a peer may hold this fraction of what is left of the budget."""
    connection_bytes: int = 16 << 10
    """Charged for a connection: its TCB, its socket, the task of a program, and twice
    `least_buffer_bytes`.
    """
    half_open_bytes: int = 5 << 10  # charged before the handshake is over, and in TIME-WAIT
    endpoint_bytes: int = 6 << 10  # charged for a UDP endpoint, with the first `least_buffer_bytes` of its queue
    memory_trim_bytes: int = 8 << 20
    """When connections have freed this much, `malloc` is asked to return free memory to the system,
    if it can."""
    memory_trim_interval_s: float = 10.0  # the least time between two such requests
    least_buffer_bytes: int = 4 << 10
    """A connection may always hold this much in each direction, and an endpoint in its queue."""

    __repr__ = changed_fields


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of a host: one part for each layer."""

    arp: ArpConfig = field(default_factory=ArpConfig)
    acd: AcdConfig = field(default_factory=AcdConfig)
    link_local: LinkLocalConfig = field(default_factory=LinkLocalConfig)
    ip: IpConfig = field(default_factory=IpConfig)
    icmp: IcmpConfig = field(default_factory=IcmpConfig)
    udp: UdpConfig = field(default_factory=UdpConfig)
    tcp: TcpConfig = field(default_factory=TcpConfig)
    dhcp: DhcpConfig = field(default_factory=DhcpConfig)
    host: HostConfig = field(default_factory=HostConfig)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(each.type, type) and not isinstance(value, each.type):
                raise TypeError(f"{each.name} is a {each.type.__name__}, not a {type(value).__name__}")

    __repr__ = changed_fields
