"""The capture file: byte for byte, and as tcpdump and tshark read it."""

from __future__ import annotations

import errno
import math
import os
import shutil
import struct
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

import stack
from stack.link.capture import EXPLAINED_FLUSH_BYTES, FLUSH_BYTES, FLUSH_S, Capture
from stack.link.device import Offload
from stack.link.frame_comments import LONGEST_COMMENT, MOST_COMMENTS, FrameComments
from stack.trace.event import Event
from stack.trace.why import WHY
from stack.wire.virtio import tcp_header
from tests.link.frames import Wakes, Wire, drain, tcp_frame, udp_frame

SECTION_HEADER = bytes.fromhex(
    "0a0d0d0a 2c000000 4d3c2b1a 0100 0000 ffffffffffffffff"  # type, length, magic, version 1.0, length unknown
    "0400 0800 7461707374 61636b 0000 0000 2c000000"  # shb_userappl: tapstack, end of options, length
)
INTERFACE = bytes.fromhex(
    "01000000 2c000000 0100 0000 00000400"  # type, length, LINKTYPE_ETHERNET, reserved, snaplen 262144
    "0200 0500 7769726530 000000 0900 0100 09000000 0000 0000 2c000000"  # if_name: wire0, if_tsresol: 10**-9 s
)
# 1.5 s = 0x59682f00 ns; 3 bytes captured and as many on the wire, one byte of padding, epb_flags: inbound
PACKET_IN = bytes.fromhex("06000000 30000000 00000000 00000000 002f6859 03000000 03000000 61626300 0200 0400 01000000")
PACKET_OUT = bytes.fromhex("06000000 3c000000 00000000 00000000 002f6859 04000000 04000000 64656667 0200 0400 02000000")
END = bytes.fromhex("0000 0000")

Packet = tuple[int, int, bytes, int, list[str]]  # timestamp in ns, direction, data, length on the wire, comments


def packets(content: bytes) -> list[Packet]:
    """The packets of a capture; fails unless it consists of whole blocks, the first two of which are as expected."""
    kinds: list[int] = []
    found: list[Packet] = []
    while content:
        kind, length = struct.unpack_from("<II", content)
        assert length % 4 == 0
        assert len(content) >= length
        assert struct.unpack_from("<I", content, length - 4)[0] == length
        kinds.append(kind)
        if kind == 6:
            found.append(packet(content[8 : length - 4]))
        content = content[length:]
    assert kinds == [0x0A0D0D0A, 1, *[6] * len(found)]
    return found


def packet(body: bytes) -> Packet:
    """One Enhanced Packet Block."""
    interface, high, low, captured, length = struct.unpack_from("<IIIII", body)
    assert interface == 0
    data = body[20 : 20 + captured]
    options = body[20 + captured + -captured % 4 :]
    direction = 0
    comments: list[str] = []
    while True:
        code, size = struct.unpack_from("<HH", options)
        value, options = options[4 : 4 + size], options[4 + size + -size % 4 :]
        if code == 0:
            assert not options
            return high << 32 | low, direction, data, length, comments
        if code == 2:
            direction = struct.unpack("<I", value)[0]
        elif code == 1:
            comments.append(value.decode())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capture.pcapng"


@pytest.fixture
def dumped(path: Path) -> Iterator[tuple[Capture, Wire]]:
    wire = Wire()
    link = Capture(wire, path)
    link.open(Wakes())
    yield link, wire
    link.close()


# --- the bytes --------------------------------------------------------------------------------------------------------


def test_every_byte(path: Path) -> None:
    wire = Wire([b"abc"])
    link = Capture(wire, path)
    link.open(Wakes())
    link.read(1.5)
    link.write([b"de", b"fg"], 1.5)
    assert link.note("ok")
    link.close()
    comment = bytes.fromhex("0100 0200 6f6b 0000")
    assert path.read_bytes() == b"".join(
        (
            SECTION_HEADER,
            INTERFACE,
            PACKET_IN + END + bytes.fromhex("30000000"),
            PACKET_OUT.replace(b"\x3c", b"\x38") + comment + END + bytes.fromhex("38000000"),
        )
    )


