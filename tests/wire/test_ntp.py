"""NTP packets and the arithmetic of their timestamps. RFC 5905, RFC 4330 section 3."""

from __future__ import annotations

import calendar
import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.errors import BadPacket
from stack.wire import ntp
from stack.wire.checksum import pseudo_sum, verify
from stack.wire.ntp import Extension, NtpPacket
from stack.wire.udp import checksum_ok
from tests.wire.ntp_session import CLIENT, SESSION, Packet
from tests.wire.tshark import needs_tshark, read

repeatable = settings(derandomize=True, max_examples=300, deadline=None)
each_packet = pytest.mark.parametrize("packet", SESSION, ids=lambda packet: f"frame-{packet.number}")
DAY_S = 86_400


def seconds(*date: int) -> int:
    """The timestamp's seconds of a date in era 0."""
    return calendar.timegm((*date, 0, 0, 0)) + ntp.UNIX_EPOCH


# --- the course


def printed(timestamp: int) -> str:
    """A time as the course's analyser prints it."""
    if timestamp == 0:
        return "NULL"
    whole, _, fraction = ntp.utc_text(timestamp).partition(".")
    return f"{whole},{round(int(fraction.split()[0]) / 100_000):04d} UTC"


@each_packet
def test_the_rebuilt_packet_has_the_printed_checksums(packet: Packet) -> None:
    datagram = packet.build()
    assert len(datagram) == 76
    assert verify(datagram[:20])
    assert checksum_ok(datagram[20:], pseudo_sum(packet.source, packet.destination, 17, 56))


@each_packet
def test_every_printed_value_of_the_course_is_read(packet: Packet) -> None:
    found = NtpPacket.parse(packet.payload())
    asks = packet.source == CLIENT
    leap = "alarm condition (clock not synchronized)" if asks else "no warning"
    assert (ntp.LEAP_INDICATORS[found.leap], found.version, ntp.MODES[found.mode]) == (
        leap, 3, "client" if asks else "server",
    )  # fmt: skip
    assert ntp.stratum_name(found.stratum) == ("unspecified or invalid" if asks else "secondary server")
    assert (found.stratum, found.poll, 2**found.poll) == (0 if asks else 2, 4, 16)
    assert f"{2.0**found.precision:.6f}" == ("0.015625" if asks else "0.000004")
    delays = tuple(f"{units / 65536:.4f}".replace(".", ",") for units in (found.root_delay, found.root_dispersion))
    assert delays == packet.printed_delays
    assert ntp.reference_name(found.stratum, found.reference_id) == ("" if asks else "49.110.238.145")
    times = (found.reference, found.origin, found.receive, found.transmit)
    assert tuple(map(printed, times)) == packet.printed_times
    assert found.build() == packet.payload()


def test_the_servers_clock_is_72_seconds_behind() -> None:
    """The client's time of arrival was not printed: here the answer takes 50 ms in all."""
    answer = NtpPacket.parse(SESSION[1].payload())
    arrived = answer.origin + (ntp.ERA_S // 20)
    offset, delay = ntp.measure(answer.origin, answer.receive, answer.transmit, arrived)
    assert offset == pytest.approx((-71.6983 - (71.6981 + 0.05)) / 2, abs=2e-4)
    assert delay == pytest.approx(0.05 - 0.0002, abs=1e-4)


# --- parsing

HEADER = NtpPacket(0, 4, ntp.SERVER, 1, 6, -20, 0, 1, b"GPS\0", 1 << 63, 2, 3, 4).build()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ntp_truncated"),
        (HEADER[:47], "ntp_truncated"),
        (b"\x04" + HEADER[1:], "ntp_bad_version"),
        (b"\x2c" + HEADER[1:], "ntp_bad_version"),
        (b"\x26" + HEADER[1:], "ntp_control"),
        (b"\x27" + HEADER[1:4], "ntp_control"),
        (HEADER + bytes(3), "ntp_bad_extension"),
        (HEADER + b"\0\1\0\x0c" + bytes(28), "ntp_bad_extension"),
        (HEADER + b"\0\1\0\x1e" + bytes(28), "ntp_bad_extension"),
        (HEADER + b"\0\1\0\x24" + bytes(28), "ntp_bad_extension"),
    ],
)
def test_refusals(data: bytes, reason: str) -> None:
    with pytest.raises(BadPacket) as refused:
        NtpPacket.parse(data)
    assert refused.value.reason == reason


@pytest.mark.parametrize("length", [4, 12, 20, 24])
def test_what_follows_the_header_is_a_mac_when_it_is_short(length: int) -> None:
    found = NtpPacket.parse(HEADER + bytes(range(length)))
    assert (found.mac, found.extensions) == (bytes(range(length)), ())


def test_extension_fields_come_before_the_mac() -> None:
    fields = (Extension(0x0104, bytes(32)), Extension(0x0204, b"cookie".ljust(24, b"\0")))
    data = HEADER + b"".join(field.build() for field in fields) + bytes(20)
    found = NtpPacket.parse(data)
    assert (found.extensions, found.mac, found.build()) == (fields, bytes(20), data)


@repeatable
@given(st.binary(min_size=48, max_size=48), st.lists(st.binary(min_size=6, max_size=20)), st.binary(max_size=6))
def test_each_packet_is_built_back(header: bytes, values: list[bytes], mac: bytes) -> None:
    """A field of 28 octets or more is never taken for a MAC."""
    first = bytes((header[0] & 0xC0 | 4 << 3 | header[0] % 6,))
    fields = tuple(Extension(number, value * 4) for number, value in enumerate(values))
    data = first + header[1:] + b"".join(field.build() for field in fields) + mac * 4
    if fields and 4 + len(fields[-1].value) + 4 * len(mac) <= ntp.MAC_LENGTH_MAX:
        return
    assert NtpPacket.parse(data).build() == data


