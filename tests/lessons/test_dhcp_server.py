"""The DHCP server of lessons, with the client of a host of ours."""

from __future__ import annotations

import pytest

from tools.lessons.dhcp_server import options_of
from tools.lessons.network import perform
from tools.lessons.parse import parse
from tools.lessons.patterns import pattern
from tools.lessons.recording import Recording

pytestmark = pytest.mark.one_way

BEGIN = """server = await lesson.host("server", "10.9.0.1/24")
dhcp = await lesson.dhcp_server(server, "10.9.0.1/24", "10.9.0.50", lease_s=120)
"""


def recorded(code: str) -> Recording:
    text = f"# T99 A\ntime: 5 min\n\n```python run=x\n{BEGIN}{code}\nlesson.keep(log=dhcp.log)\n```\n"
    lesson = parse(text, "x.md")
    return perform(lesson.file, lesson.runs["x"])


def test_a_lease_is_got_and_extended() -> None:
    recording = recorded("client = await lesson.host('client', 'dhcp')\nawait lesson.sleep(70)")
    assert recording.kept["log"] == ["DISCOVER", "OFFER", "REQUEST", "ACK", "REQUEST", "ACK"]
    assert len(recording.all(pattern("client dhcp:bound"))) == 2
    assert not recording.all(pattern("client dhcp:drop"))
    assert recording.all(pattern("client frame kind=arp arp.tpa=10.9.0.50 arp.spa=0.0.0.0")), "the address is probed"


def test_two_clients_get_two_addresses() -> None:
    code = "a = await lesson.host('a', 'dhcp')\nb = await lesson.host('b', 'dhcp')\n"
    code += "lesson.keep(got=[host.lease.address for host in (a, b)])"
    assert recorded(code).kept["got"] == ["10.9.0.50", "10.9.0.51"]


def test_a_server_that_says_no() -> None:
    code = "client = await lesson.host('client', 'dhcp')\ndhcp.says_no = True\nawait lesson.sleep(70)"
    recording = recorded(code)
    log = recording.kept["log"]
    assert isinstance(log, list)
    assert log[4:7] == ["REQUEST", "NAK", "DISCOVER"]
    assert recording.all(pattern("client dhcp:unbound"))


def test_a_silent_server_leads_to_a_link_local_address() -> None:
    code = "dhcp.is_silent = True\nc = await lesson.host('c', 'dhcp', dhcp=stack.Dhcp(wait='nothing'))\n"
    recording = recorded(code + "await lesson.sleep(90)")
    assert recording.kept["log"] == []
    assert recording.all(pattern("c dhcp:link_local"))


@pytest.mark.parametrize("octets", [b"", b"\x35", b"\x35\x05\x01", b"\0" * 20, b"\xff\x35\x01\x01"])
def test_options_that_are_cut_off_are_none(octets: bytes) -> None:
    assert options_of(octets) == {}


def test_options_are_read() -> None:
    assert options_of(b"\0\x35\x01\x03\x32\x04\x0a\x09\x00\x32\xff\x01") == {53: b"\3", 50: b"\x0a\x09\0\x32"}
