"""The events that an observer of a client is told: each step of the exchange."""

from __future__ import annotations

from stack.wire import dhcp
from stack.wire.addresses import BROADCAST
from stack.wire.dhcp import DhcpMessage
from tests.dhcp.world import ADDRESS, OTHER_MAC, SERVER, World, seconds


def story(world: World) -> list[str]:
    """Every event so far, the essential of it in a word or two; the next call begins after them."""
    told = []
    for event, fields in world.trace:
        if event == "state":
            told.append(f"{fields['event']}: {fields['from']} > {fields['to']}")
        elif event == "send":
            message = fields["message"]
            assert isinstance(message, DhcpMessage)
            to = {BROADCAST: "all", SERVER: "server"}[fields["to"]]  # type: ignore[index]
            told.append(f"send {message.message_type} to {to}, attempt {fields['attempt']}")
        elif event == "receive":
            message = fields["message"]
            assert isinstance(message, DhcpMessage)
            told.append(f"receive {message.message_type}")
        else:
            told.append(
                " ".join(
                    [event, *(str(fields[name]) for name in ("rule", "end", "reason", "seconds") if name in fields)]
                )
            )
    world.trace.clear()
    return told


def test_a_lease_from_its_beginning_to_its_end(world: World) -> None:
    world.become_bound({dhcp.LEASE_TIME: seconds(160)})
    assert story(world) == [
        "START: STOPPED > INIT",
        "SND_DISCOVER: INIT > SELECTING",
        "send 1 to all, attempt 1",
        "receive 2",
        "offer",
        "choice the only one",
        "SELECT_OFFER: SELECTING > REQUESTING",
        "send 3 to all, attempt 1",
        "receive 5",
        "probe",
        "RCV_ACK: REQUESTING > BOUND",
        "bound",
    ]
    world.after(160)
    assert story(world) == [
        "T1: BOUND > RENEWING",
        "send 3 to server, attempt 1",
        "T2: RENEWING > REBINDING",
        "send 3 to all, attempt 2",
        "EXPIRED: REBINDING > INIT",
        "unbound expired",
        "SND_DISCOVER: INIT > SELECTING",
        "send 1 to all, attempt 1",
    ]
    world.told("unbound")
    world.sent.clear()


def test_the_attempts_of_a_renewal_are_counted(world: World) -> None:
    world.become_bound({dhcp.LEASE_TIME: seconds(1000)})
    world.after(500)
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(1000)})
    world.trace.clear()
    world.after(700)
    assert [told for told in story(world) if told.startswith("send")] == [
        f"send 3 to server, attempt {number}" for number in (1, 2)
    ]
    world.said.clear()
    world.sent.clear()


def test_a_conflict(world: World) -> None:
    world.probing = OTHER_MAC
    world.begin(requested=ADDRESS)
    world.sends(dhcp.OFFER)
    world.sends(dhcp.ACK)
    assert ("conflict", {"address": ADDRESS, "mac": OTHER_MAC}) in world.trace
    assert story(world)[-5:] == [
        "probe",
        "conflict",
        "CONFLICT: REQUESTING > INIT",
        "send 4 to all, attempt 1",
        "wait 10.0",
    ]
    world.sent.clear()
