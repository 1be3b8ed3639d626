"""What the values of options say, and that a malformed one says nothing: RFC 2132, RFC 3442, RFC
1035 section 4.1.4.
"""

from __future__ import annotations

import pytest

from stack.dhcp import options
from stack.dhcp.lease import Route
from stack.wire.addresses import Prefix, parse_ipv4
from tests.dhcp.server import addresses
from tests.requirements import rfc

A, B, C = (parse_ipv4(f"10.9.0.{n}") for n in (1, 2, 3))


@rfc("2132-3.5-a", "2132-3.5-b", "2132-3.8-b")
def test_lists_of_addresses_keep_their_order() -> None:
    assert options.hosts(B + A + C, 16) == (B, A, C)
    assert options.hosts(B + A + B, 16) == (B, A)
    assert options.hosts(B + A + C, 2) == (B, A)


@rfc("2132-3.5-a", "2132-3.8-a", "2132-8.3-a")
@pytest.mark.parametrize("data", [b"", b"\x0a", A[:3], A + b"\x0a", A + B + C[:3]])
def test_a_list_whose_length_is_no_multiple_of_four_is_none(data: bytes) -> None:
    assert options.hosts(data, 16) == ()


def test_lists_hold_only_what_can_be_a_host() -> None:
    bad = addresses("0.0.0.0", "127.0.0.1", "224.0.0.1", "250.0.0.1", "255.255.255.255", "0.0.0.9")
    assert options.hosts(bad + A, 16) == (A,)


@pytest.mark.parametrize(
    ("mask", "length"),
    [("255.0.0.0", 8), ("255.255.254.0", 23), ("128.0.0.0", 1), ("255.255.255.255", 32), ("255.255.255.254", 31)],
)
def test_masks(mask: str, length: int) -> None:
    assert options.prefix_length(parse_ipv4(mask)) == length


@rfc("2132-3.3-a")
@pytest.mark.parametrize("mask", [b"", b"\xff", b"\xff" * 5, bytes(4), b"\xff\x00\xff\x00", b"\x7f\xff\xff\xff"])
def test_what_is_no_mask(mask: bytes) -> None:
    assert options.prefix_length(mask) is None


@pytest.mark.parametrize(
    ("address", "length"), [("10.1.1.1", 8), ("127.9.9.9", 8), ("172.16.0.1", 16), ("192.168.0.1", 24)]
)
def test_the_class_decides_without_a_netmask_option(address: str, length: int) -> None:
    assert options.classful_length(parse_ipv4(address)) == length


@rfc("2132-5.1-a")
@pytest.mark.parametrize(
    ("data", "mtu"),
    [
        (b"\x00\x44", 68),
        (b"\x05\xdc", 1500),
        (b"\x00\x43", None),
        (b"\x05\xdd", None),
        (b"\x44", None),
        (b"\0\0\x44", None),
    ],
)
def test_mtu(data: bytes, mtu: int | None) -> None:
    assert options.mtu(data, 68, 1500) == mtu


@rfc("2132-9.2-a", "2131-3.3-a")
def test_seconds_are_32_bits_without_sign() -> None:
    assert options.seconds(b"\xff\xff\xff\xfe") == 4294967294
    assert options.seconds(b"\x0e\x10") is None
    assert options.seconds(bytes(5)) is None


@rfc("2132-2-b", "2132-2-c")
@pytest.mark.parametrize("data", [b"lab.example", b"lab.example\0", b"lab.example\0\0\0"])
def test_nuls_at_the_end_of_a_text_are_deleted_and_not_needed(data: bytes) -> None:
    assert options.domain_name(data) == "lab.example"
    assert options.text(data) == "lab.example"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b".",
        b"a..b",
        b".a",
        b"a b",
        b"a;rm",
        b"a\nb",
        b"\xe4",
        b"a\0b",
        b"x" * 64,
        b".".join([b"x" * 60] * 5),
    ],
)
def test_what_is_no_name(data: bytes) -> None:
    assert options.domain_name(data) == ""


@rfc("2132-3.17-a")
def test_names_and_texts() -> None:
    assert options.domain_name(b"Lab-1.my_net.example.") == "Lab-1.my_net.example"
    assert options.domain_name(b"x" * 63) == "x" * 63
    assert options.text(b"no \x1b[31mred\n") == "no ?[31mred?"


