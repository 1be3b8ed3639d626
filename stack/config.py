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