def test_bare_ip_packets_are_of_another_link_type(path: Path) -> None:
    link = Capture(Wire(ip_offset=0), path)
    link.open(Wakes())
    link.close()
    assert path.read_bytes() == SECTION_HEADER + INTERFACE.replace(b"\x01\0\0\0\0\0\4\0", b"\x65\0\0\0\0\0\4\0")


def test_timestamps_are_exact_nanoseconds_since_the_epoch_given(path: Path) -> None:
    link = Capture(Wire([b"x" * 60] * 2), path, epoch_s=1_800_000_000.25)
    link.open(Wakes())
    link.read(0.000000001)
    link.read(12.345678912)
    link.close()
    assert [timestamp for timestamp, *_ in packets(path.read_bytes())] == [
        1_800_000_000_250_000_001,
        1_800_000_012_595_678_912,
    ]


def test_a_clock_gives_each_frame_of_a_batch_its_own_time(path: Path) -> None:
    """Both were read in one batch, and so with one `now`; what is written out follows the clock, too."""
    times = iter([5.5, 5.75, 6.0])
    link = Capture(Wire([b"x" * 60] * 2), path, epoch_s=100.0, clock=lambda: next(times))
    link.open(Wakes())
    link.read(5.0)
    link.read(5.0)
    link.write([b"y" * 60], 5.0)
    assert link.deadline == 5.0 + FLUSH_S  # deadlines are the host's, and stay with its `now`
    link.close()
    assert [timestamp / 1e9 for timestamp, *_ in packets(path.read_bytes())] == [105.5, 105.75, 106.0]


