"""DNS messages: names, records, and what a hostile message may cost. RFC 1035, RFC 6891."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.errors import BadPacket
from stack.wire import dns
from stack.wire.dns import Message, Name, Question, Record, Value, name_text, parse_name, read_name
from tests.wire.dns_messages import MESSAGES
from tests.wire.samples import datagram, user_datagram
from tests.wire.tshark import needs_tshark, read

repeatable = settings(derandomize=True, max_examples=300, deadline=None)
WWW = (b"www", b"example", b"com")
EXAMPLE = (b"example", b"com")
each_name = pytest.mark.parametrize("name", [name for name in MESSAGES if "TCP" not in name])


def parsed(name: str) -> Message:
    return Message.parse(MESSAGES[name])


# --- messages that dnsmasq has sent


def test_a_query_of_busybox() -> None:
    assert parsed("A with CNAME query") == Message(0x0CF3, dns.RD, (Question((b"web", *EXAMPLE), dns.A),))


def test_an_answer_through_an_alias() -> None:
    found = parsed("A with CNAME")
    assert found == Message(
        0x0CF3,
        dns.QR | dns.AA | dns.RD | dns.RA,
        (Question((b"web", *EXAMPLE), dns.A),),
        (
            Record((b"web", *EXAMPLE), dns.CNAME, dns.CLASS_IN, 0, (WWW,)),
            Record(WWW, dns.A, dns.CLASS_IN, 600, (bytes((192, 0, 2, 7)),)),
        ),
    )
    assert (found.is_response, found.opcode, found.rcode) == (True, 0, 0)


@pytest.mark.parametrize(
    ("name", "owner", "kind", "data"),
    [
        ("AAAA", WWW, dns.AAAA, (bytes.fromhex("20010db8000000000000000000000007"),)),
        ("MX", EXAMPLE, dns.MX, (10, (b"mail", *EXAMPLE))),
        ("TXT", EXAMPLE, dns.TXT, (b"v=spf1 -all", b"second string")),
        ("SRV", (b"_ldap", b"_tcp", *EXAMPLE), dns.SRV, (1, 5, 389, (b"ldap", *EXAMPLE))),
        ("PTR", (b"7", b"2", b"0", b"192", b"in-addr", b"arpa"), dns.PTR, (WWW,)),
        ("CAA", EXAMPLE, dns.CAA, (0, b"issue", b"ca.example.net")),
        ("HTTPS", WWW, dns.HTTPS, (1, (), 1, b"\x02h2", 3, b"\x01\xbb")),
        (
            "SOA and NS",
            (b"zone", b"test"),
            dns.SOA,
            ((b"ns", b"zone", b"test"), (b"hostmaster", b"zone", b"test"), 2026112901, 1200, 180, 1209600, 600),
        ),
    ],
)
def test_records_by_type(name: str, owner: Name, kind: int, data: tuple[Value, ...]) -> None:
    record = parsed(name).answers[0]
    assert (record.name, record.type, record.class_, record.data) == (owner, kind, dns.CLASS_IN, data)


def test_opt_has_the_size_and_the_options() -> None:
    (asked,) = parsed("CAA query with OPT").additionals
    assert asked == Record((), dns.OPT, 1232, 0x8000, (10, b"12345678"))
    refused = parsed("refused, extended error")
    assert (refused.rcode, refused.additionals[0].data) == (5, (15, b"\0\x0e"))


def test_the_response_code_has_twelve_bits_with_opt() -> None:
    message = Message(1, dns.QR | 0, additionals=(Record((), dns.OPT, 512, 1 << 24),))
    assert Message.parse(message.build()).rcode == 16


@each_name
def test_each_octet_belongs_to_one_field(name: str) -> None:
    tiles(MESSAGES[name])


def tiles(data: bytes) -> Message:
    """Parse; the header, the questions, the fields of the records and the rest follow each other without a gap."""
    message = Message.parse(data)
    at = dns.HEADER_LENGTH
    for question in message.questions:
        assert question.at == at
        at = question.end
    for record in (*message.answers, *message.authorities, *message.additionals):
        assert record.at == at
        at = record.name_end + 10
        for part in record.parts:
            assert part.at == at
            at += part.length
            if part.counts:
                assert isinstance(part.value, int)
        assert record.end == at
    assert message.trailing == data[at:]
    return message


@each_name
def test_a_message_that_is_built_and_parsed_is_the_same(name: str) -> None:
    message = parsed(name)
    for compress in (True, False):
        assert Message.parse(message.build(compress=compress)) == message
    assert len(message.build()) <= len(message.build(compress=False))


@pytest.mark.parametrize("name", ["A with CNAME query", "AAAA", "TXT", "PTR", "HTTPS", "no such name"])
def test_the_octets_of_dnsmasq_are_built(name: str) -> None:
    """It writes a pointer for the owner's name. In the data of other messages it does not use the pointers it could."""
    assert parsed(name).build() == MESSAGES[name]


