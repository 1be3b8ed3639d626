"""No message, however broken, raises, hangs, or changes the state outside the rules."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stack.dhcp.lease import Lease
from stack.dhcp.states import HOLDING, State
from stack.wire import dhcp
from stack.wire.dhcp import DhcpMessage, make_options
from tests.dhcp.test_transitions import Witness
from tests.dhcp.world import ADDRESS, MAC, OTHER_MAC, SECOND, SERVER, World
from tests.requirements import rfc

BOUNDED = settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

STATES = st.sampled_from([state for state in State if state is not State.INIT_REBOOT])
KINDS = st.sampled_from([dhcp.OFFER, dhcp.ACK, dhcp.NAK])
ADDRESSES = st.sampled_from([ADDRESS, SERVER, SECOND, bytes(4), b"\xff" * 4]) | st.binary(min_size=4, max_size=4)
CODES = st.sampled_from([1, 3, 6, 12, 15, 26, 28, 33, 42, 50, 51, 52, 53, 54, 56, 58, 59, 61, 119, 121]) | st.integers(
    1, 254
)
OPTIONS = st.lists(st.tuples(CODES, st.binary(max_size=40) | ADDRESSES), max_size=12)


@st.composite
def bent(draw: st.DrawFn, world: World) -> bytes:
    """A message that could nearly be good: some options changed, fields too, some bytes wrong, an end cut off."""
    message = world.answer(draw(KINDS)) if world.latest else DhcpMessage(2, 0, MAC, make_options([(53, b"\x05")]))
    values = dict(message.values())
    values.update(draw(OPTIONS))
    for code in draw(st.lists(st.sampled_from(list(values)), max_size=2)):
        values.pop(code, None)
    message = replace(
        message,
        options=make_options(draw(st.permutations(list(values.items())))),
        yiaddr=draw(st.just(message.yiaddr) | ADDRESSES),
        op=draw(st.sampled_from([2, 2, 2, 1, 0])),
        file=draw(st.binary(max_size=128)),
        sname=draw(st.binary(max_size=64)),
    )
    data = bytearray(message.build())
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


def check(world: World) -> None:
    """What holds in whatever state, whatever has come."""
    client = world.client
    if client.state in HOLDING:
        assert isinstance(client.lease, Lease)
    elif client.state not in (State.STOPPED, State.REBOOTING):
        assert client.lease is None
    assert client.deadline > world.now or client.state is State.STOPPED
    if client.state is not State.STOPPED and (client.lease is None or client.lease.lease_s < inf):
        assert client.deadline < inf
    lease = client.lease
    if lease is not None:
        assert 0 < lease.t1_s <= lease.t2_s <= lease.lease_s
        assert 0 < lease.prefix_length <= 32
        assert lease.mtu is None or 68 <= lease.mtu <= 1500
        assert len(lease.routes) <= 200
        assert Lease.from_json(lease.to_json()) == lease
    for sent in world.sent:
        assert sent.message.op == dhcp.BOOT_REQUEST
    world.sent.clear()
    world.said.clear()


@BOUNDED
@given(st.data(), STATES)
def test_no_bent_message_leaves_the_rules(data: st.DataObject, state: State) -> None:
    """An illegal transition, or an error, would be raised here; each message is taken, or counted exactly once."""
    world = Witness().world(state, probing=None)
    before = sum(world.counters.drops().values())
    for _ in range(4):
        told = len(world.trace)
        world.arrives(data.draw(bent(world)))
        events = [event for event, _ in world.trace[told:]]
        dropped = sum(world.counters.drops().values()) - before
        assert dropped == events.count("drop") <= 1
        before += dropped
        if dropped:
            assert "state" not in events
        check(world)


@rfc("2132-2-e")
@BOUNDED
@given(st.binary(max_size=700), STATES)
def test_no_bytes_change_anything(data: bytes, state: State) -> None:
    world = Witness().world(state)
    deadline, lease = world.client.deadline, world.client.lease
    world.arrives(data)
    assert (world.client.state, world.client.deadline, world.client.lease) == (state, deadline, lease)
    assert sum(world.counters.drops().values()) == 1


@BOUNDED
@given(st.data())
def test_whatever_happens_in_whatever_order(data: st.DataObject) -> None:
    """The user, time, the network and servers, one after the other by chance."""
    world = World(probing="later")
    client = world.client
    for _ in range(data.draw(st.integers(1, 25))):
        step = data.draw(st.integers(0, 11))
        if step == 0 and client.state is State.STOPPED:
            client.start(world.now, client.remembered if data.draw(st.booleans()) else None)
        elif step == 1 and client.state is State.STOPPED:
            client.inform(ADDRESS, world.now)
        elif step == 2 and data.draw(st.integers(0, 5)) == 0:
            data.draw(st.sampled_from([client.stop, client.release]))(world.now)
        elif step == 3:
            client.link_changed(world.now)
        elif step == 4:
            client.renew(world.now)
        elif step == 5:
            client.conflict(data.draw(ADDRESSES), world.now)
        elif step in (6, 7) and world.probes:
            client.probed(world.probes.pop(0), data.draw(st.sampled_from([None, None, OTHER_MAC])), world.now)
        elif step == 8:
            world.after(data.draw(st.sampled_from([0.3, 1, 5, 60, 2000, 4000])))
        elif world.latest is not None:
            kind = data.draw(st.sampled_from([dhcp.OFFER, dhcp.ACK, dhcp.ACK, dhcp.NAK]))
            world.sends(kind, dict(data.draw(OPTIONS)) if data.draw(st.integers(0, 3)) == 0 else None)
        check(world)
