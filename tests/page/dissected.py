"""Frames for the page's dissector, each with the layers that `stack.dissect` finds in it.

The page has tables for the headers up to TCP. What it has none for is data there, so the layers of
applications, of LLC and of IPv6 are put together here.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from stack.dissection.ipv4 import Ipv4
from stack.dissection.layer import CutOff, Layer, Malformed
from stack.dissection.walk import dissect
from stack.wire import icmp
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP
from tests.dissection.random_frames import RandomFrame, random_frame
from tests.wire.ipv6_frames import FRAMES

HEAD = 128
HEADERS = {"Ethernet", "Ethernet II", "IEEE 802.3", "ARP", "RARP", "IPv4", "ICMP", "UDP", "TCP"}
ENDS = {"Padding", "Trailer"}
UNREAD = ("IPv6", "LLC", "Linux")


def cases(seed: int, number: int) -> Iterator[dict[str, object]]:
    """Yield so many frames as the recorder has them: the first 128 octets, whole or damaged."""
    random = Random(seed)
    frames: list[RandomFrame] = [RandomFrame(octets, "ethernet", ()) for octets in FRAMES.values()]
    while len(frames) < number:
        frame = random_frame(random)
        frames.append(_error(random, frame.octets) if random.random() < 0.1 else frame)
    for octets, link, _ in frames:
        damaged = bytearray(octets)
        if random.random() < 0.4:
            for _ in range(random.choice((1, 1, 2, 8))):
                damaged[random.randrange(min(len(damaged), 60))] = random.randrange(256)
        if random.random() < 0.1:
            del damaged[random.randrange(len(damaged) + 1) :]
        length = len(damaged)
        cut = random.choice((HEAD, HEAD, HEAD, length, random.randrange(80)))
        yield case(bytes(damaged[:cut]), link, length)


def _error(random: Random, quoted: bytes) -> RandomFrame:
    """An ICMP error about a datagram."""
    kind = random.choice((3, 3, 4, 5, 11, 12))
    body = quoted[14 : 14 + random.randrange(120)]
    message = icmp.IcmpMessage(kind, random.randrange(6), random.randbytes(4), body).build()
    header = Ipv4Header(random.randbytes(4), random.randbytes(4), PROTO_ICMP, 20 + len(message))
    ethernet = EthernetHeader(random.randbytes(6), random.randbytes(6), ETHERTYPE_IPV4)
    return RandomFrame(ethernet.build() + header.build() + message, "ethernet", ())


def case(octets: bytes, link: str, length: int) -> dict[str, object]:
    """A frame and its layers."""
    layers = dissect(octets, link=link, length=length, offload=True)  # type: ignore[arg-type]
    return {"octets": octets.hex(), "link": link, "length": length, "layers": _as_the_page_has_them(layers)}


def _as_the_page_has_them(layers: tuple[Layer, ...]) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    data_until = 0
    for layer in layers:
        end = layer.offset + len(layer.octets)
        if layer.name.startswith(UNREAD) or layer.name == "IP":
            data_until = max(data_until, _end_of_link(layers))
        plain = layer.offset >= data_until and layer.name in HEADERS | ENDS and (len(layer.octets) or not data_until)
        if plain or layer.name == "Not captured":
            told.append(_told(layer))
        elif told and told[-1]["name"] == "Data":
            told[-1]["length"] = end - told[-1]["offset"]  # type: ignore[operator]
        elif len(layer.octets):
            told.append({"name": "Data", "offset": layer.offset, "length": len(layer.octets), "depth": layer.depth})
    return told


def _end_of_link(layers: tuple[Layer, ...]) -> int:
    """Where that ends which the link header carries: at the length of IEEE 802.3, or with the frame."""
    first = layers[0]
    whole = sum(len(layer.octets) for layer in layers)
    length = first.fields[-1].value if first.name == "IEEE 802.3" else whole
    return min(whole, len(first.octets) + int(length))


def _told(layer: Layer) -> dict[str, object]:
    fields = [
        [field.name, field.bit, field.width, field.value.hex() if isinstance(field.value, bytes) else field.value]
        for field in layer.fields
    ]
    told: dict[str, object] = {
        "name": layer.name,
        "rfc": layer.rfc,
        "offset": layer.offset,
        "length": len(layer.octets),
        "depth": layer.depth,
        "fields": fields,
        "error": layer.error if isinstance(layer, Malformed) else "",
        "cut": isinstance(layer, CutOff),
    }
    if hasattr(layer, "verdict"):
        told["verdict"] = layer.verdict.lower()
        if isinstance(layer, Ipv4) and layer.depth:
            told["verdict"] = "not verified"
    return told