LAB = b"\x03lab\x07example\x00"


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (LAB, ("lab.example",)),
        (LAB + b"\x03net\xc0\x04", ("lab.example", "net.example")),
        (LAB + b"\xc0\x00\x01a\xc0\x00", ("lab.example", "a.lab.example")),
        (LAB + LAB, ("lab.example",)),
        (b"", ()),
        (b"\x00", ()),
        (b"\xc0\x00", ()),  # a pointer to itself
        (b"\x01a\xc0\x00", ()),  # and in a circle
        (b"\xc0\x02\x01a\x00", ()),  # forward
        (LAB + b"\xc0", ("lab.example",)),
        (LAB + b"\x03ne", ("lab.example",)),
        (LAB + b"\x41" + b"x" * 65 + b"\x00", ("lab.example",)),
        (LAB + b"\x02a b\x00", ("lab.example",)),
        (LAB + b"\x02\x1b[\x00", ("lab.example",)),
        (b"\x3f" + b"x" * 63 + b"\x00", ("x" * 63,)),
        ((b"\x3f" + b"x" * 63) * 4 + b"\x00", ()),  # over 255 octets
    ],
)
def test_search_list(data: bytes, names: tuple[str, ...]) -> None:
    assert options.search_list(data, 32) == names


def test_a_search_list_that_would_unfold_without_end_is_bounded() -> None:
    data = b"\x01a\x00" + b"".join(b"\x01" + bytes((97 + n % 26,)) + b"\xc0\x00" for n in range(1000))
    assert len(options.search_list(data, 32)) <= 32
    ladder = bytearray(b"\x01a\x00")
    offsets = [0]
    while len(ladder) < 16000:  # each name points to the one before
        offsets.append(len(ladder))
        ladder += b"\x01b" + (0xC000 | offsets[-2]).to_bytes(2, "big")
    assert max(map(len, options.search_list(bytes(ladder), 10000))) <= 253


def route(destination: str, router: str | None) -> Route:
    return Route(Prefix.parse(destination), None if router is None else parse_ipv4(router))


@rfc("3442-fmt-a", "3442-client-b")
def test_classless_routes_of_the_rfcs_table() -> None:
    """RFC 3442, "Classless Route Option Format": the examples of its table."""
    router = parse_ipv4("10.0.0.1")
    table = {
        bytes((0,)): "0.0.0.0/0",
        bytes((8, 10)): "10.0.0.0/8",
        bytes((24, 10, 0, 0)): "10.0.0.0/24",
        bytes((16, 10, 17)): "10.17.0.0/16",
        bytes((24, 10, 27, 129)): "10.27.129.0/24",
        bytes((25, 10, 229, 0, 128)): "10.229.0.128/25",
        bytes((32, 10, 198, 122, 47)): "10.198.122.47/32",
    }
    for descriptor, destination in table.items():
        assert options.classless_routes(descriptor + router, 64) == (route(destination, "10.0.0.1"),)
    data = b"".join(descriptor + router for descriptor in table)
    assert options.classless_routes(data, 64) == tuple(route(d, "10.0.0.1") for d in table.values())
    assert len(options.classless_routes(data, 3) or ()) == 3


@rfc("3442-fmt-b")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x0a\x00\x00",
        b"\x21" + bytes(9),
        b"\xff" * 9,
        b"\x08\x0a\x0a\x00\x00",
        b"\x00" + A + b"\x18\x0a",
    ],
)
def test_malformed_classless_routes_are_none(data: bytes) -> None:
    assert options.classless_routes(data, 64) is None


@rfc("3442-client-g")
def test_bits_outside_the_mask_are_made_zero() -> None:
    assert options.classless_routes(bytes((20, 10, 9, 255)) + A, 64) == (route("10.9.240.0/20", "10.9.0.1"),)
    assert options.classless_routes(bytes((1, 255)) + A, 64) == (route("128.0.0.0/1", "10.9.0.1"),)


@rfc("3442-local-a")
def test_the_router_0_0_0_0_says_that_the_subnet_is_on_the_link() -> None:
    assert options.classless_routes(bytes((16, 172, 16)) + bytes(4), 64) == (route("172.16.0.0/16", None),)


@pytest.mark.parametrize(
    "data",
    [bytes((8, 127)) + A, bytes((4, 224)) + A, bytes((8, 10)) + b"\xe0\0\0\1", bytes((32, 255, 255, 255, 255)) + A],
)
def test_routes_to_or_over_what_is_no_host_are_left_out(data: bytes) -> None:
    assert options.classless_routes(data + bytes((24, 192, 0, 2)) + A, 64) == (route("192.0.2.0/24", "10.9.0.1"),)


@rfc("2132-5.8-a", "2132-5.8-b")
def test_static_routes_go_by_class_and_never_to_everywhere() -> None:
    data = addresses("172.16.0.0", "10.9.0.1", "192.0.2.7", "10.9.0.1", "0.0.0.0", "10.9.0.1")
    assert options.static_routes(data, 64) == (route("172.16.0.0/16", "10.9.0.1"), route("192.0.2.7/32", "10.9.0.1"))
    assert options.static_routes(data[:-4], 64) == ()
    assert options.static_routes(data, 1) == (route("172.16.0.0/16", "10.9.0.1"),)
