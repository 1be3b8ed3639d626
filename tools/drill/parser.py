"""Parses a packet script by the grammar of packetdrill.

A valid script that needs something the runner or the stack does not have (IPv6, encapsulation,
shell commands, epoll, ...) raises `Unsupported`. An invalid script raises `ScriptError` with line
and column. The section "Packet scripts" of CONTRIBUTING.md lists what is unsupported.
"""

from __future__ import annotations

from . import symbols
from .expressions import ExpressionParser
from .lexer import Token, tokens
from .options import read_options
from .script import (
    Call,
    Code,
    Event,
    IcmpPacket,
    Ip,
    Option,
    Quote,
    Script,
    ScriptError,
    TcpPacket,
    Timing,
    UdpPacket,
    Unsupported,
    When,
)

MOST_EVENTS = 20_000
LONGEST_TIME_S = 30 * 86400  # the largest time in a script
LARGEST_32 = 0xFFFF_FFFF
LARGEST_16 = 0xFFFF
LONGEST_TCP_PAYLOAD = LARGEST_16 - 40
LONGEST_UDP_PAYLOAD = LARGEST_16 - 28
LONGEST_OPTIONS = 40  # octets, RFC 9293 section 3.1
ENCAPSULATIONS = ("ipv4", "ipv6", "gre", "GREv0", "mpls", "psp", "raw")


def parse(text: str) -> Script:
    """Return the script in `text`. Raises ScriptError and Unsupported."""
    return Parser(text).script()


