"""The parts of the page that add looks, actions and routes: see README.md."""

from __future__ import annotations

from . import breaking, host_view, kernel_side, run_report, settings, sources
from .inspector import Inspector


def add_parts(inspector: Inspector) -> None:
    """Let each part add its own."""
    sources.add(inspector)
    host_view.add(inspector)
    kernel_side.add(inspector)
    breaking.add(inspector)
    settings.add(inspector)
    run_report.add(inspector)
