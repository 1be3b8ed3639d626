"""The `%{ }%` blocks: assertions about a connection, over the fields of `struct tcp_info`.

packetdrill runs such a block in Python. This runner parses it with Python's grammar, but evaluates
only `assert` statements of comparisons and arithmetic, so that a script cannot run other code.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from .outcome import Failed
from .script import ScriptError, Unsupported

LONGEST = 10_000  # characters of a block

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def read_block(text: str, line: int) -> list[ast.Assert]:
    """Return the assertions of a block.

    Raises ScriptError if it is not valid Python, and Unsupported if it has other statements.
    """
    if len(text) > LONGEST:
        raise ScriptError(line, 0, f"a block has at most {LONGEST} characters")
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ScriptError(line, 0, "this block is not valid Python") from None
    found: list[ast.Assert] = []
    for statement in module.body:
        if not isinstance(statement, ast.Assert):
            raise Unsupported(line, "blocks with statements other than `assert`")
        found.append(statement)
    return found


def check_block(text: str, line: int, values: Mapping[str, int | None]) -> None:
    """Raise Failed if an assertion does not hold. `values` has the names that it may use."""
    for statement in read_block(text, line):
        try:
            holds = _value(statement.test, values, line)
        except (ArithmeticError, TypeError) as error:
            raise Failed(line, f"{ast.unparse(statement.test)}: {error}") from None
        if not holds:
            names = sorted({node.id for node in ast.walk(statement.test) if isinstance(node, ast.Name)})
            shown = ", ".join(f"{name} is {values[name]}" for name in names)
            raise Failed(line, f"{ast.unparse(statement.test)} does not hold: {shown}")


def _value(node: ast.expr, values: Mapping[str, int | None], line: int) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, bool)):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in values:
            raise Unsupported(line, f"the name {node.id} in a block")
        return values[node.id]
    if isinstance(node, ast.BoolOp):
        parts = [_value(part, values, line) for part in node.values]
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        inner = _value(node.operand, values, line)
        return not inner if isinstance(node.op, ast.Not) else -inner
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left, values, line), _value(node.right, values, line))
    if isinstance(node, ast.Compare):
        left = _value(node.left, values, line)
        for comparison, right in zip(node.ops, node.comparators, strict=True):
            compare = _COMPARISONS.get(type(comparison))
            if compare is None:
                raise Unsupported(line, f"{ast.unparse(node)} in a block")
            other = _value(right, values, line)
            if not compare(left, other):
                return False
            left = other
        return True
    raise Unsupported(line, f"{ast.unparse(node)} in a block")
