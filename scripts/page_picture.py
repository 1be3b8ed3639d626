"""The program behind `scripts/picture`: runs a session in a lab, and takes a picture of its page."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

PICTURE = Path(__file__).parent.parent / "tools/inspector/picture.png"
WIDTH, HEIGHT = 1440, 900
SESSION = (
    "ping -c 1 -W 5 10.9.0.2 >/dev/null",
    "curl -s -m 10 http://10.9.0.2:81/",
    "head -c 60000 /dev/zero | nc -N -w 10 10.9.0.2 7 >/dev/null",
)
CHOSEN = "tapstackStore.rows.findIndex((row) => row.again)"


def main() -> int:
    """Write the picture; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/picture", description="Takes the picture that README.md shows.")
    parser.add_argument("file", type=Path, nargs="?", default=PICTURE, metavar="FILE", help="default: %(default)s")
    file = parser.parse_args().file
    from playwright.sync_api import sync_playwright

    from tests.page.conftest import FLAGS
    from tests.page.lab import inspected, until

    program = shutil.which("chromium")
    if program is None:
        print("scripts/picture: there is no chromium: apt install chromium", file=sys.stderr)
        return 1
    with inspected("--impair", "loss=4%,delay=15ms,seed=7") as lab, sync_playwright() as playwright:
        for line in SESSION:
            lab.run(line)
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, "--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(lab.url)
        until(page, "globalThis.tapstackStore?.count > 300 && !tapstackStore.queue.length")
        until(page, f"{CHOSEN} >= 0")
        page.evaluate(f"tapstackStore.select({CHOSEN})")
        page.keyboard.press("3")  # the graph
        page.wait_for_timeout(1000)
        page.screenshot(path=file)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
