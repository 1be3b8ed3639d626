"""What the DHCP client of a host tells its observers: each step has its reason, and the clauses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from stack.dhcp.states import Event as Step
from stack.host.dhcp_trace import CHOICES, ENDS, STATES, WAITS, because
from stack.trace.event import Event
from stack.trace.names import NAMES
from stack.trace.reasons import REASONS
from tests.sim.lan import Lan

DHCP = Path(__file__).resolve().parents[2] / "stack" / "dhcp"


def test_a_lease_from_the_first_message_to_its_end() -> None:
    told: list[Event] = []
    lan = Lan(trace=told.append)
    lan.bind()
    lan.host.dhcp.end(lan.interface, lan.now)
    events = [event for event in told if event.name.startswith("dhcp:")]
    assert {event.group for event in events} == {"ours"}
    steps = [(event.name, event.data.get("because")) for event in events if "because" in event.data]
    assert steps == [
        ("dhcp:state", "dhcp_start"),
        ("dhcp:state", "dhcp_look_for_servers"),
        ("dhcp:choice", "dhcp_only_offer"),
        ("dhcp:state", "dhcp_take_offer"),
        ("dhcp:state", "dhcp_acknowledged"),
        ("dhcp:state", "dhcp_stop"),
        ("dhcp:unbound", "dhcp_released"),
    ]
    assert all(event.why == REASONS[str(event.data["because"])].why for event in events if "because" in event.data)
    sent = next(event for event in events if event.name == "dhcp:send")
    assert (sent.data["kind"], sent.why) == ("DISCOVER", NAMES["dhcp:send"].why)


def test_a_link_local_address_is_told() -> None:
    told: list[Event] = []
    lan = Lan(trace=told.append)
    lan.wait(60)  # no server answers
    [event] = [event for event in told if event.name == "dhcp:link_local"]
    assert str(event.data["address"]).startswith("169.254.")


def test_each_step_of_the_states_has_a_reason() -> None:
    assert list(STATES) == [step.name for step in Step]
    assert all(because("state", {"event": step.name}) in REASONS for step in Step)


def texts(file: str) -> Iterator[str]:
    """The texts that a file of the client says."""
    for node in ast.walk(ast.parse((DHCP / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_each_rule_wait_and_end_that_the_client_names_has_a_reason() -> None:
    """A text that the client changed would have none."""
    assert set(CHOICES) <= set(texts("choice.py"))
    said = set(texts("client.py"))
    assert set(WAITS) | set(ENDS) <= said
    assert {because("choice", {"rule": rule}) for rule in CHOICES} == set(CHOICES.values())
    assert {because("wait", {"after": after}) for after in WAITS} == set(WAITS.values())
    assert {because("unbound", {"end": end}) for end in ENDS} == set(ENDS.values())
    assert because("send", {}) == ""