def test_frames_longer_than_the_snapshot_are_cut(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, _ = dumped
    link.write([b"y" * 262_144, b"zz"], 0.0)
    link.close()
    assert packets(path.read_bytes()) == [(0, 2, b"y" * 262_144, 262_146, [])]


# --- comments ---------------------------------------------------------------------------------------------------------


def test_notes_go_to_the_last_frame_or_the_last_of_a_direction(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, wire = dumped
    assert not link.note("nobody's")
    assert not link.note("nobody's", outgoing=True)
    wire.incoming.append(b"question")
    link.read(0.0)
    assert not link.note("nobody's", outgoing=True)
    link.write([b"answer"], 0.0)
    assert link.note("about the answer")
    assert link.note("about the question: größer", outgoing=False)
    assert link.note("again about the answer", outgoing=True)
    link.close()
    assert [(data, comments) for _, _, data, _, comments in packets(path.read_bytes())] == [
        (b"question", ["about the question: größer"]),
        (b"answer", ["about the answer", "again about the answer"]),
    ]
    assert not link.note("too late")


def test_a_comment_too_long_for_its_field_is_cut_between_characters(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, _ = dumped
    link.write([b"x"], 0.0)
    link.note("ü" * 40_000)
    link.close()
    ((*_, comments),) = packets(path.read_bytes())
    assert comments == ["ü" * 32_766]


def test_a_note_reaches_a_frame_recorded_when_much_is_waiting(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, _ = dumped
    for number in range(200):
        link.write([bytes(1000)], 0.0)
        assert link.note(str(number))
    link.close()
    assert [comments for *_, comments in packets(path.read_bytes())] == [[str(number)] for number in range(200)]


# --- when it is written -----------------------------------------------------------------------------------------------


def test_the_file_trails_the_link_by_a_deadline_at_most(path: Path) -> None:
    link = Capture(Wire(), path)
    wakes = Wakes()
    link.open(wakes)
    assert packets(path.read_bytes()) == []
    link.write([b"one"], 5.0)
    assert link.deadline == 5.0 + FLUSH_S
    assert wakes.count == 1, "the task that sleeps until the deadline must be told of it"
    link.write([b"two"], 5.05)
    assert link.deadline == 5.0 + FLUSH_S
    assert wakes.count == 1
    link.poll(5.05)
    assert packets(path.read_bytes()) == []
    link.poll(5.0 + FLUSH_S)
    assert [data for _, _, data, _, _ in packets(path.read_bytes())] == [b"one", b"two"]
    assert link.deadline == math.inf, "an idle link causes no wake"
    link.close()


def test_what_waits_to_be_written_is_bounded(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, _ = dumped
    for count in range(1, 500):
        link.write([bytes(1400)], 0.0)
        assert count * 1400 - path.stat().st_size < FLUSH_BYTES + 1400
    link.close()
    assert len(packets(path.read_bytes())) == 499


def test_what_the_link_refused_is_not_in_the_file(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, wire = dumped
    wire.takes = False
    assert not link.write([b"never left"], 0.0)
    wire.takes = True
    assert link.write([b"left"], 0.0)
    link.close()
    assert [data for _, _, data, _, _ in packets(path.read_bytes())] == [b"left"]


def test_the_link_below_keeps_its_deadline_and_its_word(dumped: tuple[Capture, Wire]) -> None:
    link, wire = dumped
    assert link.fileno() == 77
    wire.incoming.append(b"x")
    wire.rx_checksum_ok = True
    wire.rx_gso_size = 1448
    wire.deadline = 3.0
    link.read(2.95)
    assert link.rx_checksum_ok
    assert link.rx_gso_size == 1448
    assert link.deadline == 3.0
    link.poll(3.0)
    assert wire.polled == [3.0]
    assert link.deadline == 2.95 + FLUSH_S


def test_an_offload_goes_through_and_super_frames_are_written_whole(path: Path) -> None:
    """As tcpdump shows them: no header before them, and the checksum as partial as it is."""
    wire = Wire()
    link = Capture(wire, path)
    wire.offload, wire.queue_frames = Offload(checksum=True, gso_max_bytes=65_415), 4096
    link.may_offload = False
    assert not wire.may_offload
    link.open(Wakes())
    assert link.offload == wire.offload
    assert link.queue_frames == 4096
    frame, header = tcp_frame(bytes(range(256)) * 255), tcp_header(34, 20, 1460)
    assert link.write([frame[:54], memoryview(frame)[54:]], 1.0, header)
    assert wire.headers == [header]
    wire.incoming.append(frame)
    assert link.read(2.0) is not None
    link.close()
    written = packets(path.read_bytes())
    assert [(data, length) for _, _, data, length, _ in written] == [(frame, len(frame))] * 2


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_made_is_an_error_of_open(tmp_path: Path) -> None:
    wire = Wire()
    link = Capture(wire, tmp_path / "no" / "such" / "folder")
    with pytest.raises(OSError, match=r"cannot write the capture .*folder: No such file or directory") as caught:
        link.open(Wakes())
    assert caught.value.errno == errno.ENOENT
    assert wire.wake is None, "the link below is closed again"


@pytest.mark.parametrize("kind", ["pipe", "pipe with a reader", "device"])
def test_what_is_no_regular_file_is_refused_at_once(path: Path, kind: str) -> None:
    """Opening a pipe without a reader would block, and so would writing to one that is read slowly."""
    if kind == "device":
        path = Path("/dev/null")
    else:
        os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if kind == "pipe with a reader" else -1
    before = sorted(os.listdir("/proc/self/fd"))
    wire = Wire()
    with pytest.raises(OSError, match="it is not a regular file") as caught:
        Capture(wire, path).open(Wakes())
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, str(path))
    assert wire.wake is None, "the link below is closed again"
    assert sorted(os.listdir("/proc/self/fd")) == before
    if reader >= 0:
        os.close(reader)


def test_a_longer_file_that_was_there_is_overwritten(path: Path) -> None:
    path.write_bytes(b"x" * 10_000)
    link = Capture(Wire(), path)
    link.open(Wakes())
    link.close()
    assert path.read_bytes() == SECTION_HEADER + INTERFACE


def test_a_full_disk_ends_the_capture_after_a_whole_block_and_not_the_link(
    dumped: tuple[Capture, Wire], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, wire = dumped
    link.write([b"a" * 1000], 0.0)
    link.poll(FLUSH_S)
    room = path.stat().st_size + 1100 + 500
    real_write = os.write

    def write(file: int, data: memoryview) -> int:
        free = room - path.stat().st_size
        if not free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(file, data[:free])

    monkeypatch.setattr("stack.link.capture.os.write", write)
    for letter in b"bcd":
        link.write([bytes([letter]) * 1000], 1.0)
    link.poll(2.0)
    assert link.error is not None
    assert "No space left on device" in link.error
    assert str(path) in link.error
    first_error = link.error
    for _ in range(100):
        assert link.write([b"e" * 1000], 3.0)
        wire.incoming.append(b"f")
        assert link.read(3.0) is not None
    assert link.deadline == math.inf
    link.poll(4.0)
    link.close()
    assert link.error == first_error
    assert [data[:1] for _, _, data, _, _ in packets(path.read_bytes())] == [b"a", b"b"]
    assert len(wire.sent) == 104


def test_a_capture_ends_at_its_limit(path: Path) -> None:
    link = Capture(Wire(), path, limit_bytes=10_000)
    link.open(Wakes())
    for _ in range(20):
        link.write([bytes(1000)], 0.0)
    link.close()
    assert link.error is not None
    assert "more than 10000 bytes" in link.error
    assert 9000 < path.stat().st_size <= 10_000
    assert len(packets(path.read_bytes())) == 9


def test_what_people_say_is_for_the_owner_only(dumped: tuple[Capture, Wire], path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_descriptor_is_left_or_inherited(path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    link = Capture(Wire(), path)
    link.open(Wakes())
    (mine,) = [fd for fd in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{fd}") == str(path)]
    assert not os.get_inheritable(int(mine))
    link.close()
    assert sorted(os.listdir("/proc/self/fd")) == before


# --- the host's reasons -----------------------------------------------------------------------------------------------


def event(name: str, frame: int, n: int = 0, cause: str = "frame", group: str = "wire0", **data: object) -> Event:
    return Event(n, 0.0, 0.0, name, group, frame, cause, data, ("own",))


def comes(link: Capture, wire: Wire, frame: bytes, n: int) -> None:
    wire.incoming.append(frame)
    link.read(0.0)
    link.explain(event("wire:frame", n, n, dir="in", octets=frame))


def goes(link: Capture, frame: bytes, cause: int, kind: str = "frame") -> None:
    link.explain(event("wire:frame", cause, 0, kind, dir="out", octets=frame))
    link.write([frame], 0.0)


def comments(path: Path) -> list[list[str]]:
    return [comments for *_, comments in packets(path.read_bytes())]


def test_a_frame_that_comes_in_has_what_became_of_it(dumped: tuple[Capture, Wire], path: Path) -> None:
    """Also what is decided after later frames of the batch, and the same octets twice."""
    link, wire = dumped
    comes(link, wire, b"question", 1)
    link.explain(event("tcp:state", 1, group="c1", after="ESTABLISHED"))
    link.explain(event("host:done", 1, verdict="delivered"))
    comes(link, wire, b"question", 4)
    link.explain(event("host:drop", 4, reason="tcp_bad_checksum", meaning="it is wrong"))
    link.explain(event("host:done", 4, verdict="dropped"))
    link.explain(event("tcp:delta", 1, group="c1", snd_una=7))
    link.explain(event("tcp:send", 1, group="c1"))
    link.close()
    assert comments(path) == [
        ["c1: state after=ESTABLISHED", "delivered", "c1: send"],
        ["dropped: tcp_bad_checksum: it is wrong (our choice)"],
    ]


def test_a_frame_that_goes_out_has_why_it_was_sent(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, wire = dumped
    comes(link, wire, b"question", 1)
    link.explain(event("tcp:state", 1, group="c1"))
    link.explain(event("tcp:blocked", 1, group="c2"))
    link.explain(event("tcp:send", 1, group="c1"))
    goes(link, b"answer", 1)
    goes(link, b"more", 1)
    link.explain(event("tcp:timer", 0, cause="timer", group="c1", action="fired"))
    goes(link, b"again", 0, "timer")
    link.explain(event("tcp:send", 7, group="c1"))
    goes(link, b"by the program", 0, "call")
    link.close()
    assert comments(path) == [
        ["c1: state", "c2: blocked", "c1: send"],
        ["because of packet 1", "c1: state", "c1: send"],
        ["because of packet 1"],
        ["because of a timer", "c1: timer fired"],
        ["because of a call of the program"],
    ]


def test_frames_of_other_links_and_those_that_never_left_have_no_comment(
    dumped: tuple[Capture, Wire], path: Path
) -> None:
    link, wire = dumped
    link.explain(event("wire:frame", 1, 1, dir="in", octets=b"elsewhere", group="tap9"))
    link.explain(event("tcp:send", 1, group="c1"))
    wire.takes = False
    goes(link, b"refused", 1)
    wire.takes = True
    wire.incoming.append(b"elsewhere")
    link.read(0.0)
    goes(link, b"answer", 1)
    link.close()
    assert comments(path) == [[], []]


def test_what_is_decided_when_the_frame_is_in_the_file_is_not_told(dumped: tuple[Capture, Wire], path: Path) -> None:
    link, wire = dumped
    comes(link, wire, b"question", 1)
    link.poll(1.0)
    link.explain(event("tcp:send", 1, group="c1"))
    goes(link, b"answer", 1)
    link.close()
    assert comments(path) == [[], ["because of packet 1", "c1: send"]]


def test_comments_are_bounded_and_hold_no_more_frames_back_than_a_batch(
    dumped: tuple[Capture, Wire], path: Path
) -> None:
    link, wire = dumped
    comes(link, wire, b"question", 1)
    for _ in range(1000):
        link.explain(event("host:drop", 1, reason="x", meaning="y" * 100_000))
    link.poll(1.0)
    (said,) = comments(path)
    assert len(said) == MOST_COMMENTS
    assert {len(text) for text in said} == {LONGEST_COMMENT}
    for number in range(1, 300):
        comes(link, wire, bytes(65_000), number)
        assert number * 65_000 - path.stat().st_size < EXPLAINED_FLUSH_BYTES + 65_000
    for number in range(10_000):
        link.explain(event("wire:frame", 1, 0, dir="out", octets=number.to_bytes(4, "big")))
    link.close()
    assert len(packets(path.read_bytes())) == 300


def test_the_largest_batch_is_explained_at_its_end(dumped: tuple[Capture, Wire], path: Path) -> None:
    """64 frames of 64 KiB: more than is held back without an observer."""
    link, wire = dumped
    for number in range(1, 64):
        comes(link, wire, number.to_bytes(2, "big") + bytes(65_000), number)
    for number in range(1, 64):
        link.explain(event("tcp:ack", number, group="c1"))
    link.close()
    assert comments(path) == [["c1: ack"]] * 63


async def test_a_hosts_capture_says_why(path: Path, autojump_clock: MockClock) -> None:
    wire = stack.Ethernet()
    link = stack.Capture(wire.attach(), path, clock=trio.current_time)
    async with (
        stack.open_host(link, address="10.9.0.2/24", acd="off") as host,
        stack.open_host(wire.attach(), address="10.9.0.1/24", acd="off") as client,
    ):
        with host.watch(link.explain), pytest.raises(OSError, match=r"10\.9\.0\.2"):
            await client.open_tcp_stream("10.9.0.2", 81)
        assert await client.ping("10.9.0.2") >= 0
    said = comments(path)
    assert any("dropped: tcp_no_connection: " in each for each in said[2])
    assert said[2][0].endswith("(" + ", ".join(WHY["tcp_no_connection"]) + ")")
    assert said[3][0] == "because of packet 3"
    assert ": reset sent " in said[3][1]
    assert not any("dropped" in each for each in said[3]), "the reset was not dropped"
    assert said[4:6] == [[], []], "it was not watched then"


# --- as others read it ------------------------------------------------------------------------------------------------


def run(program: str, *arguments: str | Path) -> str:
    """The output of a program that must be there when REQUIRE_LIVE is set."""
    if shutil.which(program) is None:
        if os.environ.get("REQUIRE_LIVE") == "1":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def conversation(path: Path, ip_offset: int) -> None:
    """A capture with a datagram in, one out, and a commented segment in."""
    frames = [udp_frame(b"hello"), udp_frame(b"and back"), tcp_frame(b"GET /")]
    frames = [frame[14 - ip_offset :] for frame in frames]
    link = Capture(Wire([frames[0], frames[2]], ip_offset=ip_offset), path, epoch_s=1_800_000_000)
    link.open(Wakes())
    link.read(1.25)
    link.write([frames[1]], 1.5)
    assert drain(link, 1.75)
    link.note("9293-3.10.7.4: acceptable")
    link.close()


@pytest.mark.parametrize("ip_offset", [14, 0])
def test_tcpdump_reads_it(path: Path, ip_offset: int) -> None:
    conversation(path, ip_offset)
    lines = run("tcpdump", "-n", "-tt", "-r", path).splitlines()
    assert [line.removesuffix(": HTTP: GET / [|http]") for line in lines] == [
        "1800000001.250000 IP 10.9.0.1.1024 > 10.9.0.2.7: UDP, length 5",
        "1800000001.500000 IP 10.9.0.1.1024 > 10.9.0.2.7: UDP, length 8",
        "1800000001.750000 IP 10.9.0.1.1024 > 10.9.0.2.80: Flags [.], seq 0:5, ack 1, win 65535, length 5",
    ]


@pytest.mark.parametrize("ip_offset", [14, 0])
def test_tshark_reads_it(path: Path, ip_offset: int) -> None:
    conversation(path, ip_offset)
    fields = "frame.time_epoch frame.interface_name frame.packet_flags_direction frame.comment ip.dst data.data".split()
    output = run("tshark", "-n", "-r", path, "-T", "fields", *[part for field in fields for part in ("-e", field)])
    rows = [line.split("\t") for line in output.splitlines()]
    assert [(float(row[0]), row[1], int(row[2], 0), row[3], row[4]) for row in rows] == [
        (1800000001.25, "wire0", 1, "", "10.9.0.2"),
        (1800000001.5, "wire0", 2, "", "10.9.0.2"),
        (1800000001.75, "wire0", 1, "9293-3.10.7.4: acceptable", "10.9.0.2"),
    ]


def test_a_long_text_is_cut_before_it_waits_for_its_frame() -> None:
    """The frames on their way to the link could hold much more than what is counted."""
    comments = FrameComments("wire")

    def tell(n: int, name: str, group: str, **data: object) -> int:
        return comments.add(Event(n, 0.0, 0.0, name, group, 0, "call", data, ("own",)), [])

    tracemalloc.start()
    try:
        for n in range(1, 2000):
            tell(n, "host:call", "c1", call="x", text=f"{n:10000d}")
            if n % 20 == 0:
                tell(n, "wire:frame", "wire", dir="out", octets=bytes(60))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1 << 20
