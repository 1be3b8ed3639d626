"""A capture file made from events."""

from __future__ import annotations

from pathlib import Path

import trio

import stack
from stack import Ethernet, Recorder, capture_of, open_host, read_capture


async def recorded(recorder: Recorder, sends: bytes) -> None:
    """Record a connection of two hosts that carries these octets."""
    ethernet = Ethernet(seed=1)
    async with (
        open_host(ethernet.attach(), address="10.0.0.1/24", acd="off", trace=recorder) as ours,
        open_host(ethernet.attach(), address="10.0.0.2/24", acd="off") as theirs,
    ):
        (listener,) = await theirs.open_tcp_listeners(80, host="10.0.0.2")
        client = await ours.open_tcp_stream("10.0.0.2", 80)
        server = await listener.accept()
        await client.send_all(sends)
        await server.receive_some(len(sends))
        await client.aclose()
        await listener.aclose()


def written(path: Path, parts: list[bytes]) -> list[stack.CapturedFrame]:
    """The frames of a file of these parts."""
    path.write_bytes(b"".join(parts))
    return list(read_capture(path))


async def test_the_file_has_the_frames_their_lengths_directions_and_reasons(
    autojump_clock: trio.abc.Clock, tmp_path: Path
) -> None:
    recorder = Recorder()
    await recorded(recorder, bytes(1000))
    told = [event for event in recorder if event.name == "wire:frame"]
    frames = written(tmp_path / "file", list(capture_of(recorder, epoch_s=1e9)))
    assert [frame.length for frame in frames] == [event.data["len"] for event in told]
    assert [frame.octets for frame in frames] == [event.data["octets"] for event in told]
    assert [frame.direction for frame in frames] == [event.data["dir"] for event in told]
    assert [frame.time_ns for frame in frames] == [10**18 + round(event.at * 1e9) for event in told]
    assert max(len(frame.octets) for frame in frames) == 128 < max(frame.length for frame in frames)
    assert any("because of packet" in comment for frame in frames for comment in frame.comments)
    assert all(frame.comments for frame in frames)


async def test_a_part_is_made_of_few_events(autojump_clock: trio.abc.Clock) -> None:
    recorder = Recorder()
    await recorded(recorder, bytes(100_000))
    parts = list(capture_of(recorder))
    assert len(parts) == len(recorder) // 200 + 1
    assert max(map(len, parts)) < 600_000


def test_without_events_it_is_a_file_without_frames(tmp_path: Path) -> None:
    assert written(tmp_path / "file", list(capture_of([]))) == []
