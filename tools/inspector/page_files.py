"""The files of the page, as they are in the package."""

from __future__ import annotations

import importlib.resources
from functools import cache
from importlib.resources.abc import Traversable

KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "md": "text/plain; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "toml": "text/plain; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}


@cache
def page_files() -> dict[str, bytes]:
    """Return the files of page/, by their path below it: "index.html", "vendor/preact.js".

    All of them are read at once, and once: see `read_all`.
    """
    return dict(found(importlib.resources.files(__package__) / "page", ""))


def read_all() -> None:
    """Read everything now: a program that was started by root may not be able to read it later."""
    page_files()
    package_file("clauses.json")


def found(folder: Traversable, place: str) -> list[tuple[str, bytes]]:
    """Return the paths and octets of the files below a folder."""
    files: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{place}{entry.name}"
        if entry.is_dir():
            files += found(entry, f"{path}/")
        else:
            files.append((path, entry.read_bytes()))
    return files


def kind(path: str) -> str:
    """Return the media type of a file."""
    return KINDS.get(path.rpartition(".")[2], "text/plain; charset=utf-8")


@cache
def package_file(name: str) -> bytes | None:
    """Return a file of this package beside page/, such as clauses.json; None if it is missing."""
    entry = importlib.resources.files(__package__) / name
    return entry.read_bytes() if entry.is_file() else None
