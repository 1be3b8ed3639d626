"""`stack.dissect` and `stack.rebuild`: every bit in one field, whatever the octets are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dissection.again import LINKS, check
from tests.wire.pop3_session import SESSION
from tests.wire.samples import SAMPLES, Sample, datagram, frame

repeatable = settings(derandomize=True, max_examples=500, deadline=None)
each_link = pytest.mark.parametrize("link", LINKS)


@repeatable
@given(data=st.binary(max_size=300), link=st.sampled_from(LINKS), more=st.integers(-1, 2000))
def test_random_octets(data: bytes, link, more: int) -> None:  # type: ignore[no-untyped-def]
    check(data, link, length=len(data) + more if more >= 0 else None)


@repeatable
@given(data=st.binary(max_size=200), protocol=st.sampled_from((1, 6, 17, 41, 99)))
def test_random_octets_behind_ip(data: bytes, protocol: int) -> None:
    check(frame(datagram(protocol, data)), "ethernet", offload=True)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.parser}-{sample.name}")
def test_every_sample_cut_at_each_octet(sample: Sample) -> None:
    protocols = {"icmp": 1, "tcp": 6, "udp": 17}
    data = sample.data
    if sample.parser in protocols:
        data = frame(datagram(protocols[sample.parser], data))
    elif sample.parser == "ipv4":
        data = frame(data)
    for size in range(len(data) + 1):
        for link in LINKS:
            check(data[:size], link)
            check(data[:size], link, length=len(data))


def test_the_frames_of_the_course() -> None:
    for printed in SESSION:
        assert [layer.error for layer in check(printed.build(), "ethernet")[:2]] == ["", ""]
