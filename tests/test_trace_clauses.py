"""Every word that the stack tells its observers is in the tables of stack/trace, with clauses that exist.

The words are collected from the syntax trees: the names of events, the reasons of decisions
(`because`), and the reasons of drops. A word that is no literal is followed to where it is one:
through a variable, a parameter, an attribute, or what a function returns.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from stack.counters import DROPS, MIB, SILENT, UNREADABLE
from stack.trace.drops import DROP_CLAUSES, NOT_THE_FRAME
from stack.trace.names import NAMES
from stack.trace.reasons import REASONS
from stack.trace.why import WHY
from tests.requirements import requirements, where

STACK = Path(__file__).resolve().parent.parent / "stack"

ELSEWHERE = {
    "ack_delay_over": "`_schedule_ack`, which MUST-40 names, starts the timer; timeouts.py has what follows",
    "ack_delayed": "`_schedule_ack` counts what is due; `Connection.settle` decides when the batch is over",
    "ack_each_duplicate": "sack.py reports one duplicate at a time; `_report` sends the ACK of the first",
    "ack_not_after_fin": "the seventh step ignores the text; `Connection.settle` finds that no ACK is due",
    "ack_not_of_ack": "SEG.LEN, which 3.4-d names, is counted in segment.py; here is what follows when it is 0",
    "ack_not_of_reset": "3.10.7.4-a names what drops an unacceptable reset; one that is accepted gets no ACK, either",
    "ack_two_segments": "`_schedule_ack` counts what is due; `Connection.settle` or a read decides",
    "ack_window_update": "window.py says how far the window can open; `after_read` sends the update",
    "ack_with_data": "`_schedule_ack` notes that an ACK is due; the segment that `emit` forms carries it",
    "arp_conflict": "ARP counts the packet that conflict.py takes for a conflict",
    "arp_from_ourselves": "the cache drops it first; 5227-2.1.1-e names conflict.py, which knows all our stations",
    "blocked_ecn": "ecn.py says until when new data waits; output.py waits",
    "blocked_handshake": "`send`, which 3.10.2-a names, queues the data; output.py sends none of it",
    "blocked_path_mtu": "path_mtu.py says that one segment goes first; output.py sends it",
    "icmp_fragments_missing": "fragments.py finds that the time is over; ICMP sends the message",
    "icmp_no_forwarding": "IP input finds the source route; ICMP sends the message",
    "icmp_no_port": "UDP finds no socket; ICMP sends the message",
    "icmp_no_protocol": "IP input finds no handler; ICMP sends the message",
    "icmp_not_our_datagram": "ICMP compares the address; icmp-1 names the connection, which compares the numbers",
    "icmp_too_big": "the error says what it is; the protocol that it is handed to, by host/, believes it or not",
    "icmp_too_big_not_sent": "UDP and echo know the sizes that they have sent; toobig-1 names ICMP, which asks them",
    "iss_beyond_time_wait": "MAY-2 has two parts: the new number, and that TIME-WAIT comes back, which where.tsv names",
    "iss_by_clock_and_secret": "isn.py computes the number that the handshake takes",
    "iss_is_cookie": "cookies.py computes the number that the handshake takes",
    "mtu_old": "path_mtu.py finds the entries that are old; IP output tells the paths",
    "mtu_probed": "tcp/path_mtu.py finds the black hole; the path passes it on",
    "options_from_cookie": "cookies.py only reads the cookie",
    "reset_by_listener": "the listener refuses the segment; demux.py sends the reset",
    "reset_for_bad_ack": "the connection refuses the segment; demux.py sends the reset",
    "route_of_lease": "the lease has the routes; host/ sets them",
    "tcp_bad_cookie": "the listener asks cookies.py, and drops what is refused",
    "send_syn": "3.10.1 names the call; the handshake forms the SYN",
    "text_after_close": "it goes with the drop `tcp_data_after_close`",
    "timer_delayed_ack": "`_schedule_ack`, which MUST-40 names, starts the timer; timeouts.py has what follows",
    **dict.fromkeys(
        (
            "set_retransmission cleared_retransmission set_persist set_silly_window set_delayed_ack set_keepalive"
            " set_time_wait set_reordering set_probe set_retransmission_anew set_retransmission_doubled"
            " set_time_wait_again"
        ).split(),
        "a difference of the deadlines shows that a timer was set elsewhere",
    ),
    "udp_claimed": "host/ claims the port of DHCP; UDP hands it the datagram",
    "call_listen": "the listener tells of the call that tcp_layer.py has checked",
    "listen_drops_other": "the listener does what `listen_state` would, without making a connection",
    "listen_ignores_reset": "the listener does what `listen_state` would, without making a connection",
    "listener_closed": "3.10.5 names `abort`, which the listener calls",
    "loss_by_rack": "rack.py finds the loss",
    "loss_by_timeout": "the congestion policy reduces cwnd; loss.py tells of it",
    "loss_by_timeout_again": "the congestion policy reduces cwnd; loss.py tells of it",
    "recovery_begins": "newreno.py and recovery.py find the loss, and loss.py begins the recovery",
    "recovery_over_newreno": "newreno.py ends the recovery; the congestion policy has the window",
    "rtt_syn_sent_again": "where.tsv names the place where all other segments are sent again",
    "slow_start": "changes.py tells when the rule for cwnd is another; the congestion policy applies it",
    "congestion_avoidance": "changes.py tells when the rule for cwnd is another; the congestion policy applies it",
    "fast_recovery": "changes.py tells when the rule for cwnd is another; the congestion policy applies it",
}
"""Words that are said in another file than where.tsv names for their clauses, and why that is right."""

FOR_ALL = {"host/dhcp_trace.py", "tcp/states.py", "tcp/trace.py"}
"""Files that have the words of what other files do: the tables of DHCP and of TCP's transitions, and how a connection
begins."""

TRACE = "trace/trace.py"
PASS_ON = {("tell", TRACE), ("tell", "tcp/trace.py"), ("tell", "tcp/tcb.py")}
"""The functions that pass on a name and a reason that they are given, and their files."""

EVENT_NAME = re.compile(r"[a-z]+:[a-z_]+")
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Place(NamedTuple):
    """An expression or a function, its file, and the function around it."""

    node: ast.AST
    file: str
    around: Function | None


class Element(ast.expr):
    """One of the values that a call returns as a tuple."""

    def __init__(self, value: ast.expr, index: int) -> None:
        super().__init__()
        self.value, self.index = value, index


class Words(NamedTuple):
    """The words that were found, each with its files, and what could not be followed."""

    files: dict[str, set[str]]
    complaints: list[str]


class Code:
    """What is in some files: functions, calls, and what is assigned, each by its name.

    `sources` has the text of each file by its name. Types are not known: a method that is called may
    be any of that name that takes these arguments, and so may an attribute.
    """

    def __init__(self, sources: dict[str, str]) -> None:
        self.functions: dict[str, list[Place]] = defaultdict(list)
        self.calls: dict[str, list[Place]] = defaultdict(list)
        self.attributes: dict[str, list[Place]] = defaultdict(list)
        self.constants: dict[str, list[Place]] = defaultdict(list)
        self.aliases: dict[str, set[str]] = defaultdict(set)
        for file, source in sources.items():
            self._index(ast.parse(source), file, None)

    def _index(self, node: ast.AST, file: str, around: Function | None) -> None:
        for child in ast.iter_child_nodes(node):
            place = Place(child, file, around)
            if isinstance(child, Function):
                self.functions[child.name].append(place)
                self._index(child, file, child)
                continue
            if isinstance(child, ast.Call):
                self.calls[last_name(child.func)].append(place)
                if last_name(child.func) == "partial" and child.args:
                    call = ast.Call(child.args[0], child.args[1:], child.keywords)
                    self.calls[last_name(call.func)].append(Place(call, file, around))
            elif isinstance(child, ast.Assign | ast.AnnAssign) and child.value is not None:
                self._assignment(child, Place(child.value, file, around))
            self._index(child, file, around)

    def _assignment(self, node: ast.Assign | ast.AnnAssign, value: Place) -> None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute):
                self.attributes[target.attr].append(value)
                if isinstance(value.node, ast.Attribute | ast.Name):
                    self.aliases[last_name(value.node)].add(target.attr)
            elif isinstance(target, ast.Name) and value.around is None:
                self.constants[target.id].append(value)

    # --- following

    def follow(self, place: Place, seen: frozenset[int] = frozenset()) -> Iterator[tuple[str, str]]:
        """The words that an expression may be, each with the file of the literal.

        Raises ValueError with what cannot be followed.
        """
        node, file, around = place
        if id(node) in seen:
            return
        seen |= {id(node)}

        def onwards(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
            for one in nodes:
                yield from self.follow(Place(one, file, around), seen)

        if isinstance(node, ast.Constant) and isinstance(node.value, str | None):
            if node.value:
                yield node.value, file
        elif isinstance(node, ast.IfExp):
            yield from onwards((node.body, node.orelse))
        elif isinstance(node, ast.BoolOp):
            yield from onwards(node.values)
        elif isinstance(node, ast.NamedExpr):
            yield from onwards((node.value,))
        elif isinstance(node, ast.JoinedStr):
            yield from self._joined(node, place, seen)
        elif isinstance(node, ast.Name):
            for source in self._sources(node, place):
                yield from self.follow(source, seen)
        elif isinstance(node, ast.Attribute):
            sources = self.attributes[node.attr] or self.constants[node.attr]
            if not sources:
                raise ValueError(f"{file}:{node.lineno} {ast.unparse(node)}")
            for source in sources:
                yield from self.follow(source, seen)
        elif isinstance(node, ast.Call):
            for source in self._returned(node, file):
                yield from self.follow(source, seen)
        elif isinstance(node, Element) and isinstance(node.value, ast.Call):
            for source in self._returned(node.value, file):
                if isinstance(source.node, ast.Tuple):
                    yield from self.follow(source._replace(node=source.node.elts[node.index]), seen)
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name | ast.Attribute):
            yield from self._values(node.value, file, seen)
        else:
            raise ValueError(f"{file}:{getattr(node, 'lineno', 0)} {ast.unparse(node)}")

    def _joined(self, node: ast.JoinedStr, place: Place, seen: frozenset[int]) -> Iterator[tuple[str, str]]:
        """The words of an f-string with one expression in it."""
        texts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        inner = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        if len(inner) != 1 or texts[1:]:
            raise ValueError(f"{place.file}:{node.lineno} {ast.unparse(node)}")
        for word, file in self.follow(Place(inner[0], place.file, place.around), seen):
            yield str(texts[0]) + word if texts else word, file

    def _sources(self, name: ast.Name, place: Place) -> Iterator[Place]:
        """Where the value of a variable comes from: what is assigned to it, or what callers pass."""
        found = False
        if place.around is not None:
            for node in ast.walk(place.around):
                for target, value in targets(node):
                    if target == name.id:
                        found = True
                        yield Place(value, place.file, place.around)
            if name.id in parameters(place.around):
                found = True
                yield from self._arguments(place.around, name.id, place.file)
        if not found:
            constants = self.constants[name.id]
            if not constants:
                raise ValueError(f"{place.file}:{name.lineno} {name.id}")
            yield from constants

    def _arguments(self, function: Function, parameter: str, file: str) -> Iterator[Place]:
        """What the callers of a function pass as a parameter, and its default."""
        names, default = parameters(function), defaults(function).get(parameter)
        found = default is not None
        if default is not None:
            yield Place(default, file, None)
        for called in (function.name, *sorted(self.aliases[function.name])):
            for call in self.calls[called]:
                assert isinstance(call.node, ast.Call)
                if called.startswith("_") and call.file != file:
                    continue  # another function of that name: this one is its file's own
                argument = argument_of(call.node, names.index(parameter), parameter)
                if argument is not None and may_call(call.node, function):
                    found = True
                    yield Place(argument, call.file, call.around)
        if not found:
            raise ValueError(f"{file}:{function.lineno} {function.name}({parameter}), which no call passes,")

    def _returned(self, call: ast.Call, file: str) -> Iterator[Place]:
        """What the functions of that name return, those that return text."""
        functions = [
            place
            for place in self.functions[last_name(call.func)]
            if isinstance(place.node, Function) and place.node.returns is not None
            and "str" in ast.unparse(place.node.returns) and may_call(call, place.node)
        ]  # fmt: skip
        if not functions:
            raise ValueError(f"{file}:{call.lineno} {ast.unparse(call)}")
        for place in functions:
            assert isinstance(place.node, Function)
            for node in ast.walk(place.node):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield Place(node.value, place.file, place.node)

    def _values(self, name: ast.Name | ast.Attribute, file: str, seen: frozenset[int]) -> Iterator[tuple[str, str]]:
        """The values of a table that is a constant of a module."""
        tables = [place for place in self.constants[last_name(name)] if isinstance(place.node, ast.Dict)]
        if not tables:
            raise ValueError(f"{file}:{name.lineno} {ast.unparse(name)}[...]")
        for place in tables:
            assert isinstance(place.node, ast.Dict)
            for value in place.node.values:
                yield from self.follow(Place(value, place.file, None), seen)

    # --- what is told

    def telling(self) -> Iterator[tuple[Place, ast.expr, ast.expr | None]]:
        """Each place that tells an event, with the expressions of its name and of its reason."""
        for place in (*self.calls["tell"], *self.calls["_tell"], *self.calls["event"]):
            call = place.node
            assert isinstance(call, ast.Call)
            if place.around is not None and (place.around.name, place.file) in PASS_ON:
                continue
            if last_name(call.func) == "event":  # with clauses in the place of a reason
                yield place, call.args[0], None
                continue
            at = next((at for at in (0, 1) if len(call.args) > at and is_event_name(call.args[at])), None)
            if at is None:
                if last_name(call.func) != "_tell" and not is_settled(call):
                    yield place, call.args[0], None
                continue
            of_the_host = at == 0 and (last_name(receiver(call)) in ("trace", "_trace") or place.file == TRACE)
            yield place, call.args[at], argument_of(call, 2 if of_the_host else at + 1, "because")

    def names(self) -> Words:
        """The names of the events that are told."""
        return self._collect((place, name) for place, name, _ in self.telling())

    def reasons(self) -> Words:
        """The reasons that are told with events."""
        return self._collect((place, because) for place, _, because in self.telling() if because is not None)

    def drops(self) -> Words:
        """The reasons of drops: those that are counted, and those that are raised, for a caller to count."""
        calls = [place for place in (*self.calls["drop"], *self.calls["BadPacket"]) if place.file != "link/impair.py"]
        found = []
        for place in calls:
            assert isinstance(place.node, ast.Call)
            reason = place.node.args[0]
            if not (isinstance(reason, ast.Attribute) and reason.attr == "reason"):  # of a BadPacket that was caught
                found.append((place, reason))
        return self._collect(found)

    def _collect(self, expressions: Iterable[tuple[Place, ast.expr]]) -> Words:
        words = Words(defaultdict(set), [])
        for place, node in expressions:
            try:
                for word, file in self.follow(Place(node, place.file, place.around)):
                    words.files[word].add(file)
            except ValueError as error:
                words.complaints.append(f"{error} cannot be followed to a literal: say the word as one")
        return words


def last_name(node: ast.AST) -> str:
    """The last name of `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def receiver(call: ast.Call) -> ast.AST:
    """What a method is called on."""
    return call.func.value if isinstance(call.func, ast.Attribute) else call.func


def is_settled(call: ast.Call) -> bool:
    """Whether this is `Changes.tell`, which is given a TCB and no name."""
    return last_name(receiver(call)) == "_changes"


def is_event_name(node: ast.expr) -> bool:
    """Whether this is the name of an event, or an f-string that begins as one."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
        return isinstance(node, ast.Constant) and str(node.value).endswith(":")
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(EVENT_NAME.fullmatch(node.value))


def parameters(function: Function) -> list[str]:
    """The names of the parameters, without that of the object."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    if names[:1] in (["self"], ["cls"]):
        del names[0]
    return names + [argument.arg for argument in arguments.kwonlyargs]


def defaults(function: Function) -> dict[str, ast.expr]:
    """The defaults of the parameters that have one."""
    arguments = function.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    found = dict(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if value is not None:
            found[argument.arg] = value
    return found


def may_call(call: ast.Call, function: Function) -> bool:
    """Whether this call can be one of the function: it is one of a method or not, and its arguments fit."""
    arguments = function.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    method = positional[:1] in (["self"], ["cls"])
    if method and not isinstance(call.func, ast.Attribute):
        return False
    names = parameters(function)
    given = {word.arg for word in call.keywords}
    if any(isinstance(argument, ast.Starred) for argument in call.args) or None in given:
        return True
    if len(call.args) > len(positional) - method and arguments.vararg is None:
        return False
    if not given <= set(names) and arguments.kwarg is None:
        return False
    needed = set(names) - set(defaults(function)) - set(names[: len(call.args)])
    return needed <= given


def argument_of(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    """The argument of a call with this position or keyword."""
    for word in call.keywords:
        if word.arg == keyword:
            return word.value
    return call.args[position] if len(call.args) > position else None


def targets(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The variables that a statement or expression assigns to, and what it assigns."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for one, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(one, ast.Name):
                        yield one.id, value
            elif isinstance(target, ast.Tuple):
                for index, one in enumerate(target.elts):
                    if isinstance(one, ast.Name):
                        yield one.id, Element(node.value, index)
    elif isinstance(node, ast.For) and isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Tuple):
        for value in node.iter.elts:
            yield node.target.id, value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id, node.value


@cache
def stack_code() -> Code:
    """The code of the stack, without its tables of words."""
    return Code({
        str(path.relative_to(STACK)): path.read_text(encoding="utf-8") for path in sorted(STACK.rglob("*.py"))
    })  # fmt: skip


def unfounded(table: dict[str, tuple[str, ...]], known: Iterable[str]) -> list[str]:
    """The words without a clause, and the clauses that are in no list."""
    complaints = [f"{word}: neither a clause nor own" for word, ids in table.items() if not ids]
    for word, ids in table.items():
        complaints += [f"{word}: no such clause: {id}" for id in ids if id != "own" and id not in known]
        if "own" in ids and len(ids) > 1:
            complaints.append(f"{word}: both clauses and own")
    return complaints


def misplaced(words: dict[str, set[str]], table: dict[str, tuple[str, ...]], places: dict[str, str]) -> list[str]:
    """The words of which no file is one that where.tsv names for their clauses."""
    complaints = []
    for word, files in words.items():
        named = {places[id].partition(":")[0] for id in table.get(word, ()) if id in places}
        if named and not named & files and not FOR_ALL & files:
            complaints.append(f"{word} is said in {', '.join(sorted(files))}, but where.tsv names {sorted(named)}")
    return complaints


# --- the stack


def test_every_name_of_an_event_is_in_the_table() -> None:
    words = stack_code().names()
    assert words.complaints == []
    assert sorted(words.files) == sorted(NAMES)


def test_every_reason_of_a_decision_is_in_the_table() -> None:
    words = stack_code().reasons()
    assert words.complaints == []
    assert sorted(words.files) == sorted(REASONS)


def test_every_reason_of_a_drop_is_in_the_table() -> None:
    words = stack_code().drops()
    assert words.complaints == []
    assert sorted(words.files) == sorted((*DROPS, *SILENT, *UNREADABLE))
    assert sorted(DROP_CLAUSES) == sorted((*DROPS, *SILENT))
    assert set(DROP_CLAUSES) >= NOT_THE_FRAME


def test_a_word_stands_in_one_table() -> None:
    """`WHY` has all of them in one."""
    assert len(WHY) == len(NAMES) + len(REASONS) + len(DROP_CLAUSES)


def test_every_word_has_clauses_of_the_lists_or_is_our_own() -> None:
    assert unfounded(WHY, requirements()) == []


def test_every_reason_is_said_where_its_clause_is_answered_for() -> None:
    words = {**stack_code().reasons().files, **stack_code().drops().files}
    complaints = misplaced(words, WHY, where())
    assert [complaint for complaint in complaints if complaint.split(" ")[0] not in ELSEWHERE] == []
    assert len(complaints) == len(ELSEWHERE), "an entry of ELSEWHERE is not needed"


def test_every_sentence_is_there() -> None:
    for table in (NAMES, REASONS):
        assert all(reason.sentence.strip() for reason in table.values())
    assert all(name in MIB for name in SILENT)


# --- the test itself


@pytest.mark.parametrize(
    "told",
    [
        'tcb.tell("tcp:send", "nagle")',
        'tcb.tell("tcp:send", because="nagle", length=7)',
        'services.trace.tell(tcb, "tcp:send", "nagle")',
        'self._trace.tell("tcp:send", "c7", "nagle")',
        'word = "nagle"\n    tcb.tell("tcp:send", word)',
        'tcb.tell("tcp:send", "nagle" if small else "")',
        'tcb.tell("tcp:send", WORDS[small])\nWORDS = {True: "nagle"}',
        'tcb.why = "nagle"\n    tcb.tell("tcp:send", tcb.why)',
        'tell_send(tcb, "nagle")\ndef tell_send(tcb, because):\n    tcb.tell("tcp:send", because)',
        'tcb.tell("tcp:send", word())\ndef word() -> str:\n    return "nagle"',
        'word, _ = words()\n    tcb.tell("tcp:send", word)\ndef words() -> tuple[str, int]:\n    return "nagle", 7',
        'partial(say, tcb, "nagle")\ndef say(tcb, because):\n    tcb.tell("tcp:send", because)',
        'say(tcb, "nagle")\n    x.say(7)\ndef say(tcb, because):\n    tcb.tell("tcp:send", because)',
        'for word in ("nagle", ""):\n        tcb.tell("tcp:send", word)',
        'self._say("send")\ndef _say(self, what):\n    self.trace.tell(f"tcp:{what}", "c7", "nagle")',
    ],
)
def test_a_word_is_followed_to_its_literal(told: str) -> None:
    code = Code({"tcp/x.py": f"def f(tcb, small):\n    {told}\n"})
    assert code.names() == Words({"tcp:send": {"tcp/x.py"}}, [])
    assert code.reasons() == Words({"nagle": {"tcp/x.py"}}, [])


@pytest.mark.parametrize(
    "word", ["unknown", "tcb", "x or small", "'a' + small", "table[small]", "tcb.nowhere", "ask(tcb)"]
)
def test_a_word_that_cannot_be_followed_is_noticed(word: str) -> None:
    code = Code({"tcp/x.py": f'def f(tcb):\n    tcb.tell("tcp:send", {word})\n'})
    assert len(code.reasons().complaints) == 1


def test_a_drop_is_followed_through_who_raises_it() -> None:
    source = """
def f(counters, flow, packet):
    counters.drop("one")
    drop("two" if packet else "three")
    refuse(flow, "four")
    counters.drop(check(packet))
    counters.drop(bad.reason)
    raise BadPacket("six")

def refuse(flow, reason):
    raise BadPacket(reason)

def check(packet) -> str:
    return "five"
"""
    words = Code({"udp/x.py": source}).drops()
    assert sorted(words.files) == sorted(("one", "two", "three", "four", "five", "six"))
    assert words.complaints == []


def test_words_without_a_clause_and_clauses_without_a_list_are_noticed() -> None:
    assert unfounded({"a": ("own",), "b": ("9293 MUST-1", "field-2")}, requirements()) == []
    assert len(unfounded({"a": (), "b": ("9293 MUST-999",), "c": ("own", "9293 MUST-1")}, requirements())) == 3


def test_a_word_in_another_file_is_noticed() -> None:
    table, places = {"nagle": ("9293 SHLD-7", "9293 MUST-17"), "own": ("own",)}, {"9293 MUST-17": "tcp/output.py:f"}
    assert misplaced({"nagle": {"tcp/output.py"}, "own": {"tcp/x.py"}}, table, places) == []
    assert len(misplaced({"nagle": {"tcp/x.py"}}, table, places)) == 1
