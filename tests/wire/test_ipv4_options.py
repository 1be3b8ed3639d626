"""IPv4 options. RFC 791 section 3.1, RFC 1122 section 3.2.1.8, RFC 2113."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire import ipv4_options as options
from stack.wire.ipv4_options import Ipv4Option, Route, Security, Timestamps, find_error, split

HERE = bytes((10, 9, 0, 2))
THERE = bytes((10, 9, 0, 3))


@pytest.mark.parametrize(
    ("kind", "copied", "option_class", "number", "name"),
    [
        (0, False, 0, 0, "end"),
        (1, False, 0, 1, "no-op"),
        (130, True, 0, 2, "security"),
        (131, True, 0, 3, "loose source route"),
        (137, True, 0, 9, "strict source route"),
        (7, False, 0, 7, "record route"),
        (136, True, 0, 8, "stream id"),
        (68, False, 2, 4, "timestamp"),
        (148, True, 0, 20, "router alert"),
        (223, True, 2, 31, "option 223"),
    ],
)
def test_type_byte_is_copied_flag_class_and_number(
    kind: int, copied: bool, option_class: int, number: int, name: str
) -> None:
    option = Ipv4Option(kind)
    assert (option.copied, option.option_class, option.number, option.name) == (copied, option_class, number, name)


def test_split_and_join_keep_every_byte() -> None:
    raw = bytes.fromhex("01 94040000 01 8203ff 00 99 01")
    found = split(raw)
    assert found == [
        Ipv4Option(1),
        Ipv4Option(148, bytes(2)),
        Ipv4Option(1),
        Ipv4Option(130, b"\xff"),
        Ipv4Option(0, b"\x99\x01"),
    ]
    assert options.join(found) == raw


@pytest.mark.parametrize(
    ("raw", "at"), [("0701", 1), ("0700", 1), ("07", 0), ("0705 0400", 1), ("01 9403", 2), ("01019402", 3)]
)
def test_impossible_lengths(raw: str, at: int) -> None:
    assert find_error(bytes.fromhex(raw)) == at
    if raw != "01019402":  # whole, though too short for what it is
        with pytest.raises(BadPacket, match="ipv4_bad_option"):
            split(bytes.fromhex(raw))


def test_only_copied_options_go_into_later_fragments() -> None:
    raw = options.join(
        [Route(7, (bytes(4),)).option(), options.router_alert(), Ipv4Option(1), Route(131, (THERE,)).option()]
    )
    kept = options.copied_options(options.pad(raw))
    assert len(kept) % 4 == 0
    assert [option.type for option in split(kept)] == [148, 131, 0]


def test_record_route_until_it_is_full() -> None:
    route = Route.from_option(Route(options.RECORD_ROUTE, (bytes(4), bytes(4))).option())
    assert (route.pointer, route.visited, route.exhausted) == (4, (), False)
    route = route.record(HERE).record(THERE)
    assert (route.pointer, route.visited, route.exhausted) == (12, (HERE, THERE), True)
    assert route.record(HERE) == route
    assert route.option().build() == bytes((7, 11, 12)) + HERE + THERE


def test_source_route_step_by_step() -> None:
    route = Route.from_option(split(bytes((137, 11, 4)) + HERE + THERE)[0])
    assert route.next_hop == HERE
    route = route.record(bytes((10, 9, 0, 9)))
    assert (route.next_hop, route.visited) == (THERE, (bytes((10, 9, 0, 9)),))
    route = route.record(HERE)
    assert route.next_hop is None


@pytest.mark.parametrize("pointer", [0, 3, 5, 9, 11])
def test_route_pointers_must_point_at_an_address(pointer: int) -> None:
    raw = bytes((7, 11, pointer)) + bytes(8)
    assert find_error(b"\x01" + raw) == 3
    with pytest.raises(BadPacket, match="ipv4_bad_option"):
        Route.from_option(split(raw)[0])


@pytest.mark.parametrize("pointer", [12, 13, 255])
def test_a_pointer_past_the_end_means_full(pointer: int) -> None:
    raw = bytes((7, 11, pointer)) + bytes(8)
    assert find_error(raw) is None
    assert Route.from_option(split(raw)[0]).exhausted


def test_some_room_but_not_enough_is_an_error() -> None:
    assert find_error(bytes((7, 9, 8)) + bytes(6)) == 2
    assert find_error(bytes((68, 10, 9, 0)) + bytes(6)) == 2


def test_timestamps_only() -> None:
    stamps = Timestamps.from_option(Timestamps((bytes(4), bytes(4))).option()).record(HERE, 1000).record(THERE, 2000)
    assert stamps.entries == ((None, 1000), (None, 2000))
    assert stamps.record(HERE, 3000).overflow == 1
    assert stamps.option().build() == bytes.fromhex("44 0c 0d 00 000003e8 000007d0")


def test_timestamps_with_addresses() -> None:
    stamps = Timestamps((bytes(8),), flag=1).record(HERE, 1000)
    assert stamps.entries == ((HERE, 1000),)
    assert Timestamps.from_option(stamps.option()) == stamps


def test_timestamps_at_chosen_addresses() -> None:
    stamps = Timestamps((HERE + bytes(4), THERE + bytes(4)), flag=3)
    assert stamps.record(THERE, 5) == stamps
    assert stamps.record(HERE, 5).record(THERE, 6).entries == ((HERE, 5), (THERE, 6))


def test_the_overflow_count_overflows() -> None:
    full = Timestamps((bytes(4),), pointer=9, overflow=15)
    with pytest.raises(BadPacket, match="ipv4_bad_option"):
        full.record(HERE, 1)


@pytest.mark.parametrize(("raw", "at"), [("4403 05", 1), ("4408 0402 00000000", 3), ("4408 0400 00000000", 2)])
def test_bad_timestamps(raw: str, at: int) -> None:
    assert find_error(bytes.fromhex(raw)) == at


def test_security_as_rfc_791_has_it() -> None:
    raw = bytes.fromhex("82 0b d788 1234 4142 616263")
    security = Security.from_option(split(raw)[0])
    assert security == Security(0xD788, 0x1234, b"AB", b"abc")
    assert options.SECURITY_LEVELS[security.level] == "secret"
    assert security.option().build() == raw
    with pytest.raises(BadPacket, match="ipv4_bad_option"):
        Security.from_option(Ipv4Option(130, b"\xab"))


def test_router_alert_of_rfc_2113() -> None:
    assert options.router_alert().build() == bytes.fromhex("94 04 00 00")
    assert find_error(bytes.fromhex("9405000000")) == 1


def test_the_wrong_option_has_no_such_inside() -> None:
    for parse in (Route.from_option, Timestamps.from_option, Security.from_option):
        with pytest.raises(BadPacket, match="ipv4_bad_option"):
            parse(options.router_alert())
