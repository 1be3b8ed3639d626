"""A short repr for a dataclass with many defaults: what differs from them."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any


def changed_fields(self: Any) -> str:
    """The class, and the fields that are not at their default: "TcpConfig(sack=False)". For use as a `__repr__`."""
    told = []
    for field in fields(self):
        value = getattr(self, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if value != default:
            told.append(f"{field.name}={value!r}")
    return f"{type(self).__name__}({', '.join(told)})"
