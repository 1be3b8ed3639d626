"""The structure of the program: imports point one way, the protocol code is a function of its
inputs, files and functions stay short enough to read.

Everything here is read off the syntax trees; nothing is imported.
"""

from __future__ import annotations

import ast
import fnmatch
import io
import tokenize
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent

# What a module of each layer may import of ours. A layer may always import itself.
EVERYBODY = (
    "stack.wire",
    "stack.errors",
    "stack.counters",
    "stack.config",
    "stack.frame_buffer",
    "stack.transitions",
    "stack.budget",
    "stack.changed_fields",
    "stack.noop",
    "stack.socket_option",
    "stack.trace",
)
PROTOCOLS = ("stack.dhcp", "stack.tcp", "stack.udp", "stack.internet")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "stack.errors": (),
    "stack.counters": (),
    "stack.config": ("stack.changed_fields",),
    "stack.changed_fields": (),
    "stack.frame_buffer": (),
    "stack.transitions": (),
    "stack.noop": (),
    "stack.budget": ("stack.config",),
    "stack.trace": ("stack.counters",),
    "stack.socket_option": ("stack.errors",),
    "stack.wire": EVERYBODY,
    "stack.dissection": ("stack.wire", "stack.errors", "stack.counters"),
    "stack.link": EVERYBODY,
    "stack.internet": EVERYBODY,
    "stack.udp": EVERYBODY,
    "stack.tcp": EVERYBODY,
    "stack.dhcp": EVERYBODY,
    "stack.outside": (*EVERYBODY, "stack.link.captured", "stack.tcp.states"),
    "stack.host": (*EVERYBODY, *PROTOCOLS, "stack.link"),
    "stack.sockets": (*EVERYBODY, *PROTOCOLS, "stack.link", "stack.host"),
    "stack.testing": (*EVERYBODY, "stack.link", "stack.host", "stack.sockets"),
    "stack": ("stack.",),
    "tools": ("stack",),
}

# The protocol code sees no clock, no chance and no system but through what it is given.
OUTSIDE = frozenset(
    "asyncio concurrent datetime fcntl io logging multiprocessing os pathlib pytun random sched secrets select"
    " selectors signal socket ssl subprocess tempfile threading time trio uuid".split()
)
# The links are where frames come from: they open devices and files, and draw from a seeded generator they are given.
# An error carries the text the system has for its number.
GRANTED = {
    "stack.link": frozenset({"os", "fcntl", "pytun", "random", "socket", "io", "pathlib"}),
    "stack.errors": frozenset({"os"}),
}
PURE = (*EVERYBODY, "stack.dissection", "stack.link", "stack.outside", *PROTOCOLS, "stack.host")

FILE_LINES = 600
PROSE_COLUMNS = 100
FUNCTION_LINES = 60
HOT_FUNCTION_LINES = 120

TOP_LEVEL = frozenset("pyproject.toml README.md LICENSE CHANGELOG.md CONTRIBUTING.md stack tools tests scripts".split())


# --- reading the tree -------------------------------------------------------------------------------------------------


