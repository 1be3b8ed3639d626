"""Every message that a client drops, each counted under a reason of its own.

See RFC 2131 sections 2, 3, 4.1, 4.3.1 and 4.4, RFC 6842 section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stack.counters import DROPS
from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import ANY, parse_ipv4
from stack.wire.dhcp import DhcpMessage
from tests.dhcp.server import with_options
from tests.dhcp.world import ADDRESS, EXACT, MAC, OTHER_MAC, SECOND, SERVER, World, seconds
from tests.requirements import rfc

Bend = Callable[[DhcpMessage], DhcpMessage | bytes]


def changed(**fields: object) -> Bend:
    return lambda message: replace(message, **fields)  # type: ignore[arg-type]


def options(changes: dict[int, bytes | None]) -> Bend:
    return lambda message: with_options(message, changes)


BENT: list[tuple[str, Bend]] = [
    ("dhcp_truncated", lambda message: message.build()[:239]),
    ("dhcp_truncated", lambda message: b""),
    ("dhcp_too_long", lambda message: message.build() + bytes(1500)),
    ("dhcp_bad_cookie", lambda message: message.build().replace(bytes((99, 130, 83, 99)), bytes((99, 130, 83, 98)))),
    ("dhcp_bad_options", lambda message: message.build().rstrip(b"\0\xff") + b"\x0c\x05four"),
    ("dhcp_not_a_reply", changed(op=1)),
    ("dhcp_not_a_reply", changed(op=0)),
    ("dhcp_bad_hardware", changed(htype=6)),
    ("dhcp_bad_hardware", changed(chaddr=MAC[:5])),
    ("dhcp_bad_hardware", changed(chaddr=MAC + b"\0")),
    ("dhcp_other_client", changed(chaddr=OTHER_MAC)),
    ("dhcp_bad_type", options({dhcp.MESSAGE_TYPE: None})),
    ("dhcp_bad_type", options({dhcp.MESSAGE_TYPE: b"\x02\x05"})),
    ("dhcp_bad_type", options({dhcp.MESSAGE_TYPE: b"\x01"})),
    ("dhcp_bad_type", options({dhcp.MESSAGE_TYPE: b"\x09"})),
    ("dhcp_other_identifier", options({dhcp.CLIENT_IDENTIFIER: b"\x01" + MAC})),
    ("dhcp_other_identifier", options({dhcp.CLIENT_IDENTIFIER: b""})),
    ("dhcp_no_server", options({dhcp.SERVER_IDENTIFIER: None})),
    ("dhcp_no_server", options({dhcp.SERVER_IDENTIFIER: SERVER[:3]})),
    ("dhcp_no_server", options({dhcp.SERVER_IDENTIFIER: SERVER + SECOND})),
    ("dhcp_no_server", options({dhcp.SERVER_IDENTIFIER: ANY})),
    ("dhcp_no_server", options({dhcp.SERVER_IDENTIFIER: parse_ipv4("224.0.0.1")})),
    ("dhcp_no_server", options({dhcp.SERVER_IDENTIFIER: parse_ipv4("255.255.255.255")})),
    ("dhcp_bad_lease_time", options({dhcp.LEASE_TIME: None})),
    ("dhcp_bad_lease_time", options({dhcp.LEASE_TIME: b"\x0e\x10"})),
    ("dhcp_bad_lease_time", options({dhcp.LEASE_TIME: seconds(0)})),
    ("dhcp_bad_lease_time", options({dhcp.LEASE_TIME: seconds(4)})),
    *[
        ("dhcp_bad_address", changed(yiaddr=parse_ipv4(address)))
        for address in (
            "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "240.0.0.1", "255.255.255.255", "169.254.7.7",
            "10.9.0.0", "10.9.0.255", "10.9.0.1",
        )
    ],
]  # fmt: skip


@rfc("2131-4.3.1-a", "2131-3-b", "2131-4.3.1-b")
@pytest.mark.parametrize(("reason", "bend"), BENT)
def test_no_bent_offer_is_taken(world: World, reason: str, bend: Bend) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    bent = bend(world.answer(dhcp.OFFER))
    world.arrives(bent if isinstance(bent, bytes) else bent.build())
    world.refused(reason)
    assert (world.client.state, world.client.offers) == (State.SELECTING, ())
    assert world.client.deadline == world.start + 4


@rfc("2131-4.3.1-a", "2131-3-b", "2131-4.3.1-b")
@pytest.mark.parametrize(("reason", "bend"), BENT)
def test_no_bent_acknowledgment_is_taken(world: World, reason: str, bend: Bend) -> None:
    world.become_requesting()
    bent = bend(world.answer(dhcp.ACK))
    world.arrives(bent if isinstance(bent, bytes) else bent.build())
    world.refused(reason)
    assert (world.client.state, world.client.lease) == (State.REQUESTING, None)
    assert world.client.deadline == world.start + 4.25
    world.sends(dhcp.ACK)  # the good one still counts
    world.told("bound")


@pytest.mark.parametrize(("reason", "bend"), BENT)
def test_no_bent_renewal_is_taken(world: World, reason: str, bend: Bend) -> None:
    lease = world.become_bound()
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    bent = bend(world.answer(dhcp.ACK))
    world.arrives(bent if isinstance(bent, bytes) else bent.build())
    world.refused(reason)
    assert (world.client.state, world.client.lease) == (State.RENEWING, lease)


@rfc("6842-3-a", "6842-3-b")
def test_an_echoed_identifier_has_to_be_ours_and_may_be_missing() -> None:
    for identifier, taken in ((None, True), ("ours", True), (b"\xff" + MAC, False)):
        world = World()
        world.begin()
        ours = world.expects(dhcp.DISCOVER).values()[dhcp.CLIENT_IDENTIFIER]
        world.sends(dhcp.OFFER, {dhcp.CLIENT_IDENTIFIER: ours if isinstance(identifier, str) else identifier})
        assert bool(world.client.offers) == taken
        assert world.counters["dhcp_other_identifier"] == (not taken)


@rfc("2131-4.3.1-a", "2131-3.1-i")
def test_in_requesting_only_the_server_that_was_chosen_may_refuse_or_acknowledge(world: World) -> None:
    world.become_requesting()
    for kind in (dhcp.NAK, dhcp.ACK):
        world.sends(kind, {dhcp.SERVER_IDENTIFIER: SECOND})
        world.refused("dhcp_other_server")
    world.sends(dhcp.NAK, {dhcp.SERVER_IDENTIFIER: None})
    world.refused("dhcp_no_server")
    assert world.client.state is State.REQUESTING
    world.sends(dhcp.NAK)
    world.expects(dhcp.DISCOVER)


def test_in_renewing_only_the_server_of_the_lease_may_refuse_or_acknowledge(world: World) -> None:
    lease = world.become_bound()
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    for kind in (dhcp.NAK, dhcp.ACK):
        world.sends(kind, {dhcp.SERVER_IDENTIFIER: SECOND})
        world.refused("dhcp_other_server")
    assert (world.client.state, world.client.lease) == (State.RENEWING, lease)


@pytest.mark.parametrize("kind", [dhcp.OFFER, dhcp.ACK, dhcp.NAK])
def test_while_nothing_is_asked_nothing_is_heard(world: World, kind: int) -> None:
    message = DhcpMessage(dhcp.BOOT_REPLY, 1, MAC, dhcp.make_options([(dhcp.MESSAGE_TYPE, bytes((kind,)))]))
    world.arrives(message.build())
    world.refused("dhcp_unexpected")
    assert world.client.state is State.STOPPED


@rfc("2131-2-c")
@pytest.mark.parametrize("mtu", [68, 576, 1500])
def test_messages_of_576_octets_are_taken(mtu: int) -> None:
    world = World(mtu=mtu)
    world.begin()
    world.expects(dhcp.DISCOVER)
    filler: dict[int, bytes | None] = {224: bytes(200)}
    size = len(world.answer(dhcp.OFFER, filler).build())
    payload = world.answer(dhcp.OFFER, filler | {225: bytes(576 - 28 - size - 2)}).build()
    assert len(payload) == 576 - 28
    world.arrives(payload)
    assert len(world.client.offers) == 1


def test_every_reason_there_is_was_given_by_some_test_of_this_folder() -> None:
    named = {reason for reason, _ in BENT} | {
        "dhcp_unexpected", "dhcp_other_transaction", "dhcp_other_server", "dhcp_other_address", "dhcp_lease_over",
        "dhcp_too_many_offers",
    }  # fmt: skip
    hosts = {"dhcp_no_client", "dhcp_not_sent", "dhcp_bad_route"}  # which are below the client
    assert named | hosts == {reason for reason in DROPS if reason.startswith("dhcp_")}


def test_a_message_that_is_dropped_can_be_watched() -> None:
    world = World(EXACT)
    world.begin()
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: None})
    event, fields = world.trace[-1]
    assert (event, fields["reason"]) == ("drop", "dhcp_no_server")
    assert isinstance(fields["message"], DhcpMessage)
    world.client.trace = None  # and it works without an observer
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: None})
    assert world.counters["dhcp_no_server"] == 2
