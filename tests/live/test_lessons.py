"""What the lessons print of a lab is what the kernel and our host do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.net import need, need_root
from tools.lessons import shelf
from tools.lessons.blocks import Console
from tools.lessons.check import check_output, live_output
from tools.lessons.parse import read

pytestmark = pytest.mark.one_way


def test_the_consoles_of_the_lessons_are_true() -> None:
    """Each command for a lab, of each lesson, prints what stands under it."""
    need_root()
    need("nc", "curl", "ping")
    ran = 0
    for path in sorted(Path(shelf.FOLDER).glob("*/*.md")):
        lesson = read(path)
        for block in lesson.blocks:
            if isinstance(block, Console) and block.live:
                for command in block.commands:
                    check_output(lesson, command, live_output(command))
                    ran += 1
    assert ran > 0