# --- what values mean


@pytest.mark.parametrize(
    ("stratum", "identifier", "text"),
    [
        (0, b"RATE", "RATE"),
        (1, b"GPS\0", "GPS"),
        (1, b"\x1b[2J", "\\x1b[2J"),
        (2, b"\x0a\x09\0\x01", "10.9.0.1"),
        (16, b"INIT", "73.78.73.84"),
    ],
)
def test_the_reference_identifier_depends_on_the_stratum(stratum: int, identifier: bytes, text: str) -> None:
    assert ntp.reference_name(stratum, identifier) == text


def test_strata_have_names() -> None:
    assert [ntp.stratum_name(stratum) for stratum in (0, 1, 2, 15, 16, 17)] == [
        "unspecified or invalid", "primary server", "secondary server", "secondary server", "unsynchronized",
        "reserved",
    ]  # fmt: skip


# RFC 5905 figure 4
@pytest.mark.parametrize(
    ("date", "era_offset"),
    [
        ((1900, 1, 1), 0),
        ((1970, 1, 1), 2_208_988_800),
        ((1972, 1, 1), 2_272_060_800),
        ((1999, 12, 31), 3_155_587_200),
    ],
)
def test_the_dates_of_the_rfc(date: tuple[int, int, int], era_offset: int) -> None:
    assert seconds(*date) == era_offset
    near = era_offset - ntp.UNIX_EPOCH
    assert ntp.utc_text(era_offset << 32 | 1, near).startswith("{:04d}-{:02d}-{:02d} 00:00:00.0".format(*date))


def test_the_first_day_of_era_1() -> None:
    assert ntp.utc_text(63_104 << 32) == "2036-02-08 00:00:00.000000000 UTC"
    assert ntp.utc_text(1) == "2036-02-07 06:28:16.000000000 UTC"


def test_without_a_hint_the_first_bit_tells_the_era() -> None:
    assert ntp.utc_text(1 << 63) == "1968-01-20 03:14:08.000000000 UTC"
    assert ntp.utc_text((1 << 63) - 1) == "2104-02-26 09:42:23.999999999 UTC"
    assert ntp.utc_text((1 << 64) - 1) == "2036-02-07 06:28:15.999999999 UTC"


def test_a_hint_selects_the_nearest_era() -> None:
    in_2200 = calendar.timegm((2200, 1, 1, 0, 0, 0))
    assert ntp.unix_seconds(seconds(1990, 5, 4) << 32, 0) == calendar.timegm((1990, 5, 4, 0, 0, 0))
    assert ntp.unix_seconds((in_2200 + 5 + ntp.UNIX_EPOCH) % ntp.ERA_S << 32, in_2200) == in_2200 + 5


def test_zero_is_no_time() -> None:
    assert ntp.utc_text(0) == "not known"


@repeatable
@given(st.integers(-700_000, 2_900_000))
def test_dates_are_those_of_the_calendar(days: int) -> None:
    date = datetime.date(1970, 1, 1).toordinal() + days
    assert ntp.civil_date(days) == datetime.date.fromordinal(date).timetuple()[:3]


# --- offset and delay


@repeatable
@given(
    st.integers(0, (1 << 64) - 1),
    st.integers(-60 * 365 * DAY_S, 60 * 365 * DAY_S),
    st.integers(0, 1000),
    st.integers(0, 1000),
)
def test_offset_and_delay_across_eras(origin: int, ahead_s: int, path_ms: int, service_ms: int) -> None:
    """Each path takes `path_ms`, and the server's clock is `ahead_s` ahead."""
    millisecond = ntp.ERA_S / 1000
    receive = origin + ahead_s * ntp.ERA_S + int(path_ms * millisecond)
    transmit = receive + int(service_ms * millisecond)
    destination = origin + int((2 * path_ms + service_ms) * millisecond)
    offset, delay = ntp.measure(*(stamp % (1 << 64) for stamp in (origin, receive, transmit, destination)))
    assert offset == pytest.approx(ahead_s, abs=1e-5)
    assert delay == pytest.approx(2 * path_ms / 1000, abs=1e-5)


# --- beside tshark


@needs_tshark
def test_tshark_reads_the_same(tmp_path: Path) -> None:
    names = "flags flags.li flags.vn flags.mode stratum ppoll precision rootdelay rootdispersion refid".split()
    names += ["reftime", "org", "rec", "xmt"]
    rows = read(tmp_path, [packet.build() for packet in SESSION], [f"ntp.{name}" for name in names])
    assert len(rows) == len(SESSION)
    for packet, row in zip(SESSION, rows, strict=True):
        found = NtpPacket.parse(packet.payload())
        values = [value for (value,) in row]
        assert [int(value, 0) for value in values[:7]] == [
            packet.flags, found.leap, found.version, found.mode, found.stratum, found.poll, found.precision & 0xFF,
        ]  # fmt: skip
        assert [float(value) for value in values[7:9]] == [found.root_delay, found.root_dispersion]
        assert bytes.fromhex(values[9].replace(":", "")) == found.reference_id
        for text, stamp in zip(
            values[10:], (found.reference, found.origin, found.receive, found.transmit), strict=True
        ):
            assert ours_as_tshark(stamp) == text


def ours_as_tshark(stamp: int) -> str:
    """A time in tshark's form, such as "Jun 13, 2001 12:36:30.122700000 UTC"."""
    if stamp == 0:
        return "NULL"
    date, time, zone = ntp.utc_text(stamp).split()
    return f"{datetime.date.fromisoformat(date):%b %e, %Y} {time} {zone}"
