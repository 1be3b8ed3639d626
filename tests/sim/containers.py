"""Every container that hangs from a host, found by walking the object graph, with what owns it and
how long it is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from stack.host.host import HostCore

CONTAINERS = (dict, list, set, bytearray, deque)
_LEAVES = (str, bytes, int, float, type, ModuleType, BuiltinFunctionType, type(None))


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    """The instance variables of an object, whether in `__dict__` or in slots."""
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{kind.__name__.lstrip('_')}{name}"
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                yield name, getattr(thing, name)


def _behind(thing: object) -> Iterator[tuple[str, object]]:
    """What an object leads to, by a name for the way: attributes, elements, and what functions close over."""
    if isinstance(thing, dict):
        for key, value in list(thing.items()):
            yield "[]", key
            yield "[]", value
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        for element in list(thing):
            yield "[]", element
    elif isinstance(thing, FunctionType):
        if _ours(thing):
            for cell in thing.__closure__ or ():
                yield f"{thing.__qualname__}()", cell.cell_contents
    elif isinstance(thing, MethodType):
        yield "self", thing.__self__
    elif isinstance(thing, partial):
        yield from (("->", other) for other in (thing.func, *thing.args, *thing.keywords.values()))
    elif _ours(type(thing)):
        yield from _attributes(thing)


def _ours(thing: type | FunctionType) -> bool:
    """Whether it is the stack's, and not a test's or a library's."""
    return thing.__module__.split(".")[0] == "stack"


def sizes(host: HostCore, *without: object) -> Counter[str]:
    """The length of all containers together that have the same owner: "Reassembler._flows" to so many.

    A container in a container has the name of that with "[]" behind it. What is in `without` is not walked: links and
    what else is a test's own.
    """
    found: Counter[str] = Counter()
    seen = {id(thing) for thing in without} | {id(host.counters), id(host.config)}
    waiting: deque[tuple[str, object]] = deque([("HostCore", host)])  # by way of the shortest path
    while waiting:
        name, thing = waiting.popleft()
        if isinstance(thing, _LEAVES) or id(thing) in seen:
            continue
        seen.add(id(thing))
        own = _ours(type(thing)) and not isinstance(thing, CONTAINERS)
        if isinstance(thing, CONTAINERS):
            found[name] += len(thing)
        for way, other in _behind(thing):
            if own:
                way = f"{type(thing).__name__}.{way}"
            elif way == "[]":
                way = f"{name}[]"
            elif way in ("self", "->"):
                way = name
            waiting.append((way, other))
    return found