class Parser(ExpressionParser):
    """Reads a script from its tokens, in one pass."""

    def __init__(self, text: str) -> None:
        super().__init__(tokens(text))
        self._text = text

    def script(self) -> Script:
        """Take the whole script: options, then events."""
        options, self.defines = read_options(self)
        if self.peek().kind == "command":
            raise Unsupported(self.peek().line, "shell commands")
        events: list[Event] = []
        while self.peek().kind != "end":
            if len(events) == MOST_EVENTS:
                raise self.error(f"a script has at most {MOST_EVENTS} events")
            events.append(self._event())
        if not events:
            raise self.error("a script must have at least one event")
        return Script(tuple(options), tuple(events))

    # --- events and their times

    def _event(self) -> Event:
        first = self.peek()
        if first.kind == "command":
            raise Unsupported(first.line, "shell commands")
        when = self._when()
        token = self.peek()
        action: TcpPacket | UdpPacket | IcmpPacket | Call | Code
        if token.text in ("<", ">"):
            action = self._packet()
        elif token.kind == "code":
            self.take()
            action = Code(token.text[2:-2].strip())
        elif token.kind == "command":
            raise Unsupported(token.line, "shell commands")
        elif token.kind == "word" or token.text == "...":
            action = self._call(when)
        else:
            raise self.error("expected a packet (< or >), a socket call or a %{ }% block")
        outgoing = not isinstance(action, (Call, Code)) and action.outbound
        if when.timing not in (Timing.ABSOLUTE, Timing.RELATIVE) and not outgoing:
            time = "the time *" if when.timing is Timing.ANY else "a range of times"
            raise ScriptError(first.line, first.column, f"only an outgoing packet (>) may have {time}")
        text = " ".join(self._text[first.start : self.before().stop].split())
        return Event(first.line, when, action, text)

    def _when(self) -> When:
        if self.accept("*"):
            return When(Timing.ANY)
        relative = self.accept("+")
        start = self._time()
        if not self.accept("~"):
            return When(Timing.RELATIVE if relative else Timing.ABSOLUTE, start, start)
        if relative:
            self.expect("+")
        end = self._time()
        if end < start:
            raise self.error("the range of times ends before it begins", self.before())
        return When(Timing.RELATIVE_RANGE if relative else Timing.ABSOLUTE_RANGE, start, end)

    def _time(self) -> int:
        """Take a time in seconds, and return it in microseconds."""
        token = self.peek()
        if token.kind not in ("integer", "float"):
            raise self.error("expected a time: 0.1, +0.1, 0.1~0.2, +0.1~+0.2 or *")
        self.take()
        if token.text.startswith("-"):
            raise self.error("a time must not be negative", token)
        whole, _, part = token.text.partition(".")
        time_us = int(whole or "0") * 1_000_000 + int(part[:6].ljust(6, "0"))
        if part[6:].strip("0"):
            raise self.error("a time may have at most six decimal places: microseconds", token)
        if time_us > LONGEST_TIME_S * 1_000_000:
            raise self.error(f"a time may be at most {LONGEST_TIME_S} s", token)
        return time_us

    # --- packets

    def _packet(self) -> TcpPacket | UdpPacket | IcmpPacket:
        outbound = self.take().text == ">"
        if self.peek().text in ENCAPSULATIONS:
            raise Unsupported(self.peek().line, f"encapsulation by {self.peek().text}")
        ip = self._ip(outbound)
        if self.accept("icmp"):
            return self._icmp(outbound, ip)
        if self.accept("udp"):
            ports = self._ports()
            self.expect("(")
            length = self.number("the length of a datagram", LONGEST_UDP_PAYLOAD)
            self.expect(")")
            return UdpPacket(outbound, ip, ports, length)
        return self._tcp(outbound, ip)

    def _ip(self, outbound: bool) -> Ip:
        closing = {"(": ")", "[": "]"}.get(self.peek().text)
        if closing is None:
            return Ip()
        self.take()
        token = self.take()
        if token.text in ("noecn", "ect0", "ect1", "ce", "ect01"):
            if token.text == "ect01" and not outbound:
                raise self.error("only an outgoing packet (>) may have ect01: an incoming one has ect0 or ect1", token)
            ip = Ip(ecn=token.text)
        elif token.text == "tos":
            ip = Ip(tos=self.number("a TOS", 0xFF))
        elif token.text == "ttl":
            ip = Ip(ttl=self.number("a TTL", 0xFF))
        elif token.text == "flowlabel":
            raise Unsupported(token.line, "IPv6 flow labels")
        else:
            raise self.error("expected ect0, ect1, ce, noecn, tos or ttl", token)
        if self.peek().text == ",":
            raise Unsupported(token.line, "IPv6 flow labels")
        self.expect(closing)
        return ip

    def _ports(self) -> tuple[int, int] | None:
        if self.peek().kind != "integer":
            return None
        source = self.number("a port", LARGEST_16)
        self.expect(">")
        return source, self.number("a port", LARGEST_16)

    def _tcp(self, outbound: bool, ip: Ip) -> TcpPacket:
        ports = self._ports()
        first = self.peek()
        flags = self._flags()
        seq, length = self._sequence()
        ack = self.number("an acknowledgment number", LARGEST_32) if self.accept("ack") else None
        window = self.number("a window", LARGEST_16) if self.accept("win") else None
        urgent = self.number("an urgent pointer", LARGEST_16) if self.accept("urg") else 0
        options: tuple[Option, ...] | None = ()
        if self.peek().text == "<":  # not an incoming packet: a line begins with its time
            options = self._options(outbound)
        if self.peek().text == "{":
            raise Unsupported(self.peek().line, "packets that are changed at random")
        if ack is None and flags & symbols.ACK:
            raise self.error("a segment with the flag . must have an `ack`", first)
        if ack is not None and not flags & symbols.ACK:
            raise self.error("a segment with an `ack` must have the flag .", first)
        if urgent and not flags & symbols.URG:
            raise self.error("a segment with an `urg` must have the flag U", first)
        return TcpPacket(outbound, ip, ports, flags, seq, length, ack, window, urgent, options)

    def _flags(self) -> int:
        token = self.take()
        if token.text == "-":
            return 0
        letters = token.text
        if token.kind == "word" and self.peek().text == "." and self.peek().start == token.stop:
            letters += self.take().text
        elif token.kind == "float" or (token.kind == "word" and self.peek().kind == "float"):
            raise Unsupported(token.line, "the ACE field of accurate ECN")
        if token.kind != "word" and token.text != ".":
            raise self.error("expected the flags of a segment: S F R P U E W . or -", token)
        flags = 0
        for letter in letters:
            if letter in "AC0123456789":
                raise Unsupported(token.line, "the ACE field of accurate ECN")
            bit = symbols.FLAG_LETTERS.get(letter)
            if bit is None:
                raise self.error(f"{letter!r} is not a flag: S F R P U E W . or -", token)
            if flags & bit:
                raise self.error(f"the flag {letter} is given twice", token)
            flags |= bit
        return flags

    def _sequence(self) -> tuple[int, int]:
        """Take `1:1001(1000)`, and return the first sequence number and the length."""
        first = self.peek()
        start = self.number("a sequence number", LARGEST_32)
        self.expect(":")
        end = self.number("a sequence number", LARGEST_32)
        self.expect("(")
        length = self.number("the length of a segment", LONGEST_TCP_PAYLOAD)
        self.expect(")")
        if (start + length) & LARGEST_32 != end:
            wanted = (start + length) & LARGEST_32
            raise self.error(f"{length} octets from {start} on end at {wanted}, not at {end}", first)
        return start, length

    # --- TCP options

    def _options(self, outbound: bool) -> tuple[Option, ...] | None:
        opening = self.expect("<")
        if self.accept("..."):
            if not outbound:
                raise self.error("only an outgoing packet (>) may have <...>", opening)
            self.expect(">")
            return None
        options = [self._option()]
        while self.accept(","):
            options.append(self._option())
        self.expect(">")
        length = sum(map(_option_length, options))
        if length > LONGEST_OPTIONS or length % 4:
            raise self.error(f"the options must have at most 40 octets and a multiple of 4, not {length}", opening)
        return tuple(options)

    def _option(self) -> Option:
        token = self.take()
        name = token.text
        if name in ("nop", "eol", "sackOK"):
            return Option(name)
        if name == "mss":
            return Option(name, (self.number("an MSS", LARGEST_16),))
        if name == "wscale":
            return Option(name, (self.number("a window scale", 0xFF),))
        if name == "sack":
            return self._sack()
        if name == "TS":
            self.expect("val")
            value = self.number("a timestamp", LARGEST_32)
            self.expect("ecr")
            return Option(name, (value, self.number("a timestamp", LARGEST_32)))
        if name in ("FO", "FOEXP"):
            return self._cookie(name)
        if name in ("md5", "mp_capable", "mp_join", "dss", "AccECN", "ACCECN", "ECN"):
            raise Unsupported(token.line, f"the TCP option {name}")
        raise self.error("expected a TCP option: mss, wscale, sackOK, sack, TS, nop, eol, FO or FOEXP", token)

    def _sack(self) -> Option:
        edges: list[int] = []
        while self.peek().kind == "integer":
            edges.append(self.number("the left edge of a block", LARGEST_32))
            self.expect(":")
            edges.append(self.number("the right edge of a block", LARGEST_32))
        if not edges:
            raise self.error("expected a block: 1001:2001")
        return Option("sack", tuple(edges))

    def _cookie(self, name: str) -> Option:
        if self.peek().kind not in ("word", "integer"):
            return Option(name)
        token = self.take()
        try:
            return Option(name, octets=bytes.fromhex(token.text))
        except ValueError:
            raise self.error("a cookie must have an even number of hexadecimal digits", token) from None

    # --- ICMP

    def _icmp(self, outbound: bool, ip: Ip) -> IcmpPacket:
        token = self.take()
        kind = symbols.ICMP_TYPES.get(token.text)
        if kind is None:
            kind = self._icmp_number(token, "type_")
        code = 0
        if self.peek().kind == "word" and self.peek().text not in ("mtu", "id"):
            token = self.take()
            if kind == symbols.UNREACHABLE and token.text in symbols.UNREACHABLE_CODES:
                code = symbols.UNREACHABLE_CODES.index(token.text)
            else:
                code = self._icmp_number(token, "code_")
        mtu = self.number("an MTU", LARGEST_16) if self.accept("mtu") else None
        if mtu is not None and (kind, code) != (symbols.UNREACHABLE, symbols.FRAGMENTATION_NEEDED):
            raise self.error("only `unreachable frag_needed` may have an MTU", self.before())
        ident = self.number("an identifier", LARGEST_16) if self.accept("id") else None
        quote: Quote | None = None
        raw: int | None = None
        if self.accept("["):
            if self.accept("udp"):
                quote = Quote("udp", 0, self._length_in_parentheses())
            elif self.accept("raw"):
                raw = self._length_in_parentheses()
            else:
                quote = Quote("tcp", *self._sequence())
            self.expect("]")
        is_echo = kind in (symbols.ECHO_REPLY, symbols.ECHO_REQUEST)
        if not is_echo and quote is None and raw is None:
            quote = Quote("tcp", 0, 0)
        return IcmpPacket(outbound, ip, None, kind, code, mtu, ident, quote, raw)

    def _length_in_parentheses(self) -> int:
        self.expect("(")
        length = self.number("a length", LONGEST_UDP_PAYLOAD - 28)
        self.expect(")")
        return length

    def _icmp_number(self, token: Token, prefix: str) -> int:
        """Return the number in `type_9` or `code_9`."""
        digits = token.text.removeprefix(prefix)
        if digits == token.text or not digits.isdecimal() or len(digits) > 3 or int(digits) > 0xFF:
            raise self.error(f"{token.text!r} is not an ICMP {prefix.rstrip('_')}", token)
        return int(digits)

    # --- socket calls

    def _call(self, when: When) -> Call:
        end: int | None = None
        if self.accept("..."):
            end = self._time()
            if end < when.start_us:
                raise self.error("the call returns before it is made", self.before())
        name = self.take()
        if name.kind != "word":
            raise self.error("expected the name of a socket call", name)
        self.expect("(")
        arguments = self.expressions(")")
        self.expect(")")
        self.expect("=")
        result = self.expression()
        errno: str | None = None
        if self.peek().kind == "word":
            token = self.take()
            if not symbols.is_errno(token.text):
                raise self.error(f"{token.text!r} is not an errno", token)
            errno = "EAGAIN" if token.text == "EWOULDBLOCK" else token.text
        if (result == -1) != (errno is not None):
            raise self.error("a call that fails must have the result -1 and an errno", name)
        self._skip_errno_text()
        return Call(name.text, tuple(arguments), result, errno, end)

    def _skip_errno_text(self) -> None:
        """Skip the text in parentheses after a result."""
        if not self.accept("("):
            return
        opening = self.before()
        while not self.accept(")"):
            if self.peek().kind == "end" or self.peek().line != opening.line:
                raise self.error("this parenthesis is not closed on its line", opening)
            self.take()


def _option_length(option: Option) -> int:
    """Return the octets of an option in the header."""
    if option.name in ("nop", "eol"):
        return 1
    fixed = {"mss": 4, "wscale": 3, "sackOK": 2, "TS": 10, "FO": 2, "FOEXP": 4}
    return fixed.get(option.name, 2) + len(option.octets) + (4 * len(option.values) if option.name == "sack" else 0)
