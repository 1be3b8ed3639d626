"""Draws line charts as SVG, with nothing but text: the picture of `scripts/bench --plot`.

Abscissas are logarithmic. Ordinates begin at 0, or are logarithmic, too. Each line has a colour and
a mark of its own, and its figures stand at the points, so that the picture can be read without
colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 300  # of one chart, in pixels
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 62, 46  # margins around the plotted area
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#6a3d9a", "#444444")
LABEL_MOST = 110  # characters of any text
GRID = 4  # lines above 0

Line = dict[int, float]  # abscissa: ordinate


@dataclass
class Chart:
    """One chart. `lines`: name, points."""

    title: str
    abscissa: str
    ordinate: str
    logarithmic: bool = False  # the ordinates
    lines: dict[str, Line] = field(default_factory=dict)


def short(number: float) -> str:
    """Return a figure in a few characters: at most three digits count below 1,000."""
    if number >= 999.5:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number >= 0.001 or number == 0 else "<0.001"


def size(octets: int) -> str:
    """Return a number of octets as KiB or MiB."""
    return f"{octets >> 20} MiB" if octets >= 1 << 20 else f"{octets >> 10} KiB"


def step_up(number: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is not below a number above 0."""
    power: float = 10.0 ** math.floor(math.log10(number))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= number * 0.999999)


def ordinates(figures: Sequence[float], logarithmic: bool) -> list[float]:
    """Return where the lines of the grid are, from the lowest to the highest."""
    most = max(figures) or 1.0
    if not logarithmic:
        step = step_up(most / GRID)
        return [number * step for number in range(GRID + 1)]
    first = math.floor(math.log10(min((figure for figure in figures if figure > 0), default=1.0)))
    last = max(math.ceil(math.log10(most)), first + 1)
    stride = math.ceil((last - first) / GRID)
    return [10.0**power for power in range(first, last + stride, stride)]


def text(x: float, y: float, said: str, anchor: str = "middle", more: str = "") -> str:
    """Return an SVG text of bounded length."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(said[:LABEL_MOST])}</text>'


def mark(kind: int, x: float, y: float, colour: str) -> str:
    """Return a point: a circle, a square or a triangle."""
    if kind % 3 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    if kind % 3 == 1:
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'
    return f'<path d="M{x - 5:.1f} {y + 4:.1f}h10l-5 -9z" fill="{colour}"/>'


def draw(chart: Chart, name_x: bool) -> list[str]:
    """Return the elements of one chart. `name_x`: abscissas are numbers of octets.

    Points that are not finite, or below 0, are left out.
    """
    lines = {
        name: {x: y for x, y in sorted(line.items()) if x > 0 and math.isfinite(y) and y >= 0}
        for name, line in chart.lines.items()
    }
    parts = [text(WIDTH / 2, 20, chart.title, more=' font-weight="bold"')]
    parts.append(text(WIDTH / 2, HEIGHT - 8, chart.abscissa))
    parts.append(text(12, TOP - 16, chart.ordinate, "start"))
    abscissas = sorted({x for line in lines.values() for x in line})
    if not abscissas:
        return [*parts, text(WIDTH / 2, HEIGHT / 2, "no figures")]
    low, span = math.log(abscissas[0]), math.log(abscissas[-1] / abscissas[0]) or 1
    grid = ordinates([y for line in lines.values() for y in line.values()], chart.logarithmic)

    def place(x: int, y: float) -> tuple[float, float]:
        across = LEFT + 20 + (math.log(x) - low) / span * (WIDTH - LEFT - RIGHT - 40)
        share = y / grid[-1]
        if chart.logarithmic:
            share = math.log(max(y, grid[0]) / grid[0]) / math.log(grid[-1] / grid[0])
        return across, HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    for ordinate in grid:
        _, y = place(abscissas[0], ordinate)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ccc"/>')
        parts.append(text(LEFT - 6, y + 4, short(ordinate), "end"))
    for abscissa in abscissas:
        parts.append(text(place(abscissa, 0)[0], HEIGHT - BOTTOM + 16, size(abscissa) if name_x else f"{abscissa:,}"))
    for number, (name, line) in enumerate(lines.items()):
        parts += draw_line(number, name, [(*place(x, y), y) for x, y in line.items()])
    return parts


def draw_line(number: int, name: str, points: Sequence[tuple[float, float, float]]) -> list[str]:
    """Return one line of a chart, and its place in the legend. `points`: x, y, figure."""
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'] if points else []
    for x, y, figure in points:
        parts += [
            mark(number, x, y, colour),
            text(x, y + 18 if number > 1 else y - 8, short(figure), more=f' fill="{colour}"'),
        ]
    at = WIDTH - RIGHT - 120 * (len(COLOURS) - number % len(COLOURS))
    return [*parts, mark(number, at, 38, colour), text(at + 10, 42, name, "start", f' fill="{colour}"')]


def svg(charts: Sequence[tuple[Chart, bool]], caption: str) -> str:
    """Return a picture with the charts below each other, each with whether its abscissas are octets."""
    height = HEIGHT * len(charts) + 30
    shape = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {shape} font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(caption)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, (chart, name_x) in enumerate(charts):
        parts.append(f'<g transform="translate(0 {number * HEIGHT})">')
        parts += draw(chart, name_x)
        parts.append("</g>")
    parts += [text(WIDTH / 2, height - 10, caption), "</svg>"]
    return "\n".join(parts) + "\n"


def table(chart: Chart, name_x: bool) -> str:
    """Return the figures of a chart as Markdown: a row for each line, a column for each abscissa."""
    abscissas = sorted({x for line in chart.lines.values() for x in line})
    heads = [size(x) if name_x else f"{x:,}" for x in abscissas]
    rows = [f"| {chart.ordinate}, by {chart.abscissa} | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for name, line in chart.lines.items():
        cells = [short(line[x]) if x in line and math.isfinite(line[x]) else "-" for x in abscissas]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)
