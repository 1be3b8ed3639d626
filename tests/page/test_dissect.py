"""The page's dissector against `stack.dissect`: the same layers and fields for the same octets."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from tests.page.dissected import ENDS, HEADERS, cases

FOLDER = Path(__file__).parent.parent.parent / "tools/inspector/page"
COMPARE = """async (cases) => {
  const {dissectFrame, hexOf} = await import("./page/dissect.js");
  const wrong = [];
  for (const {octets, link, length, layers} of cases) {
    const bytes = Uint8Array.from(octets.match(/../g) || [], (pair) => parseInt(pair, 16));
    const found = dissectFrame(bytes, link, length).map((layer, i) => {
      const want = layers[i] || {}, told = {};
      for (const key of Object.keys(want)) {
        if (key === "fields") told.fields = layer.fields.map((f) => [f.name, f.bit, f.width, f.value]);
        else told[key] = key === "verdict" ? layer.sum && layer.sum.verdict : layer[key];
      }
      // what the page calls cut is a header without its end, be it one field or several
      if (layer.name === "TCP" && layer.fields[0]?.name !== "octets") told.cut = false;
      return Object.keys(want).length ? told : layer;
    });
    const [ours, theirs] = [JSON.stringify(found), JSON.stringify(layers)];
    if (ours !== theirs) wrong.push([octets, link, length, theirs, ours]);
  }
  return wrong;
}"""
NOISE = """async () => {
  const {dissectFrame} = await import("./page/dissect.js");
  let state = 1;
  const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  let layers = 0;
  for (let i = 0; i < 5000; i++) {
    const octets = Uint8Array.from({length: Math.floor(random() * 128)}, () => Math.floor(random() * 256));
    if (octets.length > 24 && random() < 0.8) {
      octets.set([8, random() < 0.9 ? 0 : 6, 0x45 + Math.floor(random() * 11)], 12);
      octets[23] = [1, 6, 17, 6][Math.floor(random() * 4)];
    }
    for (const link of ["ethernet", "ip", "linux-sll", ""]) {
      for (const layer of dissectFrame(octets, link, Math.floor(random() * 200))) {
        layers += 1;
        let bit = 0;
        for (const field of layer.fields) {
          if (field.bit !== bit) throw new Error(`${layer.name}: a gap before ${field.name}`);
          bit += field.width;
        }
        if (bit !== 8 * layer.length) throw new Error(`${layer.name}: ${bit} bits of ${layer.length} octets`);
      }
    }
  }
  return layers;
}"""


@pytest.fixture
def modules(page: Page) -> Page:
    """A page beside the inspector's modules, which come from the folder."""

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/page/")[2]
        if not name.endswith(".js"):
            route.fulfill(body="<title>modules</title>", content_type="text/html")
        else:
            route.fulfill(path=FOLDER / name, content_type="text/javascript")

    page.route("**/*", answer)
    page.goto("http://inspector.test/")
    return page


def test_the_page_finds_the_layers_and_fields_that_python_finds(modules: Page) -> None:
    told = list(cases(15, 4000))
    names = {layer["name"] for case in told for layer in case["layers"]}  # type: ignore[attr-defined]
    assert names >= HEADERS | ENDS | {"Data"}
    wrong = modules.evaluate(COMPARE, told)
    assert not wrong, f"{len(wrong)} of {len(told)}; the first: {wrong[0]}"


def test_no_octets_make_the_page_throw_and_each_bit_is_in_one_field(modules: Page) -> None:
    assert modules.evaluate(NOISE) > 20_000
