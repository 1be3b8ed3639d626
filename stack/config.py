"""Every number a user may turn, with its default, its unit and the clause it comes from. No other file holds one.

Times are in seconds, sizes in bytes. `Config()` is a well-behaved Internet host; `dataclasses.replace` makes another.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ArpConfig:
    """Address resolution: RFC 826, RFC 1122 section 2.3.2."""


@dataclass(frozen=True, slots=True)
class IpConfig:
    """IPv4: RFC 791, RFC 815, RFC 1122 section 3."""


@dataclass(frozen=True, slots=True)
class IcmpConfig:
    """ICMP: RFC 792, RFC 1122 section 3.2.2."""


@dataclass(frozen=True, slots=True)
class UdpConfig:
    """UDP: RFC 768, RFC 1122 section 4.1."""


@dataclass(frozen=True, slots=True)
class TcpConfig:
    """TCP: RFC 9293, RFC 6298, RFC 5681, RFC 5961."""

    # Buffers and windows, in octets
    send_buffer_bytes: int = 1 << 20
    receive_buffer_bytes: int = 1 << 18
    max_receive_buffer_bytes: int = 1 << 22
    """The largest SO_RCVBUF; the window scale offered in a SYN must do for it (RFC 7323 section 2.2)."""
    send_quantum_bytes: int = 1 << 16
    """What one send takes at the most: a super-frame's worth."""
    notsent_lowat_bytes: int = 1 << 30
    """A send may start while less than this waits unsent; a stream over our sockets sets 16 KiB."""
    max_out_of_order_runs: int = 1024
    """Runs of octets held behind a gap, for each connection."""
    window_scaling: bool = True

    # Segments
    min_send_mss: int = 88
    """A peer's smaller MSS is taken as this: one octet a segment is an attack (RFC 9293 section 3.7.1 has no floor)."""

    # Retransmission: RFC 6298, RFC 9293 section 3.8.3
    rto_initial_s: float = 1.0
    """RFC 6298 section 2.1."""
    rto_min_s: float = 0.2
    """RFC 6298 section 2.4 says 1 s SHOULD be the floor; like every stack in use we trust our finer clock."""
    rto_max_s: float = 60.0
    """RFC 6298 section 2.5: at least 60 s."""
    rto_after_syn_loss_s: float = 3.0
    """RFC 6298 section 5.7."""
    clock_granularity_s: float = 0.001
    """G of RFC 6298 section 2."""
    r1_retransmissions: int = 3
    """R1: from here on IP is told that the next hop may be dead. RFC 9293 SHLD-10."""
    user_timeout_s: float = 300.0
    """R2 for data, and RFC 9293 section 3.9.1.1's global default of five minutes (SHLD-11: at least 100 s)."""
    syn_timeout_s: float = 185.0
    """R2 for a SYN: it is retransmitted for at least three minutes (MUST-23)."""
    syn_received_timeout_s: float = 63.0
    """How long a SYN,ACK that nobody acknowledges is sent again."""
    orphan_timeout_s: float = 60.0
    """R2 for a connection whose user has closed it: a peer that stops answering is not waited for longer."""
    fin_wait_2_timeout_s: float = 60.0
    """How long a closed connection waits for the peer's FIN."""
    msl_s: float = 30.0
    """The maximum segment lifetime: RFC 9293 section 3.4.2 suggests two minutes, "but this is an engineering choice"."""

    # Acknowledgments
    delayed_ack_s: float = 0.04
    """MUST-40: below 0.5 s."""
    sws_override_s: float = 0.2
    """RFC 9293 section 3.8.6.2.1: 0.1 to 1.0 s."""
    challenge_acks_per_window: int = 10
    challenge_ack_window_s: float = 5.0
    """RFC 5961 section 7: "no more than 10 ACKs in any 5 second window", counted for each connection by itself."""

    # Keep-alives: RFC 9293 section 3.8.4
    keepalive_idle_s: float = 7200.0
    """MUST-28: not less than two hours by default."""
    keepalive_interval_s: float = 75.0
    keepalive_count: int = 9

    # Congestion control
    congestion: str = "reno"
    """A key of stack.tcp.congestion.POLICIES."""
    initial_window_segments: int = 10
    """RFC 6928 section 2."""

    # Passive opens
    syn_backlog: int = 256
    """Connections in SYN-RECEIVED for each listener; the oldest gives way (RFC 4987 section 3.4)."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """The host and its loop."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything, layer by layer."""

    arp: ArpConfig = field(default_factory=ArpConfig)
    ip: IpConfig = field(default_factory=IpConfig)
    icmp: IcmpConfig = field(default_factory=IcmpConfig)
    udp: UdpConfig = field(default_factory=UdpConfig)
    tcp: TcpConfig = field(default_factory=TcpConfig)
    host: HostConfig = field(default_factory=HostConfig)
