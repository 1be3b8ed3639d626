"""The curves of `scripts/bench --plot`: what is drawn is well-formed and inside the picture. Nothing is measured."""

from __future__ import annotations

import argparse
import math
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.measuring import __main__ as bench
from scripts.measuring import curves
from scripts.measuring.chart import HEIGHT, WIDTH, Chart, Line, short, step_up, svg, table

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Line, title: str = "a title", logarithmic: bool = False) -> ElementTree.Element:
    """The picture of one chart with these lines."""
    named = {f"line {number}": line for number, line in enumerate(lines)}
    chart = Chart(title, "so many", "echoes /s", logarithmic, named)
    return ElementTree.fromstring(svg([(chart, False)], "a caption"))


def numbers_of(element: ElementTree.Element) -> list[float]:
    return [float(number) for number in re.findall(r"-?[\d.]+", element.attrib["points"])]


@pytest.mark.parametrize(
    "line",
    [
        {10: 1.0, 1_000: 5.0, 20_000: 2.0},
        {1: 0.0},
        {1: 1e-9, 2: 1e12},
        {1: math.nan, 2: math.inf, 3: -5.0, 4: 1.0, 0: 1.0, -3: 1.0},
        {1 << 62: 1e300},
        {number: float(number) for number in range(1, 200)},
    ],
)
@pytest.mark.parametrize("logarithmic", [False, True])
def test_every_point_is_inside_the_picture(line: Line, logarithmic: bool) -> None:
    picture = drawn(line, {5: 3.0}, logarithmic=logarithmic)
    assert picture.tag == SVG + "svg"
    for polyline in picture.iter(SVG + "polyline"):
        numbers = numbers_of(polyline)
        assert all(0 <= x <= WIDTH for x in numbers[::2])
        assert all(0 <= y <= HEIGHT for y in numbers[1::2])
    for label in picture.iter(SVG + "text"):
        assert 0 <= float(label.attrib["x"]) <= WIDTH
        assert 0 <= float(label.attrib["y"]) <= HEIGHT + 30


def test_larger_figures_are_higher_and_larger_abscissas_further_right() -> None:
    (polyline,) = drawn({100: 1.0, 10: 4.0}).iter(SVG + "polyline")
    (left, high, right, low) = numbers_of(polyline)
    assert left < right
    assert high < low


def test_abscissas_are_logarithmic_and_ordinates_begin_at_0() -> None:
    (polyline,) = drawn({10: 0.0, 100: 2.0, 1000: 4.0}).iter(SVG + "polyline")
    x, y = numbers_of(polyline)[::2], numbers_of(polyline)[1::2]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)


def test_ordinates_can_be_logarithmic() -> None:
    (polyline,) = drawn({1: 1.0, 2: 10.0, 3: 100.0}, logarithmic=True).iter(SVG + "polyline")
    y = numbers_of(polyline)[1::2]
    assert y[0] - y[1] > 50
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)


def test_a_chart_without_figures_says_so() -> None:
    for picture in (drawn(), drawn({}), drawn({1: math.nan})):
        assert "no figures" in [label.text for label in picture.iter(SVG + "text")]


def test_text_is_quoted_and_bounded() -> None:
    picture = drawn({1: 1.0}, title="<script>&\"'" + "x" * 5_000)
    texts = [label.text or "" for label in picture.iter(SVG + "text")]
    assert any(said.startswith("<script>&\"'xx") for said in texts)
    assert max(map(len, texts)) <= 110
    assert not list(picture.iter(SVG + "script"))


def test_each_line_has_its_name_and_its_figures() -> None:
    texts = [label.text for label in drawn({10: 1234.5}, {10: 7.25}).iter(SVG + "text")]
    assert {"line 0", "line 1", "1,234", "7.25", "a caption"} <= set(texts)


@pytest.mark.parametrize(("number", "step"), [(0.11, 0.2), (1, 1), (1.1, 2), (2.1, 5), (5.1, 10), (1000, 1000)])
def test_grid_lines_are_round_numbers(number: float, step: float) -> None:
    assert step_up(number) == pytest.approx(step)


def test_figures_are_short() -> None:
    assert [short(number) for number in (0, 0.0001, 0.0123, 12.34, 999.6, 12345.6)] == [
        "0",
        "<0.001",
        "0.0123",
        "12.3",
        "1,000",
        "12,346",
    ]


def test_the_table_has_a_column_for_each_abscissa() -> None:
    chart = Chart("t", "window", "Mbit/s", True, {"no loss": {65536: 25.0, 4 << 20: 400.0}, "1 %": {4 << 20: 9.5}})
    assert table(chart, True).splitlines() == [
        "| Mbit/s, by window | 64 KiB | 4 MiB |",
        "|---|---:|---:|",
        "| no loss | 25 | 400 |",
        "| 1 % | - | 9.5 |",
    ]


def test_a_figure_is_the_median_of_its_rounds() -> None:
    found = [("udp", "echoes", 10, figure) for figure in (5.0, 1.0, 3.0, math.nan)]
    charts = curves.gather([*found, ("window", "1 % loss", 65536, 2.0)])
    assert charts["udp"].lines == {"echoes": {10: 3.0}}
    assert charts["window"].lines == {"1 % loss": {65536: 2.0}}
    assert charts["connections"].lines == {}


def test_figures_of_a_busy_machine_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (3.21, 0.0, 0.0))
    assert curves.busy() == ", busy (load 3.2)"
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 9.0, 9.0))
    assert curves.busy() == ""


@pytest.mark.parametrize("text", ["", "x", "10,", "0", "-1", "1.5", "60001", "²", "9" * 5_000])
def test_what_are_no_numbers_of_connections_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        bench.counts(text)


def test_numbers_of_connections() -> None:
    assert bench.counts("10,60000") == [10, 60_000]


def test_a_picture_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "nowhere" / "curves.svg"
    monkeypatch.setattr("sys.argv", ["bench", "--plot", str(place)])
    with pytest.raises(SystemExit) as caught:
        bench.main()
    assert caught.value.code == f"scripts/bench: --plot: cannot write {place}: No such file or directory"
