"""Parses the arguments of socket calls: numbers, names, strings, lists and C structures."""

from __future__ import annotations

from . import symbols
from .lexer import Token
from .script import Expression, ScriptError, Struct, Unsupported

MOST_LEVELS = 16  # of nested lists and structures
MOST_ITEMS = 1000  # in one list
_STRUCTS = {
    "sa_family": ("sockaddr", ("sa_family", "sin_port", "sin_addr")),
    "onoff": ("linger", ("onoff", "linger")),
    "fd": ("pollfd", ("fd", "events", "revents")),
    "msg_name": ("msghdr", ("msg_name", "msg_iov", "msg_flags")),
}
_UNSUPPORTED = ("an epoll event", "a control message", "an MPLS or GRE header", "an extended error")
_UNSUPPORTED_BY_FIELD = {"events": 0, "cmsg_level": 1, "scm_sec": 1, "label": 2, "flags": 2, "ee_errno": 3}


class ExpressionParser:
    """Reads expressions from a list of tokens. `defines` has the names that `--define` gives."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.defines: dict[str, Expression] = {}

    # --- tokens

    def peek(self, ahead: int = 0) -> Token:
        """Return the next token, or the one `ahead` tokens after it, and leave it there."""
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def before(self) -> Token:
        """Return the token that was taken last."""
        return self._tokens[max(self._at - 1, 0)]

    def take(self) -> Token:
        """Take the next token. The end of the script is an error."""
        token = self.peek()
        if token.kind == "end":
            raise self.error("the script ends in the middle of a line")
        self._at += 1
        return token

    def accept(self, text: str) -> bool:
        """Take the next token if it is `text`."""
        if self.peek().text == text and self.peek().kind not in ("string", "end"):
            self._at += 1
            return True
        return False

    def expect(self, text: str) -> Token:
        """Take the next token, which must be `text`."""
        if not self.accept(text):
            raise self.error(f"expected {text!r}")
        return self.before()

    def error(self, message: str, token: Token | None = None) -> ScriptError:
        """Return a ScriptError at a token, by default the next one."""
        token = self.peek() if token is None else token
        return ScriptError(token.line, token.column, message)

    def number(self, what: str, largest: int) -> int:
        """Take a number from 0 to `largest`. `what` names it in messages."""
        token = self.peek()
        if token.kind not in ("integer", "hex"):
            raise self.error(f"expected {what}")
        value = int(token.text, 0 if token.kind == "hex" else 10)
        if not 0 <= value <= largest:
            raise self.error(f"{what} must be 0 to {largest}")
        self.take()
        return value

    # --- expressions

    def expressions(self, closing: str) -> list[Expression]:
        """Take expressions with commas between them, up to `closing`, which is not taken."""
        found: list[Expression] = []
        while self.peek().text != closing:
            if found:
                self.expect(",")
            if len(found) == MOST_ITEMS:
                raise self.error(f"a list has at most {MOST_ITEMS} items")
            found.append(self.expression())
        return found

    def expression(self) -> Expression:
        """Take one expression. Numbers may be joined by `|`."""
        value = self._single()
        while self.peek().text == "|":
            bar = self.take()
            other = self._single()
            if not isinstance(value, int) or not isinstance(other, int):
                raise self.error("only numbers can be joined by |", bar)
            value |= other
        return value

    def _single(self) -> Expression:
        token = self.take()
        if token.kind == "ellipsis":
            return ...
        if token.kind in ("integer", "hex"):
            return int(token.text, 0 if token.kind == "hex" else 10)
        if token.kind == "string":
            return self._string(token)
        if token.kind == "word":
            return self._name(token)
        if token.text not in ("[", "{"):
            raise self.error("expected a number, a name, a string, a list or a structure", token)
        self._depth += 1
        if self._depth > MOST_LEVELS:
            raise self.error(f"lists and structures may be nested at most {MOST_LEVELS} deep", token)
        try:
            return self._list() if token.text == "[" else self._struct(token)
        finally:
            self._depth -= 1

    def _string(self, token: Token) -> bytes:
        text = token.text[1:-1]
        while self.peek().kind == "string":
            text += self.take().text[1:-1]
        if self.peek().kind == "ellipsis":
            raise Unsupported(token.line, "strings that end in ...")
        try:
            return text.encode("latin-1").decode("unicode_escape").encode("latin-1")
        except (UnicodeError, ValueError):
            raise self.error("a string may have only characters up to U+00FF and escapes for them", token) from None

    def _name(self, token: Token) -> Expression:
        if token.text in self.defines:
            return self.defines[token.text]
        if token.text in ("inet_addr", "htons"):
            self.expect("(")
            value = self.expression()
            self.expect(")")
            return value
        if token.text == "inet6_addr" or token.text == "AF_INET6":
            raise Unsupported(token.line, "IPv6")
        number = symbols.constant(token.text)
        if number is None:
            raise Unsupported(token.line, f"the name {token.text}")
        return number

    def _list(self) -> Expression:
        found = self.expressions("]")
        self.expect("]")
        return found

    def _struct(self, opening: Token) -> Expression:
        name = self.peek().text
        if name in _UNSUPPORTED_BY_FIELD:
            raise Unsupported(opening.line, f"the structure of {_UNSUPPORTED[_UNSUPPORTED_BY_FIELD[name]]}")
        if name not in _STRUCTS:
            items = self.expressions("}")
            self.expect("}")
            return Struct("iovec", {"base": items[0], "length": items[1]}) if len(items) == 2 else items
        kind, names = _STRUCTS[name]
        fields: dict[str, Expression] = {}
        while not self.accept("}"):
            if fields:
                self.expect(",")
            token = self.take()
            if token.text == "msg_control":
                raise Unsupported(token.line, "control messages")
            if token.text not in names or token.text in fields:
                raise self.error(f"expected a field of {kind}, each at most once: {', '.join(names)}", token)
            if self.accept("("):  # the length of msg_name, or the number of parts in msg_iov
                self.expressions(")")
                self.expect(")")
            self.expect("=")
            fields[token.text] = self.expression()
        return Struct(kind, fields)
