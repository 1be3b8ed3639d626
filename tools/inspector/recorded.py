"""What the page asks for of the recorded frames: the layers of one of them."""

from __future__ import annotations

import json

import stack

from ..capture_json import layer_object


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
