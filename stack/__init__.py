"""One Internet host in one Python process: Ethernet, ARP, IPv4, ICMP, UDP, TCP, and trio sockets.

tap = stack.Tap("tap0", host_address="10.9.0.1/24")
async with stack.open_host(tap, address="10.9.0.2/24") as host:
    print(await host.ping("10.9.0.1"))
    stream = await host.open_tcp_stream("10.9.0.1", 8000)

The modules behind these names are imported when they are first used. A program that only reads
frames imports neither trio nor a host. One that uses any part of a host has all modules at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from stack.dissection.layer import Field, Layer, rebuild
    from stack.dissection.show import show
    from stack.dissection.walk import dissect
    from stack.host.lease_record import LeaseRecord
    from stack.link.capture import Capture
    from stack.link.captured import CapturedFrame, CaptureError
    from stack.link.event_capture import capture_of
    from stack.link.faults import Fault
    from stack.link.impair import Direction, Impaired, Impairment
    from stack.link.memory import Ethernet
    from stack.link.memory import Ethernet as Segment
    from stack.link.output_file import OutputFile
    from stack.link.read_capture import CaptureReader, read_capture
    from stack.link.tap import Tap
    from stack.link.trace_file import TraceFile
    from stack.outside.connection import SeenConnection, SeenEnd, SeenSegment, StateChange
    from stack.outside.follow import Follower, follow
    from stack.outside.mark import Mark
    from stack.sockets.dhcp import Dhcp
    from stack.sockets.each_run import install_in_each_run
    from stack.sockets.host import Host, open_host
    from stack.trace.event import Event, Observer
    from stack.trace.explain import explain
    from stack.trace.json_seq import event_json, events_json, read_trace
    from stack.trace.recorder import Recorder
    from stack.trace.words import event_words
    from stack.wire.addresses import Prefix
    from stack.wire.assigned import AssignedNumber, assigned_numbers
    from stack.wire.special_ranges import address_class, special_ranges

__all__ = [
    "open_host",
    "Host",
    "install_in_each_run",
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
    "Fault",
    "Capture",
    "capture_of",
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
    "OutputFile",
    "event_json",
    "events_json",
    "read_trace",
    "event_words",
    "explain",
    "show",
    "Prefix",
    "address_class",
    "special_ranges",
    "AssignedNumber",
    "assigned_numbers",
    "dissect",
    "rebuild",
    "Layer",
    "Field",
]

_HOMES = {
    "stack.config": "AcdConfig ArpConfig Config DhcpConfig HostConfig IcmpConfig IpConfig LinkLocalConfig"
    " TcpConfig UdpConfig",
    "stack.dissection.layer": "Field Layer rebuild",
    "stack.dissection.show": "show",
    "stack.dissection.walk": "dissect",
    "stack.host.lease_record": "LeaseRecord",
    "stack.link.capture": "Capture",
    "stack.link.event_capture": "capture_of",
    "stack.link.captured": "CaptureError CapturedFrame",
    "stack.link.faults": "Fault",
    "stack.link.impair": "Direction Impaired Impairment",
    "stack.link.memory": "Ethernet",
    "stack.link.output_file": "OutputFile",
    "stack.link.read_capture": "CaptureReader read_capture",
    "stack.link.tap": "Tap",
    "stack.link.trace_file": "TraceFile",
    "stack.outside.connection": "SeenConnection SeenEnd SeenSegment StateChange",
    "stack.outside.follow": "Follower follow",
    "stack.outside.mark": "Mark",
    "stack.sockets.dhcp": "Dhcp",
    "stack.sockets.each_run": "install_in_each_run",
    "stack.sockets.host": "Host open_host",
    "stack.trace.event": "Event Observer",
    "stack.trace.explain": "explain",
    "stack.trace.json_seq": "event_json events_json read_trace",
    "stack.trace.recorder": "Recorder",
    "stack.trace.words": "event_words",
    "stack.wire.addresses": "Prefix",
    "stack.wire.assigned": "AssignedNumber assigned_numbers",
    "stack.wire.special_ranges": "address_class special_ranges",
}
_WITHOUT_A_HOST = (
    "stack.dissection", "stack.link.captured", "stack.link.output_file", "stack.link.read_capture", "stack.outside",
    "stack.trace", "stack.wire",
)  # fmt: skip
_FORMER_NAMES = {"Segment": "Ethernet"}  # for programs that use them; in TCP a segment is something else


if not TYPE_CHECKING:  # a type checker sees the imports above, and so it finds names that are not here

    def __getattr__(name: str) -> object:
        """Return a public name, imported from its module. AttributeError if there is none.

        Python calls this for a name that the module does not have yet (PEP 562).
        """
        present = _FORMER_NAMES.get(name, name)
        for module, names in _HOMES.items():
            if present in names.split():
                if not module.startswith(_WITHOUT_A_HOST):
                    # Else a program would import the rest while it runs. A Ctrl-C within an import
                    # may be lost: CPython 3.11 remembers one that leaves an `exec` of text, and
                    # ends by the signal, although the program has caught it.
                    for other in _HOMES:
                        import_module(other)
                value = getattr(import_module(module), present)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, for `dir` and for completion."""
    return sorted({*globals(), *__all__})
