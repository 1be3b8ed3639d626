"""The page as one document: its modules joined to one script, its style sheets to one, without a tool to build it.

Each module becomes a function that is called once and returns what it exports, in the order in which they
import one another; so names that two files use for different things stay apart, as in modules:

    const m3 = (() => { const {h, html} = m1; ...; return {Ladder, rowLabel}; })();

Our own modules use the few forms of `import` and `export` that are read here: of `export const a = 1, b = 2` only
the first name is read. Any other form is refused, and so is an import of a name that is not exported. A test joins
the page.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from posixpath import dirname, join, normpath
from typing import NamedTuple

IMPORT = re.compile(
    r'(?:^|(?<=;))import\s*(\{[^}]*\}|[\w$]+|\*\s*as\s+[\w$]+)?\s*(?:from)?\s*"(\.[^"]+)";?', re.MULTILINE
)
LIST = re.compile(r"(?:^|(?<=[;}]))export\s*\{([^}]*)\};?", re.MULTILINE)
DEFAULT = re.compile(r"(?:^|(?<=[;}]))export default\s+", re.MULTILINE)
NAMED = re.compile(r"^export ((?:async )?(?:function\*?|class|const|let) +([\w$]+))", re.MULTILINE)
LEFT = re.compile(r"^\s*(?:import|export)\b", re.MULTILINE)
INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
COMMENTS = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/)[\s\S])*\*/[ \t]*|//.*)\n", re.MULTILINE)
SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$\n?", re.MULTILINE)
REPORT_STYLE = "report.css"  # a live page has no use for it, and does not load it
STYLE_LINK = re.compile(r'<link rel="stylesheet" href="page/([^"]+)">\n?')
SCRIPT = re.compile(r'<script (?:defer |type="module" )src="page/([^"]+)"></script>\n?')
ENDS_SCRIPT = re.compile(r"</script|<!--", re.IGNORECASE)


class Page:
    """The parts of the page, from its files by path: "index.html", "main.js", "vendor/preact.js".

    style: all style sheets.
    scripts: the classic scripts, and the module at the end.
    licences: of what is vendored.
    before, after: what stands in index.html before the end of its head, and after the beginning of its body.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        index = files["index.html"].decode()
        sheets = [*STYLE_LINK.findall(index), REPORT_STYLE]
        self.style = INDENTATION.sub("", "\n".join(files[path].decode() for path in sheets))
        self.scripts: list[tuple[str, str]] = []  # attributes, and the code
        for found in SCRIPT.finditer(index):
            module = "module" in found[0]
            code = joined(files, found[1]) if module else files[found[1]].decode()
            self.scripts.append((' type="module"' if module else "", "\n" + harmless(code) + "\n"))
        if "</style" in self.style:
            raise ValueError("a style sheet of the page ends its element")
        bare = SCRIPT.sub("", STYLE_LINK.sub("", index))
        licences = (files[path].decode() for path in sorted(files) if path.startswith("vendor/licences/"))
        self.licences = harmless("\n\n".join(licences))
        self.before, _, rest = bare.partition("</head>")
        self.after = rest.partition("<body>")[2].partition("</body>")[0]

    def policy(self) -> str:
        """Return the Content-Security-Policy: nothing but these scripts and this style, and no connection."""
        scripts = " ".join(hash_of(code) for _, code in self.scripts)
        return (
            f"default-src 'none'; script-src {scripts}; style-src {hash_of(self.style)}; img-src data:;"
            " base-uri 'none'; form-action 'none'"
        )


def hash_of(text: str) -> str:
    """Return the source of a policy that allows an element with this text."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def harmless(code: str) -> str:
    """Return code that may stand in a script element. ValueError if it would end it."""
    code = SOURCE_MAP.sub("", code)
    if ENDS_SCRIPT.search(code):
        raise ValueError("a script of the page has a text that ends its element")
    return code


class Module(NamedTuple):
    """A module in the joined script: the name of its object, and the names that it exports."""

    name: str
    exports: frozenset[str]


def joined(files: Mapping[str, bytes], first: str) -> str:
    """Return one module that does what `first` and all that it imports do."""
    modules: dict[str, Module | None] = {}  # by path; None while it is read
    parts: list[str] = []

    def add(path: str) -> Module:
        known = modules.setdefault(path, None)
        if known is not None:
            return known
        code, exported = unwrapped(without_comments(files[path].decode(), path), path, imported)
        module = modules[path] = Module(f"m{len(parts) + 1}", frozenset(each.partition(":")[0] for each in exported))
        parts.append(f"// {path}\nconst {module.name} = (() => {{\n{code}\nreturn {{{', '.join(exported)}}};\n}})();")
        return module

    def imported(path: str) -> Module:
        if path in modules and modules[path] is None:
            raise ValueError(f"{path} imports itself")
        return add(path)

    add(first)
    return "\n".join(parts)


def without_comments(code: str, path: str) -> str:
    """Return code of ours without indentation and comments that have lines of their own: each report carries it.

    What is vendored keeps its comments: they may be its licence. Of a text over several lines only htm's
    templates are left in our code, and htm leaves indentation out.
    """
    return code if path.startswith("vendor/") else INDENTATION.sub("", COMMENTS.sub("", code))


def unwrapped(code: str, path: str, add: Callable[[str], Module]) -> tuple[str, list[str]]:
    """Return the code of a module without `import` and `export`, and what it returns: "name" or "outer: inner".

    `add(path)` adds a module that it imports. ValueError for a name that this module does not export: a browser
    refuses such a page, but in the joined script the name would be undefined.
    """
    exported: list[str] = []

    def imported(found: re.Match[str]) -> str:
        name_of, offered = add(normpath(join(dirname(path), found[2])))
        what = (found[1] or "").strip()
        if not what:
            return ""
        if what.startswith("{"):
            wanted = {each.partition(" as ")[0].strip() for each in what.strip("{}").split(",")} - {""}
            if missing := sorted(wanted - offered):
                raise ValueError(f"{path} imports {', '.join(missing)}, which {found[2]} does not export")
            return f"const {what.replace(' as ', ': ')} = {name_of};"
        name = what.removeprefix("*").strip().removeprefix("as").strip() if what.startswith("*") else what
        return f"const {name} = {name_of};" if what.startswith("*") else f"const {{default: {name}}} = {name_of};"

    def listed(found: re.Match[str]) -> str:
        for each in filter(None, (part.strip() for part in found[1].split(","))):
            inner, _, outer = (word.strip() for word in each.partition(" as "))
            exported.append(f"{outer}: {inner}" if outer else inner)
        return ""

    def named(found: re.Match[str]) -> str:
        exported.append(found[2])
        return found[1]

    code = IMPORT.sub(imported, code)
    code = NAMED.sub(named, LIST.sub(listed, code))
    if DEFAULT.search(code):
        exported.append("default: byDefault")
        code = DEFAULT.sub("const byDefault = ", code)
    if LEFT.search(code):
        raise ValueError(f"{path}: a form of import or export that is not read: {LEFT.search(code)}")
    return code.strip(), exported