def python_files(*folders: str) -> list[Path]:
    """Every Python file below these folders, in a fixed order."""
    return sorted(path for folder in folders for path in (TOP / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name of a file: `stack.wire` for stack/wire/__init__.py."""
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    """The longest name in MAY_IMPORT that is `module` or holds it."""
    return max((name for name in MAY_IMPORT if within(module, name)), key=len)


def within(module: str, name: str) -> bool:
    """Whether `module` is `name` or lies below it."""
    return module == name or module.startswith(name + ".")


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str, str]]:
    """(line, module, name or "") of every import; `package` is what relative imports start from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, source, alias.name


def is_module(name: str) -> bool:
    """Whether a dotted name is one of our files or folders."""
    path = TOP.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


# --- the rules, each a function from a tree to complaints -----------------------------------------------------------


def wrong_way_imports(tree: ast.AST, module: str, package: str) -> list[str]:
    """Imports of a layer that lies above, or beside where beside is not allowed."""
    layer = layer_of(module)
    complaints = []
    for line, source, name in imports(tree, package):
        target = f"{source}.{name}" if name and is_module(f"{source}.{name}") else source
        if within(target, "stack") or within(target, "tools") or within(target, "tests"):
            if within(target, layer) and layer != "stack":
                continue
            if layer == "stack":
                allowed = within(target, "stack")
            elif layer == "tools":
                allowed = target == "stack" or (target == "stack.testing" and within(module, "tools.lessons"))
            else:
                allowed = any(within(target, name) for name in MAY_IMPORT[layer])
            if not allowed:
                complaints.append(f"{module}:{line} imports {target}")
    return complaints


def impure_imports(tree: ast.AST, module: str, package: str) -> list[str]:
    """Imports of the outside world where only inputs may come in."""
    layer = layer_of(module)
    if layer not in PURE:
        return []
    forbidden = OUTSIDE - GRANTED.get(layer, frozenset())
    complaints = []
    for line, source, name in imports(tree, package):
        if source.split(".")[0] in forbidden:
            complaints.append(f"{module}:{line} imports {source}")
        if source == "random" and name != "Random":
            complaints.append(f"{module}:{line} takes {name or 'all'} from random: only a seeded Random may be used")
    return complaints


def own_name(node: ast.AST) -> str | None:
    """A name or an attribute of any object, as a key under which its being a set is remembered."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return "." + node.attr
    return None


def is_set_type(node: ast.AST | None) -> bool:
    """Whether an annotation says set or frozenset."""
    if isinstance(node, ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("set", "frozenset", "Set", "AbstractSet", "MutableSet")


def is_set(node: ast.AST | None, known: frozenset[str]) -> bool:
    """Whether an expression is a set, as far as syntax shows."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            copying = ("union", "intersection", "difference", "symmetric_difference", "copy")
            return node.func.attr in copying and is_set(node.func.value, known)
        return isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
    if isinstance(node, ast.BinOp):
        operators = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
        return isinstance(node.op, operators) and (is_set(node.left, known) or is_set(node.right, known))
    if isinstance(node, ast.IfExp):
        return is_set(node.body, known) or is_set(node.orelse, known)
    return node is not None and own_name(node) in known


def known_sets(tree: ast.AST) -> frozenset[str]:
    """The names and attributes that a file annotates as sets or assigns sets to."""
    found: set[str] = set()
    for node in ast.walk(tree):
        targets: list[ast.AST] = []
        if isinstance(node, ast.AnnAssign) and (is_set_type(node.annotation) or is_set(node.value, frozenset())):
            targets = [node.target]
        elif isinstance(node, ast.Assign) and is_set(node.value, frozenset()):
            targets = [*node.targets]
        elif isinstance(node, ast.arg) and is_set_type(node.annotation):
            found.add(node.arg)
        for target in targets:
            name = own_name(target)
            if name is not None:
                found |= {name, "." + name.lstrip(".")} if isinstance(target, ast.Name) else {name}
    return frozenset(found)


ORDERED_CALLS = frozenset({"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "reversed", "dict", "deque"})


def set_iterations(tree: ast.AST, module: str) -> list[str]:
    """Places where the order of a set would decide something."""
    known = known_sets(tree)
    complaints = []
    for node in ast.walk(tree):
        looked_at: list[ast.AST | None] = []
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            looked_at = [node.iter]
        elif isinstance(node, ast.Starred | ast.YieldFrom):
            looked_at = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDERED_CALLS:
            looked_at = [*node.args]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "pop" and not node.args:
                looked_at = [node.func.value]
            elif node.func.attr in ("join", "extend", "fromkeys"):
                looked_at = [*node.args]
        for expression in looked_at:
            if is_set(expression, known):
                line = getattr(expression, "lineno", 0)
                complaints.append(f"{module}:{line} depends on the order of a set")
    return complaints


def long_functions(tree: ast.AST, source: str, module: str) -> list[str]:
    """Functions over their length; one marked `# hot` at its head may be twice as long."""
    lines = source.splitlines()
    complaints = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            head = lines[node.lineno - 1 : node.body[0].lineno]
            hot = any("# hot" in line for line in head)
            if length > (HOT_FUNCTION_LINES if hot else FUNCTION_LINES):
                complaints.append(f"{module}:{node.lineno} {node.name} has {length} lines")
    return complaints


def wide_prose(tree: ast.AST, source: str, module: str) -> list[str]:
    """Docstrings and lines of comments that are wider than prose may be; code may be wider."""
    lines = source.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    numbers = {number for number in comments if lines[number - 1].lstrip().startswith("#")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            numbers.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    wide = [number for number in sorted(numbers) if len(lines[number - 1]) > PROSE_COLUMNS]
    return [f"{module}:{number} is prose of more than {PROSE_COLUMNS} columns" for number in wide]


# --- the program keeps them -------------------------------------------------------------------------------------------


def each_module(*folders: str) -> Iterator[tuple[str, str, str, ast.AST]]:
    """(module, package, source, tree) of every file below these folders."""
    for path in python_files(*folders):
        source = path.read_text()
        module = module_name(path)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        yield module, package, source, ast.parse(source, str(path))


def test_imports_point_one_way() -> None:
    complaints = [
        complaint
        for module, package, _, tree in each_module("stack", "tools")
        for complaint in wrong_way_imports(tree, module, package)
    ]
    assert complaints == []


def circle_of_imports(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a circle of imports, or none. Imports for type checking alone count, too."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circle_of_imports_in_host() -> None:
    graph: dict[str, set[str]] = {}
    for module, package, _, tree in each_module("stack/host"):
        targets = {
            f"{source}.{name}" if is_module(f"{source}.{name}") else source
            for _, source, name in imports(tree, package)
        }
        graph[module] = {target for target in targets if within(target, "stack.host")}
    assert len(graph) > 15
    assert circle_of_imports(graph) == []


def test_protocol_code_sees_nothing_of_the_outside() -> None:
    complaints = [
        complaint
        for module, package, _, tree in each_module("stack")
        for complaint in impure_imports(tree, module, package)
    ]
    assert complaints == []


def test_only_sockets_and_what_tests_programs_import_trio() -> None:
    importers = {
        module
        for module, package, _, tree in each_module("stack")
        for _, source, _ in imports(tree, package)
        if within(source, "trio")
    }
    allowed = ("stack.sockets", "stack.testing")
    assert {module for module in importers if not any(within(module, name) for name in allowed)} == set()


def test_no_order_of_a_set_decides_anything() -> None:
    complaints = [
        complaint
        for module, _, _, tree in each_module("stack")
        if layer_of(module) in PURE
        for complaint in set_iterations(tree, module)
    ]
    assert complaints == []


def test_files_are_short() -> None:
    lengths = {module: source.count("\n") for module, _, source, _ in each_module("stack", "tools", "tests", "scripts")}
    assert {module: length for module, length in lengths.items() if length > FILE_LINES} == {}


def test_functions_are_short() -> None:
    complaints = [
        complaint
        for module, _, source, tree in each_module("stack", "tools", "tests", "scripts")
        for complaint in long_functions(tree, source, module)
    ]
    assert complaints == []


def test_prose_is_narrow() -> None:
    """It is read beside an RFC, which has 72 columns."""
    complaints = [
        complaint for module, _, source, tree in each_module("stack") for complaint in wide_prose(tree, source, module)
    ]
    assert complaints == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        module
        for module, _, source, tree in each_module("stack", "tools", "tests", "scripts")
        if source.strip() and isinstance(tree, ast.Module) and not ast.get_docstring(tree)
    ]
    assert silent == []


def test_top_level_is_what_the_readme_says() -> None:
    ignored = [line.strip("/") for line in (TOP / ".gitignore").read_text().split()]
    entries = {
        path.name
        for path in TOP.iterdir()
        if not path.name.startswith(".") and not any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored)
    }
    assert entries - TOP_LEVEL == set()
    assert TOP_LEVEL - entries == set()


# --- and the rules would notice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("stack.wire.ipv4", "from stack.internet import route"),
        ("stack.tcp.output", "from stack.internet.ipv4 import Path"),
        ("stack.tcp.output", "import stack.host.demux"),
        ("stack.udp.ports", "from ..tcp import seq"),
        ("stack.internet.arp", "from stack.link.device import Link"),
        ("stack.link.tap", "from stack.host.host import HostCore"),
        ("stack.sockets.host", "from stack.testing.peer import Peer"),
        ("stack.testing.peer", "from stack.tcp.connection import Connection"),
        ("stack.host.host", "from stack.sockets import runner"),
        ("stack.config", "from stack.tcp.connection import Connection"),
        ("stack.host.host", "def late():\n    import tools.up"),
        ("tools.up", "from stack.link import tap"),
        ("tools.up", "from stack.dissection.show import show"),
        ("tools.up", "import stack.counters"),
        ("tools.up", "import stack.testing"),
        ("tools.lessons.network", "from stack.testing.peer import Peer"),
    ],
)
def test_a_wrong_way_import_is_noticed(module: str, code: str) -> None:
    assert wrong_way_imports(ast.parse(code), module, module.rpartition(".")[0])


@pytest.mark.parametrize(
    ("module", "code"),
    [
        (
            "stack.tcp.connection",
            "from stack.tcp import seq\nfrom . import timers\nfrom stack.wire.tcp import TcpHeader",
        ),
        ("stack.host.host", "from stack.link.device import Link\nfrom stack.udp.ports import UdpPorts"),
        ("stack", "from stack.sockets.facade import open_host"),
        ("tools.lessons.network", "import stack\nimport stack.testing"),
        ("tools.up", "import stack\nfrom stack import open_host\nfrom .services import echo\nfrom . import cli"),
    ],
)
def test_a_right_way_import_is_not(module: str, code: str) -> None:
    assert wrong_way_imports(ast.parse(code), module, module.rpartition(".")[0]) == []


def test_a_circle_of_imports_is_noticed() -> None:
    assert circle_of_imports({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert circle_of_imports({"a": {"b", "c"}, "b": {"c"}}) == []


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("stack.tcp.timers", "import time"),
        ("stack.host.host", "import os.path"),
        ("stack.internet.icmp", "from random import Random"),
        ("stack.link.impair", "import random"),
        ("stack.link.impair", "from random import random"),
        ("stack.dissection.show", "import logging"),
        ("stack.dhcp.client", "def late():\n    from trio import sleep"),
    ],
)
def test_an_import_of_the_outside_is_noticed(module: str, code: str) -> None:
    assert impure_imports(ast.parse(code), module, module.rpartition(".")[0])


@pytest.mark.parametrize(
    "code",
    [
        "for x in {1, 2}: pass",
        "found = set()\nfor x in found: pass",
        "class A:\n    def f(self):\n        self.dirty: set[int] = g()\n        return [x for x in self.dirty]",
        "def f(names: frozenset[str]): return list(names)",
        "a = {1}\nb = tuple(a | {2})",
        "a = {x for x in range(3)}\nfirst = a.pop()",
        "a = set()\nprint(*a)",
        "', '.join({'a', 'b'})",
    ],
)
def test_the_order_of_a_set_is_noticed(code: str) -> None:
    assert set_iterations(ast.parse(code), "x")


@pytest.mark.parametrize("code", ["a = {1}\nfor x in sorted(a): pass", "a = {1}\nlen(a), 1 in a", "d = {}\nlist(d)"])
def test_an_order_of_our_own_is_not(code: str) -> None:
    assert set_iterations(ast.parse(code), "x") == []


def test_a_long_function_is_noticed() -> None:
    body = "    x = 1\n" * 60
    for head, complaints in (("def f():\n", 1), ("def f():  # hot\n", 0), ("async def f(\n    a,\n):  # hot\n", 0)):
        source = head + body
        assert len(long_functions(ast.parse(source), source, "x")) == complaints
    twice = "def f():  # hot\n" + 2 * body
    assert long_functions(ast.parse(twice), twice, "x")


def test_wide_prose_is_noticed() -> None:
    wide = "x" * 96
    for source, complaints in (
        (f'"""{wide}"""', 1),
        (f'"""{wide[5:]}"""', 0),
        (f"# {wide}", 0),
        (f"# {wide}more", 1),
        (f'a = """\n# {wide}more\n"""', 0),
        (f'def f():\n    """A.\n\n    {wide}B\n    """', 1),
        (f"a = '{wide}'  # {wide}", 0),
    ):
        assert len(wide_prose(ast.parse(source), source, "x")) == complaints
