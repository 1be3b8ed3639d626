"""The parts of the page that add looks, actions and routes: see README.md."""

from __future__ import annotations

from ..habits import Habits
from . import breaking, host_view, kernel_side, reading, run_report, settings, sources
from .inspector import Inspector


def add_parts(inspector: Inspector, habits: Habits) -> None:
    """Let each part add its own."""
    sources.add(inspector)
    host_view.add(inspector)
    kernel_side.add(inspector)
    breaking.add(inspector)
    settings.add(inspector, habits)
    reading.add(inspector, habits)
    run_report.add(inspector)
