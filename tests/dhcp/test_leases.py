"""A lease as JSON and back: whatever a file holds, the error names what is wrong with it."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest

from stack.dhcp.lease import Lease, Route
from stack.wire.addresses import Prefix, parse_ipv4

A, B = parse_ipv4("10.9.0.50"), parse_ipv4("10.9.0.1")
FULL = Lease(
    A, 24, B, 3600.0, 1800.0, 3150.0, 17.5,
    routers=(B,), static_routes=(Route(Prefix.parse("192.0.2.0/24"), B), Route(Prefix.parse("172.16.0.0/16"), None)),
    classless=True, name_servers=(B, A), domain="lab.example", search=("lab.example", "example"), ntp_servers=(A,),
    mtu=1400, host_name="pc", message="hello there", options=((1, b"\xff\xff\xff\x00"), (224, b"")),
)  # fmt: skip


@pytest.mark.parametrize("lease", [FULL, Lease(A, 32, B, inf, inf, inf, 0.0)])
def test_json_and_back(lease: Lease) -> None:
    text = json.dumps(lease.to_json(), allow_nan=False)
    assert Lease.from_json(json.loads(text)) == lease


def test_json_is_readable() -> None:
    data = FULL.to_json()
    assert (data["address"], data["prefix_length"], data["server"]) == ("10.9.0.50", 24, "10.9.0.1")
    assert data["static_routes"] == [
        {"destination": "192.0.2.0/24", "router": "10.9.0.1"},
        {"destination": "172.16.0.0/16", "router": None},
    ]
    assert data["options"] == {"1": "ffffff00", "224": ""}


def test_times_on_another_clock() -> None:
    moved = FULL.shifted(1000)
    assert (moved.renew_at, moved.rebind_at, moved.expires_at) == (2817.5, 4167.5, 4617.5)
    assert moved.shifted(-1000) == FULL
    assert Lease(A, 24, B, inf, inf, inf, 5).shifted(7).expires_at == inf


@pytest.mark.parametrize("name", list(FULL.to_json()))
def test_a_missing_member_is_named(name: str) -> None:
    data = FULL.to_json()
    if name == "mtu":
        return  # null, and missing, mean that there is none
    del data[name]
    with pytest.raises(ValueError, match=f"'{name}'"):
        Lease.from_json(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("address", "10.9.0"), ("address", 7), ("address", None), ("server", "10.9.0.300"),
        ("prefix_length", 0), ("prefix_length", 33), ("prefix_length", True), ("prefix_length", "24"),
        ("lease_s", -1), ("lease_s", 0), ("lease_s", "long"), ("lease_s", True), ("t1_s", float("nan")),
        ("lease_s", 10**400), ("requested_at", -(10**400)), ("requested_at", 1e300),
        ("requested_at", None), ("requested_at", inf), ("requested_at", "now"),
        ("routers", "10.9.0.1"), ("routers", ["10.9.0.x"]), ("routers", {}), ("routers", [[]]),
        ("static_routes", [1]), ("static_routes", [{"destination": "10.9.0.0", "router": None}]),
        ("static_routes", [{"destination": "10.9.0.0/24", "router": "x"}]), ("static_routes", [{"router": None}]),
        ("classless", 1), ("name_servers", 5), ("domain", 5), ("domain", "a\nb"), ("search", ["\u00e9"]),
        ("search", "x"),
        ("mtu", 67), ("mtu", 65536), ("mtu", "1500"), ("host_name", None), ("message", []),
        ("options", []), ("options", {"x": ""}), ("options", {"0": ""}), ("options", {"255": ""}),
        ("options", {"1": "zz"}), ("options", {"1": 5}), ("options", {"0053999": ""}),
    ],
)  # fmt: skip
def test_a_member_that_cannot_be_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        Lease.from_json({**FULL.to_json(), name: value})


@pytest.mark.parametrize("data", [None, [], "lease", 7])
def test_what_is_no_object_is_no_lease(data: Any) -> None:
    with pytest.raises(ValueError, match="a lease is a JSON object"):
        Lease.from_json(data)


@pytest.mark.parametrize("name", ["address", "server"])
@pytest.mark.parametrize("value", ["0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1"])
def test_a_lease_is_of_a_host_from_a_host(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="that a host can have"):
        Lease.from_json({**FULL.to_json(), name: value})


def test_times_out_of_order_and_unknown_members() -> None:
    with pytest.raises(ValueError, match="in the order"):
        Lease.from_json({**FULL.to_json(), "t1_s": 3200.0})
    with pytest.raises(ValueError, match="in the order"):
        Lease.from_json({**FULL.to_json(), "t2_s": 3700.0})
    with pytest.raises(ValueError, match="no member 'colour'"):
        Lease.from_json({**FULL.to_json(), "colour": "red"})


def test_the_default_route_comes_from_the_routers_in_their_order() -> None:
    lease = Lease(A, 24, B, inf, inf, inf, 0, routers=(parse_ipv4("10.9.0.9"), B))
    assert lease.routes == (Route(Prefix(bytes(4), 0), parse_ipv4("10.9.0.9")), Route(Prefix(bytes(4), 0), B))
