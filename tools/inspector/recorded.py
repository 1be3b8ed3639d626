"""What the page asks for of the recorded frames: the layers of one of them, and a capture file."""

from __future__ import annotations

import json
from collections.abc import Iterator

import stack

from ..capture_json import layer_object

READ_AT_ONCE = 500  # events


def layers_json(recorder: stack.Recorder, n: int) -> bytes | None:
    """Return the layers of the frame of event `n`; None if it is not recorded, or is no frame.

    Of a longer frame only the first octets are recorded.
    """
    found = recorder.since(n - 1, 1)
    if not found or found[0].n != n or found[0].name != "wire:frame":
        return None
    data = found[0].data
    octets, length = data["octets"], data["len"]
    assert isinstance(octets, bytes)
    assert isinstance(length, int)
    layers = stack.dissect(
        octets,
        link="ethernet" if data["link"] == "ethernet" else "ip",
        offload=bool(data.get("offloaded")),
        length=length,
    )
    told = {"n": n, "length": length, "captured": len(octets), "layers": [layer_object(layer) for layer in layers]}
    return json.dumps(told, separators=(",", ":")).encode()


def capture_file(recorder: stack.Recorder, epoch_s: float) -> Iterator[bytes]:
    """Yield the frames that are recorded now as a capture file, part by part.

    Of each frame it has as much as is recorded. Events may be recorded between the parts.
    """
    return stack.capture_of(recorded(recorder), epoch_s=epoch_s)


def recorded(recorder: stack.Recorder) -> Iterator[stack.Event]:
    """Yield the events up to the one that is the newest now. Those that leave meanwhile are missing."""
    position, until = 0, recorder.numbers()[1]
    while events := recorder.since(position, READ_AT_ONCE):
        for event in events:
            if event.n > until:
                return
            yield event
        position = events[-1].n
