"""A short repr for a dataclass with many fields: only the fields that are not at their default."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any


def changed_fields(self: Any) -> str:
    """A `__repr__` with the class and the changed fields, such as "TcpConfig(sack=False)"."""
    told = []
    for field in fields(self):
        value = getattr(self, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if value != default:
            told.append(f"{field.name}={value!r}")
    return f"{type(self).__name__}({', '.join(told)})"
