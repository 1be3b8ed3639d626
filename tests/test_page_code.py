"""The house rules for the page's JavaScript: its files, its size, what it must not say; what is vendored."""

from __future__ import annotations

import gzip
import hashlib
import re
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "tools/inspector/page"
VENDOR = PAGE / "vendor"
LESSON = PAGE.parents[1] / "lessons/page"  # what the page of a lesson adds
FILE_LINES, FUNCTION_LINES, LINE_CHARACTERS = 600, 60, 240
# A page of this weight is read and drawn at once, also on a slow line; a report carries it whole.
MOST_BYTES, MOST_PACKED_BYTES = 250_000, 80_000
MOST_LESSON_BYTES, MOST_LESSON_PACKED_BYTES = 25_000, 9_000
ONLY_IN_REPORTS = frozenset({"report.css"})
OWN = sorted([*PAGE.glob("*.js"), *LESSON.glob("*.js"), VENDOR / "preact-htm.js"])
NOT_JOINED = frozenset({"preact-htm.js"})  # it passes on what others export

FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(.style|\.cssText"
    r"|dangerouslySetInnerHTML|javascript:|srcdoc|\bstyle=\""
)
EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)
BEGINS = re.compile(
    r"^(?P<indent>(?:  )?)(?:export )?(?:async )?(?:function\*? ?\w+|(?:static |get |set |async )?\w+)\(.*\{$"
)


def long_functions(source: str) -> list[str]:
    """The functions and methods of a file that are too long. They end at their own indentation."""
    lines, complaints = source.splitlines(), []
    for number, line in enumerate(lines):
        begins = BEGINS.match(line)
        if begins is None:
            continue
        end = next(i for i in range(number + 1, len(lines)) if lines[i].startswith(begins["indent"] + "}"))
        if end - number + 1 > FUNCTION_LINES:
            complaints.append(f"{line.strip()} has {end - number + 1} lines")
    return complaints


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_a_file_keeps_the_rules(path: Path) -> None:
    source = path.read_text()
    assert source.startswith("/**"), "its first comment says what it is"
    assert source.count("\n") <= FILE_LINES
    assert long_functions(source) == []
    assert FORBIDDEN.findall(source) == []
    assert [line for line in source.splitlines() if len(line) > LINE_CHARACTERS] == []


def test_a_long_function_and_forbidden_words_are_noticed() -> None:
    body = "  x();\n" * FUNCTION_LINES
    assert len(long_functions(f"export function f(a) {{\n{body}}}\nfunction g() {{\n}}\n")) == 1
    assert len(long_functions(f"class A {{\n  m(a) {{\n{body}  }}\n}}\n")) == 1
    assert FORBIDDEN.search("element.innerHTML = text")
    assert FORBIDDEN.search('html`<p style="color: red">`')
    assert not FORBIDDEN.search("element.style.width = width")


def test_exported_names_are_unique() -> None:
    """A report joins the modules into one script."""
    names: dict[str, list[str]] = {}
    for path in OWN:
        for name in EXPORTED.findall(path.read_text()):
            names.setdefault(name, []).append(path.name)
    assert {name: files for name, files in names.items() if len(files) > 1} == {}
    assert "Store" in names


def test_the_page_is_light() -> None:
    files = [path for path in PAGE.rglob("*") if path.suffix in (".js", ".css", ".html")]
    served = [path for path in files if path.name not in ONLY_IN_REPORTS]
    assert len(served) + len(ONLY_IN_REPORTS) == len(files)
    octets = [path.read_bytes() for path in served]
    assert sum(map(len, octets)) <= MOST_BYTES
    assert len(gzip.compress(b"".join(octets), mtime=0)) <= MOST_PACKED_BYTES


def test_a_lesson_adds_little_and_only_to_its_own_page() -> None:
    octets = [path.read_bytes() for path in sorted(LESSON.iterdir())]
    assert sum(map(len, octets)) <= MOST_LESSON_BYTES
    assert len(gzip.compress(b"".join(octets), mtime=0)) <= MOST_LESSON_PACKED_BYTES
    assert not any("/lesson/" in path.read_text() for path in [*PAGE.glob("*.js"), PAGE / "index.html"])


@pytest.mark.parametrize("path", [PAGE / "index.html", LESSON / "lesson.html"], ids=lambda path: path.name)
def test_html_has_no_script_or_style_of_its_own(path: Path) -> None:
    """The content security policy allows none."""
    source = path.read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", source) == []
    assert "<style" not in source
    assert " style=" not in source
    assert re.findall(r"\son\w+=", source) == []


def test_what_is_vendored_is_as_published() -> None:
    packages = tomllib.loads((VENDOR / "vendor.toml").read_text())
    listed = {VENDOR / "vendor.toml", VENDOR / "preact-htm.js"}
    for package in packages.values():
        licence = VENDOR / package["licence_file"]
        assert {"MIT": "MIT", "Apache-2.0": "Apache License"}[package["licence"]] in licence.read_text()
        listed.add(licence)
        for name, facts in package["files"].items():
            octets = (VENDOR / name).read_bytes()
            assert hashlib.sha256(octets).hexdigest() == facts["sha256"], name
            if "changed" in facts:
                before, after = facts["changed"]
                original = octets.replace(after.encode(), before.encode())
                assert hashlib.sha256(original).hexdigest() == facts["published"], name
            listed.add(VENDOR / name)
    assert {path for path in VENDOR.rglob("*") if path.is_file()} == listed