# --- names


def test_the_example_of_rfc_1035_section_4_1_4() -> None:
    data = bytearray(93)
    data[20:32] = b"\x01F\x03ISI\x04ARPA\0"
    data[40:46] = b"\x03FOO\xc0\x14"
    data[64:66] = b"\xc0\x1a"
    assert read_name(bytes(data), 20) == ((b"F", b"ISI", b"ARPA"), 32)
    assert read_name(bytes(data), 40) == ((b"FOO", b"F", b"ISI", b"ARPA"), 46)
    assert read_name(bytes(data), 64) == ((b"ARPA",), 66)
    assert read_name(bytes(data), 92) == ((), 93)


def question(name: bytes) -> bytes:
    """A query for a name in wire form."""
    return struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + name + b"\0\1\0\1"


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",  # to itself
        b"\x01a\xc0\x0c",  # to the labels that led to it
        b"\xc0\x0e\0",  # forwards
        b"\xc0\x00",  # into the header
        b"\xff\xff",
        b"\x40a\0",  # 01 and 10 are reserved
        b"\x80a\0",
        b"\x3fa\0",  # a label that ends behind the message
        (b"\x3f" + b"a" * 63) * 4 + b"\0",  # 257 octets
    ],
)
def test_names_that_are_refused(name: bytes) -> None:
    with pytest.raises(BadPacket) as refused:
        Message.parse(question(name))
    assert refused.value.reason == "dns_bad_name"


def test_the_longest_name() -> None:
    name = (b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61)
    message = Message(1, 0, (Question(name, dns.A),))
    assert Message.parse(message.build()) == message
    assert name_text(name).count(".") == 3


def test_a_chain_of_pointers_is_bounded() -> None:
    """Each pointer leads to the one before. A name with 128 of them is refused."""

    def chained(count: int) -> bytes:
        chain = b"\0" + b"".join((0xC000 | 12 + max(0, 2 * number - 1)).to_bytes(2, "big") for number in range(count))
        return bytes(12) + chain

    data = chained(127)
    assert read_name(data, len(data) - 2) == ((), len(data))
    data = chained(128)
    with pytest.raises(BadPacket, match="dns_bad_name"):
        read_name(data, len(data) - 2)


