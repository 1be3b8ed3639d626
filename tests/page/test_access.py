"""The whole page can be used by keyboard, without telling colours apart, and with large type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.page.lab import Lab, inspected, until

TABS = {"1": "states", "2": "tcb", "3": "graph", "4": "why", "5": "bits", "6": "host"}
LINES = 3.0  # WCAG 2.2, 1.4.11: the least contrast of what is not text


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with inspected("--impair", "loss=5%,seed=3") as running:
        running.run("curl -s -m 10 http://10.9.0.2/ >/dev/null; curl -s -m 10 http://10.9.0.2:81/")
        running.run("head -c 100000 /dev/zero | nc -N -w 10 10.9.0.2 9; ping -c 2 -W 5 10.9.0.2")
        yield running


def opened(context: BrowserContext, lab: Lab, **emulated: Any) -> Page:
    page = context.new_page()
    if emulated:
        page.emulate_media(**emulated)
    page.goto(lab.url)
    until(page, "tapstackStore.count > 100 && !tapstackStore.queue.length")
    page.keyboard.press("ArrowUp")
    drawn(page)
    return page


def drawn(page: Page) -> None:
    """Wait until what a key has led to is drawn: a row in the next frame, what its panels show in the one after."""
    page.evaluate(
        "new Promise((then) => { let n = 3; const next = () => n-- ? requestAnimationFrame(next) : then(); next(); })"
    )


def violations(page: Page) -> list[str]:
    """What axe finds against level A or AA: the rule, and where."""
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(context: BrowserContext, lab: Lab, scheme: str) -> None:
    page = opened(context, lab, color_scheme=scheme)
    for upper, lower in (("1", "4"), ("2", "5"), ("3", "6")):
        page.keyboard.press(upper)
        page.keyboard.press(lower)
        page.wait_for_selector(f"#panel-{TABS[upper]}")
        page.wait_for_selector(f"#panel-{TABS[lower]}")
        assert violations(page) == []


@pytest.mark.parametrize("key", ["b", "?"])
def test_axe_finds_nothing_in_the_drawer_and_in_the_help(context: BrowserContext, lab: Lab, key: str) -> None:
    page = opened(context, lab)
    page.keyboard.press(key)
    page.wait_for_selector({"b": "#drawer", "?": "dialog"}[key])
    assert violations(page) == []


REACHABLE = "button, a[href], select, input, summary, textarea, [role=tab][tabindex='0'], [role=row][tabindex='0']"
SEEN = "(element) => element.checkVisibility({visibilityProperty: true})"  # false in closed details


def test_tab_reaches_everything_and_nothing_holds_it(context: BrowserContext, lab: Lab) -> None:
    page = opened(context, lab)
    for upper, lower in (("1", "4"), ("2", "5"), ("3", "6")):
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(upper)
        page.keyboard.press(lower)
        drawn(page)
        wanted = page.evaluate(
            f"""() => {{
              const all = [...document.querySelectorAll("{REACHABLE}")];
              const there = all.filter((element) => ({SEEN})(element) && !element.disabled && element.tabIndex >= 0);
              there.forEach((element, place) => element.setAttribute("data-place", place));
              return there.length;
            }}"""
        )
        reached = set()
        for _ in range(2 * wanted + 10):
            page.keyboard.press("Tab")
            place = page.evaluate("document.activeElement.getAttribute('data-place')")
            if place is not None:
                reached.add(int(place))
        missed = set(range(wanted)) - reached
        names = [
            page.evaluate(f"document.querySelector('[data-place=\"{place}\"]')?.outerHTML.slice(0, 200)")
            for place in missed
        ]
        assert not missed, names


def test_what_has_the_focus_is_seen_to_have_it(context: BrowserContext, lab: Lab) -> None:
    page = opened(context, lab)
    for _ in range(12):
        page.keyboard.press("Tab")
        if not page.evaluate("document.activeElement === document.body"):  # where the browser itself has the focus
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline not in ("", "none"), page.evaluate("document.activeElement.outerHTML.slice(0, 300)")


def test_a_step_is_said_once_and_a_stream_is_not(context: BrowserContext, lab: Lab) -> None:
    page = opened(context, lab)
    page.keyboard.press("ArrowUp")
    said = page.inner_text(".caption [aria-live=polite]")
    assert said.startswith(("frame", "event", "timer", "the program", "call")), said
    page.keyboard.press("p")
    lab.run("ping -c 3 -i 0.2 -W 5 10.9.0.2")
    page.wait_for_timeout(300)
    assert page.inner_text(".caption [aria-live=polite]") == said


@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 400)])  # 640 by 400 is 1280 by 800 at 200 %
def test_a_narrow_window_has_all_and_scrolls_one_way(
    context: BrowserContext, lab: Lab, width: int, height: int
) -> None:
    page = opened(context, lab)
    page.set_viewport_size({"width": width, "height": height})
    for tab, name in TABS.items():
        page.keyboard.press(tab)
        page.wait_for_selector(f"#panel-{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page.locator(".scroll .row").count() > 3


CONTRAST = """() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const rgb = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const style = getComputedStyle(document.documentElement);
  const of = (name) => rgb(style.getPropertyValue(name).trim());
  return {paper: of("--surface"), lines: Object.fromEntries(
    ["--green", "--blue", "--purple", "--vermilion", "--sky", "--grey", "--ink"].map((name) => [name, of(name)]))};
}"""
# What each defect leaves of (red, green, blue), linear light: Machado, Oliveira and Fernandes, 2009, severity 1.
SEEN_AS = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    "achromatopsia": ((0.2126, 0.7152, 0.0722),) * 3,
}


def linear(octet: float) -> float:
    part = octet / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def luminance(colour: list[int], matrix: tuple[tuple[float, ...], ...]) -> float:
    light = [linear(part) for part in colour]
    seen = [min(1.0, max(0.0, sum(factor * part for factor, part in zip(row, light, strict=True)))) for row in matrix]
    return 0.2126 * seen[0] + 0.7152 * seen[1] + 0.0722 * seen[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN_AS)
def test_lines_are_seen_by_all_eyes(context: BrowserContext, lab: Lab, scheme: str, eyes: str) -> None:
    page = opened(context, lab, color_scheme=scheme)
    colours = page.evaluate(CONTRAST)
    paper = luminance(colours["paper"], SEEN_AS[eyes])
    for name, colour in colours["lines"].items():
        darker, lighter = sorted((paper, luminance(colour, SEEN_AS[eyes])))
        assert (lighter + 0.05) / (darker + 0.05) >= LINES, (name, eyes, scheme)


LOOKS = """() => Object.fromEntries([...document.querySelectorAll(".scroll .row .arrow")].map((arrow) => {
  const line = getComputedStyle(arrow.querySelector(".line"));
  const kind = [...arrow.classList].filter((name) => !["arrow", "in", "out"].includes(name)).join(" ");
  const text = arrow.querySelector(".on")?.textContent.trim().replace(/^c\\d+ */, "").split(/[ \\d]/)[0] || "";
  return [kind, [line.borderTopStyle, line.borderTopWidth, text].join(" ")];
}))"""


def test_kinds_of_lines_differ_without_colour(context: BrowserContext, lab: Lab) -> None:
    """Each kind of arrow differs from each other one in dash, width or the word on it."""
    page = opened(context, lab)
    looks: dict[str, str] = {}
    page.keyboard.press("Home")
    for _ in range(12):
        looks |= page.evaluate(LOOKS)
        for _ in range(2):
            page.keyboard.press("PageDown")
        page.wait_for_timeout(60)
    assert {"syn", "ack", "data", "fin", "rst", "other"} <= {kind.split()[0] for kind in looks if kind}
    plain = {kind: look for kind, look in looks.items() if " " not in kind and kind != "call"}
    assert len(set(plain.values())) == len(plain), plain


def test_states_differ_without_colour(context: BrowserContext, lab: Lab) -> None:
    page = opened(context, lab)
    hatches = page.evaluate(
        """() => {
          const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
          const names = new Set(rules.flatMap((rule) => rule.selectorText?.match(/(?<=^\\.st-)[A-Z_0-9]+$/) || []));
          const rail = document.querySelector(".rail");
          const hatch = (name) => {
            rail.className = `ours rail st-${name}`;
            return getComputedStyle(rail, "::after").backgroundImage.replace(/rgb\\([^)]*\\)/g, "x");
          };
          return Object.fromEntries([...names].map((name) => [name, hatch(name)]));
        }"""
    )
    assert len(hatches) == 11
    assert "none" not in hatches.values()
    letters = page.evaluate("import('./page/model.js').then((model) => Object.values(model.STATE_LETTERS))")
    assert len(set(letters)) == 11
    # Two states may share a hatch if they have other colours: the letter and the name stand beside it.
    assert len(set(hatches.values())) >= 7
