"""The drawer "Wire": what a student breaks there is broken, is seen in the ladder, and is healed."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.page.lab import Lab, until

STATUS = "document.querySelector('.wire [role=status]').textContent"
SYNS = """() => tapstackStore.rows.filter((row) => row.tcp && row.tcp.flags & 2)
  .map((row) => [row.dir, row.lost, row.tcp.flags & 16 ? "SYN,ACK" : "SYN", row.group])"""
OURS = "10.9.0.2"


@pytest.fixture
def drawer(page: Page, lab: Lab) -> Page:
    return opened(page, lab)


def opened(page: Page, lab: Lab) -> Page:
    """The page with the drawer open, by its key."""
    page.goto(lab.url)
    until(page, "tapstackStore.online && tapstackStore.slow.wire && !tapstackStore.queue.length")
    page.keyboard.press("b")
    page.wait_for_selector("#drawer form")
    return page


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what has this text or label."""
    for _ in range(60):
        said = page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()")
        if said.startswith(name):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {name}")


def test_the_next_syn_ack_is_lost_by_keys_alone(drawer: Page, lab: Lab) -> None:
    before = drawer.evaluate("tapstackStore.lastN")
    tab_to(drawer, "Do it to the next one")
    drawer.keyboard.press("Enter")
    until(drawer, f"{STATUS} === 'The next SYN,ACK is lost (from us).'")
    lab.run(f"curl -s -m 10 http://{OURS}/ >/dev/null")
    until(drawer, f"{STATUS}.startsWith('Nothing is broken')")
    until(drawer, "tapstackStore.rows.some((row) => row.event.name === 'tcp:state' || row.states?.ours === 'CLOSED')")
    rows = drawer.evaluate(SYNS)
    group = next(group for _, lost, _, group in rows if lost)
    of_it = [(way, lost, name) for way, lost, name, each in rows if each == group]
    assert of_it[:2] == [("in", False, "SYN"), ("out", True, "SYN,ACK")]
    assert ("out", False, "SYN,ACK") in of_it[2:], "sent again"
    told = drawer.evaluate(
        "tapstackStore.rows.filter((row) => row.kind === 'lab').map(({n, event}) => [n, event.name, event.data.words])"
    )
    assert [(name, words) for n, name, words in told if n > before] == [
        ("lab:wire", "The next SYN,ACK is lost (from us).")
    ]
    drawer.keyboard.press("Escape")
    drawer.keyboard.press("b")
    drawer.wait_for_selector("#drawer", state="detached")
    drawer.fill("#filter", "lost")
    drawer.wait_for_selector(".scroll .row .cross")  # the X on the arrow


def test_a_standing_fault_is_said_and_healed(drawer: Page) -> None:
    drawer.get_by_role("spinbutton", name="delay ms").fill("20")
    drawer.keyboard.press("Enter")
    until(drawer, f"{STATUS} === 'Each frame takes 20 ms (from us).'")
    tab_to(drawer, "Heal the wire")
    drawer.keyboard.press("Enter")
    until(drawer, f"{STATUS}.startsWith('Nothing is broken')")
    assert drawer.get_by_role("spinbutton", name="delay ms").input_value() == "0"


def test_what_is_wrong_is_refused_in_words_and_changes_nothing(context: BrowserContext, lab: Lab) -> None:
    drawer = opened(context.new_page(), lab)  # whose console tells of the refusal
    drawer.get_by_label("black hole above").fill("20")
    drawer.keyboard.press("Enter")
    until(drawer, f"{STATUS}.startsWith('mtu is a number from 68')")
    until(drawer, "document.activeElement.value === '0'")
    drawer.get_by_role("button", name="Heal the wire").click()
    until(drawer, f"{STATUS}.startsWith('Nothing is broken')")


def test_a_setting_holds_for_the_next_connection(drawer: Page, lab: Lab) -> None:
    tick = drawer.get_by_role("checkbox", name="SACK (RFC 2018)")
    assert tick.is_checked()
    lab.run(f"curl -s -m 10 http://{OURS}/ >/dev/null")
    tick.focus()
    drawer.keyboard.press("Space")
    drawer.get_by_text("SACK (RFC 2018) (changed)").wait_for()
    lab.run(f"curl -s -m 10 http://{OURS}/ >/dev/null")
    drawer.fill("#filter", "syn,ack")
    shown = """[...document.querySelectorAll('.scroll .row')]
      .filter((row) => row.querySelector('.on b')?.textContent === 'SYN,ACK')
      .map((row) => row.querySelector('.rest').textContent)"""
    until(drawer, f"{shown}.length >= 2 && !{shown}.at(-1).includes('sack')")
    said = drawer.evaluate(shown)
    assert any("sack" in each for each in said), said


def test_services_that_stop_reading_close_the_window(drawer: Page, lab: Lab) -> None:
    tick = drawer.get_by_role("checkbox", name="stop reading")
    assert not tick.is_checked()
    tick.focus()
    drawer.keyboard.press("Space")
    until(drawer, f'{STATUS}.startsWith("The host\'s services do not read")')
    lab.start(f"head -c 2000000 /dev/zero | timeout 60 nc -N {OURS} 9 &")
    until(drawer, "tapstackStore.rows.some((row) => row.dir === 'out' && row.tcp && row.tcp.window === 0)")
    tick.focus()
    drawer.keyboard.press("Space")
    until(drawer, f"{STATUS}.startsWith('Nothing is broken')")
    lab.run("wait")
    words = drawer.evaluate(
        "tapstackStore.rows.filter((row) => row.event.name === 'lab:break').map((row) => row.event.data.words)"
    )
    assert words == [
        "The host's services do not read: receive buffers fill, and windows close.",
        "The host's services read again.",
    ]


def test_nagle_is_a_setting(drawer: Page) -> None:
    tick = drawer.get_by_role("checkbox", name="Nagle's algorithm")
    assert not tick.is_checked()
    for said in (" (changed)", ""):
        tick.focus()
        drawer.keyboard.press("Space")
        drawer.get_by_text(f"Nagle's algorithm, in the host's services (RFC 9293){said}", exact=True).wait_for()


def test_the_kernels_end_is_shown_beside_ours(drawer: Page, lab: Lab) -> None:
    lab.start(f"sleep 5 | nc -w 8 {OURS} 7 &")
    until(
        drawer,
        "Object.values(tapstackStore.slow.kernel || {}).some((end) => end.state === 'ESTAB' && end.cwnd_segments > 0)",
    )
    group = drawer.evaluate("Object.entries(tapstackStore.slow.kernel).find(([, end]) => end.state === 'ESTAB')[0]")
    drawer.evaluate("group => tapstackStore.setFollow(group)", group)
    drawer.keyboard.press("Escape")
    drawer.keyboard.press("2")
    drawer.get_by_role("heading", name="The kernel's end, as it says now").wait_for()
    assert "cwnd segments" in drawer.inner_text("#panel-tcb")
    assert drawer.evaluate("group => tapstackStore.connections.get(group).kernelSays", group) == "ESTABLISHED"


@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 400)])
def test_a_narrow_window_has_the_whole_drawer(context: BrowserContext, lab: Lab, width: int, height: int) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    opened(page, lab)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('#drawer').scrollWidth") <= width