def test_what_many_pointers_lead_to_is_read_once() -> None:
    """1000 pointers to each of the 126 labels of a name, and to the pointer that follows another one."""

    class Counting(bytes):
        reads = 0

        def __getitem__(self, index: Any) -> Any:
            Counting.reads += 1
            return bytes.__getitem__(self, index)

    name = bytes(12) + b"\x01a" * 126 + b"\0"
    end = len(name)
    name += b"\xc0\x0c" + (0xC000 | end).to_bytes(2, "big")
    targets = [*range(12, end - 1, 2), end, end + 2] * 1000
    data = Counting(name + b"".join((0xC000 | target).to_bytes(2, "big") for target in targets))
    known: dns.Known = {}
    read_name(data, 12, known=known)
    Counting.reads = 0
    for number, target in enumerate(targets):
        labels, after = read_name(data, len(name) + 2 * number, known=known)
        assert len(labels) == (126 if target >= end else 126 - (target - 12) // 2)
        assert after == len(name) + 2 * number + 2
    assert Counting.reads <= 2 * len(targets) + 10


def test_a_known_name_is_read_as_an_unknown_one() -> None:
    """Messages of labels and pointers to anywhere: the same names, and the same are refused."""
    random = Random(14)
    taken = refused = 0
    for _ in range(2000):
        size = random.choice((20, 60, 600))
        parts = (b"\0", b"\x01a", b"\x02bc", b"\x3f" + b"d" * 63)
        data = bytes(12)
        while len(data) < size:
            pointer = (0xC000 | random.randrange(10, len(data) + 2)).to_bytes(2, "big")
            data += random.choice((*parts, pointer, pointer, pointer))
        known: dns.Known = {}
        for _ in range(30):
            at = random.randrange(12, len(data))
            expected = outcome(data, at, None)
            assert outcome(data, at, known) == expected
            taken, refused = taken + (expected is not None), refused + (expected is None)
    assert taken > 1000
    assert refused > 1000


def outcome(data: bytes, at: int, known: dns.Known | None) -> tuple[Name, int] | None:
    """The name, or None if it is refused."""
    try:
        return read_name(data, at, known=known)
    except BadPacket:
        return None


def test_the_work_for_a_message_of_pointers_is_bounded() -> None:
    """Each of 10,900 questions is a pointer to a name of 127 labels, in the longest message of UDP."""
    count = 10_850
    data = struct.pack("!HHHHHH", 1, 0, count + 1, 0, 0, 0) + b"\x01a" * 127 + b"\0\0\1\0\1"
    data += b"\xc0\x0c\0\1\0\1" * count
    assert len(data) < 65536
    began = time.process_time()
    message = Message.parse(data)
    assert time.process_time() - began < 5
    assert len(message.questions) == count + 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ((), "."),
        (WWW, "www.example.com"),
        ((b"a.b", b"c"), "a\\.b.c"),
        ((b'say "hi"', b"\x1b[2J"), 'say\\032\\"hi\\".\\027[2J'),
        ((b"\\", b"\xff\0"), "\\\\.\\255\\000"),
    ],
)
def test_names_as_text(name: Name, text: str) -> None:
    assert name_text(name) == text
    assert parse_name(text) == name


def test_a_dot_at_the_end_and_escapes_of_letters_are_read() -> None:
    assert parse_name("www.example.com.") == WWW
    assert parse_name("\\www.example.com") == WWW


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "the root is a dot"),
        ("a..b", "a label has"),
        (".a", "a label has"),
        ("a" * 64, "a label has"),
        (".".join("a" * 128), "at most 255"),
        ("a\\", "backslash"),
        ("a\\256", "not an octet"),
        ("a\\1", "not an octet"),
        ("é", "not ASCII"),
    ],
)
def test_text_that_is_no_name(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_name(text)


names = st.lists(st.binary(min_size=1, max_size=63), max_size=4).map(tuple)


@repeatable
@given(names)
def test_names_are_read_back(name: Name) -> None:
    if sum(len(label) + 1 for label in name) < 255:
        assert parse_name(name_text(name)) == name
        assert name_text(name).isprintable()


# --- refusals


def record(kind: int, data: bytes, class_: int = 1) -> bytes:
    """A message with one answer, of the root."""
    return (
        struct.pack("!HHHHHH", 1, 0x8000, 0, 1, 0, 0) + b"\0" + struct.pack("!HHIH", kind, class_, 0, len(data)) + data
    )


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (dns.A, b"abc"),
        (dns.A, b"abcde"),
        (dns.AAAA, bytes(15)),
        (dns.NS, b"\0\0"),
        (dns.MX, b"\0"),
        (dns.MX, b"\0\1"),
        (dns.SOA, b"\0\0" + bytes(19)),
        (dns.TXT, b"\x04abc"),
        (dns.TXT, b"\x03abc\x01"),
        (dns.SRV, bytes(6)),
        (dns.CAA, b"\0"),
        (dns.CAA, b"\0\x05issu"),
        (dns.OPT, b"\0\1\0"),
        (dns.OPT, b"\0\1\0\2a"),
        (dns.HTTPS, b"\0\1\0\0\1\0\3ab"),
    ],
)
def test_data_that_does_not_fit_the_type(kind: int, data: bytes) -> None:
    for more in (b"", bytes(40)):  # also when the message goes on
        with pytest.raises(BadPacket) as refused:
            Message.parse(record(kind, data) + more)
        assert refused.value.reason in ("dns_bad_rdata", "dns_bad_name")


def test_a_name_in_the_data_ends_there() -> None:
    with pytest.raises(BadPacket, match="dns_bad_rdata"):
        Message.parse(record(dns.NS, b"\x03abc") + bytes(8))


