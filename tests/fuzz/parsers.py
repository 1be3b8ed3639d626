"""The fuzzer's targets without a state: a parser gets the input. It returns, or raises BadPacket;
any other exception is a fault.

`tests/wire/round_trip.py` has what must hold of the headers; here is the same for what stands
behind them.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

from stack.config import DhcpConfig
from stack.counters import DROPS, UNREADABLE
from stack.dhcp import messages, options
from stack.dhcp.lease import Lease
from stack.dhcp.parameters import Parameters
from stack.dissection import show_options
from stack.errors import BadPacket
from stack.internet.fragments import fragment
from stack.link.captured import CapturedFrame
from stack.outside.follow import follow
from stack.sockets.lease_file import DAMAGED, LeaseFile
from stack.tcp.segment import Segment, reset_for, reset_options
from stack.wire import dhcp_values, dns, text_lines, virtio
from stack.wire.addresses import Prefix, format_ipv4, format_mac, parse_ipv4, parse_mac
from stack.wire.escape import escape
from stack.wire.ipv4 import Ipv4Header
from tests.dissection.again import LINKS, check
from tests.link.reads import reads
from tests.outside.any_segments import segments
from tests.wire.round_trip import PARSERS, shows, withstands

MAC = b"\x02\0\0\0\0\x01"
MTU = 1500
MOST = 16


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """BadPacket with a registered reason ends the input; anything else is a fault."""
    try:
        yield
    except BadPacket as error:
        if error.reason not in DROPS and error.reason not in UNREADABLE:
            raise AssertionError(f"no registered reason: {error.reason}") from error


def _printable(text: str) -> None:
    assert text.isascii()
    assert text == "" or text.isprintable()


def show_options_of(data: bytes) -> None:
    """The lines for options say something printable whatever the options are."""
    for line in (show_options.ipv4_options(data), show_options.tcp_options(data), show_options.dhcp_line(data) or ""):
        _printable(line)
    _printable(escape(data))


def lines_of_text(data: bytes) -> None:
    """All octets are in the lines, or none."""
    for protocol in text_lines.PORTS.values():
        for from_server in (False, True):
            lines = text_lines.split_lines(data, protocol, from_server=from_server)
            assert not lines or b"".join(line.text + line.ending for line in lines) == data


def virtio_header(data: bytes) -> None:
    """A size below 64 KiB for any ten octets."""
    if len(data) >= virtio.HEADER_LENGTH:
        assert 0 <= virtio.gso_size(data[: virtio.HEADER_LENGTH]) < 1 << 16
        assert virtio.gso_size(memoryview(data)) == virtio.gso_size(data)


def text_addresses(data: bytes) -> None:
    """What a user types: an address or ValueError; what is taken is written back and read again."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        assert parse_ipv4(format_ipv4(parse_ipv4(text))) == parse_ipv4(text)
    with contextlib.suppress(ValueError):
        assert parse_mac(format_mac(parse_mac(text))) == parse_mac(text)
    with contextlib.suppress(ValueError):
        prefix = Prefix.parse(text)
        assert prefix.contains(prefix.address)
        assert Prefix.parse(str(prefix)) == prefix


def values_of_dhcp(data: bytes) -> None:
    """Routes and names as options hold them."""
    with refusing():
        for prefix, router in dhcp_values.classless_routes(data):
            assert len(prefix.address) == len(router) == 4
    names = dhcp_values.names(data, MOST)
    assert len(names) <= MOST
    for name in names:
        _printable(name)
        assert len(name) <= dns.NAME_MAX


def options_of_dhcp(data: bytes) -> None:
    """No value of an option raises, and what is read of it is bounded."""
    assert len(options.hosts(data, MOST)) <= MOST
    assert len(options.static_routes(data, MOST)) <= MOST
    assert len(options.classless_routes(data, MOST) or ()) <= MOST
    assert len(options.search_list(data, MOST)) <= MOST
    options.host(data)
    options.seconds(data)
    length = options.prefix_length(data)
    assert length is None or 1 <= length <= 32
    mtu = options.mtu(data, 68, MTU)
    assert mtu is None or 68 <= mtu <= MTU
    _printable(options.text(data))
    _printable(options.domain_name(data))


@cache
def _parameters() -> Parameters:
    return Parameters(DhcpConfig(), MTU, _printable)


