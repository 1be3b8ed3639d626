"""What must hold of the layers of any octets: they are all the octets, and rebuild them.

Hypothesis and the fuzzer use the same functions.
"""

from __future__ import annotations

from stack.counters import DROPS, UNREADABLE
from stack.dissection.layer import Layer, rebuild
from stack.dissection.show import show
from stack.dissection.walk import Link, dissect

LINKS: tuple[Link, ...] = ("ethernet", "ip", "linux-sll", "linux-sll2")
MOST_LAYERS = 30
"""A frame has no more layers, whatever its octets are."""


def printable(text: str) -> None:
    """What people read is ASCII that no terminal obeys."""
    assert text.isascii()
    assert text == "" or text.isprintable()


def check_layer(layer: Layer) -> None:
    """The fields are all the bits of the layer, in order, and say something."""
    bit = 0
    for field in layer.fields:
        assert field.bit == bit
        assert field.width > 0
        assert field.name
        printable(field.name)
        printable(field.words)
        if isinstance(field.value, int):
            assert field.width <= 64
            assert 0 <= field.value < 1 << field.width
        else:
            assert 8 * len(field.value) == field.width
        bit += field.width
    assert bit == 8 * len(layer.octets)
    printable(layer.line)
    assert layer.name
    assert layer.error == "" or layer.error in DROPS or layer.error in UNREADABLE


def check(frame: bytes, link: Link, *, offload: bool = False, length: int | None = None) -> tuple[Layer, ...]:
    """The layers of these octets, with all that must hold of them."""
    layers = dissect(frame, link=link, offload=offload, mtu=1500, length=length)
    offset = 0
    for layer in layers:
        assert layer.offset == offset
        check_layer(layer)
        offset += len(layer.octets)
    assert offset == len(frame)
    assert len(layers) <= MOST_LAYERS
    assert rebuild(layers) == frame
    lines = show(frame, link=link, offload=offload, mtu=1500, length=length)
    assert lines == [layer.line for layer in layers if layer.line]
    return layers