@pytest.mark.parametrize("data", [b"", bytes(11), question(b"\x01a\0")[:-1], record(dns.A, bytes(4))[:-1]])
def test_messages_that_end_too_early(data: bytes) -> None:
    with pytest.raises(BadPacket, match="dns_truncated"):
        Message.parse(data)


@pytest.mark.parametrize("size", range(len(MESSAGES["SOA and NS"])))
def test_cut_at_each_octet(size: int) -> None:
    with pytest.raises(BadPacket):
        Message.parse(MESSAGES["SOA and NS"][:size])


def test_other_classes_and_types_have_octets_for_data() -> None:
    for kind, class_ in ((dns.A, 3), (999, 1)):
        assert Message.parse(record(kind, b"abc", class_)).answers[0].data == (b"abc",)
    assert Message.parse(record(dns.A, bytes(4), dns.CACHE_FLUSH | 1)).answers[0].data == (bytes(4),)


def test_a_record_without_data_is_taken() -> None:
    """An update deletes with such records (RFC 2136 section 2.5)."""
    found = Message.parse(record(dns.A, b"", dns.CLASS_ANY))
    assert (found.answers[0].data, found.build()) == ((), record(dns.A, b"", dns.CLASS_ANY))


def test_octets_behind_the_last_record_are_kept() -> None:
    found = Message.parse(record(dns.A, bytes(4)) + b"more")
    assert found.trailing == b"more"
    assert found.build().endswith(b"more")


# --- building


def test_names_in_new_types_are_not_compressed() -> None:
    """RFC 3597 section 4, RFC 2782."""
    for kind, before in ((dns.NS, ()), (dns.SRV, (1, 2, 3)), (dns.SVCB, (1,))):
        message = Message(1, 0, (Question(WWW, kind),), (Record(WWW, kind, 1, 0, (*before, WWW)),))
        assert (b"\x03www" in message.build()[20:]) == (kind != dns.NS)
        assert tiles(message.build()) == message