def message_to_lease(data: bytes) -> None:
    """What a client makes of a datagram to its port: a message, and from that a lease that can be saved and loaded."""
    with refusing():
        message = messages.accept(data, MAC, MTU)
        for make in (
            partial(_parameters().lease, message, 100.0, (0.9, -0.9)),
            partial(_parameters().informed, message, bytes((10, 9, 0, 2)), 100.0),
        ):
            with refusing():
                lease = make()
                check_lease(lease)
                assert Lease.from_json(lease.to_json()) == lease


def check_lease(lease: Lease) -> None:
    """What programs rely on."""
    assert 0 < lease.t1_s <= lease.t2_s <= lease.lease_s
    assert 1 <= lease.prefix_length <= 32
    assert lease.mtu is None or 68 <= lease.mtu <= 65535
    for text in (lease.domain, lease.host_name, lease.message, *lease.search):
        _printable(text)
    assert len(lease.routes) <= 2 * (DhcpConfig().routes_max + DhcpConfig().servers_max)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tapstack-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def lease_file(data: bytes) -> None:
    """A lease or a report, and nothing raised; a lease that is saved again is loaded as the same."""
    path = _folder() / "lease"
    path.write_bytes(data)
    reports: list[str] = []
    with contextlib.closing(LeaseFile(path, MAC, lambda: 1.0e9, reports.append)) as file:
        lease = file.load(50.0)
        assert lease is not None or len(reports) == (1 if data else 0)  # an empty file holds no lease
        if lease is not None:
            check_lease(lease)
            assert lease.requested_at <= 50.0
            file.save(lease)
            assert file.load(50.0) is not None
    path.with_name(path.name + DAMAGED).unlink(missing_ok=True)


def capture(data: bytes) -> None:
    """A file of frames and at most one CaptureError."""
    reads(data)


def segment(data: bytes) -> None:
    """What TCP makes of the bytes of a segment before it looks for a connection."""
    with refusing():
        parsed = Segment.parse(memoryview(data))
        assert parsed.seg_len <= len(data) + 2
        parsed.options()
        parsed.read_timestamps()
        repr(parsed)
        reset = reset_for(parsed)
        assert reset is None or all(0 <= number < 1 << 32 for number in reset)
        assert len(reset_options(parsed)) in (0, 12)


def cut(data: bytes) -> None:
    """A datagram cut to an MTU: each fragment parses and fits, and together they are the payload."""
    with refusing():
        header = Ipv4Header.parse(data, verify_checksum=False)
        mtu = 68 + header.identification % 600
        payload = data[header.header_length : header.total_length]
        if header.fragment_offset + len(payload) + header.header_length > 65535 or (
            header.more_fragments and len(payload) % 8
        ):
            return
        pieces = [Ipv4Header.parse(piece) for piece in fragment(header, payload, mtu)]
        assert all(piece.total_length <= mtu for piece in pieces)
        assert sum(piece.total_length - piece.header_length for piece in pieces) == len(payload)
        assert pieces[-1].more_fragments == header.more_fragments


def _again(name: str) -> Callable[[bytes], None]:
    def parser(data: bytes) -> None:
        withstands(name, data)

    return parser


def _show(data: bytes) -> None:
    shows(data)


def _dissect(data: bytes) -> None:
    for link in LINKS:
        check(data, link)


def _dissect_snapped(data: bytes) -> None:
    """A frame of which not all octets were captured, from a device with offload."""
    for link in LINKS:
        check(data, link, offload=True, length=len(data) + 1)
        check(data, link, offload=True, length=len(data) + 1400)


def _follow(data: bytes) -> None:
    """A capture of segments that are made of the input, and of the input itself as a frame."""
    whole = [CapturedFrame(0, 0, data, len(data) + more, link) for link in LINKS for more in (0, 1)]
    connections = list(follow([*segments(data), *whole]))
    for connection in connections:
        for found in connection.segments:
            for mark in found.marks:
                _printable(mark.sentence)
            connection.relative_seq(found)
            connection.window(found)


TARGETS: dict[str, Callable[[bytes], None]] = {
    **{name: _again(name) for name in PARSERS},
    "addresses": text_addresses,
    "capture": capture,
    "dissect": _dissect,
    "dissect_snapped": _dissect_snapped,
    "dhcp_message": message_to_lease,
    "dhcp_options": options_of_dhcp,
    "dhcp_values": values_of_dhcp,
    "follow": _follow,
    "fragment": cut,
    "lease_file": lease_file,
    "segment": segment,
    "show": _show,
    "show_options": show_options_of,
    "text_lines": lines_of_text,
    "virtio": virtio_header,
}
