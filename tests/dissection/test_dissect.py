"""`stack.dissect` and `stack.rebuild`: every bit in one field, whatever the octets are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.dissection.layer import rebuild
from stack.dissection.walk import Link, dissect
from tests.dissection.again import LINKS, check
from tests.dissection.random_frames import random_frame
from tests.wire.pop3_session import ALTERED, SESSION
from tests.wire.samples import DISCOVER, SAMPLES, Sample, datagram, frame, user_datagram

repeatable = settings(derandomize=True, max_examples=300, deadline=None)
each_part = pytest.mark.parametrize("part", range(10))
PART = 1000
CORPUS = Path(__file__).resolve().parent.parent / "fuzz" / "corpus"


@each_part
def test_random_valid_frames_have_the_layers_they_were_made_of(part: int) -> None:
    """10,000 in all. Each is rebuilt from its fields, and no layer has an error."""
    random = Random(part)
    for _ in range(PART):
        octets, link, made_of = random_frame(random)
        layers = check(octets, link)
        found = tuple(layer.name for layer in layers if layer.name not in ("Data", "Padding"))
        assert found == made_of, octets.hex()
        assert [layer.error for layer in layers if layer.error] == [], octets.hex()


def test_the_frames_of_the_course_are_rebuilt() -> None:
    for printed in SESSION:
        layers = check(printed.build(), "ethernet")
        errors = ["tcp_bad_checksum"] if printed.number == ALTERED else []
        assert [layer.error for layer in layers if layer.error] == errors


@pytest.mark.parametrize("folder", sorted(path.name for path in CORPUS.iterdir()))
def test_every_input_of_the_fuzzer_is_rebuilt(folder: str) -> None:
    for path in sorted((CORPUS / folder).iterdir()):
        data = path.read_bytes()[:4096]
        for link in LINKS:
            check(data, link)
        check(frame(data), "ethernet", offload=True)
        for protocol in (1, 6, 17):
            check(frame(datagram(protocol, data)), "ethernet", length=len(data) + 100)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.parser}-{sample.name}")
def test_every_sample_cut_at_each_octet(sample: Sample) -> None:
    """The rest was not captured, or the frame is too short: both are rebuilt."""
    protocols = {"icmp": 1, "tcp": 6, "udp": 17}
    data = sample.data
    if sample.parser in protocols:
        data = frame(datagram(protocols[sample.parser], data))
    elif sample.parser == "ipv4":
        data = frame(data)
    links: dict[str, Link] = {"linux_cooked": "linux-sll", "linux_cooked_v2": "linux-sll2"}
    link = links.get(sample.parser, "ethernet")
    for size in range(len(data) + 1):
        check(data[:size], link)
        check(data[:size], link, length=len(data))


@repeatable
@given(data=st.binary(max_size=300), link=st.sampled_from(LINKS), more=st.integers(-1, 2000))
def test_random_octets(data: bytes, link: Link, more: int) -> None:
    check(data, link, length=len(data) + more if more >= 0 else None)


@repeatable
@given(data=st.binary(max_size=200), protocol=st.sampled_from((1, 6, 17, 41, 99)))
def test_random_octets_behind_ip(data: bytes, protocol: int) -> None:
    check(frame(datagram(protocol, data)), "ethernet", offload=True)


@repeatable
@given(seed=st.integers(0, 10_000), changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6))
def test_valid_frames_with_octets_changed(seed: int, changes: list[tuple[int, int]]) -> None:
    octets, link, _ = random_frame(Random(seed))
    bent = bytearray(octets)
    for at, value in changes:
        bent[at % len(bent)] = value
    check(bytes(bent), link)
    check(bytes(bent), link, offload=True, length=len(bent) + 7)


def test_a_long_frame_of_options_is_bounded_work() -> None:
    """Options of DHCP of one octet each are the most fields that an octet can have."""
    message = bytearray(DISCOVER.build()[:240])
    message += bytes(65535 - 28 - len(message))  # each zero is an option "pad"
    octets = frame(datagram(17, user_datagram(bytes(message), 68, 67)))
    layers = dissect(octets)
    assert layers[-1].name == "DHCP"
    assert len(layers[-1].fields) < 66_000
    assert rebuild(layers) == octets


def test_fields_are_made_once_and_only_when_asked_for() -> None:
    layer = dissect(SESSION[0].build())[1]
    assert layer.fields is layer.fields


def test_a_view_of_a_frame_that_is_overwritten_later_changes_nothing() -> None:
    """The memory of a frame on a link is used again for the next one."""
    memory = bytearray(SESSION[0].build())
    layers = dissect(memoryview(memory))
    before = bytes(memory)
    memory[:] = bytes(len(memory))
    assert rebuild(layers) == before


def test_a_gap_between_fields_is_refused() -> None:
    layers = dissect(SESSION[0].build())
    ipv4 = layers[1]
    ipv4._fields = ipv4.fields[1:]
    with pytest.raises(ValueError, match="IHL begins at bit 4, not at 0"):
        rebuild(layers)


def test_an_unknown_link_is_refused() -> None:
    with pytest.raises(ValueError, match="write 'ethernet', 'ip', 'linux-sll' or 'linux-sll2'"):
        dissect(b"", link="token ring")  # type: ignore[arg-type]


def test_layers_follow_one_another() -> None:
    layers = dissect(SESSION[3].build())
    assert [layer.name for layer in layers] == ["Ethernet II", "IPv4", "TCP", "POP3"]
    assert all(a.offset + len(a.octets) == b.offset for a, b in pairwise(layers))