def test_a_pointer_reaches_only_14_bits() -> None:
    filler = Record((), dns.TXT, 1, 0, (b"x" * 255,) * 70)
    late = Record(WWW, dns.NS, 1, 0, (WWW,))
    message = Message(1, 0, (), (filler, late, late))
    assert tiles(message.build()) == message
    assert message.build().count(b"\x03www") == 4


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (dns.A, (b"abc",)),
        (dns.A, (7,)),
        (dns.A, (bytes(4), bytes(4))),
        (dns.MX, (WWW,)),
        (dns.MX, (1,)),
        (dns.MX, (1 << 16, WWW)),
        (dns.TXT, (bytes(256),)),
        (dns.TXT, (7,)),
        (dns.OPT, (b"a", b"b")),
        (dns.OPT, (1,)),
        (dns.NS, ((b"",),)),
        (dns.NS, ((b"a" * 64,),)),
    ],
)
def test_data_that_cannot_be_written(kind: int, data: tuple[Value, ...]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        Message(1, 0, (), (Record(WWW, kind, 1, 0, data),)).build()


short_names = st.lists(st.sampled_from([b"a", b"b", b"www", b"example", b"\0."]), max_size=5).map(tuple)
u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
octets = st.binary(max_size=20)
DATA = {
    dns.A: st.tuples(st.binary(min_size=4, max_size=4)),
    dns.AAAA: st.tuples(st.binary(min_size=16, max_size=16)),
    dns.NS: st.tuples(short_names),
    dns.CNAME: st.tuples(short_names),
    dns.PTR: st.tuples(short_names),
    dns.MX: st.tuples(u16, short_names),
    dns.SOA: st.tuples(short_names, short_names, u32, u32, u32, u32, u32),
    dns.TXT: st.lists(octets, min_size=1, max_size=4).map(tuple),
    dns.SRV: st.tuples(u16, u16, u16, short_names),
    dns.CAA: st.tuples(st.integers(0, 255), octets, octets),
    dns.SVCB: st.tuples(u16, short_names, u16, octets, u16, octets),
    dns.OPT: st.tuples(u16, octets),
    999: st.tuples(st.binary(min_size=1, max_size=20)),
}
records = st.sampled_from(sorted(DATA)).flatmap(
    lambda kind: st.builds(Record, short_names, st.just(kind), st.just(1), u32, DATA[kind])
)
sections = st.lists(records, max_size=4).map(tuple)


@repeatable
@given(
    st.builds(
        Message, u16, u16, st.lists(st.builds(Question, short_names, u16, u16), max_size=3).map(tuple),
        sections, sections, sections, octets,
    ),
    st.booleans(),
)  # fmt: skip
def test_messages_are_read_back(message: Message, compress: bool) -> None:
    assert tiles(message.build(compress=compress)) == message


# --- TCP


def test_messages_of_a_stream() -> None:
    first, second = MESSAGES["MX"], MESSAGES["TXT"]
    stream = dns.to_stream(first) + dns.to_stream(second)
    assert dns.split_stream(stream) == ([first, second], b"")
    assert dns.split_stream(stream[:-1]) == ([first], dns.to_stream(second)[:-1])
    assert dns.split_stream(b"\0") == ([], b"\0")
    (message,), rest = dns.split_stream(MESSAGES["TXT over TCP"])
    assert (Message.parse(message).answers[0].data[0], rest) == (b"v=spf1 -all", b"")


# --- beside tshark

FIELDS = {
    dns.A: ["dns.a"],
    dns.AAAA: ["dns.aaaa"],
    dns.NS: ["dns.ns"],
    dns.CNAME: ["dns.cname"],
    dns.PTR: ["dns.ptr.domain_name"],
    dns.MX: ["dns.mx.preference", "dns.mx.mail_exchange"],
    dns.SRV: ["dns.srv.priority", "dns.srv.weight", "dns.srv.port", "dns.srv.target"],
    dns.TXT: ["dns.txt"],
    dns.SOA: [
        f"dns.soa.{name}"
        for name in "mname rname serial_number refresh_interval retry_interval expire_limit minimum_ttl".split()
    ],
    dns.CAA: ["dns.caa.flags", "dns.caa.tag", "dns.caa.value"],
    dns.HTTPS: ["dns.svcb.svcpriority", "dns.svcb.targetname"],
}


@needs_tshark
def test_tshark_reads_the_same(tmp_path: Path) -> None:
    messages = [data for name, data in MESSAGES.items() if "TCP" not in name]
    packets = [datagram(17, user_datagram(data, 53, 50000)) for data in messages]
    head = ["dns.id", "dns.flags", "dns.qry.name", "dns.qry.type", "dns.resp.name", "dns.resp.type", "dns.resp.ttl"]
    wanted = sorted({name for names in FIELDS.values() for name in names})
    rows = read(tmp_path, packets, head + wanted)
    assert len(rows) == len(messages)
    for data, row in zip(messages, rows, strict=True):
        message = Message.parse(data)
        found = [*message.answers, *message.authorities, *message.additionals]
        assert [int(row[0][0], 0), int(row[1][0], 0)] == [message.id, message.flags]
        assert row[2:4] == [[name_text(message.questions[0].name)], [str(message.questions[0].type)]]
        owners = [one.name for one in found if one.type != dns.SRV]  # tshark gives those of SRV another field
        assert row[4] == [name_text(name) if name else "<Root>" for name in owners]
        assert [int(value) for value in row[5]] == [one.type for one in found]
        assert [int(value) for value in row[6]] == [one.ttl for one in found if one.type != dns.OPT]
        for name, values in zip(wanted, row[len(head) :], strict=True):
            ours = [as_tshark(name, one) for one in found if name in FIELDS.get(one.type, ())]
            assert values == [text for texts in ours for text in texts]


def as_tshark(name: str, record: Record) -> list[str]:
    """The values of a field of the record's data in tshark's form."""
    values = record.data if record.type == dns.TXT else record.data[FIELDS[record.type].index(name) :][:1]
    texts = []
    for value in values:
        if isinstance(value, int):
            texts.append(f"0x{value:02x}" if name == "dns.caa.flags" else str(value))
        elif isinstance(value, tuple):
            texts.append(name_text(value) if value else "<Root>")
        elif record.type == dns.AAAA:
            texts.append("2001:db8::7")
        elif record.type == dns.A:
            texts.append(".".join(map(str, value)))
        else:
            texts.append(value.decode())
    return texts
