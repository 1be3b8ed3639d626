"""Hostile bytes: whatever arrives, a parser returns or raises BadPacket for a registered reason,
and nothing else; what it returns builds the same bytes again.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.wire import ipv4_options, tcp_options
from tests.wire.round_trip import PARSERS, shows, withstands
from tests.wire.samples import SAMPLES, Sample, datagram, frame

repeatable = settings(derandomize=True, max_examples=500, deadline=None)
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.parser}-{sample.name}")
each_parser = pytest.mark.parametrize("parser", PARSERS)


@each_sample
def test_the_sample_itself_is_taken_and_built_back(sample: Sample) -> None:
    assert withstands(sample.parser, sample.data) == ""


@each_sample
def test_cut_at_each_byte(sample: Sample) -> None:
    refused = [withstands(sample.parser, sample.data[:size]) for size in range(len(sample.data))]
    assert any(refused)
    assert refused[0] == "" if sample.parser.endswith("options") else refused[0].endswith("_truncated")


@each_sample
def test_each_length_field_swept(sample: Sample) -> None:
    for offset, width in sample.lengths:
        data = bytearray(sample.data)
        for value in range(256**width):
            data[offset : offset + width] = value.to_bytes(width, "big")
            withstands(sample.parser, bytes(data))


@each_parser
def test_every_parser_has_samples(parser: str) -> None:
    assert any(sample.parser == parser for sample in SAMPLES)


@each_parser
@repeatable
@given(data=st.binary(max_size=400))
def test_random_bytes(parser: str, data: bytes) -> None:
    withstands(parser, data)


@repeatable
@given(
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 30),
    extra=st.binary(max_size=8),
)
def test_samples_with_bytes_changed_cut_and_added(
    sample: Sample, changes: list[tuple[int, int]], cut: int, extra: bytes
) -> None:
    data = bytearray(sample.data)
    for offset, value in changes:
        data[offset % len(data)] = value
    bent = bytes(data[: max(0, len(data) - cut)]) + extra
    withstands(sample.parser, bent)
    shows(bent)


def test_a_header_of_nothing_but_no_ops_is_bounded_work() -> None:
    assert len(tcp_options.split(b"\x01" * 40)) == 40
    assert len(ipv4_options.split(b"\x01" * 40)) == 40


# --- show


@repeatable
@given(data=st.binary(max_size=200))
def test_show_of_random_bytes(data: bytes) -> None:
    shows(data)
    shows(frame(data))
    for protocol in (1, 6, 17, 99):
        shows(frame(datagram(protocol, data)))


@each_sample
def test_show_of_every_sample_cut_at_each_byte(sample: Sample) -> None:
    protocols = {"icmp": 1, "tcp": 6, "udp": 17}
    for size in range(len(sample.data) + 1):
        data = sample.data[:size]
        if sample.parser in protocols:
            data = datagram(protocols[sample.parser], data)
        if sample.parser == "arp":
            data = frame(data, 0x0806)
        elif sample.parser != "ethernet":
            data = frame(data)
        shows(data)
