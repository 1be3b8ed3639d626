"""One Internet host in one Python process: Ethernet, ARP, IPv4, ICMP, UDP, TCP, and trio sockets.

tap = stack.Tap("tap0", host_address="10.9.0.1/24")
async with stack.open_host(tap, address="10.9.0.2/24") as host:
    print(await host.ping("10.9.0.1"))
    stream = await host.open_tcp_stream("10.9.0.1", 8000)
"""

from stack.config import (
    AcdConfig,
    ArpConfig,
    Config,
    DhcpConfig,
    HostConfig,
    IcmpConfig,
    IpConfig,
    LinkLocalConfig,
    TcpConfig,
    UdpConfig,
)
from stack.host.lease_record import LeaseRecord
from stack.link.capture import Capture
from stack.link.captured import CapturedFrame, CaptureError
from stack.link.impair import Direction, Impaired, Impairment
from stack.link.memory import Ethernet
from stack.link.read_capture import CaptureReader, read_capture
from stack.link.tap import Tap
from stack.link.trace_file import TraceFile
from stack.outside.connection import SeenConnection, SeenEnd, SeenSegment, StateChange
from stack.outside.follow import Follower, follow
from stack.outside.mark import Mark
from stack.sockets.dhcp import Dhcp
from stack.sockets.host import Host, open_host
from stack.trace.event import Event, Observer
from stack.trace.explain import explain
from stack.trace.json_seq import event_json, read_trace
from stack.trace.recorder import Recorder
from stack.wire.show import show

Segment = Ethernet  # the former name, for programs that use it; in TCP a segment is something else

__all__ = [
    "open_host",
    "Host",
    "Config",
    "AcdConfig",
    "ArpConfig",
    "DhcpConfig",
    "HostConfig",
    "IcmpConfig",
    "IpConfig",
    "LinkLocalConfig",
    "TcpConfig",
    "UdpConfig",
    "Dhcp",
    "LeaseRecord",
    "Tap",
    "Ethernet",
    "Segment",
    "Impaired",
    "Impairment",
    "Direction",
    "Capture",
    "read_capture",
    "CapturedFrame",
    "follow",
    "Follower",
    "SeenConnection",
    "SeenEnd",
    "SeenSegment",
    "StateChange",
    "Mark",
    "CaptureReader",
    "CaptureError",
    "Event",
    "Observer",
    "Recorder",
    "TraceFile",
    "event_json",
    "read_trace",
    "explain",
    "show",
]
