"""Prints the fields of a frame: a line for each, with its bits, its octets, its value and what it means."""

from __future__ import annotations

from collections.abc import Iterator

import stack

from .printer import clean, utc, wrapped

BITS, OCTETS = 9, 23  # the widths of the columns
MOST_OCTETS = 8  # of a field that are shown in hexadecimal
WIDEST_IN_BITS = 16  # a field that begins or ends inside an octet is shown in bits, up to this width


def drawn(frame: stack.CapturedFrame, layers: tuple[stack.Layer, ...], width: int) -> Iterator[str]:
    """Yield the lines of a frame: a heading, and for each layer a heading and its fields."""
    yield from wrapped(heading(frame), width)
    for comment in frame.comments:
        yield from wrapped(clean(comment), width, "  comment ")
    for layer in layers:
        yield from layer_lines(layer, width)
    yield ""


def heading(frame: stack.CapturedFrame) -> str:
    """Return what the capture itself says of a frame."""
    told = [f"frame {frame.number}", utc(frame.time_ns, 9), f"{frame.length} octets"]
    if len(frame.octets) < frame.length:
        told.append(f"{len(frame.octets)} of them captured")
    told += [clean(word) for word in (frame.direction, frame.interface) if word]
    return ", ".join(told)


def layer_lines(layer: stack.Layer, width: int) -> Iterator[str]:
    """Yield the heading of a layer, and its fields."""
    size = len(layer.octets)
    indent = "    " * layer.depth
    where = f"octets {layer.offset}-{layer.offset + size - 1}" if size else f"at octet {layer.offset}"
    source = f", {layer.rfc}" if layer.rfc else ""
    wrong = f", a host drops it: {layer.error}" if layer.error else ""
    yield from wrapped(f"{layer.name}, {where}{source}{wrong}", width, indent)
    if not size and layer.line:
        yield from wrapped(layer.line.lstrip(" "), width, f"{indent}{'':>{BITS}}  ")
    for field in layer.fields:
        last = field.bit + field.width - 1
        bits = f"{field.bit}-{last}" if field.width > 1 else str(field.bit)
        head = f"{indent}{bits:>{BITS}}  {octets_of(field):<{OCTETS}}  "
        yield from wrapped(meaning(field), width, head, " " * (len(indent) + BITS + OCTETS + 4))


def octets_of(field: stack.Field) -> str:
    """Return the octets of a field in hexadecimal, or the bits of a field that is no whole octets."""
    value, width = field.value, field.width
    if isinstance(value, bytes):
        return value.hex(" ") if len(value) <= MOST_OCTETS else f"{value[: MOST_OCTETS - 1].hex(' ')} .."
    before, after = field.bit % 8, -(field.bit + width) % 8
    if not before and not after:
        return octets_of(field._replace(value=value.to_bytes(width // 8, "big")))
    if width > WIDEST_IN_BITS:
        return f"0x{value:x}"
    digits = "." * before + f"{value:0{width}b}" + "." * after
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def meaning(field: stack.Field) -> str:
    """Return name, value and meaning: "Total Length = 60"."""
    words = field.words
    if isinstance(field.value, bytes):
        return f"{field.name} = {words}" if words else field.name
    value = str(field.value)
    if not words:
        return f"{field.name} = {value}"
    if words == value or (words.startswith(value) and not words[len(value)].isdigit()):
        return f"{field.name} = {words}"
    return f"{field.name} = {value}: {words}"
